/*
 * smtp_talk_uv: one connection to one address; see smtp_talk_uv.h.
 *
 * A sequence: STATES below is the whole of it, from the connection to QUIT. A step is called once
 * when its state is entered (`fresh`) and again after every event; only `run` changes the state.
 * What decides is noted with `conclude`, once: nothing that goes wrong afterwards changes it. Then
 * comes QUIT where the protocol allows it, and the result is delivered when the connection is
 * closed, so that its owner knows it to be gone.
 *
 * DIAGNOSTICS: only the lack of memory at start is an error; all else is a result.
 * BUGS: it does not see what a server does after MAIL, and has no client certificate.
 * RFC 5321, RFC 3207; it follows smtp(8).
 */
#include "probe/smtp/smtp_talk_uv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log/log.h"
#include "base/sequence.h"
#include "probe/smtp/smtp_link_uv.h"

#define DETAIL_MAX    256
#define AFTERWARDS_MS 3000 /* QUIT: nothing depends on it */

/* The deadlines are fields of smtp_options. */
#define AT(field) offsetof(struct smtp_options, field)
#define STATES(X)                                                                                  \
    X(CONNECT, connect, AT(connect_ms))                                                            \
    X(BANNER, banner, AT(greeting_ms))                                                             \
    X(EHLO, ehlo, AT(command_ms))                                                                  \
    X(HELO, helo, AT(command_ms))                                                                  \
    X(STARTTLS, starttls, AT(command_ms))                                                          \
    X(HANDSHAKE, handshake, AT(command_ms))                                                        \
    X(EHLO_TLS, ehlo_tls, AT(command_ms))                                                          \
    X(QUIT, quit, AT(command_ms)) /* and no longer than AFTERWARDS_MS */

enum talk_state { STATES(SEQUENCE_ENUM) };

struct smtp_talk {
    const struct smtp_tools *tools; /* borrowed, as the next three */
    const struct smtp_options *options;
    const struct smtp_target *target;
    const char *sni;
    bool offer_all;
    struct arena *arena;
    uint64_t started_at;
    smtp_done done; /* NULL once cancelled */
    void *context;
    struct smtp_talked talked;
    bool concluded;
    bool no_smtp; /* what came is no SMTP reply, or more than one */
    struct sequence sequence;
    char own_address[IP_TEXT_MAX + 8]; /* said when there is no name */
    struct smtp_link link;
};

/* ---- the result ---- */

static enum smtp_failure connect_failure(const struct smtp_talk *talk)
{
    if (talk->link.lost == UV_ECONNREFUSED)
        return SMTP_FAILURE_CONNECT_REFUSED;
    return talk->link.timed_out || talk->link.lost == UV_ETIMEDOUT ? SMTP_FAILURE_CONNECT_TIMEOUT
                                                                   : SMTP_FAILURE_CONNECT;
}

static enum smtp_failure greeting_failure(const struct smtp_talk *talk)
{
    if (talk->talked.result.code != 0)
        return SMTP_FAILURE_GREETING_REFUSED;
    return talk->link.timed_out ? SMTP_FAILURE_GREETING_TIMEOUT : SMTP_FAILURE_GREETING_LOST;
}

/* The kind of what was just concluded: by where the probe is and what came of it. */
static enum smtp_failure failure_kind(const struct smtp_talk *talk)
{
    enum starttls result = talk->talked.result.state;

    if (result == STARTTLS_SKIPPED || result == STARTTLS_CLEAR)
        return SMTP_FAILURE_COUNT;
    if (talk->talked.failed_here)
        return SMTP_FAILURE_LOCAL;
    if (talk->no_smtp)
        return SMTP_FAILURE_PROTOCOL;
    switch (talk->sequence.state) {
    case STATE_CONNECT:
        return connect_failure(talk);
    case STATE_BANNER:
        return greeting_failure(talk);
    case STATE_STARTTLS:
        return result == STARTTLS_TEMPFAIL  ? SMTP_FAILURE_STARTTLS_4XX
               : result == STARTTLS_REFUSED ? SMTP_FAILURE_STARTTLS_5XX
                                            : SMTP_FAILURE_STARTTLS;
    case STATE_HANDSHAKE:
        return talk->link.timed_out ? SMTP_FAILURE_HANDSHAKE_TIMEOUT : SMTP_FAILURE_HANDSHAKE;
    case STATE_EHLO_TLS:
        return SMTP_FAILURE_EHLO_IN_TLS;
    default:
        return SMTP_FAILURE_EHLO;
    }
}

