/* probe_table: keys, lifetimes and bounds, as pure functions. */
#include "probe/smtp/probe_table.h"

#include "tests/unit/support/probe_table_fixture.h"

/* ---- keys ---- */

static bool same_key(const struct smtp_target *a, const struct smtp_target *b)
{
    struct probe_key x, y;

    assert_true(probe_key_make(&x, a));
    assert_true(probe_key_make(&y, b));
    return x.length == y.length && memcmp(x.octets, y.octets, x.length) == 0;
}

static void keys(void **state)
{
    static const uint8_t one[32] = {1}, two[32] = {2};
    struct tlsa tlsa[2] = {{3, 1, 1, true, 32, one}, {3, 1, 1, true, 32, two}};
    struct tlsa turned[2] = {tlsa[1], tlsa[0]}, other[2] = {tlsa[0], tlsa[0]};
    struct ip ip, next;
    struct smtp_target subject = {{0}, 25, MX, "base.test", tlsa, 2, {NULL}}, changed;

    (void)state;
    assert_true(ip_parse(&ip, "127.0.0.1"));
    subject.ip = ip;
    assert_true(ip_parse(&next, "127.0.0.2"));
    changed = subject;
    assert_true(same_key(&subject, &changed));
    changed.tlsa = turned;
    assert_true(same_key(&subject, &changed));
    changed.tlsa = other;
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.tlsa_count = 1;
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.ip = next;
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.port = 587;
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.host = "mx.example.tes";
    assert_false(same_key(&subject, &changed));
    changed = subject;
    changed.sni = NULL;
    assert_false(same_key(&subject, &changed));
    changed.sni = MX;
    assert_false(same_key(&subject, &changed));
}

static void key_limits(void **state)
{
    char name[HOSTNAME_MAX + 2], other[HOSTNAME_MAX + 1];
    struct tlsa tlsa[1] = {{3, 1, 1, true, 0, NULL}};
    struct ip ip;
    struct smtp_target subject = {{0}, 25, name, other, tlsa, 1, {NULL}};
    struct probe_key key;

    (void)state;
    assert_true(ip_parse(&ip, "2620:fe::fe"));
    subject.ip = ip;
    memset(name, 'a', sizeof name);
    memset(other, 'b', sizeof other);
    name[HOSTNAME_MAX] = other[HOSTNAME_MAX] = '\0';
    assert_true(probe_key_make(&key, &subject));
    assert_int_equal(key.length, PROBE_KEY_MAX);
    name[HOSTNAME_MAX] = 'a';
    name[HOSTNAME_MAX + 1] = '\0';
    assert_false(probe_key_make(&key, &subject));
}

/* ---- lifetimes ---- */

struct life_case {
    const char *name;
    enum starttls state;
    int64_t first, second, third, sixth;
};

static const struct life_case life_cases[] = {
    {"life TLS", STARTTLS_TLS, 24 * HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR},
    {"life verified", STARTTLS_VERIFIED, 24 * HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR},
    {"life clear", STARTTLS_CLEAR, 24 * HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR},
    {"life silent", STARTTLS_SILENT, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"life error", STARTTLS_ERROR, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"G-4 life of 4xx", STARTTLS_TEMPFAIL, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"G-4 life of 5xx", STARTTLS_REFUSED, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"life broken", STARTTLS_BROKEN, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 6 * HOUR},
    {"life skipped", STARTTLS_SKIPPED, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE},
};

static void run_life_case(void **state)
{
    const struct life_case *row = *state;
    struct probe_table *table = table_of(10);

    expect_about(put(table, MX, row->state, 1), row->first);
    expect_about(put(table, MX, row->state, 2), row->second);
    expect_about(put(table, MX, row->state, 3), row->third);
    put(table, MX, row->state, 4);
    put(table, MX, row->state, 5);
    expect_about(put(table, MX, row->state, 6), row->sixth);
    for (int i = 0; i < 100; i++)
        put(table, MX, row->state, 7 + i);
    expect_about(put(table, MX, row->state, 200), row->sixth);
    probe_table_free(table);
}

static void good_answer_ends_back_off(void **state)
{
    struct probe_table *table = table_of(10);

    (void)state;
    put(table, MX, STARTTLS_SILENT, 1);
    put(table, MX, STARTTLS_SILENT, 2);
    put(table, MX, STARTTLS_TLS, 3);
    expect_about(put(table, MX, STARTTLS_SILENT, 4), 15 * MINUTE);
    expect_about(put(table, MX, STARTTLS_SILENT, 5), 30 * MINUTE);
    probe_table_free(table);
}

/* Our own lack of descriptors is no failure of the host. */
static void own_failure_is_short(void **state)
{
    struct probe_table *table = table_of(10);
    struct probe_key key = key_of(MX);
    struct starttls_result result = {.state = STARTTLS_SILENT};

    (void)state;
    put(table, MX, STARTTLS_SILENT, 1);
    for (int i = 0; i < 5; i++)
        assert_true(
            probe_table_put(table, &key, &(struct probe_moment){10 + i, 1000, true, 0}, &result));
    expect_about(result.valid_until - 14, PROBE_RETRY_HERE_MS);
    expect_about(put(table, MX, STARTTLS_SILENT, 20), 30 * MINUTE);
    probe_table_free(table);
}

