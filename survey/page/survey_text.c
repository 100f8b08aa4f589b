/*
 * survey_text: a report or a difference for a terminal; see survey_page.h. Figures come before
 * names, so that a long name moves nothing, but for keys, which are short words.
 */
#include <inttypes.h>
#include <string.h>

#include "base/page/text.h"
#include "survey/page/survey_page.h"

#define KEY_COLUMNS_MAX 24 /* a longer key moves its own line */

struct survey_sheet {
    FILE *out;
    const struct survey_page *page;
    bool bold;
};

/* ---- helpers ---- */

static size_t shown_rows(const struct survey_sheet *sheet, const struct figure_data *data)
{
    return data->row_count < sheet->page->top ? data->row_count : sheet->page->top;
}

static int key_columns(const struct figure_data *data, size_t rows)
{
    size_t most = 0;

    for (size_t i = 0; i < rows; i++) {
        char room[PAGE_TEXT_MAX];
        size_t length = strlen(survey_key(room, data, i));

        if (length > most)
            most = length;
    }
    return (int)(most < KEY_COLUMNS_MAX ? most : KEY_COLUMNS_MAX);
}

static void print_words(const struct survey_sheet *sheet, const struct figure_data *data,
                        const char *key)
{
    const char *words = figure_words(data->figure->name, key);

    if (words != NULL)
        fprintf(sheet->out, "  %s", words);
}

static bool is_number(const struct figure_column *column)
{
    return column->form == FIGURE_NUMBER || column->form == FIGURE_SUM;
}

/* ---- shares ---- */

static void print_share(const struct survey_sheet *sheet, const struct figure_data *data,
                        size_t row, enum survey_way way)
{
    struct survey_share share = survey_share(sheet->page, data, row, way);
    const struct figure_column *column = figure_column(survey_way_name(way));
    const struct figure_value value = {.known = true, .number = share.part};
    char number[PAGE_TEXT_MAX], percent[PAGE_FIGURE_MAX], interval[PAGE_FIGURE_MAX];

    fprintf(sheet->out, " %11s %7s", survey_value(number, column, &value),
            survey_percent(percent, &share));
    if (sheet->page->sampled < 1 && way != SURVEY_BY_OPERATORS)
        fprintf(sheet->out, " %13s", survey_interval(interval, &share));
}

static void print_shares(const struct survey_sheet *sheet, const struct figure_data *data)
{
    size_t rows = shown_rows(sheet, data);
    int wide = key_columns(data, rows);
    bool sample = sheet->page->sampled < 1;

    fprintf(sheet->out, "  %*s %11s %7s%s %11s %7s %11s %7s%s\n", wide, "", "domains", "",
            sample ? "       at 95 %" : "", "operators", "", "weight", "",
            sample ? "       at 95 %" : "");
    for (size_t i = 0; i < rows; i++) {
        char room[PAGE_TEXT_MAX];
        const char *key = survey_key(room, data, i);

        fprintf(sheet->out, "  %-*s", wide, key);
        for (enum survey_way way = 0; way < SURVEY_WAYS; way++)
            print_share(sheet, data, i, way);
        print_words(sheet, data, key);
        fputc('\n', sheet->out);
    }
}

/* ---- numbers and lists ---- */

/* The part that the first number of a row is of all of them. */
static void print_part(const struct survey_sheet *sheet, const struct figure_data *data, size_t row)
{
    const char *column = data->columns[1]->name;
    struct survey_share share = {.part = figure_number(data, row, column),
                                 .whole = figure_sum(data, column)};
    char percent[PAGE_FIGURE_MAX];

    share.share = share.whole > 0 ? share.part / share.whole : 0;
    fprintf(sheet->out, " %7s", survey_percent(percent, &share));
}

static int column_columns(const struct figure_data *data, size_t column, size_t rows)
{
    size_t most = strlen(data->columns[column]->title);

    for (size_t i = 0; i < rows; i++) {
        char room[PAGE_TEXT_MAX];
        const struct figure_value *value = &data->values[i * data->column_count + column];
        size_t length = strlen(survey_value(room, data->columns[column], value));

        if (is_number(data->columns[column]) && length > most)
            most = length;
    }
    return (int)most;
}

