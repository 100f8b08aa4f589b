/* check_words: the words that the pages of a check share; see check_page.h. */
#include <string.h>

#include "check/check_page.h"
#include "check/judge_internal.h"

/* In the order in which they are told. */
static const struct {
    enum check_severity severity;
    const char *one, *more;
} counted[] = {
    {CHECK_CRITICAL, "critical", "critical"},
    {CHECK_UNKNOWN, "unknown", "unknown"},
    {CHECK_WARNING, "warning", "warnings"},
    {CHECK_NOTICE, "notice", "notices"},
};

size_t check_count(const struct check_report *report, enum check_severity severity)
{
    size_t count = 0;

    for (size_t i = 0; i < report->count; i++)
        count += report->findings[i].severity == severity;
    return count;
}

const char *check_counts(char out[CHECK_COUNTS_MAX], const struct check_report *report)
{
    size_t used = 0;

    snprintf(out, CHECK_COUNTS_MAX, "no findings");
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
        size_t count = check_count(report, counted[i].severity);

        if (count == 0)
            continue;
        snprintf(out + used, CHECK_COUNTS_MAX - used, "%s%zu %s", used > 0 ? ", " : "", count,
                 count == 1 ? counted[i].one : counted[i].more);
        used = strlen(out);
    }
    return out;
}

const char *check_status(const struct check_report *report)
{
    static const char *const names[] = {"ok", "warning", "critical", "unknown"};

    return names[check_exit(report)];
}

const char *check_sender_name(enum check_sender sender)
{
    static const char *const names[] = {
#define X(word, name, dane, sts) name,
        CHECK_SENDERS(X)
#undef X
    };

    return names[sender];
}

const char *check_dane_name(const struct check_page *page, const struct check_host *host)
{
    static const char *const names[] = {[JUDGE_DANE_NONE] = "none",
                                        [JUDGE_DANE_UNSIGNED] = "unsigned",
                                        [JUDGE_DANE_UNUSABLE] = "unusable",
                                        [JUDGE_DANE_USABLE] = "usable"};

    return names[judge_dane_of(page->facts, host)];
}
