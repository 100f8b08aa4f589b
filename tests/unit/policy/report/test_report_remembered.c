/* What an operator is told, and Postfix sent, when something remembered counts for more. */
#include "tests/unit/support/rows.h"

#include <stdlib.h>

#include "tests/unit/support/evidence_make.h"
#include "policy/render/render.h"
#include "policy/report/report.h"
#include "tests/unit/support/report_found.h"

#define SAYS 7
#define HOUR INT64_C(3600000)

struct row {
    const char *name;
    enum mx_state mx;
    const char *hosts;
    char sts;
    const char *probes;
    bool open; /* the lookup is still under way */
    struct remembered remembered;
    const char *answer; /* its beginning */
    const char *reason;
    const char *says[SAYS];
    const char *advises[SAYS];
};

static const struct remembered encrypt = {.observed = VERDICT_ENCRYPT};
static const struct remembered encrypt_lost = {
    .observed = VERDICT_ENCRYPT, .encrypt = {MAKE_NOW - 20 * HOUR, MAKE_NOW + 28 * HOUR}};
static const struct remembered verify_lost = {
    .observed = VERDICT_VERIFY, .verify = {MAKE_NOW - 2 * HOUR, MAKE_NOW + 22 * HOUR}};

/* clang-format off */
static struct row rows[] = {
    {"held against hosts in clear", MX_LISTED, "N", 'n', "C", false, {0}, "OK encrypt", "held",
     {"Held: when the probes saw more, every mail host that answered did STARTTLS.",
      "Less has been seen for 20 hours; what was proven is kept for 1 day more.",
      "What is seen now (starttls-clear) would give notfound.",
      "STARTTLS works at no address that answered: mx0.example.com",
      "Meanwhile Postfix defers mail at hosts without TLS; it does not bounce it.",
      "Warning: mail will be deferred where TLS is demanded and does not work: mx0"},
     {"the hold ends in 1 day", "mxcrypt release example.com ends the hold at once",
      "Domain owner: STARTTLS must work at mx0.example.com"}},
    {"held against a certificate that lapsed", MX_LISTED, "N", 'n', "L", false, {0}, "OK verify",
     "held",
     {"did STARTTLS with a certificate valid for it", "(starttls-tls) would give encrypt",
      "kept for 22 hours more", "needs a certificate valid for the host: mx0"},
     {"mxcrypt release example.com", "a certificate valid for the host would make it verify"}},
    {"held, and refused with 5xx", MX_LISTED, "N", 'n', "R", false, {0}, "TEMP a mail host of "
     "example.com refuses STARTTLS, which worked before, so mail waits", "held",
     {"Held:", "offered and then refused with 5xx: mx0", "would bounce mail at such a host, so "
      "mail waits", "Postfix keeps the mail in its queue"}, {"mxcrypt release example.com"}},
    {"held against NXDOMAIN", MX_NXDOMAIN, "", 'n', "", false, {0}, "OK encrypt", "held",
     {"(nxdomain) would give notfound", "example.com does not exist: the DNS answers NXDOMAIN"},
     {"mxcrypt release example.com", "check the spelling of the domain"}},
    {"dane-only remembered, the MX lookup failed", MX_ERROR, "", 'n', "", false,
     {.dane_only_until = MAKE_NOW + 3 * HOUR, .dane_possible = true}, "OK dane-only",
     "dane-remembered",
     {"Remembered: usable, signed TLSA records at every mail host of example.com, valid for "
      "3 hours more by their TTL.", "A lookup that gives less (mx-error) does not end them earlier",
      "The MX lookup of example.com failed: no answer."},
     {"in 3 hours the TLSA records seen before are past their TTL", "must answer"}},
    {"dane-only remembered, the records are gone", MX_LISTED, "N", 'n', "C", false,
     {.dane_only_until = MAKE_NOW + 3 * HOUR, .dane_possible = true}, "OK dane-only",
     "dane-remembered",
     {"(starttls-clear)", "STARTTLS works at no address"}, {"past their TTL"}},
    {"secure remembered, the MX lookup failed", MX_ERROR, "", 'E', "", false, {.secure = true},
     "OK secure match=mx0.example.com:.example.net servername=hostname", "sts-remembered",
     {"Remembered: MTA-STS decided for example.com before, and its policy is in force.",
      "The MX lookup failed now (no answer); the policy names the hosts all the same.",
      "has an MTA-STS policy in enforce mode", "Postfix delivers only over TLS"},
     {"the name servers of example.com must answer", "a policy with another mode"}},
    {"secure remembered, the lookup under way", MX_UNKNOWN, "", 'E', "", true, {.secure = true},
     "OK secure match=", "sts-remembered", {"The lookup has not been answered yet"},
     {"ask again in a few seconds"}},
    {"secure before, the policy not known yet", MX_LISTED, "N", '?', "V", true, {.secure = true},
     "TEMP MTA-STS of example.com has not been answered yet", "pending", {NULL}, {NULL}},
    {"encrypt remembered, the lookup under way", MX_LISTED, "?", 'n', "", true, {0},
     "OK encrypt", "starttls-remembered",
     {"Remembered: when last seen, every mail host that answered did STARTTLS.",
      "The DNS has not answered yet for: mx0.example.com", "The lookup goes on"},
     {"ask again in a few seconds"}},
    {"encrypt remembered, the hosts could not be asked", MX_LISTED, "N", 'n', "?", false, {0},
     "OK encrypt", "starttls-remembered",
     {"This time the hosts could not be asked, which says nothing against it.", "Not asked: mx0"},
     {"would make it dane-only"}},
    {"encrypt remembered and lost, the lookup under way", MX_LISTED, "N", 'n', "?", true, {0},
     "OK encrypt", "starttls-remembered", {"Less has been seen for 20 hours"},
     {"mxcrypt release example.com"}},
    {"encrypt remembered, a host refused, the lookup under way", MX_LISTED, "N", 'n', "?", true,
     {.observed = VERDICT_ENCRYPT, .encrypt = {MAKE_NOW - HOUR, MAKE_NOW + HOUR},
      .refused = UINT64_MAX},
     "TEMP a mail host of example.com refuses STARTTLS", "starttls-remembered",
     {"when last seen, every mail host that answered did STARTTLS.",
      "Less has been seen for 1 hour"},
     {"mxcrypt release example.com"}},
    {"a TLSA lookup fails where TLS was observed", MX_LISTED, "E", 'n', "C", false,
     {.observed = VERDICT_ENCRYPT}, "TEMP TLSA lookup for mx0.example.com failed; the hosts of "
     "example.com did TLS before, so mail waits", "dane-error",
     {"The mail hosts did TLS before, and dane alone may ask for less now: so mail waits."}, {NULL}},
};
/* clang-format on */

