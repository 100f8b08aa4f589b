/* track_connection: what is a connection, for which next-hop, how it ended, and that each is told once. */
#include "tests/unit/support/rows.h"

#include <stdio.h>

#include "tests/unit/audit/audit_log.h"

#define AT(time) "Nov 20 " time " mx postfix/"
#define TLS(t, pid, level, relay)                                                                  \
    AT(t)                                                                                          \
    "smtp[" pid "]: " level " TLS connection established to " relay                                \
    ": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
#define REUSED(t, pid, level, relay)                                                               \
    AT(t)                                                                                          \
    "smtp[" pid "]: " level " TLS connection reused to " relay                                     \
    ": TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)\n"
#define ENDS_IN(t, pid, id, to, relay, delays, status)                                             \
    AT(t)                                                                                          \
    "smtp[" pid "]: " id ": to=<" to ">, relay=" relay ", delay=1, delays=" delays                 \
    ", dsn=2.0.0, status=" status "\n"
#define ENDS(t, pid, id, to, relay, status)                                                        \
    ENDS_IN(t, pid, id, to, relay, "0.1/0.1/0.5/0.5", status)
#define SENT(t, pid, id, to, relay) ENDS(t, pid, id, to, relay, "sent (250 ok)")
#define FROM(id, sender)                                                                           \
    AT("00:59:00")                                                                                 \
    "qmgr[2]: " id ": from=<" sender ">, size=1000, nrcpt=1 (queue active)\n"
#define SAYS(t, pid, text) AT(t) "smtp[" pid "]: " text "\n"
#define ISO(at, pid, relay)                                                                        \
    at " mx postfix/smtp[" pid "]: Verified TLS connection established to " relay                  \
       ": TLSv1.3 with cipher X (1/1 bits)\n" at " mx postfix/smtp[" pid                           \
       "]: AAAAA1: to=<u@one.example>, relay=" relay                                               \
       ", delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)\n"
#define BEGIN              AT("00:00:00") "master[1]: daemon started -- version 3.7.11\n"
#define TALKS              TLS("00:00:01", "99", "Trusted", "x.example[192.0.2.9]:25")
#define R1                 "mx.one.example[192.0.2.1]:25"
#define R2                 "mx.two.example[192.0.2.2]:25"
#define NOT_VERIFIED       "deferred (Server certificate not verified)"
#define NO_STARTTLS(relay) "TLS is required, but was not offered by host " relay
#define H1                 "mx.one.example[192.0.2.1]"

