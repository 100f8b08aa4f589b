/*
 * survey_work: `mxcrypt survey work`, a machine of a survey of several, and `mxcrypt survey chunk`,
 * the process that it starts for each chunk; see mxcrypt(1), SURVEY.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "cli/survey/survey_command.h"
#include "cli/survey/survey_queue.h"
#include "survey/queue/work_uv.h"

#define ARENA_MAX     ((size_t)64 * 1024 * 1024)
#define SLOTS_DEFAULT 4
#define IDLE_S        60 /* default */
#define IDLE_S_MAX    3600
#define PROGRAM       "/proc/self/exe"

/* ---- work ---- */

struct work_command {
    struct survey_command survey;
    struct spool spool;
    struct queue *queue;
    struct queue_run run;
    long slots, idle_s;
    char token[SURVEY_TOKEN_MAX];
    const char *words[WORK_WORDS_MAX];
    size_t word_count;
};

static int read_options(struct work_command *work)
{
    const struct cli *cli = work->survey.cli;

    work->slots = SLOTS_DEFAULT;
    work->idle_s = IDLE_S;
    if (cli->words[0] != NULL) {
        fputs("mxcrypt: survey work takes no list: survey enqueue does\n", stderr);
        return CLI_USAGE;
    }
    return survey_read_numbers(&work->survey) &&
                   cli_number(&work->slots, "--slots", cli->survey.slots, 1, WORK_SLOTS_MAX) &&
                   cli_number(&work->idle_s, "--idle", cli->survey.idle, 2, IDLE_S_MAX)
               ? CLI_OK
               : CLI_USAGE;
}

static void add_word(struct work_command *work, const char *word)
{
    if (work->word_count + 3 < WORK_WORDS_MAX) /* more are not given: see OVERRIDES_MAX */
        work->words[work->word_count++] = word;
}

/* The part of a number of this machine that one of its processes may have. */
static long share_of(const struct work_command *work, long number)
{
    return number == 0 || number / work->slots > 0 ? number / work->slots : 1;
}

/* What a chunk's process is started with. */
static void make_command(struct work_command *work)
{
    const struct survey_command *survey = &work->survey;
    const struct cli *cli = survey->cli;
    const long connections = (long)cli->config.prober.probes.connections_max;
    struct arena *arena = survey->arena;

    add_word(work, PROGRAM);
    if (cli->config_path != NULL) {
        add_word(work, "-c");
        add_word(work, cli->config_path);
    }
    for (size_t i = 0; i < cli->override_count; i++) {
        add_word(work, "-o");
        add_word(work, cli->overrides[i]);
    }
    add_word(work, "-o");
    add_word(work, arena_printf(arena, "probe-connections = %ld", share_of(work, connections)));
    add_word(work, "survey");
    add_word(work, "chunk");
    add_word(work, "--jobs");
    add_word(work, arena_printf(arena, "%ld", share_of(work, survey->jobs)));
    if (cli->survey.opt_out != NULL) {
        add_word(work, "--opt-out");
        add_word(work, cli->survey.opt_out);
    }
    work->words[work->word_count] = NULL;
}

static int work_on(struct work_command *work)
{
    struct survey_command *survey = &work->survey;
    struct results_run run;
    struct work_options options = {
        .queue = work->queue,
        .spool = &work->spool,
        .plan = &work->run.plan,
        .run = &run,
        .token = work->token,
        .command = work->words,
        .status_refused = CLI_DATA,
        .status_busy = CLI_NO,
        .slots = (unsigned)work->slots,
        .rate = share_of(work, survey->rate),
        .idle_ms = work->idle_s * 1000,
    };
    bool done;

    survey_queue_run_of(&run, &work->run.plan);
    run.helo = survey->run.helo;
    survey_queue_token(work->token);
    make_command(work);
    if (arena_failed(survey->arena)) {
        fputs("mxcrypt: no memory\n", stderr);
        return CLI_INTERNAL;
    }
    done = work_all(&options);
    fprintf(stderr, "mxcrypt: %lld chunks were looked up here\n", (long long)options.chunks);
    return done ? CLI_OK : survey_queue_failed(work->queue);
}

static int work_steps(struct work_command *work)
{
    struct survey_command *survey = &work->survey;
    int status = read_options(work);

    if (status == CLI_OK)
        status = survey_queue_spool(&work->spool, survey->cli);
    if (status == CLI_OK)
        status = survey_queue_run(&work->queue, &work->run, survey->cli);
    if (status != CLI_OK)
        return status;
    survey->cli->survey.no_dnssec = !work->run.plan.dnssec;
    survey->cli->survey.no_probe = !work->run.plan.probe;
    status = survey_set_prober(survey);
    if (status == CLI_OK && !survey_fit_files(survey))
        status = CLI_TEMP;
    if (status == CLI_OK)
        status = survey_look_at_own_side(survey);
    return status == CLI_OK ? work_on(work) : status;
}

