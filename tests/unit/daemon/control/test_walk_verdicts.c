/*
 * verdicts: many keys in one question: what is said of each, how many are waited for at once, what
 * is refused, and a client that goes in the middle.
 */
#include "tests/unit/support/walk_client.h"

/* "d0.example", or what begins and ends otherwise. */
static json_t *keys_of(size_t count, const char *begin_with, const char *end_with)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(keys, json_sprintf("%s%zu%s", begin_with, i, end_with));
    return keys;
}

static void ask_keys(struct client *client, json_t *take_keys)
{
    send_json(client, json_pack("{s:s, s:o}", "command", "verdicts", "keys", take_keys));
}

static const json_t *line_for(const struct client *client, const char *key)
{
    const json_t *line;
    size_t i;

    json_array_foreach(client->lines, i, line)
    {
        if (strcmp(json_string_value(json_object_get(line, "key")), key) == 0)
            return line;
    }
    fail_msg("no line for %s", key);
    return NULL;
}

/* The member of an answer of the line: "told" "level". */
static void member_is(const json_t *line, const char *answer, const char *member, const char *text)
{
    const char *is = json_string_value(json_object_get(json_object_get(line, answer), member));

    assert_non_null(is);
    assert_string_equal(is, text);
}

/* Until so many lookups have begun and so many lines have come; then it has nothing more to do. */
static void run_until(struct client *client, size_t begun, size_t lines)
{
    int turns = TURNS_MAX;

    while (turns-- > 0 && (lookup_count < begun || json_array_size(client->lines) < lines)) {
        uv_run(&loop, UV_RUN_ONCE);
        if (client->waiting)
            take_part(client);
    }
    for (int i = 0; i < 50; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(lookup_count, begun);
    assert_int_equal(json_array_size(client->lines), lines);
}

static void each_key_has_its_line(void **state)
{
    struct client client;
    const json_t *line;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    replace("clear.example at-least encrypt\n[host.example] monitor\noff.example off\n", false);
    client_begin(&client);
    ask_keys(&client, json_pack("[s, s, s, s, s, s]", "dane.example", "Verify.Example",
                                "clear.example", "[host.example]", "off.example", "192.0.2.1"));
    await_end(&client);
    assert_string_equal(json_string_value(json_object_get(client.last, "mode")), "enforce");
    assert_int_equal(number(client.last, "rollout"), 100);
    assert_int_equal(json_array_size(client.lines), 6);
    line = line_for(&client, "dane.example");
    member_is(line, "found", "level", "dane-only");
    member_is(line, "found", "reason", "dane-full");
    member_is(line, "told", "answer", "OK dane-only");
    member_is(line, "told", "why", "every mail host has usable, DNSSEC-signed TLSA records");
    assert_null(json_object_get(line, "rollout"));
    line = line_for(&client, "Verify.Example"); /* as it was asked for */
    member_is(line, "found", "answer", "OK verify servername=hostname");
    assert_string_equal(json_string_value(json_array_get(json_object_get(line, "verified"), 0)),
                        "mx0.example.com");
    line = line_for(&client, "clear.example");
    member_is(line, "found", "answer", "NOTFOUND");
    member_is(line, "told", "reason", "rule-at-least");
    member_is(line, "told", "forecast", "defers");
    line = line_for(&client, "[host.example]");
    assert_true(json_is_true(json_object_get(line, "withheld")));
    member_is(line, "told", "answer", "NOTFOUND");
    member_is(line, "found", "level", "verify");
    line = line_for(&client, "off.example"); /* which is not looked up */
    assert_true(json_is_null(json_object_get(line, "found")));
    member_is(line, "told", "reason", "rule-off");
    member_is(line_for(&client, "192.0.2.1"), "found", "reason", "key");
    assert_int_equal(lookup_count, 0);
    client_end(&client);
    end_walks();
}

static void mode_and_rollout_are_tried(void **state)
{
    struct client client;
    const json_t *line;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    replace("[host.example] monitor\n", true);
    client_begin(&client);
    send_json(&client, json_pack("{s:s, s:[s, s], s:i}", "command", "verdicts", "keys",
                                 "encrypt.example", "[host.example]", "rollout", 0));
    await_end(&client);
    assert_string_equal(json_string_value(json_object_get(client.last, "mode")), "monitor");
    line = line_for(&client, "encrypt.example");
    member_is(line, "told", "answer", "NOTFOUND");
    member_is(line, "told", "reason", "mode-monitor");
    member_is(line, "enforced", "answer", "OK encrypt");
    member_is(line, "enforced", "forecast", "flows");
    member_is(line, "rollout", "answer", "NOTFOUND");
    member_is(line, "rollout", "reason", "rollout");
    /* a rule that holds back stays one */
    member_is(line_for(&client, "[host.example]"), "enforced", "answer", "NOTFOUND");
    client_end(&client);
    end_walks();
}

/* Keys that are not cached are looked up, so many at once, and told as they come. */
static void lookups_are_waited_for(void **state)
{
    const size_t count = 3 * VERDICTS_WAITING_MAX;
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    client_begin(&client);
    ask_keys(&client, keys_of(count, "d", ".example"));
    run_until(&client, VERDICTS_WAITING_MAX, 0);
    answer_dane(lookups[5], true);
    run_until(&client, VERDICTS_WAITING_MAX + 1, 1); /* not only at the end */
    member_is(line_for(&client, "d5.example"), "found", "level", "dane-only");
    assert_false(client.ended);
    for (size_t i = 0, told = 1; i < count; i++) {
        size_t left = count - lookup_count;

        if (i == 5)
            continue;
        answer_nxdomain(lookups[i]);
        told++;
        if (told < count)
            run_until(&client, lookup_count + (left > 0), told);
    }
    await_end(&client);
    assert_int_equal(json_array_size(client.lines), count);
    member_is(line_for(&client, "d190.example"), "found", "reason", "nxdomain");
    client_end(&client);
    end_walks();
}

/* Few lookups may run: some are left to Postfix. */
static void a_share_of_the_jobs_is_used(void **state)
{
    struct client client;

    (void)state;
    begin_walks(SETTINGS "jobs = 16\n");
    client_begin(&client);
    ask_keys(&client, keys_of(20, "d", ".example"));
    run_until(&client, 2, 0);
    client_end(&client);
    end_walks();
    begin_walks(SETTINGS "jobs = 1\n");
    client_begin(&client);
    ask_keys(&client, keys_of(20, "d", ".example"));
    run_until(&client, 1, 0);
    client_end(&client);
    end_walks();
}

/* What waits is let go; the lookups end without anybody to tell. */
static void a_client_goes_in_the_middle(void **state)
{
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    client_begin(&client);
    ask_keys(&client, json_pack("[s, s, s]", "dane.example", "cold.example", "colder.example"));
    run_until(&client, 2, 1);
    client_end(&client);
    assert_int_equal(walks.count, 0);
    answer_dane(lookups[0], true);
    answer_nxdomain(lookups[1]);
    uv_run(&loop, UV_RUN_NOWAIT);
    end_walks();
}

/* While the client has not taken the part, nothing more is sent; a lookup that ends is not lost. */
static void a_client_that_reads_slowly(void **state)
{
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    client_begin(&client);
    ask_keys(&client, json_pack("[s, s]", "dane.example", "cold.example"));
    await_part(&client);
    assert_true(client.waiting);
    assert_int_equal(json_array_size(client.lines), 1);
    for (int i = 0; i < TURNS_MAX && lookup_count == 0; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(lookup_count, 1);
    answer_dane(lookups[0], true);
    for (int i = 0; i < 50; i++)
        uv_run(&loop, UV_RUN_NOWAIT); /* on_answered fails when it is sent another */
    take_part(&client);
    await_end(&client);
    assert_int_equal(json_array_size(client.lines), 2);
    client_end(&client);
    end_walks();
}

/* Not by new rules either: each key is answered by those of its moment. */
static void rules_may_change_meanwhile(void **state)
{
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    put_some();
    client_begin(&client);
    ask_keys(&client, json_pack("[s, s]", "verify.example", "cold.example"));
    run_until(&client, 1, 1);
    replace("cold.example exactly may\n", false);
    answer_dane(lookups[0], true);
    await_end(&client);
    member_is(line_for(&client, "cold.example"), "told", "answer", "OK may");
    client_end(&client);
    end_walks();
}

static void limits(void **state)
{
    char key[KEY_MAX + 2];
    struct client client;

    (void)state;
    begin_walks(SETTINGS);
    client_begin(&client);
    memset(key, 'a', sizeof key);
    key[KEY_MAX + 1] = '\0';
    send_json(&client, json_pack("{s:s}", "command", "verdicts"));
    refused(&client, "keys are missing");
    send_json(&client, json_pack("{s:s, s:s}", "command", "verdicts", "keys", "a.example"));
    refused(&client, "keys are missing");
    ask_keys(&client, json_pack("[s, i]", "a.example", 1));
    refused(&client, "not a string");
    ask_keys(&client, json_pack("[s, n]", "a.example"));
    refused(&client, "not a string");
    ask_keys(&client, keys_of(VERDICTS_KEYS_MAX + 1, "[192.0.2.1]:", ""));
    refused(&client, "too many keys");
    ask_keys(&client, json_pack("[s]", key));
    refused(&client, "too long");
    send_json(&client,
              json_pack("{s:s, s:[], s:i}", "command", "verdicts", "keys", "rollout", 101));
    refused(&client, "rollout must be");
    send_json(&client,
              json_pack("{s:s, s:[], s:s}", "command", "verdicts", "keys", "rollout", "50"));
    refused(&client, "rollout must be");
    assert_int_equal(walks.count, 0);
    ask_keys(&client, keys_of(VERDICTS_KEYS_MAX, "[192.0.2.1]:", ""));
    await_end(&client);
    assert_int_equal(json_array_size(client.lines), VERDICTS_KEYS_MAX);
    assert_true(client.parts > 1);
    assert_true(client.longest < 3 * WALK_PART_OCTETS);
    key[KEY_MAX] = '\0';
    ask_keys(&client, json_pack("[s]", key));
    await_end(&client);
    member_is(json_array_get(client.lines, VERDICTS_KEYS_MAX), "told", "answer", "NOTFOUND");
    ask_keys(&client, json_array());
    await_end(&client);
    client_end(&client);
    end_walks();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_has_its_line),
        cmocka_unit_test(mode_and_rollout_are_tried),
        cmocka_unit_test(lookups_are_waited_for),
        cmocka_unit_test(a_share_of_the_jobs_is_used),
        cmocka_unit_test(a_client_goes_in_the_middle),
        cmocka_unit_test(a_client_that_reads_slowly),
        cmocka_unit_test(rules_may_change_meanwhile),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests_name("walk_verdicts", tests, NULL, NULL);
}
