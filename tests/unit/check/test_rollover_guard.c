/*
 * test_rollover_guard: what a step must not be led to by records that are withdrawn, a clock that is
 * wrong, an address that goes back, or a wait that does not end.
 */
#include "tests/unit/check/one_rollover.h"

#define DAY    86400
#define CACHES "caches may still have the old records"

static void give_records(size_t first, size_t count)
{
    for (size_t i = 0; i < 2; i++) {
        servers[i].records = &records[first];
        servers[i].count = count;
    }
    seen.resolver.records = &records[first];
    seen.resolver.count = count;
}

/* ---- records that are withdrawn ---- */

/* Nothing could break now, but caches still have what was there. */
static void all_records_are_withdrawn(void **state)
{
    (void)state;
    give_records(0, 1);
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_ACT, "ns1 [a] has no record of the next certificate");
    give_records(0, 0);
    step_at(NOW + 10);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    step_at(NOW + 10 + WAIT);
    assert_true(advice.install);
}

static void a_group_is_withdrawn(void **state)
{
    (void)state;
    rollover.next.made = rollover.current.made; /* of the same key */
    records[0] = record_of(3, 0);
    records[1] = record_of(2, 2);
    records[2] = record_of(2, 0);
    give_records(0, 2);
    step_at(NOW);
    assert_false(advice.install);
    give_records(0, 1);
    step_at(NOW + 10);
    assert_false(advice.install);
    step_at(NOW + 10 + WAIT);
    assert_true(advice.install);
}

/* What matched the one that was staged before need not match this one. */
static void another_one_is_staged(void **state)
{
    (void)state;
    records[0] = record_of(2, 0); /* of chain 1 too */
    give_records(0, 1);
    step_at(NOW);
    assert_true(advice.install);
    give_records(0, 0);
    assert_true(rollover_stage(&rollover, &chains[2].chain, NOW + 1));
    step_at(NOW + 2);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    step_at(NOW + 2 + WAIT);
    assert_true(advice.install);
}

/* The primary has withdrawn a group, and the other server is late. Publishing it for the next
 * certificate alone would break what is shown. */
static void a_group_is_told_whole(void **state)
{
    (void)state;
    servers[0].count = 0;
    servers[1].count = 1;
    step_at(NOW);
    assert_int_equal(sight.missing_count, 2);
    assert_memory_equal(sight.missing[0].data, records[1].data, DATA);
    assert_memory_equal(sight.missing[1].data, records[0].data, DATA);
    servers[0].count = 1;
    step_at(NOW + 1);
    assert_int_equal(sight.missing_count, 1);
}

/* The change is over before the caches are: the next one knows their TTL. */
static void the_next_change_comes_at_once(void **state)
{
    (void)state;
    step_at(NOW);
    step_at(NOW + WAIT);
    rollover.installed = true;
    show(0, 1);
    show(1, 1);
    give_records(1, 1);
    step_at(NOW + WAIT + 1);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
    assert_true(rollover_stage(&rollover, &chains[2].chain, NOW + WAIT + 2));
    records[2] = record_of(3, 2);
    give_records(1, 2);
    servers[0].ttl = servers[1].ttl = seen.resolver.ttl = 1;
    step_at(NOW + WAIT + 3);
    step_at(NOW + WAIT + 3 + WAIT - 1);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    step_at(NOW + WAIT + 3 + WAIT);
    assert_true(advice.install);
}

/* ---- clocks ---- */

#define BEHIND                                                                                     \
    "the clock is behind the last step: set it, or, if it is right now, stage the certificate "    \
    "again"

/* The wait is neither cut short nor begun anew. */
static void a_clock_that_is_wrong_for_a_while(void **state)
{
    (void)state;
    step_at(NOW);
    step_at(NOW - 10);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, BEHIND);
    assert_int_equal(advice.again_at, NOW);
    step_at(300); /* 1970, until the time is fetched */
    expect(ROLLOVER_PUBLISHED, ROLLOVER_ACT, BEHIND);
    step_at(NOW + WAIT - 1);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    assert_int_equal(advice.again_at, NOW + WAIT);
    step_at(300);
    assert_false(advice.install);
    step_at(NOW + WAIT);
    assert_true(advice.install);
    step_at(NOW + WAIT - 1); /* what was released is not told */
    assert_false(advice.install);
    servers[1].count = 1; /* what is lost then is lost */
    step_at(NOW + WAIT - 1);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS, BEHIND);
    servers[1].count = 2;
    step_at(NOW + WAIT);
    assert_int_equal(advice.again_at, NOW + 2 * WAIT);
}

