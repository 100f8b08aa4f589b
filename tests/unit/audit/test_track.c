/* track: which TLS connection a delivery had, what counts once and what each time, how troubles end. */
#include "tests/unit/support/rows.h"

#include <stdio.h>

#include "tests/unit/audit/audit_log.h"

#define AT(time) "Nov 20 " time " mx postfix/"
#define QUEUED(t, id)                                                                              \
    AT(t) "qmgr[9]: " id ": from=<a@b.example>, size=1000, nrcpt=1 (queue active)\n"
#define REMOVED(t, id) AT(t) "qmgr[9]: " id ": removed\n"
#define TLS(t, pid, level, relay)                                                                  \
    AT(t)                                                                                          \
    "smtp[" pid "]: " level " TLS connection established to " relay                                \
    ": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
#define REUSED(t, pid, level, relay)                                                               \
    AT(t)                                                                                          \
    "smtp[" pid "]: " level " TLS connection reused to " relay                                     \
    ": TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)\n"
#define ENDS(t, pid, id, to, relay, more, status)                                                  \
    AT(t)                                                                                          \
    "smtp[" pid "]: " id ": to=<" to ">, relay=" relay ", " more                                   \
    "delay=1.2, delays=0.1/0.1/0.5/0.5, dsn=2.0.0, status=" status "\n"
#define SENT(t, pid, id, to, relay) ENDS(t, pid, id, to, relay, "", "sent (250 ok)")
#define BEGIN                       AT("00:00:00") "master[1]: daemon started -- version 3.7.11\n"
#define R1                          "mx.one.example[192.0.2.1]:25"
#define R2                          "mx.two.example[192.0.2.2]:25"

/* ---- levels ---- */

