/* command: one command on the control socket: a JSON object comes, and one or several answer it. */
#pragma once

#include <jansson.h>

#include "daemon/lookup/engine.h"
#include "daemon/rules/reload.h"
#include "daemon/serve/server.h"

struct command;
/* A line of the answer: the last one, or a part before it, after which command_go_on asks for the
 * next. `answer` is a new reference for the callee; NULL without memory. */
typedef void (*command_answered)(struct command *command, json_t *answer, bool last);

struct importer;
struct walk;
struct walks;

/* Embedded in its connection. */
struct command {
    struct waiter waiter;
    struct reload_waiter reload;
    struct store_read *read;       /* while the store is read */
    struct cache_loading *loading; /* while a key is loaded */
    struct importer *importer;     /* owned; from one request of the connection to the next */
    struct walk *walk;             /* owned; while the cache is walked, or rules come */
    struct engine *engine;
    struct server *server;
    struct reload *reloader; /* NULL: none */
    struct walks *walks;
    command_answered answered;
    json_t *request;
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
/* Carries out one line. `answered` is called with the last line of the answer exactly once, now or
 * later, unless command_cancel comes first. */
void command_begin(struct command *command, const char *line, size_t length);
/* The client has the part of the answer. Not to be called by `answered`. */
void command_go_on(struct command *command);
void command_cancel(struct command *command);

/* For the commands themselves. */
/* Ends the command with an answer (takes the reference; NULL: no memory), or with a refusal. */
void command_finish(struct command *command, json_t *answer);
void command_refuse(struct command *command, const char *why);
/* Gives a part of the answer that is not the last (takes the reference). */
void command_give_part(struct command *command, json_t *part);
/* A text of the request; NULL when it is not there. */
const char *command_text(const struct command *command, const char *name);
/* Reads the key of the request, which must be there. */
void command_key(const struct command *command, struct key *out);
