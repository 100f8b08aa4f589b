/*
 * loop_watch: logs when one turn of the event loop used more processor time than it should, while
 * everything else waited. For tests and for finding faults. Off by default: it costs a system call
 * a turn.
 *
 * DIAGNOSTICS
 *   loop-stalled    with the processor time used, in ms
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

/* Logs every turn that takes `limit_ms` or more; 0: none. loop_watch_close is due in either
 * case. */
void loop_watch_init(struct loop_watch *watch, uv_loop_t *loop, int64_t limit_ms);
void loop_watch_close(struct loop_watch *watch);
