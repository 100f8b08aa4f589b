/*
 * results_merge: several results files as one; see results.h. A file after the other is attached as
 * `merged`, its names get ids under the seed of the first one, and temporary tables on the disk say
 * which id there is which one here, and whose result is later. The rest is copied by statements, so
 * memory does not grow with the files.
 *
 * A host's addresses and TLSA records come with its result. What a pair was judged as comes with the
 * result of its address, which may be another file's: shards look at different addresses of the
 * same hosts.
 *
 * Values of another type than ours end a merge: the tables are STRICT.
 */
#include "survey/results/results_internal.h"

#include <stdio.h>
#include <string.h>

#define SCHEMA "merged"

/* `src`: the id there; `dst`: here; `take`: the result there is the later one. */
#define MAP(name)                                                                                  \
    "DROP TABLE IF EXISTS temp." name ";"                                                          \
    "CREATE TEMP TABLE " name                                                                      \
    " (src INTEGER PRIMARY KEY, dst INTEGER NOT NULL, take INTEGER NOT NULL);"

static const char *const maps = MAP("domains") MAP("hosts") MAP(
    "addresses") "DROP TABLE IF EXISTS temp.kept;"
                 "CREATE TEMP TABLE kept (host INTEGER, address INTEGER, sni TEXT, starttls TEXT, "
                 "chain_ok INTEGER, name_ok INTEGER, expired INTEGER, tlsa TEXT, code INTEGER, "
                 "detail TEXT, "
                 "PRIMARY KEY (host, address)) WITHOUT ROWID";

/* ---- statements that copy ---- */

#define RUN                                                                                        \
    "version, began, ended, list, names, lines_bad, names_read, sample, seed, shard, shards, "     \
    "dnssec, probe, dane, partial_dane, testing_enforced, wildcard_hosts, verify, helo"

/* The first one ends with the merge, so that a merge which is killed is not finished. */
static const char *const copy_first_runs =
    "DELETE FROM main.run; INSERT INTO main.run (id, " RUN ") SELECT id, " RUN " FROM merged.run;"
    "UPDATE main.run SET ended = NULL WHERE id = (SELECT min(id) FROM main.run)";
static const char *const copy_runs =
    "INSERT INTO main.run (id, " RUN ") SELECT id + (SELECT max(id) FROM main.run), " RUN
    " FROM merged.run ORDER BY id";

/* Of a chain in both files the fault of the later run counts. */
static const char *const copy_chains =
    "INSERT OR IGNORE INTO main.certificate SELECT * FROM merged.certificate;"
    "INSERT OR IGNORE INTO main.chain_certificate SELECT * FROM merged.chain_certificate;"
    "INSERT INTO main.chain SELECT * FROM merged.chain WHERE true ON CONFLICT (sha256) "
    "DO UPDATE SET fault = excluded.fault, only_dates = excluded.only_dates, why = excluded.why "
    "WHERE (SELECT max(began) FROM merged.run) >= (SELECT max(began) FROM main.run)";

/* In shards of one survey each has the match at its own addresses. */
static const char *const copy_hosts =
    "UPDATE main.host AS h SET looked_up = s.looked_up, dane = s.dane, "
    "address_secure = s.address_secure, addresses_known = s.addresses_known, "
    "tlsa_base = s.tlsa_base, tlsa_short = s.tlsa_short, tlsa_truncated = s.tlsa_truncated, "
    "expanded = s.expanded, ttl = s.ttl, error = s.error, error_detail = s.error_detail "
    "FROM temp.hosts m JOIN merged.host s ON s.id = m.src WHERE m.take AND h.id = m.dst;"
    "UPDATE main.host SET opted_out = 1 WHERE opted_out = 0 AND id IN "
    "(SELECT m.dst FROM temp.hosts m JOIN merged.host s ON s.id = m.src WHERE s.opted_out = 1);"
    "UPDATE main.tlsa AS t SET matched = min(coalesce(t.matched, s.matched), s.matched) "
    "FROM temp.hosts m JOIN merged.tlsa s ON s.host = m.src "
    "WHERE t.host = m.dst AND t.data = s.data AND t.position = s.position "
    "AND s.matched IS NOT NULL AND NOT m.take "
    "AND (SELECT max(shards) FROM merged.run) > 1;"
    "INSERT OR REPLACE INTO main.tlsa SELECT m.dst, s.position, s.usage, s.selector, "
    "s.matching_type, s.usable, s.data, "
    "CASE WHEN (SELECT max(shards) FROM merged.run) > 1 AND t.matched IS NOT NULL "
    "AND t.data = s.data THEN min(t.matched, coalesce(s.matched, t.matched)) ELSE s.matched END "
    "FROM temp.hosts m JOIN merged.tlsa s ON s.host = m.src "
    "LEFT JOIN main.tlsa t ON t.host = m.dst AND t.position = s.position WHERE m.take;"
    "DELETE FROM main.tlsa WHERE (host, position) IN "
    "(SELECT t.host, t.position FROM temp.hosts m JOIN main.tlsa t ON t.host = m.dst "
    "LEFT JOIN merged.tlsa s ON s.host = m.src AND s.position = t.position "
    "WHERE m.take AND s.host IS NULL)";

