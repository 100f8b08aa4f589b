/*
 * page_html: the page as a whole; see page.h and page_html.h. Cells are base/page/html.c's, charts
 * page_html_chart.c's, sections page_html_tally.c's and page_html_judged.c's.
 *
 * The charts are SVG that is written here. A library for charts in the browser would be 200 KB in
 * each page, and nothing without script, on paper, or for a screen reader.
 */
#include "audit/page/page_html.h"

#include <inttypes.h>

#define DAY  "%Y-%m-%d"
#define WHEN "%Y-%m-%d %H:%M"

static void write_head(FILE *out, const struct tally *tally)
{
    char from[PAGE_FIGURE_MAX], to[PAGE_FIGURE_MAX], title[PAGE_TEXT_MAX];

    if (tally->from == 0)
        snprintf(title, sizeof title, "Outgoing mail and TLS");
    else
        snprintf(title, sizeof title, "Outgoing mail and TLS, %s to %s",
                 page_local(from, DAY, tally->from), page_local(to, DAY, tally->to));
    html_head(out, title);
}

static void write_header(FILE *out, const struct page *page)
{
    const struct tally *tally = page->tally;
    char from[PAGE_FIGURE_MAX], to[PAGE_FIGURE_MAX];

    fputs("<header>\n<h1>Outgoing mail and TLS</h1>\n<p>", out);
    if (tally->from == 0)
        fputs("No mail", out);
    else
        fprintf(out, "<time datetime=\"%s\">", page_utc(from, tally->from));
    if (tally->from != 0)
        fprintf(out, "%s</time> to <time datetime=\"%s\">", page_local(from, WHEN, tally->from),
                page_utc(to, tally->to));
    if (tally->from != 0)
        fprintf(out, "%s</time>", page_local(to, WHEN " %Z", tally->to));
    fputs(", as Postfix logged it in ", out);
    html_text(out, page->source);
    fputs("</p>\n</header>\n<main>\n", out);
}

/* ---- the cards on top ---- */

static void enforced_figure(char figure[PAGE_FIGURE_MAX], const struct judged *judged)
{
    if (judged == NULL || !judged->asked || judged->what_if_count == 0)
        snprintf(figure, PAGE_FIGURE_MAX, "?");
    else
        page_grouped(figure, judged->what_ifs[0].messages_stopped);
}

static void write_cards(FILE *out, const struct page *page)
{
    const struct tally_domain *total = &page->tally->total;
    uint64_t sent = total->statuses[TALLY_SENT], encrypted = page_encrypted(total->levels);
    char figure[PAGE_FIGURE_MAX], verified[PAGE_FIGURE_MAX], words[PAGE_TEXT_MAX];
    struct page_answers answers;
    struct page_waits waits;

    page_answer(&answers, page);
    page_waits(&waits, page->tally);
    fputs("<section class=\"cards\" aria-label=\"Summary\">\n", out);
    html_card(out, "In clear", page_percent(figure, total->levels[TALLY_NONE], sent),
              answers.clear);
    if (sent == 0)
        snprintf(words, sizeof words, "Nothing was sent.");
    else
        snprintf(words, sizeof words,
                 "%" PRIu64 " deliveries are known to have been encrypted, %" PRIu32
                 " (%s) of them to a mail host whose certificate was verified.",
                 encrypted, total->levels[TALLY_VERIFIED],
                 page_percent(verified, total->levels[TALLY_VERIFIED], encrypted));
    html_card(out, "Encrypted", page_percent(figure, encrypted, sent), words);
    html_card(out, "Waited", page_grouped(figure, waits.recipients), answers.waits);
    enforced_figure(figure, page->judged);
    html_card(out, "Would wait", figure, answers.enforced);
    fputs("</section>\n", out);
}

static void write_total_list(FILE *out, const struct tally *tally)
{
    char octets[PAGE_FIGURE_MAX];

    fputs("<dl class=\"totals\">\n", out);
    html_total(out, "Messages", "messages", tally->total.messages);
    html_total(out, "Recipients", "recipients", tally->total.recipients);
    html_total(out, "Deliveries", "deliveries", page_deliveries(tally->total.statuses));
    html_total(out, "Sent", "statuses/sent", tally->total.statuses[TALLY_SENT]);
    html_total(out, "Deferred", "statuses/deferred", tally->total.statuses[TALLY_DEFERRED]);
    html_total(out, "Bounced", "statuses/bounced", tally->total.statuses[TALLY_BOUNCED]);
    fprintf(out, "<div><dt>Size</dt><dd data-is=\"octets\" data-n=\"%" PRIu64 "\">%s</dd></div>\n",
            tally->total.octets, page_octets(octets, tally->total.octets));
    fputs("</dl>\n", out);
}

/* ---- the whole ---- */

bool page_html(FILE *out, const struct page *page)
{
    bool asked = page->judged != NULL && page->judged->asked;

    write_head(out, page->tally);
    write_header(out, page);
    write_cards(out, page);
    write_total_list(out, page->tally);
    html_levels_section(out, page);
    html_time_section(out, page);
    if (asked)
        html_verdicts_section(out, page);
    html_clear_section(out, page);
    html_causes_section(out, page);
    if (asked)
        html_what_ifs_section(out, page);
    if (page->judged != NULL && page->judged->queue_read)
        html_queue_section(out, page);
    html_domains_section(out, page);
    html_hosts_section(out, page);
    html_remarks(out, page->remarks);
    html_end(
        out, page->now,
        "A delivery is one attempt for one recipient; levels are of deliveries that were sent.");
    return fflush(out) == 0 && !ferror(out);
}
