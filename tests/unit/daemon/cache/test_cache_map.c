/* cache: bounds, segments, replacement (docs/conformance.md hostile 28). */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cache/cache_map.h"

static struct cache_entry *make(const char *name, enum verdict_level level, int64_t valid_until)
{
    struct verdict verdict;
    struct key key;

    key_parse(&key, name, strlen(name), 25);
    verdict_without_evidence(&verdict, REASON_KEY, valid_until);
    verdict.level = level;
    return cache_entry_new(&key, &verdict, NULL, 0);
}

static bool has(struct cache_map *map, const char *name)
{
    return cache_map_get(map, name, strlen(name)) != NULL;
}

static void put_and_use(void **state)
{
    struct cache_map *map = cache_map_new(100, 1 << 20);
    const struct cache_entry *entry;

    (void)state;
    assert_null(cache_map_use(map, "a.example", 9, 0));
    assert_non_null(cache_map_put(map, make("a.example", VERDICT_ENCRYPT, 1000), true));
    entry = cache_map_use(map, "a.example", 9, 999);
    assert_non_null(entry);
    assert_string_equal(cache_entry_answer(entry, FORM_PLAIN).text, "encrypt");
    assert_null(cache_map_use(map, "a.example", 9, 1000)); /* lapsed, but still there */
    assert_true(has(map, "a.example"));
    assert_non_null(cache_map_put(map, make("a.example", VERDICT_DANE_ONLY, 2000), true));
    assert_string_equal(
        cache_entry_answer(cache_map_use(map, "a.example", 9, 1000), FORM_PLAIN).text, "dane-only");
    assert_true(cache_map_remove(map, "a.example", 9));
    assert_false(cache_map_remove(map, "a.example", 9));
    cache_map_free(map);
}

static void no_opinion_cannot_push_out_what_protects(void **state)
{
    struct cache_map *map = cache_map_new(40, 1 << 24);
    struct cache_map_stats stats;
    char name[64];

    (void)state;
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "good%d.example", i);
        assert_non_null(cache_map_put(map, make(name, VERDICT_DANE_ONLY, 1000), true));
    }
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "random%d.example", i);
        assert_non_null(cache_map_put(map, make(name, VERDICT_NO_OPINION, 1000), true));
    }
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "good%d.example", i);
        assert_true(has(map, name));
    }
    cache_map_get_stats(map, &stats);
    assert_int_equal(stats.entries, 40);
    assert_int_equal(stats.negative_entries, 10);
    assert_int_equal(stats.evictions, 9990);
    assert_true(has(map, "random9999.example"));
    cache_map_free(map);
}

static void the_least_used_goes_first(void **state)
{
    struct cache_map *map = cache_map_new(4, 1 << 20); /* three that say something */

    (void)state;
    cache_map_put(map, make("a.example", VERDICT_ENCRYPT, 1000), true);
    cache_map_put(map, make("b.example", VERDICT_ENCRYPT, 1000), true);
    cache_map_put(map, make("c.example", VERDICT_ENCRYPT, 1000), true);
    assert_non_null(cache_map_use(map, "a.example", 9, 1));
    cache_map_put(map, make("d.example", VERDICT_ENCRYPT, 1000), true);
    assert_true(has(map, "a.example"));
    assert_false(has(map, "b.example"));
    cache_map_free(map);
}

static void octets_are_bounded_too(void **state)
{
    struct cache_map *map = cache_map_new(1000000, 65536);
    struct cache_map_stats stats;
    char name[64];

    (void)state;
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "name%d.example", i);
        assert_non_null(cache_map_put(map, make(name, VERDICT_ENCRYPT, 1000), true));
    }
    cache_map_get_stats(map, &stats);
    assert_in_range(stats.octets, 40000, 65536);
    cache_map_free(map);
}

static void one_that_is_too_large_does_not_stay(void **state)
{
    struct cache_entry *entry = make("a.example", VERDICT_ENCRYPT, 1000);
    struct cache_map_stats stats;
    struct cache_map *map;
    size_t octets = entry->size;

    (void)state;
    while (octets - octets / 4 < entry->size)
        octets++;
    map = cache_map_new(10, octets); /* the other quarter is not for it */
    assert_non_null(cache_map_put(map, entry, true));
    cache_map_free(map);
    map = cache_map_new(10, octets - 1);
    assert_null(cache_map_put(map, make("a.example", VERDICT_ENCRYPT, 1000), true));
    cache_map_get_stats(map, &stats);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.octets, 0);
    cache_map_free(map);
}

