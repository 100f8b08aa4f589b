/* The shares that domains have of their operators: 1 / the operator's domains that mail can be sent
 * to, whether they were written with the verdicts or in the end. */
#include "tests/unit/survey/results/results_world.h"

#include <sys/wait.h>

static void operators_have_shares(void **state)
{
    struct results_run run = make_run();

    (void)state;
    file_make(&file, &run);
    survey(&(struct way){.commit = 100, .kill = -1});
    assert_int_equal(
        number_of_file(&file,
                       "SELECT count(*) FROM (SELECT sum(operator_share) AS s FROM domain "
                       "WHERE operator IS NOT NULL GROUP BY operator) WHERE abs(s - 1) > 1e-9"),
        0);
    assert_int_equal(number_of_file(&file, "SELECT count(DISTINCT operator) FROM domain"), 7);
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM domain WHERE operator IS NULL "
                                           "AND operator_share IS NULL"),
                     DOMAINS / 10);
    file_has(
        &file,
        "SELECT DISTINCT operator FROM host WHERE name IN ('mx0.o3.example', 'mx1.o3.example')",
        "o3.example\n");
    file_remove(&file);
}

/* Shares are of mail domains: those that no mail can be sent to have no part of their operator. */
static void operators_of_mail_domains(void **state)
{
    struct results_run run = make_run();
    struct sql *sql;

    (void)state;
    file_make(&file, &run);
    survey(&(struct way){.commit = 100, .kill = -1});
    assert_true(number_of_file(&file, "SELECT count(*) FROM mail_domain "
                                      "WHERE operator = 'o3.example'") > 3);
    file_reopen(&file, false);
    assert_true(sql_open(&sql, file.path, SQL_WRITE));
    assert_true(sql_run(sql, "UPDATE domain SET reason = 'no-mx-host' "
                             "WHERE operator = 'o3.example' AND id > "
                             "(SELECT min(id) FROM domain WHERE operator = 'o3.example')"));
    sql_close(sql);
    file_reopen(&file, true);
    must(&file, results_finish(file.results, MAKE_AT));
    file_has(&file,
             "SELECT count(*), sum(operator_share) = 1 FROM mail_domain "
             "WHERE operator = 'o3.example'",
             "1|1\n");
    file_has(&file,
             "SELECT count(DISTINCT operator) = round(sum(operator_share), 9) FROM mail_domain",
             "1\n");
    file_remove(&file);
}

/* What one domain's verdict takes from an operator is counted again, and nothing else is. */
static void shares_come_with_verdicts(void **state)
{
    struct results_run run = make_run();
    struct buf want, got;

    (void)state;
    undisturbed(&want);
    file_make(&file, &run);
    survey(&(struct way){.commit = 10, .kill = -1, .counted = true});
    dump_all(&got);
    assert_string_equal(buf_text(&got), buf_text(&want));
    assert_true(number_of_file(&file, "SELECT count(*) FROM domain WHERE operator = 'o5.example' "
                                      "AND reason = 'no-mx-host' AND operator_share IS NULL") > 0);
    assert_true(number_of_file(&file, "SELECT count(*) FROM mail_domain "
                                      "WHERE operator = 'o5.example'") > 0);
    file_remove(&file);
    buf_fini(&got);
    buf_fini(&want);
}

/* In a child: writes the first `count` verdicts, with their shares, and is killed. */
static void decide_and_die(int count)
{
    struct decisions *decisions = decisions_new();
    int64_t after = 0;

    file.results = results_open(file.path, true, file.error);
    if (file.results == NULL)
        _exit(1);
    written = 0;
    look_all_up(&(struct way){.commit = 100, .kill = -1});
    must(&file, results_count_operators(file.results));
    must(&file, decisions_next(decisions, file.results, &after));
    must(&file, decisions_make(decisions, file.results));
    assert_true(decisions->count >= count);
    decisions->count = count;
    must(&file, decisions_put(decisions, file.results));
    must(&file, results_commit(file.results));
    raise(SIGKILL);
}

static void killed_among_verdicts(void **state)
{
    static const int counts[] = {0, 1, DOMAINS / 2, DOMAINS};
    struct results_run run = make_run();
    struct buf want, got;
    int status;
    pid_t child;

    (void)state;
    undisturbed(&want);
    for (size_t i = 0; i < COUNT(counts); i++) {
        file_make(&file, &run);
        must(&file, results_close(file.results));
        child = fork();
        if (child == 0)
            decide_and_die(counts[i]);
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        file.results = results_open(file.path, true, file.error);
        assert_non_null(file.results);
        assert_int_equal(number_of_file(&file, "SELECT count(verdict) FROM domain"), counts[i]);
        survey(&(struct way){.commit = 10, .kill = -1, .counted = true});
        dump_all(&got);
        assert_string_equal(buf_text(&got), buf_text(&want));
        buf_fini(&got);
        file_remove(&file);
    }
    buf_fini(&want);
}

/* A domain that gets no verdict, and one that comes after they were counted. */
static void shares_of_what_changes(void **state)
{
    static const char *const right =
        "SELECT count(*) FROM mail_domain WHERE operator_share IS NOT 1.0 / (SELECT count(*) FROM "
        "mail_domain o WHERE o.operator = mail_domain.operator)";
    struct results_run run = make_run();
    int64_t after = 0, id;
    struct unit unit;
    bool more = true;

    (void)state;
    file_make(&file, &run);
    for (int i = 1; i < 9; i++)
        add_domain(&file,
                   (char[]){'d', (char)('0' + i), '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0});
    written = 0;
    phase(&(struct way){.commit = 100, .kill = -1}, UNIT_DOMAIN);
    phase(&(struct way){.commit = 100, .kill = -1}, UNIT_HOST);
    must(&file, results_count_operators(file.results));
    must(&file, results_undecided(file.results, 0, &id, 1) == 1);
    must(&file, results_put_no_share(file.results, id));
    after = id;
    while (more)
        must(&file, decide_some(file.results, &after, &more));
    must(&file, results_finish(file.results, MAKE_AT));
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM mail_domain"), 7);
    assert_int_equal(number_of_file(&file, right), 0);
    add_domain(&file, "d15.example"); /* of o1, as d1 and d8 */
    unit = unit_of(&file, UNIT_DOMAIN, "d15.example");
    must(&file, results_count_operators(file.results));
    put_and_free(&file, domain_of(&unit));
    after = 0;
    must(&file, decide_some(file.results, &after, &more));
    must(&file, results_finish(file.results, MAKE_AT));
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM mail_domain"), 9);
    assert_int_equal(number_of_file(&file, right), 0);
    file_remove(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_have_shares),     cmocka_unit_test(operators_of_mail_domains),
        cmocka_unit_test(shares_come_with_verdicts), cmocka_unit_test(killed_among_verdicts),
        cmocka_unit_test(shares_of_what_changes),
    };

    return cmocka_run_group_tests_name("results_shares", tests, NULL, NULL);
}