static const struct {
    const char *name, *log;
    unsigned levels[TALLY_LEVEL_COUNT]; /* verified trusted untrusted anonymous none unknown */
} level_rows[] = {
    {"a session belongs to the delivery after it",
     BEGIN TLS("01:00:00", "5", "Verified", R1)
         SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1),
     {1, 0, 0, 0, 0, 0}},
    {"to several recipients of the same message",
     BEGIN TLS("01:00:00", "5", "Trusted", R1) SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
         SENT("01:00:01", "5", "AAAAA1", "v@one.example", R1),
     {0, 2, 0, 0, 0, 0}},
    {"not to the next message, which has a connection of its own",
     BEGIN TLS("01:00:00", "5", "Trusted", R1) SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
         SENT("01:00:02", "5", "AAAAA2", "v@one.example", R1),
     {0, 1, 0, 0, 1, 0}},
    {"not to another relay",
     BEGIN TLS("01:00:00", "5", "Trusted", R1) SENT("01:00:01", "5", "AAAAA1", "u@two.example", R2),
     {0, 0, 0, 0, 1, 0}},
    {"not to another process",
     BEGIN TLS("01:00:00", "5", "Trusted", R1) SENT("01:00:01", "6", "AAAAA1", "u@one.example", R1)
         SENT("01:00:01", "5", "AAAAA2", "u@one.example", R1),
     {0, 1, 0, 0, 1, 0}},
    {"a connection that is reused says so",
     BEGIN TLS("01:00:00", "5", "Untrusted", R1) SENT("01:00:01", "5", "AAAAA1", "u@one.example",
                                                      R1) REUSED("01:00:02", "6", "Untrusted", R1)
         ENDS("01:00:02", "6", "AAAAA2", "v@one.example", R1, "conn_use=2, ", "sent (ok)"),
     {0, 0, 2, 0, 0, 0}},
    {"one in clear that is reused says nothing",
     BEGIN TLS("01:00:00", "7", "Untrusted", R2)
         SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
             ENDS("01:00:02", "5", "AAAAA2", "v@one.example", R1, "conn_use=2, ", "sent (ok)"),
     {0, 0, 0, 0, 2, 0}},
    {"a recipient is rejected, and the others' mail takes long",
     BEGIN TLS("01:00:00", "5", "Verified", R1) ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1,
                                                     "", "bounced (550 no)")
         ENDS("01:09:00", "6", "AAAAA2", "u@two.example", "none", "", "deferred (x)")
             AT("01:10:00") "smtp[5]: AAAAA1: to=<v@one.example>, relay=" R1
                            ", delay=602, delays=0.1/0.1/0.5/600, dsn=2.0.0, status=sent (ok)\n",
     {1, 0, 0, 0, 0, 0}},
    {"a connection that was lost, and then in clear",
     BEGIN TLS("01:00:00", "5", "Untrusted", R1)
         AT("01:00:01") "smtp[5]: AAAAA1: lost connection with mx.one.example[192.0.2.1] while "
                        "sending RCPT TO\n" SENT("01:00:02", "5", "AAAAA1", "u@one.example", R1),
     {0, 0, 0, 0, 1, 0}},
    {"the next mail host of the same message",
     BEGIN TLS("01:00:00", "5", "Untrusted", R1) TLS("01:00:01", "5", "Verified", R2)
         SENT("01:00:02", "5", "AAAAA1", "u@one.example", R2),
     {1, 0, 0, 0, 0, 0}},
    {"the same message to another domain, with the same mail host and another policy",
     BEGIN TLS("01:00:00", "5", "Verified", R1) SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
         AT("01:00:02") "smtp[5]: AAAAA1: to=<u@two.example>, relay=" R1
                        ", delay=2.1, delays=0.1/1/0.5/0.5, dsn=2.0.0, status=sent (250 ok)\n",
     {1, 0, 0, 0, 1, 0}},
    {"a connection for the probe of an address",
     BEGIN TLS("01:00:00", "5", "Verified", R1)
         ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1, "", "deliverable (250 ok)")
             SENT("01:00:02", "5", "AAAAA2", "u@one.example", R1),
     {0, 0, 0, 0, 1, 0}},
    {"a connection of a message that failed elsewhere",
     BEGIN TLS("01:00:00", "5", "Verified", R1)
         ENDS("01:00:01", "5", "AAAAA1", "u@one.example", "none", "", "deferred (connect to x)")
             SENT("01:00:02", "5", "AAAAA2", "u@two.example", R1),
     {0, 0, 0, 0, 1, 0}},
    {"an old session of a process whose number came again",
     BEGIN TLS("01:00:00", "5", "Untrusted", R1)
         SENT("05:00:02", "5", "AAAAA1", "u@one.example", R1),
     {0, 0, 0, 0, 1, 0}},
    {"no word about TLS at all",
     BEGIN SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1),
     {0, 0, 0, 0, 0, 1}},
    {"a connection that is older than the log",
     SENT("01:00:00", "5", "AAAAA1", "u@one.example", R1) TLS("01:00:01", "5", "Untrusted", R1)
         SENT("01:00:01", "5", "AAAAA2", "u@one.example", R1),
     {0, 0, 1, 0, 0, 1}},
    {"a message that came since the log began",
     QUEUED("01:00:00", "AAAAA1") SENT("01:00:00", "5", "AAAAA1", "u@one.example", R1)
         TLS("01:00:01", "5", "Untrusted", R1) SENT("01:00:01", "5", "AAAAA2", "u@one.example", R1),
     {0, 0, 1, 0, 1, 0}},
    {"another instance that logs no TLS",
     BEGIN TLS("01:00:00", "5", "Verified", R1)
         SENT("01:00:01", "5", "AAAAA1", "u@one.example",
              R1) "Nov 20 01:00:02 mx postfix-out/smtp[5]: AAAAA1: to=<u@one.example>, relay=" R1
                  ", delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)\n",
     {1, 0, 0, 0, 0, 1}},
    {"tls=, and nothing else",
     BEGIN ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1, "tls=dane, ", "sent (ok)")
         ENDS("01:00:01", "5", "AAAAA2", "u@one.example", R1, "tls=may, ", "sent (ok)")
             ENDS("01:00:01", "5", "AAAAA3", "u@one.example", R1, "tls=may:none, ", "sent (ok)")
                 ENDS("01:00:01", "5", "AAAAA4", "u@one.example", R1, "tls=verify/requiretls, ",
                      "sent (ok)"),
     {2, 0, 1, 0, 1, 0}},
    {"tls=, where the mail host has unvalidated MX records",
     BEGIN ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1, "tls=dane:halfdane, ", "sent (ok)"),
     {0, 1, 0, 0, 0, 0}},
    {"tls= says that it went in clear",
     BEGIN TLS("01:00:00", "5", "Trusted", R1)
         ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1, "tls=may:none, ", "sent (ok)"),
     {0, 0, 0, 0, 1, 0}},
    {"a session says more than tls=",
     BEGIN TLS("01:00:00", "5", "Trusted", R1)
         ENDS("01:00:01", "5", "AAAAA1", "u@one.example", R1, "tls=may, ", "sent (ok)"),
     {0, 1, 0, 0, 0, 0}},
    {"smtpd's own sessions",
     BEGIN AT(
         "01:00:00") "smtpd[5]: Anonymous TLS connection established from x[192.0.2.9]: TLSv1.3 "
                     "with cipher X (256/256 bits)\n" TLS("01:00:00", "6", "Verified", R2)
                         SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1),
     {0, 0, 0, 0, 1, 0}},
};

