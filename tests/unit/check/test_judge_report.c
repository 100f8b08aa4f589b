/* judge: the report as a whole: its order, its limit, its exit status, and words of strangers. */
#include "tests/unit/check/judge_rows.h"

#define HOSTILE "\033[31m<b>&\"'\n\xff\xc3\xa9\x7f"

/* ---- order and exit ---- */

static int exit_of(struct made *made)
{
    judge_lines(&made->facts);
    return check_exit(&judge_report);
}

static void exit_status(void **state)
{
    struct made *made = facts_make();

    (void)state;
    assert_int_equal(exit_of(made), 0);
    made->policy.mode = STS_MODE_TESTING;
    assert_int_equal(exit_of(made), 0); /* a notice */
    made->hosts[0].alias = true;
    assert_int_equal(exit_of(made), 1);
    made->hosts[0].aaaa.failed_here = true;
    assert_int_equal(exit_of(made), 3);
    made->facts.null_mx_among = true;
    assert_int_equal(exit_of(made), 2);
}

static void worst_first(void **state)
{
    struct made *made = facts_make();

    (void)state;
    made->policy.mode = STS_MODE_TESTING;
    made->hosts[1].alias = made->hosts[0].alias = true;
    made->hosts[0].aaaa.failed_here = true;
    made->facts.null_mx_among = true;
    assert_string_equal(judge_lines(&made->facts), "critical mx-null-among-others\n"
                                                   "unknown not-found-out mx1.example.org\n"
                                                   "warning mx-alias mx1.example.org\n"
                                                   "warning mx-alias mx2.example.org\n"
                                                   "notice sts-testing");
}

/* ---- one cause ---- */

/* A server's words may differ each time; its code says what it is. */
static void replies_with_one_code(void **state)
{
    static const char *const details[] = {"STARTTLS: 454 not now a1", "STARTTLS: 454 not now b2"};
    struct made *made = facts_make();

    (void)state;
    for (size_t i = 0; i < MADE_ADDRESSES; i++) {
        struct check_attempt *usual = &made->hosts[0].addresses[i].attempts[CHECK_OFFER_DEFAULT];

        *usual = (struct check_attempt){
            .made = true, .state = STARTTLS_TEMPFAIL, .code = 454, .detail = details[i]};
    }
    assert_string_equal(judge_lines(&made->facts),
                        "critical starttls-refused mx1.example.org [9.9.9.1] [2620:fe::1]");
    assert_string_equal(judge_report.findings[0].evidence, details[0]);
    made->hosts[0].addresses[1].attempts[CHECK_OFFER_DEFAULT].code = 421;
    assert_string_equal(judge_lines(&made->facts),
                        "critical starttls-refused mx1.example.org [9.9.9.1]\n"
                        "critical starttls-refused mx1.example.org [2620:fe::1]");
    made->hosts[0].addresses[1].attempts[CHECK_OFFER_DEFAULT].code = 0;
    assert_string_equal(judge_lines(&made->facts),
                        "critical starttls-refused mx1.example.org [9.9.9.1]\n"
                        "critical starttls-refused mx1.example.org [2620:fe::1]");
}

/* ---- limits ---- */

/* `count` mild findings, then one that is worse. */
static void many(size_t count, size_t want, size_t dropped)
{
    static const char *names[CHECK_REPORT_MAX + 2];
    struct made *made = facts_make();

    for (size_t i = 0; i < count; i++)
        names[i] = "bad";
    made->facts.bad_names = names;
    made->facts.bad_name_count = count;
    made->evidence.sts.state = STS_DNS_ERROR;
    made->hosts[0].addresses[0].attempts[CHECK_OFFER_DEFAULT].state = STARTTLS_CLEAR;
    judge_lines(&made->facts);
    assert_int_equal(judge_report.count, want);
    assert_int_equal(judge_report.dropped, dropped);
    assert_int_equal(judge_report.findings[0].code, CHECK_FOUND_STARTTLS_MISSING);
    assert_int_equal(check_exit(&judge_report), 2);
}

static void four_hundred_findings(void **state)
{
    (void)state;
    many(CHECK_REPORT_MAX - 2, CHECK_REPORT_MAX, 0);
    many(CHECK_REPORT_MAX - 1, CHECK_REPORT_MAX, 1);
    many(CHECK_REPORT_MAX, CHECK_REPORT_MAX, 2);
    many(CHECK_REPORT_MAX + 1, CHECK_REPORT_MAX, 3);
}

static void a_report_is_used_again(void **state)
{
    struct made *made = facts_make();

    (void)state;
    many(CHECK_REPORT_MAX + 1, CHECK_REPORT_MAX, 3);
    made = facts_make();
    assert_string_equal(judge_lines(&made->facts), "");
    assert_int_equal(judge_report.dropped, 0);
}

