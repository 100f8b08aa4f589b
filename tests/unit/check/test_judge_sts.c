/* judge: MTA-STS, TLSRPT, enforced TLS. */
#include "tests/unit/check/judge_rows.h"

#define H1    "mx1.example.org"
#define H2    "mx2.example.org"
#define BOTH1 H1 " [9.9.9.1] [2620:fe::1]"
#define HOST  "mta-sts.example.org"

SPOIL(nothing)
{
    (void)made;
}

/* ---- the record ---- */

static void without_policy(struct made *made, enum sts_state state, const char *why)
{
    made->evidence.sts = (struct sts_evidence){.state = state, .why = why};
    made->facts.policy.policy = NULL;
}

SPOIL(no_sts)
{
    without_policy(made, STS_NO_RECORD, NULL);
    made->sts_record.answer.outcome = DNS_NXDOMAIN;
}
SPOIL(lookup_fails)
{
    without_policy(made, STS_DNS_ERROR, "SERVFAIL");
    made->sts_record.answer.outcome = DNS_FAILED;
}
SPOIL(lookup_failed_here)
{
    without_policy(made, STS_DNS_ERROR, NULL);
    made->facts.sts_record.failed_here = true;
}
SPOIL(two_records)
{
    without_policy(made, STS_NO_RECORD, "2 records at _mta-sts.example.org begin with v=STSv1;");
}
SPOIL(bad_record)
{
    without_policy(made, STS_BAD_RECORD,
                   "the record at _mta-sts.example.org is wrong: it has no id");
}

/* ---- the policy host ---- */

static void fetch_fails(struct made *made, const char *failure, const char *why)
{
    without_policy(made, STS_FETCH_FAILED, why);
    made->facts.policy = (struct check_policy){
        .asked = true, .failure = failure, .why = why, .faults = made->faults};
}

SPOIL(no_host)
{
    fetch_fails(made, "dns", "mta-sts.example.org does not exist");
    made->sts_a.answer.outcome = made->sts_aaaa.answer.outcome = DNS_NXDOMAIN;
}
SPOIL(host_fails)
{
    fetch_fails(made, "dns", "SERVFAIL");
    made->sts_a.answer.outcome = made->sts_aaaa.answer.outcome = DNS_FAILED;
}
SPOIL(host_failed_here)
{
    fetch_fails(made, "dns", "SERVFAIL");
    made->facts.sts_a.failed_here = made->facts.sts_aaaa.failed_here = true;
}
SPOIL(wildcard)
{
    fetch_fails(made, "certificate", "the certificate names www.example.org");
    made->facts.sts_wildcard = "*.example.org";
}
SPOIL(wildcard_that_works)
{
    made->facts.sts_wildcard = "*.example.org";
}
SPOIL(refused)
{
    fetch_fails(made, "connect", "connection refused");
}
SPOIL(not_found)
{
    fetch_fails(made, "status", "status 404");
    made->facts.policy.status = 404;
    made->facts.policy.content_type = "text/html";
}
SPOIL(certificate)
{
    fetch_fails(made, "certificate", "certificate has expired");
}
SPOIL(fetch_failed_here)
{
    fetch_fails(made, "local", "no memory");
    made->facts.policy.failed_here = true;
}
SPOIL(html_type)
{
    fetch_fails(made, "response", "the media type is not text/plain");
    made->facts.policy.status = 200;
    made->facts.policy.content_type = "text/html";
}
SPOIL(html_type_taken)
{
    made->facts.policy.content_type = "application/octet-stream";
}
SPOIL(no_type)
{
    made->facts.policy.content_type = NULL;
}
SPOIL(too_large)
{
    fetch_fails(made, "response", "more than 65536 octets");
    made->facts.policy.status = 200;
    made->facts.policy.content_type = "Text/Plain;charset=utf-8";
}

/* ---- the file ---- */

static void faults(struct made *made, size_t count, bool severe)
{
    if (severe)
        without_policy(made, STS_BAD_POLICY, "line 2");
    for (size_t i = 0; i < count; i++)
        made->faults[i] = (struct check_fault){(unsigned)i + 2, severe, "a fault"};
    made->facts.policy.fault_count = count;
    made->facts.policy.failure = severe ? "policy" : NULL;
}

