/*
 * survey_export: the rows of a results file for other programs, one after the other, in memory that
 * does not grow with their number.
 *
 * What is not printable ASCII is written as \xHH, as a survey has it in its file already, so that no
 * line end, tab or terminal control is in a value. In CSV (RFC 4180) a text that begins with = + - @
 * is written with an apostrophe before it, since spreadsheets would take it for a formula; numbers are
 * written as they are. JSON needs none.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "survey/results/results.h"

enum survey_format { SURVEY_CSV, SURVEY_JSONL };

/* One table of the export. */
struct survey_table {
    const char *name, *what, *sql;
};
/* A NULL name ends them. */
extern const struct survey_table survey_tables[];
/* NULL: there is none of this name. */
const struct survey_table *survey_table_find(const char *name);

/* Writes all rows. False when they are not all: an error of the file read (results_error), or of the
 * one written (errno). */
bool survey_export(FILE *out, struct results *results, const struct survey_table *table,
                   enum survey_format format);