/* Without memory nothing is read that is not there, and the arena says so. */
static void no_memory(void **state)
{
    struct made *made = facts_make();

    (void)state;
    made->hosts[0].alias = made->facts.null_mx_among = true;
    made->hosts[0].addresses[0].attempts[CHECK_OFFER_DEFAULT].tlsa = TLSA_MATCH_MISMATCH;
    for (size_t limit = 0; limit < 4000; limit += 50) {
        struct arena *arena = arena_new(limit);

        judge_report.arena = arena;
        check_judge(&judge_report, &made->facts);
        assert_true(limit > 1000 || arena_failed(arena));
        assert_int_equal(check_exit(&judge_report), 2);
        for (size_t i = 0; i < judge_report.count; i++)
            assert_non_null(judge_report.findings[i].evidence);
        arena_free(arena);
    }
}

/* ---- words of strangers ---- */

static void spoil_host(struct made *made)
{
    struct check_address *address = &made->hosts[0].addresses[0];
    struct check_attempt *attempt = &address->attempts[CHECK_OFFER_DEFAULT];

    made->hosts[0].name = HOSTILE;
    made->hosts[0].alias = true;
    made->host[0].a.answer.owner = HOSTILE;
    made->host[0].aaaa.answer = (struct dns_answer){.outcome = DNS_FAILED, .why = HOSTILE};
    made->host[0].reverse[0].record.name = HOSTILE;
    address->reverse_confirmed = false;
    attempt->certificates[0].names = attempt->certificates[0].subject = HOSTILE;
    attempt->certificates[0].issuer = attempt->certificates[0].issuer_name = HOSTILE;
    attempt->certificates[0].not_after = MADE_NOW + 1;
    attempt->certificates[0].key_bits = 1;
    attempt->certificates[0].signature = "sha1WithRSA";
    attempt->name_ok = false;
    attempt->tlsa = TLSA_MATCH_MISMATCH;
    address->attempts[CHECK_OFFER_WEAK].state = STARTTLS_TLS;
    address->attempts[CHECK_OFFER_WEAK].cipher = HOSTILE;
    made->hosts[1].addresses[0].attempts[CHECK_OFFER_DEFAULT] =
        (struct check_attempt){.made = true, .state = STARTTLS_BROKEN, .detail = HOSTILE};
}

static void hostile_words(void **state)
{
    struct made *made = facts_make();

    (void)state;
    spoil_host(made);
    made->bad_names[0] = HOSTILE;
    made->facts.bad_name_count = 1;
    made->patterns[1] = "*.evil.example";
    made->faults[0] = (struct check_fault){1, false, HOSTILE};
    made->facts.policy.fault_count = 1;
    made->facts.policy.content_type = HOSTILE;
    made->ruas[0] = (struct check_rua){"mailto:" HOSTILE, CHECK_REACH_NO, HOSTILE};
    made->servers[0] =
        (struct check_server){.name = HOSTILE, .agreement = CHECK_SILENT, .why = HOSTILE};
    made->lost[0] = (struct check_lost){HOSTILE "2", HOSTILE, false};
    made->zones[0].lost = made->lost;
    made->zones[0].lost_count = 1;
    made->zones[0].name = HOSTILE;
    judge_lines(&made->facts); /* which looks at every text */
    assert_true(judge_report.count > 15);
}

/* What is long is cut, and says so. */
static void long_words(void **state)
{
    static char word[5000];
    struct made *made = facts_make();
    const struct check_finding *finding;

    (void)state;
    memset(word, 'x', sizeof word - 1);
    made->hosts[0].addresses[0].attempts[CHECK_OFFER_DEFAULT] =
        (struct check_attempt){.made = true, .state = STARTTLS_BROKEN, .detail = word};
    judge_lines(&made->facts);
    finding = judge_finding("tls-broken");
    assert_true(strlen(finding->evidence) < 2000);
    assert_string_equal(finding->evidence + strlen(finding->evidence) - 3, "...");
}

/* Facts of which all that may be NULL is. */
static void bare_facts(void **state)
{
    static const struct evidence nothing;
    const struct check_facts facts = {.domain = "example.org", .evidence = &nothing};

    (void)state;
    assert_string_equal(judge_lines(&facts), "unknown not-found-out");
}

static void kinds(void **state)
{
    (void)state;
    for (enum check_code code = 0; code < CHECK_CODE_COUNT; code++) {
        const struct check_kind *kind = &check_kinds[code];

        assert_true(kind->code[0] != '\0' && kind->text[0] != '\0');
        assert_true(strspn(kind->code, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
                    strlen(kind->code));
        assert_true(code == CHECK_FOUND_NOT_FOUND_OUT || strncmp(kind->rfc, "RFC ", 4) == 0);
        for (enum check_code other = 0; other < code; other++)
            assert_string_not_equal(check_kinds[other].code, kind->code);
    }
}

int main(void)
{
    ROWS_ADD_TEST(replies_with_one_code);
    ROWS_ADD_TEST(exit_status);
    ROWS_ADD_TEST(worst_first);
    ROWS_ADD_TEST(four_hundred_findings);
    ROWS_ADD_TEST(a_report_is_used_again);
    ROWS_ADD_TEST(no_memory);
    ROWS_ADD_TEST(hostile_words);
    ROWS_ADD_TEST(long_words);
    ROWS_ADD_TEST(bare_facts);
    ROWS_ADD_TEST(kinds);
    return rows_run("judge_report");
}
