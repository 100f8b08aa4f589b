/*
 * survey_html: the page of a report; see survey_page.h. Tables are survey_html_cells.c's, charts
 * survey_html_chart.c's.
 */
#include "survey/page/survey_html.h"

#include <string.h>

/* ---- the head ---- */

static void write_title(FILE *out, const struct survey_page *page)
{
    const struct figure_data *runs = figures_find(page->figures, "runs");
    struct figure_value list = figure_at(runs, 0, "list"), began = figure_at(runs, 0, "began"),
                        ended = figure_at(runs, 0, "ended");
    char text[PAGE_TEXT_MAX];

    html_head(out, "Mail domains and TLS");
    fputs("<header>\n<h1>Mail domains and TLS</h1>\n<p>A survey of ", out);
    html_text(out, survey_value(text, figure_column("list"), &list));
    fputs(", from ", out);
    html_text(out, survey_value(text, figure_column("began"), &began));
    fputs(ended.known ? " to " : ", not ended", out);
    if (ended.known)
        html_text(out, survey_value(text, figure_column("ended"), &ended));
    fputs("; results in ", out);
    html_text(out, page->file);
    fputs("</p>\n</header>\n<main class=\"quiet\">\n", out);
}

struct card {
    const char *title, *figure, *words;
    const char *keys[3];
};

/* The share by domains, large; the other two ways in words. */
static void write_card(FILE *out, const struct survey_page *page, const struct card *card)
{
    const struct figure_data *data = figures_find(page->figures, card->figure);
    struct survey_share domains = survey_share_of(page, data, card->keys, SURVEY_BY_DOMAINS);
    struct survey_share operators = survey_share_of(page, data, card->keys, SURVEY_BY_OPERATORS);
    struct survey_share weight = survey_share_of(page, data, card->keys, SURVEY_BY_WEIGHT);
    char figure[PAGE_FIGURE_MAX], other[PAGE_FIGURE_MAX], more[PAGE_FIGURE_MAX];
    char interval[PAGE_FIGURE_MAX], words[PAGE_TEXT_MAX];
    const char *between = survey_interval(interval, &domains);

    snprintf(words, sizeof words, "of the mail domains%s%s%s %s; by operators %s, by weight %s.",
             *between == '\0' ? "" : " (", between, *between == '\0' ? "" : ")", card->words,
             survey_percent(other, &operators), survey_percent(more, &weight));
    html_card(out, card->title, survey_percent(figure, &domains), words);
}

static void write_cards(FILE *out, const struct survey_page *page)
{
    static const struct card cards[] = {
        {"STARTTLS", "starttls", "do TLS at every address that answered", {"verified", "tls"}},
        {"Valid certificates",
         "starttls",
         "showed a valid certificate at every address that answered",
         {"verified"}},
        {"DANE", "dane", "have usable, signed TLSA records at every mail host", {"full"}},
        {"MTA-STS", "mta_sts", "have a policy in mode enforce", {"enforce"}},
    };

    fputs("<section class=\"cards\" aria-label=\"Summary\">\n", out);
    for (size_t i = 0; i < sizeof cards / sizeof *cards; i++)
        write_card(out, page, &cards[i]);
    fputs("</section>\n", out);
}

static void write_totals(FILE *out, const struct survey_page *page)
{
    const struct figure_data *totals = figures_find(page->figures, "totals");

    fputs("<dl class=\"totals\">\n", out);
    for (size_t i = 0; i < totals->column_count && totals->row_count > 0; i++) {
        const char *name = totals->columns[i]->name;
        bool waits = strstr(name, "waiting") != NULL || strstr(name, "undecided") != NULL;

        if (!waits || totals->values[i].number > 0)
            survey_html_total(out, totals, i);
    }
    fputs("</dl>\n", out);
}

/* ---- sections ---- */

