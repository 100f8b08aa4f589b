/*
 * survey_setup: what every command of a survey that looks something up does first: its numbers, its
 * prober, the files it may open, and a look at its own side.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/survey/survey_command.h"
#include "probe/start_uv.h"

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

bool survey_read_numbers(struct survey_command *survey)
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

/* The options of the survey's own prober: the daemon's, with less at a time. */
int survey_set_prober(struct survey_command *survey)
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
    if (check->remote && !survey->quiet)
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

int survey_look_at_own_side(struct survey_command *survey)
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
    if (!survey->cli->survey.no_probe && !survey->quiet)
        warn_of_name(&found);
    return CLI_OK;
}

/* ---- files ---- */

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
bool survey_fit_files(struct survey_command *survey)
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

/* ---- the survey ---- */

void survey_set_options(const struct survey_command *survey, struct survey_options *out)
{
    const struct probe_cache_options *probes = &survey->prober.probes;

    *out = (struct survey_options){
        .prober = &survey->prober,
        .manners = {.connections_max = probes->connections_max,
                    .prefix_max = probes->connections_prefix_max < PREFIX_MAX
                                      ? probes->connections_prefix_max
                                      : PREFIX_MAX,
                    .rate = (unsigned)survey->rate},
        .jobs = (unsigned)survey->jobs,
        .probe = survey->run.verdict.probe,
        .part = SURVEY_WHOLE,
    };
}
