/*
 * report_words: sentences about one key, from tables. Part of report.h; report_why.c,
 * report_change.c and report_rules.c hold the tables.
 *
 * A table is a list of rows that ends with an empty one. A row is a sentence, with conditions, and
 * with a list of the hosts or addresses that it is about: it is not said when the list is empty.
 * Words in braces stand for values: report_words.c knows them all ("{domain}", "{list}").
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "policy/evidence.h"
#include "policy/key.h"
#include "policy/rules/override.h"
#include "policy/decide/verdict.h"

/* Longest sentence, and the longest list in one. */
#define WORDS_SENTENCE_MAX 2400
#define WORDS_LIST_MAX     1600
/* Hosts or addresses named in one list; the others are counted. */
#define WORDS_NAMED_MAX 5

struct words {
    json_t *sentences;              /* an array; the caller's */
    const struct sentence *reasons; /* of the table in use, for `shown` */
    bool failed;                    /* no memory for one of them */
    const struct key *key;
    const struct verdict *verdict; /* found */
    const struct override *override;
    const struct final_answer *final;
    const struct evidence *evidence; /* all unknown when nothing was looked up */
    bool looked_up;
    const char *unsent; /* why the policy cannot be sent to Postfix; NULL when it can */
    int64_t now;
};

/* What a host is, for the lists. */
enum {
    IS_USABLE = 1 << 0,
    IS_UNUSABLE = 1 << 1,
    IS_WITHOUT = 1 << 2,  /* no TLSA, by denial */
    IS_UNSIGNED = 1 << 3, /* no TLSA, because the address is insecure */
    IS_ERROR = 1 << 4,
    IS_LOST = 1 << 5,
    IS_GONE = 1 << 6, /* dead or lost */
    IS_OPEN = 1 << 7, /* the DNS has not answered yet */
    IS_LIVE = 1 << 8,
    IS_SHORT = 1 << 9,
    IS_TRUNCATED = 1 << 10,
    IS_UNCOVERED = 1 << 11,    /* by the MTA-STS policy */
    IS_LACKING_TLSA = 1 << 12, /* for dane-only */
    IS_HELD_TO_TLS = 1 << 13,  /* Postfix insists on TLS there */
    /* What was seen at an address. */
    HAS_TLS = 1 << 16,
    HAS_NO_TLS = 1 << 17,
    HAS_BAD_TLS = 1 << 18, /* no TLS, but for another reason than a 5xx */
    IS_REFUSED = 1 << 19,
    IS_UNVERIFIED = 1 << 20, /* TLS without a valid certificate */
    IS_DISTRUSTED = 1 << 21,
    IS_SILENT = 1 << 22, /* or no usable answer */
    IS_SKIPPED = 1 << 23,
    IS_UNASKED = 1 << 24,
    MATCHES_TLSA = 1 << 25,
    MISMATCHES_TLSA = 1 << 26
};

