/*
 * seccomp_filter: the system calls this process is refused from now on, and its threads with it.
 */
#pragma once

/* 0, or an errno: ENOSYS where the kernel, or what we run in, takes no filter. Wants no_new_privs.
 * Call before any thread is made. */
int seccomp_filter_load(void);
