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

#define NOBODY       "mxcrypt-doctor-asks.invalid" /* no list names it */
#define CA_FILE_MAX  ((size_t)16 * 1024 * 1024)
#define CERTIFICATE  "-----BEGIN CERTIFICATE-----"
#define CERTIFICATE2 "-----BEGIN TRUSTED CERTIFICATE-----"

/* ---- in the place of smtp(8) ---- */

typedef void attempt(struct doctor_try *out, const void *what);

/* The child takes the user, groups and root of smtp(8), or of proxymap(8); false with a result when
 * it cannot. */
static bool take_place(struct doctor_try *out, const struct doctor_client *client, bool chrooted)
{
    const char *queue = client->values[POSTFIX_QUEUE_DIRECTORY];
    const struct passwd *user = getpwnam(client->values[POSTFIX_MAIL_OWNER]);

    if (user == NULL)
        doctor_bad(out, 0, "there is no such user");
    else if (chdir(queue) != 0)
        doctor_bad(out, errno, queue);
    else if (setgid(user->pw_gid) != 0 || initgroups(user->pw_name, user->pw_gid) != 0)
        doctor_not_tried(out, "the groups of the user cannot be taken on here");
    else if (chrooted && (chroot(queue) != 0 || chdir("/") != 0))
        doctor_not_tried(out, "the chroot cannot be entered here");
    else if (setuid(user->pw_uid) != 0)
        doctor_not_tried(out, "the user cannot be taken on here");
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
        doctor_not_tried(out, "only root can take the place of smtp(8): run this as root");
        return;
    }
    if (pipe(ends) != 0 || (child = fork()) < 0) {
        doctor_not_tried(out, "no process could be made");
        return;
    }
    if (child == 0) {
        alarm(DOCTOR_TRY_S + 2);
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
        doctor_bad(out, ETIMEDOUT, "no answer");
}

/* ---- a map ---- */

static void try_map(struct doctor_try *out, const void *what)
{
    const struct postfix_map *map = what;
    struct ip ip;
    int fd;

    if (map->kind == POSTFIX_MAP_UNIX)
        fd = stream_connect_path(map->path, DOCTOR_TRY_S);
    else if (ip_parse(&ip, strcmp(map->host, "localhost") == 0 ? "127.0.0.1" : map->host))
        fd = stream_connect_ip(&ip, map->port, DOCTOR_TRY_S);
    else {
        doctor_not_tried(out, "the map names its host, and only addresses are tried here");
        return;
    }
    if (fd < 0) {
        doctor_bad(out, errno, "connect");
        return;
    }
    doctor_ask_policy(out,
                      &(struct doctor_question){
                          fd, map->kind == POSTFIX_MAP_TCP ? LISTEN_TCP_TABLE : LISTEN_SOCKETMAP,
                          map->name, DOCTOR_TRY_S});
    close(fd);
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
        doctor_bad(out, errno, "open");
        return;
    }
    while (fd < 0 && (entry = readdir(folder)) != NULL)
        if (is_hashed(entry->d_name)) {
            fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC);
            error = errno;
        }
    if (fd >= 0)
        doctor_good(out);
    else if (error != 0)
        doctor_bad(out, error, "open a certificate in it");
    else
        doctor_bad(out, 0, "no certificate is named by its hash in it (c_rehash)");
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
            doctor_not_tried(out, "only root may read smtp_tls_CAfile: run this as root");
        else
            doctor_bad(out, errno, errno == EISDIR ? "read" : "open");
    } else if (strstr(buf_text(&text), CERTIFICATE) == NULL &&
               strstr(buf_text(&text), CERTIFICATE2) == NULL) {
        doctor_bad(out, 0, "no certificate is in it");
    } else {
        doctor_good(out);
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
