/*
 * smtp_session_uv: one connection to one address; see smtp_session_uv.h.
 *
 * A sequence (base/sequence.h): STATES below is the whole of it, from the connection to QUIT. What
 * decides is noted with `conclude`, once: nothing that goes wrong afterwards changes it. Then comes
 * QUIT where the protocol allows it. The result is delivered when the connection is closed.
 *
 * DIAGNOSTICS: only the lack of memory at start is an error; all else is a result.
 * BUGS: it does not see what a server does after MAIL, and has no client certificate.
 * RFC 5321, RFC 3207; it follows smtp(8).
 */
#include "probe/smtp/smtp_session_uv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log/log.h"
#include "base/sequence.h"
#include "probe/smtp/smtp_stream_uv.h"

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

enum session_state { STATES(SEQUENCE_ENUM) };

struct smtp_session {
    struct smtp_session_request request;
    smtp_done done; /* NULL once cancelled */
    void *context;
    struct smtp_outcome outcome;
    bool concluded;
    bool no_smtp; /* what came is no SMTP reply, or more than one */
    struct sequence sequence;
    char own_address[IP_TEXT_MAX + 8]; /* said when there is no name */
    struct smtp_stream stream;
};

/* ---- the result ---- */

static enum smtp_failure connect_failure(const struct smtp_session *session)
{
    if (session->stream.lost == UV_ECONNREFUSED)
        return SMTP_FAILURE_CONNECT_REFUSED;
    return session->stream.timed_out || session->stream.lost == UV_ETIMEDOUT
               ? SMTP_FAILURE_CONNECT_TIMEOUT
               : SMTP_FAILURE_CONNECT;
}

static enum smtp_failure greeting_failure(const struct smtp_session *session)
{
    if (session->outcome.result.code != 0)
        return SMTP_FAILURE_GREETING_REFUSED;
    return session->stream.timed_out ? SMTP_FAILURE_GREETING_TIMEOUT : SMTP_FAILURE_GREETING_LOST;
}

/* The kind of what was just concluded: by where the probe is and what came of it. */
static enum smtp_failure failure_kind(const struct smtp_session *session)
{
    enum starttls result = session->outcome.result.state;

    if (result == STARTTLS_SKIPPED || result == STARTTLS_CLEAR)
        return SMTP_FAILURE_COUNT;
    if (session->outcome.failed_here)
        return SMTP_FAILURE_LOCAL;
    if (session->no_smtp)
        return SMTP_FAILURE_PROTOCOL;
    switch (session->sequence.state) {
    case STATE_CONNECT:
        return connect_failure(session);
    case STATE_BANNER:
        return greeting_failure(session);
    case STATE_STARTTLS:
        return result == STARTTLS_TEMPFAIL  ? SMTP_FAILURE_STARTTLS_4XX
               : result == STARTTLS_REFUSED ? SMTP_FAILURE_STARTTLS_5XX
                                            : SMTP_FAILURE_STARTTLS;
    case STATE_HANDSHAKE:
        return session->stream.timed_out ? SMTP_FAILURE_HANDSHAKE_TIMEOUT : SMTP_FAILURE_HANDSHAKE;
    case STATE_EHLO_TLS:
        return SMTP_FAILURE_EHLO_IN_TLS;
    default:
        return SMTP_FAILURE_EHLO;
    }
}

/* The first conclusion stands. `format` must print printable ASCII only. */
static void __attribute__((format(printf, 4, 5)))
conclude(struct smtp_session *session, enum starttls state, int code, const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;

    if (session->concluded)
        return;
    session->concluded = true;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    session->outcome.result.state = state;
    session->outcome.result.code = code;
    if (detail[0] != '\0')
        session->outcome.result.detail = arena_strdup(session->request.arena, detail);
    session->outcome.failure = failure_kind(session);
}

/* The server said something that ends it: its words are escaped already. */
static void conclude_reply(struct smtp_session *session, enum starttls state, const char *what)
{
    conclude(session, state, session->stream.reply.code, "%s: %d %s", what,
             session->stream.reply.code, session->stream.reply.text);
}

