/*
 * lists: see lists.h. Each source has one task at a time: a reading on a thread, or a fetch and then
 * the reading of what came. What comes of it is brought into force on the loop, in one turn.
 *
 * A task works with copies of what it needs. When the configuration has changed meanwhile in what
 * decides about a list, its result does not count, and the source is read again; one that is not
 * configured any more stays until its task is over.
 *
 * Expiry goes by the wall clock, which a timer looks at when the next list expires, and every
 * minute, so that a jump is noticed.
 */
#include "daemon/lists/lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "daemon/lists/lists_internal.h"

#define CLOCK_S        60
#define READINGS_MAX   2 /* at a time: the threads of the pool are for others too */
#define FETCHES_MAX    4
#define TASK_ARENA_MAX 16384

struct task {
    struct list_source *source;
    struct arena *arena; /* owned; of `line` */
    struct config_list line;
    unsigned line_version;
    struct list_reading reading;
    struct list_fetch *fetch; /* NULL: none is under way */
    uv_work_t work;
    uv_thread_t thread; /* at start, as the rest */
    uv_async_t async;   /* of one that is late: tells the loop that it is over */
    bool over, late;    /* lists.start_lock */
};

static void pump(struct lists *lists);

/* ---- tasks ---- */

static void task_free(struct task *task)
{
    list_reading_fini(&task->reading);
    arena_free(task->arena);
    free(task);
}

/* The source's task; NULL without memory. */
static struct task *task_new(struct list_source *source, enum list_want want)
{
    struct task *task = calloc(1, sizeof *task);

    if (task == NULL)
        return NULL;
    list_reading_init(&task->reading);
    task->source = source;
    task->arena = arena_new(TASK_ARENA_MAX);
    if (task->arena != NULL)
        list_line_copy(task->arena, &task->line, &source->line);
    if (task->arena == NULL || arena_failed(task->arena)) {
        task_free(task);
        return NULL;
    }
    task->line_version = source->line_version;
    task->reading.line = &task->line;
    task->reading.verifier = source->lists->tools.verifier;
    list_source_ask(source, &task->reading, want);
    source->task = task;
    return task;
}

static void say_changed(struct lists *lists)
{
    if (lists->changed != NULL && !lists->closing)
        lists->changed(lists->context);
}

static void count(struct lists *lists, const struct list_reading *reading)
{
    if (reading->outcome == LIST_REFUSED || reading->outcome == LIST_EXPIRED)
        lists->stats.refused[reading->refusal]++;
    if (reading->line->host == NULL || reading->want == LIST_READ_LOCAL ||
        reading->want == LIST_READ_WAITING)
        return;
    if (reading->outcome == LIST_REFUSED || reading->outcome == LIST_EXPIRED)
        lists->stats.fetch_failures++;
    else
        lists->stats.fetched++;
}

/* The end of a task that read something; true when what lists_find says may have changed. The task is
 * the caller's to free. */
static bool task_take(struct task *task)
{
    struct list_source *source = task->source;
    struct lists *lists = source->lists;
    bool counts = task->line_version == source->line_version && list_empty(&source->link);
    bool changed = false;

    source->task = NULL;
    if (counts) {
        changed = list_source_take(source, &task->reading);
        if (!task->reading.unchanged && !source->mismatched)
            count(lists, &task->reading);
    } else {
        source->kept_known = false; /* the reading may have written it */
        list_source_take_back(source, &task->reading);
    }
    return changed;
}

/* A source without a task that is not configured any more goes. */
static void let_go(struct list_source *source)
{
    if (list_empty(&source->link) || source->task != NULL)
        return;
    list_remove(&source->link);
    list_source_free(source);
}

/* ---- readings ---- */

static void free_on_thread(uv_work_t *work)
{
    list_reading_fini(&((struct task *)work->data)->reading);
}

static void on_freed(uv_work_t *work, int status)
{
    (void)status;
    task_free(work->data);
}

/* A list of a million domains takes milliseconds to free: not on the loop. */
static void let_task_go(struct lists *lists, struct task *task)
{
    if (task->reading.replaced == NULL || lists->closing ||
        uv_queue_work(lists->loop, &task->work, free_on_thread, on_freed) != 0)
        task_free(task);
}

static void on_thread(uv_work_t *work)
{
    list_read(&((struct task *)work->data)->reading);
}

