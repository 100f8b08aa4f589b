/*
 * smtp_uv: one probe of one address; see smtp_uv.h.
 *
 * A sequence (base/sequence.h) for each of its connections: STATES below is the whole of it, from
 * the connection to QUIT. What decides is noted with `conclude`, once: nothing that goes wrong
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

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log/log.h"
#include "base/sequence.h"
#include "probe/smtp/smtp_stream_uv.h"
#include "probe/tls/tlsa.h"

#define MEMORY_MAX    65536 /* the strings of a few results */
#define DETAIL_MAX    512
#define WORDS_MAX     256  /* of one connection */
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

enum smtp_state { STATES(SEQUENCE_ENUM) };

/* What is said when a state begins, and what its step is for: the reply. */
static const struct exchange {
    const char *command;   /* NULL: nothing is said */
    bool named;            /* the name of this host follows */
    const char *name;      /* of the reply, in words; NULL: the step listens by itself */
    enum starttls unheard; /* what silence and a lost connection count as */
} exchanges[] = {
    [STATE_BANNER] = {NULL, false, "greeting", STARTTLS_SILENT},
    [STATE_EHLO] = {"EHLO", true, "EHLO", STARTTLS_SILENT},
    [STATE_HELO] = {"HELO", true, "HELO", STARTTLS_ERROR},
    [STATE_STARTTLS] = {"STARTTLS", false, "STARTTLS", STARTTLS_ERROR},
    [STATE_EHLO_TLS] = {"EHLO", true, "EHLO in TLS", STARTTLS_BROKEN},
    [STATE_QUIT] = {"QUIT", false, NULL, STARTTLS_UNKNOWN},
};

/* The connections of a probe. */
enum smtp_attempt {
    ATTEMPT_FIRST,
    ATTEMPT_NAMELESS, /* without SNI */
    ATTEMPT_ALL,      /* all that OpenSSL has is offered, without SNI */
    ATTEMPT_NONE      /* the result stands */
};

struct smtp_probe {
    struct smtp_tools tools;
    struct smtp_options options;
    const struct smtp_target *target; /* borrowed */
    smtp_done done;                   /* NULL once cancelled */
    void *context;
    struct arena *memory; /* owned: the strings of the outcomes */
    uint64_t started_at;  /* on the loop's clock: total_ms counts from here */
    struct smtp_outcome result;
    unsigned connections;
    struct tls_chain *chain; /* owned: what is kept of a handshake; NULL: nothing */

    /* of the connection under way */
    enum smtp_attempt attempt;
    struct smtp_outcome outcome;
    bool concluded;
    bool no_smtp; /* what came is no SMTP reply, or more than one */
    struct sequence sequence;
    char own_address[IP_TEXT_MAX + 8]; /* said when there is no name */
    struct smtp_stream stream;
};

static enum sequence_step go(struct smtp_probe *probe, enum smtp_state next)
{
    return sequence_go(&probe->sequence, next);
}

static uint64_t left_ms(const struct smtp_probe *probe)
{
    uint64_t spent_ms = uv_now(probe->tools.loop) - probe->started_at;

    return spent_ms < probe->options.total_ms ? probe->options.total_ms - spent_ms : 0;
}

/* ---- what came of a connection ---- */

/* The kind of what was just concluded: by where the probe is and what came of it. */
static enum smtp_failure failure_kind(const struct smtp_probe *probe)
{
    enum starttls result = probe->outcome.result.state;
    bool timed_out = probe->stream.timed_out;

