/*
 * seccomp_filter: refuses system calls to this process and its threads, for good.
 */
#pragma once

/* 0, or an errno: ENOSYS where the kernel or the container takes no filter. Needs no_new_privs.
 * Call before any thread is made. */
int seccomp_filter_load(void);
