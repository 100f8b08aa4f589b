/* dns_uv with sockets that serve several questions. What holds for other sockets as well is shown in
 * test_dns_uv.c and test_dns_limits.c. */
#include "probe/dns/dns_uv.h"

#include "tests/unit/support/dns_fixture.h"

static struct responder_line numbered[RESPONDER_ASKED_MAX]; /* h0.example ... */
static char names[RESPONDER_ASKED_MAX][20], records[RESPONDER_ASKED_MAX][60];

static void make_numbered(void)
{
    for (unsigned i = 0; i < COUNT(numbered); i++) {
        snprintf(names[i], sizeof names[i], "h%u.example", i);
        snprintf(records[i], sizeof records[i], "h%u.example. %u IN A 192.0.2.1", i, i + 1);
        numbered[i].reply = (struct packet_spec){
            .name = names[i], .type = DNS_A, .flags = PACKET_AD, .answer = {records[i]}};
    }
}

/* Asks for `count` names at once; each answer, told by its TTL, must belong to its question. */
static void ask_numbered(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ask(f, names[i], DNS_A);
    await(f, f->answered + count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(f->answers[i]->outcome, DNS_RECORDS);
    for (unsigned i = 0; i < count; i++)
        assert_string_equal(f->answers[i]->owner, names[f->answers[i]->ttl - 1]);
}

/* So many questions of one port, then another port. */
static void test_limit(void **state)
{
    static const unsigned counts[] = {7, 8, 9, 17};

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        const struct responder *responder;
        void *own = NULL;
        unsigned ports = 1;
        struct fixture *f;

        assert_int_equal(set_up_shared(&own), 0);
        f = own;
        responder = &f->responders[0];
        add_server(f, numbered, COUNT(numbered));
        open_dns(f);
        ask_numbered(f, counts[i]);
        for (unsigned k = 1; k < counts[i]; k++)
            ports += responder->ports[k] != responder->ports[k - 1];
        assert_int_equal(ports, (counts[i] + 7) / 8);
        assert_int_equal(tear_down(&own), 0);
    }
}

/* More than are read at once. */
static void test_many_at_once(void **state)
{
    struct fixture *f = *state;

    f->options.questions_per_socket = 100;
    add_server(f, numbered, COUNT(numbered));
    open_dns(f);
    ask_numbered(f, COUNT(numbered));
    assert_int_equal(stats_of(f).mismatches, 0);
}

/* Questions that would have the same id get different ones. */
static void test_same_ids(void **state)
{
    struct fixture *f = *state;

    add_server(f, numbered, COUNT(numbered));
    open_dns(f);
    f->dns->ids_left = DNS_IDS;
    for (unsigned i = 0; i < DNS_IDS; i++)
        f->dns->ids[i] = UINT16_MAX;
    ask_numbered(f, 8);
    assert_int_equal(f->responders[0].ids[0], UINT16_MAX);
    for (unsigned i = 1; i < 8; i++)
        assert_int_equal(f->responders[0].ids[i], i - 1);
}

/* Nothing is heard on a dead socket: all its questions go to the next resolver. */
static void test_all_fail_over(void **state)
{
    struct fixture *f = *state;

    add_dead_server(f);
    add_server(f, numbered, COUNT(numbered));
    open_dns(f);
    ask_numbered(f, 8);
    assert_int_equal(f->responders[0].count, 8);
}

static void test_all_fail(void **state)
{
    struct fixture *f = *state;

    add_dead_server(f);
    open_dns(f);
    for (unsigned i = 0; i < 8; i++)
        ask(f, names[i], DNS_A);
    await(f, 8);
    for (unsigned i = 0; i < 8; i++)
        assert_string_equal(f->answers[i]->why, "127.0.0.1: connection refused");
}

static void close_on_answer(void *context, const struct dns_answer *answer)
{
    struct fixture *f = context;

    (void)answer;
    f->answered++;
    dns_close(f->dns);
    f->dns = NULL;
}

/* The first that hears of the dead socket ends everything. */
static void test_closed_while_failing(void **state)
{
    struct fixture *f = *state;
    struct dns_query *query;

    add_dead_server(f);
    open_dns(f);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(dns_start(&query, f->dns, f->arena, names[i], DNS_A, close_on_answer, f),
                         0);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(f->answered, 1);
}

/* A socket that waits for its next question does not hold the loop. */
static void test_idle(void **state)
{
    struct fixture *f = *state;

    add_server(f, numbered, COUNT(numbered));
    open_dns(f);
    ask_numbered(f, 3);
    responder_stop(&f->responders[0]);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_non_null(f->dns->shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test_setup_teardown(test_many_at_once, set_up_shared, tear_down),
        cmocka_unit_test_setup_teardown(test_same_ids, set_up_shared, tear_down),
        cmocka_unit_test_setup_teardown(test_all_fail_over, set_up_shared, tear_down),
        cmocka_unit_test_setup_teardown(test_all_fail, set_up_shared, tear_down),
        cmocka_unit_test_setup_teardown(test_closed_while_failing, set_up_shared, tear_down),
        cmocka_unit_test_setup_teardown(test_idle, set_up_shared, tear_down),
    };

    make_numbered();
    return cmocka_run_group_tests_name("dns_shared", tests, NULL, NULL);
}
