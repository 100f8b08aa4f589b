/* cli_survey: what the commands that read a results file share. */
#pragma once

#include "cli/cli.h"
#include "survey/page/survey_page.h"
#include "survey/results/results.h"

/* Opens a results file to read it; NULL after a message. */
struct results *cli_survey_open(const char *path);
/* Says what went wrong with it, and gives the exit status. */
int cli_survey_failed(const struct results *results);

/* A report or a difference of files that are open, as the options ask for it: text, JSON, HTML. */
struct cli_survey_sheet {
    struct results *results;
    const char *file, *old_file; /* old_file NULL: a report */
    const char *const *only;     /* figures; NULL: all */
    survey_writer *text, *html;  /* html NULL: there is none */
};
/* Reads the figures and writes them. The exit status. */
int cli_survey_write(const struct cli *cli, const struct cli_survey_sheet *sheet);
