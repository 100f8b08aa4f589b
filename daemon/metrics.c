/* metrics: see metrics.h. */
#include "daemon/metrics.h"

int metrics_new(struct metrics **out, uv_loop_t *loop, const struct config *config,
                struct engine *engine, struct server *server)
{
    (void)loop;
    (void)config;
    (void)engine;
    (void)server;
    *out = NULL;
    return 0;
}

void metrics_close(struct metrics *metrics)
{
    (void)metrics;
}
