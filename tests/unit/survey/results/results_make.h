/*
 * results_make: a results file in a folder of its own, and results of units for it.
 */
#pragma once

#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "survey/results/results.h"

#define MAKE_AT INT64_C(1700000000)
static int64_t make_at = MAKE_AT; /* when all is looked at */

struct results_file {
    char folder[64], path[96];
    char error[RESULTS_ERROR_MAX];
    struct results *results;
};

static inline struct results_run make_run(void)
{
    return (struct results_run){
        .list = "list.txt",
        .seed = 7,
        .shard = 1,
        .shards = 1,
        .dnssec = true,
        .helo = "survey.example.net",
        .verdict = {.dane = true, .probe = true, .verify = true, .wildcard_hosts = true},
        .began = MAKE_AT,
    };
}

static inline void file_make(struct results_file *file, const struct results_run *run)
{
    snprintf(file->folder, sizeof file->folder, "/tmp/mxc-results-XXXXXX");
    assert_non_null(mkdtemp(file->folder));
    snprintf(file->path, sizeof file->path, "%s/a b?%%#.db", file->folder);
    file->results = results_create(file->path, run, file->error);
    if (file->results == NULL)
        fail_msg("%s", file->error);
}

static inline void file_reopen(struct results_file *file, bool write)
{
    assert_true(results_close(file->results));
    file->results = results_open(file->path, write, file->error);
    if (file->results == NULL)
        fail_msg("%s", file->error);
}

static inline void file_remove(struct results_file *file)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char name[128];

    results_close(file->results);
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        snprintf(name, sizeof name, "%s%s", file->path, suffixes[i]);
        unlink(name);
    }
    assert_int_equal(rmdir(file->folder), 0);
}

/* What went wrong is said. */
static inline void must(struct results_file *file, bool ok)
{
    if (!ok)
        fail_msg("%s", results_error(file->results));
}

/* The one number that a SELECT gives; -1 without a row. */
static inline bool take_number(void *context, const struct results_value *values, int count)
{
    assert_int_equal(count, 1);
    *(int64_t *)context = values[0].type == RESULTS_NUMBER ? values[0].number : -2;
    return true;
}

static inline int64_t number_of_file(struct results_file *file, const char *sql)
{
    int64_t number = -1;

    must(file, results_query(file->results, sql, NULL, 0, take_number, &number));
    return number;
}

/* All rows as text: columns apart by "|", rows by line feeds. */
static inline bool take_text(void *context, const struct results_value *values, int count)
{
    struct buf *out = context;

    for (int i = 0; i < count; i++) {
        const struct results_value *value = &values[i];

        buf_adds(out, i == 0 ? "" : "|");
        if (value->type == RESULTS_NUMBER)
            buf_addf(out, "%lld", (long long)value->number);
        else if (value->type == RESULTS_REAL)
            buf_addf(out, "%.6f", value->real);
        else if (value->type != RESULTS_NULL)
            buf_add(out, value->text, value->length);
    }
    buf_adds(out, "\n");
    return true;
}

static inline void file_dump(struct results_file *file, const char *sql, struct buf *out)
{
    must(file, results_query(file->results, sql, NULL, 0, take_text, out));
}

/* Compares rows with what they should be. */
static inline void file_has(struct results_file *file, const char *sql, const char *want)
{
    struct buf got;

    buf_init(&got, 1 << 24);
    file_dump(file, sql, &got);
    assert_string_equal(buf_text(&got), want);
    buf_fini(&got);
}

/* ---- results of units ---- */

static inline struct unit_result *result_new(const struct unit *unit)
{
    struct arena *arena = arena_new(1 << 22);
    struct unit_result *result = arena_alloc(arena, sizeof *result);

    assert_non_null(result);
    *result = (struct unit_result){.unit = *unit, .arena = arena, .looked_at = make_at};
    return result;
}

static inline void put_and_free(struct results_file *file, struct unit_result *result)
{
    bool ok = !arena_failed(result->arena) && results_put(file->results, result);

    unit_result_free(result);
    must(file, ok);
}

/* The evidence is borrowed. */
static inline void put_domain(struct results_file *file, const struct unit *unit,
                              const struct evidence *evidence)
{
    struct unit_result *result = result_new(unit);

    result->domain = arena_alloc(result->arena, sizeof *result->domain);
    result->domain->evidence = *evidence;
    result->domain->tlsrpt.state = TLSRPT_NONE;
    put_and_free(file, result);
}

static inline void put_host(struct results_file *file, const struct unit *unit,
                            const struct mx_host *host)
{
    struct unit_result *result = result_new(unit);

    result->host = arena_alloc(result->arena, sizeof *result->host);
    result->host->host = *host;
    put_and_free(file, result);
}

static inline void put_address(struct results_file *file, const struct unit *unit,
                               const struct address_seen *seen)
{
    struct unit_result *result = result_new(unit);

    result->address = arena_memdup(result->arena, seen, sizeof *seen);
    put_and_free(file, result);
}

static inline void add_domain(struct results_file *file, const char *name)
{
    bool is_new;

    must(file, results_add_domain(file->results, name, 1, &is_new));
}

/* The unit of a kind with this name (of an address: the host's), which must wait. */
static inline struct unit unit_of(struct results_file *file, enum unit_kind kind, const char *name)
{
    struct unit units[64];
    int count = results_next(file->results, kind, 0, units, 64);

    for (int i = 0; i < count; i++)
        if (strcmp(kind == UNIT_ADDRESS ? units[i].host : units[i].name, name) == 0)
            return units[i];
    fail_msg("no unit %s", name);
    return units[0];
}
