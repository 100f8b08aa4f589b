/*
 * report: the evidence as JSON, long lists and long names, words for every reason, want of memory.
 * What is said of which evidence is in test_report_why.c.
 */
#include "tests/unit/support/rows.h"

#include <stdlib.h>

#include "tests/unit/support/evidence_make.h"
#include "policy/report/report.h"
#include "tests/unit/support/report_found.h"

/* ---- the tree ---- */

static void fill(struct made *made)
{
    static const uint8_t digest[32] = {0xab, 0xcd};
    struct starttls_result *result;

    make_evidence(made, MX_LISTED, true, "UN", 'E', "T,S");
    made->evidence.expanded = "other.example.com";
    made->tlsa[0].data = digest;
    made->hosts[0].expanded = "real.example.com";
    made->hosts[1].why = "nothing";
    made->hosts[1].ttl = UINT32_MAX;
    result = &made->addresses[0][0].starttls;
    *result = (struct starttls_result){
        .state = STARTTLS_TLS,
        .name_ok = true,
        .tlsa = TLSA_MATCH_OK,
        .requiretls = true,
        .code = 220,
        .probed_at = MAKE_NOW - 5000,
        .valid_until = MAKE_NOW + 60000,
        .protocol = "TLSv1.3",
        .cipher = "TLS_AES_256_GCM_SHA384",
        .subject = "mx0.example.com",
        .detail = "certificate has expired",
        .not_after = 1700000000,
    };
    made->addresses[0][0].secure = true;
    made->evidence.sts.why = "why";
    made->evidence.sts.retry_at = MAKE_NOW + 300000;
    made->evidence.complete = true;
}

static void test_tree_holds_everything(void **state)
{
    static const char want[] =
        "{\"domain\":\"example.com\",\"port\":25,\"expanded\":\"other.example.com\",\"complete\":"
        "true,\"mx\":{\"state\":\"listed\",\"secure\":true,\"truncated\":false,\"ttl\":3600,"
        "\"why\":null},\"dane\":\"mixed\",\"mta_sts\":{\"state\":\"policy\",\"mode\":\"enforce\","
        "\"in_force\":true,\"id\":\"20240101\",\"max_age\":86400,\"mx\":[\"mx0.example.com\","
        "\"*.example.net\"],\"mx_left_out\":[],\"lines\":[\"version: STSv1\",\"mode: enforce\","
        "\"mx: mx0.example.com\",\"mx: "
        "*.example.net\"],\"fetched_s_ago\":0,\"ends_in_s\":86400,\"remembered_for_s\":86400,"
        "\"retry_in_s\":300,\"ttl\":3600,\"why\":\"why\"},\"list\":null,\"starttls\":\"tls\","
        "\"hosts\":["
        "{\"name\":\"mx0.example.com\",\"preference\":10,\"expanded\":\"real.example.com\","
        "\"dane\":\"usable\",\"address_secure\":true,\"addresses_known\":true,\"tlsa_base\":"
        "\"mx0.example.com\",\"tlsa_short\":false,\"tlsa_truncated\":false,\"mta_sts_match\":true,"
        "\"ttl\":3600,\"why\":null,\"tlsa\":[{\"usage\":3,\"selector\":1,\"mtype\":1,\"usable\":"
        "true,\"length\":32,\"data\":"
        "\"abcd000000000000000000000000000000000000000000000000000000000000\"}],\"addresses\":[{"
        "\"address\":\"192.0.2.1\",\"secure\":true,\"starttls\":\"tls\",\"tls\":\"TLSv1.3\","
        "\"cipher\":\"TLS_AES_256_GCM_SHA384\",\"chain\":\"not trusted\",\"name_ok\":true,"
        "\"subject\":\"mx0.example.com\",\"not_after\":1700000000,\"tlsa\":\"match\","
        "\"requiretls\":true,\"distrusted\":false,\"detail\":\"certificate has "
        "expired\",\"code\":220,"
        "\"probed_s_ago\":5,\"next_probe_in_s\":60}]},{\"name\":\"mx1.example.com\","
        "\"preference\":20,\"expanded\":null,\"dane\":\"none\",\"address_secure\":false,"
        "\"addresses_known\":true,\"tlsa_base\":null,\"tlsa_short\":false,\"tlsa_truncated\":false,"
        "\"mta_sts_match\":false,\"ttl\":null,\"why\":\"nothing\",\"tlsa\":[],\"addresses\":[{"
        "\"address\":\"192.0.2.11\",\"secure\":false,\"starttls\":\"silent\",\"tls\":null,"
        "\"cipher\":null,\"chain\":null,\"name_ok\":null,\"subject\":null,\"not_after\":null,"
        "\"tlsa\":\"none\",\"requiretls\":false,\"distrusted\":false,\"detail\":null,\"code\":0,"
        "\"probed_s_ago\":null,"
        "\"next_probe_in_s\":null}]}]}";
    struct verdict_options options = make_options();
    struct made made;
    json_t *report;
    char *got;

    (void)state;
    fill(&made);
    report = report_of("Example.com", &made, &options);
    got = json_dumps(json_object_get(report, "evidence"), JSON_COMPACT);
    assert_string_equal(got, want);
    assert_string_equal(text_of(report, "key"), "example.com");
    assert_string_equal(text_of(report, "status"), "OK");
    assert_string_equal(text_of(report, "level"), "dane-only");
    assert_int_equal(json_integer_value(json_object_get(report, "valid_for_s")), 300);
    free(got);
    json_decref(report);
}

