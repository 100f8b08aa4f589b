/*
 * judge_sts: MTA-STS (RFC 8461): the record, the policy host, the policy and its grammar, and
 * whether the mail hosts are those that the policy allows. Their certificates are judge_cert's.
 *
 * A policy that cannot be had protects nobody who has not remembered it: warnings. A mail host that
 * an enforced policy does not allow gets no mail: critical.
 */
#include "check/judge_internal.h"

#include <string.h>

#include "policy/sts_match.h"
#include "probe/tls/tls_digest.h"

#define FAULTS_TOLD_MAX 5 /* faults of a policy with a finding each; the others are counted */

static const struct judge_at domain;

static const char *policy_host(const struct judging *judging)
{
    return judge_text(judging, "mta-sts.%s", judging->facts->domain);
}

static const char *record_fix(const struct judging *judging)
{
    return judge_text(judging,
                      "publish one: _mta-sts.%s. IN TXT \"v=STSv1; id=20260101000000;\", with "
                      "another id at each change",
                      judging->facts->domain);
}

/* ---- the record ---- */

/* True when a policy is to be fetched. */
static bool judge_record(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    const struct sts_evidence *sts = &facts->evidence->sts;

    if (judge_answer(&facts->sts_record) == JUDGE_UNKNOWN) {
        judge_unknown(judging, &domain, "the MTA-STS record", judge_why(&facts->sts_record));
        return false;
    }
    if (sts->state == STS_DNS_ERROR || judge_answer(&facts->sts_record) == JUDGE_FAILED) {
        judge_add(judging, &domain, CHECK_FOUND_STS_LOOKUP,
                  sts->why != NULL ? sts->why : judge_why(&facts->sts_record),
                  judge_text(judging, "look at the name servers of the zone that _mta-sts.%s is in",
                             facts->domain));
        return false;
    }
    if (sts->state == STS_BAD_RECORD || (sts->state == STS_NO_RECORD && sts->why != NULL)) {
        judge_add(judging, &domain, CHECK_FOUND_STS_RECORD,
                  sts->why != NULL ? sts->why : "it is against the grammar", record_fix(judging));
        return false;
    }
    return sts->state == STS_FETCH_FAILED || sts->state == STS_BAD_POLICY ||
           sts->state == STS_POLICY;
}

/* ---- the policy host ---- */

static const struct {
    const char *failure; /* fetch_failure_name */
    enum check_code code;
    const char *fix;
} fetch_faults[] = {
    {"certificate", CHECK_FOUND_STS_CERT,
     "get a certificate with the policy host's DNS name of a public certification authority, and "
     "send its chain"},
    {"", CHECK_FOUND_STS_FETCH,
     "serve the file at /.well-known/mta-sts.txt by HTTPS, with status 200, without a redirect and "
     "not compressed"},
};

static bool is_text_plain(const char *content_type)
{
    size_t length = strcspn(content_type, "; \t");
    static const char plain[] = "text/plain";

    if (length != sizeof plain - 1)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((content_type[i] | 0x20) != (plain[i] | 0x20))
            return false;
    return true;
}

static const char *fetch_evidence(const struct judging *judging)
{
    const struct check_policy *policy = &judging->facts->policy;
    const char *why = policy->why != NULL ? policy->why : policy->failure;

    if (policy->status != 0 && policy->status != 200)
        return judge_text(judging, "HTTP status %d", policy->status);
    return why;
}

static void judge_failed_fetch(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    const struct check_policy *policy = &facts->policy;
    const struct judge_at at = {.name = policy_host(judging)};
    size_t i = 0;

    while (fetch_faults[i].failure[0] != '\0' && strcmp(fetch_faults[i].failure, policy->failure))
        i++;
    if (facts->sts_wildcard != NULL) {
        judge_add(judging, &at, CHECK_FOUND_STS_WILDCARD,
                  judge_text(judging, "%s answers for it, and no policy is there: %s",
                             facts->sts_wildcard, fetch_evidence(judging)),
                  judge_text(judging,
                             "publish an address of %s itself, of the server that has the policy; "
                             "where it has one that is the same: %s",
                             at.name, fetch_faults[i].fix));
        return;
    }
    judge_add(judging, &at, fetch_faults[i].code, fetch_evidence(judging), fetch_faults[i].fix);
}

/* The addresses of the policy host. True when there are some. */
static bool judge_policy_host(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    const struct judge_at at = {.name = policy_host(judging)};
    enum judge_answer a = judge_answer(&facts->sts_a), aaaa = judge_answer(&facts->sts_aaaa);
    const struct check_rrset *bad = a == JUDGE_EMPTY ? &facts->sts_aaaa : &facts->sts_a;

    if (a == JUDGE_RECORDS || aaaa == JUDGE_RECORDS || a == JUDGE_UNASKED)
        return true;
    if (a == JUDGE_UNKNOWN || aaaa == JUDGE_UNKNOWN)
        judge_unknown(judging, &at, "the addresses of the policy host", judge_why(bad));
    else
        judge_add(judging, &at, CHECK_FOUND_STS_HOST,
                  a == JUDGE_EMPTY && aaaa == JUDGE_EMPTY
                      ? "neither A nor AAAA records"
                      : judge_text(judging, "the lookup failed: %s", judge_why(bad)),
                  judge_text(judging, "publish an address of %s, or remove the _mta-sts record",
                             at.name));
    return false;
}

