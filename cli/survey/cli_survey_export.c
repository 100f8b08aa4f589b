/* cli_survey_export: `mxcrypt survey export`; see mxcrypt(1), SURVEY. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/survey/cli_survey.h"
#include "survey/page/survey_export.h"

/* False after a message. */
static bool take_format(enum survey_format *out, const char *text)
{
    *out = text == NULL || strcmp(text, "csv") == 0 ? SURVEY_CSV : SURVEY_JSONL;
    if (*out == SURVEY_CSV || strcmp(text, "jsonl") == 0)
        return true;
    fprintf(stderr, "mxcrypt: --format is csv or jsonl: %s\n", text);
    return false;
}

static int write_rows(struct results *results, const struct survey_table *table,
                      enum survey_format format)
{
    errno = 0;
    if (survey_export(stdout, results, table, format))
        return CLI_OK;
    if (!ferror(stdout) && *results_error(results) != '\0')
        return cli_survey_failed(results);
    fprintf(stderr, "mxcrypt: cannot write standard output: %s\n", strerror(errno));
    return CLI_CANNOT_WRITE;
}

int do_survey_export(struct cli *cli)
{
    const char *name = cli->words[1] == NULL ? "domains" : cli->words[1];
    const struct survey_table *table = survey_table_find(name);
    enum survey_format format;
    struct results *results;
    int status;

    if (table == NULL)
        fprintf(stderr, "mxcrypt: what is exported is domains, hosts or addresses: %s\n", name);
    if (table == NULL || !take_format(&format, cli->survey.format))
        return CLI_USAGE;
    results = cli_survey_open(cli->words[0]);
    status = results == NULL ? CLI_DATA : write_rows(results, table, format);
    results_close(results);
    return status;
}
