/*
 * walk: report, rules and rules-check over what is cached: what they count, and that each next-hop
 * counts once whatever happens meanwhile: entries are renewed, the client goes or does not read,
 * other rules come in force, others ask too.
 */
#include "tests/unit/support/fake_domain.h"

#include "daemon/control/command.h"
#include "daemon/control/walk.h"
#include "tests/unit/support/evidence_make.h"

#define TURNS_MAX 200000

static struct walks walks;

/* ---- what is cached ---- */

static void put(const char *text, const char *hosts, const char *probes)
{
    const struct remembered remembered = {0};
    struct verdict verdict;
    struct cache_entry *entry;
    struct made made;
    struct key key;

    make_evidence(&made, MX_LISTED, true, hosts, 'n', probes);
    verdict_decide(&verdict, &made.evidence, &remembered, &config.verdict, MAKE_NOW);
    verdict.valid_until = INT64_MAX / 2;
    key_parse(&key, text, strlen(text), 25);
    entry = cache_entry_new(&key, &verdict, &made.evidence, clock_monotonic_ms());
    assert_non_null(entry);
    assert_non_null(cache_map_put(engine->cache->map, entry, true));
}

/* One of each kind. */
static void put_some(void)
{
    put("dane.example", "U", "T");
    put("verify.example", "N", "V");
    put("encrypt.example", "N", "T");
    put("clear.example", "N", "C");
    put("a.sub.example", "N", "V");
    put("[host.example]", "N", "V");
}

static void put_numbered(unsigned from, unsigned to)
{
    char name[32];

    for (unsigned i = from; i < to; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        put(name, "N", "V");
    }
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

static void on_answered(struct command *command, json_t *answer, bool last)
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

static void client_begin(struct client *client)
{
    const struct command_means means = {.engine = engine, .walks = &walks};

    memset(client, 0, sizeof *client);
    command_init(&client->command, &means, on_answered);
    client->lines = json_array();
}

static void client_end(struct client *client)
{
    command_cancel(&client->command);
    json_decref(client->lines);
    json_decref(client->last);
}

static void send_json(struct client *client, json_t *take)
{
    char *text = json_dumps(take, JSON_COMPACT);

    json_decref(take);
    json_decref(client->last);
    client->last = NULL;
    client->ended = false;
    command_begin(&client->command, text, strlen(text));
    free(text);
}

static void send_command(struct client *client, const char *name)
{
    send_json(client, json_pack("{s:s, s:b}", "command", name, "changes", 1));
}

static void send_rules(struct client *client, const char *text, size_t length, bool more)
{
    send_json(client, json_pack("{s:s, s:s%, s:b}", "command", "rules-check", "text", text, length,
                                "more", (int)more));
}

/* Until the client has a part, or all. */
static void await_part(const struct client *client)
{
    for (int i = 0; i < TURNS_MAX && !client->waiting && !client->ended; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(client->waiting || client->ended);
}

static void take_part(struct client *client)
{
    client->waiting = false;
    command_go_on(&client->command);
}

static void await_end(struct client *client)
{
    while (await_part(client), client->waiting)
        take_part(client);
}

static void refused(struct client *client, const char *why)
{
    const char *text;

    await_end(client);
    text = json_string_value(json_object_get(client->last, "error"));
    assert_non_null(text);
    assert_non_null(strstr(text, why));
}

static void begin_walks(const char *settings)
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

static void end_walks(void)
{
    walks_close(&walks);
    end();
}

static void replace(const char *text, bool monitor)
{
    char error[RULES_ERROR_MAX];
    struct rules *rules = NULL;

    config.override.monitor = monitor;
    assert_int_equal(rules_parse(&rules, text, strlen(text), 25, error), 0);
    ruleset_replace(ruleset, rules, &config.override);
}

/* ---- what is said ---- */

static json_int_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const json_t *line_of(const struct client *client, const char *member, const char *value)
{
    const json_t *line;
    size_t i;

    json_array_foreach(client->lines, i, line)
    {
        if (strcmp(json_string_value(json_object_get(line, member)), value) == 0)
            return line;
    }
    return NULL;
}

static void says(const json_t *line, const char *member, const char *text)
{
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, member)), text);
}

