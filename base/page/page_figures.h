/*
 * page_figures: figures and foreign text as the pages write them. Each function writes to `out` and
 * returns it, or a text of its own. Pure, but for the local time zone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest foreign text on a page; the rest is cut, and ends in "...". */
#define PAGE_TEXT_MAX 600
/* Room for a figure or a time as text. */
#define PAGE_FIGURE_MAX 64

/* Whether text is printable ASCII only. */
bool page_is_plain(const char *text);
/* `text` itself where it is printable ASCII and not too long; else escaped into `out`. NULL: "". */
const char *page_printable(char out[PAGE_TEXT_MAX], const char *text);
/* "2.4 %"; never 0 or 100 for what is not quite that; "-" of nothing. */
const char *page_percent(char out[PAGE_FIGURE_MAX], uint64_t part, uint64_t whole);
/* "45 s", "3 h 20 min", "2 d 4 h" */
const char *page_duration(char out[PAGE_FIGURE_MAX], uint64_t seconds);
/* "1.2 GB", by thousands */
const char *page_octets(char out[PAGE_FIGURE_MAX], uint64_t octets);
/* "12,345" */
const char *page_grouped(char out[PAGE_FIGURE_MAX], uint64_t number);
/* RFC 3339, in UTC. */
const char *page_utc(char out[PAGE_FIGURE_MAX], int64_t at);
/* Local time, as strftime writes it. */
const char *page_local(char out[PAGE_FIGURE_MAX], const char *format, int64_t at);
