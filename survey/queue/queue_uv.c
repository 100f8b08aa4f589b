/* queue_uv: see queue_uv.h. One loop, which runs only while something is waited for. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/valkey/valkey_uv.h"
#include "survey/queue/queue_internal_uv.h"

#define CONNECT_MS  5000
#define STALL_MS    10000
#define PENDING_MAX 4
#define AGAIN_MS    1000 /* before what was refused for now is asked again */

struct queue {
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t interrupt, terminate;
    struct queue_options options;
    struct valkey_url url;
    struct valkey_tls *tls; /* owned */
    struct valkey *valkey;
    unsigned connections;
    void (*turn)(void *context);
    void *turn_context;
    bool stopped, woken, failed;
    char why[QUEUE_SAID_MAX];

    /* the command under way */
    struct valkey_request request;
    queue_taker *take;
    void *context;
    enum { ASKED, ANSWERED, LOST, NOT_NOW } state;
    bool told_not_now;
};

uv_loop_t *queue_loop(struct queue *queue)
{
    return &queue->loop;
}

/* ---- words ---- */

bool queue_fail(struct queue *queue, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (queue->why[0] == '\0')
        vsnprintf(queue->why, sizeof queue->why, format, arguments);
    va_end(arguments);
    queue->failed = true;
    return false;
}