/* ---- the policy file ---- */

static void judge_fault(const struct judging *judging, const struct check_fault *fault)
{
    const char *host = policy_host(judging);
    const char *name =
        fault->line == 0 ? host : judge_text(judging, "%s line %u", host, fault->line);

    judge_put(
        judging, &(struct judge_at){.name = name},
        &(struct check_finding){
            .code = CHECK_FOUND_STS_GRAMMAR,
            .severity = fault->severe ? CHECK_WARNING : CHECK_NOTICE,
            .evidence = fault->text,
            .fix = fault->severe
                       ? "correct /.well-known/mta-sts.txt, as \"mxcrypt records\" writes it, and "
                         "change the id of the record: senders take no policy with a fault"
                       : "correct /.well-known/mta-sts.txt at the next change of the policy"});
}

static void judge_faults(const struct judging *judging)
{
    const struct check_policy *policy = &judging->facts->policy;
    size_t told = policy->fault_count < FAULTS_TOLD_MAX ? policy->fault_count : FAULTS_TOLD_MAX;
    size_t rest = policy->fault_count - told;
    bool severe = false;

    if (policy->fault_count == 0 && policy->failure != NULL &&
        strcmp(policy->failure, "policy") == 0)
        judge_fault(judging, &(struct check_fault){.severe = true, .text = policy->why});
    for (size_t i = 0; i < told; i++)
        judge_fault(judging, &policy->faults[i]);
    for (size_t i = told; i < policy->fault_count; i++)
        severe |= policy->faults[i].severe;
    if (rest > 0)
        judge_fault(judging, &(struct check_fault){
                                 .severe = severe,
                                 .text = judge_text(judging, "%zu more faults, from line %u on",
                                                    rest, policy->faults[told].line)});
}

/* True when a file came. */
static bool judge_file(const struct judging *judging)
{
    const struct check_policy *policy = &judging->facts->policy;
    const struct judge_at at = {.name = policy_host(judging)};
    bool wrong_type = policy->content_type != NULL && !is_text_plain(policy->content_type);

    if (!policy->asked || policy->failed_here) {
        judge_unknown(judging, &at, "the policy", policy->why);
        return false;
    }
    if (policy->status == 200 && (wrong_type || policy->content_type == NULL) &&
        (policy->failure == NULL || strcmp(policy->failure, "response") == 0) &&
        judging->facts->sts_wildcard == NULL)
        judge_add(
            judging, &at, CHECK_FOUND_STS_TYPE,
            policy->content_type == NULL
                ? "no Content-Type"
                : judge_text(judging, "Content-Type: %s", policy->content_type),
            "have the web server send \"Content-Type: text/plain\" with the file: senders may "
            "refuse it else");
    else if (policy->failure != NULL && strcmp(policy->failure, "policy") != 0)
        judge_failed_fetch(judging);
    judge_faults(judging);
    return policy->body != NULL;
}

static void judge_id(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    char digest[TLS_DIGEST_TEXT];

    if (!facts->before.known || facts->policy.body == NULL ||
        strcmp(facts->before.sts_id, facts->evidence->sts.id) != 0)
        return;
    tls_digest(digest, facts->policy.body, facts->policy.length);
    if (digest[0] != '\0' && strcmp(digest, facts->before.policy_sha256) != 0)
        judge_add(judging, &domain, CHECK_FOUND_STS_SAME_ID,
                  judge_text(judging, "id=%s, as before; the file was SHA-256 %s and is %s",
                             facts->before.sts_id, facts->before.policy_sha256, digest),
                  judge_text(judging,
                             "give _mta-sts.%s a new id: senders fetch the policy again only then",
                             facts->domain));
}

/* ---- what the policy says ---- */

static const struct {
    uint32_t less_than; /* seconds */
    enum check_severity severity;
} max_ages[] = {
    {DAY_S, CHECK_WARNING},
    {7 * DAY_S, CHECK_NOTICE},
};

static void judge_max_age(const struct judging *judging, const struct sts_policy *policy)
{
    for (size_t i = 0; i < sizeof max_ages / sizeof max_ages[0]; i++)
        if (policy->max_age < max_ages[i].less_than) {
            judge_put(judging, &domain,
                      &(struct check_finding){
                          .code = CHECK_FOUND_STS_MAX_AGE,
                          .severity = max_ages[i].severity,
                          .evidence = judge_text(judging, "max_age: %u", policy->max_age),
                          .fix = "set max_age to 1209600 (two weeks) or more, once all is well: a "
                                 "sender that "
                                 "writes less often has forgotten the policy by the next time"});
            return;
        }
}

