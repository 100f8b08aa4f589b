/* tlsrpt_report: which policy a session counts under, what a report has, its bounds, and settings. */
#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/tlsrpt/tlsrpt_report.h"

#define BEGIN 1795737600 /* 2026-11-27 UTC */
#define END   (BEGIN + 86400)
#define STS(mode, age)                                                                             \
    "\"mta_sts\": {\"state\": \"policy\", \"mode\": \"" mode "\", \"in_force\": true, "            \
    "\"fetched_s_ago\": " age ", \"mx\": [\"*.example.org\"], \"lines\": [\"version: STSv1\", "    \
    "\"mode: " mode "\"]}"
#define TOLD(status, level, reason, evidence)                                                      \
    "{\"status\": \"" status "\", \"level\": \"" level "\", \"reason\": \"" reason                 \
    "\", \"evidence\": {" evidence "}}"
#define HOSTS                                                                                      \
    "\"hosts\": [{\"name\": \"mx.example.org\", \"dane\": \"usable\"}, "                           \
    "{\"name\": \"b.example.org\", \"dane\": \"none\"}]"
#define DANE_ONLY   TOLD("OK", "dane-only", "dane-full", HOSTS)
#define DANE        TOLD("OK", "dane", "dane-mixed", HOSTS)
#define SECURE      TOLD("OK", "secure", "sts-enforce", STS("enforce", "90000"))
#define TESTING     TOLD("OK", "verify", "starttls-verified", STS("testing", "90000"))
#define LISTED      TOLD("OK", "secure", "list-enforce", HOSTS)
#define NOTHING     TOLD("NOTFOUND", "no-opinion", "starttls-clear", HOSTS)
#define MONITOR_STS TOLD("NOTFOUND", "no-opinion", "mode-monitor", STS("enforce", "90000"))
#define MONITOR_DANE                                                                               \
    "{\"status\": \"NOTFOUND\", \"found\": {\"level\": \"dane-only\"}, \"evidence\": {" HOSTS "}}"
#define OFF TOLD("OK", "none", "rule", HOSTS)

static const struct tlsrpt_day day = {.organization = "Example",
                                      .contact = "tlsrpt@sender.example",
                                      .submitter = "sender.example",
                                      .unique = "1a",
                                      .begin = BEGIN,
                                      .end = END,
                                      .now = END + 3600};