static void verified_ends_with_certificate(void **state)
{
    static const int64_t left_s[] = {100, 1, 0, -5, 30 * 3600, INT64_MAX - 1000};
    static const int64_t want_ms[] = {100000, 1000, 1000, 1000, 24 * HOUR, 24 * HOUR};
    struct probe_table *table = table_of(10);
    struct probe_key key = key_of(MX);

    (void)state;
    for (size_t i = 0; i < COUNT(left_s); i++) {
        struct starttls_result result = {.state = STARTTLS_VERIFIED, .not_after = 1000 + left_s[i]};

        probe_table_put(table, &key, &(struct probe_moment){5, 1000, false, 0}, &result);
        if (want_ms[i] < HOUR)
            assert_int_equal(result.valid_until, 5 + want_ms[i]);
        else
            expect_about(result.valid_until - 5, want_ms[i]);
    }
    probe_table_free(table);
}

static void lifetimes_vary(void **state)
{
    struct probe_table *table = table_of(2000);
    int64_t least = INT64_MAX, most = 0;
    char host[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t ms;

        snprintf(host, sizeof host, "mx%d.test", i);
        ms = put(table, host, STARTTLS_TLS, 1);
        expect_about(ms, 24 * HOUR);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_true(least < 24 * HOUR * 92 / 100);
    assert_true(most > 24 * HOUR * 108 / 100);
    probe_table_free(table);
}

/* ---- the store ---- */

static bool known(struct probe_table *table, const char *host, int64_t now_ms)
{
    struct probe_key key = key_of(host);

    return probe_table_get(table, &key, now_ms) != NULL;
}

static void bounded_oldest_first(void **state)
{
    struct probe_table *table = table_of(3);

    (void)state;
    put(table, "a.test", STARTTLS_TLS, 1);
    put(table, "b.test", STARTTLS_TLS, 1);
    assert_int_equal(probe_table_entries(table), 2);
    put(table, "c.test", STARTTLS_TLS, 1);
    assert_int_equal(probe_table_entries(table), 3);
    assert_true(known(table, "a.test", 2)); /* used: no longer the oldest */
    put(table, "d.test", STARTTLS_TLS, 1);
    assert_int_equal(probe_table_entries(table), 3);
    assert_true(known(table, "a.test", 2));
    assert_false(known(table, "b.test", 2));
    assert_true(known(table, "c.test", 2) && known(table, "d.test", 2));
    probe_table_free(table);
}

static void lapses(void **state)
{
    struct probe_table *table = table_of(3);
    int64_t ms = put(table, MX, STARTTLS_SILENT, 100);

    (void)state;
    assert_true(known(table, MX, 100 + ms - 1));
    assert_false(known(table, MX, 100 + ms));
    probe_table_free(table);
}

static void strings_are_the_tables(void **state)
{
    struct probe_table *table = table_of(3);
    struct probe_key key = key_of(MX);
    char protocol[] = "TLSv1.3", detail[] = "in words";
    struct starttls_result result = {.state = STARTTLS_TLS, .protocol = protocol, .detail = detail};
    const struct starttls_result *got;

    (void)state;
    probe_table_put(table, &key, &(struct probe_moment){1, 1, false, 0}, &result);
    memset(protocol, 'x', sizeof protocol - 1);
    memset(detail, 'x', sizeof detail - 1);
    got = probe_table_get(table, &key, 2);
    assert_string_equal(got->protocol, "TLSv1.3");
    assert_string_equal(got->detail, "in words");
    assert_null(got->subject);
    assert_null(got->cipher);
    probe_table_free(table);
}

static void forgets_an_address(void **state)
{
    struct probe_table *table = table_of(10);
    struct ip ip, other, both[2];

    (void)state;
    assert_true(ip_parse(&ip, "127.0.0.1"));
    assert_true(ip_parse(&other, "127.0.0.2"));
    both[0] = other;
    both[1] = ip;
    put(table, "a.test", STARTTLS_SILENT, 1);
    put(table, "b.test", STARTTLS_TLS, 1);
    probe_table_forget(table, &other, 1);
    assert_int_equal(probe_table_entries(table), 2);
    probe_table_forget(table, both, 2);
    assert_int_equal(probe_table_entries(table), 0);
    probe_table_free(table);
}

int main(void)
{
    ROWS_ADD_TEST(keys);
    ROWS_ADD_TEST(key_limits);
    ROWS_ADD(life_cases, run_life_case);
    ROWS_ADD_TEST(good_answer_ends_back_off);
    ROWS_ADD_TEST(own_failure_is_short);
    ROWS_ADD_TEST(verified_ends_with_certificate);
    ROWS_ADD_TEST(lifetimes_vary);
    ROWS_ADD_TEST(bounded_oldest_first);
    ROWS_ADD_TEST(lapses);
    ROWS_ADD_TEST(strings_are_the_tables);
    ROWS_ADD_TEST(forgets_an_address);
    return rows_run("probe_table");
}
