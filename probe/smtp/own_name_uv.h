/*
 * own_name_uv: this host's own full name, for EHLO, as libc finds it: in /etc/hosts or in the DNS.
 * libc blocks for as long as the DNS is silent, so it is called on a thread of its own. A thread
 * whose result is no longer wanted ends by itself.
 */
#pragma once

#include <uv.h>

struct own_name;
/* `name` is borrowed until the callback returns; NULL: this host has none. */
typedef void (*own_name_found)(void *context, const char *name);

/* Retries `again_ms` after each failed attempt, for as long as it takes. Calls `found` once, later,
 * unless own_name_close comes first. 0 or a libuv error. */
int own_name_start(struct own_name **out, uv_loop_t *loop, uint64_t again_ms, own_name_found found,
                   void *context);
/* Does not wait; frees itself as the loop runs. NULL is allowed. */
void own_name_close(struct own_name *own_name);
