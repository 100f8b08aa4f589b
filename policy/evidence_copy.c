/* evidence_copy: see evidence_copy.h. A new pointer in evidence.h needs a line here. */
#include "policy/evidence_copy.h"

static void copy_policy(struct arena *arena, struct sts_evidence *sts)
{
    struct sts_policy *policy;
    const char **mx, **lines;

    if (sts->policy == NULL)
        return;
    policy = arena_memdup(arena, sts->policy, sizeof *policy);
    if (policy == NULL)
        return;
    sts->policy = policy;
    mx = arena_array(arena, policy->mx_count, sizeof *mx);
    for (size_t i = 0; mx != NULL && i < policy->mx_count; i++)
        mx[i] = arena_strdup(arena, policy->mx[i]);
    lines = arena_array(arena, policy->line_count, sizeof *lines);
    for (size_t i = 0; lines != NULL && i < policy->line_count; i++)
        lines[i] = arena_strdup(arena, policy->lines[i]);
    policy->mx = mx;
    policy->lines = lines;
}

static void copy_addresses(struct arena *arena, struct mx_host *host)
{
    host->addresses =
        arena_memdup(arena, host->addresses, host->address_count * sizeof *host->addresses);
    for (size_t i = 0; host->addresses != NULL && i < host->address_count; i++) {
        struct starttls_result *result = &host->addresses[i].starttls;

        result->protocol = arena_strdup(arena, result->protocol);
        result->cipher = arena_strdup(arena, result->cipher);
        result->subject = arena_strdup(arena, result->subject);
        result->detail = arena_strdup(arena, result->detail);
    }
}

static void copy_host(struct arena *arena, struct mx_host *host)
{
    host->name = arena_strdup(arena, host->name);
    host->tlsa_base = arena_strdup(arena, host->tlsa_base);
    host->expanded = arena_strdup(arena, host->expanded);
    host->why = arena_strdup(arena, host->why);
    host->tlsa = arena_memdup(arena, host->tlsa, host->tlsa_count * sizeof *host->tlsa);
    for (size_t i = 0; host->tlsa != NULL && i < host->tlsa_count; i++)
        host->tlsa[i].data = arena_memdup(arena, host->tlsa[i].data, host->tlsa[i].length);
    copy_addresses(arena, host);
}

struct evidence *evidence_copy(struct arena *arena, const struct evidence *evidence)
{
    struct evidence *copy = arena_memdup(arena, evidence, sizeof *evidence);

    if (copy == NULL)
        return NULL;
    copy->domain = arena_strdup(arena, evidence->domain);
    copy->mx_why = arena_strdup(arena, evidence->mx_why);
    copy->expanded = arena_strdup(arena, evidence->expanded);
    copy->hosts = arena_memdup(arena, evidence->hosts, copy->host_count * sizeof *copy->hosts);
    for (size_t i = 0; copy->hosts != NULL && i < copy->host_count; i++)
        copy_host(arena, &copy->hosts[i]);
    copy->sts.why = arena_strdup(arena, evidence->sts.why);
    copy_policy(arena, &copy->sts);
    return arena_failed(arena) ? NULL : copy;
}
