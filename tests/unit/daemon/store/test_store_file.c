/* store: files that are not ours, or not any more (docs/conformance.md hostile 38). */
#include "tests/unit/support/store_fixture.h"

#include <errno.h>

struct row {
    const char *name;
    void (*spoil)(const struct fixture *f);
    bool aside; /* else it is opened as it is */
};

static void write_at(const char *path, long at, const void *data, size_t length)
{
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, length, file), length);
    fclose(file);
}

static void untouched(const struct fixture *f)
{
    (void)f;
}

static void symlinked(const struct fixture *f)
{
    char other[128];

    snprintf(other, sizeof other, "%s/elsewhere", f->folder);
    assert_int_equal(rename(f->path, other), 0);
    assert_int_equal(symlink(other, f->path), 0);
}

static void dangling(const struct fixture *f)
{
    unlink(f->path);
    assert_int_equal(symlink("/nonexistent", f->path), 0);
}

static void writable_by_all(const struct fixture *f)
{
    assert_int_equal(chmod(f->path, 0666), 0);
}

static void writable_by_group(const struct fixture *f)
{
    assert_int_equal(chmod(f->path, 0620), 0);
}

static void readable_by_all(const struct fixture *f)
{
    assert_int_equal(chmod(f->path, 0644), 0);
}

static void anothers(const struct fixture *f)
{
    assert_int_equal(chown(f->path, 12345, (gid_t)-1), 0);
}

static void a_symlinked_wal(const struct fixture *f)
{
    char wal[128];

    snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_int_equal(symlink("/nonexistent", wal), 0);
}

static void beside(const struct fixture *f, const char *suffix, mode_t mode)
{
    char name[128];

    snprintf(name, sizeof name, "%s%s", f->path, suffix);
    close(open(name, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(chmod(name, mode), 0);
}

static void a_journal_of_all(const struct fixture *f)
{
    beside(f, "-journal", 0666);
}

static void a_journal_of_ours(const struct fixture *f)
{
    beside(f, "-journal", 0600); /* empty: a crash before the file became WAL */
}

static void a_symlinked_journal(const struct fixture *f)
{
    char journal[128];

    snprintf(journal, sizeof journal, "%s-journal", f->path);
    assert_int_equal(symlink("/nonexistent", journal), 0);
}

static void text(const struct fixture *f)
{
    static const char words[] = "This is no database, but it is longer than a header of SQLite's, "
                                "which has a hundred octets, so that it is looked at.\n";

    unlink(f->path);
    close(open(f->path, O_CREAT | O_WRONLY, 0600));
    write_at(f->path, 0, words, sizeof words);
}

static void short_text(const struct fixture *f)
{
    assert_int_equal(truncate(f->path, 20), 0);
}

static void empty(const struct fixture *f)
{
    assert_int_equal(truncate(f->path, 0), 0);
}

static void truncated(const struct fixture *f)
{
    assert_int_equal(truncate(f->path, 3 * 4096), 0);
}

static void fifo(const struct fixture *f)
{
    unlink(f->path);
    assert_int_equal(mkfifo(f->path, 0600), 0);
}

static void folder(const struct fixture *f)
{
    unlink(f->path);
    assert_int_equal(mkdir(f->path, 0700), 0);
}

static void foreign(const struct fixture *f)
{
    unlink(f->path);
    fixture_sql(f->path, "CREATE TABLE mail(id); PRAGMA application_id = 252006674");
    assert_int_equal(chmod(f->path, 0600), 0);
}

static void nameless(const struct fixture *f)
{
    unlink(f->path);
    fixture_sql(f->path, "CREATE TABLE answer(key)");
    assert_int_equal(chmod(f->path, 0600), 0);
}

static void newer(const struct fixture *f)
{
    fixture_sql(f->path, "PRAGMA user_version = 1000");
}

static void negative(const struct fixture *f)
{
    fixture_sql(f->path, "PRAGMA user_version = -1");
}

static void without_a_table(const struct fixture *f)
{
    fixture_sql(f->path, "DROP TABLE probe");
}

static void without_a_column(const struct fixture *f)
{
    fixture_sql(f->path, "ALTER TABLE policy RENAME COLUMN why TO wherefore");
}

static const struct row rows[] = {
    {"as it was", untouched, false},
    {"empty", empty, false}, /* a crash between making and filling it */
    {"readable by all", readable_by_all, false},
    {"a symbolic link", symlinked, true},
    {"a symbolic link to nothing", dangling, true},
    {"mode 0666", writable_by_all, true},
    {"mode 0620", writable_by_group, true},
    {"another's", anothers, true},
    {"a -wal that is a symbolic link", a_symlinked_wal, true},
    {"a -journal that is a symbolic link", a_symlinked_journal, true},
    {"a -journal of mode 0666", a_journal_of_all, true},
    {"a -journal of the owner's", a_journal_of_ours, false},
    {"a text", text, true},
    {"twenty octets", short_text, true},
    {"cut short", truncated, true},
    {"a FIFO", fifo, true},
    {"a folder", folder, true},
    {"another program's database", foreign, true},
    {"a nameless database", nameless, true},
    {"a newer version's", newer, true},
    {"a version below 0", negative, true},
    {"a table is missing", without_a_table, true},
    {"a column is missing", without_a_column, true},
};

/* Every file of the store is its owner's alone. */
static void check_modes(const struct fixture *f)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};

    for (int i = 0; i < 3; i++) {
        char name[128];
        struct stat status;

        snprintf(name, sizeof name, "%s%s", f->path, suffixes[i]);
        assert_int_equal(lstat(name, &status), 0);
        assert_true(S_ISREG(status.st_mode));
        assert_int_equal(status.st_mode & 07777 & ~0044, 0600);
    }
}

