/* Several results files as one. */
#include "tests/unit/survey/results/results_world.h"

#include <sys/stat.h>

#define FILES 3

static struct results_file files[FILES];
static bool unwritten;

/* Makes the file number `i` and leaves it closed. */
static void made_by(int i, const struct results_run *run, const struct way *way)
{
    written = 0;
    file_make(&file, run);
    survey(way);
    assert_true(results_close(file.results));
    file.results = NULL;
    files[i] = file;
}

/* The merge of the first `count` files, which are removed. */
static void merged(int count)
{
    const char *paths[FILES];

    for (int i = 0; i < count; i++)
        paths[i] = files[i].path;
    snprintf(file.folder, sizeof file.folder, "/tmp/mxc-results-XXXXXX");
    assert_non_null(mkdtemp(file.folder));
    snprintf(file.path, sizeof file.path, "%s/merged.db", file.folder);
    file.results = results_merge(file.path, paths, (size_t)count, &unwritten, file.error);
    if (file.results == NULL)
        fail_msg("%s", file.error);
    for (int i = 0; i < count; i++)
        file_remove(&files[i]);
}

static void decide_and_finish(void)
{
    bool more = true;

    for (int64_t after = 0; more;)
        must(&file, decide_some(file.results, &after, &more));
    must(&file, results_finish(file.results, results_run(file.results)->ended));
}

static void one_alone(void **state)
{
    struct results_run run = make_run();
    struct buf want, got;

    (void)state;
    undisturbed(&want);
    made_by(0, &run, &(struct way){.commit = 50, .kill = -1});
    merged(1);
    decide_and_finish();
    dump_all(&got);
    file_remove(&file);
    assert_string_equal(buf_text(&got), buf_text(&want));
    buf_fini(&got);
    buf_fini(&want);
}

/* All but the runs. */
static void dump_tables(struct buf *out)
{
    buf_init(out, 1 << 24);
    for (size_t i = 1; i < COUNT(tables); i++)
        file_dump(&file, tables[i], out);
}

/* Two machines have looked at different addresses of the same hosts. */
static void shards_of_one_survey(void **state)
{
    struct results_run run = make_run();
    struct buf want, got;

    (void)state;
    written = 0;
    file_make(&file, &run);
    survey(&(struct way){.commit = 50, .kill = -1});
    dump_tables(&want);
    file_remove(&file);
    for (unsigned i = 0; i < 2; i++) {
        run.shard = i + 1;
        run.shards = 2;
        make_at =
            MAKE_AT; /* the same moment: which result of a host is taken makes no difference */
        made_by((int)i, &run, &(struct way){.commit = 50, .kill = -1, .shard = i, .shards = 2});
    }
    merged(2);
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM run"), 2);
    decide_and_finish();
    dump_tables(&got);
    file_remove(&file);
    assert_string_equal(buf_text(&got), buf_text(&want));
    buf_fini(&got);
    buf_fini(&want);
}

/* ---- the latest result ---- */

/* A file of one domain with one host of one address. */
static void small(int i, int64_t seed, int64_t at, const char *domain, int64_t weight,
                  const struct address_seen *seen)
{
    struct results_run run = make_run();
    struct mx_address address = {.ip = {4, {192, 0, 2, 1}}};
    struct mx_host host = {.name = "mx.example.net", .preference = (uint16_t)seed, .ttl = 60};
    struct evidence evidence = {.mx = MX_LISTED, .hosts = &host, .host_count = 1, .mx_ttl = 1};
    struct unit unit;
    bool is_new;

    run.seed = seed;
    run.began = at;
    make_at = at;
    file_make(&file, &run);
    must(&file, results_add_domain(file.results, "always.example", weight, &is_new));
    add_domain(&file, domain);
    for (int n = 0; n < 2; n++) {
        unit = unit_of(&file, UNIT_DOMAIN, n == 0 ? "always.example" : domain);
        put_domain(&file, &unit, &evidence);
    }
    host.dane = HOST_DANE_NONE;
    host.addresses_known = true;
    host.addresses = &address;
    host.address_count = 1;
    unit = unit_of(&file, UNIT_HOST, "mx.example.net");
    put_host(&file, &unit, &host);
    unit = unit_of(&file, UNIT_ADDRESS, "mx.example.net");
    put_address(&file, &unit, seen);
    must(&file, judge_address(file.results, NULL, unit.id, NULL));
    must(&file, results_finish(file.results, at + 5));
    assert_true(results_close(file.results));
    file.results = NULL;
    files[i] = file;
    make_at = MAKE_AT;
}

