/*
 * track: follows processes, messages and recipients through a log, and counts them in a tally.
 *
 * Postfix writes the level of TLS in a line without a queue id. It belongs to the deliveries of the
 * same process to the same relay that follow, of one transaction, until the connection is lost; the
 * next one on it has its own line ("reused"). A delivery without such a line went in clear, unless
 * TLS is not logged at all: a Postfix instance whose first TRACK_SILENT_MAX deliveries show none is
 * taken for one with smtp_tls_loglevel = 0, and they are "unknown". So are deliveries whose
 * connection began before the log does.
 *
 * Memory is bounded: TRACK_MESSAGES_MAX messages, TRACK_WAITING_MAX recipients and
 * TRACK_PROCESSES_MAX processes at once; beyond that the oldest is forgotten. Forgotten messages and
 * recipients are counted.
 */
#pragma once

#include "audit/line.h"
#include "audit/tally.h"

#define TRACK_MESSAGES_MAX  250000
#define TRACK_WAITING_MAX   250000
#define TRACK_PROCESSES_MAX 65536
#define TRACK_SILENT_MAX    100
#define TRACK_RELAYHOSTS    16

/* A delivery that TLS made fail. Spans are valid during the call. */
struct track_event {
    int64_t at; /* seconds since 1970 */
    struct span queue_id, recipient, relay;
    const char *domain; /* the next-hop */
    enum tally_status status;
    enum tally_cause cause;
    const char *text; /* as in struct tally_trouble */
};

/* What became of one connection to a mail host, as far as TLS is concerned: a session of RFC 8460
 * §4.3. Spans are valid during the call. */
struct track_connection {
    int64_t at;             /* seconds since 1970: TLS was established, or failed */
    struct span domain;     /* the next-hop, as in struct tally_domain */
    struct span relay;      /* "host[address]:port"; empty: not known */
    enum tally_level level; /* at which TLS was established; TALLY_NONE: it was not */
    enum tally_cause
        cause;          /* TALLY_NO_CAUSE: it did not fail; with TALLY_NONE: mail went in clear */
    struct span reason; /* of a failure: Postfix's words */
    struct span text;   /* and what was logged before them; may be empty */
};

struct track_options {
    int64_t since, until; /* seconds since 1970; 0: no limit. Lines outside are read, not counted */
    bool tls_logged;      /* smtp_tls_loglevel is known to be 1 or more, */
    int64_t logged_since; /* and to have been since then, in seconds since 1970 */
    /* relayhost of main.cf, as it stands there. Deliveries to such a relay count for it, and not
     * for the domains of their recipients. */
    const char *relayhosts[TRACK_RELAYHOSTS];
    size_t relayhost_count;
    void (*on_event)(void *context, const struct track_event *event); /* NULL: none */
    /* The sender of TLSRPT reports: connections for its messages are not told (RFC 8460 §3). NULL:
     * none. */
    const char *reporter;
    /* NULL: none. See track_connection.c for what is a connection. */
    void (*on_connection)(void *context, const struct track_connection *connection);
    void *context;
};

struct track;

/* NULL without memory. `tally` and the strings are borrowed. */
struct track *track_new(struct tally *tally, const struct track_options *options);
/* One line of the log; `at` is the moment of its stamp. */
void track_line(struct track *track, const struct line *line, int64_t at);
/* The log has ended: what was left open is decided. May be called once. */
void track_finish(struct track *track);
void track_free(struct track *track);