static void levels_are_those_of_the_connection(void **state)
{
    const struct {
        const char *name, *log;
        unsigned levels[TALLY_LEVEL_COUNT];
    } *row = *state;
    struct audit_log log = audit_log_of(row->log, NULL);
    unsigned sent = 0;

    track_finish(log.track);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++) {
        assert_int_equal(log.tally->total.levels[i], row->levels[i]);
        sent += row->levels[i];
    }
    assert_int_equal(log.tally->total.statuses[TALLY_SENT], sent);
    audit_log_free(&log);
}

static void a_silent_log_is_unknown_and_one_that_speaks_late_is_not(void **state)
{
    struct audit_log log = audit_log_of(BEGIN, NULL);
    char line[400], id[16];

    (void)state;
    for (int i = 0; i < TRACK_SILENT_MAX + 5; i++) {
        snprintf(id, sizeof id, "FFFF%03d", i);
        snprintf(line, sizeof line, SENT("02:00:00", "5", "%s", "u@one.example", R1), id);
        audit_log_add(&log, line);
    }
    audit_log_add(&log, TLS("03:00:00", "5", "Verified", R1));
    audit_log_add(&log, SENT("03:00:00", "6", "BBBBBB", "u@one.example", R1));
    track_finish(log.track);
    assert_int_equal(log.tally->total.levels[TALLY_UNKNOWN], TRACK_SILENT_MAX + 5);
    assert_int_equal(log.tally->unlogged, TRACK_SILENT_MAX + 5);
    assert_int_equal(log.tally->total.levels[TALLY_NONE], 1);
    audit_log_free(&log);
}

static void tls_that_is_known_to_be_logged_needs_no_line(void **state)
{
    const struct track_options options = {.tls_logged = true};
    struct audit_log log =
        audit_log_of(BEGIN SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1), &options);

    (void)state;
    track_finish(log.track);
    assert_int_equal(log.tally->total.levels[TALLY_NONE], 1);
    audit_log_free(&log);
}

/* The log level was raised between 02:00 and 03:00 of the day. */
static const struct {
    const char *name, *log;
    unsigned none, unknown;
} raised_rows[] = {
    {"in clear after it, without a word about TLS",
     BEGIN SENT("01:00:00", "5", "AAAAA1", "u@one.example", R1)
         SENT("03:00:00", "5", "AAAAA2", "u@one.example", R1),
     1, 1},
    {"TLS after it",
     BEGIN SENT("01:00:00", "5", "AAAAA1", "u@one.example", R1) TLS("03:00:00", "5", "Trusted", R1)
         SENT("03:00:00", "5", "AAAAA2", "u@one.example", R1)
             SENT("03:00:09", "6", "AAAAA3", "u@one.example", R1),
     1, 1},
    {"TLS before it: it was something else that changed",
     BEGIN SENT("01:00:00", "5", "AAAAA1", "u@one.example", R1) TLS("01:30:00", "5", "Trusted", R1)
         SENT("01:30:00", "5", "AAAAA2", "u@one.example", R1)
             SENT("01:40:00", "6", "AAAAA3", "u@one.example", R1),
     2, 0},
};

