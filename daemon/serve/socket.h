/* socket: listening sockets, made or inherited, as file descriptors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/config/config.h"

#define SOCKET_ERROR_MAX 256

/*
 * A bound and listening, non-blocking socket; -1 with a message. For a Unix socket the folder is
 * made when only its last part is missing, a socket left behind by a dead process is replaced,
 * owner, group and mode are set before anybody can connect.
 */
int socket_listen(const struct listen_address *address, char error[SOCKET_ERROR_MAX]);

/* Whether connections can be made from that address: 0, or an errno. */
int socket_try_source(const struct ip *ip);

/* The address as text for logs: "socketmap:unix:/path". Returns `out`. */
const char *socket_text(const struct listen_address *address, char *out, size_t size);
/* Whether a listening socket is the one of that address. */
bool socket_is_at(int fd, const struct listen_address *address);

/* The file that a socket is bound to; inode 0: none. No other file has this number while the socket
 * is open. */
struct socket_file {
    dev_t device;
    ino_t inode;
};
/* The socket at `path` (NULL: none), right after socket_listen. */
void socket_find(struct socket_file *out, const char *path);
/* Removes it unless another process's has taken its place. */
void socket_remove(const char *path, const struct socket_file *file);
