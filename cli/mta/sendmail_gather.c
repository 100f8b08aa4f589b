/* sendmail_gather: runs Sendmail, reads its sendmail.cf and asks mxcryptd as Sendmail would; see
 * sendmail.h. The program is run without a shell, bounded in time and output. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/doctor/doctor_gather.h"
#include "cli/mta/sendmail.h"
#include "cli/net/stream.h"
#include "cli/postfix/postfix.h"

#define REPLY_MAX 4096

/* ---- the program and its file ---- */

static void ask_program(struct sendmail_facts *facts)
{
    const char *words[] = {facts->program == NULL ? "sendmail" : facts->program,
                           "-C/dev/null",
                           "-d0.14",
                           "-bv",
                           "root",
                           NULL};
    char error[POSTFIX_ERROR_MAX];
    struct buf out;

    buf_init(&out, SENDMAIL_OUTPUT_MAX);
    if (postfix_program(words, SENDMAIL_DEADLINE_MS, &out, error) < 0)
        facts->program_error = arena_strdup(facts->arena, error);
    else /* whatever its exit status: it is not given a configuration */
        sendmail_read_program(facts, buf_text(&out));
    buf_fini(&out);
}

static void read_file(struct sendmail_facts *facts)
{
    struct buf text;

    buf_init(&text, SENDMAIL_CF_MAX);
    if (file_read(&text, facts->cf) == 0) {
        sendmail_read_cf(facts, buf_text(&text));
    } else {
        facts->cf_forbidden = errno == EACCES && geteuid() != 0;
        facts->cf_error = arena_strdup(facts->arena, strerror(errno));
    }
    buf_fini(&text);
}

/* What is submitted on this host goes through it first. */
static void read_submit(struct sendmail_facts *facts)
{
    const char *end = strrchr(facts->cf, '/');
    const char *path = arena_printf(facts->arena, "%.*ssubmit.cf",
                                    end == NULL ? 0 : (int)(end + 1 - facts->cf), facts->cf);
    struct buf text;

    buf_init(&text, SENDMAIL_CF_MAX);
    if (path != NULL && file_read(&text, path) == 0)
        facts->submit = arena_strdup(facts->arena, buf_text(&text));
    buf_fini(&text);
}

static void try_anchors(struct sendmail_facts *facts)
{
    const char *file = sendmail_option(facts, "CACertFile");
    const char *path = sendmail_option(facts, "CACertPath");
    struct stat folder;

    if (file != NULL)
        doctor_try_ca_file(&facts->ca_file, file);
    facts->ca_path.state = DOCTOR_GOOD;
    if (path != NULL && (stat(path, &folder) != 0 || !S_ISDIR(folder.st_mode))) {
        facts->ca_path.state = DOCTOR_BAD;
        snprintf(facts->ca_path.why, sizeof facts->ca_path.why, "there is no such folder");
    }
}

/* ---- the socket ---- */

/* The first folder on the way to a socket that is everybody's to write to, other than one like /tmp,
 * where nobody removes what is another's. */
static void find_open_folder(struct sendmail_facts *facts, const char *path)
{
    char folder[4096];
    struct stat state;

    for (const char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/')) {
        int length = at == path ? 1 : (int)(at - path);

        if (snprintf(folder, sizeof folder, "%.*s", length, path) >= (int)sizeof folder)
            return;
        if (stat(folder, &state) == 0 && (state.st_mode & S_IWOTH) != 0 &&
            (state.st_mode & S_ISVTX) == 0) {
            facts->open_folder = arena_strdup(facts->arena, folder);
            return;
        }
    }
}

/* inet:PORT@ADDRESS, inet6:PORT@ADDRESS, unix:PATH, local:PATH. -1 with errno; EINVAL: none of them. */
static int connect_to(struct sendmail_facts *facts, const char *address)
{
    const char *rest = strchr(address, ':'), *host = strchr(address, '@');
    struct ip ip;
    long port = rest == NULL ? 0 : strtol(rest + 1, NULL, 10);

    errno = EINVAL;
    if (rest != NULL && (strncmp(address, "unix:", 5) == 0 || strncmp(address, "local:", 6) == 0)) {
        find_open_folder(facts, rest + 1);
        return stream_connect_path(rest + 1, DOCTOR_TRY_S);
    }
    if (strncmp(address, "inet", 4) != 0 || host == NULL || port <= 0 || port > UINT16_MAX ||
        !ip_parse(&ip, strcmp(host + 1, "localhost") == 0 ? "127.0.0.1" : host + 1))
        return -1;
    return stream_connect_ip(&ip, (uint16_t)port, DOCTOR_TRY_S);
}

/* Sendmail takes each status that it does not know for "not found". */
static bool reply_suits(enum sendmail_map map, const char *reply)
{
    return strncmp(reply, "OK ", 3) == 0 ||
           (map == SENDMAIL_MAP_STS && strncmp(reply, "NOTFOUND ", 9) == 0);
}

static void ask_map(struct sendmail_facts *facts, enum sendmail_map map)
{
    const struct doctor_question question = {connect_to(facts, facts->sockets[map].address),
                                             LISTEN_SOCKETMAP, sendmail_map_names[map],
                                             DOCTOR_TRY_S};
    struct doctor_try *out = &facts->answers[map];
    struct buf reply;

    if (question.fd < 0) {
        doctor_bad(out, errno, "connect");
        return;
    }
    buf_init(&reply, REPLY_MAX);
    if (doctor_ask_listener(out, &reply, &question)) {
        if (reply_suits(map, buf_text(&reply)))
            doctor_good(out);
        else
            doctor_not_ours(out, buf_text(&reply));
    }
    buf_fini(&reply);
    close(question.fd);
}

void sendmail_gather(struct sendmail_facts *facts)
{
    ask_program(facts);
    read_file(facts);
    read_submit(facts);
    try_anchors(facts);
    for (enum sendmail_map i = 0; i < SENDMAIL_MAPS; i++)
        if (facts->sockets[i].address != NULL)
            ask_map(facts, i);
}