static void level_is(const json_t *totals, const char *level, int found, int reply)
{
    const json_t *counts = json_object_get(json_object_get(totals, "verdicts"), level);

    assert_int_equal(number(counts, "found"), found);
    assert_int_equal(number(counts, "told"), reply);
}

static void report_counts(void **state)
{
    const json_t *line;
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    replace("clear.example at-least encrypt\nverify.example exactly secure match=other.example\n"
            "[host.example] monitor\n",
            false);
    client_begin(&client);
    send_command(&client, "report");
    await_end(&client);
    says(client.last, "mode", "enforce");
    assert_int_equal(number(client.last, "rollout"), 100);
    assert_int_equal(number(client.last, "nexthops"), 6);
    assert_int_equal(number(client.last, "withheld"), 1);
    assert_int_equal(number(client.last, "unsure"), 1); /* the match= */
    assert_int_equal(number(client.last, "would_change"), 1);
    level_is(client.last, "dane-only", 1, 1);
    level_is(client.last, "verify", 3, 1);
    level_is(client.last, "secure", 0, 1);
    level_is(client.last, "encrypt", 1, 2);
    level_is(client.last, "notfound", 1, 1);
    assert_int_equal(json_array_size(client.lines), 2);
    line = line_of(&client, "key", "clear.example");
    says(line, "told", "OK encrypt");
    says(line, "forecast", "defers");
    says(line, "reason", "rule-at-least");
    line = line_of(&client, "key", "[host.example]");
    says(line, "told", "NOTFOUND");
    says(line, "enforced", "OK verify servername=hostname");
    says(line, "level", "verify");
    says(line, "forecast", "flows");
    assert_true(json_is_true(json_object_get(line, "withheld")));
    client_end(&client);
    end_walks();
}

static void what_changes_is_listed_on_demand(void **state)
{
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    replace("* at-least encrypt\n", true);
    client_begin(&client);
    send_json(&client, json_pack("{s:s}", "command", "report"));
    await_end(&client);
    assert_int_equal(number(client.last, "would_change"), 6);
    assert_int_equal(json_array_size(client.lines), 1);
    says(line_of(&client, "key", "clear.example"), "told", "NOTFOUND");
    client_end(&client);
    end_walks();
}

/* What has lapsed, or was never looked up, is no next-hop with a verdict. */
static void only_current_entries_count(void **state)
{
    struct verdict verdict;
    struct cache_entry *entry;
    struct client client;
    struct key key;

    (void)state;
    begin_walks(SETTINGS);
    put("lapsed.example", "N", "V");
    cache_lapse(engine->cache, clock_monotonic_ms());
    put("current.example", "N", "V");
    key_parse(&key, "standing.example", 16, 25);
    verdict_without_evidence(&verdict, REASON_OVERLOAD, INT64_MAX / 2);
    entry = cache_entry_new(&key, &verdict, NULL, clock_monotonic_ms());
    assert_non_null(cache_map_put(engine->cache->map, entry, true));
    client_begin(&client);
    send_command(&client, "report");
    await_end(&client);
    assert_int_equal(number(client.last, "nexthops"), 1);
    client_end(&client);
    end_walks();
}

static void today_is(const json_t *line, int nexthops, int changed, int withheld)
{
    const json_t *today = json_object_get(line, "today");

    assert_int_equal(number(today, "nexthops"), nexthops);
    assert_int_equal(number(today, "changed"), changed);
    assert_int_equal(number(today, "withheld"), withheld);
}

static void rules_say_what_they_do(void **state)
{
    static const char rules[] = "# a comment\n"
                                ".example at-least encrypt\n"
                                "dane.example exactly encrypt ticket=\"OPS 1\"\n"
                                "nobody.example off\n"
                                ".sub.example off until=2020-01-01\n"
                                "[host.example] monitor\n";
    const json_t *line;
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    replace(rules, false);
    client_begin(&client);
    send_command(&client, "rules");
    await_end(&client);
    assert_int_equal(json_array_size(client.lines), 5);
    line = json_array_get(client.lines, 0);
    says(line, "pattern", ".example");
    today_is(line, 4, 1, 0); /* the clear one is told something else */
    assert_null(json_object_get(line, "told"));
    line = json_array_get(client.lines, 1);
    today_is(line, 1, 1, 0);
    says(line, "told", "OK encrypt");
    says(line, "ticket", "OPS 1");
    today_is(json_array_get(client.lines, 2), 0, 0, 0);
    line = json_array_get(client.lines, 3);
    assert_true(json_is_true(json_object_get(line, "lapsed")));
    today_is(line, 0, 0, 0);
    line = json_array_get(client.lines, 4);
    today_is(line, 1, 1, 1);
    says(line, "told", "NOTFOUND");
    client_end(&client);
    end_walks();
}

