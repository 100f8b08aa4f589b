/* doctor_try: see doctor_gather.h. The child reports through a pipe; when it dies or takes too long,
 * that is the result. */
#include "cli/doctor/doctor_gather.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/net/stream.h"

#define TRY_S        10                            /* smtp(8) itself waits for 100 s */
#define NOBODY       "mxcrypt-doctor-asks.invalid" /* no list names it */
#define REPLY_MAX    4096
#define ANSWER_MAX   ((size_t)16 * 1024 * 1024)
#define KEY          ".doctor.invalid" /* a parent key: answered at once, without a lookup */
#define CA_FILE_MAX  ((size_t)16 * 1024 * 1024)
#define CERTIFICATE  "-----BEGIN CERTIFICATE-----"
#define CERTIFICATE2 "-----BEGIN TRUSTED CERTIFICATE-----"

static const struct doctor_try good = {.state = DOCTOR_GOOD};

static void bad(struct doctor_try *out, int error, const char *what)
{
    *out = (struct doctor_try){.state = DOCTOR_BAD, .error = error};
    if (error == 0)
        snprintf(out->why, sizeof out->why, "%s", what);
    else
        snprintf(out->why, sizeof out->why, "%s: %s", what, strerror(error));
}

static void not_tried(struct doctor_try *out, const char *why)
{
    *out = (struct doctor_try){.state = DOCTOR_NOT_TRIED};
    snprintf(out->why, sizeof out->why, "%s", why);
}

/* ---- asking ---- */

json_t *doctor_ask(struct doctor_try *out, const char *path, const char *command, const char *key)
{
    json_t *request = json_pack("{s:s, s:s*}", "command", command, "key", key), *answer = NULL;
    char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    struct stream_reader reader = {.fd = text == NULL ? -1 : stream_connect_path(path, TRY_S)};
    struct buf line;

    buf_init(&line, ANSWER_MAX);
    if (reader.fd < 0)
        bad(out, errno, "connect");
    else if (!stream_send(reader.fd, text, strlen(text)) || !stream_send(reader.fd, "\n", 1) ||
             !stream_next(&reader, &line, '\n'))
        bad(out, errno, "no answer");
    else {
        *out = good;
        answer = json_loadb(buf_text(&line), line.length, 0, NULL);
    }
    if (reader.fd >= 0)
        close(reader.fd);
    buf_fini(&line);
    free(text);
    json_decref(request);
    return answer;
}

/* ---- in the place of smtp(8) ---- */

typedef void attempt(struct doctor_try *out, const void *what);

/* The child takes the user, groups and root of smtp(8), or of proxymap(8); false with a result when
 * it cannot. */
static bool take_place(struct doctor_try *out, const struct doctor_client *client, bool chrooted)
{
    const char *queue = client->values[POSTFIX_QUEUE_DIRECTORY];
    const struct passwd *user = getpwnam(client->values[POSTFIX_MAIL_OWNER]);

    if (user == NULL)
        bad(out, 0, "there is no such user");
    else if (chdir(queue) != 0)
        bad(out, errno, queue);
    else if (setgid(user->pw_gid) != 0 || initgroups(user->pw_name, user->pw_gid) != 0)
        not_tried(out, "the groups of the user cannot be taken on here");
    else if (chrooted && (chroot(queue) != 0 || chdir("/") != 0))
        not_tried(out, "the chroot cannot be entered here");
    else if (setuid(user->pw_uid) != 0)
        not_tried(out, "the user cannot be taken on here");
    else
        return true;
    return false;
}

