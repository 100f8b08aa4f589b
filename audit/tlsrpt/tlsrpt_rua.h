/*
 * tlsrpt_rua: one address of a TLSRPT record (RFC 8460 §3), taken apart: where a report may be sent.
 * It comes from a stranger, so it is narrow: what is not of these two forms is refused.
 *
 *   mailto:USER@DOMAIN[?…]       percent-encoding undone; headers behind "?" are not followed
 *   https://HOST[:443][/PATH]    a host name of two labels or more, no user, no fragment
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/net/hostname.h"
#include "policy/span.h"

#define TLSRPT_RUAS_MAX 4   /* of a record that are tried */
#define TLSRPT_URI_MAX  900 /* octets */

enum tlsrpt_rua_kind { TLSRPT_RUA_MAIL, TLSRPT_RUA_HTTPS };

struct tlsrpt_rua {
    enum tlsrpt_rua_kind kind;
    char text[TLSRPT_URI_MAX + 1]; /* the address, or the path with its query: it begins with "/" */
    char host[HOSTNAME_MAX + 1];   /* lower case */
};

/* False when a report is not sent there; *why says so: a sentence without an end. */
bool tlsrpt_rua_read(struct tlsrpt_rua *out, const char *uri, size_t length, const char **why);
/* Whether an address that stands before `uri`, a part of `record`, leads to the same place. The
 * addresses of a record have one blank between them. */
bool tlsrpt_rua_repeats(const char *record, struct span uri);
