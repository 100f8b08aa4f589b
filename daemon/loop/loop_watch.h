/*
 * loop_watch: tells when one turn of the event loop used more processor time than it should: then
 * everybody else waited. For tests and for finding faults; off by default, since it costs a system
 * call a turn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop_watch {
    uv_prepare_t turn;
    int64_t limit_ns;
    int64_t used_ns; /* processor time of this thread at the last turn */
    bool turned;
};

/* Warns in the log about every turn that takes `limit_ms` or more; 0: does nothing. Close with
 * loop_watch_close either way. */
void loop_watch_init(struct loop_watch *watch, uv_loop_t *loop, int64_t limit_ms);
void loop_watch_close(struct loop_watch *watch);
