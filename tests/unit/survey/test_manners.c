/* manners: turns, caps, the rate, and networks that refuse. Time is the test's. */
#include "survey/manners.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support/unit.h"

static struct unit unit_at(const char *ip)
{
    struct unit unit = {.kind = UNIT_ADDRESS};

    assert_true(ip_parse(&unit.ip, ip));
    snprintf(unit.name, sizeof unit.name, "%s", "mx.example");
    return unit;
}

static enum manners_offer offer(struct manners *manners, const char *ip)
{
    const struct unit unit = unit_at(ip);

    return manners_offer(manners, &unit);
}

/* The address that has its turn, "" without one. */
static const char *next(struct manners *manners, int64_t now_ms)
{
    static char text[IP_TEXT_MAX];
    const struct unit *unit;
    int64_t wait_ms;

    unit = manners_next(manners, now_ms, &wait_ms);
    return unit == NULL ? "" : ip_text(&unit->ip, text);
}

static void ended(struct manners *manners, const char *ip, bool refused, int64_t now_ms)
{
    const struct unit unit = unit_at(ip);

    manners_ended(manners, &unit, (struct manners_end){refused, !refused, 1}, now_ms);
}

static struct manners *make(unsigned all, unsigned prefix, unsigned rate)
{
    const struct manners_options options = {all, prefix, rate};
    struct manners *manners = manners_new(&options);

    assert_non_null(manners);
    return manners;
}

static void an_address_is_connected_to_once(void **state)
{
    struct manners *manners = make(100, 100, 0);

    (void)state;
    assert_int_equal(offer(manners, "192.0.2.1"), MANNERS_TAKEN);
    assert_int_equal(offer(manners, "192.0.2.1"), MANNERS_KNOWN);
    assert_string_equal(next(manners, 0), "192.0.2.1");
    assert_int_equal(offer(manners, "192.0.2.1"), MANNERS_KNOWN);
    assert_string_equal(next(manners, 0), "");
    ended(manners, "192.0.2.1", false, 0);
    assert_int_equal(offer(manners, "192.0.2.1"), MANNERS_TAKEN);
    manners_free(manners);
}

static void prefixes_take_turns_and_have_a_cap(void **state)
{
    struct manners *manners = make(100, 2, 0);

    (void)state;
    for (int i = 1; i <= 4; i++) {
        char ip[IP_TEXT_MAX];

        snprintf(ip, sizeof ip, "192.0.2.%d", i);
        assert_int_equal(offer(manners, ip), MANNERS_TAKEN);
    }
    assert_int_equal(offer(manners, "198.51.100.1"), MANNERS_TAKEN);
    assert_int_equal(offer(manners, "2001:db8:1::1"), MANNERS_TAKEN);
    assert_int_equal(offer(manners, "2001:db8:1:ffff::1"), MANNERS_TAKEN); /* the same /48 */
    assert_int_equal(offer(manners, "2001:db8:1:2::1"), MANNERS_TAKEN);
    assert_string_equal(next(manners, 0), "192.0.2.1");
    assert_string_equal(next(manners, 0), "198.51.100.1");
    assert_string_equal(next(manners, 0), "2001:db8:1::1");
    assert_string_equal(next(manners, 0), "192.0.2.2");
    assert_string_equal(next(manners, 0), "2001:db8:1:ffff::1");
    assert_string_equal(next(manners, 0), "");
    ended(manners, "192.0.2.1", false, 0);
    assert_string_equal(next(manners, 0), "192.0.2.3");
    assert_string_equal(next(manners, 0), "");
    assert_int_equal(manners_waiting(manners), 2);
    manners_free(manners);
}

static void all_have_a_cap(void **state)
{
    struct manners *manners = make(2, 2, 0);

    (void)state;
    offer(manners, "192.0.2.1");
    offer(manners, "198.51.100.1");
    offer(manners, "203.0.113.1");
    assert_string_equal(next(manners, 0), "192.0.2.1");
    assert_string_equal(next(manners, 0), "198.51.100.1");
    assert_string_equal(next(manners, 0), "");
    ended(manners, "192.0.2.1", false, 0);
    assert_string_equal(next(manners, 0), "203.0.113.1");
    manners_free(manners);
}

