/* figures: see figures.h. */
#include "survey/page/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define TEXT_OCTETS_MAX 4096 /* of a value; more is cut */

/* ---- columns ---- */

static const struct figure_column columns[] = {
    {"key", "", FIGURE_TEXT},
    {"domains", "Domains", FIGURE_NUMBER},
    {"operators", "Operators", FIGURE_SUM},
    {"weight", "Weight", FIGURE_NUMBER},
    {"weight_squares", "", FIGURE_SUM},
    {"hosts", "Hosts", FIGURE_NUMBER},
    {"addresses", "Addresses", FIGURE_NUMBER},
    {"pairs", "Pairs", FIGURE_NUMBER},
    {"records", "Records", FIGURE_NUMBER},
    {"certificates", "Certificates", FIGURE_NUMBER},
    {"connections", "Connections", FIGURE_NUMBER},
    {"domains_waiting", "Domains to look up", FIGURE_NUMBER},
    {"domains_undecided", "Domains to decide", FIGURE_NUMBER},
    {"mail_domains", "Mail domains", FIGURE_NUMBER},
    {"hosts_waiting", "Hosts to look up", FIGURE_NUMBER},
    {"hosts_opted_out", "Hosts opted out", FIGURE_NUMBER},
    {"addresses_waiting", "Addresses to ask", FIGURE_NUMBER},
    {"addresses_retried", "Asked by another name", FIGURE_NUMBER},
    {"names_tried", "Names tried", FIGURE_NUMBER},
    {"other_chains", "Another chain shown", FIGURE_NUMBER},
    {"pairs_verified", "Pairs verified by it", FIGURE_NUMBER},
    {"usable", "Usable", FIGURE_NUMBER},
    {"matched", "Match", FIGURE_NUMBER},
    {"not_matched", "Do not match", FIGURE_NUMBER},
    {"not_tried", "Not tried", FIGURE_NUMBER},
    {"version", "Version", FIGURE_TEXT},
    {"began", "Began", FIGURE_TIME},
    {"ended", "Ended", FIGURE_TIME},
    {"list", "List", FIGURE_TEXT},
    {"names", "Names", FIGURE_NUMBER},
    {"lines_bad", "Bad lines", FIGURE_NUMBER},
    {"names_read", "List read", FIGURE_YES_NO},
    {"sample", "Sample", FIGURE_NUMBER},
    {"seed", "Seed", FIGURE_TEXT},
    {"shard", "Shard", FIGURE_NUMBER},
    {"shards", "Shards", FIGURE_NUMBER},
    {"dnssec", "DNSSEC", FIGURE_YES_NO},
    {"probe", "Probed", FIGURE_YES_NO},
    {"option_dane", "dane", FIGURE_YES_NO},
    {"partial_dane", "partial-dane", FIGURE_TEXT},
    {"testing_enforced", "testing = enforce", FIGURE_YES_NO},
    {"wildcard_hosts", "wildcard hosts", FIGURE_YES_NO},
    {"option_verify", "verify", FIGURE_YES_NO},
    {"helo", "EHLO", FIGURE_TEXT},
    {"name", "Domain", FIGURE_TEXT},
    {"verdict", "Verdict", FIGURE_TEXT},
    {"reason", "Reason", FIGURE_TEXT},
    {"mail", "Mail", FIGURE_TEXT},
    {"operator", "Operator", FIGURE_TEXT},
    {"dane_only", "dane-only", FIGURE_NUMBER},
    {"secure", "secure", FIGURE_NUMBER},
    {"verify", "verify", FIGURE_NUMBER},
    {"dane", "dane", FIGURE_NUMBER},
    {"encrypt", "encrypt", FIGURE_NUMBER},
    {"notfound", "notfound", FIGURE_NUMBER},
    {"temp", "temp", FIGURE_NUMBER},
    {"subject", "Subject", FIGURE_TEXT},
    {"issuer", "Issuer", FIGURE_TEXT},
    {"not_after", "Expires", FIGURE_TIME},
    {"days", "Days left", FIGURE_NUMBER},
    {"example", "For example", FIGURE_TEXT},
    {"both", "In both files", FIGURE_NUMBER},
    {"only_old", "In the older only", FIGURE_NUMBER},
    {"only_new", "In the newer only", FIGURE_NUMBER},
    {"improved", "Improved", FIGURE_NUMBER},
    {"fell", "Fell", FIGURE_NUMBER},
    {"other_reason", "Another reason", FIGURE_NUMBER},
    {"was", "Before", FIGURE_TEXT},
    {"now", "Now", FIGURE_TEXT},
    {"was_reason", "Reason before", FIGURE_TEXT},
    {"now_reason", "Reason now", FIGURE_TEXT},
    {"was_operators", "Operators before", FIGURE_SUM},
    {"now_operators", "Operators now", FIGURE_SUM},
    {"was_weight", "Weight before", FIGURE_NUMBER},
    {"now_weight", "Weight now", FIGURE_NUMBER},
    {"what", "", FIGURE_TEXT},
    {"state", "State", FIGURE_TEXT},
    {"was_domains", "Before", FIGURE_NUMBER},
    {"now_domains", "Now", FIGURE_NUMBER},
    {"more", "More", FIGURE_NUMBER},
    {"level", "Level", FIGURE_TEXT},
};

