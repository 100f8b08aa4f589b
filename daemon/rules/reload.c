/*
 * reload: see reload.h. The files are read once at a time. A request that comes meanwhile waits for
 * the next reading, because what has been read may be older than the request.
 */
#include "daemon/rules/reload.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log/log.h"
#include "probe/tls/tls.h"

struct reload {
    const struct config *running;
    struct ruleset *ruleset;
    struct lists *lists; /* NULL: none */
    uv_loop_t *loop;
    void (*also)(void *context); /* NULL: nothing */
    void *also_context;
    uv_work_t work;
    struct list now, next; /* waiters of this reading and of the one after it */
    bool reading, again, closing;
    bool had_rules; /* when this reading began */
    /* the thread's, while it reads */
    struct config fresh;
    struct rules *rules;
    bool refused;
    char error[CONFIG_ERROR_MAX];
};

void reload_waiter_init(struct reload_waiter *waiter)
{
    waiter->done = NULL;
    list_init(&waiter->link);
}

void reload_leave(struct reload_waiter *waiter)
{
    list_remove(&waiter->link);
}

static void read_files(uv_work_t *work)
{
    struct reload *reload = work->data;
    const struct config_source *source = &reload->running->source;

    reload->rules = NULL;
    reload->refused = config_load(&reload->fresh, source->path, source->overrides,
                                  source->override_count, reload->error) != 0;
    if (!reload->refused) {
        /* only a restart changes the port, for rules too */
        reload->fresh.prober.smtp_port = reload->running->prober.smtp_port;
        reload->refused = config_read_rules(&reload->rules, &reload->fresh, reload->error) != 0;
    }
    /* the default file need not exist; but when it did, it may just be in the middle of being
     * replaced, and to go on without rules would open what they close */
    if (!reload->refused && reload->rules == NULL && reload->had_rules) {
        reload->refused = true;
        snprintf(reload->error, sizeof reload->error,
                 "%s: there are rules in force, and the file is gone: leave it empty to have none",
                 reload->fresh.rules_path);
    }
    tls_thread_end(); /* the configuration's ciphers were checked by OpenSSL */
}

static void bring_in_force(struct reload *reload, struct reload_result *result)
{
    const char *key;
    size_t at = 0;

    result->rules = reload->rules == NULL ? 0 : rules_count(reload->rules);
    ruleset_replace(reload->ruleset, reload->rules, &reload->fresh.override);
    log_set_level(reload->fresh.log_level);
    if (reload->lists != NULL)
        lists_configure(reload->lists, &reload->fresh);
    log_event(LOG_LEVEL_INFO, "reloaded", "rules", LOG_NUM(result->rules), NULL);
    while ((key = config_next_fixed_change(reload->running, &reload->fresh, &at)) != NULL) {
        result->fixed[result->fixed_count++] = key;
        log_event(LOG_LEVEL_WARNING, "needs-restart", "key", key, NULL);
    }
}

static void read_now(struct reload *reload);

static void on_read(uv_work_t *work, int status)
{
    struct reload *reload = work->data;
    struct reload_result result = {0};

    (void)status;
    if (reload->refused) {
        result.error = reload->error;
        if (!reload->closing)
            log_event(LOG_LEVEL_ERROR, "reload-refused", "why", reload->error, "effect",
                      "everything is as before", NULL);
    } else if (reload->closing) {
        rules_free(reload->rules);
    } else {
        bring_in_force(reload, &result);
        if (reload->also != NULL)
            reload->also(reload->also_context);
    }
    while (!reload->closing && !list_empty(&reload->now)) {
        struct reload_waiter *waiter = LIST_ELEMENT(reload->now.next, struct reload_waiter, link);

        reload_leave(waiter);
        waiter->done(waiter, &result); /* which may request the next reading */
    }
    config_fini(&reload->fresh);
    reload->reading = false;
    if (reload->closing)
        free(reload);
    else if (reload->again)
        read_now(reload);
}

static void read_now(struct reload *reload)
{
    const struct rules *rules = reload->ruleset->rules;

    reload->again = false;
    list_take(&reload->now, &reload->next);
    reload->reading = true;
    reload->had_rules = rules != NULL && rules_count(rules) > 0;
    reload->work.data = reload;
    CHECK(uv_queue_work(reload->loop, &reload->work, read_files, on_read) == 0);
}

void reload_start(struct reload *reload, struct reload_waiter *waiter, reload_done done)
{
    if (waiter != NULL) {
        waiter->done = done;
        list_append(&reload->next, &waiter->link);
    }
    reload->again = true;
    if (!reload->reading)
        read_now(reload);
}

struct reload *reload_new(uv_loop_t *loop, const struct config *config, struct ruleset *ruleset,
                          void (*also)(void *context), void *context)
{
    struct reload *reload = calloc(1, sizeof *reload);

    if (reload == NULL)
        return NULL;
    reload->loop = loop;
    reload->running = config;
    reload->ruleset = ruleset;
    reload->also = also;
    reload->also_context = context;
    list_init(&reload->now);
    list_init(&reload->next);
    return reload;
}

void reload_set_lists(struct reload *reload, struct lists *lists)
{
    reload->lists = lists;
}

void reload_close(struct reload *reload)
{
    if (reload == NULL)
        return;
    reload->closing = true;
    if (!reload->reading)
        free(reload);
}
