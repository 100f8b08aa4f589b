/*
 * judged: what the daemon, or a lookup made now, says of the domains that were counted: the present
 * verdicts, what other settings would change, and what waits in the queue. Plain data; the strings
 * are in its arena. judged.c fills in the verdicts from lines of report_verdict (policy/report),
 * queue.c what waits.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/tally.h"
#include "base/arena.h"
#include "policy/decide/verdict.h"
#include "policy/rules/override.h"

/* Of the domain with the same index in the tally. */
struct judged_domain {
    bool known;               /* asked, and answered */
    enum verdict_level found; /* the present verdict; of the answer where a rule decides alone */
    bool withheld;            /* Postfix is not told, by rule, mode or rollout */
    const char *reason; /* of the verdict: a code, "sts-enforce"; of the answer where a rule decides
                           alone, "rule-off" */
    const char *why;    /* of the answer: a sentence */
    const char *answer; /* what Postfix is told: "OK secure match=…", "NOTFOUND", "TEMP …" */
};

/* A domain whose answer would be another one. */
struct judged_change {
    uint32_t domain;        /* index */
    uint32_t messages;      /* to that domain, of the period */
    const char *now, *then; /* answers */
    const char *why;        /* a sentence */
    const char *forecast;   /* forecast_name: "flows", "defers", "bounces", "unknown" */
    bool stops;             /* mail flows now, and would wait or come back then */
};

/* What another setting would change, against what is in force. */
struct judged_what_if {
    const char
        *setting; /* "mode = enforce", "rollout = 50", "rules FILE"; the last, only where they
                            would change something: policy lists in testing mode */
    struct judged_change *changes; /* those that stop mail first; most messages first */
    size_t count, size;            /* size: there is room for */
    /* Of the period: messages to the domains of `changes`, and to those that stop. */
    uint64_t messages_changed, messages_stopped;
};
#define JUDGED_WHAT_IFS 4

/* One message that waits for one domain now. */
struct judged_waiting {
    const char *queue_id, *domain;
    uint32_t recipients;
    int64_t since;          /* seconds since 1970 */
    enum tally_cause cause; /* TALLY_NO_CAUSE: TLS is not the cause */
    const char *reason;     /* Postfix's delay_reason, printable */
    const char *why;        /* of the present verdict: a sentence; NULL: not asked */
};

/* What is tried on every verdict, beside mode = enforce. Borrowed. */
struct judged_options {
    struct override_options in_force;
    int rollout;               /* percent; -1: none is tried */
    const struct rules *rules; /* NULL: none are tried */
    const char *rules_name;    /* of their file */
    int64_t now_s;             /* as in rules_find */
    uint16_t smtp_port;        /* as in key_parse */
};

struct judged {
    struct arena *arena;           /* owned */
    struct judged_options options; /* of judged_begin */
    bool asked;                    /* --verdicts: `domains` and `by_level` mean something */
    struct judged_domain *domains; /* as many as the tally has; owned by the arena */
    const char *source;            /* "mxcryptd" or "lookups made now" */
    uint64_t messages_by_level[VERDICT_TEMP + 1], domains_by_level[VERDICT_TEMP + 1];
    uint64_t messages_unjudged, domains_unjudged;
    struct judged_what_if what_ifs[JUDGED_WHAT_IFS];
    size_t what_if_count;
    bool queue_read;                /* --queue */
    struct judged_waiting *waiting; /* the first JUDGED_WAITING_MAX, by `since` */
    size_t waiting_count;
    uint64_t waiting_total, waiting_by_cause[TALLY_CAUSE_COUNT + 1]; /* recipients */
};
#define JUDGED_WAITING_MAX 10000
#define JUDGED_DOMAINS_MAX 100000
/* The domains to be asked for: those that are wanted, JUDGED_DOMAINS_MAX at most, with the most
 * messages first. `out` has room for all domains. Gives their number. */
typedef bool judged_wanted(const void *context, uint32_t domain);
size_t judged_choose(uint32_t *out, const struct tally *tally, judged_wanted *wanted,
                     const void *context);

/* Empty; -1 without memory. */
int judged_init(struct judged *judged);
void judged_fini(struct judged *judged);

/* Before the first verdict: room for those of all domains. -1 without memory. */
int judged_begin(struct judged *judged, const struct tally *tally, const char *source,
                 const struct judged_options *options);
/* The verdict of a domain, as a line of report_verdict. False when it makes no sense, or without
 * memory; the domain stays unknown then. */
bool judged_take(struct judged *judged, const struct tally *tally, uint32_t domain,
                 const json_t *line);
/* After the last: the sums, and the changes in order. */
void judged_end(struct judged *judged, const struct tally *tally);
