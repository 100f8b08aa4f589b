/* list_look: see list_look.h. */
#include "cli/list/list_look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/survey/cli_survey.h"

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

int list_look_take(struct list_look *look, const char *path)
{
    look->results = cli_survey_open(path);
    if (look->results == NULL)
        return CLI_DATA;
    if (results_run(look->results)->ended != 0 && results_run(look->results)->verdict.probe)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s: %s\n", path,
            results_run(look->results)->ended == 0 ? "the survey is not finished"
                                                   : "the survey has connected to no mail host");
    return CLI_DATA;
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
