/*
 * page_writer: writes the pages of a made-up period, for tests/pictures.py.
 * usage: page_writer made|plain|empty FOLDER     audit.txt, .json, .html and .prom
 *        page_writer many COUNT                  the JSON of so many domains, to standard output
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/audit/page/page_make.h"

static const struct {
    const char *name;
    page_writer *write;
} pages[] = {{"audit.txt", page_text},
             {"audit.json", page_json},
             {"audit.html", page_html},
             {"audit.prom", page_prometheus}};

static int write_pages(const char *kind, const char *folder)
{
    struct page_made made;
    char path[4096];
    int status = 0;

    if (strcmp(kind, "empty") == 0)
        page_make_empty(&made);
    else
        page_make(&made);
    if (strcmp(kind, "plain") == 0)
        made.page.judged = NULL;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, pages[i].name);
        if (page_write_file(path, &made.page, pages[i].write) != 0) {
            perror(path);
            status = 1;
        }
    }
    page_unmake(&made);
    return status;
}

static int write_many(unsigned long count)
{
    struct page_made made;
    bool whole;

    page_make_empty(&made);
    for (unsigned long i = 0; i < count; i++) {
        char name[40];
        uint32_t domain;

        snprintf(name, sizeof name, "domain-%lu.example", i);
        domain = tally_domain_at(made.tally, name, strlen(name));
        make_sent(made.tally, domain, TALLY_OTHERS, MAKE_NOW - (int64_t)(i % 5), TALLY_TRUSTED);
    }
    whole = page_json(stdout, &made.page);
    page_unmake(&made);
    return whole ? 0 : 1;
}

int main(int argc, char **argv)
{
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    if (argc == 3 && strcmp(argv[1], "many") == 0)
        return write_many(strtoul(argv[2], NULL, 10));
    if (argc == 3)
        return write_pages(argv[1], argv[2]);
    fputs("usage: page_writer made|plain|empty FOLDER | many COUNT\n", stderr);
    return 64;
}
