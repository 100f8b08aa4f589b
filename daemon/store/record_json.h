/*
 * record_json: records as JSON lines, for `mxcrypt export` and `mxcrypt import`. What is read is
 * hostile until it has passed: every name, number, time and policy is checked as if it came from
 * the network; a policy's text goes through the parser that a fetched one goes through.
 */
#pragma once

#include <jansson.h>

#include "daemon/store/record.h"

#define RECORD_JSON_VERSION 1

/* A new object, or NULL without memory. Times stay wall clock. */
json_t *record_to_json(const struct record *record);
/* The record in `arena`, or NULL with *why (static). Times are bounded, not yet clamped. */
struct record *record_from_json(struct arena *arena, const json_t *json, const char **why);
