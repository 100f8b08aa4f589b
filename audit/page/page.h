/*
 * page: what was counted and judged, written for people and programs. Everything foreign is escaped
 * here, by the rules of the output.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "audit/judged.h"
#include "audit/tally.h"

#define PAGE_TOP_DEFAULT 20

struct page {
    const struct tally *tally;
    const struct judged *judged; /* NULL: nothing was judged */
    const char *source;          /* where the log was read: file names, "the journal" */
    const char *const *remarks;  /* sentences: what the figures lack, and the remedy; NULL ends */
    size_t top;                  /* --top: the longest list of domains on a page */
    int64_t now;                 /* seconds since 1970 */
};

/* A list on a page is never longer, whatever `top` says. */
#define PAGE_TOP_MAX 1000

/* Writes a page. False when it is not whole: without memory, or with an error of the file. */
typedef bool page_writer(FILE *out, const struct page *page);

page_writer page_text;
/* The contract of mxcrypt(1), AUDIT: all domains, one per line. */
page_writer page_json;
/* One file that fetches nothing: style, script and charts are in it. */
page_writer page_html;
/* A textfile of node_exporter: metrics mxcrypt_audit_*. */
page_writer page_prometheus;

/* Writes a page to a file, as page_replace does. */
int page_write_file(const char *path, const struct page *page, page_writer *write);
