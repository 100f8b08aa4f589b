/*
 * probe_cache_uv: see probe_cache_uv.h. Results and their lifetimes are probe_table.c's, the turns
 * base/fair's.
 *
 * Glossary
 *   job     one probe asked for, with everybody who waits for it
 *   spot    an address with jobs: they run one after the other, a spot is what queues for a turn
 *   net     the prefix a spot is in: how many of its jobs wait, and the group of its turn
 *
 * Nothing starts and nobody is called from inside probe_cache_ask: `kick`, a timer of no time, does
 * both. Without memory for a probe the waiters get UNKNOWN, which says nothing about the host.
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

#define QUEUE_MAX     10000  /* jobs that wait in all */
#define QUEUE_NET_MAX 2000   /* of these in one prefix: nobody fills the queue alone */
#define MEMORY_MAX    262144 /* of a job: a TLSA RRset may have 64 KB */
#define NET_KEY_MAX   7

struct net {
    UT_hash_handle hh;
    unsigned spots, queued;
    unsigned char key[NET_KEY_MAX];
    uint8_t key_length;
};

struct spot {
    UT_hash_handle hh;
    struct ip ip;
    struct net *net;
    struct list jobs;    /* waiting */
    struct job *running; /* NULL: waits for its turn */
    struct fair_member turn;
};

struct job {
    UT_hash_handle hh; /* in probes.jobs by key, unless `known` */
    struct list link;  /* in spot.jobs, or in probes.known */
    struct probe_cache *probes;
    struct spot *spot;
    struct smtp_probe *probe; /* once running */
    int64_t began_ms;         /* monotonic: when it ran; 0 before */
    struct list waiters;
    struct arena *memory;         /* owned; holds the next two's strings */
    struct smtp_target target;    /* of a probe */
    struct starttls_result known; /* of one that was known already */
    struct probe_key key;
};

struct probe_cache_waiter {
    struct list link; /* in job.waiters */
    probe_cache_done done;
    void *context;
};

struct probe_cache {
    struct smtp_tools tools;
    struct probe_cache_options options;
    probe_take changed; /* NULL: nobody is told */
    void *context;
    uv_timer_t kick;
    bool closing;
    struct probe_table *store;
    int64_t judged_after; /* monotonic ms: when the trust anchors changed */
    struct job *jobs;     /* maps; owned */
    struct spot *spots;
    struct net *nets;
    struct fair fair;
    struct list known; /* jobs to be answered without a probe */
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

/* ---- nets and spots ---- */

static uint8_t net_key(unsigned char out[NET_KEY_MAX], const struct ip *ip)
{
    uint8_t octets = ip->family == 4 ? 3 : 6; /* /24, /48 */

    out[0] = ip->family;
    memcpy(out + 1, ip->octets, octets);
    return (uint8_t)(octets + 1);
}

static struct net *net_find(struct probe_cache *probes, const struct ip *ip)
{
    unsigned char key[NET_KEY_MAX];
    uint8_t length = net_key(key, ip);
    struct net *net;

    HASH_FIND(hh, probes->nets, key, length, net);
    return net;
}

static struct net *net_get(struct probe_cache *probes, const struct ip *ip)
{
    struct net *net = net_find(probes, ip);

    if (net != NULL)
        return net;
    net = calloc(1, sizeof *net);
    if (net == NULL)
        return NULL;
    net->key_length = net_key(net->key, ip);
    HASH_ADD_KEYPTR(hh, probes->nets, net->key, net->key_length, net);
    if (MAP_ADDED(net))
        return net;
    free(net);
    return NULL;
}

static void net_settle(struct probe_cache *probes, struct net *net)
{
    if (net->spots > 0)
        return;
    HASH_DEL(probes->nets, net);
    free(net);
}

static struct spot *spot_get(struct probe_cache *probes, const struct ip *ip)
{
    struct spot *spot;
    struct net *net;

