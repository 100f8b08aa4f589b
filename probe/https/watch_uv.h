/*
 * watch_uv: poll handles for descriptors that somebody else owns (libcurl does), and the two timers
 * that go with them. A descriptor may be closed as soon as it has been dropped.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct watches;

struct watches_owner {
    void *context;
    void (*ready)(void *context, int fd, int events, bool failed); /* UV_READABLE, UV_WRITABLE */
    void (*timeout)(void *context);
    void (*kicked)(void *context);
    void (*closed)(void *context); /* the last callback, after watches_close */
};

/* 0 or UV_ENOMEM. */
int watches_new(struct watches **out, uv_loop_t *loop, const struct watches_owner *owner);
/* Drops everything; `closed` comes once all handles are closed, and the object is gone then. */
void watches_close(struct watches *watches);
/* Watches `fd` for these events from now on, instead of those before. 0 or a libuv error. */
int watches_set(struct watches *watches, int fd, int events);
/* Nothing happens for a descriptor that is not watched. */
void watches_drop(struct watches *watches, int fd);
/* `timeout` after so many milliseconds, once; negative: not at all. */
void watches_timer(struct watches *watches, long timeout_ms);
/* `kicked` soon, from the loop. */
void watches_kick(struct watches *watches);
