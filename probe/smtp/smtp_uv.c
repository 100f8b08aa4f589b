/*
 * smtp_uv: one probe of one address; see smtp_uv.h.
 *
 * Most often that is one connection. A host that ends the handshake is connected to once more,
 * without SNI: Postfix sends none at `encrypt`, so that mail can go there over TLS, though not with
 * `verify`. Where there are usable TLSA records it does send one, and the first result stands. And
 * where less than OpenSSL has is allowed, a host that agrees to none of it is offered all, which
 * never counts as TLS, so that people can be told what it does.
 */
#include "probe/smtp/smtp_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/smtp/smtp_session_uv.h"

#define MEMORY_MAX 262144 /* a TLSA RRset may have 64 KB */
#define DETAIL_MAX 512

struct smtp_probe {
    struct smtp_tools tools;
    struct smtp_options options;
    struct smtp_target target; /* copied into `memory` */
    smtp_done done;
    void *context;
    struct arena *memory;
    struct smtp_session *session;
    uint64_t started_at; /* on the loop's clock */
    struct smtp_outcome outcome;
};

static int connect_once(struct smtp_probe *probe, const char *sni, bool offer_all, smtp_done done)
{
    const struct smtp_session_request request = {
        .tools = &probe->tools,
        .options = &probe->options,
        .target = &probe->target,
        .sni = sni,
        .offer_all = offer_all,
        .arena = probe->memory,
        .started_at = probe->started_at,
    };

    return smtp_session_start(&probe->session, &request, done, probe);
}

static void probe_free(struct smtp_probe *probe)
{
    arena_free(probe->memory);
    free(probe);
}

static void finish(struct smtp_probe *probe)
{
    probe->done(probe->context, &probe->outcome);
    probe_free(probe);
}

/* What could not be tried for lack of memory is not known. */
static void finish_here(struct smtp_probe *probe)
{
    probe->outcome = (struct smtp_outcome){
        .result = {.state = STARTTLS_SILENT, .detail = "not probed, this side failed: no memory"},
        .failed_here = true,
        .failure = SMTP_FAILURE_LOCAL,
    };
    finish(probe);
}

static bool time_is_left(const struct smtp_probe *probe)
{
    return uv_now(probe->tools.loop) - probe->started_at < probe->options.total_ms;
}

/* ---- all offered ---- */

static void on_all_offered(void *context, const struct smtp_outcome *outcome)
{
    struct smtp_probe *probe = context;

    if (outcome->not_allowed)
        probe->outcome = *outcome;
    finish(probe);
}

/* What does a host do that refused what is allowed? Only words come of it, so that it is nothing
 * when the connection cannot be made. */
static void finish_or_offer_all(struct smtp_probe *probe)
{
    if (probe->outcome.refusal == TLS_REFUSAL_NONE || !tls_context_is_strict(probe->tools.tls) ||
        !time_is_left(probe) || connect_once(probe, NULL, true, on_all_offered) != 0)
        finish(probe);
}

/* ---- without SNI ---- */

/* TLS without SNI, and never more: `verify` sends one. */
static void take_nameless(struct smtp_probe *probe, const struct smtp_outcome *outcome)
{
    const char *with = probe->outcome.result.detail, *without = outcome->result.detail;
    char detail[DETAIL_MAX];

    snprintf(detail, sizeof detail, "works only without SNI (%s)%s%s", with == NULL ? "" : with,
             without == NULL ? "" : "; ", without == NULL ? "" : without);
    probe->outcome = *outcome;
    probe->outcome.result.state = STARTTLS_TLS;
    probe->outcome.result.expired = false;
    probe->outcome.result.detail = arena_strdup(probe->memory, detail);
}

static bool has_usable_tlsa(const struct smtp_target *target)
{
    for (size_t i = 0; i < target->tlsa_count; i++)
        if (target->tlsa[i].usable)
            return true;
    return false;
}

static bool may_dislike_name(const struct smtp_probe *probe)
{
    return probe->outcome.refusal == TLS_REFUSAL_OTHER && probe->target.sni != NULL &&
           !has_usable_tlsa(&probe->target) && time_is_left(probe);
}

/* Unless TLS came of it the first result stands. */
static void on_nameless(void *context, const struct smtp_outcome *outcome)
{
    struct smtp_probe *probe = context;

    if (outcome->failed_here) {
        probe->outcome = *outcome;
        finish(probe);
    } else if (outcome->result.state == STARTTLS_TLS ||
               outcome->result.state == STARTTLS_VERIFIED) {
        take_nameless(probe, outcome);
        finish(probe);
    } else {
        finish_or_offer_all(probe);
    }
}

/* ---- start and cancel ---- */

static void on_first(void *context, const struct smtp_outcome *outcome)
{
    struct smtp_probe *probe = context;

    probe->outcome = *outcome;
    if (!may_dislike_name(probe))
        finish_or_offer_all(probe);
    else if (connect_once(probe, NULL, false, on_nameless) != 0)
        finish_here(probe);
}

bool smtp_target_copy(struct smtp_target *out, struct arena *arena, const struct smtp_target *in)
{
    struct tlsa *tlsa = arena_array(arena, in->tlsa_count, sizeof *tlsa);

    *out = *in;
    out->host = arena_strdup(arena, in->host);
    out->sni = arena_strdup(arena, in->sni);
    for (size_t i = 0; i < sizeof in->tlsa_names / sizeof in->tlsa_names[0]; i++)
        out->tlsa_names[i] = arena_strdup(arena, in->tlsa_names[i]);
    out->tlsa = tlsa;
    for (size_t i = 0; tlsa != NULL && i < in->tlsa_count; i++) {
        tlsa[i] = in->tlsa[i];
        tlsa[i].data = arena_memdup(arena, in->tlsa[i].data, in->tlsa[i].length);
    }
    return !arena_failed(arena);
}

int smtp_start(struct smtp_probe **out, const struct smtp_tools *tools,
               const struct smtp_options *options, const struct smtp_target *target, smtp_done done,
               void *context)
{
    struct smtp_probe *probe = calloc(1, sizeof *probe);

    if (probe == NULL)
        return UV_ENOMEM;
    probe->tools = *tools;
    probe->options = *options;
    probe->done = done;
    probe->context = context;
    probe->started_at = uv_now(tools->loop);
    probe->memory = arena_new(MEMORY_MAX);
    if (probe->memory == NULL || !smtp_target_copy(&probe->target, probe->memory, target) ||
        connect_once(probe, probe->target.sni, false, on_first) != 0) {
        probe_free(probe);
        return UV_ENOMEM;
    }
    *out = probe;
    return 0;
}

void smtp_cancel(struct smtp_probe *probe)
{
    smtp_session_cancel(probe->session);
    probe_free(probe);
}

const char *smtp_failure_name(enum smtp_failure failure)
{
#define X(word, name) name,
    static const char *const names[] = {SMTP_FAILURES(X)};
#undef X

    return names[failure];
}
