/* survey_page: shares, and figures as text; see survey_page.h. */
#include "survey/page/survey_page.h"

#include <math.h>
#include <string.h>

#define EXACT_MAX 9007199254740992.0 /* 2^53: whole numbers are exact below it */

/* ---- samples ---- */

/* Whether two surveys drew the same sample of the same list. */
static bool same_sample(const struct figure_data *runs, size_t row)
{
    const char *seed = figure_at(runs, row, "seed").text, *first = figure_at(runs, 0, "seed").text;

    return seed != NULL && first != NULL && strcmp(seed, first) == 0 &&
           figure_number(runs, row, "sample") == figure_number(runs, 0, "sample") &&
           figure_number(runs, row, "names") == figure_number(runs, 0, "names");
}

double survey_sampled(const struct figures *figures)
{
    const struct figure_data *runs = figures_find(figures, "runs");
    const struct figure_data *totals = figures_find(figures, "totals");
    double names = figure_number(runs, 0, "names");
    double looked_up = figure_number(totals, 0, "domains") -
                       figure_number(totals, 0, "domains_waiting") -
                       figure_number(totals, 0, "domains_undecided");

    /* more domains than were drawn: samples of several lists */
    if (!(figure_number(runs, 0, "sample") > 0) || !(names > looked_up) ||
        figure_number(totals, 0, "domains") > figure_number(runs, 0, "sample"))
        return 1;
    for (size_t i = 1; i < runs->row_count; i++) {
        if (!same_sample(runs, i))
            return 1;
    }
    return looked_up / names;
}

/* ---- shares ---- */

const char *survey_way_name(enum survey_way way)
{
    static const char *const names[SURVEY_WAYS] = {"domains", "operators", "weight"};

    return names[way];
}

static void estimate(struct survey_share *share, const struct figure_data *data, double domains,
                     double squares, enum survey_way way, double sampled)
{
    struct interval_weights weights = {.part = share->part,
                                       .whole = share->whole,
                                       .part_squares = squares,
                                       .whole_squares = figure_sum(data, "weight_squares")};

    share->estimated = sampled < 1 && way != SURVEY_BY_OPERATORS;
    if (share->estimated)
        share->interval = way == SURVEY_BY_DOMAINS
                              ? interval_of_domains(domains, figure_sum(data, "domains"), sampled)
                              : interval_of_weight(&weights, sampled);
}

struct survey_share survey_share(const struct survey_page *page, const struct figure_data *data,
                                 size_t row, enum survey_way way)
{
    const char *column = survey_way_name(way);
    struct survey_share share = {.part = figure_number(data, row, column),
                                 .whole = figure_sum(data, column)};

    share.share = share.whole > 0 ? share.part / share.whole : 0;
    estimate(&share, data, figure_number(data, row, "domains"),
             figure_number(data, row, "weight_squares"), way, page->sampled);
    return share;
}

struct survey_share survey_share_of(const struct survey_page *page, const struct figure_data *data,
                                    const char *const *keys, enum survey_way way)
{
    const char *column = survey_way_name(way);
    struct survey_share share = {.whole = figure_sum(data, column)};
    double domains = 0, squares = 0;

    for (; *keys != NULL; keys++) {
        share.part += figure_of_key(data, *keys, column);
        domains += figure_of_key(data, *keys, "domains");
        squares += figure_of_key(data, *keys, "weight_squares");
    }
    share.share = share.whole > 0 ? share.part / share.whole : 0;
    estimate(&share, data, domains, squares, way, page->sampled);
    return share;
}

/* ---- as text ---- */

const char *survey_percent(char out[PAGE_FIGURE_MAX], const struct survey_share *share)
{
    double percent = 100 * share->share;

    if (!(share->whole > 0))
        return "-";
    if (share->part > 0 && percent < 0.1)
        return "<0.1 %";
    if (share->part < share->whole && percent > 99.9)
        return ">99.9 %";
    snprintf(out, PAGE_FIGURE_MAX, "%.*f %%", share->part <= 0 || percent >= 100 ? 0 : 1, percent);
    return out;
}

const char *survey_interval(char out[PAGE_FIGURE_MAX], const struct survey_share *share)
{
    if (!share->estimated || !(share->whole > 0))
        return "";
    snprintf(out, PAGE_FIGURE_MAX, "%.1f - %.1f %%", 100 * share->interval.low,
             100 * share->interval.high);
    return out;
}

/* Whole numbers in groups; else with one decimal. */
static const char *number_text(char out[PAGE_TEXT_MAX], double number, bool whole)
{
    double size = fabs(number);
    int sign = number < 0;

    if (!(size < EXACT_MAX)) {
        snprintf(out, PAGE_TEXT_MAX, "%.3e", number);
        return out;
    }
    out[0] = '-';
    if (whole || size >= 1000 || size == floor(size))
        page_grouped(out + sign, (uint64_t)(size + 0.5));
    else
        snprintf(out + sign, PAGE_FIGURE_MAX, size < 0.05 ? "%.2g" : "%.1f", size);
    return out;
}

const char *survey_value(char out[PAGE_TEXT_MAX], const struct figure_column *column,
                         const struct figure_value *value)
{
    if (!value->known)
        return "-";
    if (value->text != NULL)
        return page_printable(out, value->text);
    if (column->form == FIGURE_YES_NO)
        return value->number != 0 ? "yes" : "no";
    if (column->form == FIGURE_TIME && fabs(value->number) < EXACT_MAX)
        return page_utc(out, (int64_t)value->number);
    return number_text(out, value->number, column->form == FIGURE_NUMBER);
}

const char *survey_key(char out[PAGE_TEXT_MAX], const struct figure_data *data, size_t row)
{
    struct figure_value value = figure_at(data, row, "key");
    const char *text = survey_value(out, figure_column("key"), &value);

    return *text == '\0' ? "(none)" : text;
}
