/* test_rollover_step: what one step says and does, case by case. */
#include "tests/unit/check/one_rollover.h"

#define CACHES "caches may still have the old records"

/* ---- the way ---- */

static void the_whole_way(void **state)
{
    (void)state;
    step_at(NOW);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    assert_int_equal(advice.again_at, NOW + WAIT);
    step_at(NOW + WAIT - 1);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    assert_false(advice.install || rollover.released);
    step_at(NOW + WAIT);
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS, "address: it shows another certificate");
    assert_string_equal(advice.host, "mx.example");
    assert_true(advice.install && rollover.released);
    rollover.installed = true;
    show(0, 1);
    step_at(NOW + WAIT + 1);
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS, "address: it shows another certificate");
    assert_true(advice.install);
    show(1, 1);
    step_at(NOW + WAIT + 2);
    expect(ROLLOVER_DEPLOYED, ROLLOVER_WAITS, "the old records stay until every cache is sure");
    assert_int_equal(sight.old_count, 1);
    step_at(NOW + 2 * WAIT + 2);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
    assert_false(rollover_is_over(&rollover)); /* the old record is still there */
    servers[0].known = false;
    servers[0].records = servers[1].records = &records[1];
    servers[0].count = servers[1].count = 1;
    step_at(NOW + 2 * WAIT + 3);
    assert_false(rollover_is_over(&rollover));
    servers[0].known = true;
    step_at(NOW + 2 * WAIT + 4);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
    assert_true(rollover_is_over(&rollover));
}

static void missing_records_need_the_operator(void **state)
{
    (void)state;
    servers[0].count = servers[1].count = 1;
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_ACT, "ns1 [a] has no record of the next certificate");
    assert_int_equal(sight.missing_count, 1);
    assert_memory_equal(sight.missing[0].data, records[1].data, DATA);
    servers[0].count = 2; /* a secondary lags behind */
    step_at(NOW + 1);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS, "ns2 [b] has no record of the next certificate");
    step_at(NOW + ROLLOVER_PATIENCE);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS, "ns2 [b] has no record of the next certificate");
    step_at(NOW + ROLLOVER_PATIENCE + 1);
    expect(ROLLOVER_STAGED, ROLLOVER_ACT, "ns2 [b] has no record of the next certificate");
}

/* A TTL may be longer than anybody's patience. */
static void time_needs_nobody(void **state)
{
    (void)state;
    servers[0].ttl = INT32_MAX;
    step_at(NOW);
    assert_int_equal(rollover.ttl, ROLLOVER_TTL_MAX);
    step_at(NOW + 2 * ROLLOVER_TTL_MAX);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    step_at(NOW + 2 * ROLLOVER_TTL_MAX + 1);
    assert_true(advice.install);
}

static void no_ttl_is_a_second(void **state)
{
    (void)state;
    servers[0].ttl = servers[1].ttl = seen.resolver.ttl = 0;
    step_at(NOW);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    step_at(NOW + 1);
    assert_true(advice.install);
}

static void an_alias_stays_in_caches_too(void **state)
{
    (void)state;
    seen.alias_ttl = TTL + 100;
    step_at(NOW);
    assert_int_equal(advice.again_at, NOW + 2 * (TTL + 100) + 1);
}

static void the_resolver_must_have_them(void **state)
{
    (void)state;
    seen.resolver.count = 1;
    step_at(NOW);
    step_at(NOW + WAIT);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, "the resolver does not have the records yet");
    seen.resolver.known = false;
    step_at(NOW + WAIT + 1);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, "ns1 [a]: timeout");
}

static void the_same_key_needs_no_wait(void **state)
{
    (void)state;
    show(0, 1);
    show(1, 1);
    step_at(NOW);
    expect(ROLLOVER_DEPLOYED, ROLLOVER_WAITS, "the old records stay until every cache is sure");
    tear_down(state);
    set_up(state);
    rollover.next.made = rollover.current.made; /* another certificate of the same key */
    step_at(NOW);
    assert_true(advice.install);
}

