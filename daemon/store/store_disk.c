/*
 * store_disk: the half of the local SQLite store that runs on the loop; see store.h. Changes
 * wait in `pending`; one batch is on the thread (store_thread.c). Both are laid over what is
 * read from the file, so a find sees what was just put, and nothing here ever waits for a
 * disk.
 *
 * There is one batch at a time. If it fails, its records come back, and a timer retries at growing
 * intervals; nothing else starts a batch while the store is degraded.
 */
#include "daemon/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log/log.h"
#include "daemon/store/store_thread.h"

#define CLOSE_MS          5000
#define RETRY_FIRST_MS    1000
#define RETRY_MAX_MS      60000
#define EARLY_SHARE       4 /* a quarter of pending_max is written before its time */
#define FIND_ARENA_OCTETS ((size_t)4 * (RECORD_EVIDENCE_MAX + RECORD_TEXT_MAX))
#define PAGE_ARENA_OCTETS (256 * 1024 * 1024)

/* A read of this kind. */
struct disk_read {
    struct store_job job; /* first: the thread frees it as a job when we are gone */
    struct store_read base;
    struct store_disk *store;
    struct list link; /* in store.finds or store.lists; in none once given to the thread (lists) */
    uint64_t after;   /* lists: the batch that must have been tried before */
    int64_t due_ms;   /* finds */
    store_on_found found; /* NULL: nobody waits any more */
    store_on_page page;
    void *context;
};

struct store_disk {
    struct store base; /* first */
    uv_loop_t *loop;
    struct store_options options; /* the path is borrowed */
    store_on_begun begun;
    void *context;               /* of begun */
    struct store_thread *thread; /* owned */
    uv_async_t wake;
    uv_timer_t flush, deadline; /* the next batch or attempt; the first find's, or the end's */
    int handles;
    struct store_queue pending;
    struct list finds, lists;
    size_t reading;          /* given to the thread, not back yet */
    uint64_t batches, tried; /* handed over; done, well or not */
    uint64_t retry_ms;       /* until the next attempt of a store that is degraded */
    bool closing;
    struct store_news news;   /* the last */
    struct store_stats stats; /* only what is counted here */
};

static const struct store_kind disk_kind;

static struct store_disk *disk_of(const struct store *base)
{
    return (struct store_disk *)base;
}

/* ---- batches ---- */

static void on_flush(uv_timer_t *timer);

static bool under_way(const struct store_disk *store)
{
    return store->batches != store->tried;
}

static void hand_over(struct store_disk *store)
{
    uv_timer_stop(&store->flush);
    store->batches++;
    store_thread_write(store->thread, &store->pending);
}

static uint64_t first_retry_ms(const struct store_disk *store)
{
    int64_t wait_ms = store->options.flush_ms / 2;

    return wait_ms > RETRY_FIRST_MS ? RETRY_FIRST_MS : wait_ms > 0 ? (uint64_t)wait_ms : 1;
}

/* Sees to it that what waits is written in time. */
static void schedule(struct store_disk *store)
{
    if (under_way(store) || store->closing)
        return;
    if (store->news.degraded) {
        if (!uv_is_active((uv_handle_t *)&store->flush)) {
            uv_timer_start(&store->flush, on_flush, store->retry_ms, 0);
            store->retry_ms =
                store->retry_ms < RETRY_MAX_MS / 2 ? 2 * store->retry_ms : RETRY_MAX_MS;
        }
        return;
    }
    store->retry_ms = first_retry_ms(store);
    if (store->pending.count == 0)
        return;
    if (store->pending.count > store->pending.max / EARLY_SHARE)
        hand_over(store);
    else if (!uv_is_active((uv_handle_t *)&store->flush))
        uv_timer_start(&store->flush, on_flush, (uint64_t)store->options.flush_ms, 0);
}

static void on_flush(uv_timer_t *timer)
{
    struct store_disk *store = timer->data;

    if (!under_way(store))
        hand_over(store);
}

/* ---- reads ---- */

