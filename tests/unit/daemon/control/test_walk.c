/*
 * walk: report, rules and rules-check over what is cached: what they count and say, and the text of
 * rules that are to be tried. What happens meanwhile is in test_walk_meanwhile.c.
 */
#include "tests/unit/support/walk_client.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_counts),
        cmocka_unit_test(what_changes_is_listed_on_demand),
        cmocka_unit_test(only_current_entries_count),
        cmocka_unit_test(rules_say_what_they_do),
        cmocka_unit_test(no_rules_are_listed),
        cmocka_unit_test(check_foretells),
        cmocka_unit_test(a_text_has_its_limit),
        cmocka_unit_test(a_text_that_is_wrong),
    };

    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