/* It was ahead, and is right now. */
static void a_clock_that_was_ahead(void **state)
{
    const int64_t ahead = NOW + 3650 * (int64_t)DAY;

    (void)state;
    step_at(ahead);
    step_at(NOW + 1);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_ACT, BEHIND);
    assert_true(rollover_stage(&rollover, &chains[1].chain, NOW + 2));
    assert_false(rollover_stage(&rollover, &chains[1].chain, NOW + 2));
    step_at(NOW + 3);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    assert_int_equal(advice.again_at, NOW + 3 + WAIT);
    step_at(ahead);
    assert_true(rollover_stage(&rollover, &chains[2].chain, NOW + 4));
    step_at(NOW + 5); /* staging another one does not tell which was right */
    assert_string_equal(advice.why, "ns1 [a] has no record of the next certificate");
    assert_int_equal(advice.again_at, ahead);
}

static void a_clock_before_the_certificate(void **state)
{
    (void)state;
    rollover.next.not_before = NOW;
    step_at(NOW - 1);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS,
           "the clock is behind: the next certificate is not valid yet");
    assert_int_equal(advice.again_at, NOW);
    step_at(NOW);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    rollover.next.not_before = INT64_MAX;
    step_at(NOW + WAIT);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_ACT,
           "the clock is behind: the next certificate is not valid yet");
    give_records(1, 1);
    step_at(NOW + WAIT);
    assert_int_equal(advice.need, ROLLOVER_BROKEN); /* whatever the time is */
}

/* ---- staged again ---- */

/* A host was added: for it nothing has been waited for. */
static void it_begins_again(void **state)
{
    (void)state;
    step_at(NOW);
    step_at(NOW + WAIT);
    assert_true(advice.install);
    rollover.installed = true;
    assert_false(rollover_stage(&rollover, &chains[1].chain, NOW + WAIT));
    rollover_begin_again(&rollover, NOW + WAIT + 1);
    show(0, 1);
    step_at(NOW + WAIT + 2);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    assert_true(rollover.released); /* it may be in use */
    step_at(NOW + 2 * WAIT + 1);
    assert_false(advice.install);
    step_at(NOW + 2 * WAIT + 2);
    assert_true(advice.install);
    show(1, 1);
    step_at(NOW + 2 * WAIT + 3);
    expect(ROLLOVER_DEPLOYED, ROLLOVER_WAITS, "the old records stay until every cache is sure");
}

/* It was over: at the new host its records may be missing. */
static void it_begins_again_when_it_is_over(void **state)
{
    (void)state;
    step_at(NOW);
    show(0, 1);
    show(1, 1);
    step_at(NOW + WAIT);
    give_records(1, 1);
    step_at(NOW + WAIT + 1);
    assert_true(rollover_is_over(&rollover) && rollover.released);
    rollover_begin_again(&rollover, NOW + WAIT + 2);
    show(1, 4);
    records[2] = record_of(3, 4);
    give_records(2, 1);
    rollover.current = chains[4].chain;
    step_at(NOW + WAIT + 3);
    expect(ROLLOVER_STAGED, ROLLOVER_BROKEN,
           "ns1 [a] has no record that matches what address shows");
    assert_int_equal(sight.missing_count, 1);
    records[1] = record_of(3, 1);
    give_records(1, 2);
    step_at(NOW + WAIT + 4);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    assert_int_equal(advice.again_at, NOW + WAIT + 4 + WAIT);
}

/* What was forgotten at first is in its file now. */
static void it_has_its_issuer_now(void **state)
{
    struct rollover_chain whole = chains[1].chain;

    (void)state;
    records[0] = record_of(2, 0);
    give_records(0, 1);
    rollover.next.shown.count = 1;
    step_at(NOW);
    expect(ROLLOVER_STAGED, ROLLOVER_ACT,
           "a 2 x x record, but the next certificate comes without its issuer");
    assert_true(rollover_stage(&rollover, &whole, NOW + 1));
    assert_string_equal(rollover.current.sha256, chains[0].chain.sha256);
    step_at(NOW + 2);
    assert_int_equal(sight.missing_count, 0); /* chains 0 and 1 have the same issuer */
    step_at(NOW + 2 + WAIT);
    assert_true(advice.install);
}

/* The same certificate by another issuer: shown with the one before it is not the next one. */
static void it_has_another_issuer(void **state)
{
    static const uint8_t leaf[] = {1}, issuer[] = {2}, other[] = {3};
    struct rollover_chain next = chains[1].chain, before = next;

    (void)state;
    before.shown.certificates[0] = next.shown.certificates[0] = (struct tls_der){leaf, 1};
    before.shown.certificates[1] = (struct tls_der){issuer, 1};
    next.shown.certificates[1] = (struct tls_der){other, 1};
    rollover.next = before;
    rollover.released = true;
    assert_true(rollover_stage(&rollover, &next, NOW + 1));
    assert_true(rollover_chain_same(&rollover.current, &before));
    shown[0].chain = shown[1].chain = before;
    step_at(NOW + 2);
    assert_int_equal(sight.live, ROLLOVER_LIVE_OLD);
    step_at(NOW + 2 + WAIT);
    assert_true(advice.install);
    shown[0].chain = shown[1].chain = next;
    step_at(NOW + 3 + WAIT);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
}

