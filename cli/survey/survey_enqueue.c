/*
 * survey_enqueue: `mxcrypt survey enqueue`: reads the list into a file of its own, which is removed
 * in the end, and puts it into the queue in chunks; see mxcrypt(1), SURVEY.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "cli/survey/survey_command.h"
#include "cli/survey/survey_queue.h"
#include "survey/queue/enqueue.h"
#include "survey/queue/job.h"

#define ARENA_MAX     ((size_t)64 * 1024 * 1024)
#define SIZE_DEFAULT  500
#define PARTS_DEFAULT 64

struct enqueue_command {
    struct survey_command survey;
    struct plan plan;
    char folder[64], path[96];
};

static int read_options(struct enqueue_command *all)
{
    const struct cli *cli = all->survey.cli;
    long size = SIZE_DEFAULT, parts = PARTS_DEFAULT;

    if (cli->words[0] != NULL && (cli->words[1] != NULL || cli->survey.from_audit != NULL))
        fputs("mxcrypt: survey enqueue takes one list of domains\n", stderr);
    else if (cli->words[0] == NULL && cli->survey.from_audit == NULL)
        fputs("mxcrypt: survey enqueue needs a list of domains; - is standard input\n", stderr);
    else if (survey_read_numbers(&all->survey) &&
             cli_number(&size, "--chunk-size", cli->survey.chunk_size, JOB_NAMES_MIN,
                        JOB_NAMES_MAX) &&
             cli_number(&parts, "--parts", cli->survey.parts, 2, CHUNK_PARTS_MAX)) {
        all->survey.list = cli->words[0];
        all->plan.size = size;
        all->plan.parts = parts;
        return CLI_OK;
    }
    return CLI_USAGE;
}

static int read_list(struct enqueue_command *all)
{
    const char *temporary = getenv("TMPDIR");
    struct survey_command *survey = &all->survey;
    char error[RESULTS_ERROR_MAX];

    if (temporary == NULL || strlen(temporary) > 40)
        temporary = "/tmp";
    snprintf(all->folder, sizeof all->folder, "%s/mxcrypt-XXXXXX", temporary);
    if (mkdtemp(all->folder) == NULL) {
        fprintf(stderr, "mxcrypt: %s: %s\n", temporary, strerror(errno));
        all->folder[0] = '\0';
        return CLI_CANNOT_WRITE;
    }
    snprintf(all->path, sizeof all->path, "%s/names.db", all->folder);
    survey->run = (struct results_run){
        .seed = survey->seed, .sample = survey->sample, .shard = 1, .shards = 1};
    survey->run.list = survey->list != NULL ? survey->list : survey->cli->survey.from_audit;
    survey->results = results_create(all->path, &survey->run, error);
    if (survey->results != NULL)
        return survey_read_names(survey);
    fprintf(stderr, "mxcrypt: %s\n", error);
    return CLI_CANNOT_WRITE;
}

static int make_plan(struct enqueue_command *all)
{
    const struct survey_command *survey = &all->survey;
    const struct cli *cli = survey->cli;
    struct plan *plan = &all->plan;

    plan->seed = survey->seed;
    plan->sample = survey->sample;
    plan->names = survey->run.names;
    plan->rate = cli->survey.rate == NULL ? 0 : survey->rate;
    plan->lines_bad = survey->run.lines_bad;
    plan->dnssec = !cli->survey.no_dnssec;
    plan->dane = survey->prober.dane;
    plan->probe = cli->config.prober.probe && !cli->survey.no_probe;
    escape_bytes(plan->list, sizeof plan->list, survey->run.list, strlen(survey->run.list));
    if (enqueue_plan(plan, survey->results))
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s\n", results_error(survey->results));
    return CLI_CANNOT_WRITE;
}

/* The queue takes signals: not while a list is read, which may come from a terminal. */
static int put_in(struct enqueue_command *all)
{
    struct queue *queue = NULL;
    int status = read_list(all);

    if (status == CLI_OK)
        status = make_plan(all);
    if (status == CLI_OK)
        status = survey_queue_open(&queue, all->survey.cli);
    if (status == CLI_OK && !enqueue_all(queue, all->survey.results, &all->plan))
        status = survey_queue_failed(queue);
    queue_close(queue);
    if (status == CLI_OK)
        fprintf(stderr, "mxcrypt: %" PRId64 " domains are in the queue, in %" PRId64 " chunks\n",
                all->plan.domains, plan_chunks(&all->plan));
    results_close(all->survey.results);
    if (all->folder[0] != '\0') {
        results_remove(all->path);
        rmdir(all->folder);
    }
    return status;
}

int do_survey_enqueue(struct cli *cli)
{
    struct enqueue_command all = {.survey = {.cli = cli, .arena = arena_new(ARENA_MAX)}};
    int status = CLI_INTERNAL;

    if (all.survey.arena == NULL)
        fputs("mxcrypt: no memory\n", stderr);
    else
        status = read_options(&all);
    if (status == CLI_OK)
        status = survey_set_prober(&all.survey);
    if (status == CLI_OK)
        status = survey_queue_check(cli);
    if (status == CLI_OK)
        status = put_in(&all);
    arena_free(all.survey.arena);
    return status;
}
