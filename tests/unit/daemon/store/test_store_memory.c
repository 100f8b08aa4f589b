/*
 * store: SQLite without memory. A record that cannot be bound whole is not written in part, and a
 * file is not set aside as damaged because an allocation failed.
 */
#include "daemon/store/store_db.h"
#include "tests/unit/support/store_fixture.h"

#define BODY_OCTETS 30000
#define BODY_COPY   25000 /* no other allocation is as large */
#define ATTEMPTS    60

/* Allocations of `least` octets or more fail from the `nth` on, once or for good; 0: none. */
static int least, nth;
static bool once;
static sqlite3_mem_methods usual;

static bool fails(int size)
{
    if (least == 0 || size < least || --nth > 0)
        return false;
    if (once)
        least = 0;
    return true;
}

static void *limited_malloc(int size)
{
    return fails(size) ? NULL : usual.xMalloc(size);
}

static void *limited_realloc(void *memory, int size)
{
    return fails(size) ? NULL : usual.xRealloc(memory, size);
}

static void no_pause(void *context)
{
    (void)context;
}

struct attempt {
    struct fixture fixture;
    struct store_db db;
    struct store_queue queue;
    struct store_change change;
};

static void attempt_begin(struct attempt *attempt, struct record *record, enum record_kind kind)
{
    memset(attempt, 0, sizeof *attempt);
    fixture_make(&attempt->fixture);
    attempt->db.options = &attempt->fixture.options;
    assert_true(store_db_open(&attempt->db));
    store_queue_init(&attempt->queue, 100);
    attempt->change = (struct store_change){STORE_PUT, kind, .record = record};
    store_queue_add(&attempt->queue, &attempt->change);
}

static void attempt_end(struct attempt *attempt)
{
    store_queue_clear(&attempt->queue);
    store_db_close(&attempt->db);
    fixture_end(&attempt->fixture);
}

static void a_policy_is_not_written_without_its_body(void **state)
{
    static char body[BODY_OCTETS + 1];
    struct record record = make_saved_policy("d.example");
    struct attempt attempt;

    (void)state;
    memset(body, 'a', BODY_OCTETS);
    memcpy(body, MAKE_BODY, strlen(MAKE_BODY));
    record.policy.body = body;
    attempt_begin(&attempt, &record, RECORD_POLICY);
    least = BODY_COPY;
    nth = 1;
    once = false;
    store_db_write(&attempt.db, &attempt.queue, no_pause, NULL);
    least = 0;
    assert_int_equal(
        fixture_number(attempt.fixture.path, "SELECT count(*) FROM policy WHERE body IS NULL"), 0);
    attempt_end(&attempt);
}

static void the_file_is_not_set_aside(void **state)
{
    (void)state;
    for (int i = 1; i < ATTEMPTS; i++) {
        struct record record = make_answer("a-name-that-is-allocated-apart-for-its-length.example");
        struct attempt attempt;

        attempt_begin(&attempt, &record, RECORD_ANSWER);
        least = 1;
        nth = i;
        once = true;
        store_db_write(&attempt.db, &attempt.queue, no_pause, NULL);
        least = 0;
        assert_int_equal(attempt.db.news.asides, 0);
        attempt_end(&attempt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_is_not_written_without_its_body),
        cmocka_unit_test(the_file_is_not_set_aside),
    };
    sqlite3_mem_methods limited;

    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual);
    limited = usual;
    limited.xMalloc = limited_malloc;
    limited.xRealloc = limited_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &limited);
    return cmocka_run_group_tests_name("store_memory", tests, NULL, NULL);
}
