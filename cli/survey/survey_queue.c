/* survey_queue: see survey_queue.h; and `mxcrypt survey status --queue`. */
#include "cli/survey/survey_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static void say(const char *text)
{
    fprintf(stderr, "mxcrypt: %s\n", text);
}

int survey_queue_failed(const struct queue *queue)
{
    say(queue_why(queue));
    return CLI_TEMP;
}

int survey_queue_check(const struct cli *cli)
{
    const char *why;

    if (cli->survey.queue == NULL || cli->survey.name == NULL) {
        say("a survey of several machines needs --queue URL and --name RUN");
        return CLI_USAGE;
    }
    if (!plan_name_ok(cli->survey.name)) {
        say("--name must be letters, digits, dots, dashes and underscores, 64 at most");
        return CLI_USAGE;
    }
    why = queue_url_wrong(cli->survey.queue);
    if (why == NULL)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: --queue: %s\n", why);
    return CLI_USAGE;
}

int survey_queue_open(struct queue **queue, const struct cli *cli)
{
    const struct queue_options options = {cli->survey.queue, cli->survey.name, say};
    int status = survey_queue_check(cli);
    const char *why;

    if (status != CLI_OK)
        return status;
    signal(SIGPIPE, SIG_IGN);
    *queue = queue_open(&options, &why);
    if (*queue != NULL)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: --queue: %s\n", why);
    return CLI_USAGE;
}

int survey_queue_run(struct queue **queue, struct queue_run *run, const struct cli *cli)
{
    int status = survey_queue_open(queue, cli);

    if (status != CLI_OK)
        return status;
    if (!queue_get_run(*queue, run))
        return survey_queue_failed(*queue);
    if (run->good)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s %s: mxcrypt survey enqueue begins one\n",
            run->there ? "another version of mxcrypt has put in the survey"
                       : "the queue has no survey",
            cli->survey.name);
    return CLI_TEMP;
}

int survey_queue_spool(struct spool *spool, const struct cli *cli)
{
    if (cli->survey.spool == NULL) {
        say("--spool DIR is missing: the directory that all machines of a survey share");
        return CLI_USAGE;
    }
    if (spool_open(spool, cli->survey.spool, cli->survey.name))
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s: %s\n", cli->survey.spool, strerror(errno));
    return CLI_CANNOT_WRITE;
}

void survey_queue_token(char out[SURVEY_TOKEN_MAX])
{
    char host[41] = "";

    gethostname(host, sizeof host - 1);
    snprintf(out, SURVEY_TOKEN_MAX, "%s.%d.%" PRId64, host, (int)getpid(), clock_wall_s());
}

void survey_queue_run_of(struct results_run *out, const struct plan *plan)
{
    *out = (struct results_run){
        .list = plan->list,
        .seed = plan->seed,
        .sample = plan->sample,
        .shard = 1,
        .shards = 1,
        .dnssec = plan->dnssec == 1,
        .names = plan->names,
        .lines_bad = plan->lines_bad,
        .names_read = true,
        .began = clock_wall_s(),
    };
    out->verdict.dane = plan->dane == 1;
    out->verdict.probe = plan->probe == 1;
}

/* ---- status ---- */

static void take_aside(void *context, const struct results_chunk *chunk, const char *job,
                       size_t length)
{
    char name[CHUNK_NAME_MAX];

    (void)job;
    (void)length;
    json_array_append_new(context, json_string(chunk_name(name, chunk)));
}

static bool add_length(struct queue *queue, json_t *waiting, enum unit_kind kind, unsigned parts,
                       const char *word)
{
    struct results_chunk chunk = {kind, 0, 1};
    int64_t length, sum = 0;

    for (; chunk.part < parts; chunk.part++) {
        if (!queue_length(queue, &chunk, &length))
            return false;
        sum += length;
    }
    return json_object_set_new(waiting, word, json_integer(sum)) == 0;
}

static json_t *gather(struct queue *queue, const struct queue_run *run, const char *name)
{
    json_t *waiting = json_object(), *aside = json_array();

    if (add_length(queue, waiting, UNIT_DOMAIN, 1, "domains") &&
        add_length(queue, waiting, UNIT_HOST, 1, "hosts") &&
        add_length(queue, waiting, UNIT_ADDRESS, (unsigned)run->plan.parts, "addresses") &&
        queue_each_aside(queue, take_aside, aside))
        return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:o, s:o}", "name", name, "finished",
                         run->ended, "domains", (json_int_t)run->plan.domains, "domain_chunks",
                         (json_int_t)plan_chunks(&run->plan), "seed", (json_int_t)run->plan.seed,
                         "parts", (json_int_t)run->plan.parts, "chunks_waiting", waiting,
                         "chunks_aside", aside);
    json_decref(waiting);
    json_decref(aside);
    return NULL;
}

static void print_status(const json_t *status)
{
    const json_t *waiting = json_object_get(status, "chunks_waiting"), *name;
    size_t i;

    printf("%s: %lld domains in %lld chunks, %s\n", string_of(status, "name"),
           number_of(status, "domains"), number_of(status, "domain_chunks"),
           is_true(status, "finished") ? "finished" : "not finished");
    printf("chunks in the queue, not collected: domains %lld, hosts %lld, addresses %lld\n",
           number_of(waiting, "domains"), number_of(waiting, "hosts"),
           number_of(waiting, "addresses"));
    json_array_foreach(json_object_get(status, "chunks_aside"), i, name)
        printf("set aside: %s\n", json_string_value(name));
}

int do_survey_queue_status(struct cli *cli)
{
    struct queue *queue = NULL;
    struct queue_run run;
    int status = survey_queue_run(&queue, &run, cli);
    json_t *found = NULL;

    if (status == CLI_OK) {
        found = gather(queue, &run, cli->survey.name);
        status =
            found != NULL ? cli_show(cli, found, print_status, NULL) : survey_queue_failed(queue);
    }
    queue_close(queue);
    return status;
}