/* Those of a row that are shared. */
static void fill_rows(void)
{
    rows[0].remembered = encrypt_lost;
    rows[1].remembered = verify_lost;
    rows[2].remembered = encrypt_lost;
    rows[3].remembered = encrypt;
    rows[9].remembered = encrypt;
    rows[10].remembered = encrypt;
    rows[11].remembered = encrypt_lost;
}

static json_t *explain(struct made *made, const struct remembered *remembered,
                       struct verdict *verdict)
{
    struct verdict_options options = make_options();
    struct key key;

    key_parse(&key, "example.com", 11, 25);
    verdict_decide(verdict, &made->evidence, remembered, &options, MAKE_NOW);
    return report_found(&key, verdict, &made->evidence, MAKE_NOW);
}

static void assert_said(const json_t *sentences, const char *const *words)
{
    for (size_t i = 0; i < SAYS && words[i] != NULL; i++) {
        if (!said(sentences, words[i]))
            fail_msg("not said: %s\nin: %s", words[i], json_dumps(sentences, JSON_INDENT(1)));
    }
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct verdict verdict;
    struct made made;
    json_t *report;

    make_evidence(&made, row->mx, false, row->hosts, row->sts, row->probes);
    made.evidence.complete = !row->open;
    report = explain(&made, &row->remembered, &verdict);
    assert_non_null(report);
    assert_string_equal(text_of(report, "reason"), row->reason);
    if (strncmp(text_of(report, "answer"), row->answer, strlen(row->answer)) != 0)
        fail_msg("%s", text_of(report, "answer"));
    assert_said(json_object_get(report, "why"), row->says);
    assert_said(json_object_get(report, "change"), row->advises);
    assert_int_equal(json_object_get(report, "held") != NULL, verdict.reason == REASON_HELD);
    json_decref(report);
}

/* ---- the tree ---- */

static void assert_held(char probes, const struct remembered *remembered, const char *want)
{
    const char text[] = {probes, '\0'};
    struct verdict verdict;
    struct made made;
    json_t *report;
    char *held;

    make_evidence(&made, MX_LISTED, false, "N", 'n', text);
    made.evidence.complete = true;
    report = explain(&made, remembered, &verdict);
    held = json_dumps(json_object_get(report, "held"), JSON_COMPACT);
    assert_string_equal(held, want);
    free(held);
    json_decref(report);
}

