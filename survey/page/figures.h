/*
 * figures: what a report counts. One table says the name of each figure, what it counts, and the
 * SELECT that counts it. Every page takes its numbers from here, and mxcrypt-survey(5) prints the
 * same SELECTs.
 *
 * Glossary
 *   share    a part of the domains, three ways: by domains; by operators, of whom each counts 1,
 *            spread over its domains (domain.operator_share); by weight
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "survey/results/results.h"

#define FIGURE_ROWS_MAX    1000 /* of one figure; the SELECTs of long lists say the same */
#define FIGURE_COLUMNS_MAX 24
#define FIGURES_MAX        64                  /* of a page */
#define FIGURES_OCTETS_MAX ((size_t)128 << 20) /* what a page may hold of a file in memory */

enum figure_kind {
    FIGURE_ROW,    /* one row of numbers */
    FIGURE_SHARES, /* key, domains, operators, weight, weight_squares: the rows are all there is */
    FIGURE_COUNTS, /* key, numbers: shares are of the first number */
    FIGURE_LIST    /* the first rows of an order */
};

struct figure {
    const char *name;  /* in the JSON, and in the manual */
    const char *title; /* a heading */
    const char *what;  /* what it counts: sentences */
    const char *sql;
    enum figure_kind kind;
};

/* Of a results file; of two, where the older one is attached as `old`. An empty name ends them. */
extern const struct figure figures_of_report[], figures_of_diff[];

/* How a column is written; columns of all figures have their names from one table. */
enum figure_form { FIGURE_TEXT, FIGURE_NUMBER, FIGURE_SUM, FIGURE_TIME, FIGURE_YES_NO };
struct figure_column {
    const char *name; /* in the SELECT and in the JSON */
    const char *title;
    enum figure_form form;
};
/* NULL: no such column. */
const struct figure_column *figure_column(const char *name);

struct figure_value {
    bool known;       /* false: NULL in the file */
    const char *text; /* of a text, not escaped; else NULL */
    double number;    /* integers are exact to 2^53 */
};

/* A figure that was read. Memory is the arena's. */
struct figure_data {
    const struct figure *figure;
    size_t column_count, row_count;
    const struct figure_column *columns[FIGURE_COLUMNS_MAX];
    struct figure_value *values; /* row by row */
    bool cut;                    /* there are more than FIGURE_ROWS_MAX rows */
};

struct figures {
    size_t count;
    struct figure_data data[FIGURES_MAX];
};

/* Reads the figures of a table, or those of the names in `only`, which NULL ends; `only` NULL: all.
 * False without memory, or when a SELECT failed: `why` says it. */
bool figures_read(struct figures *out, const struct figure *table, const char *const *only,
                  struct results *results, struct arena *arena, char why[RESULTS_ERROR_MAX]);

/* A figure by its name: one that the table has. */
const struct figure_data *figures_find(const struct figures *figures, const char *name);
/* The value in a column by its name; an unknown one where there is no such row or column. */
struct figure_value figure_at(const struct figure_data *data, size_t row, const char *column);
/* The same as a number, 0 where it is not known. */
double figure_number(const struct figure_data *data, size_t row, const char *column);
/* The sum of a column. */
double figure_sum(const struct figure_data *data, const char *column);
/* The number in a column of the row with this key; 0 without one. */
double figure_of_key(const struct figure_data *data, const char *key, const char *column);

/* Words for a key of a figure, for people; NULL: the key speaks for itself. */
const char *figure_words(const char *figure, const char *key);
