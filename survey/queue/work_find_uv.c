/*
 * work_find_uv: what a worker does next: addresses before hosts before domains, for they are nearer
 * to the end; of each what others have left before what nobody has had. See work_internal_uv.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "survey/queue/job.h"
#include "survey/queue/work_internal_uv.h"

#define ENTRIES_MAX 64 /* that are looked at for one chunk */
#define PARTS_TRIED 8  /* at once */

/* ---- beginning ---- */

static bool give_back(struct work *work, const struct work_slot *slot)
{
    return queue_release(work->queue, slot->lease, work->options->token);
}

/* The names of a job in a new file. */
static bool fill(struct work *work, struct results *results, enum unit_kind kind)
{
    struct job_name name;
    size_t at = 0;

    while (job_next(&name, kind, buf_text(&work->job), work->job.length, &at) == JOB_NAME)
        if (!results_chunk_add(results, kind, name.name, name.weight))
            return false;
    return results_one_file(results);
}

static bool make_work(struct work *work, const struct results_chunk *chunk)
{
    const struct spool *spool = work->options->spool;
    char new[PATH_MAX], path[PATH_MAX], error[RESULTS_ERROR_MAX];
    struct results *results =
        results_create(spool_new_path(spool, chunk, new), work->options->run, error);
    bool ok = results != NULL;

    if (ok && !fill(work, results, chunk->kind)) {
        snprintf(error, sizeof error, "%s", results_error(results));
        ok = false;
    }
    ok = results_close(results) && ok;
    if (!ok)
        return queue_fail(work->queue, "%s", error);
    return rename(new, spool_path(spool, chunk, SPOOL_WORK, path)) == 0 ||
           queue_fail(work->queue, "%s: %s", path, strerror(errno));
}

static bool set_aside(struct work *work, const struct work_slot *slot, const char *why)
{
    char name[CHUNK_NAME_MAX];

    queue_say(work->queue, "warning: %s was set aside: %s", chunk_name(name, &slot->chunk), why);
    return queue_set_aside(work->queue, &slot->chunk, buf_text(&work->job)) &&
           give_back(work, slot);
}

/* *found: its process was started. It is leased. */
static bool begin(struct work *work, struct work_slot *slot, bool *found)
{
    const struct results_chunk *chunk = &slot->chunk;
    const bool named = chunk->kind != UNIT_ADDRESS;
    int64_t tries = 0;

    if (named && job_count(chunk->kind, buf_text(&work->job), work->job.length) == 0)
        return set_aside(work, slot, "what the queue has of it cannot be read");
    if (!named && spool_state(work->options->spool, chunk) == SPOOL_HAS_NONE)
        return give_back(work, slot); /* its file has not come yet */
    if (!queue_try(work->queue, chunk, 1, &tries))
        return false;
    if (tries > QUEUE_TRIES_MAX)
        return set_aside(work, slot, "it ended three processes");
    if (spool_state(work->options->spool, chunk) == SPOOL_HAS_NONE && !make_work(work, chunk))
        return false;
    *found = work_spawn(work, slot);
    return *found;
}

/* ---- finding ---- */

static bool is_held(const struct work *work, const char *lease)
{
    for (unsigned i = 0; i < work->options->slots; i++)
        if (work->slots[i].state != WORK_FREE && strcmp(work->slots[i].lease, lease) == 0)
            return true;
    return false;
}

static bool take_lease(struct work *work, struct work_slot *slot, bool *ours)
{
    const struct work_options *options = work->options;

    *ours = false;
    if (is_held(work, slot->lease))
        return true;
    slot->renewed_at = clock_monotonic_ms();
    return queue_lease(work->queue, slot->lease, options->token, options->idle_ms, ours);
}

/* *wanted: the entry is to be looked up, and leased. One that was collected comes again where a
 * server lost that it was deleted. */
static bool consider(struct work *work, struct work_slot *slot, bool *wanted)
{
    enum spool_state state = spool_state(work->options->spool, &slot->chunk);

    *wanted = false;
    if (state == SPOOL_HAS_COLLECTED)
        return queue_done(work->queue, &slot->chunk);
    if (state == SPOOL_HAS_READY)
        return true;
    *wanted = true;
    if (slot->chunk.kind == UNIT_ADDRESS)
        return true; /* its part is */
    chunk_name(slot->lease, &slot->chunk);
    return take_lease(work, slot, wanted);
}

static bool next_claimed(struct work *work, struct work_slot *slot, bool *wanted)
{
    char *cursor = work->cursors[slot->chunk.kind], none[48] = "";
    const bool part = slot->chunk.kind == UNIT_ADDRESS; /* of which there are many */
    struct queue_reader reader = {work->options->token, work->options->idle_ms, ""};

    snprintf(reader.cursor, sizeof reader.cursor, "%s", part ? none : cursor);
    for (int i = 0; i < ENTRIES_MAX && !*wanted; i++) {
        if (!queue_claim(work->queue, &reader, &slot->chunk, &work->job))
            return false;
        if (slot->chunk.number != 0 && !consider(work, slot, wanted))
            return false;
        if (reader.cursor[0] == '\0')
            break;
    }
    snprintf(cursor, sizeof work->cursors[0], "%s", reader.cursor);
    return true;
}

static bool next_new(struct work *work, struct work_slot *slot, bool *wanted)
{
    const struct queue_reader reader = {.consumer = work->options->token};

    for (int i = 0; i < ENTRIES_MAX && !*wanted; i++) {
        if (!queue_read(work->queue, &reader, &slot->chunk, &work->job))
            return false;
        if (slot->chunk.number == 0)
            break;
        if (!consider(work, slot, wanted))
            return false;
    }
    return true;
}

/* Of the kind and part of slot->chunk. */
static bool find_in(struct work *work, struct work_slot *slot, bool *found)
{
    bool wanted = false;

    if (!next_claimed(work, slot, &wanted) || (!wanted && !next_new(work, slot, &wanted)))
        return false;
    return !wanted || begin(work, slot, found);
}

static bool find_in_part(struct work *work, struct work_slot *slot, unsigned part, bool *found)
{
    int64_t length = 0;
    bool ours;

    slot->chunk = (struct results_chunk){UNIT_ADDRESS, part, 0};
    chunk_stream(slot->lease, &slot->chunk);
    if (is_held(work, slot->lease))
        return true;
    if (!queue_length(work->queue, &slot->chunk, &length) ||
        (length > 0 && !take_lease(work, slot, &ours)))
        return false;
    if (length == 0 || !ours)
        return true;
    if (!find_in(work, slot, found))
        return false;
    return *found || give_back(work, slot);
}

static bool find_addresses(struct work *work, struct work_slot *slot, bool *found)
{
    unsigned parts[CHUNK_PARTS_MAX];
    size_t count = 0;

    if (!work->options->plan->probe)
        return true;
    if (!queue_parts(work->queue, parts, CHUNK_PARTS_MAX, &count))
        return false;
    for (size_t i = 0; i < count && i < PARTS_TRIED && !*found; i++)
        if (!find_in_part(work, slot, parts[work->part_turn++ % count], found))
            return false;
    return true;
}

bool work_find(struct work *work, struct work_slot *slot, bool *found)
{
    static const enum unit_kind kinds[] = {UNIT_HOST, UNIT_DOMAIN};

    *found = false;
    if (!find_addresses(work, slot, found))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !*found; i++) {
        slot->chunk = (struct results_chunk){kinds[i], 0, 0};
        if (!find_in(work, slot, found))
            return false;
    }
    return true;
}
