/* tlsrpt_report: see tlsrpt_report.h. */
#include "audit/tlsrpt/tlsrpt_report.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "base/net/hostname.h"
#include "policy/sts_match.h"

#define ORGANIZATION_MAX 200
#define LOCAL_MAX        64 /* RFC 5321 §4.5.3.1.1 */

/* ---- settings ---- */

bool tlsrpt_is_address(const char *text, size_t length)
{
    const char *at = memchr(text, '@', length);
    size_t local = at == NULL ? 0 : (size_t)(at - text);

    if (local == 0 || local > LOCAL_MAX || text[0] == '-' || text[0] == '.' || at[-1] == '.')
        return false;
    for (size_t i = 0; i < local; i++)
        if (!ascii_is_alnum(text[i]) &&
            (text[i] == '\0' || strchr("#$&'*+-=?^_{}~.", text[i]) == NULL ||
             (text[i] == '.' && text[i + 1] == '.')))
            return false;
    return hostname_valid(at + 1, length - local - 1, HOSTNAME_LDH) &&
           hostname_labels(at + 1, length - local - 1) >= 2;
}

const char *tlsrpt_settings_wrong(const char *organization, const char *contact,
                                  const char **submitter)
{
    size_t length = strlen(organization);

    if (length == 0 || contact[0] == '\0')
        return "reports need tlsrpt-organization and tlsrpt-contact in mxcryptd.conf";
    if (length > ORGANIZATION_MAX)
        return "tlsrpt-organization is too long";
    for (size_t i = 0; i < length; i++)
        if (organization[i] < ' ' || organization[i] > '~')
            return "tlsrpt-organization must be of printable ASCII";
    if (!tlsrpt_is_address(contact, strlen(contact)))
        return "tlsrpt-contact must be a mail address, user@domain";
    *submitter = strchr(contact, '@') + 1;
    return NULL;
}

/* ---- the policy of a domain ---- */

enum policy_type { TYPE_STS, TYPE_TLSA, TYPE_NONE, TYPE_COUNT };
static const char *const type_names[] = {"sts", "tlsa", "no-policy-found"};

struct policy {
    bool dane_only, dane; /* told to Postfix */
    bool sts;             /* likewise, by an MTA-STS policy */
    /* There is one that Postfix is not told of: in testing mode, or by a rule, mode or rollout. */
    bool untold_dane, untold_sts;
    bool off; /* told to Postfix: no TLS */
    const json_t *hosts, *mx;
    const json_t *lines; /* of the policy; NULL: not known to have been in force that day */
};

static const char *string_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

static void read_policy(struct policy *policy, const struct tlsrpt_day *day,
                        const json_t *explained)
{
    const json_t *evidence = json_object_get(explained, "evidence");
    const json_t *sts = json_object_get(evidence, "mta_sts");
    const json_t *age = json_object_get(sts, "fetched_s_ago");
    const char *level = string_in(explained, "level"), *reason = string_in(explained, "reason");
    const char *found = string_in(json_object_get(explained, "found"), "level");
    bool told = strcmp(string_in(explained, "status"), "OK") == 0;
    bool in_force = json_is_true(json_object_get(sts, "in_force"));

    *policy = (struct policy){.hosts = json_object_get(evidence, "hosts")};
    policy->dane_only = told && strcmp(level, "dane-only") == 0;
    policy->dane = policy->dane_only || (told && strcmp(level, "dane") == 0);
    policy->sts = told && strcmp(level, "secure") == 0 && strncmp(reason, "sts-", 4) == 0;
    policy->off = told && strcmp(level, "none") == 0;
    policy->untold_dane = !policy->dane && !policy->off && strncmp(found, "dane", 4) == 0;
    policy->untold_sts = in_force && !policy->dane && !policy->sts && !policy->off &&
                         !policy->untold_dane && strcmp(string_in(sts, "mode"), "none") != 0;
    if (!policy->sts && !policy->untold_sts)
        return;
    if (json_is_integer(age) && day->now - json_integer_value(age) < day->end)
        policy->lines = json_object_get(sts, "lines");
    policy->mx = json_object_get(sts, "mx");
}

