/*
 * prober_uv: resolver, HTTPS client, policy cache and probe cache, made from one set of
 * options. The daemon has one; the command makes one for its own lookups.
 */
#pragma once

#include "probe/domain_uv.h"

struct prober_options {
    struct dns_options dns;
    struct address_filter filter; /* the arrays are borrowed */
    struct probe_cache_options
        probes;                    /* limits and periods; its smtp part without loop, tls, filter;
                                      without helo_name it is looked up */
    struct https_options https;    /* limits; without loop and filter */
    struct sts_options sts;        /* limits and periods; without dns, https, loop */
    const char *ca_file, *ca_path; /* borrowed; NULL: system store */
    struct tls_settings tls;       /* of probes; its list is borrowed */
    bool dane, mta_sts, probe;
    uint16_t smtp_port;
};

struct prober;

/* `options` is borrowed for the prober's life. 0; a libuv error; UV_EINVAL with *why (static) when
 * there are no trust anchors, or no ciphers. */
int prober_new(struct prober **out, uv_loop_t *loop, struct prober_options *options,
               const char **why);
/* Ends everything; handles close as the loop runs on, then prober_free may be called. */
void prober_close(struct prober *prober);
void prober_free(struct prober *prober);

/*
 * Watches the trust anchors from now on: when they change, certificates judged before are judged
 * again, and `changed` is told. Results that are restored count as judged before, too, when they
 * are older than the anchors' last change. 0 or UV_ENOMEM.
 */
int prober_watch_anchors(struct prober *prober, uv_loop_t *loop, void (*changed)(void *context),
                         void *context);
/* Looks at once whether they have changed. */
void prober_look_at_anchors(struct prober *prober);
const struct domain_tools *prober_tools(const struct prober *prober);
