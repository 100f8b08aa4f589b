/*
 * landlock: see landlock.h. It uses the system calls: libc has no functions for them, and on many
 * hosts the kernel's header is older than the kernel, so that the constants are repeated here.
 *
 * Reading is not restricted: configuration, rules, trust anchors and resolv.conf may be anywhere,
 * behind symbolic links, and be replaced at any time. Neither are connections: a next-hop may name
 * any port. Binding a port is not needed once the listeners are open.
 */
#define _GNU_SOURCE
#include "daemon/sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREATE_RULESET_VERSION 1U
#define RULE_PATH_BENEATH      1
#define RULE_NET_PORT          2

#define FS_EXECUTE     (UINT64_C(1) << 0)
#define FS_WRITE_FILE  (UINT64_C(1) << 1)
#define FS_REMOVE_DIR  (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_CHAR   (UINT64_C(1) << 6)
#define FS_MAKE_DIR    (UINT64_C(1) << 7)
#define FS_MAKE_REG    (UINT64_C(1) << 8)
#define FS_MAKE_SOCK   (UINT64_C(1) << 9)
#define FS_MAKE_FIFO   (UINT64_C(1) << 10)
#define FS_MAKE_BLOCK  (UINT64_C(1) << 11)
#define FS_MAKE_SYM    (UINT64_C(1) << 12)
#define FS_REFER       (UINT64_C(1) << 13) /* ABI 2 */
#define FS_TRUNCATE    (UINT64_C(1) << 14) /* ABI 3 */
#define FS_IOCTL_DEV   (UINT64_C(1) << 15) /* ABI 5 */
#define FS_ABI_1                                                                                   \
    (FS_EXECUTE | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_CHAR | FS_MAKE_DIR |    \
     FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_BLOCK | FS_MAKE_SYM)
#define NET_BIND_TCP   (UINT64_C(1) << 0) /* ABI 4 */
#define SCOPE_ABSTRACT (UINT64_C(1) << 0) /* ABI 6 */
#define SCOPE_SIGNAL   (UINT64_C(1) << 1) /* ABI 6 */

struct ruleset_attr {
    uint64_t fs, net, scoped;
};

struct path_attr {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

struct port_attr {
    uint64_t allowed, port;
};

static uint64_t handled_fs(int abi)
{
    return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
           (abi >= 5 ? FS_IOCTL_DEV : 0);
}

/* The service manager's socket may have an abstract name (sd_notify(3)). */
static uint64_t scoped(int abi)
{
    const char *notify = getenv("NOTIFY_SOCKET");

    if (abi < 6)
        return 0;
    return SCOPE_SIGNAL | (notify != NULL && *notify == '@' ? 0 : SCOPE_ABSTRACT);
}

int landlock_open(struct landlock *landlock)
{
    struct ruleset_attr attr = {0};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

    *landlock = (struct landlock){.abi = abi > 0 ? (int)abi : 0, .fd = -1};
    if (landlock->abi == 0)
        return 0;
    attr.fs = handled_fs(landlock->abi);
    attr.net = landlock->abi >= 4 ? NET_BIND_TCP : 0;
    attr.scoped = scoped(landlock->abi);
    landlock->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    return landlock->fd < 0 ? errno : 0;
}

static uint64_t rights(enum landlock_use use)
{
    switch (use) {
    case LANDLOCK_KEEP:
        return FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_REMOVE_FILE | FS_REFER;
    case LANDLOCK_REMOVE:
        return FS_REMOVE_FILE;
    case LANDLOCK_WRITE:
        break;
    }
    return FS_WRITE_FILE | FS_TRUNCATE;
}

int landlock_allow(struct landlock *landlock, const char *path, enum landlock_use use)
{
    struct path_attr attr = {.allowed = rights(use) & handled_fs(landlock->abi)};
    int error = 0;

    if (landlock->abi == 0)
        return 0;
    attr.fd = open(path, O_PATH | O_CLOEXEC);
    if (attr.fd < 0)
        return errno;
    if (syscall(SYS_landlock_add_rule, landlock->fd, RULE_PATH_BENEATH, &attr, 0) != 0)
        error = errno;
    close(attr.fd);
    return error;
}

int landlock_allow_bind(struct landlock *landlock, uint16_t port)
{
    const struct port_attr attr = {.allowed = NET_BIND_TCP, .port = port};

    if (landlock->abi < 4)
        return 0;
    return syscall(SYS_landlock_add_rule, landlock->fd, RULE_NET_PORT, &attr, 0) != 0 ? errno : 0;
}

int landlock_enforce(struct landlock *landlock)
{
    if (landlock->abi == 0)
        return 0;
    return syscall(SYS_landlock_restrict_self, landlock->fd, 0) != 0 ? errno : 0;
}

void landlock_close(struct landlock *landlock)
{
    if (landlock->fd >= 0)
        close(landlock->fd);
    landlock->fd = -1;
}
