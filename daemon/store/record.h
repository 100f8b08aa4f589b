/*
 * record: one item of what is remembered, as kept in a store and moved between machines.
 *
 * Glossary
 *   answer   what was found out about one key: verdict, evidence, what earlier lookups proved
 *   policy   an MTA-STS policy and how its last fetch went
 *   probe    what was seen at one address of a mail host
 *   event    a verdict that changed: history
 *
 * Times are milliseconds since 1970 on the wall clock, until record_to_daemon converts them to the
 * daemon's own clock, which never jumps. Zero stays zero. Plain data; where a record is held or
 * passed on, a comment says who owns its strings.
 */
#pragma once

#include "base/arena.h"
#include "policy/decide/verdict.h"
#include "probe/smtp/probe_table.h"
#include "probe/sts/sts_cache.h"

/* Milliseconds: no part of an answer is valid for longer after it was decided (the longest TTL, the
 * longest hold). */
#define RECORD_LIFE_MAX (INT64_C(30) * 86400 * 1000)
/* The year 10000; and what an earlier clock cannot have been. */
#define RECORD_TIME_MAX INT64_C(253402300800000)
/* Octets of a packed evidence: a policy of STS_BODY_MAX, fifty hosts with all they may have. */
#define RECORD_EVIDENCE_MAX (4 * 1024 * 1024)
#define RECORD_TEXT_MAX     100000 /* of answer_record.answer */
#define RECORD_WORDS_MAX    4096   /* of any other text but names and a policy's body */
#define RECORD_IDENTITY_MAX PROBE_IDENTITY_MAX

enum record_kind { RECORD_ANSWER, RECORD_POLICY, RECORD_PROBE, RECORD_EVENT, RECORD_KINDS };

struct answer_record {
    const char *key; /* canonical, struct key's text */
    enum verdict_level level;
    enum verdict_reason reason;
    const char *answer; /* as Postfix gets it: "OK dane-only"; for people, never read back */
    int64_t decided_at, valid_until, used_at;
    struct remembered remembered; /* but for what DANE said, which is kept as dane_until */
    int64_t dane_until;           /* of remembered_dane_until() */
    int64_t reminded_at;          /* when the hold was logged last; 0: no hold */
    /* Of evidence_pack.h; its times are the daemon's: wall = those + clock_shift. */
    const void *evidence;
    size_t evidence_length;
    int64_t clock_shift;
};

struct event_record {
    const char *key;
    int64_t at;
    enum verdict_level was, now;
    enum verdict_reason reason;
    bool first; /* nothing was known before: `was` means nothing */
};

struct record {
    enum record_kind kind;
    union {
        struct answer_record answer;
        struct sts_saved policy;
        struct probe_saved probe;
        struct event_record event;
    };
};

/* A deep copy in `arena`; NULL without memory. */
struct record *record_copy(struct arena *arena, const struct record *record);
/* The same in the caller's memory: `room` must have record_octets() octets. */
size_t record_octets(const struct record *record);
void record_place(struct record *out, void *room, const struct record *record);

/* What the record is about, unique in its kind: the key, the domain, "address port host sni tlsa";
 * for an event its key. False when a name is longer than a host name can be. */
bool record_identity(char out[RECORD_IDENTITY_MAX], const struct record *record);

/* Expires an answer now; what probing proved stays. Harmless for another kind. */
void record_lapse(struct record *record, int64_t now);

/* False, with *why (static), for a record that no daemon can have written: an invalid name, a key
 * that is not canonical, a word, time or length out of range. Wall clock. */
bool record_valid(const struct record *record, const char **why);

/* The words that stand for numbers in a store and in an export. */
enum record_vocabulary {
    RECORD_LEVEL,    /* enum verdict_level */
    RECORD_REASON,   /* enum verdict_reason */
    RECORD_MODE,     /* enum sts_mode */
    RECORD_FAILURE,  /* enum sts_state: unknown, fetch-failed, bad-policy */
    RECORD_STARTTLS, /* enum starttls */
    RECORD_MATCH,    /* enum tlsa_match */
    RECORD_TYPE,     /* enum record_kind */
    RECORD_VOCABULARIES
};
const char *record_word(enum record_vocabulary vocabulary, unsigned number);
/* False when `word` (may be NULL) is none of them. */
bool record_word_number(enum record_vocabulary vocabulary, const char *word, unsigned *number);

/*
 * Clocks. The wall clock may jump, in either direction, between writing and reading. So no record
 * may live longer than it could when it was written, and a record that seems to come from the
 * future counts as written now (docs/conformance.md hostile 38, 39).
 */

/* If the clock is behind the store's last time by no more than this, it is taken to have jumped
 * back: the store's time counts. If by more, one of the two was absurd: the present clock
 * counts. */
#define RECORD_TIME_BACK_MAX (INT64_C(86400) * 1000)

/* The moment of reading: both clocks, and the wall clock at the store's last write (0: unknown). */
struct record_moment {
    int64_t monotonic_ms, wall_ms;
};

struct record_moment record_moment_of(int64_t monotonic_ms, int64_t wall_ms,
                                      int64_t last_written_wall_ms);

/* Converts, in place, every time of the record to the wall clock or to the daemon's, clamped as
 * above. An end that has passed stays in the past. Past times never become 0; on a clock that began
 * later they are negative. */
void record_to_wall(struct record *record, struct record_moment moment);
void record_to_daemon(struct record *record, struct record_moment moment);