static const struct {
    const char *name, *explained;
    enum tally_level level;
    enum tally_cause cause;
    const char *host, *want; /* "type successes failures"; "" no report */
} rows[] = {
    {"DANE, verified", DANE_ONLY, TALLY_VERIFIED, TALLY_NO_CAUSE, "mx.example.org", "tlsa 1 0"},
    {"DANE, before it was there", DANE_ONLY, TALLY_UNTRUSTED, TALLY_NO_CAUSE, "mx.example.org",
     "no-policy-found 1 0"},
    {"DANE, failed", DANE_ONLY, TALLY_UNTRUSTED, TALLY_CERTIFICATE, "mx.example.org", "tlsa 0 1"},
    {"DANE, not offered", DANE_ONLY, TALLY_NONE, TALLY_NOT_OFFERED, NULL, "tlsa 0 1"},
    {"some DANE, its host", DANE, TALLY_NONE, TALLY_HANDSHAKE, "mx.example.org", "tlsa 0 1"},
    {"some DANE, another host", DANE, TALLY_NONE, TALLY_HANDSHAKE, "b.example.org",
     "no-policy-found 0 1"},
    {"some DANE, another host over TLS", DANE, TALLY_UNTRUSTED, TALLY_NO_CAUSE, "b.example.org",
     "no-policy-found 1 0"},
    {"some DANE, the lookup failed", DANE, TALLY_NONE, TALLY_TLSA_LOOKUP, NULL, "tlsa 0 1"},
    {"MTA-STS, verified", SECURE, TALLY_VERIFIED, TALLY_NO_CAUSE, "mx.example.org", "sts 1 0"},
    {"MTA-STS, before it was there", SECURE, TALLY_TRUSTED, TALLY_NO_CAUSE, "mx.example.org",
     "no-policy-found 1 0"},
    {"MTA-STS, failed", SECURE, TALLY_TRUSTED, TALLY_CERTIFICATE, "mx.example.org", "sts 0 1"},
    {"MTA-STS, no host of its", SECURE, TALLY_NONE, TALLY_MX_PATTERN, NULL, "sts 0 1"},
    {"testing, kept", TESTING, TALLY_VERIFIED, TALLY_NO_CAUSE, "mx.example.org", "sts 1 0"},
    {"testing, another host", TESTING, TALLY_VERIFIED, TALLY_NO_CAUSE, "mx.other", "sts 0 1"},
    {"testing, in clear", TESTING, TALLY_NONE, TALLY_NO_CAUSE, "mx.example.org", "sts 0 1"},
    {"testing, not known", TESTING, TALLY_TRUSTED, TALLY_NO_CAUSE, "mx.example.org", ""},
    {"MTA-STS in monitor mode, not known", MONITOR_STS, TALLY_TRUSTED, TALLY_NO_CAUSE,
     "mx.example.org", ""},
    {"MTA-STS in monitor mode, in clear", MONITOR_STS, TALLY_NONE, TALLY_NO_CAUSE, "mx.example.org",
     "sts 0 1"},
    {"DANE in monitor mode, not known", MONITOR_DANE, TALLY_TRUSTED, TALLY_NO_CAUSE,
     "mx.example.org", ""},
    {"DANE in monitor mode, in clear", MONITOR_DANE, TALLY_NONE, TALLY_NO_CAUSE, "mx.example.org",
     "tlsa 0 1"},
    {"DANE in monitor mode, a host without", MONITOR_DANE, TALLY_TRUSTED, TALLY_NO_CAUSE,
     "b.example.org", "no-policy-found 1 0"},
    {"DANE in monitor mode, a failed handshake", MONITOR_DANE, TALLY_NONE, TALLY_HANDSHAKE,
     "mx.example.org", "tlsa 0 1"},
    {"a policy list", LISTED, TALLY_VERIFIED, TALLY_NO_CAUSE, "mx.example.org",
     "no-policy-found 1 0"},
    {"nothing, over TLS", NOTHING, TALLY_ANONYMOUS, TALLY_NO_CAUSE, "mx.example.org",
     "no-policy-found 1 0"},
    {"nothing, in clear", NOTHING, TALLY_NONE, TALLY_NO_CAUSE, "mx.example.org",
     "no-policy-found 0 1"},
    {"a rule that TLS is off", OFF, TALLY_NONE, TALLY_NO_CAUSE, "mx.example.org", ""},
    {"nothing is known", NULL, TALLY_VERIFIED, TALLY_NO_CAUSE, "mx.example.org",
     "no-policy-found 1 0"},
    {"an explanation without sense", "[1, {}]", TALLY_VERIFIED, TALLY_NO_CAUSE, "mx.example.org",
     "no-policy-found 1 0"},
};

static json_t *report_of(const char *explained, const struct session_domain *domain)
{
    json_t *explanation = explained == NULL ? NULL : json_loads(explained, 0, NULL);
    json_t *report = tlsrpt_report(&day, domain, explanation);

    assert_true(explained == NULL || explanation != NULL);
    json_decref(explanation);
    return report;
}

static const json_t *policy_of(const json_t *report)
{
    assert_int_equal(json_array_size(json_object_get(report, "policies")), 1);
    return json_array_get(json_object_get(report, "policies"), 0);
}

static long long number(const json_t *policy, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(policy, "summary"), name));
}

static const char *text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void test_type(void **state)
{
    const __typeof__(rows[0]) *row = *state;
    struct session_row session = {.host = row->host,
                                  .level = row->level,
                                  .cause = row->cause,
                                  .result = TLSRPT_VALIDATION_FAILURE,
                                  .text = "",
                                  .count = 1};
    struct session_domain domain = {"example.org", &session, 1};
    json_t *report = report_of(row->explained, &domain);
    char got[100] = "";

    if (report != NULL)
        snprintf(got, sizeof got, "%s %lld %lld",
                 text(json_object_get(policy_of(report), "policy"), "policy-type"),
                 number(policy_of(report), "total-successful-session-count"),
                 number(policy_of(report), "total-failure-session-count"));
    assert_string_equal(got, row->want);
    json_decref(report);
}

