/*
 * hostile lines: a log holds what strangers say: replies of servers, recipients, subjects, names.
 * None of it may count as a line of Postfix's own, and no line may keep the next from being counted.
 * Each row is a log and what must be counted of it.
 */
#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/line.h"
#include "audit/stamp.h"
#include "audit/tally.h"
#include "audit/track.h"

/* 2026-11-28 00:00:00 UTC */
#define NEWEST      INT64_C(1795824000)
#define REASON_MAX  (1 << 20)
#define COUNTED_MAX 2000

/* whatever is delivered after it has no connection that is older */
#define BEGIN "Nov 20 00:00:00 mail postfix/master[1]: daemon started -- version 3.7.11\n"

#define S                           "Nov 27 18:45:08 mail "
#define SMTP                        S "postfix/smtp[100]: "
#define RELAY                       "mx.a.example[192.0.2.1]:25"
#define REST                        ", delay=0.1, delays=0.01/0.01/0.05/0.03, dsn=2.0.0, status="
#define CIPHER                      ": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
#define TLS(relay)                  SMTP "Verified TLS connection established to " relay CIPHER
#define ENDS(id, to, relay, reason) SMTP id ": to=<" to ">, relay=" relay REST reason "\n"
#define SENT(to)                    ENDS("AAAAA1", to, RELAY, "sent (250 ok)")
#define SAID(reply)                                                                                \
    ENDS("AAAAA1", "u@a.example", RELAY, "deferred (host mx.a.example said: " reply ")")
#define ONE_IN_CLEAR "a.example sent=1 none=1"
#define ONE_DEFERRED "a.example deferred=1"
#define NOTHING      ""
/* a delivery that never was */
#define FORGED         "to=<x@evil.example>, relay=evil.example[192.0.2.66]:25" REST "sent (250 ok)"
#define FORGED_SESSION "Verified TLS connection established to " RELAY CIPHER
#define X4(text)       text text text text
#define X64(text)      X4(X4(X4(text)))
#define LONG_NAME      X64("abcd.") "example" /* 327 octets */

struct hostile {
    const char *name;
    const char *log; /* \1 is a NUL */
    const char *want;
};