static void test_held_as_json(void **state)
{
    struct remembered both = verify_lost;

    (void)state;
    assert_held('C', &encrypt_lost, "{\"level\":\"encrypt\",\"since_s\":72000,\"until_s\":100800}");
    assert_held('L', &verify_lost, "{\"level\":\"verify\",\"since_s\":7200,\"until_s\":79200}");
    assert_held('R', &encrypt_lost, "{\"level\":\"encrypt\",\"since_s\":72000,\"until_s\":100800}");
    both.verify.until += 24 * HOUR;
    both.encrypt = (struct downgrade){MAKE_NOW - HOUR, MAKE_NOW + 47 * HOUR};
    assert_held('R', &both, "{\"level\":\"verify\",\"since_s\":7200,\"until_s\":165600}");
    assert_held('C', &encrypt, "{\"level\":\"encrypt\",\"since_s\":0,\"until_s\":172800}");
}

static void test_a_37_how_long_the_policy_still_lives(void **state)
{
    static const char *const says[SAYS] = {"The last attempt to renew it failed (HTTP status 500)",
                                           "all the same: for 5 hours more."};
    struct verdict verdict;
    struct made made;
    const json_t *sts;
    json_t *report;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'E', "T");
    made.evidence.complete = true;
    made.evidence.sts.valid_until = MAKE_NOW + 5 * HOUR;
    report = explain(&made, NULL, &verdict);
    sts = json_object_get(json_object_get(report, "evidence"), "mta_sts");
    assert_true(json_is_null(json_object_get(sts, "remembered_for_s")));
    json_decref(report);
    made.evidence.sts.why = "HTTP status 500";
    report = explain(&made, NULL, &verdict);
    sts = json_object_get(json_object_get(report, "evidence"), "mta_sts");
    assert_int_equal(json_integer_value(json_object_get(sts, "remembered_for_s")), 5 * 3600);
    assert_said(json_object_get(report, "why"), says);
    json_decref(report);
}

/* ---- what Postfix is sent ---- */

static void assert_rendered(struct made *made, const struct remembered *remembered, bool tlsrpt,
                            const char *want)
{
    const struct render_capabilities capabilities = {.tlsrpt = tlsrpt, .text_max = 10000};
    struct verdict_options options = make_options();
    struct verdict verdict;
    struct buf text;

    buf_init(&text, 10000);
    verdict_decide(&verdict, &made->evidence, remembered, &options, MAKE_NOW);
    assert_int_equal(render_verdict(&text, &verdict, &made->evidence, &capabilities), ANSWER_OK);
    assert_string_equal(buf_text(&text), want);
    buf_fini(&text);
}

static void test_secure_remembered_is_rendered_whole(void **state)
{
    const struct remembered secure = {.secure = true};
    struct made made;

    (void)state;
    make_evidence(&made, MX_ERROR, false, "", 'E', "");
    made.evidence.complete = true;
    assert_rendered(&made, &secure, false,
                    "secure match=mx0.example.com:.example.net servername=hostname");
    assert_rendered(&made, &secure, true,
                    "secure match=mx0.example.com:.example.net servername=hostname "
                    "policy_type=sts policy_domain=example.com "
                    "mx_host_pattern=mx0.example.com mx_host_pattern=*.example.net "
                    "{ policy_string = version: STSv1 } { policy_string = mode: enforce } "
                    "{ policy_string = mx: mx0.example.com } "
                    "{ policy_string = mx: *.example.net }");
}

static void test_the_others_are_rendered_plain(void **state)
{
    const struct remembered dane = {.dane_only_until = MAKE_NOW + HOUR, .dane_possible = true};
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, true, "E", 'E', "");
    made.evidence.complete = true;
    assert_rendered(&made, &dane, true, "dane-only");
    make_evidence(&made, MX_LISTED, false, "N", 'n', "C");
    made.evidence.complete = true;
    assert_rendered(&made, &encrypt_lost, true, "encrypt");
    assert_rendered(&made, &verify_lost, true, "verify servername=hostname");
}

int main(void)
{
    fill_rows();
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_held_as_json);
    ROWS_ADD_TEST(test_a_37_how_long_the_policy_still_lives);
    ROWS_ADD_TEST(test_secure_remembered_is_rendered_whole);
    ROWS_ADD_TEST(test_the_others_are_rendered_plain);
    return rows_run("report_remembered");
}
