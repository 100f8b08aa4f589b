/* commands_cache: the commands about what is remembered; part of commands.h's table. */
#pragma once

#include "daemon/control/commands.h"

/* Of commands.c: ends a command with an answer (a reference taken), or with a refusal. */
void command_finish(struct command *command, json_t *answer);
void command_refuse(struct command *command, const char *why);
/* Gives a part of the answer, of several (a reference taken). */
void command_tell(struct command *command, json_t *part);
/* A text of the request; NULL when it is not there. */
const char *command_text(const struct command *command, const char *name);

void command_held(struct command *command);
void command_release(struct command *command);
void command_history(struct command *command);
void command_export(struct command *command);
void command_import(struct command *command);

/* Gives up what a command waits for here. */
void command_cache_cancel(struct command *command);
