/*
 * survey_json: a report or a difference for programs; see survey_page.h. docs/survey.schema.json is
 * its schema: a member for each figure, with the columns of its SELECT.
 */
#include <jansson.h>
#include <math.h>

#include "survey/page/survey_page.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53 */

struct json_writer {
    FILE *out;
    const struct survey_page *page;
    bool failed;
};

/* A reference taken; NULL: no memory. */
static void put_json(struct json_writer *json, json_t *value)
{
    if (value == NULL || json_dumpf(value, json->out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        json->failed = true;
    json_decref(value);
}

static void put_member(struct json_writer *json, const char *name, json_t *value)
{
    fprintf(json->out, ",\n\"%s\":", name);
    put_json(json, value);
}

/* JSON holds nothing but UTF-8; what is not printable ASCII is escaped. */
static json_t *json_of_text(const char *text)
{
    char room[PAGE_TEXT_MAX];

    return text == NULL ? json_null() : json_string(page_printable(room, text));
}

static json_t *json_of_time(int64_t at)
{
    char room[PAGE_FIGURE_MAX];

    return json_string(page_utc(room, at));
}

static json_t *json_of_value(const struct figure_column *column, const struct figure_value *value)
{
    double number = value->number;

    if (!value->known)
        return json_null();
    if (value->text != NULL)
        return json_of_text(value->text);
    if (column->form == FIGURE_YES_NO)
        return json_boolean(number != 0);
    if (column->form == FIGURE_TIME && fabs(number) < EXACT_MAX)
        return json_of_time((int64_t)number);
    if (column->form != FIGURE_SUM && number == floor(number) && fabs(number) < EXACT_MAX)
        return json_integer((json_int_t)number);
    return json_real(number);
}

static void add_shares(json_t *object, const struct survey_page *page,
                       const struct figure_data *data, size_t row)
{
    for (enum survey_way way = 0; way < SURVEY_WAYS; way++) {
        struct survey_share share = survey_share(page, data, row, way);
        char name[PAGE_FIGURE_MAX];

        snprintf(name, sizeof name, "%s_share", survey_way_name(way));
        json_object_set_new(object, name, share.whole > 0 ? json_real(share.share) : json_null());
        snprintf(name, sizeof name, "%s_interval", survey_way_name(way));
        if (share.estimated)
            json_object_set_new(object, name,
                                json_pack("[f, f]", share.interval.low, share.interval.high));
    }
}

static json_t *json_of_row(const struct survey_page *page, const struct figure_data *data,
                           size_t row)
{
    json_t *object = json_object();

    for (size_t i = 0; i < data->column_count; i++)
        json_object_set_new(
            object, data->columns[i]->name,
            json_of_value(data->columns[i], &data->values[row * data->column_count + i]));
    if (data->figure->kind == FIGURE_SHARES)
        add_shares(object, page, data, row);
    return object;
}

static void put_figure(struct json_writer *json, const struct figure_data *data)
{
    if (data->figure->kind == FIGURE_ROW && data->row_count > 0) {
        put_member(json, data->figure->name, json_of_row(json->page, data, 0));
        return;
    }
    fprintf(json->out, ",\n\"%s\":[", data->figure->name);
    for (size_t i = 0; i < data->row_count; i++) {
        fputs(i > 0 ? ",\n" : "\n", json->out);
        put_json(json, json_of_row(json->page, data, i));
    }
    fputs(data->row_count > 0 ? "\n]" : "]", json->out);
}

static json_t *json_of_remarks(const char *const *remarks)
{
    json_t *array = json_array();

    for (; remarks != NULL && *remarks != NULL; remarks++)
        json_array_append_new(array, json_of_text(*remarks));
    return array;
}

bool survey_json(FILE *out, const struct survey_page *page)
{
    struct json_writer json = {.out = out, .page = page};

    fputs("{\"version\":", out);
    put_json(&json, json_string(MXC_VERSION));
    put_member(&json, "written", json_of_time(page->now));
    put_member(&json, "file", json_of_text(page->file));
    if (page->old_file != NULL)
        put_member(&json, "old_file", json_of_text(page->old_file));
    else
        put_member(&json, "sampled", page->sampled < 1 ? json_real(page->sampled) : json_null());
    put_member(&json, "remarks", json_of_remarks(page->remarks));
    for (size_t i = 0; i < page->figures->count; i++)
        put_figure(&json, &page->figures->data[i]);
    fputs("}\n", out);
    return fflush(out) == 0 && !ferror(out) && !json.failed;
}