static const struct {
    const char *name, *log, *want;
} rows[] = {
    {"one connection, two recipients",
     BEGIN TLS("01:00:00", "5", "Verified", R1) SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
         SENT("01:00:01", "5", "AAAAA1", "v@one.example", R1),
     "one.example " R1 " verified -\n"},
    {"messages on one connection",
     BEGIN TLS("01:00:00", "5", "Untrusted", R1) SENT("01:00:01", "5", "AAAAA1", "u@one.example",
                                                      R1) REUSED("01:00:02", "6", "Untrusted", R1)
         SENT("01:00:02", "6", "AAAAA2", "u@one.example", R1),
     "one.example " R1 " untrusted -\n"},
    {"a connection without a delivery", BEGIN TLS("01:00:00", "5", "Verified", R1), ""},
    {"of two processes, and two hosts with the same number",
     BEGIN TLS("01:00:00", "5", "Verified", R1) TLS("01:00:00", "6", "Trusted", R2)
         SENT("01:00:01", "6", "AAAAA2", "u@two.example",
              R2) "Nov 20 01:00:01 other postfix/smtp[5]: Trusted TLS connection established to " R2
                  ": TLSv1.3 with cipher X (1/1 bits)\n" SENT("01:00:01", "5", "AAAAA1",
                                                              "u@one.example", R1),
     "two.example " R2 " trusted -\none.example " R1 " verified -\n"},
    {"a certificate that is refused, once for all recipients",
     BEGIN TLS("01:00:00", "5", "Untrusted", R1)
         ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1, NOT_VERIFIED)
             ENDS("01:00:01", "5", "AAAAA1", "v@one.example", R1, NOT_VERIFIED),
     "one.example " R1 " untrusted certificate\n"},
    {"and once more at the next attempt",
     BEGIN TLS("01:00:00", "5", "Untrusted", R1)
         ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1, NOT_VERIFIED)
             TLS("01:10:00", "5", "Untrusted", R1) ENDS_IN(
                 "01:10:01", "5", "AAAAA1", "u@one.example", R1, "600/0.1/0.5/0.5", NOT_VERIFIED),
     "one.example " R1 " untrusted certificate\none.example " R1 " untrusted certificate\n"},
    {"without STARTTLS, once for all recipients",
     BEGIN ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1, "deferred (" NO_STARTTLS(H1) ")")
         ENDS("01:00:01", "5", "AAAAA1", "v@one.example", R1, "deferred (" NO_STARTTLS(H1) ")"),
     "one.example " R1 " none not-offered\n"},
    {"the first mail host without STARTTLS, the second good",
     BEGIN SAYS("01:00:00", "5", "AAAAA1: " NO_STARTTLS(H1)) TLS("01:00:00", "5", "Verified", R2)
         SENT("01:00:01", "5", "AAAAA1", "u@one.example", R2),
     "one.example " R2 " verified -\none.example " H1 " none not-offered\n"},
    {"the first mail host with a bad certificate, the second good",
     BEGIN TLS("01:00:00", "5", "Untrusted", R1) SAYS("01:00:00", "5",
                                                      "AAAAA1: Server certificate not verified")
         TLS("01:00:00", "5", "Verified", R2) SENT("01:00:01", "5", "AAAAA1", "u@one.example", R2),
     "one.example " R2 " verified -\none.example " R1 " untrusted certificate\n"},
    {"a handshake that fails, and mail in clear then",
     BEGIN TALKS SAYS("01:00:00", "5", "SSL_connect error to " R1 ": -1")
         SAYS("01:00:00", "5", "warning: TLS library problem: error:1408F10B:SSL routines")
             SAYS("01:00:00", "5", "AAAAA1: Cannot start TLS: handshake failure")
                 SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1),
     "one.example " R1 " none handshake\n"},
    {"a connection that is lost is none of TLS",
     BEGIN TLS("01:00:00", "5", "Verified", R1) SAYS(
         "01:00:00", "5", "AAAAA1: lost connection with " H1 " while sending message body")
         TLS("01:00:00", "5", "Verified", R2) SENT("01:00:01", "5", "AAAAA1", "u@one.example", R2),
     "one.example " R2 " verified -\none.example " R1 " verified -\n"},
    {"but when STARTTLS is not answered it is",
     BEGIN SAYS("01:00:00", "5",
                "AAAAA1: lost connection with " H1 " while receiving the STARTTLS response")
         TLS("01:00:00", "5", "Verified", R2) SENT("01:00:01", "5", "AAAAA1", "u@one.example", R2),
     "one.example " R2 " verified -\none.example " H1 " none refused\n"},
    {"in clear, once for all recipients",
     BEGIN TALKS SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
         SENT("01:00:01", "5", "AAAAA1", "v@one.example", R1),
     "one.example " R1 " none -\n"},
    {"in clear on an older connection",
     BEGIN TALKS SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
         AT("01:00:02") "smtp[5]: AAAAA2: to=<u@one.example>, relay=" R1
                        ", conn_use=2, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)\n",
     "one.example " R1 " none -\n"},
    {"in clear where TLS is not logged", BEGIN SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1),
     ""},
    {"the connection of a probe is not that of the next message",
     BEGIN TLS("01:00:00", "5", "Trusted", R2) ENDS("01:00:01", "5", "AAAAA1", "u@two.example", R2,
                                                    "deliverable (250 ok)")
         TLS("01:00:02", "5", "Verified", R1) SENT("01:00:03", "5", "AAAAA2", "u@one.example", R1),
     "one.example " R1 " verified -\n"},
    {"a report is none, over TLS or in clear, nor what failed before it",
     BEGIN TALKS FROM("AAAAA1", "TLSRPT@sender.example") FROM("AAAAA2", "tlsrpt@sender.example")
         SAYS("01:00:00", "5", "AAAAA1: " NO_STARTTLS(H1)) TLS("01:00:00", "5", "Verified", R2)
             SENT("01:00:01", "5", "AAAAA1", "u@one.example", R2)
                 SENT("01:00:02", "5", "AAAAA2", "u@one.example", R1),
     ""},
    {"one that only begins or ends like it is one",
     BEGIN FROM("AAAAA1", "xtlsrpt@sender.example") FROM("AAAAA2", "tlsrpt@sender.example.x") TLS(
         "01:00:00", "5", "Verified", R1) SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
         TLS("01:00:02", "5", "Verified", R2) SENT("01:00:03", "5", "AAAAA2", "u@one.example", R2),
     "one.example " R1 " verified -\none.example " R2 " verified -\n"},
    {"no failure of the mail host",
     BEGIN ENDS("01:00:01", "5", "AAAAA1", "u@one.example", "none",
                "deferred (client TLS configuration problem)")
         ENDS("01:00:02", "5", "AAAAA2", "u@one.example", R1,
              "deferred (TLS is required, but our TLS engine is unavailable)")
             AT("01:00:03") "error[7]: AAAAA3: to=<u@one.example>, relay=none, delay=1, "
                            "delays=0/1/0/0, dsn=4.7.5, status=deferred (delivery temporarily "
                            "suspended: Server certificate not verified)\n",
     ""},
    {"a TLSA lookup that failed",
     BEGIN ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1,
                "deferred (TLSA lookup error for mx.one.example:25)"),
     "one.example " R1 " none tlsa-lookup\n"},
    {"by the time of the connection, not of the delivery",
     BEGIN TLS("23:59:59", "5", "Verified",
               R1) "Nov 21 00:00:05 mx postfix/smtp[5]: AAAAA1: to=<u@one.example>, relay=" R1
                   ", delay=6, delays=0/0/0/6, dsn=2.0.0, status=sent (ok)\n",
     "one.example " R1 " verified -\n"},
    {"not on the day after",
     BEGIN "Nov 21 00:00:00 mx postfix/smtp[5]: Verified TLS connection established to " R1
           ": TLSv1.3 with cipher X (1/1 bits)\n"
           "Nov 21 00:00:05 mx postfix/smtp[5]: AAAAA1: to=<u@one.example>, relay=" R1
           ", delay=6, delays=0/0/0/6, dsn=2.0.0, status=sent (ok)\n",
     ""},
    {"a day of UTC, whatever the zones of the stamps",
     BEGIN ISO("2026-11-20T00:30:00+02:00", "5", R1) ISO("2026-11-20T22:30:00-02:00", "6", R2)
         ISO("2026-11-21T00:30:00+02:00", "7", R2),
     "one.example " R2 " verified -\n"},
    {"a leap second is of the day after",
     BEGIN ISO("2026-11-19T23:59:60Z", "5", R1) ISO("2026-11-20T23:59:60Z", "6", R2),
     "one.example " R1 " verified -\n"},
};

