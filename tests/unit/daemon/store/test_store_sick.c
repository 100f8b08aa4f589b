/* store: a disk that is full, locked, broken, gone or hanging (docs/conformance.md hostile 40). */
#include "tests/unit/support/store_fixture.h"

#include <errno.h>

/* ---- a disk that does as it is told: SQLite's own, with the writes of others in front ---- */

static struct {
    _Atomic int error;  /* of every write and sync; 0: none */
    _Atomic bool hangs; /* writes wait until it is false */
    uv_mutex_t mutex;
    uv_cond_t freed;
    int (*real_write)(sqlite3_file *file, const void *data, int length, sqlite3_int64 at);
    sqlite3_io_methods main_methods, other_methods; /* the database's, its journal's */
    sqlite3_vfs vfs, *real_vfs;
} disk;

static int obstacle(void)
{
    uv_mutex_lock(&disk.mutex);
    while (disk.hangs)
        uv_cond_wait(&disk.freed, &disk.mutex);
    uv_mutex_unlock(&disk.mutex);
    return disk.error;
}

static int on_write(sqlite3_file *file, const void *data, int length, sqlite3_int64 at)
{
    int error = obstacle();

    return error != 0 ? error : disk.real_write(file, data, length, at);
}

static int on_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out)
{
    int code = disk.real_vfs->xOpen(disk.real_vfs, name, file, flags, out);

    (void)vfs;
    if (code == SQLITE_OK && file->pMethods != NULL) {
        sqlite3_io_methods *methods =
            (flags & SQLITE_OPEN_MAIN_DB) != 0 ? &disk.main_methods : &disk.other_methods;

        uv_mutex_lock(&disk.mutex);
        if (methods->xWrite == NULL) {
            disk.real_write = file->pMethods->xWrite;
            *methods = *file->pMethods;
            methods->xWrite = on_write;
        }
        uv_mutex_unlock(&disk.mutex);
        file->pMethods = methods;
    }
    return code;
}

static int disk_make(void **state)
{
    (void)state;
    uv_mutex_init(&disk.mutex);
    uv_cond_init(&disk.freed);
    sqlite3_initialize();
    disk.real_vfs = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real_vfs;
    disk.vfs.zName = "sick";
    disk.vfs.xOpen = on_open;
    return sqlite3_vfs_register(&disk.vfs, 1);
}

static void disk_hang(bool hangs)
{
    uv_mutex_lock(&disk.mutex);
    disk.hangs = hangs;
    uv_cond_broadcast(&disk.freed);
    uv_mutex_unlock(&disk.mutex);
}

/* ---- degraded, then healed ---- */

struct row {
    const char *name;
    int error;
    bool readable; /* what was written before is still found */
};

static const struct row rows[] = {
    {"a full disk", SQLITE_FULL, true},
    {"a read-only file system", SQLITE_READONLY, true},
    {"input/output errors", SQLITE_IOERR_WRITE, false},
    {"no permission", SQLITE_PERM, true},
};

static void it_degrades_and_heals(void **state)
{
    const struct row *row = *state;
    struct fixture f;

    fixture_begin(&f);
    fixture_put_answer(&f, "before.example");
    fixture_written(&f);
    disk.error = row->error;
    fixture_put_answer(&f, "during.example");
    FIXTURE_UNTIL(&f, fixture_stats(&f).write_failures > 2);
    assert_true(fixture_stats(&f).degraded);
    assert_int_equal(fixture_stats(&f).pending, 1);
    assert_int_equal(fixture_stats(&f).written, 1);
    assert_true(fixture_stats(&f).error[0] != '\0');
    assert_true(fixture_has(&f, "during.example"));
    if (row->readable)
        assert_true(fixture_has(&f, "before.example"));
    fixture_put_answer(&f, "later.example");
    disk.error = 0;
    FIXTURE_UNTIL(&f, !fixture_stats(&f).degraded && fixture_stats(&f).pending == 0);
    assert_int_equal(f.begun, 0);
    fixture_close(&f);
    fixture_open(&f);
    assert_true(fixture_has(&f, "before.example"));
    assert_true(fixture_has(&f, "during.example"));
    assert_true(fixture_has(&f, "later.example"));
    fixture_end(&f);
}

