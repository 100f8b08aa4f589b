/*
 * candidate: a file of rules that is checked and does not come in force. Its text arrives in parts
 * and is parsed on another thread.
 */
#pragma once

#include <uv.h>

#include "policy/rules/rules.h"

struct candidate;

/* The rules, which the callee frees; or NULL, and why not. */
typedef void (*candidate_done)(void *context, struct rules *take, const char *error);

/* NULL without memory. */
struct candidate *candidate_new(void);
/* Ends it in any state; no callback comes any more. NULL is fine. */
void candidate_free(struct candidate *candidate);

/* Appends a part of the text. False when it is longer than RULES_TEXT_MAX then, or there is no
 * memory. */
bool candidate_add(struct candidate *candidate, const char *text, size_t length);
/* Parses the text; `default_port` is as in key_parse. Calls back exactly once, later. After that
 * the candidate can only be freed. */
void candidate_read(struct candidate *candidate, uv_loop_t *loop, uint16_t default_port,
                    candidate_done done, void *context);
