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
#include "survey/results/results_chunk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "survey/results/results_internal.h"

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

/* Ends the transaction of a step, unless all steps are `together`. */
static bool end_step(struct results *results, bool together)
{
    return together || results_commit(results);
}

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

static bool note_all(struct results *results, bool together)
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
        ok = ok && end_step(results, together);
    }
    return ok;
}

/* ---- files ---- */

static bool copy(struct results *results, const char *sql, bool together)
{
    return results_begin(results) && (sql_run(results->sql, sql) || results_fail(results)) &&
           end_step(results, together);
}

/* All but the runs, which come before the domains. NULL: no run is copied, and it is one
 * transaction, which the caller ends. */
static bool copy_all(struct results *results, const char *runs)
{
    const bool together = runs == NULL;

    return (sql_run(results->sql, maps) || results_fail(results)) && note_all(results, together) &&
           copy(results, copy_chains, together) && copy(results, copy_hosts, together) &&
           copy(results, copy_addresses, together) && copy(results, copy_pairs, together) &&
           (together || copy(results, runs, together)) && copy(results, copy_domains, together);
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
    ok = copy_all(results, first ? copy_first_runs : copy_runs);
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

/* ---- chunks ---- */

static bool ask_number(struct results *results, const char *text, int64_t *out)
{
    struct sql_statement *statement = NULL;
    bool ok = sql_prepare(results->sql, &statement, text) && sql_execute_number(statement, out);

    sql_finalize(statement);
    return ok || results_fail(results);
}

/* Whether the attached file can be the chunk's: `domains` of them, each with a result, where it is
 * one of domains; and its survey's in any case. */
static bool chunk_fits(struct results *results, const struct results_chunk *chunk, int64_t domains)
{
    int64_t runs = 0, count = 0, waiting = 0;
    char text[128];

    snprintf(text, sizeof text, "SELECT count(*) FROM merged.run WHERE seed = %" PRId64,
             results->run.seed);
    if (!ask_number(results, text, &runs) ||
        !ask_number(results, "SELECT count(*) FROM merged.domain", &count) ||
        !ask_number(results, "SELECT count(*) FROM merged.domain WHERE looked_up IS NULL",
                    &waiting))
        return false;
    if (runs == 1 && waiting == 0 && count == (chunk->kind == UNIT_DOMAIN ? domains : 0))
        return true;
    return results_fail_with(results, "it is not what this chunk's file must be");
}

/* Whether every unit of the chunk has its result now. */
static bool chunk_is_whole(struct results *results, const struct results_chunk *chunk)
{
    bool waits;

    if (chunk->kind == UNIT_DOMAIN)
        return true;
    return results_chunk_waits(results, chunk, &waits) &&
           (!waits || results_fail_with(results, "results are missing in it"));
}

/* The name in EHLO is known to who looks up: that of the first chunk stands for all. */
static bool take_helo(struct results *results)
{
    struct results_run run = results->run;
    struct sql_statement *row = NULL;
    char helo[HOSTNAME_MAX + 1];
    const char *found = NULL;

    if (run.helo != NULL)
        return true;
    if (sql_prepare(results->sql, &row, "SELECT helo FROM merged.run LIMIT 1") &&
        sql_step(row) == SQL_ROW)
        found = row_text(row, 0, HOSTNAME_MAX);
    if (found != NULL)
        snprintf(helo, sizeof helo, "%s", found);
    sql_finalize(row);
    run.helo = helo;
    return found == NULL || !hostname_canonical(helo) || results_set_run(results, &run);
}

enum results_collected results_collect(struct results *results, const struct results_chunk *chunk,
                                       int64_t domains, const char *path,
                                       char error[RESULTS_ERROR_MAX])
{
    char *own = results->path;
    bool ok, unwritten;

    if (!results_commit(results)) {
        snprintf(error, RESULTS_ERROR_MAX, "%s", results_error(results));
        return RESULTS_UNWRITTEN;
    }
    if (!results_attach(results, path, SCHEMA, error)) {
        sql_detach(results->sql, SCHEMA); /* where it is a database, but none of ours */
        return RESULTS_REFUSED;
    }
    results->path = (char *)path; /* what goes wrong is about that file */
    ok = chunk_fits(results, chunk, domains) && copy_all(results, NULL) &&
         chunk_is_whole(results, chunk) && take_helo(results);
    results->path = own;
    unwritten = !ok && is_of_disk(results);
    if (ok && !results_commit(results))
        unwritten = true;
    if (!ok || unwritten)
        snprintf(error, RESULTS_ERROR_MAX, "%s", results_error(results));
    results_rollback(results);
    results->counted = false;
    sql_detach(results->sql, SCHEMA);
    return unwritten ? RESULTS_UNWRITTEN : ok ? RESULTS_COLLECTED : RESULTS_REFUSED;
}
