/*
 * finding: what the daemon knows of one key: verdict, the evidence behind it, and the answers ready
 * to send. Immutable once made; the cache's element.
 */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "daemon/protocol.h"
#include "policy/key.h"
#include "policy/verdict.h"

/* The forms an answer comes in: what main.cf can read, and how much. */
enum answer_form { FORM_PLAIN, FORM_TLSRPT, FORM_TCP_TABLE, FORM_COUNT };

struct finding {
    struct arena *arena; /* owned; the finding itself is in it */
    const char *key;     /* canonical key */
    size_t key_length;
    struct verdict verdict;
    const struct evidence *evidence; /* NULL: the key was never looked up */
    struct answer answers[FORM_COUNT];
    int64_t made_at; /* monotonic ms */
    /* the cache's */
    UT_hash_handle hh;
    struct list recent;
    bool negative;
};

/* Copies `evidence` (may be NULL) and renders all forms; NULL without memory. */
struct finding *finding_new(const struct key *key, const struct verdict *verdict,
                            const struct evidence *evidence, int64_t now);
void finding_free(struct finding *finding);
/* Octets of memory it holds. */
size_t finding_octets(const struct finding *finding);
