/* cli_survey_report: `mxcrypt survey report`, `diff` and `status`; see mxcrypt(1), SURVEY. */
#include "cli/survey/cli_survey.h"

#include <stdio.h>

int do_survey_report(struct cli *cli)
{
    struct cli_survey_sheet sheet = {.results = cli_survey_open(cli->words[0]),
                                     .file = cli->words[0],
                                     .text = survey_text,
                                     .html = survey_report_html};
    int status = sheet.results == NULL ? CLI_DATA : cli_survey_write(cli, &sheet);

    results_close(sheet.results);
    return status;
}

int do_survey_status(struct cli *cli)
{
    struct cli_survey_sheet sheet = {.results = cli_survey_open(cli->words[0]),
                                     .file = cli->words[0],
                                     .only = survey_status_figures,
                                     .text = survey_status_text};
    int status = sheet.results == NULL ? CLI_DATA : cli_survey_write(cli, &sheet);

    results_close(sheet.results);
    return status;
}

int do_survey_diff(struct cli *cli)
{
    struct cli_survey_sheet sheet = {.results = cli_survey_open(cli->words[1]),
                                     .file = cli->words[1],
                                     .old_file = cli->words[0],
                                     .text = survey_text,
                                     .html = survey_diff_html};
    char error[RESULTS_ERROR_MAX];
    int status = CLI_DATA;

    if (sheet.results != NULL && !results_attach(sheet.results, cli->words[0], "old", error))
        fprintf(stderr, "mxcrypt: %s\n", error);
    else if (sheet.results != NULL)
        status = cli_survey_write(cli, &sheet);
    results_close(sheet.results);
    return status;
}