static void what_nobody_asks_for_takes_no_place(void **state)
{
    struct cache_map *map =
        cache_map_new(4, 1 << 20); /* three of them, and one without an opinion */

    (void)state;
    assert_non_null(cache_map_put(map, make("a.example", VERDICT_ENCRYPT, 1000), false));
    assert_non_null(cache_map_put(map, make("b.example", VERDICT_ENCRYPT, 1000), false));
    assert_non_null(cache_map_put(map, make("c.example", VERDICT_ENCRYPT, 1000), false));
    assert_null(cache_map_put(map, make("d.example", VERDICT_ENCRYPT, 1000), false));
    assert_true(has(map, "a.example") && has(map, "b.example") && has(map, "c.example"));
    assert_false(has(map, "d.example"));
    assert_non_null(cache_map_put(map, make("e.example", VERDICT_ENCRYPT, 1000), true));
    assert_false(has(map, "c.example"));
    assert_true(has(map, "a.example") && has(map, "b.example") && has(map, "e.example"));
    cache_map_free(map);
}

struct seen {
    unsigned char times[2000];
    unsigned count;
};

static void see(void *context, struct cache_entry *entry)
{
    struct seen *seen = context;

    seen->times[strtoul(entry->key + 1, NULL, 10)]++;
    seen->count++;
}

static void put_numbered(struct cache_map *map, unsigned from, unsigned to)
{
    char name[64];

    for (unsigned i = from; i < to; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        assert_non_null(cache_map_put(map, make(name, VERDICT_ENCRYPT, 1000), true));
    }
}

static void each_once(const struct seen *seen, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        assert_int_equal(seen->times[i], 1);
}

static void at_most_once(const struct seen *seen, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        assert_in_range(seen->times[i], 0, 1);
}

static void remove_numbered(struct cache_map *map, unsigned from, unsigned to)
{
    char name[64];

    for (unsigned i = from; i < to; i++)
        cache_map_remove(map, name, (size_t)snprintf(name, sizeof name, "n%u.example", i));
}

static void mark(void *context, struct cache_entry *entry)
{
    cache_map_mark(context, entry, true);
}

/* What is renewed between the steps pushes nobody out of the walk. */
static void a_walk_meets_each_once(void **state)
{
    struct cache_map *map = cache_map_new(10000, 1 << 24);
    struct seen seen = {0};
    struct map_walk walk = {0};
    unsigned steps = 0;

    (void)state;
    assert_true(cache_map_some(map, &walk, see, &seen));
    put_numbered(map, 0, 500);
    for (; !cache_map_some(map, &walk, see, &seen); steps++)
        put_numbered(map, steps * 7 % 500, steps * 7 % 500 + 1);
    assert_int_equal(seen.count, 500);
    each_once(&seen, 0, 500);
    cache_map_free(map);
}

/* The map doubles its buckets, and doubles them again. */
static void a_walk_goes_on_when_the_cache_grows(void **state)
{
    (void)state;
    for (unsigned after = 1; after < 200; after += 13) {
        struct cache_map *map = cache_map_new(10000, 1 << 24);
        struct seen seen = {0};
        struct map_walk walk = {0};

        put_numbered(map, 0, 200);
        for (unsigned steps = 1; !cache_map_some(map, &walk, see, &seen); steps++) {
            if (steps == after)
                put_numbered(map, 200, 600);
            if (steps == 2 * after)
                put_numbered(map, 600, 2000);
        }
        each_once(&seen, 0, 200);
        at_most_once(&seen, 200, 2000);
        cache_map_free(map);
    }
}

/* An empty map is made anew with few buckets, one of which holds what was met and what was not. */
static void a_walk_goes_on_when_the_cache_was_empty(void **state)
{
    (void)state;
    for (unsigned after = 1; after < 2000; after += 131) {
        struct cache_map *map = cache_map_new(10000, 1 << 24);
        struct seen seen = {0};
        struct map_walk walk = {0};

        put_numbered(map, 0, 2000);
        for (unsigned steps = 1; !cache_map_some(map, &walk, see, &seen); steps++)
            if (steps == after) {
                remove_numbered(map, 0, 2000);
                put_numbered(map, 0, 50);
            }
        each_once(&seen, 0, 50);
        at_most_once(&seen, 50, 2000);
        cache_map_free(map);
    }
}