static void no_rules_are_listed(void **state)
{
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    client_begin(&client);
    send_command(&client, "rules");
    await_end(&client);
    assert_int_equal(json_array_size(client.lines), 0);
    assert_true(json_is_array(json_object_get(client.last, "lines")));
    client_end(&client);
    end_walks();
}

static void check_foretells(void **state)
{
    static const char first[] = "# new\nclear.example at-least ",
                      second[] = "verify\ndane.example off\n";
    const json_t *line;
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    replace("[host.example] off\n", false);
    client_begin(&client);
    send_rules(&client, first, sizeof first - 1, true);
    assert_true(client.ended);
    assert_int_equal(number(client.last, "taken"), sizeof first - 1);
    send_rules(&client, second, sizeof second - 1, false);
    await_end(&client);
    assert_int_equal(number(client.last, "rules"), 2);
    assert_int_equal(number(client.last, "nexthops"), 6);
    assert_int_equal(number(client.last, "would_stop"), 1);
    assert_int_equal(json_array_size(client.lines), 3);
    line = line_of(&client, "key", "clear.example");
    says(line, "now", "NOTFOUND");
    says(line, "then", "OK verify servername=hostname");
    says(line, "forecast", "defers");
    assert_int_equal(number(line, "line"), 2);
    assert_true(json_is_true(json_object_get(line, "stops")));
    line = line_of(&client, "key", "dane.example");
    says(line, "then", "NOTFOUND");
    assert_false(json_is_true(json_object_get(line, "stops")));
    line = line_of(&client, "key", "[host.example]");
    says(line, "then", "OK verify servername=hostname");
    assert_int_equal(number(line, "line"), 0);
    client_end(&client);
    end_walks();
}

/* ---- what happens meanwhile ---- */

#define MANY 1500

static void no_key_twice(const struct client *client)
{
    json_t *keys = json_object(), *line;
    size_t i;

    json_array_foreach(client->lines, i, line)
    {
        const char *key = json_string_value(json_object_get(line, "key"));

        assert_null(json_object_get(keys, key));
        json_object_set_new(keys, key, json_true());
    }
    json_decref(keys);
}

static void has_numbered(const struct client *client, unsigned from, unsigned to)
{
    json_t *keys = json_object(), *line;
    char name[32];
    size_t i;

    json_array_foreach(client->lines, i, line)
        json_object_set(keys, json_string_value(json_object_get(line, "key")), line);
    for (unsigned n = from; n < to; n++) {
        snprintf(name, sizeof name, "n%u.example", n);
        assert_non_null(json_object_get(keys, name));
    }
    json_decref(keys);
}

static void forget(unsigned number)
{
    char name[32];

    snprintf(name, sizeof name, "n%u.example", number);
    forget_key(name);
}

static void each_counts_once_while_the_cache_changes(void **state)
{
    struct client client;
    unsigned part = 0;

    (void)state;
    begin_walks(SETTINGS);
    put_numbered(0, MANY);
    replace("", true);
    client_begin(&client);
    send_command(&client, "report");
    for (; await_part(&client), client.waiting; part++) {
        if (part < 5) {
            put_numbered(part * 300, part * 300 + 300);               /* renewed */
            put_numbered(MANY + part * 800, MANY + part * 800 + 800); /* new */
            forget(MANY - 1 - part);
        }
        take_part(&client);
    }
    assert_true(part > 5);
    no_key_twice(&client);
    has_numbered(&client, 0, MANY - 5);
    assert_int_equal(number(client.last, "nexthops"), json_array_size(client.lines));
    assert_true(client.longest < 2 * WALK_PART_OCTETS);
    client_end(&client);
    end_walks();
}

