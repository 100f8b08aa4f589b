/*
 * smtp_uv: one probe of one address; see smtp_uv.h.
 *
 * A sequence: STATES below is the whole of it, from the connection to QUIT. A step is called once
 * when its state is entered (`fresh`) and again after every event; only `run` changes the state.
 * What decides is noted with `conclude`, once: nothing that goes wrong afterwards changes it. Then
 * comes QUIT where the protocol allows it, and the result is delivered when the connection is
 * closed, so that its owner knows it to be gone.
 *
 * It fails only by having no memory at start; all else is a result. It cannot see what a server
 * does after MAIL, and has no client certificate. RFC 5321, RFC 3207; what it mirrors is smtp(8).
 */
#include "probe/smtp_uv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "probe/smtp_link_uv.h"

#define MEMORY_MAX    262144 /* a TLSA RRset may have 64 KB */
#define DETAIL_MAX    256
#define AFTERWARDS_MS 3000 /* QUIT: nothing depends on it */

enum step { STEP_AGAIN, STEP_WAIT, STEP_DONE };

/* state, step, deadline: a field of smtp_options, and a cap of our own in ms (0: none) */
#define STATES(X)                                                                                  \
    X(CONNECT, connect, connect_ms, 0)                                                             \
    X(BANNER, banner, greeting_ms, 0)                                                              \
    X(EHLO, ehlo, command_ms, 0)                                                                   \
    X(HELO, helo, command_ms, 0)                                                                   \
    X(STARTTLS, starttls, command_ms, 0)                                                           \
    X(HANDSHAKE, handshake, command_ms, 0)                                                         \
    X(EHLO_TLS, ehlo_tls, command_ms, 0)                                                           \
    X(QUIT, quit, command_ms, AFTERWARDS_MS)

enum state {
#define X(NAME, step, field, cap) STATE_##NAME,
    STATES(X)
#undef X
        STATE_COUNT
};

struct smtp_probe {
    struct smtp_options options;
    struct smtp_target target; /* copied into `memory` */
    smtp_done done;            /* NULL once cancelled */
    void *context;
    struct arena *memory;
    struct starttls_result result;
    bool concluded, failed_here;
    enum smtp_failure failure; /* SMTP_FAILURE_COUNT: none */
    bool no_smtp;              /* what came is no SMTP reply, or more than one */
    enum state state, next;
    bool fresh;          /* the state was just entered */
    unsigned entered;    /* states so far */
    uint64_t started_at; /* on the loop's clock */
    struct smtp_link link;
};

/* ---- the result ---- */

static enum smtp_failure connect_failure(const struct smtp_probe *probe)
{
    if (probe->link.lost == UV_ECONNREFUSED)
        return SMTP_FAILURE_CONNECT_REFUSED;
    return probe->link.timed_out || probe->link.lost == UV_ETIMEDOUT ? SMTP_FAILURE_CONNECT_TIMEOUT
                                                                     : SMTP_FAILURE_CONNECT;
}

static enum smtp_failure greeting_failure(const struct smtp_probe *probe)
{
    if (probe->result.code != 0)
        return SMTP_FAILURE_GREETING_REFUSED;
    return probe->link.timed_out ? SMTP_FAILURE_GREETING_TIMEOUT : SMTP_FAILURE_GREETING_LOST;
}

/* The kind of what was just concluded: by where the probe is and what came of it. */
static enum smtp_failure failure_kind(const struct smtp_probe *probe)
{
    enum starttls result = probe->result.state;

    if (result == STARTTLS_SKIPPED || result == STARTTLS_CLEAR)
        return SMTP_FAILURE_COUNT;
    if (probe->failed_here)
        return SMTP_FAILURE_LOCAL;
    if (probe->no_smtp)
        return SMTP_FAILURE_PROTOCOL;
    switch (probe->state) {
    case STATE_CONNECT:
        return connect_failure(probe);
    case STATE_BANNER:
        return greeting_failure(probe);
    case STATE_STARTTLS:
        return result == STARTTLS_TEMPFAIL  ? SMTP_FAILURE_STARTTLS_4XX
               : result == STARTTLS_REFUSED ? SMTP_FAILURE_STARTTLS_5XX
                                            : SMTP_FAILURE_STARTTLS;
    case STATE_HANDSHAKE:
        return probe->link.timed_out ? SMTP_FAILURE_HANDSHAKE_TIMEOUT : SMTP_FAILURE_HANDSHAKE;
    case STATE_EHLO_TLS:
        return SMTP_FAILURE_EHLO_IN_TLS;
    default:
        return SMTP_FAILURE_EHLO;
    }
}

