/*
 * survey_run: `mxcrypt survey run`: reads the list into the results file, looks at its own side
 * first, and has survey/survey_uv do the rest; see mxcrypt(1), SURVEY.
 *
 * It uses the configuration of the daemon, but none of its sockets or memory.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/survey/survey_command.h"

#define ARENA_MAX ((size_t)64 * 1024 * 1024)

/* ---- options ---- */

/* What goes together; the exit status, after a message when it does not. */
static int read_survey_options(struct survey_command *survey)
{
    const struct cli *cli = survey->cli;
    bool list = cli->words[0] != NULL;

    if (cli->survey.out == NULL)
        fputs("mxcrypt: survey run needs --out FILE.db\n", stderr);
    else if (list && cli->words[1] != NULL)
        fputs("mxcrypt: survey run takes one list of domains\n", stderr);
    else if (list && cli->survey.from_audit != NULL)
        fputs("mxcrypt: either a list of domains or --from-audit\n", stderr);
    else if (!list && cli->survey.from_audit == NULL && !cli->survey.resume)
        fputs("mxcrypt: survey run needs a list of domains; - is standard input\n", stderr);
    else if (survey_read_numbers(survey)) {
        survey->list = cli->words[0];
        return CLI_OK;
    }
    return CLI_USAGE;
}

/* ---- the file ---- */

static int create_file(struct survey_command *survey)
{
    const struct cli *cli = survey->cli;
    struct results_run *run = &survey->run;
    char error[RESULTS_ERROR_MAX];

    run->list = cli->survey.from_audit != NULL ? cli->survey.from_audit : survey->list;
    run->seed = survey->seed;
    run->sample = survey->sample;
    run->shard = (unsigned)survey->shard;
    run->shards = (unsigned)survey->shards;
    run->verdict = cli->config.verdict;
    run->verdict.dane = survey->prober.dane;
    run->verdict.probe = cli->config.prober.probe && !cli->survey.no_probe;
    run->began = clock_wall_s();
    survey->results = results_create(cli->survey.out, run, error);
    if (survey->results != NULL)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s\n", error);
    return CLI_CANNOT_WRITE;
}

/* An option that is given again must be what the file was begun with. */
static bool is_same(const char *option, const char *given, int64_t now, int64_t then)
{
    if (given == NULL || now == then)
        return true;
    fprintf(stderr,
            "mxcrypt: %s cannot change when a survey is resumed: it was begun with %" PRId64 "\n",
            option, then);
    return false;
}

/* A finished file is left as it is: it is only read. */
static bool is_finished(const char *path)
{
    char error[RESULTS_ERROR_MAX];
    struct results *results = results_open(path, false, error);
    bool finished = results != NULL && results_run(results)->ended != 0;

    results_close(results);
    return finished;
}

static int open_file(struct survey_command *survey)
{
    const struct cli_survey *given = &survey->cli->survey;
    const bool dnssec = survey->run.dnssec;
    const struct results_run *run;
    char error[RESULTS_ERROR_MAX];

    survey->results = results_open(given->out, true, error);
    if (survey->results == NULL) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        return CLI_DATA;
    }
    run = results_run(survey->results);
    if (!is_same("--sample", given->sample, survey->sample, run->sample) ||
        !is_same("--seed", given->seed, survey->seed, run->seed) ||
        !is_same("--shard", given->shard, survey->shard, run->shard) ||
        !is_same("the number of shards", given->shard, survey->shards, run->shards))
        return CLI_USAGE;
    if (run->dnssec != dnssec || (given->no_probe && run->verdict.probe)) {
        fputs("mxcrypt: the survey was begun with other options: --no-dnssec and --no-probe must "
              "be the same\n",
              stderr);
        return CLI_USAGE;
    }
    survey->run = *run;
    survey->sample = run->sample;
    survey->prober.dane = run->verdict.dane;
    return CLI_OK;
}

