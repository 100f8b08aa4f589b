/*
 * sts_uv: one lookup of a domain's MTA-STS; see sts_uv.h.
 *
 * A sequence (base/sequence.h): STATES below is the whole of it. What is cached, and when a fetch
 * is due, is decided by sts_cache; the grammars are in sts_record and sts_policy.
 *
 * Nothing that goes wrong is more than a state and a reason in the evidence. What goes wrong on our
 * side (memory, descriptors, the budget of queries) is not remembered against the domain.
 */
#include "probe/sts/sts_uv.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log/log.h"
#include "base/sequence.h"
#include "probe/dns/dns_question_uv.h"
#include "probe/sts/sts_cache.h"
#include "probe/sts/sts_parse.h"

#define STS_POLICY_PATH "/.well-known/mta-sts.txt"

#define NONE SEQUENCE_NO_DEADLINE
/* The deadlines are above what resolver and HTTPS client allow themselves. */
#define STATES(X)                                                                                  \
    X(START, start, 0)             /* from the loop, so that `done` never comes too early */       \
    X(TXT, txt, 60000)             /* the record is awaited */                                     \
    X(RECORD, record, NONE)        /* is there one, and is a fetch due? */                         \
    X(PEERS, peers, 120000)        /* has a peer the policy, or is about to? */                    \
    X(ADDRESSES, addresses, 60000) /* of the policy host are awaited */                            \
    X(FETCH, fetch, 180000)        /* the file is awaited, the wait in the queue included */       \
    X(POLICY, policy, NONE)        /* the file is parsed and goes into the cache */                \
    X(ANSWER, answer, NONE)        /* from what was fetched or cached, or what went wrong */

enum lookup_state { STATES(SEQUENCE_ENUM) };

struct sts {
    uv_loop_t *loop;
    struct dns *dns;     /* borrowed */
    struct https *https; /* borrowed */
    int64_t refresh_ms;
    struct sts_cache *cache;
    struct sts_stats stats;
    struct list lookups;
    struct peers *peers; /* borrowed; NULL: none */
};

struct sts_lookup {
    struct list link;
    struct sts *sts;
    struct arena *arena; /* borrowed, as `domain` and `out` */
    const char *domain;
    struct dns_asker asker;
    struct sts_evidence *out;
    sts_done done;
    void *context;

    struct sequence sequence;
    uv_timer_t timer; /* of the state; the lookup is freed when it is closed */

    struct dns_question txt, a, aaaa;
    struct peers_wait wait;
    bool waiting;     /* for peers */
    const char *host; /* "mta-sts.DOMAIN" */
    char id[STS_ID_MAX + 1];
    struct https_fetch *fetch;
    const struct https_result *response; /* only while its callback runs */
    struct sts_evidence result;
};

static enum sequence_step go(struct sts_lookup *lookup, enum lookup_state next)
{
    return sequence_go(&lookup->sequence, next);
}

static void run(void *owner);

/* ---- what went wrong ---- */

/* Ends the lookup with `state`, unless a policy is remembered; `why` lives as long as the arena. */
static enum sequence_step conclude(struct sts_lookup *lookup, enum sts_state state, const char *why)
{
    lookup->result.state = state;
    lookup->result.why = why;
    return go(lookup, STATE_ANSWER);
}

/* A policy that counts now; its strings are the cache's. */
static bool is_remembered(const struct sts_lookup *lookup, int64_t now, struct sts_saved *out)
{
    return sts_cache_get(lookup->sts->cache, lookup->domain, out) && out->body != NULL &&
           now < out->valid_until;
}

/* A fetch failed through the domain's own doing: back off from it. RFC 8461 §3.3 wants a warning when
 * a policy that counts cannot be refreshed. */
static enum sequence_step fail(struct sts_lookup *lookup, enum sts_state state,
                               enum fetch_failure kind, const char *why)
{
    int64_t now = clock_monotonic_ms();
    enum log_level level = LOG_LEVEL_WARNING;
    struct sts_saved policy = {0};
    bool remembered = is_remembered(lookup, now, &policy);

    if (why == NULL)
        why = "no memory for the reason";
    if (!remembered)
        level = LOG_LEVEL_INFO;
    else if (policy.mode == STS_MODE_NONE)
        level = LOG_LEVEL_DEBUG;
    log_event(level, "sts-fetch-failed", "domain", lookup->domain, "id", lookup->id, "remembered",
              remembered ? "yes" : "no", "remembered_for_s",
              remembered ? LOG_NUM((policy.valid_until - now) / 1000) : NULL, "reason", why, NULL);
    lookup->sts->stats.fetch_failures++;
    lookup->sts->stats.by_failure[kind]++;
    lookup->result.failure = fetch_failure_name(kind);
    sts_cache_fail(lookup->sts->cache, lookup->domain, lookup->id, state, why, now);
    return conclude(lookup, state, why);
}

