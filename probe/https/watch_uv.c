/* watch_uv: see watch_uv.h. A list: there are a few dozen descriptors at most. */
#include "probe/https/watch_uv.h"

#include <stdlib.h>

#include "base/list.h"

struct watch {
    struct list link;
    uv_poll_t poll;
    struct watches *watches;
    int fd;
};

struct watches {
    uv_loop_t *loop;
    struct watches_owner owner;
    struct list list;
    uv_timer_t timer, kick;
    unsigned handles; /* not closed yet */
    bool closing;
};

static void release(struct watches *watches)
{
    struct watches_owner owner = watches->owner;

    if (--watches->handles > 0)
        return;
    free(watches);
    owner.closed(owner.context);
}

static void timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void poll_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct watches *watches = watch->watches;

    free(watch);
    release(watches);
}

int watches_new(struct watches **out, uv_loop_t *loop, const struct watches_owner *owner)
{
    struct watches *watches = calloc(1, sizeof *watches);

    if (watches == NULL)
        return UV_ENOMEM;
    watches->loop = loop;
    watches->owner = *owner;
    list_init(&watches->list);
    uv_timer_init(loop, &watches->timer);
    uv_timer_init(loop, &watches->kick);
    watches->timer.data = watches->kick.data = watches;
    watches->handles = 2;
    *out = watches;
    return 0;
}

static void watch_close(struct watch *watch)
{
    list_remove(&watch->link);
    uv_close((uv_handle_t *)&watch->poll, poll_closed);
}

void watches_close(struct watches *watches)
{
    watches->closing = true;
    while (!list_empty(&watches->list))
        watch_close(LIST_ELEMENT(watches->list.next, struct watch, link));
    uv_close((uv_handle_t *)&watches->timer, timer_closed);
    uv_close((uv_handle_t *)&watches->kick, timer_closed);
}

static struct watch *find(struct watches *watches, int fd)
{
    for (struct list *link = watches->list.next; link != &watches->list; link = link->next) {
        struct watch *watch = LIST_ELEMENT(link, struct watch, link);

        if (watch->fd == fd)
            return watch;
    }
    return NULL;
}

static int add(struct watch **out, struct watches *watches, int fd)
{
    struct watch *watch = calloc(1, sizeof *watch);
    int error;

    if (watch == NULL)
        return UV_ENOMEM;
    error = uv_poll_init(watches->loop, &watch->poll, fd);
    if (error != 0) {
        free(watch);
        return error;
    }
    watch->watches = watches;
    watch->fd = fd;
    watch->poll.data = watch;
    watches->handles++;
    list_append(&watches->list, &watch->link);
    *out = watch;
    return 0;
}

static void poll_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    const struct watches_owner *owner = &watch->watches->owner;

    owner->ready(owner->context, watch->fd, status < 0 ? 0 : events, status < 0);
}

int watches_set(struct watches *watches, int fd, int events)
{
    struct watch *watch = find(watches, fd);
    int error = 0;

    if (watch == NULL)
        error = add(&watch, watches, fd);
    return error != 0 ? error : uv_poll_start(&watch->poll, events, poll_ready);
}

void watches_drop(struct watches *watches, int fd)
{
    struct watch *watch = find(watches, fd);

    if (watch != NULL)
        watch_close(watch);
}

static void timer_fired(uv_timer_t *timer)
{
    struct watches *watches = timer->data;

    watches->owner.timeout(watches->owner.context);
}

static void kick_fired(uv_timer_t *timer)
{
    struct watches *watches = timer->data;

    watches->owner.kicked(watches->owner.context);
}

void watches_timer(struct watches *watches, long timeout_ms)
{
    if (timeout_ms < 0)
        uv_timer_stop(&watches->timer);
    else if (!watches->closing)
        uv_timer_start(&watches->timer, timer_fired, (uint64_t)timeout_ms, 0);
}

void watches_kick(struct watches *watches)
{
    if (!watches->closing)
        uv_timer_start(&watches->kick, kick_fired, 0, 0);
}
