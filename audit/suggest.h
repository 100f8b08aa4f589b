/*
 * suggest: rules that the mail of a period and the present verdicts support: lines of
 * mxcrypt-rules(5). Pure.
 *
 * A domain qualifies with enough messages sent over enough days, all at a level that the rule asks
 * for, none bounced because of TLS, whose present verdict gives that level too. The rule asks for
 * the best level of which both is true:
 *
 *   dane-only   the verdict is dane-only, and all mail was Verified
 *   verify      the verdict is verify, secure or dane-only, and all mail was Verified or Trusted
 *   encrypt     the verdict asks for TLS, and all mail went over TLS
 *
 * Where a rule in force asks for as much or more, none is suggested; nor against a rule by which
 * the operator decided about the domain, or all below a parent: off, monitor or exactly.
 */
#pragma once

#include <stdio.h>

#include "audit/judged.h"
#include "audit/tally.h"
#include "policy/rules/rules.h"

struct suggest_options {
    uint32_t min_messages, min_days;
    const struct rules *rules; /* in force; NULL: none */
    int64_t now;               /* seconds since 1970 */
    uint16_t smtp_port;        /* as in key_parse */
};
#define SUGGEST_MESSAGES 20
#define SUGGEST_DAYS     14

/* Why a domain gets a rule, or not. */
#define SUGGEST_OUTCOMES(X)                                                                        \
    X(RULE, "a rule is suggested")                                                                 \
    X(FEW_MESSAGES, "too few messages")                                                            \
    X(FEW_DAYS, "over too few days")                                                               \
    X(CLEAR, "some mail went in clear")                                                            \
    X(UNKNOWN, "the level of some mail is not known")                                              \
    X(BOUNCED, "some mail came back because of TLS")                                               \
    X(NO_VERDICT, "no present verdict")                                                            \
    X(WEAK_VERDICT, "the present verdict does not support it")                                     \
    X(HAS_RULE, "a rule in force decides about it")                                                \
    X(NO_DOMAIN, "not a domain")
#define X(word, text) SUGGEST_##word,
enum suggest_outcome { SUGGEST_OUTCOMES(X) SUGGEST_OUTCOME_COUNT };
#undef X
const char *suggest_outcome_text(enum suggest_outcome outcome);

/* What becomes of a domain; *level is set with SUGGEST_RULE. */
enum suggest_outcome suggest_domain(const struct tally *tally, const struct judged *judged,
                                    const struct suggest_options *options, uint32_t domain,
                                    enum verdict_level *level);
/* Writes the rules, most messages first, with a comment on top that counts the outcomes. Gives the
 * number of rules. */
size_t suggest_write(FILE *out, const struct tally *tally, const struct judged *judged,
                     const struct suggest_options *options);
