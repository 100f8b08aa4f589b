/* doctor_world: facts of a sound set-up, for tables that plant one fault in them. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/doctor/doctor.h"
#include "tests/unit/support/rows.h"

#define MEMORY ((size_t)16 * 1024 * 1024)

/* Facts of a sound set-up: Debian's, smtp(8) chrooted. */
struct world {
    struct config config;
    struct postfix postfix;
    struct doctor_facts facts;
    struct arena *arena;
};

static inline void load_config(struct world *world, const char *text)
{
    char error[CONFIG_ERROR_MAX];

    config_fini(&world->config);
    assert_int_equal(config_parse(&world->config, "test", text, strlen(text), NULL, 0, error), 0);
}

/* Makes the clients anew, all that is tried being good. */
static inline void make_clients(struct world *world)
{
    struct doctor_facts *facts = &world->facts;

    facts->client_count = 0;
    doctor_clients(facts);
    assert_false(arena_failed(facts->arena));
    facts->map_suggestion = doctor_suggest_map(facts);
    for (size_t i = 0; i < facts->client_count; i++) {
        facts->clients[i].ca_file.state = facts->clients[i].ca_path.state = DOCTOR_GOOD;
        for (size_t k = 0; k < facts->clients[i].map_count; k++)
            facts->clients[i].maps[k].socket.state = facts->clients[i].maps[k].catches.state =
                DOCTOR_GOOD;
    }
}

static inline void set_main(struct world *world, enum postfix_parameter parameter,
                            const char *value)
{
    world->postfix.values[parameter] = value;
    make_clients(world);
}

static inline void set_version(struct world *world, const char *version)
{
    world->postfix.values[POSTFIX_MAIL_VERSION] = version;
    world->facts.postfix_version_known =
        postfix_version_parse(&world->facts.postfix_version, version);
    make_clients(world);
}

static inline struct postfix_service *add_service(struct world *world, const char *name)
{
    struct postfix_service *service = &world->postfix.services[world->postfix.service_count++];

    *service =
        (struct postfix_service){.name = name, .type = "unix", .program = "smtp", .chroot = "y"};
    return service;
}

static inline void add_overridden(struct world *world, const char *name,
                                  enum postfix_parameter parameter, const char *value)
{
    add_service(world, name)->overrides[parameter] = value;
    make_clients(world);
}

#define SOUND_CONFIG                                                                               \
    "listen = socketmap:unix:/var/spool/postfix/mxcrypt/policy.sock\n"                             \
    "listen = socketmap:inet:127.0.0.1:8461\nlisten = tcp:127.0.0.1:8462\n"                        \
    "helo-name = mail.example\ncontrol-socket = /run/x.sock\n"
#define OURS "socketmap:unix:mxcrypt/policy.sock:policy"

static inline struct doctor_resolver good_resolver(void)
{
    return (struct doctor_resolver){
        .asked = true, .answer = DOCTOR_SECURE, .servers = "127.0.0.1", .trust_ad = true};
}

