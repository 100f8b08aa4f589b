/*
 * survey_collect: `mxcrypt survey collect`: has the results file of a survey of several machines, and
 * makes the verdicts in the end; see mxcrypt(1), SURVEY.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/progress.h"
#include "cli/survey/survey_command.h"
#include "cli/survey/survey_queue.h"
#include "survey/queue/collect.h"

#define ARENA_MAX ((size_t)64 * 1024 * 1024)

struct collect_command {
    struct survey_command survey;
    struct spool spool;
    struct queue *queue;
    struct queue_run run;
    char token[SURVEY_TOKEN_MAX];
    struct progress progress;
    int64_t aside;
};

/* ---- the file ---- */

static int create_file(struct collect_command *all)
{
    struct survey_command *survey = &all->survey;
    const struct plan *plan = &all->run.plan;
    char error[RESULTS_ERROR_MAX];

    if (spool_has_collected(&all->spool)) {
        fprintf(stderr,
                "mxcrypt: %s has chunks that were collected into another file: give that one, or "
                "another --name\n",
                all->spool.folder);
        return CLI_DATA;
    }
    survey_queue_run_of(&survey->run, plan);
    survey->run.verdict = survey->cli->config.verdict;
    survey->run.verdict.dane = plan->dane == 1;
    survey->run.verdict.probe = plan->probe == 1;
    survey->results = results_create(survey->cli->survey.out, &survey->run, error);
    if (survey->results != NULL)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s\n", error);
    return CLI_CANNOT_WRITE;
}

static int open_file(struct collect_command *all)
{
    struct survey_command *survey = &all->survey;
    const struct plan *plan = &all->run.plan;
    char error[RESULTS_ERROR_MAX];
    const struct results_run *run;

    survey->results = results_open(survey->cli->survey.out, true, error);
    if (survey->results == NULL) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        return CLI_DATA;
    }
    run = results_run(survey->results);
    if (run->seed == plan->seed && run->sample == plan->sample && run->names == plan->names &&
        run->shards == 1 && strcmp(run->list, plan->list) == 0)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s is the file of another survey\n", survey->cli->survey.out);
    return CLI_DATA;
}

static int open_out(struct collect_command *all)
{
    const char *out = all->survey.cli->survey.out;

    return access(out, F_OK) == 0 ? open_file(all) : create_file(all);
}

/* ---- collecting ---- */

static void show(void *context, enum unit_kind kind, int64_t chunks)
{
    struct collect_command *all = context;

    (void)kind;
    progress_show(&all->progress, (uint64_t)chunks, 0);
}

static int collect_them(struct collect_command *all)
{
    struct collect_options options = {
        .queue = all->queue,
        .spool = &all->spool,
        .results = all->survey.results,
        .plan = &all->run.plan,
        .token = all->token,
        .progress = show,
        .context = all,
    };
    bool ok;

    survey_queue_token(all->token);
    progress_begin(&all->progress, stderr);
    all->progress.unit = "chunks";
    ok = collect_all(&options);
    progress_clear(&all->progress);
    all->aside = options.chunks_aside;
    fprintf(stderr, "mxcrypt: %" PRId64 " chunks were collected\n", options.chunks);
    return ok ? CLI_OK : survey_queue_failed(all->queue);
}

static int decide_them(struct collect_command *all)
{
    struct survey_command *survey = &all->survey;
    struct survey_options options;
    char why[RESULTS_ERROR_MAX];

    survey->run = *results_run(survey->results);
    survey_set_options(survey, &options);
    options.part = UNIT_KIND_COUNT;
    switch (survey_run(survey->results, &options, why)) {
    case SURVEY_DONE:
        return CLI_OK;
    case SURVEY_STOPPED:
        fputs("mxcrypt: stopped; the same command goes on\n", stderr);
        return CLI_TEMP;
    default:
        fprintf(stderr, "mxcrypt: %s\n", why);
        return CLI_CANNOT_WRITE;
    }
}

/* All is in the file. */
static int end_it(struct collect_command *all)
{
    if (!queue_end_run(all->queue, &all->run.plan))
        return survey_queue_failed(all->queue);
    spool_remove(&all->spool);
    if (all->aside == 0) {
        fprintf(stderr, "mxcrypt: finished; mxcrypt survey report %s shows it\n",
                all->survey.cli->survey.out);
        return CLI_OK;
    }
    fprintf(stderr,
            "mxcrypt: finished, but for %" PRId64 " chunks that were set aside: mxcrypt survey "
            "status names them\n",
            all->aside);
    return CLI_TEMP;
}

static int collect_steps(struct collect_command *all)
{
    struct survey_command *survey = &all->survey;
    int status = CLI_USAGE;

    if (survey->cli->survey.out == NULL || survey->cli->words[0] != NULL)
        fputs("mxcrypt: survey collect needs --out FILE.db, and takes no list\n", stderr);
    else if (survey_read_numbers(survey))
        status = survey_queue_spool(&all->spool, survey->cli);
    if (status == CLI_OK)
        status = survey_set_prober(survey);
    if (status == CLI_OK)
        status = survey_queue_run(&all->queue, &all->run, survey->cli);
    if (status == CLI_OK)
        status = open_out(all);
    if (status != CLI_OK)
        return status;
    if (results_run(survey->results)->ended != 0)
        return end_it(all);
    if (!results_set_filter(survey->results, &survey->prober.filter)) {
        fprintf(stderr, "mxcrypt: %s\n", results_error(survey->results));
        return CLI_CANNOT_WRITE;
    }
    status = collect_them(all);
    if (status == CLI_OK)
        status = decide_them(all);
    return status == CLI_OK ? end_it(all) : status;
}

int do_survey_collect(struct cli *cli)
{
    struct collect_command all = {.survey = {.cli = cli, .arena = arena_new(ARENA_MAX)}};
    int status = CLI_INTERNAL;

    if (all.survey.arena == NULL)
        fputs("mxcrypt: no memory\n", stderr);
    else
        status = collect_steps(&all);
    if (!results_close(all.survey.results) && status == CLI_OK) {
        fprintf(stderr, "mxcrypt: %s: the end could not be written\n", cli->survey.out);
        status = CLI_CANNOT_WRITE;
    }
    queue_close(all.queue);
    arena_free(all.survey.arena);
    return status;
}
