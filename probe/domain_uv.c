/*
 * domain_uv: the join of one next-hop's lookups; see domain_uv.h.
 *
 * Order: MX and the MTA-STS record together; when the MX answer is there, every host's DNS at
 * once; when a host's DNS is there, its addresses are asked of the probe cache. A null MX, a
 * domain that does not exist and an MX lookup that failed end it all, a policy fetch included;
 * when it failed, a cached policy stands in for the one not asked for.
 *
 * It fails only without memory, which shows as errors in the evidence.
 */
#include "probe/domain_uv.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probe/host_uv.h"
#include "probe/mx.h"

#define DOMAIN_ARENA_MAX (8 * 1024 * 1024)
#define PORT_SMTPS       465 /* TLS from the first octet: nothing for a STARTTLS probe to see */

struct domain_lookup;

/* One address being probed. */
struct address_slot {
    struct domain_lookup *owner;
    struct mx_address *address;
    bool awaited;
    struct probe_cache_waiter waiter;
};

/* One MX host being looked up. */
struct host_slot {
    struct domain_lookup *owner;
    struct mx_host *host;
    struct host_lookup *lookup; /* NULL once answered */
    struct address_slot *slots; /* of host->address_count */
};

struct domain_lookup {
    struct domain_tools tools;
    struct arena *arena; /* owned: evidence and answers */
    struct evidence evidence;
    unsigned query_budget;
    unsigned probes_left;
    int64_t probed_after;

    struct dns_query *mx_query;
    struct sts_lookup *sts_lookup;
    struct host_slot *hosts; /* of evidence.host_count */

    domain_changed changed;
    void *context;
};

static void tell_changed(struct domain_lookup *lookup);

const struct evidence *domain_evidence(const struct domain_lookup *lookup)
{
    return &lookup->evidence;
}

/* ---- probes ---- */

/* A copy whose strings are the lookup's. */
static void address_take(const struct address_slot *slot, const struct starttls_result *result)
{
    struct starttls_result *out = &slot->address->starttls;
    struct arena *arena = slot->owner->arena;

    *out = *result;
    out->protocol = arena_strdup(arena, result->protocol);
    out->cipher = arena_strdup(arena, result->cipher);
    out->subject = arena_strdup(arena, result->subject);
    out->detail = arena_strdup(arena, result->detail);
    out->shown = out->verified_as = NULL; /* the probe cache's alone */
    if (arena_failed(arena))
        out->state = STARTTLS_UNKNOWN;
}

static void on_probe(void *context, const struct starttls_result *result)
{
    struct address_slot *slot = context;

    slot->awaited = false;
    address_take(slot, result);
    tell_changed(slot->owner);
}

/* Why an address is not connected to; NULL when it is. */
static const char *reason_to_skip(const struct domain_lookup *lookup, const struct mx_host *host,
                                  const struct mx_address *address)
{
    if (lookup->tools.probes == NULL)
        return "probing is switched off";
    if (lookup->evidence.port == PORT_SMTPS)
        return "port 465 is TLS from the start: no STARTTLS to probe";
    if (!address_filter_permits(lookup->tools.filter, &address->ip))
        return "not a global unicast address, and allow-address does not name it";
    if (address_filter_excludes(lookup->tools.filter, &address->ip, host->name))
        return "on the operator's opt-out list probe-exclude";
    if (lookup->probes_left == 0)
        return "too many addresses at this next-hop";
    return NULL;
}

static void address_probe(struct host_slot *host_slot, struct address_slot *slot)
{
    struct domain_lookup *lookup = host_slot->owner;
    const struct mx_host *host = host_slot->host;
    const struct smtp_target target = {
        .ip = slot->address->ip,
        .port = lookup->evidence.port,
        .host = host->name,
        .sni = host->tlsa_base != NULL ? host->tlsa_base : host->name,
        .tlsa = host->tlsa,
        .tlsa_count = host->tlsa_count,
        .tlsa_names = {host->tlsa_base, lookup->evidence.domain, lookup->evidence.expanded},
    };
    const struct starttls_result *known;
    const char *why = reason_to_skip(lookup, host, slot->address);
    int error;

    if (why != NULL) {
        slot->address->starttls.state = STARTTLS_SKIPPED;
        slot->address->starttls.detail = why;
        return;
    }
    lookup->probes_left--;
    known = probe_cache_peek(lookup->tools.probes, &target, lookup->probed_after);
    if (known != NULL) {
        address_take(slot, known);
        return;
    }
    error = probe_cache_ask(&slot->waiter, lookup->tools.probes, &target, lookup->probed_after,
                            on_probe, slot);
    slot->awaited = error == 0;
    if (error != 0)
        slot->address->starttls.detail =
            error == UV_ENOBUFS ? "too many probes are waiting" : "no memory";
}

