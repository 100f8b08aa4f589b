/*
 * smtp_session_uv: one polite connection to one address of an MX host, as far as smtp(8) goes
 * before MAIL: greeting, EHLO, STARTTLS, handshake, EHLO, QUIT. A sequence; smtp_uv makes a probe
 * of one or more.
 */
#pragma once

#include "base/arena.h"
#include "probe/smtp/smtp_uv.h"

struct smtp_session_request {
    const struct smtp_tools *tools; /* borrowed, as the rest, until `done` or cancel */
    const struct smtp_options *options;
    const struct smtp_target *target;
    const char *sni;     /* NULL: none is sent */
    bool offer_all;      /* also what Postfix does not take, to see what the host does */
    struct arena *arena; /* the strings of the result are in it */
    uint64_t started_at; /* on the loop's clock: total_ms counts from here */
};

struct smtp_session;

/* Calls `done` exactly once, later, when the connection is closed, unless UV_ENOMEM is returned or
 * smtp_session_cancel comes first. Frees itself. */
int smtp_session_start(struct smtp_session **out, const struct smtp_session_request *request,
                       smtp_done done, void *context);
void smtp_session_cancel(struct smtp_session *session);
