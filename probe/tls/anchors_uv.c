/* anchors_uv: see anchors_uv.h. One loading at a time; a change meanwhile is seen by the next look.
 */
#include "probe/tls/anchors_uv.h"

#include <stdlib.h>

#include "base/log/log.h"

struct anchors_watch {
    struct tls_anchors_place place;
    struct file_mark mark; /* of what is in force, or is being loaded; 0: try again */
    struct file_mark told; /* of what could not be loaded, and was warned of */
    anchors_changed changed;
    void *context;
    uv_timer_t timer;
    uv_work_t work;
    bool loading, closing, closed;
    /* the thread's, while it loads */
    struct tls_anchors *loaded;
    char why[TLS_ANCHORS_WHY_MAX];
};

static void free_when_over(struct anchors_watch *watch)
{
    if (watch->closed && !watch->loading)
        free(watch);
}

static void load_on_thread(uv_work_t *work)
{
    struct anchors_watch *watch = work->data;

    if (tls_anchors_load(&watch->loaded, &watch->place, watch->why) != 0)
        watch->loaded = NULL;
    tls_thread_end();
}

static void on_loaded(uv_work_t *work, int status)
{
    struct anchors_watch *watch = work->data;

    watch->loading = false;
    if (watch->closing || status != 0) {
        tls_anchors_free(watch->loaded);
        free_when_over(watch);
        return;
    }
    if (watch->loaded == NULL) {
        if (watch->mark.identity != watch->told.identity)
            log_event(LOG_LEVEL_WARNING, "trust-anchors-unreadable", "why", watch->why, "effect",
                      "those loaded before stay in force", NULL);
        watch->told = watch->mark;
        watch->mark = (struct file_mark){0};
        return;
    }
    watch->changed(watch->context, watch->loaded);
    tls_anchors_free(watch->loaded);
    watch->loaded = NULL;
}

void anchors_watch_look(struct anchors_watch *watch)
{
    struct file_mark mark;

    if (watch->loading || watch->closing)
        return;
    tls_anchors_look(&mark, &watch->place);
    if (mark.identity == watch->mark.identity)
        return;
    watch->work.data = watch;
    watch->loaded = NULL;
    if (uv_queue_work(watch->timer.loop, &watch->work, load_on_thread, on_loaded) != 0)
        return;
    watch->mark = mark;
    watch->loading = true;
}

static void on_timer(uv_timer_t *timer)
{
    anchors_watch_look(timer->data);
}

int anchors_watch_new(struct anchors_watch **out, uv_loop_t *loop,
                      const struct tls_anchors_place *place, const struct file_mark *mark,
                      anchors_changed changed, void *context)
{
    struct anchors_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return UV_ENOMEM;
    watch->place = *place;
    watch->mark = *mark;
    watch->changed = changed;
    watch->context = context;
    uv_timer_init(loop, &watch->timer);
    watch->timer.data = watch;
    uv_timer_start(&watch->timer, on_timer, ANCHORS_LOOK_MS, ANCHORS_LOOK_MS);
    *out = watch;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct anchors_watch *watch = handle->data;

    watch->closed = true;
    free_when_over(watch);
}

void anchors_watch_close(struct anchors_watch *watch)
{
    if (watch == NULL)
        return;
    watch->closing = true;
    uv_close((uv_handle_t *)&watch->timer, on_closed);
}
