/*
 * dns_uv: asks the configured resolvers. Each query has a connected UDP socket with random port and
 * id, is repeated with doubling time-outs to all resolvers in turn, and uses TCP when truncated.
 * dns_options may let several questions share a socket.
 *
 * It has no cache, because the resolver has one. The AD bit is trusted, because only a configured
 * resolver can answer on a connected socket.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "probe/dns/dns.h"

#define DNS_NO_ROOM "too many DNS lookups are waiting" /* UV_ENOBUFS of dns_start, in words */

struct dns_stats {
    uint64_t queries, retransmissions, tcp, timeouts, failures;
    uint64_t by_failure[DNS_FAILURE_COUNT];
    unsigned in_flight, queued;
    uint64_t mismatches; /* packets that did not belong to the question: spoofed or late */
};

struct dns;
struct dns_query;

/* 0 or a libuv error. An unreadable resolv_conf means 127.0.0.1, as with the C library. */
int dns_new(struct dns **out, uv_loop_t *loop, const struct dns_options *options);
/* Ends every query without a callback; frees itself once its handles are closed. */
void dns_close(struct dns *dns);
void dns_get_stats(const struct dns *dns, struct dns_stats *out);
uv_loop_t *dns_loop(const struct dns *dns);
/* The resolvers in force now, for the log and for the warning about remote ones. */
size_t dns_servers(const struct dns *dns, struct dns_server out[DNS_RESOLVERS_MAX]);

typedef void (*dns_done)(void *context, const struct dns_answer *answer);

/*
 * Looks up (name, type). `done` is called exactly once, later, with an answer that lives in
 * `arena`, unless an error is returned (UV_ENOMEM, UV_ENOBUFS when too many wait) or dns_cancel
 * comes first. A name that cannot be asked gives DNS_NXDOMAIN, insecure. When `done` is called the
 * query is gone.
 */
int dns_start(struct dns_query **out, struct dns *dns, struct arena *arena, const char *name,
              enum dns_type type, dns_done done, void *context);
void dns_cancel(struct dns_query *query);
