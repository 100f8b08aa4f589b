/*
 * cache: a store that takes no questions, as when so many are under way at a disk that hangs that
 * store_find refuses more: it is asked again once per store-flush, not in every turn of the loop.
 */
#include "tests/unit/support/fake_domain.h"

#include <unistd.h>

#include "tests/unit/support/virtual_clock.h"

#define ENTRIES  20
#define FLUSH_MS 5000
#define PERIODS  3
#define STEP_MS  5

static char file[64], settings[256];
static unsigned finds;

static int refuse_find(struct store_read **out, struct store *store, const char *key,
                       const char *domain, store_on_found done, void *context)
{
    (void)out;
    (void)store;
    (void)key;
    (void)domain;
    (void)done;
    (void)context;
    finds++;
    return UV_ENOMEM;
}

static int refuse_list(struct store_read **out, struct store *store,
                       const struct store_selection *selection, store_on_page done, void *context)
{
    (void)out;
    (void)store;
    (void)selection;
    (void)done;
    (void)context;
    return UV_ENOMEM;
}

static void take_change(struct store *store, const struct store_change *change)
{
    (void)store;
    (void)change;
}

static void no_stats(const struct store *store, struct store_stats *out)
{
    (void)store;
    *out = (struct store_stats){0};
}

static void learn(const char *key)
{
    size_t before = lookup_count;
    struct domain_lookup *lookup;
    struct asker asker;

    ask(&asker, key, false);
    for (int i = 0; i < 100000 && lookup_count == before && asker.delivered == 0; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(lookup_count, before + 1);
    lookup = lookups[before];
    lookup->evidence.mx = MX_NXDOMAIN;
    lookup->evidence.sts.state = STS_NO_RECORD;
    lookup->evidence.complete = true;
    lookup->changed(lookup->context);
    assert_int_equal(asker.delivered, 1);
}

static void drop_store(void)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[128];

    for (size_t i = 0; i < COUNT(ends); i++) {
        snprintf(path, sizeof path, "%s%s", file, ends[i]);
        unlink(path);
    }
}

static void it_is_asked_once_in_a_flush_period(void **state)
{
    struct store_kind kind;
    struct store deaf = {&kind}, *real;
    char key[32];

    (void)state;
    snprintf(file, sizeof file, "/tmp/mxc-hung-%ld", (long)getpid());
    snprintf(settings, sizeof settings, "helo-name = mx.example\nstore = %s\nstore-flush = %dms\n",
             file, FLUSH_MS);
    begin(settings);
    real = engine->cache->store;
    kind = *real->kind;
    kind.find = refuse_find;
    kind.list = refuse_list;
    kind.change = take_change;
    kind.get_stats = no_stats;
    engine->cache->store = &deaf;
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(key, sizeof key, "d%d.example", i);
        learn(key);
    }
    assert_true(finds >= ENTRIES); /* each lookup began with a question */
    finds = 0;
    for (int ms = 0; ms < PERIODS * FLUSH_MS; ms += STEP_MS) {
        virtual_clock_pass(STEP_MS);
        turn();
    }
    assert_in_range(finds, PERIODS - 1, PERIODS + 1);
    engine->cache->store = real;
    end();
    drop_store();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_asked_once_in_a_flush_period)};

    return cmocka_run_group_tests_name("cache_hung", tests, NULL, NULL);
}
