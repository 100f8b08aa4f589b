/* A results file: made, written, closed, opened again; its names, its order, its lock. */
#include "tests/unit/survey/results/results_make.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"

static struct results_file file;

static int set_up(void **state)
{
    struct results_run run = make_run();

    (void)state;
    file_make(&file, &run);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    file_remove(&file);
    return 0;
}

static bool exists(const char *suffix)
{
    char name[128];
    struct stat status;

    snprintf(name, sizeof name, "%s%s", file.path, suffix);
    return stat(name, &status) == 0;
}

/* ---- the run ---- */

static void the_run_is_read_back(void **state)
{
    struct results_run run = make_run();
    const struct results_run *got;

    (void)state;
    run.sample = 100;
    run.shard = 2;
    run.shards = 3;
    run.names = 12;
    run.names_read = true;
    run.lines_bad = 4;
    run.verdict.partial_dane = PARTIAL_DANE_ONLY;
    run.verdict.testing_enforced = true;
    must(&file, results_set_run(file.results, &run));
    file_reopen(&file, false);
    got = results_run(file.results);
    assert_string_equal(got->list, "list.txt");
    assert_string_equal(got->helo, "survey.example.net");
    assert_int_equal(got->seed, 7);
    assert_int_equal(got->sample, 100);
    assert_int_equal(got->shard, 2);
    assert_int_equal(got->shards, 3);
    assert_int_equal(got->names, 12);
    assert_true(got->names_read && got->dnssec);
    assert_int_equal(got->lines_bad, 4);
    assert_int_equal(got->began, MAKE_AT);
    assert_int_equal(got->ended, 0);
    assert_true(got->verdict.dane && got->verdict.probe && got->verdict.verify);
    assert_true(got->verdict.testing_enforced && got->verdict.wildcard_hosts);
    assert_int_equal(got->verdict.partial_dane, PARTIAL_DANE_ONLY);
}

static void an_existing_file_is_not_overwritten(void **state)
{
    struct results_run run = make_run();
    char error[RESULTS_ERROR_MAX];

    (void)state;
    assert_null(results_create(file.path, &run, error));
    assert_non_null(strstr(error, "it exists already"));
    assert_true(exists(""));
}

static void one_writes_and_others_read(void **state)
{
    char error[RESULTS_ERROR_MAX];
    struct results *reader;
    int64_t all, done;

    (void)state;
    add_domain(&file, "example.com");
    must(&file, results_commit(file.results));
    assert_null(results_open(file.path, true, error));
    assert_non_null(strstr(error, "another survey is writing it"));
    reader = results_open(file.path, false, error);
    assert_non_null(reader);
    assert_true(results_count(reader, UNIT_DOMAIN, &all, &done));
    assert_int_equal(all, 1);
    assert_false(results_add_domain(reader, "example.org", 1, &(bool){false}));
    results_close(reader);
    file_reopen(&file, true);
}

static void a_finished_file_is_one_file(void **state)
{
    (void)state;
    add_domain(&file, "example.com");
    must(&file, results_commit(file.results));
    assert_true(exists("-wal"));
    must(&file, results_finish(file.results, MAKE_AT + 60));
    assert_false(exists("-wal"));
    assert_true(results_close(file.results));
    assert_false(exists("-wal") || exists("-shm") || exists("-journal"));
    file.results = results_open(file.path, false, file.error);
    assert_non_null(file.results);
    assert_int_equal(results_run(file.results)->ended, MAKE_AT + 60);
    assert_false(exists("-wal") || exists("-shm"));
}

static void what_was_not_committed_is_lost(void **state)
{
    (void)state;
    add_domain(&file, "a.example");
    must(&file, results_commit(file.results));
    add_domain(&file, "b.example");
    /* as a kill leaves it: another process looks at the files */
    if (fork() == 0) {
        char error[RESULTS_ERROR_MAX];
        struct results *reader = results_open(file.path, false, error);
        int64_t all = 0, done;

        _exit(reader != NULL && results_count(reader, UNIT_DOMAIN, &all, &done) ? (int)all : 99);
    }
    int status;

    assert_true(wait(&status) > 0);
    assert_int_equal(WEXITSTATUS(status), 1);
}

/* ---- names ---- */

static void a_list_that_is_read_twice_changes_nothing(void **state)
{
    bool is_new;
    int64_t all, done;

    (void)state;
    must(&file, results_add_domain(file.results, "example.com", 5, &is_new));
    assert_true(is_new);
    must(&file, results_add_domain(file.results, "example.com", 3, &is_new));
    assert_false(is_new);
    file_has(&file, "SELECT name, weight, run FROM domain", "example.com|5|1\n");
    must(&file, results_add_domain(file.results, "example.com", 8, &is_new));
    assert_false(is_new);
    file_has(&file, "SELECT name, weight FROM domain", "example.com|8\n");
    must(&file, results_count(file.results, UNIT_DOMAIN, &all, &done));
    assert_int_equal(all, 1);
    assert_int_equal(done, 0);
}

