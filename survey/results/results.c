/*
 * results: see results.h. This file: making, opening and closing one, and the table `run`.
 *
 * Who writes holds an flock on the database itself, beside SQLite's own locks: between two
 * transactions SQLite would let another writer in. The descriptor of the lock is closed after
 * SQLite has closed its own, because closing any of them drops SQLite's locks.
 *
 * The page cache is small and fixed, so that the memory a survey needs does not depend on its size;
 * the system keeps the file in its own cache.
 *
 * BUGS
 *   Over NFS two surveys may not see each other's lock.
 */
#include "survey/results/results_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_MAX   (64 * 1024)
#define SCRATCH_MAX (4 * 1024 * 1024)
#define LIST_MAX    4096 /* octets of run.list */
#define SHARDS_MAX  1000000

#define CACHE "PRAGMA cache_size = -8192;" /* 8 MiB of pages */
/* SQLite sorts in as much memory again, and then in a file. */
#define CACHE_SORTING "PRAGMA cache_size = -1024;"

/* The log is copied to the file when it has 64 MiB. Deleted rows hold nothing that is secret. */
#define PRAGMAS                                                                                    \
    CACHE "PRAGMA cell_size_check = on; PRAGMA secure_delete = off;"                               \
          "PRAGMA mmap_size = 0"
#define PRAGMAS_WRITE                                                                              \
    "PRAGMA journal_mode = wal; PRAGMA synchronous = normal; PRAGMA wal_autocheckpoint = 16000;"   \
    "PRAGMA journal_size_limit = 67108864"

/* There may be one on each thread. */
#define PRAGMAS_READER "PRAGMA cache_size = -2048"

/* ---- errors, transactions ---- */

bool results_fail_with(struct results *results, const char *why)
{
    snprintf(results->error, sizeof results->error, "%s: %s", results->path, why);
    return false;
}

const char *results_said(const struct results *results)
{
    if (results->lock < 0 && sql_failure(results->sql) == SQL_READONLY)
        return "it was not closed in order, and cannot be read as it is: `mxcrypt survey run "
               "--resume' closes it";
    return sql_error(results->sql);
}

bool results_fail(struct results *results)
{
    return results_fail_with(results, results_said(results));
}

const char *results_error(const struct results *results)
{
    return results->error;
}

bool results_begin(struct results *results)
{
    if (results->in_transaction)
        return true;
    if (results->lock < 0)
        return results_fail_with(results, "it is open for reading only");
    if (!sql_begin(results->sql))
        return results_fail(results);
    results->in_transaction = true;
    return true;
}

bool results_commit(struct results *results)
{
    if (!results->in_transaction)
        return true;
    results->in_transaction = false;
    if (sql_commit(results->sql))
        return true;
    results_fail(results);
    results_known_forget(results->known);
    sql_rollback(results->sql);
    return false;
}

void results_rollback(struct results *results)
{
    results_known_forget(results->known);
    if (results->in_transaction)
        sql_rollback(results->sql);
    results->in_transaction = false;
}

bool results_in_place(struct results *results)
{
    struct stat ours, there;

    if (results->lock < 0 || fstat(results->lock, &ours) != 0)
        return results_fail_with(results, strerror(errno));
    if (stat(results->path, &there) == 0 && there.st_dev == ours.st_dev &&
        there.st_ino == ours.st_ino)
        return true;
    return results_fail_with(results, "it was removed or replaced while it was written");
}

bool results_sort(struct results *results, const char *sql)
{
    bool ok = results_commit(results) &&
              (sql_run(results->sql, CACHE_SORTING) || results_fail(results)) &&
              results_begin(results) && (sql_run(results->sql, sql) || results_fail(results)) &&
              results_commit(results);

    return (sql_run(results->sql, CACHE) || results_fail(results)) && ok;
}

/* ---- the row of the run ---- */

/* Its strings may be those of the present one. */
static bool run_take(struct results *results, struct results_run run)
{
    struct arena *arena = arena_new(ARENA_MAX);

    run.list = arena_strdup(arena, run.list == NULL ? "" : run.list);
    run.helo = arena_strdup(arena, run.helo);
    if (arena == NULL || arena_failed(arena)) {
        arena_free(arena);
        return results_fail_with(results, "no memory");
    }
    arena_free(results->arena);
    results->arena = arena;
    results->run = run;
    return true;
}

