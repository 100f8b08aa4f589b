/*
 * How long what is held or remembered counts, and what is remembered next. The stories are
 * test_hold.c's.
 */
#include "tests/unit/support/rows.h"

#include "tests/unit/support/evidence_make.h"
#include "policy/decide/verdict.h"

#define MINUTE   INT64_C(60000)
#define NF       VERDICT_NO_OPINION
#define ENC      VERDICT_ENCRYPT
#define VER      VERDICT_VERIFY
#define H(hours) ((hours)*60)

static int64_t life_of(struct made *made, const struct remembered *memory, struct verdict *got)
{
    struct verdict_options options = make_options();

    made->evidence.complete = true;
    verdict_decide(got, &made->evidence, memory, &options, MAKE_NOW);
    return got->valid_until - MAKE_NOW;
}

static void test_held_is_probed_later_and_later(void **state)
{
    static const struct {
        int since, until, want; /* minutes ago, ahead, ahead */
    } rows[] = {{0, H(48), 15},       {10, H(47), 15},   {40, H(47), 20},  {H(4), H(44), H(2)},
                {H(20), H(28), H(6)}, {H(48) - 5, 5, 5}, {H(48) - 1, 1, 1}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct remembered memory = {.observed = VERDICT_ENCRYPT};
        struct verdict got;
        struct made made;

        memory.encrypt = (struct downgrade){MAKE_NOW - rows[i].since * MINUTE,
                                            MAKE_NOW + rows[i].until * MINUTE};
        make_evidence(&made, MX_LISTED, false, "N", 'n', "C");
        made.evidence.mx_ttl = made.hosts[0].ttl = made.evidence.sts.ttl = 86400;
        made.evidence.sts.state = STS_NOT_ASKED;
        assert_int_equal(life_of(&made, &memory, &got), rows[i].want * MINUTE);
        assert_int_equal(got.reason, REASON_HELD);
        assert_int_equal(got.refresh_at, MAKE_NOW + rows[i].want * MINUTE / 8 * 7);
    }
}

/* Half a second to go: neither the floor of ttl-min nor anything else reaches beyond it. */
static void test_held_ends_to_the_millisecond(void **state)
{
    struct remembered memory = {.observed = VERDICT_ENCRYPT,
                                .encrypt = {MAKE_NOW - 1000, MAKE_NOW + 500}};
    struct verdict got;
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'n', "C");
    assert_int_equal(life_of(&made, &memory, &got), 500);
    memory.encrypt.until = MAKE_NOW + 1;
    assert_int_equal(life_of(&made, &memory, &got), 1);
    memory.encrypt.until = MAKE_NOW;
    life_of(&made, &memory, &got);
    assert_int_equal(got.level, VERDICT_NO_OPINION);
}

static void test_dane_remembered_is_asked_soon(void **state)
{
    struct remembered memory = {.dane_only_until = MAKE_NOW + 30 * MINUTE, .dane_possible = true};
    struct verdict_options options = make_options();
    struct verdict got;
    struct made made;

    (void)state;
    make_evidence(&made, MX_ERROR, false, "", 'n', "");
    assert_int_equal(life_of(&made, &memory, &got), 60 * 1000);
    assert_int_equal(got.remembered.dane_only_until, memory.dane_only_until);
    memory.dane_only_until = MAKE_NOW + 1500;
    assert_int_equal(life_of(&made, &memory, &got), 1500);
    memory.dane_only_until = MAKE_NOW + 1;
    assert_int_equal(life_of(&made, &memory, &got), 1);
    assert_int_equal(got.level, VERDICT_DANE_ONLY);
    memory.dane_only_until = MAKE_NOW;
    life_of(&made, &memory, &got);
    assert_int_equal(got.level, VERDICT_TEMP);
    made.evidence.complete = false;
    made.evidence.mx = MX_UNKNOWN;
    memory.dane_only_until = MAKE_NOW + 500;
    verdict_decide(&got, &made.evidence, &memory, &options, MAKE_NOW);
    assert_int_equal(got.level, VERDICT_DANE_ONLY);
    assert_int_equal(got.valid_until, MAKE_NOW + 500);
}

static void test_sts_remembered_is_asked_soon(void **state)
{
    struct remembered memory = {.secure = true};
    struct verdict got;
    struct made made;

    (void)state;
    make_evidence(&made, MX_ERROR, false, "", 'E', "");
    assert_int_equal(life_of(&made, &memory, &got), 60 * 1000);
    made.evidence.sts.valid_until = MAKE_NOW + 700;
    assert_int_equal(life_of(&made, &memory, &got), 700);
    assert_int_equal(got.level, VERDICT_SECURE);
}

static void test_a_37_not_beyond_the_next_fetch(void **state)
{
    struct verdict got;
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'E', "");
    made.evidence.sts.refresh_at = MAKE_NOW + 7 * MINUTE;
    assert_int_equal(life_of(&made, NULL, &got), 7 * MINUTE);
    made.evidence.sts.refresh_at = MAKE_NOW + 3000;
    assert_int_equal(life_of(&made, NULL, &got), 60 * 1000); /* but for the floor */
    made.evidence.sts.refresh_at = MAKE_NOW;
    assert_int_equal(life_of(&made, NULL, &got), MAKE_TTL * 1000);
    made.evidence.sts.refresh_at = 0;
    assert_int_equal(life_of(&made, NULL, &got), MAKE_TTL * 1000);
}