static bool has_tlsa(const struct policy *policy, const char *host)
{
    const json_t *one;
    size_t i;

    json_array_foreach(policy->hosts, i, one)
    {
        if (host != NULL && hostname_equal(string_in(one, "name"), host))
            return strcmp(string_in(one, "dane"), "usable") == 0;
    }
    return false;
}

static bool matches(const struct policy *policy, const char *host)
{
    const json_t *pattern;
    size_t i;

    json_array_foreach(policy->mx, i, pattern)
    {
        if (host != NULL && json_is_string(pattern) &&
            sts_match_pattern(json_string_value(pattern), host))
            return true;
    }
    return false;
}

/* ---- one kind of sessions ---- */

enum session_end { END_SUCCESS, END_FAILURE, END_UNKNOWN };

static enum policy_type type_of_failure(const struct policy *policy, const struct session_row *row)
{
    bool needs_host = row->cause == TALLY_NOT_OFFERED || row->cause == TALLY_REFUSED ||
                      row->cause == TALLY_HANDSHAKE;

    if (row->cause == TALLY_MX_PATTERN)
        return TYPE_STS;
    if (row->cause == TALLY_NO_DANE || row->cause == TALLY_TLSA_LOOKUP || policy->dane_only)
        return TYPE_TLSA;
    if ((policy->dane || policy->untold_dane) && (!needs_host || has_tlsa(policy, row->host)))
        return TYPE_TLSA;
    return policy->sts || policy->untold_sts ? TYPE_STS : TYPE_NONE;
}

/* Under an MTA-STS policy that Postfix is not told. */
static enum session_end end_untold(const struct policy *policy, struct session_row *row)
{
    if (row->level == TALLY_NONE)
        return END_FAILURE;
    if (row->level != TALLY_VERIFIED)
        return END_UNKNOWN;
    if (matches(policy, row->host))
        return END_SUCCESS;
    row->result = TLSRPT_VALIDATION_FAILURE;
    row->text = "the MX host matches no pattern of the policy";
    return END_FAILURE;
}

/* `row` is a copy, whose result may be changed. */
static enum session_end judge(const struct policy *policy, struct session_row *row,
                              enum policy_type *type)
{
    bool verified = row->level == TALLY_VERIFIED;

    *type = TYPE_NONE;
    if (row->cause != TALLY_NO_CAUSE) {
        *type = type_of_failure(policy, row);
        return END_FAILURE;
    }
    if (policy->untold_sts) {
        *type = TYPE_STS;
        return end_untold(policy, row);
    }
    if (policy->untold_dane && has_tlsa(policy, row->host)) {
        *type = TYPE_TLSA; /* nobody looked whether the certificate matches */
        return row->level == TALLY_NONE ? END_FAILURE : END_UNKNOWN;
    }
    if (row->level == TALLY_NONE)
        return policy->off ? END_UNKNOWN : END_FAILURE;
    if (verified && policy->dane)
        *type = TYPE_TLSA;
    else if (verified && policy->sts)
        *type = TYPE_STS;
    return END_SUCCESS;
}

/* ---- JSON ---- */

/* What is counted under a type. */
struct part {
    uint64_t successes, failures;
    struct session_row *details; /* of all failures, each a copy; owned */
    size_t count;
};

static int by_text(const char *one, const char *other)
{
    return strcmp(one == NULL ? "" : one, other == NULL ? "" : other);
}

/* The same order each time: the report of a day is the same whenever it is made. */
static int by_count(const void *one, const void *other)
{
    int order;
    const struct session_row *a = one, *b = other;

    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    if (a->result != b->result)
        return a->result < b->result ? -1 : 1;
    order = by_text(a->host, b->host);
    if (order == 0)
        order = by_text(a->address, b->address);
    if (order == 0)
        order = by_text(a->text, b->text);
    return order;
}

static json_t *detail_json(const struct session_row *row)
{
    return json_pack("{s:s, s:s*, s:s*, s:I, s:s*}", "result-type", tlsrpt_result_name(row->result),
                     "receiving-mx-hostname", row->host, "receiving-ip", row->address,
                     "failed-session-count", (json_int_t)row->count, "failure-reason-code",
                     row->text[0] == '\0' ? NULL : row->text);
}

