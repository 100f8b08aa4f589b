/*
 * collect: see collect.h. Kinds follow each other. Of hosts and addresses the chunks are walked
 * through, and those that wait are put in; where the queue may have lost some, and where nothing has
 * come for REWALK_MS, the walk begins again: what is in the queue already stays as it is.
 */
#include "survey/queue/collect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "survey/queue/job.h"

#define TURN_MS   500
#define REWALK_MS 30000

struct collecting {
    struct collect_options *options;
    struct queue *queue;
    struct results *results;
    const struct plan *plan;
    enum unit_kind kind;
    int64_t units;      /* of this kind that have a result, as far as was counted */
    bool moved;         /* something was taken in this turn */
    int64_t moved_at;   /* monotonic ms: the last time */
    int64_t renewed_at; /* the lease */
    int64_t aside;      /* chunks that are known to be aside */

    /* the walk, of hosts and addresses */
    struct results_chunk walk;  /* the last that was put in; number 0: none */
    struct results_chunk first; /* the first that waits, as far as is known */
    bool walked;
    int64_t under_way; /* put in and not taken */
    unsigned connections;
    char mark[40];
    struct {
        bool known;
        int64_t last;
    } streams[CHUNK_PARTS_MAX]; /* the last chunk that each has had, by part */
    struct buf job;
};

static bool fail_file(struct collecting *all)
{
    return queue_fail(all->queue, "%s", results_error(all->results));
}

static bool fail_spool(struct collecting *all)
{
    return queue_fail(all->queue, "%s: %s", all->options->spool->folder, strerror(errno));
}

/* ---- what has come ---- */

static bool take_refused(struct collecting *all, const struct results_chunk *chunk, const char *why)
{
    char name[CHUNK_NAME_MAX];

    queue_say(all->queue, "warning: %s is looked up again: %s", chunk_name(name, chunk), why);
    if (!spool_rename(all->options->spool, chunk, SPOOL_READY, SPOOL_BAD) && errno != ENOENT)
        return fail_spool(all);
    all->moved_at = 0; /* its file may be needed again */
    return true;
}

static bool take_collected(struct collecting *all, const struct results_chunk *chunk)
{
    const struct collect_options *options = all->options;

    if (!spool_collect(options->spool, chunk))
        return fail_spool(all);
    if (!queue_done(all->queue, chunk))
        return false;
    all->moved = true;
    all->under_way--;
    all->options->chunks++;
    return true;
}

/* One whole file; those of other kinds were taken before, or cannot be yet. */
static bool take_ready(void *context, const struct results_chunk *chunk)
{
    struct collecting *all = context;
    const int64_t domains = plan_chunk_domains(all->plan, chunk->number);
    char path[PATH_MAX], error[RESULTS_ERROR_MAX];

    if (chunk->kind > all->kind || queue_is_stopped(all->queue))
        return true;
    if (chunk->kind < all->kind)
        return take_collected(all, chunk);
    spool_path(all->options->spool, chunk, SPOOL_READY, path);
    switch (results_collect(all->results, chunk, domains, path, error)) {
    case RESULTS_UNWRITTEN:
        return queue_fail(all->queue, "%s", error);
    case RESULTS_REFUSED:
        return take_refused(all, chunk, error);
    case RESULTS_COLLECTED:
        all->units += chunk->kind == UNIT_DOMAIN ? domains : 0;
        return take_collected(all, chunk);
    }
    return true;
}

/* ---- what was set aside ---- */

static void take_aside(void *context, const struct results_chunk *chunk, const char *job,
                       size_t length)
{
    struct collecting *all = context;
    struct job_name name;
    size_t at = 0;
    bool is_new, ok = true;

    if (chunk->kind != all->kind)
        return;
    if (chunk->kind != UNIT_DOMAIN) {
        ok = results_chunk_forget(all->results, chunk);
        all->under_way--;
    } else if (job_count(UNIT_DOMAIN, job, length) > 0) {
        while (ok && job_next(&name, UNIT_DOMAIN, job, length, &at) == JOB_NAME)
            ok = results_add_domain(all->results, name.name, name.weight, &is_new);
        ok = ok && results_commit(all->results);
        all->units = all->plan->domains; /* counted anew */
    }
    if (!ok)
        fail_file(all);
}

