/*
 * rules: the operator's rules for next-hops, read from text: mxcrypt-rules(5).
 *
 * Glossary
 *   pattern      what a rule is for: a key as Postfix sends it, `.parent` (every name below it, in
 *                every form of key), or `*`
 *   action       what is done for it: at-least, exactly, off, monitor
 *   floor        the policy of an at-least rule
 *   lapsed       of a rule: its `until` has passed, and it is ignored
 *
 * The most specific rule wins: the key itself; the key without its port; the nearest parent; `*`.
 * `*` is for mail that leaves this host: not for paths, loopback addresses or localhost. A rule for
 * `example.com` is neither for `[example.com]` nor for the names below it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/key.h"
#include "policy/decide/verdict.h"

#define RULES_MAX           100000
#define RULES_TEXT_MAX      (16 * 1024 * 1024)
#define RULES_LINE_MAX      4096
#define RULES_TICKET_MAX    200
#define RULES_ERROR_MAX     512
#define RULES_WARN_BEFORE_S (7 * 24 * 3600) /* warn of a rule that lapses this soon */

enum rule_action { RULE_AT_LEAST, RULE_EXACTLY, RULE_OFF, RULE_MONITOR };

/* One line of the file. Strings belong to the rules. */
struct rule {
    const char *pattern; /* canonical, as key.text; ".parent"; "*" */
    enum rule_action action;
    const char *policy; /* AT_LEAST: the floor; EXACTLY: the policy; else NULL */
    size_t policy_length;
    enum verdict_level level; /* of `policy`; NO_OPINION for none, may, fingerprint */
    int64_t until_s;          /* wall clock seconds at which it lapses; 0: never */
    const char *ticket;       /* NULL: none */
    unsigned line;
};

struct rules;

/*
 * Reads `length` octets of `text`. 0, or -1 with a message in `error` that names line and fault
 * ("line 12: ..."). Ports are as in key_parse. *out is owned by the caller, NULL on error.
 */
int rules_parse(struct rules **out, const char *text, size_t length, uint16_t default_port,
                char error[RULES_ERROR_MAX]);
void rules_free(struct rules *rules);

/* The rule for a key at a moment (wall clock seconds), or NULL. Always NULL for KEY_PARENT: Postfix
 * has asked for the name below it before. */
const struct rule *rules_find(const struct rules *rules, const struct key *key, int64_t now_s);

size_t rules_count(const struct rules *rules);
/* Of the text: the same on every machine for the same file, and hardly for another. */
uint64_t rules_hash(const struct rules *rules);
/* In the order of the file. */
const struct rule *rules_at(const struct rules *rules, size_t index);
/* The index of a rule of rules_find or rules_at. */
size_t rules_index(const struct rules *rules, const struct rule *rule);
/* The first moment after `now_s` at which a rule lapses; 0 when none will. */
int64_t rules_next_lapse(const struct rules *rules, int64_t now_s);
/* True unless the pattern is `*`. */
bool rule_is_named(const struct rule *rule);
const char *rule_action_name(enum rule_action action);
