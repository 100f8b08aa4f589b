/*
 * Results files that somebody else wrote: what is no results file is refused with a reason, and
 * values that no survey writes, in any column, end nothing.
 */
#include "tests/unit/survey/results/results_make.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/file.h"
#include "survey/decide.h"
#include "survey/judge.h"

static struct results_file file;
static struct arena *arena;
static struct buf strict, loose; /* a whole file; and the same without STRICT */

/* ---- a file with something in every table ---- */

static void fill(void)
{
    static const uint8_t data[32] = {1};
    static const char *const lines[] = {"version: STSv1", "mode: enforce", "max_age: 86400",
                                        "mx: mx.example.com"};
    static const char *const patterns[] = {"mx.example.com"};
    struct sts_policy policy = {STS_MODE_ENFORCE,        86400, 1,
                                (const char **)patterns, 4,     (const char **)lines};
    struct tlsa tlsa = {3, 1, 1, true, 32, data};
    struct mx_address address = {.ip = {4, {192, 0, 2, 1}}, .secure = true};
    struct mx_host hosts[] = {{.name = "mx.example.com", .preference = 10, .ttl = 60},
                              {.name = "mx2.example.com", .preference = 20, .ttl = 60}};
    struct evidence evidence = {.mx = MX_LISTED,
                                .mx_ttl = 60,
                                .host_count = 2,
                                .hosts = hosts,
                                .sts = {.state = STS_POLICY, .id = "1", .policy = &policy}};
    struct address_seen seen = {.result = {.state = STARTTLS_TLS, .protocol = "TLSv1.3"}};
    struct unit unit;

    add_domain(&file, "example.com");
    unit = unit_of(&file, UNIT_DOMAIN, "example.com");
    put_domain(&file, &unit, &evidence);
    for (int i = 0; i < 2; i++) {
        hosts[i].dane = HOST_DANE_USABLE;
        hosts[i].tlsa = &tlsa;
        hosts[i].tlsa_count = 1;
        hosts[i].tlsa_base = hosts[i].name;
        hosts[i].addresses_known = true;
        hosts[i].addresses = &address;
        hosts[i].address_count = 1;
        unit = unit_of(&file, UNIT_HOST, hosts[i].name);
        put_host(&file, &unit, &hosts[i]);
    }
    seen.shown.count = 2;
    seen.shown.certificates[0] = (struct tls_der){data, 32};
    seen.shown.certificates[1] = (struct tls_der){data, 16};
    assert_int_equal(results_next(file.results, UNIT_ADDRESS, 0, &unit, 1), 1);
    put_address(&file, &unit, &seen);
    must(&file, results_retry(file.results, unit.id, 1, "other.example.com"));
    must(&file, results_commit(file.results));
}

static void overwrite(const void *octets, size_t length)
{
    int fd = open(file.path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(fd, octets, length), (ssize_t)length);
    close(fd);
}

