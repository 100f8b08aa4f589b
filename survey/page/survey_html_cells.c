/* survey_html_cells: the tables of the survey's HTML pages; see survey_html.h. */
#include <inttypes.h>
#include <string.h>

#include "survey/page/survey_html.h"

/* ---- cells ---- */

/* A number as in the JSON, and how it is shown. */
static void number_cell(FILE *out, const struct figure_column *column,
                        const struct figure_value *value)
{
    char room[PAGE_TEXT_MAX];

    fputs("<td class=\"n\"", out);
    if (value->known && value->text == NULL)
        fprintf(out, " data-n=\"%.17g\"", value->number);
    fputc('>', out);
    html_text(out, survey_value(room, column, value));
    fputs("</td>", out);
}

static void text_cell(FILE *out, const struct figure_column *column,
                      const struct figure_value *value)
{
    char room[PAGE_TEXT_MAX];
    const char *text = survey_value(room, column, value);

    if (column->form == FIGURE_TIME && value->text == NULL)
        html_cell(out, text);
    else
        html_words(out, text);
}

/* A share, and its interval where there is one. */
static void share_cell(FILE *out, const struct survey_share *share)
{
    char percent[PAGE_FIGURE_MAX], interval[PAGE_FIGURE_MAX];

    fprintf(out, "<td class=\"n\" data-n=\"%.17g\">", share->share);
    html_text(out, survey_percent(percent, share));
    if (share->estimated) {
        fputs("<br><span class=\"said\">", out);
        html_text(out, survey_interval(interval, share));
        fputs("</span>", out);
    }
    fputs("</td>", out);
}

/* A bar for each way, the interval as a line over it. */
static void bars_cell(FILE *out, const struct survey_page *page, const struct figure_data *data,
                      size_t row)
{
    fputs(
        "<td class=\"bar\"><svg class=\"ways\" viewBox=\"0 0 100 9\" preserveAspectRatio=\"none\" "
        "aria-hidden=\"true\">",
        out);
    for (enum survey_way way = 0; way < SURVEY_WAYS; way++) {
        struct survey_share share = survey_share(page, data, row, way);

        fprintf(out, "<rect class=\"by-%s\" y=\"%d\" width=\"%.2f\" height=\"2.6\"/>",
                survey_way_name(way), 3 * (int)way, 100 * share.share);
        if (share.estimated)
            fprintf(out,
                    "<rect class=\"interval\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" "
                    "height=\".6\"/>",
                    100 * share.interval.low, 3 * (int)way + 1.0,
                    100 * (share.interval.high - share.interval.low));
    }
    fputs("</svg></td>", out);
}

static void words_cell(FILE *out, const struct figure_data *data, size_t row)
{
    struct figure_value key = figure_at(data, row, "key");

    html_words(out, key.text == NULL ? NULL : figure_words(data->figure->name, key.text));
}

static bool has_words(const struct figure_data *data, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        struct figure_value key = figure_at(data, i, "key");

        if (key.text != NULL && figure_words(data->figure->name, key.text) != NULL)
            return true;
    }
    return false;
}

/* Begins a row by its key, which has a colour where its figure has colours. */
static void key_heading(FILE *out, const struct figure_data *data, size_t row)
{
    char room[PAGE_TEXT_MAX];
    const char *key = survey_key(room, data, row), *figure = data->figure->name;

    html_row(out, key, key, survey_has_colours(figure) ? survey_colour(figure, key) : NULL);
}

/* ---- tables ---- */

/* The colour of a way in the bars of its column. */
#define WAY(name)                                                                                  \
    "<svg class=\"swatch\" viewBox=\"0 0 1 1\" aria-hidden=\"true\"><rect class=\"by-" name        \
    "\" width=\"1\" height=\"1\"/></svg>"

