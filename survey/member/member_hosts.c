/* member_hosts: the hosts of an entry; see member.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net/base_domain.h"
#include "base/net/hostname.h"
#include "survey/member/member.h"

/* Behind the first label; NULL when that is all. */
static const char *parent_of(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot == NULL ? NULL : dot + 1;
}

/* Whether names below it belong to one owner: it has two labels, and is no public suffix. */
static bool may_fold(const char *parent)
{
    char below[HOSTNAME_MAX + 3];

    if (hostname_labels(parent, strlen(parent)) < 2)
        return false;
    snprintf(below, sizeof below, "x.%s", parent);
    return base_domain(below) != below;
}

static int by_parent(const void *a, const void *b)
{
    const char *one = *(const char *const *)a, *other = *(const char *const *)b;
    int order = strcmp(parent_of(one), parent_of(other));

    return order != 0 ? order : strcmp(one, other);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How many of the names, which are in the order of their parents, have that of the first. */
static size_t siblings(const char *const *names, size_t count)
{
    size_t same = 1;

    while (same < count && strcmp(parent_of(names[same]), parent_of(names[0])) == 0)
        same++;
    return same;
}

static size_t add_folded(struct buf *out, const char **names, size_t count)
{
    size_t added = 0, same;

    qsort(names, count, sizeof *names, by_parent);
    for (size_t i = 0; i < count; i += same, added++) {
        same = siblings(names + i, count - i);
        if (same > 1 && may_fold(parent_of(names[i]))) {
            buf_addf(out, "*.%s", parent_of(names[i]));
        } else {
            same = 1;
            buf_adds(out, names[i]);
        }
        buf_add(out, "", 1);
    }
    return added;
}

size_t member_hosts(struct buf *out, const struct evidence *evidence, bool fold)
{
    const char *names[EVIDENCE_MX_MAX];
    size_t count = 0;

    for (size_t i = 0; i < evidence->host_count && count < EVIDENCE_MX_MAX; i++)
        if (evidence->hosts[i].dane != HOST_DANE_DEAD)
            names[count++] = evidence->hosts[i].name;
    if (fold)
        return add_folded(out, names, count);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++)
        buf_add(out, names[i], strlen(names[i]) + 1);
    return count;
}
