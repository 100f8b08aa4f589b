/* test_rollover_deploy: the command that installs: how it begins, and when it has succeeded. */
#include "tests/unit/support/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "check/rollover/rollover_deploy.h"

#define FAILED "it failed: the certificate counts as not installed"

static const struct row {
    const char *name, *argv[5];
    const char *why; /* NULL: it succeeds */
} rows[] = {
    {"success", {"true"}, NULL},
    {"another status", {"false"}, FAILED},
    {"not there", {"no-such-program-anywhere"}, "No such file or directory"},
    {"words are not for a shell", {"test", "$HOME", "=", "$HOME"}, NULL},
    {"the digest", {"sh", "-c", "test \"$MXCRYPT_NEXT_SHA256\" = 00ff"}, NULL},
    {"SIGPIPE ends it", {"sh", "-c", "kill -PIPE $$"}, FAILED},
    {"descriptors as they were", {"sh", "-c", "test \"$(ulimit -Sn)\" = 100"}, NULL},
};

static void commands(void **state)
{
    struct rlimit limit, before;
    char why[ROLLOVER_WHY_MAX];

    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as for libuv */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_max > 100);
    limit.rlim_cur = 100;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rollover_command command = {.argv = (char *const *)rows[i].argv,
                                           .sha256 = "00ff",
                                           .before = &before,
                                           .to_stderr = i % 2 == 0};

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        rollover_raise_descriptors(&before);
        strcpy(why, "");
        if (rollover_deploy(&command, why) != (rows[i].why == NULL) ||
            strcmp(why, rows[i].why == NULL ? "" : rows[i].why) != 0)
            fail_msg("%s: \"%s\"", rows[i].name, why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(commands)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