const struct figure_column *figure_column(const char *name)
{
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (strcmp(columns[i].name, name) == 0)
            return &columns[i];
    }
    return NULL;
}

/* ---- reading ---- */

struct reading {
    struct figure_data *data;
    struct arena *arena;
    size_t room; /* rows */
};

static bool more_room(struct reading *this)
{
    size_t room = this->room == 0 ? 16 : this->room * 2;
    size_t row = this->data->column_count;
    struct figure_value *values = arena_array(this->arena, room, row * sizeof(struct figure_value));

    if (values == NULL)
        return false;
    if (this->data->row_count > 0)
        memcpy(values, this->data->values, this->data->row_count * row * sizeof *values);
    this->data->values = values;
    this->room = room;
    return true;
}

/* A tampered file may hold any type in any column. */
static struct figure_value value_of(struct arena *arena, const struct results_value *value)
{
    struct figure_value out = {.known = value->type != RESULTS_NULL};

    if (value->type == RESULTS_NUMBER)
        out.number = (double)value->number;
    else if (value->type == RESULTS_REAL)
        out.number = isfinite(value->real) ? value->real : 0;
    else if (out.known && value->length == 0)
        out.text = "";
    else if (out.known)
        out.text = arena_strndup(arena, value->text,
                                 value->length < TEXT_OCTETS_MAX ? value->length : TEXT_OCTETS_MAX);
    return out;
}

static bool take_row(void *context, const struct results_value *values, int count)
{
    struct reading *this = context;
    struct figure_data *data = this->data;
    struct figure_value *row;

    if (data->row_count == FIGURE_ROWS_MAX) {
        data->cut = true;
        return true;
    }
    if (data->row_count == this->room && !more_room(this))
        return false;
    row = &data->values[data->row_count * data->column_count];
    for (size_t i = 0; i < data->column_count && i < (size_t)count; i++)
        row[i] = value_of(this->arena, &values[i]);
    data->row_count++;
    return !arena_failed(this->arena);
}

static bool read_one(struct figure_data *data, struct results *results, struct arena *arena)
{
    const char *names[FIGURE_COLUMNS_MAX];
    int count = results_columns(results, data->figure->sql, names, FIGURE_COLUMNS_MAX);
    struct reading this = {.data = data, .arena = arena};

    if (count < 0)
        return false;
    data->column_count = (size_t)count;
    for (size_t i = 0; i < data->column_count; i++) {
        data->columns[i] = figure_column(names[i]);
        CHECK(data->columns[i] != NULL);
    }
    return results_query(results, data->figure->sql, NULL, 0, take_row, &this);
}

static bool is_wanted(const char *const *only, const char *name)
{
    for (; only != NULL && *only != NULL; only++) {
        if (strcmp(*only, name) == 0)
            return true;
    }
    return only == NULL;
}

bool figures_read(struct figures *out, const struct figure *table, const char *const *only,
                  struct results *results, struct arena *arena, char why[RESULTS_ERROR_MAX])
{
    out->count = 0;
    for (; table->name != NULL; table++) {
        struct figure_data *data = &out->data[out->count];

        if (!is_wanted(only, table->name))
            continue;
        *data = (struct figure_data){.figure = table};
        if (!read_one(data, results, arena)) {
            const char *error = arena_failed(arena) ? "no memory" : results_error(results);

            snprintf(why, RESULTS_ERROR_MAX, "%s", error);
            return false;
        }
        out->count++;
    }
    return true;
}

/* ---- asking ---- */

const struct figure_data *figures_find(const struct figures *figures, const char *name)
{
    static const struct figure nothing = {.name = "", .title = "", .what = "", .sql = ""};
    static const struct figure_data none = {.figure = &nothing};

    for (size_t i = 0; i < figures->count; i++) {
        if (strcmp(figures->data[i].figure->name, name) == 0)
            return &figures->data[i];
    }
    return &none;
}

struct figure_value figure_at(const struct figure_data *data, size_t row, const char *column)
{
    for (size_t i = 0; row < data->row_count && i < data->column_count; i++) {
        if (strcmp(data->columns[i]->name, column) == 0)
            return data->values[row * data->column_count + i];
    }
    return (struct figure_value){0};
}

double figure_number(const struct figure_data *data, size_t row, const char *column)
{
    return figure_at(data, row, column).number;
}

double figure_sum(const struct figure_data *data, const char *column)
{
    double sum = 0;

    for (size_t i = 0; i < data->row_count; i++)
        sum += figure_number(data, i, column);
    return sum;
}

double figure_of_key(const struct figure_data *data, const char *key, const char *column)
{
    for (size_t i = 0; i < data->row_count; i++) {
        const char *text = figure_at(data, i, "key").text;

        if (text != NULL && strcmp(text, key) == 0)
            return figure_number(data, i, column);
    }
    return 0;
}