static void read_free(struct disk_read *read)
{
    list_remove(&read->link);
    store_job_free(&read->job);
}

/* `what` is asked for; its strings are copied. NULL without memory, and when there are too many. */
static struct disk_read *read_new(struct store_disk *store, const struct store_job *what,
                                  size_t arena_octets, void *context)
{
    struct disk_read *read = store->reading < STORE_READS_MAX ? calloc(1, sizeof *read) : NULL;
    struct arena *arena = arena_new(arena_octets);

    if (read == NULL || arena == NULL) {
        arena_free(arena);
        free(read);
        return NULL;
    }
    read->job = *what;
    read->job.arena = arena;
    read->job.domain = arena_strdup(arena, what->domain);
    read->job.selection.key = arena_strdup(arena, what->selection.key);
    read->job.selection.cursor = arena_strdup(arena, what->selection.cursor);
    list_init(&read->link);
    read->base.kind = &disk_kind;
    read->store = store;
    read->context = context;
    if (!arena_failed(arena))
        return read;
    read_free(read);
    return NULL;
}

static void give(struct disk_read *read)
{
    read->store->reading++;
    store_thread_read(read->store->thread, &read->job);
}

/* What waits to be written counts for more than the row. */
static const struct record *newest(struct store_disk *store, struct arena *arena,
                                   enum record_kind kind, const char *name,
                                   const struct record *row)
{
    if (under_way(store))
        row = store_queue_overlay(store_thread_batch(store->thread), arena, kind, name, row);
    return store_queue_overlay(&store->pending, arena, kind, name, row);
}

static void answer_find(struct disk_read *read, bool late)
{
    const struct store_job *job = &read->job;
    struct store_found found = {.unsure = true};
    struct arena *arena = job->arena;
    store_on_found done = read->found;

    read->found = NULL;
    list_remove(&read->link);
    if (late) /* the thread may be using the job */
        arena = arena_new(FIND_ARENA_OCTETS);
    else
        found = job->found;
    if (arena != NULL) {
        found.answer = newest(read->store, arena, RECORD_ANSWER, job->selection.key, found.answer);
        if (job->domain != NULL)
            found.policy = newest(read->store, arena, RECORD_POLICY, job->domain, found.policy);
    }
    found.unsure |= arena == NULL || arena_failed(arena); /* what waits was not copied */
    found.unsure = found.unsure && found.answer == NULL;
    done(read->context, &found);
    if (late)
        arena_free(arena);
}

/* Finds all wait equally long, so the first is due first. */
static void on_deadline(uv_timer_t *timer)
{
    struct store_disk *store = timer->data;
    int64_t now = (int64_t)uv_now(store->loop);

    while (!store->closing && !list_empty(&store->finds)) {
        struct disk_read *read = LIST_ELEMENT(store->finds.next, struct disk_read, link);

        if (read->due_ms > now) {
            uv_timer_start(timer, on_deadline, (uint64_t)(read->due_ms - now), 0);
            return;
        }
        store->stats.finds_late++;
        answer_find(read, true);
    }
}

static int disk_find(struct store_read **out, struct store *base, const char *key,
                     const char *domain, store_on_found done, void *context)
{
    const struct store_job what = {.selection.key = key, .domain = domain};
    struct store_disk *store = disk_of(base);
    struct disk_read *read = read_new(store, &what, FIND_ARENA_OCTETS, context);

    if (read == NULL)
        return UV_ENOMEM;
    read->found = done;
    uv_update_time(store->loop);
    read->due_ms = (int64_t)uv_now(store->loop) + STORE_FIND_MS;
    store->stats.finds++;
    list_append(&store->finds, &read->link);
    give(read);
    if (!uv_is_active((uv_handle_t *)&store->deadline))
        uv_timer_start(&store->deadline, on_deadline, STORE_FIND_MS, 0);
    *out = &read->base;
    return 0;
}

