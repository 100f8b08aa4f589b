/* transfer: the commands that carry what the daemon remembers to another: export, import. See
 * mxcrypt(1). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

static void take_records(void *context, const json_t *page)
{
    json_int_t *count = context;
    const json_t *record;
    size_t i;

    json_array_foreach(json_object_get(page, "records"), i, record)
    {
        print_line(record);
        ++*count;
    }
}

int do_export(struct cli *cli, char **words)
{
    static const char *const kinds[] = {"policy", "probe", "event", "answer"};
    json_t *line = json_pack("{s:s, s:i, s:I}", "type", "mxcrypt-export", "version", 1, "at",
                             (json_int_t)time(NULL));
    json_int_t count = 0;
    int status = CLI_OK;

    (void)words;
    print_line(line);
    json_decref(line);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && status == CLI_OK; i++)
        status = client_pages(cli, json_pack("{s:s, s:s}", "command", "export", "kind", kinds[i]),
                              take_records, &count);
    if (status != CLI_OK)
        return status;
    line = json_pack("{s:s, s:I}", "type", "end", "records", count);
    print_line(line);
    json_decref(line);
    return fflush(stdout) == 0 ? CLI_OK : CLI_INTERNAL;
}

/* ---- import ---- */

struct import {
    struct cli *cli;
    FILE *file;
    int fd;
    char *line;
    json_int_t restored, known, refused;
    bool failed; /* the daemon refuses the rest */
    char incomplete[128];
};

/* NULL for a line with control octets: it is not JSON, and would be six times as long when sent. */
static json_t *line_json(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ' && line[i] != '\t' && line[i] != '\r')
            return NULL;
    return json_stringn(line, length);
}

/* Some lines as an array; *end after the last. A line that is not UTF-8 is sent as empty. */
static json_t *read_batch(struct import *import, bool *end)
{
    json_t *lines = json_array();
    size_t octets = 0;

    while (json_array_size(lines) < BATCH_LINES && octets < BATCH_OCTETS) {
        /* the daemon refuses one that is longer than the room here */
        ssize_t length = file_line(import->line, LINE_SIZE, import->file);
        json_t *line;

        if (length < 0) {
            *end = true;
            break;
        }
        octets += (size_t)length;
        line = line_json(import->line, (size_t)length);
        json_array_append_new(lines, line != NULL ? line : json_string(""));
    }
    return lines;
}

static void take_result(struct import *import, const json_t *answer)
{
    const json_t *refusal;
    size_t i;

    json_array_foreach(json_object_get(answer, "refusals"), i, refusal)
    {
        fprintf(stderr, "line %lld: %s\n",
                (long long)json_integer_value(json_object_get(refusal, "line")),
                string_of(refusal, "why"));
    }
    import->restored = json_integer_value(json_object_get(answer, "restored"));
    import->known = json_integer_value(json_object_get(answer, "known"));
    import->refused = json_integer_value(json_object_get(answer, "refused"));
    import->failed = json_is_true(json_object_get(answer, "failed"));
    snprintf(import->incomplete, sizeof import->incomplete, "%s", string_of(answer, "incomplete"));
}

static int import_all(struct import *import)
{
    bool end = false;
    int status = CLI_OK;

    while (!end && !import->failed) {
        json_t *lines = read_batch(import, &end);
        json_t *answer = client_ask_on(
            import->cli, import->fd,
            json_pack("{s:s, s:o, s:b}", "command", "import", "lines", lines, "end", (int)end),
            &status);

        if (answer == NULL)
            return status;
        take_result(import, answer);
        json_decref(answer);
    }
    if (import->failed || *import->incomplete != '\0')
        return CLI_DATA;
    return import->refused > 0 ? CLI_NO : CLI_OK;
}

static void print_import(const struct import *import)
{
    json_t *json;

    if (!import->cli->json) {
        printf("imported %lld, known already %lld, refused %lld\n", (long long)import->restored,
               (long long)import->known, (long long)import->refused);
        return;
    }
    json = json_pack("{s:I, s:I, s:I}", "imported", import->restored, "known", import->known,
                     "refused", import->refused);
    print_json(json);
    json_decref(json);
}

static int import_from(struct import *import)
{
    int status;

    import->line = malloc(LINE_SIZE);
    import->fd = client_open(import->cli);
    if (import->line == NULL || import->fd < 0) {
        free(import->line);
        return CLI_NO_DAEMON;
    }
    status = import_all(import);
    print_import(import);
    if (*import->incomplete != '\0')
        fprintf(stderr, "mxcrypt: %s\n", import->incomplete);
    close(import->fd);
    free(import->line);
    return status;
}

int do_import(struct cli *cli, char **words)
{
    struct import import = {.cli = cli};
    bool from_stdin = strcmp(words[0], "-") == 0;
    int status;

    import.file = from_stdin ? stdin : fopen(words[0], "r");
    if (import.file == NULL) {
        fprintf(stderr, "mxcrypt: cannot read %s\n", words[0]);
        return CLI_DATA;
    }
    status = import_from(&import);
    if (!from_stdin)
        fclose(import.file);
    return status;
}
