/* policy_list: see policy_list.h and policy_list_table.h. */
#include "policy/list/policy_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "policy/list/policy_list_table.h"

void policy_list_free(struct policy_list *list)
{
    if (list == NULL)
        return;
    policy_list_index_fini(&list->by_domain);
    free(list->names);
    free(list->rows);
    free(list->policies);
    free(list);
}

const struct policy_list_header *policy_list_header(const struct policy_list *list)
{
    return &list->header;
}

void policy_list_entry_of(struct policy_list_entry *out, const struct policy_list *list,
                          uint32_t row)
{
    const struct policy_list_policy *policy = &list->policies[list->rows[row].policy];

    *out = (struct policy_list_entry){
        .domain = list->names + list->rows[row].domain,
        .alias = policy->alias == 0 ? NULL : list->names + policy->alias,
        .mode = (enum list_mode)policy->mode,
        .mx = list->names + policy->mx,
        .mx_count = policy->mx_count,
    };
}

uint32_t policy_list_row_of(const struct policy_list *list, struct span domain)
{
    uint32_t hash = (uint32_t)hash_bytes(domain.text, domain.length), at = 0, row;

    while (policy_list_index_next(&list->by_domain, hash, &at, &row))
        if (span_is(domain, list->names + list->rows[row].domain))
            return row;
    return POLICY_LIST_NUMBER_NONE;
}

bool policy_list_find(struct policy_list_entry *out, const struct policy_list *list,
                      const char *domain)
{
    uint32_t row = policy_list_row_of(list, (struct span){domain, strlen(domain)});

    if (row == POLICY_LIST_NUMBER_NONE)
        return false;
    policy_list_entry_of(out, list, row);
    return true;
}

bool policy_list_next(struct policy_list_entry *out, const struct policy_list *list, size_t *at)
{
    if (*at >= list->row_count)
        return false;
    policy_list_entry_of(out, list, (uint32_t)(*at)++);
    return true;
}

size_t policy_list_octets(const struct policy_list *list)
{
    return sizeof *list + list->names_length + list->row_count * sizeof *list->rows +
           list->policy_count * sizeof *list->policies +
           list->by_domain.size * sizeof *list->by_domain.slots;
}