/* The first conclusion stands. `format` must print printable ASCII only. */
static void __attribute__((format(printf, 4, 5)))
conclude(struct smtp_probe *probe, enum starttls state, int code, const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;

    if (probe->concluded)
        return;
    probe->concluded = true;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    probe->result.state = state;
    probe->result.code = code;
    if (detail[0] != '\0')
        probe->result.detail = arena_strdup(probe->memory, detail);
    probe->failure = failure_kind(probe);
}

/* The server said something that ends it: its words are escaped already. */
static void conclude_reply(struct smtp_probe *probe, enum starttls state, const char *what)
{
    conclude(probe, state, probe->link.reply.code, "%s: %d %s", what, probe->link.reply.code,
             probe->link.reply.text);
}

static bool is_our_failure(int error)
{
    return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOBUFS || error == UV_ENOMEM ||
           error == UV_EADDRNOTAVAIL || error == UV_EACCES || error == UV_EPERM;
}

static void conclude_lost(struct smtp_probe *probe, enum starttls state, const char *when,
                          int error)
{
    if (is_our_failure(error)) {
        probe->failed_here = true;
        conclude(probe, STARTTLS_SILENT, 0, "not probed, this side failed: %s", uv_strerror(error));
    } else if (error == UV_EOF) {
        conclude(probe, state, 0, "%s: connection closed", when);
    } else {
        conclude(probe, state, 0, "%s: %s", when, uv_strerror(error));
    }
}

/* Notes what came instead of a reply; silence and a lost connection count as `failure`. */
static enum step conclude_heard(struct smtp_probe *probe, enum smtp_heard heard, const char *when,
                                enum starttls failure)
{
    if (heard == SMTP_HEARD_NOTHING)
        return STEP_WAIT;
    probe->no_smtp = heard == SMTP_HEARD_BAD || heard == SMTP_HEARD_AHEAD;
    if (heard == SMTP_HEARD_BAD)
        conclude(probe, STARTTLS_ERROR, 0, "%s: %s", when, probe->link.reply.why);
    else if (heard == SMTP_HEARD_AHEAD)
        conclude(probe, STARTTLS_ERROR, probe->link.reply.code,
                 "%s: the server sent more than its reply", when);
    else if (heard == SMTP_HEARD_LATE)
        conclude(probe, failure, 0, "%s: no answer in time", when);
    else
        conclude_lost(probe, failure, when, probe->link.lost);
    return STEP_DONE;
}

static enum step go(struct smtp_probe *probe, enum state next)
{
    probe->next = next;
    return STEP_AGAIN;
}

/* ---- the steps ---- */

static enum step start_connect(struct smtp_probe *probe)
{
    const struct smtp_target *target = &probe->target;
    int error;

    if (!address_filter_permits(probe->options.filter, &target->ip)) {
        conclude(probe, STARTTLS_SKIPPED, 0, "not a global address, and allow-address has it not");
        return STEP_DONE;
    }
    if (address_filter_excludes(probe->options.filter, &target->ip, target->host)) {
        conclude(probe, STARTTLS_SKIPPED, 0, "excluded by probe-exclude");
        return STEP_DONE;
    }
    error = smtp_link_connect(&probe->link, &target->ip, target->port);
    if (error == 0)
        return STEP_WAIT;
    conclude_lost(probe, STARTTLS_SILENT, "cannot connect", error);
    return STEP_DONE;
}

static enum step step_connect(struct smtp_probe *probe)
{
    if (probe->fresh)
        return start_connect(probe);
    if (probe->link.lost != 0) {
        conclude_lost(probe, STARTTLS_SILENT, "cannot connect", probe->link.lost);
        return STEP_DONE;
    }
    if (probe->link.connected)
        return go(probe, STATE_BANNER);
    conclude(probe, STARTTLS_SILENT, 0, "cannot connect: no answer in time");
    return STEP_DONE;
}

static enum step step_banner(struct smtp_probe *probe)
{
    enum smtp_heard heard = smtp_link_hear(&probe->link);

    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(probe, heard, "greeting", STARTTLS_SILENT);
    if (probe->link.reply.code / 100 == 2)
        return go(probe, STATE_EHLO);
    conclude_reply(probe, STARTTLS_ERROR, "greeting");
    return go(probe, STATE_QUIT);
}

static enum step step_ehlo(struct smtp_probe *probe)
{
    const struct smtp_reply *reply = &probe->link.reply;
    enum smtp_heard heard;

    if (probe->fresh)
        smtp_link_command(&probe->link, "EHLO %s\r\n", probe->options.helo_name);
    heard = smtp_link_hear(&probe->link);
    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(probe, heard, "EHLO", STARTTLS_SILENT);
    if (reply->code == 421) {
        conclude_reply(probe, STARTTLS_ERROR, "EHLO");
        return go(probe, STATE_QUIT);
    }
    if (reply->code / 100 != 2)
        return go(probe, STATE_HELO);
    if (reply->starttls)
        return go(probe, STATE_STARTTLS);
    conclude(probe, STARTTLS_CLEAR, reply->code, "STARTTLS is not offered");
    return go(probe, STATE_QUIT);
}