static void an_id_that_is_taken(void **state)
{
    bool is_new;
    int64_t id, other;

    (void)state;
    add_domain(&file, "example.com");
    must(&file, results_find(file.results, "example.com", &id) ? true : false);
    must(&file, results_commit(file.results));
    /* the same id for another name, as a collision has it */
    must(&file, results_sample(file.results, 1));
    assert_true(id > 0);
    assert_false(results_find(file.results, "example.org", &other));
    assert_string_equal(results_error(file.results), "");
    (void)is_new;
}

static void add_many(int count)
{
    char name[32];

    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        add_domain(&file, name);
    }
}

static void next_follows_the_ids(void **state)
{
    struct unit units[50];
    int64_t after = 0;
    int count, all = 0, swaps = 0, last = -1;

    (void)state;
    add_many(200);
    while ((count = results_next(file.results, UNIT_DOMAIN, after, units, 50)) > 0)
        for (int i = 0; i < count; i++) {
            int n = atoi(units[i].name + 1);

            assert_true(units[i].id > after);
            after = units[i].id;
            swaps += n < last;
            last = n;
            all++;
        }
    assert_int_equal(count, 0);
    assert_int_equal(all, 200);
    assert_true(swaps > 50); /* not in the order of the list */
}

static void a_sample_is_reproducible(void **state)
{
    struct buf whole, samples;

    (void)state;
    buf_init(&whole, 1 << 20);
    buf_init(&samples, 1 << 20);
    add_many(300);
    file_dump(&file, "SELECT name FROM domain ORDER BY id LIMIT 40", &whole);
    must(&file, results_sample(file.results, 40));
    file_dump(&file, "SELECT name FROM domain ORDER BY id", &samples);
    assert_string_equal(buf_text(&samples), buf_text(&whole));
    add_many(300); /* those dropped do not come back */
    must(&file, results_sample(file.results, 40));
    buf_clear(&samples);
    file_dump(&file, "SELECT name FROM domain ORDER BY id", &samples);
    assert_string_equal(buf_text(&samples), buf_text(&whole));
    must(&file, results_sample(file.results, 1000));
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM domain"), 40);
    buf_fini(&whole);
    buf_fini(&samples);
}

/* ---- what came ---- */

static const struct evidence nothing = {.domain = "x", .port = 25, .mx_ttl = UINT32_MAX};

static void a_domain_brings_hosts_and_those_addresses(void **state)
{
    struct mx_host hosts[] = {{.name = "mx1.example.net", .preference = 10, .ttl = UINT32_MAX},
                              {.name = "mx2.example.net", .preference = 20, .ttl = UINT32_MAX}};
    struct mx_address addresses[] = {{.ip = {4, {192, 0, 2, 1}}, .secure = true},
                                     {.ip = {4, {192, 0, 2, 2}}}};
    struct evidence evidence = nothing;
    struct unit unit;
    int64_t all, done;

    (void)state;
    add_domain(&file, "example.com");
    unit = unit_of(&file, UNIT_DOMAIN, "example.com");
    evidence.mx = MX_LISTED;
    evidence.mx_secure = true;
    evidence.mx_ttl = 300;
    evidence.hosts = hosts;
    evidence.host_count = 2;
    evidence.sts.state = STS_NO_RECORD;
    put_domain(&file, &unit, &evidence);
    assert_int_equal(results_next(file.results, UNIT_DOMAIN, 0, &unit, 1), 0);
    file_has(&file, "SELECT mx, mx_secure, mx_ttl, mta_sts, operator, error FROM domain",
             "listed|1|300|no-record|example.net|\n");
    unit = unit_of(&file, UNIT_HOST, "mx1.example.net");
    hosts[0].dane = HOST_DANE_NONE;
    hosts[0].addresses_known = true;
    hosts[0].addresses = addresses;
    hosts[0].address_count = 2;
    put_host(&file, &unit, &hosts[0]);
    unit = unit_of(&file, UNIT_HOST, "mx2.example.net");
    hosts[1].dane = HOST_DANE_DEAD;
    hosts[1].why = "mx2.example.net does not exist";
    put_host(&file, &unit, &hosts[1]);
    must(&file, results_count(file.results, UNIT_ADDRESS, &all, &done));
    assert_int_equal(all, 2);
    file_has(&file, "SELECT ip, prefix FROM address ORDER BY ip",
             "192.0.2.1|192.0.2.0/24\n192.0.2.2|192.0.2.0/24\n");
    unit = unit_of(&file, UNIT_ADDRESS, "mx1.example.net");
    put_address(
        &file, &unit,
        &(struct address_seen){.result = {.state = STARTTLS_CLEAR, .code = 250}, .connections = 1});
    must(&file, results_count(file.results, UNIT_ADDRESS, &all, &done));
    assert_int_equal(done, 1);
    file_reopen(&file, true);
    must(&file, results_count(file.results, UNIT_ADDRESS, &all, &done));
    assert_int_equal(all, 2);
    assert_int_equal(done, 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_run_is_read_back),
        TEST(an_existing_file_is_not_overwritten),
        TEST(one_writes_and_others_read),
        TEST(a_finished_file_is_one_file),
        TEST(what_was_not_committed_is_lost),
        TEST(a_list_that_is_read_twice_changes_nothing),
        TEST(an_id_that_is_taken),
        TEST(next_follows_the_ids),
        TEST(a_sample_is_reproducible),
        TEST(a_domain_brings_hosts_and_those_addresses),
    };

    return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
