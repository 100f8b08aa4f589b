/* store_rows: see store_rows.h. Columns follow the list of record_fields.h. */
#include "daemon/store/store_rows.h"

#include <string.h>

#include "daemon/store/record_fields.h"

#define FIRST_COLUMN 4 /* of the record's; before them those of store_sql_select */

static void bind(struct sql_statement *statement, int parameter, const struct record_value *value)
{
    if (value->type == VALUE_TEXT)
        sql_bind_text(statement, parameter, value->text);
    else if (value->type == VALUE_NUMBER)
        sql_bind_number(statement, parameter, value->number);
    else if (value->type == VALUE_OCTETS)
        sql_bind_octets(statement, parameter, value->octets, value->length);
}

void store_row_bind(struct sql_statement *statement, const struct record *record,
                    struct store_row_room *room, int64_t now)
{
    const struct record_fields *fields = &record_fields[record->kind];

    for (size_t i = 0; i < fields->count; i++) {
        const struct record_field *field = &fields->fields[i];
        struct record_value value = {.type = VALUE_NUMBER, .number = now};

        if (field->type != FIELD_WRITTEN)
            value =
                record_get(record, field, field->type == FIELD_HASH ? room->tlsa : room->address);
        bind(statement, (int)i + 1, &value);
    }
}

struct store_place store_row_place(struct sql_statement *statement)
{
    return (struct store_place){sql_column_number(statement, 1), sql_column_number(statement, 2),
                                sql_column_number(statement, 0)};
}

/* The value of a column; false for a text with a NUL inside. */
static bool value_of(struct record_value *value, struct sql_statement *statement, int column,
                     enum field_type type)
{
    bool bad = false;

    *value = (struct record_value){.type = VALUE_NONE};
    if (type >= FIELD_TIME && type <= FIELD_CLAIM) {
        value->type = VALUE_NUMBER;
        value->number = sql_column_number(statement, column);
    } else if (type == FIELD_OCTETS) {
        value->octets = sql_column_octets(statement, column, &value->length);
        value->type = value->length > 0 ? VALUE_OCTETS : VALUE_NONE;
    } else {
        value->text = sql_column_text(statement, column, &bad);
        value->type = value->text == NULL ? VALUE_NONE : VALUE_TEXT;
    }
    return !bad;
}

enum store_row store_row_read(struct sql_statement *statement, struct arena *arena,
                              enum record_kind kind, struct record *out)
{
    const struct record_fields *fields = &record_fields[kind];
    const char *why;

    memset(out, 0, sizeof *out);
    out->kind = kind;
    if (sql_column_number(statement, FIRST_COLUMN - 1) != 1)
        return STORE_ROW_BAD;
    for (size_t i = 0; i < fields->count; i++) {
        const struct record_field *field = &fields->fields[i];
        struct record_value value;

        if (field->type != FIELD_WRITTEN &&
            (!value_of(&value, statement, FIRST_COLUMN + (int)i, field->type) ||
             record_set(out, field, &value, arena) != NULL))
            return STORE_ROW_BAD;
    }
    if (arena_failed(arena))
        return STORE_ROW_NO_MEMORY;
    return record_valid(out, &why) ? STORE_ROW_GOOD : STORE_ROW_BAD;
}
