/*
 * verdict: turns evidence into a level and a reason. One pure function. Times are monotonic
 * milliseconds as in evidence.h.
 *
 * FAIL DIRECTIONS
 * These files decide what Postfix is told when something failed, is missing or contradictory:
 *
 *   policy/decide/verdict.c    the level that the evidence gives (docs/verdicts.md §3), and the one
 *                              without evidence: TEMP, or no opinion for a key not looked up
 *   policy/decide/remember.c   raises that level to what earlier lookups proved, or to TEMP where
 *                              nothing safe can be said; takes encrypt and verify back to no opinion
 *                              where a host that refuses STARTTLS would make mail bounce (§4, §5)
 *   policy/decide/listed.c     raises that level to what a policy list says, or to TEMP where a TLSA
 *                              lookup failed (§3)
 *
 * What may replace the level afterwards:
 *
 *   policy/rules/override.c    the operator's rule, mode and rollout. Only these weaken an answer.
 *                              An at-least rule raises it, to TEMP where no level would be safe
 *   policy/render/render.c     a policy that Postfix would not take, or that does not fit: TEMP. For an
 *                              MTA without DANE, the strongest that it can do in the place of DANE
 *   policy/render/exim.c       what Exim cannot do, or what would not pass the check of a line: TEMP
 *   policy/render/sendmail.c   the same for Sendmail
 *   daemon/serve/tcp_table.c   a rule's policy that does not fit in a line: 400, which is TEMP
 *   daemon/lookup/             an answer without memory, or behind too many lookups, has the level
 *                              of verdict_without_evidence
 *
 * A request that cannot be read is answered PERM, 400 or level=temp, or its connection is closed: mail
 * waits.
 * tests/unit/policy/test_fail_directions.c and decide/test_*_invariants.c check this.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "policy/evidence.h"

/* What Postfix is told, weakest first. */
#define VERDICT_LEVELS(X)                                                                          \
    X(VERDICT_NO_OPINION, "notfound") /* NOTFOUND: main.cf decides */                              \
    X(VERDICT_ENCRYPT, "encrypt")                                                                  \
    X(VERDICT_DANE, "dane")                                                                        \
    X(VERDICT_VERIFY, "verify")                                                                    \
    X(VERDICT_SECURE, "secure")                                                                    \
    X(VERDICT_DANE_ONLY, "dane-only")                                                              \
    X(VERDICT_TEMP, "temp") /* mail is deferred, nothing goes out */
enum verdict_level { VERDICT_LEVELS(ENUM_CONSTANT) };

/* The state of a whole next-hop: docs/verdicts.md §2. */
#define DANE_STATES(X)                                                                             \
    X(DANE_UNKNOWN, "unknown")                                                                     \
    X(DANE_FULL, "full")                                                                           \
    X(DANE_MIXED, "mixed")                                                                         \
    X(DANE_UNUSABLE, "unusable")                                                                   \
    X(DANE_UNSIGNED, "unsigned")                                                                   \
    X(DANE_NONE, "none")                                                                           \
    X(DANE_ERROR, "error")
enum dane_state { DANE_STATES(ENUM_CONSTANT) };

#define STARTTLS_ALL_STATES(X)                                                                     \
    X(STARTTLS_ALL_UNKNOWN, "unknown") /* no host answered, or none was asked yet */               \
    X(STARTTLS_ALL_VERIFIED, "verified")                                                           \
    X(STARTTLS_ALL_TLS, "tls")                                                                     \
    X(STARTTLS_PARTLY, "partly")                                                                   \
    X(STARTTLS_NOBODY, "clear")                                                                    \
    X(STARTTLS_SOME_REFUSED, "refused")
enum starttls_state { STARTTLS_ALL_STATES(ENUM_CONSTANT) };

