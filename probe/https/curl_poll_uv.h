/*
 * curl_poll_uv: poll handles for descriptors that libcurl owns, and the two timers that go with
 * them. A descriptor may be closed as soon as it has been dropped.
 */
#pragma once

#include <uv.h>

#include "base/list.h"

/* Embedded in its owner, which starts the timers; `data` of the timers is the owner. */
struct curl_poll {
    uv_timer_t timer; /* libcurl's */
    uv_timer_t kick;  /* what is queued may start, or a deadline has come */
    uv_loop_t *loop;
    void *owner;
    void (*ready)(void *owner, int fd, int events); /* UV_READABLE, UV_WRITABLE; 0: it failed */
    void (*closed)(void *owner);                    /* the last callback, after curl_poll_close */
    struct list watches;
    unsigned handles; /* not closed yet */
};

void curl_poll_init(struct curl_poll *polls, uv_loop_t *loop, void *owner);
/* Drops everything; `closed` comes once all handles are closed. */
void curl_poll_close(struct curl_poll *polls);
/* Watches `fd` for these events from now on, instead of those before. 0 or a libuv error. */
int curl_poll_set(struct curl_poll *polls, int fd, int events);
/* Stops watching `fd`; harmless if it is not watched. */
void curl_poll_drop(struct curl_poll *polls, int fd);
