/*
 * decide: the verdict of each domain, by verdict_decide, from what was recorded. Some domains at a
 * time are found, decided and written; the step between needs no more than a file to read, so that
 * it may be another thread's (survey/decider_uv.h).
 */
#pragma once

#include "survey/results/results.h"

#define DECIDE_AT_ONCE 256

struct decisions {
    int count;
    int64_t domains[DECIDE_AT_ONCE];
    struct verdict verdicts[DECIDE_AT_ONCE];
    const char *answers[DECIDE_AT_ONCE]; /* in `texts`; NULL: the domain stays undecided */
    struct arena *evidence, *texts;      /* owned; `evidence` is of one domain */
};

/* NULL without memory. */
struct decisions *decisions_new(void);
void decisions_free(struct decisions *decisions);
/* Takes some of the domains that have no verdict, from id *after on, and moves it; with count less
 * than DECIDE_AT_ONCE there are no others. False on failure. */
bool decisions_next(struct decisions *decisions, struct results *results, int64_t *after);
/* Decides them. False on failure. */
bool decisions_make(struct decisions *decisions, struct results *results);
/* Writes the verdicts. False on failure. */
bool decisions_put(const struct decisions *decisions, struct results *results);

/* All three. *more: there are others. False on failure. */
bool decide_some(struct results *results, int64_t *after, bool *more);
/* Decides one domain again, as the file's run would: for show. Evidence is `arena`'s. */
bool decide_domain(struct results *results, int64_t domain, struct arena *arena,
                   struct evidence *evidence, struct verdict *verdict);
