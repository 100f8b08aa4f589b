/*
 * A survey that is killed and goes on ends with the file of one that was not; so does one whose
 * answers come in another order. The world is made of the names alone.
 */
#include "tests/unit/survey/results/results_make.h"

#include <signal.h>
#include <sys/wait.h>

#include "survey/decide.h"
#include "survey/judge.h"

#define DOMAINS 120
#define UNITS   16

static struct results_file file;

static const char *const tables[] = {
    "SELECT * FROM run",
    "SELECT * FROM domain ORDER BY id",
    "SELECT * FROM domain_mx ORDER BY domain, host",
    "SELECT * FROM policy ORDER BY domain",
    "SELECT * FROM host ORDER BY id",
    "SELECT * FROM tlsa ORDER BY host, position",
    "SELECT * FROM host_address ORDER BY host, address",
    "SELECT * FROM address ORDER BY id",
    "SELECT * FROM sni ORDER BY address, name",
};

/* ---- the world ---- */

static struct unit_result *domain_of(const struct unit *unit)
{
    struct unit_result *result = result_new(unit);
    struct evidence *evidence;
    int n = atoi(unit->name + 1);

    result->domain = arena_alloc(result->arena, sizeof *result->domain);
    evidence = &result->domain->evidence;
    evidence->sts = (struct sts_evidence){.state = STS_NO_RECORD, .ttl = UINT32_MAX};
    evidence->mx = n % 10 == 0 ? MX_NXDOMAIN : MX_LISTED;
    evidence->host_count = n % 10 == 0 ? 0 : 1 + (size_t)n % 3;
    evidence->hosts = arena_array(result->arena, 3, sizeof *evidence->hosts);
    for (size_t i = 0; i < evidence->host_count; i++)
        evidence->hosts[i].name = arena_printf(result->arena, "mx%zu.o%d.example", i, n % 7);
    return result;
}

static struct unit_result *host_of(const struct unit *unit)
{
    static const uint8_t data[32] = {9};
    struct unit_result *result = result_new(unit);
    struct mx_host *host;

    result->host = arena_alloc(result->arena, sizeof *result->host);
    host = &result->host->host;
    host->dane = unit->name[2] == '1' ? HOST_DANE_USABLE : HOST_DANE_NONE;
    host->tlsa = arena_alloc(result->arena, sizeof *host->tlsa);
    host->tlsa[0] = (struct tlsa){3, 1, 1, true, 32, data};
    host->tlsa_count = unit->name[2] == '1';
    host->addresses_known = true;
    host->address_count = 2;
    host->addresses = arena_array(result->arena, 2, sizeof *host->addresses);
    for (size_t i = 0; i < 2; i++) /* all hosts of three operators share them */
        host->addresses[i].ip = (struct ip){4, {10, 0, (uint8_t)i, (uint8_t)(unit->name[5] / 3)}};
    return result;
}

static struct unit_result *address_of(const struct unit *unit)
{
    struct unit_result *result = result_new(unit);

    result->address = arena_alloc(result->arena, sizeof *result->address);
    result->address->result.state = unit->again              ? STARTTLS_SILENT
                                    : unit->ip.octets[3] % 2 ? STARTTLS_CLEAR
                                                             : STARTTLS_BROKEN;
    result->address->connections = 1;
    return result;
}

static struct unit_result *(*const worlds[])(const struct unit *unit) = {
    [UNIT_DOMAIN] = domain_of, [UNIT_HOST] = host_of, [UNIT_ADDRESS] = address_of};

/* ---- a survey ---- */

/* How it goes. */
struct way {
    bool backwards;  /* answers come in the opposite order */
    int commit;      /* after so many results */
    int kill;        /* before this result; -1: never */
    bool names_late; /* the list is read in the opposite order */
};

static int written;

static void put_one(const struct way *way, const struct unit *unit)
{
    struct unit_result *result;

    if (written++ == way->kill)
        raise(SIGKILL);
    result = worlds[unit->kind](unit);
    put_and_free(&file, result);
    if (unit->kind == UNIT_ADDRESS)
        must(&file, judge_address(file.results, NULL, unit->id));
    if (written % way->commit == 0)
        must(&file, results_commit(file.results));
}

static void phase(const struct way *way, enum unit_kind kind)
{
    struct unit units[UNITS];
    int64_t after = 0;
    int count, rounds = 0;

    do {
        count = results_next(file.results, kind, after, units, UNITS);
        assert_true(count >= 0);
        for (int i = 0; i < count; i++)
            put_one(way, &units[way->backwards ? count - 1 - i : i]);
        after = count == 0 ? 0 : units[count - 1].id;
        rounds += count == 0; /* what was wanted again is behind */
    } while (count > 0 || (kind == UNIT_ADDRESS && rounds < 6));
}

