/*
 * walk_client: entries in the cache, and a client that asks for what walks over them: report, rules
 * and rules-check.
 */
#pragma once

#include "tests/unit/support/fake_domain.h"

#include "daemon/control/command.h"
#include "daemon/control/walk.h"
#include "tests/unit/support/evidence_make.h"

#define TURNS_MAX 200000

static struct walks walks;

/* ---- what is cached ---- */

static inline void put(const char *text, const char *hosts, const char *probes)
{
    const struct remembered remembered = {0};
    struct verdict verdict;
    struct cache_entry *entry;
    struct made made;
    struct key key;

    make_evidence(&made, MX_LISTED, true, hosts, 'n', probes);
    made.evidence.complete = true;
    verdict_decide(&verdict, &made.evidence, &remembered, &config.verdict, MAKE_NOW);
    verdict.valid_until = INT64_MAX / 2;
    key_parse(&key, text, strlen(text), 25);
    entry = cache_entry_new(&key, &verdict, &made.evidence, clock_monotonic_ms());
    assert_non_null(entry);
    assert_non_null(cache_map_put(engine->cache->map, entry, true));
}

/* One of each kind. */
static inline void put_some(void)
{
    put("dane.example", "U", "T");
    put("verify.example", "N", "V");
    put("encrypt.example", "N", "T");
    put("clear.example", "N", "C");
    put("a.sub.example", "N", "V");
    put("[host.example]", "N", "V");
}

/* ---- a client ---- */

struct client {
    struct command command;
    json_t *lines, *last; /* owned; `last`: the end of the answer */
    unsigned parts;
    bool waiting; /* for the client to take the part */
    bool ended;
    size_t longest; /* part */
};

static inline void on_answered(struct command *command, json_t *answer, bool last)
{
    struct client *client = LIST_ELEMENT(command, struct client, command);
    char *text = json_dumps(answer, JSON_COMPACT);

    assert_false(client->waiting || client->ended);
    if (strlen(text) > client->longest)
        client->longest = strlen(text);
    free(text);
    assert_int_equal(json_is_true(json_object_get(answer, "more")), !last);
    json_array_extend(client->lines, json_object_get(answer, "lines"));
    client->parts++;
    client->waiting = !last;
    client->ended = last;
    if (last)
        client->last = json_incref(answer);
    json_decref(answer);
}

static inline void client_begin(struct client *client)
{
    const struct command_means means = {.engine = engine, .walks = &walks};

    memset(client, 0, sizeof *client);
    command_init(&client->command, &means, on_answered);
    client->lines = json_array();
}

static inline void client_end(struct client *client)
{
    command_cancel(&client->command);
    json_decref(client->lines);
    json_decref(client->last);
}

static inline void send_json(struct client *client, json_t *take)
{
    char *text = json_dumps(take, JSON_COMPACT);

    json_decref(take);
    json_decref(client->last);
    client->last = NULL;
    client->ended = false;
    command_begin(&client->command, text, strlen(text));
    free(text);
}

static inline void send_command(struct client *client, const char *name)
{
    send_json(client, json_pack("{s:s, s:b}", "command", name, "changes", 1));
}

static inline void send_rules(struct client *client, const char *text, size_t length, bool more)
{
    send_json(client, json_pack("{s:s, s:s%, s:b}", "command", "rules-check", "text", text, length,
                                "more", (int)more));
}

/* Until the client has a part, or all. */
static inline void await_part(const struct client *client)
{
    for (int i = 0; i < TURNS_MAX && !client->waiting && !client->ended; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(client->waiting || client->ended);
}

static inline void take_part(struct client *client)
{
    client->waiting = false;
    command_go_on(&client->command);
}

static inline void await_end(struct client *client)
{
    while (await_part(client), client->waiting)
        take_part(client);
}

static inline void refused(struct client *client, const char *why)
{
    const char *text;

    await_end(client);
    text = json_string_value(json_object_get(client->last, "error"));
    assert_non_null(text);
    assert_non_null(strstr(text, why));
}

/* ---- a daemon with rules ---- */

static inline void begin_walks(const char *settings)
{
    char error[CONFIG_ERROR_MAX];

    begin(settings);
    assert_int_equal(ruleset_new(&ruleset, &loop, &config, error), 0);
    engine_close(engine);
    uv_run(&loop, UV_RUN_NOWAIT);
    engine_free(engine);
    assert_int_equal(
        engine_new(&engine, &loop, &config, &(struct domain_tools){.smtp_port = 25}, ruleset), 0);
    walks_init(&walks, &loop);
    assert_non_null(walks.shares);
}

static inline void end_walks(void)
{
    walks_close(&walks);
    end();
}

static inline void replace(const char *text, bool monitor)
{
    char error[RULES_ERROR_MAX];
    struct rules *rules = NULL;

    config.override.monitor = monitor;
    assert_int_equal(rules_parse(&rules, text, strlen(text), 25, error), 0);
    ruleset_replace(ruleset, rules, &config.override);
}

/* ---- what is said ---- */

static inline json_int_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static inline void today_is(const json_t *line, int nexthops, int changed, int withheld)
{
    const json_t *today = json_object_get(line, "today");

    assert_int_equal(number(today, "nexthops"), nexthops);
    assert_int_equal(number(today, "changed"), changed);
    assert_int_equal(number(today, "withheld"), withheld);
}