/* What is marked comes up once, in whatever order; what is removed does not. */
static void what_is_marked_comes_up(void **state)
{
    struct cache_map *map = cache_map_new(10000, 1 << 24);
    struct seen seen = {0};
    struct cache_entry *entry, *first;

    (void)state;
    put_numbered(map, 0, 2000);
    assert_null(cache_map_next_marked(map));
    for (struct map_walk walk = {0}; !cache_map_some(map, &walk, mark, map);)
        ;
    remove_numbered(map, 0, 500);
    put_numbered(map, 500, 600); /* renewed: no longer marked */
    while ((entry = cache_map_next_marked(map)) != NULL)
        see(&seen, entry);
    assert_int_equal(seen.count, 1400);
    each_once(&seen, 600, 2000);

    first = cache_map_get(map, "n700.example", 12);
    cache_map_mark(map, first, true);
    cache_map_mark(map, first, true);
    cache_map_mark(map, cache_map_get(map, "n800.example", 12), true);
    entry = cache_map_next_marked(map);
    cache_map_mark(map, entry, true); /* again, and the other one is not kept waiting */
    assert_ptr_not_equal(cache_map_next_marked(map), entry);
    assert_ptr_equal(cache_map_next_marked(map), entry);
    assert_null(cache_map_next_marked(map));
    cache_map_free(map);
}

/* Once in each period, however often it is used. */
static void a_use_is_marked_once_in_a_while(void **state)
{
    struct cache_map *map = cache_map_new(10, 1 << 20);
    unsigned marked = 0;

    (void)state;
    cache_map_put(map, make("a.example", VERDICT_ENCRYPT, INT64_MAX), true);
    for (int64_t now = 0; now < 10 * CACHE_USE_NOTED_MS; now += CACHE_USE_NOTED_MS / 100) {
        assert_non_null(cache_map_use(map, "a.example", 9, now));
        marked += cache_map_next_marked(map) != NULL;
    }
    assert_in_range(marked, 9, 10);
    cache_map_free(map);
}

/* The forms share a text where they can, and each is what it is when rendered alone. */
static void answers_of_every_level_are_what_was_rendered(void **state)
{
    (void)state;
    for (int level = VERDICT_NO_OPINION; level <= VERDICT_TEMP; level++) {
        struct cache_entry *entry = make("a.example", (enum verdict_level)level, 1000);
        const struct verdict verdict = cache_entry_verdict(entry);

        for (unsigned form = 0; form < FORM_COUNT; form++) {
            const struct render_capabilities all = {form == FORM_TLSRPT, form == FORM_TCP_TABLE,
                                                    4000, form == FORM_SENDMAIL};
            struct answer answer = cache_entry_answer(entry, (enum answer_form)form);
            struct buf text;

            buf_init(&text, 4000);
            assert_int_equal(answer.status, render_verdict(&text, &verdict, NULL, &all));
            assert_int_equal(answer.length, text.length);
            assert_memory_equal(answer.text, buf_text(&text), text.length);
            buf_fini(&text);
        }
        cache_entry_free(entry);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_and_use),
        cmocka_unit_test(no_opinion_cannot_push_out_what_protects),
        cmocka_unit_test(the_least_used_goes_first),
        cmocka_unit_test(octets_are_bounded_too),
        cmocka_unit_test(one_that_is_too_large_does_not_stay),
        cmocka_unit_test(what_nobody_asks_for_takes_no_place),
        cmocka_unit_test(a_walk_meets_each_once),
        cmocka_unit_test(a_walk_goes_on_when_the_cache_grows),
        cmocka_unit_test(a_walk_goes_on_when_the_cache_was_empty),
        cmocka_unit_test(what_is_marked_comes_up),
        cmocka_unit_test(a_use_is_marked_once_in_a_while),
        cmocka_unit_test(answers_of_every_level_are_what_was_rendered),
    };

    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
