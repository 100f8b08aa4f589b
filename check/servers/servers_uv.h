/*
 * servers_uv: what every authoritative name server says of some RRsets, asked directly, and beside
 * each other: a secondary that lags behind serves records that are no longer true, or not yet
 * (RFC 1034 §4.3.5).
 *
 * The zone of a name is found by asking the configured resolver for NS records, label by label; its
 * servers are all addresses of all their names. Each is asked for the SOA record and for the RRsets
 * of its zone, with deadlines of its own. An address that the filter forbids is not asked. A name
 * whose address lookup failed, or that is beyond a limit, is told as lost: it may have answered
 * others.
 */
#pragma once

#include <uv.h>

#include "base/arena.h"
#include "base/net/address_filter.h"
#include "check/facts.h"
#include "probe/dns/dns_uv.h"

#define SERVERS_QUESTIONS_MAX 400 /* four of each of a hundred hosts */

struct servers_question {
    const char *name; /* lower case, no trailing dot; borrowed */
    enum dns_type type;
    const char *text; /* for people: "TLSA _25._tcp.mx.example"; borrowed */
    bool spread;      /* servers may give other records each: addresses that are chosen by load or
                         by place */
};

struct servers_request {
    struct dns *dns;                          /* the configured resolver; borrowed */
    const struct dns_options *options;        /* its deadlines are those of direct questions too */
    const struct address_filter *filter;      /* borrowed */
    struct arena *arena;                      /* of what comes; borrowed */
    uint16_t port;                            /* 53; another only in tests */
    const struct servers_question *questions; /* borrowed */
    size_t question_count; /* at most SERVERS_QUESTIONS_MAX; more are passed over */
};

struct servers;

/* An answer for each pair of server and question; NULL: it was not asked that. */
struct servers_said {
    size_t zone_count;
    struct check_zone *zones; /* agreement, rrset, serial and why are filled */
    /* of zone z, server s, question q: answers[z][s * question_count + q] */
    const struct dns_answer ***answers;
};

typedef void servers_done(void *context, const struct servers_said *said);
/* Calls `done` once, later, unless servers_free comes first; what was said is the arena's. 0 or
 * UV_ENOMEM. */
int servers_start(struct servers **out, const struct servers_request *request, servers_done *done,
                  void *context);
/* At any time. NULL is allowed. */
void servers_free(struct servers *servers);

/*
 * Compares what the servers of one zone said of `question_count` RRsets: the answer that most of
 * them give, and of two that are as frequent the one of the greatest serial (RFC 1982), is the
 * zone's; a server with another one has CHECK_OTHER, one that gave none with authority
 * CHECK_SILENT. Of a question whose records are spread it only matters that there are some. Pure.
 */
void servers_compare(struct check_zone *zone, const struct dns_answer *const *answers,
                     const struct servers_question *questions, size_t question_count);
