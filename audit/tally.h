/*
 * tally: what was counted of a mail log, by next-hop domain, by mail host, by day and in all. Names
 * of domains and hosts come from the log, and so from strangers: they are kept in lower case and
 * hold printable ASCII only; what does not is counted under the first element. Memory is bounded:
 * beyond a limit of struct tally_limits everything new is counted there as well.
 *
 * Glossary
 *   delivery   one attempt for one recipient: one line with status= of an smtp(8) client
 *   recipient  one recipient of one message, however often it was tried
 *   level      of TLS, as Postfix logs it; of a delivery with status=sent
 *   trouble    deliveries to one domain that were deferred or bounced because of TLS, in one way
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(word, name in JSON and on pages): from the best to the worst; UNKNOWN is outside that order. */
#define TALLY_LEVELS(X)                                                                            \
    X(VERIFIED, "verified")                                                                        \
    X(TRUSTED, "trusted")                                                                          \
    X(UNTRUSTED, "untrusted")                                                                      \
    X(ANONYMOUS, "anonymous")                                                                      \
    X(NONE, "none")                                                                                \
    X(UNKNOWN, "unknown")
/* X(word, as Postfix names it) */
#define TALLY_PROTOCOLS(X)                                                                         \
    X(TLS_1_3, "TLSv1.3")                                                                          \
    X(TLS_1_2, "TLSv1.2")                                                                          \
    X(TLS_1_1, "TLSv1.1")                                                                          \
    X(TLS_1_0, "TLSv1")                                                                            \
    X(OTHER, "other")
#define TALLY_STATUSES(X)                                                                          \
    X(SENT, "sent")                                                                                \
    X(DEFERRED, "deferred")                                                                        \
    X(BOUNCED, "bounced")
/* X(word, name, sentence): how TLS made a delivery fail. */
#define TALLY_CAUSES(X)                                                                            \
    X(POLICY_LOOKUP, "policy-lookup", "the TLS policy could not be looked up")                     \
    X(NOT_OFFERED, "not-offered", "the mail host did not offer STARTTLS")                          \
    X(REFUSED, "refused", "the mail host offered STARTTLS and then refused it")                    \
    X(HANDSHAKE, "handshake", "the TLS handshake failed")                                          \
    X(CERTIFICATE, "certificate", "the certificate of the mail host was not verified")             \
    X(TLSA_LOOKUP, "tlsa-lookup", "the lookup of TLSA records failed")                             \
    X(NO_DANE, "no-dane", "DANE was required, and the domain has none that can be used")           \
    X(MX_PATTERN, "mx-pattern", "no mail host matches the MTA-STS policy")                         \
    X(OUR_TLS, "our-tls", "TLS did not work on this side")                                         \
    X(REQUIRETLS, "requiretls", "the message asked for REQUIRETLS")

#define X(word, ...) TALLY_##word,
enum tally_level { TALLY_LEVELS(X) TALLY_LEVEL_COUNT };
enum tally_protocol { TALLY_PROTOCOLS(X) TALLY_PROTOCOL_COUNT };
enum tally_status { TALLY_STATUSES(X) TALLY_STATUS_COUNT };
enum tally_cause { TALLY_CAUSES(X) TALLY_CAUSE_COUNT, TALLY_NO_CAUSE = TALLY_CAUSE_COUNT };
#undef X

const char *tally_level_name(enum tally_level level);
const char *tally_protocol_name(enum tally_protocol protocol);
const char *tally_status_name(enum tally_status status);
const char *tally_cause_name(enum tally_cause cause);
const char *tally_cause_text(enum tally_cause cause);

/* The first element of domains and hosts: what has no name, or found no room. */
#define TALLY_OTHERS 0

struct tally_limits {
    uint32_t domains, hosts, troubles;
};
/* A million next-hops with names of 20 octets take less than 200 MiB. */
#define TALLY_LIMITS_DEFAULT ((struct tally_limits){1000000, 250000, 10000})

#define TALLY_DAYS_MAX 4000
#define TALLY_NAME_MAX 255

struct tally_domain {
    const char *name; /* a next-hop as a key of Postfix: domain, [host], [host]:port, [address] */
    uint64_t octets;  /* of what was sent, once for each recipient */
    uint32_t messages, recipients;
    uint32_t messages_sent; /* to one recipient or more; not kept in all */
    uint32_t statuses[TALLY_STATUS_COUNT];
    uint32_t levels[TALLY_LEVEL_COUNT];
    uint32_t protocols[TALLY_PROTOCOL_COUNT];
    uint32_t tls_deferred, tls_bounced; /* deliveries */
    uint32_t sent_first, sent_last;     /* seconds since 1970; 0: nothing was sent */
    uint32_t worst_at;                  /* seconds since 1970: the last sent at its worst level */
};

