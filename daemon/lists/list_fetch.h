/*
 * list_fetch: fetches a list over HTTPS: the addresses of its host, the signature, and the list,
 * unless the signature is one that is known. The limits are those of policy fetches: no redirects,
 * the name of the certificate, the filter of addresses; and LIST_FETCH_FACTOR times fetch-deadline
 * for each of the two files. The media type does not matter: the signature tells.
 */
#pragma once

#include <uv.h>

#include "daemon/lists/list_read.h"
#include "daemon/lists/lists.h"

#define LIST_FETCH_FACTOR 3

struct list_fetch;

struct list_fetch_result {
    const char *why;    /* what went wrong; NULL: nothing */
    bool too_large;     /* that is what went wrong */
    bool known;         /* the signature is one of those known: nothing more was fetched */
    uint64_t signature; /* hash_stable */
};
/* `result` is borrowed. What was fetched is in the buffers of the reading. The fetch is gone. */
typedef void (*list_fetched)(void *context, const struct list_fetch_result *result);

struct list_fetch_request {
    uv_loop_t *loop;
    const struct lists_tools *tools; /* borrowed, as the next three */
    const struct config *config;     /* the daemon's: filter, fetch-deadline */
    struct list_reading *reading;    /* its line, and the buffers that are filled */
    const char *suffix;              /* of the signature */
    uint64_t known[2];               /* signatures that are known; 0: none */
};

/* Calls `done` exactly once, later, unless list_fetch_cancel comes first. 0 or UV_ENOMEM. */
int list_fetch_start(struct list_fetch **out, const struct list_fetch_request *request,
                     list_fetched done, void *context);
void list_fetch_cancel(struct list_fetch *fetch);
