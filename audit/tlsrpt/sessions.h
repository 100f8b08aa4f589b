/*
 * sessions: what a day's log says of the connections to the mail hosts of each next-hop domain, for
 * reports by RFC 8460: how many were established at which level, and how many failed, in which way,
 * at which host. Names and texts come from strangers: they are kept as printable ASCII, and memory
 * is bounded. What finds no room as a kind of its own is counted with others of its level and result.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/track.h"
#include "base/net/address_filter.h"

#define SESSIONS_DOMAINS_MAX 100000
#define SESSIONS_ROWS_MAX    128 /* of a domain, with hosts and texts */
#define SESSIONS_TEXT_MAX    200 /* octets */

/* X(word, as RFC 8460 §4.3 names it): those that a log can prove. */
#define TLSRPT_RESULTS(X)                                                                          \
    X(STARTTLS_NOT_SUPPORTED, "starttls-not-supported")                                            \
    X(HOST_MISMATCH, "certificate-host-mismatch")                                                  \
    X(EXPIRED, "certificate-expired")                                                              \
    X(NOT_TRUSTED, "certificate-not-trusted")                                                      \
    X(TLSA_INVALID, "tlsa-invalid")                                                                \
    X(DANE_REQUIRED, "dane-required")                                                              \
    X(VALIDATION_FAILURE, "validation-failure")
#define X(word, name) TLSRPT_##word,
enum tlsrpt_result {
    TLSRPT_RESULTS(X) TLSRPT_RESULT_COUNT,
    TLSRPT_NO_FAILURE = TLSRPT_RESULT_COUNT
};
#undef X
const char *tlsrpt_result_name(enum tlsrpt_result result);

/* Sessions of one kind. */
struct session_row {
    struct session_row *next;
    uint64_t id;            /* sessions.c's */
    const char *host;       /* in lower case; NULL: not known, or several */
    const char *address;    /* NULL likewise */
    enum tally_level level; /* at which TLS was established; TALLY_NONE: it was not */
    enum tally_cause cause; /* TALLY_NO_CAUSE: no failure; with TALLY_NONE: mail went in clear */
    enum tlsrpt_result result;
    const char *text; /* of a failure, in printable ASCII; "" for none */
    uint64_t count;
};

struct session_domain {
    const char *name;         /* lower case, A-labels */
    struct session_row *rows; /* in no order */
    size_t row_count;
};

struct sessions;

/* NULL without memory. `filter` is borrowed: a connection to an address that it does not permit is
 * none to a mail host of the domain; NULL: to any may be. */
struct sessions *sessions_new(const struct address_filter *filter);
void sessions_free(struct sessions *sessions);
/* Takes a connection; one whose next-hop is no domain, or to another port than 25, does not count. */
void sessions_take(struct sessions *sessions, const struct track_connection *connection);

/* The domains, in the order they were met. Valid until the next sessions_take. */
const struct session_domain *sessions_domains(const struct sessions *sessions, size_t *count);
/* Connections to domains beyond SESSIONS_DOMAINS_MAX. */
uint64_t sessions_lost(const struct sessions *sessions);
/* There was no memory: figures are too low. */
bool sessions_failed(const struct sessions *sessions);

/* What Postfix's words prove, `text` being what was logged before them. */
enum tlsrpt_result tlsrpt_result_of(enum tally_cause cause, struct span reason, struct span text);
