/*
 * look_policy_uv: MTA-STS: the record, the policy host and whether a wildcard answers for it, what a
 * sender makes of the policy, and the file as it is served.
 */
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "check/look/look_internal.h"
#include "check/policy_lint.h"
#include "probe/sts/sts_parse.h"

#define POLICY_PATH "/.well-known/mta-sts.txt"

static bool is_over(const struct check_look *look)
{
    enum mx_state mx = look->evidence.mx;

    return mx == MX_NULL || mx == MX_NXDOMAIN || mx == MX_ERROR;
}

/* ---- as a sender ---- */

static void on_sts(void *context)
{
    struct check_look *look = context;

    look->sts = NULL;
    look_advance(look);
}

static bool look_as_sender(struct check_look *look)
{
    if (look->sts_started || look->tools->sts == NULL)
        return look->sts != NULL;
    look->sts_started = true;
    look->evidence.sts.state = STS_UNKNOWN;
    if (sts_start(&look->sts, look->tools->sts, look->request.arena, look->request.domain,
                  &look->budget, &look->evidence.sts, on_sts, look) != 0)
        look->sts = NULL;
    return look->sts != NULL;
}

/* ---- the file ---- */

/* All its faults, and the policy where there is one. */
static void read_policy(struct check_policy *out, struct arena *arena)
{
    struct policy_lint *lint = arena_alloc(arena, sizeof *lint);
    const char *why;

    if (out->body == NULL || lint == NULL || !policy_lint(lint, arena, out->body, out->length))
        return;
    out->faults = lint->faults;
    out->fault_count = lint->count;
    if (!lint->severe)
        out->policy = sts_parse_policy(arena, out->body, out->length, &why);
}

static void on_policy(void *context, const struct https_result *result)
{
    struct check_look *look = context;
    struct check_policy *out = &look->facts.policy;
    struct arena *arena = look->request.arena;

    look->policy = NULL;
    out->failed_here = result->failed_here;
    out->status = result->status;
    out->content_type = result->type[0] == '\0' ? NULL : arena_strdup(arena, result->type);
    if (result->ok) {
        out->body = arena_memdup(arena, result->body, result->length);
        out->length = result->length;
        read_policy(out, arena);
    } else {
        out->failure = fetch_failure_name(result->failure);
        out->why = arena_strdup(arena, result->why);
    }
    look_advance(look);
}

static bool has_record(const struct dns_answer *answer)
{
    if (answer->outcome != DNS_RECORDS)
        return false;
    for (size_t i = 0; i < answer->count; i++)
        if (sts_is_record((const char *)answer->records[i].data, answer->records[i].length))
            return true;
    return false;
}

static bool look_at_file(struct check_look *look)
{
    struct ip addresses[2 * EVIDENCE_ADDRESSES_MAX];
    struct https *https = prober_https(look->request.prober);
    size_t count = look_addresses(addresses, 0, EVIDENCE_ADDRESSES_MAX, look->sts_a.answer);
    const struct https_request request = {
        .host = look->facts.sts_a.name,
        .path = POLICY_PATH,
        .addresses = addresses,
        .address_count =
            look_addresses(addresses, count, 2 * EVIDENCE_ADDRESSES_MAX, look->sts_aaaa.answer),
        .any_type = true,
    };

    if (look->policy_started || https == NULL || request.address_count == 0 ||
        !has_record(look->sts_record.answer))
        return look->policy != NULL;
    look->policy_started = look->facts.policy.asked = true;
    if (https_start(&look->policy, https, &request, on_policy, look) != 0) {
        look->policy = NULL;
        look->facts.policy.failed_here = true;
    }
    return look->policy != NULL;
}

/* ---- a wildcard ---- */

static bool same_records(const struct dns_answer *a, const struct dns_answer *b)
{
    bool found;

    if (a->outcome != DNS_RECORDS || b->outcome != DNS_RECORDS || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        found = false;
        for (size_t j = 0; j < b->count && !found; j++)
            found = a->records[i].length == b->records[j].length &&
                    memcmp(a->records[i].data, b->records[j].data, a->records[i].length) == 0;
        if (!found)
            return false;
    }
    return true;
}

/* Asks for a name that nobody has published; true while it is awaited. */
static bool look_at_wildcard(struct check_look *look)
{
    struct arena *arena = look->request.arena;
    const char *domain = look->request.domain;
    int64_t now_ns = clock_monotonic_ns();
    bool waits;

    if (look->wild_name == NULL)
        look->wild_name = arena_printf(arena, "mxcrypt-%08x.%s",
                                       (unsigned)hash_bytes(&now_ns, sizeof now_ns), domain);
    waits = look_ask(look, &look->wild_a, look->wild_name, DNS_A);
    waits |= look_ask(look, &look->wild_aaaa, look->wild_name, DNS_AAAA);
    if (!waits && (same_records(look->sts_a.answer, look->wild_a.answer) ||
                   same_records(look->sts_aaaa.answer, look->wild_aaaa.answer)))
        look->facts.sts_wildcard = arena_printf(arena, "*.%s", domain);
    return waits;
}

/* ---- the whole ---- */

bool look_policy(struct check_look *look)
{
    struct check_facts *facts = &look->facts;
    struct arena *arena = look->request.arena;
    const char *domain = look->request.domain;
    bool waits;

    if (look->evidence.mx == MX_UNKNOWN || is_over(look))
        return false;
    if (facts->sts_record.name == NULL) {
        facts->sts_record.name = arena_printf(arena, "_mta-sts.%s", domain);
        facts->sts_a.name = arena_printf(arena, "mta-sts.%s", domain);
    }
    waits = look_ask(look, &look->sts_record, facts->sts_record.name, DNS_TXT);
    waits |= look_ask(look, &look->sts_a, facts->sts_a.name, DNS_A);
    waits |= look_ask(look, &look->sts_aaaa, facts->sts_a.name, DNS_AAAA);
    waits |= look_as_sender(look);
    if (look->sts_record.answer == NULL || look->sts_a.answer == NULL ||
        look->sts_aaaa.answer == NULL)
        return waits;
    look_rrset(look, &facts->sts_record, &look->sts_record, facts->sts_record.name, DNS_TXT);
    look_rrset(look, &facts->sts_a, &look->sts_a, facts->sts_a.name, DNS_A);
    look_rrset(look, &facts->sts_aaaa, &look->sts_aaaa, facts->sts_a.name, DNS_AAAA);
    waits |= look_at_file(look);
    return look_at_wildcard(look) || waits;
}

void look_policy_stop(struct check_look *look)
{
    struct dns_question *questions[] = {&look->sts_record, &look->sts_a, &look->sts_aaaa,
                                        &look->wild_a, &look->wild_aaaa};

    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        dns_question_stop(questions[i]);
    if (look->sts != NULL)
        sts_cancel(look->sts);
    if (look->policy != NULL)
        https_cancel(look->policy);
}
