/*
 * html: what the HTML pages share.
 *
 * A page is one file, and whole without script: its numbers are in tables, and its charts are SVG.
 * Style and script are known to the page's Content-Security-Policy by their hashes, so that nothing
 * else can run or be fetched, whatever a name on the page holds.
 *
 * Everything foreign goes through html_text, which is right for text and for attributes in double
 * quotes. Nothing foreign is in script or style. A number that is also in the JSON stands in a cell
 * with data-n; the table's data-in, the row's data-key and the column's data-is say where it is
 * there: tests/pictures.py compares them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/page/page_figures.h"

/* `text` as HTML. Not printable ASCII is escaped before. NULL: nothing. */
void html_text(FILE *out, const char *text);

/* ---- the page ---- */

/* All until the body begins. */
void html_head(FILE *out, const char *title);
/* A card with the answer to a question, on top of the page. `title` is HTML. */
void html_card(FILE *out, const char *title, const char *figure, const char *words);
/* An element of a list of totals; `is`: the member of the JSON. `title` is HTML. */
void html_total(FILE *out, const char *title, const char *is, uint64_t number);
/* A section of sentences, which NULL ends; nothing of none. */
void html_remarks(FILE *out, const char *const *remarks);
/* The end of `main`, when the page was written, `words`, which is HTML, and the script. */
void html_end(FILE *out, int64_t now, const char *words);

/* ---- tables ---- */

struct html_column {
    const char *title;
    const char *is; /* the member of the JSON, below the table's and the row's; NULL: none */
    bool number;
};

/* Begins a table. `in`: the member of the JSON that it shows; NULL: none. */
void html_table(FILE *out, const char *caption, const char *in, const struct html_column *columns,
                size_t count);
void html_table_end(FILE *out);
/* Begins a row: `title` is its heading, `key` its name in the JSON (NULL: none), `swatch` a class
 * that gives a colour (NULL: none). */
void html_row(FILE *out, const char *title, const char *key, const char *swatch);
/* Cells. */
void html_number(FILE *out, uint64_t number);
void html_share(FILE *out, uint64_t part, uint64_t whole);
void html_cell(FILE *out, const char *text);
/* The same for running text, which may be long. */
void html_words(FILE *out, const char *text);
/* A bar that is as long as part of whole. */
void html_part(FILE *out, uint64_t part, uint64_t whole, const char *colour);