static void print_titles(const struct survey_sheet *sheet, const struct figure_data *data,
                         const int *wide)
{
    fputc(' ', sheet->out);
    for (size_t i = 0; i < data->column_count; i++) {
        if (is_number(data->columns[i]))
            fprintf(sheet->out, " %*s", wide[i], data->columns[i]->title);
        if (i == 1 && data->figure->kind == FIGURE_COUNTS)
            fprintf(sheet->out, " %7s", "");
    }
    for (size_t i = 0; i < data->column_count; i++) {
        if (!is_number(data->columns[i]))
            fprintf(sheet->out, "  %s", data->columns[i]->title);
    }
    fputc('\n', sheet->out);
}

static void print_row(const struct survey_sheet *sheet, const struct figure_data *data, size_t row,
                      const int *wide)
{
    const struct figure_value *values = &data->values[row * data->column_count];
    char room[PAGE_TEXT_MAX];

    fputc(' ', sheet->out);
    for (size_t i = 0; i < data->column_count; i++) {
        if (is_number(data->columns[i]))
            fprintf(sheet->out, " %*s", wide[i], survey_value(room, data->columns[i], &values[i]));
        if (i == 1 && data->figure->kind == FIGURE_COUNTS)
            print_part(sheet, data, row);
    }
    for (size_t i = 0; i < data->column_count; i++) {
        if (!is_number(data->columns[i]))
            fprintf(sheet->out, "  %s", survey_value(room, data->columns[i], &values[i]));
    }
    if (data->figure->kind == FIGURE_COUNTS)
        print_words(sheet, data, survey_key(room, data, row));
    fputc('\n', sheet->out);
}

static void print_rows(const struct survey_sheet *sheet, const struct figure_data *data)
{
    int wide[FIGURE_COLUMNS_MAX];
    size_t rows = shown_rows(sheet, data);

    for (size_t i = 0; i < data->column_count; i++)
        wide[i] = column_columns(data, i, rows);
    print_titles(sheet, data, wide);
    for (size_t i = 0; i < rows; i++)
        print_row(sheet, data, i, wide);
}

/* One row, a line for each number. */
static void print_numbers(const struct survey_sheet *sheet, const struct figure_data *data)
{
    for (size_t i = 0; i < data->column_count && data->row_count > 0; i++) {
        char room[PAGE_TEXT_MAX];

        fprintf(sheet->out, "  %-24s %12s\n", data->columns[i]->title,
                survey_value(room, data->columns[i], &data->values[i]));
    }
}

/* ---- the whole ---- */

static void print_figure(const struct survey_sheet *sheet, const struct figure_data *data)
{
    size_t shown = shown_rows(sheet, data);

    if (data->row_count == 0)
        return;
    text_heading(sheet->out, sheet->bold, data->figure->title);
    if (data->figure->kind == FIGURE_SHARES)
        print_shares(sheet, data);
    else if (data->figure->kind == FIGURE_ROW)
        print_numbers(sheet, data);
    else
        print_rows(sheet, data);
    if (data->row_count > shown)
        fprintf(sheet->out, "  and %zu more: --top, --json\n", data->row_count - shown);
}

static void print_run(const struct survey_sheet *sheet, const char *label, const char *path,
                      const struct figure_data *runs)
{
    struct figure_value began = figure_at(runs, 0, "began"), ended = figure_at(runs, 0, "ended");
    struct figure_value list = figure_at(runs, 0, "list");
    char file[PAGE_TEXT_MAX], names[PAGE_TEXT_MAX], from[PAGE_TEXT_MAX], to[PAGE_TEXT_MAX];

    fprintf(sheet->out, "%s%s: %s, from %s to %s\n", label, page_printable(file, path),
            survey_value(names, figure_column("list"), &list),
            survey_value(from, figure_column("began"), &began),
            ended.known ? survey_value(to, figure_column("ended"), &ended) : "(not ended)");
}

bool survey_text(FILE *out, const struct survey_page *page)
{
    struct survey_sheet sheet = {.out = out, .page = page, .bold = text_is_terminal(out)};
    const struct figures *figures = page->figures;

    if (page->old_file != NULL) {
        print_run(&sheet, "Before  ", page->old_file, figures_find(figures, "old_runs"));
        print_run(&sheet, "Now     ", page->file, figures_find(figures, "new_runs"));
    } else {
        print_run(&sheet, "", page->file, figures_find(figures, "runs"));
    }
    for (const char *const *remark = page->remarks; remark != NULL && *remark != NULL; remark++)
        text_quote(out, "  - ", *remark);
    for (size_t i = 0; i < figures->count; i++) {
        if (strstr(figures->data[i].figure->name, "runs") == NULL)
            print_figure(&sheet, &figures->data[i]);
    }
    return fflush(out) == 0 && !ferror(out);
}
