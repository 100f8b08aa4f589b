/*
 * probe_cache_uv: see probe_cache_uv.h. Results and their lifetimes are in probe_table, the turns
 * in base/fair.
 *
 * Glossary
 *   job     one probe asked for, with all that wait for it
 *   spot    an address with jobs, which run one after the other; the spot queues for a turn
 *   peers   other relays of a farm: one of them probes, and all have the result (base/net/peers.h)
 *   prefix  of the address of a spot: the group of its turn, whose load is the number of jobs that
 *           wait
 *
 * Nothing is started from inside probe_cache_ask: `kick`, a timer of no time, does it. Without
 * memory for a probe the waiters get UNKNOWN, which says nothing about the host.
 */
#include "probe/smtp/probe_cache_uv.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fair.h"
#include "base/list.h"
#include "base/log/log.h"
#include "base/map.h"
#include "probe/smtp/probe_table.h"

#define QUEUE_MAX       10000  /* jobs that wait in all */
#define PREFIX_JOBS_MAX 2000   /* of these in one prefix: no network fills the queue alone */
#define MEMORY_MAX      262144 /* of a job: a TLSA RRset may have 64 KB */

struct spot {
    UT_hash_handle hh;
    struct ip ip;
    struct list jobs;          /* waiting */
    struct probe_job *running; /* NULL: waits for its turn */
    struct fair_member turn;   /* always in its group */
};

struct probe_job {
    UT_hash_handle hh; /* in probes.jobs by key */
    struct list link;  /* in spot.jobs */
    struct probe_cache *probes;
    struct spot *spot;
    struct smtp_probe *probe; /* once it has begun; NULL: peers are asked */
    struct peers_wait wait;
    int64_t seen_after;   /* monotonic ms: an earlier result of a peer is not enough */
    int64_t began_ms;     /* monotonic: when it ran; 0 before */
    struct list waiters;  /* struct probe_cache_waiter */
    struct arena *memory; /* owned; holds the strings of the next */
    struct smtp_target target;
    struct probe_key key;
};

struct probe_cache {
    struct smtp_tools tools;
    struct probe_cache_options options;
    struct peers *peers; /* borrowed; NULL: none */
    probe_take changed;  /* NULL: not watched */
    void *context;
    uv_timer_t kick;
    bool closing;
    struct probe_table *table;
    int64_t judged_after;   /* monotonic ms: when the trust anchors changed */
    struct probe_job *jobs; /* maps; owned */
    struct spot *spots;
    struct fair fair;
    struct probe_cache_stats stats;
};

static const struct starttls_result failed_here_result = {
    .state = STARTTLS_UNKNOWN,
    .detail = "not probed, this side failed: no memory",
};

static void on_kick(uv_timer_t *timer);

static void kick(struct probe_cache *probes)
{
    if (!probes->closing)
        CHECK(uv_timer_start(&probes->kick, on_kick, 0, 0) == 0);
}

/* ---- spots ---- */

static struct spot *spot_get(struct probe_cache *probes, const struct ip *ip)
{
    const struct ip_prefix site = ip_site(ip);
    struct spot *spot;

    HASH_FIND(hh, probes->spots, ip, sizeof *ip, spot);
    if (spot != NULL)
        return spot;
    spot = calloc(1, sizeof *spot);
    if (spot == NULL)
        return NULL;
    spot->ip = *ip;
    list_init(&spot->jobs);
    HASH_ADD_KEYPTR(hh, probes->spots, &spot->ip, sizeof spot->ip, spot);
    if (MAP_ADDED(spot)) {
        if (fair_join(&probes->fair, &spot->turn, (const char *)&site, sizeof site))
            return spot;
        HASH_DEL(probes->spots, spot);
    }
    free(spot);
    return NULL;
}

static void spot_free(struct probe_cache *probes, struct spot *spot)
{
    fair_leave(&probes->fair, &spot->turn);
    HASH_DEL(probes->spots, spot);
    free(spot);
}

/* ---- jobs ---- */