    if (result == STARTTLS_SKIPPED || result == STARTTLS_CLEAR)
        return SMTP_FAILURE_COUNT;
    if (probe->outcome.failed_here)
        return SMTP_FAILURE_LOCAL;
    if (probe->no_smtp)
        return SMTP_FAILURE_PROTOCOL;
    switch (probe->sequence.state) {
    case STATE_CONNECT:
        if (probe->stream.lost == UV_ECONNREFUSED)
            return SMTP_FAILURE_CONNECT_REFUSED;
        return timed_out || probe->stream.lost == UV_ETIMEDOUT ? SMTP_FAILURE_CONNECT_TIMEOUT
                                                               : SMTP_FAILURE_CONNECT;
    case STATE_BANNER:
        if (probe->outcome.result.code != 0)
            return SMTP_FAILURE_GREETING_REFUSED;
        return timed_out ? SMTP_FAILURE_GREETING_TIMEOUT : SMTP_FAILURE_GREETING_LOST;
    case STATE_STARTTLS:
        return result == STARTTLS_TEMPFAIL  ? SMTP_FAILURE_STARTTLS_4XX
               : result == STARTTLS_REFUSED ? SMTP_FAILURE_STARTTLS_5XX
                                            : SMTP_FAILURE_STARTTLS;
    case STATE_HANDSHAKE:
        return timed_out ? SMTP_FAILURE_HANDSHAKE_TIMEOUT : SMTP_FAILURE_HANDSHAKE;
    case STATE_EHLO_TLS:
        return SMTP_FAILURE_EHLO_IN_TLS;
    default:
        return SMTP_FAILURE_EHLO;
    }
}

/* Notes what decides; the first conclusion stands. DONE, for a step that ends without QUIT. `format`
 * must print printable ASCII only. */
static enum sequence_step __attribute__((format(printf, 4, 5)))
conclude(struct smtp_probe *probe, enum starttls state, int code, const char *format, ...)
{
    char detail[WORDS_MAX];
    va_list args;

    if (probe->concluded)
        return SEQUENCE_DONE;
    probe->concluded = true;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    probe->outcome.result.state = state;
    probe->outcome.result.code = code;
    if (detail[0] != '\0')
        probe->outcome.result.detail = arena_strdup(probe->memory, detail);
    probe->outcome.failure = failure_kind(probe);
    return SEQUENCE_DONE;
}

/* The server said something that ends it: its words are escaped already. */
static enum sequence_step conclude_reply(struct smtp_probe *probe, enum starttls state)
{
    const struct smtp_reply *reply = &probe->stream.reply;

    conclude(probe, state, reply->code, "%s: %d %s", exchanges[probe->sequence.state].name,
             reply->code, reply->text);
    return go(probe, STATE_QUIT);
}

/* What a host makes of who we are, while we do not know it ourselves, says nothing about it. */
static enum sequence_step conclude_named(struct smtp_probe *probe, const char *what)
{
    const struct smtp_reply *reply = &probe->stream.reply;

    if (!probe->options.helo_pending)
        return conclude_reply(probe, STARTTLS_ERROR);
    probe->outcome.failed_here = true;
    conclude(probe, STARTTLS_SILENT, reply->code,
             "not probed, this host's own name is not known yet: %s: %d %s", what, reply->code,
             reply->text);
    return go(probe, STATE_QUIT);
}

static bool is_our_failure(int error)
{
    return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOBUFS || error == UV_ENOMEM ||
           error == UV_EADDRNOTAVAIL || error == UV_EACCES || error == UV_EPERM;
}

static enum sequence_step conclude_lost(struct smtp_probe *probe, enum starttls state,
                                        const char *when, int error)
{
    if (error == UV_EOF)
        return conclude(probe, state, 0, "%s: connection closed", when);
    if (!is_our_failure(error))
        return conclude(probe, state, 0, "%s: %s", when, uv_strerror(error));
    probe->outcome.failed_here = true;
    return conclude(probe, STARTTLS_SILENT, 0, "not probed, this side failed: %s",
                    uv_strerror(error));
}

/* Notes what came instead of a reply. */
static enum sequence_step conclude_heard(struct smtp_probe *probe, enum smtp_heard heard)
{
    const struct exchange *exchange = &exchanges[probe->sequence.state];
    const struct smtp_reply *reply = &probe->stream.reply;
    const struct tls_session *tls = probe->stream.tls;

