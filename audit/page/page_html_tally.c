/* page_html_tally: the sections of the HTML page that show what was counted; see page_html.h. */
#include <inttypes.h>

#include "audit/page/page_html.h"

#define DAY          "%Y-%m-%d"
#define WHEN         "%Y-%m-%d %H:%M"
#define SPANS        92  /* a quarter of a year by day */
#define DOMAINS_MAX  500 /* rows of the table of domains: about 250 KB */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void begin(FILE *out, const char *title)
{
    fprintf(out, "<section>\n<h2>%s</h2>\n", title);
}

static void end(FILE *out)
{
    fputs("</section>\n", out);
}

/* ---- levels ---- */

static const char *const level_words[TALLY_LEVEL_COUNT] = {
    [TALLY_VERIFIED] = "the certificate was the one that policy asks for",
    [TALLY_TRUSTED] = "the certificate comes from a known authority; its name was not checked",
    [TALLY_UNTRUSTED] = "encrypted, but the certificate proves nothing",
    [TALLY_ANONYMOUS] = "encrypted, without a certificate",
    [TALLY_NONE] = "in clear",
    [TALLY_UNKNOWN] = "not logged",
};

static void write_levels_table(FILE *out, const struct tally_domain *total)
{
    static const struct html_column columns[] = {{"Level", NULL, false},
                                                 {"Deliveries", "", true},
                                                 {"Share", NULL, true},
                                                 {"Meaning", NULL, false}};

    html_table(out, "Deliveries sent, by level of TLS", "by_tls", columns, COUNT(columns));
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++) {
        const char *name = tally_level_name((enum tally_level)i);

        html_row(out, name, name, name);
        html_number(out, total->levels[i]);
        html_share(out, total->levels[i], total->statuses[TALLY_SENT]);
        html_words(out, level_words[i]);
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

static void write_protocols_table(FILE *out, const struct tally_domain *total)
{
    static const struct html_column columns[] = {
        {"Version", NULL, false}, {"Deliveries", "", true}, {"Share", NULL, true}};
    uint64_t encrypted = page_encrypted(total->levels);

    html_table(out, "Deliveries encrypted, by version of TLS", "by_protocol", columns,
               COUNT(columns));
    for (int i = 0; i < TALLY_PROTOCOL_COUNT; i++) {
        const char *name = tally_protocol_name((enum tally_protocol)i);

        html_row(out, name, name, NULL);
        html_number(out, total->protocols[i]);
        html_share(out, total->protocols[i], encrypted);
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

void html_levels_section(FILE *out, const struct page *page)
{
    begin(out, "How mail went out");
    html_wide_bar(out, page->tally->total.levels);
    fputs("<div class=\"pair\">\n", out);
    write_levels_table(out, &page->tally->total);
    write_protocols_table(out, &page->tally->total);
    fputs("</div>\n", out);
    end(out);
}

/* ---- time ---- */

static const struct html_column span_columns[] = {{"From", NULL, false},
                                                  {"Sent", "statuses/sent", true},
                                                  {"Verified", "by_tls/verified", true},
                                                  {"Trusted", "by_tls/trusted", true},
                                                  {"Untrusted", "by_tls/untrusted", true},
                                                  {"Anonymous", "by_tls/anonymous", true},
                                                  {"None", "by_tls/none", true},
                                                  {"Unknown", "by_tls/unknown", true},
                                                  {"Deferred by TLS", "deferred_by_tls", true},
                                                  {"Bounced by TLS", "bounced_by_tls", true}};

static void write_span(FILE *out, const struct page_span *span)
{
    char day[PAGE_FIGURE_MAX];

    page_local(day, DAY, span->from);
    html_row(out, day, day, NULL);
    html_number(out, span->statuses[TALLY_SENT]);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++)
        html_number(out, span->levels[i]);
    html_number(out, span->tls_deferred);
    html_number(out, span->tls_bounced);
    fputs("</tr>\n", out);
}

void html_time_section(FILE *out, const struct page *page)
{
    struct page_span spans[SPANS];
    size_t count = page_spans(spans, SPANS, page->tally);

    if (count < 2)
        return;
    begin(out, "Over time");
    if (spans[0].days > 1)
        fprintf(out, "<p>Each column stands for %u days.</p>\n", spans[0].days);
    html_time_chart(out, spans, count);
    fputs("<details>\n<summary>The numbers</summary>\n", out);
    html_table(out, "Deliveries over time", spans[0].days == 1 ? "days" : NULL, span_columns,
               COUNT(span_columns));
    for (size_t i = 0; i < count; i++)
        write_span(out, &spans[i]);
    html_table_end(out);
    fputs("</details>\n", out);
    end(out);
}

/* ---- in clear ---- */

void html_clear_section(FILE *out, const struct page *page)
{
    static const struct html_column columns[] = {{"Domain", NULL, false},
                                                 {"In clear", "by_tls/none", true},
                                                 {"Sent", "statuses/sent", true},
                                                 {"Messages", "messages", true},
                                                 {"Share", NULL, false}};
    const struct tally *tally = page->tally;
    uint32_t top[PAGE_TOP_MAX];
    size_t count = tally_top(tally, top, page_rows(page, tally->domain_count), tally->domain_count,
                             tally_by_clear);

    begin(out, "In clear");
    if (count == 0)
        fputs("<p>No mail is known to have gone out in clear.</p>\n", out);
    else
        html_table(out, "Domains to which most mail went in clear", "domains", columns,
                   COUNT(columns));
    for (size_t i = 0; i < count; i++) {
        const struct tally_domain *domain = &tally->domains[top[i]];
        char name[PAGE_TEXT_MAX];

        page_domain(name, tally, top[i]);
        html_row(out, page_domain(name, tally, top[i]), domain->name, NULL);
        html_number(out, domain->levels[TALLY_NONE]);
        html_number(out, domain->statuses[TALLY_SENT]);
        html_number(out, domain->messages);
        html_part(out, domain->levels[TALLY_NONE], tally->total.levels[TALLY_NONE], "none");
        fputs("</tr>\n", out);
    }
    if (count > 0)
        html_table_end(out);
    end(out);
}

/* ---- what TLS kept back ---- */

static void write_causes(FILE *out, const struct tally *tally)
{
    static const struct html_column columns[] = {{"Cause", NULL, false},
                                                 {"Deferred", "deferred_by_tls", true},
                                                 {"Bounced", "bounced_by_tls", true},
                                                 {"Share", NULL, false}};
    uint64_t all = (uint64_t)tally->total.tls_deferred + tally->total.tls_bounced;

    html_table(out, "Deliveries that TLS kept back, by cause", "", columns, COUNT(columns));
    for (int i = 0; i < TALLY_CAUSE_COUNT; i++) {
        enum tally_cause cause = (enum tally_cause)i;

        if (tally->causes[i] == 0 && tally->causes_bounced[i] == 0)
            continue;
        html_row(out, tally_cause_text(cause), tally_cause_name(cause), NULL);
        html_number(out, tally->causes[i]);
        html_number(out, tally->causes_bounced[i]);
        html_part(out, (uint64_t)tally->causes[i] + tally->causes_bounced[i], all, "kept");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

static void write_outcome(FILE *out, const struct tally_trouble *trouble)
{
    char outcome[PAGE_TEXT_MAX], last[PAGE_FIGURE_MAX];

    fprintf(out, "<td class=\"words\">%s", page_outcome(outcome, trouble));
    fprintf(out, "%s<span class=\"when\">last <time>%s</time></span></td>",
            trouble->recipients > 0 ? ". " : "", page_local(last, WHEN, trouble->last_at));
}

static void write_trouble(FILE *out, const struct tally *tally, uint32_t index)
{
    const struct tally_trouble *trouble = &tally->troubles[index];
    char name[PAGE_TEXT_MAX];
    bool others = index == TALLY_OTHERS;

    html_row(out, others ? PAGE_OTHERS : page_domain(name, tally, trouble->domain), NULL, NULL);
    fputs("<td class=\"words\">", out);
    html_text(out, others ? "" : tally_cause_text(trouble->cause));
    if (trouble->text != NULL && *trouble->text != '\0') {
        fputs("<br><span class=\"said\">", out);
        html_text(out, trouble->text);
        fputs("</span>", out);
    }
    fputs("</td>", out);
    html_number(out, trouble->deferred);
    html_number(out, trouble->bounced);
    write_outcome(out, trouble);
    fputs("</tr>\n", out);
}

static void write_troubles(FILE *out, const struct page *page)
{
    static const struct html_column columns[] = {{"Domain", NULL, false},
                                                 {"What happened", NULL, false},
                                                 {"Deferred", NULL, true},
                                                 {"Bounced", NULL, true},
                                                 {"What became of it", NULL, false}};
    const struct tally *tally = page->tally;
    uint32_t top[PAGE_TOP_MAX];
    size_t count = tally_top(tally, top, page_rows(page, tally->trouble_count),
                             tally->trouble_count, tally_trouble_by_deferred);

    html_table(out, "Whose mail that was, and what became of it", NULL, columns, COUNT(columns));
    for (size_t i = 0; i < count; i++)
        write_trouble(out, tally, top[i]);
    html_table_end(out);
    if (tally->trouble_count > count + 1)
        fprintf(out, "<p class=\"note\">%zu more are in the JSON.</p>\n",
                tally->trouble_count - 1 - count);
}

void html_causes_section(FILE *out, const struct page *page)
{
    begin(out, "Mail that TLS kept back");
    if (page->tally->total.tls_deferred == 0 && page->tally->total.tls_bounced == 0) {
        fputs("<p>No delivery was deferred or bounced because of TLS.</p>\n", out);
    } else {
        write_causes(out, page->tally);
        write_troubles(out, page);
    }
    end(out);
}

/* ---- hosts and domains ---- */

void html_hosts_section(FILE *out, const struct page *page)
{
    static const struct html_column columns[] = {{"Mail host", NULL, false},
                                                 {"Sent", "statuses/sent", true},
                                                 {"Verified", "by_tls/verified", true},
                                                 {"In clear", "by_tls/none", true},
                                                 {"Unknown", "by_tls/unknown", true},
                                                 {"Deferred by TLS", "deferred_by_tls", true},
                                                 {"Levels", NULL, false}};
    const struct tally *tally = page->tally;
    uint32_t top[PAGE_TOP_MAX];
    size_t count = tally_top(tally, top, page_rows(page, tally->host_count), tally->host_count,
                             tally_host_by_sent);

    if (count == 0)
        return;
    begin(out, "Mail hosts");
    html_table(out, "Mail hosts that took most mail", "hosts", columns, COUNT(columns));
    for (size_t i = 0; i < count; i++) {
        const struct tally_host *host = &tally->hosts[top[i]];
        char name[PAGE_TEXT_MAX];

        html_row(out, page_host(name, tally, top[i]), host->name, NULL);
        html_number(out, host->statuses[TALLY_SENT]);
        html_number(out, host->levels[TALLY_VERIFIED]);
        html_number(out, host->levels[TALLY_NONE]);
        html_number(out, host->levels[TALLY_UNKNOWN]);
        html_number(out, host->tls_deferred);
        html_levels(out, host->levels);
        fputs("</tr>\n", out);
    }
    html_table_end(out);
    end(out);
}

static const struct html_column domain_columns[] = {{"Domain", NULL, false},
                                                    {"Messages", "messages", true},
                                                    {"Recipients", "recipients", true},
                                                    {"Sent", "statuses/sent", true},
                                                    {"Levels", NULL, false},
                                                    {"Verified", "by_tls/verified", true},
                                                    {"Trusted", "by_tls/trusted", true},
                                                    {"Untrusted", "by_tls/untrusted", true},
                                                    {"Anonymous", "by_tls/anonymous", true},
                                                    {"None", "by_tls/none", true},
                                                    {"Unknown", "by_tls/unknown", true},
                                                    {"Deferred", "deferred_by_tls", true},
                                                    {"Verdict", "verdict", false}};

static void write_domain(FILE *out, const struct page *page, uint32_t index, bool asked)
{
    const struct tally_domain *domain = &page->tally->domains[index];
    char name[PAGE_TEXT_MAX];

    html_row(out, page_domain(name, page->tally, index), domain->name, NULL);
    html_number(out, domain->messages);
    html_number(out, domain->recipients);
    html_number(out, domain->statuses[TALLY_SENT]);
    html_levels(out, domain->levels);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++)
        html_number(out, domain->levels[i]);
    html_number(out, domain->tls_deferred);
    if (asked && page->judged->domains[index].known)
        html_cell(out, verdict_level_name(page->judged->domains[index].found));
    else if (asked)
        html_cell(out, "");
    fputs("</tr>\n", out);
}

void html_domains_section(FILE *out, const struct page *page)
{
    const struct tally *tally = page->tally;
    const bool asked = page->judged != NULL && page->judged->asked;
    uint64_t all = page_domain_count(tally);
    char figure[PAGE_FIGURE_MAX];
    uint32_t top[DOMAINS_MAX];
    size_t count = tally_top(tally, top, DOMAINS_MAX, tally->domain_count, tally_by_messages);

    if (count == 0)
        return;
    begin(out, "Domains");
    if (all > count)
        fprintf(out,
                "<p>The %zu domains with the most messages, of %s. The JSON has them all.</p>\n",
                count, page_grouped(figure, all));
    fputs("<div class=\"sortable\">\n", out);
    html_table(out, "Domains by messages", "domains", domain_columns,
               COUNT(domain_columns) - !asked);
    for (size_t i = 0; i < count; i++)
        write_domain(out, page, top[i], asked);
    html_table_end(out);
    fputs("</div>\n", out);
    end(out);
}
