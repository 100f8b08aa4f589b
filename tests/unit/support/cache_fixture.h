/*
 * cache_fixture: a cache that learns from lookups that the test answers itself, and the folder of a
 * store that outlives a restart of it.
 */
#pragma once

#include "tests/unit/support/fake_domain.h"

#include <unistd.h>

/* ---- the store's folder ---- */

#define STORE_SETTINGS                                                                             \
    "helo-name = mx.example\nstore-flush = 10ms\nttl-min = 10ms\nrefresh-idle = 0s\nstore = "

static char folder[64], settings[512];

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mxc-memory-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static inline int drop_folder(void **state)
{
    static const char *const files[] = {"store.db", "store.db-wal", "store.db-shm", "rules"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static inline const char *with_store(const char *more)
{
    snprintf(settings, sizeof settings, STORE_SETTINGS "%s/store.db\n%s", folder, more);
    return settings;
}

/* ---- what is learnt ---- */

/* One mail host, no TLSA, unsigned; its STARTTLS as given. */
static inline void answer_probed(struct domain_lookup *lookup, enum starttls state)
{
    int64_t now = clock_monotonic_ms();

    lookup->evidence.mx = MX_LISTED;
    lookup->evidence.mx_ttl = 300;
    lookup->evidence.sts.state = STS_NO_RECORD;
    lookup->evidence.sts.ttl = 300;
    lookup->evidence.host_count = 1;
    lookup->evidence.hosts = &lookup->host;
    lookup->host.name = "mx.example";
    lookup->host.dane = HOST_DANE_NONE;
    lookup->host.addresses_known = true;
    lookup->host.ttl = 300;
    lookup->host.address_count = 1;
    lookup->host.addresses = &lookup->address;
    lookup->address.ip.family = 4;
    lookup->address.starttls =
        (struct starttls_result){.state = state, .probed_at = now, .valid_until = now + 3600000};
    lookup->evidence.complete = true;
    lookup->changed(lookup->context);
}

/* Asks, lets the lookup start, and answers it. */
static inline void learn(const char *key, enum starttls state)
{
    size_t before = lookup_count;
    struct asker asker;

    ask(&asker, key, false);
    turn();
    for (int i = 0; i < 100000 && lookup_count == before && asker.delivered == 0; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(lookup_count, before + 1);
    answer_probed(lookups[before], state);
    assert_int_equal(asker.delivered, 1);
}

static inline void lapse(void)
{
    engine_flush(engine, clock_monotonic_ms());
}

static inline void must_be(const char *key, const char *text)
{
    struct asker asker;

    ask(&asker, key, false);
    await(&asker);
    assert_string_equal(asker.text, text);
}

static inline const struct cache_entry *cached(const char *name)
{
    struct key key;

    key_parse(&key, name, strlen(name), 25);
    return cache_peek(engine->cache, &key);
}

/* At every moment what has begun and not ended is held. */
static inline size_t held(void)
{
    const struct cache *cache = engine->cache;
    struct cache_stats stats;

    cache_get_stats(cache, &stats);
    assert_int_equal(stats.held, HASH_COUNT(cache->holds));
    assert_int_equal(stats.holds_begun[HOLD_FOUND] + stats.holds_begun[HOLD_LOADED] -
                         stats.holds_ended,
                     stats.held);
    return stats.held;
}

/* ---- time passes ---- */

/* Until what is pending has been written. */
static inline void flush_store(void)
{
    struct store_stats stats = {.pending = 1};

    for (int i = 0; i < 100000 && stats.pending > 0; i++) {
        uv_run(&loop, UV_RUN_ONCE);
        store_get_stats(engine->cache->store, &stats);
    }
    assert_int_equal(stats.pending, 0);
}

static inline void stop(void)
{
    engine_close(engine);
    uv_run(&loop, UV_RUN_DEFAULT);
    engine_free(engine);
    lookup_count = 0;
}

static inline void start(void)
{
    const struct domain_tools tools = {.smtp_port = 25};

    assert_int_equal(engine_new(&engine, &loop, &config, &tools, NULL), 0);
}

static inline void restart(void)
{
    stop();
    start();
}

static inline void on_over(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static inline void run_for(int64_t ms)
{
    bool over = false;
    uv_timer_t timer;

    uv_timer_init(&loop, &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_over, (uint64_t)ms, 0);
    while (!over)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}
