/* survey_command: what the parts of `mxcrypt survey run` share. */
#pragma once

#include "base/arena.h"
#include "base/net/address_filter.h"
#include "cli/cli.h"
#include "survey/results/results.h"
#include "survey/survey_uv.h"

#define OPT_OUT_MAX 10000 /* entries of the opt-out file, probe-exclude not counted */

struct survey_command {
    struct cli *cli;
    struct arena *arena; /* owned */
    long rate, jobs, sample, seed, shard, shards;
    const char *list;             /* the file of names; "-": standard input; NULL: none was given */
    struct prober_options prober; /* the configuration's, with the filter and name of the survey */
    struct results *results;
    struct results_run run;
    int64_t opted_out; /* domains of the list that are opted out */
    bool quiet;        /* its own side was told of before: no warnings */
};

/* survey_setup.c. The numbers of the options; false after a message. */
bool survey_read_numbers(struct survey_command *survey);
/* The options of the survey's prober, by the configuration and the opt-out list. The exit status. */
int survey_set_prober(struct survey_command *survey);
/* Fits what is done at a time to the files that may be open; false after a message. */
bool survey_fit_files(struct survey_command *survey);
/* Whether the resolver validates, and what this host is called, for `run`. The exit status. */
int survey_look_at_own_side(struct survey_command *survey);
/* What survey_run is to be called with; progress and context are the caller's. */
void survey_set_options(const struct survey_command *survey, struct survey_options *out);
/* survey_names.c: reads the list, or the audit, into the file. The exit status. */
int survey_read_names(struct survey_command *survey);
/* survey_opt_out.c: adds a file's entries to the filter: addresses, prefixes, host names and
 * .domains, one a line. The exit status. */
int survey_opt_out(struct survey_command *survey, const char *path);
/* survey_progress.c: shows it on the terminal, or a line a minute elsewhere. */
struct survey_display;
struct survey_display *survey_display_new(struct arena *arena);
void survey_display_show(void *context, const struct survey_progress *progress);
void survey_display_clear(struct survey_display *display);
