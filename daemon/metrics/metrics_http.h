/*
 * metrics_http: one page over HTTP/1.1, GET /metrics, by libmicrohttpd without threads; the only
 * file that knows it. Accepting, waiting and time are the caller's.
 *
 * Each connection serves one request and has METRICS_LIFE_MS for it; a request's line and headers
 * fit METRICS_REQUEST_MAX octets. Methods other than GET and HEAD get 405, other paths 404. The
 * Host header does not matter.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define METRICS_CONNECTIONS_MAX 16
#define METRICS_LIFE_MS         10000
#define METRICS_REQUEST_MAX     8192 /* libmicrohttpd's memory for a connection */

struct sockaddr;
struct metrics_http;

struct metrics_page {
    void *context;
    const char *type; /* Content-Type */
    void (*write)(void *context, struct buf *out);
};

/* 0 or -1 without memory or descriptors. `page` is copied. */
int metrics_http_new(struct metrics_http **out, const struct metrics_page *page);
/* Ends every connection at once. */
void metrics_http_free(struct metrics_http *http);

/* Readable when metrics_http_run has something to do. */
int metrics_http_fd(const struct metrics_http *http);
/* Serves a connection accepted from `peer` at `now_ms`; closes it on failure. */
void metrics_http_take(struct metrics_http *http, int take_fd, const struct sockaddr *peer,
                       unsigned peer_length, int64_t now_ms);
/* Reads, answers and closes connections as far as possible, and ends those past their time. */
void metrics_http_run(struct metrics_http *http, int64_t now_ms);
/* Milliseconds after which metrics_http_run must be called though nothing is readable; -1: none. */
int64_t metrics_http_wait_ms(const struct metrics_http *http, int64_t now_ms);
/* True when there is room for one more connection. */
bool metrics_http_has_room(const struct metrics_http *http);
/* Ends the oldest connection; there is room once metrics_http_run has closed it. */
void metrics_http_end_oldest(struct metrics_http *http);