/* X(enum word, code for logs and JSON, sentence for people) */
#define VERDICT_REASONS(X)                                                                         \
    X(PENDING, "pending", "the lookup has not answered yet")                                       \
    X(KEY, "key", "the key is no domain and no [host]: only rules could answer it")                \
    X(NULL_MX, "null-mx", "the domain publishes a null MX: it accepts no mail")                    \
    X(NXDOMAIN, "nxdomain", "the domain does not exist")                                           \
    X(NO_HOST, "no-mx-host", "no mail host of the domain has an address")                          \
    X(MX_ERROR, "mx-error", "the MX lookup failed, so nothing about the domain is known")          \
    X(DANE_FULL, "dane-full", "every mail host has usable, DNSSEC-signed TLSA records")            \
    X(DANE_TRUNCATED, "dane-truncated",                                                            \
      "usable TLSA records, but too many records to see them all")                                 \
    X(DANE_MIXED_STS, "dane-mixed-sts",                                                            \
      "some mail hosts have TLSA and MTA-STS asks for verified TLS")                               \
    X(DANE_MIXED_LIST, "dane-mixed-list",                                                          \
      "some mail hosts have TLSA and a policy list asks for verified TLS")                         \
    X(DANE_MIXED, "dane-mixed", "some mail hosts have usable TLSA records, others have none")      \
    X(DANE_UNSIGNED, "dane-unsigned", "the hosts have TLSA, but the MX records are not signed")    \
    X(DANE_UNUSABLE, "dane-unusable", "TLSA records exist, but none that SMTP can use")            \
    X(DANE_ERROR, "dane-error", "a TLSA lookup failed; Postfix decides host by host")              \
    X(DANE_ERROR_STS, "dane-error-sts", "a TLSA lookup failed at a domain that MTA-STS protects")  \
    X(DANE_ERROR_LIST, "dane-error-list", "a TLSA lookup failed at a domain on a policy list")     \
    X(DANE_SHORT, "dane-short-tlsa", "a TLSA record without data, which crashes older Postfix")    \
    X(STS_ENFORCE, "sts-enforce", "an MTA-STS policy in enforce mode")                             \
    X(STS_TESTING, "sts-testing-enforced",                                                         \
      "an MTA-STS policy in testing mode, enforced by testing = enforce")                          \
    X(LIST, "list-enforce", "a policy list says that the domain promised TLS at these hosts")      \
    X(VERIFIED, "starttls-verified", "every mail host that answered has a valid certificate")      \
    X(TLS, "starttls-tls", "every mail host that answered does STARTTLS")                          \
    X(PARTLY, "starttls-partly", "some mail hosts do STARTTLS and some do not")                    \
    X(CLEAR, "starttls-clear", "no mail host that answered does STARTTLS")                         \
    X(REFUSED, "starttls-refused",                                                                 \
      "a mail host refuses STARTTLS with 5xx: encrypt would bounce mail")                          \
    X(UNPROBED, "starttls-unknown", "no mail host answered on its SMTP port, or none was asked")   \
    X(HELD, "held", "the mail hosts did better before: what they proved is kept for a while")      \
    X(DANE_REMEMBERED, "dane-remembered",                                                          \
      "the lookup gave less, but the TLSA records seen before are within their TTL")               \
    X(STS_REMEMBERED, "sts-remembered",                                                            \
      "the lookup did not answer, but an MTA-STS policy is remembered and in force")               \
    X(STARTTLS_REMEMBERED, "starttls-remembered",                                                  \
      "the lookup did not answer in time; the mail hosts did TLS when last seen")                  \
    X(DEADLINE, "deadline", "the lookup did not end in time")                                      \
    X(OVERLOAD, "overload", "too many lookups are under way")                                      \
    X(MEMORY, "memory", "the daemon is out of memory for this lookup")

enum verdict_reason {
#define X(word, code, text) REASON_##word,
    VERDICT_REASONS(X)
#undef X
        REASON_COUNT
};

struct verdict;
/* True for a verdict that rests on what is remembered rather than on its evidence. */
bool verdict_is_remembered(const struct verdict *verdict);
const char *verdict_level_name(enum verdict_level level);
const char *verdict_reason_code(enum verdict_reason reason);
const char *verdict_reason_text(enum verdict_reason reason);
const char *dane_state_name(enum dane_state state);
const char *starttls_state_name(enum starttls_state state);

enum partial_dane { PARTIAL_DANE_TABLE, PARTIAL_DANE_ONLY, PARTIAL_DANE_OPPORTUNISTIC };

/* The operator's options; times in milliseconds. */
struct verdict_options {
    bool dane; /* Postfix has smtp_dns_support_level = dnssec */
    enum partial_dane partial_dane;
    bool testing_enforced;
    bool wildcard_hosts; /* a wildcard of a policy is answered as the MX hosts that it covers */
    bool probe;          /* false: STARTTLS stays unknown and is not waited for */
    bool verify;         /* answer verify, not only encrypt */
    int64_t ttl_min_ms, ttl_max_ms;
    int64_t negative_ttl_max_ms;
    int64_t temp_ttl_ms;
    int64_t hold_ms;         /* how long an observed level that is no longer seen is kept */
    int64_t hold_expired_ms; /* the same when certificates have merely expired */
    int64_t hold_probe_min_ms, hold_probe_max_ms; /* a held next-hop is probed again */
};

