/*
 * smtp_uv: one probe of one address of an MX host: a polite connection as far as smtp(8) goes
 * before MAIL, and another one where the first leaves open what Postfix would see.
 */
#pragma once

#include <uv.h>

#include "policy/evidence.h"
#include "base/net/address_filter.h"
#include "probe/smtp/smtp_failure.h"
#include "probe/smtp/smtp_options.h"
#include "probe/tls/tls.h"

/* What probes are made with; borrowed. */
struct smtp_tools {
    uv_loop_t *loop;
    struct tls_context *tls;
    const struct address_filter *filter; /* asked before connecting */
};

/* Whom to probe; copied by smtp_start. */
struct smtp_target {
    struct ip ip;
    uint16_t port;
    const char *host; /* MX host name */
    const char *sni;  /* TLSA base domain, else the MX host name */
    const struct tlsa *tlsa;
    size_t tlsa_count;
    const char *tlsa_names[4]; /* see struct tls_reference */
};

/* A copy whose names and records are the arena's; false without memory. */
bool smtp_target_copy(struct smtp_target *out, struct arena *arena, const struct smtp_target *in);

struct smtp_probe;
/* `result` is borrowed until the callback returns; times in it are not filled. */
typedef void (*smtp_done)(void *context, const struct starttls_result *result);

/* Calls `done` exactly once, later, unless an error (UV_ENOMEM) is returned or smtp_cancel comes
 * first. A forbidden address gives STARTTLS_SKIPPED without a packet. Frees itself. */
int smtp_start(struct smtp_probe **out, const struct smtp_tools *tools,
               const struct smtp_options *options, const struct smtp_target *target, smtp_done done,
               void *context);
void smtp_cancel(struct smtp_probe *probe);
/* Inside `done`: true when it was our own side that failed (no descriptor, no memory, no route out
 * for this socket), so that the result says nothing about the host. */
bool smtp_failed_here(const struct smtp_probe *probe);
/* Inside `done`: what failed, SMTP_FAILURE_COUNT when nothing did. */
enum smtp_failure smtp_failure(const struct smtp_probe *probe);
