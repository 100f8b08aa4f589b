/* share_frame, share_text: what lies in the share is what was put there, by one of the farm. */
#include "tests/unit/support/unit.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/share/share_frame.h"
#include "daemon/share/share_text.h"
#include "tests/unit/support/record_make.h"

#define NAME "mxcrypt:1:a:example.org"

static const struct share_key no_key = {.length = 0};
static const struct share_key key = {MAC_KEY_MIN, "0123456789abcdef0123456789abcdef"};
static const struct share_key other = {MAC_KEY_MIN, "0123456789abcdef0123456789abcdeF"};

/* ---- frames ---- */

static void write_frame(struct buf *out, const struct share_key *with, const char *text)
{
    buf_init(out, SHARE_VALUE_MAX);
    assert_true(share_frame_write(out, with, NAME, 0xabc, text, strlen(text)));
}

static const char *read_frame(const struct share_key *with, const char *name, const struct buf *in)
{
    struct share_frame frame;

    return share_frame_read(&frame, with, name, in->data, in->length);
}

static void a_frame_is_what_was_written(void **state)
{
    const struct share_key *const keys[] = {&no_key, &key};

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct share_frame frame;
        struct buf value;

        write_frame(&value, keys[i], "{\"a\": 1}");
        assert_null(share_frame_read(&frame, keys[i], NAME, value.data, value.length));
        assert_string_equal(frame.mark, "0000000000000abc");
        assert_int_equal(frame.length, 8);
        assert_memory_equal(frame.text, "{\"a\": 1}", 8);
        buf_fini(&value);
    }
}

static void a_frame_of_somebody_else(void **state)
{
    struct buf with, without;

    (void)state;
    write_frame(&with, &key, "{}");
    write_frame(&without, &no_key, "{}");
    assert_non_null(read_frame(&other, NAME, &with));
    assert_non_null(read_frame(&key, "mxcrypt:1:a:example.net", &with));
    assert_non_null(read_frame(&key, NAME, &without));
    assert_non_null(read_frame(&no_key, NAME, &with));
    buf_fini(&with);
    buf_fini(&without);
}

/* Any one octet changed, or left out at the end, is noticed where there is a key. */
static void every_octet_counts(void **state)
{
    struct buf value;

    (void)state;
    write_frame(&value, &key, "{\"text\": \"of the record\"}");
    assert_null(read_frame(&key, NAME, &value));
    for (size_t i = 0; i < value.length; i++) {
        struct buf cut = {.data = value.data, .length = i};

        assert_non_null(read_frame(&key, NAME, &cut));
        value.data[i] ^= 1;
        assert_non_null(read_frame(&key, NAME, &value));
        value.data[i] ^= 1;
    }
    buf_fini(&value);
}

static void values_that_are_no_frames(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        "0123456789abcdef",
        "0123456789abcdef ",
        "0123456789abcdef -",
        "0123456789abcdef  {}",
        "0123456789ABCDEF - {}",
        "0123456789abcde - {}",
        "0123456789abcdef0 - {}",
        "0123456789abcdef + {}",
        "0123456789abcdef -- {}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct share_frame frame;

        assert_non_null(share_frame_read(&frame, &no_key, NAME, rows[i], strlen(rows[i])));
    }
}

static void a_text_has_a_limit(void **state)
{
    char *text = calloc(1, SHARE_TEXT_MAX + 2);
    struct buf value;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', SHARE_TEXT_MAX + 1);
    buf_init(&value, SHARE_VALUE_MAX);
    assert_true(share_frame_write(&value, &no_key, NAME, 1, text, SHARE_TEXT_MAX));
    assert_null(read_frame(&no_key, NAME, &value));
    buf_clear(&value);
    assert_false(share_frame_write(&value, &no_key, NAME, 1, text, SHARE_TEXT_MAX + 1));
    buf_fini(&value);
    free(text);
}

/* ---- texts ---- */

