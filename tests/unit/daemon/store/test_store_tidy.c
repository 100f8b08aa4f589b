/* store: migrations, views for people, and what is deleted when. */
#include "tests/unit/support/store_fixture.h"

#include "daemon/store/store_schema.h"
#include "base/sql/sql.h"

#define DAY INT64_C(86400000)

/* ---- migrations ---- */

/* Makes a file of version 2 with one row of each table out of one of today's. */
static void back_to_version_2(const struct fixture *f)
{
    struct sql *sql;

    assert_true(sql_open(&sql, f->path, SQL_WRITE));
    assert_true(
        sql_run(sql, "UPDATE probe SET row_check = row_check(address, port, host, sni, tlsa, state,"
                     " chain_ok, expired, name_ok, tlsa_match, requiretls, code, probed_at,"
                     " valid_until, protocol, cipher, subject, detail, not_after, failures,"
                     " written_at);"
                     "ALTER TABLE probe DROP COLUMN verified_as;"
                     "PRAGMA user_version = 2"));
    sql_close(sql);
}

/* The same of version 1. */
static void back_to_version_1(const struct fixture *f)
{
    back_to_version_2(f);
    fixture_sql(f->path,
                "DROP VIEW answers; DROP VIEW policies; DROP VIEW probes; DROP VIEW held;"
                "DROP VIEW history; DROP INDEX answer_by_use; DROP INDEX policy_by_writing;"
                "DROP INDEX probe_by_writing; DROP INDEX event_by_time;"
                "PRAGMA user_version = 1");
}

static void put_one_of_each(struct fixture *f)
{
    struct record policy = make_saved_policy("example.org");
    struct record probe = make_probe("192.0.2.1", "mx.example.net");
    struct record event = make_event("example.com", MAKE_WALL);

    fixture_put_answer(f, "example.com");
    store_put(f->store, &policy);
    store_put(f->store, &probe);
    store_put(f->store, &event);
    fixture_written(f);
}

static void version_1_becomes_todays(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    put_one_of_each(&f);
    fixture_close(&f);
    back_to_version_1(&f);
    fixture_open(&f);
    assert_true(fixture_has(&f, "example.com"));
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        assert_int_equal(fixture_count(&f, (enum record_kind)kind), 1);
    fixture_close(&f);
    assert_int_equal(fixture_number(f.path, "PRAGMA user_version"), store_schema_version);
    assert_int_equal(fixture_number(f.path, "SELECT count(*) FROM history"), 1);
    assert_int_equal(f.begun, 0);
    fixture_end(&f);
}

static void version_2_becomes_todays(void **state)
{
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    put_one_of_each(&f);
    fixture_close(&f);
    back_to_version_2(&f);
    fixture_sql(f.path,
                "INSERT INTO probe SELECT '192.0.2.2', port, host, sni, tlsa, state, chain_ok,"
                " expired, name_ok, tlsa_match, requiretls, code, probed_at, valid_until,"
                " protocol, cipher, subject, detail, not_after, failures, written_at,"
                " row_check FROM probe");
    fixture_open(&f);
    for (int kind = 0; kind < RECORD_KINDS; kind++) /* the row that was not right stays wrong */
        assert_int_equal(fixture_count(&f, (enum record_kind)kind), 1);
    fixture_close(&f);
    fixture_end(&f);
}

/* The steps alone make what version 1 was: only tables. */
static void a_file_that_only_step_1_made(void **state)
{
    char text[256];
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_sql(f.path, store_schema_steps[0]);
    snprintf(text, sizeof text,
             "PRAGMA application_id = %d; PRAGMA user_version = 1;"
             "INSERT INTO meta VALUES('last_written', 4711)",
             STORE_APPLICATION_ID);
    fixture_sql(f.path, text);
    assert_int_equal(chmod(f.path, 0600), 0);
    fixture_open(&f);
    for (int i = 0; i < 1; i++) {
        struct seen seen = fixture_find(&f, "example.com", NULL);

        assert_int_equal(seen.last_written, 4711);
        seen_free(&seen);
    }
    put_one_of_each(&f);
    assert_int_equal(f.begun, 0);
    fixture_end(&f);
}

/* ---- for people ---- */

static void people_can_read_it(void **state)
{
    static const char *const claims[] = {
        "SELECT decided = datetime(1795000000, 'unixepoch') AND answer = 'OK encrypt' FROM answers",
        "SELECT mode = 'enforce' AND failure = 'fetch-failed' AND why = 'no connection'"
        " FROM policies",
        "SELECT state = 'verified' AND host = 'mx.example.net' AND address = '192.0.2.1'"
        " FROM probes",
        "SELECT was = 'encrypt' AND now = 'verify' AND time LIKE '2026-%' FROM history",
        "SELECT key = 'held.example' AND until = datetime(1795000060, 'unixepoch') FROM held",
        "SELECT count(*) = 1 FROM held",
    };
    struct record held = make_answer("held.example");
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    held.answer.reason = REASON_HELD;
    held.answer.used_at = 5;
    held.answer.remembered.encrypt = (struct downgrade){MAKE_WALL - 1000, MAKE_WALL + 60000};
    store_put(f.store, &held);
    put_one_of_each(&f);
    fixture_close(&f);
    for (size_t i = 0; i < COUNT(claims); i++)
        if (fixture_number(f.path, claims[i]) != 1)
            fail_msg("%s", claims[i]);
    fixture_end(&f);
}

