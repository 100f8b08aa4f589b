/*
 * results_world: a survey of a world that is made of the names alone, so that two of them can be
 * compared.
 */
#pragma once

#include "tests/unit/survey/results/results_make.h"

#include <signal.h>

#include "base/buf.h"
#include "base/sql/sql.h"
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
    "SELECT * FROM chain ORDER BY sha256",
    "SELECT * FROM chain_certificate ORDER BY chain, position",
    "SELECT * FROM certificate ORDER BY sha256",
};

/* ---- the world ---- */

static inline struct unit_result *domain_of(const struct unit *unit)
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

static inline struct unit_result *host_of(const struct unit *unit)
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
    if (strcmp(unit->name, "mx0.o5.example") == 0) { /* the only one of some domains */
        host->dane = HOST_DANE_DEAD;
        return result;
    }
    host->address_count = 2;
    host->addresses = arena_array(result->arena, 2, sizeof *host->addresses);
    for (size_t i = 0; i < 2; i++) /* all hosts of three operators share them */
        host->addresses[i].ip = (struct ip){4, {10, 0, (uint8_t)i, (uint8_t)(unit->name[5] / 3)}};
    return result;
}

static inline struct unit_result *address_of(const struct unit *unit)
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
    bool backwards;         /* answers come in the opposite order */
    int commit;             /* after so many results */
    int kill;               /* before this result; -1: never */
    bool names_late;        /* the list is read in the opposite order */
    unsigned shard, shards; /* which addresses are connected to; 0, 0: all */
    bool counted;           /* operators are counted before the verdicts */
};

static int written;

static inline void put_one(const struct way *way, const struct unit *unit)
{
    struct unit_result *result;

    if (unit->kind == UNIT_ADDRESS && way->shards > 0 &&
        unit->ip.octets[2] % way->shards != way->shard)
        return;
    if (written++ == way->kill)
        raise(SIGKILL);
    result = worlds[unit->kind](unit);
    put_and_free(&file, result);
    if (unit->kind == UNIT_ADDRESS)
        must(&file, judge_address(file.results, NULL, unit->id, NULL));
    if (written % way->commit == 0)
        must(&file, results_commit(file.results));
}

static inline void phase(const struct way *way, enum unit_kind kind)
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

/* All that comes before the verdicts. */
static inline void look_all_up(const struct way *way)
{
    struct results_run run = *results_run(file.results);
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
}

static inline void survey(const struct way *way)
{
    bool more = true;

    look_all_up(way);
    if (way->counted)
        must(&file, results_count_operators(file.results));
    for (int64_t after = 0; more;)
        must(&file, decide_some(file.results, &after, &more));
    must(&file, results_finish(file.results, MAKE_AT + 1));
}

static inline void dump_all(struct buf *out)
{
    buf_init(out, 1 << 24);
    for (size_t i = 0; i < COUNT(tables); i++)
        file_dump(&file, tables[i], out);
}

static inline void undisturbed(struct buf *out)
{
    struct results_run run = make_run();

    written = 0;
    file_make(&file, &run);
    survey(&(struct way){.commit = 10, .kill = -1});
    dump_all(out);
    file_remove(&file);
}
