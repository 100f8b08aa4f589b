/* prober_uv: see prober_uv.h. What is switched off in the options is never made. */
#include "probe/prober_uv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/net/hostname.h"
#include "base/log/log.h"
#include "probe/tls/anchors_uv.h"
#include "probe/smtp/own_name_uv.h"

#define OWN_NAME_AGAIN_MS 60000

struct prober {
    struct tls_context *tls;
    struct https *https;
    struct domain_tools tools;
    struct own_name *own_name;   /* NULL: configured, or found */
    struct anchors_watch *watch; /* NULL before prober_watch_anchors */
    void (*anchors_changed)(void *context);
    void *context;
    char helo_name[HOSTNAME_MAX + 1];
};

static void on_own_name(void *context, const char *name)
{
    struct prober *prober = context;

    own_name_close(prober->own_name);
    prober->own_name = NULL;
    if (name == NULL) {
        log_event(LOG_LEVEL_WARNING, "helo-name-unknown", "why", "this host has no full name",
                  "effect", "mail hosts are told its address, and some refuse to talk to it",
                  "change", "set helo-name to this host's full name", NULL);
        probe_cache_set_helo_name(prober->tools.probes, NULL);
        return;
    }
    snprintf(prober->helo_name, sizeof prober->helo_name, "%s", name);
    log_event(LOG_LEVEL_INFO, "helo-name", "helo", prober->helo_name, NULL);
    probe_cache_set_helo_name(prober->tools.probes, prober->helo_name);
}

static int probe_part(struct prober *prober, uv_loop_t *loop, const struct prober_options *options)
{
    const struct smtp_tools tools = {loop, prober->tls, &options->filter};
    int error = probe_cache_new(&prober->tools.probes, &tools, &options->probes);

    if (error != 0 || options->probes.smtp.helo_name != NULL)
        return error;
    return own_name_start(&prober->own_name, loop, OWN_NAME_AGAIN_MS, on_own_name, prober);
}

static int tls_part(struct prober *prober, const struct prober_options *options, const char **why)
{
    if (tls_context_new(&prober->tls, options->ca_file, options->ca_path, why) != 0)
        return UV_EINVAL;
    *why = NULL;
    if (options->tls.cipher_list == NULL || tls_context_demand(prober->tls, &options->tls))
        return 0;
    *why = "tls-ciphers: OpenSSL finds no cipher in it";
    return UV_EINVAL;
}

int prober_new(struct prober **out, uv_loop_t *loop, const struct prober_options *options,
               const char **why)
{
    struct prober *prober = calloc(1, sizeof *prober);
    int error;

    if (prober == NULL)
        return UV_ENOMEM;
    *why = NULL;
    prober->tools.filter = &options->filter;
    prober->tools.dane = options->dane;
    prober->tools.smtp_port = options->smtp_port;
    error = tls_part(prober, options, why);
    if (error == 0)
        error = dns_new(&prober->tools.dns, loop, &options->dns);
    if (error == 0 && options->mta_sts)
        error = https_new(&prober->https, loop, prober->tls, &options->filter, &options->https);
    if (error == 0 && options->mta_sts)
        error = sts_new(&prober->tools.sts, loop, prober->tools.dns, prober->https, &options->sts);
    if (error == 0 && options->probe)
        error = probe_part(prober, loop, options);
    if (error != 0) {
        prober_close(prober);
        prober_free(prober);
        return error;
    }
    *out = prober;
    return 0;
}

static void on_anchors(void *context)
{
    struct prober *prober = context;

    if (prober->tools.probes != NULL)
        probe_cache_judge_again(prober->tools.probes, clock_monotonic_ms());
    prober->anchors_changed(prober->context);
}

int prober_watch_anchors(struct prober *prober, uv_loop_t *loop, void (*changed)(void *context),
                         void *context)
{
    int64_t age_ms = clock_wall_ms() - tls_context_anchors_changed_ms(prober->tls);

    prober->anchors_changed = changed;
    prober->context = context;
    if (prober->tools.probes != NULL) /* they did not change later than now */
        probe_cache_judge_again(prober->tools.probes,
                                clock_monotonic_ms() - (age_ms > 0 ? age_ms : 0));
    return anchors_watch_new(&prober->watch, loop, prober->tls, on_anchors, prober);
}

void prober_look_at_anchors(struct prober *prober)
{
    if (prober->watch != NULL)
        anchors_watch_look(prober->watch);
}

void prober_close(struct prober *prober)
{
    anchors_watch_close(prober->watch);
    prober->watch = NULL;
    own_name_close(prober->own_name);
    prober->own_name = NULL;
    if (prober->tools.probes != NULL)
        probe_cache_close(prober->tools.probes);
    if (prober->tools.sts != NULL)
        sts_close(prober->tools.sts);
    if (prober->https != NULL)
        https_close(prober->https);
    if (prober->tools.dns != NULL)
        dns_close(prober->tools.dns);
}

void prober_free(struct prober *prober)
{
    if (prober == NULL)
        return;
    tls_context_free(prober->tls);
    free(prober);
}

bool prober_helo_settled(const struct prober *prober)
{
    return prober->own_name == NULL;
}

const struct domain_tools *prober_tools(const struct prober *prober)
{
    return &prober->tools;
}

struct https *prober_https(const struct prober *prober)
{
    return prober->https;
}

struct tls_context *prober_tls(const struct prober *prober)
{
    return prober->tls;
}