SPOIL(severe_fault)
{
    faults(made, 1, true);
}
SPOIL(fault_of_the_whole)
{
    faults(made, 1, true);
    made->faults[0].line = 0;
}
SPOIL(fault_unexplained)
{
    faults(made, 0, true);
    made->facts.policy.failure = "policy";
    made->facts.policy.why = "no mx";
}
SPOIL(mild_fault)
{
    faults(made, 1, false);
}
SPOIL(seven_faults)
{
    faults(made, 7, true);
}
SPOIL(same_id)
{
    made->facts.before = (struct check_before){.known = true, .sts_id = "20261101"};
    made_digest(made->facts.before.policy_sha256, '0');
}
SPOIL(other_id)
{
    same_id(made);
    strcpy(made->facts.before.sts_id, "20261001");
}
SPOIL(not_remembered)
{
    same_id(made);
    made->facts.before.known = false;
}

/* ---- what it says ---- */

SPOIL(testing)
{
    made->policy.mode = STS_MODE_TESTING;
    made->policy.max_age = 60; /* which is right then */
}
SPOIL(none)
{
    made->policy.mode = STS_MODE_NONE;
    made->policy.mx_count = 0;
}
SPOIL(unmatched)
{
    made->policy.mx_count = 1;
}
SPOIL(unmatched_testing)
{
    unmatched(made);
    made->policy.mode = STS_MODE_TESTING;
}
SPOIL(wildcard_pattern)
{
    made->policy.mx_count = 1;
    made->patterns[0] = "*.example.org";
}
SPOIL(unused)
{
    made->policy.mx_count = 3;
    made->patterns[2] = "old.example.org";
}
SPOIL(unused_but_told)
{
    made->policy.mx_count = 4;
    made->patterns[2] = "localhost";
    made->patterns[3] = "mx1.example.org";
}
SPOIL(certificate_of_a_host)
{
    made->hosts[0].addresses[1].attempts[CHECK_OFFER_DEFAULT].name_ok = false;
    made->hosts[0].addresses[1].attempts[CHECK_OFFER_ECDSA].name_ok = false;
}
SPOIL(no_policy)
{
    no_sts(made);
    for (size_t i = 0; i < 2; i++) {
        made->host[i].tlsa.answer.outcome = DNS_NODATA;
        made->hosts[i].record_count = 0;
    }
    made->facts.tlsrpt.state = TLSRPT_NONE;
    made->facts.rua_count = 0;
}
SPOIL(sts_switched_off)
{
    no_policy(made);
    made->evidence.sts = (struct sts_evidence){.state = STS_NOT_ASKED};
    made->sts_record.answer.outcome = DNS_RECORDS;
}
SPOIL(no_policy_and_clear)
{
    no_policy(made);
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        for (size_t o = 0; o < CHECK_OFFER_COUNT; o++)
            made->hosts[0].addresses[i].attempts[o] =
                (struct check_attempt){.made = o == 0, .state = STARTTLS_CLEAR};
}
SPOIL(only_sts)
{
    no_policy(made);
    made->sts_record.answer.outcome = DNS_RECORDS;
    made->evidence.sts =
        (struct sts_evidence){.state = STS_POLICY, .id = "1", .policy = &made->policy};
    made->facts.tlsrpt.state = TLSRPT_VALID;
}

