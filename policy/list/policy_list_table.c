/* policy_list_table: see policy_list_table.h. */
#include "policy/list/policy_list_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"

#define ROOM_FIRST 16

bool policy_list_table_init(struct policy_list_table *table, size_t text_length)
{
    *table = (struct policy_list_table){.names_room = (uint32_t)text_length + 1};
    table->list = calloc(1, sizeof *table->list);
    if (table->list == NULL)
        return false;
    table->list->names = malloc(table->names_room); /* what is not used of it takes no memory */
    if (table->list->names == NULL)
        return false;
    table->list->names[0] = '\0';
    table->list->names_length = 1;
    return true;
}

void policy_list_table_fini(struct policy_list_table *table)
{
    policy_list_free(table->list);
    free(table->aliases);
    policy_list_index_fini(&table->by_policy);
    policy_list_index_fini(&table->by_alias);
    *table = (struct policy_list_table){0};
}

/* ---- room ---- */

/* An array with room for one more; NULL without memory, and then nothing has changed. */
static void *with_room(void *array, uint32_t count, uint32_t *room, size_t size)
{
    uint32_t larger = *room + (*room < ROOM_FIRST ? ROOM_FIRST : *room / 2);
    void *grown;

    if (count < *room)
        return array;
    grown = realloc(array, larger * size);
    if (grown != NULL)
        *room = larger;
    return grown;
}

/* The place of a string and its NUL in the block. */
static uint32_t add_name(struct policy_list_table *table, const char *text, size_t length)
{
    struct policy_list *list = table->list;
    uint32_t place = list->names_length;

    CHECK(length < table->names_room - place);
    memcpy(list->names + place, text, length);
    list->names[place + length] = '\0';
    list->names_length += (uint32_t)length + 1;
    return place;
}

void policy_list_table_author(struct policy_list_table *table, struct span author)
{
    table->author = add_name(table, author.text, author.length);
}

/* ---- domains ---- */

static uint32_t add_row(struct policy_list_table *table, struct span domain)
{
    struct policy_list *list = table->list;
    uint32_t hash = (uint32_t)hash_bytes(domain.text, domain.length);
    struct policy_list_row *rows =
        with_room(list->rows, list->row_count, &table->row_room, sizeof *rows);

    if (rows == NULL)
        return POLICY_LIST_NUMBER_NONE;
    list->rows = rows;
    if (!policy_list_index_add(&list->by_domain, hash, list->row_count))
        return POLICY_LIST_NUMBER_NONE;
    rows[list->row_count] =
        (struct policy_list_row){.domain = add_name(table, domain.text, domain.length)};
    return list->row_count++;
}

uint32_t policy_list_table_domain(struct policy_list_table *table, struct span domain, bool *is_new)
{
    uint32_t row = policy_list_row_of(table->list, domain);

    *is_new = row == POLICY_LIST_NUMBER_NONE;
    return *is_new ? add_row(table, domain) : row;
}

/* ---- policies ---- */

/* A policy without anything. */
static uint32_t add_policy(struct policy_list_table *table)
{
    struct policy_list *list = table->list;
    struct policy_list_policy *policies =
        with_room(list->policies, list->policy_count, &table->policy_room, sizeof *policies);

    if (policies == NULL)
        return POLICY_LIST_NUMBER_NONE;
    list->policies = policies;
    policies[list->policy_count] = (struct policy_list_policy){0};
    return list->policy_count++;
}

/* Appends the patterns to the block. */
static struct policy_list_policy write_draft(struct policy_list_table *table,
                                             const struct policy_list_draft *draft)
{
    struct policy_list_policy policy = {.mx = table->list->names_length,
                                        .mx_count = (uint16_t)draft->mx_count,
                                        .mode = (uint8_t)draft->mode};

    for (size_t i = 0; i < draft->mx_count; i++)
        add_name(table, draft->mx[i], strlen(draft->mx[i]));
    policy.mx_length = table->list->names_length - policy.mx;
    return policy;
}

