/* curl_poll_uv: see curl_poll_uv.h. A list: there are a few dozen descriptors at most. */
#include "probe/https/curl_poll_uv.h"

#include <stdlib.h>

#include "base/list.h"

struct watch {
    struct list link;
    uv_poll_t poll;
    struct curl_poll *polls;
    int fd;
};

struct curl_poll {
    uv_loop_t *loop;
    struct curl_poll_owner owner;
    struct list list;
    uv_timer_t timer, kick;
    unsigned handles; /* not closed yet */
    bool closing;
};

static void release(struct curl_poll *polls)
{
    struct curl_poll_owner owner = polls->owner;

    if (--polls->handles > 0)
        return;
    free(polls);
    owner.closed(owner.context);
}

static void timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void poll_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct curl_poll *polls = watch->polls;

    free(watch);
    release(polls);
}

int curl_poll_new(struct curl_poll **out, uv_loop_t *loop, const struct curl_poll_owner *owner)
{
    struct curl_poll *polls = calloc(1, sizeof *polls);

    if (polls == NULL)
        return UV_ENOMEM;
    polls->loop = loop;
    polls->owner = *owner;
    list_init(&polls->list);
    uv_timer_init(loop, &polls->timer);
    uv_timer_init(loop, &polls->kick);
    polls->timer.data = polls->kick.data = polls;
    polls->handles = 2;
    *out = polls;
    return 0;
}

static void watch_close(struct watch *watch)
{
    list_remove(&watch->link);
    uv_close((uv_handle_t *)&watch->poll, poll_closed);
}

void curl_poll_close(struct curl_poll *polls)
{
    polls->closing = true;
    while (!list_empty(&polls->list))
        watch_close(LIST_ELEMENT(polls->list.next, struct watch, link));
    uv_close((uv_handle_t *)&polls->timer, timer_closed);
    uv_close((uv_handle_t *)&polls->kick, timer_closed);
}

static struct watch *find(struct curl_poll *polls, int fd)
{
    for (struct list *link = polls->list.next; link != &polls->list; link = link->next) {
        struct watch *watch = LIST_ELEMENT(link, struct watch, link);

        if (watch->fd == fd)
            return watch;
    }
    return NULL;
}

static int add(struct watch **out, struct curl_poll *polls, int fd)
{
    struct watch *watch = calloc(1, sizeof *watch);
    int error;

    if (watch == NULL)
        return UV_ENOMEM;
    error = uv_poll_init(polls->loop, &watch->poll, fd);
    if (error != 0) {
        free(watch);
        return error;
    }
    watch->polls = polls;
    watch->fd = fd;
    watch->poll.data = watch;
    polls->handles++;
    list_append(&polls->list, &watch->link);
    *out = watch;
    return 0;
}

static void poll_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    const struct curl_poll_owner *owner = &watch->polls->owner;

    owner->ready(owner->context, watch->fd, status < 0 ? 0 : events, status < 0);
}

int curl_poll_set(struct curl_poll *polls, int fd, int events)
{
    struct watch *watch = find(polls, fd);
    int error = 0;

    if (watch == NULL)
        error = add(&watch, polls, fd);
    return error != 0 ? error : uv_poll_start(&watch->poll, events, poll_ready);
}

void curl_poll_drop(struct curl_poll *polls, int fd)
{
    struct watch *watch = find(polls, fd);

    if (watch != NULL)
        watch_close(watch);
}

static void on_timeout(uv_timer_t *timer)
{
    struct curl_poll *polls = timer->data;

    polls->owner.timeout(polls->owner.context);
}

static void on_kick(uv_timer_t *timer)
{
    struct curl_poll *polls = timer->data;

    polls->owner.kicked(polls->owner.context);
}

void curl_poll_timer(struct curl_poll *polls, long timeout_ms)
{
    if (timeout_ms < 0)
        uv_timer_stop(&polls->timer);
    else if (!polls->closing)
        uv_timer_start(&polls->timer, on_timeout, (uint64_t)timeout_ms, 0);
}

void curl_poll_kick(struct curl_poll *polls)
{
    if (!polls->closing)
        uv_timer_start(&polls->kick, on_kick, 0, 0);
}
