/* A resolver that does not answer: what waits, what counts, and what is looked up again. */
#include "survey/outage_uv.h"

#include "tests/unit/support/dns_fixture.h"

#define ROOT(...)                                                                                  \
    {                                                                                              \
        .reply = {.name = ".", .type = DNS_NS, __VA_ARGS__ }                                       \
    }
#define ROOT_NS .answer = {". 300 IN NS a.root-servers.net."}

static const struct responder_line validates[] = {ROOT(.flags = PACKET_AD, ROOT_NS)},
                                   validates_not[] = {ROOT(ROOT_NS)}, fails[] = {ROOT(.rcode = 2)};

static struct fixture *fixture;
static struct outage *outage;
static unsigned counted, overs, losses;

static void on_counts(void *context, const struct unit_result *result)
{
    (void)context;
    assert_int_equal(result->unit.id, 7);
    counted++;
}

static void on_over(void *context, bool lost)
{
    (void)context;
    assert_false(outage_waits(outage));
    overs++;
    losses += lost;
}

static void begin(const struct responder_line *line, bool secure)
{
    void *own = NULL;
    struct outage_options options = {.secure = secure, .counts = on_counts, .over = on_over};

    counted = overs = losses = 0;
    assert_int_equal(set_up(&own), 0);
    fixture = own;
    add_server(fixture, line, 1);
    open_dns(fixture);
    options.dns = fixture->dns;
    outage = outage_new(&fixture->loop, &options);
    assert_non_null(outage);
}

static void finish(void)
{
    void *own = fixture;

    outage_close(outage);
    assert_int_equal(tear_down(&own), 0);
}

/* Until the question under way is answered: it is over, or known to last, or there is a rest. */
static void until_answered(unsigned questions)
{
    while (fixture->responders[0].count < questions)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    for (int i = 0; i < 1000 && overs == 0 && outage_ms(outage) == 0; i++)
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void fail_times(unsigned times)
{
    while (times-- > 0)
        outage_note(outage, true);
}

static void hold(void)
{
    struct arena *arena = arena_new(4096);
    struct unit_result *result = arena_alloc(arena, sizeof *result);

    assert_non_null(result);
    result->arena = arena;
    result->unit.id = 7;
    outage_hold(outage, result);
}

/* ---- failures that will be repeated ---- */

static void few_failures_stop_nothing(void **state)
{
    (void)state;
    begin(validates, true);
    assert_false(outage_doubts(outage));
    fail_times(OUTAGE_ASK_AFTER - 1);
    assert_false(outage_waits(outage));
    outage_note(outage, false);
    fail_times(OUTAGE_ASK_AFTER - 1);
    assert_false(outage_waits(outage));
    assert_true(outage_doubts(outage)); /* before they are repeated it is asked */
    until_answered(1);
    assert_int_equal(overs, 1);
    assert_false(outage_doubts(outage));
    finish();
}

static void many_in_a_row_ask(void **state)
{
    (void)state;
    begin(validates, true);
    fail_times(OUTAGE_ASK_AFTER);
    assert_true(outage_waits(outage));
    until_answered(1);
    assert_int_equal(overs, 1);
    assert_int_equal(losses, 0);
    assert_int_equal(fixture->responders[0].count, 1);
    finish();
}

static void it_waits_while_there_is_no_answer(void **state)
{
    (void)state;
    begin(fails, true);
    fail_times(OUTAGE_ASK_AFTER);
    until_answered(1);
    assert_true(outage_waits(outage));
    assert_true(outage_ms(outage) > 0);
    assert_int_equal(overs, 0);
    finish();
}

/* It answers, and yet all fails. */
static void a_long_row_is_a_rest(void **state)
{
    (void)state;
    begin(validates, true);
    fail_times(OUTAGE_ROW);
    until_answered(1);
    assert_true(outage_waits(outage));
    assert_int_equal(outage_ms(outage), 0);
    assert_int_equal(overs, 0);
    finish();
}

/* ---- failures that count ---- */

static void what_is_held_counts_after_an_answer(void **state)
{
    (void)state;
    begin(validates, true);
    hold();
    assert_int_equal(counted, 0);
    while (fixture->responders[0].count == 0)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    hold(); /* after the question: there is another */
    until_answered(2);
    assert_int_equal(counted, 2);
    assert_int_equal(overs, 1);
    assert_int_equal(losses, 0);
    assert_int_equal(fixture->responders[0].count, 2);
    finish();
}

static void what_is_held_is_lost_without(void **state)
{
    (void)state;
    begin(fails, true);
    hold();
    hold();
    until_answered(1);
    assert_true(outage_waits(outage));
    assert_int_equal(counted, 0);
    fixture->responders[0].lines = validates;
    while (overs == 0)
        uv_run(&fixture->loop, UV_RUN_ONCE);
    assert_int_equal(counted, 0);
    assert_int_equal(losses, 1);
    assert_int_equal(outage_ms(outage), 0);
    finish();
}

/* A resolver that validates no more is none, where answers must be validated. */
static void validation_is_needed(void **state)
{
    (void)state;
    for (int secure = 0; secure <= 1; secure++) {
        begin(validates_not, secure);
        hold();
        until_answered(1);
        assert_int_equal(counted, !secure);
        assert_int_equal(overs, !secure);
        finish();
    }
}

static void closed_while_it_asks(void **state)
{
    (void)state;
    begin(validates, true);
    hold();
    finish();
    outage_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_failures_stop_nothing),
        cmocka_unit_test(many_in_a_row_ask),
        cmocka_unit_test(it_waits_while_there_is_no_answer),
        cmocka_unit_test(a_long_row_is_a_rest),
        cmocka_unit_test(what_is_held_counts_after_an_answer),
        cmocka_unit_test(what_is_held_is_lost_without),
        cmocka_unit_test(validation_is_needed),
        cmocka_unit_test(closed_while_it_asks),
    };

    return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
