/*
 * results_chunk: see results_chunk.h. Taking a chunk's results is in results_merge.c.
 *
 * Which unit is in which chunk stands in a temporary table, which spills to a file.
 */
#include "survey/results/results_chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/hash.h"
#include "survey/results/results_internal.h"

#define PARTS_MAX 4096
#define WHOLE     "whole" /* the file that a chunk is taken from */

/* ---- the small file ---- */

bool results_chunk_add(struct results *results, enum unit_kind kind, const char *name,
                       int64_t weight)
{
    bool is_new;
    int64_t id;

    if (kind == UNIT_DOMAIN)
        return results_add_domain(results, name, weight, &is_new);
    return kind == UNIT_HOST && results_add_host(results, name, &id);
}

bool results_chunk_is_done(struct results *results, enum unit_kind kind)
{
    struct unit unit;

    return results_next(results, kind, INT64_MIN, &unit, 1) == 0;
}

bool results_is_written(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool written = file >= 0 && flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;

    if (file >= 0)
        close(file);
    return written;
}

/* ---- domains ---- */

bool results_each_domain(struct results *results, int64_t after, int64_t max,
                         results_domain_taker *take, void *context)
{
    const struct sql_value values[] = {value_number(after), value_number(max)};
    struct sql_statement *row = results_select(results, RESULTS_DOMAINS_AFTER, values, 2);
    enum sql_step step = SQL_ERROR;
    bool ok = row != NULL;

    while (ok && (step = results_row(results, row)) == SQL_ROW)
        ok = take(context, row_number(row, 0, 0), row_text(row, 1, HOSTNAME_MAX),
                  row_number(row, 2, 0));
    if (row != NULL)
        sql_reset(row);
    return ok && step != SQL_ERROR;
}

/* ---- cutting ---- */

static bool put_unit(struct results *results, const struct results_chunk *chunk, int64_t id)
{
    const struct sql_value values[] = {value_number(chunk->number), value_number(chunk->part),
                                       value_number(id)};

    return results_execute(results, RESULTS_CHUNK_PUT, values, 3);
}

struct cutting {
    struct results *results;
    unsigned parts;
    int64_t size;
    int64_t numbers[PARTS_MAX], counts[PARTS_MAX]; /* the last chunk of each part, and its units */
    unsigned part;
    char prefix[IP_PREFIX_TEXT_MAX]; /* of the address before; "": there was none */
};

/* The part of a prefix, as shard_owns has it. */
static unsigned part_of(const struct cutting *cutting, const struct ip *ip)
{
    const struct ip_prefix site = ip_site(ip);

    return (unsigned)(hash_stable(&site, sizeof site) % cutting->parts);
}

/* Another chunk begins with another prefix, or where a prefix has too many addresses for one. */
static bool cut_address(struct cutting *cutting, int64_t id, const char *text)
{
    char network[IP_PREFIX_TEXT_MAX];
    struct ip_prefix prefix;
    struct ip ip;
    bool other;
    int64_t *count;

    if (text == NULL || !ip_parse(&ip, text))
        return results_fail_with(cutting->results, "it has an address that cannot be one");
    prefix = ip_site(&ip);
    other = strcmp(ip_prefix_text(&prefix, network), cutting->prefix) != 0;
    memcpy(cutting->prefix, network, sizeof network);
    cutting->part = part_of(cutting, &ip);
    count = &cutting->counts[cutting->part];
    if (cutting->numbers[cutting->part] == 0 || *count >= (other ? 1 : 2) * cutting->size) {
        cutting->numbers[cutting->part]++;
        *count = 0;
    }
    ++*count;
    return put_unit(
        cutting->results,
        &(struct results_chunk){UNIT_ADDRESS, cutting->part, cutting->numbers[cutting->part]}, id);
}

static bool cut_addresses(struct cutting *cutting)
{
    struct sql_statement *row =
        results_select(cutting->results, RESULTS_ADDRESSES_BY_PREFIX, NULL, 0);
    enum sql_step step = SQL_ERROR;
    bool ok = row != NULL;

    while (ok && (step = results_row(cutting->results, row)) == SQL_ROW)
        ok = cut_address(cutting, row_number(row, 0, 0), row_text(row, 1, IP_TEXT_MAX));
    if (row != NULL)
        sql_reset(row);
    return ok && step != SQL_ERROR;
}

bool results_chunks_cut(struct results *results, enum unit_kind kind, unsigned parts, int64_t size)
{
    static const char *const table =
        "DROP TABLE IF EXISTS temp.chunk;"
        "CREATE TEMP TABLE chunk (number INTEGER, part INTEGER, unit INTEGER, "
        "PRIMARY KEY (number, part, unit)) WITHOUT ROWID";
    const struct sql_value value = value_number(size);
    struct cutting cutting = {.results = results, .parts = parts, .size = size};
    bool ok;

    if (!results_sort(results, table))
        return false;
    if (kind == UNIT_HOST)
        ok = results_execute(results, RESULTS_CHUNK_HOSTS_CUT, &value, 1);
    else
        ok = parts <= PARTS_MAX && results_execute(results, RESULTS_OPT_OUTS_SPREAD, NULL, 0) &&
             cut_addresses(&cutting);
    return ok && results_commit(results);
}

