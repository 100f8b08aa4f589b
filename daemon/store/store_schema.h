/*
 * store_schema: the tables of the store as text, how an older file becomes one of today, and the
 * statements the store uses. Pure text.
 *
 * Tables (one row is one record): answer, policy, probe, event; meta has numbers by name. Views for
 * people, with times as text: answers, policies, probes, held, history.
 */
#pragma once

#include "base/arena.h"
#include "daemon/store/store.h"

#define STORE_APPLICATION_ID 0x6d786372 /* "mxcr" */

/* What makes version i + 1 of version i; the last one gives today's. */
extern const char *const store_schema_steps[];
extern const int store_schema_version;

/* What is done to the table of a kind of records: first the operations of enum store_op, whose
 * parameters are the columns (STORE_PUT, as in record_fields.h), or the name and then the moment.
 * Every one is prepared when the file is opened: what is not our schema shows then. */
enum store_statement {
    STATEMENT_FIND = STORE_OPS, /* ?1: the key or the domain; answers and policies */
    STATEMENT_LIST,             /* ?2, ?3, ?4: the place where the last page ended, ?5: limit */
    STATEMENT_LIST_OF_KEY,      /* ?1: the key, the others as above; answers and events */
    STATEMENT_DROP,             /* ?1: rowid */
    STATEMENT_TRIM,             /* ?1: key, of which the newest stay; events */
    STATEMENT_COUNT,            /* rows */
    STATEMENT_EVICT,            /* ?1: how many rows too much */
    STATEMENT_SWEEP_TO,         /* ?1: rowid after which a turn of the sweep begins; its last one */
    STATEMENT_SWEEP,            /* ?1, ?2: those two, ?3: what ended before goes */
    STATEMENT_META_GET,         /* of the table meta; at kind 0. ?1: name */
    STATEMENT_META_SET,         /* ?1: name, ?2: value */
    STATEMENTS
};

/* FIND and LIST: the columns before those of the record: rowid, the two other numbers of a place,
 * whether the check is right. */
#define STORE_FIRST_COLUMN 4

/* Text of all statements, NULL where a kind has none; in `arena`; false without memory. */
bool store_statements_text(struct arena *arena, const char *out[STATEMENTS][RECORD_KINDS]);