/* ---- what goes ---- */

static void put_numbered(struct fixture *f, int n, int64_t used_at, int64_t ends_at)
{
    char key[32] = "";
    struct record record = make_answer(key);

    snprintf(key, sizeof key, "d%04d.example", n);
    record.answer.decided_at = ends_at - 1000;
    record.answer.valid_until = ends_at;
    record.answer.used_at = used_at;
    store_put(f->store, &record);
}

static void the_least_used_go_when_there_are_too_many(void **state)
{
    struct fixture f;

    (void)state;
    fixture_make(&f);
    f.options.answers_max = f.options.policies_max = f.options.probes_max = 50;
    fixture_open(&f);
    for (int i = 0; i < 100; i++) {
        char name[32] = "";
        struct record policy = make_saved_policy(name), probe = make_probe("192.0.2.1", name);

        snprintf(name, sizeof name, "d%d.example", i);
        put_numbered(&f, i, MAKE_WALL + (i == 3 ? 1000 : i), MAKE_WALL);
        store_put(f.store, &policy);
        store_put(f.store, &probe);
    }
    fixture_written(&f);
    assert_int_equal(fixture_count(&f, RECORD_ANSWER), 50);
    assert_int_equal(fixture_count(&f, RECORD_POLICY), 50);
    assert_int_equal(fixture_count(&f, RECORD_PROBE), 50);
    assert_true(fixture_has(&f, "d0003.example"));
    assert_true(fixture_has(&f, "d0099.example"));
    assert_false(fixture_has(&f, "d0050.example"));
    fixture_end(&f);
}

static void what_ended_long_ago_goes(void **state)
{
    int64_t now = clock_wall_ms();
    struct fixture f;

    (void)state;
    fixture_make(&f);
    f.options.keep_ms = 10 * DAY;
    fixture_open(&f);
    put_numbered(&f, 1, now - 11 * DAY, now - 12 * DAY);
    put_numbered(&f, 2, now - 9 * DAY, now - 12 * DAY); /* used since */
    put_numbered(&f, 3, now - 12 * DAY, now - 9 * DAY); /* ended since */
    put_numbered(&f, 4, now - 12 * DAY, now + DAY);
    fixture_written(&f);
    assert_false(fixture_has(&f, "d0001.example"));
    assert_true(fixture_has(&f, "d0002.example"));
    assert_true(fixture_has(&f, "d0003.example"));
    assert_true(fixture_has(&f, "d0004.example"));
    fixture_end(&f);
}

/* The file was last written years ago, says its clock: the wall clock may be the one that is wrong.
 */
static void a_clock_that_is_years_ahead_deletes_nothing(void **state)
{
    int64_t now = clock_wall_ms();
    char text[128];
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_open(&f);
    put_numbered(&f, 1, now - 400 * DAY, now - 400 * DAY);
    fixture_close(&f);
    snprintf(text, sizeof text, "UPDATE meta SET value = %lld WHERE name = 'clock'",
             (long long)(now - 401 * DAY));
    fixture_sql(f.path, text);
    f.options.keep_ms = 10 * DAY;
    fixture_open(&f);
    fixture_put_answer(&f, "new.example");
    fixture_written(&f);
    fixture_put_answer(&f, "newer.example");
    fixture_written(&f);
    assert_true(fixture_has(&f, "d0001.example"));
    fixture_end(&f);
}

/* The clock of the sweep is a number that no daemon wrote: it begins anew. */
static void a_clock_beyond_all_time_deletes_nothing(void **state)
{
    struct fixture f;

    (void)state;
    fixture_make(&f);
    f.options.keep_ms = 10 * DAY;
    fixture_open(&f);
    put_numbered(&f, 1, clock_wall_ms(), clock_wall_ms());
    fixture_close(&f);
    fixture_sql(f.path, "UPDATE meta SET value = 9223372036854775807 WHERE name = 'clock'");
    fixture_open(&f);
    fixture_put_answer(&f, "new.example");
    fixture_written(&f);
    assert_true(fixture_has(&f, "d0001.example"));
    fixture_close(&f);
    assert_true(fixture_number(f.path, "SELECT value FROM meta WHERE name = 'clock'") <=
                clock_wall_ms());
    fixture_end(&f);
}

int main(void)
{
    ROWS_ADD_TEST(version_1_becomes_todays);
    ROWS_ADD_TEST(version_2_becomes_todays);
    ROWS_ADD_TEST(a_file_that_only_step_1_made);
    ROWS_ADD_TEST(people_can_read_it);
    ROWS_ADD_TEST(the_least_used_go_when_there_are_too_many);
    ROWS_ADD_TEST(what_ended_long_ago_goes);
    ROWS_ADD_TEST(a_clock_that_is_years_ahead_deletes_nothing);
    ROWS_ADD_TEST(a_clock_beyond_all_time_deletes_nothing);
    return rows_run("store_tidy");
}