static bool run_read(struct results *results)
{
    struct sql_statement *row = results_select(results, RESULTS_RUN_GET, NULL, 0);
    struct results_run run = {.shard = 1, .shards = 1};
    enum sql_step step;
    bool ok;

    if (row == NULL)
        return false;
    step = results_row(results, row);
    if (step == SQL_ROW) {
        run.list = row_text(row, 0, LIST_MAX);
        run.seed = row_number(row, 1, 0);
        run.sample = row_number(row, 2, 0);
        run.shard = (unsigned)(row_number(row, 3, 1) % SHARDS_MAX);
        run.shards = (unsigned)(row_number(row, 4, 1) % SHARDS_MAX);
        run.dnssec = row_is(row, 5);
        run.helo = row_text(row, 6, HOSTNAME_MAX);
        run.verdict.dane = row_is(row, 7);
        run.verdict.partial_dane = row_word(row, 8, &results_partial_words);
        run.verdict.testing_enforced = row_is(row, 9);
        run.verdict.wildcard_hosts = row_is(row, 10);
        run.verdict.probe = row_is(row, 11);
        run.verdict.verify = row_is(row, 12);
        run.began = row_number(row, 13, 0);
        run.ended = row_number(row, 14, 0);
        run.names = row_number(row, 15, 0);
        run.lines_bad = row_number(row, 16, 0);
        run.names_read = row_is(row, 17);
    }
    ok = step == SQL_ROW ? run_take(results, run)
                         : step == SQL_END && results_fail_with(results, "it has no run");
    sql_reset(row);
    return ok;
}

bool results_set_run(struct results *results, const struct results_run *run)
{
    const struct verdict_options *verdict = &run->verdict;
    const struct sql_value values[] = {
        value_text(MXC_VERSION),
        value_text(run->list == NULL ? "" : run->list),
        value_number(run->seed),
        value_number(run->sample),
        value_number(run->shard),
        value_number(run->shards),
        value_number(run->dnssec),
        value_text(run->helo),
        value_number(verdict->dane),
        value_word(&results_partial_words, verdict->partial_dane),
        value_number(verdict->testing_enforced),
        value_number(verdict->wildcard_hosts),
        value_number(verdict->probe),
        value_number(verdict->verify),
        value_number(run->began),
        value_unless_zero(run->ended),
        run->names_read ? value_number(run->names) : value_none(),
        value_number(run->lines_bad),
        value_number(run->names_read),
    };

    return results_execute(results, RESULTS_RUN_PUT, values, sizeof values / sizeof values[0]) &&
           run_take(results, *run);
}

const struct results_run *results_run(const struct results *results)
{
    return &results->run;
}

/* ---- opening ---- */

static struct results *results_new(const char *path)
{
    struct results *results = calloc(1, sizeof *results);

    if (results == NULL)
        return NULL;
    results->lock = -1;
    results->sample_end = INT64_MAX;
    results->path = strdup(path);
    results->arena = arena_new(ARENA_MAX);
    results->scratch = arena_new(SCRATCH_MAX);
    results->hosts = results_hosts_new();
    results->known = results_known_new();
    if (results->path != NULL && results->arena != NULL && results->scratch != NULL &&
        results->hosts != NULL && results->known != NULL)
        return results;
    results_close(results);
    return NULL;
}

bool results_close(struct results *results)
{
    bool ok = true;

    if (results == NULL)
        return true;
    if (results->sql != NULL)
        ok = results_commit(results);
    sql_close(results->sql);
    if (results->lock >= 0)
        close(results->lock);
    arena_free(results->arena);
    arena_free(results->scratch);
    results_hosts_free(results->hosts);
    results_known_free(results->known);
    free(results->path);
    free(results);
    return ok;
}

void results_remove(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[PATH_MAX];

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (snprintf(name, sizeof name, "%s%s", path, suffixes[i]) < PATH_MAX)
            unlink(name);
}

