/*
 * worker_uv: a thread with a loop of its own; see worker_uv.h.
 *
 * `lock` is for what both threads touch: the units that wait to be started, the results that wait
 * to be taken, and how far the end is. One wake-up serves all that has gathered. What stands under
 * "the thread's" is the owner's until the thread is started and after it was joined.
 *
 * The end: worker_close sets `ending`; the thread drops everything, its loop runs dry, and it says
 * that it has `ended`; the owner joins it, and the worker is freed when its last handle is closed.
 */
#include "survey/look/worker_uv.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "probe/prober_uv.h"
#include "survey/look/look_uv.h"

/* Each domain is forgotten when its result is there. */
#define POLICIES_MAX 10000
/* A port serves for some milliseconds; and so many answers still fit into a socket's buffer. */
#define QUESTIONS_PER_SOCKET 256

struct worker {
    /* the owner's */
    worker_done *done; /* NULL once closed */
    void *context;
    uv_async_t wake_owner;
    uv_thread_t thread;

    /* the edge */
    pthread_mutex_t lock;
    struct list submitted, finished; /* of look.link */
    bool ending, ended;

    /* the thread's */
    uv_loop_t loop;
    uv_async_t wake_thread;
    struct prober_options options;
    struct prober *prober;
    struct look_tools tools;
    struct list looking; /* of look.link */
};

static void free_all(struct list *looks)
{
    while (!list_empty(looks)) {
        struct look *look = LIST_ELEMENT(looks->next, struct look, link);

        list_remove(&look->link);
        unit_result_free(look->result);
    }
}

/* ---- the thread ---- */

/* Hands a result out; the look-up is the owner's from here on. */
static void hand_out(struct look *look)
{
    struct worker *worker = look->context;
    bool first;

    list_remove(&look->link);
    pthread_mutex_lock(&worker->lock);
    first = list_empty(&worker->finished);
    list_append(&worker->finished, &look->link);
    pthread_mutex_unlock(&worker->lock);
    if (first)
        uv_async_send(&worker->wake_owner);
}

static void end_thread(struct worker *worker)
{
    while (!list_empty(&worker->looking)) {
        struct look *look = LIST_ELEMENT(worker->looking.next, struct look, link);

        look_cancel(look);
        list_remove(&look->link);
        unit_result_free(look->result);
    }
    prober_close(worker->prober);
    uv_close((uv_handle_t *)&worker->wake_thread, NULL);
}

static void on_submitted(uv_async_t *async)
{
    struct worker *worker = async->data;
    struct list fresh;
    bool ending;

    pthread_mutex_lock(&worker->lock);
    list_take(&fresh, &worker->submitted);
    ending = worker->ending;
    pthread_mutex_unlock(&worker->lock);
    if (ending) {
        free_all(&fresh);
        end_thread(worker);
        return;
    }
    while (!list_empty(&fresh)) {
        struct look *look = LIST_ELEMENT(fresh.next, struct look, link);

        list_remove(&look->link);
        list_append(&worker->looking, &look->link);
        if (!look_start(look, &worker->tools, hand_out))
            hand_out(look);
    }
}

static void fini_parts(struct worker *worker)
{
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    prober_free(worker->prober);
    CHECK(uv_loop_close(&worker->loop) == 0);
}

static void run_thread(void *argument)
{
    struct worker *worker = argument;

    fini_parts(worker); /* the loop runs until the end */
    tls_thread_end();
    pthread_mutex_lock(&worker->lock);
    worker->ended = true;
    pthread_mutex_unlock(&worker->lock);
    uv_async_send(&worker->wake_owner);
}

/* ---- the owner ---- */