/* In any second there are no more than the rate, and no fewer where enough wait. */
static void the_rate_is_kept(void **state)
{
    static const unsigned rates[] = {1, 3, 10, 100, 333, 1000, 2500};

    (void)state;
    for (size_t i = 0; i < COUNT(rates); i++) {
        struct manners *manners = make(10000, 10000, rates[i]);
        unsigned in_second[3] = {0};

        for (int n = 0; n < 4000; n++) {
            char ip[IP_TEXT_MAX];

            snprintf(ip, sizeof ip, "10.0.%d.%d", n / 50, n % 50);
            assert_int_equal(offer(manners, ip), MANNERS_TAKEN);
        }
        for (int64_t ms = 0; ms < 3000; ms++)
            while (in_second[ms / 1000] < 4000 && next(manners, 5000 + ms)[0] != '\0')
                in_second[ms / 1000]++;
        for (int second = 0; second < (rates[i] > 1000 ? 1 : 3); second++)
            if (in_second[second] > rates[i] + rates[i] / 1000 + 1 ||
                in_second[second] + 1 + rates[i] / 100 < rates[i])
                fail_msg("rate %u: %u in second %d", rates[i], in_second[second], second);
        manners_free(manners);
    }
}

/* A pause is not made up for. */
static void the_rate_is_not_saved_up(void **state)
{
    struct manners *manners = make(100, 100, 10);
    unsigned count = 0;

    (void)state;
    for (int n = 1; n < 50; n++) {
        char ip[IP_TEXT_MAX];

        snprintf(ip, sizeof ip, "10.0.0.%d", n);
        offer(manners, ip);
    }
    next(manners, 0);
    for (int64_t ms = 60000; ms < 61000; ms++)
        count += next(manners, ms)[0] != '\0';
    assert_in_range(count, 10, 11);
    manners_free(manners);
}

/* A server that was connected to once more without a name counts twice. */
static void the_rate_counts_every_connection(void **state)
{
    struct manners *manners = make(100, 100, 10);
    const struct unit unit = unit_at("10.0.0.1");

    (void)state;
    offer(manners, "10.0.0.1");
    offer(manners, "10.0.1.1");
    offer(manners, "10.0.2.1");
    assert_string_equal(next(manners, 1000), "10.0.0.1");
    manners_ended(manners, &unit, (struct manners_end){false, true, 2}, 1050);
    assert_string_equal(next(manners, 1150), "");
    assert_string_equal(next(manners, 1200), "10.0.1.1");
    ended(manners, "10.0.1.1", false, 1250);
    assert_string_equal(next(manners, 1300), "10.0.2.1");
    manners_free(manners);
}

static void a_prefix_that_refuses_rests(void **state)
{
    struct manners *manners = make(100, 100, 0);
    const struct unit *unit;
    int64_t wait_ms, now = 1000;

    (void)state;
    for (int i = 0; i < MANNERS_REFUSALS_MAX; i++) {
        assert_int_equal(offer(manners, "192.0.2.1"), MANNERS_TAKEN);
        assert_string_equal(next(manners, now), "192.0.2.1");
        ended(manners, "192.0.2.1", true, now);
    }
    offer(manners, "192.0.2.1");
    offer(manners, "198.51.100.1");
    assert_string_equal(next(manners, now), "198.51.100.1"); /* others go on */
    unit = manners_next(manners, now, &wait_ms);
    assert_null(unit);
    assert_int_equal(wait_ms, MANNERS_REST_MIN_MS);
    assert_string_equal(next(manners, now + MANNERS_REST_MIN_MS - 1), "");
    assert_string_equal(next(manners, now + MANNERS_REST_MIN_MS), "192.0.2.1");
    /* refuses again: twice as long */
    now += MANNERS_REST_MIN_MS;
    ended(manners, "192.0.2.1", true, now);
    offer(manners, "192.0.2.1");
    assert_string_equal(next(manners, now + 2 * MANNERS_REST_MIN_MS - 1), "");
    now += 2 * MANNERS_REST_MIN_MS;
    assert_string_equal(next(manners, now), "192.0.2.1");
    /* it answers: all is well */
    ended(manners, "192.0.2.1", false, now);
    offer(manners, "192.0.2.1");
    assert_string_equal(next(manners, now), "192.0.2.1");
    ended(manners, "192.0.2.1", true, now);
    offer(manners, "192.0.2.1");
    assert_string_equal(next(manners, now), "192.0.2.1");
    manners_free(manners);
}

