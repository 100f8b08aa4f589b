/* client: one request to the daemon's control socket, waiting for its answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/net/stream.h"

#define ANSWER_MAX     (64 * 1024 * 1024)
#define ANSWER_SLACK_S 10 /* beyond the job-deadline */

static int complain(const char *what, const char *path)
{
    int why = errno;

    fprintf(stderr, "mxcrypt: %s %s: %s\n", what, path, strerror(why));
    if (why == ENOENT || why == ECONNREFUSED)
        fputs("mxcrypt: is mxcryptd running? --fresh and probe work without it\n", stderr);
    else if (why == EACCES)
        fputs(
            "mxcrypt: the socket is for root and mxcryptd's user: sudo mxcrypt; --fresh and probe "
            "work without it\n",
            stderr);
    return -1;
}

static json_t *parse_answer(const struct buf *line, int *status)
{
    json_error_t error;
    json_t *answer = json_loadb(buf_text(line), line->length, 0, &error);
    const char *refusal = json_string_value(json_object_get(answer, "error"));

    if (answer == NULL)
        fprintf(stderr, "mxcrypt: the daemon's answer makes no sense: %s\n", error.text);
    if (refusal == NULL)
        return answer;
    *status = CLI_NO;
    fprintf(stderr, "mxcrypt: %s\n", refusal);
    json_decref(answer);
    return NULL;
}

int client_open(const struct cli *cli)
{
    const char *path = cli->config.control_socket;
    int fd = stream_connect_path(path, cli->config.job_deadline_ms / 1000 + ANSWER_SLACK_S);

    return fd >= 0 ? fd : complain("cannot reach", path);
}

/* Takes the reference; the exit status. */
static int send_request(const struct cli *cli, int fd, json_t *request)
{
    char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    int status = CLI_OK;

    json_decref(request);
    if (text == NULL) {
        fputs("mxcrypt: the key is not valid UTF-8\n", stderr);
        status = CLI_USAGE;
    } else if (!stream_send(fd, text, strlen(text)) || !stream_send(fd, "\n", 1)) {
        complain("no answer from", cli->config.control_socket);
        status = CLI_NO_DAEMON;
    }
    free(text);
    return status;
}

/* The next line of an answer; NULL after a message with the exit status. */
static json_t *next_line(const struct cli *cli, struct stream_reader *reader, int *status)
{
    json_t *answer = NULL;
    struct buf line;

    buf_init(&line, ANSWER_MAX);
    *status = CLI_NO_DAEMON;
    if (stream_next(reader, &line, '\n'))
        answer = parse_answer(&line, status);
    else
        complain("no answer from", cli->config.control_socket);
    buf_fini(&line);
    if (answer != NULL)
        *status = CLI_OK;
    return answer;
}

json_t *client_ask_on(const struct cli *cli, int fd, json_t *request, int *status)
{
    struct stream_reader reader = {.fd = fd};

    *status = send_request(cli, fd, request);
    return *status == CLI_OK ? next_line(cli, &reader, status) : NULL;
}

json_t *client_ask(const struct cli *cli, json_t *request, int *status)
{
    int fd = client_open(cli);
    json_t *answer = NULL;

    if (fd < 0) {
        json_decref(request);
        *status = CLI_NO_DAEMON;
        return NULL;
    }
    answer = client_ask_on(cli, fd, request, status);
    close(fd);
    return answer;
}

json_t *client_request(const char *command, const char *key)
{
    return json_pack("{s:s, s:s*}", "command", command, "key", key);
}

int client_show(const struct cli *cli, json_t *request, client_printer print, const char *member)
{
    int status;
    json_t *answer = client_ask(cli, request, &status);

    if (answer == NULL)
        return status;
    if (cli->json)
        print_json(answer);
    else
        print(answer);
    status = member == NULL || json_is_true(json_object_get(answer, member)) ? CLI_OK : CLI_NO;
    json_decref(answer);
    return status;
}

int client_pages(const struct cli *cli, json_t *request, client_page_taker take, void *context)
{
    json_t *page, *next;
    int status;

    while ((page = client_ask(cli, json_copy(request), &status)) != NULL) {
        status = CLI_OK;
        take(context, page);
        next = json_incref(json_object_get(page, "next"));
        json_decref(page);
        if (!json_is_string(next) && !json_is_integer(next)) {
            json_decref(next);
            break;
        }
        json_object_set_new(request, "after", next);
    }
    json_decref(request);
    return status;
}

struct listing {
    const char *member;
    client_printer print;
    json_t *all; /* for --json */
    size_t count;
};

static void take_page(void *context, const json_t *page)
{
    struct listing *listing = context;
    json_t *line;
    size_t i;

    json_array_foreach(json_object_get(page, listing->member), i, line)
    {
        listing->count++;
        if (listing->all != NULL)
            json_array_append(listing->all, line);
        else
            listing->print(line);
    }
}

int client_list(const struct cli *cli, const char *command, const char *member,
                client_printer print, size_t *count)
{
    struct listing listing = {member, print, cli->json ? json_array() : NULL, 0};
    int status = client_pages(cli, client_request(command, NULL), take_page, &listing);

    if (listing.all != NULL && status == CLI_OK)
        print_json(listing.all);
    json_decref(listing.all);
    *count = listing.count;
    return status;
}

json_t *client_lines_on(const struct cli *cli, int fd, json_t *request, json_t *lines, int *status)
{
    struct stream_reader reader = {.fd = fd};
    json_t *part = NULL;
    bool more = true;

    *status = send_request(cli, fd, request);
    while (*status == CLI_OK && more) {
        json_decref(part);
        part = next_line(cli, &reader, status);
        more = json_is_true(json_object_get(part, "more"));
        json_array_extend(lines, json_object_get(part, "lines"));
        json_object_del(part, "lines");
    }
    return part;
}

json_t *client_lines(const struct cli *cli, json_t *request, json_t *lines, int *status)
{
    int fd = client_open(cli);
    json_t *totals;

    if (fd < 0) {
        json_decref(request);
        *status = CLI_NO_DAEMON;
        return NULL;
    }
    totals = client_lines_on(cli, fd, request, lines, status);
    close(fd);
    return totals;
}
