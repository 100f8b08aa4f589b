/* doctor --self: which checks it makes, and for which faults a restart of mxcryptd may help: the others
 * must not make a container start again. */
#include "tests/unit/support/doctor_world.h"

static struct doctor_listener listeners[3];

FAULT(nothing)
{
    (void)world;
}

FAULT(config_broken)
{
    world->facts.config_error = "mxcryptd.conf:3: foo: unknown key";
    world->facts.daemon = tried_bad(ENOENT, "connect: No such file or directory");
    world->facts.listeners[0].tried = world->facts.daemon;
}

FAULT(rules_broken)
{
    world->facts.rules_error = "/etc/mxcrypt/rules: line 4: no action";
}

FAULT(daemon_down)
{
    world->facts.daemon = tried_bad(ECONNREFUSED, "connect: Connection refused");
}

FAULT(daemon_hangs)
{
    world->facts.daemon = tried_bad(ETIMEDOUT, "no answer: Connection timed out");
}

FAULT(daemon_forbidden)
{
    world->facts.daemon = tried_bad(EACCES, "connect: Permission denied");
}

FAULT(daemon_other_version)
{
    world->facts.daemon_version = "0.9";
}

FAULT(listener_down)
{
    world->facts.listeners[1].tried = tried_bad(ECONNREFUSED, "connect: Connection refused");
}

FAULT(listener_is_another)
{
    world->facts.listeners[2].tried = tried_bad(0, "it answers \"220 mail.example ESMTP\"");
}

FAULT(listener_forbidden)
{
    world->facts.listeners[0].tried = tried_bad(EACCES, "connect: Permission denied");
}

FAULT(listener_untried)
{
    world->facts.listeners[2].tried = (struct doctor_try){.why = "no time was left"};
}

FAULT(store_degraded)
{
    world->facts.store = tried_bad(0, "it cannot be read or written");
}

FAULT(store_unknown)
{
    world->facts.store = (struct doctor_try){.why = "mxcryptd says nothing of its store"};
}

FAULT(store_absent)
{
    load_config(world, SOUND_CONFIG "store =\n");
    world->facts.store.state = DOCTOR_NOT_TRIED;
}

FAULT(resolver_silent)
{
    world->facts.resolver.answer = DOCTOR_UNREACHABLE;
}

FAULT(resolver_insecure)
{
    world->facts.resolver.answer = DOCTOR_INSECURE;
}

FAULT(resolver_unasked)
{
    world->facts.resolver.asked = false;
}

/* None of it is mxcryptd's own. */
FAULT(surroundings)
{
    world->facts.postfix = NULL;
    world->facts.postfix_error = "postconf is not found";
    world->facts.client_count = 0;
    world->facts.resolver.remote = true;
    world->facts.clock_unsynchronised = true;
    world->facts.port25 = tried_bad(ETIMEDOUT, "timed out");
    world->facts.helo = DOCTOR_HELO_NO_NAME;
}

static const struct self_row {
    const char *name;
    void (*plant)(struct world *world);
    const char *finding;  /* "check level"; NULL: none */
    const char *not_made; /* a check; NULL: all are made */
    bool restart_helps;
} rows[] = {
    {"sound", nothing, NULL, NULL, false},
    {"configuration", config_broken, "config error", "daemon", false},
    {"configuration, and the listeners", config_broken, "config error", "listen", false},
    {"rules", rules_broken, "rules error", NULL, false},
    {"daemon down", daemon_down, "daemon error", NULL, true},
    {"daemon hangs", daemon_hangs, "daemon error", NULL, true},
    {"daemon's socket is not for us", daemon_forbidden, NULL, "daemon", false},
    {"daemon of another version", daemon_other_version, "daemon warning", NULL, false},
    {"listener down", listener_down, "listen error", NULL, true},
    {"another listens there", listener_is_another, "listen error", NULL, true},
    {"listener is not for us", listener_forbidden, NULL, "listen", false},
    {"listener not tried", listener_untried, NULL, "listen", false},
    {"store degraded", store_degraded, "store warning", NULL, false},
    {"store unknown", store_unknown, NULL, "store", false},
    {"no store", store_absent, NULL, NULL, false},
    {"resolver silent", resolver_silent, "resolver error", NULL, false},
    {"resolver does not validate", resolver_insecure, "resolver error", NULL, false},
    {"resolver not asked", resolver_unasked, NULL, "resolver", false},
    {"what is not mxcryptd's own", surroundings, NULL, NULL, false},
};

static void make_self_world(struct world *world)
{
    static const char *const names[] = {"a", "b", "c"};

    make_world(world);
    world->facts.self = true;
    world->facts.store.state = DOCTOR_GOOD;
    for (size_t i = 0; i < 3; i++)
        listeners[i] = (struct doctor_listener){names[i], {.state = DOCTOR_GOOD}};
    world->facts.listeners = listeners;
    world->facts.listener_count = 3;
}

static void test_row(void **state)
{
    const struct self_row *row = *state;
    struct world *world = malloc(sizeof *world);
    struct doctor_report *report = malloc(sizeof *report);
    char got[1024] = "";

    make_self_world(world);
    row->plant(world);
    doctor_judge(report, &world->facts, false);
    assert_int_equal(report->finding_count, row->finding != NULL);
    if (row->finding != NULL) {
        snprintf(got, sizeof got, "%s %s", report->findings[0].check,
                 report->findings[0].level == DOCTOR_ERROR ? "error" : "warning");
        assert_string_equal(got, row->finding);
    }
    assert_int_equal(report->restart_helps, row->restart_helps);
    for (size_t i = 0; i < report->check_count; i++) {
        const struct doctor_outcome *outcome = &report->checks[i];

        if (row->not_made == NULL)
            assert_null(outcome->why);
        else if (strcmp(outcome->check, row->not_made) == 0)
            assert_non_null(outcome->why);
    }
    config_fini(&world->config);
    arena_free(world->arena);
    free(report);
    free(world);
}

/* One with a list and a share is asked of them as well; without --self the new checks are not made. */
static void test_checks(void **state)
{
    static const char *const wanted[] = {"config", "rules",       "daemon",    "listen",
                                         "store",  "resolver",    "list-key",  "list-gpgv",
                                         "list",   "list-expiry", "list-kept", "share"};
    struct world *world = malloc(sizeof *world);
    struct doctor_report *report = malloc(sizeof *report);

    (void)state;
    make_self_world(world);
    load_config(world, SOUND_CONFIG "share = redis://127.0.0.1\n"
                                    "policy-list = /l.json key=/k.pub\n");
    world->facts.lists.unknown = world->facts.share.unknown = "not asked";
    doctor_judge(report, &world->facts, false);
    assert_int_equal(report->check_count, 19);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_string_equal(report->checks[i].check, wanted[i]);
    world->facts.self = false;
    doctor_judge(report, &world->facts, false);
    for (size_t i = 0; i < report->check_count; i++) {
        assert_string_not_equal(report->checks[i].check, "listen");
        assert_string_not_equal(report->checks[i].check, "store");
    }
    config_fini(&world->config);
    arena_free(world->arena);
    free(report);
    free(world);
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_checks);
    return rows_run("doctor --self");
}
