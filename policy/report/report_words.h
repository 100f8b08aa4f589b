/*
 * report_words: sentences about one evidence, and the lists of hosts in them. Part of report.h:
 * report_why.c and report_change.c write with it.
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
    json_t *sentences; /* an array; owned by whoever made it */
    bool failed;       /* no memory for one of them */
    const struct key *key;
    const struct verdict *verdict; /* found */
    const struct override *override;
    const struct final_answer *final;
    const struct evidence *evidence; /* NULL when nothing was looked up */
    const char *unsent; /* why the policy cannot be sent to Postfix; NULL when it can */
    int64_t now;
};

/* Adds one sentence; foreign octets in it become printable ASCII. */
void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A list in one sentence: "mx1, mx2 and 3 more". */
struct words_list {
    size_t count;
    char text[WORDS_LIST_MAX];
};

typedef bool (*words_host_test)(const struct words *words, const struct mx_host *host);
typedef bool (*words_address_test)(const struct mx_host *host, const struct mx_address *address);

/* The hosts that `test` picks, by name; *out is empty when there are none. Returns the count. */
size_t words_hosts(const struct words *words, struct words_list *out, words_host_test test);
/* The same, each with what its lookups said, apart by semicolons. */
size_t words_hosts_why(const struct words *words, struct words_list *out, words_host_test test);
/* The addresses of live hosts that `test` picks, each with what was seen there. */
size_t words_addresses(const struct words *words, struct words_list *out, words_address_test test);
/* The patterns of the policy; empty without one. */
size_t words_patterns(const struct words *words, struct words_list *out);
/* Those that Postfix cannot be given. */
size_t words_unfit_patterns(const struct words *words, struct words_list *out);

/* Tests for the above. */
bool words_is_usable(const struct words *words, const struct mx_host *host);
bool words_is_unusable(const struct words *words, const struct mx_host *host);
bool words_is_error(const struct words *words, const struct mx_host *host);
bool words_is_gone(const struct words *words, const struct mx_host *host); /* DEAD or LOST */
bool words_is_lost(const struct words *words, const struct mx_host *host);
bool words_is_unsigned(const struct words *words,
                       const struct mx_host *host);                           /* NONE, by address */
bool words_is_without(const struct words *words, const struct mx_host *host); /* NONE, by denial */
bool words_is_short(const struct words *words, const struct mx_host *host);
bool words_is_live(const struct words *words, const struct mx_host *host);
bool words_is_uncovered(const struct words *words, const struct mx_host *host); /* by the policy */
bool words_is_unknown(const struct words *words, const struct mx_host *host);

bool words_has_tls(const struct mx_host *host, const struct mx_address *address);
bool words_has_no_tls(const struct mx_host *host, const struct mx_address *address);
bool words_is_unverified(const struct mx_host *host,
                         const struct mx_address *address); /* TLS, but no valid certificate */
bool words_is_distrusted(const struct mx_host *host, const struct mx_address *address);
bool words_is_refused(const struct mx_host *host, const struct mx_address *address);
bool words_is_silent(const struct mx_host *host,
                     const struct mx_address *address); /* SILENT or ERROR */
bool words_is_skipped(const struct mx_host *host, const struct mx_address *address);
bool words_is_unasked(const struct mx_host *host, const struct mx_address *address);
bool words_mismatches_tlsa(const struct mx_host *host, const struct mx_address *address);

/* Milliseconds as "3 days", "12 hours", "34 minutes", "20 seconds"; rounded down. */
struct words_span {
    char text[32];
};
const char *words_time(struct words_span *room, int64_t ms);

/* True when the policy in `evidence` is in force at words->now. */
bool words_policy_in_force(const struct words *words);
/* How the domain is called: evidence's, else the key's. */
const char *words_domain(const struct words *words);

/* "BEFORE list AFTER" when there is anything in the list; true then. */
bool words_say_hosts(struct words *words, words_host_test test, const char *before,
                     const char *after);
bool words_say_hosts_why(struct words *words, words_host_test test, const char *before,
                         const char *after);
bool words_say_addresses(struct words *words, words_address_test test, const char *before,
                         const char *after);
/* The same without what was seen there. */
bool words_say_places(struct words *words, words_address_test test, const char *before,
                      const char *after);

/* What stands beside the reason (report_context.c). */
void report_say_mx(struct words *words);         /* is the MX RRset signed? */
void report_say_left_out(struct words *words);   /* hosts that mail cannot go to */
void report_say_hosts_dane(struct words *words); /* what each host has */
void report_say_unusable(struct words *words);   /* why TLSA records cannot be used */
void report_say_dane(struct words *words);       /* why DANE does not decide */
void report_say_sts(struct words *words);        /* what MTA-STS says */
void report_say_warnings(struct words *words);   /* what will go wrong with mail */
void report_say_effect(struct words *words);     /* what Postfix does now */

/* What the operator's rules make of the verdict, and where they stand (report_orders.c). */
void report_say_rules(struct words *words);
void report_say_rules_change(struct words *words);

/* Writes the sentences (report_why.c, report_change.c). */
void report_write_why(struct words *words);
void report_write_change(struct words *words);