/* X(word, expression); what the expressions may use is in report_words.c. */
#define WORDS_CONDITIONS(X)                                                                        \
    X(PARENT, words->key->kind == KEY_PARENT)                                                      \
    X(COMPLETE, evidence->complete)                                                                \
    X(MX_UNKNOWN, evidence->mx == MX_UNKNOWN)                                                      \
    X(MX_SELF, evidence->mx == MX_SELF)                                                            \
    X(MX_IMPLICIT, evidence->mx == MX_IMPLICIT)                                                    \
    X(MX_UNUSABLE, evidence->mx == MX_UNUSABLE)                                                    \
    X(MX_SIGNED, evidence->mx == MX_LISTED && evidence->mx_secure)                                 \
    X(MX_UNSIGNED, evidence->mx == MX_LISTED && !evidence->mx_secure)                              \
    X(MX_TRUNCATED, evidence->mx_truncated)                                                        \
    X(WITHOUT_DANE, verdict->without_dane)                                                         \
    X(WITHOUT_PROBE, verdict->without_probe)                                                       \
    X(LEVEL_ENCRYPT, verdict->level == VERDICT_ENCRYPT)                                            \
    X(LEVEL_SECURE, verdict->level == VERDICT_SECURE)                                              \
    X(LEVEL_DANE_ONLY, verdict->level == VERDICT_DANE_ONLY)                                        \
    X(LEVEL_BY_TLSA, verdict->level == VERDICT_DANE || verdict->level == VERDICT_DANE_ONLY)        \
    X(LEVEL_TEMP, verdict->level == VERDICT_TEMP)                                                  \
    X(BY_TESTING, verdict->reason == REASON_STS_TESTING)                                           \
    X(BY_VERIFIED, verdict->reason == REASON_VERIFIED)                                             \
    X(BY_DEADLINE, verdict->reason == REASON_DEADLINE)                                             \
    X(SHOWN_MX_ERROR, verdict->shown_reason == REASON_MX_ERROR)                                    \
    X(LESS_SEEN, downgrade->since != 0 && downgrade->until > words->now)                           \
    X(LESS_REMEMBERED, memory->verify.since != 0 || memory->encrypt.since != 0)                    \
    X(STS_UNKNOWN, sts->state == STS_UNKNOWN)                                                      \
    X(STS_NOT_ASKED, sts->state == STS_NOT_ASKED)                                                  \
    X(STS_NO_RECORD, sts->state == STS_NO_RECORD)                                                  \
    X(STS_BAD_RECORD, sts->state == STS_BAD_RECORD)                                                \
    X(STS_DNS_ERROR, sts->state == STS_DNS_ERROR)                                                  \
    X(STS_FETCH_FAILED, sts->state == STS_FETCH_FAILED)                                            \
    X(STS_BAD_POLICY, sts->state == STS_BAD_POLICY)                                                \
    X(STS_POLICY, sts->state == STS_POLICY && sts->policy != NULL)                                 \
    X(STS_ABSENT, sts->state == STS_NO_RECORD || sts->state == STS_POLICY)                         \
    X(STS_WHY, sts->why != NULL)                                                                   \
    X(STS_RETRY, sts->retry_at > words->now)                                                       \
    X(STS_ENFORCED, verdict->sts_enforced)                                                         \
    X(POLICY_IN_FORCE, in_force)                                                                   \
    X(POLICY_ENDS, sts->valid_until > words->now)                                                  \
    X(POLICY_NONE, in_force && sts->policy->mode == STS_MODE_NONE)                                 \
    X(POLICY_ENFORCE, in_force && sts->policy->mode == STS_MODE_ENFORCE)                           \
    X(POLICY_TESTING, in_force && sts->policy->mode == STS_MODE_TESTING)                           \
    X(POLICY_UNFIT, sts->policy != NULL && sts_match_unfit(sts->policy) > 0)                       \
    X(LISTED, list->mode != LIST_NONE)                                                             \
    X(LISTED_TESTING, list->mode == LIST_TESTING)                                                  \
    X(LIST_DECIDES, verdict->list_decides)                                                         \
    X(LIST_WAITS, by_list.level == VERDICT_TEMP)                                                   \
    X(ALL_UNCOVERED, count(words, IS_UNCOVERED) == count(words, IS_LIVE))                          \
    X(SOME_MATCH_TLSA, count(words, MATCHES_TLSA) > 0)                                             \
    X(UNSENT, words->unsent != NULL)                                                               \
    X(WITHHELD, words->final->withheld)                                                            \
    X(OF_RULE_ALONE,                                                                               \
      words->final->kind == FINAL_POLICY && words->final->level == VERDICT_NO_OPINION)

enum words_condition {
#define X(word, expression) CONDITION_##word,
    WORDS_CONDITIONS(X)
#undef X
};
#define IF(word) (UINT64_C(1) << CONDITION_##word)
_Static_assert(CONDITION_OF_RULE_ALONE < 63, "a bit for each condition, and OTHERWISE");
/* The row before was not said, nor those before it that this joins it to: else, else if. */
#define OTHERWISE (UINT64_C(1) << 63)

struct sentence {
    uint64_t when, unless; /* all of the first hold, and none of the second */
    /* Traits that an item of {list} has all of: host names; host names with what their lookups
     * said; addresses; addresses with what was seen there. At most one of them. */
    unsigned hosts, why, places, seen;
    /* What is said: one of them. */
    const char *text;
    const struct sentence *use; /* a table */
    void (*call)(struct words *words);
    bool shown;  /* what the table of reasons would say if nothing were remembered */
    unsigned of; /* or: here begins what is said of this reason; further such rows may follow */
};

/* A row of a condition and a text. */
#define WHEN(condition, words)                                                                     \
    {                                                                                              \
        .when = (condition), .text = words                                                         \
    }
#define OF(reason)                                                                                 \
    {                                                                                              \
        .of = 1 + (reason)                                                                         \
    }

/* Who has to act. TEXT(number) is the number's own text. */
#define OWNER      "Domain owner: "
#define OPERATOR   "Operator: "
#define TEXT(n)    TEXT_OF(n)
#define TEXT_OF(n) #n

/* Says the part of a table that begins with `of`; false when there is no such part. */
bool words_say_part(struct words *words, const struct sentence *table, unsigned of);
/* The same for a table of reasons. */
bool words_say_reason(struct words *words, const struct sentence *table,
                      enum verdict_reason reason);
/* Says a table. */
void words_say(struct words *words, const struct sentence *table);
/* The domain's name in sentences: evidence's, else the key's. */
const char *words_domain(const struct words *words);
/* Adds one sentence; foreign octets in it become printable ASCII. */
void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "the rule in line 12 (at-least verify, ticket OPS-7, until 2026-12-31T00:00:00Z)" */
#define WORDS_RULE_MAX 512
const char *report_rule_text(char out[WORDS_RULE_MAX], const struct rule *rule);

/* What the operator's rules make of the verdict, and where they stand (report_rules.c). */
void report_say_rules(struct words *words);
void report_say_rules_change(struct words *words);

/* Writes the sentences (report_why.c, report_change.c). */
void report_write_why(struct words *words);
void report_write_change(struct words *words);