    probe->no_smtp = heard == SMTP_HEARD_BAD || heard == SMTP_HEARD_AHEAD;
    if (heard == SMTP_HEARD_BAD)
        return conclude(probe, STARTTLS_ERROR, 0, "%s: %s", exchange->name, reply->why);
    /* RFC 3207 §6, CVE-2011-0411: what came before TLS must not count as if it came in it */
    if (heard == SMTP_HEARD_AHEAD && probe->sequence.state == STATE_STARTTLS &&
        reply->code / 100 == 2)
        return conclude(probe, STARTTLS_ERROR, reply->code, "plaintext after STARTTLS");
    if (heard == SMTP_HEARD_AHEAD)
        return conclude(probe, STARTTLS_ERROR, reply->code,
                        "%s: the server sent more than its reply", exchange->name);
    if (heard == SMTP_HEARD_LATE)
        return conclude(probe, exchange->unheard, 0, "%s: no answer in time", exchange->name);
    /* A client certificate that TLS 1.3 asks for is missed only now, after a handshake that went
     * well for us; Postfix has none either. */
    if (tls != NULL && tls_session_why(tls)[0] != '\0')
        return conclude(probe, exchange->unheard, 0, "%s: %s", exchange->name,
                        tls_session_why(tls));
    if (tls != NULL && probe->stream.lost == 0)
        return conclude(probe, exchange->unheard, 0, "%s: closed by the server", exchange->name);
    return conclude_lost(probe, exchange->unheard, exchange->name, probe->stream.lost);
}

/* ---- the steps ---- */

static enum sequence_step start_connect(struct smtp_probe *probe)
{
    const struct smtp_target *target = probe->target;
    bool ipv6 = target->ip.family == 6;
    const struct ip *source = ipv6 ? &probe->options.bind6 : &probe->options.bind;
    int error = 0;

    if (!address_filter_permits(probe->tools.filter, &target->ip))
        return conclude(probe, STARTTLS_SKIPPED, 0,
                        "not a global address, and allow-address does not name it");
    if (address_filter_excludes(probe->tools.filter, &target->ip, target->host))
        return conclude(probe, STARTTLS_SKIPPED, 0, "excluded by probe-exclude");
    if (source->family != 0)
        error = smtp_stream_bind(&probe->stream, source);
    if (error != 0) { /* what another source address would see is no answer */
        probe->outcome.failed_here = true;
        return conclude(probe, STARTTLS_SILENT, 0, "not probed, this side failed: %s: %s",
                        ipv6 ? "probe-bind-address6" : "probe-bind-address", uv_strerror(error));
    }
    probe->connections++;
    error = smtp_stream_connect(&probe->stream, &target->ip, target->port);
    return error == 0 ? SEQUENCE_WAIT
                      : conclude_lost(probe, STARTTLS_SILENT, "cannot connect", error);
}

static enum sequence_step step_connect(struct smtp_probe *probe)
{
    if (probe->sequence.fresh)
        return start_connect(probe);
    if (probe->stream.lost != 0)
        return conclude_lost(probe, STARTTLS_SILENT, "cannot connect", probe->stream.lost);
    if (probe->stream.connected)
        return go(probe, STATE_BANNER);
    return conclude(probe, STARTTLS_SILENT, 0, "cannot connect: no answer in time");
}

static enum sequence_step step_banner(struct smtp_probe *probe)
{
    if (probe->options.keep_chain)
        probe->outcome.greeting = arena_strdup(probe->memory, probe->stream.reply.text);
    return probe->stream.reply.code / 100 == 2 ? go(probe, STATE_EHLO)
                                               : conclude_reply(probe, STARTTLS_ERROR);
}

static enum sequence_step step_ehlo(struct smtp_probe *probe)
{
    const struct smtp_reply *reply = &probe->stream.reply;

    if (reply->code == 421)
        return conclude_named(probe, "EHLO");
    if (reply->code / 100 != 2)
        return go(probe, STATE_HELO);
    if (reply->starttls)
        return go(probe, STATE_STARTTLS);
    conclude(probe, STARTTLS_CLEAR, reply->code, "STARTTLS is not offered");
    return go(probe, STATE_QUIT);
}

static enum sequence_step step_helo(struct smtp_probe *probe)
{
    const struct smtp_reply *reply = &probe->stream.reply;

    if (reply->code / 100 != 2)
        return conclude_named(probe, "HELO");
    if (probe->options.helo_pending)
        return conclude_named(probe, "EHLO refused, HELO");
    conclude(probe, STARTTLS_CLEAR, reply->code, "the server knows no EHLO");
    return go(probe, STATE_QUIT);
}

static enum sequence_step step_starttls(struct smtp_probe *probe)
{
    int class = probe->stream.reply.code / 100;

