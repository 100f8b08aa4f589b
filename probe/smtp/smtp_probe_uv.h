/*
 * smtp_probe_uv: a probe, as smtp_uv.c, which has its steps, and smtp_conclude_uv.c, which says what
 * came of a connection, share it.
 */
#pragma once

#include "base/arena.h"
#include "base/sequence.h"
#include "probe/smtp/smtp_stream_uv.h"
#include "probe/smtp/smtp_uv.h"

/* The deadlines are fields of smtp_options. */
#define AT(field) offsetof(struct smtp_options, field)
#define SMTP_STATES(X)                                                                             \
    X(CONNECT, connect, AT(connect_ms))                                                            \
    X(BANNER, banner, AT(greeting_ms))                                                             \
    X(EHLO, ehlo, AT(command_ms))                                                                  \
    X(HELO, helo, AT(command_ms))                                                                  \
    X(STARTTLS, starttls, AT(command_ms))                                                          \
    X(HANDSHAKE, handshake, AT(command_ms))                                                        \
    X(EHLO_TLS, ehlo_tls, AT(command_ms))                                                          \
    X(MAIL, mail, AT(command_ms))                                                                  \
    X(RSET, rset, AT(command_ms))                                                                  \
    X(QUIT, quit, AT(command_ms)) /* these two no longer than AFTERWARDS_MS */

enum smtp_state { SMTP_STATES(SEQUENCE_ENUM) };

/* What is said when a state begins, and what its step is for: the reply. */
struct smtp_exchange {
    const char *command;   /* NULL: nothing is said */
    bool named;            /* the name of this host follows */
    const char *name;      /* of the reply, in words; NULL: the step listens by itself */
    enum starttls unheard; /* what silence and a lost connection count as */
};
extern const struct smtp_exchange smtp_exchanges[]; /* by state */

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

static inline enum sequence_step smtp_go(struct smtp_probe *probe, enum smtp_state next)
{
    return sequence_go(&probe->sequence, next);
}

/* ---- what came of a connection ---- */

/* Notes what decides; the first conclusion stands. DONE, for a step that ends without QUIT. `format`
 * must print printable ASCII only. */
enum sequence_step smtp_conclude(struct smtp_probe *probe, enum starttls state, int code,
                                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The server said something that ends it: its words are escaped already. */
enum sequence_step smtp_conclude_reply(struct smtp_probe *probe, enum starttls state);
/* What a host makes of who we are, while we do not know it ourselves, says nothing about it. */
enum sequence_step smtp_conclude_named(struct smtp_probe *probe, const char *what);
/* The connection was lost, or never made. */
enum sequence_step smtp_conclude_lost(struct smtp_probe *probe, enum starttls state,
                                      const char *when, int error);
/* What came instead of a reply. */
enum sequence_step smtp_conclude_heard(struct smtp_probe *probe, enum smtp_heard heard);
/* Whether a libuv error is this side's. */
bool smtp_is_our_failure(int error);
