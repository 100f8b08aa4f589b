/* postfix_syntax: Postfix's own rules for a TLS policy, strictly: what it would defer mail for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum postfix_version { POSTFIX_3_4, POSTFIX_3_10 };

/*
 * True when every Postfix from `version` on takes `text` as a policy and reads it as it is meant:
 * known level, known attributes in their places, none empty or twice where once is the rule, no
 * match pattern that is a keyword, an address or "*.d". On false `*why` names the fault (static).
 */
bool postfix_syntax_ok(const char *text, size_t length, enum postfix_version version,
                       const char **why);
