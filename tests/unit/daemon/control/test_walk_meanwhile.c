/*
 * walk: what happens while report, rules and rules-check are under way: each next-hop counts once
 * although entries are renewed, the client goes or does not read, other rules come in force, and
 * others ask too. What is counted is in test_walk.c.
 */
#include "tests/unit/support/walk_client.h"

#define MANY 1500

static void put_numbered(unsigned from, unsigned to)
{
    char name[32];

    for (unsigned i = from; i < to; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        put(name, "N", "V");
    }
}

static void forget(unsigned number)
{
    char name[32];

    snprintf(name, sizeof name, "n%u.example", number);
    forget_key(name);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_counts_once_while_the_cache_changes),
        cmocka_unit_test(a_slow_client_holds_up_nobody_else),
        cmocka_unit_test(a_client_goes),
        cmocka_unit_test(other_orders_end_it),
        cmocka_unit_test(other_orders_end_a_check_once_it_has_begun),
        cmocka_unit_test(too_many_at_once),
        cmocka_unit_test(several_at_once),
        cmocka_unit_test(a_client_goes_while_rules_are_read),
    };

    return cmocka_run_group_tests_name("walk_meanwhile", tests, NULL, NULL);
}
