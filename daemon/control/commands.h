/* commands: what can be asked on the control socket; each takes a JSON object and gives one. */
#pragma once

#include <jansson.h>

#include "daemon/lookup/engine.h"
#include "daemon/rules/reload.h"
#include "daemon/serve/server.h"

struct command;
/* A line of the answer, the `last` one or a part before it: then command_go_on has the next one
 * come. `answer` is a new reference for the callee; NULL when there was no memory. */
typedef void (*command_answered)(struct command *command, json_t *answer, bool last);

struct importer;
struct walk;
struct walks;

/* One command under way; embedded in its connection. */
struct command {
    struct waiter waiter;
    struct reload_waiter reload;
    struct store_read *read;       /* while the store is read */
    struct cache_loading *loading; /* while a key is brought back */
    struct importer *importer;     /* owned; from one request of the connection to the next */
    struct walk *walk; /* owned; while all that is cached is gone through, or rules come */
    struct engine *engine;
    struct server *server;
    struct reload *reloader; /* NULL: none */
    struct walks *walks;
    command_answered answered;
    json_t *request;
    bool explain; /* the waiter's answer is wanted with its evidence */
};

/* Everything is borrowed. `reloader` may be NULL. */
struct command_means {
    struct engine *engine;
    struct server *server;
    struct reload *reloader;
    struct walks *walks;
};

void command_init(struct command *command, const struct command_means *means,
                  command_answered answered);
/* Carries out one line; `answered` is called with the last line of the answer exactly once, now or
 * later, unless command_cancel. */
void command_begin(struct command *command, const char *line, size_t length);
/* The client has got the part of the answer; not to be called by `answered`. */
void command_go_on(struct command *command);
void command_cancel(struct command *command);
