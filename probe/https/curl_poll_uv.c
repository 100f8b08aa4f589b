/* curl_poll_uv: see curl_poll_uv.h. A list: there are a few dozen descriptors at most. */
#include "probe/https/curl_poll_uv.h"

#include <stdlib.h>

struct watch {
    struct list link;
    uv_poll_t poll;
    struct curl_poll *polls;
    int fd;
};

static void handle_closed(struct curl_poll *polls)
{
    if (--polls->handles == 0)
        polls->closed(polls->owner);
}

void curl_poll_init(struct curl_poll *polls, uv_loop_t *loop, void *owner)
{
    polls->loop = loop;
    polls->owner = owner;
    list_init(&polls->watches);
    uv_timer_init(loop, &polls->timer);
    uv_timer_init(loop, &polls->kick);
    polls->timer.data = polls->kick.data = owner;
    polls->handles = 2;
}

static void poll_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct curl_poll *polls = watch->polls;

    free(watch);
    handle_closed(polls);
}

static void watch_close(struct watch *watch)
{
    list_remove(&watch->link);
    uv_close((uv_handle_t *)&watch->poll, poll_closed);
}

static void timer_closed(uv_handle_t *handle)
{
    handle_closed(LIST_ELEMENT(handle, struct curl_poll, timer));
}

static void kick_closed(uv_handle_t *handle)
{
    handle_closed(LIST_ELEMENT(handle, struct curl_poll, kick));
}

void curl_poll_close(struct curl_poll *polls)
{
    while (!list_empty(&polls->watches))
        watch_close(LIST_ELEMENT(polls->watches.next, struct watch, link));
    uv_close((uv_handle_t *)&polls->timer, timer_closed);
    uv_close((uv_handle_t *)&polls->kick, kick_closed);
}

static struct watch *find(struct curl_poll *polls, int fd)
{
    for (struct list *link = polls->watches.next; link != &polls->watches; link = link->next) {
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
    list_append(&polls->watches, &watch->link);
    *out = watch;
    return 0;
}

static void poll_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;

    watch->polls->ready(watch->polls->owner, watch->fd, status < 0 ? 0 : events);
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
