/*
 * privileges: see privileges.h. Leaving root is all or nothing. The lock-down is as much as the
 * kernel has: what it lacks is a warning, because mail waits while this daemon does not start.
 *
 * For Landlock it uses the system calls: libc has no functions for them, and on many hosts the
 * kernel's header is older than the kernel, so that the constants are repeated here. Reading is not
 * restricted: configuration, rules, trust anchors and resolv.conf may be anywhere, behind symbolic
 * links, and be replaced at any time. Neither are connections: a next-hop may name any port. Binding
 * a port is not needed once the listeners are open.
 *
 * PR_SET_DUMPABLE is left as it is: there are no secrets in this process, and after a crash its
 * core is worth more than hiding it from others of the same user.
 */
#define _GNU_SOURCE
#include "daemon/sandbox/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log/log.h"
#include "daemon/sandbox/seccomp_filter.h"

#define CAPABILITIES_MAX 64

static int fail(char error[PRIVILEGES_ERROR_MAX], const char *what, int number, const char *change)
{
    snprintf(error, PRIVILEGES_ERROR_MAX, "%s: %s; %s", what, strerror(number), change);
    return -1;
}

/* ---- leaving root ---- */

/* A process that has left root must not be able to become it again. */
static bool root_is_gone(uid_t uid, gid_t gid)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    if (getresuid(&ruid, &euid, &suid) != 0 || getresgid(&rgid, &egid, &sgid) != 0)
        return false;
    return ruid == uid && euid == uid && suid == uid && rgid == gid && egid == gid && sgid == gid &&
           setresuid(0, 0, 0) != 0 && setuid(0) != 0 && (gid == 0 || setgid(0) != 0);
}

/* A set-user-ID program could restore them; without CAP_SETPCAP no_new_privs must suffice. */
static void drop_bounding_set(void)
{
    for (unsigned long one = 0; one < CAPABILITIES_MAX; one++)
        if (prctl(PR_CAPBSET_DROP, one, 0, 0, 0) != 0)
            break;
}

int privileges_drop(const struct config *config, char error[PRIVILEGES_ERROR_MAX])
{
    const char *change = "start it as root with the capabilities SETUID and SETGID, or as its user";
    const struct passwd *user;

    error[0] = '\0';
    if (geteuid() != 0)
        return 0;
    user = getpwnam(config->user);
    if (user == NULL) {
        snprintf(error, PRIVILEGES_ERROR_MAX,
                 "there is no user %s to become: create it (useradd --system --user-group %s), or "
                 "set user = root to stay root",
                 config->user, config->user);
        return -1;
    }
    if (user->pw_uid == 0) {
        log_event(LOG_LEVEL_WARNING, "running-as-root", "change",
                  "set user to one who owns the store's folder and nothing else", NULL);
        return 0;
    }
    drop_bounding_set();
    if (initgroups(user->pw_name, user->pw_gid) != 0 ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
        return fail(error, "cannot become the user", errno, change);
    if (!root_is_gone(user->pw_uid, user->pw_gid))
        return fail(error, "root could be had back", EPERM, change);
    log_event(LOG_LEVEL_INFO, "root-left", "user", user->pw_name, "uid", LOG_NUM(user->pw_uid),
              "gid", LOG_NUM(user->pw_gid), NULL);
    return 0;
}

/* ---- the lock-down ---- */

/* True when the kernel lacks it or the container forbids it: it cannot be helped here. */
static bool is_lacking(int number)
{
    return number == ENOSYS || number == EOPNOTSUPP || number == EINVAL || number == EPERM ||
           number == EACCES;
}

static void warn_lacking(const char *what, int number)
{
    log_event(LOG_LEVEL_WARNING, "sandbox-incomplete", "lacking", what, "why", strerror(number),
              "effect", "the kernel, or the container, has none: the daemon runs without", NULL);
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {{0}};

    drop_bounding_set();
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capget, &header, have) == 0 && memcmp(have, none, sizeof none) == 0)
        return true; /* a service manager's filter may refuse what follows */
    if (syscall(SYS_capset, &header, none) == 0)
        return true;
    warn_lacking("capabilities", errno);
    return false;
}

/* ---- Landlock (landlock(7)) ---- */

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

/* What is allowed below a folder, or to a file or device. */
#define MAY_WRITE  (FS_WRITE_FILE | FS_TRUNCATE)
#define MAY_REMOVE FS_REMOVE_FILE
#define MAY_KEEP   (MAY_WRITE | FS_MAKE_REG | FS_REMOVE_FILE | FS_REFER) /* files of ours */

struct landlock {
    int abi;          /* the kernel's version of it; 0: it has none */
    int fd;           /* of the rules; -1 */
    uint64_t handled; /* rights */
};

