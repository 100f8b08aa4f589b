/*
 * preload: at start the memory is read back from the store, a page at a time while the daemon
 * already answers: policies, probe results, then the answers, held ones first and those used lately
 * next. After it the export that `import` names, a share of its lines at a time.
 */
#pragma once

#include <uv.h>

#include "daemon/cache/cache.h"

struct preload;

/* Begins. NULL without memory. Everything is borrowed. */
struct preload *preload_new(uv_loop_t *loop, const struct config *config, struct cache *cache);
/* Ends it, whether it is done or not; frees itself when its handle is closed. */
void preload_close(struct preload *preload);
