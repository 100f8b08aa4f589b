/* The probe cache of results: keys, lifetimes and the store, as pure functions. */
#include "probe/smtp/probe_table.h"

#include "probe/smtp/probe_cache_uv.h"
#include "tests/unit/support/rows.h"

#define MX     "mx.example.test"
#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

static const struct probe_lifetimes lifetimes = {24 * HOUR, 15 * MINUTE, 6 * HOUR};

/* ---- keys ---- */

static bool same_key(const struct probe_subject *a, const struct probe_subject *b)
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
    struct probe_subject subject = {&ip, 25, MX, "base.test", tlsa, 2}, changed;

    (void)state;
    assert_true(ip_parse(&ip, "127.0.0.1"));
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
    changed.ip = &next;
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
    struct ip ip;
    struct probe_subject subject = {&ip, 25, name, other, NULL, 0};
    struct probe_key key;

    (void)state;
    assert_true(ip_parse(&ip, "2620:fe::fe"));
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

static struct probe_key key_of(const char *host)
{
    struct probe_key key;
    struct ip ip;

    assert_true(ip_parse(&ip, "127.0.0.1"));
    assert_true(probe_key_make(&key, &(struct probe_subject){.ip = &ip, .port = 25, .host = host}));
    return key;
}

static int64_t put(struct probe_table *store, const char *host, enum starttls state, int64_t now_ms)
{
    struct probe_key key = key_of(host);
    struct starttls_result result = {.state = state, .not_after = INT64_MAX};

    assert_true(
        probe_table_put(store, &key, &(struct probe_moment){now_ms, 1000, false, 0}, &result));
    assert_int_equal(result.probed_at, now_ms);
    return result.valid_until - now_ms;
}

static void expect_about(int64_t got, int64_t want)
{
    assert_in_range(got, want - want / 10, want + want / 10);
}

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
    struct probe_table *store = probe_table_new(10, &lifetimes);

    expect_about(put(store, MX, row->state, 1), row->first);
    expect_about(put(store, MX, row->state, 2), row->second);
    expect_about(put(store, MX, row->state, 3), row->third);
    put(store, MX, row->state, 4);
    put(store, MX, row->state, 5);
    expect_about(put(store, MX, row->state, 6), row->sixth);
    for (int i = 0; i < 100; i++)
        put(store, MX, row->state, 7 + i);
    expect_about(put(store, MX, row->state, 200), row->sixth);
    probe_table_free(store);
}

static void good_answer_ends_back_off(void **state)
{
    struct probe_table *store = probe_table_new(10, &lifetimes);

    (void)state;
    put(store, MX, STARTTLS_SILENT, 1);
    put(store, MX, STARTTLS_SILENT, 2);
    put(store, MX, STARTTLS_TLS, 3);
    expect_about(put(store, MX, STARTTLS_SILENT, 4), 15 * MINUTE);
    expect_about(put(store, MX, STARTTLS_SILENT, 5), 30 * MINUTE);
    probe_table_free(store);
}

/* Our own lack of descriptors is no failure of the host. */
static void own_failure_is_short(void **state)
{
    struct probe_table *store = probe_table_new(10, &lifetimes);
    struct probe_key key = key_of(MX);
    struct starttls_result result = {.state = STARTTLS_SILENT};

    (void)state;
    put(store, MX, STARTTLS_SILENT, 1);
    for (int i = 0; i < 5; i++)
        assert_true(
            probe_table_put(store, &key, &(struct probe_moment){10 + i, 1000, true, 0}, &result));
    expect_about(result.valid_until - 14, PROBE_RETRY_HERE_MS);
    expect_about(put(store, MX, STARTTLS_SILENT, 20), 30 * MINUTE);
    probe_table_free(store);
}