static const struct hostile rows[] = {
    /* ---- what a server says ---- */
    {"a reply that says status=sent", SAID("450 4.2.0 status=sent (250 ok)"), ONE_DEFERRED},
    {"a reply that is a delivery of its own", SAID("450 try later), " FORGED), ONE_DEFERRED},
    {"a reply that says to=<>", SAID("450 AAAAA1: " FORGED), ONE_DEFERRED},
    {"a reply that says that TLS is established",
     SAID("450 "
          "Verified TLS connection established to " RELAY ": TLSv1.3 with cipher X")
         SENT("u@a.example"),
     "a.example sent=1 deferred=1 none=1"},
    {"a reply that speaks like Postfix about TLS",
     ENDS("AAAAA1", "u@a.example", RELAY,
          "deferred (host " RELAY " said: 450 TLS is required, but was not offered by host x)"),
     ONE_DEFERRED},
    {"a reply that ends in Postfix's words",
     ENDS("AAAAA1", "u@a.example", RELAY,
          "deferred (host mx.a.example[192.0.2.1] said: 450 dane configured with dnssec lookups "
          "disabled)"),
     ONE_DEFERRED},
    {"a reply that ends in Postfix's words, of which Postfix says more",
     ENDS("AAAAA1", "u@a.example", RELAY,
          "deferred (SASL authentication failed; server mx.a.example[192.0.2.1] said: 535 x: "
          "dane-only configured with dnssec lookups disabled)")
         ENDS("AAAAA2", "u@a.example", RELAY,
              "deferred (Protocol error: host mx.a.example[192.0.2.1] refused to talk to me: 399 "
              "dane-only configured with dnssec lookups disabled)"),
     "a.example deferred=2"},
    {"a reply that speaks of STARTTLS as Postfix does",
     SAID("lost connection with x while receiving the STARTTLS response"), ONE_DEFERRED},
    {"a mail host that hangs up when it is asked for TLS",
     ENDS("AAAAA1", "u@a.example", RELAY,
          "deferred (lost connection with mx.a.example[192.0.2.1] while receiving the STARTTLS "
          "response)")
         ENDS("AAAAA2", "u@a.example", RELAY,
              "deferred (conversation with mx.a.example[192.0.2.1] timed out while receiving the "
              "STARTTLS response)"),
     "a.example deferred=2 [refused=2]"},
    {"an answer to STARTTLS that is neither yes nor no",
     ENDS("AAAAA1", "u@a.example", RELAY,
          "SOFTBOUNCE (Protocol error: TLS is required, but host mx.a.example[192.0.2.1] refused "
          "to start TLS: 354 go)"),
     ONE_DEFERRED " [refused=1]"},
    {"DANE that this side cannot do",
     ENDS("AAAAA1", "u@a.example", "none",
          "deferred (a.example: dane-only configured with dnssec lookups disabled)")
         ENDS("AAAAA2", "u@a.example", "none",
              "deferred (a.example: dns resolver options incompatible with dane-only TLS)"),
     "a.example deferred=2 [our-tls=2]"},
    {"terminal escapes", SAID("450 \033]0;owned\007\033[2J\033[31m"), ONE_DEFERRED},
    {"HTML", SAID("450 <script>alert(1)</script>&\"'"), ONE_DEFERRED},
    {"a refusal of STARTTLS with everything in it",
     ENDS("AAAAA1", "u@a.example", RELAY,
          "deferred (TLS is required, but host " RELAY
          " refused to start TLS: 454 status=sent (\033[m)"),
     ONE_DEFERRED " [refused=1]"},
    {"a reply without its end",
     SMTP "AAAAA1: to=<u@a.example>, relay=" RELAY REST "sent (250 2.0.0 Ok: que\n", ONE_IN_CLEAR},
    {"an empty reply", ENDS("AAAAA1", "u@a.example", RELAY, "sent ()"), ONE_IN_CLEAR},
    /* ---- recipients ---- */
    {"a quoted recipient that is a whole delivery",
     ENDS("AAAAA1",
          "\"x>, relay=evil[1.2.3.4]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent "
          "(ok\"@victim.example",
          "none", "deferred (connect to mx.victim.example[192.0.2.3]:25: Connection timed out)"),
     "victim.example deferred=1"},
    {"a quoted recipient with quotes in it",
     ENDS("AAAAA1", "\"a\\\">, relay=evil[1.2.3.4]:25, status=sent (\\\\\"@a.example", RELAY,
          "sent (250 ok)"),
     ONE_IN_CLEAR},
    {"a quoted recipient with another domain in it", SENT("\"u@evil.example>, \"@a.example"),
     ONE_IN_CLEAR},
    {"a quotation that does not end", SENT("\"u@a.example"), ONE_IN_CLEAR},
    {"an original recipient that is a whole delivery",
     SMTP "AAAAA1: to=<u@a.example>, orig_to=<\"x>, relay=evil[1.2.3.4]:25, delay=0, "
          "delays=0/0/0/0, dsn=2.0.0, "
          "status=sent (ok\"@evil.example>, relay=none" REST
          "deferred (connect to mx.a.example[192.0.2.1]:25: Connection refused)\n",
     ONE_DEFERRED},
    {"a recipient without a domain", SENT("postmaster"), "others sent=1 none=1"},
    {"no recipient at all", SENT(""), "others sent=1 none=1"},
    {"a domain in capitals", SENT("u@A.Example"), ONE_IN_CLEAR},
    {"a domain of 327 octets", SENT("u@" LONG_NAME), "others sent=1 none=1"},
    {"U-labels",
     SENT("u@b\xc3\xbc"
          "cher.example"),
     "xn--bcher-kva.example sent=1 none=1"},
    {"a domain that is written from right to left",
     SENT("u@\xe2\x80\xae"
          "elpmaxe.a"),
     "others sent=1 none=1"},
    {"a domain with control characters", SENT("u@a\033[2J.example"), "others sent=1 none=1"},
    {"a domain with a broken UTF-8 sequence", SENT("u@\xc3\x28.example"), "others sent=1 none=1"},
    /* ---- programs ---- */
    {"a program whose name begins like the client's",
     S "postfix/smtp-evil[1]: AAAAA1: " FORGED "\n", NOTHING},
    {"a program that is not of Postfix", S "smtp[1]: AAAAA1: " FORGED "\n", NOTHING},
    {"a client without a number", S "postfix/smtp: AAAAA1: " FORGED "\n", NOTHING},
    {"an empty number", S "postfix/smtp[]: AAAAA1: " FORGED "\n", NOTHING},
    {"a number that is none", S "postfix/smtp[1x]: AAAAA1: " FORGED "\n", NOTHING},
    {"a number that is too large", S "postfix/smtp[99999999999999999999]: AAAAA1: " FORGED "\n",
     NOTHING},
    {"a spam filter that quotes Postfix",
     S "rspamd[9]: <a1b2c3>; task; rspamd_task_write_log: postfix/smtp[100]: AAAAA1: " FORGED "\n",
     NOTHING},
    {"amavis, which says status=sent too",
     S "amavis[9]: (00009-01) Passed CLEAN, AAAAA1: " FORGED ", queued_as: AAAAA2\n", NOTHING},
    {"a subject that a header check logs",
     S "postfix/cleanup[7]: AAAAA1: warning: header Subject: x: " FORGED
       " from local; from=<a@b.example> " FORGED "\n",
     NOTHING},
    {"the greeting of a client",
     S "postfix/smtpd[7]: NOQUEUE: reject: RCPT from x[192.0.2.9]: 554 5.7.1 no; from=<" FORGED
       "> helo=<" FORGED ">\n",
     NOTHING},
    {"lmtp to a socket",
     S "postfix/lmtp[8]: AAAAA1: to=<u@a.example>, relay=mail[private/lmtp]" REST "sent (250 ok)\n",
     NOTHING},
    {"lmtp to an address",
     S "postfix/lmtp[8]: AAAAA1: to=<u@a.example>, relay=mail[192.0.2.7]:24" REST "sent (250 ok)\n",
     NOTHING},
    {"local, pipe and virtual",
     S "postfix/local[8]: AAAAA1: to=<u@a.example>, relay=local" REST "sent (delivered)\n" S
       "postfix/pipe[8]: AAAAA1: to=<u@a.example>, relay=pipe" REST "sent (delivered)\n" S
       "postfix/virtual[8]: AAAAA1: to=<u@a.example>, relay=virtual" REST "sent (delivered)\n",
     NOTHING},
    /* ---- sessions ---- */
    {"a session of smtpd",
     S "postfix/smtpd[100]: Verified TLS connection established from " RELAY CIPHER SENT(
         "u@a.example"),
     ONE_IN_CLEAR},
    {"a session of smtpd that says 'to'",
     S "postfix/smtpd[100]: " FORGED_SESSION SENT("u@a.example"), ONE_IN_CLEAR},
    {"a session of tlsproxy", S "postfix/tlsproxy[100]: " FORGED_SESSION SENT("u@a.example"),
     ONE_IN_CLEAR},
    {"a session on another host of the log",
     "Nov 27 18:45:08 other postfix/smtp[100]: " FORGED_SESSION SENT("u@a.example"), ONE_IN_CLEAR},
    {"a session of another instance",
     S "postfix-out/smtp[100]: " FORGED_SESSION SENT("u@a.example"), ONE_IN_CLEAR},
    {"a session behind a queue id", SMTP "AAAAA1: " FORGED_SESSION SENT("u@a.example"),
     ONE_IN_CLEAR},
    {"a session with another host whose name holds this one",
     SMTP "Verified TLS connection established to evil" RELAY CIPHER SENT("u@a.example"),
     ONE_IN_CLEAR},
    {"what is reported to TLSRPT",
     TLS(RELAY) SMTP
     "TLSRPT: status=success, domain=a.example, receiving_mx=mx.a.example[192.0.2.1]\n" SENT(
         "u@a.example"),
     "a.example sent=1 verified=1"},
    {"what is reported to TLSRPT of a failure",
     SMTP "TLSRPT: status=failure, domain=a.example, receiving_mx=mx.a.example[192.0.2.1], "
          "failure_type=starttls_not_supported\n" ENDS(
              "AAAAA1", "u@a.example", RELAY,
              "deferred (TLS is required, but was not offered by host " RELAY ")"),
     ONE_DEFERRED " [not-offered=1]"},
    /* ---- relays ---- */
    {"IPv6",
     TLS("mx.a.example[2001:db8::25]:25")
         ENDS("AAAAA1", "u@a.example", "mx.a.example[2001:db8::25]:25", "sent (ok)"),
     "a.example sent=1 verified=1"},
    {"an address for a name",
     TLS("192.0.2.1[192.0.2.1]:25")
         ENDS("AAAAA1", "u@[192.0.2.1]", "192.0.2.1[192.0.2.1]:25", "sent (ok)"),
     "[192.0.2.1] sent=1 verified=1"},
    {"a relay without a name", ENDS("AAAAA1", "u@a.example", "[192.0.2.1]:25", "sent (ok)"),
     NOTHING},
    {"a relay that is a socket", ENDS("AAAAA1", "u@a.example", "/var/run/x", "sent (ok)"), NOTHING},
    {"no relay",
     ENDS("AAAAA1", "u@a.example", "none",
          "deferred (connect to mx.a.example[192.0.2.1]:25: No route to host)"),
     ONE_DEFERRED},
    {"a relay with a name of 327 octets",
     ENDS("AAAAA1", "u@a.example", LONG_NAME "[192.0.2.1]:25", "sent (ok)"), ONE_IN_CLEAR},
    /* ---- queue ids ---- */
    {"a queue id that is too long", ENDS(X64("A"), "u@a.example", RELAY, "sent (ok)"), NOTHING},
    {"a queue id that is a path", ENDS("../../x", "u@a.example", RELAY, "sent (ok)"), NOTHING},
    {"a queue id that is empty", ENDS("", "u@a.example", RELAY, "sent (ok)"), NOTHING},
    {"a short queue id that comes again",
     SENT("u@a.example") S "postfix/qmgr[5]: AAAAA1: removed\n" SENT("u@a.example"),
     "a.example sent=2 none=2"},
    /* ---- numbers ---- */
    {"numbers that overflow",
     S "postfix/qmgr[5]: AAAAA1: from=<a@b.example>, size=99999999999999999999999, "
       "nrcpt=99999999999999999999 (queue active)\n" SMTP "AAAAA1: to=<u@a.example>, relay=" RELAY
       ", conn_use=99999999999999999999, delay=99999999999999999999, "
       "delays=99999999999999999999/0/99999999999999999999/99999999999999999999, dsn=2.0.0, "
       "status=sent (ok)\n",
     ONE_IN_CLEAR},
    {"negative numbers",
     SMTP "AAAAA1: to=<u@a.example>, relay=" RELAY
          ", delay=-1, delays=-1/-1/-1/-1, dsn=2.0.0, status=sent (ok)\n",
     ONE_IN_CLEAR},
    {"a sender that is a queue line",
     S "postfix/qmgr[5]: AAAAA1: from=<\"x>, status=expired, returned to sender\"@b.example>, "
       "size=5, nrcpt=1 (queue active)\n" SENT("u@a.example"),
     ONE_IN_CLEAR},
    /* ---- words ---- */
    {"a probe of an address",
     ENDS("AAAAA1", "u@a.example", RELAY, "deliverable (250 ok)")
         ENDS("AAAAA1", "u@a.example", RELAY, "undeliverable (550 no)"),
     NOTHING},
    {"status in capitals", ENDS("AAAAA1", "u@a.example", RELAY, "SENT (250 ok)"), NOTHING},
    {"soft_bounce", ENDS("AAAAA1", "u@a.example", RELAY, "SOFTBOUNCE (550 no)"), ONE_DEFERRED},
    {"fields in another order", SMTP "AAAAA1: relay=" RELAY ", to=<u@a.example>" REST "sent (ok)\n",
     NOTHING},
    {"more fields than there can be",
     SMTP "AAAAA1: to=<u@a.example>, relay=" RELAY ", " X64("a=b, ") "status=sent (ok)\n", NOTHING},
    /* ---- stamps ---- */
    {"February 30th",
     "Feb 30 10:00:00 mail postfix/smtp[100]: AAAAA1: " FORGED "\n" SENT("u@a.example"),
     ONE_IN_CLEAR},
    {"February 29th of a year that has none",
     "2026-02-29T10:00:00Z mail postfix/smtp[100]: AAAAA1: " FORGED "\n" SENT("u@a.example"),
     ONE_IN_CLEAR},
    {"February 29th of one that has, before the log",
     "2024-02-29T10:00:00Z mail postfix/smtp[100]: AAAAA1: to=<u@a.example>, relay=" RELAY REST
     "sent (ok)\n",
     "a.example sent=1 unknown=1"},
    {"hour 25", "Nov 27 25:00:00 mail postfix/smtp[100]: AAAAA1: " FORGED "\n" SENT("u@a.example"),
     ONE_IN_CLEAR},
    {"day 0, month 13",
     "2026-13-01T10:00:00Z mail postfix/smtp[1]: AAAAA1: " FORGED
     "\nNov  0 10:00:00 mail postfix/smtp[1]: AAAAA1: " FORGED "\n",
     NOTHING},
    {"time that goes back",
     SENT("u@a.example") "Nov 27 17:45:08 mail postfix/smtp[100]: AAAAA2: to=<u@a.example>, "
                         "relay=" RELAY REST "sent (ok)\n"
                         "Nov 26 18:45:08 mail postfix/smtp[100]: AAAAA3: to=<u@a.example>, "
                         "relay=" RELAY REST "sent (ok)\n",
     "a.example sent=3 none=3"},
    {"a stamp and nothing more",
     "Nov 27 18:45:08\nNov 27 18:45:08 \nNov 27 18:45:08 mail\nNov 27 18:45:08 mail \n", NOTHING},
    {"empty lines and blanks", "\n \n\t\n\r\n  \n" SENT("u@a.example"), ONE_IN_CLEAR},
    /* ---- octets ---- */
    {"NUL in a reply", SAID("450 a\1b\1"), ONE_DEFERRED},
    {"NUL in a queue id",
     ENDS("AAAA\1"
          "A1",
          "u@a.example", RELAY, "sent (ok)"),
     NOTHING},
    {"NUL in a domain", SENT("u@a.exa\1mple"), "others sent=1 none=1"},
    {"NUL in a relay", ENDS("AAAAA1", "u@a.example", "mx.a\1.example[192.0.2.1]:25", "sent (ok)"),
     ONE_IN_CLEAR},
    {"binary", "\x1f\x8b\x08\1\1\1\1\1\xff\xfe\n\n\xff\xff\xff\xff\n" SENT("u@a.example"),
     ONE_IN_CLEAR},
    {"a line that was cut in its numbers",
     SMTP "AAAAA1: to=<u@a.example>, relay=" RELAY ", delay=0.1, dela\n" SENT("u@a.example"),
     ONE_IN_CLEAR},
    {"a line that was cut before its status",
     SMTP "AAAAA1: to=<u@a.example>, relay=" RELAY REST "\n" SENT("u@a.example"), ONE_IN_CLEAR},
    {"a line that ends with a carriage return",
     SMTP "AAAAA1: to=<u@a.example>, relay=" RELAY REST "sent (250 ok)\r\n", ONE_IN_CLEAR},
    /* ---- log daemons ---- */
    {"lines that journald dropped",
     S "systemd-journald[2]: Suppressed 12 messages from postfix.service\n", "suppressed=12"},
    {"lines that rsyslog dropped",
     S "rsyslogd: imjournal: 7 messages lost due to rate-limiting (20000 allowed within 600 "
       "seconds)\n",
     "suppressed=7"},
    {"a client that speaks like journald", SMTP "Suppressed 12 messages from postfix.service\n",
     NOTHING},
    {"what was repeated in brackets",
     SENT("u@a.example") SMTP
     "message repeated 3 times: [ AAAAA1: to=<u@a.example>, relay=" RELAY REST "sent (250 ok)]\n",
     ONE_IN_CLEAR},
    {"the last message repeated", SENT("u@a.example") S "last message repeated 3 times\n",
     ONE_IN_CLEAR},
};