static void reading_is_over(struct task *task, bool read)
{
    struct list_source *source = task->source;
    struct lists *lists = source->lists;
    bool changed = false;

    if (read)
        changed = task_take(task);
    source->task = NULL; /* it is cancelled by lists_close only */
    let_go(source);
    if (changed)
        say_changed(lists);
    let_task_go(lists, task);
    if (!lists->closing)
        pump(lists);
}

static void on_read(uv_work_t *work, int status)
{
    struct task *task = work->data;

    task->source->lists->readings--;
    reading_is_over(task, status == 0);
}

static void begin_reading(struct task *task)
{
    struct lists *lists = task->source->lists;

    lists->readings++;
    task->work.data = task;
    CHECK(uv_queue_work(lists->loop, &task->work, on_thread, on_read) == 0);
}

static void read_local(struct list_source *source, bool only_changed)
{
    struct task *task = task_new(source, LIST_READ_LOCAL);

    if (task == NULL) {
        list_source_fail(source, LIST_MISSING, LIST_REFUSAL_SIZE, "no memory");
        return;
    }
    source->local = false;
    task->reading.only_changed = only_changed;
    begin_reading(task);
}

/* Without memory it is tried again when the clock is looked at. */
static void read_waiting(struct list_source *source)
{
    struct task *task = task_new(source, LIST_READ_WAITING);

    if (task == NULL)
        return;
    list_source_give_waiting(source, &task->reading);
    begin_reading(task);
}

/* ---- fetches ---- */

static void on_fetch_over(struct task *task, const struct list_fetch_result *result)
{
    struct list_source *source = task->source;
    struct lists *lists = source->lists;

    if (result->why == NULL && !(result->known && result->signature == source->waiting_signature)) {
        task->reading.want = result->known ? LIST_READ_SAME : LIST_READ_FETCHED;
        begin_reading(task);
        return;
    }
    source->task = NULL;
    if (result->why == NULL) {
        lists->stats.fetched++;
        list_source_waits_still(source);
    } else {
        lists->stats.fetch_failures++;
        lists->stats.refused[LIST_REFUSAL_SIZE] += result->too_large;
        list_source_fail(source, result->too_large ? LIST_REFUSED : LIST_MISSING, LIST_REFUSAL_SIZE,
                         result->why);
    }
    task_free(task);
    let_go(source);
}

static void on_fetched(void *context, const struct list_fetch_result *result)
{
    struct task *task = context;
    struct lists *lists = task->source->lists;

    task->fetch = NULL;
    lists->fetches--;
    on_fetch_over(task, result);
    pump(lists);
}

/* The signature of the list in memory, if that need not be fetched again; 0: fetch it. */
static uint64_t known_signature(const struct list_source *source)
{
    bool kept = source->kept_path == NULL || source->kept.signature == source->identity.signature;

    return source->list != NULL && kept ? source->identity.signature : 0;
}

static void fetch(struct list_source *source)
{
    struct lists *lists = source->lists;
    struct task *task = task_new(source, LIST_READ_FETCHED);
    struct list_fetch_request request = {.loop = lists->loop,
                                         .tools = &lists->tools,
                                         .config = lists->config,
                                         .suffix = signature_suffix(source->kind)};

    if (task != NULL) {
        request.reading = &task->reading;
        request.known[0] = known_signature(source);
        request.known[1] = source->waiting_signature;
        if (list_fetch_start(&task->fetch, &request, on_fetched, task) == 0) {
            lists->fetches++;
            return;
        }
        source->task = NULL;
        task_free(task);
    }
    list_source_fail(source, LIST_MISSING, LIST_REFUSAL_SIZE, "no memory");
}

/* ---- what is due ---- */

