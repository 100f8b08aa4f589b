/* spare_fd: see spare_fd.h. */
#include "daemon/loop/spare_fd.h"

#include <fcntl.h>
#include <unistd.h>

static int open_any(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void spare_fd_init(struct spare_fd *spare)
{
    spare->fd = open_any();
    spare->given = false;
}

void spare_fd_fini(struct spare_fd *spare)
{
    if (spare->fd >= 0)
        close(spare->fd);
    spare->fd = -1;
    spare->given = false;
}

bool spare_fd_give(struct spare_fd *spare)
{
    if (spare->fd < 0)
        return false;
    close(spare->fd);
    spare->fd = -1;
    spare->given = true;
    return true;
}

void spare_fd_take(struct spare_fd *spare)
{
    if (!spare->given)
        return;
    spare->fd = open_any();
    spare->given = spare->fd < 0;
}
