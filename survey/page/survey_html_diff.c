/* survey_html_diff: the page of the difference of two results files; see survey_page.h. */
#include <string.h>

#include "survey/page/survey_html.h"

/* The best first, as in the chart. */
static const char *const levels[] = {"dane-only", "secure",   "verify", "dane",
                                     "encrypt",   "notfound", "temp",   "no-mail"};
#define LEVELS (sizeof levels / sizeof *levels)

static void write_file(FILE *out, const char *label, const char *path,
                       const struct figure_data *runs)
{
    struct figure_value began = figure_at(runs, 0, "began"), ended = figure_at(runs, 0, "ended");
    char text[PAGE_TEXT_MAX];

    fprintf(out, "<p>%s ", label);
    html_text(out, path);
    fputs(", from ", out);
    html_text(out, survey_value(text, figure_column("began"), &began));
    fputs(ended.known ? " to " : ", not ended", out);
    if (ended.known)
        html_text(out, survey_value(text, figure_column("ended"), &ended));
    fputs("</p>\n", out);
}

static void write_head(FILE *out, const struct survey_page *page)
{
    html_head(out, "Mail domains and TLS: what changed");
    fputs("<header>\n<h1>Mail domains and TLS: what changed</h1>\n", out);
    write_file(out, "Before:", page->old_file, figures_find(page->figures, "old_runs"));
    write_file(out, "Now:", page->file, figures_find(page->figures, "new_runs"));
    fputs("</header>\n<main class=\"quiet\">\n", out);
}

static void write_all_totals(FILE *out, const struct figure_data *totals)
{
    fputs("<dl class=\"totals\">\n", out);
    for (size_t i = 0; i < totals->column_count && totals->row_count > 0; i++)
        survey_html_total(out, totals, i);
    fputs("</dl>\n", out);
}

/* ---- flows ---- */

/* The sum of a column over the flows from `was` to `now`; NULL: any level. */
static double flow_sum(const struct figure_data *flows, const char *was, const char *now,
                       const char *column)
{
    double sum = 0;

    for (size_t i = 0; i < flows->row_count; i++) {
        const char *from = figure_at(flows, i, "was").text, *to = figure_at(flows, i, "now").text;

        if ((was == NULL || (from != NULL && strcmp(from, was) == 0)) &&
            (now == NULL || (to != NULL && strcmp(to, now) == 0)))
            sum += figure_number(flows, i, column);
    }
    return sum;
}

static void share_of(FILE *out, double part, double whole)
{
    struct survey_share share = {
        .part = part, .whole = whole, .share = whole > 0 ? part / whole : 0};
    char percent[PAGE_FIGURE_MAX];

    fputs("<td class=\"n\">", out);
    html_text(out, survey_percent(percent, &share));
    fputs("</td>", out);
}

/* The shares of the levels before and now, three ways. */
static void write_levels(FILE *out, const struct figure_data *flows)
{
    static const struct html_column columns[] = {
        {"", NULL, false},   {"Domains", NULL, true},
        {"now", NULL, true}, {"Operators", NULL, true},
        {"now", NULL, true}, {"Weight", NULL, true},
        {"now", NULL, true}, {"What Postfix demands", NULL, false}};
    static const char *const sums[] = {"domains",       "domains",    "was_operators",
                                       "now_operators", "was_weight", "now_weight"};

    fputs("<h3>Shares of the levels before and now</h3>\n", out);
    html_table(out, "Shares of the levels before and now", NULL, columns,
               sizeof columns / sizeof *columns);
    for (size_t i = 0; i < LEVELS; i++) {
        html_row(out, levels[i], NULL, survey_colour("levels", levels[i]));
        for (size_t k = 0; k < 6; k++)
            share_of(out,
                     k % 2 == 0 ? flow_sum(flows, levels[i], NULL, sums[k])
                                : flow_sum(flows, NULL, levels[i], sums[k]),
                     flow_sum(flows, NULL, NULL, sums[k]));
        html_words(out, figure_words("levels", levels[i]));
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

static void flow_cell(FILE *out, const struct figure_data *flows, size_t from, size_t to)
{
    double domains = flow_sum(flows, levels[from], levels[to], "domains");
    char figure[PAGE_FIGURE_MAX];

    fprintf(out, "<td class=\"n%s\" data-flow=\"%s %s\" data-n=\"%.17g\">%s</td>",
            from == to  ? " same"
            : to < from ? " rose"
                        : " fell",
            levels[from], levels[to], domains,
            domains > 0 ? page_grouped(figure, (uint64_t)domains) : "");
}

static void write_matrix(FILE *out, const struct figure_data *flows)
{
    struct html_column columns[LEVELS + 1] = {{"before, now:", NULL, false}};

    for (size_t i = 0; i < LEVELS; i++)
        columns[i + 1] = (struct html_column){levels[i], NULL, true};
    fputs("<h3>Domains from the level of the row to that of the column</h3>\n", out);
    html_table(out, "Domains from the level of the row to that of the column", NULL, columns,
               LEVELS + 1);
    for (size_t from = 0; from < LEVELS; from++) {
        html_row(out, levels[from], NULL, survey_colour("levels", levels[from]));
        for (size_t to = 0; to < LEVELS; to++)
            flow_cell(out, flows, from, to);
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

/* ---- the whole ---- */

static void write_list(FILE *out, const struct survey_page *page, const char *name)
{
    const struct figure_data *data = figures_find(page->figures, name);

    fprintf(out, "<section>\n<h2>%s</h2>\n", data->figure->title);
    survey_html_figure(out, page, name);
    fputs("</section>\n", out);
}

bool survey_diff_html(FILE *out, const struct survey_page *page)
{
    static const char *const lists[] = {"fell", "improved", "states", "only_old", "only_new"};
    const struct figure_data *totals = figures_find(page->figures, "totals");
    const struct figure_data *flows = figures_find(page->figures, "flows");

    write_head(out, page);
    write_all_totals(out, totals);
    html_remarks(out, page->remarks);
    fputs("<section>\n<h2>From level to level</h2>\n<p>Domains that have a verdict in both files. "
          "Above the diagonal of the matrix they fell, below it they improved.</p>\n",
          out);
    survey_html_flows(out, flows);
    write_matrix(out, flows);
    write_levels(out, flows);
    fputs("</section>\n", out);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        write_list(out, page, lists[i]);
    html_end(out, page->now, "mxcrypt-survey(5) has the SELECT of each figure.");
    return fflush(out) == 0 && !ferror(out);
}
