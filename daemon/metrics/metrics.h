/*
 * metrics: Prometheus text on an HTTP listener of its own (`metrics-listen`). Reads the counters of
 * the other modules at each request (metrics_table), and keeps none.
 *
 * One page over HTTP/1.1, GET /metrics. Each connection serves one request and has 10 seconds for
 * it; a request's line and headers fit 8192 octets. Methods other than GET and HEAD get 405, other
 * paths 404. The Host header does not matter.
 */
#pragma once

#include <uv.h>

#include "daemon/config/config.h"
#include "daemon/lookup/engine.h"
#include "daemon/serve/server.h"

struct metrics;

/* 0 with *out, which is NULL when `metrics-listen` is empty; or -1 after a log line. Everything is
 * borrowed. */
int metrics_new(struct metrics **out, uv_loop_t *loop, const struct config *config,
                struct engine *engine, struct server *server);
/* Closes everything; frees itself when all handles are closed. NULL is fine. */
void metrics_close(struct metrics *metrics);
