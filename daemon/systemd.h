/*
 * systemd: socket activation and notification by their plain protocols (sd_listen_fds(3),
 * sd_notify(3)), without libsystemd. Does nothing when another program started the daemon.
 */
#pragma once

#include <stdint.h>

#include "daemon/config/config.h"

#define SYSTEMD_FDS_MAX 32

struct systemd_fd {
    int fd;
    enum listen_protocol protocol; /* by FileDescriptorName= */
};

/* The sockets passed to this process; returns their number. Removes the variables that say so from
 * the environment. */
int systemd_listen_fds(struct systemd_fd out[SYSTEMD_FDS_MAX]);
/* Sends a state such as "READY=1" to the manager. */
void systemd_notify(const char *state);
/* Half the watchdog's period in milliseconds; 0 when there is none. */
uint64_t systemd_watchdog_ms(void);