static void is_it_set_aside(void **state)
{
    const struct row *row = *state;
    mode_t mask = umask(0);
    struct fixture f;

    if (row->spoil == anothers && geteuid() != 0)
        skip();
    fixture_begin(&f);
    for (int i = 0; i < 300; i++) {
        char key[32] = "";

        snprintf(key, sizeof key, "d%d.example", i);
        fixture_put_answer(&f, key);
    }
    fixture_close(&f);
    row->spoil(&f);
    fixture_open(&f);
    assert_int_equal(fixture_has(&f, "d1.example"), !row->aside && row->spoil != empty);
    assert_int_equal(f.begun, row->aside);
    assert_int_equal(fixture_files(&f, ".aside-2") > 0, row->aside);
    assert_false(fixture_stats(&f).degraded);
    fixture_put_answer(&f, "new.example"); /* the fresh one works */
    fixture_written(&f);
    check_modes(&f);
    fixture_close(&f);
    fixture_open(&f);
    assert_true(fixture_has(&f, "new.example"));
    assert_int_equal(f.begun, row->aside);
    fixture_end(&f);
    umask(mask);
}

static void aside_names_are_never_taken_twice(void **state)
{
    struct fixture f;

    (void)state;
    fixture_make(&f);
    for (int i = 0; i < 4; i++) {
        close(open(f.path, O_CREAT | O_WRONLY | O_TRUNC, 0666));
        assert_int_equal(chmod(f.path, 0666), 0);
        fixture_open(&f);
        FIXTURE_UNTIL(&f, f.begun == (unsigned)i + 1);
        fixture_close(&f);
    }
    assert_int_equal(fixture_files(&f, ".aside-2"), 4);
    fixture_end(&f);
}

/* ---- what shows only later ---- */

static void put_many(struct fixture *f, int count)
{
    static const char octets[300] = "";

    for (int i = 0; i < count; i++) {
        char key[32] = "";
        struct record record = make_answer(key);

        snprintf(key, sizeof key, "d%04d.example", i);
        record.answer.evidence = octets;
        record.answer.evidence_length = sizeof octets;
        store_put(f->store, &record);
    }
    fixture_written(f);
}