static void test_shown_is_what_the_evidence_says(void **state)
{
    struct remembered memory = {.observed = VERDICT_VERIFY};
    struct verdict got;
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'n', "C");
    life_of(&made, &memory, &got);
    assert_int_equal(got.reason, REASON_HELD);
    assert_int_equal(got.shown_level, VERDICT_NO_OPINION);
    assert_int_equal(got.shown_reason, REASON_CLEAR);
    make_evidence(&made, MX_LISTED, false, "N", 'n', "V");
    life_of(&made, &memory, &got);
    assert_int_equal(got.shown_level, got.level);
    assert_int_equal(got.shown_reason, got.reason);
}

/* What a file or another machine gave: a hold that is to last for years lasts for 48 h. */
static void test_a_foreign_loss_is_bounded(void **state)
{
    struct remembered memory = {
        .observed = VERDICT_ENCRYPT,
        .encrypt = {MAKE_NOW - H(48) * MINUTE, MAKE_NOW + INT64_C(1000000) * MINUTE}};
    struct verdict got;
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'n', "C");
    life_of(&made, &memory, &got);
    assert_int_equal(got.level, VERDICT_NO_OPINION);
    assert_int_equal(got.remembered.observed, VERDICT_NO_OPINION);
    assert_int_equal(got.remembered.encrypt.since, 0);
}

/* The daemon's clock begins anew with the machine, so `since` may be later than it was. */
static void test_a_restart_does_not_wind_the_clock_up(void **state)
{
    const struct downgrade cut = {MAKE_NOW - H(1) * MINUTE, MAKE_NOW + H(10) * MINUTE};
    struct remembered memory = {.observed = VERDICT_VERIFY, .verify = cut, .encrypt = cut};
    struct verdict got;
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'n', "C");
    life_of(&made, &memory, &got);
    assert_int_equal(got.remembered.verify.until, cut.until);
    assert_int_equal(got.remembered.encrypt.until, cut.until);
    assert_int_equal(got.held.since, cut.since);
}

static void must_equal(const struct remembered *got, const struct remembered *want)
{
    assert_int_equal(got->observed, want->observed);
    assert_int_equal(got->verify.since, want->verify.since);
    assert_int_equal(got->verify.until, want->verify.until);
    assert_int_equal(got->encrypt.since, want->encrypt.since);
    assert_int_equal(got->encrypt.until, want->encrypt.until);
    assert_int_equal(got->dane_only_until, want->dane_only_until);
    assert_int_equal(got->dane_possible, want->dane_possible);
    assert_int_equal(got->secure, want->secure);
}

/* What was learnt without the store, and what that had: nothing is weaker than in either. */
static void test_joined_is_what_counts(void **state)
{
    static const struct downgrade first = {100, 1100}, second = {500, 1500};
    static const struct {
        struct remembered earlier, later, want;
    } cases[] = {
        {{.observed = VER}, {.observed = NF}, {.observed = VER}},
        {{.observed = NF}, {.observed = ENC}, {.observed = ENC}},
        {{.observed = VER}, {.observed = ENC, .encrypt = second}, {.observed = VER}},
        {{.observed = VER, .verify = first}, {.observed = ENC}, {.observed = VER, .verify = first}},
        {{.observed = ENC, .encrypt = first},
         {.observed = ENC, .encrypt = second},
         {.observed = ENC, .encrypt = first}},
        {{.observed = ENC, .encrypt = first},
         {.observed = ENC},
         {.observed = ENC}}, /* seen again */
        {{.dane_only_until = 10, .dane_possible = true, .secure = true},
         {.dane_only_until = 5},
         {.dane_only_until = 10, .dane_possible = true, .secure = true}},
        {{.dane_only_until = 5},
         {.dane_only_until = 10, .dane_possible = true, .secure = true},
         {.dane_only_until = 10, .dane_possible = true, .secure = true}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct remembered got = remembered_join(&cases[i].earlier, &cases[i].later);

        must_equal(&got, &cases[i].want);
    }
}

/* One column, as older stores have it: 0, a time to come, or one that is past. */
static void test_dane_is_stored_as_one_time(void **state)
{
    static const struct {
        struct remembered remembered;
        int64_t stored;
        bool spoke;
    } rows[] = {
        {{.dane_only_until = 0}, 0, false},
        {{.dane_only_until = 900}, 0, false},
        {{.dane_possible = true}, 1000, true},
        {{.dane_only_until = 900, .dane_possible = true}, 900, true},
        {{.dane_only_until = 5000, .dane_possible = true}, 5000, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct remembered back = {.secure = true};

        assert_int_equal(remembered_dane_until(&rows[i].remembered, 1000), rows[i].stored);
        remembered_set_dane_until(&back, rows[i].stored);
        assert_int_equal(back.dane_possible, rows[i].spoke);
        assert_int_equal(back.dane_only_until, rows[i].stored);
        assert_true(back.secure);
    }
}

int main(void)
{
    ROWS_ADD_TEST(test_held_is_probed_later_and_later);
    ROWS_ADD_TEST(test_held_ends_to_the_millisecond);
    ROWS_ADD_TEST(test_dane_remembered_is_asked_soon);
    ROWS_ADD_TEST(test_sts_remembered_is_asked_soon);
    ROWS_ADD_TEST(test_a_37_not_beyond_the_next_fetch);
    ROWS_ADD_TEST(test_shown_is_what_the_evidence_says);
    ROWS_ADD_TEST(test_a_foreign_loss_is_bounded);
    ROWS_ADD_TEST(test_a_restart_does_not_wind_the_clock_up);
    ROWS_ADD_TEST(test_joined_is_what_counts);
    ROWS_ADD_TEST(test_dane_is_stored_as_one_time);
    return rows_run("hold_life");
}