/* Opens the file and takes the lock of who writes it. */
static bool lock_take(struct results *results, int flags)
{
    struct stat status;

    results->lock = open(results->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | flags, 0666);
    if (results->lock < 0)
        return results_fail_with(
            results, errno == EEXIST ? "it exists already; survey run --resume goes on with one"
                                     : strerror(errno));
    if (fstat(results->lock, &status) != 0)
        return results_fail_with(results, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return results_fail_with(results, "it is no regular file");
    if (flock(results->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    return results_fail_with(results, errno == EWOULDBLOCK
                                          ? "another survey is writing it at this moment"
                                          : strerror(errno));
}

static bool database_open(struct results *results, enum sql_mode mode)
{
    if (!sql_open(&results->sql, results->path, mode))
        return results_fail(results);
    sql_limit(results->sql, RESULTS_VALUE_MAX);
    if (sql_run(results->sql, PRAGMAS))
        return true;
    return sql_failure(results->sql) == SQL_CORRUPT ? results_fail_with(results, RESULTS_NONE)
                                                    : results_fail(results);
}

static bool tables_make(struct results *results)
{
    char identity[96];

    snprintf(identity, sizeof identity, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             RESULTS_APPLICATION_ID, RESULTS_FORMAT);
    return (sql_run(results->sql, PRAGMAS_WRITE) || results_fail(results)) &&
           results_begin(results) &&
           ((sql_run(results->sql, results_schema) && sql_run(results->sql, identity)) ||
            results_fail(results));
}

/* Gives NULL and the message. */
static struct results *give_up(struct results *results, char error[RESULTS_ERROR_MAX])
{
    snprintf(error, RESULTS_ERROR_MAX, "%s", results == NULL ? "no memory" : results->error);
    if (results != NULL && results->sql != NULL && results->in_transaction) {
        sql_rollback(results->sql);
        results->in_transaction = false;
    }
    results_close(results);
    return NULL;
}

struct results *results_create(const char *path, const struct results_run *run,
                               char error[RESULTS_ERROR_MAX])
{
    struct results *results = results_new(path);

    if (results == NULL || !lock_take(results, O_CREAT | O_EXCL))
        return give_up(results, error);
    if (database_open(results, SQL_WRITE) && tables_make(results) &&
        results_set_run(results, run) && results_commit(results)) {
        results->counted = true;
        return results;
    }
    give_up(results, error);
    results_remove(path);
    return NULL;
}

/* SQLite opens what lies beside a file as well, where the file itself is and no link to it. */
bool results_is_file(struct results *results)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    char path[PATH_MAX + 16], why[64];
    struct stat status;

    if (realpath(results->path, path) == NULL)
        return results_fail_with(results, strerror(errno));
    for (size_t i = 0, end = strlen(path); i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(path + end, sizeof path - end, "%s", suffixes[i]);
        if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
            snprintf(why, sizeof why, "it%s%s is no regular file", i > 0 ? "s " : "", suffixes[i]);
            return results_fail_with(results, why);
        }
    }
    return true;
}

struct results *results_open(const char *path, bool write, char error[RESULTS_ERROR_MAX])
{
    struct results *results = results_new(path);

    if (results == NULL || !results_is_file(results) || (write && !lock_take(results, 0)) ||
        !database_open(results, write ? SQL_WRITE : SQL_READ))
        return give_up(results, error);
    if (!results_format_ok(results, "main", results->error) || !run_read(results))
        return give_up(results, error);
    if (write && !sql_run(results->sql, PRAGMAS_WRITE)) {
        results_fail(results);
        return give_up(results, error);
    }
    return results;
}

struct results *results_reader(struct results *results, char error[RESULTS_ERROR_MAX])
{
    struct results *reader = NULL;

    if (!results_in_place(results))
        snprintf(error, RESULTS_ERROR_MAX, "%s", results->error);
    else
        reader = results_open(results->path, false, error);
    if (reader == NULL || sql_run(reader->sql, PRAGMAS_READER))
        return reader;
    results_fail(reader);
    return give_up(reader, error);
}

bool results_read_begin(struct results *reader)
{
    return sql_run(reader->sql, "BEGIN") || results_fail(reader);
}

void results_read_end(struct results *reader)
{
    sql_rollback(reader->sql);
}
