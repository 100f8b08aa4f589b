/* doctor_ask: one question to mxcryptd, at its control socket or as a client of a policy listener would
 * ask; see doctor_gather.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/doctor/doctor_gather.h"
#include "cli/net/stream.h"

#define REPLY_MAX  4096
#define ANSWER_MAX ((size_t)16 * 1024 * 1024)

/* ---- what came of it ---- */

void doctor_good(struct doctor_try *out)
{
    *out = (struct doctor_try){.state = DOCTOR_GOOD};
}

void doctor_bad(struct doctor_try *out, int error, const char *what)
{
    *out = (struct doctor_try){.state = DOCTOR_BAD, .error = error};
    if (error == 0)
        snprintf(out->why, sizeof out->why, "%s", what);
    else
        snprintf(out->why, sizeof out->why, "%s: %s", what, strerror(error));
}

void doctor_not_tried(struct doctor_try *out, const char *why)
{
    *out = (struct doctor_try){.state = DOCTOR_NOT_TRIED};
    snprintf(out->why, sizeof out->why, "%s", why);
}

/* The end of SO_RCVTIMEO and SO_SNDTIMEO shows as EAGAIN, or EINPROGRESS of connect. */
static void bad_wait(struct doctor_try *out, const char *what)
{
    bool over = errno == EAGAIN || errno == EINPROGRESS;

    doctor_bad(out, over ? ETIMEDOUT : errno, what);
}

int64_t doctor_wait_s(const struct doctor_facts *facts)
{
    int64_t left_ms;

    if (facts->end_ms == 0)
        return DOCTOR_TRY_S;
    left_ms = facts->end_ms - clock_monotonic_ms();
    return left_ms <= 0 ? 0 : (left_ms + 999) / 1000;
}

/* ---- the control socket ---- */

json_t *doctor_ask(struct doctor_try *out, const struct doctor_facts *facts, const char *command,
                   const char *key)
{
    json_t *request = json_pack("{s:s, s:s*}", "command", command, "key", key), *answer = NULL;
    const char *path = facts->config->control_socket;
    int64_t wait_s = doctor_wait_s(facts);
    char *text = request == NULL || wait_s == 0 ? NULL : json_dumps(request, JSON_COMPACT);
    struct stream_reader reader = {.fd = text == NULL ? -1 : stream_connect_path(path, wait_s),
                                   .end_ms = clock_monotonic_ms() + wait_s * 1000};
    struct buf line;

    buf_init(&line, ANSWER_MAX);
    if (wait_s == 0)
        doctor_not_tried(out, "no time was left");
    else if (reader.fd < 0)
        bad_wait(out, "connect");
    else if (!stream_send(reader.fd, text, strlen(text)) || !stream_send(reader.fd, "\n", 1) ||
             !stream_next(&reader, &line, '\n'))
        bad_wait(out, "no answer");
    else {
        answer = json_loadb(buf_text(&line), line.length, 0, NULL);
        if (json_is_object(answer))
            doctor_good(out);
        else
            doctor_bad(out, 0, "what answers there is not mxcryptd");
    }
    if (reader.fd >= 0)
        close(reader.fd);
    buf_fini(&line);
    free(text);
    json_decref(request);
    return answer;
}

/* ---- policy listeners ---- */

/* How a protocol asks for DOCTOR_KEY, and how an answer begins. */
static const struct form {
    const char *before, *behind; /* of the key; NULL: the name of the map is before it */
    bool netstring;              /* around all of it */
    const char *answers[2];
} forms[LISTEN_KINDS] = {
    [LISTEN_SOCKETMAP] = {NULL, "", true, {"NOTFOUND ", "OK "}},
    [LISTEN_TCP_TABLE] = {"get ", "\n", false, {"500 ", "200 "}},
    [LISTEN_EXIM] = {"exim1 ", "\n", false, {"level=notfound"}},
};