static void records_come_back(void **state)
{
    const struct record records[] = {make_answer("example.org"), make_saved_policy("example.org"),
                                     make_probe("192.0.2.1", "mx.example.org")};

    (void)state;
    for (size_t i = 0; i < COUNT(records); i++) {
        struct arena *arena = arena_new(1000000);
        char *text = share_record_write(&records[i]), *again;
        struct record *back;

        assert_null(share_record_read(&back, arena, text, strlen(text)));
        again = share_record_write(back);
        assert_string_equal(again, text);
        free(text);
        free(again);
        arena_free(arena);
    }
}

static void words_come_back(void **state)
{
    static const char *const wrong[] = {
        "",
        "null",
        "{}",
        "[1,2]",
        "{\"forgotten\":1}",
        "{\"forgotten\":1,\"released\":\"2\"}",
        "{\"forgotten\":1,\"released\":2,\"more\":3}",
        "{\"forgotten\":1,\"released\":2,\"released\":3}",
        "{\"forgotten\":-1,\"released\":2}",
        "{\"forgotten\":1,\"released\":253402300800001}",
        "{\"forgotten\":1,\"released\":1e3}",
    };
    struct share_word word = {MAKE_WALL, 0}, back;
    char *text = share_word_write(&word);

    (void)state;
    assert_null(share_word_read(&back, text, strlen(text)));
    assert_int_equal(back.forgotten_at, MAKE_WALL);
    assert_int_equal(back.released_at, 0);
    free(text);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_non_null(share_word_read(&back, wrong[i], strlen(wrong[i])));
}

static void news_come_back(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"news\":\"answer\",\"relay\":\"mx1\",\"name\":\"example.org\"}",
        "{\"news\":\"party\",\"relay\":\"mx1\",\"name\":\"example.org\",\"at\":1}",
        "{\"news\":\"answer\",\"relay\":\"\",\"name\":\"example.org\",\"at\":1}",
        "{\"news\":\"answer\",\"relay\":\"a b\",\"name\":\"example.org\",\"at\":1}",
        "{\"news\":\"answer\",\"relay\":\"mx1\",\"name\":\"Example.org\",\"at\":1}",
        "{\"news\":\"answer\",\"relay\":\"mx1\",\"name\":\"192.0.2.1\",\"at\":1}",
        "{\"news\":\"answer\",\"relay\":\"mx1\",\"name\":\"\",\"at\":1}",
        "{\"news\":\"reload\",\"relay\":\"mx1\",\"name\":\"example.org\",\"at\":1}",
        "{\"news\":\"answer\",\"relay\":\"mx1\",\"name\":\"example.org\",\"at\":-1}",
        "{\"news\":\"answer\",\"relay\":\"mx1\",\"name\":\"example.org\",\"at\":1,\"x\":1}",
    };
    struct arena *arena = arena_new(100000);
    struct share_news back;

    (void)state;
    for (unsigned kind = 0; kind < SHARE_NEWS_KINDS; kind++) {
        const struct share_news news = {(enum share_news_kind)kind, "mx-1.example_a",
                                        kind == SHARE_NEWS_RELOAD ? "" : "[mx.example.org]:587",
                                        MAKE_WALL};
        char *text = share_news_write(&news);

        assert_null(share_news_read(&back, arena, text, strlen(text)));
        assert_int_equal(back.kind, kind);
        assert_string_equal(back.relay, news.relay);
        assert_string_equal(back.name, news.name);
        assert_int_equal(back.at, MAKE_WALL);
        free(text);
    }
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_non_null(share_news_read(&back, arena, wrong[i], strlen(wrong[i])));
    arena_free(arena);
}

#define RELAY                                                                                      \
    "{\"relay\":\"a\",\"version\":\"1\",\"rules\":\"0000000000000000\",\"settings\":1,"            \
    "\"monitor\":true,\"rollout\":1,\"at\":1,\"news_at\":1"

