/* lists: the one that waits for min-age, whatever the source has meanwhile. */
#include "tests/unit/daemon/lists/lists_fixture.h"

#define LINE  "policy-list = FOLDER/list key=FOLDER/key min-age=30m\n"
#define MIN_S INT64_C(60)
#define USUAL ((struct times){-HOUR_S, 14 * DAY_S})
#define NEW   ((struct times){0, 14 * DAY_S})

static struct minisign_secret key;

/* A list of this domain alone, made now, is seen by the next look. */
static void publish(const char *domain, struct times times)
{
    char policies[256];

    snprintf(policies, sizeof policies, "\"%s\": {\"policy-alias\": \"ours\"}", domain);
    put_list("list", &key, times, policies);
    pass(70);
}

static void must_be_only(const char *domain)
{
    static const char *const all[] = {"a.example", "b.example", "c.example", "d.example"};
    struct list_evidence found;

    for (size_t i = 0; i < COUNT(all); i++)
        if (lists_find(&found, lists, all[i]) != (strcmp(domain, all[i]) == 0))
            fail_msg("want %s only; %s is wrong", domain, all[i]);
}

static int set_up(void **state)
{
    if (make_folder(state) != 0)
        return -1;
    key = make_key("key");
    put_list("list", &key, USUAL, ONE);
    start(LINE);
    return 0;
}

static int tear_down(void **state)
{
    stop();
    return drop_folder(state);
}

/* Every ten minutes or so, with half an hour to wait. */
static void a_list_comes_into_force_though_newer_ones_come(void **state)
{
    (void)state;
    publish("b.example", NEW);
    pass(9 * MIN_S);
    publish("c.example", NEW);
    must_be_only("a.example");
    must_be(0, "in-force", "min-age holds it");
    pass(9 * MIN_S);
    publish("d.example", NEW);
    must_be_only("a.example");
    pass(10 * MIN_S);
    must_be_only("b.example");
    assert_int_equal(changes, 1);
    must_be(0, "in-force", "min-age holds it"); /* the last */
    pass(20 * MIN_S);
    must_be_only("d.example"); /* nobody waited for c */
    assert_int_equal(changes, 2);
    must_be(0, "in-force", "");
}

/* That it was in force is on the disk, and its copy. */
static void a_list_that_waited_is_kept(void **state)
{
    (void)state;
    publish("b.example", NEW);
    unlink(in_folder("list"));
    pass(31 * MIN_S);
    must_be_only("b.example");
    must_be(0, "in-force", "No such file");
    stop();
    start(LINE);
    must_be_only("b.example");
    put_list("list", &key, (struct times){-HOUR_S, DAY_S}, ONE);
    pass(70);
    must_be(0, "in-force", "before");
    must_be_only("b.example");
}

static void a_list_that_expires_while_it_waits_is_not_used(void **state)
{
    struct lists_stats stats;

    (void)state;
    publish("b.example", (struct times){0, 20 * MIN_S});
    publish("c.example", NEW);
    pass(28 * MIN_S);
    must_be_only("a.example");
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.refused[LIST_REFUSAL_TIMES], 1);
    pass(2 * MIN_S);
    must_be_only("c.example");
}

static void an_older_one_takes_the_place_of_one_that_waits(void **state)
{
    (void)state;
    publish("b.example", NEW);
    publish("c.example", (struct times){-10 * MIN_S, 14 * DAY_S});
    pass(21 * MIN_S);
    must_be_only("c.example");
    pass(20 * MIN_S);
    must_be_only("c.example"); /* b is not there any more */
}

static void the_clock_may_jump_over_both(void **state)
{
    (void)state;
    publish("b.example", NEW);
    publish("c.example", NEW);
    set_clock(HOUR_S);
    must_be_only("c.example");
    assert_int_equal(changes, 2);
}

/* It is verified again at its time, or when the key is another. */
static void a_list_that_waits_goes_with_its_key(void **state)
{
    (void)state;
    publish("b.example", NEW);
    unlink(in_folder("list"));
    key = make_key("key");
    put_list("list", &key, (struct times){-30 * MIN_S, 14 * DAY_S}, ONE);
    pass(70);
    must_be_only("a.example");
    pass(HOUR_S);
    must_be_only("a.example");
    make_key("other");
    publish("c.example", NEW);
    reconfigure("policy-list = FOLDER/list key=FOLDER/other min-age=30m\n");
    pass(1);
    unlink(in_folder("list"));
    reconfigure(LINE);
    pass(HOUR_S);
    must_be_only("a.example"); /* from the copy */
}

static void another_min_age_counts_for_the_one_that_waits(void **state)
{
    (void)state;
    publish("b.example", NEW);
    unlink(in_folder("list"));
    reconfigure("policy-list = FOLDER/list key=FOLDER/key min-age=2h\n");
    pass(HOUR_S);
    must_be_only("a.example");
    reconfigure("policy-list = FOLDER/list key=FOLDER/key min-age=30m\n");
    pass(1);
    must_be_only("b.example");
}

static void a_reload_does_not_begin_the_wait_anew(void **state)
{
    (void)state;
    publish("b.example", NEW);
    publish("c.example", NEW);
    for (size_t i = 0; i < 29; i++) {
        reconfigure(LINE);
        pass(i % 2 == 0 ? MIN_S : 0);
    }
    pass(13 * MIN_S);
    must_be_only("b.example");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_list_comes_into_force_though_newer_ones_come),
        TEST(a_list_that_waited_is_kept),
        TEST(a_list_that_expires_while_it_waits_is_not_used),
        TEST(an_older_one_takes_the_place_of_one_that_waits),
        TEST(the_clock_may_jump_over_both),
        TEST(a_list_that_waits_goes_with_its_key),
        TEST(another_min_age_counts_for_the_one_that_waits),
        TEST(a_reload_does_not_begin_the_wait_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
