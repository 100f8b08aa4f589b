/*
 * survey_internal_uv: a survey while it runs, as survey_uv.c, which has its phases and takes what
 * comes, and feed_uv.c, which says what is looked up next, share it.
 */
#pragma once

#include <uv.h>

#include "base/list.h"
#include "survey/look/worker_uv.h"
#include "survey/manners.h"
#include "survey/outage_uv.h"
#include "survey/pace.h"
#include "survey/survey_uv.h"

#define SURVEY_BATCH_MAX 64 /* units that are read at once */

struct worker_slot {
    struct worker *worker;
    unsigned busy; /* units that it has */
    struct survey *survey;
};

struct survey {
    uv_loop_t loop;
    struct results *results;
    const struct survey_options *options;
    struct prober *prober; /* for the trust anchors */
    struct manners *manners;
    struct outage *outage;
    struct worker_slot slots[SURVEY_JOBS_MAX];
    unsigned slot_count, busy;
    uv_timer_t tick, feed, turn;
    uv_check_t turned; /* after each turn of the loop */
    bool moved;        /* there was a result in this one */
    struct list came;  /* unit_result.link: of domains and hosts, to be written */
    uv_signal_t interrupt, terminate;

    enum unit_kind phase;
    struct unit ahead[SURVEY_BATCH_MAX]; /* domains or hosts that were read, from `ahead_at` on */
    int ahead_count, ahead_at;
    struct pace pace;
    bool last_pass;     /* of lookups: what fails now counts */
    int64_t after;      /* the last unit of this pass */
    bool pass_ended;    /* nothing more in this pass */
    bool left_out;      /* units that were not taken in this pass, or asked for since */
    int64_t pass_at_ms; /* monotonic: when the next pass may begin */

    int uncommitted;
    bool stopped, failed, no_resolver;
    char *why; /* of RESULTS_ERROR_MAX */
    int64_t phase_began_ms;
    struct survey_progress progress;
};

/* ---- survey_uv.c ---- */

/* Ends the survey; the first words count. */
void survey_fail(struct survey *survey, const char *words);
/* The same, with what went wrong with the file. No half of a result is kept. */
void survey_fail_file(struct survey *survey);
/* An address without a connection: nobody is asked, so nothing is freed. */
void survey_skip_address(struct survey *survey, const struct unit *unit, const char *failure,
                         const char *detail);

/* ---- feed_uv.c ---- */

/* Begins a pass over the units of the phase that have no result. */
void feed_begin_pass(struct survey *survey);
/* Hands out all that may be looked up now. Ends the loop when the phase is over. */
void feed_run(struct survey *survey);
