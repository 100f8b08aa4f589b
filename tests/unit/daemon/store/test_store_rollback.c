/*
 * store: transactions that SQLite takes back by itself (docs/conformance.md hostile 40). A
 * statement in one of them fails; the store must neither take its own file for somebody else's, nor
 * keep a part of the batch.
 */
#include <stdatomic.h>

#include "daemon/store/store_db.h"
#include "tests/unit/support/store_fixture.h"

/* ---- a statement that fails: how, and which ---- */

static struct {
    const char *text; /* part of the statement's; NULL: none fails any more */
    int nth;          /* of those with that text, from 1 */
    int code;
    bool failing, failed;
    sqlite3_io_methods main_methods, wal_methods;
    int (*real_read)(sqlite3_file *file, void *data, int length, sqlite3_int64 at);
    sqlite3_vfs vfs, *real_vfs;
} fault;

static int on_read(sqlite3_file *file, void *data, int length, sqlite3_int64 at)
{
    if (!fault.failing || fault.code == SQLITE_INTERRUPT)
        return fault.real_read(file, data, length, at);
    fault.failed = true;
    return fault.code;
}

static int on_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_io_methods *methods =
        (flags & SQLITE_OPEN_MAIN_DB) != 0 ? &fault.main_methods : &fault.wal_methods;
    int code = fault.real_vfs->xOpen(fault.real_vfs, name, file, flags, out);

    (void)vfs;
    if (code != SQLITE_OK || file->pMethods == NULL)
        return code;
    fault.real_read = file->pMethods->xRead;
    *methods = *file->pMethods;
    methods->xRead = on_read;
    methods->iVersion = 2; /* no xFetch: every page is read */
    file->pMethods = methods;
    return code;
}

/* Called before the first step of every statement: what it needs must come from the disk. */
static int on_statement(unsigned type, void *db, void *statement, void *text)
{
    (void)type;
    (void)statement;
    fault.failing = fault.text != NULL && strstr(text, fault.text) != NULL && --fault.nth == 0;
    if (fault.failing)
        sqlite3_db_release_memory(db);
    return 0;
}

static int on_progress(void *context)
{
    bool fails = fault.failing && fault.code == SQLITE_INTERRUPT;

    (void)context;
    fault.failed |= fails;
    return fails;
}

static int watch(sqlite3 *db, char **error, const struct sqlite3_api_routines *routines)
{
    (void)error;
    (void)routines;
    sqlite3_progress_handler(db, 1, on_progress, NULL);
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, db);
}

static void fault_make(void)
{
    sqlite3_initialize();
    fault.real_vfs = sqlite3_vfs_find(NULL);
    fault.vfs = *fault.real_vfs;
    fault.vfs.zName = "faulty";
    fault.vfs.xOpen = on_open;
    assert_int_equal(sqlite3_vfs_register(&fault.vfs, 1), SQLITE_OK);
    assert_int_equal(sqlite3_auto_extension((void (*)(void))watch), SQLITE_OK);
}

static void fault_set(const char *text, int nth, int code)
{
    fault.text = text;
    fault.nth = nth;
    fault.code = code;
    fault.failing = fault.failed = false;
}

#define EARLIER     600 /* rows of many pages: most are clean in a batch, and must be read for it */
#define ANSWERS_MAX 640
#define BATCH       70

/* ---- a database, and what is done in the middle of a batch ---- */

enum reading { NOTHING, ONE, PAGE };

struct world {
    struct fixture f; /* its folder, its options */
    struct store_db db;
    struct store_queue queue;
    enum reading reading; /* in the pause of a batch */
};

static void world_begin(struct world *world)
{
    memset(world, 0, sizeof *world);
    fixture_make(&world->f);
    world->f.options.answers_max = ANSWERS_MAX;
    world->db.options = &world->f.options;
    assert_true(store_db_open(&world->db));
    store_queue_init(&world->queue, 1000);
}

static void world_end(struct world *world)
{
    store_queue_clear(&world->queue);
    store_db_close(&world->db);
    fault_set(NULL, 0, 0);
    fixture_end(&world->f);
}

static void queue_record(struct world *world, const struct record *record)
{
    store_queue_add(&world->queue,
                    &(struct store_change){STORE_PUT, record->kind, .record = record});
}

/* With the same prefix in the same pages. */
static void queue_answers(struct world *world, const char *prefix, int count)
{
    char key[32];

    for (int i = 0; i < count; i++) {
        struct record record;

        snprintf(key, sizeof key, "%s%04d.example", prefix, i);
        record = make_answer(key);
        queue_record(world, &record);
    }
}

