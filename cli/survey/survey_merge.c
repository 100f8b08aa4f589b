/* survey_merge: `mxcrypt survey merge`: several results files as one, with verdicts of what is known
 * in all of them together; see mxcrypt(1), SURVEY. */
#include <stdio.h>

#include "cli/cli.h"
#include "survey/decide.h"

static bool decide_all(struct results *results)
{
    int64_t after = 0;
    bool more = true;

    while (more)
        if (!decide_some(results, &after, &more) || !results_commit(results))
            return false;
    return results_finish(results, results_run(results)->ended);
}

int do_survey_merge(struct cli *cli)
{
    const char *const *paths = (const char *const *)cli->words + 1;
    char error[RESULTS_ERROR_MAX];
    struct results *results;
    size_t count = 0;
    int status = CLI_OK;
    bool unwritten;

    while (cli->words[0] != NULL && paths[count] != NULL)
        count++;
    if (count < 2) {
        fputs("mxcrypt: survey merge needs a new file and the results files to put in it\n",
              stderr);
        return CLI_USAGE;
    }
    results = results_merge(cli->words[0], paths, count, &unwritten, error);
    if (results == NULL) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        return unwritten ? CLI_CANNOT_WRITE : CLI_DATA;
    }
    if (!decide_all(results)) {
        fprintf(stderr, "mxcrypt: %s\n", results_error(results));
        status = CLI_CANNOT_WRITE;
    }
    if (!results_close(results))
        status = CLI_CANNOT_WRITE;
    if (status != CLI_OK)
        results_remove(cli->words[0]);
    return status;
}
