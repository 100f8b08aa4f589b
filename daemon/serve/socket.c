/*
 * socket: see socket.h. Root creates sockets in directories that belong to others, so it does
 * nothing to a path that could have become another file since it was checked.
 */
#define _GNU_SOURCE
#include "daemon/serve/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

const char *socket_text(const struct listen_address *address, char *out, size_t size)
{
    const struct listen_kind *kind = &listen_kinds[address->protocol];
    char ip[IP_TEXT_MAX];

    ip_text(&address->ip, ip);
    if (address->path != NULL)
        snprintf(out, size, "%s%s", kind->unix_prefix, address->path);
    else
        snprintf(out, size, address->ip.family == 6 ? "%s[%s]:%u" : "%s%s:%u", kind->tcp_prefix, ip,
                 (unsigned)address->port);
    return out;
}

static int fail(int fd, char error[SOCKET_ERROR_MAX], const char *what, const char *name)
{
    snprintf(error, SOCKET_ERROR_MAX, "%s %s: %s", what, name, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int look_up_ids(const struct listen_address *address, uid_t *uid, gid_t *gid,
                       char error[SOCKET_ERROR_MAX])
{
    const struct passwd *user = address->owner == NULL ? NULL : getpwnam(address->owner);
    const struct group *group = address->group == NULL ? NULL : getgrnam(address->group);

    if ((address->owner != NULL && user == NULL) || (address->group != NULL && group == NULL)) {
        snprintf(error, SOCKET_ERROR_MAX, "%s: no such %s: %s", address->path,
                 user == NULL && address->owner != NULL ? "user" : "group",
                 user == NULL && address->owner != NULL ? address->owner : address->group);
        return -1;
    }
    *uid = user == NULL ? (uid_t)-1 : user->pw_uid;
    *gid = group == NULL ? (gid_t)-1 : group->gr_gid;
    return 0;
}

/* Removes a socket that no process listens on; anything else at that path stays and is an error. */
static int clear_path(const struct sockaddr_un *name, char error[SOCKET_ERROR_MAX])
{
    struct stat status;
    int fd, connected;

    if (lstat(name->sun_path, &status) != 0)
        return 0;
    if (!S_ISSOCK(status.st_mode)) {
        errno = EEXIST;
        return fail(-1, error, "not a socket:", name->sun_path);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(-1, error, "socket for", name->sun_path);
    connected = connect(fd, (const struct sockaddr *)name, sizeof *name);
    if (connected == 0 || errno == EAGAIN) {
        errno = EADDRINUSE;
        return fail(fd, error, "another process listens on", name->sun_path);
    }
    if (errno != ECONNREFUSED) /* it may be in use by a process that we may not connect to */
        return fail(fd, error, "cannot tell who listens on", name->sun_path);
    close(fd);
    if (unlink(name->sun_path) != 0)
        return fail(-1, error, "cannot remove", name->sun_path);
    return 0;
}

/* Postfix has to pass through it, whatever the umask at start. */
static int make_folder(const char *path, char error[SOCKET_ERROR_MAX])
{
    char copy[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *folder;
    mode_t mask;
    int made;

    snprintf(copy, sizeof copy, "%s", path);
    folder = dirname(copy);
    mask = umask(022);
    made = mkdir(folder, 0755);
    umask(mask);
    if (made != 0 && errno != EEXIST)
        return fail(-1, error, "cannot make the folder", folder);
    return 0;
}

/* Changes the owner of the socket at `path`, but of no link or other file put in its place. */
static int give_away(const char *path, uid_t uid, gid_t gid)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), result = -1;
    struct stat status;

    if (fd < 0)
        return -1;
    errno = EEXIST;
    if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
        result = fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
    close(fd);
    return result;
}

static int listen_unix(const struct listen_address *address, char error[SOCKET_ERROR_MAX])
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    uid_t uid;
    gid_t gid;
    mode_t mask;
    int fd, bound;

    snprintf(name.sun_path, sizeof name.sun_path, "%s", address->path);
    if (look_up_ids(address, &uid, &gid, error) != 0 || make_folder(address->path, error) != 0 ||
        clear_path(&name, error) != 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(fd, error, "socket for", address->path);
    mask = umask(0777 & ~address->mode);
    bound = bind(fd, (const struct sockaddr *)&name, sizeof name);
    umask(mask);
    if (bound != 0)
        return fail(fd, error, "cannot bind", address->path);
    if ((uid != (uid_t)-1 || gid != (gid_t)-1) && give_away(address->path, uid, gid) != 0)
        return fail(fd, error, "cannot give away", address->path);
    if (listen(fd, BACKLOG) != 0)
        return fail(fd, error, "cannot listen on", address->path);
    return fd;
}

static int listen_tcp(const struct listen_address *address, char error[SOCKET_ERROR_MAX])
{
    struct sockaddr_storage name;
    socklen_t length = (socklen_t)ip_to_sockaddr(&name, &address->ip, address->port);
    char text[IP_TEXT_MAX + 32];
    int one = 1, fd;

    socket_text(address, text, sizeof text);
    fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(fd, error, "socket for", text);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->ip.family == 6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&name, length) != 0)
        return fail(fd, error, "cannot bind", text);
    if (listen(fd, BACKLOG) != 0)
        return fail(fd, error, "cannot listen on", text);
    return fd;
}

int socket_listen(const struct listen_address *address, char error[SOCKET_ERROR_MAX])
{
    return address->path != NULL ? listen_unix(address, error) : listen_tcp(address, error);
}

int socket_try_source(const struct ip *ip)
{
    struct sockaddr_storage name;
    socklen_t length = (socklen_t)ip_to_sockaddr(&name, ip, 0);
    int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

    if (fd < 0 || bind(fd, (const struct sockaddr *)&name, length) != 0)
        error = errno;
    if (fd >= 0)
        close(fd);
    return error;
}

void socket_find(struct socket_file *out, const char *path)
{
    struct stat status;

    *out = (struct socket_file){0, 0};
    if (path != NULL && lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        *out = (struct socket_file){status.st_dev, status.st_ino};
}

void socket_remove(const char *path, const struct socket_file *file)
{
    struct socket_file now;

    socket_find(&now, path);
    if (now.inode != 0 && now.device == file->device && now.inode == file->inode)
        unlink(path);
}

bool socket_is_at(int fd, const struct listen_address *address)
{
    struct sockaddr_storage name = {0}, wanted;
    const struct sockaddr_un *local = (const struct sockaddr_un *)(void *)&name;
    socklen_t length = sizeof name;
    int type = 0;
    socklen_t type_length = sizeof type;

    if (getsockname(fd, (struct sockaddr *)&name, &length) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) != 0 || type != SOCK_STREAM)
        return false;
    if (address->path != NULL)
        return local->sun_family == AF_UNIX && strcmp(local->sun_path, address->path) == 0;
    return length == (socklen_t)ip_to_sockaddr(&wanted, &address->ip, address->port) &&
           memcmp(&name, &wanted, length) == 0;
}
