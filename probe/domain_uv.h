/*
 * domain_uv: gathers all evidence of a next-hop: MX, hosts, TLSA, MTA-STS and STARTTLS. Each answer
 * that arrives starts the lookups that follow from it, and then drain() calls the owner.
 */
#pragma once

#include <uv.h>

#include "base/arena.h"
#include "policy/evidence.h"
#include "base/net/address_filter.h"
#include "probe/smtp/probe_cache_uv.h"
#include "probe/dns/dns_uv.h"
#include "probe/sts/sts_uv.h"

#define DOMAIN_QUERIES_MAX 300 /* DNS lookups for one next-hop (hostile 19, 22) */
#define DOMAIN_PROBES_MAX  60  /* addresses of one next-hop that are connected to */

/* The tools of a lookup; everything is borrowed and must outlive it. */
struct domain_tools {
    struct dns *dns;
    struct sts *sts;            /* NULL: MTA-STS is switched off */
    struct probe_cache *probes; /* NULL: no host is connected to */
    const struct address_filter *filter;
    bool dane;
    uint16_t smtp_port; /* MTA-STS is looked up for next-hops of this port only */
};

struct domain_request {
    const char *name; /* copied */
    uint16_t port;
    bool is_host;         /* [host]: no MX lookup; MTA-STS of the host's own name, RFC 8461 §3.4 */
    int64_t probed_after; /* results of earlier probes do not count: monotonic ms; 0: none */
};

struct domain_lookup;
typedef void (*domain_changed)(void *context);

/*
 * Starts a lookup. Whenever the evidence has grown, `changed` is called, but never from inside
 * domain_start. The last call is the one with evidence->complete set. `changed` may call
 * domain_free. 0 or UV_ENOMEM.
 */
int domain_start(struct domain_lookup **out, const struct domain_tools *tools,
                 const struct domain_request *request, domain_changed changed, void *context);
/* The evidence so far; owned by the lookup. */
const struct evidence *domain_evidence(const struct domain_lookup *lookup);
/* Fills a missing MTA-STS answer from the cache, for a reply that cannot wait. */
void domain_use_remembered(struct domain_lookup *lookup);
/* Stops waiting for the rest: the evidence is complete as it is. `changed` is not called. */
void domain_finish(struct domain_lookup *lookup);
/* Cancels what is awaited and frees lookup and evidence. */
void domain_free(struct domain_lookup *lookup);
