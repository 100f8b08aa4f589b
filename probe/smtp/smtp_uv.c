/*
 * smtp_uv: one probe of one address; see smtp_uv.h.
 *
 * A sequence (base/sequence.h) for each of its connections: SMTP_STATES is the whole of it, from
 * the connection to QUIT. What decides is noted with `smtp_conclude`, once: nothing that goes wrong
 * afterwards changes it. Then comes QUIT where the protocol allows it. What comes of it counts when
 * the connection is closed.
 *
 * Most often one connection is enough. A host that ends the handshake is connected to once more,
 * without SNI: Postfix sends none at `encrypt`, so that mail can go there over TLS, though not with
 * `verify`. Where there are usable TLSA records it does send one, and the first result stands. And
 * where less than OpenSSL has is allowed, a host that agrees to none of it is offered all, which
 * never counts as TLS, so that people can be told what it does.
 *
 * DIAGNOSTICS: only the lack of memory at start is an error; all else is a result.
 * BUGS: it does not see what a server does after MAIL, and has no client certificate.
 * RFC 5321, RFC 3207; it follows smtp(8).
 */
#include "probe/smtp/smtp_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log/log.h"
#include "probe/smtp/smtp_probe_uv.h"
#include "probe/tls/tlsa.h"

#define MEMORY_MAX    65536 /* the strings of a few results */
#define DETAIL_MAX    512
#define AFTERWARDS_MS 3000 /* QUIT: nothing depends on it */

const struct smtp_exchange smtp_exchanges[] = {
    [STATE_BANNER] = {NULL, false, "greeting", STARTTLS_SILENT},
    [STATE_EHLO] = {"EHLO", true, "EHLO", STARTTLS_SILENT},
    [STATE_HELO] = {"HELO", true, "HELO", STARTTLS_ERROR},
    [STATE_STARTTLS] = {"STARTTLS", false, "STARTTLS", STARTTLS_ERROR},
    [STATE_EHLO_TLS] = {"EHLO", true, "EHLO in TLS", STARTTLS_BROKEN},
    [STATE_MAIL] = {"MAIL FROM:<>", false, "MAIL", STARTTLS_ERROR},
    [STATE_RSET] = {"RSET", false, NULL, STARTTLS_UNKNOWN},
    [STATE_QUIT] = {"QUIT", false, NULL, STARTTLS_UNKNOWN},
};

static uint64_t left_ms(const struct smtp_probe *probe)
{
    uint64_t spent_ms = uv_now(probe->tools.loop) - probe->started_at;

    return spent_ms < probe->options.total_ms ? probe->options.total_ms - spent_ms : 0;
}

/* ---- the steps ---- */

static enum sequence_step start_connect(struct smtp_probe *probe)
{
    const struct smtp_target *target = probe->target;
    bool ipv6 = target->ip.family == 6;
    const struct ip *source = ipv6 ? &probe->options.bind6 : &probe->options.bind;
    int error = 0;

    if (!address_filter_permits(probe->tools.filter, &target->ip))
        return smtp_conclude(probe, STARTTLS_SKIPPED, 0,
                             "not a global address, and allow-address does not name it");
    if (address_filter_excludes(probe->tools.filter, &target->ip, target->host))
        return smtp_conclude(probe, STARTTLS_SKIPPED, 0, "excluded by probe-exclude");
    if (source->family != 0)
        error = smtp_stream_bind(&probe->stream, source);
    if (error != 0) { /* what another source address would see is no answer */
        probe->outcome.failed_here = true;
        return smtp_conclude(probe, STARTTLS_SILENT, 0, "not probed, this side failed: %s: %s",
                             ipv6 ? "probe-bind-address6" : "probe-bind-address",
                             uv_strerror(error));
    }
    probe->connections++;
    error = smtp_stream_connect(&probe->stream, &target->ip, target->port);
    return error == 0 ? SEQUENCE_WAIT
                      : smtp_conclude_lost(probe, STARTTLS_SILENT, "cannot connect", error);
}

static enum sequence_step step_connect(struct smtp_probe *probe)
{
    if (probe->sequence.fresh)
        return start_connect(probe);
    if (probe->stream.lost != 0)
        return smtp_conclude_lost(probe, STARTTLS_SILENT, "cannot connect", probe->stream.lost);
    if (probe->stream.connected)
        return smtp_go(probe, STATE_BANNER);
    return smtp_conclude(probe, STARTTLS_SILENT, 0, "cannot connect: no answer in time");
}

static enum sequence_step step_banner(struct smtp_probe *probe)
{
    if (probe->options.keep_chain)
        probe->outcome.greeting = arena_strdup(probe->memory, probe->stream.reply.text);
    return probe->stream.reply.code / 100 == 2 ? smtp_go(probe, STATE_EHLO)
                                               : smtp_conclude_reply(probe, STARTTLS_ERROR);
}