static void a_slow_client_holds_up_nobody_else(void **state)
{
    struct client slow, other;

    (void)state;
    begin_walks(SETTINGS);
    put_numbered(0, MANY);
    replace("", true);
    client_begin(&slow);
    client_begin(&other);
    send_command(&slow, "report");
    await_part(&slow);
    send_command(&other, "report");
    await_end(&other);
    assert_int_equal(json_array_size(other.lines), MANY);
    for (int i = 0; i < 100; i++)
        turn();
    assert_int_equal(slow.parts, 1); /* no more was made meanwhile */
    assert_false(uv_loop_alive(&loop) && uv_backend_timeout(&loop) == 0); /* and nothing spins */
    await_end((take_part(&slow), &slow));
    assert_int_equal(json_array_size(slow.lines), MANY);
    no_key_twice(&slow);
    client_end(&slow);
    client_end(&other);
    end_walks();
}

static void a_client_goes(void **state)
{
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_numbered(0, MANY);
    replace("a.example off\n", true);
    for (unsigned i = 0; i < 4 * WALKS_MAX; i++) {
        client_begin(&client);
        send_command(&client, i % 2 == 0 ? "report" : "rules");
        if (i % 3 == 0)
            turn();
        if (i % 4 == 0)
            await_part(&client);
        client_end(&client);
        turn();
    }
    client_begin(&client);
    send_command(&client, "report");
    await_end(&client);
    assert_int_equal(json_array_size(client.lines), MANY);
    client_end(&client);
    end_walks();
}

static void other_orders_end_it(void **state)
{
    static const char *const names[] = {"report", "rules"};
    struct client client;
    char rules[64 * MANY] = "";

    (void)state;
    for (size_t i = 0, at = 0; i < MANY; i++)
        at += (size_t)sprintf(rules + at, "n%zu.example at-least encrypt\n", i);
    begin_walks(SETTINGS);
    put_numbered(0, MANY);
    for (size_t i = 0; i < 2; i++) {
        replace(rules, true);
        client_begin(&client);
        send_command(&client, names[i]);
        await_part(&client);
        assert_true(client.waiting);
        replace("b.example off\n", true);
        take_part(&client);
        refused(&client, "ask again");
        client_end(&client);
    }
    end_walks();
}

/* The file that is tried is another matter than what is in force; who is told what now is not. */
static void other_orders_end_a_check_once_it_has_begun(void **state)
{
    static const char rules[] = "* off\n";
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_numbered(0, MANY);
    client_begin(&client);
    send_rules(&client, "", 0, true);
    replace("a.example off\n", false);
    send_rules(&client, rules, sizeof rules - 1, false);
    replace("b.example off\n", false);
    await_part(&client);
    assert_true(client.waiting);
    assert_int_equal(client.parts, 2); /* `taken`, and the first changes */
    replace("c.example off\n", false);
    take_part(&client);
    refused(&client, "ask again");
    client_end(&client);
    end_walks();
}

static void too_many_at_once(void **state)
{
    struct client clients[WALKS_MAX + 1];

    (void)state;
    begin_walks(SETTINGS);
    put_numbered(0, MANY);
    replace("", true);
    for (unsigned i = 0; i <= WALKS_MAX; i++) {
        client_begin(&clients[i]);
        if (i % 2 == 0)
            send_command(&clients[i], "report");
        else
            send_rules(&clients[i], "", 0, true); /* it has its place from the first part on */
        if (i < WALKS_MAX)
            await_part(&clients[i]);
    }
    refused(&clients[WALKS_MAX], "too many");
    client_end(&clients[1]);
    client_begin(&clients[1]);
    send_command(&clients[WALKS_MAX], "report");
    await_end(&clients[WALKS_MAX]);
    assert_int_equal(number(clients[WALKS_MAX].last, "nexthops"), MANY);
    send_command(&clients[1], "report");
    await_part(&clients[1]);
    send_command(&clients[WALKS_MAX], "report");
    refused(&clients[WALKS_MAX], "too many");
    for (unsigned i = 0; i <= WALKS_MAX; i++)
        client_end(&clients[i]);
    end_walks();
}

