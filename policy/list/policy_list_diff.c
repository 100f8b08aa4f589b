/* policy_list_diff: two lists side by side, each in the order of its domains; see
 * policy_list_write.h. */
#include <stdlib.h>
#include <string.h>

#include "policy/list/policy_list_write.h"

static bool has_host(const struct policy_list_entry *entry, const char *host)
{
    const char *each = entry->mx;

    for (size_t i = 0; i < entry->mx_count; i++, each += strlen(each) + 1)
        if (strcmp(each, host) == 0)
            return true;
    return false;
}

static bool has_hosts_of(const struct policy_list_entry *entry,
                         const struct policy_list_entry *other)
{
    const char *host = other->mx;

    for (size_t i = 0; i < other->mx_count; i++, host += strlen(host) + 1)
        if (!has_host(entry, host))
            return false;
    return true;
}

bool policy_list_says_same(const struct policy_list_entry *a, const struct policy_list_entry *b)
{
    return a->mode == b->mode && has_hosts_of(a, b) && has_hosts_of(b, a);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The domains of a list, sorted, and NULL behind them; NULL without memory. The caller frees. */
static const char **sorted_domains(const struct policy_list *list)
{
    size_t count = policy_list_header(list)->domains, at = 0;
    const char **domains = calloc(count + 1, sizeof *domains);
    struct policy_list_entry entry;

    for (size_t i = 0; domains != NULL && policy_list_next(&entry, list, &at); i++)
        domains[i] = entry.domain;
    if (domains != NULL)
        qsort(domains, count, sizeof *domains, compare_names);
    return domains;
}

/* Less than 0 when `was` comes first. What has ended comes last. */
static int compare_heads(const char *was, const char *now)
{
    if (was == NULL || now == NULL)
        return (was == NULL) - (now == NULL);
    return strcmp(was, now);
}

bool policy_list_diff(const struct policy_list *was, const struct policy_list *now,
                      policy_list_on_change on_change, void *context)
{
    const char **old = sorted_domains(was), **new = sorted_domains(now);
    bool ok = old != NULL && new != NULL;
    struct policy_list_entry before, after;

    for (const char **a = old, **b = new; ok && (*a != NULL || *b != NULL);) {
        int order = compare_heads(*a, *b);

        if (order <= 0)
            policy_list_find(&before, was, *a++);
        if (order >= 0)
            policy_list_find(&after, now, *b++);
        if (order < 0)
            on_change(context, POLICY_LIST_REMOVED, &before, NULL);
        else if (order > 0)
            on_change(context, POLICY_LIST_ADDED, NULL, &after);
        else if (!policy_list_says_same(&before, &after))
            on_change(context, POLICY_LIST_CHANGED, &before, &after);
    }
    free(old);
    free(new);
    return ok;
}