/* A copy whose names and records are the arena's; false without memory. */
static bool target_copy(struct smtp_target *out, struct arena *arena, const struct smtp_target *in)
{
    struct tlsa *tlsa = arena_array(arena, in->tlsa_count, sizeof *tlsa);

    *out = *in;
    out->host = arena_strdup(arena, in->host);
    out->sni = arena_strdup(arena, in->sni);
    for (size_t i = 0; i < sizeof in->tlsa_names / sizeof in->tlsa_names[0]; i++)
        out->tlsa_names[i] = arena_strdup(arena, in->tlsa_names[i]);
    out->tlsa = tlsa;
    for (size_t i = 0; tlsa != NULL && i < in->tlsa_count; i++) {
        tlsa[i] = in->tlsa[i];
        tlsa[i].data = arena_memdup(arena, in->tlsa[i].data, in->tlsa[i].length);
    }
    return !arena_failed(arena);
}

/* Gives all waiters the result, NULL: forgets them, and frees the job. */
static void job_free(struct probe_job *job, const struct starttls_result *result)
{
    while (!list_empty(&job->waiters)) {
        struct probe_cache_waiter *waiter =
            LIST_ELEMENT(job->waiters.next, struct probe_cache_waiter, link);

        list_remove(&waiter->link);
        if (result != NULL && !job->probes->closing)
            waiter->done(waiter->context, result);
    }
    arena_free(job->memory);
    free(job);
}

/* A new job, lined up at its spot; NULL without memory. */
static struct probe_job *job_new(struct probe_cache *probes, const struct probe_key *key,
                                 const struct smtp_target *target)
{
    struct probe_job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return NULL;
    job->probes = probes;
    job->key = *key;
    list_init(&job->waiters);
    job->memory = arena_new(MEMORY_MAX);
    if (job->memory == NULL || !target_copy(&job->target, job->memory, target))
        goto fail;
    HASH_ADD_KEYPTR(hh, probes->jobs, job->key.octets, (unsigned)job->key.length, job);
    if (!MAP_ADDED(job))
        goto fail;
    job->spot = spot_get(probes, &target->ip);
    if (job->spot == NULL) {
        HASH_DEL(probes->jobs, job);
        goto fail;
    }
    list_append(&job->spot->jobs, &job->link);
    job->spot->turn.group->load++;
    probes->stats.queued++;
    return job;
fail:
    job_free(job, NULL);
    return NULL;
}

static void job_wait_no_more(struct probe_job *job)
{
    list_remove(&job->link);
    job->spot->turn.group->load--;
    job->probes->stats.queued--;
}

static void job_leave(struct probe_job *job)
{
    HASH_DEL(job->probes->jobs, job);
    if (job->spot->running == job)
        job->spot->running = NULL;
    else
        job_wait_no_more(job);
}

static void log_result(const struct probe_job *job, const struct starttls_result *result)
{
    char address[IP_TEXT_MAX];

    if (log_level() >= LOG_LEVEL_DEBUG)
        log_event(LOG_LEVEL_DEBUG, "probed", "domain", job->target.host, "address",
                  ip_text(&job->target.ip, address), "protocol", result->protocol, "detail",
                  result->detail, NULL);
}

/* A probe has ended: the next at this address may have its turn, the result goes into the probe
 * cache. */
static void job_end(struct probe_job *job, const struct starttls_result *result, bool failed_here)
{
    struct probe_cache *probes = job->probes;
    struct spot *spot = job->spot;
    struct starttls_result dated = *result;
    struct probe_saved saved;
    struct probe_moment moment = {.now_ms = clock_monotonic_ms(),
                                  .wall_s = clock_wall_s(),
                                  .failed_here = failed_here,
                                  .began_ms = job->began_ms};

    /* what our own side could not see is not "less than before" */
    if (failed_here)
        dated.state = STARTTLS_UNKNOWN;
    job_leave(job);
    if (list_empty(&spot->jobs))
        spot_free(probes, spot);
    else
        fair_again(&probes->fair, &spot->turn);
    probes->stats.by_state[dated.state]++;
    if (probe_table_put(probes->table, &job->key, &moment, &dated) && !failed_here &&
        probes->changed != NULL && probe_table_save(probes->table, &job->key, &saved))
        probes->changed(probes->context, &saved);
    peers_end(probes->peers, &job->wait);
    log_result(job, &dated);
    kick(probes);
    job_free(job, &dated);
}

