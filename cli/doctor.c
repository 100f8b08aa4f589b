/* doctor: `mxcrypt doctor` and `mxcrypt postfix-config`. */
#include "cli/cli.h"

int do_doctor(struct cli *cli, char **words)
{
    (void)cli;
    (void)words;
    return CLI_INTERNAL;
}

int do_postfix_config(struct cli *cli, char **words)
{
    (void)cli;
    (void)words;
    return CLI_INTERNAL;
}
