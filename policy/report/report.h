/*
 * report: evidence and verdict for people and programs, as JSON and in words. The daemon's control
 * socket and the command's own lookups both use it, and so say the same.
 */
#pragma once

#include <jansson.h>

#include "policy/evidence.h"
#include "policy/key.h"
#include "policy/render/render.h"
#include "policy/rules/override.h"
#include "policy/decide/verdict.h"

/* What is known of a key, and what the operator's rules make of it. */
struct report_facts {
    const struct key *key;
    const struct verdict *verdict;
    const struct override *override;
    const struct final_answer *final;
    const struct evidence *evidence; /* NULL when nothing was looked up */
    int64_t now;                     /* as in evidence.h */
};

/*
 * A new reference to the object described in mxcrypt(1) under EXPLAIN: key, status, answer, level,
 * reason, rule, withheld, found, without_dane, why (sentences), change (what would change the verdict),
 * valid_for_s, evidence. NULL without memory.
 */
json_t *report_explain(const struct report_facts *facts);
/* What Postfix is told by a final answer, without the attributes of 3.10: the policy or the reason is
 * appended to `text`. `evidence` may be NULL. */
enum answer_status report_answer(struct buf *text, const struct final_answer *final,
                                 const struct verdict *verdict, const struct evidence *evidence);
/* Why it is told: the code, and the sentence for people. */
const char *report_reason_code(const struct final_answer *final, enum verdict_reason found);
const char *report_reason_text(const struct final_answer *final, enum verdict_reason found);

/* The rules, `mode` and `rollout` that answers are worked out by. */
struct report_settings {
    const struct rules *rules; /* borrowed; NULL: none */
    struct override_options options;
    int rollout;   /* another one that is tried; -1: none */
    int64_t now_s; /* as in rules_find */
};
/* Stands in for an answer longer than REPORT_SHOWN_MAX. */
#define REPORT_UNSHOWN   "(too long to be shown)"
#define REPORT_SHOWN_MAX (16 * 1024)
/*
 * All that `mxcrypt audit` wants to know of a key, as short as it can be: report_verdict.c has the
 * members. `asked` is the key as it was asked for, `evidence` may be NULL. A new reference; NULL
 * without memory.
 */
json_t *report_verdict(const char *asked, const struct key *key, const struct verdict *verdict,
                       const struct evidence *evidence, const struct report_settings *settings);
/* A rule as {line, pattern, action, policy, until, ticket}; null for NULL. */
json_t *report_rule(const struct rule *rule);
/* One MX host alone, as under evidence.hosts: for `mxcrypt probe`. */
json_t *report_host(const struct mx_host *host, int64_t now);

/* The level that a verdict of REASON_HELD keeps: its own, unless mail has to wait. */
enum verdict_level report_held_level(const struct verdict *verdict);
const char *report_starttls_name(enum starttls state);
const char *report_host_dane_name(enum host_dane state);
