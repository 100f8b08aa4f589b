/*
 * work_uv: see work_uv.h. A slot goes round: a chunk is found (work_find_uv.c), leased, counted as a
 * try, its file made unless it is there, a process started; when that has ended well the file gets
 * the name of a whole one.
 */
#include "survey/queue/work_uv.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/valkey/valkey_uv.h"
#include "survey/queue/job.h"
#include "survey/queue/queue_internal_uv.h"
#include "survey/queue/work_internal_uv.h"

#define WAIT_MS      500
#define GRACE_MS     (VALKEY_RETRY_MAX_MS + 1000) /* after which all have connected again */
#define STOP_MS      20000                        /* a process has to end on SIGTERM */
#define FAILURES_MAX 3 /* of processes, one after the other, that are nobody's fault but ours */

static void say_of(const struct work *work, const struct work_slot *slot, const char *what,
                   long number)
{
    char name[CHUNK_NAME_MAX];

    queue_say(work->queue, "%s: %s %ld", chunk_name(name, &slot->chunk), what, number);
}

/* ---- processes ---- */

static void on_closed(uv_handle_t *handle)
{
    struct work_slot *slot = handle->data;

    slot->state = WORK_ENDED;
    queue_wake(slot->work->queue);
}

static void on_exit_of(uv_process_t *process, int64_t status, int by_signal)
{
    struct work_slot *slot = process->data;

    slot->status = (int)status;
    slot->by_signal = by_signal;
    uv_close((uv_handle_t *)process, on_closed);
}

/* Of the rate of all machines each slot has its share. A machine that joins has it at once, and the
 * others give it up with their next chunks. */
static int64_t rate_of(const struct work *work)
{
    const int64_t whole = work->options->plan->rate, own = work->options->rate;
    int64_t share = whole / (work->all_slots > 0 ? work->all_slots : 1);

    if (whole == 0)
        return own;
    if (share == 0)
        share = 1;
    return own != 0 && own < share ? own : share;
}

bool work_spawn(struct work *work, struct work_slot *slot)
{
    const char *words[WORK_WORDS_MAX];
    char path[PATH_MAX], rate[24];
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}, {.flags = UV_IGNORE}};
    uv_process_options_t options = {.exit_cb = on_exit_of, .stdio_count = 3, .stdio = stdio};
    size_t count = 0;
    int error;

    for (; work->options->command[count] != NULL; count++)
        words[count] = work->options->command[count];
    CHECK(count + 4 <= WORK_WORDS_MAX);
    snprintf(rate, sizeof rate, "%" PRId64, rate_of(work));
    words[count++] = "--rate";
    words[count++] = rate;
    words[count++] = spool_path(work->options->spool, &slot->chunk, SPOOL_WORK, path);
    words[count] = NULL;
    stdio[2].flags = UV_INHERIT_FD;
    stdio[2].data.fd = STDERR_FILENO;
    options.file = words[0];
    options.args = (char **)words;
    slot->process.data = slot;
    slot->killed = false;
    error = uv_spawn(queue_loop(work->queue), &slot->process, &options);
    if (error == 0) {
        slot->state = WORK_RUNS;
        return true;
    }
    slot->status = slot->by_signal = 0;
    slot->state = WORK_CLOSES;
    uv_close((uv_handle_t *)&slot->process, on_closed);
    return queue_fail(work->queue, "%s: %s", words[0], uv_strerror(error));
}

static void kill_it(struct work_slot *slot)
{
    if (slot->state == WORK_RUNS && !slot->killed)
        uv_process_kill(&slot->process, SIGKILL);
    slot->killed = true;
}

/* The lease may be another's soon. Also while the queue is away. */
static void on_turn(void *context)
{
    struct work *work = context;
    int64_t now = clock_monotonic_ms();

    for (unsigned i = 0; i < work->options->slots; i++) {
        struct work_slot *slot = &work->slots[i];

        if (slot->state != WORK_RUNS || slot->killed ||
            now - slot->renewed_at < work->options->idle_ms * 9 / 10)
            continue;
        say_of(work, slot, "stopped: its lease was not renewed for ms", now - slot->renewed_at);
        kill_it(slot);
    }
}