    HASH_FIND(hh, probes->spots, ip, sizeof *ip, spot);
    if (spot != NULL)
        return spot;
    net = net_get(probes, ip);
    if (net == NULL)
        return NULL;
    spot = calloc(1, sizeof *spot);
    if (spot == NULL)
        goto failed;
    spot->ip = *ip;
    spot->net = net;
    list_init(&spot->jobs);
    HASH_ADD_KEYPTR(hh, probes->spots, &spot->ip, sizeof spot->ip, spot);
    if (!MAP_ADDED(spot))
        goto failed;
    if (!fair_join(&probes->fair, &spot->turn, (const char *)net->key, net->key_length)) {
        HASH_DEL(probes->spots, spot);
        goto failed;
    }
    net->spots++;
    return spot;
failed:
    free(spot);
    net_settle(probes, net);
    return NULL;
}

static void spot_free(struct probe_cache *probes, struct spot *spot)
{
    struct net *net = spot->net;

    fair_leave(&probes->fair, &spot->turn);
    HASH_DEL(probes->spots, spot);
    free(spot);
    net->spots--;
    net_settle(probes, net);
}

/* ---- jobs ---- */

static void job_free(struct job *job)
{
    while (!list_empty(&job->waiters)) {
        struct probe_cache_waiter *waiter =
            LIST_ELEMENT(job->waiters.next, struct probe_cache_waiter, link);

        list_remove(&waiter->link);
        free(waiter);
    }
    arena_free(job->memory);
    free(job);
}

static struct job *job_new(struct probe_cache *probes, const struct probe_key *key)
{
    struct job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return NULL;
    job->probes = probes;
    job->key = *key;
    list_init(&job->link);
    list_init(&job->waiters);
    job->memory = arena_new(MEMORY_MAX);
    if (job->memory != NULL)
        return job;
    free(job);
    return NULL;
}

/* Calls everybody who waits, and ends the job. */
static void job_answer(struct job *job, const struct starttls_result *result)
{
    while (!list_empty(&job->waiters) && !job->probes->closing) {
        struct probe_cache_waiter *waiter =
            LIST_ELEMENT(job->waiters.next, struct probe_cache_waiter, link);
        probe_cache_done done = waiter->done;
        void *context = waiter->context;

        list_remove(&waiter->link);
        free(waiter);
        done(context, result);
    }
    job_free(job);
}

/* Takes a job out of its spot, which then waits for another turn or goes. */
static void job_leave_spot(struct probe_cache *probes, struct job *job)
{
    struct spot *spot = job->spot;

    HASH_DEL(probes->jobs, job);
    if (spot->running == job) {
        spot->running = NULL;
        fair_leave(&probes->fair, &spot->turn);
    } else {
        list_remove(&job->link);
        spot->net->queued--;
        probes->stats.queued--;
    }
}

/* Answers what waits for a spot that cannot be lined up again. */
static void spot_give_up(struct probe_cache *probes, struct spot *spot)
{
    while (!list_empty(&spot->jobs)) {
        struct job *job = LIST_ELEMENT(spot->jobs.next, struct job, link);

        job_leave_spot(probes, job);
        job->known = failed_here_result;
        list_append(&probes->known, &job->link);
    }
}

/* Lines a spot up for its next job, or frees it when there is none. */
static void spot_settle(struct probe_cache *probes, struct spot *spot)
{
    const struct net *net = spot->net;

    if (!list_empty(&spot->jobs) &&
        !fair_join(&probes->fair, &spot->turn, (const char *)net->key, net->key_length))
        spot_give_up(probes, spot);
    if (list_empty(&spot->jobs))
        spot_free(probes, spot);
}

static void log_result(const struct job *job, const struct starttls_result *result)
{
    char address[IP_TEXT_MAX];

    if (log_level() >= LOG_LEVEL_DEBUG)
        log_event(LOG_LEVEL_DEBUG, "probed", "domain", job->target.host, "address",
                  ip_text(&job->target.ip, address), "protocol", result->protocol, "detail",
                  result->detail, NULL);
}

static void tell_changed(const struct job *job)
{
    const struct probe_cache *probes = job->probes;
    struct probe_saved saved;

    if (probes->changed != NULL && probe_table_save(probes->store, job->memory, &job->key, &saved))
        probes->changed(probes->context, &saved);
}

/* A probe has ended: the next at this address may have its turn, the result goes into the probe
 * cache. */
static void job_end(struct job *job, const struct starttls_result *result, bool failed_here)
{
    struct probe_cache *probes = job->probes;
    struct spot *spot = job->spot;
    struct starttls_result dated = *result;
    struct probe_moment moment = {.now_ms = clock_monotonic_ms(),
                                  .wall_s = clock_wall_s(),
                                  .failed_here = failed_here,
                                  .began_ms = job->began_ms};

    /* what our own side could not see is not "less than before" */
    if (failed_here)
        dated.state = STARTTLS_UNKNOWN;
    job_leave_spot(probes, job);
    spot_settle(probes, spot);
    probes->stats.by_state[dated.state]++;
    if (probe_table_put(probes->store, &job->key, &moment, &dated) && !failed_here)
        tell_changed(job);
    log_result(job, &dated);
    kick(probes);
    job_answer(job, &dated);
}

static void on_probed(void *context, const struct starttls_result *result)
{
    struct job *job = context;
    enum smtp_failure failure = smtp_failure(job->probe);

    if (failure != SMTP_FAILURE_COUNT)
        job->probes->stats.by_failure[failure]++;
    job_end(job, result, smtp_failed_here(job->probe));
}

static void job_run(struct job *job)
{
    struct probe_cache *probes = job->probes;

    list_remove(&job->link);
    job->spot->running = job;
    job->spot->net->queued--;
    probes->stats.queued--;
    probes->stats.probes++;
    job->began_ms = clock_monotonic_ms();
    if (smtp_start(&job->probe, &probes->tools, &probes->options.smtp, &job->target, on_probed,
                   job) == 0)
        return;
    probes->stats.by_failure[SMTP_FAILURE_LOCAL]++;
    job_end(job, &failed_here_result, true);
}

/* Answers what is known and starts what has its turn. */
static void on_kick(uv_timer_t *timer)
{
    struct probe_cache *probes = timer->data;
    struct fair_member *turn;
    struct list known;

    while (!probes->closing && (turn = fair_next(&probes->fair)) != NULL) {
        struct spot *spot = LIST_ELEMENT(turn, struct spot, turn);

        job_run(LIST_ELEMENT(spot->jobs.next, struct job, link));
    }
    list_take(&known, &probes->known);
    while (!list_empty(&known)) {
        struct job *job = LIST_ELEMENT(known.next, struct job, link);

        list_remove(&job->link);
        job_answer(job, &job->known);
    }
}

/* ---- asking ---- */

static bool key_of(struct probe_key *out, const struct smtp_target *target)
{
    const struct probe_subject subject = {
        .ip = &target->ip,
        .port = target->port,
        .host = target->host,
        .sni = target->sni,
        .tlsa = target->tlsa,
        .tlsa_count = target->tlsa_count,
    };

    return probe_key_make(out, &subject);
}

static struct job *known_job(struct probe_cache *probes, const struct probe_key *key,
                             const struct starttls_result *known)
{
    struct job *job = job_new(probes, key);

    if (job == NULL)
        return NULL;
    if (!starttls_result_copy(&job->known, job->memory, known)) {
        job_free(job);
        return NULL;
    }
    list_append(&probes->known, &job->link);
    return job;
}

/* Lines a new job up at its spot; false without memory. */
static bool job_queue(struct probe_cache *probes, struct job *job)
{
    HASH_ADD_KEYPTR(hh, probes->jobs, job->key.octets, (unsigned)job->key.length, job);
    if (!MAP_ADDED(job))
        return false;
    job->spot = spot_get(probes, &job->target.ip);
    if (job->spot == NULL) {
        HASH_DEL(probes->jobs, job);
        return false;
    }
    list_append(&job->spot->jobs, &job->link);
    job->spot->net->queued++;
    probes->stats.queued++;
    return true;
}

static int probe_job(struct job **out, struct probe_cache *probes, const struct probe_key *key,
                     const struct smtp_target *target)
{
    const struct net *net = net_find(probes, &target->ip);
    struct job *job;

    HASH_FIND(hh, probes->jobs, key->octets, (unsigned)key->length, *out);
    if (*out != NULL)
        return 0;
    if (probes->stats.queued >= QUEUE_MAX || (net != NULL && net->queued >= QUEUE_NET_MAX))
        return UV_ENOBUFS;
    job = job_new(probes, key);
    if (job == NULL)
        return UV_ENOMEM;
    if (!smtp_target_copy(&job->target, job->memory, target) || !job_queue(probes, job)) {
        job_free(job);
        return UV_ENOMEM;
    }
    *out = job;
    return 0;
}

int probe_cache_ask(struct probe_cache_waiter **out, struct probe_cache *probes,
                    const struct smtp_target *target, int64_t seen_after, probe_cache_done done,
                    void *context)
{
    struct probe_cache_waiter *waiter = calloc(1, sizeof *waiter);
    const struct starttls_result *known;
    struct job *job = NULL;
    struct probe_key key;
    int error = 0;

    if (waiter == NULL)
        return UV_ENOMEM;
    if (!key_of(&key, target)) {
        free(waiter);
        return UV_EINVAL;
    }
    known = probe_cache_peek(probes, target, seen_after);
    if (known != NULL)
        job = known_job(probes, &key, known);
    else
        error = probe_job(&job, probes, &key, target);
    if (job == NULL) {
        free(waiter);
        return error != 0 ? error : UV_ENOMEM;
    }
    waiter->done = done;
    waiter->context = context;
    list_append(&job->waiters, &waiter->link);
    kick(probes);
    *out = waiter;
    return 0;
}

void probe_cache_cancel(struct probe_cache_waiter *waiter)
{
    list_remove(&waiter->link);
    free(waiter);
}

const struct starttls_result *probe_cache_peek(struct probe_cache *probes,
                                               const struct smtp_target *target, int64_t seen_after)
{
    const struct starttls_result *known;
    struct probe_key key;

    if (!key_of(&key, target))
        return NULL;
    known = probe_table_get(probes->store, &key, clock_monotonic_ms());
    return known != NULL && known->probed_at >= seen_after ? known : NULL;
}

void probe_cache_judge_again(struct probe_cache *probes, int64_t before_ms)
{
    probes->judged_after = before_ms;
    probe_table_judge_again(probes->store, before_ms, clock_monotonic_ms());
}

int64_t probe_cache_judged_after(const struct probe_cache *probes)
{
    return probes->judged_after;
}

void probe_cache_forget(struct probe_cache *probes, const struct ip *ips, size_t count)
{
    probe_table_forget(probes->store, ips, count);
}

/* TLS that is no longer allowed, or was not allowed and is now. */
static bool is_of_other_settings(const struct probe_cache *probes,
                                 const struct starttls_result *result)
{
    bool denied = tls_context_denies(probes->tools.tls, result->protocol, result->cipher) != NULL;

    return result->protocol != NULL && denied == (result->state >= STARTTLS_TLS);
}

enum loaded probe_cache_load(struct probe_cache *probes, const struct probe_saved *saved)
{
    const struct probe_moment moment = {clock_monotonic_ms(), clock_wall_s(), false, 0};

