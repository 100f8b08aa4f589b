/*
 * store_schema: see store_schema.h. A step that has been released is never changed: a new step
 * follows it.
 */
#include "daemon/store/store_schema.h"

#include <string.h>

#include "daemon/store/record_fields.h"

/* Times are milliseconds since 1970; 0 means never. */
static const char tables[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
    "CREATE TABLE answer("
    " key TEXT NOT NULL UNIQUE, level TEXT NOT NULL, reason TEXT NOT NULL, answer TEXT,"
    " decided_at INTEGER NOT NULL, valid_until INTEGER NOT NULL, used_at INTEGER NOT NULL,"
    " dane_until INTEGER NOT NULL, secure INTEGER NOT NULL, proven TEXT NOT NULL,"
    " verify_since INTEGER NOT NULL, verify_until INTEGER NOT NULL,"
    " encrypt_since INTEGER NOT NULL, encrypt_until INTEGER NOT NULL,"
    " reminded_at INTEGER NOT NULL, clock_shift INTEGER NOT NULL, evidence BLOB,"
    " row_check INTEGER NOT NULL,"
    " held INTEGER GENERATED ALWAYS AS (reason = 'held' OR reminded_at > 0) VIRTUAL"
    ") STRICT;"
    "CREATE TABLE policy("
    " domain TEXT NOT NULL UNIQUE, id TEXT NOT NULL, mode TEXT NOT NULL, body TEXT,"
    " fetched_at INTEGER NOT NULL, valid_until INTEGER NOT NULL,"
    " last_id TEXT NOT NULL, failures INTEGER NOT NULL, failure TEXT NOT NULL,"
    " retry_at INTEGER NOT NULL, why TEXT,"
    " written_at INTEGER NOT NULL, row_check INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE probe("
    " address TEXT NOT NULL, port INTEGER NOT NULL, host TEXT NOT NULL, sni TEXT NOT NULL,"
    " tlsa TEXT NOT NULL, state TEXT NOT NULL, chain_ok INTEGER NOT NULL,"
    " expired INTEGER NOT NULL, name_ok INTEGER NOT NULL, tlsa_match TEXT NOT NULL,"
    " requiretls INTEGER NOT NULL, code INTEGER NOT NULL,"
    " probed_at INTEGER NOT NULL, valid_until INTEGER NOT NULL,"
    " protocol TEXT, cipher TEXT, subject TEXT, detail TEXT, not_after INTEGER NOT NULL,"
    " failures INTEGER NOT NULL, written_at INTEGER NOT NULL, row_check INTEGER NOT NULL,"
    " UNIQUE(address, port, host, sni, tlsa)"
    ") STRICT;"
    "CREATE TABLE event("
    " key TEXT NOT NULL, at INTEGER NOT NULL, was TEXT, now TEXT NOT NULL, reason TEXT NOT NULL,"
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
const int store_schema_version = sizeof store_schema_steps / sizeof store_schema_steps[0];

/* ---- statements ---- */

#define TEXT(number)  #number
#define LIMIT(number) TEXT(number)

/* `order`: what goes first when there are too many; `end`: when a row has ended. */
/* clang-format off */
#define TIDYING(kind, table, order, end)                                                           \
    [STATEMENT_DROP][kind] = "DELETE FROM " table " WHERE rowid = ?1",                             \
    [STATEMENT_COUNT][kind] = "SELECT count(*) FROM " table,                                       \
    [STATEMENT_EVICT][kind] = "DELETE FROM " table " WHERE rowid IN"                               \
                              " (SELECT rowid FROM " table " ORDER BY " order " LIMIT ?1)",        \
    [STATEMENT_SWEEP_TO][kind] = "SELECT max(rowid) FROM (SELECT rowid FROM " table                \
                                 " WHERE rowid > ?1 ORDER BY rowid LIMIT 500)",                    \
    [STATEMENT_SWEEP][kind] = "DELETE FROM " table                                                 \
                              " WHERE rowid > ?1 AND rowid <= ?2 AND " end " < ?3"

static const char *const plain[STATEMENTS][RECORD_KINDS] = {
    TIDYING(RECORD_ANSWER, "answer", "held, used_at",
            "max(valid_until, dane_until, verify_until, encrypt_until, used_at)"),
    TIDYING(RECORD_POLICY, "policy", "written_at", "max(valid_until, retry_at)"),
    TIDYING(RECORD_PROBE, "probe", "written_at", "valid_until"),
    /* history goes with its answer */
    TIDYING(RECORD_EVENT, "event", "at",
            "NOT EXISTS (SELECT 1 FROM answer WHERE answer.key = event.key) AND at"),
    [STORE_REMOVE] = {[RECORD_ANSWER] = "DELETE FROM answer WHERE key = ?1",
                          [RECORD_POLICY] = "DELETE FROM policy WHERE domain = ?1"},
    [STORE_REMOVE_ADDRESS][RECORD_PROBE] = "DELETE FROM probe WHERE address = ?1",
    [STORE_TOUCH][RECORD_ANSWER] = "UPDATE answer SET used_at = ?2 WHERE key = ?1",
    [STATEMENT_TRIM][RECORD_EVENT] = "DELETE FROM event WHERE rowid IN (SELECT rowid FROM event"
                                     " WHERE key = ?1 ORDER BY at DESC, rowid DESC LIMIT -1"
                                     " OFFSET " LIMIT(STORE_EVENTS) ")",
    [STATEMENT_META_GET][0] = "SELECT value FROM meta WHERE name = ?1",
    [STATEMENT_META_SET][0] = "INSERT INTO meta(name, value) VALUES(?1, ?2)"
                              " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
};
/* clang-format on */

static const struct {
    const char *name;
    const char *identity; /* the columns that are unique together */
    const char *place;    /* two numbers by which, with the rowid, rows are listed */
    const char *page;     /* the rows behind a place, in their order */
} tables_of[RECORD_KINDS] = {
    [RECORD_ANSWER] = {"answer", "key", "held, used_at",
                       "(held, used_at, rowid) < (?2, ?3, ?4)"
                       " ORDER BY held DESC, used_at DESC, rowid DESC LIMIT ?5"},
    [RECORD_POLICY] = {"policy", "domain", "0, 0", "rowid > ?4 ORDER BY rowid LIMIT ?5"},
    [RECORD_PROBE] = {"probe", "address, port, host, sni, tlsa", "0, 0",
                      "rowid > ?4 ORDER BY rowid LIMIT ?5"},
    [RECORD_EVENT] = {"event", "key, at, now", "0, at",
                      "(at, rowid) > (?3, ?4) ORDER BY at, rowid LIMIT ?5"},
};

/* How a field stands in a list, and which fields do. */
enum style { COLUMN, PARAMETER, EXCLUDED, LAPSED };
enum part { ALL, CHECKED, LAPSING };

static bool belongs(const struct record_field *field, enum part part)
{
    if (part == CHECKED)
        return !(field->flags & FIELD_UNCHECKED);
    return part == ALL || field->flags & (FIELD_LAPSE_NOW | FIELD_LAPSE_ZERO);
}

/* The fields, with a comma between each two; "" without memory. */
static const char *list(struct arena *arena, enum record_kind kind, enum part part,
                        enum style style)
{
    const struct record_field *fields = record_fields[kind], *field;
    const char *text = "";

    for (field = fields; field->name != NULL && !arena_failed(arena); field++) {
        const char *name = field->name, *comma = text[0] == '\0' ? "" : ", ";

        if (!belongs(field, part))
            continue;
        if (style == PARAMETER)
            text = arena_printf(arena, "%s%s?%d", text, comma, (int)(field - fields) + 1);
        else if (style == EXCLUDED)
            text = arena_printf(arena, "%s%s%s = excluded.%s", text, comma, name, name);
        else if (style == LAPSED && field->flags & FIELD_LAPSE_NOW)
            text = arena_printf(arena, "%s%smin(%s, ?1)", text, comma, name);
        else if (style == LAPSED && field->flags & FIELD_LAPSE_ZERO)
            text = arena_printf(arena, "%s%s0", text, comma);
        else
            text = arena_printf(arena, "%s%s%s", text, comma, name);
    }
    return arena_failed(arena) ? "" : text;
}

static const char *put_text(struct arena *arena, enum record_kind kind)
{
    return arena_printf(arena,
                        "INSERT INTO %s(%s, row_check) VALUES(%s, row_check(%s)) ON CONFLICT(%s)"
                        " DO UPDATE SET %s, row_check = excluded.row_check",
                        tables_of[kind].name, list(arena, kind, ALL, COLUMN),
                        list(arena, kind, ALL, PARAMETER), list(arena, kind, CHECKED, PARAMETER),
                        tables_of[kind].identity, list(arena, kind, ALL, EXCLUDED));
}

static const char *select_text(struct arena *arena, enum record_kind kind, const char *where,
                               const char *page)
{
    return arena_printf(arena, "SELECT rowid, %s, row_check = row_check(%s), %s FROM %s WHERE %s%s",
                        tables_of[kind].place, list(arena, kind, CHECKED, COLUMN),
                        list(arena, kind, ALL, COLUMN), tables_of[kind].name, where, page);
}

/* As record_lapse does. Only rows whose check is right: the others stay what they are. */
static const char *lapse_text(struct arena *arena)
{
    return arena_printf(
        arena,
        "UPDATE answer SET (%s, row_check) = (%s, row_check(%s))"
        " WHERE (valid_until > ?1 OR dane_until <> 0 OR secure <> 0)"
        " AND row_check = row_check(%s)",
        list(arena, RECORD_ANSWER, LAPSING, COLUMN), list(arena, RECORD_ANSWER, LAPSING, LAPSED),
        list(arena, RECORD_ANSWER, CHECKED, LAPSED), list(arena, RECORD_ANSWER, CHECKED, COLUMN));
}

bool store_statements_text(struct arena *arena, const char *out[STATEMENTS][RECORD_KINDS])
{
    memcpy(out, plain, sizeof plain);
    for (int i = 0; i < RECORD_KINDS; i++) {
        enum record_kind kind = (enum record_kind)i;

        out[STORE_PUT][kind] = put_text(arena, kind);
        out[STATEMENT_LIST][kind] = select_text(arena, kind, "", tables_of[kind].page);
    }
    out[STATEMENT_FIND][RECORD_ANSWER] = select_text(arena, RECORD_ANSWER, "key = ?1", "");
    out[STATEMENT_FIND][RECORD_POLICY] = select_text(arena, RECORD_POLICY, "domain = ?1", "");
    out[STATEMENT_LIST_OF_KEY][RECORD_ANSWER] =
        select_text(arena, RECORD_ANSWER, "key = ?1 AND ", tables_of[RECORD_ANSWER].page);
    out[STATEMENT_LIST_OF_KEY][RECORD_EVENT] =
        select_text(arena, RECORD_EVENT, "key = ?1 AND ", tables_of[RECORD_EVENT].page);
    out[STORE_LAPSE][RECORD_ANSWER] = lapse_text(arena);
    return !arena_failed(arena);
}