static enum sequence_step step_ehlo(struct smtp_probe *probe)
{
    const struct smtp_reply *reply = &probe->stream.reply;

    if (reply->code == 421)
        return smtp_conclude_named(probe, "EHLO");
    if (reply->code / 100 != 2)
        return smtp_go(probe, STATE_HELO);
    if (probe->options.try_mail)
        return smtp_go(probe, STATE_MAIL);
    if (reply->starttls)
        return smtp_go(probe, STATE_STARTTLS);
    smtp_conclude(probe, STARTTLS_CLEAR, reply->code, "STARTTLS is not offered");
    return smtp_go(probe, STATE_QUIT);
}

static enum sequence_step step_helo(struct smtp_probe *probe)
{
    const struct smtp_reply *reply = &probe->stream.reply;

    if (reply->code / 100 != 2)
        return smtp_conclude_named(probe, "HELO");
    if (probe->options.helo_pending)
        return smtp_conclude_named(probe, "EHLO refused, HELO");
    smtp_conclude(probe, STARTTLS_CLEAR, reply->code, "the server knows no EHLO");
    return smtp_go(probe, STATE_QUIT);
}

static enum sequence_step step_starttls(struct smtp_probe *probe)
{
    int class = probe->stream.reply.code / 100;

    if (class == 2)
        return smtp_go(probe, STATE_HANDSHAKE);
    return smtp_conclude_reply(probe, class == 4   ? STARTTLS_TEMPFAIL
                                      : class == 5 ? STARTTLS_REFUSED
                                                   : STARTTLS_ERROR);
}

static enum sequence_step start_handshake(struct smtp_probe *probe)
{
    struct tls_session *tls = tls_session_new(
        probe->tools.tls, probe->attempt == ATTEMPT_FIRST ? probe->target->sni : NULL);

    enum tls_offer offer = probe->attempt == ATTEMPT_ALL ? TLS_OFFER_ALL : probe->options.offer;

    if (tls != NULL && !tls_session_offer(tls, offer)) {
        tls_session_free(tls);
        probe->outcome.failed_here = true;
        return smtp_conclude(probe, STARTTLS_SILENT, 0, "not probed: OpenSSL cannot offer this");
    }
    return smtp_stream_start_tls(&probe->stream, tls)
               ? SEQUENCE_WAIT
               : smtp_conclude_lost(probe, STARTTLS_SILENT, "TLS", UV_ENOMEM);
}

/* How the server ended the handshake, if it did. */
static enum tls_refusal refusal(const struct smtp_probe *probe, enum tls_progress progress)
{
    if (progress == TLS_BROKEN)
        return tls_session_refusal(probe->stream.tls);
    if (progress == TLS_CLOSED ||
        (probe->stream.lost != 0 && !smtp_is_our_failure(probe->stream.lost)))
        return TLS_REFUSAL_OTHER;
    return TLS_REFUSAL_NONE;
}

/* All was offered, and this is what the host chose. */
static enum sequence_step conclude_choice(struct smtp_probe *probe)
{
    struct starttls_result *result = &probe->outcome.result;
    const char *key;

    tls_session_describe(probe->stream.tls, probe->memory, result);
    key = tls_context_denies(probe->tools.tls, result->protocol, result->cipher);
    if (key != NULL && result->protocol != NULL && result->cipher != NULL) {
        probe->outcome.not_allowed = true;
        smtp_conclude(probe, STARTTLS_BROKEN, 0,
                      "does TLS only with %s and %s, which %s does not allow", result->protocol,
                      result->cipher, key);
    }
    return smtp_go(probe, STATE_QUIT);
}

static enum sequence_step step_handshake(struct smtp_probe *probe)
{
    enum tls_progress progress;

    if (probe->sequence.fresh)
        return start_handshake(probe);
    progress = smtp_stream_handshake(&probe->stream);
    if (progress == TLS_READY)
        return probe->attempt == ATTEMPT_ALL ? conclude_choice(probe)
                                             : smtp_go(probe, STATE_EHLO_TLS);
    probe->outcome.refusal = refusal(probe, progress);
    if (progress == TLS_BROKEN)
        return smtp_conclude(probe, STARTTLS_BROKEN, 0, "TLS handshake: %s",
                             tls_session_why(probe->stream.tls));
    if (progress == TLS_CLOSED)
        return smtp_conclude(probe, STARTTLS_BROKEN, 0, "TLS handshake: closed by the server");
    if (probe->stream.lost != 0)
        return smtp_conclude_lost(probe, STARTTLS_BROKEN, "TLS handshake", probe->stream.lost);
    if (probe->stream.timed_out)
        return smtp_conclude(probe, STARTTLS_BROKEN, 0, "TLS handshake: no answer in time");
    return SEQUENCE_WAIT;
}

