/* fair: see fair.h. */
#include "base/fair.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void fair_init(struct fair *fair, unsigned running_max, unsigned group_max)
{
    memset(fair, 0, sizeof *fair);
    list_init(&fair->ready);
    fair->running_max = running_max;
    fair->group_max = group_max;
}

void fair_fini(struct fair *fair)
{
    CHECK(fair->groups == NULL);
}

static size_t name_length(size_t length)
{
    return length > FAIR_GROUP_MAX ? FAIR_GROUP_MAX : length;
}

struct fair_group *fair_find(const struct fair *fair, const char *name, size_t length)
{
    struct fair_group *group;

    HASH_FIND(hh, fair->groups, name, (unsigned)name_length(length), group);
    return group;
}

static struct fair_group *group_get(struct fair *fair, const char *name, size_t length)
{
    struct fair_group *group = fair_find(fair, name, length);

    if (group != NULL)
        return group;
    length = name_length(length);
    group = calloc(1, sizeof *group);
    if (group == NULL)
        return NULL;
    memcpy(group->name, name, length);
    list_init(&group->turn);
    list_init(&group->waiting);
    HASH_ADD_KEYPTR(hh, fair->groups, group->name, (unsigned)length, group);
    if (!MAP_ADDED(group)) {
        free(group);
        return NULL;
    }
    return group;
}

/* Puts a group where it belongs after a change: in line, out of it, or away. */
static void group_settle(struct fair *fair, struct fair_group *group)
{
    bool ready = !list_empty(&group->waiting) && group->running < fair->group_max;

    if (ready && list_empty(&group->turn))
        list_append(&fair->ready, &group->turn);
    if (!ready)
        list_remove(&group->turn);
    if (group->members == 0) {
        HASH_DEL(fair->groups, group);
        free(group);
    }
}

bool fair_join(struct fair *fair, struct fair_member *member, const char *name, size_t length)
{
    struct fair_group *group = group_get(fair, name, length);

    if (group == NULL)
        return false;
    member->group = group;
    member->running = false;
    list_append(&group->waiting, &member->link);
    group->members++;
    fair->waiting++;
    group_settle(fair, group);
    return true;
}

struct fair_member *fair_next(struct fair *fair)
{
    struct fair_group *group;
    struct fair_member *member;

    if (fair->running >= fair->running_max || list_empty(&fair->ready))
        return NULL;
    group = LIST_ELEMENT(fair->ready.next, struct fair_group, turn);
    member = LIST_ELEMENT(group->waiting.next, struct fair_member, link);
    list_remove(&member->link);
    member->running = true;
    group->running++;
    fair->running++;
    fair->waiting--;
    list_remove(&group->turn); /* to the end of the line */
    group_settle(fair, group);
    return member;
}

void fair_again(struct fair *fair, struct fair_member *member)
{
    struct fair_group *group = member->group;

    member->running = false;
    list_append(&group->waiting, &member->link);
    group->running--;
    fair->running--;
    fair->waiting++;
    group_settle(fair, group);
}

void fair_leave(struct fair *fair, struct fair_member *member)
{
    struct fair_group *group = member->group;

    if (group == NULL)
        return;
    if (member->running) {
        group->running--;
        fair->running--;
    } else {
        list_remove(&member->link);
        fair->waiting--;
    }
    group->members--;
    member->group = NULL;
    group_settle(fair, group);
}