/* Lists wait until what was put before has been tried. */
static void start_lists(struct store_disk *store)
{
    struct list *link, *next;

    for (link = store->lists.next; link != &store->lists; link = next) {
        struct disk_read *read = LIST_ELEMENT(link, struct disk_read, link);

        next = link->next;
        if (read->after > store->tried && !store->news.degraded)
            continue;
        list_remove(&read->link);
        give(read);
    }
}

static int disk_list(struct store_read **out, struct store *base,
                     const struct store_selection *selection, store_on_page done, void *context)
{
    const struct store_job what = {.list = true, .selection = *selection};
    struct store_disk *store = disk_of(base);
    struct disk_read *read = read_new(store, &what, PAGE_ARENA_OCTETS, context);

    if (read == NULL)
        return UV_ENOMEM;
    read->page = done;
    read->after = store->pending.count > 0 ? store->batches + 1 : store->batches;
    list_append(&store->lists, &read->link);
    if (store->pending.count > 0 && !under_way(store) && !store->news.degraded)
        hand_over(store);
    start_lists(store);
    *out = &read->base;
    return 0;
}

static void disk_read_cancel(struct store_read *base)
{
    struct disk_read *read = LIST_ELEMENT(base, struct disk_read, base);
    bool waits = read->job.list && !list_empty(&read->link);

    read->found = NULL;
    read->page = NULL;
    list_remove(&read->link);
    if (waits)
        read_free(read);
}

/* ---- the end ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct store_disk *store = handle->data;

    if (--store->handles > 0)
        return;
    store_queue_clear(&store->pending);
    free(store);
}

static void close_handles(struct store_disk *store)
{
    uv_close((uv_handle_t *)&store->wake, on_handle_closed);
    uv_close((uv_handle_t *)&store->flush, on_handle_closed);
    uv_close((uv_handle_t *)&store->deadline, on_handle_closed);
}

static void log_lost(size_t count, const char *why)
{
    log_event(LOG_LEVEL_WARNING, "store-not-closed", "lost", LOG_NUM(count), "why", why, NULL);
}

static void on_close_late(uv_timer_t *timer)
{
    struct store_disk *store = timer->data;

    log_lost(store->pending.count + store_thread_batch(store->thread)->count,
             "the disk does not answer");
    store_thread_abandon(store->thread);
    close_handles(store);
}

/* One attempt for what is left; what fails then is lost. */
static void close_further(struct store_disk *store, bool may_write)
{
    if (under_way(store))
        return;
    if (may_write && store->pending.count > 0) {
        hand_over(store);
        return;
    }
    if (store->pending.count > 0)
        log_lost(store->pending.count, store->news.reason);
    store_thread_stop(store->thread);
}

static void disk_close(struct store *base)
{
    struct store_disk *store = disk_of(base);

    if (store->closing)
        return;
    store->closing = true;
    while (!list_empty(&store->finds))
        disk_read_cancel(&LIST_ELEMENT(store->finds.next, struct disk_read, link)->base);
    while (!list_empty(&store->lists))
        disk_read_cancel(&LIST_ELEMENT(store->lists.next, struct disk_read, link)->base);
    uv_timer_stop(&store->flush);
    uv_timer_start(&store->deadline, on_close_late, CLOSE_MS, 0);
    close_further(store, true);
}

/* ---- news from the thread ---- */

static void take_news(struct store_disk *store, const struct store_news *news)
{
    const struct store_news *before = &store->news;
    const char *path = store->options.path;

    if (news->asides != before->asides)
        log_event(LOG_LEVEL_WARNING, "store-set-aside", "path", path, "aside", news->aside,
                  "reason", news->distrust, NULL);
    /* not at every attempt of a file that can only be read */
    if (news->openings != before->openings && !(news->degraded && before->degraded))
        log_event(LOG_LEVEL_INFO, "store-opened", "path", path, "answers",
                  LOG_NUM(news->rows[RECORD_ANSWER]), "policies",
                  LOG_NUM(news->rows[RECORD_POLICY]), "probes", LOG_NUM(news->rows[RECORD_PROBE]),
                  NULL);
    if (news->degraded && !before->degraded)
        log_event(LOG_LEVEL_WARNING, "store-degraded", "path", path, "reason", news->reason,
                  "effect", "what is learnt is only in memory for now", "change", news->change,
                  NULL);
    if (!news->degraded && before->degraded)
        log_event(LOG_LEVEL_INFO, "store-healed", "path", path, NULL);
    store->news = *news;
}