void queue_say(const struct queue *queue, const char *format, ...)
{
    char text[QUEUE_SAID_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    queue->options.say(text);
}

const char *queue_why(const struct queue *queue)
{
    return queue->why;
}

const char *queue_key(const struct queue *queue, char out[QUEUE_KEY_MAX], const char *word,
                      const char *rest)
{
    snprintf(out, QUEUE_KEY_MAX, "mxcrypt:survey:%s:%s%s%s", queue->options.run, word,
             rest == NULL ? "" : ":", rest == NULL ? "" : rest);
    return out;
}

/* ---- the loop ---- */

static void on_changed(void *context, bool ready, const char *why)
{
    struct queue *queue = context;

    if (!ready)
        queue_say(queue, "the queue at %s: %s; waiting for it", valkey_where(queue->valkey), why);
    else if (queue->connections > 0 || *valkey_why(queue->valkey) != '\0')
        queue_say(queue, "the queue at %s answers again", valkey_where(queue->valkey));
    queue->connections += ready;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* the loop has run once */
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct queue *queue = signal->data;

    (void)number;
    queue->stopped = true;
}

static void run_once(struct queue *queue)
{
    uv_run(&queue->loop, UV_RUN_ONCE);
    if (queue->turn != NULL)
        queue->turn(queue->turn_context);
}

void queue_set_turn(struct queue *queue, void (*turn)(void *context), void *context)
{
    queue->turn = turn;
    queue->turn_context = context;
}

void queue_wait(struct queue *queue, int64_t ms)
{
    int64_t until = clock_monotonic_ms() + ms;

    while (!queue->woken && !queue->stopped && clock_monotonic_ms() < until)
        run_once(queue);
    queue->woken = false;
}

void queue_wake(struct queue *queue)
{
    queue->woken = true;
}

bool queue_is_stopped(const struct queue *queue)
{
    return queue->stopped;
}

unsigned queue_connections(const struct queue *queue)
{
    return queue->connections;
}

bool queue_recover(struct queue *queue)
{
    queue->failed = false;
    queue->stopped = true; /* nothing is waited for any more */
    return valkey_is_ready(queue->valkey);
}

/* ---- asking ---- */

static bool begins_with(const struct valkey_reply *reply, const char *text)
{
    const char *said = valkey_text(reply, NULL);

    return said != NULL && strncmp(said, text, strlen(text)) == 0;
}

static bool is_for_taker(const struct valkey_reply *reply)
{
    return valkey_is_error(reply, "BUSYGROUP") || valkey_is_error(reply, "NOGROUP") ||
           begins_with(reply, "ERR The ID specified in XADD") ||
           begins_with(reply, "ERR no such key");
}

static bool is_for_later(const struct valkey_reply *reply)
{
    static const char *const words[] = {"LOADING", "BUSY",       "OOM",     "READONLY",
                                        "MISCONF", "MASTERDOWN", "TRYAGAIN"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (valkey_is_error(reply, words[i]))
            return true;
    return false;
}

static void on_refused(struct queue *queue, const struct valkey_reply *reply)
{
    const char *said = valkey_text(reply, NULL);
    char shown[QUEUE_SAID_MAX / 2];

    escape_bytes(shown, sizeof shown, said, strlen(said));
    queue->state = NOT_NOW;
    if (!is_for_later(reply))
        queue_fail(queue, "the queue at %s refuses: %s", valkey_where(queue->valkey), shown);
    else if (!queue->told_not_now)
        queue_say(queue, "the queue at %s takes nothing now: %s; waiting",
                  valkey_where(queue->valkey), shown);
    queue->told_not_now = true;
}

static void on_reply(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct queue *queue = request->context;

    if (reply == NULL) {
        queue->state = LOST;
    } else if (valkey_type(reply) == VALKEY_ERROR && !is_for_taker(reply)) {
        on_refused(queue, reply);
    } else {
        queue->state = ANSWERED;
        if (queue->take != NULL)
            queue->take(queue->context, reply);
    }
}

static void pause_ms(struct queue *queue, int64_t ms)
{
    int64_t until = clock_monotonic_ms() + ms;

    while (!queue->stopped && clock_monotonic_ms() < until)
        run_once(queue);
}

/* One attempt: sent, and answered or not. */
static void try_once(struct queue *queue, size_t count, const char *const *words)
{
    int error;

    queue->state = ASKED;
    error = valkey_send(queue->valkey, &queue->request, count, words, NULL, on_reply, queue);
    if (error == UV_ENOMEM)
        queue_fail(queue, "no memory");
    if (error != 0)
        queue->state = LOST;
    while (queue->state == ASKED)
        run_once(queue);
}

bool queue_ask(struct queue *queue, queue_taker *take, void *context, const char *const *words)
{
    const int64_t until = clock_monotonic_ms() + QUEUE_PATIENCE_MS;
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    CHECK(count <= QUEUE_WORDS_MAX);
    queue->take = take;
    queue->context = context;
    while (!queue->failed) {
        queue->state = LOST;
        if (valkey_is_ready(queue->valkey))
            try_once(queue, count, words);
        if (queue->state == ANSWERED) {
            queue->told_not_now = false;
            return true;
        }
        if (queue->stopped)
            return queue_fail(queue, "stopped");
        if (clock_monotonic_ms() > until)
            return queue_fail(queue, "the queue at %s has been away for too long",
                              valkey_where(queue->valkey));
        pause_ms(queue, queue->state == NOT_NOW ? AGAIN_MS : 1);
    }
    return false;
}

void queue_take_number(void *context, const struct valkey_reply *reply)
{
    int64_t *out = context;

    if (!valkey_number(reply, out))
        *out = 0;
}

void queue_take_any(void *context, const struct valkey_reply *reply)
{
    bool *out = context;

    *out = valkey_type(reply) != VALKEY_NIL && valkey_type(reply) != VALKEY_ERROR;
}

/* ---- opening ---- */

static bool connect_it(struct queue *queue, const char **why)
{
    const struct valkey_options options = {.url = &queue->url,
                                           .tls = queue->tls,
                                           .name = "mxcrypt-survey",
                                           .connect_ms = CONNECT_MS,
                                           .stall_ms = STALL_MS,
                                           .pending_max = PENDING_MAX};

    *why = "no memory";
    return valkey_new(&queue->valkey, &queue->loop, &options, on_changed, queue) == 0;
}

const char *queue_url_wrong(const char *url)
{
    struct valkey_url parsed;

    return valkey_url_parse(&parsed, url);
}

struct queue *queue_open(const struct queue_options *options, const char **why)
{
    struct queue *queue = calloc(1, sizeof *queue);

    *why = "no memory";
    if (queue == NULL)
        return NULL;
    queue->options = *options;
    *why = valkey_url_parse(&queue->url, options->url);
    if (*why == NULL && queue->url.tls)
        queue->tls = valkey_tls_new(NULL, NULL, NULL, why);
    if (*why != NULL) {
        free(queue);
        return NULL;
    }
    CHECK(uv_loop_init(&queue->loop) == 0);
    uv_timer_init(&queue->loop, &queue->tick);
    uv_signal_init(&queue->loop, &queue->interrupt);
    uv_signal_init(&queue->loop, &queue->terminate);
    queue->interrupt.data = queue->terminate.data = queue;
    uv_timer_start(&queue->tick, on_tick, QUEUE_TURN_MS, QUEUE_TURN_MS);
    uv_signal_start(&queue->interrupt, on_signal, SIGINT);
    uv_signal_start(&queue->terminate, on_signal, SIGTERM);
    if (connect_it(queue, why))
        return queue;
    queue_close(queue);
    return NULL;
}

void queue_close(struct queue *queue)
{
    if (queue == NULL)
        return;
    valkey_close(queue->valkey);
    uv_close((uv_handle_t *)&queue->tick, NULL);
    uv_close((uv_handle_t *)&queue->interrupt, NULL);
    uv_close((uv_handle_t *)&queue->terminate, NULL);
    while (uv_run(&queue->loop, UV_RUN_DEFAULT) != 0)
        continue;
    CHECK(uv_loop_close(&queue->loop) == 0);
    valkey_tls_free(queue->tls);
    free(queue);
}
