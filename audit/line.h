/*
 * line: one line of Postfix's log, taken apart. Pure. Every line is hostile: what a server said, a
 * recipient, a queue file's name may look like any other part of a line. So a line is read by
 * position, from the left, and never searched for a word that a stranger could have put there; what
 * does not have the form that Postfix gives it is LINE_OTHER.
 *
 *   STAMP HOST SYSLOG-NAME/SERVICE[PID]: TEXT
 *
 * Postfix 3.4 to 3.12. Of the delivery agents only smtp(8) counts, by the name of its program, and
 * error(8) where the queue manager suspended deliveries to a domain.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/tally.h"
#include "policy/key.h"

enum line_kind {
    LINE_OTHER,
    LINE_UNREAD,   /* no form of a log line at all */
    LINE_SESSION,  /* Verified TLS connection established to host[address]:25: TLSv1.3 with … */
    LINE_DELIVERY, /* ID: to=<…>, relay=…, …, status=… (…) */
    LINE_PROBE,    /* likewise, of an address that is probed: status=deliverable */
    LINE_LOST, /* ID: lost connection with …; ID: conversation with … timed out …: `cause` */
    LINE_SKIPPED, /* ID: why TLS failed at a mail host that is not the last one to be tried: `cause`
                       and `reason` */
    LINE_QUEUED,  /* qmgr: ID: from=<…>, size=…, nrcpt=… (queue active) */
    LINE_EXPIRED, /* qmgr: ID: from=<…>, status=expired, returned to sender */
    LINE_RETURNED,  /* error(8), for the operator: ID: to=<…>, …, status=bounced (…) */
    LINE_REQUEUED,  /* pickup: ID: uid=… from=<…> orig_id=ID: after postsuper -r */
    LINE_REMOVED,   /* qmgr, postsuper: ID: removed */
    LINE_WHY,       /* a client: why TLS fails, before the delivery that it makes fail: `cause` and
                        `reason` */
    LINE_SUPPRESSED /* a log daemon dropped `number` lines */
};

/* What stands under a kind is set for lines of that kind only; instance and pid are not for
 * LINE_OTHER, and nothing but the host is for LINE_UNREAD. */
struct line {
    enum line_kind kind;
    struct span host;     /* of the log's host name; not of UNREAD, like the next two */
    struct span instance; /* "postfix", "postfix-out": the program up to its first slash; not of
                             OTHER */
    struct span program;  /* "postfix/smtp" */
    uint32_t pid;
    struct span queue_id;
    struct span former_id; /* REQUEUED: its queue id before */
    /* DELIVERY, RETURNED, SESSION */
    struct span relay; /* "host[address]:port" or "none"; relay_host is its name alone */
    struct span relay_host;
    enum tally_level level;       /* SESSION */
    enum tally_protocol protocol; /* SESSION */
    bool reused;                  /* SESSION: "reused" */
    /* DELIVERY, RETURNED */
    struct span recipient,
        domain; /* without <>; what is behind the last @ outside quotes; may be empty */
    enum tally_status status;
    uint32_t conn_use;      /* 1 without conn_use= */
    struct span tls;        /* of tls=, Postfix 3.11; length 0: none */
    uint32_t delay_s;       /* since the message came */
    uint32_t connected_s;   /* the last two of delays=, in whole seconds, rounded up */
    uint32_t sending_s;     /* the last of delays= */
    struct span setup;      /* the first three: the same for all recipients of a transaction */
    struct span reason;     /* in the parentheses; WHY, SKIPPED: the rest of the line */
    enum tally_cause cause; /* WHY, SKIPPED; LOST: none, or that STARTTLS was not answered */
    bool suspended;         /* DELIVERY: by error(8), for the queue manager: nothing was tried */
    /* QUEUED */
    struct span sender; /* without <>; may be empty */
    uint64_t size;
    uint64_t number; /* SUPPRESSED */
};

/* "HOST PROGRAM", as most lines of a log begin. */
#define LINE_HEADS    8
#define LINE_HEAD_MAX 80

struct line_head {
    char text[LINE_HEAD_MAX];
    uint16_t length; /* of all; 0: none */
    uint16_t host;   /* of the host's name */
    uint8_t program; /* line.c's */
    bool numbered;   /* a program of Postfix: it must have its number */
};

/* Those of the lines before, so that they are taken apart once. All zero at first. */
struct line_heads {
    struct line_head heads[LINE_HEADS];
    struct line_head unkept; /* one that is too long to be kept, or has no number */
    unsigned next;
};

/* `text` is the line behind its stamp and blank. */
void line_read(struct line_heads *heads, struct line *out, const char *text, size_t length);
/* What is behind the last @ of an address that is not quoted; may be empty. */
struct span line_domain(struct span address);
/* The domain of a recipient as a next-hop, in lower case and A-labels; "[address]" for an address
 * literal. Gives the length, 0 for what is no domain. */
size_t line_nexthop(char out[TALLY_NAME_MAX + 1], struct span domain);

/* How TLS made a delivery fail, by the words of Postfix (3.4 to 3.12): TALLY_NO_CAUSE when TLS is
 * not what made it fail, or a server said so itself. Pure. For a status line and for postqueue -j. */
enum tally_cause cause_of(struct span reason);
