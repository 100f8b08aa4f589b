/* config_values: the syntax of single values. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "daemon/config/config.h"

/* Each returns NULL, or what is wrong with `text` (static) and leaves the target as it was. */
const char *value_duration(int64_t *out_ms, const char *text); /* 500ms 5s 15m 24h 7d */
const char *value_count(uint64_t *out, const char *text);      /* 0 to 2^53 */
const char *value_octets(uint64_t *out, const char *text);     /* 4096 64K 256M 1G */
const char *value_listen(struct listen_address *out, struct arena *arena, const char *text);
const char *value_endpoint(struct ip *ip, uint16_t *port,
                           const char *text);                       /* ADDR:PORT, [V6]:PORT */
const char *value_server(struct dns_server *out, const char *text); /* ADDR, ADDR:PORT, [V6]:PORT */

/* The next word of a list (blanks and commas between them), NUL-terminated in the arena; NULL at
 * the end or without memory. Moves *text on. */
const char *value_word(struct arena *arena, const char **text);