static void mail_before_tls_was_logged_is_not_taken_for_clear(void **state)
{
    const struct {
        const char *name, *log;
        unsigned none, unknown;
    } *row = *state;
    const struct track_options options = {.tls_logged = true, .logged_since = 1795140000};
    struct audit_log log = audit_log_of(row->log, &options);

    track_finish(log.track);
    assert_int_equal(log.tally->total.levels[TALLY_NONE], row->none);
    assert_int_equal(log.tally->total.levels[TALLY_UNKNOWN], row->unknown);
    audit_log_free(&log);
}

/* ---- messages, recipients, octets ---- */

static void retries_count_once_and_recipients_each(void **state)
{
    struct audit_log log = audit_log_of(
        BEGIN QUEUED("01:00:00", "AAAAA1") TLS("01:00:00", "5", "Verified", R1)
            SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1) ENDS(
                "01:00:01", "5", "AAAAA1", "v@one.example", R1, "", "deferred (host said: 450)")
                ENDS("01:00:01", "6", "AAAAA1", "w@Two.Example", R2, "", "bounced (host said: 550)")
                    QUEUED("02:00:00", "AAAAA1") TLS("02:00:00", "7", "Verified", R1)
                        ENDS("02:00:01", "7", "AAAAA1", "v@one.example", R1, "", "deferred (450)")
                            TLS("03:00:00", "7", "Verified", R1)
                                SENT("03:00:01", "7", "AAAAA1", "v@one.example", R1)
                                    REMOVED("03:00:02", "AAAAA1")
        /* the same short id again */
        QUEUED("04:00:00", "AAAAA1") SENT("04:00:01", "5", "AAAAA1", "u@one.example", R1),
        NULL);
    const struct tally *tally = log.tally;
    const struct tally_domain *one = &tally->domains[tally_domain_find(tally, "one.example", 11)],
                              *two = &tally->domains[tally_domain_find(tally, "two.example", 11)];

    (void)state;
    assert_int_equal(tally->total.messages, 2);
    assert_int_equal(tally->total.recipients, 4);
    assert_int_equal(tally->total.octets, 3000);
    assert_int_equal(tally->total.statuses[TALLY_SENT], 3);
    assert_int_equal(tally->total.statuses[TALLY_DEFERRED], 2);
    assert_int_equal(tally->total.statuses[TALLY_BOUNCED], 1);
    assert_int_equal(one->messages, 2);
    assert_int_equal(one->recipients, 3);
    assert_int_equal(two->messages, 1);
    assert_int_equal(two->recipients, 1);
    assert_int_equal(one->messages_sent, 2);
    assert_int_equal(two->messages_sent, 0);
    audit_log_free(&log);
}

/* However many recipients it has there, however many domains, and however late it was sent. */
static void a_message_is_sent_once_to_a_domain(void **state)
{
    static const char *const names[] = {"one.example", "two.example", "three.example",
                                        "four.example"};
    struct audit_log log = audit_log_of(
        BEGIN QUEUED("01:00:00", "AAAAA1") SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
            SENT("01:00:01", "5", "AAAAA1", "u@two.example", R1)
                SENT("01:00:01", "5", "AAAAA1", "u@three.example", R1)
                    ENDS("01:00:01", "5", "AAAAA1", "u@four.example", R1, "", "deferred (450)")
                        SENT("01:00:01", "5", "AAAAA1", "v@one.example", R1)
                            SENT("01:00:01", "5", "AAAAA1", "v@three.example", R1)
                                SENT("01:00:02", "5", "AAAAA1", "u@four.example", R1)
                                    REMOVED("01:00:03", "AAAAA1"),
        NULL);

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        uint32_t domain = tally_domain_find(log.tally, names[i], strlen(names[i]));

        assert_int_equal(log.tally->domains[domain].messages, 1);
        assert_int_equal(log.tally->domains[domain].messages_sent, 1);
    }
    audit_log_free(&log);
}

#define PICKUP(t, id, from, former) AT(t) "pickup[3]: " id ": uid=0 from=<" from ">" former "\n"

