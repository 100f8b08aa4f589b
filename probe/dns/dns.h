/*
 * dns: the options and answers of lookups, as plain data. The codec is dns_wire, the transport
 * dns_uv.
 *
 * Names are text in lower case without a trailing dot. Octets other than letters, digits, hyphen
 * and underscore are written as \DDD, so that such a name never passes hostname_valid. The root is
 * ".". TTLs are seconds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net/ip.h"

#define DNS_RESOLVERS_MAX 8

struct dns_server {
    struct ip ip;
    uint16_t port;
};

struct dns_options {
    struct dns_server servers[DNS_RESOLVERS_MAX]; /* none: read resolv_conf */
    size_t server_count;
    /* borrowed for the life of the resolver, and read again when the file has changed */
    const char *resolv_conf;
    uint64_t timeout_ms; /* of the first try */
    unsigned tries;
    unsigned in_flight_max; /* queries with a socket at once; more wait in a queue */
    /* That a UDP socket, and with it a random port, serves. 0, 1: each question has its own, the
     * safest against forged answers. More: cheaper, for a resolver that nobody can speak for. */
    unsigned questions_per_socket;
};

/*
 * The kinds of lookups that ended without an answer. They are for counters, so they are few and
 * fixed; the full reason is in the evidence. X(enum word, name)
 */
#define DNS_FAILURES(X)                                                                            \
    X(TIMEOUT, "timeout")                                                                          \
    X(SERVFAIL, "servfail")                                                                        \
    X(REFUSED, "refused")                                                                          \
    X(RCODE, "other-rcode")                                                                        \
    X(MALFORMED, "malformed")                                                                      \
    X(NETWORK, "network") /* the system's error, as "connection refused" */                        \
    X(QUEUE, "queue")     /* too many lookups wait for a socket */                                 \
    X(LOCAL, "local")     /* this side: memory, descriptors */

#define X(word, name) DNS_FAILURE_##word,
enum dns_failure { DNS_FAILURES(X) DNS_FAILURE_COUNT };
#undef X

/* The name of a kind; in dns_uv.c. */
const char *dns_failure_name(enum dns_failure failure);

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6, /* as octets, whose names may be compressed; the last 20 are its numbers */
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_TLSA = 52
};

enum dns_outcome {
    DNS_RECORDS,
    DNS_NODATA,
    DNS_NXDOMAIN,
    DNS_FAILED /* SERVFAIL, REFUSED, ..., malformed, timeout: never an absence */
};

struct dns_record {
    uint16_t preference; /* MX */
    const char *name;    /* MX, CNAME, NS, PTR: the target; else NULL */
    uint16_t length;     /* A, AAAA, TLSA: RDATA; TXT: all strings joined without a blank */
    const uint8_t *data;
};

struct dns_answer {
    enum dns_outcome outcome;
    bool secure;        /* AD: the chain and the RRset, or the proof of absence, are validated */
    bool authoritative; /* AA: the server has the zone itself */
    bool cut;           /* more than DNS_RECORDS_MAX records: the rest was dropped */
    uint32_t ttl;       /* RECORDS: smallest of chain and RRset; NODATA, NXDOMAIN: RFC 2308 §5, the
                          smaller of SOA TTL and MINIMUM, 60 without SOA; FAILED: 0 */
    uint32_t ttl_longest; /* largest TTL of chain and RRset; 0: there is neither */
    /* There are signatures over it, and when the one that ends first began and ends: seconds since
     * 1970, modulo 2^32 (RFC 4034 §3.1.5). FAILED: none. */
    bool is_signed;
    uint32_t signed_since, signed_until;
    const char *owner; /* where the CNAME chain ends; the name asked when there is none */
    unsigned aliases;  /* CNAMEs followed */
    size_t count;
    struct dns_record *records;
    const char *why; /* FAILED: "SERVFAIL", "timeout", "malformed answer", with the extended
                        error of RFC 8914 when the resolver sent one; else NULL */
    enum dns_failure failure; /* FAILED: the kind of `why` */
};

/* Limits. */
#define DNS_MESSAGE_MAX 65535
#define DNS_ALIASES_MAX 10   /* unbound follows 11, others 8 to 16 */
#define DNS_RECORDS_MAX 1200 /* of one RRset: 1,000 MX must be countable */
#define DNS_UDP_MAX     1232 /* EDNS buffer: DNS flag day 2020 */