static void test_one_host(void **state)
{
    struct made made;
    json_t *host;

    (void)state;
    fill(&made);
    host = report_host(&made.hosts[0], MAKE_NOW);
    assert_string_equal(text_of(host, "name"), "mx0.example.com");
    assert_true(json_is_null(json_object_get(host, "mta_sts_match")));
    assert_int_equal(json_array_size(json_object_get(host, "addresses")), 1);
    json_decref(host);
}

static void test_long_tlsa_data_is_cut(void **state)
{
    static const uint8_t data[513];
    struct made made;
    json_t *host, *tlsa;

    (void)state;
    for (uint16_t length = 511; length <= 513; length++) {
        fill(&made);
        made.tlsa[0].data = data;
        made.tlsa[0].length = length;
        host = report_host(&made.hosts[0], MAKE_NOW);
        tlsa = json_array_get(json_object_get(host, "tlsa"), 0);
        assert_int_equal(json_string_length(json_object_get(tlsa, "data")),
                         2 * (length < 512 ? length : 512));
        assert_int_equal(json_integer_value(json_object_get(tlsa, "length")), length);
        json_decref(host);
    }
}

/* ---- lists ---- */

static void test_long_lists_are_counted(void **state)
{
    struct verdict_options options = make_options();
    struct mx_host hosts[8];
    struct made made;
    json_t *report;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "U", 'n', "");
    for (size_t i = 0; i < COUNT(hosts); i++)
        hosts[i] = made.hosts[0];
    made.evidence.hosts = hosts;
    made.evidence.complete = true;
    for (made.evidence.host_count = 4; made.evidence.host_count <= 6; made.evidence.host_count++) {
        report = report_of("example.com", &made, &options);
        assert_int_equal(said(json_object_get(report, "why"), "mx0.example.com and 1 more."),
                         made.evidence.host_count == 6);
        json_decref(report);
    }
}

/* Three such items fit in a list. */
static void test_what_does_not_fit_is_counted(void **state)
{
    static char name[254], why[161];
    struct verdict_options options = make_options();
    struct made made;
    json_t *report;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    memset(why, 'w', sizeof why - 1);
    make_evidence(&made, MX_LISTED, true, "EEEE", 'n', "");
    for (size_t i = 0; i < 4; i++) {
        made.hosts[i].name = name;
        made.hosts[i].why = why;
    }
    made.evidence.complete = true;
    report = report_of("example.com", &made, &options);
    assert_int_equal(said(json_object_get(report, "why"), "www) and 1 more."), true);
    json_decref(report);
}

static void test_the_longest_names_fit(void **state)
{
    static char name[254], detail[5000];
    struct verdict_options options = make_options();
    struct mx_host hosts[EVIDENCE_MX_MAX];
    struct made made;
    json_t *report;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    memset(detail, 'd', sizeof detail - 1);
    make_evidence(&made, MX_LISTED, false, "N", 'n', "CCSK");
    for (size_t i = 0; i < 4; i++)
        made.addresses[0][i].starttls.detail = detail;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        hosts[i] = made.hosts[0];
        hosts[i].name = name;
        hosts[i].dane = i % 2 ? HOST_DANE_NONE : HOST_DANE_LOST;
        hosts[i].why = detail;
    }
    made.evidence.domain = name;
    made.evidence.hosts = hosts;
    made.evidence.host_count = COUNT(hosts);
    made.evidence.sts.why = detail;
    made.evidence.complete = true;
    report = report_of("example.com", &made, &options);
    assert_non_null(report);
    assert_string_equal(text_of(report, "reason"), "starttls-clear");
    json_decref(report);
}