/* ---- what was counted, as a text ---- */

static void append(char out[COUNTED_MAX], const char *name, unsigned long long number)
{
    size_t used = strlen(out);

    if (number > 0)
        snprintf(out + used, COUNTED_MAX - used, "%s%s=%llu", used > 0 ? " " : "", name, number);
}

static void append_domain(char out[COUNTED_MAX], const struct tally_domain *domain)
{
    unsigned deliveries = 0;
    size_t used = strlen(out);

    for (int i = 0; i < TALLY_STATUS_COUNT; i++)
        deliveries += domain->statuses[i];
    if (deliveries == 0)
        return;
    snprintf(out + used, COUNTED_MAX - used, "%s%s", used > 0 ? "; " : "",
             domain->name == NULL ? "others" : domain->name);
    for (int i = 0; i < TALLY_STATUS_COUNT; i++)
        append(out, tally_status_name((enum tally_status)i), domain->statuses[i]);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++)
        append(out, tally_level_name((enum tally_level)i), domain->levels[i]);
}

static void counted(char out[COUNTED_MAX], const struct tally *tally)
{
    out[0] = '\0';
    append_domain(out, &tally->domains[TALLY_OTHERS]);
    for (uint32_t i = TALLY_OTHERS + 1; i < tally->domain_count; i++)
        append_domain(out, &tally->domains[i]);
    for (int i = 0; i < TALLY_CAUSE_COUNT; i++)
        if (tally->causes[i] > 0)
            snprintf(out + strlen(out), COUNTED_MAX - strlen(out), " [%s=%u]",
                     tally_cause_name((enum tally_cause)i), tally->causes[i]);
    append(out, "suppressed", tally->suppressed);
}

