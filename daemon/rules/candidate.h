/*
 * candidate: a file of rules that is to be tried and not to come in force. Its text comes in parts,
 * and is read on another thread.
 */
#pragma once

#include <uv.h>

#include "policy/rules/rules.h"

struct candidate;

/* The rules that were read, the callee's to free; or NULL, and why not. */
typedef void (*candidate_done)(void *context, struct rules *take, const char *error);

/* NULL without memory. */
struct candidate *candidate_new(void);
/* Ends it in whatever state it is; no callback comes any more. NULL is fine. */
void candidate_free(struct candidate *candidate);

/* Appends a part of the text. False when it is longer than RULES_TEXT_MAX then, or there is no
 * memory. */
bool candidate_add(struct candidate *candidate, const char *text, size_t length);
/* Reads the text; ports are as in key_parse. Calls back exactly once, later. Then the candidate can
 * only be freed. */
void candidate_read(struct candidate *candidate, uv_loop_t *loop, uint16_t default_port,
                    candidate_done done, void *context);