/* ---- what came of one ---- */

static bool take_back(struct work *work, const struct work_slot *slot)
{
    int64_t tries;

    return queue_try(work->queue, &slot->chunk, -1, &tries);
}

/* Others need not wait until it is idle. */
static bool hand_back(struct work *work, const struct work_slot *slot)
{
    const struct queue_reader reader = {work->options->token, work->options->idle_ms, ""};

    return queue_release(work->queue, slot->lease, work->options->token) &&
           queue_hand_back(work->queue, &reader, &slot->chunk);
}

/* Not the chunk's fault: it is not counted. */
static bool take_failure(struct work *work, const struct work_slot *slot)
{
    say_of(work, slot, "its process ended with status", slot->status);
    if (++work->failures < FAILURES_MAX)
        return take_back(work, slot);
    take_back(work, slot);
    return queue_fail(work->queue, "nothing can be looked up here");
}

static bool take_whole(struct work *work, const struct work_slot *slot)
{
    const struct spool *spool = work->options->spool;

    if (!spool_is_one_file(spool, &slot->chunk))
        return take_failure(work, slot); /* somebody reads it; it is closed again */
    work->failures = 0;
    work->options->chunks++;
    if (spool_rename(spool, &slot->chunk, SPOOL_WORK, SPOOL_READY) ||
        spool_state(spool, &slot->chunk) >= SPOOL_HAS_READY)
        return true;
    return queue_fail(work->queue, "%s: %s", spool->folder, strerror(errno));
}

static bool take_ended(struct work *work, struct work_slot *slot)
{
    bool ok = true;

    slot->state = WORK_FREE;
    if (slot->killed) {
        ok = take_back(work, slot); /* it is not the chunk's fault */
    } else if (slot->by_signal == 0 && slot->status == work->options->status_busy) {
        say_of(work, slot, "another process fills its file; looked at again after ms",
               (long)work->options->idle_ms);
        return take_back(work, slot) &&
               queue_release(work->queue, slot->lease, work->options->token);
    } else if (slot->by_signal != 0) {
        say_of(work, slot, "its process was killed by signal", slot->by_signal);
    } else if (slot->status == work->options->status_refused) {
        say_of(work, slot, "its file cannot be used, and is put away; status", slot->status);
        spool_rename(work->options->spool, &slot->chunk, SPOOL_WORK, SPOOL_BAD);
    } else {
        ok = slot->status == 0 ? take_whole(work, slot) : take_failure(work, slot);
    }
    if (spool_state(work->options->spool, &slot->chunk) >= SPOOL_HAS_READY)
        return queue_release(work->queue, slot->lease, work->options->token) && ok;
    return hand_back(work, slot) && ok;
}

/* ---- a turn ---- */

/* A server that was restarted or failed over may have lost it: it is taken again, unless another was
 * faster. */
static bool keep_lease(struct work *work, struct work_slot *slot)
{
    const struct work_options *options = work->options;
    int64_t now = clock_monotonic_ms();
    bool ours;

    if (now - slot->renewed_at < options->idle_ms / 3 &&
        work->connections == queue_connections(work->queue))
        return true;
    if (!queue_renew(work->queue, slot->lease, options->token, options->idle_ms, &ours) ||
        (!ours && !queue_lease(work->queue, slot->lease, options->token, options->idle_ms, &ours)))
        return false;
    if (ours)
        slot->renewed_at = now;
    else
        kill_it(slot);
    return true;
}

static bool keep_slots(struct work *work)
{
    const struct work_options *options = work->options;
    int64_t now = clock_monotonic_ms();

    if (options->plan->rate == 0 ||
        (work->slots_at != 0 && now - work->slots_at < options->idle_ms / 3))
        return true;
    work->slots_at = now;
    return queue_keep_slots(work->queue, options->token, options->slots, options->idle_ms,
                            &work->all_slots);
}

