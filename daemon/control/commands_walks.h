/*
 * commands_walks: the commands that go through all that is cached, by walk.h; part of commands.h's
 * table. What they answer is for cli/report.c and cli/rules.c.
 *
 *   report       {"changes": BOOL}           lines: next-hops to which mail would stop if all were
 *                enforced; with `changes` also those whose answer would change.
 *                totals: mode, rollout, nexthops, withheld, unsure, would_change, verdicts
 *   rules        {}                          lines: the rules, with what each does today; no totals
 *   rules-check  {"text": TEXT, "more": BOOL} with `more` answered by {"taken": OCTETS}; with the
 *                last part of the text the check begins.
 *                lines: next-hops whose answer would change. totals: rules, nexthops, would_stop
 */
#pragma once

#include "daemon/control/commands.h"

void command_report(struct command *command);
void command_rules(struct command *command);
void command_rules_check(struct command *command);