    if (is_of_other_settings(probes, &saved->result))
        return LOADED_KNOWN; /* asked again */
    return probe_table_load(probes->store, saved, &moment);
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
    const struct probe_lifetimes lifetimes = {options->good_ms, options->retry_min_ms,
                                              options->retry_max_ms};
    struct probe_cache *probes = calloc(1, sizeof *probes);
    int error;

    if (probes == NULL)
        return UV_ENOMEM;
    probes->tools = *tools;
    probes->options = *options;
    probes->options.smtp.helo_pending = options->smtp.helo_name == NULL;
    probes->judged_after = INT64_MIN;
    probes->store = probe_table_new(options->entries_max, &lifetimes);
    error = probes->store == NULL ? UV_ENOMEM : uv_timer_init(tools->loop, &probes->kick);
    if (error != 0) {
        probe_table_free(probes->store);
        free(probes);
        return error;
    }
    probes->kick.data = probes;
    fair_init(&probes->fair, options->connections_max, options->connections_prefix_max);
    list_init(&probes->known);
    *out = probes;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void free_jobs(struct probe_cache *probes)
{
    struct job *job, *next_job;
    struct spot *spot, *next_spot;

    HASH_ITER(hh, probes->jobs, job, next_job)
    {
        if (job->spot->running == job)
            smtp_cancel(job->probe);
        job_leave_spot(probes, job);
        job_free(job);
    }
    HASH_ITER(hh, probes->spots, spot, next_spot)
    {
        spot_free(probes, spot);
    }
    while (!list_empty(&probes->known)) {
        job = LIST_ELEMENT(probes->known.next, struct job, link);
        list_remove(&job->link);
        job_free(job);
    }
}

void probe_cache_close(struct probe_cache *probes)
{
    probes->closing = true;
    free_jobs(probes);
    fair_fini(&probes->fair);
    probe_table_free(probes->store);
    probes->store = NULL;
    uv_close((uv_handle_t *)&probes->kick, on_closed);
}

void probe_cache_get_stats(const struct probe_cache *probes, struct probe_cache_stats *out)
{
    *out = probes->stats;
    out->in_flight = probes->fair.running;
    out->entries = probe_table_entries(probes->store);
}

void probe_cache_watch(struct probe_cache *probes, probe_take changed, void *context)
{
    probes->changed = changed;
    probes->context = context;
}

bool probe_cache_tell_some(const struct probe_cache *probes, struct map_walk *walk)
{
    return probes->changed == NULL ||
           probe_table_some(probes->store, walk, probes->changed, probes->context);
}