static void it_heals_with_nothing_to_write(void **state)
{
    struct fixture f;
    char folder[80];

    (void)state;
    fixture_make(&f);
    snprintf(folder, sizeof folder, "%s/later", f.folder);
    snprintf(f.path, sizeof f.path, "%s/store.db", folder);
    fixture_open(&f);
    FIXTURE_UNTIL(&f, fixture_stats(&f).degraded);
    assert_int_equal(mkdir(folder, 0700), 0);
    FIXTURE_UNTIL(&f, !fixture_stats(&f).degraded);
    fixture_put_answer(&f, "new.example");
    fixture_close(&f);
    assert_int_equal(unlink(f.path), 0);
    fixture_end(&f);
}

static void a_file_where_a_folder_should_be(void **state)
{
    struct fixture f;
    char folder[80];

    (void)state;
    fixture_make(&f);
    snprintf(folder, sizeof folder, "%s/later", f.folder);
    snprintf(f.path, sizeof f.path, "%s/store.db", folder);
    close(open(folder, O_CREAT | O_WRONLY, 0600));
    fixture_open(&f);
    fixture_put_answer(&f, "new.example");
    FIXTURE_UNTIL(&f, fixture_stats(&f).write_failures > 1);
    assert_true(fixture_has(&f, "new.example"));
    for (int i = 0; i < 1; i++) {
        struct seen seen = fixture_list(&f, (struct store_selection){.kind = RECORD_ANSWER});

        assert_non_null(seen.error);
        seen_free(&seen);
    }
    fixture_end(&f);
}