/* Names and texts are printable, whatever the log holds. */
static void is_printable(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        assert_true(*text >= ' ' && *text <= '~');
}

static void all_is_printable(const struct tally *tally)
{
    for (uint32_t i = 0; i < tally->domain_count; i++)
        is_printable(tally->domains[i].name);
    for (uint32_t i = 0; i < tally->host_count; i++)
        is_printable(tally->hosts[i].name);
    for (uint32_t i = 0; i < tally->trouble_count; i++)
        is_printable(tally->troubles[i].text);
}

/* ---- a log is read ---- */

static void read_log(struct track *track, const char *text, size_t length)
{
    struct stamp_reader stamps = {0};
    struct line_heads heads = {0};
    const char *end = text + length;

    stamp_file(&stamps, NEWEST, NEWEST);
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t line_length = (size_t)((stop == NULL ? end : stop) - text), stamp;
        /* of its own size, so that a sanitizer sees what reads beyond it */
        char *copy = malloc(line_length + 1);
        struct line line;
        int64_t at;

        assert_non_null(copy);
        copy = realloc(copy, line_length == 0 ? 1 : line_length);
        memcpy(copy, text, line_length);
        memset(&line, 0xa5, sizeof line); /* what is not set is garbage */
        stamp = stamp_read(&stamps, copy, line_length, &at);
        line_read(&heads, &line, copy + stamp, line_length - stamp);
        if (stamp > 0)
            track_line(track, &line, at);
        free(copy);
        text += line_length + 1;
    }
}