/* A level that probes once observed and no longer see. */
struct downgrade {
    int64_t since; /* when less was first seen; 0: never */
    int64_t until; /* when the level drops to what is seen */
};

/*
 * What earlier lookups of a next-hop proved, as far as it still counts (docs/verdicts.md §4, §5).
 * All zero: nothing. verdict_decide reads one and gives its successor. Kept with each cache entry.
 */
struct remembered {
    int64_t dane_only_until; /* dane-only was proven by records that live until then */
    bool dane_possible; /* DANE decided the last lookup that knew the MX, or was not ruled out */
    bool secure;        /* the last verdict of a whole lookup was secure, by an MTA-STS policy */
    enum verdict_level observed; /* by probing: NO_OPINION, ENCRYPT or VERIFY */
    /* Of the observed level. Where that is verify, `encrypt` begins with `verify` or later. */
    struct downgrade verify, encrypt;
    /* Hosts that answered STARTTLS with 5xx when they were asked last: a bit each, by the hash of
     * the name. Not stored. */
    uint64_t refused;
};

struct verdict {
    enum verdict_level level;
    enum verdict_reason reason;
    /* What the evidence alone says; the same unless something remembered counts for more. */
    enum verdict_level shown_level;
    enum verdict_reason shown_reason;
    /* REASON_HELD: the downgrade during which the level is kept; else zero. */
    struct downgrade held;
    /* With complete evidence the successor of what was remembered; else that, unchanged. */
    struct remembered remembered;
    enum dane_state dane;
    enum starttls_state starttls;
    bool sts_enforced;
    bool wildcard_hosts; /* as in verdict_options: for render.c */
    /* Under sts_enforced: patterns of the policy that Postfix cannot be given. */
    unsigned sts_unfit;
    /* The observed level dropped without a hold: the hosts still show the certificates that
     * verified before. */
    bool distrusted;
    /* What probing proved, as far as it counts by `probe` and `probe-level`: NO_OPINION, ENCRYPT or
     * VERIFY. For an MTA without DANE, where DANE decides. */
    enum verdict_level probed;
    enum list_mode listed; /* what a policy list says of the domain */
    /* DANE and MTA-STS say nothing, so that a list decides: the one that has the domain if it is
     * LIST_ENFORCE; else one that would have it so. */
    bool list_decides;
    bool without_dane;  /* decided under dane = no */
    bool without_probe; /* decided under probe = no */
    /* Nothing that this lookup still awaits can change level or reason: answer at once. */
    bool settled;
    int64_t valid_until;
    int64_t refresh_at; /* before valid_until */
};

/* Decides. `remembered` may be NULL. Never fails; equal input gives equal output; the order of
 * hosts, addresses and records does not matter. Incomplete evidence gives what it proves so far; it
 * is `settled` only if the rest cannot matter. */
void verdict_decide(struct verdict *out, const struct evidence *evidence,
                    const struct remembered *remembered, const struct verdict_options *options,
                    int64_t now);

/*
 * Decides when an answer is due although the evidence is not complete. MX hosts that have not
 * answered are left out as far as docs/verdicts.md §5 allows, so that one dead name server of a
 * backup MX does not delay mail. Never `settled` when there are such hosts; never weaker than what
 * is remembered and in force.
 */
void verdict_decide_at_deadline(struct verdict *out, const struct evidence *evidence,
                                const struct remembered *remembered,
                                const struct verdict_options *options, int64_t now);

/* When the level that probing proved was first not seen; 0: it is. */
int64_t remembered_held_since(const struct remembered *remembered);
/* Ends a hold for the operator: what probing observed is forgotten, the rest stays. */
void remembered_release(struct remembered *remembered);
/* Joins two that were learnt separately: the result is never weaker than either, and a downgrade
 * that is in both goes on as it began. */
struct remembered remembered_join(const struct remembered *earlier, const struct remembered *later);

/* Converts both facts about DANE to the one time that is stored, and back. The time is 0 unless
 * dane_possible; else it is dane_only_until, or `decided_at` if that is 0. */
int64_t remembered_dane_until(const struct remembered *remembered, int64_t decided_at);
void remembered_set_dane_until(struct remembered *remembered, int64_t dane_until);

/* Sets level and reason to what the list makes of them: of a verdict that `list_decides`, and that was
 * decided without it, or with one in testing mode. */
void verdict_by_list(struct verdict *verdict, const struct evidence *evidence);

/* A verdict without a lookup behind it: no opinion for REASON_KEY; TEMP for _PENDING, _OVERLOAD and
 * _MEMORY. */
void verdict_without_evidence(struct verdict *out, enum verdict_reason reason, int64_t valid_until);