static void another_process_has_it_locked(void **state)
{
    struct fixture f;
    sqlite3 *db;

    (void)state;
    fixture_begin(&f);
    fixture_put_answer(&f, "before.example");
    fixture_written(&f);
    assert_int_equal(sqlite3_open(f.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    fixture_put_answer(&f, "during.example");
    FIXTURE_UNTIL(&f, fixture_stats(&f).degraded);
    assert_true(fixture_has(&f, "before.example"));
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    fixture_written(&f);
    assert_false(fixture_stats(&f).degraded);
    sqlite3_close(db);
    fixture_end(&f);
}

static void what_comes_while_it_fails_keeps_its_order(void **state)
{
    struct record answer = make_answer("example.com");
    struct fixture f;
    struct seen seen;

    (void)state;
    fixture_begin(&f);
    disk.error = SQLITE_FULL;
    store_put(f.store, &answer);
    fixture_put_answer(&f, "gone.example");
    FIXTURE_UNTIL(&f, fixture_stats(&f).write_failures > 0);
    answer.answer.used_at = MAKE_WALL + 5000;
    store_put(f.store, &answer);
    store_remove(f.store, RECORD_ANSWER, "gone.example");
    disk.error = 0;
    fixture_written(&f);
    seen = fixture_find(&f, "example.com", NULL);
    assert_int_equal(seen.answer->answer.used_at, MAKE_WALL + 5000);
    seen_free(&seen);
    assert_int_equal(fixture_count(&f, RECORD_ANSWER), 1);
    fixture_end(&f);
}

/* ---- a disk that hangs ---- */

static void a_disk_that_hangs_stops_nobody(void **state)
{
    struct fixture f;
    struct store_read *read;
    struct seen late = {0};

    (void)state;
    fixture_begin(&f);
    fixture_put_answer(&f, "before.example");
    fixture_written(&f);
    disk_hang(true);
    fixture_put_answer(&f, "during.example");
    uv_run(&f.loop, UV_RUN_ONCE);
    store_remove(f.store, RECORD_ANSWER, "other.example");
    FIXTURE_UNTIL(&f, fixture_stats(&f).pending >= 1);
    /* the thread is in a write by now, or will be: reads queue behind it */
    for (int i = 0; i < 3; i++)
        assert_true(fixture_has(&f, "during.example"));
    assert_true(fixture_stats(&f).finds_late > 0);
    assert_int_equal(store_find(&read, f.store, "before.example", NULL, on_found, &late), 0);
    disk_hang(false);
    FIXTURE_UNTIL(&f, late.done);
    seen_free(&late);
    fixture_written(&f);
    assert_true(fixture_has(&f, "before.example"));
    fixture_end(&f);
}

static void on_late(void *context, const struct store_found *found)
{
    assert_true(found->unsure);
    ++*(int *)context;
}

/* True once the store took a find. */
static bool takes_find(struct fixture *f, struct seen *seen, bool *taken)
{
    struct store_read *read;

    if (!*taken)
        *taken = store_find(&read, f->store, "before.example", NULL, on_found, seen) == 0;
    return *taken;
}

static void a_disk_that_hangs_is_not_asked_without_end(void **state)
{
    int error = 0, given = 0, late = 0;
    struct store_read *read;
    struct seen seen = {0};
    struct fixture f;
    bool taken = false;

    (void)state;
    fixture_begin(&f);
    fixture_put_answer(&f, "before.example");
    fixture_written(&f);
    disk_hang(true);
    fixture_put_answer(&f, "during.example");
    for (int i = 0; i < 100000 && fixture_stats(&f).finds_late == 0; i++)
        assert_true(fixture_has(&f, "during.example"));
    while ((error = store_find(&read, f.store, "other.example", NULL, on_late, &late)) == 0)
        given++;
    assert_int_equal(error, UV_ENOMEM);
    assert_in_range(given, STORE_READS_MAX / 2, STORE_READS_MAX - 1);
    FIXTURE_UNTIL(&f, late == given);
    disk_hang(false);
    FIXTURE_UNTIL(&f, takes_find(&f, &seen, &taken) && seen.done);
    seen_free(&seen);
    fixture_written(&f);
    fixture_end(&f);
}

/* The thread is left alone; it ends, and frees what it holds, when the disk wakes up. */
static void closing_does_not_wait_for_a_disk_that_hangs(void **state)
{
    struct fixture f;
    int64_t began;

    (void)state;
    fixture_begin(&f);
    fixture_put_answer(&f, "before.example");
    fixture_written(&f);
    disk_hang(true);
    fixture_put_answer(&f, "during.example");
    began = clock_monotonic_ms();
    fixture_close(&f); /* the loop is empty */
    assert_true(clock_monotonic_ms() - began >= 1900);
    disk_hang(false);
    /* it still has the file: another process may have it when it is done */
    fixture_open(&f);
    fixture_put_answer(&f, "after.example");
    FIXTURE_UNTIL(&f, fixture_stats(&f).pending == 0);
    assert_true(fixture_has(&f, "before.example"));
    fixture_end(&f);
}

int main(void)
{
    assert_int_equal(disk_make(NULL), SQLITE_OK);
    ROWS_ADD(rows, it_degrades_and_heals);
    ROWS_ADD_TEST(it_heals_with_nothing_to_write);
    ROWS_ADD_TEST(a_file_where_a_folder_should_be);
    ROWS_ADD_TEST(another_process_has_it_locked);
    ROWS_ADD_TEST(what_comes_while_it_fails_keeps_its_order);
    ROWS_ADD_TEST(a_disk_that_hangs_stops_nobody);
    ROWS_ADD_TEST(a_disk_that_hangs_is_not_asked_without_end);
    ROWS_ADD_TEST(closing_does_not_wait_for_a_disk_that_hangs);
    return rows_run("store_sick");
}
