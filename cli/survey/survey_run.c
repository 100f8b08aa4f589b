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
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/survey/survey_command.h"
#include "probe/start_uv.h"

#define ARENA_MAX     ((size_t)64 * 1024 * 1024)
#define RATE_DEFAULT  100 /* connections to mail hosts a second */
#define RATE_MAX      1000000
#define SAMPLE_MAX    1000000000
#define SHARDS_MAX    1000
#define PREFIX_MAX    5 /* connections to one prefix at a time */
#define FILES_RESERVE 256
#define FILES_OWN     40  /* of the process: the results file, the list, the coordinator's loop */
#define FILES_JOB     20  /* of a worker, beside its lookups */
#define FILES_LEAST   40  /* for lookups and connections */
#define REPEAT_MIN_MS 100 /* before a question is repeated */

/* ---- options ---- */

/* "I/N", I from 1 to N; false after a message. */
static bool read_shard(struct survey_command *survey, const char *text)
{
    char *end = NULL;

    survey->shard = survey->shards = 1;
    if (text == NULL)
        return true;
    survey->shard = strtol(text, &end, 10);
    if (end != text && *end == '/')
        survey->shards = strtol(end + 1, &end, 10);
    if (*end == '\0' && survey->shards >= 1 && survey->shards <= SHARDS_MAX && survey->shard >= 1 &&
        survey->shard <= survey->shards)
        return true;
    fprintf(stderr, "mxcrypt: --shard must be I/N, I from 1 to N, N up to %d: %s\n", SHARDS_MAX,
            text);
    return false;
}

static long processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count < 1 ? 1 : count > SURVEY_JOBS_MAX ? SURVEY_JOBS_MAX : count;
}

static bool read_numbers(struct survey_command *survey)
{
    const struct cli_survey *given = &survey->cli->survey;

    survey->rate = RATE_DEFAULT;
    survey->jobs = processors();
    survey->seed = 1;
    return cli_number(&survey->rate, "--rate", given->rate, 0, RATE_MAX) &&
           cli_number(&survey->jobs, "--jobs", given->jobs, 1, SURVEY_JOBS_MAX) &&
           cli_number(&survey->sample, "--sample", given->sample, 1, SAMPLE_MAX) &&
           cli_number(&survey->seed, "--seed", given->seed, 0, INT32_MAX) &&
           read_shard(survey, given->shard);
}

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
    else if (read_numbers(survey)) {
        survey->list = cli->words[0];
        return CLI_OK;
    }
    return CLI_USAGE;
}

/* The options of the survey's own prober: the daemon's, with less at a time. */
static int set_prober(struct survey_command *survey)
{
    const struct config *config = &survey->cli->config;
    struct prober_options *prober = &survey->prober;

    *prober = config->prober;
    prober->probe = false; /* the cache of results is not used: an address is asked once */
    prober->dane = config->prober.dane && !survey->cli->survey.no_dnssec;
    /* With so many questions some are lost; they are repeated sooner, for about as long in all. */
    if (prober->dns.timeout_ms >= 4 * REPEAT_MIN_MS) {
        prober->dns.timeout_ms /= 4;
        prober->dns.tries += 2;
    }
    prober->https.in_flight_max /= (unsigned)survey->jobs;
    if (prober->https.in_flight_max == 0)
        prober->https.in_flight_max = 1;
    return survey->cli->survey.opt_out == NULL
               ? CLI_OK
               : survey_opt_out(survey, survey->cli->survey.opt_out);
}

/* ---- one's own side ---- */

static int judge_resolver(const struct survey_command *survey, const struct dns_check *check)
{
    if (check->answer == DNS_CHECK_UNREACHABLE) {
        fprintf(stderr, "mxcrypt: the resolver %s does not answer: %s\n", check->servers,
                check->why);
        return CLI_TEMP;
    }
    if (check->remote)
        fprintf(stderr,
                "mxcrypt: warning: the resolver %s is not on this host: what DNSSEC proves can be "
                "forged on the way\n",
                check->servers);
    if (check->answer == DNS_CHECK_SECURE || survey->cli->survey.no_dnssec)
        return CLI_OK;
    fprintf(stderr,
            "mxcrypt: the resolver %s does not validate DNSSEC: its answer for the signed root has "
            "no AD bit, so that\n"
            "every domain would count as unsigned. Use a validating resolver, such as unbound on "
            "loopback (key resolver\n"
            "of mxcryptd.conf), or give --no-dnssec to leave DANE out of this survey.\n",
            check->servers);
    return CLI_USAGE;
}