int do_survey_work(struct cli *cli)
{
    struct work_command work = {.survey = {.cli = cli, .arena = arena_new(ARENA_MAX)}};
    int status = CLI_INTERNAL;

    if (work.survey.arena == NULL)
        fputs("mxcrypt: no memory\n", stderr);
    else
        status = work_steps(&work);
    queue_close(work.queue);
    arena_free(work.survey.arena);
    return status;
}

/* ---- chunk ---- */

/* Its kind, by the name of its file. */
static bool read_kind(const char *path, enum unit_kind *kind)
{
    char copy[PATH_MAX];
    struct results_chunk chunk;
    const char *name;
    size_t length, suffix = strlen(SPOOL_WORK);

    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        return false;
    name = basename(copy);
    length = strlen(name);
    if (length <= suffix || strcmp(name + length - suffix, SPOOL_WORK) != 0 ||
        !chunk_name_read(&chunk, name, length - suffix))
        return false;
    *kind = chunk.kind;
    return true;
}

static int open_chunk(struct survey_command *survey, const char *path)
{
    char error[RESULTS_ERROR_MAX];
    bool busy = results_is_written(path);

    survey->results = results_open(path, true, error);
    if (survey->results != NULL) {
        survey->run = *results_run(survey->results);
        survey->prober.dane = survey->run.verdict.dane;
        return CLI_OK;
    }
    fprintf(stderr, "mxcrypt: %s\n", error);
    return busy ? CLI_NO : CLI_DATA;
}

/* The name in EHLO is this machine's. */
static bool set_helo(struct survey_command *survey, const char *helo)
{
    struct results_run run = *results_run(survey->results);

    run.helo = helo;
    return results_set_run(survey->results, &run) && results_commit(survey->results);
}

static int look_chunk_up(struct survey_command *survey, enum unit_kind kind)
{
    struct survey_options options;
    char why[RESULTS_ERROR_MAX];

    if (!set_helo(survey, survey->prober.probes.smtp.helo_name) ||
        !results_set_filter(survey->results, &survey->prober.filter) ||
        !results_commit(survey->results)) {
        fprintf(stderr, "mxcrypt: %s\n", results_error(survey->results));
        return CLI_CANNOT_WRITE;
    }
    survey_set_options(survey, &options);
    options.part = (int)kind;
    options.each = kind == UNIT_ADDRESS;
    signal(SIGPIPE, SIG_IGN);
    switch (survey_run(survey->results, &options, why)) {
    case SURVEY_DONE:
        break;
    case SURVEY_STOPPED:
        return CLI_TEMP;
    case SURVEY_NO_RESOLVER:
    case SURVEY_FAILED:
        fprintf(stderr, "mxcrypt: %s\n", why);
        return CLI_TEMP;
    }
    return results_chunk_is_done(survey->results, kind) && results_one_file(survey->results)
               ? CLI_OK
               : CLI_TEMP;
}

static int chunk_steps(struct survey_command *survey)
{
    const char *path = survey->cli->words[0];
    enum unit_kind kind;
    int status;

    if (!read_kind(path, &kind)) {
        fprintf(stderr, "mxcrypt: %s: no name of a chunk that is being looked up\n", path);
        return CLI_USAGE;
    }
    if (!survey_read_numbers(survey))
        return CLI_USAGE;
    status = survey_set_prober(survey);
    if (status == CLI_OK)
        status = open_chunk(survey, path);
    if (status != CLI_OK)
        return status;
    survey->quiet = true;
    survey->cli->survey.no_dnssec = !survey->run.dnssec;
    if (!survey_fit_files(survey))
        return CLI_TEMP;
    status = survey_look_at_own_side(survey);
    return status == CLI_OK ? look_chunk_up(survey, kind) : CLI_TEMP;
}

int do_survey_chunk(struct cli *cli)
{
    struct survey_command survey = {.cli = cli, .arena = arena_new(ARENA_MAX)};
    int status = CLI_INTERNAL;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would take what comes */
    if (survey.arena == NULL)
        fputs("mxcrypt: no memory\n", stderr);
    else
        status = chunk_steps(&survey);
    if (!results_close(survey.results) && status == CLI_OK)
        status = CLI_TEMP;
    arena_free(survey.arena);
    return status;
}
