/*
 * list_source: one source of a policy list: the list in memory, whether it is in force, what came of
 * the last reading, and when the next one is due. No file, no socket, no thread: lists.c has those.
 *
 * A list that waits for its time is kept as it was read, and is verified and judged again when its
 * time has come, whatever the source has by then: else a list whose maker replaces it more often than
 * min-age would never be used. One at most waits. A newer one is seen after it; an older one takes
 * its place, and the list in force calls it back, when the source has that again.
 */
#pragma once

#include "base/list.h"
#include "daemon/lists/list_read.h"

struct list_source {
    /* the configuration; wall clock in s, else monotonic ms */
    struct arena *arena; /* owned; of the strings of `line` */
    struct config_list line;
    unsigned line_version; /* changes when what decides about a list does */
    int64_t refresh_ms, stale_ms;
    const char *kept_path; /* NULL: nothing is kept on disk */
    char kept_room[LIST_KEPT_PATH_MAX];

    /* the list in memory: it was in force, and is again when the clock says so */
    struct policy_list *list; /* owned; NULL: none */
    struct list_identity identity;
    size_t enforced; /* domains in enforce mode */
    bool in_force;

    /* what is known of the source */
    bool read; /* the rest counts */
    enum list_outcome outcome;
    enum list_refusal refusal;
    char why[LIST_WHY_MAX];
    char kept_why[LIST_KEPT_WHY_MAX];
    bool key_renamed; /* key= or fingerprint= is another since the key was read */
    bool key_known;
    enum signature_kind kind;
    char key_text[SIGNATURE_KEY_MAX];
    bool kept_known;
    struct list_kept kept;
    uint64_t mark;              /* of the files that were read last */
    uint64_t waiting_signature; /* of the list that was fetched last, if it is to be used later */
    int64_t ready_s;            /* when the list that waits may be used; 0: none waits */
    struct buf waiting, waiting_sig; /* owned; the list that waits; empty: none, or being read */
    char waiting_why[LIST_WHY_MAX];
    int64_t looked_s; /* when it was last read or fetched; 0: never */
    bool stale, soon_told;

    /* when it is read or fetched next */
    bool local;      /* first without fetching: key and copy */
    int64_t due_ms;  /* all of it */
    int64_t look_ms; /* whether a file has changed */
    unsigned failures;
    bool mismatched; /* signature and list did not match: once more before it is a failure */

    /* for lists.c */
    struct lists *lists;
    struct list link; /* in lists.leaving, else in none */
    void *task;       /* what is under way; NULL: nothing */
};

/* NULL without memory. `store_path` NULL: nothing is kept on disk. */
struct list_source *list_source_new(const struct config_list *line, const char *store_path);
void list_source_free(struct list_source *source);
/* Takes a line of the configuration, which is copied. False without memory: nothing has changed. */
bool list_source_set(struct list_source *source, const struct config_list *line);

void list_line_copy(struct arena *arena, struct config_list *out, const struct config_list *line);

/* Prepares a reading, whose line is to be a copy. */
void list_source_ask(const struct list_source *source, struct list_reading *reading,
                     enum list_want want);
/* Takes the result, and leaves the list that is not needed any more there, to be freed off the loop,
 * as it may be large; true when what the list says may have changed. */
bool list_source_take(struct list_source *source, struct list_reading *reading);
/* A list or its signature could not be fetched. */
void list_source_fail(struct list_source *source, enum list_outcome outcome,
                      enum list_refusal refusal, const char *why);
/* The list that waits is still the one that the source has: it is not fetched before its time. */
void list_source_waits_still(struct list_source *source);
/* Whether a list waited, and its time has come. */
bool list_source_is_ready(const struct list_source *source, int64_t now_s);
/* Moves it into a reading, LIST_READ_WAITING; and back, for when the reading does not count. */
void list_source_give_waiting(struct list_source *source, struct list_reading *reading);
void list_source_take_back(struct list_source *source, struct list_reading *reading);
/* Looks at the clock; true when what the list says has changed. */
bool list_source_look(struct list_source *source, int64_t now_s);
/* What was expected to wait may not, because the clock was set back. */
void list_source_set_back(struct list_source *source);
/* Seconds until the clock may change something; INT64_MAX: nothing waits for it. */
int64_t list_source_wait_s(const struct list_source *source, int64_t now_s);
