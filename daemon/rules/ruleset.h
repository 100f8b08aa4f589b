/*
 * ruleset: the operator's rules in force: the rules file, `mode` and `rollout`. They are read at
 * start, and again on reload; a file that cannot be read then leaves the old rules in force. And the
 * policy lists in force (daemon/lists), which are evidence: beside the rules, because both change
 * while answers are in the cache.
 *
 * DIAGNOSTICS
 *   orders              the rules have been read
 *   rule-lapses-soon    a rule lapses within RULES_WARN_BEFORE_S
 *   rule-lapsed         a rule has lapsed
 *   more-rules-lapse    more rules lapse than are named one by one
 */
#pragma once

#include <uv.h>

#include "daemon/config/config.h"
#include "daemon/lists/lists.h"
#include "policy/rules/override.h"

struct ruleset {
    /* for everybody to read */
    struct rules *rules; /* owned; NULL: there is no file */
    struct override_options options;
    const struct lists *lists; /* borrowed; NULL: none are configured */
    unsigned generation;       /* see ruleset_generation */
    /* for ruleset.c; wall clock */
    uv_timer_t timer;
    int64_t looked_s; /* when the rules were last checked; 0: never */
    int64_t seen_s;   /* when the clock was last read */
    int64_t next_s;   /* when the next rule lapses; INT64_MAX: none will */
    size_t lapses;    /* rules that this check found lapsed, or soon to lapse */
    uint16_t port;    /* for which lists speak: smtp-port */
};

/* Reads the rules file; 0, or -1 with a message in `error` ("/etc/mxcrypt/rules:12: ..."). `config`
 * is borrowed for the call only. */
int ruleset_new(struct ruleset **out, uv_loop_t *loop, const struct config *config,
                char error[CONFIG_ERROR_MAX]);
/* Closes handles; ruleset_free once the loop is empty. */
void ruleset_close(struct ruleset *ruleset);
void ruleset_free(struct ruleset *ruleset);

/* Changes whenever the rules or the lists do; never 0. Here and in ruleset_find NULL stands for no rules. */
static inline unsigned ruleset_generation(const struct ruleset *ruleset)
{
    return ruleset == NULL ? 1 : ruleset->generation;
}
/* Pointers in `out` are valid while the generation is the same. */
void ruleset_find(const struct ruleset *ruleset, const struct key *key, struct override *out);

/* What the lists in force say of a key; pointers in it are valid until the loop runs again. */
void ruleset_list(struct list_evidence *out, const struct ruleset *ruleset, const struct key *key);
/* The evidence of a key with that. */
void ruleset_evidence(struct evidence *out, const struct ruleset *ruleset, const struct key *key,
                      const struct evidence *evidence);
/* The lists in force are others, or have others in them, or less: a new generation. NULL: none. */
void ruleset_use_lists(struct ruleset *ruleset, const struct lists *lists);

/* Takes rules of config_read_rules (NULL: none) and copies the options: a new generation. */
void ruleset_replace(struct ruleset *ruleset, struct rules *take,
                     const struct override_options *options);