static json_t *details_json(struct part *part)
{
    struct session_row others = {.result = TLSRPT_VALIDATION_FAILURE,
                                 .text = "all further failures, of several kinds"};
    json_t *details = json_array();

    qsort(part->details, part->count, sizeof *part->details, by_count);
    for (size_t i = 0; i < part->count; i++) {
        if (i + 1 < TLSRPT_DETAILS_MAX || part->count == TLSRPT_DETAILS_MAX)
            json_array_append_new(details, detail_json(&part->details[i]));
        else
            others.count += part->details[i].count;
    }
    if (others.count > 0)
        json_array_append_new(details, detail_json(&others));
    return details;
}

/* The first of an array of strings, which are printable. */
static json_t *strings_json(const json_t *strings)
{
    json_t *out = json_array(), *one;
    size_t i;

    json_array_foreach(strings, i, one)
    {
        if (i < TLSRPT_STRINGS_MAX && json_is_string(one))
            json_array_append(out, one);
    }
    return out;
}

static json_t *part_json(struct part *part, enum policy_type type, const struct policy *policy,
                         const char *domain)
{
    json_t *about = json_pack("{s:s}", "policy-type", type_names[type]);
    json_t *object;

    if (type == TYPE_STS && policy->lines != NULL)
        json_object_set_new(about, "policy-string", strings_json(policy->lines));
    json_object_set_new(about, "policy-domain", json_string(domain));
    if (type == TYPE_STS && policy->lines != NULL)
        json_object_set_new(about, "mx-host", strings_json(policy->mx));
    object = json_pack("{s:o, s:{s:I, s:I}}", "policy", about, "summary",
                       "total-successful-session-count", (json_int_t)part->successes,
                       "total-failure-session-count", (json_int_t)part->failures);
    if (part->count > 0)
        json_object_set_new(object, "failure-details", details_json(part));
    return object;
}

const char *tlsrpt_time(char out[TLSRPT_TIME_SIZE], int64_t at)
{
    time_t seconds = (time_t)at;
    struct tm parts;

    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(out, TLSRPT_TIME_SIZE, "%FT%TZ", &parts) == 0)
        out[0] = '\0';
    return out;
}

static json_t *time_json(int64_t at)
{
    char text[TLSRPT_TIME_SIZE];

    return json_string(tlsrpt_time(text, at));
}

static json_t *report_json(const struct tlsrpt_day *day, const char *domain, json_t *policies)
{
    return json_pack(
        "{s:s, s:{s:o, s:o}, s:s, s:o, s:o}", "organization-name", day->organization, "date-range",
        "start-datetime", time_json(day->begin), "end-datetime", time_json(day->end - 1),
        "contact-info", day->contact, "report-id",
        json_sprintf("%lld.%s.%s@%s", (long long)day->begin, day->unique, domain, day->submitter),
        "policies", policies);
}

/* ---- the whole ---- */

/* False without memory. */
static bool count_rows(struct part parts[TYPE_COUNT], const struct policy *policy,
                       const struct session_domain *domain)
{
    for (const struct session_row *row = domain->rows; row != NULL; row = row->next) {
        struct session_row copy = *row;
        enum policy_type type;
        enum session_end end = judge(policy, &copy, &type);
        struct part *part = &parts[type];

        if (end == END_SUCCESS)
            part->successes += row->count;
        if (end != END_FAILURE)
            continue;
        if (part->details == NULL)
            part->details = calloc(domain->row_count, sizeof *part->details);
        if (part->details == NULL)
            return false;
        part->details[part->count++] = copy;
        part->failures += row->count;
    }
    return true;
}

json_t *tlsrpt_report(const struct tlsrpt_day *day, const struct session_domain *domain,
                      const json_t *explained)
{
    struct part parts[TYPE_COUNT] = {{0}};
    json_t *policies = json_array(), *report = NULL;
    struct policy policy;
    bool whole;

    read_policy(&policy, day, explained);
    whole = count_rows(parts, &policy, domain);
    for (int type = 0; whole && type < TYPE_COUNT; type++)
        if (parts[type].successes + parts[type].failures > 0)
            json_array_append_new(
                policies, part_json(&parts[type], (enum policy_type)type, &policy, domain->name));
    if (json_array_size(policies) > 0)
        report = report_json(day, domain->name, json_incref(policies));
    json_decref(policies);
    for (int type = 0; type < TYPE_COUNT; type++)
        free(parts[type].details);
    return report;
}
