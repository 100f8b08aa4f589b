/*
 * rules: the operator's rules in force: the rules file, `mode`, `rollout`; read at start and
 * again on reload, when a file that cannot be read leaves the old ones in force. Logs rules that
 * are about to lapse, and lapse.
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

/* The same rules have the same generation; never 0. NULL: none, here and in ruleset_find. */
unsigned ruleset_generation(const struct ruleset *ruleset);
/* Pointers in `out` are valid while the generation is the same. */
void ruleset_find(const struct ruleset *ruleset, const struct key *key, struct override *out);
bool ruleset_has_rules(const struct ruleset *ruleset);
/* NULL: there is no file. */
const struct rules *ruleset_rules(const struct ruleset *ruleset);
const struct override_options *ruleset_options(const struct ruleset *ruleset);

/* Takes rules that were read by config_read_rules (NULL: none), and the options: a new generation.
 */
void ruleset_replace(struct ruleset *ruleset, struct rules *take,
                     const struct override_options *options);
