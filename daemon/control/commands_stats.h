/* commands_stats: the command "stats": what metrics_gather gathers, as one object of numbers. */
#pragma once

#include "daemon/control/commands.h"

void command_stats(struct command *command);