static void shares_table(FILE *out, const struct survey_page *page, const struct figure_data *data,
                         size_t rows)
{
    static const struct html_column columns[] = {{"", NULL, false},
                                                 {WAY("domains") "Domains", "domains", true},
                                                 {"Share", "domains_share", true},
                                                 {WAY("operators") "Operators", "operators", true},
                                                 {"Share", "operators_share", true},
                                                 {WAY("weight") "Weight", "weight", true},
                                                 {"Share", "weight_share", true},
                                                 {"", NULL, false},
                                                 {"", NULL, false}};

    html_table(out, data->figure->title, data->figure->name, columns,
               sizeof columns / sizeof *columns);
    for (size_t i = 0; i < rows; i++) {
        key_heading(out, data, i);
        for (enum survey_way way = 0; way < SURVEY_WAYS; way++) {
            struct survey_share share = survey_share(page, data, i, way);
            const struct figure_value part = {.known = true, .number = share.part};

            number_cell(out, figure_column(survey_way_name(way)), &part);
            share_cell(out, &share);
        }
        bars_cell(out, page, data, i);
        words_cell(out, data, i);
        fputs("</tr>\n", out);
    }
}

static void counts_table(FILE *out, const struct figure_data *data, size_t rows)
{
    struct html_column columns[FIGURE_COLUMNS_MAX + 3] = {{"", NULL, false}};
    size_t count = 1;
    double whole = figure_sum(data, data->columns[1]->name);
    bool words = has_words(data, rows);

    for (size_t i = 1; i < data->column_count; i++) {
        columns[count++] =
            (struct html_column){data->columns[i]->title, data->columns[i]->name, true};
        if (i == 1) {
            columns[count++] = (struct html_column){"Share", NULL, true};
            columns[count++] = (struct html_column){"", NULL, false};
        }
    }
    if (words)
        columns[count++] = (struct html_column){"", NULL, false};
    html_table(out, data->figure->title, data->figure->name, columns, count);
    for (size_t i = 0; i < rows; i++) {
        key_heading(out, data, i);
        for (size_t k = 1; k < data->column_count; k++) {
            const struct figure_value *value = &data->values[i * data->column_count + k];
            double number = value->number > 0 ? value->number : 0;

            number_cell(out, data->columns[k], value);
            if (k == 1) {
                html_share(out, (uint64_t)number, (uint64_t)whole);
                html_part(out, (uint64_t)number, (uint64_t)whole, "by-domains");
            }
        }
        if (words)
            words_cell(out, data, i);
        fputs("</tr>\n", out);
    }
}

static bool is_figure(const struct figure_column *column)
{
    return column->form == FIGURE_NUMBER || column->form == FIGURE_SUM;
}

/* The first text of a list is its heading. */
static size_t heading_of(const struct figure_data *data)
{
    for (size_t i = 0; i < data->column_count; i++) {
        if (data->columns[i]->form == FIGURE_TEXT)
            return i;
    }
    return 0;
}

/* The columns of a list that are numbers of levels, as a bar. */
static const char *const level_columns[] = {"dane_only", "secure",   "verify", "dane",
                                            "encrypt",   "notfound", "temp"};
static const char *const level_keys[] = {"dane-only", "secure",   "verify", "dane",
                                         "encrypt",   "notfound", "temp"};
#define LEVEL_COLUMNS (sizeof level_columns / sizeof *level_columns)

static bool has_levels(const struct figure_data *data)
{
    return figure_at(data, 0, level_columns[0]).known;
}

static void levels_cell(FILE *out, const struct figure_data *data, size_t row)
{
    double all = figure_number(data, row, "domains"), at = 0;

    fputs("<td class=\"bar\"><svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" "
          "aria-hidden=\"true\">",
          out);
    for (size_t i = 0; i < LEVEL_COLUMNS && all > 0; i++) {
        double width = 100 * figure_number(data, row, level_columns[i]) / all;

        if (width > 0)
            fprintf(out, "<rect class=\"%s\" x=\"%.2f\" width=\"%.2f\" height=\"1\"/>",
                    survey_colour("levels", level_keys[i]), at, width);
        at += width;
    }
    fputs("</svg></td>", out);
}

