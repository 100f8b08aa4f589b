/* store_statements: the SQL of every statement that store_internal.h names. */
#include "daemon/store/store_internal.h"

#define TEXT(number)  #number
#define LIMIT(number) TEXT(number)

/* Rows looked at by one turn of the sweep. */
#define SWEEP_TO(table)                                                                            \
    "SELECT max(rowid) FROM (SELECT rowid FROM " table " WHERE rowid > ?1 ORDER BY rowid LIMIT "   \
    "500)"
#define EVICT(table, order)                                                                        \
    "DELETE FROM " table " WHERE rowid IN (SELECT rowid FROM " table " ORDER BY " order " LIMIT "  \
    "?1)"
#define SWEEP(table, end) "DELETE FROM " table " WHERE rowid > ?1 AND rowid <= ?2 AND " end " < ?3"

static const char *const plain[STATEMENTS] = {
    [STATEMENT_DROP + RECORD_ANSWER] = "DELETE FROM answer WHERE rowid = ?1",
    [STATEMENT_DROP + RECORD_POLICY] = "DELETE FROM policy WHERE rowid = ?1",
    [STATEMENT_DROP + RECORD_PROBE] = "DELETE FROM probe WHERE rowid = ?1",
    [STATEMENT_DROP + RECORD_EVENT] = "DELETE FROM event WHERE rowid = ?1",
    [STATEMENT_REMOVE_ANSWER] = "DELETE FROM answer WHERE key = ?1",
    [STATEMENT_REMOVE_POLICY] = "DELETE FROM policy WHERE domain = ?1",
    [STATEMENT_REMOVE_PROBE] = "DELETE FROM probe WHERE address = ?1 AND port = ?2 AND host = ?3"
                               " AND sni = ?4 AND tlsa = ?5",
    [STATEMENT_REMOVE_EVENTS] = "DELETE FROM event WHERE key = ?1",
    [STATEMENT_REMOVE_ADDRESS] = "DELETE FROM probe WHERE address = ?1",
    [STATEMENT_TOUCH] = "UPDATE answer SET used_at = ?2 WHERE key = ?1",
    [STATEMENT_TRIM_EVENTS] = "DELETE FROM event WHERE rowid IN (SELECT rowid FROM event WHERE"
                              " key = ?1 ORDER BY at DESC, rowid DESC LIMIT -1"
                              " OFFSET " LIMIT(STORE_EVENTS) ")",
    [STATEMENT_META_GET] = "SELECT value FROM meta WHERE name = ?1",
    [STATEMENT_META_SET] = "INSERT INTO meta(name, value) VALUES(?1, ?2)"
                           " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
    [STATEMENT_COUNT + RECORD_ANSWER] = "SELECT count(*) FROM answer",
    [STATEMENT_COUNT + RECORD_POLICY] = "SELECT count(*) FROM policy",
    [STATEMENT_COUNT + RECORD_PROBE] = "SELECT count(*) FROM probe",
    [STATEMENT_COUNT + RECORD_EVENT] = "SELECT count(*) FROM event",
    [STATEMENT_EVICT + RECORD_ANSWER] = EVICT("answer", "held, used_at"),
    [STATEMENT_EVICT + RECORD_POLICY] = EVICT("policy", "written_at"),
    [STATEMENT_EVICT + RECORD_PROBE] = EVICT("probe", "written_at"),
    [STATEMENT_EVICT + RECORD_EVENT] = EVICT("event", "at"),
    [STATEMENT_SWEEP_TO + RECORD_ANSWER] = SWEEP_TO("answer"),
    [STATEMENT_SWEEP_TO + RECORD_POLICY] = SWEEP_TO("policy"),
    [STATEMENT_SWEEP_TO + RECORD_PROBE] = SWEEP_TO("probe"),
    [STATEMENT_SWEEP_TO + RECORD_EVENT] = SWEEP_TO("event"),
    [STATEMENT_SWEEP + RECORD_ANSWER] =
        SWEEP("answer", "max(valid_until, dane_until, verify_until, encrypt_until, used_at)"),
    [STATEMENT_SWEEP + RECORD_POLICY] = SWEEP("policy", "max(valid_until, retry_at)"),
    [STATEMENT_SWEEP + RECORD_PROBE] = SWEEP("probe", "valid_until"),
    /* history goes with its answer */
    [STATEMENT_SWEEP + RECORD_EVENT] =
        SWEEP("event", "NOT EXISTS (SELECT 1 FROM answer WHERE answer.key = event.key) AND at"),
};

static const struct {
    enum store_statement statement;
    enum record_kind kind;
    const char *rest;
} selects[] = {
    {STATEMENT_FIND_ANSWER, RECORD_ANSWER, "WHERE key = ?1"},
    {STATEMENT_FIND_POLICY, RECORD_POLICY, "WHERE domain = ?1"},
    /* ?1: key or NULL, ?3 to ?5: held, used_at and rowid of the last page's end */
    {STATEMENT_LIST_ANSWERS, RECORD_ANSWER,
     "WHERE (?1 IS NULL OR key = ?1) AND (held, used_at, rowid) < (?3, ?4, ?5)"
     " ORDER BY held DESC, used_at DESC, rowid DESC LIMIT ?6"},
    {STATEMENT_LIST_POLICIES, RECORD_POLICY, "WHERE rowid > ?5 ORDER BY rowid LIMIT ?6"},
    {STATEMENT_LIST_PROBES, RECORD_PROBE, "WHERE rowid > ?5 ORDER BY rowid LIMIT ?6"},
    {STATEMENT_LIST_EVENTS, RECORD_EVENT,
     "WHERE (at, rowid) > (?4, ?5) ORDER BY at, rowid LIMIT ?6"},
    {STATEMENT_LIST_EVENTS_OF, RECORD_EVENT,
     "WHERE key = ?1 AND (at, rowid) > (?4, ?5) ORDER BY at, rowid LIMIT ?6"},
};

bool store_statements_text(struct arena *arena, const char *out[STATEMENTS])
{
    for (int i = 0; i < STATEMENTS; i++)
        out[i] = plain[i];
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        out[STATEMENT_PUT + kind] = store_sql_put(arena, (enum record_kind)kind);
    for (size_t i = 0; i < sizeof selects / sizeof selects[0]; i++)
        out[selects[i].statement] = store_sql_select(arena, selects[i].kind, selects[i].rest);
    out[STATEMENT_LAPSE] = store_sql_lapse(arena);
    return !arena_failed(arena);
}