static const struct judge_row sts_rows[] = {
    {"sound", nothing, ""},
    {"DANE alone is sound", no_sts, ""},
    {"MTA-STS alone is sound", only_sts, ""},
    {"the lookup fails", lookup_fails, "warning sts-lookup-failed"},
    {"the lookup failed here", lookup_failed_here, "unknown not-found-out"},
    {"two records", two_records, "warning sts-record-bad"},
    {"a record against the grammar", bad_record, "warning sts-record-bad"},
    {"no policy host", no_host, "warning sts-host-missing " HOST},
    {"the policy host's lookup fails", host_fails, "warning sts-host-missing " HOST},
    {"the policy host's lookup failed here", host_failed_here, "unknown not-found-out " HOST},
    {"a wildcard", wildcard, "warning sts-wildcard " HOST},
    {"a wildcard that has the policy", wildcard_that_works, ""},
    {"no connection", refused, "warning sts-fetch-failed " HOST},
    {"404", not_found, "warning sts-fetch-failed " HOST},
    {"a certificate that is not valid", certificate, "warning sts-certificate " HOST},
    {"the fetch failed here", fetch_failed_here, "unknown not-found-out " HOST},
    {"HTML", html_type, "warning sts-media-type " HOST},
    {"another type, but taken", html_type_taken, "warning sts-media-type " HOST},
    {"no type", no_type, "warning sts-media-type " HOST},
    {"too large", too_large, "warning sts-fetch-failed " HOST},
    {"a severe fault", severe_fault, "warning sts-policy-bad " HOST " line 2"},
    {"a fault of the whole", fault_of_the_whole, "warning sts-policy-bad " HOST},
    {"a fault without a line", fault_unexplained, "warning sts-policy-bad " HOST},
    {"a mild fault", mild_fault, "notice sts-policy-bad " HOST " line 2"},
    {"seven faults", seven_faults,
     "warning sts-policy-bad " HOST " line 2\nwarning sts-policy-bad " HOST
     " line 3\nwarning sts-policy-bad " HOST " line 4\nwarning sts-policy-bad " HOST
     " line 5\nwarning sts-policy-bad " HOST " line 6\nwarning sts-policy-bad " HOST},
    {"a new policy with the old id", same_id, "warning sts-id-unchanged"},
    {"a new policy with a new id", other_id, ""},
    {"nothing is remembered", not_remembered, ""},
    {"testing", testing, "notice sts-testing"},
    {"none", none, "notice sts-none"},
    {"a host that is not allowed", unmatched, "critical sts-mx-unmatched " H2},
    {"a host that is not allowed, testing", unmatched_testing,
     "warning sts-mx-unmatched " H2 "\nnotice sts-testing"},
    {"a wildcard in the policy", wildcard_pattern, ""},
    {"a pattern without a host", unused, "notice sts-pattern-unused"},
    {"patterns that the grammar's faults are about", unused_but_told, ""},
    {"a host's certificate", certificate_of_a_host,
     "critical sts-mx-certificate " H1 " [2620:fe::1]"},
    {"no policy at all", no_policy, "notice no-policy"},
    {"a record that was not followed", sts_switched_off, ""},
    {"no policy at all, and no STARTTLS", no_policy_and_clear, "critical starttls-missing " BOTH1},
};

/* ---- TLSRPT and enforced TLS ---- */

SPOIL(no_tlsrpt)
{
    made->facts.tlsrpt.state = TLSRPT_NONE;
    made->facts.rua_count = 0;
}
SPOIL(tlsrpt_invalid)
{
    made->tlsrpt_record.record =
        (struct dns_record){.length = 11, .data = (const uint8_t *)"v=TLSRPTv1;"};
    made->facts.tlsrpt.state = TLSRPT_INVALID;
    made->facts.rua_count = 0;
}
SPOIL(tlsrpt_fails)
{
    made->tlsrpt_record.answer = (struct dns_answer){.outcome = DNS_FAILED, .why = "timeout"};
    made->facts.tlsrpt.state = TLSRPT_ERROR;
    made->facts.rua_count = 0;
}
SPOIL(tlsrpt_failed_here)
{
    made->facts.tlsrpt_record.failed_here = true;
    made->facts.tlsrpt.state = TLSRPT_ERROR;
    made->facts.rua_count = 0;
}
SPOIL(no_mail)
{
    made->ruas[0].reach = CHECK_REACH_NO;
    made->ruas[0].why = "null MX";
}
SPOIL(no_https)
{
    made->ruas[0] = (struct check_rua){"HTTPS://r.example/", CHECK_REACH_NO, "connection refused"};
}
SPOIL(ftp_too)
{
    made->ruas[1] = (struct check_rua){"ftp://r.example/", CHECK_REACH_UNKNOWN, NULL};
    made->facts.rua_count = 2;
}
SPOIL(rua_not_tried)
{
    made->ruas[0].reach = CHECK_REACH_UNKNOWN;
}
SPOIL(rua_unknown)
{
    made->ruas[0].reach = CHECK_REACH_UNKNOWN;
    made->ruas[0].why = "no memory";
}

