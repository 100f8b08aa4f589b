/*
 * survey_page: what was counted, written for people and programs: a report of one results file, or
 * the difference of two. Everything foreign is escaped here, by the rules of the output; a results
 * file that somebody tampered with is as foreign as a server.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/page/page_figures.h"
#include "survey/page/figures.h"
#include "survey/page/interval.h"

#define SURVEY_TOP_DEFAULT 20
#define SURVEY_TOP_MAX     FIGURE_ROWS_MAX
#define SURVEY_REMARKS_MAX 16

struct survey_page {
    const struct figures *figures;
    const char *file, *old_file; /* paths; old_file NULL: a report */
    const char *const *remarks;  /* sentences; NULL ends them */
    double sampled;              /* the part of the list that was looked up; 1: all, no intervals */
    size_t top;                  /* the longest list in text and HTML */
    int64_t now;                 /* seconds since 1970 */
};

/* Writes a page. False when it is not whole: without memory, or with an error of the file. */
typedef bool survey_writer(FILE *out, const struct survey_page *page);

/* The contract of docs/survey.schema.json: every row of every figure. */
survey_writer survey_json;
survey_writer survey_text;
/* How far a survey is, of the figures in survey_status_figures. */
survey_writer survey_status_text;
extern const char *const survey_status_figures[]; /* NULL ends them */
/* One file that fetches nothing: style, script and charts are in it. */
survey_writer survey_report_html, survey_diff_html;

/* What the figures lack, in sentences. Strings are the arena's; without memory some are missing. */
void survey_remarks(const char *out[SURVEY_REMARKS_MAX], struct arena *arena,
                    const struct figures *figures);
/* The same for a difference. */
void survey_diff_remarks(const char *out[SURVEY_REMARKS_MAX], struct arena *arena,
                         const struct figures *figures);
/* The part of the list that was looked up, as one random sample: 0 to 1; 1 without sampling, and
 * where files were merged that are not parts of one sample. */
double survey_sampled(const struct figures *figures);

/* ---- shares ---- */

enum survey_way { SURVEY_BY_DOMAINS, SURVEY_BY_OPERATORS, SURVEY_BY_WEIGHT, SURVEY_WAYS };
/* The column: "domains", "operators", "weight". */
const char *survey_way_name(enum survey_way way);

struct survey_share {
    double part, whole;
    double share;   /* 0 to 1; 0 of nothing */
    bool estimated; /* there is an interval */
    struct interval interval;
};
/* Of a row of a figure of shares. */
struct survey_share survey_share(const struct survey_page *page, const struct figure_data *data,
                                 size_t row, enum survey_way way);
/* Of all rows with one of these keys; NULL ends them. */
struct survey_share survey_share_of(const struct survey_page *page, const struct figure_data *data,
                                    const char *const *keys, enum survey_way way);

/* ---- as text; each writes to `out` and returns it ---- */

/* "12.3 %", as page_percent. */
const char *survey_percent(char out[PAGE_FIGURE_MAX], const struct survey_share *share);
/* "11.9 - 12.8 %"; "" without an interval. */
const char *survey_interval(char out[PAGE_FIGURE_MAX], const struct survey_share *share);
/* A value by the form of its column, printable. */
const char *survey_value(char out[PAGE_TEXT_MAX], const struct figure_column *column,
                         const struct figure_value *value);
/* The key of a row, printable; "(none)" for an empty one. */
const char *survey_key(char out[PAGE_TEXT_MAX], const struct figure_data *data, size_t row);

/* ---- definitions ---- */

struct survey_definition {
    const char *term, *text;
};
/* What the words of a report mean: also in mxcrypt-survey(5), DEFINITIONS. A NULL term ends them. */
extern const struct survey_definition survey_definitions[];