static void verified_ends_with_certificate(void **state)
{
    static const int64_t left_s[] = {100, 1, 0, -5, 30 * 3600, INT64_MAX - 1000};
    static const int64_t want_ms[] = {100000, 1000, 1000, 1000, 24 * HOUR, 24 * HOUR};
    struct probe_table *store = probe_table_new(10, &lifetimes);
    struct probe_key key = key_of(MX);

    (void)state;
    for (size_t i = 0; i < COUNT(left_s); i++) {
        struct starttls_result result = {.state = STARTTLS_VERIFIED, .not_after = 1000 + left_s[i]};

        probe_table_put(store, &key, &(struct probe_moment){5, 1000, false, 0}, &result);
        if (want_ms[i] < HOUR)
            assert_int_equal(result.valid_until, 5 + want_ms[i]);
        else
            expect_about(result.valid_until - 5, want_ms[i]);
    }
    probe_table_free(store);
}

static void lifetimes_vary(void **state)
{
    struct probe_table *store = probe_table_new(2000, &lifetimes);
    int64_t least = INT64_MAX, most = 0;
    char host[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t ms;

        snprintf(host, sizeof host, "mx%d.test", i);
        ms = put(store, host, STARTTLS_TLS, 1);
        expect_about(ms, 24 * HOUR);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_true(least < 24 * HOUR * 92 / 100);
    assert_true(most > 24 * HOUR * 108 / 100);
    probe_table_free(store);
}

/* ---- the store ---- */

static bool known(struct probe_table *store, const char *host, int64_t now_ms)
{
    struct probe_key key = key_of(host);

    return probe_table_get(store, &key, now_ms) != NULL;
}

static void bounded_oldest_first(void **state)
{
    struct probe_table *store = probe_table_new(3, &lifetimes);

    (void)state;
    put(store, "a.test", STARTTLS_TLS, 1);
    put(store, "b.test", STARTTLS_TLS, 1);
    assert_int_equal(probe_table_entries(store), 2);
    put(store, "c.test", STARTTLS_TLS, 1);
    assert_int_equal(probe_table_entries(store), 3);
    assert_true(known(store, "a.test", 2)); /* used: no longer the oldest */
    put(store, "d.test", STARTTLS_TLS, 1);
    assert_int_equal(probe_table_entries(store), 3);
    assert_true(known(store, "a.test", 2));
    assert_false(known(store, "b.test", 2));
    assert_true(known(store, "c.test", 2) && known(store, "d.test", 2));
    probe_table_free(store);
}

static void lapses(void **state)
{
    struct probe_table *store = probe_table_new(3, &lifetimes);
    int64_t ms = put(store, MX, STARTTLS_SILENT, 100);

    (void)state;
    assert_true(known(store, MX, 100 + ms - 1));
    assert_false(known(store, MX, 100 + ms));
    probe_table_free(store);
}

static void strings_are_the_stores(void **state)
{
    struct probe_table *store = probe_table_new(3, &lifetimes);
    struct probe_key key = key_of(MX);
    char protocol[] = "TLSv1.3", detail[] = "in words";
    struct starttls_result result = {.state = STARTTLS_TLS, .protocol = protocol, .detail = detail};
    const struct starttls_result *got;
    struct starttls_result copy;
    struct arena *arena = arena_new(4096);

    (void)state;
    probe_table_put(store, &key, &(struct probe_moment){1, 1, false, 0}, &result);
    memset(protocol, 'x', sizeof protocol - 1);
    memset(detail, 'x', sizeof detail - 1);
    got = probe_table_get(store, &key, 2);
    assert_string_equal(got->protocol, "TLSv1.3");
    assert_null(got->subject);
    assert_true(starttls_result_copy(&copy, arena, got));
    probe_table_free(store);
    assert_string_equal(copy.detail, "in words");
    assert_null(copy.cipher);
    arena_free(arena);
}

static void forgets_an_address(void **state)
{
    struct probe_table *store = probe_table_new(10, &lifetimes);
    struct ip ip, other, both[2];

    (void)state;
    assert_true(ip_parse(&ip, "127.0.0.1"));
    assert_true(ip_parse(&other, "127.0.0.2"));
    both[0] = other;
    both[1] = ip;
    put(store, "a.test", STARTTLS_SILENT, 1);
    put(store, "b.test", STARTTLS_TLS, 1);
    probe_table_forget(store, &other, 1);
    assert_int_equal(probe_table_entries(store), 2);
    probe_table_forget(store, both, 2);
    assert_int_equal(probe_table_entries(store), 0);
    probe_table_free(store);
}

/* ---- kept elsewhere ---- */

#define WALL        INT64_C(1000000)
#define STABLE_TLSA UINT64_C(0xb7f16f84b4c8c738)

static const uint8_t digest[32] = {1, 2, 3};
static const struct tlsa records[] = {{3, 1, 1, true, 32, digest}, {2, 0, 1, true, 32, digest}};

/* What probe_table_save gives of a result seen at 1000. */
static struct probe_saved sample(void)
{
    struct probe_saved saved = {
        .port = 25,
        .host = MX,
        .sni = "base.test",
        .tlsa = 42,
        .result = {.state = STARTTLS_VERIFIED,
                   .chain_ok = true,
                   .name_ok = true,
                   .probed_at = 1000,
                   .valid_until = HOUR,
                   .protocol = "TLSv1.3",
                   .cipher = "TLS_AES_256_GCM_SHA384",
                   .subject = MX,
                   .not_after = WALL + 86400},
    };

    assert_true(ip_parse(&saved.ip, "192.0.2.1"));
    return saved;
}

static enum loaded restore(struct probe_table *store, const struct probe_saved *saved)
{
    return probe_table_load(store, saved, &(struct probe_moment){2000, WALL, false, 0});
}

static void kept_and_restored_whole(void **state)
{
    struct probe_table *store = probe_table_new(3, &lifetimes), *other;
    struct arena *arena = arena_new(65536);
    struct probe_saved saved, again;
    struct probe_key key;
    struct ip ip;
    struct probe_subject subject = {&ip, 587, MX, NULL, records, 2};
    struct starttls_result result = {.state = STARTTLS_REFUSED,
                                     .code = 554,
                                     .requiretls = true,
                                     .expired = true,
                                     .detail = "not today"};
    const struct starttls_result *got;

    (void)state;
    assert_true(ip_parse(&ip, "2001:db8::1"));
    assert_true(probe_key_make(&key, &subject));
    assert_false(probe_table_save(store, arena, &key, &saved));
    for (int i = 1; i <= 3; i++)
        assert_true(probe_table_put(store, &key, &(struct probe_moment){i * HOUR, WALL, false, 0},
                                    &result));
    assert_true(probe_table_save(store, arena, &key, &saved));
    probe_table_free(store);
    assert_true(ip_equal(&saved.ip, &ip));
    assert_int_equal(saved.port, 587);
    assert_string_equal(saved.host, MX);
    assert_string_equal(saved.sni, "");
    assert_true(saved.tlsa != 0);
    assert_int_equal(saved.failures, 3);
    other = probe_table_new(3, &lifetimes);
    assert_true(probe_table_load(other, &saved, &(struct probe_moment){4 * HOUR, WALL, false, 0}));
    assert_true(probe_table_save(other, arena, &key, &again));
    assert_int_equal(again.failures, 3);
    assert_int_equal(again.tlsa, saved.tlsa);
    got = probe_table_get(other, &key, result.valid_until - 1);
    assert_non_null(got);
    assert_int_equal(got->state, STARTTLS_REFUSED);
    assert_int_equal(got->code, 554);
    assert_true(got->requiretls && !got->chain_ok && !got->name_ok && got->expired);
    assert_string_equal(got->detail, "not today");
    assert_null(got->protocol);
    assert_int_equal(got->probed_at, 3 * HOUR);
    assert_null(probe_table_get(other, &key, result.valid_until));
    probe_table_free(other);
    arena_free(arena);
}

static bool put_shown(struct probe_table *store, const struct probe_key *key, int64_t now_ms,
                      enum starttls state, const char *shown)
{
    struct starttls_result result = {.state = state,
                                     .chain_ok = state == STARTTLS_VERIFIED,
                                     .name_ok = true,
                                     .not_after = WALL + 10 * 86400,
                                     .shown = shown};

    assert_true(
        probe_table_put(store, key, &(struct probe_moment){now_ms, WALL, false, 0}, &result));
    assert_null(result.shown);
    return result.distrusted;
}

/* Trust anchors that change are told from a host that changes, over failures and a restart. */
static void the_certificate_that_verified_is_known_again(void **state)
{
    struct probe_table *store = probe_table_new(3, &lifetimes), *other;
    struct arena *arena = arena_new(65536);
    struct probe_saved saved;
    struct probe_key key;
    struct ip ip;
    struct probe_subject subject = {&ip, 25, MX, MX, NULL, 0};

    (void)state;
    assert_true(ip_parse(&ip, "192.0.2.1"));
    assert_true(probe_key_make(&key, &subject));
    assert_false(put_shown(store, &key, HOUR, STARTTLS_TLS, "a b"));
    assert_false(put_shown(store, &key, 2 * HOUR, STARTTLS_VERIFIED, "a b"));
    assert_false(put_shown(store, &key, 3 * HOUR, STARTTLS_TLS, "c b"));
    assert_false(put_shown(store, &key, 4 * HOUR, STARTTLS_TLS, "a -"));
    assert_false(put_shown(store, &key, 5 * HOUR, STARTTLS_SILENT, NULL));
    assert_true(put_shown(store, &key, 6 * HOUR, STARTTLS_TLS, "a b"));
    assert_true(put_shown(store, &key, 7 * HOUR, STARTTLS_TLS, "a b"));
    assert_true(probe_table_get(store, &key, 7 * HOUR)->distrusted);
    assert_true(probe_table_save(store, arena, &key, &saved));
    assert_string_equal(saved.result.verified_as, "a b");
    probe_table_free(store);
    other = probe_table_new(3, &lifetimes);
    assert_int_equal(
        probe_table_load(other, &saved, &(struct probe_moment){8 * HOUR, WALL, false, 0}),
        LOADED_NEW);
    assert_null(probe_table_get(other, &key, 8 * HOUR));
    assert_true(put_shown(other, &key, 9 * HOUR, STARTTLS_TLS, "a b"));
    assert_false(put_shown(other, &key, 10 * HOUR, STARTTLS_VERIFIED, "c d"));
    assert_false(put_shown(other, &key, 11 * HOUR, STARTTLS_TLS, "a b"));
    probe_table_free(other);
    arena_free(arena);
}

static void new_trust_anchors_end_what_was_judged(void **state)
{
    struct probe_table *store = probe_table_new(9, &lifetimes),
                       *other = probe_table_new(9, &lifetimes);
    static const struct {
        enum starttls state;
        bool ends;
    } rows[] = {{STARTTLS_VERIFIED, true},
                {STARTTLS_TLS, true},
                {STARTTLS_CLEAR, false},
                {STARTTLS_SILENT, false}};
    struct arena *arena = arena_new(65536);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ip ip = {4, {192, 0, 2, (uint8_t)i}};
        struct probe_subject subject = {&ip, 25, MX, MX, NULL, 0};
        struct probe_saved saved;
        struct probe_key key;

        assert_true(probe_key_make(&key, &subject));
        put_shown(store, &key, 1000, rows[i].state, "a b");
        assert_true(probe_table_save(store, arena, &key, &saved));
        probe_table_judge_again(store, 1000, 2000); /* seen at that moment: by the new ones */
        assert_non_null(probe_table_get(store, &key, 2000));
        probe_table_judge_again(store, 1001, 2000);
        assert_int_equal(probe_table_get(store, &key, 2000) == NULL, rows[i].ends);
        probe_table_judge_again(other, 1001, 2000);
        assert_int_equal(restore(other, &saved), LOADED_NEW);
        assert_int_equal(probe_table_get(other, &key, 2000) == NULL, rows[i].ends);
    }
    probe_table_free(store);
    probe_table_free(other);
    arena_free(arena);
}

