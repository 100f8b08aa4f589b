/* hashmap: finding, removing, and walks that changes come between. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define ITEMS 3000

struct item {
    int other; /* so that the link is not first */
    struct hashmap_link link;
    unsigned met;
    char key[16];
};

struct world {
    struct hashmap map;
    struct item items[ITEMS];
    bool there[ITEMS];
};

static struct world *world_new(void)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    hashmap_init(&world->map, offsetof(struct item, key) - offsetof(struct item, link));
    return world;
}

static void world_free(struct world *world)
{
    hashmap_fini(&world->map);
    free(world);
}

static size_t key_of(char key[16], unsigned number)
{
    return (size_t)snprintf(key, 16, "n%u", number);
}

static void add(struct world *world, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        struct item *item = &world->items[i];

        assert_true(hashmap_add(&world->map, &item->link, key_of(item->key, i)));
        world->there[i] = true;
    }
}

static void take_out(struct world *world, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        hashmap_remove(&world->map, &world->items[i].link);
        world->there[i] = false;
    }
}

static void check_all(const struct world *world)
{
    size_t count = 0;
    char key[16];

    for (unsigned i = 0; i < ITEMS; i++) {
        const struct hashmap_link *link = hashmap_find(&world->map, key, key_of(key, i));

        assert_ptr_equal(link, world->there[i] ? &world->items[i].link : NULL);
        count += world->there[i];
    }
    assert_int_equal(world->map.count, count);
}

static bool step(struct world *world, struct map_walk *walk)
{
    struct hashmap_link *link = NULL;

    if (!hashmap_step(&world->map, walk, &link))
        return false;
    for (; link != NULL; link = link->next)
        HASHMAP_ELEMENT(link, struct item, link)->met++;
    return true;
}

static void elements_come_and_go(void **state)
{
    struct world *world = world_new();

    (void)state;
    check_all(world);
    add(world, 0, ITEMS);
    check_all(world);
    take_out(world, 100, 2500);
    check_all(world);
    add(world, 1000, 1100);
    check_all(world);
    take_out(world, 0, 100);
    take_out(world, 1000, 1100);
    take_out(world, 2500, ITEMS);
    check_all(world);
    world_free(world);
}

/* A key may have any octets, and a prefix of a key is another key. */
static void keys_are_octets(void **state)
{
    struct world *world = world_new();
    struct item *item = &world->items[0];

    (void)state;
    memcpy(item->key, "a\0b", 4);
    assert_true(hashmap_add(&world->map, &item->link, 4));
    assert_ptr_equal(hashmap_find(&world->map, "a\0b", 4), &item->link);
    assert_null(hashmap_find(&world->map, "a\0b", 3));
    assert_null(hashmap_find(&world->map, "a\0c", 4));
    assert_null(hashmap_find(&world->map, "", 0));
    world_free(world);
}

static void a_walk_meets_each_once(void **state)
{
    struct world *world = world_new();
    struct map_walk walk = {0};

    (void)state;
    assert_false(step(world, &walk));
    add(world, 0, ITEMS);
    while (step(world, &walk))
        ;
    for (unsigned i = 0; i < ITEMS; i++)
        assert_int_equal(world->items[i].met, 1);
    assert_false(step(world, &walk));
    world_free(world);
}

/* The buckets double during the walk, elements come, go, and come back. */
static void a_walk_goes_on_through_changes(void **state)
{
    (void)state;
    for (unsigned after = 1; after < 200; after += 13) {
        struct world *world = world_new();
        struct map_walk walk = {0};

        add(world, 0, 300);
        for (unsigned steps = 1; step(world, &walk); steps++) {
            if (steps == after)
                add(world, 300, 900);
            if (steps == after + 1) {
                take_out(world, 200, 400);
                add(world, 200, 250);
            }
            if (steps == 2 * after)
                add(world, 900, ITEMS);
        }
        for (unsigned i = 0; i < ITEMS; i++)
            assert_in_range(world->items[i].met, i < 200 ? 1 : 0, 1);
        world_free(world);
    }
}

/* The map is emptied during the walk, and filled with what was met and what was not. */
static void a_walk_goes_on_after_the_map_was_empty(void **state)
{
    (void)state;
    for (unsigned after = 1; after < 1000; after += 131) {
        struct world *world = world_new();
        struct map_walk walk = {0};

        add(world, 0, ITEMS);
        for (unsigned steps = 1; step(world, &walk); steps++)
            if (steps == after) {
                take_out(world, 0, ITEMS);
                add(world, 0, 50);
            }
        for (unsigned i = 0; i < ITEMS; i++)
            assert_in_range(world->items[i].met, i < 50 ? 1 : 0, 1);
        world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_and_go),
        cmocka_unit_test(keys_are_octets),
        cmocka_unit_test(a_walk_meets_each_once),
        cmocka_unit_test(a_walk_goes_on_through_changes),
        cmocka_unit_test(a_walk_goes_on_after_the_map_was_empty),
    };

    return cmocka_run_group_tests_name("hashmap", tests, NULL, NULL);
}
