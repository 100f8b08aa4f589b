/*
 * importer: the lines of an export, one after the other, into the cache. The first line says what
 * it is, the last how many there were, so that an export that was cut short is noticed.
 */
#pragma once

#include "daemon/cache/cache.h"

#define IMPORTER_LINE_MAX (1024 * 1024) /* octets of one line */

/* Begins with a cache and zeros. */
struct importer {
    struct cache *cache;
    size_t line, records;
    size_t restored, known, refused;
    bool begun, ended;
    bool failed; /* what comes is no export, or not the one that began: give up */
};

/* Takes one line, with or without its end. NULL, or why it was refused (static, valid until the
 * next line). */
const char *importer_line(struct importer *importer, const char *text, size_t length);
/* After the last line: NULL, or why the export is not whole. */
const char *importer_end(const struct importer *importer);
