/*
 * store_schema: see store_schema.h. A step that has left the house is never changed: a new one
 * follows it.
 */
#include "daemon/store/store_schema.h"

#include "base/buf.h"
#include "daemon/store/record_fields.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SQL_MAX      16384

/* Times are milliseconds since 1970; 0 means never. */
static const char tables[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
    "CREATE TABLE answer("
    " key TEXT NOT NULL UNIQUE,"
    " level TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " answer TEXT,"
    " decided_at INTEGER NOT NULL,"
    " valid_until INTEGER NOT NULL,"
    " used_at INTEGER NOT NULL,"
    " dane_until INTEGER NOT NULL,"
    " secure INTEGER NOT NULL,"
    " proven TEXT NOT NULL,"
    " verify_since INTEGER NOT NULL,"
    " verify_until INTEGER NOT NULL,"
    " encrypt_since INTEGER NOT NULL,"
    " encrypt_until INTEGER NOT NULL,"
    " reminded_at INTEGER NOT NULL,"
    " clock_shift INTEGER NOT NULL,"
    " evidence BLOB,"
    " row_check INTEGER NOT NULL,"
    " held INTEGER GENERATED ALWAYS AS (reason = 'held' OR reminded_at > 0) VIRTUAL"
    ") STRICT;"
    "CREATE TABLE policy("
    " domain TEXT NOT NULL UNIQUE,"
    " id TEXT NOT NULL,"
    " mode TEXT NOT NULL,"
    " body TEXT,"
    " fetched_at INTEGER NOT NULL,"
    " valid_until INTEGER NOT NULL,"
    " last_id TEXT NOT NULL,"
    " failures INTEGER NOT NULL,"
    " failure TEXT NOT NULL,"
    " retry_at INTEGER NOT NULL,"
    " why TEXT,"
    " written_at INTEGER NOT NULL,"
    " row_check INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE probe("
    " address TEXT NOT NULL,"
    " port INTEGER NOT NULL,"
    " host TEXT NOT NULL,"
    " sni TEXT NOT NULL,"
    " tlsa TEXT NOT NULL,"
    " state TEXT NOT NULL,"
    " chain_ok INTEGER NOT NULL,"
    " expired INTEGER NOT NULL,"
    " name_ok INTEGER NOT NULL,"
    " tlsa_match TEXT NOT NULL,"
    " requiretls INTEGER NOT NULL,"
    " code INTEGER NOT NULL,"
    " probed_at INTEGER NOT NULL,"
    " valid_until INTEGER NOT NULL,"
    " protocol TEXT,"
    " cipher TEXT,"
    " subject TEXT,"
    " detail TEXT,"
    " not_after INTEGER NOT NULL,"
    " failures INTEGER NOT NULL,"
    " written_at INTEGER NOT NULL,"
    " row_check INTEGER NOT NULL,"
    " UNIQUE(address, port, host, sni, tlsa)"
    ") STRICT;"
    "CREATE TABLE event("
    " key TEXT NOT NULL,"
    " at INTEGER NOT NULL,"
    " was TEXT,"
    " now TEXT NOT NULL,"
    " reason TEXT NOT NULL,"
    " row_check INTEGER NOT NULL,"
    " UNIQUE(key, at, now)"
    ") STRICT;";

/* clang-format off */
#define DATE(seconds, column) "iif(" column " = 0, NULL, datetime(" column seconds ", 'unixepoch'))"
#define WHEN(column)          DATE(" / 1000", column)

static const char indexes_and_views[] =
    "CREATE INDEX answer_by_use ON answer(held, used_at);"
    "CREATE INDEX policy_by_writing ON policy(written_at);"
    "CREATE INDEX probe_by_writing ON probe(written_at);"
    "CREATE INDEX event_by_time ON event(at);"
    "CREATE VIEW answers AS SELECT key, answer, level, reason,"
    " " WHEN("decided_at") " AS decided,"
    " " WHEN("valid_until") " AS valid_until,"
    " " WHEN("used_at") " AS used,"
    " " WHEN("dane_until") " AS dane_until,"
    " proven, length(evidence) AS evidence_octets FROM answer ORDER BY used_at DESC;"
    "CREATE VIEW policies AS SELECT domain, mode, id,"
    " " WHEN("fetched_at") " AS fetched,"
    " " WHEN("valid_until") " AS valid_until,"
    " failures,"
    " iif(failures = 0, NULL, failure) AS failure,"
    " iif(failures = 0, NULL, why) AS why,"
    " iif(failures = 0, NULL, " WHEN("retry_at") ") AS retry,"
    " body FROM policy ORDER BY domain;"
    "CREATE VIEW probes AS SELECT host, address, port, state, protocol, cipher, subject,"
    " " DATE("", "not_after") " AS certificate_until,"
    " detail,"
    " " WHEN("probed_at") " AS probed,"
    " " WHEN("valid_until") " AS valid_until,"
    " failures FROM probe ORDER BY host, address, port;"
    "CREATE VIEW held AS SELECT key, level,"
    " " WHEN("iif(proven = 'verify' OR verify_since > 0, verify_since, encrypt_since)") " AS since,"
    " " WHEN("iif(level = 'verify', verify_until, max(verify_until, encrypt_until))") " AS until,"
    " " WHEN("reminded_at") " AS logged FROM answer WHERE held ORDER BY key;"
    "CREATE VIEW history AS SELECT key,"
    " " WHEN("at") " AS time,"
    " was, now, reason FROM event ORDER BY at;";
/* clang-format on */

/* The certificate that verified last. Rows whose check is right get one over the new column too. */
#define PROBE_COLUMNS                                                                              \
    "address, port, host, sni, tlsa, state, chain_ok, expired, name_ok, tlsa_match, requiretls,"   \
    " code, probed_at, valid_until, protocol, cipher, subject, detail, not_after, failures,"       \
    " written_at"

static const char verified_as[] =
    "ALTER TABLE probe ADD COLUMN verified_as TEXT;"
    "UPDATE probe SET row_check = row_check(" PROBE_COLUMNS ", verified_as)"
    " WHERE row_check = row_check(" PROBE_COLUMNS ");";

const char *const store_schema_steps[] = {tables, indexes_and_views, verified_as};
const int store_schema_version = COUNT(store_schema_steps);

/* ---- rows ---- */

static const struct {
    const char *name;
    const char *identity; /* the columns that are unique together */
    const char *place;    /* two numbers by which, with the rowid, rows are listed */
} tables_of[RECORD_KINDS] = {
    [RECORD_ANSWER] = {"answer", "key", "held, used_at"},
    [RECORD_POLICY] = {"policy", "domain", "0, 0"},
    [RECORD_PROBE] = {"probe", "address, port, host, sni, tlsa", "0, 0"},
    [RECORD_EVENT] = {"event", "key, at, now", "0, at"},
};

/* ---- statements ---- */

static const char *finish(struct arena *arena, struct buf *text)
{
    const char *copy = text->failed ? NULL : arena_strndup(arena, text->data, text->length);

    buf_fini(text);
    return copy;
}

/* "row_check(a, b)": of columns or, with `parameters`, of "?1, ?2". */
static void add_check(struct buf *text, enum record_kind kind, bool parameters)
{
    const struct record_fields *fields = &record_fields[kind];
    const char *separator = "row_check(";

    for (size_t i = 0; i < fields->count; i++) {
        if (fields->fields[i].flags & FIELD_UNCHECKED)
            continue;
        if (parameters)
            buf_addf(text, "%s?%zu", separator, i + 1);
        else
            buf_addf(text, "%s%s", separator, fields->fields[i].name);
        separator = ", ";
    }
    buf_adds(text, ")");
}

const char *store_sql_put(struct arena *arena, enum record_kind kind)
{
    const struct record_fields *fields = &record_fields[kind];
    struct buf text;

    buf_init(&text, SQL_MAX);
    buf_addf(&text, "INSERT INTO %s(", tables_of[kind].name);
    for (size_t i = 0; i < fields->count; i++)
        buf_addf(&text, "%s, ", fields->fields[i].name);
    buf_adds(&text, "row_check) VALUES(");
    for (size_t i = 0; i < fields->count; i++)
        buf_addf(&text, "?%zu, ", i + 1);
    add_check(&text, kind, true);
    buf_addf(&text, ") ON CONFLICT(%s) DO UPDATE SET ", tables_of[kind].identity);
    for (size_t i = 0; i < fields->count; i++)
        buf_addf(&text, "%s = excluded.%s, ", fields->fields[i].name, fields->fields[i].name);
    buf_adds(&text, "row_check = excluded.row_check");
    return finish(arena, &text);
}

const char *store_sql_select(struct arena *arena, enum record_kind kind, const char *rest)
{
    const struct record_fields *fields = &record_fields[kind];
    struct buf text;

    buf_init(&text, SQL_MAX);
    buf_addf(&text, "SELECT rowid, %s, row_check = ", tables_of[kind].place);
    add_check(&text, kind, false);
    for (size_t i = 0; i < fields->count; i++)
        buf_addf(&text, ", %s", fields->fields[i].name);
    buf_addf(&text, " FROM %s %s", tables_of[kind].name, rest);
    return finish(arena, &text);
}

/* The column as record_lapse leaves it. */
static void add_lapsed(struct buf *text, const struct record_field *field)
{
    if (field->flags & FIELD_LAPSE_NOW)
        buf_addf(text, "min(%s, ?1)", field->name);
    else
        buf_adds(text, field->flags & FIELD_LAPSE_ZERO ? "0" : field->name);
}

/* For rows whose check is right; the others stay what they are. */
const char *store_sql_lapse(struct arena *arena)
{
    const struct record_fields *fields = &record_fields[RECORD_ANSWER];
    const char *separator = "row_check(";
    struct buf text;

    buf_init(&text, SQL_MAX);
    buf_adds(&text, "UPDATE answer SET ");
    for (size_t i = 0; i < fields->count; i++) {
        const struct record_field *field = &fields->fields[i];

        if (!(field->flags & (FIELD_LAPSE_NOW | FIELD_LAPSE_ZERO)))
            continue;
        buf_addf(&text, "%s = ", field->name);
        add_lapsed(&text, field);
        buf_adds(&text, ", ");
    }
    buf_adds(&text, "row_check = ");
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->fields[i].flags & FIELD_UNCHECKED)
            continue;
        buf_adds(&text, separator);
        add_lapsed(&text, &fields->fields[i]);
        separator = ", ";
    }
    buf_adds(&text, ") WHERE (valid_until > ?1 OR dane_until <> 0 OR secure <> 0)"
                    " AND row_check = ");
    add_check(&text, RECORD_ANSWER, false);
    return finish(arena, &text);
}
