/* fair: caps, turns, leaving (docs/conformance.md hostile 27). */
#include "tests/unit/support/unit.h"

#include <string.h>

#include "base/fair.h"

struct member {
    struct fair_member member;
    char group;
};

static void join(struct fair *fair, struct member *member, char group)
{
    memset(member, 0, sizeof *member);
    member->group = group;
    assert_true(fair_join(fair, &member->member, &group, 1));
}

/* The group of the next member that may run; '-' when none may. */
static char next(struct fair *fair)
{
    struct fair_member *member = fair_next(fair);

    return member == NULL ? '-' : LIST_ELEMENT(member, struct member, member)->group;
}

static void groups_take_turns(void **state)
{
    struct fair fair;
    struct member a[3], b[2];

    (void)state;
    fair_init(&fair, 100, 100);
    for (int i = 0; i < 3; i++)
        join(&fair, &a[i], 'a');
    for (int i = 0; i < 2; i++)
        join(&fair, &b[i], 'b');
    assert_int_equal(next(&fair), 'a');
    assert_int_equal(next(&fair), 'b');
    assert_int_equal(next(&fair), 'a');
    assert_int_equal(next(&fair), 'b');
    assert_int_equal(next(&fair), 'a');
    assert_int_equal(next(&fair), '-');
    for (int i = 0; i < 3; i++)
        fair_leave(&fair, &a[i].member);
    for (int i = 0; i < 2; i++)
        fair_leave(&fair, &b[i].member);
    assert_int_equal(fair.running, 0);
    fair_fini(&fair);
}

static void caps(void **state)
{
    struct fair fair;
    struct member a[4], b[2];

    (void)state;
    fair_init(&fair, 3, 2);
    for (int i = 0; i < 4; i++)
        join(&fair, &a[i], 'a');
    assert_int_equal(next(&fair), 'a');
    assert_int_equal(next(&fair), 'a');
    assert_int_equal(next(&fair), '-'); /* the group's cap */
    join(&fair, &b[0], 'b');
    join(&fair, &b[1], 'b');
    assert_int_equal(next(&fair), 'b');
    assert_int_equal(next(&fair), '-'); /* the cap of all */
    fair_leave(&fair, &a[0].member);
    assert_int_equal(next(&fair), 'b');
    fair_leave(&fair, &a[1].member);
    assert_int_equal(next(&fair), 'a');
    fair_leave(&fair, &a[3].member); /* one that waits */
    fair_leave(&fair, &a[3].member); /* twice is harmless */
    fair_leave(&fair, &a[2].member);
    fair_leave(&fair, &b[0].member);
    fair_leave(&fair, &b[1].member);
    assert_int_equal(fair.waiting, 0);
    assert_int_equal(fair.running, 0);
    fair_fini(&fair);
}

/* A member that ran waits behind the others of its group; what is counted per group stays. */
static void again(void **state)
{
    struct fair fair;
    struct member a[2];

    (void)state;
    fair_init(&fair, 1, 1);
    assert_null(fair_find(&fair, "a", 1));
    join(&fair, &a[0], 'a');
    fair_find(&fair, "a", 1)->load = 7;
    assert_ptr_equal(fair_next(&fair), &a[0].member);
    fair_again(&fair, &a[0].member);
    assert_int_equal(fair.running, 0);
    assert_int_equal(fair.waiting, 1);
    join(&fair, &a[1], 'a');
    assert_ptr_equal(fair_next(&fair), &a[0].member);
    fair_again(&fair, &a[0].member);
    assert_ptr_equal(fair_next(&fair), &a[1].member);
    assert_null(fair_next(&fair));
    fair_leave(&fair, &a[1].member);
    assert_ptr_equal(fair_next(&fair), &a[0].member);
    assert_int_equal(fair_find(&fair, "a", 1)->load, 7);
    fair_leave(&fair, &a[0].member);
    assert_null(fair_find(&fair, "a", 1));
    fair_fini(&fair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_take_turns),
        cmocka_unit_test(caps),
        cmocka_unit_test(again),
    };

    return cmocka_run_group_tests_name("fair", tests, NULL, NULL);
}
