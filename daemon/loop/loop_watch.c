/* loop_watch: see loop_watch.h. Elapsed time would count when the machine is busy elsewhere. */
#include "daemon/loop/loop_watch.h"

#include "base/clock.h"
#include "base/log/log.h"

#define NS_PER_MS 1000000

static void on_turn(uv_prepare_t *turn)
{
    struct loop_watch *watch = turn->data;
    int64_t used_ns = clock_thread_cpu_ns(), took_ns = used_ns - watch->used_ns;

    watch->used_ns = used_ns;
    if (took_ns >= watch->limit_ns && watch->turned)
        log_event(LOG_LEVEL_WARNING, "loop-stalled", "cpu_ms", LOG_NUM(took_ns / NS_PER_MS), NULL);
    watch->turned = true; /* the first turn is the start, when nobody waits yet */
}

void loop_watch_init(struct loop_watch *watch, uv_loop_t *loop, int64_t limit_ms)
{
    uv_prepare_init(loop, &watch->turn);
    watch->turn.data = watch;
    watch->turned = false;
    watch->limit_ns = limit_ms * NS_PER_MS;
    watch->used_ns = clock_thread_cpu_ns();
    if (limit_ms > 0)
        uv_prepare_start(&watch->turn, on_turn);
    uv_unref((uv_handle_t *)&watch->turn);
}

void loop_watch_close(struct loop_watch *watch)
{
    uv_close((uv_handle_t *)&watch->turn, NULL);
}
