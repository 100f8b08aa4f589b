/*
 * page_html: what the parts of the HTML page share.
 *
 * Everything foreign goes through html_text, which is right for text and for attributes in double
 * quotes. Nothing foreign is in script or style. A number that is also in the JSON stands in a cell
 * with data-n; the table's data-in, the row's data-key and the column's data-is say where it is
 * there: tests/pictures.py compares them.
 */
#pragma once

#include "audit/page/page_facts.h"

struct html_column {
    const char *title;
    const char *is; /* the member of the JSON, below the table's and the row's; NULL: none */
    bool number;
};

/* `text` as HTML. Not printable ASCII is escaped before. NULL: nothing. */
void html_text(FILE *out, const char *text);

/* ---- tables ---- */

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
/* A bar of levels. */
void html_levels(FILE *out, const uint32_t levels[TALLY_LEVEL_COUNT]);

/* ---- charts ---- */

/* One wide bar of the levels; its legend is the table below it. */
void html_wide_bar(FILE *out, const uint32_t levels[TALLY_LEVEL_COUNT]);
/* Share and number of deliveries over time. */
void html_time_chart(FILE *out, const struct page_span *spans, size_t count);

/* ---- sections ---- */

void html_levels_section(FILE *out, const struct page *page);
void html_time_section(FILE *out, const struct page *page);
void html_clear_section(FILE *out, const struct page *page);
void html_causes_section(FILE *out, const struct page *page);
void html_hosts_section(FILE *out, const struct page *page);
void html_domains_section(FILE *out, const struct page *page);
void html_verdicts_section(FILE *out, const struct page *page);
void html_what_ifs_section(FILE *out, const struct page *page);
void html_queue_section(FILE *out, const struct page *page);
