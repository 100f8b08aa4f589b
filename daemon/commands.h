/* commands: what can be asked on the control socket; each takes a JSON object and gives one. */
#pragma once

#include <jansson.h>

#include "daemon/engine.h"
#include "daemon/reload.h"
#include "daemon/server.h"

struct command;
/* `answer` is a new reference for the callee; NULL when there was no memory. */
typedef void (*command_done)(struct command *command, json_t *answer);

struct importer;

/* One command under way; embedded in its connection. */
struct command {
    struct waiter waiter;
    struct reload_waiter reload;
    struct store_read *read;   /* while the store is read */
    struct recall *recall;     /* while a key is brought back */
    struct importer *importer; /* owned; from one request of the connection to the next */
    struct engine *engine;
    struct server *server;
    struct reload *reloader; /* NULL: none */
    command_done done;
    json_t *request;
    bool explain; /* the waiter's answer is wanted with its evidence */
};

void command_init(struct command *command, struct engine *engine, struct server *server,
                  struct reload *reloader, command_done done);
/* Carries out one line; `done` is called exactly once, now or later, unless command_cancel. */
void command_begin(struct command *command, const char *line, size_t length);
void command_cancel(struct command *command);