/* Does `try` in a child that stands where smtp(8) does. */
static void try_there(struct doctor_try *out, const struct doctor_client *client, bool chrooted,
                      attempt *try, const void *what)
{
    struct doctor_try result;
    int ends[2];
    pid_t child;
    ssize_t n;

    if (geteuid() != 0) {
        not_tried(out, "only root can take the place of smtp(8): run this as root");
        return;
    }
    if (pipe(ends) != 0 || (child = fork()) < 0) {
        not_tried(out, "no process could be made");
        return;
    }
    if (child == 0) {
        alarm(TRY_S + 2);
        if (take_place(&result, client, chrooted))
            try(&result, what);
        _exit(write(ends[1], &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
    }
    close(ends[1]);
    while ((n = read(ends[0], out, sizeof *out)) < 0 && errno == EINTR)
        continue;
    close(ends[0]);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (n != (ssize_t)sizeof *out)
        bad(out, ETIMEDOUT, "no answer");
}

/* ---- a map ---- */

static void judge_reply(struct doctor_try *out, const struct postfix_map *map, const char *reply)
{
    bool tcp = map->kind == POSTFIX_MAP_TCP;
    const char *colon = strchr(reply, ':');
    const char *text = tcp ? reply : colon == NULL ? "" : colon + 1;
    char what[DOCTOR_WHY_MAX];

    snprintf(what, sizeof what, "it answers \"%.100s\"", text);
    if (strncmp(text, tcp ? "500 " : "NOTFOUND ", tcp ? 4 : 9) == 0 ||
        strncmp(text, tcp ? "200 " : "OK ", tcp ? 4 : 3) == 0)
        *out = good;
    else
        bad(out, 0, what);
}

static void try_map(struct doctor_try *out, const void *what)
{
    const struct postfix_map *map = what;
    bool tcp = map->kind == POSTFIX_MAP_TCP;
    struct stream_reader reader = {.fd = -1};
    struct buf request, reply;
    struct ip ip;

    if (map->kind == POSTFIX_MAP_UNIX)
        reader.fd = stream_connect_path(map->path, TRY_S);
    else if (ip_parse(&ip, strcmp(map->host, "localhost") == 0 ? "127.0.0.1" : map->host))
        reader.fd = stream_connect_ip(&ip, map->port, TRY_S);
    else {
        not_tried(out, "the map names its host, and only addresses are tried here");
        return;
    }
    if (reader.fd < 0) {
        bad(out, errno, "connect");
        return;
    }
    buf_init(&request, REPLY_MAX);
    buf_init(&reply, REPLY_MAX);
    if (tcp)
        buf_adds(&request, "get " KEY "\n");
    else
        buf_addf(&request, "%zu:%s %s,", strlen(map->name) + 1 + strlen(KEY), map->name, KEY);
    if (stream_send(reader.fd, buf_text(&request), request.length) &&
        stream_next(&reader, &reply, tcp ? '\n' : ','))
        judge_reply(out, map, buf_text(&reply));
    else
        bad(out, errno == EAGAIN ? ETIMEDOUT : errno, "no answer");
    buf_fini(&request);
    buf_fini(&reply);
    close(reader.fd);
}

/* ---- trust anchors ---- */

/* "5ed36f99.0": how OpenSSL names a certificate in a CApath. */
static bool is_hashed(const char *name)
{
    return strlen(name) > 9 && strspn(name, "0123456789abcdef") == 8 && name[8] == '.' &&
           isdigit((unsigned char)name[9]);
}

static void try_ca_path(struct doctor_try *out, const void *what)
{
    const char *path = what;
    DIR *folder = opendir(path);
    const struct dirent *entry;
    int fd = -1, error = 0;

    if (folder == NULL) {
        bad(out, errno, "open");
        return;
    }
    while (fd < 0 && (entry = readdir(folder)) != NULL)
        if (is_hashed(entry->d_name)) {
            fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC);
            error = errno;
        }
    if (fd >= 0)
        *out = good;
    else if (error != 0)
        bad(out, error, "open a certificate in it");
    else
        bad(out, 0, "no certificate is named by its hash in it (c_rehash)");
    if (fd >= 0)
        close(fd);
    closedir(folder);
}

void doctor_try_ca_file(struct doctor_try *out, const char *path)
{
    struct buf text;

    buf_init(&text, CA_FILE_MAX);
    if (file_read(&text, path) != 0 && errno != EFBIG) {
        if (errno == EACCES && geteuid() != 0)
            not_tried(out, "only root may read smtp_tls_CAfile: run this as root");
        else
            bad(out, errno, errno == EISDIR ? "read" : "open");
    } else if (strstr(buf_text(&text), CERTIFICATE) == NULL &&
               strstr(buf_text(&text), CERTIFICATE2) == NULL) {
        bad(out, 0, "no certificate is in it");
    } else {
        *out = good;
    }
    buf_fini(&text);
}

/* ---- a service ---- */

/* Asks a map before ours for a name that does not exist. */
static void try_before(struct doctor_map *map, const char *directory)
{
    const char *words[] = {"postmap", "-c", directory, "-q", NOBODY, map->map.text, NULL};
    struct doctor_try *catches = &map->catches;
    char error[POSTFIX_ERROR_MAX];
    struct buf answer;
    int status;

    if (map->map.kind != POSTFIX_MAP_OTHER)
        return;
    buf_init(&answer, POSTFIX_LINE_MAX);
    status = postfix_program(words, POSTFIX_DEADLINE_MS, &answer, error);
    snprintf(catches->why, sizeof catches->why, "%.200s", error);
    if (status == 0 && answer.length > 0)
        catches->state = DOCTOR_BAD;
    else if (status > 0 && geteuid() != 0 && strstr(error, strerror(EACCES)) != NULL)
        catches->state = DOCTOR_NOT_TRIED; /* smtp(8) opens its tables as root */
    else if (status >= 0 &&
             (strstr(error, "fatal: ") != NULL || strstr(error, "error: ") != NULL)) {
        catches->state = DOCTOR_BAD;
        catches->error = EINVAL;
    } else if (status == 1)
        catches->state = DOCTOR_GOOD;
    buf_fini(&answer);
}

void doctor_try_client(struct doctor_client *client)
{
    const char *file = doctor_value(client->values, POSTFIX_CA_FILE);
    const char *path = doctor_value(client->values, POSTFIX_CA_PATH);
    struct doctor_map *ours = client->ours < 0 ? NULL : &client->maps[client->ours];

    if (*file != '\0')
        doctor_try_ca_file(&client->ca_file, file);
    for (int i = 0; i < client->ours; i++)
        try_before(&client->maps[i], client->values[POSTFIX_CONFIG_DIRECTORY]);
    if (*path != '\0')
        try_there(&client->ca_path, client, client->chrooted, try_ca_path, path);
    if (ours != NULL)
        try_there(&ours->socket, client, ours->chrooted, try_map, &ours->map);
}
