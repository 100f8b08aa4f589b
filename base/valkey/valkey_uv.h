/*
 * valkey_uv: a Valkey or Redis server, over a connection that is made anew whenever it ends: it
 * finds the server (of several the first that is a primary; by Sentinel), logs in, selects the
 * database, and tells whether commands can be sent. That they cannot is told again only for another
 * reason, and no sooner than VALKEY_TELL_MS after the last time.
 *
 * A connection counts as lost when the server owes a reply for longer than stall_ms. After a failure
 * the next server is tried; when all have been, after a wait that doubles from VALKEY_RETRY_MIN_MS
 * to VALKEY_RETRY_MAX_MS.
 *
 * BUGS: host names are looked up by the system's resolver, on a thread of libuv's pool, which
 * cannot be stopped: the loop ends only after it has. Sentinels are asked without a password.
 */
#pragma once

#include "base/valkey/valkey_link_uv.h"
#include "base/valkey/valkey_tls.h"
#include "base/valkey/valkey_url.h"

#define VALKEY_RETRY_MIN_MS 250
#define VALKEY_RETRY_MAX_MS 5000
#define VALKEY_TELL_MS      60000
#define VALKEY_WHY_MAX      255 /* octets of a reason; the rest is cut off */

/* Borrowed for the life of the connection. */
struct valkey_options {
    const struct valkey_url *url;
    const char *password;         /* NULL: the URL's */
    const struct valkey_tls *tls; /* of a URL with TLS; else NULL */
    const char *name;             /* that the server lists the connection by; NULL: none */
    uint64_t connect_ms;          /* until commands can be sent; more is a failure */
    int64_t stall_ms;             /* see above; above what a command may block */
    size_t pending_max;           /* requests without a reply */
};

struct valkey;

/* `ready`: commands can be sent. Else `why` they cannot, borrowed; every request has had its NULL.
 * Never from inside a function of this header. It may close the connection. */
typedef void (*valkey_changed)(void *context, bool ready, const char *why);

/* Begins to connect. 0, UV_ENOMEM or a libuv error. */
int valkey_new(struct valkey **out, uv_loop_t *loop, const struct valkey_options *options,
               valkey_changed changed, void *context);
/* Ends it without a callback and frees itself once its handles are closed. NULL is allowed. */
void valkey_close(struct valkey *valkey);

bool valkey_is_ready(const struct valkey *valkey);
/* Why it is not; "" while nothing failed. */
const char *valkey_why(const struct valkey *valkey);
/* The server that it is connected to, or tries: "192.0.2.1:6379", or a path. */
const char *valkey_where(const struct valkey *valkey);

/* As valkey_link_send; UV_ENOTCONN when it is not ready, UV_ENOBUFS with pending_max requests under
 * way. */
int valkey_send(struct valkey *valkey, struct valkey_request *request, size_t count,
                const char *const *words, const size_t *lengths, valkey_done done, void *context);