static void host_probe(struct host_slot *host_slot)
{
    struct mx_host *host = host_slot->host;

    host_slot->slots =
        arena_array(host_slot->owner->arena, host->address_count, sizeof *host_slot->slots);
    if (host_slot->slots == NULL)
        return;
    for (size_t i = 0; i < host->address_count; i++) {
        host_slot->slots[i].owner = host_slot->owner;
        host_slot->slots[i].address = &host->addresses[i];
        address_probe(host_slot, &host_slot->slots[i]);
    }
}

/* ---- hosts ---- */

static void on_host(void *context)
{
    struct host_slot *slot = context;

    slot->lookup = NULL;
    host_probe(slot);
    tell_changed(slot->owner);
}

static void hosts_begin(struct domain_lookup *lookup)
{
    struct evidence *evidence = &lookup->evidence;
    struct host_request request = {
        .dns = lookup->tools.dns,
        .arena = lookup->arena,
        .port = evidence->port,
        .dane = lookup->tools.dane,
        .query_budget = &lookup->query_budget,
    };

    lookup->hosts = arena_array(lookup->arena, evidence->host_count, sizeof *lookup->hosts);
    if (lookup->hosts == NULL) {
        evidence->mx = MX_ERROR;
        evidence->mx_why = "no memory";
        evidence->host_count = 0;
        return;
    }
    for (size_t i = 0; i < evidence->host_count; i++) {
        struct host_slot *slot = &lookup->hosts[i];

        slot->owner = lookup;
        slot->host = &evidence->hosts[i];
        request.name = slot->host->name;
        if (host_start(&slot->lookup, &request, slot->host, on_host, slot) == 0)
            continue;
        slot->host->dane = HOST_DANE_ERROR;
        slot->host->why = "no memory";
    }
}

/* ---- MX and MTA-STS ---- */

/* Ends the MTA-STS lookup of a next-hop that no mail can reach now. When only the MX lookup failed,
 * a cached policy stands in: it may hold for the answer. */
static void sts_end(struct domain_lookup *lookup)
{
    struct evidence *evidence = &lookup->evidence;

    if (evidence->mx == MX_ERROR)
        domain_use_remembered(lookup);
    sts_cancel(lookup->sts_lookup);
    lookup->sts_lookup = NULL;
    if (evidence->mx == MX_ERROR && evidence->sts.state == STS_POLICY)
        evidence->sts.why = arena_printf(
            lookup->arena, "not asked again, because the MX lookup failed: %s", evidence->mx_why);
    else
        evidence->sts = (struct sts_evidence){.state = STS_NOT_ASKED, .ttl = UINT32_MAX};
}

static void on_mx(void *context, const struct dns_answer *answer)
{
    struct domain_lookup *lookup = context;
    enum mx_state mx;

    lookup->mx_query = NULL;
    mx_read(&lookup->evidence, lookup->arena, answer);
    mx = lookup->evidence.mx;
    if (mx != MX_NULL && mx != MX_NXDOMAIN && mx != MX_ERROR)
        hosts_begin(lookup);
    else if (lookup->sts_lookup != NULL)
        sts_end(lookup);
    tell_changed(lookup);
}

static void on_sts(void *context)
{
    struct domain_lookup *lookup = context;

    lookup->sts_lookup = NULL;
    tell_changed(lookup);
}

/* ---- the join ---- */

