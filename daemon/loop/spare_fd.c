/* spare_fd: see spare_fd.h. */
#include "daemon/loop/spare_fd.h"

#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log/log.h"

void spare_fd_init(struct spare_fd *spare)
{
    *spare = (struct spare_fd){.fd = -1};
    spare_fd_take(spare);
}

void spare_fd_fini(struct spare_fd *spare)
{
    if (spare->fd >= 0)
        close(spare->fd);
    spare->fd = -1;
}

bool spare_fd_give(struct spare_fd *spare)
{
    if (spare->fd < 0)
        return false;
    close(spare->fd);
    spare->fd = -1;
    return true;
}

void spare_fd_take(struct spare_fd *spare)
{
    if (spare->fd < 0)
        spare->fd =
            socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* there may be no file system */
}

bool spare_fd_accept_failed(struct spare_fd *spare, const char *socket, int status)
{
    uint64_t left_out;

    if (log_limit_passes(&spare->failures, clock_monotonic_ms(), &left_out))
        log_event(LOG_LEVEL_WARNING, "accept-failed", "socket", socket, "why", uv_strerror(status),
                  "left_out", left_out == 0 ? NULL : LOG_NUM(left_out), NULL);
    return spare_fd_give(spare);
}
