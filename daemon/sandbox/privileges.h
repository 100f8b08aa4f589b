/*
 * privileges: leaves root once the sockets are open, and gives up for good what is never needed
 * afterwards.
 */
#pragma once

#include "daemon/config/config.h"

#define PRIVILEGES_ERROR_MAX 512

/* When this is root: becomes config->user with its groups. 0, or -1 with what to change. Call
 * before any thread is made. */
int privileges_drop(const struct config *config, char error[PRIVILEGES_ERROR_MAX]);
/*
 * With `sandbox`: no_new_privs, no capabilities, a seccomp filter against what no mail policy
 * daemon does (programs, mounts, tracing, modules, ...), and Landlock, where the kernel has it:
 * writing only in the folder of the store. Logs the result, and warns of what the kernel lacks.
 * Call before any thread is made. 0, or -1 with what to change.
 */
int privileges_lock_down(const struct config *config, char error[PRIVILEGES_ERROR_MAX]);
/* For a process that runs programs for the daemon, which is the same user: no_new_privs, no
 * capabilities, and Landlock, where the kernel has it: no writing anywhere, and no binding. What
 * the kernel lacks is left out: the daemon warns of it. */
void privileges_confine_helper(void);