/* The first conclusion stands. `format` must print printable ASCII only. */
static void __attribute__((format(printf, 4, 5)))
conclude(struct smtp_talk *talk, enum starttls state, int code, const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;

    if (talk->concluded)
        return;
    talk->concluded = true;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    talk->talked.result.state = state;
    talk->talked.result.code = code;
    if (detail[0] != '\0')
        talk->talked.result.detail = arena_strdup(talk->arena, detail);
    talk->talked.failure = failure_kind(talk);
}

/* The server said something that ends it: its words are escaped already. */
static void conclude_reply(struct smtp_talk *talk, enum starttls state, const char *what)
{
    conclude(talk, state, talk->link.reply.code, "%s: %d %s", what, talk->link.reply.code,
             talk->link.reply.text);
}

static bool is_our_failure(int error)
{
    return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOBUFS || error == UV_ENOMEM ||
           error == UV_EADDRNOTAVAIL || error == UV_EACCES || error == UV_EPERM;
}

static void conclude_lost(struct smtp_talk *talk, enum starttls state, const char *when, int error)
{
    if (is_our_failure(error)) {
        talk->talked.failed_here = true;
        conclude(talk, STARTTLS_SILENT, 0, "not probed, this side failed: %s", uv_strerror(error));
    } else if (error == UV_EOF) {
        conclude(talk, state, 0, "%s: connection closed", when);
    } else {
        conclude(talk, state, 0, "%s: %s", when, uv_strerror(error));
    }
}

/* Notes what came instead of a reply; silence and a lost connection count as `failure`. */
static enum sequence_step conclude_heard(struct smtp_talk *talk, enum smtp_heard heard,
                                         const char *when, enum starttls failure)
{
    if (heard == SMTP_HEARD_NOTHING)
        return SEQUENCE_WAIT;
    talk->no_smtp = heard == SMTP_HEARD_BAD || heard == SMTP_HEARD_AHEAD;
    if (heard == SMTP_HEARD_BAD)
        conclude(talk, STARTTLS_ERROR, 0, "%s: %s", when, talk->link.reply.why);
    else if (heard == SMTP_HEARD_AHEAD)
        conclude(talk, STARTTLS_ERROR, talk->link.reply.code,
                 "%s: the server sent more than its reply", when);
    else if (heard == SMTP_HEARD_LATE)
        conclude(talk, failure, 0, "%s: no answer in time", when);
    else
        conclude_lost(talk, failure, when, talk->link.lost);
    return SEQUENCE_DONE;
}

/* The name to be said, or the address as a literal: RFC 5321 §4.1.3, §4.1.4. */
static const char *own_name(struct smtp_talk *talk)
{
    char text[IP_TEXT_MAX];
    struct ip ip;

    if (talk->options->helo_name != NULL)
        return talk->options->helo_name;
    if (!smtp_link_own_address(&talk->link, &ip))
        return "[127.0.0.1]"; /* the connection is lost */
    snprintf(talk->own_address, sizeof talk->own_address, "[%s%s]", ip.family == 6 ? "IPv6:" : "",
             ip_text(&ip, text));
    return talk->own_address;
}

/* What a host makes of who we are, while we do not know it ourselves, says nothing about it. */
static void conclude_named(struct smtp_talk *talk, enum starttls state, const char *what)
{
    if (!talk->options->helo_pending) {
        conclude_reply(talk, state, what);
        return;
    }
    talk->talked.failed_here = true;
    conclude(talk, STARTTLS_SILENT, talk->link.reply.code,
             "not probed, this host's own name is not known yet: %s: %d %s", what,
             talk->link.reply.code, talk->link.reply.text);
}

static enum sequence_step go(struct smtp_talk *talk, enum talk_state next)
{
    return sequence_go(&talk->sequence, next);
}

/* ---- the steps ---- */

/* False when it cannot be the source address: what another one would see is no answer. */
static bool bind_source(struct smtp_talk *talk)
{
    bool ipv6 = talk->target->ip.family == 6;
    const struct ip *source = ipv6 ? &talk->options->bind6 : &talk->options->bind;
    int error = source->family == 0 ? 0 : smtp_link_bind(&talk->link, source);

    if (error == 0)
        return true;
    talk->talked.failed_here = true;
    conclude(talk, STARTTLS_SILENT, 0, "not probed, this side failed: %s: %s",
             ipv6 ? "probe-bind-address6" : "probe-bind-address", uv_strerror(error));
    return false;
}

