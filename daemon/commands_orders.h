/* commands_orders: the commands about rules, mode, rollout and what they do; part of commands.h's
 * table. */
#pragma once

#include "daemon/commands.h"

void command_reload(struct command *command);
void command_log_level(struct command *command);
void command_rules(struct command *command);
void command_findings(struct command *command);