#define SEEN                                                                                       \
    "starttls = s.starttls, code = s.code, protocol = s.protocol, cipher = s.cipher, "             \
    "strong = s.strong, nameless = s.nameless, requiretls = s.requiretls, chain = s.chain, "       \
    "failure = s.failure, detail = s.detail, connections = s.connections"

static const char *const copy_addresses =
    "UPDATE main.address AS a SET looked_up = s.looked_up, sni = s.sni, " SEEN
    ", greeting = s.greeting, software = s.software "
    "FROM temp.addresses m JOIN merged.address s ON s.id = m.src WHERE m.take AND a.id = m.dst;"
    "DELETE FROM main.sni WHERE address IN (SELECT dst FROM temp.addresses WHERE take);"
    "INSERT OR REPLACE INTO main.sni SELECT m.dst, s.name, h.dst, s.looked_up, s.starttls, "
    "s.code, s.protocol, s.cipher, s.strong, s.nameless, s.requiretls, s.chain, s.failure, "
    "s.detail, s.connections FROM temp.addresses m JOIN merged.sni s ON s.address = m.src "
    "JOIN temp.hosts h ON h.src = s.host WHERE m.take";

#define JUDGED                                                                                     \
    "sni = s.sni, starttls = s.starttls, chain_ok = s.chain_ok, name_ok = s.name_ok, "             \
    "expired = s.expired, tlsa = s.tlsa, code = s.code, detail = s.detail"
#define OF_S "s.sni, s.starttls, s.chain_ok, s.name_ok, s.expired, s.tlsa, s.code, s.detail"

static const char *const copy_pairs =
    "INSERT INTO temp.kept SELECT s.host, s.address, " OF_S
    " FROM temp.hosts h JOIN main.host_address s ON s.host = h.dst WHERE h.take;"
    "DELETE FROM main.host_address WHERE host IN (SELECT dst FROM temp.hosts WHERE take);"
    "INSERT OR REPLACE INTO main.host_address (host, address, position, secure, sni, starttls, "
    "chain_ok, name_ok, expired, tlsa, code, detail) SELECT h.dst, a.dst, s.position, "
    "s.secure, " OF_S " FROM temp.hosts h JOIN merged.host_address s ON s.host = h.src "
    "JOIN temp.addresses a ON a.src = s.address WHERE h.take;"
    "UPDATE main.host_address AS p SET " JUDGED
    " FROM temp.kept s WHERE p.host = s.host AND p.address = s.address AND p.address NOT IN "
    "(SELECT dst FROM temp.addresses WHERE take);"
    "UPDATE main.host_address AS p SET " JUDGED
    " FROM temp.addresses a JOIN merged.host_address s ON s.address = a.src "
    "JOIN temp.hosts h ON h.src = s.host "
    "WHERE a.take AND NOT h.take AND p.host = h.dst AND p.address = a.dst";