static bool is_our_failure(int error)
{
    return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOBUFS || error == UV_ENOMEM ||
           error == UV_EADDRNOTAVAIL || error == UV_EACCES || error == UV_EPERM;
}

static void conclude_lost(struct smtp_session *session, enum starttls state, const char *when,
                          int error)
{
    if (is_our_failure(error)) {
        session->outcome.failed_here = true;
        conclude(session, STARTTLS_SILENT, 0, "not probed, this side failed: %s",
                 uv_strerror(error));
    } else if (error == UV_EOF) {
        conclude(session, state, 0, "%s: connection closed", when);
    } else {
        conclude(session, state, 0, "%s: %s", when, uv_strerror(error));
    }
}

/* Notes what came instead of a reply; silence and a lost connection count as `failure`. */
static enum sequence_step conclude_heard(struct smtp_session *session, enum smtp_heard heard,
                                         const char *when, enum starttls failure)
{
    if (heard == SMTP_HEARD_NOTHING)
        return SEQUENCE_WAIT;
    session->no_smtp = heard == SMTP_HEARD_BAD || heard == SMTP_HEARD_AHEAD;
    if (heard == SMTP_HEARD_BAD)
        conclude(session, STARTTLS_ERROR, 0, "%s: %s", when, session->stream.reply.why);
    else if (heard == SMTP_HEARD_AHEAD)
        conclude(session, STARTTLS_ERROR, session->stream.reply.code,
                 "%s: the server sent more than its reply", when);
    else if (heard == SMTP_HEARD_LATE)
        conclude(session, failure, 0, "%s: no answer in time", when);
    else
        conclude_lost(session, failure, when, session->stream.lost);
    return SEQUENCE_DONE;
}

/* The name to be said, or the address as a literal: RFC 5321 §4.1.3, §4.1.4. */
static const char *own_name(struct smtp_session *session)
{
    char text[IP_TEXT_MAX];
    struct ip ip;

    if (session->request.options->helo_name != NULL)
        return session->request.options->helo_name;
    if (!smtp_stream_own_address(&session->stream, &ip))
        return "[127.0.0.1]"; /* the connection is lost */
    snprintf(session->own_address, sizeof session->own_address, "[%s%s]",
             ip.family == 6 ? "IPv6:" : "", ip_text(&ip, text));
    return session->own_address;
}

/* What a host makes of who we are, while we do not know it ourselves, says nothing about it. */
static void conclude_named(struct smtp_session *session, enum starttls state, const char *what)
{
    if (!session->request.options->helo_pending) {
        conclude_reply(session, state, what);
        return;
    }
    session->outcome.failed_here = true;
    conclude(session, STARTTLS_SILENT, session->stream.reply.code,
             "not probed, this host's own name is not known yet: %s: %d %s", what,
             session->stream.reply.code, session->stream.reply.text);
}

static enum sequence_step go(struct smtp_session *session, enum session_state next)
{
    return sequence_go(&session->sequence, next);
}

/* ---- the steps ---- */

/* False when it cannot be the source address: what another one would see is no answer. */
static bool bind_source(struct smtp_session *session)
{
    bool ipv6 = session->request.target->ip.family == 6;
    const struct ip *source =
        ipv6 ? &session->request.options->bind6 : &session->request.options->bind;
    int error = source->family == 0 ? 0 : smtp_stream_bind(&session->stream, source);

    if (error == 0)
        return true;
    session->outcome.failed_here = true;
    conclude(session, STARTTLS_SILENT, 0, "not probed, this side failed: %s: %s",
             ipv6 ? "probe-bind-address6" : "probe-bind-address", uv_strerror(error));
    return false;
}

static enum sequence_step start_connect(struct smtp_session *session)
{
    const struct smtp_target *target = session->request.target;
    int error;