static void relays_come_back(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "{\"relay\":\"a "
        "b\",\"version\":\"1\",\"rules\":\"0000000000000000\",\"settings\":1,\"monitor\":true,"
        "\"rollout\":1,\"at\":1,\"news_at\":1}",
        "{\"relay\":\"a\",\"version\":\"1\",\"rules\":\"00000000\",\"settings\":1,\"monitor\":true,"
        "\"rollout\":1,\"at\":1,\"news_at\":1}",
        "{\"relay\":\"a\",\"version\":\"1\",\"rules\":\"0000000000000000\",\"settings\":1,"
        "\"monitor\":true,"
        "\"rollout\":101,\"at\":1,\"news_at\":1}",
        "{\"relay\":\"a\",\"version\":\"1\",\"rules\":\"0000000000000000\",\"settings\":1,"
        "\"monitor\":1,"
        "\"rollout\":1,\"at\":1,\"news_at\":1}",
        "{\"relay\":\"a\",\"version\":\"1\",\"rules\":\"0000000000000000\",\"settings\":1,"
        "\"monitor\":true,"
        "\"rollout\":1,\"at\":-1,\"news_at\":1}",
        "{\"relay\":\"a\",\"version\":\"1\",\"rules\":\"0000000000000000\",\"settings\":4294967296,"
        "\"monitor\":true,\"rollout\":1,\"at\":1,\"news_at\":1}",
        RELAY ",\"skew_ms\":\"1\"}",
        RELAY ",\"skew_ms\":9223372036854775807}",
    };
    const struct share_relay relay = {.name = "mx1",
                                      .version = "0.1.0",
                                      .rules = UINT64_C(0xfedcba9876543210),
                                      .settings = UINT32_MAX,
                                      .monitor = true,
                                      .rollout = 100,
                                      .at = MAKE_WALL,
                                      .news_at = MAKE_WALL - 1,
                                      .skew_ms = -4000};
    char *text = share_relay_write(&relay), *again;
    struct share_relay back;

    (void)state;
    assert_null(share_relay_read(&back, text, strlen(text)));
    again = share_relay_write(&back);
    assert_string_equal(again, text);
    free(text);
    free(again);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_non_null(share_relay_read(&back, wrong[i], strlen(wrong[i])));
}

/* As an earlier version writes it, or a later one. */
static void relays_of_other_versions(void **state)
{
    static const char earlier[] = RELAY "}", later[] = RELAY ",\"more\":[1]}";
    struct share_relay relay;

    (void)state;
    assert_null(share_relay_read(&relay, earlier, strlen(earlier)));
    assert_int_equal(relay.skew_ms, 0);
    assert_null(share_relay_read(&relay, later, strlen(later)));
}

static void names_of_relays(void **state)
{
    char name[SHARE_RELAY_MAX + 2];

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[SHARE_RELAY_MAX + 1] = '\0';
    assert_false(share_relay_valid(name));
    assert_true(share_relay_valid(name + 1));
    assert_false(share_relay_valid("a\nb"));
}

/* ---- joining ---- */

#define DAY (INT64_C(86400) * 1000)

static struct record answer_at(int64_t at, enum verdict_level observed)
{
    struct record record = make_answer("example.org");

    record.answer.decided_at = at;
    record.answer.remembered.observed = observed;
    return record;
}

static void the_later_evidence_and_what_either_proved(void **state)
{
    struct record early = answer_at(MAKE_WALL, VERDICT_VERIFY);
    struct record late = answer_at(MAKE_WALL + 1000, VERDICT_ENCRYPT);
    const struct share_word none = {0, 0};

    (void)state;
    early.answer.dane_until = MAKE_WALL + 5000;
    early.answer.remembered.secure = true;
    late.answer.level = VERDICT_NO_OPINION;
    for (int order = 0; order < 2; order++) {
        const struct record *ours = order == 0 ? &early : &late;
        const struct record *theirs = order == 0 ? &late : &early;
        struct record joined = share_join(ours, theirs, &none);

        assert_int_equal(joined.answer.decided_at, MAKE_WALL + 1000);
        assert_int_equal(joined.answer.level, VERDICT_NO_OPINION);
        assert_int_equal(joined.answer.remembered.observed, VERDICT_VERIFY);
        assert_int_equal(joined.answer.dane_until, MAKE_WALL + 5000);
        assert_true(joined.answer.remembered.secure);
    }
}

