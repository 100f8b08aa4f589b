/* lists_internal: the set of lists, for lists.c and lists_status.c. */
#pragma once

#include "daemon/lists/list_fetch.h"
#include "daemon/lists/list_source.h"
#include "daemon/lists/lists.h"
#include "daemon/lists/lists_status.h"

struct lists {
    uv_loop_t *loop;
    struct lists_tools tools;
    const struct config *config; /* the daemon's; its lists may be others meanwhile */
    lists_on_changed changed;    /* NULL: nobody waits */
    void *context;
    struct list_source *sources[CONFIG_LISTS_MAX]; /* owned, in the order of the configuration */
    size_t count;
    struct list leaving;        /* of list_source.link, owned: removed, and with a task under way */
    unsigned readings, fetches; /* under way */
    uv_timer_t timer;
    uv_mutex_t start_lock; /* of `over` and `late` of the tasks at start */
    uv_cond_t start_over;
    int64_t seen_s; /* when the clock was last read */
    bool closing;
    struct lists_stats stats; /* the counters only */
};
