/* store_rows: a record as the row of a table, and back; columns as in store_schema.c. */
#pragma once

#include "daemon/store/record.h"
#include "daemon/store/store_sqlite.h"

/* Binds the columns of the record's table from parameter 1 on; the record is borrowed until
 * sql_reset. `room` holds texts made for it, as long. `now`: wall clock. */
struct store_row_room {
    char address[IP_TEXT_MAX], tlsa[IP_TEXT_MAX];
};
void store_row_bind(struct sql_statement *statement, const struct record *record,
                    struct store_row_room *room, int64_t now);

enum store_row { STORE_ROW_GOOD, STORE_ROW_BAD, STORE_ROW_NO_MEMORY };
/* The row that a statement of store_sql_select stands at; strings in `arena`. BAD: its check is
 * wrong, or no daemon can have written it. */
enum store_row store_row_read(struct sql_statement *statement, struct arena *arena,
                              enum record_kind kind, struct record *out);
/* Where the row stands in a list. */
struct store_place {
    int64_t held, at, rowid;
};
struct store_place store_row_place(struct sql_statement *statement);
