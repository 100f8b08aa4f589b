/* privileges: what is lacking is no reason not to start; who is lacking is. Each in a process of
 * its own, because nothing can be had back. */
#define _GNU_SOURCE
#include "daemon/sandbox/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/support/unit.h"

#define UNMADE "/tmp/mxcrypt-no-such-folder/below/store.db"

static char said[8192];
static struct config config = {.user = "nobody", .sandbox = true, .control_socket = "/tmp/c.sock"};

/* The exit status of what `run` returns in a child; its stderr is in `said`. */
static int child(int (*run)(void))
{
    int pipes[2], status = -1;
    size_t length = 0;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDERR_FILENO);
        _exit(run());
    }
    close(pipes[1]);
    while ((n = read(pipes[0], said + length, sizeof said - 1 - length)) > 0)
        length += (size_t)n;
    said[length] = '\0';
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int lock_down(void)
{
    char error[PRIVILEGES_ERROR_MAX];
    int result = privileges_lock_down(&config, error);

    if (result != 0)
        dprintf(STDERR_FILENO, "error: %s\n", error);
    return result == 0 ? 0 : 1;
}

/* A kernel, or a container, that refuses these with `number`; no_new_privs is a side effect. */
static int lock_down_without(int number)
{
    static const int calls[] = {SCMP_SYS(landlock_create_ruleset), SCMP_SYS(capset),
                                SCMP_SYS(seccomp)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    for (size_t i = 0; i < COUNT(calls); i++)
        seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)number), calls[i], 0);
    seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)number), SCMP_SYS(prctl), 1,
                     SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP));
    if (seccomp_load(filter) != 0)
        return 77;
    return lock_down();
}

static int without_by_enosys(void)
{
    return lock_down_without(ENOSYS);
}

static int without_by_eperm(void)
{
    return lock_down_without(EPERM);
}

static void what_the_kernel_lacks_is_a_warning(void **state)
{
    int (*const kernels[])(void) = {without_by_enosys, without_by_eperm};

    (void)state;
    for (size_t i = 0; i < COUNT(kernels); i++) {
        if (child(kernels[i]) != 0)
            fail_msg("%s", said);
        assert_non_null(strstr(said, "level=warning event=sandbox-incomplete lacking=Landlock"));
        assert_non_null(strstr(said, "level=warning event=sandbox-incomplete lacking=seccomp"));
        assert_non_null(strstr(said, "event=sandbox no_new_privs=yes capabilities=kept seccomp=no "
                                     "landlock=0"));
    }
}

static void all_of_it_is_one_line(void **state)
{
    (void)state;
    assert_int_equal(child(lock_down), 0);
    assert_non_null(strstr(said, "event=sandbox no_new_privs=yes"));
    assert_null(strchr(strchr(said, '\n') + 1, '\n'));
}

static void sandbox_no_does_nothing(void **state)
{
    (void)state;
    config.sandbox = false;
    assert_int_equal(child(lock_down), 0);
    config.sandbox = true;
    assert_string_equal(said, "");
}

/* ---- Landlock: where files may be made ---- */

static int make_beside_and_below(void)
{
    char name[128];
    int status = lock_down(), below, beside;

    snprintf(name, sizeof name, "%s.below", config.store_path);
    below = open(name, O_CREAT | O_WRONLY, 0600);
    beside = open("/var/tmp/mxcrypt-beside", O_CREAT | O_WRONLY, 0600);
    if (beside >= 0)
        unlink("/var/tmp/mxcrypt-beside");
    return status != 0 || below < 0 || unlink(name) != 0 || beside >= 0;
}

static void files_are_made_where_the_store_is(void **state)
{
    char folder[] = "/tmp/mxc-privileges-XXXXXX", store[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(store, sizeof store, "%s/store.db", folder);
    config.store_path = store;
    if (child(make_beside_and_below) != 0 && strstr(said, "lacking=Landlock") == NULL)
        fail_msg("%s", said);
    config.store_path = NULL;
    rmdir(folder);
}

/* The store's folder may come later: it is not the moment to refuse to start. */
static void the_stores_folder_may_be_missing(void **state)
{
    (void)state;
    config.store_path = UNMADE;
    assert_int_equal(child(lock_down), 0);
    config.store_path = NULL;
}

/* What runs programs for the daemon runs them, and they write nowhere. */
static int confine_helper(void)
{
    privileges_confine_helper();
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 1;
    if (system("exec 2>/dev/null; echo x >/dev/null && cat /etc/passwd >/dev/null") != 0)
        return 2;
    if (system("exec 2>/dev/null; echo x >/tmp/mxcrypt-helper-wrote") == 0)
        return unlink("/tmp/mxcrypt-helper-wrote") == 0 ? 3 : 4;
    return 0;
}

static void a_helper_runs_programs_and_writes_nowhere(void **state)
{
    int status = child(confine_helper);

    (void)state;
    if (status == 3) { /* a kernel without Landlock */
        child(lock_down);
        assert_non_null(strstr(said, "lacking=Landlock"));
        skip();
    }
    assert_int_equal(status, 0);
}

/* ---- the user ---- */

static int drop(void)
{
    char error[PRIVILEGES_ERROR_MAX];
    int result = privileges_drop(&config, error);

    dprintf(STDERR_FILENO, "%s\n", error);
    if (result != 0)
        return 1;
    return geteuid() == 0 ? 2 : 0;
}

static int drop_twice(void)
{
    int first = drop();

    return first != 0 ? first : drop(); /* not root: nothing to be done */
}

static void root_becomes_the_user_or_nothing(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(child(drop_twice), 0);
    config.user = "no-such-user";
    assert_int_equal(child(drop), 1);
    assert_non_null(strstr(said, "there is no user no-such-user"));
    assert_non_null(strstr(said, "user = root"));
    config.user = "root";
    assert_int_equal(child(drop), 2);
    assert_non_null(strstr(said, "event=running-as-root"));
    config.user = "nobody";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_kernel_lacks_is_a_warning),
        cmocka_unit_test(all_of_it_is_one_line),
        cmocka_unit_test(sandbox_no_does_nothing),
        cmocka_unit_test(files_are_made_where_the_store_is),
        cmocka_unit_test(the_stores_folder_may_be_missing),
        cmocka_unit_test(a_helper_runs_programs_and_writes_nowhere),
        cmocka_unit_test(root_becomes_the_user_or_nothing),
    };

    return cmocka_run_group_tests_name("privileges", tests, NULL, NULL);
}