static void must_count(const char *log, size_t length, const char *want)
{
    static const struct tally_limits limits = {100, 100, 100};
    static const struct track_options options = {.tls_logged = true};
    struct tally *tally = tally_new(&limits);
    struct track *track = track_new(tally, &options);
    char got[COUNTED_MAX];

    read_log(track, BEGIN, strlen(BEGIN));
    read_log(track, log, length);
    track_finish(track);
    counted(got, tally);
    assert_string_equal(got, want);
    all_is_printable(tally);
    track_free(track);
    tally_free(tally);
}

static void only_what_postfix_says_counts(void **state)
{
    const struct hostile *row = *state;
    size_t length = strlen(row->log);
    char *log = strdup(row->log);

    assert_non_null(log);
    for (size_t i = 0; i < length; i++)
        log[i] = log[i] == '\1' ? '\0' : log[i];
    must_count(log, length, row->want);
    free(log);
}

/* ---- long lines ---- */

static char *repeated(const char *begin, char c, const char *end)
{
    char *text = malloc(strlen(begin) + REASON_MAX + strlen(end) + 1);

    assert_non_null(text);
    strcpy(text, begin);
    memset(text + strlen(begin), c, REASON_MAX);
    strcpy(text + strlen(begin) + REASON_MAX, end);
    return text;
}