static inline void make_world(struct world *world)
{
    static const char *const values[POSTFIX_PARAMETER_COUNT] = {
        [POSTFIX_MAIL_VERSION] = "3.7.11",
        [POSTFIX_QUEUE_DIRECTORY] = "/var/spool/postfix",
        [POSTFIX_CONFIG_DIRECTORY] = "/etc/postfix",
        [POSTFIX_MAIL_OWNER] = "postfix",
        [POSTFIX_COMPATIBILITY_LEVEL] = "3.6",
        [POSTFIX_POLICY_MAPS] = OURS,
        [POSTFIX_DNS_SUPPORT] = "dnssec",
        [POSTFIX_HOST_LOOKUP] = "dns",
        [POSTFIX_INSECURE_MX] = "dane",
        [POSTFIX_CA_FILE] = "/ca.pem",
        [POSTFIX_CA_PATH] = "",
        [POSTFIX_APPEND_CA] = "no",
        [POSTFIX_SECURITY_LEVEL] = "may",
        [POSTFIX_USE_TLS] = "no",
        [POSTFIX_ENFORCE_TLS] = "no",
        [POSTFIX_BIND_ADDRESS] = "",
        [POSTFIX_BIND_ADDRESS6] = "",
        [POSTFIX_INET_INTERFACES] = "all",
        [POSTFIX_INET_PROTOCOLS] = "all",
        [POSTFIX_MANDATORY_PROTOCOLS] = ">=TLSv1",
        [POSTFIX_MANDATORY_CIPHERS] = "medium",
        [POSTFIX_MANDATORY_EXCLUDE] = "",
        [POSTFIX_EXCLUDE_CIPHERS] = "",
        [POSTFIX_HIGH_CIPHERS] = "aNULL:-aNULL:HIGH:@STRENGTH",
        [POSTFIX_MEDIUM_CIPHERS] = "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH",
    };
    struct doctor_facts *facts = &world->facts;

    memset(world, 0, sizeof *world);
    world->arena = facts->arena = arena_new(MEMORY);
    load_config(world, SOUND_CONFIG);
    memcpy(world->postfix.values, values, sizeof values);
    add_service(world, "smtp");
    add_service(world, "relay");
    facts->config = &world->config;
    facts->daemon.state = DOCTOR_GOOD;
    facts->daemon_version = facts->version = "1";
    facts->postfix = &world->postfix;
    facts->resolver = facts->libc[0] = facts->libc[1] = good_resolver();
    facts->resolv_conf[0] = "/etc/resolv.conf";
    facts->resolv_conf[1] = "/var/spool/postfix/etc/resolv.conf";
    facts->clock_known = true;
    facts->now_s = 2000;
    facts->built_s = 1000;
    facts->port25.state = DOCTOR_GOOD;
    facts->helo = DOCTOR_HELO_HERE;
    facts->ca_suggestion = "/found.pem";
    set_version(world, "3.7.11");
}

static inline struct doctor_try tried_bad(int error, const char *why)
{
    struct doctor_try out = {.state = DOCTOR_BAD, .error = error};

    snprintf(out.why, sizeof out.why, "%s", why);
    return out;
}

#define FAULT(name) static void name(struct world *world)

/* One fault, and the finding that must come of it. */
struct doctor_row {
    const char *name;
    void (*plant)(struct world *world);
    /* "check level: part of what" and a part of the fix; NULL: no finding */
    const char *finding, *fix;
    const char *not_made; /* a check; NULL: all are made */
};

static inline void test_doctor_row(void **state)
{
    const struct doctor_row *row = *state;
    struct world *world = malloc(sizeof *world);
    struct doctor_report *report = malloc(sizeof *report);
    char got[1024];
    bool named = false;

    make_world(world);
    row->plant(world);
    doctor_judge(report, &world->facts, false);
    assert_int_equal(report->finding_count, row->finding != NULL);
    if (row->finding != NULL) {
        const struct doctor_finding *finding = &report->findings[0];

        snprintf(got, sizeof got, "%s %s: %s", finding->check,
                 finding->level == DOCTOR_ERROR ? "error" : "warning", finding->what);
        assert_memory_equal(got, row->finding, strlen(row->finding));
        assert_non_null(strstr(finding->fix, row->fix));
    }
    for (size_t i = 0; i < report->check_count; i++) {
        bool wanted = row->not_made != NULL && strcmp(report->checks[i].check, row->not_made) == 0;

        named = named || wanted;
        if (row->not_made == NULL)
            assert_null(report->checks[i].why);
        else if (wanted)
            assert_non_null(report->checks[i].why);
    }
    assert_int_equal(named, row->not_made != NULL);
    config_fini(&world->config);
    arena_free(world->arena);
    free(report);
    free(world);
}

/* Only what main.cf would take. */
static inline void drop_comments(struct buf *out, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n") + 1;

        if (*text != '#' && *text != '\n')
            buf_add(out, text, length);
        text += length;
    }
}
