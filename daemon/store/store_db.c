/*
 * store_db: see store_db.h; batches. One transaction each: all of a batch is in the file, or
 * nothing of it. A record that no daemon may read back is not written either.
 */
#include "daemon/store/store_db.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/store/store_internal.h"
#include "daemon/store/store_rows.h"

/* Reads do not wait for more records than that. */
#define PAUSE_EVERY 32

static struct sql_statement *statement_of(struct store_db *db, enum store_statement statement)
{
    return db->statements[statement];
}

/* Only the newest events of a key stay. */
static enum sql_result trim_events(struct store_db *db, const char *key)
{
    struct sql_statement *trim = statement_of(db, STATEMENT_TRIM_EVENTS);

    sql_bind_text(trim, 1, key);
    return sql_execute(trim);
}

static enum sql_result put(struct store_db *db, const struct record *record, int64_t now)
{
    struct sql_statement *put =
        statement_of(db, (enum store_statement)(STATEMENT_PUT + (int)record->kind));
    struct store_row_room room;
    enum sql_result result;
    const char *why;

    if (!record_valid(record, &why)) {
        db->news.refused++;
        return SQL_DONE;
    }
    store_row_bind(put, record, &room, now);
    result = sql_execute(put);
    if (result == SQL_DONE)
        db->rows[record->kind]++;
    if (result == SQL_DONE && record->kind == RECORD_EVENT)
        result = trim_events(db, record->event.key);
    return result;
}

static enum sql_result touch(struct store_db *db, const struct store_entry *entry)
{
    struct sql_statement *touch = statement_of(db, STATEMENT_TOUCH);

    sql_bind_text(touch, 1, entry->name);
    sql_bind_number(touch, 2, entry->at);
    return sql_execute(touch);
}

/* "address port host sni tlsa", as record_identity gives it; `sni` may be empty. */
static enum sql_result remove_probe(struct store_db *db, const char *identity)
{
    struct sql_statement *remove = statement_of(db, STATEMENT_REMOVE_PROBE);
    char text[RECORD_IDENTITY_MAX], *next = text;
    const char *parts[5];

    if (strlen(identity) >= sizeof text)
        return SQL_DONE;
    strcpy(text, identity);
    for (int i = 0; i < 5; i++) {
        if (next == NULL)
            return SQL_DONE;
        parts[i] = strsep(&next, " ");
    }
    for (int i = 0; i < 5; i++)
        sql_bind_text(remove, i + 1, parts[i]);
    return sql_execute(remove);
}

static enum sql_result remove_named(struct store_db *db, enum store_statement statement,
                                    const char *name)
{
    sql_bind_text(statement_of(db, statement), 1, name);
    return sql_execute(statement_of(db, statement));
}

static enum sql_result remove_record(struct store_db *db, const struct store_entry *entry)
{
    switch (entry->kind) {
    case RECORD_ANSWER:
        return remove_named(db, STATEMENT_REMOVE_ANSWER, entry->name);
    case RECORD_POLICY:
        return remove_named(db, STATEMENT_REMOVE_POLICY, entry->name);
    case RECORD_PROBE:
        return remove_probe(db, entry->name);
    case RECORD_EVENT:
        return remove_named(db, STATEMENT_REMOVE_EVENTS, entry->name);
    case RECORD_KINDS:
        break;
    }
    abort();
}

static enum sql_result apply(struct store_db *db, const struct store_entry *entry, int64_t now)
{
    switch (entry->op) {
    case STORE_PUT:
        return put(db, &entry->record, now);
    case STORE_TOUCH:
        return touch(db, entry);
    case STORE_REMOVE:
        return remove_record(db, entry);
    case STORE_REMOVE_ADDRESS:
        return remove_named(db, STATEMENT_REMOVE_ADDRESS, entry->name);
    case STORE_LAPSE:
        sql_bind_number(statement_of(db, STATEMENT_LAPSE), 1, entry->at);
        return sql_execute(statement_of(db, STATEMENT_LAPSE));
    }
    abort();
}

static enum sql_result apply_all(struct store_db *db, const struct store_queue *queue,
                                 void (*pause)(void *context), void *context)
{
    int64_t now = clock_wall_ms();
    enum sql_result result = SQL_DONE;
    unsigned n = 0, opening = db->openings;

    for (const struct list *link = queue->order.next; link != &queue->order && result == SQL_DONE;
         link = link->next) {
        result = apply(db, LIST_ELEMENT(link, const struct store_entry, order), now);
        if (++n % PAUSE_EVERY != 0)
            continue;
        pause(context);
        if (db->sql == NULL || db->openings != opening) /* a read found it corrupt */
            return SQL_FAILED;
        if (result == SQL_DONE)
            result = sql_transaction(db->sql); /* it may have ended with a read */
    }
    return result == SQL_DONE ? store_meta_set(db, "last_written", now) : result;
}

/* The file is there, is the one that was opened, and may be written. */
static bool ready_to_write(struct store_db *db)
{
    if (db->sql != NULL && !store_file_same(db->options->path, &db->file)) {
        store_db_close(db); /* somebody took it away: a new one, with all we know */
        db->news.begun = true;
    }
    if (db->sql != NULL && db->readonly)
        store_db_close(db); /* SQLite never finds out that it may be written again */
    return store_db_open(db) && !db->readonly;
}

bool store_db_write(struct store_db *db, const struct store_queue *queue,
                    void (*pause)(void *context), void *context)
{
    enum sql_result result;
    unsigned opening;

    if (!ready_to_write(db))
        return false;
    opening = db->openings;
    result = sql_begin(db->sql);
    if (result == SQL_DONE)
        result = apply_all(db, queue, pause, context);
    if (opening != db->openings || db->sql == NULL)
        return false; /* it is another file now: nothing of this is in it */
    if (result == SQL_DONE)
        result = sql_commit(db->sql);
    if (result != SQL_DONE) {
        store_db_failed(db, result);
        return false;
    }
    db->news.degraded = false;
    store_tidy(db);
    return true;
}