/* A downgrade that both know goes on as it began, and one that is over is over. */
static void holds_are_joined(void **state)
{
    struct record early = answer_at(MAKE_WALL, VERDICT_VERIFY);
    struct record late = answer_at(MAKE_WALL + 1000, VERDICT_VERIFY);
    const struct share_word none = {0, 0};
    struct record joined;

    (void)state;
    early.answer.remembered.verify = (struct downgrade){MAKE_WALL, MAKE_WALL + DAY};
    joined = share_join(&late, &early, &none);
    assert_int_equal(joined.answer.remembered.verify.since, 0); /* it recovered */
    late.answer.remembered.verify = (struct downgrade){MAKE_WALL + 1000, MAKE_WALL + 1000 + DAY};
    joined = share_join(&late, &early, &none);
    assert_int_equal(joined.answer.remembered.verify.since, MAKE_WALL);
}

static void a_word_ends_what_came_before_it(void **state)
{
    static const struct {
        struct share_word word;
        enum verdict_level observed;
        bool secure;
    } rows[] = {
        {{0, 0}, VERDICT_VERIFY, true},
        {{MAKE_WALL - 1, MAKE_WALL - 1}, VERDICT_VERIFY, true},
        {{0, MAKE_WALL}, VERDICT_ENCRYPT, true},
        {{MAKE_WALL, 0}, VERDICT_ENCRYPT, false},
        {{0, MAKE_WALL + 1000}, VERDICT_NO_OPINION, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record early = answer_at(MAKE_WALL, VERDICT_VERIFY);
        struct record late = answer_at(MAKE_WALL + 1000, VERDICT_ENCRYPT);
        struct record joined;

        early.answer.remembered.secure = true;
        joined = share_join(&late, &early, &rows[i].word);
        assert_int_equal(joined.answer.remembered.observed, rows[i].observed);
        assert_int_equal(joined.answer.remembered.secure, rows[i].secure);
    }
}

/* Of a relay that looked it up after that, but had not heard of it. */
static void a_word_ends_a_hold_that_began_before_it(void **state)
{
    static const struct {
        struct share_word word;
        enum verdict_level observed;
    } rows[] = {
        {{0, 0}, VERDICT_VERIFY},
        {{0, MAKE_WALL - 1}, VERDICT_VERIFY},
        {{0, MAKE_WALL}, VERDICT_NO_OPINION},
        {{MAKE_WALL - 1, 0}, VERDICT_VERIFY},
        {{MAKE_WALL, 0}, VERDICT_NO_OPINION},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record held = answer_at(MAKE_WALL + 1000, VERDICT_VERIFY);

        held.answer.remembered.verify =
            (struct downgrade){.since = MAKE_WALL, .until = MAKE_WALL + 3600000};
        assert_true(share_word_apply(&held, &rows[i].word));
        assert_int_equal(held.answer.remembered.observed, rows[i].observed);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_ends_a_hold_that_began_before_it),
        cmocka_unit_test(a_frame_is_what_was_written),
        cmocka_unit_test(a_frame_of_somebody_else),
        cmocka_unit_test(every_octet_counts),
        cmocka_unit_test(values_that_are_no_frames),
        cmocka_unit_test(a_text_has_a_limit),
        cmocka_unit_test(records_come_back),
        cmocka_unit_test(words_come_back),
        cmocka_unit_test(news_come_back),
        cmocka_unit_test(relays_come_back),
        cmocka_unit_test(relays_of_other_versions),
        cmocka_unit_test(names_of_relays),
        cmocka_unit_test(the_later_evidence_and_what_either_proved),
        cmocka_unit_test(holds_are_joined),
        cmocka_unit_test(a_word_ends_what_came_before_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
