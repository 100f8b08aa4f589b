/* Trust anchors change while very much is cached: what they judged ends, a share at a time. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/cache/cache.h"

#define ENTRIES 20000

struct counts {
    int64_t now;
    size_t valid, lapsed;
};

static void save(struct cache *cache, const char *name, enum verdict_level level)
{
    struct verdict verdict;
    struct key key;

    key_parse(&key, name, strlen(name), 25);
    verdict_without_evidence(&verdict, REASON_OVERLOAD, INT64_MAX / 2);
    verdict.level = level;
    cache_save(cache, cache_entry_new(&key, &verdict, NULL, clock_monotonic_ms()),
               (struct cache_saving){.now = clock_monotonic_ms(), .by_refresh = true});
}

static void count(void *context, struct cache_entry *entry)
{
    struct counts *counts = context;

    if (entry->verdict.valid_until > counts->now)
        counts->valid++;
    else
        counts->lapsed++;
}

static struct counts count_all(struct cache *cache)
{
    struct counts counts = {clock_monotonic_ms(), 0, 0};

    for (struct map_walk walk = {0}; !cache_map_some(cache->map, &walk, count, &counts);)
        ;
    return counts;
}

static void what_was_judged_ends_in_shares(void **state)
{
    static const char settings[] = "helo-name = mx.example\n";
    struct domain_tools tools = {.smtp_port = 25};
    struct probe_cache_options probing = {.entries_max = 9};
    char error[CONFIG_ERROR_MAX], name[64];
    struct counts counts;
    struct config config;
    struct cache *cache;
    uv_loop_t loop;

    (void)state;
    assert_int_equal(config_parse(&config, "test", settings, sizeof settings - 1, NULL, 0, error),
                     0);
    log_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(
        probe_cache_new(&tools.probes, &(struct smtp_tools){&loop, NULL, NULL}, &probing), 0);
    assert_int_equal(cache_new(&cache, &loop, &config, &tools, NULL), 0);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        save(cache, name, i % 2 == 0 ? VERDICT_VERIFY : VERDICT_DANE_ONLY);
    }
    probe_cache_judge_again(tools.probes, clock_monotonic_ms() + 1);
    cache_judge_again(cache, clock_monotonic_ms());
    uv_run(&loop, UV_RUN_NOWAIT);
    counts = count_all(cache);
    assert_true(counts.lapsed < ENTRIES / 2);
    for (int i = 0; i < 100000 && counts.lapsed < ENTRIES / 2; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        counts = count_all(cache);
    }
    assert_int_equal(counts.lapsed, ENTRIES / 2);
    assert_int_equal(counts.valid, ENTRIES / 2);
    cache_judge_again(cache, clock_monotonic_ms()); /* and closed in the middle of it */
    uv_run(&loop, UV_RUN_NOWAIT);
    cache_close(cache);
    probe_cache_close(tools.probes);
    uv_run(&loop, UV_RUN_DEFAULT);
    cache_free(cache);
    assert_int_equal(uv_loop_close(&loop), 0);
    config_fini(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_judged_ends_in_shares),
    };

    return cmocka_run_group_tests_name("cache judged again", tests, NULL, NULL);
}
