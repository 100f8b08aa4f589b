/*
 * smtp_uv: probes one address of an MX host: connects politely, as far as smtp(8) goes before MAIL
 * (and a step further only with smtp_options.try_mail), and a second time if the first connection
 * leaves open what Postfix would see.
 */
#pragma once

#include <uv.h>

#include "policy/evidence.h"
#include "base/net/address_filter.h"
#include "probe/smtp/smtp_options.h"
#include "probe/tls/tls.h"
#include "probe/tls/tls_chain.h"

/*
 * The kinds of failed probes, by how far they came before EHLO in TLS. A host that does not offer
 * TLS has not failed. The kinds are for counters, so they are few and fixed; the full reason is in
 * the evidence. X(enum word, name)
 */
#define SMTP_FAILURES(X)                                                                           \
    X(CONNECT_REFUSED, "connect-refused")                                                          \
    X(CONNECT_TIMEOUT, "connect-timeout")                                                          \
    X(CONNECT, "connect-other")                                                                    \
    X(GREETING_TIMEOUT, "greeting-timeout")                                                        \
    X(GREETING_LOST, "greeting-lost")                                                              \
    X(GREETING_REFUSED, "greeting-refused")                                                        \
    X(EHLO, "ehlo")                                                                                \
    X(STARTTLS_4XX, "starttls-4xx")                                                                \
    X(STARTTLS_5XX, "starttls-5xx")                                                                \
    X(STARTTLS, "starttls-other")                                                                  \
    X(HANDSHAKE_TIMEOUT, "handshake-timeout")                                                      \
    X(HANDSHAKE, "handshake")                                                                      \
    X(EHLO_IN_TLS, "ehlo-in-tls")                                                                  \
    X(PROTOCOL, "protocol") /* not SMTP, at any point */                                           \
    X(LOCAL, "local")

#define X(word, name) SMTP_FAILURE_##word,
enum smtp_failure { SMTP_FAILURES(X) SMTP_FAILURE_COUNT };
#undef X

const char *smtp_failure_name(enum smtp_failure failure);

/* What probes are made with; borrowed. */
struct smtp_tools {
    uv_loop_t *loop;
    struct tls_context *tls;
    const struct address_filter *filter; /* asked before connecting */
};

struct smtp_probe;

/* The outcome of a probe, or of one of its connections. */
struct smtp_outcome {
    struct starttls_result result; /* times in it are not filled */
    /* Our own side failed (no descriptor, no memory, no route out for this socket): the result says
     * nothing about the host. */
    bool failed_here;
    enum smtp_failure failure; /* SMTP_FAILURE_COUNT: none */
    enum tls_refusal refusal;  /* of the handshake, by an alert or by closing the connection */
    bool not_allowed;          /* TLS works, but only as Postfix rejects it: BROKEN */
    bool nameless;             /* TLS works, but only without SNI: never VERIFIED */
    unsigned connections;      /* made for this outcome, those that were refused too */
    int mail_code; /* with smtp_options.try_mail: of the reply to MAIL; 0: there was none */
    /* With smtp_options.keep_chain, else NULL: */
    struct tls_chain
        *chain;           /* what was shown, where the state is TLS; keep it by tls_chain_share */
    const char *greeting; /* first line of the greeting after its code, escaped */
};

/* `outcome` is borrowed until the callback returns. */
typedef void (*smtp_done)(void *context, const struct smtp_outcome *outcome);

/* Calls `done` exactly once, later, unless an error (UV_ENOMEM) is returned or smtp_cancel comes
 * first; `target` and all it points to are borrowed until then. Frees itself. A forbidden address
 * gives STARTTLS_SKIPPED without a packet. */
int smtp_start(struct smtp_probe **out, const struct smtp_tools *tools,
               const struct smtp_options *options, const struct smtp_target *target, smtp_done done,
               void *context);
void smtp_cancel(struct smtp_probe *probe);
