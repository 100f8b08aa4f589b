/* probe_table: results that are saved elsewhere and loaded, and trust anchors that change. */
#include "probe/smtp/probe_table.h"

#include "base/arena.h"
#include "tests/unit/support/probe_table_fixture.h"

#define WALL        INT64_C(1000000)
#define STABLE_TLSA UINT64_C(0xb7f16f84b4c8c738)

static const uint8_t digest[32] = {1, 2, 3};
static const struct tlsa records[] = {{3, 1, 1, true, 32, digest}, {2, 0, 1, true, 32, digest}};

/* What probe_table_save gives, copied: it outlives the entry. */
static bool saved_as(const struct probe_table *table, struct arena *arena,
                     const struct probe_key *key, struct probe_saved *out)
{
    if (!probe_table_save(table, key, out))
        return false;
    out->host = arena_strdup(arena, out->host);
    out->sni = arena_strdup(arena, out->sni);
    out->result.protocol = arena_strdup(arena, out->result.protocol);
    out->result.cipher = arena_strdup(arena, out->result.cipher);
    out->result.subject = arena_strdup(arena, out->result.subject);
    out->result.detail = arena_strdup(arena, out->result.detail);
    out->result.verified_as = arena_strdup(arena, out->result.verified_as);
    return true;
}

/* What it gives of a result seen at 1000. */
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

static enum loaded load(struct probe_table *table, const struct probe_saved *saved)
{
    return probe_table_load(table, saved, &(struct probe_moment){2000, WALL, false, 0});
}