struct tally_host {
    const char *name; /* of the relay, without address */
    uint32_t statuses[TALLY_STATUS_COUNT];
    uint32_t levels[TALLY_LEVEL_COUNT];
    uint32_t tls_deferred, tls_bounced;
};

struct tally_day {
    int64_t at; /* its beginning in local time, as seconds since 1970 */
    uint32_t statuses[TALLY_STATUS_COUNT];
    uint32_t levels[TALLY_LEVEL_COUNT];
    uint32_t tls_deferred, tls_bounced;
};

/* Of one domain, cause and text. */
struct tally_trouble {
    uint32_t domain; /* index */
    uint32_t host;   /* index; the last one; TALLY_OTHERS: none */
    enum tally_cause cause;
    const char *text; /* what Postfix said, in printable ASCII: our reason, the certificate's
                               fault, the server's reply; "" for nothing more than the cause */
    uint32_t deferred, bounced; /* deliveries */
    int64_t first_at, last_at;  /* seconds since 1970 */
    /* Recipients that were deferred in this way at first, and what ended it. */
    uint32_t recipients, sent, gave_up, deleted; /* gave_up: bounced or expired; the others wait */
    uint64_t waited_s; /* all of those that ended, from the first deferral on */
    uint32_t longest_s;
};

/* For reading; tally.c and track.c change it. */
struct tally {
    struct tally_limits limits;
    struct tally_domain *domains; /* arrays: owned */
    struct tally_host *hosts;
    struct tally_day *days; /* ascending */
    struct tally_trouble *troubles;
    uint32_t domain_count, host_count, day_count, trouble_count;
    /* In all; `name` NULL, `worst_at` unused. messages: each once, whatever its domains. */
    struct tally_domain total;
    uint32_t causes[TALLY_CAUSE_COUNT]; /* deliveries deferred by TLS */
    uint32_t causes_bounced[TALLY_CAUSE_COUNT];
    int64_t from, to; /* seconds since 1970: the first and last line counted; 0: none */
    /* What the figures rest on. */
    uint64_t lines, lines_unread; /* read; not of any form that is known */
    uint64_t suppressed;          /* lines that the log daemon says it dropped */
    uint32_t domains_folded, hosts_folded, troubles_folded, days_folded; /* deliveries */
    uint32_t messages_forgotten; /* too many at once: retries may count again */
    uint32_t unlogged;           /* sent by clients that log no TLS: in levels[UNKNOWN] */
    bool no_memory;              /* figures are too low */
    struct tally_maps *maps;     /* tally.c's */
};

/* NULL without memory. */
struct tally *tally_new(const struct tally_limits *limits);
void tally_free(struct tally *tally);

/* The index of a next-hop domain, of a host, of the day of a moment, of a trouble; new ones are
 * added. `text` of a trouble need not be printable. */
uint32_t tally_domain_at(struct tally *tally, const char *name, size_t length);
uint32_t tally_host_at(struct tally *tally, const char *name, size_t length);
uint32_t tally_day_at(struct tally *tally, int64_t at);
uint32_t tally_trouble_at(struct tally *tally, uint32_t domain, enum tally_cause cause,
                          const char *text, size_t length);

/* The index of a domain that is known; TALLY_OTHERS for others. */
uint32_t tally_domain_find(const struct tally *tally, const char *name, size_t length);

/* An order of domains, hosts or troubles: indexes from the highest value down, those met
 * first where it is equal. */
typedef uint64_t tally_value(const struct tally *tally, uint32_t index);
/* The first `count` at most whose value is not 0. Writes to out and gives their number. */
size_t tally_top(const struct tally *tally, uint32_t *out, size_t count, uint32_t of,
                 tally_value *value);
/* For tally_top: of domains, messages; deliveries sent in clear; deferred by TLS. */
tally_value tally_by_messages, tally_by_clear, tally_by_tls_deferred;
/* Of hosts: deliveries sent. */
tally_value tally_host_by_sent;
/* Of troubles: deliveries. */
tally_value tally_trouble_by_deferred;

/* The worst level at which something was sent; TALLY_UNKNOWN counts as the worst.
 * TALLY_LEVEL_COUNT: nothing was sent. */
enum tally_level tally_worst(const uint32_t levels[TALLY_LEVEL_COUNT]);
