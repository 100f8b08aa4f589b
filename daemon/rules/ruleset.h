/*
 * ruleset: the operator's rules in force: the rules file, `mode` and `rollout`. They are read at
 * start, and again on reload; a file that cannot be read then leaves the old rules in force.
 *
 * DIAGNOSTICS
 *   orders              the rules have been read
 *   rule-lapses-soon    a rule lapses within RULES_WARN_BEFORE_S
 *   rule-lapsed         a rule has lapsed
 *   more-rules-lapse    more do than are named one by one
 */
#pragma once

#include <uv.h>

#include "daemon/config/config.h"
#include "policy/rules/override.h"

struct ruleset;

/* Reads the rules file; 0, or -1 with a message in `error` ("/etc/mxcrypt/rules:12: ..."). `config`
 * is borrowed for the call only. */
int ruleset_new(struct ruleset **out, uv_loop_t *loop, const struct config *config,
                char error[CONFIG_ERROR_MAX]);
/* Closes handles; ruleset_free once the loop is empty. */
void ruleset_close(struct ruleset *ruleset);
void ruleset_free(struct ruleset *ruleset);

/* Changes whenever the rules do; never 0. Here and in ruleset_find NULL stands for no rules. */
unsigned ruleset_generation(const struct ruleset *ruleset);
/* Pointers in `out` are valid while the generation is the same. */
void ruleset_find(const struct ruleset *ruleset, const struct key *key, struct override *out);
/* NULL: there is no file. */
const struct rules *ruleset_rules(const struct ruleset *ruleset);
const struct override_options *ruleset_options(const struct ruleset *ruleset);

/* Takes rules of config_read_rules (NULL: none) and copies the options: a new generation. */
void ruleset_replace(struct ruleset *ruleset, struct rules *take,
                     const struct override_options *options);