    if (!address_filter_permits(session->request.tools->filter, &target->ip)) {
        conclude(session, STARTTLS_SKIPPED, 0,
                 "not a global address, and allow-address does not name it");
        return SEQUENCE_DONE;
    }
    if (address_filter_excludes(session->request.tools->filter, &target->ip, target->host)) {
        conclude(session, STARTTLS_SKIPPED, 0, "excluded by probe-exclude");
        return SEQUENCE_DONE;
    }
    if (!bind_source(session))
        return SEQUENCE_DONE;
    error = smtp_stream_connect(&session->stream, &target->ip, target->port);
    if (error == 0)
        return SEQUENCE_WAIT;
    conclude_lost(session, STARTTLS_SILENT, "cannot connect", error);
    return SEQUENCE_DONE;
}

static enum sequence_step step_connect(struct smtp_session *session)
{
    if (session->sequence.fresh)
        return start_connect(session);
    if (session->stream.lost != 0) {
        conclude_lost(session, STARTTLS_SILENT, "cannot connect", session->stream.lost);
        return SEQUENCE_DONE;
    }
    if (session->stream.connected)
        return go(session, STATE_BANNER);
    conclude(session, STARTTLS_SILENT, 0, "cannot connect: no answer in time");
    return SEQUENCE_DONE;
}

static enum sequence_step step_banner(struct smtp_session *session)
{
    enum smtp_heard heard = smtp_stream_hear(&session->stream);

    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(session, heard, "greeting", STARTTLS_SILENT);
    if (session->stream.reply.code / 100 == 2)
        return go(session, STATE_EHLO);
    conclude_reply(session, STARTTLS_ERROR, "greeting");
    return go(session, STATE_QUIT);
}

static enum sequence_step step_ehlo(struct smtp_session *session)
{
    const struct smtp_reply *reply = &session->stream.reply;
    enum smtp_heard heard;

    if (session->sequence.fresh)
        smtp_stream_command(&session->stream, "EHLO %s\r\n", own_name(session));
    heard = smtp_stream_hear(&session->stream);
    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(session, heard, "EHLO", STARTTLS_SILENT);
    if (reply->code == 421) {
        conclude_named(session, STARTTLS_ERROR, "EHLO");
        return go(session, STATE_QUIT);
    }
    if (reply->code / 100 != 2)
        return go(session, STATE_HELO);
    if (reply->starttls)
        return go(session, STATE_STARTTLS);
    conclude(session, STARTTLS_CLEAR, reply->code, "STARTTLS is not offered");
    return go(session, STATE_QUIT);
}

static enum sequence_step step_helo(struct smtp_session *session)
{
    enum smtp_heard heard;

    if (session->sequence.fresh)
        smtp_stream_command(&session->stream, "HELO %s\r\n", own_name(session));
    heard = smtp_stream_hear(&session->stream);
    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(session, heard, "HELO", STARTTLS_ERROR);
    if (session->stream.reply.code / 100 != 2)
        conclude_named(session, STARTTLS_ERROR, "HELO");
    else if (session->request.options->helo_pending)
        conclude_named(session, STARTTLS_CLEAR, "EHLO refused, HELO");
    else
        conclude(session, STARTTLS_CLEAR, session->stream.reply.code, "the server knows no EHLO");
    return go(session, STATE_QUIT);
}

static enum sequence_step step_starttls(struct smtp_session *session)
{
    enum smtp_heard heard;
    int class;

    if (session->sequence.fresh)
        smtp_stream_command(&session->stream, "STARTTLS\r\n");
    heard = smtp_stream_hear(&session->stream);
    class = session->stream.reply.code / 100;
    if (heard == SMTP_HEARD_AHEAD && class == 2) {
        /* RFC 3207 §6, CVE-2011-0411: what came before TLS must not count as if it came in it */
        session->no_smtp = true;
        conclude(session, STARTTLS_ERROR, session->stream.reply.code, "plaintext after STARTTLS");
        return SEQUENCE_DONE;
    }
    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(session, heard, "STARTTLS", STARTTLS_ERROR);
    if (class == 2)
        return go(session, STATE_HANDSHAKE);
    conclude_reply(session,
                   class == 4   ? STARTTLS_TEMPFAIL
                   : class == 5 ? STARTTLS_REFUSED
                                : STARTTLS_ERROR,
                   "STARTTLS");
    return go(session, STATE_QUIT);
}

