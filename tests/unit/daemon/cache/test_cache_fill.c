/* cache_share: what a relay knows is put into the share, until all of it is there. */
#include "tests/unit/daemon/share/two_relays.h"

#include "daemon/cache/cache.h"
#include "tests/unit/support/virtual_clock.h"

#define ENTRIES 600

static struct config config;
static struct cache *cache;

static void name_of(char out[32], unsigned number)
{
    snprintf(out, 32, "d%u.example", number);
}

static void know(const char *name, int64_t made_at)
{
    struct evidence evidence = {
        .domain = name, .port = 25, .mx = MX_NXDOMAIN, .mx_ttl = 3600, .complete = true};
    struct remembered remembered = {0};
    struct cache_entry *entry;
    struct verdict verdict;
    struct key made;

    evidence.sts.state = STS_NOT_ASKED;
    key_parse(&made, name, strlen(name), 25);
    verdict_decide(&verdict, &evidence, &remembered, &config.verdict, clock_monotonic_ms());
    entry = cache_entry_new(&made, &verdict, &evidence, made_at);
    assert_non_null(entry);
    assert_non_null(cache_put(cache, entry, true, clock_monotonic_ms()));
}

static int set_up_cache(void **state)
{
    static const struct domain_tools tools = {.smtp_port = 25};
    char settings[256], error[CONFIG_ERROR_MAX];

    key.length = 0;
    set_up(state);
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(settings, sizeof settings,
             "helo-name = mx.example\nstore =\nshare = %s\nshare-name = c\n", server.url);
    assert_int_equal(config_parse(&config, "test", settings, strlen(settings), NULL, 0, error), 0);
    return cache_new(&cache, &loop, &config, &tools, NULL);
}

static int tear_down_cache(void **state)
{
    cache_close(cache);
    tear_down(state);
    cache_free(cache);
    config_fini(&config);
    return 0;
}

static struct share_stats stats_of_cache(void)
{
    struct share_stats stats;

    share_get_stats(cache->share, &stats);
    return stats;
}

static void run_until_put(uint64_t count)
{
    for (int turns = 0; stats_of_cache().puts < count; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static void on_exist(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct command *command = request->context;
    int64_t exist = 0;

    assert_true(valkey_number(reply, &exist));
    command->done = (unsigned)exist;
}

/* Runs the loop until all the entries lie in the share, each under its name. */
static void run_until_all_lie_there(unsigned count)
{
    static char lie[ENTRIES][SHARE_NAME_MAX];
    const char *words[ENTRIES + 1] = {"EXISTS"};
    struct command command = {0, 0};
    struct valkey_request request = {0};
    struct valkey *valkey;
    char name[32];

    for (unsigned i = 0; i < count; i++) {
        name_of(name, i);
        assert_true(share_name(lie[i], cache->share, SHARE_ANSWER, name));
        words[i + 1] = lie[i];
    }
    assert_int_equal(valkey_new(&valkey, &loop, &a.options.server, on_ready, &command), 0);
    run_until(&command.ready, 1);
    for (int turns = 0; command.done < count; turns++) {
        assert_true(turns < TURNS_MAX);
        if (request.ticket == NULL)
            assert_int_equal(
                valkey_send(valkey, &request, count + 1, words, NULL, on_exist, &command), 0);
        uv_run(&loop, UV_RUN_ONCE);
    }
    valkey_close(valkey);
}

/* The clock of the daemon begins with the machine. */
static void what_was_learnt_before_the_machine_started(void **state)
{
    (void)state;
    know("d0.example", -5000);
    cache_follow_share(cache);
    run_until_all_lie_there(1);
}

/* It goes on where it was, although nothing was learnt meanwhile. */
static void a_connection_that_is_lost_meanwhile(void **state)
{
    static const char *const words[] = {"CLIENT", "KILL", "TYPE", "normal"};
    char name[32];

    (void)state;
    for (unsigned i = 0; i < ENTRIES; i++) {
        name_of(name, i);
        know(name, clock_monotonic_ms());
    }
    cache_follow_share(cache);
    run_until_put(ENTRIES / 10);
    tell_server(COUNT(words), words);
    assert_true(stats_of_cache().puts < ENTRIES);
    run_until_all_lie_there(ENTRIES);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_learnt_before_the_machine_started, set_up_cache,
                                        tear_down_cache),
        cmocka_unit_test_setup_teardown(a_connection_that_is_lost_meanwhile, set_up_cache,
                                        tear_down_cache),
    };

    virtual_clock_stop();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