/* 0, also without Landlock (then abi is 0), or an errno. */
static int landlock_open(struct landlock *landlock)
{
    struct {
        uint64_t fs, net, scoped;
    } attr = {.fs = FS_ABI_1};
    const char *notify = getenv("NOTIFY_SOCKET");
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

    *landlock = (struct landlock){.abi = abi > 0 ? (int)abi : 0, .fd = -1};
    if (abi <= 0)
        return 0;
    attr.fs |=
        (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
    attr.net = abi >= 4 ? NET_BIND_TCP : 0;
    attr.scoped = abi >= 6 ? SCOPE_SIGNAL | SCOPE_ABSTRACT : 0;
    if (notify != NULL && *notify == '@') /* the service manager's socket (sd_notify(3)) */
        attr.scoped &= ~SCOPE_ABSTRACT;
    landlock->handled = attr.fs;
    landlock->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    return landlock->fd < 0 ? errno : 0;
}

/* 0, or an errno: ENOENT when the path does not exist. */
static int landlock_allow(const struct landlock *landlock, const char *path, uint64_t rights)
{
    struct {
        uint64_t allowed;
        int32_t fd;
    } __attribute__((packed)) attr = {rights & landlock->handled, open(path, O_PATH | O_CLOEXEC)};
    int error = 0;

    if (attr.fd < 0)
        return errno;
    if (syscall(SYS_landlock_add_rule, landlock->fd, RULE_PATH_BENEATH, &attr, 0) != 0)
        error = errno;
    close(attr.fd);
    return error;
}

/* One more TCP port may be bound, where the kernel watches that; 0: those that it chooses. 0, or an
 * errno. */
static int landlock_allow_bind(const struct landlock *landlock, uint16_t port)
{
    const struct {
        uint64_t allowed, port;
    } attr = {NET_BIND_TCP, port};

    if (landlock->abi < 4)
        return 0;
    return syscall(SYS_landlock_add_rule, landlock->fd, RULE_NET_PORT, &attr, 0) != 0 ? errno : 0;
}

/* Allows it below the folder of a path; of one that is missing, below the nearest above it in which
 * it can be made. NULL: nothing. 0, or an errno. */
static int allow_folder(const struct landlock *landlock, const char *path, uint64_t rights)
{
    char copy[PATH_MAX];
    const char *folder;
    struct stat status;

    if (path == NULL)
        return 0;
    snprintf(copy, sizeof copy, "%s", path);
    do
        folder = dirname(copy);
    while (stat(folder, &status) != 0 && strcmp(folder, "/") != 0);
    return landlock_allow(landlock, folder, rights);
}

static int allow_all(const struct landlock *landlock, const struct config *config)
{
    const struct smtp_options *smtp = &config->prober.probes.smtp;
    int error = allow_folder(landlock, config->store_path, MAY_KEEP), null;

    for (size_t i = 0; i < config->listen_count && error == 0; i++)
        error = allow_folder(landlock, config->listen[i].path, MAY_REMOVE);
    if (error == 0)
        error = allow_folder(landlock, config->control_socket, MAY_REMOVE);
    if (error == 0 && config->metrics_port != 0)
        error = landlock_allow_bind(landlock, config->metrics_port);
    if (error == 0 && config->prober.probe && (smtp->bind.family != 0 || smtp->bind6.family != 0))
        error = landlock_allow_bind(landlock, 0); /* to a source address, at any free port */
    null = error == 0 ? landlock_allow(landlock, "/dev/null", MAY_WRITE) : error;
    return null == ENOENT ? 0 : null;
}

/* 0 with the ABI in *abi (0: none), or an errno. */
static int restrict_files(const struct config *config, int *abi)
{
    struct landlock landlock;
    int error = landlock_open(&landlock);

    if (error == 0 && landlock.abi > 0)
        error = allow_all(&landlock, config);
    if (error == 0 && landlock.abi > 0 && syscall(SYS_landlock_restrict_self, landlock.fd, 0) != 0)
        error = errno;
    if (landlock.fd >= 0)
        close(landlock.fd);
    *abi = error == 0 ? landlock.abi : 0;
    if (error == 0 && *abi == 0)
        warn_lacking("Landlock", ENOSYS);
    if (!is_lacking(error))
        return error;
    warn_lacking("Landlock", error);
    return 0;
}

/* ---- all of it ---- */

int privileges_lock_down(const struct config *config, char error[PRIVILEGES_ERROR_MAX])
{
    const char *change = "give it what it lacks, or set sandbox = no";
    bool locked, capless;
    int result, abi = 0;

    error[0] = '\0';
    if (!config->sandbox)
        return 0;
    locked = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (!locked)
        warn_lacking("no_new_privs", errno);
    capless = drop_capabilities();
    result = restrict_files(config, &abi);
    if (result != 0)
        return fail(error, "Landlock", result, change);
    result = seccomp_filter_load(); /* last: it refuses what the others need */
    if (result != 0 && !is_lacking(result))
        return fail(error, "seccomp", result, change);
    if (result != 0)
        warn_lacking("seccomp", result);
    log_event(LOG_LEVEL_INFO, "sandbox", "no_new_privs", locked ? "yes" : "no", "capabilities",
              capless ? "none" : "kept", "seccomp", result == 0 ? "yes" : "no", "landlock",
              LOG_NUM(abi), NULL);
    return 0;
}

void privileges_confine_helper(void)
{
    struct landlock landlock;

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    drop_capabilities();
    if (landlock_open(&landlock) == 0 && landlock.abi > 0 &&
        landlock_allow(&landlock, "/", FS_EXECUTE) == 0) {
        landlock_allow(&landlock, "/dev/null", MAY_WRITE);
        syscall(SYS_landlock_restrict_self, landlock.fd, 0);
    }
    if (landlock.fd >= 0)
        close(landlock.fd);
}
