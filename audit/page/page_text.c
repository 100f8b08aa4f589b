/*
 * page_text: one page for a terminal; see page.h. The first lines answer what an administrator asks
 * first; figures come before names in each table, so that a long name moves nothing. Headings are
 * bold on a terminal. There is no other colour.
 */
#include <inttypes.h>

#include "audit/page/page_facts.h"
#include "base/page/text.h"

#define SPANS 14 /* lines of the table of days */
#define WHEN  "%Y-%m-%d %H:%M"

struct text_page {
    FILE *out;
    const struct page *page;
    bool bold;
};

/* How much of a list is not shown. */
static void and_more(const struct text_page *text, uint64_t there, size_t shown)
{
    if (there > shown)
        fprintf(text->out, "  and %" PRIu64 " more: --top, --json\n", there - shown);
}

/* ---- the first lines ---- */

static void print_head(const struct text_page *text)
{
    const struct tally *tally = text->page->tally;
    char from[PAGE_FIGURE_MAX], to[PAGE_FIGURE_MAX], octets[PAGE_FIGURE_MAX];
    char source[PAGE_TEXT_MAX];

    if (tally->from == 0)
        fprintf(text->out, "No mail in %s\n", page_printable(source, text->page->source));
    else
        fprintf(text->out, "Mail from %s to %s, in %s\n", page_local(from, WHEN, tally->from),
                page_local(to, WHEN " %Z", tally->to), page_printable(source, text->page->source));
    fprintf(text->out,
            "%" PRIu32 " messages, %" PRIu32 " recipients, %" PRIu64 " domains; %" PRIu64
            " deliveries: %" PRIu32 " sent, %" PRIu32 " deferred, %" PRIu32 " bounced; %s\n\n",
            tally->total.messages, tally->total.recipients, page_domain_count(tally),
            page_deliveries(tally->total.statuses), tally->total.statuses[TALLY_SENT],
            tally->total.statuses[TALLY_DEFERRED], tally->total.statuses[TALLY_BOUNCED],
            page_octets(octets, tally->total.octets));
}

static void print_answers(const struct text_page *text)
{
    struct page_answers answers;

    page_answer(&answers, text->page);
    text_paragraph(text->out, "In clear:     ", answers.clear);
    text_paragraph(text->out, "Waiting:      ", answers.waits);
    text_paragraph(text->out, "If enforced:  ", answers.enforced);
}

/* ---- levels ---- */

static void print_levels(const struct text_page *text)
{
    const struct tally_domain *total = &text->page->tally->total;
    uint64_t sent = total->statuses[TALLY_SENT], encrypted = page_encrypted(total->levels);
    char percent[PAGE_FIGURE_MAX];

    text_heading(text->out, text->bold,
                 "Deliveries sent, by level of TLS                 by version of TLS");
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++) {
        fprintf(text->out, "  %-12s %10" PRIu32 " %8s", tally_level_name((enum tally_level)i),
                total->levels[i], page_percent(percent, total->levels[i], sent));
        if (i < TALLY_PROTOCOL_COUNT)
            fprintf(text->out, "               %-9s %10" PRIu32 " %8s",
                    tally_protocol_name((enum tally_protocol)i), total->protocols[i],
                    page_percent(percent, total->protocols[i], encrypted));
        fputc('\n', text->out);
    }
}

static void print_spans(const struct text_page *text)
{
    struct page_span spans[SPANS];
    size_t count = page_spans(spans, SPANS, text->page->tally);
    char title[PAGE_FIGURE_MAX], day[PAGE_FIGURE_MAX];

    if (count < 2)
        return;
    if (spans[0].days == 1)
        snprintf(title, sizeof title, "By day");
    else
        snprintf(title, sizeof title, "By %u days, from", spans[0].days);
    text_heading(text->out, text->bold, title);
    fprintf(text->out, "  %-10s %8s %9s %8s %9s %9s %8s %8s\n", "", "sent", "verified", "trusted",
            "untrusted", "anonymous", "none", "unknown");
    for (size_t i = 0; i < count; i++) {
        const struct page_span *span = &spans[i];
        uint64_t sent = span->statuses[TALLY_SENT];
        static const int widths[TALLY_LEVEL_COUNT] = {9, 8, 9, 9, 8, 8};

        fprintf(text->out, "  %-10s %8" PRIu64, page_local(day, "%Y-%m-%d", span->from), sent);
        for (int level = 0; level < TALLY_LEVEL_COUNT; level++) {
            char percent[PAGE_FIGURE_MAX];

            fprintf(text->out, " %*s", widths[level],
                    page_percent(percent, span->levels[level], sent));
        }
        fputc('\n', text->out);
    }
}

static size_t domains_in_clear(const struct tally *tally)
{
    size_t count = 0;

    for (uint32_t i = 0; i < tally->domain_count; i++)
        count += tally_by_clear(tally, i) > 0;
    return count;
}

