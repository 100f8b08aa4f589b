/* postfix_syntax: checks a TLS policy by Postfix's own rules, strictly. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "policy/span.h"

enum postfix_version { POSTFIX_3_4, POSTFIX_3_10 };

/* One bit each, so that a set of them is a number. */
enum postfix_level {
    POSTFIX_NONE = 1 << 0,
    POSTFIX_MAY = 1 << 1,
    POSTFIX_ENCRYPT = 1 << 2,
    POSTFIX_FINGERPRINT = 1 << 3,
    POSTFIX_DANE = 1 << 4,
    POSTFIX_DANE_ONLY = 1 << 5,
    POSTFIX_VERIFY = 1 << 6,
    POSTFIX_SECURE = 1 << 7
};

/*
 * True when every Postfix from `version` on accepts `text` and reads it as it is meant: the level
 * and all attributes are known and in their places, no attribute is empty or given too often, and
 * no match pattern is a keyword, an address or "*.d". On false *why names the fault (static).
 */
bool postfix_syntax_ok(const char *text, size_t length, enum postfix_version version,
                       const char **why);

/* One attribute; match= may come more than once. The value is a part of the text. */
typedef void postfix_taker(void *context, const char *name, struct span value);
/* Reads a policy that postfix_syntax_ok accepts: its level, and each attribute for `take` (NULL:
 * nobody). NULL, or what is wrong (static); `take` may have been called then. */
const char *postfix_policy_read(enum postfix_level *level, struct span text,
                                enum postfix_version version, postfix_taker *take, void *context);