static void judge_mode(const struct judging *judging, const struct sts_policy *policy)
{
    if (policy->mode == STS_MODE_TESTING)
        judge_add(judging, &domain, CHECK_FOUND_STS_TESTING, "mode: testing",
                  "mode: enforce and a new id, when TLSRPT reports show no failures; until then "
                  "senders deliver in clear as without a policy");
    else if (policy->mode == STS_MODE_NONE)
        judge_add(judging, &domain, CHECK_FOUND_STS_NONE, "mode: none",
                  "mode: testing, or remove record and policy when max_age has passed");
    else
        judge_max_age(judging, policy);
}

static void judge_hosts(const struct judging *judging, const struct sts_policy *policy)
{
    const struct check_facts *facts = judging->facts;

    for (size_t i = 0; i < facts->host_count; i++)
        if (!sts_match_policy(policy, facts->hosts[i].name))
            judge_put(
                judging, &(struct judge_at){.host = &facts->hosts[i]},
                &(struct check_finding){
                    .code = CHECK_FOUND_STS_UNMATCHED,
                    .severity = policy->mode == STS_MODE_ENFORCE ? CHECK_CRITICAL : CHECK_WARNING,
                    .evidence = "no mx line of the policy matches it",
                    .fix = judge_text(judging,
                                      "add the line \"mx: %s\" to the policy, and give "
                                      "_mta-sts.%s a new id",
                                      facts->hosts[i].name, facts->domain)});
}

/* Names that no MX host can have, and repeated ones, are told as faults of the file. */
static bool is_unused(const struct check_facts *facts, const struct sts_policy *policy, size_t line)
{
    const char *pattern = policy->mx[line];

    for (size_t i = 0; i < line; i++)
        if (strcmp(policy->mx[i], pattern) == 0)
            return false;
    for (size_t i = 0; i < facts->host_count; i++)
        if (sts_match_pattern(pattern, facts->hosts[i].name))
            return false;
    return sts_match_fits_postfix(pattern);
}

static void judge_patterns(const struct judging *judging, const struct sts_policy *policy)
{
    const struct check_facts *facts = judging->facts;
    struct judge_list list;
    const char *text;

    if (facts->host_count == 0 || facts->evidence->mx_truncated)
        return;
    judge_list_init(&list);
    for (size_t i = 0; i < policy->mx_count; i++)
        if (is_unused(facts, policy, i))
            judge_list_add(&list, policy->mx[i]);
    text = judge_list_take(judging, &list);
    if (list.count > 0)
        judge_add(
            judging, &domain, CHECK_FOUND_STS_UNUSED, judge_text(judging, "mx: %s", text),
            "remove the line, unless the host is yet to come: anyone who gets hold of that name "
            "may receive your mail");
}

/* ---- the whole ---- */

/* Not where a fault of either has been told: then that comes first. */
static void judge_none(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    const struct sts_evidence *sts = &facts->evidence->sts;
    static const enum check_code told[] = {CHECK_FOUND_DANE_LOOKUP,      CHECK_FOUND_STS_LOOKUP,
                                           CHECK_FOUND_STS_RECORD,       CHECK_FOUND_HOST_LOOKUP,
                                           CHECK_FOUND_STARTTLS_MISSING, CHECK_CODE_COUNT};
    bool unknown =
        judge_answer(&facts->sts_record) == JUDGE_UNKNOWN ||
        (sts->state != STS_NO_RECORD && sts->state != STS_NOT_ASKED) ||
        (sts->state == STS_NOT_ASKED && judge_answer(&facts->sts_record) == JUDGE_RECORDS);

    for (size_t i = 0; i < facts->host_count; i++)
        unknown |= judge_dane_of(judging->facts, &facts->hosts[i]) != JUDGE_DANE_NONE ||
                   judge_answer(&facts->hosts[i].tlsa) == JUDGE_UNKNOWN;
    if (!unknown && facts->host_count > 0 && !judge_has(judging, NULL, told))
        judge_add(judging, &domain, CHECK_FOUND_NO_POLICY, "no TLSA records, no _mta-sts record",
                  judge_text(judging,
                             "publish 3 1 1 TLSA records where the zone is signed, or an "
                             "MTA-STS policy: \"mxcrypt records %s\" writes both",
                             facts->domain));
}

void judge_sts(const struct judging *judging)
{
    const struct sts_policy *policy = judge_policy(judging->facts);

    if (!judge_record(judging)) {
        judge_none(judging);
        return;
    }
    if (judge_policy_host(judging) && judge_file(judging))
        judge_id(judging);
    if (policy == NULL)
        return;
    judge_mode(judging, policy);
    if (policy->mode != STS_MODE_NONE && judging->facts->evidence->mx != MX_ERROR) {
        judge_hosts(judging, policy);
        judge_patterns(judging, policy);
    }
}