static enum sequence_step fail_here(struct sts_lookup *lookup, const char *why)
{
    lookup->sts->stats.by_failure[FETCH_FAILURE_LOCAL]++;
    lookup->result.failure = fetch_failure_name(FETCH_FAILURE_LOCAL);
    return conclude(lookup, STS_FETCH_FAILED, why);
}

/* ---- the record ---- */

static enum sequence_step step_start(struct sts_lookup *lookup)
{
    return lookup->sequence.expired ? go(lookup, STATE_TXT) : SEQUENCE_WAIT;
}

static enum sequence_step step_txt(struct sts_lookup *lookup)
{
    if (lookup->sequence.fresh)
        dns_question_ask(&lookup->txt, &lookup->asker,
                         arena_printf(lookup->arena, "_mta-sts.%s", lookup->domain), DNS_TXT);
    return dns_question_awaited(&lookup->txt, lookup->sequence.expired) ? SEQUENCE_WAIT
                                                                        : go(lookup, STATE_RECORD);
}

static enum sequence_step step_record(struct sts_lookup *lookup)
{
    const struct dns_answer *answer = lookup->txt.answer;
    struct sts_cache *cache = lookup->sts->cache;
    int64_t now = clock_monotonic_ms();
    struct sts_saved policy;
    const char *why = NULL;
    enum sts_state state;

    if (answer->outcome != DNS_FAILED) {
        lookup->result.ttl = answer->ttl;
        state = sts_parse_answer(lookup->id, answer, lookup->arena, lookup->domain, &why);
        return state == STS_UNKNOWN && sts_cache_fetch_due(cache, lookup->domain, lookup->id, now)
                   ? go(lookup, STATE_PEERS)
                   : conclude(lookup, state, why);
    }
    /* RFC 8461 §5.1: a policy past its refresh time is fetched again although DNS does not answer */
    if (is_remembered(lookup, now, &policy) &&
        sts_cache_fetch_due(cache, lookup->domain, NULL, now)) {
        memcpy(lookup->id, policy.id, strlen(policy.id) + 1);
        return go(lookup, STATE_PEERS);
    }
    lookup->result.failure = dns_failure_name(answer->failure);
    return conclude(
        lookup, STS_DNS_ERROR,
        arena_printf(lookup->arena, "TXT lookup of _mta-sts.%s: %s", lookup->domain, answer->why));
}

/* ---- peers ---- */

static bool is_enough(struct peers_wait *wait)
{
    struct sts_lookup *lookup = wait->context;

    return !sts_cache_fetch_due(lookup->sts->cache, lookup->domain, lookup->id,
                                clock_monotonic_ms());
}

static void on_go(struct peers_wait *wait)
{
    struct sts_lookup *lookup = wait->context;

    lookup->waiting = false;
    run(lookup);
}

static enum sequence_step step_peers(struct sts_lookup *lookup)
{
    if (lookup->sequence.fresh) {
        lookup->wait = (struct peers_wait){.enough = is_enough, .go = on_go, .context = lookup};
        lookup->waiting =
            peers_begin(lookup->sts->peers, &lookup->wait, PEERS_POLICY, lookup->domain, NULL);
    }
    if (lookup->waiting && !lookup->sequence.expired)
        return SEQUENCE_WAIT;
    return is_enough(&lookup->wait) ? conclude(lookup, STS_UNKNOWN, NULL)
                                    : go(lookup, STATE_ADDRESSES);
}

/* ---- the policy host ---- */

static enum sequence_step no_address(struct sts_lookup *lookup)
{
    const struct dns_answer *a = lookup->a.answer, *aaaa = lookup->aaaa.answer;
    const char *why;

    if (lookup->a.unasked || lookup->aaaa.unasked) {
        lookup->result.failure = fetch_failure_name(FETCH_FAILURE_LOCAL);
        return conclude(lookup, STS_FETCH_FAILED, lookup->a.unasked ? a->why : aaaa->why);
    }
    if (a->outcome == DNS_FAILED || aaaa->outcome == DNS_FAILED)
        why = arena_printf(lookup->arena, "address lookup of %s: %s", lookup->host,
                           a->outcome == DNS_FAILED ? a->why : aaaa->why);
    else
        why = arena_printf(lookup->arena,
                           a->outcome == DNS_NXDOMAIN ? "%s does not exist" : "%s has no address",
                           lookup->host);
    return fail(lookup, STS_FETCH_FAILED, FETCH_FAILURE_DNS, why);
}

static enum sequence_step step_addresses(struct sts_lookup *lookup)
{
    bool waiting;

