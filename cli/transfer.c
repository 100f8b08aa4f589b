/* transfer: the commands that carry what the daemon remembers to another: export, import. See
 * mxcrypt(1). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cli/cli.h"

#define LINE_SIZE    (1024 * 1024 + 2) /* the longest line that the daemon takes */
#define BATCH_LINES  100
#define BATCH_OCTETS (256 * 1024)

/* ---- export ---- */

static void print_line(const json_t *json)
{
    json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
}

int do_export(struct cli *cli)
{
    static const char *const kinds[] = {"policy", "probe", "event", "answer"};
    json_t *line = json_pack("{s:s, s:i, s:I}", "type", "mxcrypt-export", "version", 1, "at",
                             (json_int_t)time(NULL));
    size_t all = 0, count;
    int status = CLI_OK;

    print_line(line);
    json_decref(line);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && status == CLI_OK; i++) {
        status = client_pages(cli, json_pack("{s:s, s:s}", "command", "export", "kind", kinds[i]),
                              "records", NULL, print_line, &count);
        all += count;
    }
    if (status != CLI_OK)
        return status;
    line = json_pack("{s:s, s:I}", "type", "end", "records", (json_int_t)all);
    print_line(line);
    json_decref(line);
    return fflush(stdout) == 0 ? CLI_OK : CLI_INTERNAL;
}

/* ---- import ---- */

/* NULL for a line with control octets: it is not JSON, and would be six times as long when sent. */
static json_t *line_json(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ' && line[i] != '\t' && line[i] != '\r')
            return NULL;
    return json_stringn(line, length);
}

/* Some lines as an array; *end after the last. A line that is not UTF-8 is sent as empty. */
static json_t *read_batch(FILE *file, bool *end)
{
    static char text[LINE_SIZE]; /* the daemon refuses a line that is longer */
    json_t *lines = json_array(), *line;
    size_t octets = 0;

    while (json_array_size(lines) < BATCH_LINES && octets < BATCH_OCTETS) {
        ssize_t length = file_line(text, sizeof text, file);

        if (length < 0) {
            *end = true;
            break;
        }
        octets += (size_t)length;
        line = line_json(text, (size_t)length);
        json_array_append_new(lines, line != NULL ? line : json_string(""));
    }
    return lines;
}

/* Sends it all, until the daemon refuses the rest. The last answer has the totals; NULL when there
 * was none. */
static json_t *send_lines(struct cli *cli, FILE *file, int *status)
{
    json_t *totals = NULL, *answer;
    const json_t *refusal;
    bool end = false;
    size_t i;

    while (!end && !is_true(totals, "failed")) {
        json_t *lines = read_batch(file, &end);

        answer = client_ask(
            cli, json_pack("{s:s, s:o, s:b}", "command", "import", "lines", lines, "end", (int)end),
            status);
        if (answer == NULL)
            break;
        json_array_foreach(json_object_get(answer, "refusals"), i, refusal) fprintf(
            stderr, "line %lld: %s\n", number_of(refusal, "line"), string_of(refusal, "why"));
        json_decref(totals);
        totals = answer;
    }
    return totals;
}

static int import_from(struct cli *cli, FILE *file)
{
    int status;
    json_t *totals = send_lines(cli, file, &status), *json;
    long long imported = number_of(totals, "restored"), known = number_of(totals, "known");
    long long refused = number_of(totals, "refused");
    const char *incomplete = string_of(totals, "incomplete");

    if (cli->json) {
        json = json_pack("{s:I, s:I, s:I}", "imported", (json_int_t)imported, "known",
                         (json_int_t)known, "refused", (json_int_t)refused);
        print_json(json);
        json_decref(json);
    } else {
        printf("imported %lld, known already %lld, refused %lld\n", imported, known, refused);
    }
    if (*incomplete != '\0')
        fprintf(stderr, "mxcrypt: %s\n", incomplete);
    if (status == CLI_OK && (is_true(totals, "failed") || *incomplete != '\0'))
        status = CLI_DATA;
    else if (status == CLI_OK && refused > 0)
        status = CLI_NO;
    json_decref(totals);
    return status;
}

int do_import(struct cli *cli)
{
    bool from_stdin = strcmp(cli->words[0], "-") == 0;
    FILE *file = from_stdin ? stdin : fopen(cli->words[0], "r");
    int status;

    if (file == NULL) {
        fprintf(stderr, "mxcrypt: cannot read %s\n", cli->words[0]);
        return CLI_DATA;
    }
    status = client_open(cli);
    if (status == CLI_OK)
        status = import_from(cli, file);
    if (!from_stdin)
        fclose(file);
    return status;
}