static void several_at_once(void **state)
{
    struct client clients[WALKS_MAX];

    (void)state;
    begin_walks(SETTINGS);
    put_numbered(0, MANY);
    replace("* at-least encrypt\n", false);
    for (unsigned i = 0; i < WALKS_MAX; i++) {
        client_begin(&clients[i]);
        if (i % 3 == 2)
            send_rules(&clients[i], "* off\n", 6, false);
        else
            send_command(&clients[i], i % 3 == 0 ? "report" : "rules");
    }
    for (unsigned i = 0; i < WALKS_MAX; i++) {
        await_end(&clients[i]);
        if (i % 3 == 1)
            today_is(json_array_get(clients[i].lines, 0), MANY, 0, 0);
        else
            assert_int_equal(number(clients[i].last, "nexthops"), MANY);
        client_end(&clients[i]);
    }
    end_walks();
}

/* ---- the text of rules that are to be tried ---- */

#define PART 65536

/* As many octets of comments, in parts. */
static void send_octets(struct client *client, size_t octets)
{
    static char text[PART];

    memset(text, '\n', sizeof text);
    for (size_t rest = octets; rest > 0;) {
        size_t length = rest < PART ? rest : PART;

        rest -= length;
        send_rules(client, text, length, rest > 0);
        if (rest > 0 && json_object_get(client->last, "error") != NULL)
            break;
    }
}

static void a_text_has_its_limit(void **state)
{
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    client_begin(&client);
    for (size_t octets = RULES_TEXT_MAX - 1; octets <= RULES_TEXT_MAX; octets++) {
        send_octets(&client, octets);
        await_end(&client);
        assert_int_equal(number(client.last, "nexthops"), 6);
    }
    send_octets(&client, RULES_TEXT_MAX + 1);
    refused(&client, "too long");
    send_rules(&client, "* off\n", 6, false); /* begins anew */
    await_end(&client);
    assert_int_equal(number(client.last, "rules"), 1);
    client_end(&client);
    end_walks();
}

static void a_text_that_is_wrong(void **state)
{
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    client_begin(&client);
    send_rules(&client, "* off\nx.example on\n", 19, false);
    refused(&client, "line 2: 'on' is not an action");
    send_rules(&client, "* off\n", 6, true);
    send_command(&client, "rules-check"); /* without a text */
    refused(&client, "text");
    send_rules(&client, "* off\n", 6, true);
    send_command(&client, "report"); /* instead: the text is gone */
    await_end(&client);
    json_array_clear(client.lines);
    send_rules(&client, "a.example off\n", 14, false);
    await_end(&client);
    assert_int_equal(number(client.last, "rules"), 1);
    assert_int_equal(json_array_size(client.lines), 0);
    client_end(&client);
    end_walks();
}

/* While the thread reads, or is to read: the answer comes to nobody, and the loop ends empty. */
static void a_client_goes_while_rules_are_read(void **state)
{
    struct client clients[WALKS_MAX];

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < WALKS_MAX; i++) {
            client_begin(&clients[i]);
            send_rules(&clients[i], "* off\n", 6, i == 0);
            if (round == 1)
                turn();
            client_end(&clients[i]);
        }
    end_walks();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_counts),
        cmocka_unit_test(what_changes_is_listed_on_demand),
        cmocka_unit_test(only_current_entries_count),
        cmocka_unit_test(rules_say_what_they_do),
        cmocka_unit_test(no_rules_are_listed),
        cmocka_unit_test(check_foretells),
        cmocka_unit_test(each_counts_once_while_the_cache_changes),
        cmocka_unit_test(a_slow_client_holds_up_nobody_else),
        cmocka_unit_test(a_client_goes),
        cmocka_unit_test(other_orders_end_it),
        cmocka_unit_test(other_orders_end_a_check_once_it_has_begun),
        cmocka_unit_test(too_many_at_once),
        cmocka_unit_test(several_at_once),
        cmocka_unit_test(a_text_has_its_limit),
        cmocka_unit_test(a_text_that_is_wrong),
        cmocka_unit_test(a_client_goes_while_rules_are_read),
    };

    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