static void test_members(void **state)
{
    struct session_row failed = {.address = "192.0.2.1",
                                 .host = "mx.example.org",
                                 .level = TALLY_NONE,
                                 .cause = TALLY_NOT_OFFERED,
                                 .result = TLSRPT_STARTTLS_NOT_SUPPORTED,
                                 .text = "why",
                                 .count = 3};
    struct session_row good = {
        .next = &failed, .level = TALLY_VERIFIED, .cause = TALLY_NO_CAUSE, .text = "", .count = 7};
    struct session_domain domain = {"example.org", &good, 2};
    json_t *report = report_of(SECURE, &domain);
    json_t *want = json_loads(
        "{\"organization-name\": \"Example\", \"date-range\": {\"start-datetime\": "
        "\"2026-11-27T00:00:00Z\", \"end-datetime\": \"2026-11-27T23:59:59Z\"}, "
        "\"contact-info\": \"tlsrpt@sender.example\", "
        "\"report-id\": \"1795737600.1a.example.org@sender.example\", \"policies\": [{\"policy\": "
        "{\"policy-type\": \"sts\", \"policy-string\": [\"version: STSv1\", \"mode: enforce\"], "
        "\"policy-domain\": \"example.org\", \"mx-host\": [\"*.example.org\"]}, "
        "\"summary\": {\"total-successful-session-count\": 7, "
        "\"total-failure-session-count\": 3}, \"failure-details\": [{\"result-type\": "
        "\"starttls-not-supported\", \"receiving-mx-hostname\": \"mx.example.org\", "
        "\"receiving-ip\": \"192.0.2.1\", \"failed-session-count\": 3, "
        "\"failure-reason-code\": \"why\"}]}]}",
        0, NULL);

    (void)state;
    assert_non_null(want);
    assert_true(json_equal(report, want));
    json_decref(report);
    json_decref(want);
}

