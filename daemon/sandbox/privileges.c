/*
 * privileges: see privileges.h. Leaving root is all or nothing. The lock-down is as much as the
 * kernel has: what it lacks is a warning, because mail waits while this daemon does not start.
 *
 * PR_SET_DUMPABLE is left as it is: there are no secrets in this process, and after a crash its
 * core is worth more than hiding it from others of the same user.
 */
#define _GNU_SOURCE
#include "daemon/sandbox/privileges.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log/log.h"
#include "daemon/sandbox/landlock.h"
#include "daemon/sandbox/seccomp_filter.h"

#define CAPABILITIES_MAX 64

static int fail(char error[PRIVILEGES_ERROR_MAX], const char *what, int number, const char *change)
{
    snprintf(error, PRIVILEGES_ERROR_MAX, "%s: %s; %s", what, strerror(number), change);
    return -1;
}

/* ---- leaving root ---- */

static int no_such_user(const char *user, char error[PRIVILEGES_ERROR_MAX])
{
    snprintf(error, PRIVILEGES_ERROR_MAX,
             "there is no user %s to become: create it (useradd --system --user-group %s), or set "
             "user = root to stay root",
             user, user);
    return -1;
}

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
    if (user == NULL)
        return no_such_user(config->user, error);
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

/* The folder of a path; of one that is missing, the nearest above it in which it can be made. */
static void folder_of(const char *path, char out[PATH_MAX])
{
    char copy[PATH_MAX];
    struct stat status;

    snprintf(copy, sizeof copy, "%s", path);
    snprintf(out, PATH_MAX, "%s", dirname(copy));
    while (stat(out, &status) != 0 && strcmp(out, "/") != 0) {
        snprintf(copy, sizeof copy, "%s", out);
        snprintf(out, PATH_MAX, "%s", dirname(copy));
    }
}

static int allow_folder(struct landlock *landlock, const char *path, enum landlock_use use)
{
    char folder[PATH_MAX];

    if (path == NULL)
        return 0;
    folder_of(path, folder);
    return landlock_allow(landlock, folder, use);
}

/* To a source address, at any port that is free: 0. */
static bool binds_probes(const struct config *config)
{
    const struct smtp_options *smtp = &config->prober.probes.smtp;

    return config->prober.probe && (smtp->bind.family != 0 || smtp->bind6.family != 0);
}

static int allow_all(struct landlock *landlock, const struct config *config)
{
    int error = allow_folder(landlock, config->store_path, LANDLOCK_KEEP), null;

    for (size_t i = 0; i < config->listen_count && error == 0; i++)
        error = allow_folder(landlock, config->listen[i].path, LANDLOCK_REMOVE);
    if (error == 0)
        error = allow_folder(landlock, config->control_socket, LANDLOCK_REMOVE);
    if (error == 0 && config->metrics_port != 0)
        error = landlock_allow_bind(landlock, config->metrics_port);
    if (error == 0 && binds_probes(config))
        error = landlock_allow_bind(landlock, 0);
    null = error == 0 ? landlock_allow(landlock, "/dev/null", LANDLOCK_WRITE) : error;
    return null == ENOENT ? 0 : null;
}

/* 0 with the ABI in *abi (0: none), or an errno. */
static int restrict_files(const struct config *config, int *abi)
{
    struct landlock landlock;
    int error = landlock_open(&landlock);

    if (error == 0)
        error = allow_all(&landlock, config);
    if (error == 0)
        error = landlock_enforce(&landlock);
    landlock_close(&landlock);
    *abi = error == 0 ? landlock.abi : 0;
    if (error == 0 && *abi == 0)
        warn_lacking("Landlock", ENOSYS);
    if (is_lacking(error)) {
        warn_lacking("Landlock", error);
        error = 0;
    }
    return error;
}

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
