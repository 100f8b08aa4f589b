/* commands_ruleset: the commands that change what is in force: reload, log-level; part of
 * commands.h's table. What the rules do is commands_walks.h's. */
#pragma once

#include "daemon/control/commands.h"

void command_reload(struct command *command);
void command_log_level(struct command *command);
