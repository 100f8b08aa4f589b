/* A results file: made, written, closed, opened again; its names, its order, its lock. */
#include "tests/unit/survey/results/results_make.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/sql/sql.h"

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

static void somebody_reads_while_it_is_finished(void **state)
{
    char error[RESULTS_ERROR_MAX];
    struct results *reader;

    (void)state;
    add_domain(&file, "example.com");
    must(&file, results_commit(file.results));
    reader = results_open(file.path, false, error);
    assert_non_null(reader);
    must(&file, results_finish(file.results, MAKE_AT + 60));
    assert_true(results_close(file.results));
    results_close(reader);
    file.results = results_open(file.path, true, file.error);
    assert_non_null(file.results);
    assert_int_equal(results_run(file.results)->ended, MAKE_AT + 60);
    must(&file, results_finish(file.results, MAKE_AT + 60));
    assert_false(exists("-wal"));
}

/* A full disk is said, and what was committed before is there. */
static void a_full_disk(void **state)
{
    struct rlimit usual, small;
    int64_t all, done;
    bool is_new, ok = true;
    char name[32];

    (void)state;
    add_domain(&file, "example.com");
    must(&file, results_commit(file.results));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    small = usual;
    small.rlim_cur = 1 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; ok && i < 100000; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        ok = results_add_domain(file.results, name, 1, &is_new);
        if (ok && i % 1000 == 999)
            ok = results_commit(file.results);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_false(ok);
    assert_int_not_equal(strlen(results_error(file.results)), 0);
    results_close(file.results);
    file.results = results_open(file.path, true, file.error);
    assert_non_null(file.results);
    must(&file, results_count(file.results, UNIT_DOMAIN, &all, &done));
    assert_true(all >= 1 && all % 1000 == 1);
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

/* A name that another has the id of takes the next one, and keeps it. */
static void an_id_that_is_taken(void **state)
{
    int64_t id, other;
    struct sql *sql;

    (void)state;
    add_domain(&file, "example.com");
    assert_true(results_find(file.results, "example.com", &id));
    must(&file, results_commit(file.results));
    assert_true(sql_open(&sql, file.path, SQL_WRITE));
    assert_true(sql_run(sql, "UPDATE domain SET name = 'other.example'"));
    sql_close(sql);
    for (int i = 0; i < 2; i++) {
        add_domain(&file, "example.com");
        assert_true(results_find(file.results, "example.com", &other));
        assert_int_equal(other, id == INT64_MAX ? 1 : id + 1);
    }
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM domain"), 2);
    assert_false(results_find(file.results, "example.org", &other));
    assert_string_equal(results_error(file.results), "");
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

static void one_address_is_done(void)
{
    struct unit unit = unit_of(&file, UNIT_ADDRESS, "mx1.example.net");
    int64_t all, done;

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
    one_address_is_done();
}

/* The second result of a unit takes the place of the first, with all that hangs on it. */
static void put_domain_twice(struct mx_host hosts[2])
{
    struct evidence evidence = nothing;
    struct unit unit;

    add_domain(&file, "example.com");
    unit = unit_of(&file, UNIT_DOMAIN, "example.com");
    evidence.mx = MX_LISTED;
    evidence.hosts = hosts;
    evidence.host_count = 2;
    evidence.sts = (struct sts_evidence){.state = STS_BAD_RECORD, .ttl = 60, .why = "wrong"};
    put_domain(&file, &unit, &evidence);
    evidence.host_count = 1;
    evidence.sts.state = STS_NO_RECORD;
    put_domain(&file, &unit, &evidence);
    file_has(&file, "SELECT mta_sts FROM domain", "no-record\n");
    file_has(&file, "SELECT count(*) FROM domain_mx UNION ALL SELECT count(*) FROM policy",
             "1\n0\n");
}

static void a_result_that_comes_again(void **state)
{
    static const uint8_t data[4] = {1, 2, 3, 4};
    struct tlsa tlsa[2] = {{3, 1, 1, true, 4, data}, {2, 1, 1, true, 4, data}};
    struct mx_address addresses[] = {{.ip = {4, {192, 0, 2, 1}}}, {.ip = {4, {192, 0, 2, 2}}}};
    struct mx_host hosts[] = {{.name = "a.example", .ttl = 60}, {.name = "b.example", .ttl = 60}};
    struct unit host, address;
    int64_t all, done;

    (void)state;
    put_domain_twice(hosts);
    host = unit_of(&file, UNIT_HOST, "a.example");
    hosts[0].dane = HOST_DANE_USABLE;
    hosts[0].tlsa = tlsa;
    hosts[0].tlsa_count = 2;
    hosts[0].addresses = addresses;
    hosts[0].address_count = 2;
    put_host(&file, &host, &hosts[0]);
    hosts[0].tlsa_count = hosts[0].address_count = 1;
    put_host(&file, &host, &hosts[0]);
    file_has(&file, "SELECT count(*) FROM tlsa UNION ALL SELECT count(*) FROM host_address",
             "1\n1\n");
    address = unit_of(&file, UNIT_ADDRESS, "a.example");
    for (int i = 0; i < 2; i++)
        put_address(
            &file, &address,
            &(struct address_seen){.result = {.state = i == 0 ? STARTTLS_SILENT : STARTTLS_CLEAR},
                                   .connections = 1});
    file_has(&file, "SELECT starttls, connections FROM address WHERE looked_up IS NOT NULL",
             "clear|1\n");
    for (int kind = 0; kind < UNIT_KIND_COUNT; kind++) {
        must(&file, results_count(file.results, (enum unit_kind)kind, &all, &done));
        assert_int_equal(done, 1);
    }
}

/* A host that is to be left alone, and the other one at its address: the list of those may be given
 * before, or when the survey goes on. */
static void hosts_that_are_opted_out(bool before)
{
    static const char *const names[] = {".b.example"};
    const struct address_filter filter = {.excluded_names = names, .excluded_name_count = 1};
    struct mx_address address = {.ip = {4, {192, 0, 2, 1}}};
    struct mx_host hosts[] = {{.name = "mx.a.example"}, {.name = "mx.b.example"}};
    struct evidence evidence = nothing;
    struct unit unit;

    if (before)
        must(&file, results_set_filter(file.results, &filter));
    add_domain(&file, "example.com");
    unit = unit_of(&file, UNIT_DOMAIN, "example.com");
    evidence.mx = MX_LISTED;
    evidence.hosts = hosts;
    evidence.host_count = 2;
    put_domain(&file, &unit, &evidence);
    for (int i = 0; i < 2; i++) {
        hosts[i].dane = HOST_DANE_NONE;
        hosts[i].addresses = &address;
        hosts[i].address_count = 1;
        unit = unit_of(&file, UNIT_HOST, hosts[i].name);
        put_host(&file, &unit, &hosts[i]);
    }
    file_reopen(&file, true);
    must(&file, results_set_filter(file.results, &filter));
    file_has(&file, "SELECT name, opted_out FROM host ORDER BY name",
             "mx.a.example|0\nmx.b.example|1\n");
    assert_int_equal(results_next(file.results, UNIT_ADDRESS, 0, &unit, 1), 1);
    assert_true(unit.opted_out);
}

static void opted_out_before(void **state)
{
    (void)state;
    hosts_that_are_opted_out(true);
}

static void opted_out_when_it_goes_on(void **state)
{
    (void)state;
    hosts_that_are_opted_out(false);
}

/* Texts from elsewhere are cut at RESULTS_TEXT_MAX, and printable. */
static void long_and_strange_texts(void **state)
{
    static const struct {
        size_t length;
        bool cut;
    } rows[] = {
        {RESULTS_TEXT_MAX - 1, false}, {RESULTS_TEXT_MAX, false}, {RESULTS_TEXT_MAX + 1, true}};
    struct mx_host host = {.name = "mx.example.com", .dane = HOST_DANE_LOST};
    struct evidence evidence = nothing;
    char why[RESULTS_TEXT_MAX + 2];
    struct unit unit;

    (void)state;
    add_domain(&file, "example.com");
    unit = unit_of(&file, UNIT_DOMAIN, "example.com");
    evidence.mx = MX_LISTED;
    evidence.hosts = &host;
    evidence.host_count = 1;
    put_domain(&file, &unit, &evidence);
    unit = unit_of(&file, UNIT_HOST, "mx.example.com");
    host.why = why;
    for (size_t i = 0; i < COUNT(rows); i++) {
        memset(why, 'x', rows[i].length);
        why[rows[i].length] = '\0';
        put_host(&file, &unit, &host);
        assert_int_equal(number_of_file(&file, "SELECT length(error_detail) FROM host"),
                         rows[i].cut ? RESULTS_TEXT_MAX : rows[i].length);
        assert_int_equal(number_of_file(&file, "SELECT error_detail LIKE '%...' FROM host"),
                         rows[i].cut);
    }
    host.why = "a\x1b[31m\xff\n<b>'";
    put_host(&file, &unit, &host);
    file_has(&file, "SELECT error_detail FROM host", "a\\x1b[31m\\xff\\x0a<b>'\n");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_run_is_read_back),
        TEST(an_existing_file_is_not_overwritten),
        TEST(one_writes_and_others_read),
        TEST(a_finished_file_is_one_file),
        TEST(somebody_reads_while_it_is_finished),
        TEST(a_full_disk),
        TEST(what_was_not_committed_is_lost),
        TEST(a_list_that_is_read_twice_changes_nothing),
        TEST(an_id_that_is_taken),
        TEST(next_follows_the_ids),
        TEST(a_sample_is_reproducible),
        TEST(a_domain_brings_hosts_and_those_addresses),
        TEST(a_result_that_comes_again),
        TEST(opted_out_before),
        TEST(opted_out_when_it_goes_on),
        TEST(long_and_strange_texts),
    };

    return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