static bool look_at_run(struct work *work, bool *ended)
{
    struct queue_run run;

    if (!queue_get_run(work->queue, &run))
        return false;
    if (!run.there)
        return queue_fail(work->queue,
                          "the queue has lost the survey: enqueue the same list again, "
                          "and collect and work go on from the spool");
    if (!run.good || !plan_equal(&run.plan, work->options->plan))
        return queue_fail(work->queue, "another list is in the queue under this name now");
    *ended = run.ended;
    return true;
}

/* After the server was away the others take their leases again first. */
static bool may_begin(const struct work *work)
{
    return clock_monotonic_ms() >= work->begin_at;
}

static bool turn(struct work *work, bool *ended)
{
    const unsigned connections = queue_connections(work->queue);
    bool found = false, any = false;

    for (unsigned i = 0; i < work->options->slots; i++) {
        struct work_slot *slot = &work->slots[i];

        if (slot->state == WORK_ENDED && !take_ended(work, slot))
            return false;
        if (slot->state == WORK_RUNS && !keep_lease(work, slot))
            return false;
    }
    if (work->connections != 0 && work->connections != connections)
        work->begin_at = clock_monotonic_ms() + GRACE_MS;
    work->connections = connections;
    if (!look_at_run(work, ended) || !keep_slots(work))
        return false;
    for (unsigned i = 0; i < work->options->slots && !*ended && may_begin(work);
         i++, any |= found) {
        found = false;
        if (work->slots[i].state == WORK_FREE && !work_find(work, &work->slots[i], &found))
            return false;
        if (!found && work->slots[i].state == WORK_FREE)
            break; /* nor is there anything for the others */
    }
    if (queue_is_stopped(work->queue))
        return queue_fail(work->queue, "stopped");
    if (!any && !*ended)
        queue_wait(work->queue, WAIT_MS);
    return true;
}

/* ---- all of it ---- */

static bool any_runs(const struct work *work)
{
    for (unsigned i = 0; i < work->options->slots; i++)
        if (work->slots[i].state == WORK_RUNS || work->slots[i].state == WORK_CLOSES)
            return true;
    return false;
}

/* Ends the processes. Leases that cannot be released end by themselves. */
static void stop_all(struct work *work)
{
    int64_t until = clock_monotonic_ms() + STOP_MS;

    for (unsigned i = 0; i < work->options->slots; i++)
        if (work->slots[i].state == WORK_RUNS)
            uv_process_kill(&work->slots[i].process, SIGTERM);
    while (any_runs(work)) {
        uv_run(queue_loop(work->queue),
               UV_RUN_ONCE); /* a signal may have come: do not wait for one */
        for (unsigned i = 0; i < work->options->slots && clock_monotonic_ms() > until; i++)
            kill_it(&work->slots[i]);
    }
}

/* Gives up what this worker has. */
static void leave_all(struct work *work)
{
    for (unsigned i = 0; i < work->options->slots; i++) {
        struct work_slot *slot = &work->slots[i];

        if (slot->state != WORK_ENDED)
            continue;
        if (slot->status == 0 && slot->by_signal == 0)
            take_whole(work, slot);
        else
            take_back(work, slot);
        hand_back(work, slot);
    }
}

bool work_all(struct work_options *options)
{
    struct work *work = calloc(1, sizeof *work);
    bool ok = work != NULL || queue_fail(options->queue, "no memory"), ended = false;

    if (!ok)
        return false;
    work->options = options;
    work->queue = options->queue;
    options->chunks = 0;
    for (unsigned i = 0; i < options->slots; i++)
        work->slots[i].work = work;
    buf_init(&work->job, JOB_TEXT_MAX);
    queue_set_turn(work->queue, on_turn, work);
    while (ok && !ended)
        ok = turn(work, &ended);
    queue_set_turn(work->queue, NULL, NULL);
    stop_all(work);
    if (queue_recover(work->queue))
        leave_all(work);
    buf_fini(&work->job);
    free(work);
    return ok;
}
