/*
 * dialect: what a client reads: Postfix with its two protocols and Postfix 3.10, Exim, and the two
 * maps of Sendmail. A dialect takes the form of an answer that comes nearest, and puts it into the
 * words of that client.
 */
#pragma once

#include "daemon/lookup/jobs.h"

/* Room for any text that a dialect writes. */
#define DIALECT_TEXT_MAX (2 * RENDER_SOCKETMAP_MAX)

struct dialect;

extern const struct dialect dialect_postfix, dialect_tcp_table, dialect_exim;

/* What the name of a socketmap's map asks for: dialect_postfix unless it is one of its own. */
const struct dialect *dialect_of_map(struct span name);
/* The one that a request on the control socket names: "postfix", "tlsrpt", "exim", "sts",
 * "sendmail"; NULL: none. */
const struct dialect *dialect_of_name(const char *name);

/* What a client of the dialect wants of a lookup. */
enum waiter_wants dialect_wants(const struct dialect *dialect);
/* A reply in a dialect. Its text belongs to the reply's entry, to the rules, or to `room`, a buffer of
 * DIALECT_TEXT_MAX, which is cleared first; it is TEMP when there is no memory for it. */
struct answer dialect_answer(const struct dialect *dialect, const struct reply *reply,
                             struct buf *room);