static void saved_and_loaded_whole(void **state)
{
    struct probe_table *table = table_of(3), *other;
    struct arena *arena = arena_new(65536);
    struct probe_saved saved, again;
    struct probe_key key;
    struct ip ip;
    struct smtp_target subject = {{0}, 587, MX, NULL, records, 2, {NULL}};
    struct starttls_result result = {.state = STARTTLS_REFUSED,
                                     .code = 554,
                                     .requiretls = true,
                                     .expired = true,
                                     .detail = "not today"};
    const struct starttls_result *got;

    (void)state;
    assert_true(ip_parse(&ip, "2001:db8::1"));
    subject.ip = ip;
    assert_true(probe_key_make(&key, &subject));
    assert_false(saved_as(table, arena, &key, &saved));
    for (int i = 1; i <= 3; i++)
        assert_true(probe_table_put(table, &key, &(struct probe_moment){i * HOUR, WALL, false, 0},
                                    &result));
    assert_true(saved_as(table, arena, &key, &saved));
    probe_table_free(table);
    assert_true(ip_equal(&saved.ip, &ip));
    assert_int_equal(saved.port, 587);
    assert_string_equal(saved.host, MX);
    assert_string_equal(saved.sni, "");
    assert_true(saved.tlsa != 0);
    assert_int_equal(saved.failures, 3);
    other = table_of(3);
    assert_true(probe_table_load(other, &saved, &(struct probe_moment){4 * HOUR, WALL, false, 0}));
    assert_true(saved_as(other, arena, &key, &again));
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

static bool put_shown(struct probe_table *table, const struct probe_key *key, int64_t now_ms,
                      enum starttls state, const char *shown)
{
    struct starttls_result result = {.state = state,
                                     .chain_ok = state == STARTTLS_VERIFIED,
                                     .name_ok = true,
                                     .not_after = WALL + 10 * 86400,
                                     .shown = shown};

    assert_true(
        probe_table_put(table, key, &(struct probe_moment){now_ms, WALL, false, 0}, &result));
    assert_null(result.shown);
    return result.distrusted;
}

/* Trust anchors that change are told from a host that changes, over failures and a restart. */
static void the_certificate_that_verified_is_known_again(void **state)
{
    struct probe_table *table = table_of(3), *other;
    struct arena *arena = arena_new(65536);
    struct probe_saved saved;
    struct probe_key key;
    struct ip ip;
    struct smtp_target subject = {{0}, 25, MX, MX, NULL, 0, {NULL}};

    (void)state;
    assert_true(ip_parse(&ip, "192.0.2.1"));
    subject.ip = ip;
    assert_true(probe_key_make(&key, &subject));
    assert_false(put_shown(table, &key, HOUR, STARTTLS_TLS, "a b"));
    assert_false(put_shown(table, &key, 2 * HOUR, STARTTLS_VERIFIED, "a b"));
    assert_false(put_shown(table, &key, 3 * HOUR, STARTTLS_TLS, "c b"));
    assert_false(put_shown(table, &key, 4 * HOUR, STARTTLS_TLS, "a -"));
    assert_false(put_shown(table, &key, 5 * HOUR, STARTTLS_SILENT, NULL));
    assert_true(put_shown(table, &key, 6 * HOUR, STARTTLS_TLS, "a b"));
    assert_true(put_shown(table, &key, 7 * HOUR, STARTTLS_TLS, "a b"));
    assert_true(probe_table_get(table, &key, 7 * HOUR)->distrusted);
    assert_true(saved_as(table, arena, &key, &saved));
    assert_string_equal(saved.result.verified_as, "a b");
    probe_table_free(table);
    other = table_of(3);
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

/* A probe that ends before the store was read does not know which certificate verified last. */
static void what_is_loaded_late_still_tells_the_certificate(void **state)
{
    struct probe_table *table = table_of(3), *other;
    struct arena *arena = arena_new(65536);
    struct smtp_target subject = {{4, {192, 0, 2, 1}}, 25, MX, MX, NULL, 0, {NULL}};
    struct probe_saved saved, later;
    struct probe_key key;

    (void)state;
    assert_true(probe_key_make(&key, &subject));
    put_shown(table, &key, HOUR, STARTTLS_VERIFIED, "a b");
    assert_true(saved_as(table, arena, &key, &saved));
    probe_table_free(table);
    other = table_of(3);
    assert_false(put_shown(other, &key, 2 * HOUR, STARTTLS_TLS, "a b"));
    assert_int_equal(load(other, &saved), LOADED_KNOWN);
    assert_null(probe_table_get(other, &key, 2 * HOUR)); /* is asked again, and then: */
    assert_true(put_shown(other, &key, 3 * HOUR, STARTTLS_TLS, "a b"));
    assert_false(put_shown(other, &key, 4 * HOUR, STARTTLS_VERIFIED, "c d"));
    assert_int_equal(load(other, &saved), LOADED_KNOWN); /* what verified later counts */
    assert_true(saved_as(other, arena, &key, &later));
    assert_string_equal(later.result.verified_as, "c d");
    assert_non_null(probe_table_get(other, &key, 4 * HOUR));
    probe_table_free(other);
    arena_free(arena);
}

static void new_trust_anchors_end_what_was_judged(void **state)
{
    struct probe_table *table = table_of(9), *other = table_of(9);
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
        struct smtp_target subject = {ip, 25, MX, MX, NULL, 0, {NULL}};
        struct probe_saved saved;
        struct probe_key key;

        assert_true(probe_key_make(&key, &subject));
        put_shown(table, &key, 1000, rows[i].state, "a b");
        assert_true(saved_as(table, arena, &key, &saved));
        probe_table_judge_again(table, 1000, 2000); /* seen at that moment: by the new ones */
        assert_non_null(probe_table_get(table, &key, 2000));
        probe_table_judge_again(table, 1001, 2000);
        assert_int_equal(probe_table_get(table, &key, 2000) == NULL, rows[i].ends);
        probe_table_judge_again(other, 1001, 2000);
        assert_int_equal(load(other, &saved), LOADED_NEW);
        assert_int_equal(probe_table_get(other, &key, 2000) == NULL, rows[i].ends);
    }
    probe_table_free(table);
    probe_table_free(other);
    arena_free(arena);
}

/* The key of a TLSA set is on disks: it must never change. */
static void the_set_of_records_has_a_stable_key(void **state)
{
    struct probe_table *table = table_of(3);
    struct arena *arena = arena_new(65536);
    struct ip ip;
    struct smtp_target subject = {{0}, 25, MX, MX, records, 2, {NULL}};
    struct starttls_result result = {.state = STARTTLS_TLS};
    struct probe_saved saved;
    struct probe_key key;

    (void)state;
    assert_true(ip_parse(&ip, "192.0.2.1"));
    subject.ip = ip;
    for (size_t count = 0; count <= 2; count += 2) {
        subject.tlsa_count = count;
        assert_true(probe_key_make(&key, &subject));
        probe_table_put(table, &key, &(struct probe_moment){1, WALL, false, 0}, &result);
        assert_true(saved_as(table, arena, &key, &saved));
        assert_true(saved.tlsa == (count == 0 ? 0 : STABLE_TLSA));
        assert_string_equal(saved.sni, MX);
    }
    probe_table_free(table);
    arena_free(arena);
}

static void the_later_result_wins(void **state)
{
    struct probe_table *table = table_of(3);
    struct probe_saved saved = sample(), earlier = sample(), later = sample();
    struct arena *arena = arena_new(65536);
    struct probe_key key;
    struct probe_saved got;

    (void)state;
    earlier.result.probed_at = 999;
    later.result.probed_at = 1101;
    earlier.result.state = later.result.state = STARTTLS_CLEAR;
    assert_true(probe_key_make(
        &key, &(struct smtp_target){saved.ip, 25, MX, "base.test", NULL, 0, {NULL}}));
    assert_true(load(table, &saved));
    assert_null(probe_table_get(table, &key, 2000)); /* of another set of records */
    saved.tlsa = earlier.tlsa = later.tlsa = 0;
    assert_true(load(table, &saved));
    assert_true(load(table, &earlier));
    saved.result.state = STARTTLS_CLEAR; /* the same moment */
    assert_true(load(table, &saved));
    assert_int_equal(probe_table_get(table, &key, 2000)->state, STARTTLS_VERIFIED);
    assert_true(load(table, &later));
    assert_int_equal(probe_table_get(table, &key, 2000)->state, STARTTLS_CLEAR);
    assert_true(saved_as(table, arena, &key, &got));
    assert_int_equal(got.result.probed_at, 1101);
    probe_table_free(table);
    arena_free(arena);
}

static void a_loaded_result_is_bounded(void **state)
{
    struct probe_table *table = table_of(3);
    struct probe_saved saved = sample();
    char host[32];

    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(host, sizeof host, "mx%d.test", i);
        saved.host = host;
        assert_true(load(table, &saved));
        assert_true(probe_table_entries(table) <= 3);
    }
    probe_table_free(table);
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
    struct probe_table *table = table_of(3);
    struct arena *arena = arena_new(4096);
    struct probe_saved saved = sample(), got;
    struct probe_key key;

    saved.tlsa = 0;
    saved.result.state = row->state;
    saved.result.probed_at = row->probed_at;
    saved.result.valid_until = row->valid_until;
    saved.result.not_after = WALL + row->left_s;
    assert_true(load(table, &saved));
    assert_true(probe_key_make(
        &key, &(struct smtp_target){saved.ip, 25, MX, "base.test", NULL, 0, {NULL}}));
    assert_true(saved_as(table, arena, &key, &got));
    assert_int_equal(got.result.probed_at, row->want_from);
    assert_int_equal(got.result.valid_until, row->want_until);
    probe_table_free(table);
    arena_free(arena);
}