static void start_due(struct list_source *source, int64_t now)
{
    struct lists *lists = source->lists;
    bool fetched = source->line.host != NULL, due = source->local || now >= source->due_ms;

    if (source->task != NULL)
        return;
    if (list_source_is_ready(source, clock_wall_s())) {
        if (lists->readings < READINGS_MAX)
            read_waiting(source);
    } else if (!fetched || source->local || !source->key_known) {
        if ((due || now >= source->look_ms) && lists->readings < READINGS_MAX)
            read_local(source, !due);
    } else if (due && lists->tools.dns != NULL && lists->fetches < FETCHES_MAX) {
        fetch(source);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_ms(const struct lists *lists, int64_t now_s)
{
    int64_t now = clock_monotonic_ms(), wait_ms = CLOCK_S * 1000, wait_s, due_ms;

    for (size_t i = 0; i < lists->count; i++) {
        const struct list_source *source = lists->sources[i];

        wait_s = list_source_wait_s(source, now_s);
        if (wait_s < CLOCK_S)
            wait_ms = earlier(wait_ms, wait_s * 1000);
        due_ms = earlier(source->due_ms, source->look_ms) - now;
        if (source->task == NULL && due_ms > 0) /* else the end of a task looks what is due */
            wait_ms = earlier(wait_ms, due_ms);
    }
    return wait_ms > 0 ? wait_ms : 1;
}

static void on_clock(uv_timer_t *timer)
{
    struct lists *lists = timer->data;
    int64_t now_s = clock_wall_s();
    bool changed = false, set_back = now_s < lists->seen_s - CLOCK_S;

    lists->seen_s = now_s;
    for (size_t i = 0; i < lists->count; i++) {
        changed |= list_source_look(lists->sources[i], now_s);
        if (set_back)
            list_source_set_back(lists->sources[i]);
    }
    if (changed)
        say_changed(lists);
    pump(lists);
}

/* Starts what is due, and has the clock looked at when the next may be. */
static void pump(struct lists *lists)
{
    int64_t now = clock_monotonic_ms();

    for (size_t i = 0; i < lists->count; i++)
        start_due(lists->sources[i], now);
    if (lists->count > 0)
        uv_timer_start(&lists->timer, on_clock, (uint64_t)next_ms(lists, clock_wall_s()), 0);
    else
        uv_timer_stop(&lists->timer);
}

/* ---- the configuration ---- */

/* The source of a name, also one that was leaving; out of its place. NULL: there is none. */
static struct list_source *take_source(struct lists *lists, const char *name)
{
    for (size_t i = 0; i < lists->count; i++) {
        struct list_source *source = lists->sources[i];

        if (source != NULL && strcmp(source->line.source, name) == 0) {
            lists->sources[i] = NULL;
            return source;
        }
    }
    for (struct list *at = lists->leaving.next; at != &lists->leaving; at = at->next) {
        struct list_source *source = LIST_ELEMENT(at, struct list_source, link);

        if (strcmp(source->line.source, name) == 0) {
            list_remove(&source->link);
            return source;
        }
    }
    return NULL;
}

/* Without memory for a change the source stays as it was. */
static struct list_source *source_for(struct lists *lists, const struct config *config,
                                      const struct config_list *line)
{
    struct list_source *source = take_source(lists, line->source);

    if (source == NULL)
        source = list_source_new(line, lists->config->store_path);
    else
        list_source_set(source, line);
    if (source == NULL)
        return NULL;
    source->lists = lists;
    source->refresh_ms = config->list_refresh_ms;
    source->stale_ms = config->list_stale_ms;
    return source;
}

/* Of those that stay in `sources`: not configured any more. */
static void dismiss(struct lists *lists)
{
    for (size_t i = 0; i < lists->count; i++) {
        struct list_source *source = lists->sources[i];

        if (source == NULL)
            continue;
        list_append(&lists->leaving, &source->link);
        let_go(source);
    }
}

static void take_lines(struct lists *lists, const struct config *config)
{
    struct list_source *sources[CONFIG_LISTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < config->list_count; i++) {
        sources[count] = source_for(lists, config, &config->lists[i]);
        count += sources[count] != NULL;
    }
    dismiss(lists);
    memcpy(lists->sources, sources, count * sizeof sources[0]);
    lists->count = count;
}

void lists_configure(struct lists *lists, const struct config *config)
{
    bool had = lists->count > 0;

    take_lines(lists, config);
    if (had)
        say_changed(lists); /* perhaps in no more than the order */
    pump(lists);
}

/* ---- the whole ---- */

static void on_start_thread(void *context)
{
    struct task *task = context;
    struct lists *lists = task->source->lists;

    list_read(&task->reading);
    uv_mutex_lock(&lists->start_lock);
    task->over = true;
    if (task->late)
        uv_async_send(&task->async);
    uv_cond_signal(&lists->start_over);
    uv_mutex_unlock(&lists->start_lock);
}

static void on_late_closed(uv_handle_t *async)
{
    reading_is_over(async->data, true);
}

static void on_late(uv_async_t *async)
{
    uv_thread_join(&((struct task *)async->data)->thread);
    uv_close((uv_handle_t *)async, on_late_closed);
}

/* Until it is over, or the deadline has passed; then it is left to the loop, and true. */
static bool wait_at_start(struct lists *lists, struct task *task, int64_t deadline_ms)
{
    int64_t left_ms;

    uv_mutex_lock(&lists->start_lock);
    while (!task->over && (left_ms = deadline_ms - clock_monotonic_ms()) > 0)
        if (uv_cond_timedwait(&lists->start_over, &lists->start_lock,
                              (uint64_t)left_ms * 1000000) != 0)
            break;
    if (!task->over && uv_async_init(lists->loop, &task->async, on_late) == 0) {
        task->async.data = task;
        task->late = true;
    }
    uv_mutex_unlock(&lists->start_lock);
    return task->late;
}

/* Every source on a thread of its own, so that the start waits for the slowest only. */
static void read_at_start(struct lists *lists)
{
    struct task *tasks[CONFIG_LISTS_MAX] = {NULL};
    int64_t deadline_ms = clock_monotonic_ms() + LISTS_START_MS;

    for (size_t i = 0; i < lists->count; i++) {
        struct task *task = task_new(lists->sources[i], LIST_READ_LOCAL);

        if (task == NULL)
            continue; /* the timer sees to it */
        lists->sources[i]->local = false;
        tasks[i] = task;
        if (uv_thread_create(&task->thread, on_start_thread, task) != 0) {
            list_read(&task->reading);
            task_take(task);
            task_free(task);
            tasks[i] = NULL;
        }
    }
    for (size_t i = 0; i < lists->count; i++) {
        if (tasks[i] == NULL || wait_at_start(lists, tasks[i], deadline_ms))
            continue;
        uv_thread_join(&tasks[i]->thread);
        task_take(tasks[i]);
        task_free(tasks[i]);
    }
}

int lists_new(struct lists **out, uv_loop_t *loop, const struct config *config,
              const struct lists_tools *tools)
{
    struct lists *lists = calloc(1, sizeof *lists);

    if (lists == NULL)
        return UV_ENOMEM;
    lists->loop = loop;
    lists->tools = *tools;
    lists->config = config;
    list_init(&lists->leaving);
    uv_timer_init(loop, &lists->timer);
    lists->timer.data = lists;
    CHECK(uv_mutex_init(&lists->start_lock) == 0 && uv_cond_init(&lists->start_over) == 0);
    take_lines(lists, config);
    read_at_start(lists);
    on_clock(&lists->timer);
    *out = lists;
    return 0;
}

void lists_watch(struct lists *lists, lists_on_changed changed, void *context)
{
    lists->changed = changed;
    lists->context = context;
}

static void end_task(struct list_source *source)
{
    struct task *task = source->task;

    if (task == NULL || task->late)
        return;
    if (task->fetch == NULL) {
        uv_cancel((uv_req_t *)&task->work); /* if it has not begun; on_read is called anyway */
        return;
    }
    list_fetch_cancel(task->fetch);
    source->task = NULL;
    task_free(task);
}

void lists_close(struct lists *lists)
{
    lists->closing = true;
    for (size_t i = 0; i < lists->count; i++)
        end_task(lists->sources[i]);
    for (struct list *at = lists->leaving.next, *next; at != &lists->leaving; at = next) {
        struct list_source *source = LIST_ELEMENT(at, struct list_source, link);

        next = at->next;
        end_task(source);
        let_go(source);
    }
    uv_close((uv_handle_t *)&lists->timer, NULL);
}

void lists_free(struct lists *lists)
{
    for (size_t i = 0; i < lists->count; i++)
        list_source_free(lists->sources[i]);
    uv_cond_destroy(&lists->start_over);
    uv_mutex_destroy(&lists->start_lock);
    free(lists);
}

/* ---- what they say ---- */

static enum list_mode mode_as(enum list_as as, enum list_mode mode)
{
    return as == LIST_AS_FILE ? mode : as == LIST_AS_ENFORCE ? LIST_ENFORCE : LIST_TESTING;
}

bool lists_find(struct list_evidence *out, const struct lists *lists, const char *domain)
{
    struct policy_list_entry entry;

    *out = (struct list_evidence){.mode = LIST_NONE};
    for (size_t i = 0; lists != NULL && i < lists->count; i++) {
        const struct list_source *source = lists->sources[i];

        if (!source->in_force || !policy_list_find(&entry, source->list, domain))
            continue;
        out->mode = mode_as(source->line.as, entry.mode);
        out->mx = entry.mx;
        out->mx_count = entry.mx_count;
        out->list = source->line.source;
        out->expires_s = policy_list_header(source->list)->expires_s;
        return true;
    }
    return false;
}
