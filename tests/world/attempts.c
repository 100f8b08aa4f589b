/*
 * attempts: preloaded into mxcryptd. At SIGUSR2 it tries, in the daemon's own process, what the
 * daemon never does, and writes "NAME ERRNO" lines to the file that WORLD_ATTEMPTS names (opened
 * before anything is locked down). Arguments are such that nothing happens where nothing is
 * refused. Paths are below WORLD_ATTEMPTS_FOLDER (may not be written) and WORLD_ATTEMPTS_STORE
 * (may). It also says, as "loop NUMBER", in which mode of seccomp libuv's first loop was made.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int out = -1;
static const char *folder = "", *store = "";
static char *nothing[] = {NULL};

static const char *in(const char *where, const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", where, name);
    return path;
}

static long opened(int fd)
{
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static long forked(long pid)
{
    if (pid == 0)
        syscall(SYS_exit_group, 0);
    return pid;
}

static long bound(void)
{
    const struct sockaddr_in name = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = bind(fd, (const struct sockaddr *)&name, sizeof name), error = errno;

    close(fd);
    errno = error;
    return result;
}

static long cloned(void)
{
    struct clone_args args = {.flags = ~UINT64_C(0)};

    return syscall(SYS_clone3, &args, sizeof args);
}

/* name, what is tried */
#define ATTEMPTS(X)                                                                                \
    X(execve, syscall(SYS_execve, "/nonexistent", nothing, nothing))                               \
    X(execveat, syscall(SYS_execveat, -1, "/nonexistent", nothing, nothing, 0))                    \
    X(fork, forked(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)))                           \
    X(ptrace, syscall(SYS_ptrace, PTRACE_PEEKUSER, 0x3fffffff, NULL, NULL))                        \
    X(clone_newuser, syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | CLONE_THREAD, 0, 0, 0, 0))      \
    X(clone3, cloned())                                                                            \
    X(unshare, syscall(SYS_unshare, ~0UL))                                                         \
    X(setns, syscall(SYS_setns, -1, 0))                                                            \
    X(process_vm_readv, syscall(SYS_process_vm_readv, 0x3fffffff, NULL, 0, NULL, 0, 1))            \
    X(mount, syscall(SYS_mount, NULL, "", NULL, 0, NULL))                                          \
    X(umount, syscall(SYS_umount2, "", ~0))                                                        \
    X(move_mount, syscall(SYS_move_mount, -1, "", -1, "", ~0U))                                    \
    X(pivot_root, syscall(SYS_pivot_root, "", ""))                                                 \
    X(chroot, syscall(SYS_chroot, ""))                                                             \
    X(open_by_handle_at, syscall(SYS_open_by_handle_at, -1, NULL, 0))                              \
    X(mknod, syscall(SYS_mknodat, AT_FDCWD, "", S_IFIFO | 0600, 0))                                \
    X(init_module, syscall(SYS_finit_module, -1, "", ~0))                                          \
    X(kexec, syscall(SYS_kexec_load, 0, 0, NULL, ~0UL))                                            \
    X(bpf, syscall(SYS_bpf, ~0, NULL, 0))                                                          \
    X(perf_event_open, syscall(SYS_perf_event_open, NULL, 0, 0, -1, ~0UL))                         \
    X(userfaultfd, syscall(SYS_userfaultfd, ~0))                                                   \
    X(io_uring, syscall(SYS_io_uring_setup, 0, NULL))                                              \
    X(keyctl, syscall(SYS_keyctl, ~0, 0, 0, 0, 0))                                                 \
    X(reboot, syscall(SYS_reboot, 0, 0, 0, NULL))                                                  \
    X(swapon, syscall(SYS_swapon, "", ~0))                                                         \
    X(acct, syscall(SYS_acct, "/nonexistent"))                                                     \
    X(sethostname, syscall(SYS_sethostname, "", -1))                                               \
    X(clock_settime, syscall(SYS_clock_settime, -1, NULL))                                         \
    X(personality, syscall(SYS_personality, 0xffffffff))                                           \
    X(kernel_log, syscall(SYS_syslog, -1, NULL, 0))                                                \
    X(setresuid, syscall(SYS_setresuid, -1, -1, -1))                                               \
    X(setgroups, syscall(SYS_setgroups, -1, NULL))                                                 \
    X(tiocsti, ioctl(-1, TIOCSTI, ""))                                                             \
    X(packet, opened(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)))                             \
    X(alg, opened(socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)))                               \
    X(bind, bound())                                                                               \
    X(make, opened(open(in(folder, "made"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)))                \
    X(write, opened(open(in(folder, "there"), O_WRONLY | O_CLOEXEC)))                              \
    X(truncate, truncate(in(folder, "there"), 0))                                                  \
    X(remove, unlink(in(folder, "there")))                                                         \
    X(mkdir, mkdir(in(folder, "folder"), 0700))                                                    \
    X(symlink, symlink("/", in(folder, "link")))                                                   \
    X(read, opened(open("/etc/passwd", O_RDONLY | O_CLOEXEC)))                                     \
    X(null, opened(open("/dev/null", O_WRONLY | O_CLOEXEC)))                                       \
    X(netlink, opened(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)))                             \
    X(keep, opened(open(in(store, "kept"), O_CREAT | O_RDWR | O_CLOEXEC, 0600)))                   \
    X(unkeep, unlink(in(store, "kept")))

#define ATTEMPT_RUN(name, what)                                                                    \
    errno = 0;                                                                                     \
    dprintf(out, #name " %d\n", (what) < 0 ? errno : 0);

static void on_signal(int number)
{
    int error = errno;

    (void)number;
    ATTEMPTS(ATTEMPT_RUN)
    dprintf(out, "end 0\n");
    errno = error;
}

/* The libuv of newer systems makes an io_uring here, and aborts when it is forbidden later. */
int uv_loop_init(void *loop)
{
    int (*real)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, "uv_loop_init");
    static int told;

    if (out >= 0 && !told)
        dprintf(out, "loop %d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
    told = 1;
    return real(loop);
}

__attribute__((constructor)) static void begin(void)
{
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    if (getenv("WORLD_ATTEMPTS") == NULL)
        return;
    out = open(getenv("WORLD_ATTEMPTS"), O_WRONLY | O_APPEND | O_CLOEXEC);
    folder = getenv("WORLD_ATTEMPTS_FOLDER");
    store = getenv("WORLD_ATTEMPTS_STORE");
    if (out < 0 || folder == NULL || store == NULL)
        abort();
    sigaction(SIGUSR2, &action, NULL);
}