/* EHLO was answered in TLS: the host does TLS, and its certificate counts. */
static void judge(struct smtp_session *session)
{
    struct tls_reference reference = {
        .host = session->request.target->host,
        .tlsa = session->request.target->tlsa,
        .tlsa_count = session->request.target->tlsa_count,
    };

    memcpy(reference.tlsa_names, session->request.target->tlsa_names, sizeof reference.tlsa_names);
    tls_session_judge(session->stream.tls, &reference, session->request.arena,
                      &session->outcome.result);
    session->outcome.result.code = session->stream.reply.code;
    session->concluded = true;
}

static enum sequence_step start_handshake(struct smtp_session *session)
{
    struct tls_session *tls = tls_session_new(session->request.tools->tls, session->request.sni);

    if (tls != NULL && session->request.offer_all)
        tls_session_offer_all(tls);
    if (smtp_stream_start_tls(&session->stream, tls))
        return SEQUENCE_WAIT;
    conclude_lost(session, STARTTLS_SILENT, "TLS", UV_ENOMEM);
    return SEQUENCE_DONE;
}

/* How the server ended the handshake, if it did. */
static enum tls_refusal refusal(const struct smtp_session *session, enum tls_progress progress)
{
    if (progress == TLS_BROKEN)
        return tls_session_refusal(session->stream.tls);
    if (progress == TLS_CLOSED ||
        (session->stream.lost != 0 && !is_our_failure(session->stream.lost)))
        return TLS_REFUSAL_OTHER;
    return TLS_REFUSAL_NONE;
}

/* All was offered, and this is what the host chose. */
static enum sequence_step conclude_choice(struct smtp_session *session)
{
    struct starttls_result *result = &session->outcome.result;
    const char *key;

    tls_session_describe(session->stream.tls, session->request.arena, result);
    key = tls_context_denies(session->request.tools->tls, result->protocol, result->cipher);
    session->outcome.not_allowed = key != NULL;
    if (key == NULL)
        conclude(session, STARTTLS_BROKEN, 0, "TLS handshake: not the same twice");
    else if (result->protocol != NULL && result->cipher != NULL)
        conclude(session, STARTTLS_BROKEN, 0,
                 "does TLS only with %s and %s, which %s does not allow", result->protocol,
                 result->cipher, key);
    return go(session, STATE_QUIT);
}

static enum sequence_step step_handshake(struct smtp_session *session)
{
    enum tls_progress progress;

    if (session->sequence.fresh)
        return start_handshake(session);
    progress = smtp_stream_handshake(&session->stream);
    if (progress == TLS_READY)
        return session->request.offer_all ? conclude_choice(session) : go(session, STATE_EHLO_TLS);
    session->outcome.refusal = refusal(session, progress);
    if (progress == TLS_BROKEN)
        conclude(session, STARTTLS_BROKEN, 0, "TLS handshake: %s",
                 tls_session_why(session->stream.tls));
    else if (progress == TLS_CLOSED)
        conclude(session, STARTTLS_BROKEN, 0, "TLS handshake: closed by the server");
    else if (session->stream.lost != 0)
        conclude_lost(session, STARTTLS_BROKEN, "TLS handshake", session->stream.lost);
    else if (session->stream.timed_out)
        conclude(session, STARTTLS_BROKEN, 0, "TLS handshake: no answer in time");
    return session->concluded ? SEQUENCE_DONE : SEQUENCE_WAIT;
}

/*
 * Nothing came of EHLO in TLS. A client certificate that TLS 1.3 asks for is missed only now, after
 * a handshake that went well for us; Postfix has none either.
 */