static void warn_of_name(const struct start_findings *found)
{
    switch (found->name) {
    case START_NAME_OURS:
        return;
    case START_NAME_FOREIGN:
        fprintf(stderr,
                "mxcrypt: warning: mail hosts will be told the name %s, which leads to %s, no "
                "address of this host.\n"
                "Behind address translation that can be right; else set helo-name.\n",
                found->helo, found->leads_to);
        return;
    case START_NAME_NOWHERE:
        fprintf(stderr,
                "mxcrypt: warning: mail hosts will be told the name %s, for which the DNS has no "
                "address: some will\n"
                "refuse to talk. Set helo-name to a name that leads to this host.\n",
                found->helo);
        return;
    case START_NAME_MISSING:
        fputs("mxcrypt: warning: this host has no full name, so that mail hosts will be told its "
              "address: some will\n"
              "refuse to talk. Set helo-name.\n",
              stderr);
    }
}

static int look_at_own_side(struct survey_command *survey)
{
    struct start_findings found;
    const char *why;
    int status;

    if (start_look(&found, &survey->prober, &why) != 0) {
        fprintf(stderr, "mxcrypt: %s\n", why);
        return CLI_INTERNAL;
    }
    status = judge_resolver(survey, &found.resolver);
    if (status != CLI_OK)
        return status;
    survey->run.dnssec =
        found.resolver.answer == DNS_CHECK_SECURE && !survey->cli->survey.no_dnssec;
    survey->run.helo = found.helo[0] == '\0' ? NULL : arena_strdup(survey->arena, found.helo);
    survey->prober.probes.smtp.helo_name = survey->run.helo;
    if (!survey->cli->survey.no_probe)
        warn_of_name(&found);
    return CLI_OK;
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

/* Sockets: as many as the configuration lets a worker have. What the limit is then. */
static rlim_t raise_file_limit(const struct survey_command *survey)
{
    const struct prober_options *prober = &survey->prober;
    rlim_t wanted =
        (rlim_t)survey->jobs * (prober->dns.in_flight_max + 2 * prober->https.in_flight_max + 16) +
        prober->probes.connections_max + FILES_RESERVE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur >= wanted)
        return limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : wanted;
}

static void at_most(unsigned *number, rlim_t most)
{
    if (*number > most)
        *number = most == 0 ? 1 : (unsigned)most;
}

/* With fewer files than that there is less at a time: a connection for which there is no descriptor
 * says nothing about the host, and would count as if it had been tried. False after a message. */
static bool fit_files(struct survey_command *survey)
{
    struct prober_options *prober = &survey->prober;
    rlim_t limit = raise_file_limit(survey), own = FILES_OWN + FILES_JOB * (rlim_t)survey->jobs;

    if (limit < own + FILES_LEAST) {
        fprintf(stderr,
                "mxcrypt: only %ju files may be open, and %ld jobs need %ju: see ulimit, or give "
                "fewer --jobs\n",
                (uintmax_t)limit, survey->jobs, (uintmax_t)(own + FILES_LEAST));
        return false;
    }
    at_most(&prober->probes.connections_max, limit - own);
    at_most(&prober->https.in_flight_max, (limit - own) / 4 / (rlim_t)survey->jobs);
    at_most(&prober->dns.in_flight_max, (limit - own) / 2 / (rlim_t)survey->jobs);
    return true;
}

/* Who opted out is to be left alone by what comes next as well. */
static void say_how_to_go_on(const struct survey_command *survey)
{
    const char *opt_out = survey->cli->survey.opt_out;

    fprintf(stderr, "to go on: mxcrypt survey run --resume --out %s%s%s\n", survey->cli->survey.out,
            opt_out != NULL ? " --opt-out " : "", opt_out != NULL ? opt_out : "");
}

static int say_end(const struct survey_command *survey, enum survey_end end, const char *why)
{
    const char *out = survey->cli->survey.out;

    switch (end) {
    case SURVEY_DONE:
        fprintf(stderr, "mxcrypt: finished; mxcrypt survey report %s shows it\n", out);
        return CLI_OK;
    case SURVEY_STOPPED:
        fputs("mxcrypt: stopped; ", stderr);
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
    const struct probe_cache_options *probes = &survey->prober.probes;
    struct survey_display *display = survey_display_new(survey->arena);
    struct survey_options options = {
        .prober = &survey->prober,
        .manners = {.connections_max = probes->connections_max,
                    .prefix_max = probes->connections_prefix_max < PREFIX_MAX
                                      ? probes->connections_prefix_max
                                      : PREFIX_MAX,
                    .rate = (unsigned)survey->rate},
        .jobs = (unsigned)survey->jobs,
        .probe = survey->run.verdict.probe,
        .part = SURVEY_WHOLE,
        .progress = survey_display_show,
        .context = display,
    };
    char why[RESULTS_ERROR_MAX];
    enum survey_end end;

    if (display == NULL)
        return CLI_INTERNAL;
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
        status = set_prober(survey);
    if (status == CLI_OK && !fit_files(survey))
        status = CLI_TEMP;
    if (status == CLI_OK)
        status = look_at_own_side(survey);
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