static void write_connection(void *context, const struct track_connection *connection)
{
    char *end = (char *)context + strlen(context);

    sprintf(end, "%.*s %.*s %s %s\n", (int)connection->domain.length, connection->domain.text,
            (int)connection->relay.length, connection->relay.text,
            tally_level_name(connection->level),
            connection->cause == TALLY_NO_CAUSE ? "-" : tally_cause_name(connection->cause));
}

static void test_connections(void **state)
{
    const __typeof__(rows[0]) *row = *state;
    char told[4096] = "";
    struct track_options options = {.since = 1795132800, /* 2026-11-20 UTC */
                                    .until = 1795132800 + 86400,
                                    .reporter = "tlsrpt@sender.example",
                                    .on_connection = write_connection,
                                    .context = told};
    struct audit_log log = audit_log_of(row->log, &options);

    assert_string_equal(told, row->want);
    audit_log_free(&log);
}

/* A process that only ever begins connections keeps a bounded number. */
static void test_bound(void **state)
{
    static char told[65536];
    struct track_options options = {.on_connection = write_connection, .context = told};
    struct audit_log log = audit_log_of(BEGIN, &options);
    size_t lines = 0;

    (void)state;
    told[0] = '\0';
    for (int i = 0; i < 1000; i++)
        audit_log_add(&log, TLS("01:00:00", "5", "Verified", R1));
    audit_log_add(&log, SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1));
    for (const char *at = told; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 16);
    audit_log_free(&log);
}

int main(void)
{
    ROWS_ADD(rows, test_connections);
    ROWS_ADD_TEST(test_bound);
    return rows_run("track_connection");
}
