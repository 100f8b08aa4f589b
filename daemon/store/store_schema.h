/*
 * store_schema: the tables of the store as text, how an older file becomes one of today, and the
 * statements the store uses. Pure text.
 *
 * Tables (one row is one record): answer, policy, probe, event; meta has numbers by name. Views for
 * people, with times as text: answers, policies, probes, held, history.
 */
#pragma once

#include <stddef.h>

#include "base/arena.h"
#include "daemon/store/record.h"

#define STORE_APPLICATION_ID 0x6d786372 /* "mxcr" */

/* What makes version i + 1 of version i; the last one gives today's. */
extern const char *const store_schema_steps[];
extern const int store_schema_version;

/* Columns stand in the order of record_fields.h. Text of statements, in `arena`; NULL without memory. */
const char *store_sql_put(struct arena *arena, enum record_kind kind);
/* Columns: rowid, the two of `place`, whether the check is right, those of the table; `rest`
 * follows the table's name. */
const char *store_sql_select(struct arena *arena, enum record_kind kind, const char *rest);
/* ?1: now. */
const char *store_sql_lapse(struct arena *arena);
