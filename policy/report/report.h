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
 * reason, rule, withheld, found, why (sentences), change (what would change the verdict),
 * valid_for_s, evidence. NULL without memory.
 */
json_t *report_explain(const struct report_facts *facts);
/* A rule as {line, pattern, action, policy, until, ticket}; null for NULL. */
json_t *report_rule(const struct rule *rule);
/* One MX host alone, as under evidence.hosts: for `mxcrypt probe`. */
json_t *report_host(const struct mx_host *host, int64_t now);

/* The level that a verdict of REASON_HELD keeps: its own, unless mail has to wait. */
enum verdict_level report_held_level(const struct verdict *verdict);
const char *report_starttls_name(enum starttls state);
const char *report_host_dane_name(enum host_dane state);
