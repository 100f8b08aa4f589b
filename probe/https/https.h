/*
 * https: the options, requests and results of policy fetches, and of posting reports, as plain data.
 * The client is https_uv.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net/ip.h"

struct https_options {
    long deadline_ms;       /* of a whole fetch, counted from the start of the transfer */
    unsigned in_flight_max; /* more wait in a queue */
    size_t body_max;        /* octets */
    uint16_t port;          /* 0: 443; any other is for tests */
};

struct https_request {
    const char *host; /* SNI, Host and the name the certificate must have */
    const char *path; /* "/.well-known/mta-sts.txt"; borrowed as long as the fetch lives */
    const struct ip *addresses;
    size_t address_count;
    bool any_type; /* a body of another media type than text/plain is no failure */
    /* Where the body goes, empty, up to its own limit; borrowed as long as the fetch lives. NULL: it
     * is the result's, up to body_max */
    struct buf *body;
    /* Not NULL: it is a POST of these octets, borrowed as long as the fetch lives; then 201 is as
     * good as 200 */
    const void *post;
    size_t post_length;
    const char *post_type; /* their media type; a constant */
};

/*
 * The kinds of fetches that gave no MTA-STS policy. They are for counters, so they are few and
 * fixed; the full reason is in the evidence. X(enum word, name)
 */
#define FETCH_FAILURES(X)                                                                          \
    X(DNS, "dns")                                                                                  \
    X(CONNECT, "connect")                                                                          \
    X(TLS, "tls")                                                                                  \
    X(CERTIFICATE, "certificate")                                                                  \
    X(TIMEOUT, "timeout")                                                                          \
    X(STATUS, "status")     /* an HTTP status other than 200 */                                    \
    X(RESPONSE, "response") /* wrong headers, a body that is too large or cut off */               \
    X(POLICY, "policy")     /* against the grammar of RFC 8461 */                                  \
    X(LOCAL, "local")

#define X(word, name) FETCH_FAILURE_##word,
enum fetch_failure { FETCH_FAILURES(X) FETCH_FAILURE_COUNT };
#undef X

/* The name of a kind; in https_target.c. */
const char *fetch_failure_name(enum fetch_failure failure);

struct https_result {
    bool ok;          /* 200, or 201 to a POST; text/plain unless any_type; body complete */
    bool failed_here; /* !ok without memory or descriptors: says nothing about the host */
    int status;       /* 0 when no response came */
    enum fetch_failure failure; /* !ok: the kind of `why` */
    const char *why;            /* !ok: in words, printable ASCII */
    bool too_large;             /* !ok: the body, or what the server says of its length */
    const char *type;           /* the media type as sent, escaped; "" without one */
    const char *body;           /* ok */
    size_t length;
};
