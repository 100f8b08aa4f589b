/*
 * commands: what can be asked on the control socket. commands.c has the table of names, and short
 * commands; the files named here have the rest.
 */
#pragma once

#include "daemon/control/command.h"

/* commands_cache.c: holds, and what the store knows */
void command_held(struct command *command);
void command_release(struct command *command);
void command_history(struct command *command);
void command_export(struct command *command);
void command_import(struct command *command);
/* Gives up what one of these waits for. */
void command_cache_cancel(struct command *command);

/* commands_stats.c: the numbers of metrics_table as one object. stats_json gives a new reference,
 * NULL without memory. */
struct metrics_numbers;
void command_stats(struct command *command);
json_t *stats_json(const struct metrics_numbers *numbers);

/*
 * commands_report.c and commands_rules.c: the commands that walk the cache (walk.h). What they
 * answer is for cli/report.c and cli/rules.c.
 *
 *   report       {"changes": BOOL}           lines: next-hops to which mail would stop if all were
 *                enforced; with `changes` also those whose answer would change.
 *                totals: mode, rollout, nexthops, withheld, unsure, would_change, verdicts
 *   rules        {}                          lines: the rules, with what each does today; no totals
 *   rules-check  {"text": TEXT, "more": BOOL} with `more` answered by {"taken": OCTETS}; with the
 *                last part of the text the check begins.
 *                lines: next-hops whose answer would change. totals: rules, nexthops, would_stop
 */
void command_report(struct command *command);
void command_rules(struct command *command);
void command_rules_check(struct command *command);