    if (lookup->sequence.fresh) {
        lookup->host = arena_printf(lookup->arena, "mta-sts.%s", lookup->domain);
        dns_question_ask(&lookup->a, &lookup->asker, lookup->host, DNS_A);
        dns_question_ask(&lookup->aaaa, &lookup->asker, lookup->host, DNS_AAAA);
    }
    waiting = dns_question_awaited(&lookup->a, lookup->sequence.expired);
    if (dns_question_awaited(&lookup->aaaa, lookup->sequence.expired) || waiting)
        return SEQUENCE_WAIT;
    return lookup->a.answer->outcome == DNS_RECORDS || lookup->aaaa.answer->outcome == DNS_RECORDS
               ? go(lookup, STATE_FETCH)
               : no_address(lookup);
}

/* Appends the addresses of an answer to those of a request. */
static void add_addresses(struct https_request *request, struct ip *addresses,
                          const struct dns_answer *answer)
{
    size_t end = request->address_count + EVIDENCE_ADDRESSES_MAX;

    for (size_t i = 0; answer->outcome == DNS_RECORDS && i < answer->count; i++)
        if (request->address_count < end &&
            ip_from_octets(&addresses[request->address_count], answer->records[i].data,
                           answer->records[i].length))
            request->address_count++;
}

static void fetched(void *context, const struct https_result *result)
{
    struct sts_lookup *lookup = context;

    lookup->fetch = NULL;
    lookup->response = result;
    run(lookup);
}

static int start_fetch(struct sts_lookup *lookup)
{
    struct ip addresses[2 * EVIDENCE_ADDRESSES_MAX];
    struct https_request request = {
        .host = lookup->host, .path = STS_POLICY_PATH, .addresses = addresses};

    add_addresses(&request, addresses, lookup->a.answer);
    add_addresses(&request, addresses, lookup->aaaa.answer);
    lookup->sts->stats.fetches++;
    return https_start(&lookup->fetch, lookup->sts->https, &request, fetched, lookup);
}

static enum sequence_step step_fetch(struct sts_lookup *lookup)
{
    const struct https_result *response = lookup->response;
    const char *why;
    int error;

    if (lookup->sequence.fresh && (error = start_fetch(lookup)) != 0)
        return fail_here(lookup, error == UV_ENOBUFS ? "too many policy fetches under way"
                                                     : "no memory for the policy fetch");
    if (lookup->sequence.expired) {
        https_cancel(lookup->fetch);
        lookup->fetch = NULL;
        return fail_here(lookup, "the policy fetch waited too long for its turn");
    }
    if (response == NULL)
        return SEQUENCE_WAIT;
    if (response->ok)
        return go(lookup, STATE_POLICY);
    why = arena_strdup(lookup->arena, response->why);
    return response->failed_here ? fail_here(lookup, why)
                                 : fail(lookup, STS_FETCH_FAILED, response->failure, why);
}

/* ---- the policy ---- */

static enum sequence_step step_policy(struct sts_lookup *lookup)
{
    struct sts_evidence *result = &lookup->result;
    const struct sts_policy *policy;
    const char *why = NULL;
    int64_t now = clock_monotonic_ms();

    policy =
        sts_parse_policy(lookup->arena, lookup->response->body, lookup->response->length, &why);
    if (policy == NULL && arena_failed(lookup->arena))
        return fail_here(lookup, "no memory for the policy");
    if (policy == NULL)
        return fail(
            lookup, STS_BAD_POLICY, FETCH_FAILURE_POLICY,
            arena_printf(lookup->arena, "the policy of %s is wrong: %s", lookup->host, why));
    sts_cache_store(lookup->sts->cache, lookup->domain, lookup->id, policy, now);
    result->policy = policy;
    result->fetched_at = now;
    result->valid_until = now + (int64_t)policy->max_age * 1000;
    result->refresh_at = now + lookup->sts->refresh_ms;
    return conclude(lookup, STS_POLICY, NULL);
}

/* ---- the answer ---- */

/* Without a policy: what went wrong now, or the last time it was tried. */
static void fill_failure(struct sts_lookup *lookup, int64_t now)
{
    const struct sts_cache *cache = lookup->sts->cache;
    struct sts_evidence *result = &lookup->result;
    struct sts_saved last;

    memcpy(result->id, lookup->id, sizeof result->id);
    result->retry_at = sts_cache_retry_at(cache, lookup->domain, now);
    if (result->state != STS_UNKNOWN)
        return;
    if (sts_cache_get(cache, lookup->domain, &last) && last.failures > 0) {
        result->state = last.failure;
        result->why = arena_strdup(lookup->arena, last.why);
        memcpy(result->id, last.last_id, strlen(last.last_id) + 1);
    } else {
        result->state = STS_FETCH_FAILED;
        result->why = "the id of the record changes too often";
    }
}