static void finish_jobs(struct list *jobs)
{
    while (!list_empty(jobs)) {
        struct store_job *job = LIST_ELEMENT(jobs->next, struct store_job, link);
        struct disk_read *read = LIST_ELEMENT(job, struct disk_read, job);

        list_remove(&job->link);
        read->store->reading--;
        if (!read->store->closing && read->found != NULL)
            answer_find(read, false);
        else if (!read->store->closing && read->page != NULL)
            read->page(read->context, &job->page);
        read_free(read);
    }
}

static void settle_batch(struct store_disk *store, bool ok)
{
    struct store_queue *batch = store_thread_batch(store->thread);

    store->tried++;
    if (ok) {
        store->stats.written += batch->count;
        store_queue_clear(batch);
    } else {
        store->stats.write_failures++;
        store_queue_take_back(&store->pending, batch);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct store_disk *store = wake->data;
    struct store_taken taken;
    bool begun;

    store_thread_take(store->thread, &taken);
    begun = taken.news.begun != store->news.begun;
    take_news(store, &taken.news);
    /* before the batch is settled: these reads were done before it was */
    finish_jobs(&taken.jobs);
    if (taken.batch_done)
        settle_batch(store, taken.batch_ok);
    if (taken.ended) {
        store_thread_join(store->thread);
        close_handles(store);
        return;
    }
    if (store->closing) {
        if (taken.batch_done)
            close_further(store, taken.batch_ok);
        return;
    }
    if (begun && store->begun != NULL)
        store->begun(store->context);
    if (store->closing)
        return;
    start_lists(store);
    schedule(store);
}

/* ---- the interface ---- */

int store_new(struct store **out, uv_loop_t *loop, const struct store_options *options,
              store_on_begun begun, void *context)
{
    struct store_disk *store = calloc(1, sizeof *store);
    int error;

    if (store == NULL)
        return UV_ENOMEM;
    store->base.kind = &disk_kind;
    store->loop = loop;
    store->options = *options;
    store->retry_ms = first_retry_ms(store);
    store->begun = begun;
    store->context = context;
    store_queue_init(&store->pending, options->pending_max);
    list_init(&store->finds);
    list_init(&store->lists);
    error = uv_async_init(loop, &store->wake, on_wake);
    if (error != 0) {
        free(store);
        return error;
    }
    uv_timer_init(loop, &store->flush);
    uv_timer_init(loop, &store->deadline);
    store->wake.data = store->flush.data = store->deadline.data = store;
    store->handles = 3;
    error = store_thread_start(&store->thread, &store->options, &store->wake);
    if (error != 0) {
        store->closing = true;
        close_handles(store);
        return error;
    }
    *out = &store->base;
    return 0;
}

static void disk_get_stats(const struct store *base, struct store_stats *out)
{
    const struct store_disk *store = disk_of(base);

    *out = store->stats;
    out->degraded = store->news.degraded;
    out->rejected = store->news.rejected;
    snprintf(out->error, sizeof out->error, "%s", store->news.reason);
    out->dropped = store->pending.dropped;
    out->pending = store->pending.count;
    if (under_way(store))
        out->pending += store_thread_batch(store->thread)->count;
}

static void disk_change(struct store *base, const struct store_change *change)
{
    struct store_disk *store = disk_of(base);

    store_queue_add(&store->pending, change);
    schedule(store);
}

static const struct store_kind disk_kind = {
    .close = disk_close,
    .get_stats = disk_get_stats,
    .change = disk_change,
    .find = disk_find,
    .list = disk_list,
    .read_cancel = disk_read_cancel,
};