/* Twice, and its size is another one now; then its ids are those of other messages. */
static void a_message_that_is_queued_anew_is_the_same(void **state)
{
    struct audit_log log = audit_log_of(
        BEGIN QUEUED("01:00:00", "AAAAA1") ENDS("01:00:00", "5", "AAAAA1", "u@one.example", R1, "",
                                                "deferred (Server certificate not verified)")
            PICKUP("02:00:00", "AAAAA2", "a@b", " orig_id=AAAAA1")
                PICKUP("02:00:01", "AAAAA3", "a@b", " orig_id=AAAAA2")
                    AT("02:00:01") "qmgr[9]: AAAAA3: from=<a@b>, size=1100, nrcpt=1 (queue "
                                   "active)\n" SENT("02:00:01", "5", "AAAAA3", "u@one.example", R1)
                                       REMOVED("02:00:01", "AAAAA3")
                                           SENT("03:00:00", "5", "AAAAA1", "u@one.example", R1)
                                               SENT("03:00:00", "5", "AAAAA3", "u@one.example", R1)
        /* a sender is no id */
        PICKUP("04:00:00", "AAAAA4", "x> orig_id=AAAAA3", "")
            SENT("04:00:00", "5", "AAAAA4", "u@one.example", R1),
        NULL);
    const struct tally *tally = log.tally;

    (void)state;
    assert_int_equal(tally->total.messages, 4);
    assert_int_equal(tally->total.recipients, 4);
    assert_int_equal(tally->total.octets, 1100);
    assert_int_equal(tally->troubles[1].sent, 1);
    assert_int_equal(tally->troubles[1].waited_s, 3601);
    audit_log_free(&log);
}

static void lines_outside_the_period_are_followed_but_not_counted(void **state)
{
    /* 02:00 to 03:00 of the day */
    const struct track_options options = {.since = 1795140000, .until = 1795143600};
    struct audit_log log =
        audit_log_of(BEGIN QUEUED("01:00:00", "AAAAA1")
                         ENDS("01:00:01", "5", "AAAAA1", "v@one.example", R1, "", "deferred (450)")
                             TLS("01:59:59", "7", "Verified", R1)
                                 SENT("02:00:00", "7", "AAAAA1", "v@one.example", R1)
                                     SENT("03:00:00", "8", "AAAAA2", "v@one.example", R1),
                     &options);

    (void)state;
    track_finish(log.track);
    assert_int_equal(log.tally->total.statuses[TALLY_DEFERRED], 0);
    assert_int_equal(log.tally->total.statuses[TALLY_SENT], 1);
    assert_int_equal(log.tally->total.levels[TALLY_VERIFIED], 1);
    assert_int_equal(log.tally->total.recipients, 1);
    assert_int_equal(log.tally->total.octets, 1000);
    assert_int_equal(log.tally->from, 1795140000);
    assert_int_equal(log.tally->to, 1795140000);
    audit_log_free(&log);
}

/* ---- troubles ---- */

#define DEFERRED(t, pid, id, to, relay, why) ENDS(t, pid, id, to, relay, "", "deferred (" why ")")
#define POLICY_WHY                                                                                 \
    "smtp[5]: warning: socketmap:unix:/run/mxcrypt/policy:postfix socketmap server temporary "     \
    "error: a mail host refuses STARTTLS\n"

