/* cache_peers: of two relays that have a real server between them, one looks a thing up. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/cache/cache.h"
#include "daemon/share/share_internal.h"
#include "tests/unit/base/valkey/real_valkey.h"
#include "tests/unit/support/virtual_clock.h"

#define TURNS_MAX 30000 /* of a loop that turns once a millisecond at most */
#define IDENTITY  "192.0.2.25 mx.example.com"
#define TURN      "a:192.0.2.25"

struct relay {
    struct config config;
    struct cache *cache;
    struct peers_wait wait;
    unsigned asked, went; /* `enough` and `go` */
    unsigned enough_at;   /* the number of the question to which the answer is yes */
};

static struct real_valkey server;
static uv_loop_t loop;
static uv_timer_t tick;
static struct relay a, b;

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void run_until(const unsigned *count, unsigned wanted)
{
    for (int turns = 0; *count < wanted; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static bool is_enough(struct peers_wait *wait)
{
    struct relay *relay = wait->context;

    return ++relay->asked == relay->enough_at;
}

static void on_go(struct peers_wait *wait)
{
    struct relay *relay = wait->context;

    relay->went++;
}

static void open_relay(struct relay *relay, const char *name)
{
    static const struct domain_tools tools = {.smtp_port = 25};
    char settings[256], error[CONFIG_ERROR_MAX];

    *relay = (struct relay){.enough_at = 0};
    snprintf(settings, sizeof settings,
             "helo-name = mx.example\nstore =\nshare = %s\nshare-name = %s\n"
             "share-deadline = 5s\njob-deadline = 6s\n",
             server.url, name);
    assert_int_equal(
        config_parse(&relay->config, "test", settings, strlen(settings), NULL, 0, error), 0);
    assert_int_equal(cache_new(&relay->cache, &loop, &relay->config, &tools, NULL), 0);
    for (int turns = 0; !cache_shares(relay->cache); turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static void seek(struct relay *relay, unsigned enough_at)
{
    static const struct ip ip = {.family = 4, .octets = {192, 0, 2, 25}};

    relay->asked = relay->went = 0;
    relay->enough_at = enough_at;
    relay->wait = (struct peers_wait){.enough = is_enough, .go = on_go, .context = relay};
    assert_true(peers_begin(cache_peers(relay->cache), &relay->wait, PEERS_PROBE, IDENTITY, &ip));
}

static void end(struct relay *relay)
{
    peers_end(cache_peers(relay->cache), &relay->wait);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR);
    real_valkey_new(&server);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_timer_init(&loop, &tick), 0);
    uv_timer_start(&tick, on_tick, 1, 1);
    open_relay(&a, "a");
    open_relay(&b, "b");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cache_close(a.cache);
    cache_close(b.cache);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    cache_free(a.cache);
    cache_free(b.cache);
    assert_int_equal(uv_loop_close(&loop), 0);
    config_fini(&a.config);
    config_fini(&b.config);
    real_valkey_free(&server);
    return 0;
}

/* Before the turn, and once more with it: another may have had it in between. */
static void it_is_sought_before_and_with_the_turn(void **state)
{
    (void)state;
    seek(&a, 0);
    run_until(&a.went, 1);
    assert_int_equal(a.asked, 2);
    end(&a);
    seek(&a, 2); /* another had it in between */
    run_until(&a.went, 1);
    end(&a);
    seek(&b, 1); /* it is there at once, and no turn is taken */
    run_until(&b.went, 1);
    assert_int_equal(b.asked, 1);
    end(&b);
}

/* An address has many names: what others find there need not be what is sought here. */
static void however_many_have_their_turn_before(void **state)
{
    unsigned asked;

    (void)state;
    seek(&a, 0);
    run_until(&a.went, 1);
    seek(&b, 0);
    run_until(&b.asked, 1);
    for (int i = 0; i < 10; i++) {
        asked = b.asked;
        for (int turns = 0; b.asked == asked; turns++) {
            assert_true(turns < TURNS_MAX);
            share_turn_done(b.cache->share, TURN); /* counts when the turn is waited for */
            uv_run(&loop, UV_RUN_ONCE);
        }
        assert_int_equal(b.went, 0);
    }
    end(&a);
    run_until(&b.went, 1);
    end(&b);
}

/* Leases have no MAC: all who can write to the server can put one there, and renew it. */
static void a_lease_that_does_not_end(void **state)
{
    static const char *const words[] = {"SET", "mxcrypt:1:l:" TURN, "x"};

    (void)state;
    assert_int_equal(valkey_send(a.cache->share->commands, NULL, 3, words, NULL, NULL, NULL), 0);
    seek(&a, 0);
    run_until(&a.went, 1);
    end(&a);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_sought_before_and_with_the_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(however_many_have_their_turn_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lease_that_does_not_end, set_up, tear_down),
    };

    virtual_clock_stop();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