static void a_megabyte(const char *begin, char c, const char *end, const char *want)
{
    char *log = repeated(begin, c, end);

    must_count(log, strlen(log), want);
    free(log);
}

static void a_reply_of_a_megabyte(void **state)
{
    (void)state;
    a_megabyte(SMTP "AAAAA1: to=<u@a.example>, relay=" RELAY REST "sent (", 'x',
               ")\n" SENT("u@a.example"), "a.example sent=2 none=2");
}

static void a_recipient_of_a_megabyte(void **state)
{
    (void)state;
    a_megabyte(SMTP "AAAAA1: to=<\"", 'x', "\"@a.example>, relay=" RELAY REST "sent (ok)\n",
               ONE_IN_CLEAR);
    a_megabyte(SMTP "AAAAA1: to=<\"", '\\', "\"@a.example>, relay=" RELAY REST "sent (ok)\n",
               ONE_IN_CLEAR);
}

static void a_megabyte_of_one_octet(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++)
        if (c != '\n')
            a_megabyte(SMTP, (char)c, "\n", NOTHING);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    ROWS_ADD(rows, only_what_postfix_says_counts);
    ROWS_ADD_TEST(a_reply_of_a_megabyte);
    ROWS_ADD_TEST(a_recipient_of_a_megabyte);
    ROWS_ADD_TEST(a_megabyte_of_one_octet);
    return rows_run("hostile lines");
}
