/*
 * judged: what the daemon, or a lookup made now, says of the domains that were counted: the present
 * verdicts, what other settings would change, and what waits in the queue. Plain data; whoever
 * fills it owns the strings in its arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/tally.h"
#include "base/arena.h"
#include "policy/decide/verdict.h"

/* Of the domain with the same index in the tally. */
struct judged_domain {
    bool known;               /* asked, and answered */
    enum verdict_level found; /* the present verdict */
    bool withheld;            /* Postfix is not told, by rule, mode or rollout */
    const char *reason;       /* its code: "dane", "sts", "tls" … */
    const char *answer; /* what Postfix is told: "OK secure match=…", "NOTFOUND", "TEMP …" */
};

/* A domain whose answer would be another one. */
struct judged_change {
    uint32_t domain;        /* index */
    const char *now, *then; /* answers */
    const char *why;        /* a sentence */
    const char *forecast;   /* forecast_name: "flows", "defers", "bounces", "unknown" */
    bool stops;             /* mail flows now, and would wait or come back then */
};

/* What another setting would change, against what is in force. */
struct judged_what_if {
    const char *setting; /* "mode = enforce", "rollout = 50", "rules FILE" */
    struct judged_change *changes;
    size_t count;
    /* Of the period: messages to the domains of `changes`, and to those that stop. */
    uint64_t messages_changed, messages_stopped;
};
#define JUDGED_WHAT_IFS 3

/* One message that waits for one domain now. */
struct judged_waiting {
    const char *queue_id, *domain;
    uint32_t recipients;
    int64_t since;          /* seconds since 1970 */
    enum tally_cause cause; /* TALLY_NO_CAUSE: TLS is not the cause */
    const char *reason;     /* Postfix's delay_reason, printable */
    const char *why;        /* of the present verdict: a sentence; NULL: not asked */
};

struct judged {
    struct arena *arena;           /* owned */
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
