/* privileges: see privileges.h. */
#include "daemon/privileges.h"

int privileges_drop(const struct config *config, char error[PRIVILEGES_ERROR_MAX])
{
    (void)config;
    error[0] = '\0';
    return 0;
}

int privileges_lock_down(const struct config *config, char error[PRIVILEGES_ERROR_MAX])
{
    (void)config;
    error[0] = '\0';
    return 0;
}