static void print_clear(const struct text_page *text)
{
    const struct tally *tally = text->page->tally;
    uint32_t top[PAGE_TOP_MAX];
    size_t count = tally_top(tally, top, page_rows(text->page, tally->domain_count),
                             tally->domain_count, tally_by_clear);

    if (count == 0)
        return;
    text_heading(text->out, text->bold, "In clear, by domain");
    fprintf(text->out, "  %8s %8s %9s\n", "in clear", "of sent", "messages");
    for (size_t i = 0; i < count; i++) {
        const struct tally_domain *domain = &tally->domains[top[i]];
        char name[PAGE_TEXT_MAX];

        fprintf(text->out, "  %8" PRIu32 " %8" PRIu32 " %9" PRIu32 "  %s\n",
                domain->levels[TALLY_NONE], domain->statuses[TALLY_SENT], domain->messages,
                page_domain(name, tally, top[i]));
    }
    and_more(text, domains_in_clear(tally), count);
}

static void print_hosts(const struct text_page *text)
{
    const struct tally *tally = text->page->tally;
    uint32_t top[PAGE_TOP_MAX];
    size_t count = tally_top(tally, top, page_rows(text->page, tally->host_count),
                             tally->host_count, tally_host_by_sent);

    if (count == 0)
        return;
    text_heading(text->out, text->bold, "Mail hosts");
    fprintf(text->out, "  %8s %9s %9s %8s %8s\n", "sent", "encrypted", "verified", "in clear",
            "unknown");
    for (size_t i = 0; i < count; i++) {
        const struct tally_host *host = &tally->hosts[top[i]];
        char name[PAGE_TEXT_MAX];

        fprintf(
            text->out, "  %8" PRIu32 " %9" PRIu64 " %9" PRIu32 " %8" PRIu32 " %8" PRIu32 "  %s\n",
            host->statuses[TALLY_SENT], page_encrypted(host->levels), host->levels[TALLY_VERIFIED],
            host->levels[TALLY_NONE], host->levels[TALLY_UNKNOWN], page_host(name, tally, top[i]));
    }
}

/* ---- what TLS kept back ---- */

static void print_causes(const struct text_page *text)
{
    const struct tally *tally = text->page->tally;

    if (tally->total.tls_deferred == 0 && tally->total.tls_bounced == 0)
        return;
    text_heading(text->out, text->bold, "Deliveries deferred and bounced because of TLS");
    fprintf(text->out, "  %8s %8s\n", "deferred", "bounced");
    for (int i = 0; i < TALLY_CAUSE_COUNT; i++) {
        if (tally->causes[i] > 0 || tally->causes_bounced[i] > 0)
            fprintf(text->out, "  %8" PRIu32 " %8" PRIu32 "  %s: %s\n", tally->causes[i],
                    tally->causes_bounced[i], tally_cause_name((enum tally_cause)i),
                    tally_cause_text((enum tally_cause)i));
    }
}

static void print_trouble(const struct text_page *text, uint32_t index)
{
    const struct tally *tally = text->page->tally;
    const struct tally_trouble *trouble = &tally->troubles[index];
    char name[PAGE_TEXT_MAX], outcome[PAGE_TEXT_MAX], last[PAGE_FIGURE_MAX];
    bool others = index == TALLY_OTHERS;

    fprintf(text->out, "  %s: %s\n    %" PRIu32 " deferred, %" PRIu32 " bounced, the last %s",
            others ? "other domains" : page_domain(name, tally, trouble->domain),
            others ? "see --json" : tally_cause_text(trouble->cause), trouble->deferred,
            trouble->bounced, page_local(last, WHEN, trouble->last_at));
    if (trouble->host != TALLY_OTHERS)
        fprintf(text->out, " at %s", page_host(name, tally, trouble->host));
    fputc('\n', text->out);
    text_quote(text->out, "    ", page_outcome(outcome, trouble));
    text_quote(text->out, "    ", trouble->text);
}

static void print_troubles(const struct text_page *text)
{
    const struct tally *tally = text->page->tally;
    uint32_t top[PAGE_TOP_MAX];
    size_t count = tally_top(tally, top, page_rows(text->page, tally->trouble_count),
                             tally->trouble_count, tally_trouble_by_deferred);

    if (count == 0)
        return;
    text_heading(text->out, text->bold, "Whose mail that was");
    for (size_t i = 0; i < count; i++)
        print_trouble(text, top[i]);
    and_more(text, tally->trouble_count - 1, count);
}

/* ---- verdicts ---- */

static void print_verdict(const struct text_page *text, const char *name, uint64_t messages,
                          uint64_t domains)
{
    const struct tally *tally = text->page->tally;
    char of_messages[PAGE_FIGURE_MAX], of_domains[PAGE_FIGURE_MAX];

    fprintf(text->out, "  %-12s %10" PRIu64 " %8s %10" PRIu64 " %8s\n", name, messages,
            page_percent(of_messages, messages, page_judged_messages(text->page->judged)), domains,
            page_percent(of_domains, domains, page_domain_count(tally)));
}