static const struct {
    const char *name, *log;
    enum tally_cause cause;
    const char *text;
    unsigned deferred, bounced, recipients, sent, gave_up, deleted, waited_s;
} trouble_rows[] = {
    {"the policy could not be looked up, with our reason; then it went",
     BEGIN AT("01:00:00") POLICY_WHY DEFERRED("01:00:00", "5", "AAAAA1", "u@one.example", "none",
                                              "client TLS configuration problem")
         DEFERRED("01:00:00", "5", "AAAAA1", "v@one.example", "none",
                  "client TLS configuration problem")
             SENT("01:10:00", "5", "AAAAA1", "u@one.example", R1)
                 SENT("01:20:00", "5", "AAAAA1", "v@one.example", R1),
     TALLY_POLICY_LOOKUP, "a mail host refuses STARTTLS", 2, 0, 2, 2, 0, 0, 1800},
    {"what was logged before belongs to one message only",
     BEGIN AT("01:00:00")
         POLICY_WHY DEFERRED("01:00:00", "5", "AAAAA1", "u@two.example", "none", "450")
             DEFERRED("01:00:00", "5", "AAAAA2", "u@one.example", R1,
                      "TLS is required, but was not offered by host mx.one.example[192.0.2.1]"),
     TALLY_NOT_OFFERED, "", 1, 0, 1, 0, 0, 0, 0},
    {"nor does it to the message after one that was sent",
     BEGIN AT("01:00:00") "smtp[5]: warning: MX name 'a.example' does not match STS MX pattern for "
                          "'two.example'\n" SENT("01:00:00", "5", "AAAAA1", "u@two.example", R1)
                              DEFERRED("01:00:00", "5", "AAAAA2", "u@one.example", "none",
                                       "server unavailable or unable to receive mail")
                                  DEFERRED("01:00:00", "6", "AAAAA3", "u@one.example", R1,
                                           "TLS is required, but was not offered by host "
                                           "mx.one.example[192.0.2.1]"),
     TALLY_NOT_OFFERED, "", 1, 0, 1, 0, 0, 0, 0},
    {"a message that is older than the log",
     DEFERRED("01:00:00", "5", "AAAAA1", "u@one.example", R1, "Server certificate not verified")
         QUEUED("02:00:00", "AAAAA1") SENT("02:00:00", "5", "AAAAA1", "u@one.example", R1)
             REMOVED("02:00:00", "AAAAA1"),
     TALLY_CERTIFICATE, "", 1, 0, 1, 1, 0, 0, 3600},
    {"a service with a syslog_name of its own",
     BEGIN QUEUED("01:00:00",
                  "AAAAA1") "Nov 20 01:00:00 mx slow/smtp[5]: AAAAA1: "
                            "to=<u@one.example>, relay=none, delay=1, delays=0/0/0/1, "
                            "dsn=4.7.5, status=deferred (non DNSSEC destination)\n" AT(
                                "06:00:00") "qmgr[9]: AAAAA1: from=<a@b>, status=expired, returned "
                                            "to sender\n" REMOVED("06:00:00", "AAAAA1"),
     TALLY_NO_DANE, "non DNSSEC destination", 1, 0, 1, 0, 1, 0, 18000},
    {"a certificate, and why",
     BEGIN AT("01:00:00") "smtp[5]: certificate verification failed for " R1
                          ": untrusted issuer /CN=\x1b[31m\n" DEFERRED(
                              "01:00:00", "5", "AAAAA1", "u@one.example", R1,
                              "Server certificate not verified")
                              AT("06:00:00") "qmgr[9]: AAAAA1: from=<a@b>, status=expired, "
                                             "returned to sender\n" REMOVED("06:00:00", "AAAAA1"),
     TALLY_CERTIFICATE, R1 ": untrusted issuer /CN=\\x1b[31m", 1, 0, 1, 0, 1, 0, 18000},
    {"deleted by the operator",
     BEGIN DEFERRED("01:00:00", "5", "AAAAA1", "u@one.example", "none",
                    "TLSA lookup error for mx:25")
         AT("01:00:07") "postsuper[77]: AAAAA1: removed\n",
     TALLY_TLSA_LOOKUP, "", 1, 0, 1, 0, 0, 1, 7},
    {"the queue manager holds back others after it",
     BEGIN AT("01:00:00") POLICY_WHY DEFERRED("01:00:00", "5", "AAAAA1", "u@one.example", "none",
                                              "client TLS configuration problem")
         AT("01:00:01") "error[8]: AAAAA2: to=<v@one.example>, relay=none, delay=1, "
                        "delays=0/1/0/0, dsn=4.7.5, status=deferred (delivery temporarily "
                        "suspended: client TLS configuration problem)\n",
     TALLY_POLICY_LOOKUP, "a mail host refuses STARTTLS", 2, 0, 2, 0, 0, 0, 0},
    {"sent back by the operator",
     BEGIN DEFERRED("01:00:00", "5", "AAAAA1", "u@one.example", R1,
                    "Server certificate not verified")
         AT("01:00:09") "error[7]: AAAAA1: to=<u@one.example>, relay=none, delay=9, "
                        "delays=8/1/0/0, dsn=5.1.2, status=bounced (no such partner)\n" REMOVED(
                            "01:00:09", "AAAAA1"),
     TALLY_CERTIFICATE, "", 1, 0, 1, 0, 1, 0, 9},
    {"what error(8) sends back that did not wait",
     BEGIN DEFERRED("01:00:00", "5", "AAAAA1", "u@one.example", R1,
                    "Server certificate not verified")
         AT("01:00:09") "error[7]: AAAAA1: to=<v@one.example>, relay=none, delay=9, "
                        "delays=8/1/0/0, dsn=5.1.2, status=bounced (no such partner)\n",
     TALLY_CERTIFICATE, "", 1, 0, 1, 0, 0, 0, 0},
    {"STARTTLS refused for good bounces",
     BEGIN ENDS(
         "01:00:00", "5", "AAAAA1", "u@one.example", R1, "",
         "bounced (TLS is required, but host mx.one.example[192.0.2.1] refused to start TLS: "
         "554 no)"),
     TALLY_REFUSED, "554 no", 0, 1, 1, 0, 1, 0, 0},
    {"no mail host matches the policy",
     BEGIN AT(
         "01:00:00") "smtp[5]: warning: MX name 'mx.evil.example' does not match STS MX pattern "
                     "for 'one.example'\n" DEFERRED("01:00:00", "5", "AAAAA1", "u@one.example",
                                                    "none",
                                                    "server unavailable or unable to receive mail"),
     TALLY_MX_PATTERN, "'mx.evil.example' does not match STS MX pattern for 'one.example'", 1, 0, 1,
     0, 0, 0, 0},
    {"a handshake, with the library's word",
     BEGIN AT("01:00:00") "smtp[5]: SSL_connect error to " R1 ": -1\n" AT(
         "01:00:00") "smtp[5]: warning: TLS library problem: error:0A000102:SSL "
                     "routines::unsupported protocol\n" DEFERRED("01:00:00", "5", "AAAAA1",
                                                                 "u@one.example", R1,
                                                                 "Cannot start TLS: handshake "
                                                                 "failure"),
     TALLY_HANDSHAKE, "error:0A000102:SSL routines::unsupported protocol", 1, 0, 1, 0, 0, 0, 0},
};