static enum step step_helo(struct smtp_probe *probe)
{
    enum smtp_heard heard;

    if (probe->fresh)
        smtp_link_command(&probe->link, "HELO %s\r\n", probe->options.helo_name);
    heard = smtp_link_hear(&probe->link);
    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(probe, heard, "HELO", STARTTLS_ERROR);
    if (probe->link.reply.code / 100 == 2)
        conclude(probe, STARTTLS_CLEAR, probe->link.reply.code, "the server knows no EHLO");
    else
        conclude_reply(probe, STARTTLS_ERROR, "HELO");
    return go(probe, STATE_QUIT);
}

static enum step step_starttls(struct smtp_probe *probe)
{
    enum smtp_heard heard;
    int class;

    if (probe->fresh)
        smtp_link_command(&probe->link, "STARTTLS\r\n");
    heard = smtp_link_hear(&probe->link);
    class = probe->link.reply.code / 100;
    if (heard == SMTP_HEARD_AHEAD && class == 2) {
        /* RFC 3207 §6, CVE-2011-0411: what came before TLS must not count as if it came in it */
        probe->no_smtp = true;
        conclude(probe, STARTTLS_ERROR, probe->link.reply.code, "plaintext after STARTTLS");
        return STEP_DONE;
    }
    if (heard != SMTP_HEARD_REPLY)
        return conclude_heard(probe, heard, "STARTTLS", STARTTLS_ERROR);
    if (class == 2)
        return go(probe, STATE_HANDSHAKE);
    conclude_reply(probe,
                   class == 4   ? STARTTLS_TEMPFAIL
                   : class == 5 ? STARTTLS_REFUSED
                                : STARTTLS_ERROR,
                   "STARTTLS");
    return go(probe, STATE_QUIT);
}

/* EHLO was answered in TLS: the host does TLS, and its certificate counts. */
static void judge(struct smtp_probe *probe)
{
    struct tls_reference reference = {
        .host = probe->target.host,
        .tlsa = probe->target.tlsa,
        .tlsa_count = probe->target.tlsa_count,
    };

    memcpy(reference.tlsa_names, probe->target.tlsa_names, sizeof reference.tlsa_names);
    tls_session_judge(probe->link.tls, &reference, probe->memory, &probe->result);
    probe->result.code = probe->link.reply.code;
    probe->concluded = true;
}

static enum step start_handshake(struct smtp_probe *probe)
{
    if (smtp_link_start_tls(&probe->link, probe->options.tls, probe->target.sni))
        return STEP_WAIT;
    conclude_lost(probe, STARTTLS_SILENT, "TLS", UV_ENOMEM);
    return STEP_DONE;
}

static enum step step_handshake(struct smtp_probe *probe)
{
    enum tls_progress progress;

    if (probe->fresh)
        return start_handshake(probe);
    progress = smtp_link_handshake(&probe->link);
    if (progress == TLS_READY)
        return go(probe, STATE_EHLO_TLS);
    if (progress == TLS_BROKEN)
        conclude(probe, STARTTLS_BROKEN, 0, "TLS handshake: %s", tls_session_why(probe->link.tls));
    else if (progress == TLS_CLOSED)
        conclude(probe, STARTTLS_BROKEN, 0, "TLS handshake: closed by the server");
    else if (probe->link.lost != 0)
        conclude_lost(probe, STARTTLS_BROKEN, "TLS handshake", probe->link.lost);
    else if (probe->link.timed_out)
        conclude(probe, STARTTLS_BROKEN, 0, "TLS handshake: no answer in time");
    return probe->concluded ? STEP_DONE : STEP_WAIT;
}

/*
 * Nothing came of EHLO in TLS. A client certificate that TLS 1.3 asks for is missed only now, after
 * a handshake that went well for us; Postfix has none either.
 */
static void conclude_unheard(struct smtp_probe *probe, enum smtp_heard heard)
{
    const char *why = tls_session_why(probe->link.tls);

    if (heard == SMTP_HEARD_LOST && why[0] != '\0')
        conclude(probe, STARTTLS_BROKEN, 0, "EHLO in TLS: %s", why);
    else if (heard == SMTP_HEARD_LOST && probe->link.lost == 0)
        conclude(probe, STARTTLS_BROKEN, 0, "EHLO in TLS: closed by the server");
    else
        conclude_heard(probe, heard, "EHLO in TLS", STARTTLS_BROKEN);
}

