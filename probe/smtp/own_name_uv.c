/*
 * own_name_uv: see own_name_uv.h. An attempt belongs to both sides: the mutex in it says who frees
 * it. After own_name_close its thread touches nothing of the loop's any more.
 */
#include "probe/smtp/own_name_uv.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/net/hostname.h"

#define STACK_OCTETS (256u * 1024)

struct attempt {
    uv_mutex_t mutex;
    uv_async_t *wake; /* NULL: the result is no longer wanted */
    bool ended;
    /* the thread's until `ended` */
    bool again;                  /* it failed, and may not the next time */
    char name[HOSTNAME_MAX + 1]; /* "": there is none */
};

struct own_name {
    uv_async_t wake;
    uv_timer_t again;
    unsigned open_handles;
    uint64_t again_ms;
    struct attempt *attempt; /* NULL: none under way */
    own_name_found found;
    void *context;
};

/* ---- on the thread ---- */

static void look_up(struct attempt *attempt)
{
    const struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    char name[HOSTNAME_MAX + 1] = "";
    const char *full;
    int error;

    if (gethostname(name, sizeof name) != 0 || name[sizeof name - 1] != '\0')
        return;
    error = getaddrinfo(name, NULL, &hints, &found);
    /* not answered, as against not there */
    attempt->again =
        error == EAI_AGAIN || error == EAI_FAIL || error == EAI_SYSTEM || error == EAI_MEMORY;
    if (error != 0)
        return;
    full = found->ai_canonname;
    if (full != NULL && strchr(full, '.') != NULL &&
        hostname_valid(full, strlen(full), HOSTNAME_LDH))
        snprintf(attempt->name, sizeof attempt->name, "%s", full);
    freeaddrinfo(found);
}

static void attempt_free(struct attempt *attempt)
{
    uv_mutex_destroy(&attempt->mutex);
    free(attempt);
}

static void attempt_run(void *context)
{
    struct attempt *attempt = context;
    bool abandoned;

    look_up(attempt);
    uv_mutex_lock(&attempt->mutex);
    attempt->ended = true;
    abandoned = attempt->wake == NULL;
    if (!abandoned)
        uv_async_send(attempt->wake);
    uv_mutex_unlock(&attempt->mutex);
    if (abandoned)
        attempt_free(attempt);
}

/* ---- on the loop ---- */

static int attempt_start(struct own_name *own_name)
{
    const uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, STACK_OCTETS};
    struct attempt *attempt = calloc(1, sizeof *attempt);
    sigset_t all, before;
    uv_thread_t id;
    int error;

    if (attempt == NULL)
        return UV_ENOMEM;
    error = uv_mutex_init(&attempt->mutex);
    if (error != 0) {
        free(attempt);
        return error;
    }
    attempt->wake = &own_name->wake;
    sigfillset(&all); /* signals are for the loop's thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = uv_thread_create_ex(&id, &options, attempt_run, attempt);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        attempt_free(attempt);
        return error;
    }
    pthread_detach(id);
    own_name->attempt = attempt;
    return 0;
}

static void on_again(uv_timer_t *timer)
{
    struct own_name *own_name = timer->data;

    if (attempt_start(own_name) != 0)
        uv_timer_start(timer, on_again, own_name->again_ms, 0);
}

static void on_ended(uv_async_t *wake)
{
    struct own_name *own_name = wake->data;
    struct attempt *attempt = own_name->attempt;
    bool ended;

    if (attempt == NULL)
        return;
    uv_mutex_lock(&attempt->mutex);
    ended = attempt->ended;
    uv_mutex_unlock(&attempt->mutex);
    if (!ended)
        return;
    own_name->attempt = NULL;
    if (attempt->again)
        uv_timer_start(&own_name->again, on_again, own_name->again_ms, 0);
    else
        own_name->found(own_name->context, attempt->name[0] == '\0' ? NULL : attempt->name);
    attempt_free(attempt);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct own_name *own_name = handle->data;

    if (--own_name->open_handles == 0)
        free(own_name);
}

int own_name_start(struct own_name **out, uv_loop_t *loop, uint64_t again_ms, own_name_found found,
                   void *context)
{
    struct own_name *own_name = calloc(1, sizeof *own_name);
    int error;

    if (own_name == NULL)
        return UV_ENOMEM;
    error = uv_async_init(loop, &own_name->wake, on_ended);
    if (error != 0) {
        free(own_name);
        return error;
    }
    uv_timer_init(loop, &own_name->again);
    own_name->wake.data = own_name->again.data = own_name;
    own_name->open_handles = 2;
    own_name->again_ms = again_ms;
    own_name->found = found;
    own_name->context = context;
    error = attempt_start(own_name);
    if (error != 0)
        own_name_close(own_name);
    else
        *out = own_name;
    return error;
}

void own_name_close(struct own_name *own_name)
{
    struct attempt *attempt = own_name == NULL ? NULL : own_name->attempt;
    bool ended = false;

    if (own_name == NULL)
        return;
    if (attempt != NULL) {
        uv_mutex_lock(&attempt->mutex);
        ended = attempt->ended;
        attempt->wake = NULL;
        uv_mutex_unlock(&attempt->mutex);
    }
    own_name->attempt = NULL;
    if (ended)
        attempt_free(attempt);
    uv_close((uv_handle_t *)&own_name->wake, on_handle_closed);
    uv_close((uv_handle_t *)&own_name->again, on_handle_closed);
}
