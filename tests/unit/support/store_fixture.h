/* store_fixture: a store in a folder of its own, driven until something is true. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/store/store.h"
#include "tests/unit/support/record_make.h"
#include "tests/unit/support/rows.h"

#define FLUSH_MS   20
#define FIND_TRIES 20
#define PATIENCE_S 20 /* a test that waits longer has failed */

struct fixture {
    uv_loop_t loop;
    struct store *store;
    char folder[64], path[96];
    struct store_options options;
    unsigned begun;
    uv_timer_t patience;
    bool impatient;
};

static inline void on_begun(void *context)
{
    ((struct fixture *)context)->begun++;
}

static inline void fixture_open(struct fixture *f)
{
    assert_int_equal(store_new(&f->store, &f->loop, &f->options, on_begun, f), 0);
}

static inline void fixture_make(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/mxc-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/store.db", f->folder);
    f->options = (struct store_options){
        .path = f->path,
        .flush_ms = FLUSH_MS,
        .pending_max = 1000,
        .keep_ms = INT64_C(1000) * 86400 * 365 * 100,
        .answers_max = 100000,
        .policies_max = 100000,
        .probes_max = 100000,
    };
    assert_int_equal(uv_loop_init(&f->loop), 0);
}

static inline void fixture_begin(struct fixture *f)
{
    fixture_make(f);
    fixture_open(f);
}

/* Files in the folder whose name has `part` in it. */
static inline int fixture_files(const struct fixture *f, const char *part)
{
    DIR *folder = opendir(f->folder);
    struct dirent *entry;
    int count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
    closedir(folder);
    return count;
}

/* Closes the store; the loop is empty then. */
static inline void fixture_close(struct fixture *f)
{
    if (f->store != NULL)
        store_close(f->store);
    f->store = NULL;
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_alive(&f->loop), 0);
}

static inline void fixture_end(struct fixture *f)
{
    char name[512];
    DIR *folder;
    struct dirent *entry;

    fixture_close(f);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    folder = opendir(f->folder);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        snprintf(name, sizeof name, "%s/%s", f->folder, entry->d_name);
        if (unlink(name) != 0)
            (void)rmdir(name);
    }
    closedir(folder);
    assert_int_equal(rmdir(f->folder), 0);
}

static inline void on_impatient(uv_timer_t *timer)
{
    ((struct fixture *)timer->data)->impatient = true;
}

/* Runs the loop until `claim` is true. */
#define FIXTURE_UNTIL(f, claim)                                                                    \
    do {                                                                                           \
        uv_timer_init(&(f)->loop, &(f)->patience);                                                 \
        (f)->patience.data = (f);                                                                  \
        (f)->impatient = false;                                                                    \
        uv_timer_start(&(f)->patience, on_impatient, 1000 * PATIENCE_S, 0);                        \
        while (!(claim) && !(f)->impatient)                                                        \
            uv_run(&(f)->loop, UV_RUN_ONCE);                                                       \
        uv_close((uv_handle_t *)&(f)->patience, NULL);                                             \
        uv_run(&(f)->loop, UV_RUN_NOWAIT);                                                         \
        assert_true(claim);                                                                        \
    } while (0)

static inline struct store_stats fixture_stats(const struct fixture *f)
{
    struct store_stats stats;

    store_get_stats(f->store, &stats);
    return stats;
}

static inline void fixture_written(struct fixture *f)
{
    FIXTURE_UNTIL(f, fixture_stats(f).pending == 0);
}

static inline void fixture_put_answer(struct fixture *f, const char *key)
{
    struct record record = make_answer(key);

    store_put(f->store, &record);
}

/* ---- reads ---- */

struct seen {
    struct arena *arena;
    bool done, unsure;
    const struct record *answer, *policy;
    struct record *records;
    size_t count;
    char *next, *error;
    int64_t last_written;
};

static inline void seen_free(struct seen *seen)
{
    arena_free(seen->arena);
    memset(seen, 0, sizeof *seen);
}

static inline void on_found(void *context, const struct store_found *found)
{
    struct seen *seen = context;

    assert_false(seen->done);
    seen->done = true;
    seen->unsure = found->unsure;
    seen->arena = arena_new(1 << 26);
    if (found->answer != NULL)
        seen->answer = record_copy(seen->arena, found->answer);
    if (found->policy != NULL)
        seen->policy = record_copy(seen->arena, found->policy);
    seen->last_written = found->last_written;
}

static inline void on_page(void *context, const struct store_page *page)
{
    struct seen *seen = context;

    assert_false(seen->done);
    seen->done = true;
    seen->arena = arena_new(1 << 26);
    seen->records = arena_array(seen->arena, page->count + 1, sizeof *seen->records);
    for (size_t i = 0; i < page->count; i++)
        seen->records[i] = *record_copy(seen->arena, &page->records[i]);
    seen->count = page->count;
    seen->next = arena_strdup(seen->arena, page->next);
    seen->error = arena_strdup(seen->arena, page->error);
    seen->last_written = page->last_written;
}

static inline struct seen fixture_find(struct fixture *f, const char *key, const char *domain)
{
    struct store_read *read;
    struct seen seen = {0};

    assert_int_equal(store_find(&read, f->store, key, domain, on_found, &seen), 0);
    assert_false(seen.done);
    FIXTURE_UNTIL(f, seen.done);
    return seen;
}

/* A find that took longer than STORE_FIND_MS says nothing of the key: it is asked again. */
static inline bool fixture_has(struct fixture *f, const char *key)
{
    bool has = false, unsure = true;

    for (int tries = 0; tries < FIND_TRIES && unsure; tries++) {
        struct seen seen = fixture_find(f, key, NULL);

        has = seen.answer != NULL;
        unsure = seen.unsure;
        seen_free(&seen);
    }
    return has;
}

static inline struct seen fixture_list(struct fixture *f, struct store_selection selection)
{
    struct store_read *read;
    struct seen seen = {0};

    assert_int_equal(store_list(&read, f->store, &selection, on_page, &seen), 0);
    assert_false(seen.done);
    FIXTURE_UNTIL(f, seen.done);
    return seen;
}

static inline size_t fixture_count(struct fixture *f, enum record_kind kind)
{
    struct seen seen = fixture_list(f, (struct store_selection){.kind = kind});
    size_t count = seen.count;

    seen_free(&seen);
    return count;
}

/* ---- behind its back ---- */

/* Runs SQL on the file; the store must be closed, or bear it. */
static inline void fixture_sql(const char *path, const char *text)
{
    sqlite3 *db;
    char *error = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
    sqlite3_close(db);
}

static inline int64_t fixture_number(const char *path, const char *text)
{
    sqlite3_stmt *statement;
    int64_t number = -1;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}
