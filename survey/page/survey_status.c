/* survey_status: how far a survey is; see survey_page.h. */
#include <string.h>

#include "base/page/text.h"
#include "survey/page/survey_page.h"

const char *const survey_status_figures[] = {"runs", "totals", "errors", "address_failures", NULL};

static void print_progress(FILE *out, const char *what, double done, double all)
{
    char some[PAGE_FIGURE_MAX], whole[PAGE_FIGURE_MAX], percent[PAGE_FIGURE_MAX];
    uint64_t part = done > 0 ? (uint64_t)done : 0, of = all > 0 ? (uint64_t)all : 0;

    fprintf(out, "  %-10s %12s of %12s  %7s\n", what, page_grouped(some, part),
            page_grouped(whole, of), page_percent(percent, part, of));
}

static void print_phases(FILE *out, const struct figure_data *totals)
{
    double domains = figure_number(totals, 0, "domains"), hosts = figure_number(totals, 0, "hosts");
    double addresses = figure_number(totals, 0, "addresses");
    double looked_up = domains - figure_number(totals, 0, "domains_waiting");

    print_progress(out, "domains", looked_up, domains);
    print_progress(out, "hosts", hosts - figure_number(totals, 0, "hosts_waiting"), hosts);
    print_progress(out, "addresses", addresses - figure_number(totals, 0, "addresses_waiting"),
                   addresses);
    print_progress(out, "verdicts", looked_up - figure_number(totals, 0, "domains_undecided"),
                   domains);
}

/* The first kinds of failures; those of addresses are numbers of addresses. */
static size_t print_failures(FILE *out, const struct survey_page *page, const char *name,
                             const char *column)
{
    size_t printed = 0;
    const struct figure_data *data = figures_find(page->figures, name);

    for (size_t i = 0; i < data->row_count && i < page->top; i++) {
        char key[PAGE_TEXT_MAX], number[PAGE_TEXT_MAX];
        const char *kind = survey_key(key, data, i);
        struct figure_value value = figure_at(data, i, column);

        if (strcmp(kind, "none") == 0)
            continue;
        fprintf(out, "  %-24s %12s %s\n", kind, survey_value(number, figure_column(column), &value),
                column);
        printed++;
    }
    return printed;
}

/* Phases follow each other, each over the whole file. */
static const char *phase_of(const struct figure_data *totals)
{
    static const struct {
        const char *column, *phase;
    } phases[] = {{"domains_waiting", "at the domains"},
                  {"hosts_waiting", "at the mail hosts"},
                  {"addresses_waiting", "at the addresses"},
                  {"domains_undecided", "at the verdicts"}};

    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        if (figure_number(totals, 0, phases[i].column) > 0)
            return phases[i].phase;
    }
    return "at the end";
}

static void print_survey(FILE *out, const struct survey_page *page, size_t row)
{
    const struct figure_data *runs = figures_find(page->figures, "runs");
    struct figure_value list = figure_at(runs, row, "list"), began = figure_at(runs, row, "began");
    struct figure_value ended = figure_at(runs, row, "ended");
    char names[PAGE_TEXT_MAX], from[PAGE_TEXT_MAX], to[PAGE_TEXT_MAX], path[PAGE_TEXT_MAX];
    bool read = figure_number(runs, row, "names_read") != 0;

    fprintf(out, "%s, begun %s, ", survey_value(names, figure_column("list"), &list),
            survey_value(from, figure_column("began"), &began));
    if (ended.known)
        fprintf(out, "ended %s\n", survey_value(to, figure_column("ended"), &ended));
    else
        fprintf(out, "not ended, %s; to go on: mxcrypt survey run --resume --out %s%s\n",
                read ? phase_of(figures_find(page->figures, "totals")) : "at the list",
                page_printable(path, page->file),
                read ? "" : " LIST (it had not been read to its end)");
}

bool survey_status_text(FILE *out, const struct survey_page *page)
{
    const struct figure_data *runs = figures_find(page->figures, "runs");
    size_t printed;

    for (size_t i = 0; i < runs->row_count && i < page->top; i++)
        print_survey(out, page, i);
    print_phases(out, figures_find(page->figures, "totals"));
    text_heading(out, text_is_terminal(out), "Failures");
    printed = print_failures(out, page, "errors", "domains") +
              print_failures(out, page, "address_failures", "addresses");
    if (printed == 0)
        fputs("  none\n", out);
    return fflush(out) == 0 && !ferror(out);
}
