/*
 * seccomp_filter: see seccomp_filter.h. The only user of libseccomp.
 *
 * The list names what is refused, not what is allowed: libraries (libc, OpenSSL, curl, SQLite) may
 * begin to use a new system call with any update, and mail waits while this daemon is down. For the
 * same reason a refused call fails with EPERM and does not kill: a library that can do without it
 * goes on. clone3 fails with ENOSYS, because a filter cannot see its flags, and libc then uses
 * clone. Calls that the architecture lacks are skipped.
 */
#define _GNU_SOURCE
#include "daemon/sandbox/seccomp_filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The sanitizers look for leaks from a process of their own, which traces this one. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define FAMILY_LAST AF_NETLINK

static const int refused[] = {
    /* programs */
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(uselib), SCMP_SYS(personality),
    /* other processes' memory and descriptors */
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(move_pages), SCMP_SYS(migrate_pages),
    /* the tree of files */
    SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
    SCMP_SYS(open_by_handle_at), SCMP_SYS(fanotify_init), SCMP_SYS(quotactl), SCMP_SYS(quotactl_fd),
    SCMP_SYS(mknod), SCMP_SYS(mknodat),
    /* namespaces; clone is below */
    SCMP_SYS(setns), SCMP_SYS(unshare),
    /* other users */
    SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid),
    SCMP_SYS(setresgid), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    /* the kernel */
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(create_module), SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(bpf), SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
    SCMP_SYS(lookup_dcookie), SCMP_SYS(syslog), SCMP_SYS(nfsservctl), SCMP_SYS(_sysctl),
    SCMP_SYS(modify_ldt), SCMP_SYS(vm86), SCMP_SYS(vm86old),
    /* the machine */
    SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname), SCMP_SYS(settimeofday), SCMP_SYS(stime), SCMP_SYS(clock_settime),
    SCMP_SYS(clock_settime64), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime),
    SCMP_SYS(clock_adjtime64), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(pciconfig_read),
    SCMP_SYS(pciconfig_write), SCMP_SYS(vhangup)};

/* The daemon makes threads: no processes, and no namespaces. */
static int refuse_processes(scmp_filter_ctx filter)
{
    static const uint64_t namespaces[] = {CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
                                          CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
                                          CLONE_NEWNET};
    static const int whole[] = {SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace)};
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0] && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
    if (SANITIZED)
        return error;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0] && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), whole[i], 0);
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    return error;
}

/* Unix, IPv4, IPv6, and netlink, by which libc asks for the host's addresses. */
static int refuse_families(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_GT, FAMILY_LAST, 0));

    for (unsigned family = 0; family <= FAMILY_LAST && error == 0; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6 && family != AF_NETLINK)
            error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                     SCMP_A0(SCMP_CMP_EQ, family, 0));
    return error;
}

int seccomp_filter_load(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int error = filter == NULL ? -ENOMEM : 0;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0] && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
    if (error == 0)
        error = refuse_processes(filter);
    if (error == 0)
        error = refuse_families(filter);
    if (error == 0) /* putting input into the terminal it was started from */
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                 SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, TIOCSTI));
    if (error == 0)
        error = seccomp_load(filter);
    if (filter != NULL)
        seccomp_release(filter);
    return error == -ECANCELED ? ENOSYS : -error; /* -ECANCELED: the kernel would not have it */
}
