/* render: a verdict as the text of a Postfix TLS policy (docs/postfix.md). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "policy/evidence.h"
#include "policy/decide/verdict.h"

/* Longest texts the two protocols carry. */
#define RENDER_SOCKETMAP_MAX 100000 /* octets of a reply, "OK " included */
#define RENDER_TCP_TABLE_MAX 4095   /* octets of a line after %XX-encoding, "200 " included */
/* Octets of a policy for Sendmail: it keeps an answer as tokens, each with a NUL, in 1256 octets, and
 * reads none that is longer (8.17.1, 8.18.1). */
#define RENDER_SENDMAIL_MAX 600

/* Octets of a reason, which Postfix logs. */
#define RENDER_REASON_MAX 200

enum answer_status { ANSWER_OK, ANSWER_NOTFOUND, ANSWER_TEMP };

/* The word of the protocols and of JSON: "OK". */
const char *answer_status_name(enum answer_status status);

/* An answer of any protocol, before it is encoded. The text is borrowed. */
struct answer {
    enum answer_status status;
    const char *text;
    size_t length;
    bool
        by_rule; /* the policy is the operator's: ".d" in match= is for hosts at any depth below d */
};

struct render_capabilities {
    bool tlsrpt;       /* Postfix 3.10 attributes may be sent */
    bool encoded;      /* the size is counted after %XX-encoding (tcp_table) */
    size_t text_max;   /* of the policy or reason text, without status word */
    bool without_dane; /* for an MTA that has no DANE: the strongest that it can do in its place */
};

/*
 * Appends to `out` the policy for ANSWER_OK, a reason that an operator can act on for ANSWER_TEMP,
 * nothing for ANSWER_NOTFOUND, and returns the status. Every policy has passed postfix_syntax_ok. A
 * policy that is too long is written without the 3.10 attributes, then without the patterns that
 * match no current MX host. If it still does not fit, or does not pass, it is ANSWER_TEMP.
 */
enum answer_status render_verdict(struct buf *out, const struct verdict *verdict,
                                  const struct evidence *evidence,
                                  const struct render_capabilities *capabilities);
