/* smtp_seen: one probe against one scripted server, and what came of it. */
#pragma once

#include "probe/smtp/smtp_uv.h"
#include "tests/unit/support/rows.h"
#include "tests/unit/support/scripted_smtp.h"

#define SAY(text)                                                                                  \
    {                                                                                              \
        ACT_SAY, text                                                                              \
    }
#define DRIP(text)                                                                                 \
    {                                                                                              \
        ACT_DRIP, text                                                                             \
    }
#define HEAR                                                                                       \
    {                                                                                              \
        ACT_HEAR, NULL                                                                             \
    }
#define ANY                                                                                        \
    {                                                                                              \
        ACT_ANY, NULL                                                                              \
    }
#define TLS                                                                                        \
    {                                                                                              \
        ACT_TLS, NULL                                                                              \
    }
#define STALL                                                                                      \
    {                                                                                              \
        ACT_STALL, NULL                                                                            \
    }
#define NOTIFY                                                                                     \
    {                                                                                              \
        ACT_NOTIFY, NULL                                                                           \
    }
#define HANG_UP                                                                                    \
    {                                                                                              \
        ACT_HANG_UP, NULL                                                                          \
    }
#define HELLO SAY("220 mx ESMTP\r\n"), HEAR
#define OFFER HELLO, SAY("250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"), HEAR

#define EHLO "EHLO probe.test\r\n"
#define HELO "HELO probe.test\r\n"
#define STLS "STARTTLS\r\n"
#define QUIT "QUIT\r\n"
#define BYE  SAY("221 bye\r\n"), HANG_UP

struct seen {
    unsigned calls;
    struct starttls_result result;
    struct arena *arena;
    bool failed_here;
    enum smtp_failure failure;
    bool nameless;
    unsigned connections;
    size_t shown; /* certificates; SIZE_MAX: none were kept */
    int mail_code;
    const char *greeting;
    struct smtp_probe *probe;
    struct server *server;
};

static inline void keep(struct starttls_result *out, struct arena *arena,
                        const struct starttls_result *in)
{
    *out = *in;
    out->detail = arena_strdup(arena, in->detail);
    out->protocol = arena_strdup(arena, in->protocol);
    out->subject = arena_strdup(arena, in->subject);
}

static inline void on_done(void *data, const struct smtp_outcome *outcome)
{
    struct seen *seen = data;
    struct tls_shown shown;

    seen->calls++;
    keep(&seen->result, seen->arena, &outcome->result);
    seen->failed_here = outcome->failed_here;
    seen->failure = outcome->failure;
    seen->nameless = outcome->nameless;
    seen->connections = outcome->connections;
    seen->mail_code = outcome->mail_code;
    seen->shown = SIZE_MAX;
    if (outcome->chain != NULL && tls_chain_shown(outcome->chain, seen->arena, &shown))
        seen->shown = shown.count;
    seen->greeting = arena_strdup(seen->arena, outcome->greeting);
    server_close(seen->server);
}

static struct smtp_tools tools; /* of options_for */

static inline struct smtp_options options_for(uv_loop_t *loop)
{
    tools = (struct smtp_tools){loop, ground.context, &ground.filter};
    return (struct smtp_options){
        .helo_name = "probe.test",
        .connect_ms = 10000,
        .greeting_ms = 10000,
        .command_ms = 10000,
        .total_ms = 20000,
    };
}

static inline struct smtp_target target_for(const struct server *server)
{
    struct smtp_target target = {.port = server->port, .host = MX, .sni = MX};

    assert_true(ip_parse(&target.ip, "127.0.0.1"));
    return target;
}

static inline void expect_detail(const char *detail, const char *words)
{
    if (words == NULL) {
        assert_null(detail);
        return;
    }
    assert_non_null(detail);
    if (strstr(detail, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", detail, words);
    for (const char *p = detail; *p != '\0'; p++)
        assert_in_range(*p, 0x20, 0x7e);
}

/* Probes `server` once and leaves the loop empty. The result is the arena's of `seen`. */
static inline void probe_once(struct seen *seen, struct server *server, uv_loop_t *loop,
                              const struct smtp_options *options, const struct smtp_target *target)
{
    memset(seen, 0, sizeof *seen);
    seen->arena = arena_new(65536);
    seen->server = server;
    assert_int_equal(smtp_start(&seen->probe, &tools, options, target, on_done, seen), 0);
    assert_int_equal(seen->calls, 0);
    assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(seen->calls, 1);
    assert_int_equal(server->open, 0);
    assert_int_equal(uv_loop_close(loop), 0);
}