/* What is there cannot be seen, and nobody has said it. */
static void an_unknown_key_is_another_one(void **state)
{
    (void)state;
    rollover.current = (struct rollover_chain){.made = NULL};
    hide(0);
    hide(1);
    step_at(NOW);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    show(0, 1);
    step_at(NOW + 1);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    step_at(NOW + WAIT);
    assert_true(advice.install);
}

/* ---- what must not be ---- */

static void what_nobody_expects_is_broken(void **state)
{
    (void)state;
    show(1, 5);
    servers[1].known = false;
    step_at(NOW);
    expect(
        ROLLOVER_STAGED, ROLLOVER_BROKEN,
        "ns1 [a] has no record that matches what address shows; if that one is yours, stage again "
        "with its file as --current, else install one that matches");
}

static void no_issuer_for_usage_2(void **state)
{
    (void)state;
    records[0] = record_of(2, 0);
    rollover.next.shown.count = 1;
    servers[0].count = servers[1].count = seen.resolver.count = 1;
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_ACT,
           "a 2 x x record, but the next certificate comes without its issuer");
    assert_true(sight.impossible);
}

static void an_expired_one_is_not_installed(void **state)
{
    (void)state;
    rollover.next.not_after = NOW + WAIT - 1;
    step_at(NOW);
    step_at(NOW + WAIT);
    expect(ROLLOVER_RIPE, ROLLOVER_ACT, "the next certificate has expired: stage another one");
    assert_false(advice.install || rollover.released);
}

/* What was released may be in use where nobody can look. */
static void what_was_released_is_the_present_one(void **state)
{
    (void)state;
    step_at(NOW);
    step_at(NOW + WAIT);
    assert_true(rollover.released && !rollover.installed);
    assert_true(rollover_stage(&rollover, &chains[2].chain, NOW + WAIT));
    assert_string_equal(rollover.current.sha256, chains[1].chain.sha256);
    assert_false(rollover.released);
    assert_true(rollover_stage(&rollover, &chains[3].chain, NOW + WAIT));
    assert_string_equal(rollover.current.sha256, chains[1].chain.sha256);
    assert_false(rollover_stage(&rollover, &chains[3].chain, NOW + WAIT));
}

/* ---- servers that are silent ---- */

static void a_silent_server_is_waited_for(void **state)
{
    (void)state;
    servers[1].known = false;
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS, "ns2 [b]: timeout");
    step_at(NOW + ROLLOVER_PATIENCE + 1);
    expect(ROLLOVER_STAGED, ROLLOVER_ACT, "ns2 [b]: timeout");
}

static void the_operator_may_pass_it_over(void **state)
{
    static const char *const words[] = {"NS2.Example.", "2001:DB8:0::2"};

    for (size_t i = 0; i < COUNT(words); i++) {
        tear_down(state);
        set_up(state);
        servers[1].known = false;
        assert_true(rollover_pass_over(&rollover, words[i]));
        step_at(NOW);
        expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
        assert_int_equal(sight.passed_count, 1);
        assert_string_equal(sight.passed[0], "ns2 [b]: timeout");
        servers[1].known = true; /* it is back, with the records of yesterday */
        servers[1].count = 1;
        step_at(NOW + WAIT);
        expect(ROLLOVER_STAGED, ROLLOVER_WAITS, "ns2 [b] has no record of the next certificate");
    }
}

static void but_not_all_of_them(void **state)
{
    (void)state;
    servers[0].known = servers[1].known = false;
    assert_true(rollover_pass_over(&rollover, "ns1.example"));
    assert_true(rollover_pass_over(&rollover, "ns2.example"));
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS, "none of its name servers answers");
    seen.server_count = 0;
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS, "its authoritative name servers are not known");
}

static void it_is_for_this_rollover(void **state)
{
    (void)state;
    assert_true(rollover_pass_over(&rollover, "ns2.example"));
    assert_true(rollover_stage(&rollover, &chains[2].chain, NOW));
    assert_int_equal(rollover.without_count, 0);
}

