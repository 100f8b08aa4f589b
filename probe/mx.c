/*
 * mx: see mx.h. Names that cannot be host names, "." beside others, and second mentions of a host
 * are passed over (docs/conformance.md E, F).
 */
#include "probe/mx.h"

#include <stdlib.h>
#include <string.h>

#include "base/net/hostname.h"

static void mx_fail(struct evidence *evidence, const char *why)
{
    evidence->mx = MX_ERROR;
    evidence->mx_why = why;
    evidence->host_count = 0;
}

void mx_self(struct evidence *evidence, struct arena *arena, enum mx_state state)
{
    evidence->hosts = arena_array(arena, 1, sizeof *evidence->hosts);
    if (evidence->hosts == NULL) {
        mx_fail(evidence, "no memory");
        return;
    }
    evidence->mx = state;
    evidence->host_count = 1;
    evidence->hosts[0].name = evidence->domain; /* its own CNAMEs are the host lookup's */
    evidence->hosts[0].ttl = UINT32_MAX;
}

static int by_preference(const void *a, const void *b)
{
    const struct mx_host *x = a, *y = b;

    if (x->preference != y->preference)
        return x->preference < y->preference ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    const struct mx_host *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : by_preference(a, b);
}

/* Leaves each name once, with its best preference; gives the new count. */
static size_t drop_doubles(struct mx_host *hosts, size_t count)
{
    size_t saved = 0;

    qsort(hosts, count, sizeof *hosts, by_name);
    for (size_t i = 0; i < count; i++)
        if (saved == 0 || strcmp(hosts[i].name, hosts[saved - 1].name) != 0)
            hosts[saved++] = hosts[i];
    return saved;
}

static void read_hosts(struct evidence *evidence, struct arena *arena,
                       const struct dns_answer *answer)
{
    size_t count = 0, root = 0;

    evidence->hosts = arena_array(arena, answer->count, sizeof *evidence->hosts);
    if (evidence->hosts == NULL) {
        mx_fail(evidence, "no memory");
        return;
    }
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];

        if (*record->name == '\0' || strcmp(record->name, ".") == 0)
            root++;
        else if (hostname_valid(record->name, strlen(record->name), HOSTNAME_UNDERSCORE))
            evidence->hosts[count++] = (struct mx_host){
                .name = record->name, .preference = record->preference, .ttl = UINT32_MAX};
    }
    if (count == 0) {
        evidence->mx = root > 0 && root == answer->count ? MX_NULL : MX_UNUSABLE;
        return;
    }
    evidence->mx = MX_LISTED;
    count = drop_doubles(evidence->hosts, count);
    qsort(evidence->hosts, count, sizeof *evidence->hosts, by_preference);
    evidence->mx_truncated = answer->cut || count > EVIDENCE_MX_MAX;
    evidence->host_count = count > EVIDENCE_MX_MAX ? EVIDENCE_MX_MAX : count;
}

void mx_read(struct evidence *evidence, struct arena *arena, const struct dns_answer *answer)
{
    evidence->mx_secure = answer->secure;
    evidence->mx_ttl = answer->ttl;
    if (answer->aliases > 0)
        evidence->expanded = answer->owner;
    switch (answer->outcome) {
    case DNS_FAILED:
        evidence->mx_ttl = UINT32_MAX;
        mx_fail(evidence, answer->why);
        return;
    case DNS_NXDOMAIN:
        evidence->mx = MX_NXDOMAIN;
        return;
    case DNS_NODATA:
        mx_self(evidence, arena, MX_IMPLICIT);
        return;
    case DNS_RECORDS:
        read_hosts(evidence, arena, answer);
        return;
    }
}