/* The key of a TLSA set is on disks: it must never change. */
static void the_set_of_records_has_a_stable_key(void **state)
{
    struct probe_table *store = probe_table_new(3, &lifetimes);
    struct arena *arena = arena_new(65536);
    struct ip ip;
    struct probe_subject subject = {&ip, 25, MX, MX, records, 2};
    struct starttls_result result = {.state = STARTTLS_TLS};
    struct probe_saved saved;
    struct probe_key key;

    (void)state;
    assert_true(ip_parse(&ip, "192.0.2.1"));
    for (size_t count = 0; count <= 2; count += 2) {
        subject.tlsa_count = count;
        assert_true(probe_key_make(&key, &subject));
        probe_table_put(store, &key, &(struct probe_moment){1, WALL, false, 0}, &result);
        assert_true(probe_table_save(store, arena, &key, &saved));
        assert_true(saved.tlsa == (count == 0 ? 0 : STABLE_TLSA));
        assert_string_equal(saved.sni, MX);
    }
    probe_table_free(store);
    arena_free(arena);
}

static void the_later_result_wins(void **state)
{
    struct probe_table *store = probe_table_new(3, &lifetimes);
    struct probe_saved saved = sample(), earlier = sample(), later = sample();
    struct arena *arena = arena_new(65536);
    struct probe_key key;
    struct probe_saved got;

    (void)state;
    earlier.result.probed_at = 999;
    later.result.probed_at = 1101;
    earlier.result.state = later.result.state = STARTTLS_CLEAR;
    assert_true(
        probe_key_make(&key, &(struct probe_subject){&saved.ip, 25, MX, "base.test", NULL, 0}));
    assert_true(restore(store, &saved));
    assert_null(probe_table_get(store, &key, 2000)); /* of another set of records */
    saved.tlsa = earlier.tlsa = later.tlsa = 0;
    assert_true(restore(store, &saved));
    assert_true(restore(store, &earlier));
    saved.result.state = STARTTLS_CLEAR; /* the same moment */
    assert_true(restore(store, &saved));
    assert_int_equal(probe_table_get(store, &key, 2000)->state, STARTTLS_VERIFIED);
    assert_true(restore(store, &later));
    assert_int_equal(probe_table_get(store, &key, 2000)->state, STARTTLS_CLEAR);
    assert_true(probe_table_save(store, arena, &key, &got));
    assert_int_equal(got.result.probed_at, 1101);
    probe_table_free(store);
    arena_free(arena);
}

