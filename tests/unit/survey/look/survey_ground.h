/*
 * survey_ground: what the workers of a survey look at in a test: a resolver with a script and a mail
 * host on the loop of the test, and a policy host. Results come to `found`.
 */
#pragma once

#include "survey/look/worker_uv.h"
#include "tests/unit/support/dns_responder.h"
#include "tests/unit/support/https_server.h"
#include "tests/unit/support/rows.h"
#include "tests/unit/support/scripted_smtp.h"

#define FOUND_MAX 64
#define SAY(text)                                                                                  \
    {                                                                                              \
        ACT_SAY, text                                                                              \
    }
#define HEAR                                                                                       \
    {                                                                                              \
        ACT_HEAR, NULL                                                                             \
    }
#define HANG_UP                                                                                    \
    {                                                                                              \
        ACT_HANG_UP, NULL                                                                          \
    }
#define SHAKE                                                                                      \
    {                                                                                              \
        ACT_TLS, NULL                                                                              \
    }

struct survey_ground {
    uv_loop_t loop;
    struct responder responder;
    struct server mail;
    struct prober_options options;
    struct unit_result *found[FOUND_MAX]; /* owned */
    unsigned count;
    struct worker *workers[2];
    unsigned worker_count;
};

static struct certificate policy_root, policy_leaf;
static struct https_server policy_host;
static char anchors_file[64]; /* policy_root and ground.root */

static inline void survey_set_up(void)
{
    const struct certificate_wish wish = {"x", "DNS:mta-sts.d.test", -3600, 3600, false};
    FILE *file;

    alarm(60); /* a hanging loop is a failure */
    ground_set_up();
    policy_root = authority_make(anchors_file);
    policy_leaf = certificate_make(&wish, &policy_root);
    server_start(&policy_host, &policy_leaf);
    file = fopen(anchors_file, "a");
    CHECK(file != NULL && PEM_write_X509(file, ground.root.x509) == 1 && fclose(file) == 0);
}

static inline void survey_tear_down(void)
{
    server_stop(&policy_host);
    certificate_free(&policy_leaf);
    certificate_free(&policy_root);
    unlink(anchors_file);
    ground_tear_down();
}

static inline void take_found(void *context, struct unit_result *result)
{
    struct survey_ground *here = context;

    assert_true(here->count < FOUND_MAX);
    here->found[here->count++] = result;
}

/* The mail host answers by `script`, the resolver by `lines`. */
static inline void survey_open(struct survey_ground *here, const struct responder_line *lines,
                               size_t line_count, const struct line *script)
{
    memset(here, 0, sizeof *here);
    assert_int_equal(uv_loop_init(&here->loop), 0);
    assert_true(responder_start(&here->responder, &here->loop, "127.0.0.1", lines, line_count));
    here->mail.script = script;
    here->mail.tls = ground.tls;
    server_open(&here->mail, &here->loop, "127.0.0.1", 0);
    here->options = (struct prober_options){
        .dns = {.servers = {responder_server(&here->responder)},
                .server_count = 1,
                .timeout_ms = 20000, /* no test fails because the machine is busy */
                .tries = 1,
                .in_flight_max = 100},
        .filter = ground.filter,
        .probes.smtp = {.helo_name = "survey.test",
                        .connect_ms = 10000,
                        .greeting_ms = 10000,
                        .command_ms = 10000,
                        .total_ms = 20000},
        .https = {.deadline_ms = 10000,
                  .in_flight_max = 10,
                  .body_max = STS_BODY_MAX,
                  .port = policy_host.port},
        .sts = {.retry_ms = 300000, .refresh_ms = 86400000},
        .ca_file = anchors_file,
        .dane = true,
        .mta_sts = true,
        .smtp_port = here->mail.port,
    };
}

static inline struct worker *survey_worker(struct survey_ground *here)
{
    const struct worker_options options = {&here->options, take_found, here};
    const char *why = NULL;
    struct worker **worker = &here->workers[here->worker_count++];

    assert_int_equal(worker_new(worker, &here->loop, &options, &why), 0);
    return *worker;
}

static inline void survey_await(struct survey_ground *here, unsigned count)
{
    while (here->count < count)
        uv_run(&here->loop, UV_RUN_ONCE);
    assert_int_equal(here->count, count);
}

/* Looks one unit up; the result is the last of `found`. */
static inline const struct unit_result *survey_look(struct survey_ground *here,
                                                    const struct unit *unit)
{
    if (here->worker_count == 0)
        survey_worker(here);
    assert_true(worker_submit(here->workers[0], unit));
    survey_await(here, here->count + 1);
    return here->found[here->count - 1];
}

/* Ends everything: the loop must run dry. */
static inline void survey_close(struct survey_ground *here)
{
    for (unsigned i = 0; i < here->worker_count; i++)
        worker_close(here->workers[i]);
    responder_stop(&here->responder);
    server_close(&here->mail);
    assert_int_equal(uv_run(&here->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&here->loop), 0);
    for (unsigned i = 0; i < here->count; i++)
        unit_result_free(here->found[i]);
    buf_fini(&here->mail.heard);
}