static void print_verdicts(const struct text_page *text)
{
    const struct judged *judged = text->page->judged;
    char title[PAGE_TEXT_MAX], room[PAGE_TEXT_MAX];

    snprintf(title, sizeof title, "Present verdicts, by %.100s",
             page_printable(room, judged->source));
    text_heading(text->out, text->bold, title);
    fprintf(text->out, "  %-12s %10s %8s %10s %8s\n", "", "messages", "share", "domains", "share");
    for (int level = VERDICT_TEMP; level >= 0; level--)
        print_verdict(text, verdict_level_name((enum verdict_level)level),
                      judged->messages_by_level[level], judged->domains_by_level[level]);
    print_verdict(text, "not known", judged->messages_unjudged, judged->domains_unjudged);
}

static void print_change(const struct text_page *text, const struct judged_change *change)
{
    const struct tally *tally = text->page->tally;
    char name[PAGE_TEXT_MAX], now[PAGE_TEXT_MAX], then[PAGE_TEXT_MAX], forecast[PAGE_TEXT_MAX];

    fprintf(text->out, "  %8" PRIu32 "  %s: %s -> %s; mail %s\n", change->messages,
            page_domain(name, tally, change->domain), page_printable(now, change->now),
            page_printable(then, change->then), page_forecast(forecast, change->forecast));
    text_quote(text->out, "            ", change->why);
}

static void print_what_if(const struct text_page *text, const struct judged_what_if *what_if)
{
    char title[PAGE_TEXT_MAX], room[PAGE_TEXT_MAX];
    size_t shown = page_rows(text->page, what_if->count);

    snprintf(title, sizeof title, "With %.100s, messages of the period to",
             page_printable(room, what_if->setting));
    text_heading(text->out, text->bold, title);
    for (size_t i = 0; i < shown; i++)
        print_change(text, &what_if->changes[i]);
    if (what_if->count == 0)
        fputs("  nothing would change\n", text->out);
    and_more(text, what_if->count, shown);
}

static void print_waiting(const struct text_page *text, const struct judged_waiting *waiting)
{
    char since[PAGE_FIGURE_MAX], id[PAGE_TEXT_MAX], domain[PAGE_TEXT_MAX];

    fprintf(text->out, "  %s: %" PRIu32 " recipient%s since %s, queue ID %s\n",
            page_printable(domain, waiting->domain), waiting->recipients,
            waiting->recipients == 1 ? "" : "s", page_local(since, WHEN, waiting->since),
            page_printable(id, waiting->queue_id));
    text_quote(text->out, "    ", waiting->reason);
    text_quote(text->out, "    ", waiting->why);
}

/* Causes as numbers, and what TLS keeps back one by one. */
static void print_queue(const struct text_page *text)
{
    const struct judged *judged = text->page->judged;
    size_t most = page_rows(text->page, judged->waiting_count), shown = 0, there = 0;
    char title[PAGE_TEXT_MAX];

    snprintf(title, sizeof title, "Waiting in the queue now: %" PRIu64 " recipient%s",
             judged->waiting_total, judged->waiting_total == 1 ? "" : "s");
    text_heading(text->out, text->bold, title);
    for (int i = 0; i < TALLY_CAUSE_COUNT; i++) {
        if (judged->waiting_by_cause[i] > 0)
            fprintf(text->out, "  %8" PRIu64 "  %s\n", judged->waiting_by_cause[i],
                    tally_cause_text((enum tally_cause)i));
    }
    if (judged->waiting_by_cause[TALLY_NO_CAUSE] > 0)
        fprintf(text->out, "  %8" PRIu64 "  for another reason than TLS\n",
                judged->waiting_by_cause[TALLY_NO_CAUSE]);
    for (size_t i = 0; i < judged->waiting_count; i++) {
        if (judged->waiting[i].cause == TALLY_NO_CAUSE)
            continue;
        if (there++ < most) {
            print_waiting(text, &judged->waiting[i]);
            shown++;
        }
    }
    and_more(text, there, shown);
}

static void print_remarks(const struct text_page *text)
{
    const char *const *remark = text->page->remarks;

    if (remark == NULL || *remark == NULL)
        return;
    text_heading(text->out, text->bold, "Remarks");
    for (; *remark != NULL; remark++)
        text_quote(text->out, "  - ", *remark);
}

/* ---- the whole ---- */

bool page_text(FILE *out, const struct page *page)
{
    struct text_page text = {.out = out, .page = page, .bold = text_is_terminal(out)};

    print_head(&text);
    print_answers(&text);
    print_levels(&text);
    print_spans(&text);
    print_clear(&text);
    print_causes(&text);
    print_troubles(&text);
    print_hosts(&text);
    if (page->judged != NULL && page->judged->asked) {
        print_verdicts(&text);
        for (size_t i = 0; i < page->judged->what_if_count; i++)
            print_what_if(&text, &page->judged->what_ifs[i]);
    }
    if (page->judged != NULL && page->judged->queue_read)
        print_queue(&text);
    print_remarks(&text);
    return fflush(out) == 0 && !ferror(out);
}