static enum sequence_step start_connect(struct smtp_talk *talk)
{
    const struct smtp_target *target = talk->target;
    int error;

    if (!address_filter_permits(talk->tools->filter, &target->ip)) {
        conclude(talk, STARTTLS_SKIPPED, 0,
                 "not a global address, and allow-address does not name it");
        return SEQUENCE_DONE;
    }
    if (address_filter_excludes(talk->tools->filter, &target->ip, target->host)) {
        conclude(talk, STARTTLS_SKIPPED, 0, "excluded by probe-exclude");
        return SEQUENCE_DONE;
    }
    if (!bind_source(talk))
        return SEQUENCE_DONE;
    error = smtp_link_connect(&talk->link, &target->ip, target->port);
    if (error == 0)
        return SEQUENCE_WAIT;
    conclude_lost(talk, STARTTLS_SILENT, "cannot connect", error);
    return SEQUENCE_DONE;
}

static enum sequence_step step_connect(struct smtp_talk *talk)
{
    if (talk->sequence.fresh)
        return start_connect(talk);
    if (talk->link.lost != 0) {
        conclude_lost(talk, STARTTLS_SILENT, "cannot connect", talk->link.lost);
        return SEQUENCE_DONE;
    }
    if (talk->link.connected)
        return go(talk, STATE_BANNER);
    conclude(talk, STARTTLS_SILENT, 0, "cannot connect: no answer in time");
    return SEQUENCE_DONE;
}

static enum sequence_step step_banner(struct smtp_talk *talk)
{
    enum smtp_heard heard = smtp_link_hear(&talk->link);

    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(talk, heard, "greeting", STARTTLS_SILENT);
    if (talk->link.reply.code / 100 == 2)
        return go(talk, STATE_EHLO);
    conclude_reply(talk, STARTTLS_ERROR, "greeting");
    return go(talk, STATE_QUIT);
}

static enum sequence_step step_ehlo(struct smtp_talk *talk)
{
    const struct smtp_reply *reply = &talk->link.reply;
    enum smtp_heard heard;

    if (talk->sequence.fresh)
        smtp_link_command(&talk->link, "EHLO %s\r\n", own_name(talk));
    heard = smtp_link_hear(&talk->link);
    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(talk, heard, "EHLO", STARTTLS_SILENT);
    if (reply->code == 421) {
        conclude_named(talk, STARTTLS_ERROR, "EHLO");
        return go(talk, STATE_QUIT);
    }
    if (reply->code / 100 != 2)
        return go(talk, STATE_HELO);
    if (reply->starttls)
        return go(talk, STATE_STARTTLS);
    conclude(talk, STARTTLS_CLEAR, reply->code, "STARTTLS is not offered");
    return go(talk, STATE_QUIT);
}

static enum sequence_step step_helo(struct smtp_talk *talk)
{
    enum smtp_heard heard;

    if (talk->sequence.fresh)
        smtp_link_command(&talk->link, "HELO %s\r\n", own_name(talk));
    heard = smtp_link_hear(&talk->link);
    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(talk, heard, "HELO", STARTTLS_ERROR);
    if (talk->link.reply.code / 100 != 2)
        conclude_named(talk, STARTTLS_ERROR, "HELO");
    else if (talk->options->helo_pending)
        conclude_named(talk, STARTTLS_CLEAR, "EHLO refused, HELO");
    else
        conclude(talk, STARTTLS_CLEAR, talk->link.reply.code, "the server knows no EHLO");
    return go(talk, STATE_QUIT);
}

static enum sequence_step step_starttls(struct smtp_talk *talk)
{
    enum smtp_heard heard;
    int class;

