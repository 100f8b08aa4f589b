/* client: asks the daemon at its control socket, and waits for the answers. All requests of a
 * command go over one connection. */
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

static int complain(const struct cli *cli, const char *what)
{
    int why = errno == EAGAIN ? ETIMEDOUT : errno; /* SO_RCVTIMEO's */

    fprintf(stderr, "mxcrypt: %s %s: %s\n", what, cli->config.control_socket, strerror(why));
    if (why == ENOENT || why == ECONNREFUSED)
        fputs("mxcrypt: is mxcryptd running? --fresh and probe work without it\n", stderr);
    else if (why == EACCES)
        fputs("mxcrypt: the socket is for root and mxcryptd's user: sudo mxcrypt; --fresh and "
              "probe work without it\n",
              stderr);
    return CLI_NO_DAEMON;
}

bool client_reach(struct cli *cli)
{
    if (cli->fd < 0)
        cli->fd = stream_connect_path(cli->config.control_socket,
                                      cli->config.job_deadline_ms / 1000 + ANSWER_SLACK_S);
    return cli->fd >= 0;
}

void client_leave(struct cli *cli)
{
    if (cli->fd >= 0)
        close(cli->fd);
    cli->fd = -1;
}

int client_open(struct cli *cli)
{
    return client_reach(cli) ? CLI_OK : complain(cli, "cannot reach");
}

/* Takes the reference; the exit status. */
static int send_request(struct cli *cli, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    int status = client_open(cli);

    json_decref(request);
    if (status == CLI_OK && text == NULL) {
        fputs("mxcrypt: the key is not valid UTF-8\n", stderr);
        status = CLI_USAGE;
    } else if (status == CLI_OK &&
               (!stream_send(cli->fd, text, strlen(text)) || !stream_send(cli->fd, "\n", 1))) {
        status = complain(cli, "no answer from");
    }
    free(text);
    return status;
}

/* The next line of an answer; NULL after a message with the exit status. */
static json_t *next_line(const struct cli *cli, struct stream_reader *reader, int *status)
{
    json_t *answer = NULL;
    const char *refusal;
    json_error_t error;
    struct buf line;

    buf_init(&line, ANSWER_MAX);
    *status = CLI_NO_DAEMON;
    if (!stream_next(reader, &line, '\n'))
        complain(cli, "no answer from");
    else if ((answer = json_loadb(buf_text(&line), line.length, 0, &error)) == NULL)
        fprintf(stderr, "mxcrypt: the daemon's answer makes no sense: %s\n", error.text);
    else
        *status = CLI_OK;
    buf_fini(&line);
    refusal = json_string_value(json_object_get(answer, "error"));
    if (refusal == NULL)
        return answer;
    *status = CLI_NO;
    fprintf(stderr, "mxcrypt: %s\n", refusal);
    json_decref(answer);
    return NULL;
}

json_t *client_each(struct cli *cli, json_t *request, client_taker *take, void *context,
                    int *status)
{
    struct stream_reader reader = {.begin = 0};
    json_t *part = NULL;
    const json_t *line;
    bool more = true;
    size_t i;

    *status = send_request(cli, request);
    reader.fd = cli->fd;
    while (*status == CLI_OK && more) {
        json_decref(part);
        part = next_line(cli, &reader, status);
        more = is_true(part, "more");
        json_array_foreach(json_object_get(part, "lines"), i, line) take(context, line);
        json_object_del(part, "lines");
    }
    return part;
}

static void add_to(void *context, const json_t *line)
{
    json_array_append(context, (json_t *)line);
}

json_t *client_lines(struct cli *cli, json_t *request, json_t *lines, int *status)
{
    return client_each(cli, request, add_to, lines, status);
}

json_t *client_ask(struct cli *cli, json_t *request, int *status)
{
    return client_lines(cli, request, NULL, status);
}

json_t *client_request(const char *command, const char *key)
{
    return json_pack("{s:s, s:s*}", "command", command, "key", key);
}

int client_show(struct cli *cli, json_t *request, cli_printer *print, cli_judge *exit_of)
{
    int status;
    json_t *answer = client_ask(cli, request, &status);

    return answer == NULL ? status : cli_show(cli, answer, print, exit_of);
}

int client_pages(struct cli *cli, json_t *request, const char *member, json_t *all,
                 cli_printer *print, size_t *count)
{
    bool of_key = json_object_get(request, "key") != NULL, more = true;
    json_t *page, *line, *next;
    int status = CLI_OK;
    size_t i;

    *count = 0;
    while (more) {
        page = client_ask(cli, json_copy(request), &status);
        json_array_foreach(json_object_get(page, member), i, line)
        {
            ++*count;
            if (all != NULL)
                json_array_append(all, line);
            else
                print(line);
        }
        next = json_object_get(page, "next");
        more = !of_key && (json_is_string(next) || json_is_integer(next));
        json_object_set(request, "after", next);
        json_decref(page);
    }
    json_decref(request);
    return status;
}
