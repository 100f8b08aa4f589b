/* rollover_deploy: see rollover_deploy.h. */
#include "check/rollover/rollover_deploy.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void rollover_raise_descriptors(struct rlimit *before)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, before) != 0) {
        *before = (struct rlimit){0, 0};
        return;
    }
    limit = (struct rlimit){before->rlim_max, before->rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* An errno. */
static int spawn(pid_t *child, const struct rollover_command *command)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int error;

    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (command->to_stderr)
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    error = posix_spawnp(child, command->argv[0], &actions, &attributes, command->argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

bool rollover_deploy(const struct rollover_command *command, char why[ROLLOVER_WHY_MAX])
{
    int status = 0, error = ENOMEM;
    pid_t child = -1;

    if (command->before->rlim_max > 0)
        setrlimit(RLIMIT_NOFILE, command->before);
    if (setenv("MXCRYPT_NEXT_SHA256", command->sha256, 1) == 0)
        error = spawn(&child, command);
    while (error == 0 && waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            error = errno;
    if (error == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    snprintf(why, ROLLOVER_WHY_MAX, "%s",
             error != 0 ? strerror(error) : "it failed: the certificate counts as not installed");
    return false;
}