    if (talk->sequence.fresh)
        smtp_link_command(&talk->link, "STARTTLS\r\n");
    heard = smtp_link_hear(&talk->link);
    class = talk->link.reply.code / 100;
    if (heard == SMTP_HEARD_AHEAD && class == 2) {
        /* RFC 3207 §6, CVE-2011-0411: what came before TLS must not count as if it came in it */
        talk->no_smtp = true;
        conclude(talk, STARTTLS_ERROR, talk->link.reply.code, "plaintext after STARTTLS");
        return SEQUENCE_DONE;
    }
    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(talk, heard, "STARTTLS", STARTTLS_ERROR);
    if (class == 2)
        return go(talk, STATE_HANDSHAKE);
    conclude_reply(talk,
                   class == 4   ? STARTTLS_TEMPFAIL
                   : class == 5 ? STARTTLS_REFUSED
                                : STARTTLS_ERROR,
                   "STARTTLS");
    return go(talk, STATE_QUIT);
}

/* EHLO was answered in TLS: the host does TLS, and its certificate counts. */
static void judge(struct smtp_talk *talk)
{
    struct tls_reference reference = {
        .host = talk->target->host,
        .tlsa = talk->target->tlsa,
        .tlsa_count = talk->target->tlsa_count,
    };

    memcpy(reference.tlsa_names, talk->target->tlsa_names, sizeof reference.tlsa_names);
    tls_session_judge(talk->link.tls, &reference, talk->arena, &talk->talked.result);
    talk->talked.result.code = talk->link.reply.code;
    talk->concluded = true;
}

static enum sequence_step start_handshake(struct smtp_talk *talk)
{
    struct tls_session *session = tls_session_new(talk->tools->tls, talk->sni);

    if (session != NULL && talk->offer_all)
        tls_session_offer_all(session);
    if (smtp_link_start_tls(&talk->link, session))
        return SEQUENCE_WAIT;
    conclude_lost(talk, STARTTLS_SILENT, "TLS", UV_ENOMEM);
    return SEQUENCE_DONE;
}

/* How the server ended the handshake, if it did. */
static enum tls_refusal refusal(const struct smtp_talk *talk, enum tls_progress progress)
{
    if (progress == TLS_BROKEN)
        return tls_session_refusal(talk->link.tls);
    if (progress == TLS_CLOSED || (talk->link.lost != 0 && !is_our_failure(talk->link.lost)))
        return TLS_REFUSAL_OTHER;
    return TLS_REFUSAL_NONE;
}

/* All was offered, and this is what the host chose. */
static enum sequence_step conclude_choice(struct smtp_talk *talk)
{
    struct starttls_result *result = &talk->talked.result;
    const char *key;

    tls_session_describe(talk->link.tls, talk->arena, result);
    key = tls_context_denies(talk->tools->tls, result->protocol, result->cipher);
    talk->talked.not_allowed = key != NULL;
    if (key == NULL)
        conclude(talk, STARTTLS_BROKEN, 0, "TLS handshake: not the same twice");
    else if (result->protocol != NULL && result->cipher != NULL)
        conclude(talk, STARTTLS_BROKEN, 0, "does TLS only with %s and %s, which %s does not allow",
                 result->protocol, result->cipher, key);
    return go(talk, STATE_QUIT);
}

static enum sequence_step step_handshake(struct smtp_talk *talk)
{
    enum tls_progress progress;

    if (talk->sequence.fresh)
        return start_handshake(talk);
    progress = smtp_link_handshake(&talk->link);
    if (progress == TLS_READY)
        return talk->offer_all ? conclude_choice(talk) : go(talk, STATE_EHLO_TLS);
    talk->talked.refusal = refusal(talk, progress);
    if (progress == TLS_BROKEN)
        conclude(talk, STARTTLS_BROKEN, 0, "TLS handshake: %s", tls_session_why(talk->link.tls));
    else if (progress == TLS_CLOSED)
        conclude(talk, STARTTLS_BROKEN, 0, "TLS handshake: closed by the server");
    else if (talk->link.lost != 0)
        conclude_lost(talk, STARTTLS_BROKEN, "TLS handshake", talk->link.lost);
    else if (talk->link.timed_out)
        conclude(talk, STARTTLS_BROKEN, 0, "TLS handshake: no answer in time");
    return talk->concluded ? SEQUENCE_DONE : SEQUENCE_WAIT;
}

/*
 * Nothing came of EHLO in TLS. A client certificate that TLS 1.3 asks for is missed only now, after
 * a handshake that went well for us; Postfix has none either.
 */
