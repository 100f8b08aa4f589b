/*
 * https_target: whom a policy fetch goes to: a host name and those of its addresses that may be
 * connected to; and, in words, what went wrong there. Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/net/ip.h"
#include "base/net/address_filter.h"
#include "probe/https/fetch_failure.h"

#define HTTPS_ADDRESSES_MAX 4 /* per family, of a policy host that are tried */
#define HTTPS_WHY_MAX       240

struct https_request {
    const char *host; /* SNI, Host and the name the certificate must have */
    const char *path; /* "/.well-known/mta-sts.txt" */
    const struct ip *addresses;
    size_t address_count;
};

struct https_target {
    char *host, *path; /* owned */
    struct ip addresses[2 * HTTPS_ADDRESSES_MAX];
    size_t address_count;
    struct ip tried;            /* connected to last; family 0 before that */
    char why[HTTPS_WHY_MAX];    /* why the fetch failed, printable ASCII; "" when it did not */
    enum fetch_failure failure; /* by https_target_explain; FETCH_FAILURE_COUNT: not told by it */
};

/* Copies the request and those addresses that `filter` permits, the first few of each family; with
 * `why` set when none is left. False without memory; fini in any case. */
bool https_target_init(struct https_target *target, const struct https_request *request,
                       const struct address_filter *filter);
void https_target_fini(struct https_target *target);
/* Asks the filter about the very address of a connection, which becomes the one tried last. */
bool https_target_permits(struct https_target *target, const struct address_filter *filter,
                          const struct sockaddr *address);
/* Appends "host:port:address,address" with IPv6 in brackets. */
void https_target_resolve(const struct https_target *target, struct buf *out, unsigned port);

/* What failed, for https_target_explain. */
enum https_failure {
    HTTPS_FAILED_CONNECT,     /* detail: the system's words */
    HTTPS_FAILED_TLS,         /* detail: libcurl's and OpenSSL's words */
    HTTPS_FAILED_CERTIFICATE, /* told from HTTPS_FAILED_TLS by those words */
    HTTPS_FAILED_OTHER,
    HTTPS_TIMEOUT_CONNECT, /* detail: after how long */
    HTTPS_TIMEOUT_TLS,
    HTTPS_TIMEOUT_RESPONSE,
    HTTPS_TIMEOUT_BODY
};

/* Fills `why` unless there is one; `detail` may hold foreign octets. */
void https_target_explain(struct https_target *target, enum https_failure failure,
                          const char *detail);
/* The kind of a failure for which there is a `why`: as explained, else by how far it came: a TLS
 * handshake begun, a status (0: none) received. */
enum fetch_failure https_target_failure(const struct https_target *target, bool connected,
                                        int status);
