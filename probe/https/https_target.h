/*
 * https_target: the target of a policy fetch: a host name and those of its addresses that may be
 * connected to; and, in words, what went wrong. Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/net/address_filter.h"
#include "probe/https/https.h"

#define HTTPS_ADDRESSES_MAX 4 /* per family, of a policy host that are tried */
#define HTTPS_WHY_MAX       240

struct https_target {
    char *host;       /* owned */
    const char *path; /* borrowed */
    struct ip addresses[2 * HTTPS_ADDRESSES_MAX];
    size_t address_count;
    struct ip tried;            /* connected to last; family 0 before that */
    char why[HTTPS_WHY_MAX];    /* why the fetch failed, printable ASCII; "" when it did not */
    enum fetch_failure failure; /* FETCH_FAILURE_COUNT: follows from how far the fetch came */
};

/* Copies the request and those addresses that `filter` permits, the first few of each family; with
 * `why` set when none is left. False without memory; fini in any case. */
bool https_target_init(struct https_target *target, const struct https_request *request,
                       const struct address_filter *filter);
void https_target_fini(struct https_target *target);
/* Asks the filter about the actual address of a connection, and notes it as the one tried last. */
bool https_target_permits(struct https_target *target, const struct address_filter *filter,
                          const struct sockaddr *address);
/* Appends "host:port:address,address" with IPv6 in brackets. */
void https_target_resolve(const struct https_target *target, struct buf *out, unsigned port);

/* Fills `why` and `failure` unless there is a `why`: "host (address): words: detail", of which
 * `detail` is libcurl's or the system's and may hold foreign octets. */
void https_target_explain(struct https_target *target, enum fetch_failure failure,
                          const char *words, const char *detail);
