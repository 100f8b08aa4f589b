/*
 * curl_poll_uv: poll handles for descriptors that libcurl owns, and the two timers that go with
 * them. A descriptor may be closed as soon as it has been dropped.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct curl_poll;

struct curl_poll_owner {
    void *context;
    void (*ready)(void *context, int fd, int events, bool failed); /* UV_READABLE, UV_WRITABLE */
    void (*timeout)(void *context);
    void (*kicked)(void *context);
    void (*closed)(void *context); /* the last callback, after curl_poll_close */
};

/* 0 or UV_ENOMEM. */
int curl_poll_new(struct curl_poll **out, uv_loop_t *loop, const struct curl_poll_owner *owner);
/* Drops everything; `closed` comes once all handles are closed, and the object is gone then. */
void curl_poll_close(struct curl_poll *polls);
/* Watches `fd` for these events from now on, instead of those before. 0 or a libuv error. */
int curl_poll_set(struct curl_poll *polls, int fd, int events);
/* Nothing happens for a descriptor that is not watched. */
void curl_poll_drop(struct curl_poll *polls, int fd);
/* `timeout` after so many milliseconds, once; negative: not at all. */
void curl_poll_timer(struct curl_poll *polls, long timeout_ms);
/* `kicked` soon, from the loop. */
void curl_poll_kick(struct curl_poll *polls);