/* Octets in the middle of the file: pages that opening never looks at. */
static void corrupt_pages_show_when_they_are_read(void **state)
{
    char garbage[4096 * 20];
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    put_many(&f, 900);
    fixture_close(&f);
    memset(garbage, 0xa5, sizeof garbage);
    write_at(f.path, 4096 * 30, garbage, sizeof garbage);
    fixture_open(&f);
    for (int i = 0; i < 900 && f.begun == 0; i += 10) {
        char key[32] = "";

        snprintf(key, sizeof key, "d%04d.example", i);
        (void)fixture_has(&f, key);
    }
    FIXTURE_UNTIL(&f, f.begun == 1);
    assert_int_equal(fixture_files(&f, ".aside-2") > 0, 1);
    put_many(&f, 10);
    assert_true(fixture_has(&f, "d0001.example"));
    assert_false(fixture_stats(&f).degraded);
    fixture_end(&f);
}

static void corrupt_pages_show_when_they_are_written(void **state)
{
    char garbage[4096 * 40];
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    put_many(&f, 900);
    fixture_close(&f);
    memset(garbage, 0x5a, sizeof garbage);
    write_at(f.path, 4096 * 20, garbage, sizeof garbage);
    fixture_open(&f);
    put_many(&f, 900); /* nothing of it is lost */
    assert_int_equal(f.begun, 1);
    assert_int_equal(fixture_stats(&f).dropped, 0);
    for (int i = 0; i < 900; i += 50) {
        char key[32] = "";

        snprintf(key, sizeof key, "d%04d.example", i);
        assert_true(fixture_has(&f, key));
    }
    fixture_end(&f);
}

static void a_file_that_is_taken_away_is_begun_anew(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    put_many(&f, 10);
    assert_int_equal(unlink(f.path), 0);
    fixture_put_answer(&f, "new.example");
    FIXTURE_UNTIL(&f, f.begun == 1);
    fixture_written(&f);
    assert_int_equal(access(f.path, F_OK), 0);
    assert_true(fixture_has(&f, "new.example"));
    fixture_end(&f);
}

static const char *const spoilt_rows[] = {
    "UPDATE answer SET level = 'dane-only' WHERE key = 'd0003.example'",
    "UPDATE answer SET level = 'strongest' WHERE key = 'd0003.example'",
    "UPDATE answer SET valid_until = 9e15 WHERE key = 'd0003.example'",
    "UPDATE answer SET evidence = x'00' WHERE key = 'd0003.example'",
    "UPDATE answer SET key = 'd0003.example.' WHERE key = 'd0003.example'",
    "UPDATE answer SET row_check = 0 WHERE key = 'd0003.example'",
    "UPDATE answer SET evidence = zeroblob(20000000) WHERE key = 'd0003.example'",
};

static void a_spoilt_row_is_rejected_and_deleted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(spoilt_rows); i++) {
        struct fixture f;

        fixture_begin(&f);
        put_many(&f, 10);
        fixture_close(&f);
        fixture_sql(f.path, spoilt_rows[i]);
        fixture_open(&f);
        assert_false(fixture_has(&f, "d0003.example"));
        assert_int_equal(fixture_count(&f, RECORD_ANSWER), 9);
        assert_int_equal(fixture_stats(&f).rejected, 1);
        fixture_close(&f);
        assert_int_equal(fixture_number(f.path, "SELECT count(*) FROM answer"), 9);
        assert_int_equal(f.begun, 0);
        fixture_end(&f);
    }
}

int main(void)
{
    ROWS_ADD(rows, is_it_set_aside);
    ROWS_ADD_TEST(aside_names_are_never_taken_twice);
    ROWS_ADD_TEST(corrupt_pages_show_when_they_are_read);
    ROWS_ADD_TEST(corrupt_pages_show_when_they_are_written);
    ROWS_ADD_TEST(a_file_that_is_taken_away_is_begun_anew);
    ROWS_ADD_TEST(a_spoilt_row_is_rejected_and_deleted);
    return rows_run("store_file");
}