static bool look_aside(struct collecting *all)
{
    int64_t count = 0;

    if (!queue_aside_count(all->queue, &count))
        return false;
    if (count == all->aside)
        return true;
    if (count > all->options->chunks_aside)
        queue_say(all->queue, "warning: %lld chunks were set aside; see mxcrypt survey status",
                  (long long)count);
    all->aside = all->options->chunks_aside = count;
    return queue_each_aside(all->queue, take_aside, all) && *queue_why(all->queue) == '\0';
}

/* ---- putting in ---- */

static bool add_host(void *context, int64_t id, const char *name, int64_t weight)
{
    struct collecting *all = context;

    (void)id;
    (void)weight;
    if (name != NULL)
        job_add(&all->job, UNIT_HOST, name, 0);
    return name != NULL && !all->job.failed;
}

/* The file of a chunk of addresses, unless it is there. */
static bool make_work(struct collecting *all, const struct results_chunk *chunk)
{
    const struct spool *spool = all->options->spool;
    struct results_run run = *results_run(all->results);
    char new[PATH_MAX], work[PATH_MAX], error[RESULTS_ERROR_MAX];

    if (spool_state(spool, chunk) != SPOOL_HAS_NONE)
        return true;
    run.shard = chunk->part + 1;
    run.shards = (unsigned)all->plan->parts;
    run.helo = NULL;
    spool_new_path(spool, chunk, new);
    if (!results_chunk_extract(all->results, chunk, &run, new, error))
        return queue_fail(all->queue, "%s", error);
    return rename(new, spool_path(spool, chunk, SPOOL_WORK, work)) == 0 || fail_spool(all);
}

/* Also where its file is there already, which may be refused: numbers can only be put in in order. */
static bool put(struct collecting *all, const struct results_chunk *chunk)
{
    int64_t *last = &all->streams[chunk->part].last;

    if (spool_state(all->options->spool, chunk) == SPOOL_HAS_COLLECTED)
        spool_forget(all->options->spool, chunk); /* but it is not in the results file */
    if (!all->streams[chunk->part].known && !queue_last(all->queue, chunk, last))
        return false;
    all->streams[chunk->part].known = true;
    if (chunk->kind == UNIT_ADDRESS && !make_work(all, chunk))
        return false;
    if (chunk->number <= *last)
        return true;
    buf_clear(&all->job);
    if (chunk->kind == UNIT_HOST && !results_chunk_hosts(all->results, chunk, add_host, all))
        return fail_file(all);
    *last = chunk->number;
    return queue_put(all->queue, chunk, buf_text(&all->job));
}

static bool walk(struct collecting *all)
{
    while (!all->walked && all->under_way < COLLECT_BACKLOG && !queue_is_stopped(all->queue)) {
        if (!results_chunk_next(all->results, &all->walk))
            return fail_file(all);
        all->walked = all->walk.number == 0;
        if (!all->walked && !put(all, &all->walk))
            return false;
        all->under_way += !all->walked;
    }
    return true;
}

static void walk_again(struct collecting *all)
{
    all->walk = (struct results_chunk){all->kind, 0, 0};
    all->walked = all->kind == UNIT_DOMAIN;
    all->under_way = 0;
    memset(all->streams, 0, sizeof all->streams);
    all->connections = queue_connections(all->queue);
    all->moved_at = clock_monotonic_ms();
}

/* ---- a turn ---- */

