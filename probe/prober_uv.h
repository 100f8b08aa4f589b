/*
 * prober_uv: resolver, HTTPS client, policy cache and probe cache, made from one set of
 * options. The daemon has one; the command makes one for its own lookups.
 */
#pragma once

#include "probe/domain_uv.h"
#include "probe/options.h"

struct prober;

/* `options` is borrowed for the prober's life. 0; a libuv error; UV_EINVAL with *why (static) when
 * there are no trust anchors, or no ciphers. */
int prober_new(struct prober **out, uv_loop_t *loop, const struct prober_options *options,
               const char **why);
/* Ends everything. Handles close as the loop runs; then prober_free may be called. */
void prober_close(struct prober *prober);
void prober_free(struct prober *prober);

/*
 * Watches the trust anchors from now on. When they change, certificates are judged again and
 * `changed` is called. So are the certificates of results that are loaded later and are older than
 * the last change of the anchors. 0 or UV_ENOMEM.
 */
int prober_watch_anchors(struct prober *prober, uv_loop_t *loop, void (*changed)(void *context),
                         void *context);
/* Looks at once whether they have changed. */
void prober_look_at_anchors(struct prober *prober);
/* True once the name for EHLO is settled: configured, found, or known to be missing. */
bool prober_helo_settled(const struct prober *prober);
const struct domain_tools *prober_tools(const struct prober *prober);
/* The client of policy fetches; NULL when MTA-STS is switched off. */
struct https *prober_https(const struct prober *prober);
/* The trust anchors and settings of its handshakes. */
struct tls_context *prober_tls(const struct prober *prober);
