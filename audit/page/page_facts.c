/*
 * page_facts: see page_facts.h. Nothing here fails; what does not fit is cut.
 */
#include "audit/page/page_facts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DAY_S 86400

/* ---- names ---- */

const char *page_domain(char out[PAGE_TEXT_MAX], const struct tally *tally, uint32_t index)
{
    return index == TALLY_OTHERS ? PAGE_OTHERS : page_printable(out, tally->domains[index].name);
}

const char *page_host(char out[PAGE_TEXT_MAX], const struct tally *tally, uint32_t index)
{
    return index == TALLY_OTHERS ? PAGE_OTHERS : page_printable(out, tally->hosts[index].name);
}

const char *page_forecast(char out[PAGE_TEXT_MAX], const char *name)
{
    if (name != NULL && strcmp(name, "defers") == 0)
        return "waits";
    if (name != NULL && strcmp(name, "bounces") == 0)
        return "comes back";
    if (name != NULL && strcmp(name, "unknown") == 0)
        return "may flow or not";
    return page_printable(out, name);
}

/* ---- sums ---- */

uint64_t page_deliveries(const uint32_t statuses[TALLY_STATUS_COUNT])
{
    uint64_t sum = 0;

    for (int i = 0; i < TALLY_STATUS_COUNT; i++)
        sum += statuses[i];
    return sum;
}

uint64_t page_encrypted(const uint32_t levels[TALLY_LEVEL_COUNT])
{
    return (uint64_t)levels[TALLY_VERIFIED] + levels[TALLY_TRUSTED] + levels[TALLY_UNTRUSTED] +
           levels[TALLY_ANONYMOUS];
}

uint64_t page_judged_messages(const struct judged *judged)
{
    uint64_t sum = judged->messages_unjudged;

    for (int i = 0; i <= VERDICT_TEMP; i++)
        sum += judged->messages_by_level[i];
    return sum;
}

uint64_t page_domain_count(const struct tally *tally)
{
    return tally->domain_count > 0 ? tally->domain_count - 1 : 0;
}

uint32_t page_still_waiting(const struct tally_trouble *trouble)
{
    uint32_t ended = trouble->sent + trouble->gave_up + trouble->deleted;

    return trouble->recipients > ended ? trouble->recipients - ended : 0;
}

static void add_waits(struct page_waits *out, const struct tally_trouble *trouble)
{
    uint64_t ended;

    out->recipients += trouble->recipients;
    out->sent += trouble->sent;
    out->gave_up += trouble->gave_up;
    out->deleted += trouble->deleted;
    out->waiting += page_still_waiting(trouble);
    out->waited_s += trouble->waited_s;
    ended = out->sent + out->gave_up + out->deleted;
    out->mean_s = ended == 0 ? 0 : out->waited_s / ended;
    if (trouble->longest_s > out->longest_s)
        out->longest_s = trouble->longest_s;
}

void page_waits(struct page_waits *out, const struct tally *tally)
{
    *out = (struct page_waits){0};
    for (uint32_t i = 0; i < tally->trouble_count; i++)
        add_waits(out, &tally->troubles[i]);
}

/* ---- days ---- */

/* Local days have 23 to 25 hours. */
static uint64_t days_between(int64_t from, int64_t to)
{
    return (uint64_t)(to - from + DAY_S / 2) / DAY_S;
}

static unsigned days_of_a_span(uint64_t days, size_t max)
{
    static const unsigned usual[] = {1, 7, 28, 91, 364};

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (days <= usual[i] * max)
            return usual[i];
    }
    return (unsigned)((days + max - 1) / max);
}

static void span_add(struct page_span *span, const struct tally_day *day)
{
    for (int i = 0; i < TALLY_STATUS_COUNT; i++)
        span->statuses[i] += day->statuses[i];
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++)
        span->levels[i] += day->levels[i];
    span->tls_deferred += day->tls_deferred;
    span->tls_bounced += day->tls_bounced;
}

size_t page_spans(struct page_span *out, size_t max, const struct tally *tally)
{
    const struct tally_day *days = tally->days;
    uint64_t all;
    unsigned each;
    size_t count;

    if (tally->day_count == 0)
        return 0;
    all = days_between(days[0].at, days[tally->day_count - 1].at) + 1;
    each = days_of_a_span(all, max);
    count = (size_t)((all + each - 1) / each);
    for (size_t i = 0; i < count; i++)
        out[i] = (struct page_span){.from = days[0].at + (int64_t)(i * each) * DAY_S, .days = each};
    for (uint32_t i = 0; i < tally->day_count; i++) {
        struct page_span *span = &out[days_between(days[0].at, days[i].at) / each];

        if (page_deliveries(span->statuses) == 0)
            span->from =
                days[i].at - (int64_t)(days_between(days[0].at, days[i].at) % each) * DAY_S;
        span_add(span, &days[i]);
    }
    return count;
}

/* ---- the three questions ---- */

/* Appends to a sentence; what does not fit is cut. */
static void __attribute__((format(printf, 2, 3)))
say(char out[PAGE_TEXT_MAX], const char *format, ...)
{
    size_t used = strlen(out);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(out + used, PAGE_TEXT_MAX - used, format, arguments);
    va_end(arguments);
}

static const char *plural(uint64_t number)
{
    return number == 1 ? "" : "s";
}