static int open_results(struct survey_command *survey)
{
    int status = survey->cli->survey.resume ? open_file(survey) : create_file(survey);

    if (status != CLI_OK)
        return status;
    if (!results_set_filter(survey->results, &survey->prober.filter)) {
        fprintf(stderr, "mxcrypt: %s\n", results_error(survey->results));
        return CLI_CANNOT_WRITE;
    }
    if (survey->run.names_read)
        return CLI_OK;
    if (survey->list == NULL && survey->cli->survey.from_audit == NULL) {
        fputs("mxcrypt: not all names had been read: give the same list again\n", stderr);
        return CLI_USAGE;
    }
    if (survey->cli->survey.resume && !results_drop_names(survey->results)) {
        fprintf(stderr, "mxcrypt: %s\n", results_error(survey->results));
        return CLI_CANNOT_WRITE;
    }
    status = survey_read_names(survey);
    if (status != CLI_OK && !survey->cli->survey.resume) { /* nothing is in it yet */
        results_close(survey->results);
        survey->results = NULL;
        results_remove(survey->cli->survey.out);
    }
    return status;
}

/* ---- the survey ---- */

/* Who opted out is to be left alone by what comes next as well. */
static void say_how_to_go_on(const struct survey_command *survey)
{
    const char *opt_out = survey->cli->survey.opt_out;

    if (survey->cli->survey.passing)
        return;
    fprintf(stderr, "to go on: mxcrypt survey run --resume --out %s%s%s\n", survey->cli->survey.out,
            opt_out != NULL ? " --opt-out " : "", opt_out != NULL ? opt_out : "");
}

static int say_end(const struct survey_command *survey, enum survey_end end, const char *why)
{
    const char *out = survey->cli->survey.out;

    switch (end) {
    case SURVEY_DONE:
        if (!survey->cli->survey.passing)
            fprintf(stderr, "mxcrypt: finished; mxcrypt survey report %s shows it\n", out);
        return CLI_OK;
    case SURVEY_STOPPED:
        fputs(survey->cli->survey.passing ? "mxcrypt: stopped\n" : "mxcrypt: stopped; ", stderr);
        say_how_to_go_on(survey);
        return CLI_TEMP;
    case SURVEY_NO_RESOLVER:
    case SURVEY_FAILED:
        break;
    }
    fprintf(stderr, "mxcrypt: %s\n", why);
    say_how_to_go_on(survey);
    return end == SURVEY_NO_RESOLVER ? CLI_TEMP : CLI_CANNOT_WRITE;
}

static int run_survey(struct survey_command *survey)
{
    struct survey_display *display = survey_display_new(survey->arena);
    struct survey_options options;
    char why[RESULTS_ERROR_MAX];
    enum survey_end end;

    if (display == NULL)
        return CLI_INTERNAL;
    survey_set_options(survey, &options);
    options.progress = survey_display_show;
    options.context = display;
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    end = survey_run(survey->results, &options, why);
    survey_display_clear(display);
    return say_end(survey, end, why);
}

static int survey_steps(struct survey_command *survey)
{
    int status = read_survey_options(survey);

    if (status == CLI_OK && survey->cli->survey.resume && is_finished(survey->cli->survey.out)) {
        fprintf(stderr, "mxcrypt: %s is finished\n", survey->cli->survey.out);
        return CLI_OK;
    }
    if (status == CLI_OK)
        status = survey_set_prober(survey);
    if (status == CLI_OK && !survey_fit_files(survey))
        status = CLI_TEMP;
    if (status == CLI_OK)
        status = survey_look_at_own_side(survey);
    if (status == CLI_OK)
        status = open_results(survey);
    return status == CLI_OK ? run_survey(survey) : status;
}

int do_survey_run(struct cli *cli)
{
    struct survey_command survey = {.cli = cli, .arena = arena_new(ARENA_MAX)};
    int status;

    if (survey.arena == NULL) {
        fputs("mxcrypt: no memory\n", stderr);
        return CLI_INTERNAL;
    }
    status = survey_steps(&survey);
    if (!results_close(survey.results) && status == CLI_OK) {
        fprintf(stderr, "mxcrypt: %s: the end could not be written\n", cli->survey.out);
        status = CLI_CANNOT_WRITE;
    }
    arena_free(survey.arena);
    return status;
}
