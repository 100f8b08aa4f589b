/* judge_queue: what waits in the queue of the Postfix on this host, read from `postqueue -j` as it
 * comes; see judge.h. */
#include <stdio.h>
#include <stdlib.h>

#include "audit/queue.h"
#include "cli/judge.h"
#include "cli/postfix/postfix.h"

#define QUEUE_OCTETS_MAX  ((uint64_t)4 * 1024 * 1024 * 1024)
#define QUEUE_DEADLINE_MS (INT64_C(600) * 1000) /* a disk reads a queue of a million in that */
#define FAULTS_SHOWN      5

/* ---- reading ---- */

struct queue_reading {
    struct queue *queue;
    struct buf line;
    uint64_t octets, lines, faults;
};

static void take_queue_line(struct queue_reading *reading, const char *line, size_t length,
                            bool too_long)
{
    const char *fault = too_long ? "it is too long" : queue_take_line(reading->queue, line, length);

    reading->lines++;
    if (fault == NULL)
        return;
    if (++reading->faults <= FAULTS_SHOWN)
        fprintf(stderr, "mxcrypt: line %llu of postqueue -j is left out: %s\n",
                (unsigned long long)reading->lines, fault);
}

/* A part of the output; false when it is too much in all. */
static bool take_queue_part(void *context, const char *text, size_t length)
{
    struct queue_reading *reading = context;
    const char *end;

    reading->octets += length;
    while (length > 0 && (end = memchr(text, '\n', length)) != NULL) {
        size_t step = (size_t)(end - text);

        buf_add(&reading->line, text, step);
        take_queue_line(reading, buf_text(&reading->line), reading->line.length,
                        reading->line.failed);
        buf_clear(&reading->line);
        text += step + 1;
        length -= step + 1;
    }
    buf_add(&reading->line, text, length);
    return reading->octets <= QUEUE_OCTETS_MAX;
}

static int read_queue(const struct cli *cli, struct queue *queue)
{
    const char *words[] = {"postqueue", "-j", NULL, NULL, NULL};
    struct queue_reading reading = {.queue = queue};
    char error[POSTFIX_ERROR_MAX];
    int status;

    if (cli->postfix_directory != NULL) {
        words[2] = "-c";
        words[3] = cli->postfix_directory;
    }
    buf_init(&reading.line, QUEUE_LINE_MAX);
    status = postfix_stream(words, QUEUE_DEADLINE_MS, take_queue_part, &reading, error);
    if (reading.line.length > 0 || reading.line.failed)
        take_queue_line(&reading, buf_text(&reading.line), reading.line.length,
                        reading.line.failed);
    buf_fini(&reading.line);
    if (reading.faults > FAULTS_SHOWN)
        fprintf(stderr, "mxcrypt: and %llu lines more\n",
                (unsigned long long)(reading.faults - FAULTS_SHOWN));
    if (status == 0)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: the queue could not be read: %s\n",
            error[0] == '\0' ? "postqueue fails without a word" : error);
    return CLI_INTERNAL;
}

/* ---- explaining ---- */

/* The domains that wait, each once. */
struct explaining {
    struct judged *judged;
    json_t *sentences;  /* by domain; null: not known yet */
    const char **names; /* of those that are asked for: keys of `sentences` */
    size_t count;
};

static void explain(struct explaining *explaining, const char *name, const char *answer,
                    const char *why)
{
    json_object_set_new(explaining->sentences, name, json_sprintf("%s: %s", answer, why));
}

static void take_sentence(void *context, size_t index, const json_t *line)
{
    struct explaining *explaining = context;
    const json_t *told = json_object_get(line, "told");

    explain(explaining, explaining->names[index], string_of(told, "answer"),
            string_of(told, "why"));
}

/* Uses the verdicts of the log, and leaves the other domains in `names`. */
static void explain_judged(struct explaining *explaining, const struct tally *tally)
{
    const struct judged *judged = explaining->judged;
    const char *name;
    json_t *sentence;

    for (uint32_t i = 1; judged->asked && i < tally->domain_count; i++)
        if (judged->domains[i].known &&
            json_object_get(explaining->sentences, tally->domains[i].name) != NULL)
            explain(explaining, tally->domains[i].name, judged->domains[i].answer,
                    judged->domains[i].why);
    json_object_foreach(explaining->sentences, name, sentence)
    {
        if (json_is_null(sentence))
            explaining->names[explaining->count++] = name;
    }
}

static int explain_waiting(struct cli *cli, struct judged *judged, const struct tally *tally)
{
    struct explaining explaining = {.judged = judged, .sentences = json_object()};
    int status = CLI_INTERNAL;

    for (size_t i = 0; i < judged->waiting_count; i++)
        json_object_set_new(explaining.sentences, judged->waiting[i].domain, json_null());
    explaining.names = calloc(judged->waiting_count + 1, sizeof *explaining.names);
    if (explaining.names != NULL) {
        explain_judged(&explaining, tally);
        status = explaining.count == 0 ? CLI_OK
                                       : judge_ask(cli, explaining.names, explaining.count, -1,
                                                   NULL, take_sentence, &explaining);
    }
    for (size_t i = 0; i < judged->waiting_count; i++)
        judged->waiting[i].why = arena_strdup(
            judged->arena,
            json_string_value(json_object_get(explaining.sentences, judged->waiting[i].domain)));
    free(explaining.names);
    json_decref(explaining.sentences);
    return status;
}

int judge_queue(struct cli *cli, struct judged *judged, const struct tally *tally)
{
    struct queue *queue = queue_new();
    int status = CLI_INTERNAL;

    if (queue != NULL)
        status = read_queue(cli, queue);
    if (status == CLI_OK && queue_give(queue, judged) != 0) {
        fputs("mxcrypt: no memory\n", stderr);
        status = CLI_INTERNAL;
    }
    if (status == CLI_OK)
        status = explain_waiting(cli, judged, tally);
    queue_free(queue);
    return status;
}