static void names_that_may_be_passed_over(void **state)
{
    char name[HOSTNAME_MAX + 2], text[16];

    (void)state;
    memset(name, 'a', sizeof name);
    name[HOSTNAME_MAX + 1] = '\0';
    assert_false(rollover_pass_over(&rollover, ""));
    assert_false(rollover_pass_over(&rollover, "."));
    assert_false(rollover_pass_over(&rollover, "a b"));
    assert_false(rollover_pass_over(&rollover, name));
    for (unsigned i = 0; i < ROLLOVER_WITHOUT_MAX; i++) {
        snprintf(text, sizeof text, "ns%u.example", i);
        assert_true(rollover_pass_over(&rollover, text));
    }
    assert_false(rollover_pass_over(&rollover, "ns8.example"));
    assert_true(rollover_pass_over(&rollover, "ns7.example"));
    assert_int_equal(rollover.without_count, ROLLOVER_WITHOUT_MAX);
}

/* A machine without IPv6 asks a name server at its IPv4 address. */
static void no_route_to_one_address(void **state)
{
    (void)state;
    servers[1].known = false;
    servers[1].no_route = true;
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS, "ns2 [b]: timeout");
    servers[1].name = servers[0].name;
    step_at(NOW);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
}

/* ---- names that are no mail hosts ---- */

static void a_name_without_records_or_mail(void **state)
{
    (void)state;
    servers[0].count = servers[1].count = seen.resolver.count = 0;
    seen.address_count = 0;
    step_at(NOW);
    assert_true(sight.idle && advice.install);
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS, "not every address shows the certificate yet");
    step_at(NOW + 1);
    assert_true(advice.install); /* as long as nobody says that it was installed */
    rollover.installed = true;
    step_at(NOW + 2);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
}

static void one_that_does_not_answer_is_waited_for(void **state)
{
    (void)state;
    hide(0);
    hide(1);
    step_at(NOW);
    step_at(NOW + WAIT);
    assert_true(advice.install);
    rollover.installed = true;
    shown[0].why = "connection refused";
    step_at(NOW + WAIT + 1);
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS, "address: connection refused");
    assert_false(advice.install); /* it has been, and nothing else is shown */
    step_at(NOW + WAIT + ROLLOVER_PATIENCE + 1);
    expect(ROLLOVER_RIPE, ROLLOVER_ACT, "address: connection refused");
    seen.address_count = 0;
    step_at(NOW + WAIT + ROLLOVER_PATIENCE + 1);
    expect(ROLLOVER_RIPE, ROLLOVER_ACT, "it has no address");
}

/* It is told what is waited for: first time, then an address that is gone. */
static void one_that_does_not_answer_any_more(void **state)
{
    (void)state;
    show(0, 1);
    show(1, 1);
    step_at(NOW);
    hide(0);
    shown[0].why = "connection refused";
    step_at(NOW + WAIT - 1);
    expect(ROLLOVER_DEPLOYED, ROLLOVER_WAITS, "the old records stay until every cache is sure");
    step_at(NOW + WAIT);
    expect(ROLLOVER_DEPLOYED, ROLLOVER_WAITS, "address: connection refused");
    assert_string_equal(advice.host, "mx.example");
    step_at(NOW + ROLLOVER_PATIENCE + 1);
    expect(ROLLOVER_DEPLOYED, ROLLOVER_ACT, "address: connection refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_whole_way),
        CASE(missing_records_need_the_operator),
        CASE(time_needs_nobody),
        CASE(no_ttl_is_a_second),
        CASE(an_alias_stays_in_caches_too),
        CASE(the_resolver_must_have_them),
        CASE(the_same_key_needs_no_wait),
        CASE(an_unknown_key_is_another_one),
        CASE(what_nobody_expects_is_broken),
        CASE(no_issuer_for_usage_2),
        CASE(an_expired_one_is_not_installed),
        CASE(what_was_released_is_the_present_one),
        CASE(a_silent_server_is_waited_for),
        CASE(the_operator_may_pass_it_over),
        CASE(but_not_all_of_them),
        CASE(it_is_for_this_rollover),
        CASE(names_that_may_be_passed_over),
        CASE(no_route_to_one_address),
        CASE(a_name_without_records_or_mail),
        CASE(one_that_does_not_answer_is_waited_for),
        CASE(one_that_does_not_answer_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