static const char *const copy_domains =
    "UPDATE main.domain AS d SET run = s.run + (SELECT max(id) FROM main.run) "
    "- (SELECT max(id) FROM merged.run), "
    "looked_up = s.looked_up, mx = s.mx, mx_secure = s.mx_secure, mx_ttl = s.mx_ttl, "
    "mx_truncated = s.mx_truncated, mx_expanded = s.mx_expanded, mta_sts = s.mta_sts, "
    "mx_unmatched = s.mx_unmatched, tlsrpt = s.tlsrpt, tlsrpt_rua = s.tlsrpt_rua, "
    "operator = s.operator, error = s.error, error_detail = s.error_detail "
    "FROM temp.domains m JOIN merged.domain s ON s.id = m.src WHERE m.take AND d.id = m.dst;"
    "DELETE FROM main.domain_mx WHERE domain IN (SELECT dst FROM temp.domains WHERE take);"
    "INSERT OR REPLACE INTO main.domain_mx SELECT d.dst, h.dst, s.preference "
    "FROM temp.domains d JOIN merged.domain_mx s ON s.domain = d.src "
    "JOIN temp.hosts h ON h.src = s.host WHERE d.take;"
    "DELETE FROM main.policy WHERE domain IN (SELECT dst FROM temp.domains WHERE take);"
    "INSERT OR REPLACE INTO main.policy SELECT d.dst, s.state, s.id, s.ttl, s.mode, s.max_age, "
    "s.mx, s.lines, s.failure, s.error "
    "FROM temp.domains d JOIN merged.policy s ON s.domain = d.src WHERE d.take";

/* ---- names ---- */

/* One kind of name: what is read there, and where the answer goes. */
struct merging {
    struct results *results;
    struct sql_statement *row, *here, *map;
};

static bool prepare(struct merging *merging, const char *there, const char *here, const char *map)
{
    struct sql *sql = merging->results->sql;

    return (sql_prepare(sql, &merging->row, there) && sql_prepare(sql, &merging->here, here) &&
            sql_prepare(sql, &merging->map, map)) ||
           results_fail(merging->results);
}

static void finish(struct merging *merging)
{
    sql_finalize(merging->row);
    sql_finalize(merging->here);
    sql_finalize(merging->map);
}

/* When a row had its result; one that says nothing is the earliest. */
#define LOOKED_UP "CASE error WHEN 'local' THEN 1 ELSE looked_up END"
#define ASKED(of)                                                                                  \
    "CASE WHEN " of "failure = 'local' OR " of "connections = 0 THEN 1 ELSE " of "looked_up END"

/* Notes the id here of the row under way; its looked_up is in `column`. */
static bool note(struct merging *merging, int64_t dst, int column)
{
    int64_t there = row_number(merging->row, column, 0), known;

    sql_bind_number(merging->here, 1, dst);
    if (!sql_execute_number(merging->here, &known))
        return results_fail(merging->results);
    sql_bind_number(merging->map, 1, row_number(merging->row, 0, 0));
    sql_bind_number(merging->map, 2, dst);
    sql_bind_number(merging->map, 3, there > known);
    return sql_execute(merging->map) || results_fail(merging->results);
}

static bool name_wrong(struct merging *merging)
{
    return results_fail_with(merging->results, "a name or address in it cannot be one");
}

static bool note_host(struct merging *merging)
{
    const char *name = row_text(merging->row, 2, HOSTNAME_MAX);
    int64_t id;

    if (!hostname_canonical(name))
        return name_wrong(merging);
    return results_add_host(merging->results, name, &id) && note(merging, id, 1);
}

static bool note_address(struct merging *merging)
{
    const char *text = row_text(merging->row, 2, IP_TEXT_MAX);
    const struct results_holder lead = {row_number(merging->row, 3, 0), row_is(merging->row, 4),
                                        row_is(merging->row, 5)};
    struct ip ip;
    int64_t id;

    if (text == NULL || !ip_parse(&ip, text))
        return name_wrong(merging);
    return results_add_address(merging->results, &ip, &lead, &id) && note(merging, id, 1);
}

static bool note_domain(struct merging *merging)
{
    const char *name = row_text(merging->row, 2, HOSTNAME_MAX);
    int64_t id;

    if (!hostname_canonical(name))
        return name_wrong(merging);
    return results_add_domain_id(merging->results, name, row_number(merging->row, 3, 0), &id) &&
           note(merging, id, 1);
}