static void troubles_have_cause_text_and_end(void **state)
{
    const struct {
        const char *name, *log;
        enum tally_cause cause;
        const char *text;
        unsigned deferred, bounced, recipients, sent, gave_up, deleted, waited_s;
    } *row = *state;
    struct audit_log log = audit_log_of(row->log, NULL);
    const struct tally *tally = log.tally;
    const struct tally_trouble *trouble = &tally->troubles[1];

    assert_int_equal(tally->trouble_count, 2);
    assert_int_equal(trouble->cause, row->cause);
    assert_string_equal(trouble->text, row->text);
    assert_string_equal(tally->domains[trouble->domain].name, "one.example");
    assert_int_equal(trouble->deferred, row->deferred);
    assert_int_equal(trouble->bounced, row->bounced);
    assert_int_equal(trouble->recipients, row->recipients);
    assert_int_equal(trouble->sent, row->sent);
    assert_int_equal(trouble->gave_up, row->gave_up);
    assert_int_equal(trouble->deleted, row->deleted);
    assert_int_equal(trouble->waited_s, row->waited_s);
    assert_int_equal(tally->causes[row->cause], row->deferred);
    assert_int_equal(tally->causes_bounced[row->cause], row->bounced);
    assert_int_equal(tally->total.tls_deferred, row->deferred);
    audit_log_free(&log);
}

/* ---- relayhosts ---- */

static const struct {
    const char *name, *relayhost, *relay, *nexthop;
} relay_rows[] = {
    {"by name", "[Relay.ISP.example]:587", "relay.isp.example[192.0.2.7]:587",
     "[relay.isp.example]:587"},
    {"by the name of a service", "[relay.isp.example]:submission",
     "relay.isp.example[192.0.2.7]:587", "[relay.isp.example]:submission"},
    {"another port", "[relay.isp.example]:587", "relay.isp.example[192.0.2.7]:25", "one.example"},
    {"without a port", "[relay.isp.example]", "relay.isp.example[192.0.2.7]:25",
     "[relay.isp.example]"},
    {"by address", "[192.0.2.7]", "relay.isp.example[192.0.2.7]:25", "[192.0.2.7]"},
    {"another host", "[relay.isp.example]", R1, "one.example"},
    {"by its MX hosts", "isp.example", R1, "isp.example"},
    {"before it is connected", "[relay.isp.example]", "none", "[relay.isp.example]"},
};

