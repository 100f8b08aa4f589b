/*
 * test_rollover_look: what is made of one host that is seen: hosts that are aliases, that are not
 * wholly known, that show what is not ours, or what nobody can see. Chain 0 is to be replaced by
 * chain 1 at one host with one name server, a resolver, and one address.
 */
#include "tests/unit/check/one_rollover.h"

static struct rollover_rrset also_server;
static struct rollover_seen also;

/* With one server and one address, and `also` for an alias. */
static int set_up_one(void **state)
{
    set_up(state);
    shown[0].address = "192.0.2.25";
    seen.owner = "_25._tcp.real.example";
    seen.server_count = seen.address_count = 1;
    also = seen;
    also.owner = "_25._tcp.mx.example";
    also_server = servers[0];
    also_server.server = "ns9 [a]";
    also.servers = &also_server;
    return 0;
}

#define CACHES "caches may still have the old records"

static void forget(struct rollover_rrset *rrset)
{
    rrset->count = 0;
    rrset->ttl = 0;
}

/* ---- what is not known of a host ---- */

/* As an alias whose TLSA lookup failed, and which has no records at its own name. */
static void a_host_that_is_not_known(void **state)
{
    (void)state;
    forget(&servers[0]);
    forget(&seen.resolver);
    seen.why = "TLSA lookup _25._tcp.real.example: SERVFAIL";
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS, seen.why);
    assert_false(advice.install || sight.idle);
    seen.why = NULL;
    step_at(NOW + 1);
    assert_true(advice.install);
}

/* An address that was not looked at may show the present certificate still. */
static void a_hidden_address(void **state)
{
    (void)state;
    seen.hidden = "AAAA lookup mx.example: SERVFAIL";
    show(0, 1);
    rollover.installed = true;
    step_at(NOW);
    step_at(NOW + WAIT);
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS, seen.hidden);
    seen.hidden = NULL;
    step_at(NOW + WAIT + 1);
    assert_int_equal(rollover.state, ROLLOVER_DEPLOYED);
}

/* ... or one that nobody knows. */
static void a_hidden_address_of_an_unknown_key(void **state)
{
    (void)state;
    rollover.current = (struct rollover_chain){.made = NULL};
    show(0, 1);
    seen.hidden = "AAAA lookup mx.example: SERVFAIL";
    step_at(NOW);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
}

/* ---- aliases ---- */

static void both_names_of_an_alias_count(void **state)
{
    (void)state;
    seen.also = &also;
    also_server.count = 1;
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_ACT, "ns9 [a] has no record of the next certificate");
    assert_int_equal(sight.missing_count, 0);
    assert_string_equal(sight.also->owner, "_25._tcp.mx.example");
    assert_int_equal(sight.also->missing_count, 1);
    assert_memory_equal(sight.also->missing[0].data, records[1].data, DATA);
    also_server.count = 2;
    also_server.ttl = 2 * TTL;
    step_at(NOW + 1);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    assert_int_equal(rollover.ttl, 2 * TTL);
    also.resolver.count = 1;
    step_at(NOW + 1 + 2 * WAIT);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, "the resolver does not have the records yet");
    also_server.known = false;
    step_at(NOW + 2 + 2 * WAIT);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, "ns9 [a]: timeout");
}

/* Senders that find records at the first name do not look at the second. */
static void what_is_refused_at_an_alias(void **state)
{
    (void)state;
    seen.also = &also;
    records[2] = record_of(3, 5);
    also_server.records = &records[2];
    also_server.count = 1;
    step_at(NOW);
    assert_null(sight.broken);
    expect(ROLLOVER_STAGED, ROLLOVER_ACT, "ns9 [a] has no record of the certificate that is shown");
    forget(&servers[0]);
    step_at(NOW);
    assert_non_null(sight.broken);
    expect(ROLLOVER_STAGED, ROLLOVER_BROKEN,
           "ns9 [a] has no record that matches what 192.0.2.25 shows");
}

/* ---- what is shown, and may not be ours ---- */

#define IF_YOURS                                                                                   \
    "; if that one is yours, stage again with its file as --current, else install one that "       \
    "matches"

/* Somebody on the way: no record of his key is told, and he is not the present certificate. */
static void what_no_record_matches_is_not_published(void **state)
{
    (void)state;
    rollover.current = (struct rollover_chain){.made = NULL};
    show(0, 5);
    rollover_learn(&rollover, &seen);
    assert_int_equal(rollover.current.shown.count, 0);
    step_at(NOW);
    assert_int_equal(sight.missing_count, 0);
    expect(ROLLOVER_STAGED, ROLLOVER_BROKEN,
           "ns1 [a] has no record that matches what 192.0.2.25 shows" IF_YOURS);
    rollover.current = chains[5].chain; /* as with --current */
    step_at(NOW);
    assert_int_equal(sight.missing_count, 1);
    expect(ROLLOVER_STAGED, ROLLOVER_BROKEN,
           "ns1 [a] has no record that matches what 192.0.2.25 shows");
}