/* What somebody does with the sqlite3 shell; `sql` may fail, `then` must not. */
static int shell_both(const char *sql, const char *then)
{
    sqlite3 *db;
    int code;

    assert_int_equal(sqlite3_open(file.path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous = off; PRAGMA journal_mode = memory", NULL, NULL, NULL);
    code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    assert_int_equal(sqlite3_exec(db, then, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    return code;
}

static int shell(const char *sql)
{
    return shell_both(sql, "");
}

/* STRICT does not allow such values, so the tables are not strict for a while. */
static void make_loose(void)
{
    assert_int_equal(shell("PRAGMA writable_schema = on;"
                           "UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT, W', "
                           "') W'), ') STRICT', ')') WHERE type = 'table'"),
                     SQLITE_OK);
}

/* The files are made once, because SQLite waits for the disk. */
static void make_templates(void)
{
    struct results_run run = make_run();

    file_make(&file, &run);
    fill();
    must(&file, results_finish(file.results, MAKE_AT));
    results_close(file.results);
    file.results = NULL;
    buf_init(&strict, 1 << 24);
    assert_int_equal(file_read(&strict, file.path), 0);
    make_loose();
    buf_init(&loose, 1 << 24);
    assert_int_equal(file_read(&loose, file.path), 0);
    file_remove(&file);
}

static int set_up(void **state)
{
    (void)state;
    if (strict.length == 0)
        make_templates();
    snprintf(file.folder, sizeof file.folder, "/tmp/mxc-results-XXXXXX");
    assert_non_null(mkdtemp(file.folder));
    snprintf(file.path, sizeof file.path, "%s/x.db", file.folder);
    file.results = NULL;
    overwrite(strict.data, strict.length);
    arena = arena_new(16 << 20);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    file_remove(&file);
    return 0;
}

/* ---- what is refused ---- */

struct refused_row {
    const char *name, *sql, *why;
};

#define TABLES_WRONG "its tables are not those of a results file"

static const struct refused_row refused_rows[] = {
    {"another program's", "PRAGMA application_id = 1", "it is no results file"},
    {"a later version", "PRAGMA user_version = 2", "a later version of mxcrypt wrote it"},
    {"version 0", "PRAGMA user_version = 0", "its version cannot be"},
    {"a negative version", "PRAGMA user_version = -1", "its version cannot be"},
    {"a table less", "DROP TABLE tlsa", TABLES_WRONG},
    {"another name", "ALTER TABLE tlsa RENAME TO alsa", TABLES_WRONG},
    {"a column more", "ALTER TABLE host ADD COLUMN x", TABLES_WRONG},
    {"a column less", "ALTER TABLE host DROP COLUMN error", TABLES_WRONG},
    {"a column with another name", "ALTER TABLE host RENAME COLUMN error TO x", TABLES_WRONG},
    {"a view", "DROP TABLE tlsa; CREATE VIEW tlsa AS SELECT * FROM host", TABLES_WRONG},
    {"a virtual table", "DROP TABLE tlsa; CREATE VIRTUAL TABLE tlsa USING fts5(host, position)",
     TABLES_WRONG},
    {"a generated column",
     "DROP TABLE chain; CREATE TABLE chain (sha256 TEXT PRIMARY KEY, leaf TEXT, fault TEXT, "
     "why TEXT AS (hex(zeroblob(100000000)))) STRICT, WITHOUT ROWID",
     TABLES_WRONG},
    {"a table that is not strict",
     "DROP TABLE chain; CREATE TABLE chain (sha256 TEXT PRIMARY KEY, leaf TEXT, fault TEXT, "
     "why TEXT) WITHOUT ROWID",
     TABLES_WRONG},
    {"a view behind a list of tables that is made up",
     "ALTER TABLE host RENAME TO \"host \"; CREATE VIEW host AS SELECT * FROM \"host \";"
     "CREATE TABLE pragma_table_list (schema, name COLLATE rtrim, type, wr, strict);"
     "INSERT INTO pragma_table_list VALUES ('main', 'run', 'table', 0, 1), "
     "('main', 'domain', 'table', 0, 1), ('main', 'domain_mx', 'table', 1, 1), "
     "('main', 'policy', 'table', 0, 1), ('main', 'host ', 'table', 0, 1), "
     "('main', 'tlsa', 'table', 1, 1), ('main', 'host_address', 'table', 1, 1), "
     "('main', 'address', 'table', 0, 1), ('main', 'sni', 'table', 1, 1), "
     "('main', 'chain', 'table', 1, 1), ('main', 'chain_certificate', 'table', 1, 1), "
     "('main', 'certificate', 'table', 0, 1), ('main', 'mail_domain', 'view', 0, 0), "
     "('main', 'handshake', 'view', 0, 0)",
     TABLES_WRONG},
    {"no run", "DELETE FROM run", "it has no run"},
};

static void is_refused(const char *why)
{
    for (int write = 0; write < 2; write++) {
        assert_null(results_open(file.path, write, file.error));
        if (strstr(file.error, why) == NULL || strncmp(file.error, file.path, strlen(file.path)))
            fail_msg("%s", file.error);
    }
}

static void refused(void **state)
{
    const struct refused_row *row = *state;

    set_up(NULL);
    if (shell(row->sql) == SQLITE_OK) /* fts5 need not be there */
        is_refused(row->why);
    tear_down(NULL);
}

static void no_database(void **state)
{
    char page[4096] = "SQLite format 3";

    (void)state;
    overwrite("example.com\nexample.org\n", 24);
    is_refused("it is no results file");
    overwrite("", 0);
    is_refused("it is no results file");
    overwrite(page, sizeof page);
    is_refused("it is no results file");
    unlink(file.path);
    is_refused("No such file");
    assert_int_equal(mkfifo(file.path, 0600), 0);
    is_refused("it is no regular file");
    unlink(file.path);
    assert_int_equal(mkdir(file.path, 0700), 0);
    is_refused("it is no regular file");
    rmdir(file.path);
}

/* SQLite would open them, and wait. */
static void pipes_beside_it(void **state)
{
    static const char *const suffixes[] = {"-journal", "-wal", "-shm"};
    char path[160], why[64], link[160];

    (void)state;
    snprintf(link, sizeof link, "%s-link", file.path);
    assert_int_equal(symlink(file.path, link), 0);
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        snprintf(path, sizeof path, "%s%s", file.path, suffixes[i]);
        snprintf(why, sizeof why, "its %s is no regular file", suffixes[i]);
        assert_int_equal(mkfifo(path, 0600), 0);
        is_refused(why);
        assert_null(results_open(link, false, file.error));
        assert_non_null(strstr(file.error, why));
        unlink(path);
    }
    unlink(link);
}

/* What a finished file was closed with; only who may write can put it right. */
static void a_journal_that_is_left(void **state)
{
    static const char head[] = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7\xff\xff\xff\xff";
    char path[160], page[4096] = {0};
    FILE *out;

    (void)state;
    snprintf(path, sizeof path, "%s-journal", file.path);
    out = fopen(path, "w");
    assert_non_null(out);
    memcpy(page, head, sizeof head - 1);
    assert_int_equal(fwrite(page, 1, sizeof page, out), sizeof page);
    fclose(out);
    assert_null(results_open(file.path, false, file.error));
    assert_non_null(strstr(file.error, "it was not closed in order"));
    unlink(path);
}

static void cut_short(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(stat(file.path, &status), 0);
    assert_int_equal(truncate(file.path, status.st_size / 2), 0);
    assert_null(results_open(file.path, false, file.error));
}

/* ---- what is added ---- */

static void additions_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(shell("CREATE TABLE mine (x); CREATE VIEW v AS SELECT * FROM domain;"
                           "CREATE INDEX i ON domain (verdict)"),
                     SQLITE_OK);
    file.results = results_open(file.path, true, file.error);
    assert_non_null(file.results);
}

/* SQLite would need 2^40 steps to say what columns the view has. */
static void views_that_never_end(void **state)
{
    char sql[4096] = "CREATE VIEW v AS WITH a0(x) AS (SELECT 1)", more[80];

    (void)state;
    for (int i = 1; i <= 40; i++) {
        snprintf(more, sizeof more, ", a%d(x) AS (SELECT p.x FROM a%d p, a%d)", i, i - 1, i - 1);
        strcat(sql, more);
    }
    strcat(sql, " SELECT x FROM a40");
    assert_int_equal(shell(sql), SQLITE_OK);
    file.results = results_open(file.path, false, file.error);
    assert_non_null(file.results);
}

/* SQLite's words name what it could not read. */
static void errors_are_printable(void **state)
{
    (void)state;
    file_reopen(&file, false);
    assert_int_equal(shell("PRAGMA writable_schema = on; INSERT INTO sqlite_schema VALUES "
                           "('index', char(27) || '[31m', 'domain', 0, 'CREATE INDEX x')"),
                     SQLITE_OK);
    assert_false(results_attach(file.results, file.path, "old", file.error));
    assert_non_null(strstr(file.error, "malformed database schema (\\x1b[31m)"));
}

static void triggers_do_not_run(void **state)
{
    int64_t id;

    (void)state;
    assert_int_equal(shell("CREATE TRIGGER t AFTER UPDATE ON run BEGIN DELETE FROM domain; END;"
                           "CREATE TRIGGER u AFTER INSERT ON run BEGIN DELETE FROM domain; END;"
                           "CREATE TRIGGER w AFTER UPDATE ON domain BEGIN DELETE FROM host; END"),
                     SQLITE_OK);
    file.results = results_open(file.path, true, file.error);
    assert_non_null(file.results);
    assert_true(results_find(file.results, "example.com", &id));
    must(&file, results_put_verdict(file.results, id, &(struct verdict){0}, "x"));
    must(&file, results_set_run(file.results, &(struct results_run){.list = "x"}));
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM host"), 2);
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM domain"), 1);
}

/* ---- values ---- */

static const char *const values[] = {
    "NULL",
    "x'00ff00ff'",
    "''",
    "'no word of ours'",
    "CAST(x'610062' AS TEXT)", /* a NUL inside */
    "CAST(x'fffefdfc' AS TEXT)",
    "-1",
    "9223372036854775807",
    "9e999",
    "hex(zeroblob(50000))",
};

static bool take_any(void *context, const struct results_value *row, int count)
{
    for (int i = 0; i < count; i++)
        *(uint64_t *)context += row[i].type == RESULTS_TEXT ? strlen(row[i].text) : row[i].length;
    return true;
}

static bool take_pair(void *context, const struct results_pair *pair)
{
    *(uint64_t *)context += strlen(pair->name) + pair->tlsa_count;
    return true;
}

static void read_addresses(struct results *results, int64_t id, uint64_t *sum)
{
    struct results_handshake handshakes[RESULTS_HANDSHAKES_MAX];

    arena_reset(arena);
    results_handshakes(results, id, arena, handshakes);
    results_each_pair(results, id, take_pair, sum);
    if (results_next(results, UNIT_ADDRESS, id - 1, &(struct unit){0}, 1) < 0)
        assert_true(results_error(results)[0] != '\0');
}

struct ids {
    int64_t ids[8];
    int count;
};

static bool take_id(void *context, const struct results_value *row, int count)
{
    struct ids *ids = context;

    if (count == 1 && ids->count < 8)
        ids->ids[ids->count++] = row[0].number;
    return true;
}

/* All that reads. */
static void read_all(struct results *results)
{
    static const char *const tables[] = {"run",
                                         "domain",
                                         "domain_mx",
                                         "policy",
                                         "host",
                                         "tlsa",
                                         "sni",
                                         "host_address",
                                         "address",
                                         "chain",
                                         "chain_certificate",
                                         "certificate"};
    struct ids domains = {.count = 0}, addresses = {.count = 0};
    struct unit units[8];
    uint64_t sum = 0;
    int64_t all, done;

    for (int kind = 0; kind < UNIT_KIND_COUNT; kind++) {
        results_next(results, (enum unit_kind)kind, 0, units, 8);
        results_count(results, (enum unit_kind)kind, &all, &done);
    }
    results_query(results, "SELECT id FROM domain", NULL, 0, take_id, &domains);
    results_query(results, "SELECT id FROM address", NULL, 0, take_id, &addresses);
    for (int i = 0; i < domains.count; i++) {
        struct evidence evidence;
        struct verdict verdict;

        arena_reset(arena);
        decide_domain(results, domains.ids[i], arena, &evidence, &verdict);
    }
    for (int i = 0; i < addresses.count; i++)
        read_addresses(results, addresses.ids[i], &sum);
    for (size_t i = 0; i < COUNT(tables); i++) {
        char sql[64];

        snprintf(sql, sizeof sql, "SELECT * FROM %s", tables[i]);
        results_query(results, sql, NULL, 0, take_any, &sum);
    }
}

/* All that writes. */
static void go_on(struct results *results, bool to_the_end)
{
    static struct tls_context *context;
    struct unit units[8];
    int64_t after = 0, id;
    bool more;
    int count;

    for (int kind = 0; kind < UNIT_ADDRESS; kind++) {
        count = results_next(results, (enum unit_kind)kind, 0, units, 8);
        for (int i = 0; i < count; i++) {
            struct unit_result *result = result_new(&units[i]);

            result->domain = arena_alloc(result->arena, sizeof *result->domain);
            result->host = arena_alloc(result->arena, sizeof *result->host);
            results_put(results, result);
            unit_result_free(result);
        }
    }
    if (results_find(results, "example.com", &id))
        judge_address(results, context, id, NULL);
    decide_some(results, &after, &more);
    if (to_the_end)
        results_finish(results, MAKE_AT);
}

#define MAKE_STRICT                                                                                \
    "PRAGMA writable_schema = on;"                                                                 \
    "UPDATE sqlite_schema SET sql = CASE WHEN sql LIKE '%) WITHOUT ROWID' "                        \
    "THEN replace(sql, ') WITHOUT ROWID', ') STRICT, WITHOUT ROWID') "                             \
    "ELSE sql || ' STRICT' END WHERE type = 'table'"

/* Into a file of ours, or refused: then there is no file. */
static void merge_it(void)
{
    const char *paths[] = {file.path, file.path};
    struct results *merged;
    bool unwritten;
    char out[128];

    snprintf(out, sizeof out, "%s/out.db", file.folder);
    merged = results_merge(out, paths, 2, &unwritten, file.error);
    if (merged != NULL)
        read_all(merged);
    else
        assert_int_equal(access(out, F_OK), -1);
    results_close(merged);
    unlink(out);
}

/* Sets a column of every row. */
static void set_column(const char *table, const char *column, const char *value)
{
    char sql[1024];

    snprintf(sql, sizeof sql, "UPDATE OR REPLACE %s SET %s = %s", table, column, value);
    shell_both(sql, MAKE_STRICT); /* the first fails where a column must not be NULL */
}

struct columns {
    struct {
        char table[32], name[32];
    } all[200];
    size_t count;
};

static int take_column(void *context, int count, char **texts, char **names)
{
    struct columns *columns = context;

    (void)count;
    (void)names;
    assert_true(columns->count < 200);
    snprintf(columns->all[columns->count].table, 32, "%s", texts[0]);
    snprintf(columns->all[columns->count++].name, 32, "%s", texts[1]);
    return 0;
}

static void any_value_in_any_column(void **state)
{
    static struct columns columns;
    size_t opened = 0;
    sqlite3 *db;

    (void)state;
    columns.count = 0;
    assert_int_equal(sqlite3_open(file.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "SELECT m.name, x.name FROM sqlite_schema m, "
                                  "pragma_table_info(m.name) x WHERE m.type = 'table'",
                                  take_column, &columns, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_true(columns.count > 100);
    for (size_t i = 0; i < columns.count; i++)
        for (size_t j = i % 2; j < COUNT(values); j += 2) { /* every other one: it takes time */
            tear_down(NULL);
            set_up(NULL);
            overwrite(loose.data, loose.length);
            set_column(columns.all[i].table, columns.all[i].name, values[j]);
            file.results = results_open(file.path, (i + j) % 10 == 0, file.error);
            if (file.results == NULL)
                continue; /* of run only */
            opened++;
            read_all(file.results);
            if ((i + j) % 7 == 3)
                merge_it();
            if ((i + j) % 10 == 0)
                go_on(file.results, (i + j) % 50 == 0);
        }
    assert_true(opened > columns.count * (COUNT(values) / 2 - 1));
}

/* A row that is larger than RESULTS_VALUE_MAX is not read, whatever it is for. */
static void rows_that_are_too_large(void **state)
{
    static const char *const columns[][2] = {
        {"domain", "name"}, {"policy", "lines"}, {"host", "name"}, {"certificate", "der"}};
    struct evidence evidence;
    int64_t id;

    (void)state;
    for (size_t i = 0; i < COUNT(columns); i++) {
        tear_down(NULL);
        set_up(NULL);
        overwrite(loose.data, loose.length);
        set_column(columns[i][0], columns[i][1], "hex(zeroblob(2100000))");
        file.results = results_open(file.path, false, file.error);
        assert_non_null(file.results);
        read_all(file.results);
        if (i > 0 && i < 3) {
            assert_true(results_find(file.results, "example.com", &id));
            assert_false(results_evidence(file.results, id, 1, arena, &evidence));
            assert_non_null(strstr(results_error(file.results), "too big"));
        }
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(no_database),
        TEST(pipes_beside_it),
        TEST(a_journal_that_is_left),
        TEST(cut_short),
        TEST(additions_are_left_alone),
        TEST(views_that_never_end),

        TEST(errors_are_printable),
        TEST(triggers_do_not_run),
        TEST(any_value_in_any_column),
        TEST(rows_that_are_too_large),
    };

    int failed;

    ROWS_ADD(refused_rows, refused);
    failed = cmocka_run_group_tests_name("results_hostile", tests, NULL, NULL) +
             rows_run("results_hostile, refused");
    buf_fini(&strict);
    buf_fini(&loose);
    return failed;
}
