/*
 * survey_uv: a survey from its list to its finished results file: what is to be looked up next goes
 * to the workers, one kind of unit after the other, and what comes is written. Runs on the calling
 * thread, with a loop of its own, until all is done or it is asked to stop.
 */
#pragma once

#include "probe/options.h"
#include "survey/failures.h"
#include "survey/manners.h"
#include "survey/results/results.h"
#include "survey/unit/unit.h"

struct survey_progress {
    int phase; /* a unit_kind; UNIT_KIND_COUNT: deciding */
    int64_t done[UNIT_KIND_COUNT], all[UNIT_KIND_COUNT]; /* units in the file */
    int64_t phase_ms, phase_done;                        /* of this phase, in this run */
    struct failures failures;                            /* of this run */
    bool no_resolver; /* it does not answer; the survey waits for it */
};

struct survey_options {
    const struct prober_options *prober; /* borrowed; with a helo_name, or NULL: the address */
    struct manners_options manners;
    unsigned jobs; /* threads, 1 to SURVEY_JOBS_MAX */
    bool probe;    /* connect to mail hosts */
    int part;  /* SURVEY_WHOLE; a unit_kind: only its units; UNIT_KIND_COUNT: only the verdicts */
    bool each; /* each result is committed at once: a kill loses what is under way, no more */
    /* Called about once a second and at the end; may be NULL. */
    void (*progress)(void *context, const struct survey_progress *progress);
    void *context;
};
#define SURVEY_JOBS_MAX 64
#define SURVEY_WHOLE    (-1)

enum survey_end {
    SURVEY_DONE,
    SURVEY_STOPPED,
    SURVEY_NO_RESOLVER, /* it has not answered for OUTAGE_MAX_MS */
    SURVEY_FAILED
};

/*
 * Runs a survey whose names are in the file. `why` is filled for SURVEY_FAILED and
 * SURVEY_NO_RESOLVER. SIGINT and SIGTERM
 * stop it: what is under way is dropped, what came is written. With more shards than one it ends
 * when all of its own addresses are done; domains that need those of other shards have no verdict
 * then. Only a whole survey, and one of the verdicts, is finished in the end (results_finish).
 */
enum survey_end survey_run(struct results *results, const struct survey_options *options,
                           char why[RESULTS_ERROR_MAX]);
