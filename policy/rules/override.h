/*
 * override: what the operator makes of a verdict, by rules, `mode` and `rollout`. Pure. The verdict
 * itself, with holds, history and refreshing, stays as it was found; an override decides only what
 * Postfix is told.
 *
 * Glossary
 *   found      the verdict of verdict.h
 *   withheld   found and logged, but Postfix is told NOTFOUND
 *   final      what Postfix is told
 */
#pragma once

#include "policy/rules/rules.h"

struct override_options {
    bool monitor; /* mode = monitor: everything is withheld, including what rules say */
    unsigned
        rollout; /* percent of next-hops that are enforced; those that a rule names always are */
};

enum withheld { WITHHELD_NO, WITHHELD_RULE, WITHHELD_MODE, WITHHELD_ROLLOUT };

struct override {
    const struct rule *rule; /* borrowed; NULL: none */
    enum withheld withheld;
};

enum final_kind {
    FINAL_FOUND,    /* the verdict, as it was rendered */
    FINAL_POLICY,   /* `text` is the policy */
    FINAL_NOTFOUND, /* no opinion */
    FINAL_TEMP      /* `text` is the reason */
};

/* X(enum word, code for logs and JSON, sentence for people) */
#define FINAL_REASONS(X)                                                                           \
    X(FOUND, "found", "what was found out is the answer")                                          \
    X(AT_LEAST, "rule-at-least", "a rule asks for more than was found out")                        \
    X(AT_LEAST_REFUSED, "rule-refused",                                                            \
      "a rule asks for TLS, but a mail host refuses STARTTLS with 5xx: mail would bounce")         \
    X(AT_LEAST_DANE, "rule-dane-error",                                                            \
      "a rule asks for TLS, and whether DANE protects the mail hosts is not known: a lookup "      \
      "failed")                                                                                    \
    X(EXACTLY, "rule-exactly", "a rule says the policy")                                           \
    X(OFF, "rule-off", "a rule leaves this to main.cf")                                            \
    X(MONITOR, "rule-monitor", "a rule holds back what was found out")                             \
    X(MODE, "mode-monitor", "mode = monitor holds back what was found out")                        \
    X(ROLLOUT, "rollout", "rollout does not enforce this next-hop yet")

enum final_reason {
#define X(word, code, text) FINAL_REASON_##word,
    FINAL_REASONS(X)
#undef X
        FINAL_REASON_COUNT
};

struct final_answer {
    const char *text; /* the rule's or static, with a NUL; NULL unless POLICY or TEMP */
    uint32_t length;
    enum final_kind kind : 8;
    enum final_reason reason : 8;
    enum verdict_level level : 8; /* of what Postfix is told */
    bool withheld : 1;            /* MONITOR, MODE or ROLLOUT replaced another answer */
};

/* What the operator wants for a key. `rules` may be NULL. `now_s` as in rules_find. */
void override_find(struct override *out, const struct rules *rules,
                   const struct override_options *options, const struct key *key, int64_t now_s);
/* False when the answer does not depend on a lookup: then none is made. */
bool override_wants_lookup(const struct override *override);
/* *found is not read when no lookup is wanted. */
void override_apply(struct final_answer *out, const struct override *override,
                    const struct verdict *found);
/* The same, as if nothing were withheld. */
void override_apply_enforced(struct final_answer *out, const struct override *override,
                             const struct verdict *found);
/* True when a next-hop is among the first `percent` of a hundred; a higher number only adds. */
bool override_in_rollout(const struct key *key, unsigned percent);

/* The level Postfix is told: as verdict_level_name; or "none", "may" or "fingerprint", which only
 * rules give. */
const char *final_level_name(const struct final_answer *final);
const char *final_reason_code(enum final_reason reason);
const char *final_reason_text(enum final_reason reason);
