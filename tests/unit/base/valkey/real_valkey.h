/*
 * real_valkey: a redis-server or valkey-server of the test's own, on a Unix socket in a directory of
 * its own, that can be killed, frozen and started again. The test lives in real time.
 */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

#define REAL_VALKEY_WORDS 20

struct real_valkey {
    char directory[32], socket[48], url[64];
    pid_t pid; /* 0: it does not run */
    const char
        *more[REAL_VALKEY_WORDS]; /* of its command line, behind the usual ones; NULL ends them */
};

/* Starts it with these words, which NULL ends. */
static inline void real_valkey_start_words(struct real_valkey *server, const char *const *words)
{
    const char *argv[32] = {NULL};
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || /* a test that dies leaves none */
            freopen("/dev/null", "w", stdout) == NULL || chdir(server->directory) != 0)
            _exit(1);
        for (size_t i = 0; words[i] != NULL; i++)
            argv[i + 1] = words[i];
        for (int i = 0; i < 2; i++) {
            argv[0] = i == 0 ? "valkey-server" : "redis-server";
            execvp(argv[0], (char *const *)(uintptr_t)argv);
        }
        _exit(1);
    }
    server->pid = pid;
}

/* Starts it; what it saved is there again. */
static inline void real_valkey_start(struct real_valkey *server)
{
    const char *words[32] = {"--port",        "0", "--unixsocket", server->socket,
                             "--save",        "",  "--appendonly", "yes",
                             "--appendfsync", "no"};

    memcpy(words + 10, server->more, sizeof server->more);
    real_valkey_start_words(server, words);
}

/* It has its directory, and does not run yet. */
static inline void real_valkey_make(struct real_valkey *server)
{
    *server = (struct real_valkey){.pid = 0};
    strcpy(server->directory, "/tmp/valkey-XXXXXX");
    CHECK(mkdtemp(server->directory) != NULL);
    snprintf(server->socket, sizeof server->socket, "%s/s", server->directory);
    snprintf(server->url, sizeof server->url, "valkey+unix://%s", server->socket);
}

static inline void real_valkey_new(struct real_valkey *server)
{
    real_valkey_make(server);
    real_valkey_start(server);
}

static inline void real_valkey_kill(struct real_valkey *server)
{
    int status;

    if (server->pid == 0)
        return;
    CHECK(kill(server->pid, SIGKILL) == 0);
    CHECK(waitpid(server->pid, &status, 0) == server->pid);
    server->pid = 0;
}

/* Nothing that it saved is left. */
static inline void real_valkey_wipe(struct real_valkey *server)
{
    char command[80];

    snprintf(command, sizeof command, "rm -rf %s/*", server->directory);
    CHECK(system(command) == 0);
}

static inline void real_valkey_free(struct real_valkey *server)
{
    real_valkey_kill(server);
    real_valkey_wipe(server);
    CHECK(rmdir(server->directory) == 0);
}