static void a_restored_result_is_bounded(void **state)
{
    struct probe_table *store = probe_table_new(3, &lifetimes);
    struct probe_saved saved = sample();
    char host[32];

    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(host, sizeof host, "mx%d.test", i);
        saved.host = host;
        assert_true(restore(store, &saved));
        assert_true(probe_table_entries(store) <= 3);
    }
    probe_table_free(store);
}

struct clamp_case {
    const char *name;
    enum starttls state;
    int64_t probed_at, valid_until, left_s; /* of the certificate */
    int64_t want_from, want_until;
};

/* Read at 2000. */
static const struct clamp_case clamp_cases[] = {
    {"restored as it was", STARTTLS_TLS, 1000, 3000, 0, 1000, 3000},
    {"restored from before the machine began", STARTTLS_TLS, -5000, 3000, 0, -5000, 3000},
    {"restored, seen in the future", STARTTLS_TLS, 9000, 9500, 0, 2000, 9500},
    {"restored, to live too long", STARTTLS_TLS, 1000, INT64_MAX, 0, 1000,
     1000 + 24 * HOUR + 24 * HOUR / 10},
    {"restored failure, to live too long", STARTTLS_SILENT, 1000, INT64_MAX, 0, 1000,
     1000 + 6 * HOUR + 6 * HOUR / 10},
    {"restored from the other end of time", STARTTLS_TLS, INT64_MIN, INT64_MAX, 0, INT64_MIN,
     INT64_MIN + 24 * HOUR + 24 * HOUR / 10},
    {"restored, the certificate ends", STARTTLS_VERIFIED, 1000, HOUR, 100, 1000, 102000},
    {"restored, the certificate has ended", STARTTLS_VERIFIED, 1000, HOUR, 0, 1000, 2000},
    {"restored, long ended", STARTTLS_VERIFIED, 1000, HOUR, -WALL, 1000, 2000},
};