/* His chain has our issuer, whose record does not make it ours unless the whole chain verifies. */
static void the_issuer_alone_proves_nothing(void **state)
{
    (void)state;
    rollover.current = (struct rollover_chain){.made = NULL};
    records[2] = record_of(2, 2);
    servers[0].count = seen.resolver.count = 3;
    show(0, 2);
    rollover_learn(&rollover, &seen);
    assert_int_equal(rollover.current.shown.count, 0);
    step_at(NOW);
    assert_null(sight.broken);
    assert_string_equal(sight.lacks,
                        "ns1 [a] has no record of the certificate that 192.0.2.25 shows" IF_YOURS);
    for (size_t i = 0; i < sight.missing_count; i++)
        assert_int_not_equal(sight.missing[i].usage, 3);
    shown[0].proven = true;
    rollover_learn(&rollover, &seen);
    assert_string_equal(rollover.current.sha256, chains[2].chain.sha256);
    step_at(NOW);
    assert_memory_equal(sight.missing[0].data, record_of(3, 2).data, DATA);
}

static void the_next_one_is_not_learned(void **state)
{
    (void)state;
    rollover.current = (struct rollover_chain){.made = NULL};
    show(0, 1);
    shown[0].proven = true;
    rollover_learn(&rollover, &seen);
    assert_int_equal(rollover.current.shown.count, 0);
}

/* ---- hosts without records ---- */

/* As a backup MX of somebody else. */
static void another_certificate_without_records(void **state)
{
    (void)state;
    forget(&servers[0]);
    forget(&seen.resolver);
    show(0, 5);
    step_at(NOW);
    assert_true(advice.install);
    rollover.installed = true;
    step_at(NOW + 1);
    assert_false(advice.install);
    step_at(NOW + 2);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
}

static void the_present_certificate_without_records(void **state)
{
    (void)state;
    forget(&servers[0]);
    forget(&seen.resolver);
    rollover.installed = true;
    step_at(NOW);
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS, "192.0.2.25: it shows another certificate");
    assert_true(advice.install);
}

/* ---- addresses that cannot be reached ---- */

#define BLOCKED "192.0.2.25: connection timed out"

static void an_address_that_cannot_be_reached(void **state)
{
    (void)state;
    hide(0);
    shown[0].why = "connection timed out";
    shown[0].unreachable = true;
    step_at(NOW);
    step_at(NOW + WAIT);
    assert_true(advice.install);
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS,
           BLOCKED "; if this machine cannot reach it at all, see --without-address");
    assert_true(rollover_pass_over_address(&rollover, "192.0.2.25"));
    step_at(NOW + WAIT + 1); /* nothing was installed */
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS, BLOCKED);
    assert_int_equal(sight.passed_count, 1);
    assert_string_equal(sight.passed[0], BLOCKED);
    rollover.installed = true;
    step_at(NOW + WAIT + 2);
    expect(ROLLOVER_DEPLOYED, ROLLOVER_WAITS, "the old records stay until every cache is sure");
    step_at(NOW + 2 * WAIT + 2);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
    assert_true(rollover_stage(&rollover, &chains[2].chain, NOW + 2 * WAIT + 3));
    assert_int_equal(rollover.unseen_count, 1); /* it cannot be reached then either */
    assert_false(rollover.installed);
}

/* ... but what it shows, when it does, is what counts. */
static void an_address_that_is_passed_over_and_seen(void **state)
{
    (void)state;
    assert_true(rollover_pass_over_address(&rollover, "192.0.2.25"));
    rollover.installed = true;
    step_at(NOW);
    step_at(NOW + WAIT);
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS, "192.0.2.25: it shows another certificate");
    assert_int_equal(sight.passed_count, 0);
}

/* An address that is hidden by a failed lookup has no name to be passed over by. */
static void another_address_is_waited_for(void **state)
{
    (void)state;
    hide(0);
    shown[0].why = "connection timed out";
    assert_true(rollover_pass_over_address(&rollover, "192.0.2.26"));
    rollover.installed = true;
    step_at(NOW);
    step_at(NOW + WAIT);
    expect(ROLLOVER_RIPE, ROLLOVER_WAITS, BLOCKED);
}

static void addresses_that_may_be_passed_over(void **state)
{
    char text[16];

    (void)state;
    assert_false(rollover_pass_over_address(&rollover, ""));
    assert_false(rollover_pass_over_address(&rollover, "mx.example"));
    assert_true(rollover_pass_over_address(&rollover, "2001:DB8:0::25"));
    assert_string_equal(rollover.unseen[0], "2001:db8::25");
    for (unsigned i = 1; i < ROLLOVER_WITHOUT_MAX; i++) {
        snprintf(text, sizeof text, "192.0.2.%u", i);
        assert_true(rollover_pass_over_address(&rollover, text));
    }
    assert_false(rollover_pass_over_address(&rollover, "192.0.2.25"));
    assert_true(rollover_pass_over_address(&rollover, "192.0.2.1"));
    assert_int_equal(rollover.unseen_count, ROLLOVER_WITHOUT_MAX);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up_one, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_host_that_is_not_known),
        ONE(a_hidden_address),
        ONE(a_hidden_address_of_an_unknown_key),
        CASE(both_names_of_an_alias_count),
        ONE(what_is_refused_at_an_alias),
        ONE(what_no_record_matches_is_not_published),
        ONE(the_issuer_alone_proves_nothing),
        ONE(the_next_one_is_not_learned),
        ONE(another_certificate_without_records),
        ONE(the_present_certificate_without_records),
        ONE(an_address_that_cannot_be_reached),
        ONE(an_address_that_is_passed_over_and_seen),
        ONE(another_address_is_waited_for),
        ONE(addresses_that_may_be_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
