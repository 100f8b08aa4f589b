/*
 * anchors_uv: watches the trust anchors of a context and loads them again when they have changed,
 * on a thread of the pool, so that a bundle of hundreds of certificates does not stop the loop.
 * When they cannot be loaded, the old ones stay in force.
 */
#pragma once

#include <uv.h>

/* How often the file is looked at. */
#define ANCHORS_LOOK_MS 10000

struct tls_context;
struct anchors_watch;

/* `changed`: sessions of `tls`, those under way too, are judged by other anchors from now on. `tls`
 * is borrowed. 0 or UV_ENOMEM. */
int anchors_watch_new(struct anchors_watch **out, uv_loop_t *loop, struct tls_context *tls,
                      void (*changed)(void *context), void *context);
/* Looks at once. */
void anchors_watch_look(struct anchors_watch *watch);
/* There is no callback after this; frees itself as the loop runs. NULL is allowed. */
void anchors_watch_close(struct anchors_watch *watch);
