/*
 * page: what was counted and judged, written for people and programs. Everything foreign is escaped
 * here, by the rules of the output. Writing is checked at the end, by ferror of the file.
 */
#pragma once

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

void page_text(FILE *out, const struct page *page);
/* The contract of mxcrypt(1), AUDIT: all domains, one per line. */
void page_json(FILE *out, const struct page *page);
void page_html(FILE *out, const struct page *page);
/* A textfile of node_exporter: metrics mxcrypt_audit_*. */
void page_prometheus(FILE *out, const struct page *page);

/* Writes a page to `path` at once or not at all: a temporary file beside it is renamed. 0, or -1
 * with errno. The file is readable for all who may read its folder. */
int page_write_file(const char *path, const struct page *page,
                    void (*write)(FILE *out, const struct page *page));