static void conclude_unheard(struct smtp_talk *talk, enum smtp_heard heard)
{
    const char *why = tls_session_why(talk->link.tls);

    if (heard == SMTP_HEARD_LOST && why[0] != '\0')
        conclude(talk, STARTTLS_BROKEN, 0, "EHLO in TLS: %s", why);
    else if (heard == SMTP_HEARD_LOST && talk->link.lost == 0)
        conclude(talk, STARTTLS_BROKEN, 0, "EHLO in TLS: closed by the server");
    else
        conclude_heard(talk, heard, "EHLO in TLS", STARTTLS_BROKEN);
}

/* What does not end in a good answer here is no host that takes mail over TLS. */
static enum sequence_step step_ehlo_tls(struct smtp_talk *talk)
{
    const struct smtp_reply *reply = &talk->link.reply;
    enum smtp_heard heard;

    if (talk->sequence.fresh)
        smtp_link_command(&talk->link, "EHLO %s\r\n", own_name(talk));
    heard = smtp_link_hear(&talk->link);
    if (heard == SMTP_HEARD_NOTHING)
        return SEQUENCE_WAIT;
    if (heard != SMTP_HEARD_REPLY) {
        conclude_unheard(talk, heard);
        return SEQUENCE_DONE;
    }
    if (reply->code / 100 == 2) {
        judge(talk);
        talk->talked.result.requiretls = reply->requiretls;
    } else {
        conclude_named(talk, STARTTLS_ERROR, "EHLO in TLS");
    }
    return go(talk, STATE_QUIT);
}

/* Any answer ends it, and so does none. */
static enum sequence_step step_quit(struct smtp_talk *talk)
{
    if (talk->sequence.fresh)
        smtp_link_command(&talk->link, "QUIT\r\n");
    return smtp_link_hear(&talk->link) == SMTP_HEARD_NOTHING ? SEQUENCE_WAIT : SEQUENCE_DONE;
}

/* ---- the machine ---- */

static enum sequence_step run_step(void *owner, unsigned state)
{
    static enum sequence_step (*const steps[])(struct smtp_talk *) = {STATES(SEQUENCE_STEP)};

    return steps[state](owner);
}

static void enter(void *owner, unsigned state)
{
    static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};
    struct smtp_talk *talk = owner;
    uint64_t limit_ms, spent_ms = uv_now(talk->tools->loop) - talk->started_at;
    uint64_t left_ms = spent_ms < talk->options->total_ms ? talk->options->total_ms - spent_ms : 0;
    char address[IP_TEXT_MAX];

    memcpy(&limit_ms, (const char *)talk->options + states[state].deadline, sizeof limit_ms);
    if (state == STATE_QUIT && limit_ms > AFTERWARDS_MS)
        limit_ms = AFTERWARDS_MS;
    smtp_link_deadline(&talk->link, limit_ms < left_ms ? limit_ms : left_ms);
    if (log_level() >= LOG_LEVEL_DEBUG)
        log_event(LOG_LEVEL_DEBUG, "smtp-state", "domain", talk->target->host, "address",
                  ip_text(&talk->target->ip, address), "state", states[state].name, NULL);
}

static void talk_run(struct smtp_talk *talk)
{
    if (sequence_run(&talk->sequence))
        smtp_link_close(&talk->link);
}

static void on_event(void *owner)
{
    talk_run(owner);
}

static void on_gone(void *owner)
{
    struct smtp_talk *talk = owner;

    if (talk->done != NULL)
        talk->done(talk->context, &talk->talked);
    free(talk);
}

/* ---- start and cancel ---- */

int smtp_talk_start(struct smtp_talk **out, const struct smtp_talk_request *request, smtp_done done,
                    void *context)
{
    static const struct smtp_link_events events = {on_event, on_gone};
    static const struct sequence_machine machine = {run_step, enter};
    struct smtp_talk *talk = calloc(1, sizeof *talk);

    if (talk == NULL)
        return UV_ENOMEM;
    talk->tools = request->tools;
    talk->options = request->options;
    talk->target = request->target;
    talk->sni = request->sni;
    talk->offer_all = request->offer_all;
    talk->arena = request->arena;
    talk->started_at = request->started_at;
    talk->done = done;
    talk->context = context;
    talk->talked.failure = SMTP_FAILURE_COUNT;
    smtp_link_init(&talk->link, talk->tools->loop, talk, &events);
    sequence_init(&talk->sequence, &machine, talk);
    talk_run(talk);
    *out = talk;
    return 0;
}

void smtp_talk_cancel(struct smtp_talk *talk)
{
    talk->done = NULL;
    smtp_link_close(&talk->link);
}
