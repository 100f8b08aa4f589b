/* postfix_syntax: checks a TLS policy by Postfix's own rules, strictly. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum postfix_version { POSTFIX_3_4, POSTFIX_3_10 };

/*
 * True when every Postfix from `version` on accepts `text` and reads it as it is meant: the level
 * and all attributes are known and in their places, no attribute is empty or given too often, and
 * no match pattern is a keyword, an address or "*.d". On false *why names the fault (static).
 */
bool postfix_syntax_ok(const char *text, size_t length, enum postfix_version version,
                       const char **why);
