/* two_relays: the shares of two relays, in one loop, and a real server between them. */
#pragma once

#include "tests/unit/support/unit.h"

#include "base/clock.h"
#include "daemon/share/share_internal.h"
#include "policy/key.h"
#include "tests/unit/base/valkey/real_valkey.h"
#include "tests/unit/support/record_make.h"

#define TURNS_MAX 30000 /* of a loop that turns once a millisecond at most */
#define KEY       "example.org"

/* One relay's share, and what it was told. */
struct relay {
    struct share_options options;
    struct share *share;
    unsigned begun, news, answers;
    int64_t since;
    struct share_news last;
    char name[KEY_TEXT_MAX + 1];
    enum verdict_level answer_level;
    /* of the last find */
    unsigned found;
    bool unsure, has_answer, has_policy;
    struct answer_record answer;
};

static struct real_valkey server;
static struct valkey_url url;
static struct share_key key = {MAC_KEY_MIN, "0123456789abcdef0123456789abcdef"};
static uv_loop_t loop;
static uv_timer_t tick;
static struct relay a, b;

/* ---- what is told ---- */

static inline void on_begun(void *context, int64_t since)
{
    struct relay *relay = context;

    relay->begun++;
    relay->since = since;
}

static inline void on_news(void *context, const struct share_news *news)
{
    struct relay *relay = context;

    relay->news++;
    relay->last = *news;
    snprintf(relay->name, sizeof relay->name, "%s", news->name);
}

static inline void on_answer(void *context, const struct record *record)
{
    struct relay *relay = context;

    relay->answers++;
    relay->answer_level = record->answer.level;
}

static inline void on_describe(void *context, struct share_relay *out)
{
    (void)context;
    strcpy(out->version, "0.1.0");
    out->rules = 0xabc;
    out->rollout = 75;
}

static const struct share_events events = {on_begun, on_news, on_answer, on_describe};

static inline void on_found(void *context, const struct store_found *found)
{
    struct relay *relay = context;

    relay->found++;
    relay->unsure = found->unsure;
    relay->has_answer = found->answer != NULL;
    relay->has_policy = found->policy != NULL;
    if (found->answer != NULL)
        relay->answer = found->answer->answer;
}

/* ---- the loop ---- */

static inline void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static inline void run_until(const unsigned *count, unsigned wanted)
{
    for (int turns = 0; *count < wanted; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static inline struct share_stats stats_of(const struct relay *relay)
{
    struct share_stats stats;

    share_get_stats(relay->share, &stats);
    return stats;
}

static inline void run_until_written(const struct relay *relay)
{
    for (int turns = 0; stats_of(relay).pending > 0; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static inline void open_relay_with(struct relay *relay, const char *name, uint32_t settings)
{
    *relay = (struct relay){
        .options = {
            .prefix = "mxcrypt",
            .relay = name,
            .settings = settings,
            .key = &key,
            .deadline_ms = 500,
            .server = {.url = &url, .connect_ms = 1000, .stall_ms = 1000, .pending_max = 100000}}};
    assert_int_equal(share_new(&relay->share, &loop, &relay->options, &events, relay), 0);
    share_follow(relay->share);
    run_until(&relay->begun, 1);
    for (int turns = 0; relay->share->position[0] == '\0'; turns++) {
        assert_true(turns < TURNS_MAX);
        uv_run(&loop, UV_RUN_ONCE); /* until it follows the news */
    }
}

static inline void open_relay(struct relay *relay, const char *name)
{
    open_relay_with(relay, name, 0);
}

static inline int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    real_valkey_new(&server);
    assert_null(valkey_url_parse(&url, server.url));
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_timer_init(&loop, &tick), 0);
    uv_timer_start(&tick, on_tick, 1, 1);
    a = b = (struct relay){.share = NULL};
    open_relay(&a, "a");
    a.begun = 0;
    open_relay(&b, "b");
    b.begun = 0;
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    store_close(share_store(a.share));
    store_close(share_store(b.share));
    uv_close((uv_handle_t *)&tick, NULL);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    real_valkey_free(&server);
    return 0;
}

/* ---- records of now ---- */

static inline struct record answer_of(enum verdict_level level, enum verdict_level observed,
                                      int64_t ago)
{
    struct record record = make_answer(KEY);
    int64_t now = clock_wall_ms();

    record.answer.level = level;
    record.answer.decided_at = record.answer.used_at = now - ago;
    record.answer.valid_until = now + 3600000;
    record.answer.remembered.observed = observed;
    record.answer.clock_shift = now;
    return record;
}

static inline void put(struct relay *relay, const struct record *record)
{
    store_put(share_store(relay->share), record);
    run_until_written(relay);
}

static inline void find(struct relay *relay)
{
    unsigned found = relay->found;
    struct store_read *read;

    assert_int_equal(store_find(&read, share_store(relay->share), KEY, KEY, on_found, relay), 0);
    run_until(&relay->found, found + 1);
}

/* Sends a command of three words to the server, by a connection of its own. */
struct command {
    unsigned ready, done;
};

static inline void on_ready(void *context, bool ready, const char *why)
{
    struct command *command = context;

    (void)why;
    command->ready += ready;
}

static inline void on_done(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct command *command = request->context;

    assert_non_null(reply);
    assert_int_not_equal(valkey_type(reply), VALKEY_ERROR);
    command->done++;
}

static inline void tell_server(size_t count, const char *const *words)
{
    struct command command = {0, 0};
    struct valkey_request request;
    struct valkey *valkey;

    assert_int_equal(valkey_new(&valkey, &loop, &a.options.server, on_ready, &command), 0);
    run_until(&command.ready, 1);
    assert_int_equal(valkey_send(valkey, &request, count, words, NULL, on_done, &command), 0);
    run_until(&command.done, 1);
    valkey_close(valkey);
}