/* What does not end in a good answer here is no host that takes mail over TLS. */
static enum step step_ehlo_tls(struct smtp_probe *probe)
{
    const struct smtp_reply *reply = &probe->link.reply;
    enum smtp_heard heard;

    if (probe->fresh)
        smtp_link_command(&probe->link, "EHLO %s\r\n", probe->options.helo_name);
    heard = smtp_link_hear(&probe->link);
    if (heard == SMTP_HEARD_NOTHING)
        return STEP_WAIT;
    if (heard != SMTP_HEARD_REPLY) {
        conclude_unheard(probe, heard);
        return STEP_DONE;
    }
    if (reply->code / 100 == 2) {
        judge(probe);
        probe->result.requiretls = reply->requiretls;
    } else {
        conclude_reply(probe, STARTTLS_ERROR, "EHLO in TLS");
    }
    return go(probe, STATE_QUIT);
}

/* Any answer ends it, and so does none. */
static enum step step_quit(struct smtp_probe *probe)
{
    if (probe->fresh)
        smtp_link_command(&probe->link, "QUIT\r\n");
    return smtp_link_hear(&probe->link) == SMTP_HEARD_NOTHING ? STEP_WAIT : STEP_DONE;
}

/* ---- the driver ---- */

struct state_row {
    const char *name;
    enum step (*step)(struct smtp_probe *probe);
    size_t deadline; /* offset of a uint64_t in smtp_options */
    uint64_t cap_ms;
};

static const struct state_row states[] = {
#define X(NAME, step, field, cap) {#NAME, step_##step, offsetof(struct smtp_options, field), cap},
    STATES(X)
#undef X
};

static void enter(struct smtp_probe *probe, enum state state)
{
    const struct state_row *row = &states[state];
    uint64_t limit_ms, spent_ms = uv_now(probe->options.loop) - probe->started_at;
    uint64_t left_ms = spent_ms < probe->options.total_ms ? probe->options.total_ms - spent_ms : 0;
    char address[IP_TEXT_MAX];

    memcpy(&limit_ms, (const char *)&probe->options + row->deadline, sizeof limit_ms);
    if (row->cap_ms != 0 && limit_ms > row->cap_ms)
        limit_ms = row->cap_ms;
    if (limit_ms > left_ms)
        limit_ms = left_ms;
    probe->state = state;
    probe->fresh = true;
    CHECK(++probe->entered <= STATE_COUNT);
    smtp_link_deadline(&probe->link, limit_ms);
    if (log_level() >= LOG_LEVEL_DEBUG)
        log_event(LOG_LEVEL_DEBUG, "smtp-state", "domain", probe->target.host, "address",
                  ip_text(&probe->target.ip, address), "state", row->name, NULL);
}

static void run(struct smtp_probe *probe)
{
    enum step step = STEP_AGAIN;

    while (step == STEP_AGAIN) {
        step = states[probe->state].step(probe);
        probe->fresh = false;
        if (step == STEP_AGAIN)
            enter(probe, probe->next);
    }
    if (step == STEP_DONE)
        smtp_link_close(&probe->link);
}

static void on_event(void *owner)
{
    run(owner);
}

static void on_gone(void *owner)
{
    struct smtp_probe *probe = owner;

    if (probe->done != NULL)
        probe->done(probe->context, &probe->result);
    arena_free(probe->memory);
    free(probe);
}

/* ---- start and cancel ---- */

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

int smtp_start(struct smtp_probe **out, const struct smtp_options *options,
               const struct smtp_target *target, smtp_done done, void *context)
{
    static const struct smtp_link_events events = {on_event, on_gone};
    struct smtp_probe *probe = calloc(1, sizeof *probe);

    if (probe == NULL)
        return UV_ENOMEM;
    probe->options = *options;
    probe->done = done;
    probe->context = context;
    probe->failure = SMTP_FAILURE_COUNT;
    probe->started_at = uv_now(options->loop);
    probe->memory = arena_new(MEMORY_MAX);
    if (probe->memory == NULL || !smtp_target_copy(&probe->target, probe->memory, target)) {
        arena_free(probe->memory);
        free(probe);
        return UV_ENOMEM;
    }
    smtp_link_init(&probe->link, options->loop, probe, &events);
    enter(probe, STATE_CONNECT);
    run(probe);
    *out = probe;
    return 0;
}

void smtp_cancel(struct smtp_probe *probe)
{
    probe->done = NULL;
    smtp_link_close(&probe->link);
}

bool smtp_failed_here(const struct smtp_probe *probe)
{
    return probe->failed_here;
}

enum smtp_failure smtp_failure(const struct smtp_probe *probe)
{
    return probe->failure;
}