static void run_clamp_case(void **state)
{
    const struct clamp_case *row = *state;
    struct probe_table *store = probe_table_new(3, &lifetimes);
    struct arena *arena = arena_new(4096);
    struct probe_saved saved = sample(), got;
    struct probe_key key;

    saved.tlsa = 0;
    saved.result.state = row->state;
    saved.result.probed_at = row->probed_at;
    saved.result.valid_until = row->valid_until;
    saved.result.not_after = WALL + row->left_s;
    assert_true(restore(store, &saved));
    assert_true(
        probe_key_make(&key, &(struct probe_subject){&saved.ip, 25, MX, "base.test", NULL, 0}));
    assert_true(probe_table_save(store, arena, &key, &got));
    assert_int_equal(got.result.probed_at, row->want_from);
    assert_int_equal(got.result.valid_until, row->want_until);
    probe_table_free(store);
    arena_free(arena);
}

static void what_nobody_keeps_is_refused(void **state)
{
    struct probe_table *store = probe_table_new(30, &lifetimes);
    static char longest[PROBE_WORDS_MAX + 2];

    (void)state;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct probe_saved saved = sample();                                                       \
        saved.change;                                                                              \
        if (restore(store, &saved))                                                                \
            fail_msg("taken: %s", #change);                                                        \
    } while (0)
    REFUSED(ip.family = 0);
    REFUSED(ip.family = 5);
    REFUSED(host = NULL);
    REFUSED(host = "");
    REFUSED(host = "MX.test");
    REFUSED(host = "a b.test");
    REFUSED(host = "192.0.2.1");
    REFUSED(sni = "=");
    REFUSED(sni = "a..test");
    REFUSED(result.state = STARTTLS_UNKNOWN);
    REFUSED(result.state = STARTTLS_VERIFIED + 1);
    REFUSED(result.chain_ok = false);
    REFUSED(result.name_ok = false);
    REFUSED(result.tlsa = TLSA_MATCH_MISMATCH + 1);
    REFUSED(result.code = -1);
    REFUSED(result.code = 1000);
    REFUSED(result.probed_at = 0);
    REFUSED(result.protocol = "\033[31m");
    REFUSED(result.cipher = "\n");
    REFUSED(result.subject = "\x80");
    memset(longest, 'x', sizeof longest - 1);
    REFUSED(result.detail = longest);
    assert_int_equal(probe_table_entries(store), 0);
    longest[PROBE_WORDS_MAX] = '\0';
    {
        struct probe_saved saved = sample();

        saved.result.detail = longest;
        saved.failures = 4000000000u;
        assert_true(restore(store, &saved));
        assert_int_equal(probe_table_entries(store), 1);
        saved.host = "skipped.test";
        saved.result.state = STARTTLS_SKIPPED;
        assert_true(restore(store, &saved));
        assert_int_equal(probe_table_entries(store), 1);
    }
    probe_table_free(store);
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
    ROWS_ADD_TEST(strings_are_the_stores);
    ROWS_ADD_TEST(forgets_an_address);
    ROWS_ADD_TEST(kept_and_restored_whole);
    ROWS_ADD_TEST(the_certificate_that_verified_is_known_again);
    ROWS_ADD_TEST(new_trust_anchors_end_what_was_judged);
    ROWS_ADD_TEST(the_set_of_records_has_a_stable_key);
    ROWS_ADD_TEST(the_later_result_wins);
    ROWS_ADD_TEST(a_restored_result_is_bounded);
    ROWS_ADD(clamp_cases, run_clamp_case);
    ROWS_ADD_TEST(what_nobody_keeps_is_refused);
    return rows_run("book");
}