static void conclude_unheard(struct smtp_session *session, enum smtp_heard heard)
{
    const char *why = tls_session_why(session->stream.tls);

    if (heard == SMTP_HEARD_LOST && why[0] != '\0')
        conclude(session, STARTTLS_BROKEN, 0, "EHLO in TLS: %s", why);
    else if (heard == SMTP_HEARD_LOST && session->stream.lost == 0)
        conclude(session, STARTTLS_BROKEN, 0, "EHLO in TLS: closed by the server");
    else
        conclude_heard(session, heard, "EHLO in TLS", STARTTLS_BROKEN);
}

/* What does not end in a good answer here is no host that takes mail over TLS. */
static enum sequence_step step_ehlo_tls(struct smtp_session *session)
{
    const struct smtp_reply *reply = &session->stream.reply;
    enum smtp_heard heard;

    if (session->sequence.fresh)
        smtp_stream_command(&session->stream, "EHLO %s\r\n", own_name(session));
    heard = smtp_stream_hear(&session->stream);
    if (heard == SMTP_HEARD_NOTHING)
        return SEQUENCE_WAIT;
    if (heard != SMTP_HEARD_REPLY) {
        conclude_unheard(session, heard);
        return SEQUENCE_DONE;
    }
    if (reply->code / 100 == 2) {
        judge(session);
        session->outcome.result.requiretls = reply->requiretls;
    } else {
        conclude_named(session, STARTTLS_ERROR, "EHLO in TLS");
    }
    return go(session, STATE_QUIT);
}

/* Any answer ends it, and so does none. */
static enum sequence_step step_quit(struct smtp_session *session)
{
    if (session->sequence.fresh)
        smtp_stream_command(&session->stream, "QUIT\r\n");
    return smtp_stream_hear(&session->stream) == SMTP_HEARD_NOTHING ? SEQUENCE_WAIT : SEQUENCE_DONE;
}

/* ---- the machine ---- */

static enum sequence_step run_step(void *owner, unsigned state)
{
    static enum sequence_step (*const steps[])(struct smtp_session *) = {STATES(SEQUENCE_STEP)};

    return steps[state](owner);
}

static void enter(void *owner, unsigned state)
{
    static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};
    struct smtp_session *session = owner;
    uint64_t limit_ms,
        spent_ms = uv_now(session->request.tools->loop) - session->request.started_at;
    uint64_t left_ms = spent_ms < session->request.options->total_ms
                           ? session->request.options->total_ms - spent_ms
                           : 0;
    char address[IP_TEXT_MAX];

    memcpy(&limit_ms, (const char *)session->request.options + states[state].deadline,
           sizeof limit_ms);
    if (state == STATE_QUIT && limit_ms > AFTERWARDS_MS)
        limit_ms = AFTERWARDS_MS;
    smtp_stream_deadline(&session->stream, limit_ms < left_ms ? limit_ms : left_ms);
    if (log_level() >= LOG_LEVEL_DEBUG)
        log_event(LOG_LEVEL_DEBUG, "smtp-state", "domain", session->request.target->host, "address",
                  ip_text(&session->request.target->ip, address), "state", states[state].name,
                  NULL);
}

static void session_run(struct smtp_session *session)
{
    if (sequence_run(&session->sequence))
        smtp_stream_close(&session->stream);
}

static void on_event(void *owner)
{
    session_run(owner);
}

static void on_gone(void *owner)
{
    struct smtp_session *session = owner;

    if (session->done != NULL)
        session->done(session->context, &session->outcome);
    free(session);
}

/* ---- start and cancel ---- */

int smtp_session_start(struct smtp_session **out, const struct smtp_session_request *request,
                       smtp_done done, void *context)
{
    static const struct smtp_stream_events events = {on_event, on_gone};
    static const struct sequence_machine machine = {run_step, enter};
    struct smtp_session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return UV_ENOMEM;
    session->request = *request;
    session->done = done;
    session->context = context;
    session->outcome.failure = SMTP_FAILURE_COUNT;
    smtp_stream_init(&session->stream, session->request.tools->loop, session, &events);
    sequence_init(&session->sequence, &machine, session);
    session_run(session);
    *out = session;
    return 0;
}

void smtp_session_cancel(struct smtp_session *session)
{
    session->done = NULL;
    smtp_stream_close(&session->stream);
}