static void on_probed(void *context, const struct smtp_outcome *outcome)
{
    struct probe_job *job = context;

    if (outcome->failure != SMTP_FAILURE_COUNT)
        job->probes->stats.by_failure[outcome->failure]++;
    job_end(job, &outcome->result, outcome->failed_here);
}

static void job_begin(struct probe_job *job)
{
    struct probe_cache *probes = job->probes;

    probes->stats.probes++;
    job->began_ms = clock_monotonic_ms();
    if (smtp_start(&job->probe, &probes->tools, &probes->options.smtp, &job->target, on_probed,
                   job) == 0)
        return;
    probes->stats.by_failure[SMTP_FAILURE_LOCAL]++;
    job_end(job, &failed_here_result, true);
}

/* ---- peers ---- */

/* What a peer has found, if it counts for those that wait. */
static const struct starttls_result *found_by_peer(const struct probe_job *job)
{
    const struct starttls_result *known =
        probe_table_get(job->probes->table, &job->key, clock_monotonic_ms());

    return known != NULL && known->probed_at >= job->seen_after ? known : NULL;
}

static bool is_enough(struct peers_wait *wait)
{
    return found_by_peer(wait->context) != NULL;
}

static void on_go(struct peers_wait *wait)
{
    struct probe_job *job = wait->context;
    struct probe_cache *probes = job->probes;
    const struct starttls_result *known = found_by_peer(job);
    struct spot *spot = job->spot;

    if (known == NULL) {
        job_begin(job);
        return;
    }
    peers_end(probes->peers, &job->wait);
    job_leave(job);
    if (list_empty(&spot->jobs))
        spot_free(probes, spot);
    else
        fair_again(&probes->fair, &spot->turn);
    kick(probes);
    job_free(job, known);
}

static void job_run(struct probe_job *job)
{
    char identity[PROBE_IDENTITY_MAX];

    job_wait_no_more(job);
    job->spot->running = job;
    job->wait = (struct peers_wait){.enough = is_enough, .go = on_go, .context = job};
    if (!probe_key_identity(identity, &job->key) ||
        !peers_begin(job->probes->peers, &job->wait, PEERS_PROBE, identity, &job->target.ip))
        job_begin(job);
}

/* Starts what has its turn. */
static void on_kick(uv_timer_t *timer)
{
    struct probe_cache *probes = timer->data;
    struct fair_member *turn;

    while (!probes->closing && (turn = fair_next(&probes->fair)) != NULL) {
        struct spot *spot = LIST_ELEMENT(turn, struct spot, turn);

        job_run(LIST_ELEMENT(spot->jobs.next, struct probe_job, link));
    }
}

/* ---- asking ---- */

/* The job of a key, under way or new. 0 or a libuv error. */
static int job_get(struct probe_job **out, struct probe_cache *probes, const struct probe_key *key,
                   const struct smtp_target *target)
{
    const struct ip_prefix site = ip_site(&target->ip);
    const struct fair_group *group = fair_find(&probes->fair, (const char *)&site, sizeof site);

    HASH_FIND(hh, probes->jobs, key->octets, (unsigned)key->length, *out);
    if (*out != NULL)
        return 0;
    if (probes->stats.queued >= QUEUE_MAX || (group != NULL && group->load >= PREFIX_JOBS_MAX))
        return UV_ENOBUFS;
    *out = job_new(probes, key, target);
    return *out != NULL ? 0 : UV_ENOMEM;
}

int probe_cache_ask(struct probe_cache_waiter *waiter, struct probe_cache *probes,
                    const struct smtp_target *target, int64_t seen_after, probe_cache_done done,
                    void *context)
{
    struct probe_job *job = NULL;
    struct probe_key key;
    int error = probe_key_make(&key, target) ? job_get(&job, probes, &key, target) : UV_EINVAL;

    if (error != 0)
        return error;
    if (job->seen_after < seen_after)
        job->seen_after = seen_after;
    waiter->done = done;
    waiter->context = context;
    list_append(&job->waiters, &waiter->link);
    kick(probes);
    return 0;
}

