/*
 * results_writer: how fast a results file is written and read back: domains with two hosts of two
 * addresses each, some of them shared, no network.
 *
 * usage: results_writer FILE DOMAINS [OPERATORS [no-probe]]
 *   FILE must not exist. Every OPERATORS-th part of the domains (default: a tenth of them) has the
 *   same pair of hosts.
 *
 * Prints one line for each phase: what, rows, seconds, rows a second, processor time; then the peak
 * memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "survey/decide.h"
#include "survey/results/results.h"

#define BATCH    1000
#define UNITS    256
#define ANSWERED INT64_C(1700000000)

static struct results *results;
static int64_t operators;

static void must(bool ok)
{
    if (ok)
        return;
    fprintf(stderr, "results_writer: %s\n", results_error(results));
    exit(1);
}

/* When a phase began. */
struct phase {
    int64_t wall_ns, cpu_ns;
};

static struct phase phase_begin(void)
{
    return (struct phase){clock_monotonic_ns(), clock_thread_cpu_ns()};
}

static void say(const char *what, int64_t rows, const struct phase *began)
{
    double seconds = (double)(clock_monotonic_ns() - began->wall_ns) / 1e9;
    double cpu = (double)(clock_thread_cpu_ns() - began->cpu_ns) / 1e9;

    printf("%-9s %8" PRId64 " in %7.2f s: %8.0f a second; %5.1f us of processor each\n", what, rows,
           seconds, (double)rows / seconds, cpu * 1e6 / (double)rows);
    fflush(stdout);
}

static struct unit_result *result_of(const struct unit *unit)
{
    struct arena *arena = arena_new(1 << 20);
    struct unit_result *result = arena_alloc(arena, sizeof *result);

    *result = (struct unit_result){.unit = *unit, .arena = arena, .looked_at = ANSWERED};
    return result;
}

static struct unit_result *domain_result(const struct unit *unit)
{
    struct unit_result *result = result_of(unit);
    struct evidence *evidence;
    int64_t of = unit->id % operators;

    result->domain = arena_alloc(result->arena, sizeof *result->domain);
    evidence = &result->domain->evidence;
    evidence->mx = MX_LISTED;
    evidence->mx_ttl = 3600;
    evidence->host_count = 2;
    evidence->hosts = arena_array(result->arena, 2, sizeof *evidence->hosts);
    for (int i = 0; i < 2; i++) {
        evidence->hosts[i].name =
            arena_printf(result->arena, "mx%d.operator%" PRId64 ".example", i + 1, of);
        evidence->hosts[i].preference = (uint16_t)(10 * i);
    }
    evidence->sts = (struct sts_evidence){.state = STS_NO_RECORD, .ttl = UINT32_MAX};
    result->domain->tlsrpt.state = TLSRPT_NONE;
    return result;
}

static struct unit_result *host_result(const struct unit *unit)
{
    struct unit_result *result = result_of(unit);
    struct mx_host *host;

    result->host = arena_alloc(result->arena, sizeof *result->host);
    host = &result->host->host;
    host->dane = HOST_DANE_NONE;
    host->addresses_known = true;
    host->ttl = 3600;
    host->address_count = 2;
    host->addresses = arena_array(result->arena, 2, sizeof *host->addresses);
    for (int i = 0; i < 2; i++) {
        host->addresses[i].ip = (struct ip){4, {10}};
        memcpy(host->addresses[i].ip.octets + 1, (const char *)&unit->id + i, 3);
    }
    return result;
}

static struct unit_result *address_result(const struct unit *unit)
{
    struct unit_result *result = result_of(unit);

    result->address = arena_alloc(result->arena, sizeof *result->address);
    result->address->result = (struct starttls_result){.state = STARTTLS_CLEAR, .code = 250};
    result->address->greeting = "mail.example ESMTP Postfix";
    result->address->connections = 1;
    return result;
}

static void look_up(enum unit_kind kind, const char *what,
                    struct unit_result *(*make)(const struct unit *unit))
{
    static struct unit units[UNITS];
    const struct phase began = phase_begin();
    int64_t after = 0, rows = 0;
    int count;

    while ((count = results_next(results, kind, after, units, UNITS)) > 0) {
        for (int i = 0; i < count; i++) {
            struct unit_result *result = make(&units[i]);

            must(results_put(results, result));
            unit_result_free(result);
            after = units[i].id;
            if (++rows % (20 * BATCH) == 0)
                must(results_commit(results));
        }
    }
    must(count == 0 && results_commit(results));
    say(what, rows, &began);
}

static void add_names(int64_t count)
{
    const struct phase began = phase_begin();
    char name[64];
    bool is_new;

    for (int64_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "domain-number-%" PRId64 ".example", i);
        must(results_add_domain(results, name, 1, &is_new));
        if (i % (20 * BATCH) == 0)
            must(results_commit(results));
    }
    must(results_commit(results));
    say("names", count, &began);
}

static void decide(int64_t count)
{
    const struct phase began = phase_begin();
    int64_t after = 0;
    bool more = true;

    must(results_count_operators(results));
    for (int i = 0; more; i++) {
        must(decide_some(results, &after, &more));
        if (i % 64 == 0)
            must(results_commit(results));
    }
    must(results_commit(results));
    say("verdicts", count, &began);
}

static void look_up_addresses(void)
{
    struct phase began = phase_begin();

    must(results_index_addresses(results));
    say("indexes", 2, &began);
    look_up(UNIT_ADDRESS, "addresses", address_result);
}

int main(int argc, char **argv)
{
    const struct results_run run = {.list = "results_writer",
                                    .seed = 1,
                                    .shard = 1,
                                    .shards = 1,
                                    .dnssec = true,
                                    .verdict = {.dane = true, .probe = argc < 5, .verify = true},
                                    .began = ANSWERED};
    char error[RESULTS_ERROR_MAX];
    int64_t count = argc > 2 ? atoll(argv[2]) : 0;
    struct phase began;
    struct rusage usage;

    if (count < 1) {
        fprintf(stderr, "usage: results_writer FILE DOMAINS [OPERATORS [no-probe]]\n");
        return 2;
    }
    operators = argc > 3 ? atoll(argv[3]) : count / 10 + 1;
    results = results_create(argv[1], &run, error);
    if (results == NULL) {
        fprintf(stderr, "results_writer: %s\n", error);
        return 1;
    }
    add_names(count);
    look_up(UNIT_DOMAIN, "domains", domain_result);
    look_up(UNIT_HOST, "hosts", host_result);
    if (run.verdict.probe)
        look_up_addresses();
    decide(count);
    began = phase_begin();
    must(results_finish(results, ANSWERED));
    say("finish", count, &began);
    must(results_close(results));
    getrusage(RUSAGE_SELF, &usage);
    printf("memory    %ld KiB at most\n", usage.ru_maxrss);
    return 0;
}