/* ---- when it is over ---- */

static void an_address_that_goes_back_when_it_is_over(void **state)
{
    (void)state;
    step_at(NOW);
    step_at(NOW + WAIT);
    show(0, 1);
    show(1, 1);
    step_at(NOW + WAIT + 1);
    step_at(NOW + 2 * WAIT + 1);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
    assert_int_equal(sight.old_count, 1);
    assert_true(advice.remove);
    hide(1);
    step_at(NOW + 2 * WAIT + 2);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
    assert_false(advice.remove);
    show(1, 0);
    step_at(NOW + 2 * WAIT + 3);
    expect(ROLLOVER_CLEANED, ROLLOVER_WAITS, "an address shows the certificate before again");
    assert_int_equal(sight.old_count, 0);
    assert_false(advice.remove || advice.install || rollover_is_over(&rollover));
    step_at(NOW + 2 * WAIT + 2 + DAY);
    assert_int_equal(advice.need, ROLLOVER_ACT);
    give_records(1, 1);
    for (int64_t i = 4; i < 6; i++) { /* every step tells it */
        step_at(NOW + 2 * WAIT + i);
        expect(ROLLOVER_CLEANED, ROLLOVER_BROKEN,
               "ns1 [a] has no record that matches what address shows");
        assert_false(rollover_is_over(&rollover));
    }
    show(1, 1);
    step_at(NOW + 2 * WAIT + 6);
    expect(ROLLOVER_CLEANED, ROLLOVER_DONE, NULL);
    assert_true(rollover_is_over(&rollover));
}

/* ---- waits that do not end ---- */

static void the_present_certificate_ends(void **state)
{
    const int64_t end = NOW + 90 * (int64_t)DAY, week = 7 * (int64_t)DAY;

    (void)state;
    rollover.current.not_before = NOW;
    rollover.current.not_after = end;
    rollover.ttl = ROLLOVER_TTL_MAX;
    step_at(end - week - 1);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    assert_null(advice.ends);
    step_at(end - week);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_ACT, CACHES);
    assert_string_equal(advice.ends, "the present certificate expires soon");
    step_at(end);
    assert_string_equal(advice.ends, "the present certificate expires soon");
    step_at(end + 1);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_ACT, CACHES);
    assert_string_equal(advice.ends, "the present certificate has expired");
    show(0, 1);
    show(1, 1);
    step_at(end + 2 * week);
    expect(ROLLOVER_DEPLOYED, ROLLOVER_WAITS, "the old records stay until every cache is sure");
    assert_null(advice.ends);
}

/* A server that has the records every other time, as two machines behind one address. */
static void a_state_that_goes_back_again_and_again(void **state)
{
    int64_t now = NOW, step = 900;

    (void)state;
    rollover.current.not_after = INT64_MAX;
    for (; now <= NOW + step + DAY + 2 * WAIT; now += 2 * step) {
        servers[1].count = 2;
        step_at(now);
        expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
        servers[1].count = 1;
        step_at(now + step);
        expect(ROLLOVER_STAGED, ROLLOVER_WAITS, "ns2 [b] has no record of the next certificate");
    }
    step_at(now + step);
    expect(ROLLOVER_STAGED, ROLLOVER_ACT, "ns2 [b] has no record of the next certificate");
    rollover_begin_again(&rollover, now + 2 * step);
    step_at(now + 2 * step);
    expect(ROLLOVER_STAGED, ROLLOVER_WAITS, "ns2 [b] has no record of the next certificate");
}

/* Certificates of six days are changed every few days. */
static void a_short_lifetime_ends_later(void **state)
{
    (void)state;
    rollover.current.not_before = NOW - 4 * DAY;
    rollover.current.not_after = NOW + 4 * DAY;
    step_at(NOW);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_WAITS, CACHES);
    servers[0].ttl = ROLLOVER_TTL_MAX;
    step_at(NOW + 3 * DAY);
    expect(ROLLOVER_PUBLISHED, ROLLOVER_ACT, CACHES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_records_are_withdrawn),
        CASE(a_group_is_withdrawn),
        CASE(another_one_is_staged),
        CASE(a_group_is_told_whole),
        CASE(the_next_change_comes_at_once),
        CASE(a_clock_that_is_wrong_for_a_while),
        CASE(a_clock_that_was_ahead),
        CASE(a_clock_before_the_certificate),
        CASE(it_begins_again),
        CASE(it_begins_again_when_it_is_over),
        CASE(it_has_its_issuer_now),
        CASE(it_has_another_issuer),
        CASE(the_present_certificate_ends),
        CASE(a_state_that_goes_back_again_and_again),
        CASE(a_short_lifetime_ends_later),
        CASE(an_address_that_goes_back_when_it_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
