/* option: values of options; see cli.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

bool cli_number(long *out, const char *option, const char *text, long least, long most)
{
    char *end;

    if (text == NULL)
        return true;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *out >= least && *out <= most)
        return true;
    fprintf(stderr, "mxcrypt: %s must be a number from %ld to %ld: %s\n", option, least, most,
            text);
    return false;
}
