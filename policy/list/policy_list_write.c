/*
 * policy_list_write: see policy_list_write.h.
 *
 * An alias is written with the policy of the first entry that names it; an entry that names it and
 * says something else is written with its own policy. Without memory `out` has failed.
 */
#include "policy/list/policy_list_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* What is written, and in which order. */
struct order {
    const struct policy_list_entry **by_domain; /* owned */
    const struct policy_list_entry **aliases;   /* owned: for each alias one entry, by its name */
    const char **hosts;                         /* owned: room for those of any entry */
    size_t count, alias_count;
};

/* ---- order ---- */

static int compare_domains(const void *a, const void *b)
{
    const struct policy_list_entry *const *left = a, *const *right = b;

    return strcmp((*left)->domain, (*right)->domain);
}

/* By alias, then by domain. */
static int compare_aliases(const void *a, const void *b)
{
    const struct policy_list_entry *const *left = a, *const *right = b;
    int result = strcmp((*left)->alias, (*right)->alias);

    return result != 0 ? result : compare_domains(a, b);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void order_aliases(struct order *order)
{
    const struct policy_list_entry **aliases = order->aliases;
    size_t named = 0;

    for (size_t i = 0; i < order->count; i++)
        if (order->by_domain[i]->alias != NULL)
            aliases[named++] = order->by_domain[i];
    qsort(aliases, named, sizeof *aliases, compare_aliases);
    for (size_t i = 0; i < named; i++)
        if (i == 0 || strcmp(aliases[i]->alias, aliases[order->alias_count - 1]->alias) != 0)
            aliases[order->alias_count++] = aliases[i];
}

/* False without memory. */
static bool order_init(struct order *order, const struct policy_list_entry *entries, size_t count)
{
    size_t hosts = 0;

    for (size_t i = 0; i < count; i++)
        if (entries[i].mx_count > hosts)
            hosts = entries[i].mx_count;
    order->count = count;
    order->by_domain = calloc(count + 1, sizeof(void *));
    order->aliases = calloc(count + 1, sizeof(void *));
    order->hosts = calloc(hosts + 1, sizeof(char *));
    if (order->by_domain == NULL || order->aliases == NULL || order->hosts == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        order->by_domain[i] = &entries[i];
    qsort(order->by_domain, count, sizeof(void *), compare_domains);
    order_aliases(order);
    return true;
}

static void order_fini(struct order *order)
{
    free(order->by_domain);
    free(order->aliases);
    free(order->hosts);
}

/* ---- text ---- */

/* What needs an escape in JSON and may be here: printable text has no control characters. */
static void write_string(struct buf *out, const char *text)
{
    buf_adds(out, "\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buf_adds(out, "\\");
        buf_add(out, text, 1);
    }
    buf_adds(out, "\"");
}

/* "*.example.com" is ".example.com" in a list. */
static void write_host(struct buf *out, const char *pattern)
{
    buf_addf(out, "\"%s\"", pattern[0] == '*' ? pattern + 1 : pattern);
}

static void write_policy(struct buf *out, const struct order *order,
                         const struct policy_list_entry *entry)
{
    const char *host = entry->mx;

    CHECK(entry->mode != LIST_NONE);
    for (size_t i = 0; i < entry->mx_count; i++, host += strlen(host) + 1)
        order->hosts[i] = host;
    qsort(order->hosts, entry->mx_count, sizeof *order->hosts, compare_texts);
    buf_addf(out, "{\"mode\": \"%s\", \"mxs\": [",
             entry->mode == LIST_ENFORCE ? "enforce" : "testing");
    for (size_t i = 0; i < entry->mx_count; i++) {
        if (i > 0 && strcmp(order->hosts[i], order->hosts[i - 1]) == 0)
            continue;
        buf_adds(out, i == 0 ? "" : ", ");
        write_host(out, order->hosts[i]);
    }
    buf_adds(out, "]}");
}

static void write_header(struct buf *out, const struct policy_list_header *header)
{
    char time[POLICY_LIST_TIME_SIZE];

    buf_addf(out, "{\n  \"timestamp\": \"%s\",\n",
             policy_list_time_text(time, header->timestamp_s));
    buf_addf(out, "  \"expires\": \"%s\",\n", policy_list_time_text(time, header->expires_s));
    buf_adds(out, "  \"version\": \"0.1\",\n");
    if (header->author == NULL)
        return;
    buf_adds(out, "  \"author\": ");
    write_string(out, header->author);
    buf_adds(out, ",\n");
}

static void write_aliases(struct buf *out, const struct order *order)
{
    buf_adds(out, "  \"policy-aliases\": {");
    for (size_t i = 0; i < order->alias_count; i++) {
        buf_adds(out, i == 0 ? "\n    " : ",\n    ");
        write_string(out, order->aliases[i]->alias);
        buf_adds(out, ": ");
        write_policy(out, order, order->aliases[i]);
    }
    buf_adds(out, order->alias_count == 0 ? "},\n" : "\n  },\n");
}

/* Whether the alias of an entry stands for what the entry says. */
static bool alias_fits(const struct order *order, const struct policy_list_entry *entry)
{
    const struct policy_list_entry *const *alias;
    size_t low = 0, high = order->alias_count;

    if (entry->alias == NULL)
        return false;
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(order->aliases[middle]->alias, entry->alias) <= 0)
            low = middle;
        else
            high = middle;
    }
    alias = &order->aliases[low];
    return policy_list_says_same(*alias, entry);
}

static void write_policies(struct buf *out, const struct order *order)
{
    buf_adds(out, "  \"policies\": {");
    for (size_t i = 0; i < order->count; i++) {
        const struct policy_list_entry *entry = order->by_domain[i];

        buf_addf(out, "%s\n    \"%s\": ", i == 0 ? "" : ",", entry->domain);
        if (!alias_fits(order, entry)) {
            write_policy(out, order, entry);
            continue;
        }
        buf_adds(out, "{\"policy-alias\": ");
        write_string(out, entry->alias);
        buf_adds(out, "}");
    }
    buf_adds(out, order->count == 0 ? "}\n}\n" : "\n  }\n}\n");
}

void policy_list_write(struct buf *out, const struct policy_list_header *header,
                       const struct policy_list_entry *entries, size_t count)
{
    struct order order = {0};

    if (order_init(&order, entries, count)) {
        write_header(out, header);
        write_aliases(out, &order);
        write_policies(out, &order);
    } else {
        out->failed = true;
    }
    order_fini(&order);
}