static bool keep_lease(struct collecting *all)
{
    int64_t now = clock_monotonic_ms();
    bool ours;

    if (all->renewed_at != 0 && now - all->renewed_at < COLLECT_LEASE_MS / 3)
        return true;
    if (!queue_lease(all->queue, COLLECT_LEASE, all->options->token, COLLECT_LEASE_MS, &ours))
        return false;
    if (!ours)
        return queue_fail(all->queue, "another process collects this survey");
    all->renewed_at = now;
    return true;
}

/* The queue is the one that the survey is in. */
static bool look_at_run(struct collecting *all)
{
    struct queue_run run;

    if (!queue_get_run(all->queue, &run))
        return false;
    if (!run.there)
        return queue_fail(all->queue, "the queue has lost the survey: enqueue the same list again, "
                                      "and collect and work go on from the spool");
    if (!run.good || !plan_equal(&run.plan, all->plan))
        return queue_fail(all->queue, "another list is in the queue under this name now");
    if (strcmp(run.mark, all->mark) != 0 || queue_connections(all->queue) != all->connections ||
        clock_monotonic_ms() - all->moved_at > REWALK_MS)
        walk_again(all);
    memcpy(all->mark, run.mark, sizeof run.mark);
    return true;
}

static bool is_done(struct collecting *all, bool *done)
{
    int64_t count, looked_up;
    bool waits = false;

    *done = false;
    if (all->kind == UNIT_DOMAIN) {
        if (all->units < all->plan->domains)
            return true;
        if (!results_count(all->results, UNIT_DOMAIN, &count, &looked_up))
            return fail_file(all);
        all->units = count;
        *done = count >= all->plan->domains;
        return true;
    }
    if (all->first.number != 0 && !results_chunk_waits(all->results, &all->first, &waits))
        return fail_file(all);
    if (!waits && !results_chunk_next(all->results, &all->first))
        return fail_file(all);
    *done = all->first.number == 0;
    return true;
}

static bool turn(struct collecting *all, bool *done)
{
    const struct collect_options *options = all->options;

    all->moved = false;
    if (!keep_lease(all) || !look_at_run(all) || !look_aside(all) || !walk(all))
        return false;
    if (!spool_each_ready(options->spool, take_ready, all))
        return *queue_why(all->queue) != '\0' ? false : fail_spool(all);
    if (!is_done(all, done))
        return false;
    if (queue_is_stopped(all->queue))
        return queue_fail(all->queue, "stopped");
    if (all->moved)
        all->moved_at = clock_monotonic_ms();
    if (all->moved && options->progress != NULL)
        options->progress(options->context, all->kind, options->chunks);
    if (!*done && !all->moved)
        queue_wait(all->queue, TURN_MS);
    return true;
}

/* ---- all of it ---- */

static bool begin(struct collecting *all, enum unit_kind kind)
{
    int64_t looked_up;

    all->kind = kind;
    all->first = (struct results_chunk){kind, 0, 0};
    all->aside = 0;
    walk_again(all);
    if (kind == UNIT_DOMAIN)
        return results_count(all->results, kind, &all->units, &looked_up) || fail_file(all);
    if (kind == UNIT_ADDRESS && !results_index_addresses(all->results))
        return fail_file(all);
    return results_chunks_cut(all->results, kind, (unsigned)all->plan->parts, all->plan->size) ||
           fail_file(all);
}

bool collect_all(struct collect_options *options)
{
    struct collecting *all = calloc(1, sizeof *all);
    bool ok = all != NULL || queue_fail(options->queue, "no memory"), done;

    if (!ok)
        return false;
    all->options = options;
    all->queue = options->queue;
    all->results = options->results;
    all->plan = options->plan;
    options->chunks = options->chunks_aside = 0;
    buf_init(&all->job, JOB_TEXT_MAX);
    for (int kind = 0; kind < UNIT_KIND_COUNT && ok; kind++) {
        if (kind == UNIT_ADDRESS && !options->plan->probe)
            break;
        ok = begin(all, (enum unit_kind)kind);
        for (done = false; ok && !done;)
            ok = turn(all, &done);
    }
    buf_fini(&all->job);
    free(all);
    return ok;
}
