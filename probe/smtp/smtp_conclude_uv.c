/* smtp_conclude_uv: what came of one connection of a probe, in the words of the evidence; see
 * smtp_probe_uv.h. */
#include "probe/smtp/smtp_probe_uv.h"

#include <stdarg.h>
#include <stdio.h>

#define WORDS_MAX 256 /* of one connection */

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

enum sequence_step smtp_conclude(struct smtp_probe *probe, enum starttls state, int code,
                                 const char *format, ...)
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

enum sequence_step smtp_conclude_reply(struct smtp_probe *probe, enum starttls state)
{
    const struct smtp_reply *reply = &probe->stream.reply;

    smtp_conclude(probe, state, reply->code, "%s: %d %s",
                  smtp_exchanges[probe->sequence.state].name, reply->code, reply->text);
    return smtp_go(probe, STATE_QUIT);
}

enum sequence_step smtp_conclude_named(struct smtp_probe *probe, const char *what)
{
    const struct smtp_reply *reply = &probe->stream.reply;

    if (!probe->options.helo_pending)
        return smtp_conclude_reply(probe, STARTTLS_ERROR);
    probe->outcome.failed_here = true;
    smtp_conclude(probe, STARTTLS_SILENT, reply->code,
                  "not probed, this host's own name is not known yet: %s: %d %s", what, reply->code,
                  reply->text);
    return smtp_go(probe, STATE_QUIT);
}

bool smtp_is_our_failure(int error)
{
    return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOBUFS || error == UV_ENOMEM ||
           error == UV_EADDRNOTAVAIL || error == UV_EACCES || error == UV_EPERM;
}

enum sequence_step smtp_conclude_lost(struct smtp_probe *probe, enum starttls state,
                                      const char *when, int error)
{
    if (error == UV_EOF)
        return smtp_conclude(probe, state, 0, "%s: connection closed", when);
    if (!smtp_is_our_failure(error))
        return smtp_conclude(probe, state, 0, "%s: %s", when, uv_strerror(error));
    probe->outcome.failed_here = true;
    return smtp_conclude(probe, STARTTLS_SILENT, 0, "not probed, this side failed: %s",
                         uv_strerror(error));
}

enum sequence_step smtp_conclude_heard(struct smtp_probe *probe, enum smtp_heard heard)
{
    const struct smtp_exchange *exchange = &smtp_exchanges[probe->sequence.state];
    const struct smtp_reply *reply = &probe->stream.reply;
    const struct tls_session *tls = probe->stream.tls;

    probe->no_smtp = heard == SMTP_HEARD_BAD || heard == SMTP_HEARD_AHEAD;
    if (heard == SMTP_HEARD_BAD)
        return smtp_conclude(probe, STARTTLS_ERROR, 0, "%s: %s", exchange->name, reply->why);
    /* RFC 3207 §6, CVE-2011-0411: what came before TLS must not count as if it came in it */
    if (heard == SMTP_HEARD_AHEAD && probe->sequence.state == STATE_STARTTLS &&
        reply->code / 100 == 2)
        return smtp_conclude(probe, STARTTLS_ERROR, reply->code, "plaintext after STARTTLS");
    if (heard == SMTP_HEARD_AHEAD)
        return smtp_conclude(probe, STARTTLS_ERROR, reply->code,
                             "%s: the server sent more than its reply", exchange->name);
    if (heard == SMTP_HEARD_LATE)
        return smtp_conclude(probe, exchange->unheard, 0, "%s: no answer in time", exchange->name);
    /* A client certificate that TLS 1.3 asks for is missed only now, after a handshake that went
     * well for us; Postfix has none either. */
    if (tls != NULL && tls_session_why(tls)[0] != '\0')
        return smtp_conclude(probe, exchange->unheard, 0, "%s: %s", exchange->name,
                             tls_session_why(tls));
    if (tls != NULL && probe->stream.lost == 0)
        return smtp_conclude(probe, exchange->unheard, 0, "%s: closed by the server",
                             exchange->name);
    return smtp_conclude_lost(probe, exchange->unheard, exchange->name, probe->stream.lost);
}

const char *smtp_failure_name(enum smtp_failure failure)
{
#define X(word, name) name,
    static const char *const names[] = {SMTP_FAILURES(X)};
#undef X

    return names[failure];
}
