/*
 * host_uv: the DNS facts of one MX host: addresses, CNAME, TLSA (RFC 7672 §2.2). A sequence.
 * No connection is made here.
 */
#pragma once

#include <uv.h>

#include "base/arena.h"
#include "policy/evidence.h"
#include "probe/dns/dns_uv.h"

struct host_lookup;

struct host_request {
    struct dns *dns;
    struct arena *arena; /* evidence is written here; outlives the lookup */
    const char *name;    /* outlives the lookup */
    uint16_t port;
    bool dane;              /* false: TLSA is not asked, dane becomes NONE */
    unsigned *query_budget; /* shared by all hosts of a domain; at 0 a lookup fails as an error */
};

typedef void (*host_done)(void *context);

/*
 * Fills *host (name, dane, addresses with ip and secure, tlsa, ttl, why; not preference, nothing
 * about STARTTLS), then calls `done` exactly once, later; host_cancel prevents that. The lookup
 * frees itself after `done` has returned. 0 or UV_ENOMEM.
 */
int host_start(struct host_lookup **out, const struct host_request *request, struct mx_host *host,
               host_done done, void *context);
void host_cancel(struct host_lookup *lookup);
