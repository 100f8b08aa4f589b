/* pace: how many lookups begin, and how many are under way. */
#include "survey/pace.h"

#include "tests/unit/support/unit.h"

static struct pace make(unsigned most)
{
    struct pace pace;

    pace_init(&pace, most);
    return pace;
}

/* As many as may begin do; their number. */
static unsigned begin(struct pace *pace, unsigned *under_way)
{
    unsigned count = 0;

    while (pace_room(pace, *under_way) > 0) {
        pace_began(pace);
        ++*under_way;
        count++;
    }
    return count;
}

static void few_begin_at_once(void **state)
{
    struct pace pace = make(1024);
    unsigned under_way = 0;

    (void)state;
    assert_int_equal(begin(&pace, &under_way), PACE_YOUNG_MAX);
    pace_ended(&pace, pace.turn, false, 0);
    under_way--;
    assert_int_equal(begin(&pace, &under_way), 1);
}

/* What is awaited for long makes room once, not when it ends as well: those that are answered at
 * once do not become more with every question that was lost. */
static void the_old_make_room_once(void **state)
{
    struct pace pace = make(1024);
    unsigned under_way = 0, turn = pace.turn;

    (void)state;
    begin(&pace, &under_way);
    pace_ended(&pace, turn, false, 0);
    under_way--;
    pace_turn(&pace);
    assert_int_equal(begin(&pace, &under_way), 1); /* the others are young still */
    pace_ended(&pace, turn, false, 0);
    under_way--;
    pace_turn(&pace);
    assert_int_equal(begin(&pace, &under_way), PACE_YOUNG_MAX - 1);
    pace_ended(&pace, turn, false, 0);
    under_way--;
    assert_int_equal(begin(&pace, &under_way), 0);
}

static void a_standstill_lets_none_begin(void **state)
{
    struct pace pace = make(1024);
    unsigned under_way = 0;

    (void)state;
    begin(&pace, &under_way);
    for (int i = 0; i < 100; i++)
        pace_turn(&pace);
    assert_int_equal(begin(&pace, &under_way), 0);
}

/* Nothing is saved up. */
static void a_pause_lets_no_more_begin(void **state)
{
    struct pace pace = make(1024);
    unsigned under_way = 0;

    (void)state;
    begin(&pace, &under_way);
    for (unsigned i = 0; i < 100; i++) {
        pace_ended(&pace, 0, false, 0);
        pace_turn(&pace);
    }
    under_way = 0;
    assert_int_equal(begin(&pace, &under_way), PACE_YOUNG_MAX);
}

static void the_window_is_kept(void **state)
{
    struct pace pace = make(1024);
    unsigned under_way = 0;

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        begin(&pace, &under_way);
        pace_ended(&pace, pace.turn - 2, false, 0);
        pace_turn(&pace);
    }
    assert_int_equal(under_way, PACE_WINDOW_FIRST + 1);
}

static void it_grows_with_answers(void **state)
{
    struct pace pace = make(300);

    (void)state;
    for (int i = 0; i < 10 * PACE_GROWS_AFTER; i++)
        pace_ended(&pace, 0, false, i);
    assert_int_equal(pace.window, PACE_WINDOW_FIRST + 10);
    for (int i = 0; i < 200 * PACE_GROWS_AFTER; i++)
        pace_ended(&pace, 0, false, i);
    assert_int_equal(pace.window, 300);
}

static void it_shrinks_with_time_outs(void **state)
{
    struct pace pace = make(1024);

    (void)state;
    pace_ended(&pace, 0, true, 0);
    assert_int_equal(pace.window, PACE_WINDOW_FIRST * 3 / 4);
    pace_ended(&pace, 0, true, PACE_SHRINK_MS - 1); /* of the same trouble */
    assert_int_equal(pace.window, PACE_WINDOW_FIRST * 3 / 4);
    pace_ended(&pace, 0, true, PACE_SHRINK_MS);
    assert_int_equal(pace.window, PACE_WINDOW_FIRST * 9 / 16);
    for (int64_t i = 2; i < 100; i++)
        pace_ended(&pace, 0, true, i * PACE_SHRINK_MS);
    assert_int_equal(pace.window, PACE_WINDOW_MIN);
}

static void a_small_window(void **state)
{
    struct pace pace = make(2);

    (void)state;
    assert_int_equal(pace.window, 2);
    for (int64_t i = 0; i < 10; i++)
        pace_ended(&pace, 0, true, i * PACE_SHRINK_MS);
    assert_int_equal(pace.window, 2);
    assert_int_equal(pace_room(&pace, 2), 0);
    assert_int_equal(pace_room(&pace, 3), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_begin_at_once),
        cmocka_unit_test(the_old_make_room_once),
        cmocka_unit_test(a_standstill_lets_none_begin),
        cmocka_unit_test(a_pause_lets_no_more_begin),
        cmocka_unit_test(the_window_is_kept),
        cmocka_unit_test(it_grows_with_answers),
        cmocka_unit_test(it_shrinks_with_time_outs),
        cmocka_unit_test(a_small_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
