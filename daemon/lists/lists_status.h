/* lists_status: what there is to tell of the policy lists: of each, and counted. */
#pragma once

#include "daemon/lists/list_read.h"
#include "daemon/lists/lists.h"

struct lists_status {
    const char *source;             /* the strings are valid until the loop turns */
    const char *state;              /* in-force, too-new, expired, refused or missing */
    const char *why;                /* what is wrong with the source now; "": nothing */
    const char *kept_why;           /* why the disk does not take it; "": it does */
    const struct policy_list *list; /* the one in memory; NULL: none */
    size_t enforced;                /* its domains in enforce mode, as the list has them */
    bool in_force, stale, fetched, key_known;
    enum signature_kind kind; /* key_known, as the next */
    const char *key;          /* key id, or fingerprint */
    enum list_as as;
    int64_t newest_s, looked_s, good_s; /* wall clock; 0: none, never */
    int64_t next_s;                     /* when it is fetched, or read in any case */
    int64_t ready_s;                    /* when a list that waits may be used; 0: none does */
};

/* Of the list at `index`; false after the last. */
bool lists_status(struct lists_status *out, const struct lists *lists, size_t index);

struct lists_stats {
    size_t configured, in_force, expired, stale, not_kept;
    size_t domains;    /* in force */
    int64_t expires_s; /* the first to expire of those in force, wall clock; 0: none */
    uint64_t fetched, fetch_failures;
    uint64_t refused[LIST_REFUSALS_COUNT];
};
/* NULL: no lists. */
void lists_get_stats(const struct lists *lists, struct lists_stats *out);
