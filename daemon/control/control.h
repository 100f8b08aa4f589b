/*
 * control: the operator's socket. Each line is one JSON object; the answer is one object, or
 * several if it may be long. mxcrypt(1) talks to a running daemon here; Postfix never does.
 */
#pragma once

#include <uv.h>

#include "daemon/lookup/engine.h"
#include "daemon/rules/reload.h"
#include "daemon/serve/server.h"

#define CONTROL_LINE_MAX        (3 * 1024 * 1024) /* a line of an export, quoted, fits */
#define CONTROL_CONNECTIONS_MAX 64
/* Entries of one cache-list or held answer: a long list must not stop the loop. */
#define CONTROL_PAGE 500

struct control;

/* NULL without memory. `reloader` may be NULL; it outlives the control's close. */
struct control *control_new(uv_loop_t *loop, struct engine *engine, struct server *server,
                            struct reload *reloader);
/* Serves a listening Unix socket; takes the descriptor. 0 or a libuv error. */
int control_add(struct control *control, int take_fd);
/* Closes everything; frees itself when all handles are closed. */
void control_close(struct control *control);