/* What was shown, to be judged later; without memory for it the connection says nothing. */
static void keep_chain(struct smtp_probe *probe)
{
    tls_chain_free(probe->chain);
    probe->chain = tls_session_chain(probe->stream.tls);
    tls_session_describe(probe->stream.tls, probe->memory, &probe->outcome.result);
    probe->outcome.result.state = STARTTLS_TLS;
    probe->outcome.chain = probe->chain;
    probe->outcome.failed_here = probe->chain == NULL;
}

/* What does not end in a good answer here is no host that takes mail over TLS. The certificate of
 * one that does counts. */
static enum sequence_step step_ehlo_tls(struct smtp_probe *probe)
{
    const struct smtp_target *target = probe->target;
    const struct smtp_reply *reply = &probe->stream.reply;
    struct tls_reference reference = {
        .host = target->host, .tlsa = target->tlsa, .tlsa_count = target->tlsa_count};

    if (reply->code / 100 != 2)
        return smtp_conclude_named(probe, "EHLO in TLS");
    memcpy(reference.tlsa_names, target->tlsa_names, sizeof reference.tlsa_names);
    if (probe->options.keep_chain)
        keep_chain(probe);
    else
        tls_session_judge(probe->stream.tls, &reference, probe->memory, &probe->outcome.result);
    probe->outcome.result.code = reply->code;
    probe->outcome.result.requiretls = reply->requiretls;
    probe->concluded = true;
    return smtp_go(probe, STATE_QUIT);
}

static enum sequence_step step_mail(struct smtp_probe *probe)
{
    const struct smtp_reply *reply = &probe->stream.reply;

    probe->outcome.mail_code = reply->code;
    smtp_conclude(probe, STARTTLS_CLEAR, reply->code, "MAIL without TLS: %d %s", reply->code,
                  reply->text);
    return smtp_go(probe, reply->code / 100 == 2 ? STATE_RSET : STATE_QUIT);
}

/* Any answer will do, and so does none. */
static enum sequence_step step_rset(struct smtp_probe *probe)
{
    return smtp_stream_hear(&probe->stream) == SMTP_HEARD_NOTHING ? SEQUENCE_WAIT
                                                                  : smtp_go(probe, STATE_QUIT);
}

/* Any answer ends it, and so does none. */
static enum sequence_step step_quit(struct smtp_probe *probe)
{
    return smtp_stream_hear(&probe->stream) == SMTP_HEARD_NOTHING ? SEQUENCE_WAIT : SEQUENCE_DONE;
}

/* ---- the machine ---- */

/* A step of an exchange is taken once its reply is there. */
static enum sequence_step run_step(void *owner, unsigned state)
{
    static enum sequence_step (*const steps[])(struct smtp_probe *) = {SMTP_STATES(SEQUENCE_STEP)};
    struct smtp_probe *probe = owner;
    enum smtp_heard heard = SMTP_HEARD_REPLY;

    if (smtp_exchanges[state].name != NULL)
        heard = smtp_stream_hear(&probe->stream);
    if (heard == SMTP_HEARD_NOTHING)
        return SEQUENCE_WAIT;
    return heard == SMTP_HEARD_REPLY ? steps[state](probe) : smtp_conclude_heard(probe, heard);
}

/* The name to be said, or the address as a literal: RFC 5321 §4.1.3, §4.1.4. */
static const char *own_name(struct smtp_probe *probe)
{
    char text[IP_TEXT_MAX];
    struct ip ip;

    if (probe->options.helo_name != NULL)
        return probe->options.helo_name;
    if (!smtp_stream_own_address(&probe->stream, &ip))
        return "[127.0.0.1]"; /* the connection is lost */
    snprintf(probe->own_address, sizeof probe->own_address, "[%s%s]", ip.family == 6 ? "IPv6:" : "",
             ip_text(&ip, text));
    return probe->own_address;
}

static void enter(void *owner, unsigned state)
{
    static const struct sequence_state states[] = {SMTP_STATES(SEQUENCE_STATE)};
    struct smtp_probe *probe = owner;
    const struct smtp_exchange *exchange = &smtp_exchanges[state];
    uint64_t limit_ms, most_ms = left_ms(probe);
    char address[IP_TEXT_MAX];

    memcpy(&limit_ms, (const char *)&probe->options + states[state].deadline, sizeof limit_ms);
    if ((state == STATE_RSET || state == STATE_QUIT) && limit_ms > AFTERWARDS_MS)
        limit_ms = AFTERWARDS_MS;
    smtp_stream_deadline(&probe->stream, limit_ms < most_ms ? limit_ms : most_ms);
    if (log_level() >= LOG_LEVEL_DEBUG)
        log_event(LOG_LEVEL_DEBUG, "smtp-state", "domain", probe->target->host, "address",
                  ip_text(&probe->target->ip, address), "state", states[state].name, NULL);
    if (exchange->command != NULL)
        smtp_stream_command(&probe->stream, exchange->command,
                            exchange->named ? own_name(probe) : NULL);
}

