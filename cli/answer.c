/* answer: members of an answer, and showing one; see cli.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

const char *string_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

bool is_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

void print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
}

int cli_show(const struct cli *cli, json_t *answer, cli_printer *print, cli_judge *exit_of)
{
    int status = exit_of == NULL ? CLI_OK : exit_of(answer);

    if (cli->json)
        print_json(answer);
    else
        print(answer);
    json_decref(answer);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "mxcrypt: cannot write standard output: %s\n", strerror(errno));
    return CLI_CANNOT_WRITE;
}