static void on_closed(uv_handle_t *handle)
{
    struct worker *worker = handle->data;

    free_all(&worker->submitted);
    free_all(&worker->finished);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

static void on_finished(uv_async_t *async)
{
    struct worker *worker = async->data;
    struct list looks;
    bool ended;

    pthread_mutex_lock(&worker->lock);
    list_take(&looks, &worker->finished);
    ended = worker->ended;
    pthread_mutex_unlock(&worker->lock);
    while (!list_empty(&looks) && worker->done != NULL) {
        struct look *look = LIST_ELEMENT(looks.next, struct look, link);

        list_remove(&look->link);
        worker->done(worker->context, look->result);
    }
    free_all(&looks);
    if (!ended)
        return;
    uv_thread_join(&worker->thread);
    uv_close((uv_handle_t *)async, on_closed);
}

static void set_tools(struct worker *worker)
{
    const struct domain_tools *tools = prober_tools(worker->prober);

    worker->tools = (struct look_tools){
        .dns = tools->dns,
        .sts = tools->sts,
        .smtp = {&worker->loop, prober_tls(worker->prober), tools->filter},
        .smtp_options = worker->options.probes.smtp,
        .smtp_port = tools->smtp_port,
        .dane = tools->dane,
    };
    worker->tools.smtp_options.helo_pending = false;
    worker->tools.smtp_options.keep_chain = true;
    worker->tools.smtp_options.skip_offer_all = true;
}

/* Makes all that the thread will use. 0; an error, and then nothing is left of it. */
static int init_parts(struct worker *worker, const struct prober_options *options, const char **why)
{
    int error = uv_loop_init(&worker->loop);

    if (error != 0)
        return error;
    worker->options = *options;
    worker->options.probe = false; /* the cache of results is for those who ask twice */
    worker->options.sts.entries_max = POLICIES_MAX;
    worker->options.dns.questions_per_socket = QUESTIONS_PER_SOCKET;
    error = prober_new(&worker->prober, &worker->loop, &worker->options, why);
    if (error == 0) {
        error = uv_async_init(&worker->loop, &worker->wake_thread, on_submitted);
        if (error != 0)
            prober_close(worker->prober);
    }
    if (error != 0) {
        fini_parts(worker);
        return error;
    }
    worker->wake_thread.data = worker;
    set_tools(worker);
    return 0;
}

static int start_thread(struct worker *worker, uv_loop_t *owner)
{
    int error = uv_async_init(owner, &worker->wake_owner, on_finished);

    worker->wake_owner.data = worker;
    if (error != 0) {
        end_thread(worker);
        fini_parts(worker);
        free(worker);
        return error;
    }
    error = uv_thread_create(&worker->thread, run_thread, worker);
    if (error != 0) {
        end_thread(worker);
        fini_parts(worker);
        uv_close((uv_handle_t *)&worker->wake_owner, on_closed);
    }
    return error;
}

int worker_new(struct worker **out, uv_loop_t *owner, const struct worker_options *options,
               const char **why)
{
    struct worker *worker = calloc(1, sizeof *worker);
    int error;

    *why = NULL;
    if (worker == NULL)
        return UV_ENOMEM;
    worker->done = options->done;
    worker->context = options->context;
    list_init(&worker->submitted);
    list_init(&worker->finished);
    list_init(&worker->looking);
    error = init_parts(worker, options->prober, why);
    if (error != 0) {
        free(worker);
        return error;
    }
    pthread_mutex_init(&worker->lock, NULL);
    error = start_thread(worker, owner);
    if (error == 0)
        *out = worker;
    return error;
}

bool worker_submit(struct worker *worker, const struct unit *unit)
{
    struct look *look = look_new(unit);
    bool first;

    if (look == NULL)
        return false;
    look->context = worker;
    pthread_mutex_lock(&worker->lock);
    first = list_empty(&worker->submitted);
    list_append(&worker->submitted, &look->link);
    pthread_mutex_unlock(&worker->lock);
    if (first)
        uv_async_send(&worker->wake_thread);
    return true;
}

void worker_close(struct worker *worker)
{
    if (worker == NULL)
        return;
    worker->done = NULL;
    pthread_mutex_lock(&worker->lock);
    worker->ending = true;
    pthread_mutex_unlock(&worker->lock);
    uv_async_send(&worker->wake_thread);
}