bool results_chunk_next(struct results *results, struct results_chunk *chunk)
{
    const enum results_statement which =
        chunk->kind == UNIT_HOST ? RESULTS_CHUNK_NEXT_HOSTS : RESULTS_CHUNK_NEXT_ADDRESSES;
    const struct sql_value values[] = {value_number(chunk->number), value_number(chunk->part)};
    struct sql_statement *row = results_select(results, which, values, 2);
    enum sql_step step = row == NULL ? SQL_ERROR : results_row(results, row);

    chunk->number = step == SQL_ROW ? row_number(row, 0, 0) : 0;
    chunk->part = step == SQL_ROW ? (unsigned)row_number(row, 1, 0) : 0;
    if (row != NULL)
        sql_reset(row);
    return step != SQL_ERROR;
}

bool results_chunk_waits(struct results *results, const struct results_chunk *chunk, bool *waits)
{
    const enum results_statement which =
        chunk->kind == UNIT_HOST ? RESULTS_CHUNK_WAITS_HOSTS : RESULTS_CHUNK_WAITS_ADDRESSES;
    const struct sql_value values[] = {value_number(chunk->number), value_number(chunk->part)};
    int64_t waiting = 0;
    bool ok = results_number(results, which, values, 2, &waiting);

    *waits = waiting > 0;
    return ok;
}

bool results_chunk_forget(struct results *results, const struct results_chunk *chunk)
{
    const struct sql_value values[] = {value_number(chunk->number), value_number(chunk->part)};

    return results_execute(results, RESULTS_CHUNK_FORGET, values, 2) && results_commit(results);
}

bool results_chunk_hosts(struct results *results, const struct results_chunk *chunk,
                         results_domain_taker *take, void *context)
{
    const struct sql_value values[] = {value_number(chunk->number), value_number(chunk->part)};
    struct sql_statement *row = results_select(results, RESULTS_CHUNK_HOSTS, values, 2);
    enum sql_step step = SQL_ERROR;
    bool ok = row != NULL;

    while (ok && (step = results_row(results, row)) == SQL_ROW)
        ok = take(context, 0, row_text(row, 0, HOSTNAME_MAX), 0);
    if (row != NULL)
        sql_reset(row);
    return ok && step != SQL_ERROR;
}

/* ---- taking out ---- */

static const char *const wanted = "CREATE TEMP TABLE wanted (id INTEGER PRIMARY KEY)";

#define ADDRESS "id, ip, prefix, host, host_dane, opted_out"
#define PAIR    "host, address, position, secure"

static const char *const copy =
    "INSERT INTO main.address (" ADDRESS ") SELECT " ADDRESS " FROM whole.address "
    "WHERE id IN (SELECT id FROM temp.wanted);"
    "INSERT INTO main.host_address (" PAIR ") SELECT " PAIR " FROM whole.host_address "
    "WHERE address IN (SELECT id FROM temp.wanted);"
    "INSERT INTO main.host SELECT * FROM whole.host WHERE id IN "
    "(SELECT host FROM main.host_address UNION SELECT host FROM main.address);"
    "INSERT INTO main.tlsa SELECT host, position, usage, selector, matching_type, usable, data, "
    "NULL FROM whole.tlsa WHERE host IN (SELECT id FROM main.host)";

/* Notes the addresses of the chunk in the small file. */
static bool note_wanted(struct results *small, struct results *results,
                        const struct results_chunk *chunk)
{
    const struct sql_value values[] = {value_number(chunk->number), value_number(chunk->part)};
    struct sql_statement *row = results_select(results, RESULTS_CHUNK_UNITS, values, 2);
    struct sql_statement *put = NULL;
    enum sql_step step = SQL_ERROR;
    bool ok = row != NULL && sql_run(small->sql, wanted) &&
              sql_prepare(small->sql, &put, "INSERT INTO temp.wanted (id) VALUES (?1)");

    while (ok && (step = results_row(results, row)) == SQL_ROW) {
        sql_bind_number(put, 1, row_number(row, 0, 0));
        ok = sql_execute(put);
    }
    if (row != NULL)
        sql_reset(row);
    sql_finalize(put);
    return (ok && step != SQL_ERROR) || results_fail(small);
}

static bool extract(struct results *small, struct results *results,
                    const struct results_chunk *chunk, char error[RESULTS_ERROR_MAX])
{
    bool ok = results_attach(small, results->path, WHOLE, error);

    if (!ok)
        return false;
    ok = results_begin(small) && note_wanted(small, results, chunk) &&
         (sql_run(small->sql, copy) || results_fail(small)) && results_commit(small);
    if (!ok) {
        snprintf(error, RESULTS_ERROR_MAX, "%s", results_error(small));
        results_rollback(small);
    }
    return sql_detach(small->sql, WHOLE) && ok;
}

bool results_chunk_extract(struct results *results, const struct results_chunk *chunk,
                           const struct results_run *run, const char *path,
                           char error[RESULTS_ERROR_MAX])
{
    struct results *small;
    bool ok;

    if (!results_commit(results)) {
        snprintf(error, RESULTS_ERROR_MAX, "%s", results_error(results));
        return false;
    }
    small = results_create(path, run, error);
    if (small == NULL)
        return false;
    ok = extract(small, results, chunk, error);
    if (ok && !(results_index_addresses(small) && results_one_file(small))) {
        snprintf(error, RESULTS_ERROR_MAX, "%s", results_error(small));
        ok = false;
    }
    ok = results_close(small) && ok;
    if (!ok)
        results_remove(path);
    return ok;
}