bool doctor_ask_listener(struct doctor_try *out, struct buf *reply,
                         const struct doctor_question *question)
{
    const struct form *form = &forms[question->protocol];
    struct stream_reader reader = {.fd = question->fd,
                                   .end_ms = clock_monotonic_ms() + question->wait_s * 1000};
    struct buf request;
    bool done;

    if (form->behind == NULL) {
        doctor_not_tried(out, "its protocol is not one that is asked here");
        return false;
    }
    buf_init(&request, REPLY_MAX);
    if (form->netstring)
        buf_addf(&request, "%zu:%s " DOCTOR_KEY ",", strlen(question->map) + 1 + strlen(DOCTOR_KEY),
                 question->map);
    else
        buf_addf(&request, "%s" DOCTOR_KEY "%s", form->before, form->behind);
    done = stream_send(question->fd, buf_text(&request), request.length) &&
           (!form->netstring || stream_next(&reader, reply, ':'));
    buf_clear(reply); /* of the netstring's length */
    done = done && stream_next(&reader, reply, form->netstring ? ',' : '\n');
    if (!done)
        bad_wait(out, "no answer");
    buf_fini(&request);
    return done;
}

void doctor_not_ours(struct doctor_try *out, const char *reply)
{
    char what[DOCTOR_WHY_MAX];

    snprintf(what, sizeof what, "it answers \"%.100s\"", reply);
    doctor_bad(out, 0, what);
}

void doctor_ask_policy(struct doctor_try *out, const struct doctor_question *question)
{
    const struct form *form = &forms[question->protocol];
    struct buf reply;
    bool ours = false;

    buf_init(&reply, REPLY_MAX);
    if (doctor_ask_listener(out, &reply, question)) {
        for (size_t i = 0; i < sizeof form->answers / sizeof form->answers[0]; i++)
            ours = ours || (form->answers[i] != NULL && strncmp(buf_text(&reply), form->answers[i],
                                                                strlen(form->answers[i])) == 0);
        if (ours)
            doctor_good(out);
        else
            doctor_not_ours(out, buf_text(&reply));
    }
    buf_fini(&reply);
}

static const char *name_of(struct arena *arena, const struct listen_address *listen)
{
    const struct listen_kind *kind = &listen_kinds[listen->protocol];
    char text[IP_TEXT_MAX];

    if (listen->path != NULL)
        return arena_printf(arena, "%s%s", kind->unix_prefix, listen->path);
    ip_text(&listen->ip, text);
    return arena_printf(arena, listen->ip.family == 6 ? "%s[%s]:%u" : "%s%s:%u", kind->tcp_prefix,
                        text, (unsigned)listen->port);
}

/* 0.0.0.0 or :: is connected to as well as any address: Linux takes it for loopback. */
static void ask_listener(struct doctor_try *out, const struct listen_address *listen,
                         int64_t wait_s)
{
    int fd;

    if (wait_s == 0) {
        doctor_not_tried(out, "no time was left");
        return;
    }
    fd = listen->path != NULL ? stream_connect_path(listen->path, wait_s)
                              : stream_connect_ip(&listen->ip, listen->port, wait_s);
    if (fd < 0) {
        bad_wait(out, "connect");
        return;
    }
    doctor_ask_policy(out, &(struct doctor_question){fd, listen->protocol, "policy", wait_s});
    close(fd);
}

void doctor_gather_listeners(struct doctor_facts *facts)
{
    const struct config *config = facts->config;

    facts->listeners =
        arena_array(facts->arena, config->listen_count + 1, sizeof *facts->listeners);
    for (size_t i = 0; i < config->listen_count && facts->listeners != NULL; i++) {
        struct doctor_listener *listener = &facts->listeners[facts->listener_count++];

        listener->name = name_of(facts->arena, &config->listen[i]);
        ask_listener(&listener->tried, &config->listen[i], doctor_wait_s(facts));
    }
}
