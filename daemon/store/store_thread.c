/*
 * store_thread: see store_thread.h. One mutex, held for moments only; never while the database
 * works.
 *
 * After store_thread_abandon the thread touches nothing that belongs to the loop. If it never
 * returns from the disk, process exit ends it; what it held was never promised to be written.
 */
#include "daemon/store/store_thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define STACK_OCTETS (512u * 1024)

struct store_thread {
    uv_mutex_t mutex;
    uv_cond_t work;
    uv_thread_t id;
    struct store_options options; /* the path is owned */
    struct store_db db;           /* the thread's alone */
    struct store_queue batch;     /* the thread's while batch_ready */
    /* under the mutex */
    uv_async_t *wake; /* NULL: abandoned */
    struct list reads;
    bool batch_ready, stopping;
    struct store_taken next; /* what store_thread_take gives */
};

static void free_jobs(struct list *jobs)
{
    while (!list_empty(jobs)) {
        struct store_job *job = LIST_ELEMENT(jobs->next, struct store_job, link);

        list_remove(&job->link);
        store_job_free(job);
    }
}

static void thread_free(struct store_thread *thread)
{
    free_jobs(&thread->reads);
    free_jobs(&thread->next.jobs);
    store_queue_clear(&thread->batch);
    uv_cond_destroy(&thread->work);
    uv_mutex_destroy(&thread->mutex);
    free((char *)thread->options.path);
    free(thread);
}

/* ---- on the thread ---- */

/* Under the mutex: there is something to take. */
static void publish(struct store_thread *thread)
{
    thread->next.news = thread->db.news;
    if (thread->wake != NULL)
        uv_async_send(thread->wake);
}

/* Does what reads there are; called with the mutex free, in the middle of a batch too. */
static void do_reads(void *context)
{
    struct store_thread *thread = context;
    struct list jobs;

    uv_mutex_lock(&thread->mutex);
    list_take(&jobs, &thread->reads);
    uv_mutex_unlock(&thread->mutex);
    while (!list_empty(&jobs)) {
        struct store_job *job = LIST_ELEMENT(jobs.next, struct store_job, link);

        store_db_read(&thread->db, job);
        uv_mutex_lock(&thread->mutex);
        list_remove(&job->link);
        list_append(&thread->next.jobs, &job->link);
        publish(thread);
        uv_mutex_unlock(&thread->mutex);
    }
}

static void do_batch(struct store_thread *thread)
{
    bool ok = store_db_write(&thread->db, &thread->batch, do_reads, thread);

    uv_mutex_lock(&thread->mutex);
    thread->batch_ready = false;
    thread->next.batch_done = true;
    thread->next.batch_ok = ok;
    publish(thread);
    uv_mutex_unlock(&thread->mutex);
}

static void run(void *context)
{
    struct store_thread *thread = context;
    bool abandoned;

    store_db_open(&thread->db);
    uv_mutex_lock(&thread->mutex);
    publish(thread);
    while (thread->batch_ready || !thread->stopping) {
        bool reads = !list_empty(&thread->reads), batch = thread->batch_ready;

        if (!reads && !batch) {
            uv_cond_wait(&thread->work, &thread->mutex);
            continue;
        }
        uv_mutex_unlock(&thread->mutex);
        if (reads)
            do_reads(thread);
        else
            do_batch(thread);
        uv_mutex_lock(&thread->mutex);
    }
    uv_mutex_unlock(&thread->mutex);
    store_db_close(&thread->db);
    uv_mutex_lock(&thread->mutex);
    thread->next.ended = true;
    abandoned = thread->wake == NULL;
    if (!abandoned)
        uv_async_send(thread->wake);
    uv_mutex_unlock(&thread->mutex);
    if (abandoned)
        thread_free(thread);
}

/* ---- on the loop ---- */

static struct store_thread *thread_new(const struct store_options *options, uv_async_t *wake)
{
    struct store_thread *thread = calloc(1, sizeof *thread);
    char *path = strdup(options->path);

    if (thread != NULL && path != NULL && uv_mutex_init(&thread->mutex) == 0) {
        thread->options = *options;
        thread->options.path = path;
        thread->db.options = &thread->options;
        thread->wake = wake;
        list_init(&thread->reads);
        list_init(&thread->next.jobs);
        store_queue_init(&thread->batch, options->pending_max);
        if (uv_cond_init(&thread->work) == 0)
            return thread;
        uv_mutex_destroy(&thread->mutex);
    }
    free(path);
    free(thread);
    return NULL;
}

int store_thread_start(struct store_thread **out, const struct store_options *options,
                       uv_async_t *wake)
{
    const uv_thread_options_t thread_options = {UV_THREAD_HAS_STACK_SIZE, STACK_OCTETS};
    struct store_thread *thread = thread_new(options, wake);
    sigset_t all, before;
    int error;

    if (thread == NULL)
        return UV_ENOMEM;
    sigfillset(&all); /* signals are for the loop's thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = uv_thread_create_ex(&thread->id, &thread_options, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        thread_free(thread);
    else
        *out = thread;
    return error;
}

void store_thread_read(struct store_thread *thread, struct store_job *take)
{
    uv_mutex_lock(&thread->mutex);
    list_append(&thread->reads, &take->link);
    uv_cond_signal(&thread->work);
    uv_mutex_unlock(&thread->mutex);
}

void store_thread_write(struct store_thread *thread, struct store_queue *queue)
{
    uv_mutex_lock(&thread->mutex);
    CHECK(!thread->batch_ready && thread->batch.count == 0);
    store_queue_hand_over(queue, &thread->batch);
    thread->batch_ready = true;
    uv_cond_signal(&thread->work);
    uv_mutex_unlock(&thread->mutex);
}

struct store_queue *store_thread_batch(struct store_thread *thread)
{
    return &thread->batch;
}

void store_thread_take(struct store_thread *thread, struct store_taken *out)
{
    uv_mutex_lock(&thread->mutex);
    *out = thread->next;
    list_take(&out->jobs, &thread->next.jobs);
    thread->next.batch_done = false;
    uv_mutex_unlock(&thread->mutex);
}

void store_thread_stop(struct store_thread *thread)
{
    uv_mutex_lock(&thread->mutex);
    thread->stopping = true;
    uv_cond_signal(&thread->work);
    uv_mutex_unlock(&thread->mutex);
}

void store_thread_join(struct store_thread *thread)
{
    uv_thread_join(&thread->id);
    thread_free(thread);
}

void store_thread_abandon(struct store_thread *thread)
{
    bool ended;

    uv_mutex_lock(&thread->mutex);
    ended = thread->next.ended;
    thread->stopping = true;
    thread->wake = NULL;
    if (!ended)
        pthread_detach(thread->id);
    uv_cond_signal(&thread->work);
    uv_mutex_unlock(&thread->mutex);
    if (ended)
        store_thread_join(thread);
}
