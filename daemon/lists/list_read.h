/*
 * list_read: reads one list, and judges whether it may be used: its key, its signature, its text, its
 * times, in this order. Everything waits, for the disk and for the processor: for threads. Nothing
 * is changed but the reading itself and what is kept on disk.
 *
 * Before a list is used, its timestamp is on disk (list_kept.h), so that no older one is taken after
 * a restart; where the disk does not take it, the list is used all the same.
 */
#pragma once

#include "base/buf.h"
#include "base/sign/signature.h"
#include "daemon/config/config.h"
#include "daemon/lists/list_kept.h"
#include "policy/list/policy_list.h"

#define LIST_WHY_MAX 1024

struct verifier;

/* Why a list is not taken: few and fixed, for counters. X(constant, word) */
#define LIST_REFUSALS(X)                                                                           \
    X(LIST_REFUSAL_SIGNATURE, "signature")                                                         \
    X(LIST_REFUSAL_ROLLBACK, "rollback") /* older than one that was in force, or not the same */   \
    X(LIST_REFUSAL_SYNTAX, "syntax")                                                               \
    X(LIST_REFUSAL_TIMES, "times") /* expired when it came, or absurd */                           \
    X(LIST_REFUSAL_SIZE, "size")                                                                   \
    X(LIST_REFUSAL_KEY, "key") /* the operator's own: the key cannot be used */
enum list_refusal { LIST_REFUSALS(ENUM_CONSTANT) LIST_REFUSALS_COUNT };

/* What came of a reading. X(constant, word) */
#define LIST_OUTCOMES(X)                                                                           \
    X(LIST_MISSING, "missing") /* no list could be had */                                          \
    X(LIST_TAKEN, "in-force")  /* a list that may be used now */                                   \
    X(LIST_SAME, "same")       /* the one in memory, which may be used now */                      \
    X(LIST_WAITS, "too-new")   /* sound, and to be used later */                                   \
    X(LIST_EXPIRED, "expired") /* sound, but for its expiry */                                     \
    X(LIST_REFUSED, "refused")
enum list_outcome { LIST_OUTCOMES(ENUM_CONSTANT) };

/* What identifies a list that was verified: hash_stable of its parts. */
struct list_identity {
    uint64_t text, signature;
    uint64_t key; /* the key's file, and the fingerprint; 0: not read yet */
};

enum list_want {
    LIST_READ_LOCAL,   /* the files; of a list that is fetched: its copy, if that is needed */
    LIST_READ_FETCHED, /* `text` and `signature` have just been fetched */
    LIST_READ_SAME,    /* the signature that was fetched is that of the list in memory */
    LIST_READ_WAITING  /* `text` and `signature` are of a list that waited, and its time has come */
};

struct list_reading {
    /* what is wanted; borrowed, and to be left alone until the reading is over */
    enum list_want want;
    const struct config_list *line;
    const char *kept_path; /* NULL: nothing is kept on disk */
    struct verifier *verifier;
    const struct policy_list *list; /* in memory; NULL: none */
    struct list_identity identity;  /* of that one */
    bool only_changed;              /* files that are as they were are not read again */
    bool key_renamed;               /* key= or fingerprint= is another since a key was read */

    /* what is known, before and after */
    bool kept_known; /* `kept` is what the disk has */
    struct list_kept kept;
    uint64_t mark;              /* of the files; 0: look again in any case */
    struct buf text, signature; /* owned; empty afterwards, but of a list that waits or waited */

    /* the result */
    bool unchanged;            /* see only_changed: nothing below counts */
    enum list_outcome outcome; /* of the source */
    enum list_refusal refusal; /* of LIST_REFUSED */
    char why[LIST_WHY_MAX];    /* "" when all is well with the source; paths are not escaped */
    int64_t ready_s;           /* LIST_WAITS: when it may be used, wall clock */
    uint64_t signature_seen;   /* hash_stable of the signature that was read; 0: none */
    bool usable;               /* there is a list that may be used: */
    bool from_copy;            /* the copy, since the source has none */
    struct policy_list *taken; /* owned; NULL: it is the one in memory */
    struct list_identity taken_identity;
    size_t enforced;  /* domains of `taken` in enforce mode */
    bool key_changed; /* since the list in memory was verified: it stays only if it is usable */
    bool key_known;   /* the next two count */
    enum signature_kind kind;
    char key_text[SIGNATURE_KEY_MAX]; /* key id, or fingerprint */
    struct policy_list *replaced; /* owned; of the one who takes the result: what was in memory */
    bool kept_tried;              /* something was written to the disk, or could not be: */
    char kept_why[LIST_KEPT_WHY_MAX]; /* why the disk did not take it; "" when it did */
};

void list_reading_init(struct list_reading *reading);
/* Frees what it owns, the result too. */
void list_reading_fini(struct list_reading *reading);
void list_read(struct list_reading *reading);

const char *list_outcome_name(enum list_outcome outcome);
const char *list_refusal_name(enum list_refusal refusal);