static const struct address_seen clear = {.result = {.state = STARTTLS_CLEAR}, .connections = 1};
static const struct address_seen silent = {.result = {.state = STARTTLS_SILENT}, .connections = 2};

struct late_row {
    const char *name;
    int64_t first_at, second_at;
    const char *want_domain, *want_address;
};

static const struct late_row late_rows[] = {
    {"the second is later", 1000, 2000, "always.example|9|2000|2|8\n", "2000|silent|silent|2\n"},
    {"the first is later", 2000, 1000, "always.example|9|2000|1|7\n", "2000|clear|clear|1\n"},
    {"at the same time: the first", 1000, 1000, "always.example|9|1000|1|7\n",
     "1000|clear|clear|1\n"},
};

static void the_latest_counts(void **state)
{
    const struct late_row *row = *state;

    small(0, 7, row->first_at, "one.example", 3, &clear);
    small(1, 8, row->second_at, "two.example", 9, &silent);
    merged(2);
    file_has(&file, "SELECT name FROM domain ORDER BY name",
             "always.example\none.example\ntwo.example\n");
    file_has(&file,
             "SELECT d.name, d.weight, d.looked_up, d.run, m.preference FROM domain d "
             "JOIN domain_mx m ON m.domain = d.id WHERE name = 'always.example'",
             row->want_domain);
    file_has(&file,
             "SELECT a.looked_up, a.starttls, p.starttls, a.connections FROM address a "
             "JOIN host_address p ON p.address = a.id",
             row->want_address);
    file_has(&file, "SELECT id, seed FROM run ORDER BY id", "1|7\n2|8\n");
    file_has(&file, "SELECT run FROM domain WHERE name = 'two.example'", "2\n");
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM host"), 1);
    /* killed here it is not finished */
    assert_int_equal(number_of_file(&file, "SELECT ended IS NULL FROM run WHERE id = 1"), 1);
    decide_and_finish();
    assert_int_equal(number_of_file(&file, "SELECT count(verdict) FROM domain"), 3);
    file_has(&file, "SELECT ended - began FROM run", "5\n5\n");
    file_remove(&file);
}

/* A result that says nothing takes no other's place, and is replaced by any other. */
static void what_says_nothing(void **state)
{
    static const struct address_seen skipped = {.result = {.state = STARTTLS_SKIPPED}};
    struct sql *sql;

    (void)state;
    for (int later = 0; later < 2; later++) {
        small(later, 7, 1000, "one.example", 3, &clear);
        small(!later, 7, later ? 500 : 2000, "one.example", 3, &skipped);
        assert_true(sql_open(&sql, files[!later].path, SQL_WRITE));
        assert_true(sql_run(sql, "UPDATE domain SET error = 'local', mx = 'error';"
                                 "UPDATE host SET error = 'local', dane = 'error'"));
        sql_close(sql);
        merged(2);
        file_has(&file, "SELECT DISTINCT looked_up, mx, error FROM domain", "1000|listed|\n");
        file_has(&file, "SELECT looked_up, dane, error FROM host", "1000|none|\n");
        file_has(&file,
                 "SELECT a.looked_up, a.starttls, p.starttls FROM address a "
                 "JOIN host_address p ON p.address = a.id",
                 "1000|clear|clear\n");
        file_remove(&file);
    }
}

