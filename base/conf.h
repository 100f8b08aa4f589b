/* conf: `key = value` files in the style of Postfix's main.cf, as text; no meaning attached. */
#pragma once

#include <stddef.h>

#include "base/arena.h"

#define CONF_FILE_MAX  (1024 * 1024)
#define CONF_VALUE_MAX 65536

/*
 * Called for each setting, with the line it begins on; both strings belong to the arena. Nonzero
 * ends the reading, and conf_read returns it.
 */
typedef int (*conf_setting)(void *context, unsigned line, const char *key, const char *value);

/*
 * Reads `text`: a line that begins with a blank continues the one before it, `#` begins a comment
 * line, blank lines do not count, white space around key, `=` and value is dropped. 0; what
 * `setting` returned; or -1 with *line and *why (static) for a line that is none of these.
 */
int conf_read(const char *text, size_t length, struct arena *arena, conf_setting setting,
              void *context, unsigned *line, const char **why);