static bool policies_equal(const struct policy_list *list, const struct policy_list_policy *a,
                           const struct policy_list_policy *b)
{
    return a->mode == b->mode && a->mx_length == b->mx_length &&
           memcmp(list->names + a->mx, list->names + b->mx, a->mx_length) == 0;
}

uint32_t policy_list_table_policy(struct policy_list_table *table,
                                  const struct policy_list_draft *draft)
{
    struct policy_list *list = table->list;
    struct policy_list_policy policy = write_draft(table, draft);
    uint32_t hash = (uint32_t)hash_bytes(list->names + policy.mx, policy.mx_length) ^ policy.mode;
    uint32_t at = 0, number;

    while (policy_list_index_next(&table->by_policy, hash, &at, &number))
        if (policies_equal(list, &policy, &list->policies[number])) {
            list->names_length = policy.mx;
            return number;
        }
    number = add_policy(table);
    if (number == POLICY_LIST_NUMBER_NONE ||
        !policy_list_index_add(&table->by_policy, hash, number))
        return POLICY_LIST_NUMBER_NONE;
    list->policies[number] = policy;
    return number;
}

/* ---- aliases ---- */

static uint32_t add_alias(struct policy_list_table *table, struct span name, uint32_t hash,
                          size_t used_at)
{
    struct policy_list_alias *aliases =
        with_room(table->aliases, table->alias_count, &table->alias_room, sizeof *aliases);
    uint32_t policy;

    if (aliases == NULL)
        return POLICY_LIST_NUMBER_NONE;
    table->aliases = aliases;
    policy = add_policy(table);
    if (policy == POLICY_LIST_NUMBER_NONE ||
        !policy_list_index_add(&table->by_alias, hash, table->alias_count))
        return POLICY_LIST_NUMBER_NONE;
    table->list->policies[policy].alias = add_name(table, name.text, name.length);
    aliases[table->alias_count] = (struct policy_list_alias){policy, (uint32_t)used_at};
    return table->alias_count++;
}

uint32_t policy_list_table_alias(struct policy_list_table *table, struct span name, size_t used_at)
{
    const struct policy_list *list = table->list;
    uint32_t hash = (uint32_t)hash_bytes(name.text, name.length), at = 0, alias;

    while (policy_list_index_next(&table->by_alias, hash, &at, &alias)) {
        const struct policy_list_policy *policy = &list->policies[table->aliases[alias].policy];

        if (span_is(name, list->names + policy->alias))
            return alias;
    }
    return add_alias(table, name, hash, used_at);
}

bool policy_list_table_is_defined(const struct policy_list_table *table, uint32_t alias)
{
    return table->list->policies[table->aliases[alias].policy].mode != LIST_NONE;
}

void policy_list_table_define(struct policy_list_table *table, uint32_t alias,
                              const struct policy_list_draft *draft)
{
    struct policy_list_policy *policy = &table->list->policies[table->aliases[alias].policy];
    uint32_t name = policy->alias;

    CHECK(!policy_list_table_is_defined(table, alias));
    *policy = write_draft(table, draft);
    policy->alias = name;
}

/* ---- the end ---- */

/* Cuts an array; where that fails it stays as it is. */
static void *cut(void *array, size_t size)
{
    void *less = size == 0 ? NULL : realloc(array, size);

    return less == NULL ? array : less;
}

struct policy_list *policy_list_table_take(struct policy_list_table *table)
{
    struct policy_list *list = table->list;

    list->names = cut(list->names, list->names_length);
    list->rows = cut(list->rows, list->row_count * sizeof *list->rows);
    list->policies = cut(list->policies, list->policy_count * sizeof *list->policies);
    list->header.author = table->author == 0 ? NULL : list->names + table->author;
    list->header.domains = list->row_count;
    list->header.aliases = table->alias_count;
    table->list = NULL;
    return list;
}