/* ---- words ---- */

static void assert_printable(const json_t *sentences)
{
    const json_t *sentence;
    size_t i;

    assert_true(json_array_size(sentences) > 0);
    json_array_foreach(sentences, i, sentence)
    {
        const char *text = json_string_value(sentence);

        for (const char *p = text; *p != '\0'; p++)
            assert_true(*p >= ' ' && *p <= '~');
        assert_null(strstr(text, "(null)"));
        assert_null(strpbrk(text, "{}"));
        assert_true(text[strlen(text) - 1] == '.');
    }
}

static void check_words(const struct verdict *verdict, const struct evidence *evidence)
{
    struct key key;
    json_t *report;

    key_parse(&key, "example.com", 11, 25);
    report = report_found(&key, verdict, evidence, MAKE_NOW);
    assert_non_null(report);
    assert_printable(json_object_get(report, "why"));
    if (evidence != NULL && json_array_size(json_object_get(report, "change")) == 0)
        fail_msg("no advice: %s", verdict_reason_code(verdict->reason));
    if (evidence != NULL)
        assert_printable(json_object_get(report, "change"));
    json_decref(report);
}

/* Where DANE decides, the answer to an MTA without it is there as well. */
static void test_without_dane(void **state)
{
    struct verdict verdict = {.level = VERDICT_DANE_ONLY,
                              .reason = REASON_DANE_FULL,
                              .dane = DANE_FULL,
                              .probed = VERDICT_VERIFY};
    struct made made;
    json_t *report;
    struct key key;

    (void)state;
    key_parse(&key, "example.com", 11, 25);
    make_evidence(&made, MX_LISTED, true, "U", '-', "V");
    report = report_found(&key, &verdict, &made.evidence, MAKE_NOW);
    assert_string_equal(json_string_value(json_object_get(report, "without_dane")),
                        "OK verify servername=hostname");
    json_decref(report);
    verdict.level = VERDICT_ENCRYPT;
    report = report_found(&key, &verdict, &made.evidence, MAKE_NOW);
    assert_null(json_object_get(report, "without_dane"));
    json_decref(report);
}

/* Every reason with every level, though few of the pairs exist: all rows of the tables are said. */
static void test_every_reason_has_words(void **state)
{
    static const enum mx_state mxs[] = {MX_LISTED, MX_LISTED,   MX_IMPLICIT,
                                        MX_SELF,   MX_UNUSABLE, MX_UNKNOWN};
    struct made made;

    (void)state;
    for (int reason = 0; reason < REASON_COUNT; reason++)
        for (int level = 0; level <= VERDICT_TEMP; level++)
            for (const char *sts = "?-nrdfbET0ZX"; *sts != '\0'; sts++) {
                size_t i = ((size_t)level + (size_t)*sts) % COUNT(mxs);
                struct verdict verdict = {.level = (enum verdict_level)level,
                                          .reason = (enum verdict_reason)reason,
                                          .without_dane = i == 0,
                                          .without_probe = i == 1};

                make_evidence(&made, mxs[i], i > 0, "UBNEDL?", *sts, "VTC,R,S,K,X,?");
                made.hosts[0].tlsa_short = true;
                made.evidence.complete = i % 2;
                check_words(&verdict, &made.evidence);
                check_words(&verdict, NULL);
            }
}

/* ---- want of memory: no report, no leak ---- */

static size_t allocations_left;

static void *allocate_some(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return malloc(size);
}

static void test_no_memory(void **state)
{
    struct verdict_options options = make_options();
    struct made made;
    json_t *report = NULL;
    size_t most;

    (void)state;
    fill(&made);
    json_set_alloc_funcs(allocate_some, free);
    for (most = 0; report == NULL && most < 5000; most++) {
        allocations_left = most;
        report = report_of("example.com", &made, &options);
    }
    assert_non_null(report);
    assert_true(most > 100);
    json_decref(report);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    ROWS_ADD_TEST(test_tree_holds_everything);
    ROWS_ADD_TEST(test_one_host);
    ROWS_ADD_TEST(test_long_tlsa_data_is_cut);
    ROWS_ADD_TEST(test_long_lists_are_counted);
    ROWS_ADD_TEST(test_what_does_not_fit_is_counted);
    ROWS_ADD_TEST(test_the_longest_names_fit);
    ROWS_ADD_TEST(test_without_dane);
    ROWS_ADD_TEST(test_every_reason_has_words);
    ROWS_ADD_TEST(test_no_memory);
    return rows_run("report");
}