void probe_cache_cancel(struct probe_cache_waiter *waiter)
{
    list_remove(&waiter->link);
}

const struct starttls_result *probe_cache_peek(struct probe_cache *probes,
                                               const struct smtp_target *target, int64_t seen_after)
{
    const struct starttls_result *known;
    struct probe_key key;

    if (!probe_key_make(&key, target))
        return NULL;
    known = probe_table_get(probes->table, &key, clock_monotonic_ms());
    return known != NULL && known->probed_at >= seen_after ? known : NULL;
}

void probe_cache_judge_again(struct probe_cache *probes, int64_t before_ms)
{
    probes->judged_after = before_ms;
    probe_table_judge_again(probes->table, before_ms, clock_monotonic_ms());
}

int64_t probe_cache_judged_after(const struct probe_cache *probes)
{
    return probes->judged_after;
}

void probe_cache_forget(struct probe_cache *probes, const struct ip *ips, size_t count)
{
    probe_table_forget(probes->table, ips, count);
}

enum loaded probe_cache_load(struct probe_cache *probes, const struct probe_saved *saved)
{
    const struct probe_moment moment = {clock_monotonic_ms(), clock_wall_s(), false, 0};
    const struct starttls_result *result = &saved->result;
    bool denied = tls_context_denies(probes->tools.tls, result->protocol, result->cipher) != NULL;

    /* TLS that is no longer allowed, or was not allowed and is now: asked again */
    if (result->protocol != NULL && denied == (result->state >= STARTTLS_TLS))
        return LOADED_KNOWN;
    return probe_table_load(probes->table, saved, &moment);
}

void probe_cache_set_peers(struct probe_cache *probes, struct peers *peers)
{
    probes->peers = peers;
}

void probe_cache_set_helo_name(struct probe_cache *probes, const char *name)
{
    probes->options.smtp.helo_name = name;
    probes->options.smtp.helo_pending = false;
}

/* ---- the whole ---- */

int probe_cache_new(struct probe_cache **out, const struct smtp_tools *tools,
                    const struct probe_cache_options *options)
{
    struct probe_cache *probes = calloc(1, sizeof *probes);
    int error;

    if (probes == NULL)
        return UV_ENOMEM;
    probes->tools = *tools;
    probes->options = *options;
    probes->options.smtp.helo_pending = options->smtp.helo_name == NULL;
    probes->judged_after = INT64_MIN;
    probes->table = probe_table_new(options);
    error = probes->table == NULL ? UV_ENOMEM : uv_timer_init(tools->loop, &probes->kick);
    if (error != 0) {
        probe_table_free(probes->table);
        free(probes);
        return error;
    }
    probes->kick.data = probes;
    fair_init(&probes->fair, options->connections_max, options->connections_prefix_max);
    *out = probes;
    return 0;
}

static void on_kick_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void probe_cache_close(struct probe_cache *probes)
{
    struct probe_job *job, *next_job;
    struct spot *spot, *next_spot;

    probes->closing = true;
    HASH_ITER(hh, probes->jobs, job, next_job)
    {
        peers_end(probes->peers, &job->wait);
        if (job->probe != NULL)
            smtp_cancel(job->probe);
        job_leave(job);
        job_free(job, NULL);
    }
    HASH_ITER(hh, probes->spots, spot, next_spot)
    {
        spot_free(probes, spot);
    }
    fair_fini(&probes->fair);
    probe_table_free(probes->table);
    probes->table = NULL;
    uv_close((uv_handle_t *)&probes->kick, on_kick_closed);
}

void probe_cache_get_stats(const struct probe_cache *probes, struct probe_cache_stats *out)
{
    *out = probes->stats;
    out->in_flight = probes->fair.running;
    out->entries = probe_table_entries(probes->table);
}

void probe_cache_watch(struct probe_cache *probes, probe_take changed, void *context)
{
    probes->changed = changed;
    probes->context = context;
}

bool probe_cache_walk(const struct probe_cache *probes, struct map_walk *walk)
{
    return probes->changed == NULL ||
           probe_table_walk(probes->table, walk, probes->changed, probes->context);
}