static const struct section {
    const char *title;
    const char *main;     /* a figure that has the section's title; NULL: none */
    bool bars, sortable;  /* of the main figure */
    const char *pairs[8]; /* tables beside each other */
    const char *below[4]; /* tables of the whole width */
} sections[] = {
    {"Levels", "levels", .bars = true},
    {"STARTTLS", "starttls", .bars = true},
    {"DANE", "dane", .bars = true, .pairs = {"hosts", "tlsa_pairs"},
     .below = {"mx_signed", "tlsa"}},
    {"MTA-STS and TLSRPT", "mta_sts", .bars = true,
     .below = {"policy_faults", "policy_hosts", "tlsrpt"}},
    {"What enforcing would do", "enforcing", .bars = true, .below = {"waiting"}},
    {"Largest operators", "operators", .sortable = true},
    {"Certificates", NULL, .pairs = {"chain_faults", "keys", "signatures", "issuers"},
     .below = {"certificates", "expiry", "expiring"}},
    {"Servers", NULL,
     .pairs = {"tls_versions", "ciphers", "address_states", "address_failures", "software",
               "requiretls"}},
    {"Domains and lookups", "mx", .pairs = {"host_failures"}, .below = {"reasons", "errors"}},
};

static void write_main_figure(FILE *out, const struct survey_page *page,
                              const struct section *section)
{
    const struct figure_data *data = figures_find(page->figures, section->main);

    if (section->bars)
        survey_html_bars(out, page, data);
    if (section->sortable)
        fputs("<div class=\"sortable\">\n", out);
    survey_html_figure(out, page, section->main);
    if (section->sortable)
        fputs("</div>\n", out);
}

static void write_section(FILE *out, const struct survey_page *page, const struct section *section)
{
    fprintf(out, "<section>\n<h2>%s</h2>\n", section->title);
    if (section->main != NULL)
        write_main_figure(out, page, section);
    if (section->pairs[0] != NULL) {
        fputs("<div class=\"pair broad\">\n", out);
        for (size_t i = 0; i < 8 && section->pairs[i] != NULL; i++)
            survey_html_titled(out, page, section->pairs[i]);
        fputs("</div>\n", out);
    }
    for (size_t i = 0; i < 4 && section->below[i] != NULL; i++)
        survey_html_titled(out, page, section->below[i]);
    fputs("</section>\n", out);
}

static void write_connections(FILE *out, const struct survey_page *page)
{
    const struct figure_data *sni = figures_find(page->figures, "sni");

    fprintf(out, "<section>\n<h2>%s</h2>\n<p>", sni->figure->title);
    html_text(out, sni->figure->what);
    fputs("</p>\n<dl class=\"totals\">\n", out);
    for (size_t i = 0; i < sni->column_count && sni->row_count > 0; i++)
        survey_html_total(out, sni, i);
    fputs("</dl>\n</section>\n", out);
}

/* What a survey was made with: too much for a row of a table. */
static void write_run(FILE *out, const struct figure_data *runs, size_t row)
{
    fputs("<dl class=\"totals made\">\n", out);
    for (size_t i = 0; i < runs->column_count; i++) {
        char room[PAGE_TEXT_MAX];

        fprintf(out, "<div><dt>%s</dt><dd>", runs->columns[i]->title);
        html_text(
            out, survey_value(room, runs->columns[i], &runs->values[row * runs->column_count + i]));
        fputs("</dd></div>\n", out);
    }
    fputs("</dl>\n", out);
}

static void write_runs(FILE *out, const struct survey_page *page)
{
    const struct figure_data *runs = figures_find(page->figures, "runs");

    fputs("<section>\n<h2>How the file was made</h2>\n", out);
    for (size_t i = 0; i < runs->row_count && i < page->top; i++)
        write_run(out, runs, i);
    if (runs->row_count > page->top)
        fprintf(out, "<p class=\"note\">%zu more are in the JSON.</p>\n",
                runs->row_count - page->top);
    fputs("</section>\n", out);
}

bool survey_report_html(FILE *out, const struct survey_page *page)
{
    write_title(out, page);
    write_cards(out, page);
    write_totals(out, page);
    html_remarks(out, page->remarks);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        write_section(out, page, &sections[i]);
    write_connections(out, page);
    write_runs(out, page);
    survey_html_definitions(out);
    html_end(out, page->now, "mxcrypt-survey(5) has the SELECT of each figure.");
    return fflush(out) == 0 && !ferror(out);
}