static enum sequence_step step_answer(struct sts_lookup *lookup)
{
    struct sts_evidence *result = &lookup->result;
    enum sts_state state = result->state;
    const char *why = result->why;
    int64_t now = clock_monotonic_ms();

    if (state == STS_POLICY) {
        memcpy(result->id, lookup->id, sizeof result->id);
    } else if (sts_cache_policy(lookup->sts->cache, lookup->arena, lookup->domain, now, result)) {
        if (state == STS_NO_RECORD && why == NULL)
            why = "the record is gone; the remembered policy stays until its max_age ends";
        if (why != NULL)
            result->why = why;
    } else {
        fill_failure(lookup, now);
    }
    return SEQUENCE_DONE;
}

/* ---- the machine ---- */

static enum sequence_step run_step(void *owner, unsigned state)
{
    static enum sequence_step (*const steps[])(struct sts_lookup *) = {STATES(SEQUENCE_STEP)};

    return steps[state](owner);
}

static void lookup_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* The lookup's memory goes when its timer is closed. */
void sts_cancel(struct sts_lookup *lookup)
{
    list_remove(&lookup->link);
    peers_end(lookup->sts->peers, &lookup->wait);
    dns_question_stop(&lookup->txt);
    dns_question_stop(&lookup->a);
    dns_question_stop(&lookup->aaaa);
    if (lookup->fetch != NULL)
        https_cancel(lookup->fetch);
    lookup->fetch = NULL;
    uv_close((uv_handle_t *)&lookup->timer, lookup_closed);
}

static void timer_fired(uv_timer_t *timer)
{
    struct sts_lookup *lookup = timer->data;

    lookup->sequence.expired = true;
    run(lookup);
}

static void enter(void *owner, unsigned state)
{
    static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};
    struct sts_lookup *lookup = owner;

    if (states[state].deadline != SEQUENCE_NO_DEADLINE)
        uv_timer_start(&lookup->timer, timer_fired, states[state].deadline, 0);
    if (log_level() >= LOG_LEVEL_DEBUG)
        log_event(LOG_LEVEL_DEBUG, "sts-state", "domain", lookup->domain, "state",
                  states[state].name, NULL);
}

static void run(void *owner)
{
    struct sts_lookup *lookup = owner;

    if (!sequence_run(&lookup->sequence))
        return;
    *lookup->out = lookup->result;
    sts_cancel(lookup);
    lookup->done(lookup->context);
}

int sts_start(struct sts_lookup **out, struct sts *sts, struct arena *arena, const char *domain,
              unsigned *query_budget, struct sts_evidence *evidence, sts_done done, void *context)
{
    static const struct sequence_machine machine = {run_step, enter};
    struct sts_lookup *lookup = calloc(1, sizeof *lookup);
    const char *name = arena_strdup(arena, domain);

    if (lookup == NULL || name == NULL) {
        free(lookup);
        return UV_ENOMEM;
    }
    lookup->sts = sts;
    lookup->domain = name;
    lookup->arena = arena;
    lookup->asker = (struct dns_asker){sts->dns, arena, query_budget, run, lookup};
    lookup->out = evidence;
    lookup->done = done;
    lookup->context = context;
    lookup->result.ttl = UINT32_MAX;
    uv_timer_init(sts->loop, &lookup->timer);
    lookup->timer.data = lookup;
    list_append(&sts->lookups, &lookup->link);
    sequence_init(&lookup->sequence, &machine, lookup);
    *out = lookup;
    run(lookup);
    return 0;
}

/* ---- the whole ---- */

int sts_new(struct sts **out, uv_loop_t *loop, struct dns *dns, struct https *https,
            const struct sts_cache_options *options)
{
    struct sts *sts = calloc(1, sizeof *sts);

    if (sts != NULL)
        sts->cache = sts_cache_new(options);
    if (sts == NULL || sts->cache == NULL) {
        free(sts);
        return UV_ENOMEM;
    }
    sts->loop = loop;
    sts->dns = dns;
    sts->https = https;
    sts->refresh_ms = options->refresh_ms;
    list_init(&sts->lookups);
    *out = sts;
    return 0;
}

void sts_close(struct sts *sts)
{
    while (!list_empty(&sts->lookups))
        sts_cancel(LIST_ELEMENT(sts->lookups.next, struct sts_lookup, link));
    sts_cache_free(sts->cache);
    free(sts);
}

void sts_set_peers(struct sts *sts, struct peers *peers)
{
    sts->peers = peers;
}

void sts_get_stats(const struct sts *sts, struct sts_stats *out)
{
    *out = sts->stats;
    out->entries = sts_cache_entries(sts->cache);
}

struct sts_cache *sts_cache_of(const struct sts *sts)
{
    return sts->cache;
}
