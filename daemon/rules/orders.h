/*
 * orders: the operator's orders in force: the rules file, `mode`, `rollout`; read at start and
 * again on reload, when a file that cannot be read leaves the old ones in force. Logs rules that
 * are about to lapse, and lapse.
 */
#pragma once

#include <uv.h>

#include "daemon/config/config.h"
#include "policy/rules/ruling.h"

struct orders;

/* Reads the rules file; 0, or -1 with a message in `error` ("/etc/mxcrypt/rules:12: ..."). `config`
 * is borrowed for the call only. */
int orders_new(struct orders **out, uv_loop_t *loop, const struct config *config,
               char error[CONFIG_ERROR_MAX]);
/* Closes handles; orders_free once the loop is empty. */
void orders_close(struct orders *orders);
void orders_free(struct orders *orders);

/* The same orders have the same generation; never 0. NULL: none, here and in orders_find. */
unsigned orders_generation(const struct orders *orders);
/* Pointers in `out` are valid while the generation is the same. */
void orders_find(const struct orders *orders, const struct key *key, struct ruling *out);
bool orders_has_rules(const struct orders *orders);
/* NULL: there is no file. */
const struct rules *orders_rules(const struct orders *orders);
const struct ruling_options *orders_options(const struct orders *orders);

/* Takes rules that were read by config_read_rules (NULL: none), and the options: a new generation.
 */
void orders_replace(struct orders *orders, struct rules *take,
                    const struct ruling_options *options);
