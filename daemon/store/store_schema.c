/*
 * store_schema: see store_schema.h. A step that has left the house is never changed: a new one
 * follows it.
 */
#include "daemon/store/store_schema.h"

#include <string.h>

#include "base/buf.h"

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

static const char *const answer_columns[] = {
    "key",           "level",         "reason",      "answer",      "decided_at",   "valid_until",
    "used_at",       "dane_until",    "secure",      "proven",      "verify_since", "verify_until",
    "encrypt_since", "encrypt_until", "reminded_at", "clock_shift", "evidence"};
static const char *const policy_columns[] = {"domain",     "id",          "mode",    "body",
                                             "fetched_at", "valid_until", "last_id", "failures",
                                             "failure",    "retry_at",    "why",     "written_at"};
static const char *const probe_columns[] = {
    "address",   "port",        "host",       "sni",        "tlsa",       "state",
    "chain_ok",  "expired",     "name_ok",    "tlsa_match", "requiretls", "code",
    "probed_at", "valid_until", "protocol",   "cipher",     "subject",    "detail",
    "not_after", "failures",    "written_at", "verified_as"};
static const char *const event_columns[] = {"key", "at", "was", "now", "reason"};

const struct store_table store_tables[RECORD_KINDS] = {
    [RECORD_ANSWER] = {"answer", answer_columns, COUNT(answer_columns), "key", "held, used_at",
                       "used_at"},
    [RECORD_POLICY] = {"policy", policy_columns, COUNT(policy_columns), "domain", "0, 0", NULL},
    [RECORD_PROBE] = {"probe", probe_columns, COUNT(probe_columns),
                      "address, port, host, sni, tlsa", "0, 0", NULL},
    [RECORD_EVENT] = {"event", event_columns, COUNT(event_columns), "key, at, now", "0, at", NULL},
};

/* ---- statements ---- */

static const char *finish(struct arena *arena, struct buf *text)
{
    const char *copy = text->failed ? NULL : arena_strndup(arena, text->data, text->length);

    buf_fini(text);
    return copy;
}

static bool is_checked(const struct store_table *table, size_t column)
{
    return table->unchecked == NULL || strcmp(table->columns[column], table->unchecked) != 0;
}

/* "row_check(a, b)": of columns or, with `parameters`, of "?1, ?2". */
static void add_check(struct buf *text, const struct store_table *table, bool parameters)
{
    const char *separator = "row_check(";

    for (size_t i = 0; i < table->count; i++) {
        if (!is_checked(table, i))
            continue;
        if (parameters)
            buf_addf(text, "%s?%zu", separator, i + 1);
        else
            buf_addf(text, "%s%s", separator, table->columns[i]);
        separator = ", ";
    }
    buf_adds(text, ")");
}

const char *store_sql_put(struct arena *arena, enum record_kind kind)
{
    const struct store_table *table = &store_tables[kind];
    struct buf text;

    buf_init(&text, SQL_MAX);
    buf_addf(&text, "INSERT INTO %s(", table->name);
    for (size_t i = 0; i < table->count; i++)
        buf_addf(&text, "%s, ", table->columns[i]);
    buf_adds(&text, "row_check) VALUES(");
    for (size_t i = 0; i < table->count; i++)
        buf_addf(&text, "?%zu, ", i + 1);
    add_check(&text, table, true);
    buf_addf(&text, ") ON CONFLICT(%s) DO UPDATE SET ", table->identity);
    for (size_t i = 0; i < table->count; i++)
        buf_addf(&text, "%s = excluded.%s, ", table->columns[i], table->columns[i]);
    buf_adds(&text, "row_check = excluded.row_check");
    return finish(arena, &text);
}

const char *store_sql_select(struct arena *arena, enum record_kind kind, const char *rest)
{
    const struct store_table *table = &store_tables[kind];
    struct buf text;

    buf_init(&text, SQL_MAX);
    buf_addf(&text, "SELECT rowid, %s, row_check = ", table->place);
    add_check(&text, table, false);
    for (size_t i = 0; i < table->count; i++)
        buf_addf(&text, ", %s", table->columns[i]);
    buf_addf(&text, " FROM %s %s", table->name, rest);
    return finish(arena, &text);
}

/* What store_lapse_record does, for rows whose check is right; the others stay what they are. */
static const char *lapsed(const char *column)
{
    if (strcmp(column, "valid_until") == 0)
        return "min(valid_until, ?1)";
    return strcmp(column, "dane_until") == 0 || strcmp(column, "secure") == 0 ? "0" : column;
}

const char *store_sql_lapse(struct arena *arena)
{
    const struct store_table *table = &store_tables[RECORD_ANSWER];
    const char *separator = "row_check(";
    struct buf text;

    buf_init(&text, SQL_MAX);
    buf_adds(&text, "UPDATE answer SET valid_until = min(valid_until, ?1), dane_until = 0,"
                    " secure = 0, row_check = ");
    for (size_t i = 0; i < table->count; i++) {
        if (!is_checked(table, i))
            continue;
        buf_addf(&text, "%s%s", separator, lapsed(table->columns[i]));
        separator = ", ";
    }
    buf_adds(&text, ") WHERE (valid_until > ?1 OR dane_until <> 0 OR secure <> 0)"
                    " AND row_check = ");
    add_check(&text, table, false);
    return finish(arena, &text);
}
