/* results_known: hosts that are known to be in the file are in it. */
#include "tests/unit/survey/results/results_make.h"

#define HOSTS 3000 /* more than there are places */

static struct results_file file;

static void make(void)
{
    struct results_run run = make_run();

    file_make(&file, &run);
}

/* A domain with one MX host. */
static void put_hosted(const char *name, const char *host)
{
    struct unit unit = {.kind = UNIT_DOMAIN};
    struct unit_result *result;
    struct evidence *evidence;

    snprintf(unit.name, sizeof unit.name, "%s", name);
    must(&file, results_find(file.results, unit.name, &unit.id));
    result = result_new(&unit);
    result->domain = arena_alloc(result->arena, sizeof *result->domain);
    evidence = &result->domain->evidence;
    evidence->mx = MX_LISTED;
    evidence->hosts = arena_alloc(result->arena, sizeof *evidence->hosts);
    evidence->hosts[0].name = arena_strdup(result->arena, host);
    evidence->host_count = 1;
    put_and_free(&file, result);
}

static void a_host_that_was_rolled_back(void **state)
{
    (void)state;
    make();
    add_domain(&file, "a.example");
    add_domain(&file, "b.example");
    must(&file, results_commit(file.results));
    put_hosted("a.example", "mx.example.net");
    results_rollback(file.results);
    put_hosted("b.example", "mx.example.net");
    must(&file, results_commit(file.results));
    file_has(&file,
             "SELECT d.name, h.name FROM domain d JOIN domain_mx m ON m.domain = d.id "
             "LEFT JOIN host h ON h.id = m.host",
             "b.example|mx.example.net\n");
    file_remove(&file);
}

static void many_hosts(void **state)
{
    char name[64], host[64];

    (void)state;
    make();
    for (int i = 0; i < 2 * HOSTS; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        add_domain(&file, name);
    }
    for (int i = 0; i < 2 * HOSTS; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        snprintf(host, sizeof host, "mx%d.example.net", i % 3 == 0 ? i % 7 : i % HOSTS);
        put_hosted(name, host);
    }
    file_has(&file,
             "SELECT count(*), count(DISTINCT m.domain), count(h.id) FROM domain_mx m "
             "LEFT JOIN host h ON h.id = m.host",
             "6000|6000|6000\n");
    file_has(&file, "SELECT count(*), count(DISTINCT name) FROM host", "2003|2003\n");
    file_has(&file,
             "SELECT count(*) FROM domain d JOIN domain_mx m ON m.domain = d.id JOIN host h ON "
             "h.id = m.host WHERE substr(d.name, 2, length(d.name) - 9) % 3 <> 0 AND h.name <> "
             "'mx' || (substr(d.name, 2, length(d.name) - 9) % 3000) || '.example.net'",
             "0\n");
    file_remove(&file);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_was_rolled_back),
        cmocka_unit_test(many_hosts),
    };

    return cmocka_run_group_tests_name("results_known", tests, NULL, NULL);
}