static void enforce(struct made *made, enum check_enforced enforced)
{
    made->facts.enforced = true;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < MADE_ADDRESSES; k++)
            made->hosts[i].addresses[k].enforced = CHECK_ENFORCED_YES;
    made->hosts[0].addresses[0].enforced = enforced;
    made->hosts[0].addresses[0].enforced_code = 250;
}
SPOIL(enforced)
{
    enforce(made, CHECK_ENFORCED_YES);
}
SPOIL(not_enforced)
{
    enforce(made, CHECK_ENFORCED_NO);
}
SPOIL(enforced_unknown)
{
    enforce(made, CHECK_ENFORCED_UNKNOWN);
}
SPOIL(not_enforced_not_asked)
{
    not_enforced(made);
    made->facts.enforced = false;
}

static const struct judge_row other_rows[] = {
    {"no TLSRPT", no_tlsrpt, "notice tlsrpt-missing"},
    {"TLSRPT against the grammar", tlsrpt_invalid, "warning tlsrpt-bad"},
    {"the lookup of TLSRPT fails", tlsrpt_fails, "warning tlsrpt-lookup-failed"},
    {"the lookup of TLSRPT failed here", tlsrpt_failed_here, "unknown not-found-out"},
    {"no mail for reports", no_mail, "warning tlsrpt-mail"},
    {"no HTTPS for reports", no_https, "warning tlsrpt-https"},
    {"neither mail nor HTTPS", ftp_too, "warning tlsrpt-bad"},
    {"reports were not tried", rua_not_tried, ""},
    {"it is not known whether reports arrive", rua_unknown, "unknown not-found-out"},
    {"TLS enforced", enforced, ""},
    {"TLS not enforced", not_enforced, "warning tls-not-enforced " H1 " [9.9.9.1]"},
    {"it is not known whether TLS is enforced", enforced_unknown,
     "unknown not-found-out " H1 " [9.9.9.1]"},
    {"TLS not enforced, and not asked", not_enforced_not_asked, ""},
};

/* ---- numbers ---- */

static void max_age(uint32_t seconds, const char *want)
{
    struct made *made = facts_make();

    made->policy.max_age = seconds;
    assert_string_equal(judge_lines(&made->facts), want);
}

static void max_ages(void **state)
{
    (void)state;
    max_age(0, "warning sts-max-age-short");
    max_age(86399, "warning sts-max-age-short");
    max_age(86400, "notice sts-max-age-short");
    max_age(604799, "notice sts-max-age-short");
    max_age(604800, "");
    max_age(STS_MAX_AGE_MAX, "");
}

static void faults_told(void **state)
{
    struct made *made = facts_make();

    (void)state;
    faults(made, 5, true);
    judge_lines(&made->facts);
    assert_int_equal(judge_report.count, 5);
    faults(made, CHECK_FAULTS_MAX, true);
    judge_lines(&made->facts);
    assert_int_equal(judge_report.count, 6);
    assert_string_equal(judge_report.findings[5].evidence, "45 more faults, from line 7 on");
}

static void every_code(void **state)
{
    static const char *const sts_codes[] = {CHECK_STS_FINDINGS(JUDGE_CODE)};
    static const char *const other_codes[] = {CHECK_OTHER_FINDINGS(JUDGE_CODE)};

    (void)state;
    for (size_t i = 0; i < COUNT(sts_codes); i++)
        if (strcmp(sts_codes[i], "sts-max-age-short") != 0)
            judge_covered(&sts_codes[i], 1, sts_rows, COUNT(sts_rows));
    judge_covered(other_codes, COUNT(other_codes), other_rows, COUNT(other_rows));
}

int main(void)
{
    ROWS_ADD(sts_rows, judge_test);
    ROWS_ADD(other_rows, judge_test);
    ROWS_ADD_TEST(max_ages);
    ROWS_ADD_TEST(faults_told);
    ROWS_ADD_TEST(every_code);
    return rows_run("judge_sts");
}
