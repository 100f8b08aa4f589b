/* page_html_judged: the sections of the HTML page that show what was judged; see page_html.h. */
#include <inttypes.h>

#include "audit/page/page_html.h"

#define WHEN         "%Y-%m-%d %H:%M"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- verdicts ---- */

/* What a verdict makes of mail, for people who have not read the manual. */
static const char *const verdict_words[VERDICT_TEMP + 1] = {
    [VERDICT_NO_OPINION] = "nothing is demanded: main.cf decides",
    [VERDICT_ENCRYPT] = "TLS or nothing",
    [VERDICT_DANE] = "DANE where a mail host has it",
    [VERDICT_VERIFY] = "a certificate valid for the mail host's name",
    [VERDICT_SECURE] =
        "a certificate valid for the names of the MTA-STS policy, or of a policy list",
    [VERDICT_DANE_ONLY] = "a certificate that DANE proves",
    [VERDICT_TEMP] = "mail waits",
};

static void write_verdict(FILE *out, const struct page *page, int level)
{
    const struct judged *judged = page->judged;
    const bool known = level <= VERDICT_TEMP;
    const char *name = known ? verdict_level_name((enum verdict_level)level) : "unknown";
    uint64_t messages = known ? judged->messages_by_level[level] : judged->messages_unjudged;
    uint64_t domains = known ? judged->domains_by_level[level] : judged->domains_unjudged;
    uint64_t all = page_judged_messages(judged);

    html_row(out, name, name, NULL);
    html_number(out, messages);
    html_share(out, messages, all);
    html_part(out, messages, all, "verdict");
    html_number(out, domains);
    html_share(out, domains, page_domain_count(page->tally));
    html_part(out, domains, page_domain_count(page->tally), "verdict");
    html_words(out, known ? verdict_words[level] : "not looked up, or no answer");
    fputs("</tr>\n", out);
}

void html_verdicts_section(FILE *out, const struct page *page)
{
    static const struct html_column columns[] = {
        {"Verdict", NULL, false}, {"Messages", "messages", true},       {"Share", NULL, true},
        {"", NULL, false},        {"Domains", "domains", true},         {"Share", NULL, true},
        {"", NULL, false},        {"What Postfix demands", NULL, false}};

    fputs("<section>\n<h2>Present verdicts</h2>\n<p>What the domains of this mail show now, by ",
          out);
    html_text(out, page->judged->source);
    fputs(".</p>\n", out);
    html_table(out, "Messages and domains by present verdict", "verdicts", columns, COUNT(columns));
    for (int level = VERDICT_TEMP - 1; level >= 0; level--)
        write_verdict(out, page, level);
    write_verdict(out, page, VERDICT_TEMP);
    write_verdict(out, page, VERDICT_TEMP + 1);
    html_table_end(out);
    fputs("</section>\n", out);
}

/* ---- what if ---- */

static void write_change(FILE *out, const struct tally *tally, const struct judged_change *change)
{
    char name[PAGE_TEXT_MAX], forecast[PAGE_TEXT_MAX];

    html_row(out, page_domain(name, tally, change->domain), NULL, NULL);
    html_number(out, change->messages);
    html_words(out, change->now);
    html_words(out, change->then);
    fputs(change->stops ? "<td class=\"stops\">" : "<td>", out);
    html_text(out, page_forecast(forecast, change->forecast));
    fputs("</td>", out);
    html_words(out, change->why);
    fputs("</tr>\n", out);
}

static void write_what_if(FILE *out, const struct page *page, const struct judged_what_if *what_if)
{
    static const struct html_column columns[] = {
        {"Domain", NULL, false}, {"Messages", NULL, true}, {"Answer now", NULL, false},
        {"Then", NULL, false},   {"Mail", NULL, false},    {"Why", NULL, false}};
    size_t shown = page_rows(page, what_if->count), stopped = page_stopped(what_if);
    char figure[PAGE_FIGURE_MAX];

    fputs("<h3>With ", out);
    html_text(out, what_if->setting);
    fprintf(out, "</h3>\n<p>Domains whose answer would be another one: %s, ",
            page_grouped(figure, what_if->count));
    fprintf(out, "with %s messages of the period. ",
            page_grouped(figure, what_if->messages_changed));
    fprintf(out, "Those whose mail would wait or come back: <strong>%zu, with ", stopped);
    fprintf(out, "%s messages</strong>.</p>\n", page_grouped(figure, what_if->messages_stopped));
    if (shown == 0)
        return;
    html_table(out, "Domains whose answer would change", NULL, columns, COUNT(columns));
    for (size_t i = 0; i < shown; i++)
        write_change(out, page->tally, &what_if->changes[i]);
    html_table_end(out);
    if (what_if->count > shown)
        fprintf(out, "<p class=\"note\">%zu more are in the JSON.</p>\n", what_if->count - shown);
}

void html_what_ifs_section(FILE *out, const struct page *page)
{
    const struct judged *judged = page->judged;

    if (judged->what_if_count == 0)
        return;
    fputs("<section>\n<h2>What another setting would change</h2>\n", out);
    for (size_t i = 0; i < judged->what_if_count; i++)
        write_what_if(out, page, &judged->what_ifs[i]);
    fputs("</section>\n", out);
}

/* ---- the queue ---- */

static void write_waiting(FILE *out, const struct judged_waiting *waiting)
{
    char when[PAGE_FIGURE_MAX];

    html_row(out, waiting->domain, NULL, NULL);
    html_number(out, waiting->recipients);
    html_cell(out, page_local(when, WHEN, waiting->since));
    html_cell(out, waiting->queue_id);
    fputs("<td class=\"words\">", out);
    html_text(out, waiting->cause == TALLY_NO_CAUSE ? "" : tally_cause_text(waiting->cause));
    fputs(waiting->cause == TALLY_NO_CAUSE ? "<span class=\"said\">" : "<br><span class=\"said\">",
          out);
    html_text(out, waiting->reason);
    fputs("</span></td>", out);
    html_words(out, waiting->why);
    fputs("</tr>\n", out);
}

void html_queue_section(FILE *out, const struct page *page)
{
    static const struct html_column columns[] = {
        {"Domain", NULL, false},   {"Recipients", NULL, true},    {"Since", NULL, false},
        {"Queue ID", NULL, false}, {"Why it waits", NULL, false}, {"Present verdict", NULL, false}};
    const struct judged *judged = page->judged;
    size_t shown = page_rows(page, judged->waiting_count);
    char figure[PAGE_FIGURE_MAX];

    fprintf(out, "<section>\n<h2>In the queue now</h2>\n<p>%s recipients wait, ",
            page_grouped(figure, judged->waiting_total));
    fprintf(out, "%s of them for another reason than TLS.</p>\n",
            page_grouped(figure, judged->waiting_by_cause[TALLY_NO_CAUSE]));
    if (shown > 0) {
        html_table(out, "What waits longest", NULL, columns, COUNT(columns));
        for (size_t i = 0; i < shown; i++)
            write_waiting(out, &judged->waiting[i]);
        html_table_end(out);
    }
    fputs("</section>\n", out);
}
