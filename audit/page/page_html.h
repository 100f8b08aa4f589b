/* page_html: what the parts of the HTML page share, beside base/page/html.h. */
#pragma once

#include "audit/page/page_facts.h"
#include "base/page/html.h"

/* ---- charts ---- */

/* A cell with a bar of levels. */
void html_levels(FILE *out, const uint32_t levels[TALLY_LEVEL_COUNT]);
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
