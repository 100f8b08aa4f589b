/* test_rollover_text: what is printed of a step, and what is not. */
#include "tests/unit/check/one_rollover.h"

#include "check/rollover/rollover_text.h"

static struct rollover_page page;
static char *json;

/* What is printed, and the same as JSON. */
static const char *print(struct buf *out)
{
    json_t *object;

    page.rollover = &rollover;
    page.sights = &sight;
    page.advice = &advice;
    buf_clear(out);
    rollover_text(out, &page);
    object = rollover_json(&page);
    assert_non_null(object);
    free(json);
    json = json_dumps(object, 0);
    json_decref(object);
    return buf_text(out);
}

static void what_may_go(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 16);
    step_at(NOW);
    show(0, 1);
    show(1, 1);
    step_at(NOW + WAIT);
    assert_int_equal(sight.old_count, 1);
    assert_null(strstr(print(&out), "remove: ")); /* it is deployed only */
    assert_non_null(strstr(json, "\"remove\": []"));
    step_at(NOW + 2 * WAIT);
    assert_int_equal(rollover.state, ROLLOVER_CLEANED);
    assert_non_null(strstr(print(&out), "remove: _25._tcp.mx.example. IN TLSA 3 1 1 00"));
    assert_non_null(strstr(json, "\"remove\": [\"3 1 1 00"));
    hide(0);
    shown[0].why = "timeout";
    step_at(NOW + 2 * WAIT + 1);
    assert_int_equal(sight.old_count, 1);
    assert_null(strstr(print(&out), "remove: "));
    assert_non_null(strstr(json, "\"remove\": []"));
    buf_fini(&out);
}

static void why_it_is_late(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 16);
    servers[1].known = false;
    step_at(NOW);
    assert_non_null(strstr(print(&out), "waits: mx.example: ns2 [b]: timeout\n"));
    rollover.current.not_after = NOW;
    step_at(NOW + 1);
    assert_non_null(strstr(print(&out),
                           "act: mx.example: ns2 [b]: timeout; the present certificate "
                           "has expired\n"));
    assert_non_null(
        strstr(json, "\"why\": \"ns2 [b]: timeout; the present certificate has expired\""));
    buf_fini(&out);
}

/* The records at both names of an alias, and an address that nobody can reach. */
static void what_is_told_of_an_alias(void **state)
{
    struct rollover_rrset server = servers[0];
    struct rollover_seen also = seen;
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 16);
    server.count = 1;
    also.owner = "_25._tcp.alias.example";
    also.server_count = 1;
    also.servers = &server;
    seen.also = &also;
    step_at(NOW);
    assert_non_null(strstr(print(&out), "publish: _25._tcp.alias.example. IN TLSA 3 1 1 01"));
    assert_null(strstr(buf_text(&out), "publish: _25._tcp.mx.example"));
    assert_non_null(strstr(json, "\"also\": {\"owner\": \"_25._tcp.alias.example\", "
                                 "\"publish\": [\"3 1 1 01"));
    seen.also = NULL;
    hide(0);
    shown[0].address = "192.0.2.25";
    shown[0].why = "timeout";
    assert_true(rollover_pass_over_address(&rollover, "192.0.2.25"));
    step_at(NOW);
    assert_non_null(strstr(print(&out), "passed over: mx.example: 192.0.2.25: timeout\n"));
    assert_non_null(strstr(json, "\"also\": null"));
    assert_non_null(strstr(json, "\"without_addresses\": [\"192.0.2.25\"]"));
    buf_fini(&out);
}

static int tidy(void **state)
{
    free(json);
    json = NULL;
    return tear_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_may_go, set_up, tidy),
        cmocka_unit_test_setup_teardown(why_it_is_late, set_up, tidy),
        cmocka_unit_test_setup_teardown(what_is_told_of_an_alias, set_up, tidy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
