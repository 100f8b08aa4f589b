/* client: one request to the daemon's control socket, waiting for its answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/cli.h"

#define ANSWER_MAX     (64 * 1024 * 1024)
#define ANSWER_SLACK_S 10 /* beyond the job-deadline */

static int complain(const char *what, const char *path)
{
    fprintf(stderr, "mxcrypt: %s %s: %s\n", what, path, strerror(errno));
    if (errno == ENOENT || errno == ECONNREFUSED)
        fputs("mxcrypt: is mxcryptd running? --fresh and probe work without it\n", stderr);
    return -1;
}

static int connect_to(const char *path, int64_t wait_ms)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = (time_t)(wait_ms / 1000 + ANSWER_SLACK_S)};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return complain("socket for", path);
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    complain("cannot reach", path);
    close(fd);
    return -1;
}

static bool send_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        length -= (size_t)n;
    }
    return true;
}

/* Reads up to and without the line's end. */
static bool read_line(int fd, struct buf *line)
{
    char part[65536];

    for (;;) {
        ssize_t n = recv(fd, part, sizeof part, 0);
        char *end;

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ECONNRESET;
        if (n <= 0)
            return false;
        end = memchr(part, '\n', (size_t)n);
        buf_add(line, part, end == NULL ? (size_t)n : (size_t)(end - part));
        if (line->failed)
            errno = EMSGSIZE;
        if (end != NULL || line->failed)
            return !line->failed;
    }
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
    return connect_to(cli->config.control_socket, cli->config.job_deadline_ms);
}

json_t *client_ask_on(const struct cli *cli, int fd, json_t *request, int *status)
{
    char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    json_t *answer = NULL;
    struct buf line;

    json_decref(request);
    buf_init(&line, ANSWER_MAX);
    *status = text == NULL ? CLI_USAGE : CLI_NO_DAEMON;
    if (text == NULL)
        fputs("mxcrypt: the key is not valid UTF-8\n", stderr);
    else if (send_all(fd, text, strlen(text)) && send_all(fd, "\n", 1) && read_line(fd, &line))
        answer = parse_answer(&line, status);
    else
        complain("no answer from", cli->config.control_socket);
    free(text);
    buf_fini(&line);
    return answer;
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