/* What a chain is worth changes with time. */
static void the_fault_of_the_later_run(void **state)
{
    /* TLS that does not work, so that nobody judges a certificate that is none */
    static const struct address_seen shown = {
        .result = {.state = STARTTLS_BROKEN},
        .shown = {.count = 1,
                  .certificates = {{(const uint8_t *)"x", 1}},
                  .finding = {.verified = true, .fault = TLS_FAULT_OTHER}},
        .connections = 1};
    struct sql *sql;

    (void)state;
    for (int later = 0; later < 2; later++) {
        small(0, 7, 2000, "one.example", 3, &shown);
        small(1, 8, later ? 3000 : 1000, "two.example", 9, &shown);
        assert_true(sql_open(&sql, files[1].path, SQL_WRITE));
        assert_true(sql_run(sql, "UPDATE chain SET fault = 'expired', only_dates = 1, why = 'x'"));
        sql_close(sql);
        merged(2);
        file_has(&file, "SELECT fault, only_dates, why FROM chain",
                 later ? "expired|1|x\n" : "other|0|\n");
        file_remove(&file);
    }
}

/* A merge of merges has all runs. */
static void a_merge_is_merged(void **state)
{
    (void)state;
    small(0, 7, 1000, "one.example", 3, &clear);
    small(1, 8, 2000, "two.example", 9, &silent);
    merged(2);
    decide_and_finish();
    assert_true(results_close(file.results));
    file.results = NULL;
    files[0] = file;
    small(1, 9, 3000, "three.example", 9, &clear);
    merged(2);
    file_has(&file, "SELECT id, seed FROM run ORDER BY id", "1|7\n2|8\n3|9\n");
    file_has(&file, "SELECT name, run FROM domain ORDER BY name",
             "always.example|3\none.example|1\nthree.example|3\ntwo.example|2\n");
    file_remove(&file);
}

/* ---- what cannot be merged ---- */

static bool is_there(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0;
}

static void nothing_is_left_of_a_merge_that_failed(void **state)
{
    char error[RESULTS_ERROR_MAX], out[128];
    struct sql *sql;
    const char *paths[2];

    (void)state;
    small(0, 7, 1000, "one.example", 3, &clear);
    small(1, 8, 2000, "two.example", 9, &silent);
    paths[0] = files[0].path;
    paths[1] = "/nowhere/b.db";
    snprintf(out, sizeof out, "%s/out.db", files[0].folder);
    assert_null(results_merge(out, paths, 2, &unwritten, error));
    assert_non_null(strstr(error, "/nowhere/b.db: No such file"));
    assert_false(unwritten);
    assert_false(is_there(out));
    assert_true(sql_open(&sql, files[1].path, SQL_WRITE));
    assert_true(sql_run(sql, "UPDATE host SET name = 'no host name!'"));
    sql_close(sql);
    paths[1] = files[1].path;
    assert_null(results_merge(out, paths, 2, &unwritten, error));
    assert_non_null(strstr(error, "a name or address in it cannot be one"));
    assert_false(unwritten);
    assert_non_null(strstr(error, files[1].path));
    assert_false(is_there(out));
    assert_null(results_merge(paths[0], paths, 2, &unwritten, error)); /* onto itself */
    assert_non_null(strstr(error, "it exists already"));
    assert_true(unwritten);
    assert_true(is_there(paths[0]));
    file_remove(&files[0]);
    file_remove(&files[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_alone),
        cmocka_unit_test(shards_of_one_survey),
        cmocka_unit_test(what_says_nothing),
        cmocka_unit_test(the_fault_of_the_later_run),
        cmocka_unit_test(a_merge_is_merged),
        cmocka_unit_test(nothing_is_left_of_a_merge_that_failed),
    };

    ROWS_ADD(late_rows, the_latest_counts);
    return cmocka_run_group_tests_name("results_merge", tests, NULL, NULL) +
           rows_run("results_merge, the latest");
}
