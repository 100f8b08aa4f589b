/* list_look: see list_look.h. */
#include "cli/list/list_look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/survey/cli_survey.h"

#define SURVEY_AGE_MAX_S (7 * 86400)

int list_look_begin(struct list_look *look)
{
    const char *folder = getenv("TMPDIR");

    *look = (struct list_look){0};
    if (folder == NULL || *folder != '/' || strlen(folder) > LIST_LOOK_PATH_MAX - 32)
        folder = "/tmp";
    snprintf(look->folder, sizeof look->folder, "%s/mxcrypt-list-XXXXXX", folder);
    if (mkdtemp(look->folder) == NULL) {
        fprintf(stderr, "mxcrypt: %s: %s\n", folder, strerror(errno));
        look->folder[0] = '\0';
        return CLI_CANNOT_WRITE;
    }
    snprintf(look->names, sizeof look->names, "%s/names", look->folder);
    snprintf(look->file, sizeof look->file, "%s/results.db", look->folder);
    return CLI_OK;
}

int list_look_up(struct list_look *look, const struct cli *cli, const char *path)
{
    char *words[] = {(char *)(path == NULL ? look->names : path), NULL};
    struct cli survey = *cli;
    int status;

    if (!cli->config.prober.probe) {
        fputs("mxcrypt: probe = no: without a look at its mail hosts no domain can be in a list\n",
              stderr);
        return CLI_USAGE;
    }
    survey.words = words;
    survey.survey = (struct cli_survey){.out = look->file,
                                        .rate = cli->survey.rate,
                                        .jobs = cli->survey.jobs,
                                        .opt_out = cli->survey.opt_out,
                                        .no_dnssec = cli->survey.no_dnssec,
                                        .passing = 1};
    status = do_survey_run(&survey);
    if (status != CLI_OK)
        return status;
    look->results = cli_survey_open(look->file);
    return look->results == NULL ? CLI_INTERNAL : CLI_OK;
}

/* Why a list cannot be made of it; NULL: it can. */
static const char *survey_fault(const struct results_run *run, int64_t now_s)
{
    if (run->ended == 0)
        return "the survey is not finished";
    if (!run->verdict.probe)
        return "the survey has connected to no mail host";
    if (now_s - run->ended > SURVEY_AGE_MAX_S)
        return "the survey is more than a week old: it does not say what the domains do now";
    return NULL;
}

int list_look_take(struct list_look *look, const char *path)
{
    const char *why;

    look->results = cli_survey_open(path);
    if (look->results == NULL)
        return CLI_DATA;
    why = survey_fault(results_run(look->results), clock_wall_s());
    if (why != NULL)
        fprintf(stderr, "mxcrypt: %s: %s\n", path, why);
    return why == NULL ? CLI_OK : CLI_DATA;
}

void list_look_end(struct list_look *look)
{
    results_close(look->results);
    look->results = NULL;
    if (look->folder[0] == '\0')
        return;
    results_remove(look->file);
    unlink(look->names);
    rmdir(look->folder);
    look->folder[0] = '\0';
}
