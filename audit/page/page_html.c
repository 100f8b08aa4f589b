/*
 * page_html: the page as a whole; see page.h and page_html.h. Cells are page_html_cells.c's, charts
 * page_html_chart.c's, sections page_html_tally.c's and page_html_judged.c's.
 *
 * The page is one file, and whole without script: its numbers are in tables, and its charts are SVG
 * that is written here. A library for charts in the browser would be 200 KB in each page, and
 * nothing without script, on paper, or for a screen reader. Style and script are known to the
 * page's Content-Security-Policy by their hashes, so that nothing else can run or be fetched,
 * whatever a name on the page holds.
 */
#include "audit/page/page_html.h"

#include <inttypes.h>

#include "audit/page/page_assets.h"

#define DAY  "%Y-%m-%d"
#define WHEN "%Y-%m-%d %H:%M"

static void write_head(FILE *out, const struct tally *tally)
{
    char from[PAGE_FIGURE_MAX], to[PAGE_FIGURE_MAX];

    fprintf(out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
            "style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n"
            "<meta name=\"referrer\" content=\"no-referrer\">\n"
            "<meta name=\"robots\" content=\"noindex\">\n"
            "<meta name=\"generator\" content=\"mxcrypt %s\">\n",
            page_css_hash, page_js_hash, MXC_VERSION);
    if (tally->from == 0)
        fputs("<title>Outgoing mail and TLS</title>\n", out);
    else
        fprintf(out, "<title>Outgoing mail and TLS, %s to %s</title>\n",
                page_local(from, DAY, tally->from), page_local(to, DAY, tally->to));
    fprintf(out, "<style>%s</style>\n</head>\n<body>\n", page_css);
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

static void write_card(FILE *out, const char *title, const char *figure, const char *words)
{
    fprintf(out, "<article><h2>%s</h2><p class=\"figure\">", title);
    html_text(out, figure);
    fputs("</p><p>", out);
    html_text(out, words);
    fputs("</p></article>\n", out);
}

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
    write_card(out, "In clear", page_percent(figure, total->levels[TALLY_NONE], sent),
               answers.clear);
    if (sent == 0)
        snprintf(words, sizeof words, "Nothing was sent.");
    else
        snprintf(words, sizeof words,
                 "%" PRIu64 " deliveries are known to have been encrypted, %" PRIu32
                 " (%s) of them to a mail host whose certificate was verified.",
                 encrypted, total->levels[TALLY_VERIFIED],
                 page_percent(verified, total->levels[TALLY_VERIFIED], encrypted));
    write_card(out, "Encrypted", page_percent(figure, encrypted, sent), words);
    write_card(out, "Waited", page_grouped(figure, waits.recipients), answers.waits);
    enforced_figure(figure, page->judged);
    write_card(out, "Would wait", figure, answers.enforced);
    fputs("</section>\n", out);
}

static void write_total(FILE *out, const char *title, const char *is, uint64_t number)
{
    char figure[PAGE_FIGURE_MAX];

    fprintf(out, "<div><dt>%s</dt><dd data-is=\"%s\" data-n=\"%" PRIu64 "\">%s</dd></div>\n", title,
            is, number, page_grouped(figure, number));
}

static void write_total_list(FILE *out, const struct tally *tally)
{
    char octets[PAGE_FIGURE_MAX];

    fputs("<dl class=\"totals\">\n", out);
    write_total(out, "Messages", "messages", tally->total.messages);
    write_total(out, "Recipients", "recipients", tally->total.recipients);
    write_total(out, "Deliveries", "deliveries", page_deliveries(tally->total.statuses));
    write_total(out, "Sent", "statuses/sent", tally->total.statuses[TALLY_SENT]);
    write_total(out, "Deferred", "statuses/deferred", tally->total.statuses[TALLY_DEFERRED]);
    write_total(out, "Bounced", "statuses/bounced", tally->total.statuses[TALLY_BOUNCED]);
    fprintf(out, "<div><dt>Size</dt><dd data-is=\"octets\" data-n=\"%" PRIu64 "\">%s</dd></div>\n",
            tally->total.octets, page_octets(octets, tally->total.octets));
    fputs("</dl>\n", out);
}

/* ---- the end ---- */

static void write_remarks(FILE *out, const struct page *page)
{
    const char *const *remark = page->remarks;

    if (remark == NULL || *remark == NULL)
        return;
    fputs("<section>\n<h2>Remarks</h2>\n<ul>\n", out);
    for (; *remark != NULL; remark++) {
        fputs("<li>", out);
        html_text(out, *remark);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n</section>\n", out);
}

static void write_footer(FILE *out, const struct page *page)
{
    char when[PAGE_FIGURE_MAX], utc[PAGE_FIGURE_MAX];

    fprintf(out,
            "</main>\n<footer><p>Written by mxcrypt %s on <time datetime=\"%s\">%s</time>. A "
            "delivery is one attempt for one recipient; levels are of deliveries that were "
            "sent.</p></footer>\n",
            MXC_VERSION, page_utc(utc, page->now), page_local(when, WHEN " %Z", page->now));
    fprintf(out, "<script>%s</script>\n</body>\n</html>\n", page_js);
}

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
    write_remarks(out, page);
    write_footer(out, page);
    return fflush(out) == 0 && !ferror(out);
}
