/*
 * reload: reads the configuration and the rules again while the daemon serves, on another thread,
 * and applies the changes that need no restart. An error leaves everything as it was.
 *
 * DIAGNOSTICS
 *   reloaded          the files are in force
 *   reload-refused    they have an error; everything is as before
 *   needs-restart     a changed key takes effect only after a restart
 */
#pragma once

#include <uv.h>

#include "base/list.h"
#include "daemon/config/config.h"
#include "daemon/lists/lists.h"
#include "daemon/rules/ruleset.h"

struct reload;
struct reload_waiter;

struct reload_result {
    const char *error; /* NULL: it is in force */
    size_t rules;
    /* keys whose new value takes effect only after a restart */
    const char *fixed[CONFIG_KEYS];
    size_t fixed_count;
};

/* `result` is borrowed until the callback returns. */
typedef void (*reload_done)(struct reload_waiter *waiter, const struct reload_result *result);

struct reload_waiter {
    reload_done done;
    struct list link; /* private */
};

void reload_waiter_init(struct reload_waiter *waiter);

/* NULL without memory. Everything is borrowed; `config` is what the daemon runs with. `also`
 * (may be NULL) is called whenever the files have been brought into force. */
struct reload *reload_new(uv_loop_t *loop, const struct config *config, struct ruleset *ruleset,
                          void (*also)(void *context), void *context);
/* The policy lists, which take part in each reload from now on; borrowed. */
void reload_set_lists(struct reload *reload, struct lists *lists);
/* No callback is called after this; frees itself when the thread is done. NULL is fine. */
void reload_close(struct reload *reload);
/* Reads the files as they are now, or later. `done` is called for the waiter (may be NULL) exactly
 * once, later, unless reload_leave comes first. */
void reload_start(struct reload *reload, struct reload_waiter *waiter, reload_done done);
void reload_leave(struct reload_waiter *waiter);