static void what_is_never_saved_is_refused(void **state)
{
    struct probe_table *table = table_of(30);
    static char longest[PROBE_WORDS_MAX + 2];

    (void)state;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct probe_saved saved = sample();                                                       \
        saved.change;                                                                              \
        if (load(table, &saved))                                                                   \
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
    assert_int_equal(probe_table_entries(table), 0);
    longest[PROBE_WORDS_MAX] = '\0';
    {
        struct probe_saved saved = sample();

        saved.result.detail = longest;
        saved.failures = 4000000000u;
        assert_true(load(table, &saved));
        assert_int_equal(probe_table_entries(table), 1);
        saved.host = "skipped.test";
        saved.result.state = STARTTLS_SKIPPED;
        assert_true(load(table, &saved));
        assert_int_equal(probe_table_entries(table), 1);
    }
    probe_table_free(table);
}

int main(void)
{
    ROWS_ADD_TEST(saved_and_loaded_whole);
    ROWS_ADD_TEST(the_certificate_that_verified_is_known_again);
    ROWS_ADD_TEST(what_is_loaded_late_still_tells_the_certificate);
    ROWS_ADD_TEST(new_trust_anchors_end_what_was_judged);
    ROWS_ADD_TEST(the_set_of_records_has_a_stable_key);
    ROWS_ADD_TEST(the_later_result_wins);
    ROWS_ADD_TEST(a_loaded_result_is_bounded);
    ROWS_ADD(clamp_cases, run_clamp_case);
    ROWS_ADD_TEST(what_is_never_saved_is_refused);
    return rows_run("probe_saved");
}