    if (class == 2)
        return go(probe, STATE_HANDSHAKE);
    return conclude_reply(probe, class == 4   ? STARTTLS_TEMPFAIL
                                 : class == 5 ? STARTTLS_REFUSED
                                              : STARTTLS_ERROR);
}

static enum sequence_step start_handshake(struct smtp_probe *probe)
{
    struct tls_session *tls = tls_session_new(
        probe->tools.tls, probe->attempt == ATTEMPT_FIRST ? probe->target->sni : NULL);

    if (tls != NULL && probe->attempt == ATTEMPT_ALL)
        tls_session_offer(tls, TLS_OFFER_ALL); /* fails with no OpenSSL that has TLS 1.2 */
    return smtp_stream_start_tls(&probe->stream, tls)
               ? SEQUENCE_WAIT
               : conclude_lost(probe, STARTTLS_SILENT, "TLS", UV_ENOMEM);
}

/* How the server ended the handshake, if it did. */
static enum tls_refusal refusal(const struct smtp_probe *probe, enum tls_progress progress)
{
    if (progress == TLS_BROKEN)
        return tls_session_refusal(probe->stream.tls);
    if (progress == TLS_CLOSED || (probe->stream.lost != 0 && !is_our_failure(probe->stream.lost)))
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
        conclude(probe, STARTTLS_BROKEN, 0, "does TLS only with %s and %s, which %s does not allow",
                 result->protocol, result->cipher, key);
    }
    return go(probe, STATE_QUIT);
}

static enum sequence_step step_handshake(struct smtp_probe *probe)
{
    enum tls_progress progress;

    if (probe->sequence.fresh)
        return start_handshake(probe);
    progress = smtp_stream_handshake(&probe->stream);
    if (progress == TLS_READY)
        return probe->attempt == ATTEMPT_ALL ? conclude_choice(probe) : go(probe, STATE_EHLO_TLS);
    probe->outcome.refusal = refusal(probe, progress);
    if (progress == TLS_BROKEN)
        return conclude(probe, STARTTLS_BROKEN, 0, "TLS handshake: %s",
                        tls_session_why(probe->stream.tls));
    if (progress == TLS_CLOSED)
        return conclude(probe, STARTTLS_BROKEN, 0, "TLS handshake: closed by the server");
    if (probe->stream.lost != 0)
        return conclude_lost(probe, STARTTLS_BROKEN, "TLS handshake", probe->stream.lost);
    if (probe->stream.timed_out)
        return conclude(probe, STARTTLS_BROKEN, 0, "TLS handshake: no answer in time");
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
        return conclude_named(probe, "EHLO in TLS");
    memcpy(reference.tlsa_names, target->tlsa_names, sizeof reference.tlsa_names);
    if (probe->options.keep_chain)
        keep_chain(probe);
    else
        tls_session_judge(probe->stream.tls, &reference, probe->memory, &probe->outcome.result);
    probe->outcome.result.code = reply->code;
    probe->outcome.result.requiretls = reply->requiretls;
    probe->concluded = true;
    return go(probe, STATE_QUIT);
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
    static enum sequence_step (*const steps[])(struct smtp_probe *) = {STATES(SEQUENCE_STEP)};
    struct smtp_probe *probe = owner;
    enum smtp_heard heard = SMTP_HEARD_REPLY;

    if (exchanges[state].name != NULL)
        heard = smtp_stream_hear(&probe->stream);
    if (heard == SMTP_HEARD_NOTHING)
        return SEQUENCE_WAIT;
    return heard == SMTP_HEARD_REPLY ? steps[state](probe) : conclude_heard(probe, heard);
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
    static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};
    struct smtp_probe *probe = owner;
    const struct exchange *exchange = &exchanges[state];
    uint64_t limit_ms, most_ms = left_ms(probe);
    char address[IP_TEXT_MAX];

    memcpy(&limit_ms, (const char *)&probe->options + states[state].deadline, sizeof limit_ms);
    if (state == STATE_QUIT && limit_ms > AFTERWARDS_MS)
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

const char *smtp_failure_name(enum smtp_failure failure)
{
#define X(word, name) name,
    static const char *const names[] = {SMTP_FAILURES(X)};
#undef X

    return names[failure];
}