static bool is_awaited(const struct domain_lookup *lookup)
{
    if (lookup->evidence.mx == MX_UNKNOWN || lookup->sts_lookup != NULL)
        return true;
    for (size_t i = 0; lookup->hosts != NULL && i < lookup->evidence.host_count; i++) {
        const struct host_slot *slot = &lookup->hosts[i];

        if (slot->lookup != NULL)
            return true;
        for (size_t j = 0; slot->slots != NULL && j < slot->host->address_count; j++)
            if (slot->slots[j].awaited)
                return true;
    }
    return false;
}

static void tell_changed(struct domain_lookup *lookup)
{
    lookup->evidence.complete = !is_awaited(lookup);
    lookup->changed(lookup->context);
}

static int begin(struct domain_lookup *lookup, const struct domain_request *request)
{
    struct evidence *evidence = &lookup->evidence;
    int error;

    if (request->is_host) {
        mx_self(evidence, lookup->arena, MX_SELF);
        hosts_begin(lookup);
        error = arena_failed(lookup->arena) ? UV_ENOMEM : 0;
    } else {
        lookup->query_budget--;
        error = dns_start(&lookup->mx_query, lookup->tools.dns, lookup->arena, evidence->domain,
                          DNS_MX, on_mx, lookup);
    }
    if (error == 0 && evidence->sts.state != STS_NOT_ASKED)
        error = sts_start(&lookup->sts_lookup, lookup->tools.sts, lookup->arena, evidence->domain,
                          &lookup->query_budget, &evidence->sts, on_sts, lookup);
    evidence->complete = error == 0 && !is_awaited(lookup);
    return error;
}

int domain_start(struct domain_lookup **out, const struct domain_tools *tools,
                 const struct domain_request *request, domain_changed changed, void *context)
{
    struct domain_lookup *lookup = calloc(1, sizeof *lookup);
    int error;

    if (lookup == NULL)
        return UV_ENOMEM;
    lookup->tools = *tools;
    lookup->changed = changed;
    lookup->context = context;
    lookup->query_budget = DOMAIN_QUERIES_MAX;
    lookup->probed_after = request->probed_after;
    lookup->probes_left = DOMAIN_PROBES_MAX;
    lookup->arena = arena_new(DOMAIN_ARENA_MAX);
    if (lookup->arena == NULL) {
        free(lookup);
        return UV_ENOMEM;
    }
    lookup->evidence.domain = arena_strdup(lookup->arena, request->name);
    lookup->evidence.port = request->port;
    lookup->evidence.mx_ttl = UINT32_MAX;
    lookup->evidence.sts.ttl = UINT32_MAX;
    if (tools->sts == NULL || request->port != tools->smtp_port)
        lookup->evidence.sts.state = STS_NOT_ASKED;
    error = arena_failed(lookup->arena) ? UV_ENOMEM : begin(lookup, request);
    if (error != 0) {
        domain_free(lookup);
        return error;
    }
    *out = lookup;
    return 0;
}

void domain_use_remembered(struct domain_lookup *lookup)
{
    if (lookup->evidence.sts.state == STS_UNKNOWN && lookup->sts_lookup != NULL)
        sts_cache_policy(sts_cache_of(lookup->tools.sts), lookup->arena, lookup->evidence.domain,
                         clock_monotonic_ms(), &lookup->evidence.sts);
}

static void host_stop(struct host_slot *slot)
{
    if (slot->lookup != NULL)
        host_cancel(slot->lookup);
    slot->lookup = NULL;
    for (size_t i = 0; slot->slots != NULL && i < slot->host->address_count; i++)
        if (slot->slots[i].awaited) {
            probe_cache_cancel(&slot->slots[i].waiter);
            slot->slots[i].awaited = false;
        }
}

void domain_finish(struct domain_lookup *lookup)
{
    if (lookup->mx_query != NULL)
        dns_cancel(lookup->mx_query);
    lookup->mx_query = NULL;
    if (lookup->sts_lookup != NULL)
        sts_cancel(lookup->sts_lookup);
    lookup->sts_lookup = NULL;
    for (size_t i = 0; lookup->hosts != NULL && i < lookup->evidence.host_count; i++)
        host_stop(&lookup->hosts[i]);
    lookup->evidence.complete = true;
}

void domain_free(struct domain_lookup *lookup)
{
    if (lookup == NULL)
        return;
    domain_finish(lookup);
    arena_free(lookup->arena);
    free(lookup);
}