/* What ended the waiting of so many, and how long it took. */
static void say_ends(char out[PAGE_TEXT_MAX], const struct page_waits *waits)
{
    const struct {
        uint64_t number;
        const char *words;
    } ends[] = {{waits->sent, "sent in the end"},
                {waits->gave_up, "came back"},
                {waits->deleted, "deleted"},
                {waits->waiting, "still waiting"}};
    char mean[PAGE_FIGURE_MAX], longest[PAGE_FIGURE_MAX];
    const char *before = ": ";

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (ends[i].number == 0)
            continue;
        say(out, "%s%" PRIu64 " %s", before, ends[i].number, ends[i].words);
        before = ", ";
    }
    if (waits->sent + waits->gave_up + waits->deleted > 0)
        say(out, "; %s on average, %s at most", page_duration(mean, waits->mean_s),
            page_duration(longest, waits->longest_s));
}

const char *page_outcome(char out[PAGE_TEXT_MAX], const struct tally_trouble *trouble)
{
    struct page_waits waits = {0};

    out[0] = '\0';
    if (trouble->recipients == 0)
        return out;
    add_waits(&waits, trouble);
    say(out, "%" PRIu32 " recipient%s waited", trouble->recipients, plural(trouble->recipients));
    say_ends(out, &waits);
    return out;
}

static void answer_clear(char out[PAGE_TEXT_MAX], const struct tally *tally)
{
    const uint32_t *levels = tally->total.levels;
    uint64_t sent = tally->total.statuses[TALLY_SENT], domains = 0;
    char percent[PAGE_FIGURE_MAX], name[PAGE_TEXT_MAX];
    uint32_t most = TALLY_OTHERS;

    for (uint32_t i = 1; i < tally->domain_count; i++) {
        uint32_t clear = tally->domains[i].levels[TALLY_NONE];

        domains += clear > 0;
        if (clear > (most == TALLY_OTHERS ? 0 : tally->domains[most].levels[TALLY_NONE]))
            most = i;
    }
    if (sent == 0)
        say(out, "Nothing was sent.");
    else if (levels[TALLY_NONE] == 0)
        say(out, "No delivery is known to have gone out in clear, of %" PRIu64 ".", sent);
    else
        say(out,
            "%" PRIu32 " of %" PRIu64 " deliveries (%s) went out in clear, to %" PRIu64 " domain%s",
            levels[TALLY_NONE], sent, page_percent(percent, levels[TALLY_NONE], sent), domains,
            plural(domains));
    if (most != TALLY_OTHERS)
        say(out, domains == 1 ? ": %.200s." : "; most to %.200s.", page_domain(name, tally, most));
    else if (levels[TALLY_NONE] > 0)
        say(out, ".");
    if (levels[TALLY_UNKNOWN] > 0)
        say(out, " Of %" PRIu32 " (%s) the level is not known.", levels[TALLY_UNKNOWN],
            page_percent(percent, levels[TALLY_UNKNOWN], sent));
}

static void answer_waits(char out[PAGE_TEXT_MAX], const struct tally *tally)
{
    struct page_waits waits;
    uint64_t bounced = tally->total.tls_bounced;

    page_waits(&waits, tally);
    if (waits.recipients == 0 && bounced == 0)
        say(out, "No mail waited or came back because of TLS.");
    if (waits.recipients > 0) {
        say(out, "Mail to %" PRIu64 " recipient%s waited because of TLS", waits.recipients,
            plural(waits.recipients));
        say_ends(out, &waits);
        say(out, ".%s", bounced > 0 ? " " : "");
    }
    if (bounced > 0)
        say(out, "%" PRIu64 " deliver%s bounced because of TLS.", bounced,
            bounced == 1 ? "y" : "ies");
}

size_t page_stopped(const struct judged_what_if *what_if)
{
    size_t stopped = 0;

    for (size_t i = 0; i < what_if->count; i++)
        stopped += what_if->changes[i].stops;
    return stopped;
}

/* Of the first setting alone: the others have a table of their own. */
static void answer_enforced(char out[PAGE_TEXT_MAX], const struct judged *judged)
{
    const struct judged_what_if *what_if;
    char room[PAGE_TEXT_MAX];
    size_t stopped;

    if (judged == NULL || !judged->asked) {
        say(out, "Not looked up: --verdicts asks for the present verdicts.");
        return;
    }
    if (judged->what_if_count == 0) {
        say(out, "No other setting was tried.");
        return;
    }
    what_if = &judged->what_ifs[0];
    stopped = page_stopped(what_if);
    say(out, "With %.100s ", page_printable(room, what_if->setting));
    if (stopped == 0)
        say(out, "no message would have waited");
    else
        say(out, "%" PRIu64 " message%s to %zu domain%s would have waited or come back",
            what_if->messages_stopped, plural(what_if->messages_stopped), stopped, plural(stopped));
    say(out, "; the answer would be another one for %zu domain%s, with %" PRIu64 " message%s.",
        what_if->count, plural(what_if->count), what_if->messages_changed,
        plural(what_if->messages_changed));
}

void page_answer(struct page_answers *out, const struct page *page)
{
    *out = (struct page_answers){0};
    answer_clear(out->clear, page->tally);
    answer_waits(out->waits, page->tally);
    answer_enforced(out->enforced, page->judged);
}

size_t page_rows(const struct page *page, size_t there)
{
    size_t most = page->top < PAGE_TOP_MAX ? page->top : PAGE_TOP_MAX;

    return there < most ? there : most;
}