static void a_prefix_that_goes_on_refusing_is_left_alone(void **state)
{
    struct manners *manners = make(100, 100, 0);
    struct unit left, current;
    int64_t now = 1000;
    int connections = 0;

    (void)state;
    while (offer(manners, "192.0.2.1") != MANNERS_LEFT) {
        int64_t wait_ms = 0;
        const struct unit *unit = manners_next(manners, now, &wait_ms);

        if (unit == NULL) {
            now += wait_ms;
            unit = manners_next(manners, now, &wait_ms);
        }
        assert_non_null(unit);
        current = *unit;
        offer(manners, "192.0.2.1");
        offer(manners, "192.0.2.2");
        manners_ended(manners, &current, (struct manners_end){true, false, 1}, now);
        assert_true(++connections < 100);
    }
    assert_int_equal(connections, MANNERS_REFUSALS_MAX + MANNERS_RESTS_MAX);
    assert_int_equal(offer(manners, "192.0.2.3"), MANNERS_LEFT);
    assert_true(manners_take_left(manners, &left));
    assert_true(ip_equal(&left.ip, &current.ip) == false);
    assert_false(manners_take_left(manners, &left));
    assert_int_equal(manners_waiting(manners), 0);
    manners_free(manners);
}

static void what_waits_is_limited(void **state)
{
    struct manners *manners = make(1, 1, 0);
    char ip[IP_TEXT_MAX];
    size_t taken = 0;

    (void)state;
    for (int i = 0; i < MANNERS_WAITING_PREFIX_MAX + 1; i++) {
        snprintf(ip, sizeof ip, "192.0.2.%d", i);
        assert_int_equal(offer(manners, ip),
                         i < MANNERS_WAITING_PREFIX_MAX ? MANNERS_TAKEN : MANNERS_BUSY);
    }
    taken = MANNERS_WAITING_PREFIX_MAX;
    for (int i = 0; taken < MANNERS_WAITING_MAX; i++, taken++) {
        snprintf(ip, sizeof ip, "10.%d.%d.1", i / 256, i % 256);
        assert_int_equal(offer(manners, ip), MANNERS_TAKEN);
    }
    assert_int_equal(offer(manners, "198.51.100.1"), MANNERS_FULL);
    assert_int_equal(manners_waiting(manners), MANNERS_WAITING_MAX);
    manners_free(manners);
}

/* What is known of idle prefixes is limited; those with units are never forgotten. */
static void many_prefixes(void **state)
{
    struct manners *manners = make(10, 10, 0);
    char ip[IP_TEXT_MAX];

    (void)state;
    offer(manners, "192.0.2.1");
    assert_string_equal(next(manners, 0), "192.0.2.1");
    for (int i = 0; i < 50000; i++) {
        snprintf(ip, sizeof ip, "10.%d.%d.1", i / 256, i % 256);
        assert_int_equal(offer(manners, ip), MANNERS_TAKEN);
        assert_string_equal(next(manners, 0), ip);
        ended(manners, ip, i % 2 == 0, 0);
    }
    assert_int_equal(offer(manners, "192.0.2.1"), MANNERS_KNOWN);
    ended(manners, "192.0.2.1", false, 0);
    manners_free(manners);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_connected_to_once),
        cmocka_unit_test(prefixes_take_turns_and_have_a_cap),
        cmocka_unit_test(all_have_a_cap),
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(the_rate_is_not_saved_up),
        cmocka_unit_test(the_rate_counts_every_connection),
        cmocka_unit_test(a_prefix_that_refuses_rests),
        cmocka_unit_test(a_prefix_that_goes_on_refusing_is_left_alone),
        cmocka_unit_test(what_waits_is_limited),
        cmocka_unit_test(many_prefixes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