/* The row that fails its check; in a page it is found with the others. */
static void read_spoilt(struct world *world)
{
    struct store_job *job = calloc(1, sizeof *job);

    job->arena = arena_new(1 << 20);
    job->list = world->reading == PAGE;
    job->selection.kind = RECORD_ANSWER;
    job->selection.key = job->list ? NULL : "spoilt.example";
    store_db_read(&world->db, job);
    store_job_free(job);
}

static void on_pause(void *context)
{
    struct world *world = context;

    if (world->reading != NOTHING)
        read_spoilt(world);
    world->reading = NOTHING;
}

static bool write_queue(struct world *world)
{
    bool ok = store_db_write(&world->db, &world->queue, on_pause, world);

    if (ok)
        store_queue_clear(&world->queue);
    return ok;
}

/* Rows that another connection sees. */
static int64_t rows_like(const struct world *world, const char *pattern)
{
    char text[96];

    snprintf(text, sizeof text, "SELECT count(*) FROM answer WHERE key LIKE '%s'", pattern);
    return fixture_number(world->f.path, text);
}

/* ---- each statement of a batch and of the tidying behind it, each with each error ---- */

struct row {
    const char *name, *text;
    int nth;
    enum reading reading;
    bool written; /* the batch is: only what tidies up failed */
};

static const struct row rows[] = {
    {"a put", "INSERT INTO answer", 1, NOTHING, false},
    {"a later put", "INSERT INTO answer", BATCH / 2 + 1, NOTHING, false},
    {"the moment of writing", "INSERT INTO meta", 1, NOTHING, false},
    {"a read in a batch", "SELECT rowid, held", 1, ONE, false},
    {"the end of a spoilt row in a batch", "DELETE FROM answer WHERE rowid =", 1, ONE, false},
    {"a page in a batch", "SELECT rowid, held", 1, PAGE, false},
    {"the end of a page's spoilt row", "DELETE FROM answer WHERE rowid =", 1, PAGE, false},
    {"the sweep's clock", "INSERT INTO meta", 2, NOTHING, true},
    {"the count before the eviction", "SELECT count(*) FROM answer", 1, NOTHING, true},
    {"the eviction", "DELETE FROM answer WHERE rowid IN", 1, NOTHING, true},
    {"where the sweep ends", "SELECT max(rowid) FROM (SELECT rowid FROM answer", 1, NOTHING, true},
    {"the sweep", "DELETE FROM answer WHERE rowid >", 1, NOTHING, true},
    {"the sweep of events", "DELETE FROM event WHERE rowid >", 1, NOTHING, true},
};

static void fail_once(struct world *world, const struct row *row, int code)
{
    const struct store_news *news = &world->db.news;
    struct record event = make_event("a0000.example", MAKE_WALL);
    bool written;

    queue_answers(world, "a", BATCH / 2);
    queue_answers(world, "y", BATCH / 2);
    queue_record(world, &event);
    world->reading = row->reading;
    fault_set(row->text, row->nth, code);
    written = write_queue(world);
    assert_true(fault.failed);
    fault_set(NULL, 0, 0);
    assert_int_equal(news->asides, 0);
    if (row->written)
        assert_true(written);
    /* all of it, or nothing */
    if (written)
        assert_in_range(rows_like(world, "%"), ANSWERS_MAX, EARLIER + BATCH);
    else
        assert_int_equal(rows_like(world, "%"), EARLIER);
}

static void heal(struct world *world)
{
    const struct store_news *news = &world->db.news;

    queue_answers(world, "b", 10);
    assert_true(write_queue(world));
    assert_false(news->degraded);
    assert_int_equal(news->asides, 0);
    assert_int_equal(rows_like(world, "%"), ANSWERS_MAX);
    assert_int_equal(fixture_files(&world->f, "store.db."), 0);
}

static void is_it_healthy(const struct row *row, int code)
{
    struct world world;

    world_begin(&world);
    queue_answers(&world, "m", EARLIER);
    assert_true(write_queue(&world));
    fixture_sql(world.f.path,
                "UPDATE answer SET key = 'spoilt.example', used_at = used_at + 1 WHERE rowid = 1");
    fail_once(&world, row, code);
    heal(&world);
    world_end(&world);
}

static void interrupted(void **state)
{
    is_it_healthy(*state, SQLITE_INTERRUPT);
}

static void without_input(void **state)
{
    is_it_healthy(*state, SQLITE_IOERR_READ);
}

static void full(void **state)
{
    is_it_healthy(*state, SQLITE_FULL);
}

static void no_memory(void **state)
{
    is_it_healthy(*state, SQLITE_NOMEM);
}

int main(void)
{
    fault_make();
    ROWS_ADD(rows, interrupted);
    ROWS_ADD(rows, without_input);
    ROWS_ADD(rows, full);
    ROWS_ADD(rows, no_memory);
    return rows_run("store_rollback");
}
