/*
 * check_nagios: a report as one line of a plugin; see check_page.h. The text ends at the first
 * bar, behind which figures stand, so that a bar in it is replaced.
 */
#include <inttypes.h>

#include "check/check_page.h"

#define NAMED_MAX 5   /* findings that are named */
#define WHERE_MAX 150 /* octets of a place: Nagios reads no more than 4 KB in all */

static void put_upper(FILE *out, const char *word)
{
    for (; *word != '\0'; word++)
        fputc(*word >= 'a' && *word <= 'z' ? *word - 'a' + 'A' : *word, out);
}

static void put_text(FILE *out, const char *text, size_t max)
{
    size_t i;

    for (i = 0; text[i] != '\0' && i < max; i++)
        fputc(text[i] == '|' || text[i] < ' ' || text[i] > '~' ? '/' : text[i], out);
    if (text[i] != '\0')
        fputs("...", out);
}

static void put_finding(FILE *out, const struct check_finding *finding)
{
    fputs(check_kinds[finding->code].code, out);
    if (finding->where[0] != '\0') {
        fputc(' ', out);
        put_text(out, finding->where, WHERE_MAX);
    }
}

bool check_nagios(FILE *out, const struct check_page *page)
{
    const struct check_report *report = page->report;
    char counts[CHECK_COUNTS_MAX];
    size_t all = report->count + report->dropped;

    fputs("MXCRYPT ", out);
    put_upper(out, check_status(report));
    fputs(" - ", out);
    put_text(out, page->facts->domain, CHECK_TEXT_MAX);
    fprintf(out, ": %s", check_counts(counts, report));
    for (size_t i = 0; i < report->count && i < NAMED_MAX; i++) {
        fputs(i == 0 ? ": " : ", ", out);
        put_finding(out, &report->findings[i]);
    }
    if (all > NAMED_MAX)
        fprintf(out, " and %zu more", all - NAMED_MAX);
    fputs(" |", out);
    if (report->expiry_known)
        fprintf(out, " days_to_expiry=%" PRId64 ";14:;3:", report->days_to_expiry);
    fprintf(out, " findings=%zu\n", all);
    return fflush(out) == 0 && !ferror(out) && !arena_failed(report->arena);
}

bool check_nagios_unknown(FILE *out, const char *why)
{
    fputs("MXCRYPT UNKNOWN - ", out);
    put_text(out, why, CHECK_TEXT_MAX);
    fputc('\n', out);
    return fflush(out) == 0 && !ferror(out);
}
