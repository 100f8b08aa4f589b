/* queue_internal_uv: the loop of a queue, for who starts processes on it. */
#pragma once

#include <uv.h>

#include "survey/queue/queue_uv.h"

uv_loop_t *queue_loop(struct queue *queue);