static bool each_row(struct merging *merging, bool (*take)(struct merging *merging))
{
    enum sql_step step = SQL_END;
    bool ok = results_begin(merging->results);

    while (ok && (step = results_row(merging->results, merging->row)) == SQL_ROW)
        ok = take(merging);
    return ok && step == SQL_END;
}

#define NOTE(table) "INSERT INTO temp." table " (src, dst, take) VALUES (?1, ?2, ?3)"

static bool note_all(struct results *results)
{
    static const struct {
        const char *there, *here, *map;
        bool (*take)(struct merging *merging);
    } kinds[] = {
        {"SELECT id, " LOOKED_UP ", name FROM merged.host",
         "SELECT " LOOKED_UP " FROM main.host WHERE id = ?1", NOTE("hosts"), note_host},
        {"SELECT a.id, " ASKED("a.") ", a.ip, h.dst, a.host_dane, a.opted_out "
                                     "FROM merged.address a JOIN temp.hosts h ON h.src = a.host",
         "SELECT " ASKED("") " FROM main.address WHERE id = ?1", NOTE("addresses"), note_address},
        {"SELECT id, " LOOKED_UP ", name, weight FROM merged.domain",
         "SELECT " LOOKED_UP " FROM main.domain WHERE id = ?1", NOTE("domains"), note_domain},
    };
    bool ok = true;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && ok; i++) {
        struct merging merging = {.results = results};

        ok = prepare(&merging, kinds[i].there, kinds[i].here, kinds[i].map) &&
             each_row(&merging, kinds[i].take);
        finish(&merging);
        ok = ok && results_commit(results);
    }
    return ok;
}

/* ---- files ---- */

static bool copy(struct results *results, const char *sql)
{
    return results_begin(results) && (sql_run(results->sql, sql) || results_fail(results)) &&
           results_commit(results);
}

/* Whether it was the disk, and not what the other file has in it: then the new one was not written. */
static bool is_of_disk(const struct results *results)
{
    enum sql_failure failure = sql_failure(results->sql);

    return (failure == SQL_FULL || failure == SQL_FAILED) &&
           strstr(results->error, sql_error(results->sql)) != NULL;
}

/* `first`: its runs take the place of the one that the file was made with. */
static bool merge_one(struct results *results, const char *path, bool first, bool *unwritten,
                      char error[RESULTS_ERROR_MAX])
{
    char *own = results->path;
    bool ok;

    if (!results_attach(results, path, SCHEMA, error))
        return false;
    results->path = (char *)path; /* what goes wrong is about that file */
    ok = (sql_run(results->sql, maps) || results_fail(results)) && note_all(results) &&
         copy(results, copy_chains) && copy(results, copy_hosts) && copy(results, copy_addresses) &&
         copy(results, copy_pairs) && copy(results, first ? copy_first_runs : copy_runs) &&
         copy(results, copy_domains);
    results->path = own;
    *unwritten = !ok && is_of_disk(results);
    if (*unwritten)
        results_fail(results);
    if (!ok)
        snprintf(error, RESULTS_ERROR_MAX, "%s", results_error(results));
    results_commit(results);
    return sql_detach(results->sql, SCHEMA) && ok;
}

struct results *results_merge(const char *out, const char *const *paths, size_t count,
                              bool *unwritten, char error[RESULTS_ERROR_MAX])
{
    struct results *results, *first = results_open(paths[0], false, error);
    bool ok = first != NULL;
    struct results_run run;

    *unwritten = false;
    if (!ok)
        return NULL;
    run = *results_run(first);
    run.ended = 0;
    results = results_create(out, &run, error);
    run.ended = results_run(first)->ended;
    results_close(first);
    *unwritten = results == NULL;
    if (results == NULL)
        return NULL;
    ok = results_index_addresses(results);
    *unwritten = !ok;
    if (!ok)
        snprintf(error, RESULTS_ERROR_MAX, "%s", results_error(results));
    for (size_t i = 0; i < count && ok; i++)
        ok = merge_one(results, paths[i], i == 0, unwritten, error);
    results->counted = false;
    results->run.ended = run.ended;
    if (ok)
        return results;
    results_close(results);
    results_remove(out);
    return NULL;
}
