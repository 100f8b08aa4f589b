/*
 * importer: the lines of an export, one after the other, into the memory. The first line says what
 * it is, the last how many there were, so that an export that was cut short is noticed.
 */
#pragma once

#include "daemon/cache/cache.h"

#define IMPORTER_LINE_MAX (1024 * 1024) /* octets of one line */

struct importer {
    struct cache *cache;
    size_t line, records;
    size_t restored, known, refused;
    bool begun, ended, failed;
};

void importer_init(struct importer *importer, struct cache *cache);
/* Takes one line, with or without its end. *why (static, valid until the next line) when it was
 * refused, else untouched. */
void importer_line(struct importer *importer, const char *text, size_t length, const char **why);
/* True when what comes is no export: give up. */
bool importer_failed(const struct importer *importer);
/* After the last line: NULL, or why the export is not whole. */
const char *importer_end(const struct importer *importer);
