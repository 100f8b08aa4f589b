/* log_limit: see log_limit.h. */
#include "base/log/log_limit.h"

bool log_limit_passes(struct log_limit *limit, int64_t now, uint64_t *left_out)
{
    if (limit->until > now) {
        limit->left_out++;
        return false;
    }
    *left_out = limit->left_out;
    limit->left_out = 0;
    limit->until = now + LOG_LIMIT_MS;
    return true;
}
