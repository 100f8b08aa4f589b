/*
 * fake_domain: lookups that the test answers itself, and somebody who asks. Stands in for
 * probe/domain_uv.c at link time: included by one test program each.
 */
#pragma once

#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/arena.h"
#include "base/clock.h"
#include "daemon/lookup/engine.h"

/* ---- lookups that do what the test says ---- */

struct domain_lookup {
    struct evidence evidence;
    struct mx_host host;
    char name[256];
    domain_changed changed;
    void *context;
    bool finished;
    struct mx_address address;
};

static struct domain_lookup *lookups[4096];
static size_t lookup_count, lookups_alive;
static int64_t probed_after[4096]; /* of lookups[i] */
static bool remembered_used;

int domain_start(struct domain_lookup **out, const struct domain_tools *tools,
                 const struct domain_request *request, domain_changed changed, void *context)
{
    struct domain_lookup *lookup = calloc(1, sizeof *lookup);

    (void)tools;
    snprintf(lookup->name, sizeof lookup->name, "%s", request->name);
    lookup->evidence.domain = lookup->name;
    lookup->evidence.port = request->port;
    probed_after[lookup_count] = request->probed_after;
    lookup->changed = changed;
    lookup->context = context;
    lookups[lookup_count++] = lookup;
    lookups_alive++;
    *out = lookup;
    return 0;
}

const struct evidence *domain_evidence(const struct domain_lookup *lookup)
{
    return &lookup->evidence;
}

void domain_use_remembered(struct domain_lookup *lookup)
{
    (void)lookup;
    remembered_used = true;
}

void domain_finish(struct domain_lookup *lookup)
{
    lookup->evidence.complete = true;
    lookup->finished = true;
}

void domain_free(struct domain_lookup *lookup)
{
    if (lookup == NULL)
        return;
    lookups_alive--;
    free(lookup);
}

/* The world answers: a host with usable TLSA at a signed MX. */
static inline void answer_dane(struct domain_lookup *lookup, bool complete)
{
    lookup->evidence.mx = MX_LISTED;
    lookup->evidence.mx_secure = true;
    lookup->evidence.mx_ttl = 300;
    lookup->evidence.host_count = 1;
    lookup->evidence.hosts = &lookup->host;
    lookup->host.name = "mx.example";
    lookup->host.dane = HOST_DANE_USABLE;
    lookup->host.ttl = 300;
    lookup->evidence.complete = complete;
    lookup->changed(lookup->context);
}

static inline void answer_nxdomain(struct domain_lookup *lookup)
{
    lookup->evidence.mx = MX_NXDOMAIN;
    lookup->evidence.mx_ttl = 300;
    lookup->evidence.complete = true;
    lookup->changed(lookup->context);
}

/* ---- somebody who asks ---- */

struct asker {
    struct waiter waiter;
    int delivered;
    enum answer_status status;
    char text[128];
};

static struct engine *engine;

static void keep(struct asker *asker, const struct reply *reply)
{
    struct answer answer = reply_answer(reply, FORM_PLAIN);

    asker->delivered++;
    asker->status = answer.status;
    snprintf(asker->text, sizeof asker->text, "%s", answer.text);
}

static void on_deliver(struct waiter *waiter, const struct reply *reply)
{
    keep(LIST_ELEMENT(waiter, struct asker, waiter), reply);
}

static uv_loop_t loop;
static struct config config;
static struct ruleset *ruleset; /* when the settings name rules */

static inline enum asked ask_now(const char *key, struct waiter *waiter, struct reply *out)
{
    return engine_ask(engine, (struct span){key, strlen(key)}, clock_monotonic_ms(), waiter, out);
}

static inline bool forget_key(const char *text)
{
    struct key key;

    key_parse(&key, text, strlen(text), 25);
    return engine_forget(engine, &key);
}

static inline enum asked ask_for(struct asker *asker, const char *key, enum waiter_wants wants)
{
    enum asked asked;
    struct reply reply;

    memset(asker, 0, sizeof *asker);
    waiter_init(&asker->waiter, on_deliver);
    asker->waiter.wants = wants;
    asked = ask_now(key, &asker->waiter, &reply);
    if (asked == ASKED_ANSWERED)
        keep(asker, &reply);
    return asked;
}

static inline void ask(struct asker *asker, const char *key, bool whole)
{
    ask_for(asker, key, whole ? WANTS_WHOLE : WANTS_FOUND);
}

/* Lets what is in line start: one turn of the loop. */
static inline void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* Runs the loop until `asker` has been told. */
static inline void await(const struct asker *asker)
{
    for (int i = 0; i < 100000 && asker->delivered == 0; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(asker->delivered, 1);
}

static inline void begin(const char *settings)
{
    const struct domain_tools tools = {.smtp_port = 25};
    char error[CONFIG_ERROR_MAX];

    lookup_count = lookups_alive = 0; /* those of a test that failed are not this one's */
    remembered_used = false;
    assert_int_equal(config_parse(&config, "test", settings, strlen(settings), NULL, 0, error), 0);
    config.log_level = LOG_LEVEL_ERROR;
    log_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(uv_loop_init(&loop), 0);
    ruleset = NULL;
    if (!config.rules_optional)
        assert_int_equal(ruleset_new(&ruleset, &loop, &config, error), 0);
    assert_int_equal(engine_new(&engine, &loop, &config, &tools, ruleset), 0);
}

static inline void end(void)
{
    engine_close(engine);
    if (ruleset != NULL)
        ruleset_close(ruleset);
    uv_run(&loop, UV_RUN_DEFAULT);
    engine_free(engine);
    if (ruleset != NULL)
        ruleset_free(ruleset);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(lookups_alive, 0);
    config_fini(&config);
}

#define SETTINGS "helo-name = mx.example\nstore =\n"
