/*
 * anchors_uv: watches the trust anchors and loads them again when they have changed, on a thread of
 * the pool, so that a bundle of hundreds of certificates does not stop the loop. When they cannot
 * be loaded, the old ones stay in force.
 */
#pragma once

#include <uv.h>

#include "probe/tls/tls_anchors.h"

/* How often the file is looked at. */
#define ANCHORS_LOOK_MS 10000

struct anchors_watch;
/* `anchors` is borrowed until the callback returns. */
typedef void (*anchors_changed)(void *context, const struct tls_anchors *anchors);

/* `mark` is that of the anchors in force, made before they were loaded, so that no change is missed.
 * The strings of `place` are borrowed. 0 or UV_ENOMEM. */
int anchors_watch_new(struct anchors_watch **out, uv_loop_t *loop,
                      const struct tls_anchors_place *place, const struct file_mark *mark,
                      anchors_changed changed, void *context);
/* Looks at once. */
void anchors_watch_look(struct anchors_watch *watch);
/* There is no callback after this; frees itself as the loop runs. NULL is allowed. */
void anchors_watch_close(struct anchors_watch *watch);
