/*
 * survey_uv: a survey from its list to its finished results file: what is to be looked up next goes
 * to the workers, one kind of unit after the other, and what comes is written. Runs on the calling
 * thread, with a loop of its own, until all is done or it is asked to stop.
 */
#pragma once

#include "probe/options.h"
#include "survey/manners.h"
#include "survey/results/results.h"
#include "survey/unit/unit.h"

struct survey_progress {
    int64_t done[UNIT_KIND_COUNT], all[UNIT_KIND_COUNT]; /* units */
    int64_t decided, decide_all;
    int64_t elapsed_ms; /* of this run of the program */
    int64_t errors;     /* of this run */
    uint64_t questions, connections, fetches;
    int phase;                             /* a unit_kind; UNIT_KIND_COUNT: deciding */
    const struct survey_kind_count *kinds; /* errors by kind, the most frequent first */
    size_t kind_count;
};
struct survey_kind_count {
    const char *kind; /* static */
    int64_t count;
};

struct survey_options {
    const struct prober_options *prober; /* borrowed */
    struct manners_options manners;
    unsigned jobs; /* threads */
    bool probe;    /* connect to mail hosts */
    int commit_ms; /* a batch at most; 0: 1000 */
    /* Called about once a second and at the end; may be NULL. */
    void (*progress)(void *context, const struct survey_progress *progress);
    void *context;
};

enum survey_end { SURVEY_DONE, SURVEY_STOPPED, SURVEY_FAILED };

/* Runs the survey; names are in the file already. `why` is filled for SURVEY_FAILED. SIGINT and
 * SIGTERM stop it: what is under way is dropped, what came is written. */
enum survey_end survey_run(struct results *results, const struct survey_options *options,
                           char why[RESULTS_ERROR_MAX]);
