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

#include "cli/net/stream.h"

#define TRY_S        10 /* smtp(8) itself waits for 100 s */
#define REPLY_MAX    4096
#define ANSWER_MAX   ((size_t)16 * 1024 * 1024)
#define KEY          ".doctor.invalid" /* a parent key: answered at once, without a lookup */
#define CA_FILE_MAX  ((size_t)16 * 1024 * 1024)
#define CERTIFICATE  "-----BEGIN CERTIFICATE-----"
#define CERTIFICATE2 "-----BEGIN TRUSTED CERTIFICATE-----"

static void good(struct doctor_try *out)
{
    *out = (struct doctor_try){.state = DOCTOR_GOOD};
}

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

static bool exchange(struct doctor_try *out, int fd, const char *request, struct buf *answer)
{
    bool done = stream_send(fd, request, strlen(request)) && stream_send(fd, "\n", 1) &&
                stream_read_until(fd, answer, '\n');

    if (done)
        good(out);
    else
        bad(out, errno, "no answer");
    return done;
}

json_t *doctor_ask(struct doctor_try *out, const char *path, const char *command, const char *key)
{
    json_t *request = json_pack("{s:s, s:s*}", "command", command, "key", key), *answer = NULL;
    char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    int fd = text == NULL ? -1 : stream_connect_path(path, TRY_S);
    struct buf line;

    buf_init(&line, ANSWER_MAX);
    if (fd < 0)
        bad(out, errno, "connect");
    else if (exchange(out, fd, text, &line))
        answer = json_loadb(buf_text(&line), line.length, 0, NULL);
    if (fd >= 0)
        close(fd);
    buf_fini(&line);
    free(text);
    json_decref(request);
    return answer;
}

/* ---- in the place of smtp(8) ---- */

typedef void (*attempt)(struct doctor_try *out, const void *what);

/* The child takes the user, groups and root of smtp(8); false with a result when it cannot. */
static bool take_place(struct doctor_try *out, const struct doctor_place *place)
{
    const struct passwd *user = getpwnam(place->user);

    if (user == NULL)
        bad(out, 0, "there is no such user");
    else if (chdir(place->queue) != 0)
        bad(out, errno, place->queue);
    else if (setgid(user->pw_gid) != 0 || initgroups(user->pw_name, user->pw_gid) != 0)
        not_tried(out, "the groups of the user cannot be taken on here");
    else if (place->chrooted && (chroot(place->queue) != 0 || chdir("/") != 0))
        not_tried(out, "the chroot cannot be entered here");
    else if (setuid(user->pw_uid) != 0)
        not_tried(out, "the user cannot be taken on here");
    else
        return true;
    return false;
}

static void in_child(int pipe_end, const struct doctor_place *place, attempt try, const void *what)
{
    struct doctor_try out;

    alarm(TRY_S + 2);
    if (take_place(&out, place))
        try(&out, what);
    _exit(write(pipe_end, &out, sizeof out) == (ssize_t)sizeof out ? 0 : 1);
}

/* Does `try` in a child that stands where smtp(8) does. */
static void try_there(struct doctor_try *out, const struct doctor_place *place, attempt try,
                      const void *what)
{
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
    if (child == 0)
        in_child(ends[1], place, try, what);
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

static int connect_map(const struct postfix_map *map)
{
    struct ip ip;

    if (map->kind == POSTFIX_MAP_UNIX)
        return stream_connect_path(map->path, TRY_S);
    if (!ip_parse(&ip, strcmp(map->host, "localhost") == 0 ? "127.0.0.1" : map->host)) {
        errno = EDESTADDRREQ;
        return -1;
    }
    return stream_connect_ip(&ip, map->port, TRY_S);
}

static void judge_reply(struct doctor_try *out, const struct postfix_map *map, const char *reply)
{
    const char *colon = strchr(reply, ':');
    const char *text = colon == NULL ? "" : colon + 1;
    char what[DOCTOR_WHY_MAX];

    if (map->kind == POSTFIX_MAP_TCP
            ? strncmp(reply, "500 ", 4) == 0 || strncmp(reply, "200 ", 4) == 0
            : strncmp(text, "NOTFOUND ", 9) == 0 || strncmp(text, "OK ", 3) == 0) {
        good(out);
        return;
    }
    snprintf(what, sizeof what, "it answers \"%.100s\"",
             map->kind == POSTFIX_MAP_TCP ? reply : text);
    for (char *p = what; *p != '\0'; p++)
        if (!isprint((unsigned char)*p))
            *p = '?';
    bad(out, 0, what);
}

static void try_map(struct doctor_try *out, const void *what)
{
    const struct postfix_map *map = what;
    bool tcp = map->kind == POSTFIX_MAP_TCP;
    struct buf request, reply;
    int fd = connect_map(map);

    if (fd < 0 && errno == EDESTADDRREQ) {
        not_tried(out, "the map names its host, and only addresses are tried here");
        return;
    }
    if (fd < 0) {
        bad(out, errno, "connect");
        return;
    }
    buf_init(&request, REPLY_MAX);
    buf_init(&reply, REPLY_MAX);
    if (tcp)
        buf_adds(&request, "get " KEY "\n");
    else
        buf_addf(&request, "%zu:%s %s,", strlen(map->name) + 1 + strlen(KEY), map->name, KEY);
    if (stream_send(fd, buf_text(&request), request.length) &&
        stream_read_until(fd, &reply, tcp ? '\n' : ','))
        judge_reply(out, map, buf_text(&reply));
    else
        bad(out, errno == EAGAIN ? ETIMEDOUT : errno, "no answer");
    buf_fini(&request);
    buf_fini(&reply);
    close(fd);
}

void doctor_try_map(struct doctor_try *out, const struct doctor_place *place,
                    const struct postfix_map *map)
{
    try_there(out, place, try_map, map);
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
        good(out);
    else if (error != 0)
        bad(out, error, "open a certificate in it");
    else
        bad(out, 0, "no certificate is named by its hash in it (c_rehash)");
    if (fd >= 0)
        close(fd);
    closedir(folder);
}

void doctor_try_ca_path(struct doctor_try *out, const struct doctor_place *place, const char *path)
{
    try_there(out, place, try_ca_path, path);
}

void doctor_try_ca_file(struct doctor_try *out, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct buf text;
    char part[65536];
    ssize_t n;

    if (fd < 0 && errno == EACCES && geteuid() != 0) {
        not_tried(out, "only root may read smtp_tls_CAfile: run this as root");
        return;
    }
    if (fd < 0) {
        bad(out, errno, "open");
        return;
    }
    buf_init(&text, CA_FILE_MAX);
    while ((n = read(fd, part, sizeof part)) > 0 && !text.failed)
        buf_add(&text, part, (size_t)n);
    if (n < 0)
        bad(out, errno, "read");
    else if (strstr(buf_text(&text), CERTIFICATE) == NULL &&
             strstr(buf_text(&text), CERTIFICATE2) == NULL)
        bad(out, 0, "no certificate is in it");
    else
        good(out);
    close(fd);
    buf_fini(&text);
}