/* Fetched after the day, it may be another policy. */
static void test_policy_of_another_day(void **state)
{
    struct session_row good = {
        .level = TALLY_VERIFIED, .cause = TALLY_NO_CAUSE, .text = "", .count = 7};
    struct session_domain domain = {"example.org", &good, 1};
    static const struct {
        const char *explained;
        bool known;
    } ages[] = {
        {TOLD("OK", "secure", "sts-enforce", STS("enforce", "3601")), true},
        {TOLD("OK", "secure", "sts-enforce", STS("enforce", "3600")), false},
        {TOLD("OK", "secure", "sts-enforce", STS("enforce", "null")), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(ages); i++) {
        json_t *report = report_of(ages[i].explained, &domain);
        const json_t *policy = json_object_get(policy_of(report), "policy");

        assert_int_equal(json_object_get(policy, "policy-string") != NULL, ages[i].known);
        assert_int_equal(json_object_get(policy, "mx-host") != NULL, ages[i].known);
        json_decref(report);
    }
}

/* At the bound each has its own; beyond it the rest is one, and the sum stays. */
static void test_details_bound(void **state)
{
    static struct session_row failures[TLSRPT_DETAILS_MAX + 1];

    (void)state;
    for (size_t count = TLSRPT_DETAILS_MAX - 1; count <= TLSRPT_DETAILS_MAX + 1; count++) {
        struct session_domain domain = {"example.org", failures, count};
        const json_t *details, *one;
        json_int_t sum = 0;
        json_t *report;
        size_t i;

        for (i = 0; i < count; i++)
            failures[i] = (struct session_row){.next = i + 1 < count ? &failures[i + 1] : NULL,
                                               .id = i,
                                               .level = TALLY_NONE,
                                               .cause = TALLY_NOT_OFFERED,
                                               .result = TLSRPT_STARTTLS_NOT_SUPPORTED,
                                               .text = "x",
                                               .count = i + 1};
        report = report_of(NOTHING, &domain);
        details = json_object_get(policy_of(report), "failure-details");
        assert_int_equal(json_array_size(details),
                         count < TLSRPT_DETAILS_MAX ? count : TLSRPT_DETAILS_MAX);
        json_array_foreach(details, i, one) sum +=
            json_integer_value(json_object_get(one, "failed-session-count"));
        assert_int_equal(sum, number(policy_of(report), "total-failure-session-count"));
        assert_int_equal(sum, count * (count + 1) / 2);
        json_decref(report);
    }
}

/* Of the same number, by result, host and text: not by an id, which is another one in each process. */
static void test_order(void **state)
{
    static const char *const want[] = {"a.example 1", "a.example 2", "b.example 0"};
    struct session_row rows_of_three[] = {
        {.id = 1, .host = "b.example", .text = "0", .cause = TALLY_HANDSHAKE, .count = 1},
        {.id = 2, .host = "a.example", .text = "2", .cause = TALLY_HANDSHAKE, .count = 1},
        {.id = 3, .host = "a.example", .text = "1", .cause = TALLY_HANDSHAKE, .count = 1},
    };
    struct session_domain domain = {"example.org", rows_of_three, COUNT(rows_of_three)};
    const json_t *details;
    json_t *report;
    char got[100];

    (void)state;
    rows_of_three[0].next = &rows_of_three[1];
    rows_of_three[1].next = &rows_of_three[2];
    report = report_of(NOTHING, &domain);
    details = json_object_get(policy_of(report), "failure-details");
    for (size_t i = 0; i < COUNT(want); i++) {
        const json_t *one = json_array_get(details, i);

        snprintf(got, sizeof got, "%s %s", text(one, "receiving-mx-hostname"),
                 text(one, "failure-reason-code"));
        assert_string_equal(got, want[i]);
    }
    json_decref(report);
}

static void test_long_policy(void **state)
{
    struct session_row good = {
        .level = TALLY_VERIFIED, .cause = TALLY_NO_CAUSE, .text = "", .count = 1};
    struct session_domain domain = {"example.org", &good, 1};

    (void)state;
    for (size_t count = TLSRPT_STRINGS_MAX - 1; count <= TLSRPT_STRINGS_MAX + 1; count++) {
        json_t *explained = json_loads(SECURE, 0, NULL), *lines = json_array(), *report;
        size_t want = count < TLSRPT_STRINGS_MAX ? count : TLSRPT_STRINGS_MAX;

        for (size_t i = 0; i < count; i++)
            json_array_append_new(lines, json_string("mx: a.example"));
        json_object_set_new(json_object_get(json_object_get(explained, "evidence"), "mta_sts"),
                            "lines", lines);
        report = tlsrpt_report(&day, &domain, explained);
        assert_int_equal(json_array_size(json_object_get(
                             json_object_get(policy_of(report), "policy"), "policy-string")),
                         want);
        json_decref(report);
        json_decref(explained);
    }
}

static const struct {
    const char *name, *organization, *contact;
    bool good;
} setting_rows[] = {
    {"good", "Example \"Ltd.\"", "tls.rpt+x@sender.example", true},
    {"none", "", "", false},
    {"no contact", "Example", "", false},
    {"no address", "Example", "sender.example", false},
    {"an option", "Example", "-x@sender.example", false},
    {"a quoted one", "Example", "\"a b\"@sender.example", false},
    {"one label", "Example", "root@localhost", false},
    {"an address literal", "Example", "root@[192.0.2.1]", false},
    {"dots", "Example", "a..b@sender.example", false},
    {"a dot at the end", "Example", "a.@sender.example", false},
    {"a line end", "Example\nBcc: x", "a@sender.example", false},
    {"a line end in the contact", "Example", "a@sender.example\nBcc: x", false},
    {"two", "Example", "a@b.example,c@sender.example", false},
};

static void test_settings(void **state)
{
    const __typeof__(setting_rows[0]) *row = *state;
    const char *submitter = NULL;
    const char *wrong = tlsrpt_settings_wrong(row->organization, row->contact, &submitter);

    assert_int_equal(wrong == NULL, row->good);
    if (row->good)
        assert_string_equal(submitter, "sender.example");
}

int main(void)
{
    ROWS_ADD(rows, test_type);
    ROWS_ADD(setting_rows, test_settings);
    ROWS_ADD_TEST(test_members);
    ROWS_ADD_TEST(test_policy_of_another_day);
    ROWS_ADD_TEST(test_details_bound);
    ROWS_ADD_TEST(test_order);
    ROWS_ADD_TEST(test_long_policy);
    return rows_run("tlsrpt_report");
}