static void list_head(FILE *out, const struct figure_data *data, size_t heading)
{
    struct html_column columns[FIGURE_COLUMNS_MAX + 1];
    size_t count = 1;

    columns[0] = (struct html_column){data->columns[heading]->title, NULL, false};
    for (size_t i = 0; i < data->column_count; i++) {
        bool number = is_figure(data->columns[i]);

        if (i != heading)
            columns[count++] = (struct html_column){data->columns[i]->title,
                                                    number ? data->columns[i]->name : NULL, number};
    }
    if (has_levels(data))
        columns[count++] = (struct html_column){"Levels", NULL, false};
    html_table(out, data->figure->title, data->figure->name, columns, count);
}

static void list_table(FILE *out, const struct figure_data *data, size_t rows)
{
    size_t heading = heading_of(data);

    list_head(out, data, heading);
    for (size_t i = 0; i < rows; i++) {
        const struct figure_value *values = &data->values[i * data->column_count];
        char room[PAGE_TEXT_MAX], place[PAGE_FIGURE_MAX];

        snprintf(place, sizeof place, "%zu", i);
        html_row(out, survey_value(room, data->columns[heading], &values[heading]), place, NULL);
        for (size_t k = 0; k < data->column_count; k++) {
            if (k != heading && is_figure(data->columns[k]))
                number_cell(out, data->columns[k], &values[k]);
            else if (k != heading)
                text_cell(out, data->columns[k], &values[k]);
        }
        if (has_levels(data))
            levels_cell(out, data, i);
        fputs("</tr>\n", out);
    }
}

void survey_html_figure(FILE *out, const struct survey_page *page, const char *name)
{
    const struct figure_data *data = figures_find(page->figures, name);
    size_t rows = data->row_count < page->top ? data->row_count : page->top;

    fputs("<p class=\"note\">", out);
    html_text(out, data->figure->what);
    fputs("</p>\n", out);
    if (rows == 0) {
        fputs("<p class=\"note\">None.</p>\n", out);
        return;
    }
    if (data->figure->kind == FIGURE_SHARES)
        shares_table(out, page, data, rows);
    else if (data->figure->kind == FIGURE_COUNTS)
        counts_table(out, data, rows);
    else
        list_table(out, data, rows);
    html_table_end(out);
    if (data->row_count > rows)
        fprintf(out, "<p class=\"note\">%zu more are in the JSON, and with --top.</p>\n",
                data->row_count - rows);
}

void survey_html_titled(FILE *out, const struct survey_page *page, const char *name)
{
    const struct figure_data *data = figures_find(page->figures, name);

    fprintf(out, "<div>\n<h3>%s</h3>\n", data->figure->title);
    survey_html_figure(out, page, name);
    fputs("</div>\n", out);
}

void survey_html_total(FILE *out, const struct figure_data *data, size_t column)
{
    const struct figure_column *of = data->columns[column];
    char room[PAGE_TEXT_MAX];

    fprintf(out, "<div><dt>%s</dt><dd data-is=\"%s/%s\" data-n=\"%.17g\">", of->title,
            data->figure->name, of->name, data->values[column].number);
    html_text(out, survey_value(room, of, &data->values[column]));
    fputs("</dd></div>\n", out);
}

void survey_html_definitions(FILE *out)
{
    fputs("<section>\n<h2>Definitions</h2>\n<dl class=\"terms\">\n", out);
    for (const struct survey_definition *one = survey_definitions; one->term != NULL; one++) {
        fprintf(out, "<dt>%s</dt><dd>", one->term);
        html_text(out, one->text);
        fputs("</dd>\n", out);
    }
    fputs("</dl>\n</section>\n", out);
}