static void a_relayhost_counts_as_the_next_hop(void **state)
{
    const struct {
        const char *name, *relayhost, *relay, *nexthop;
    } *row = *state;
    const struct track_options options = {.relayhosts = {row->relayhost}, .relayhost_count = 1};
    struct audit_log log;
    char text[600];

    snprintf(text, sizeof text,
             "%s" ENDS("01:00:00", "5", "AAAAA1", "u@one.example", "%s", "", "deferred (x)"), BEGIN,
             row->relay);
    log = audit_log_of(text, &options);
    assert_int_equal(log.tally->domain_count, 2);
    assert_string_equal(log.tally->domains[1].name, row->nexthop);
    audit_log_free(&log);
}

static void what_waits_for_a_word_about_tls_keeps_its_day(void **state)
{
    struct audit_log log =
        audit_log_of(BEGIN SENT("01:00:00", "5", "AAAAA1", "u@one.example", R1), NULL);

    (void)state;
    audit_log_add(&log,
                  "Nov 18 01:00:00 mx postfix/smtp[6]: AAAAA2: to=<u@two.example>, relay=none, "
                  "delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred (no route)\n");
    track_finish(log.track);
    assert_int_equal(log.tally->day_count, 2);
    assert_int_equal(log.tally->days[0].levels[TALLY_UNKNOWN], 0);
    assert_int_equal(log.tally->days[0].statuses[TALLY_DEFERRED], 1);
    assert_int_equal(log.tally->days[1].levels[TALLY_UNKNOWN], 1);
    assert_int_equal(log.tally->days[1].statuses[TALLY_SENT], 1);
    audit_log_free(&log);
}

/* ---- limits ---- */

static void what_finds_no_room_is_counted_with_the_others(void **state)
{
    static const struct tally_limits limits = {2, 1, 1};
    static const struct track_options none;
    struct audit_log log;

    (void)state;
    log.tally = tally_new(&limits);
    log.track = track_new(log.tally, &none);
    audit_log_add(&log, BEGIN TLS("01:00:00", "5", "Verified", R1)
                            SENT("01:00:01", "5", "AAAAA1", "u@one.example", R1)
                                SENT("01:00:01", "6", "AAAAA2", "u@two.example", R2)
                                    SENT("01:00:01", "6", "AAAAA3", "u@three.example", R2)
                                        SENT("01:00:01", "6", "AAAAA4", "u@\x80\xff", R2));
    assert_int_equal(log.tally->domain_count, 3);
    assert_int_equal(log.tally->domains[TALLY_OTHERS].messages, 2);
    assert_int_equal(log.tally->domains_folded, 1);
    assert_int_equal(log.tally->host_count, 2);
    assert_int_equal(log.tally->hosts[TALLY_OTHERS].statuses[TALLY_SENT], 3);
    assert_int_equal(log.tally->total.messages, 4);
    audit_log_free(&log);
}

int main(void)
{
    ROWS_ADD(level_rows, levels_are_those_of_the_connection);
    ROWS_ADD(raised_rows, mail_before_tls_was_logged_is_not_taken_for_clear);
    ROWS_ADD(trouble_rows, troubles_have_cause_text_and_end);
    ROWS_ADD(relay_rows, a_relayhost_counts_as_the_next_hop);
    ROWS_ADD_TEST(a_silent_log_is_unknown_and_one_that_speaks_late_is_not);
    ROWS_ADD_TEST(tls_that_is_known_to_be_logged_needs_no_line);
    ROWS_ADD_TEST(retries_count_once_and_recipients_each);
    ROWS_ADD_TEST(a_message_is_sent_once_to_a_domain);
    ROWS_ADD_TEST(a_message_that_is_queued_anew_is_the_same);
    ROWS_ADD_TEST(lines_outside_the_period_are_followed_but_not_counted);
    ROWS_ADD_TEST(what_waits_for_a_word_about_tls_keeps_its_day);
    ROWS_ADD_TEST(what_finds_no_room_is_counted_with_the_others);
    return rows_run("track");
}