static void on_event(void *owner)
{
    struct smtp_probe *probe = owner;

    if (sequence_run(&probe->sequence))
        smtp_stream_close(&probe->stream);
}

/* ---- the connections ---- */

static void on_closed(void *owner);

static void connection_start(struct smtp_probe *probe, enum smtp_attempt attempt)
{
    static const struct sequence_machine machine = {run_step, enter};

    probe->attempt = attempt;
    probe->outcome = (struct smtp_outcome){.failure = SMTP_FAILURE_COUNT};
    probe->concluded = probe->no_smtp = false;
    smtp_stream_init(&probe->stream, probe->tools.loop, probe, on_event, on_closed);
    sequence_init(&probe->sequence, &machine, probe);
    on_event(probe);
}

/* TLS without SNI, and never more: `verify` sends one. */
static void take_nameless(struct smtp_probe *probe)
{
    const char *with = probe->result.result.detail, *without = probe->outcome.result.detail;
    char detail[DETAIL_MAX];

    snprintf(detail, sizeof detail, "works only without SNI (%s)%s%s", with == NULL ? "" : with,
             without == NULL ? "" : "; ", without == NULL ? "" : without);
    probe->result = probe->outcome;
    probe->result.nameless = true;
    probe->result.result.state = STARTTLS_TLS;
    probe->result.result.expired = false;
    probe->result.result.detail = arena_strdup(probe->memory, detail);
}

/* Takes what came of a connection; the attempt that is to follow. */
static enum smtp_attempt take_outcome(struct smtp_probe *probe)
{
    const struct smtp_outcome *outcome = &probe->outcome;

    switch (probe->attempt) {
    case ATTEMPT_FIRST:
        probe->result = *outcome;
        if (probe->options.offer != TLS_OFFER_DEMANDED)
            return ATTEMPT_NONE;
        if (outcome->refusal == TLS_REFUSAL_OTHER && probe->target->sni != NULL &&
            !tlsa_any_usable(probe->target->tlsa, probe->target->tlsa_count) && left_ms(probe) > 0)
            return ATTEMPT_NAMELESS;
        break;
    case ATTEMPT_NAMELESS: /* unless TLS came of it the first result stands */
        if (outcome->failed_here)
            probe->result = *outcome;
        else if (outcome->result.state >= STARTTLS_TLS)
            take_nameless(probe);
        else
            break;
        return ATTEMPT_NONE;
    case ATTEMPT_ALL: /* only words come of it */
        if (outcome->not_allowed)
            probe->result = *outcome;
        return ATTEMPT_NONE;
    case ATTEMPT_NONE:
        break;
    }
    return probe->result.refusal != TLS_REFUSAL_NONE && tls_context_is_strict(probe->tools.tls) &&
                   !probe->options.skip_offer_all && left_ms(probe) > 0
               ? ATTEMPT_ALL
               : ATTEMPT_NONE;
}

static void on_closed(void *owner)
{
    struct smtp_probe *probe = owner;
    enum smtp_attempt next = probe->done == NULL ? ATTEMPT_NONE : take_outcome(probe);

    if (next != ATTEMPT_NONE) {
        connection_start(probe, next);
        return;
    }
    probe->result.connections = probe->connections;
    if (probe->done != NULL)
        probe->done(probe->context, &probe->result);
    tls_chain_free(probe->chain);
    arena_free(probe->memory);
    free(probe);
}

int smtp_start(struct smtp_probe **out, const struct smtp_tools *tools,
               const struct smtp_options *options, const struct smtp_target *target, smtp_done done,
               void *context)
{
    struct smtp_probe *probe = calloc(1, sizeof *probe);
    struct arena *memory = arena_new(MEMORY_MAX);

    if (probe == NULL || memory == NULL) {
        arena_free(memory);
        free(probe);
        return UV_ENOMEM;
    }
    probe->memory = memory;
    probe->tools = *tools;
    probe->options = *options;
    probe->target = target;
    probe->done = done;
    probe->context = context;
    probe->started_at = uv_now(tools->loop);
    connection_start(probe, ATTEMPT_FIRST);
    *out = probe;
    return 0;
}

void smtp_cancel(struct smtp_probe *probe)
{
    probe->done = NULL;
    smtp_stream_close(&probe->stream);
}