static void survey(const struct way *way)
{
    struct results_run run = *results_run(file.results);
    bool more = true;
    char name[32];

    for (int i = 0; !run.names_read && i < DOMAINS; i++) {
        snprintf(name, sizeof name, "d%d.example", way->names_late ? DOMAINS - 1 - i : i);
        add_domain(&file, name);
    }
    run.names_read = true;
    run.names = DOMAINS;
    must(&file, results_set_run(file.results, &run));
    must(&file, results_commit(file.results));
    for (int kind = 0; kind < UNIT_KIND_COUNT; kind++)
        phase(way, (enum unit_kind)kind);
    for (int64_t after = 0; more;)
        must(&file, decide_some(file.results, &after, &more));
    must(&file, results_finish(file.results, MAKE_AT + 1));
}

static void dump_all(struct buf *out)
{
    buf_init(out, 1 << 24);
    for (size_t i = 0; i < COUNT(tables); i++)
        file_dump(&file, tables[i], out);
}

static void undisturbed(struct buf *out)
{
    struct results_run run = make_run();

    written = 0;
    file_make(&file, &run);
    survey(&(struct way){.commit = 10, .kill = -1});
    dump_all(out);
    file_remove(&file);
}

/* ---- cases ---- */

static void answers_in_another_order(void **state)
{
    struct results_run run = make_run();
    struct buf want, got;

    (void)state;
    undisturbed(&want);
    file_make(&file, &run);
    survey(&(struct way){.backwards = true, .commit = 7, .kill = -1, .names_late = true});
    dump_all(&got);
    file_remove(&file);
    assert_string_equal(buf_text(&got), buf_text(&want));
    assert_true(strstr(buf_text(&want), "NOTFOUND") != NULL);
    buf_fini(&got);
    buf_fini(&want);
}

/* A child is killed in the middle of a batch; it says how many results it had written. */
static void run_and_kill(int at)
{
    int status;
    pid_t child;

    must(&file, results_close(file.results));
    child = fork();
    if (child == 0) {
        file.results = results_open(file.path, true, file.error);
        if (file.results == NULL)
            _exit(1);
        written = 0;
        survey(&(struct way){.commit = 10, .kill = at});
        _exit(0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    file.results = results_open(file.path, true, file.error);
    if (file.results == NULL)
        fail_msg("%s", file.error);
}

static void killed_again_and_again(void **state)
{
    struct results_run run = make_run();
    struct buf want, got;
    int64_t all, done, before = 0;

    (void)state;
    undisturbed(&want);
    file_make(&file, &run);
    for (int i = 0; i < 12; i++) {
        run_and_kill(15 + i);
        must(&file, results_count(file.results, UNIT_DOMAIN, &all, &done));
        assert_true(done >= before); /* nothing that was committed is lost */
        before = done;
    }
    assert_true(done > 0);
    written = 0;
    survey(&(struct way){.commit = 10, .kill = -1});
    dump_all(&got);
    file_remove(&file);
    assert_string_equal(buf_text(&got), buf_text(&want));
    buf_fini(&got);
    buf_fini(&want);
}

/* ---- operators ---- */

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

/* Of a shard: what another shard connects to is not decided here. */
static void a_shard_does_not_decide_for_others(void **state)
{
    struct results_run run = make_run();
    struct unit units[UNITS];
    int64_t after = 0;
    bool more;
    int count;

    (void)state;
    run.shards = 2;
    file_make(&file, &run);
    add_domain(&file, "d1.example");
    add_domain(&file, "d10.example"); /* it does not exist */
    written = 0;
    phase(&(struct way){.commit = 100, .kill = -1}, UNIT_DOMAIN);
    phase(&(struct way){.commit = 100, .kill = -1}, UNIT_HOST);
    count = results_next(file.results, UNIT_ADDRESS, 0, units, UNITS);
    assert_int_equal(count, 2);
    put_one(&(struct way){.commit = 100, .kill = -1}, &units[0]);
    must(&file, decide_some(file.results, &after, &more));
    assert_false(more);
    file_has(&file, "SELECT name FROM domain WHERE verdict IS NOT NULL", "d10.example\n");
    phase(&(struct way){.commit = 100, .kill = -1}, UNIT_ADDRESS);
    after = 0;
    must(&file, decide_some(file.results, &after, &more));
    assert_int_equal(number_of_file(&file, "SELECT count(verdict) FROM domain"), 2);
    file_remove(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_another_order),
        cmocka_unit_test(killed_again_and_again),
        cmocka_unit_test(operators_have_shares),
        cmocka_unit_test(a_shard_does_not_decide_for_others),
    };

    return cmocka_run_group_tests_name("results_order", tests, NULL, NULL);
}
