/* A results file of anybody's: opened or refused, and all of it read. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "survey/decide.h"
#include "survey/results/results.h"

#define IDS_MAX 16

static char path[64], error[RESULTS_ERROR_MAX];

struct ids {
    int64_t ids[IDS_MAX];
    int count;
};

static bool take_id(void *context, const struct results_value *values, int count)
{
    struct ids *ids = context;

    CHECK(count == 1);
    ids->ids[ids->count++] = values[0].number;
    return ids->count < IDS_MAX;
}

static bool take_row(void *context, const struct results_value *values, int count)
{
    for (int i = 0; i < count; i++)
        if (values[i].type == RESULTS_TEXT)
            CHECK(strlen(values[i].text) == values[i].length);
    return ++*(int *)context < 100;
}

static bool take_pair(void *context, const struct results_pair *pair)
{
    CHECK(pair->name != NULL && pair->sni != NULL && pair->tlsa_count <= EVIDENCE_TLSA_MAX);
    return ++*(int *)context < 100;
}

static void read_domain(struct results *results, int64_t id, struct arena *arena)
{
    struct evidence evidence;
    struct verdict verdict;

    arena_reset(arena);
    if (!decide_domain(results, id, arena, &evidence, &verdict))
        return;
    CHECK(evidence.host_count <= EVIDENCE_MX_MAX && evidence.domain != NULL);
    for (size_t i = 0; i < evidence.host_count; i++)
        CHECK(evidence.hosts[i].address_count <= 2 * EVIDENCE_ADDRESSES_MAX);
}

static void read_address(struct results *results, int64_t id, struct arena *arena)
{
    struct results_handshake handshakes[RESULTS_HANDSHAKES_MAX];
    int rows = 0;

    arena_reset(arena);
    for (int i = results_handshakes(results, id, arena, handshakes); i > 0; i--)
        CHECK(handshakes[i - 1].sni != NULL);
    results_each_pair(results, id, take_pair, &rows);
}

static void read_all(struct results *results, struct arena *arena)
{
    static const char *const tables[] = {"run",  "domain", "domain_mx",    "policy",
                                         "host", "tlsa",   "host_address", "address",
                                         "sni",  "chain",  "certificate",  "chain_certificate"};
    struct ids domains = {.count = 0}, addresses = {.count = 0};
    struct unit units[IDS_MAX];
    char sql[64];

    for (int kind = 0; kind < UNIT_KIND_COUNT; kind++)
        CHECK(results_next(results, (enum unit_kind)kind, 0, units, IDS_MAX) <= IDS_MAX);
    results_query(results, "SELECT id FROM domain", NULL, 0, take_id, &domains);
    results_query(results, "SELECT id FROM address", NULL, 0, take_id, &addresses);
    for (int i = 0; i < domains.count; i++)
        read_domain(results, domains.ids[i], arena);
    for (int i = 0; i < addresses.count; i++)
        read_address(results, addresses.ids[i], arena);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        int rows = 0;

        snprintf(sql, sizeof sql, "SELECT * FROM %s", tables[i]);
        results_query(results, sql, NULL, 0, take_row, &rows);
    }
}

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char name[80];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    struct results *results;
    FILE *file;

    if (arena == NULL) {
        snprintf(path, sizeof path, "/dev/shm/mxc-fuzz-results-%d", (int)getpid());
        arena = arena_new(16 << 20);
        CHECK(arena != NULL && atexit(remove_files) == 0);
    }
    file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
    results = results_open(path, false, error);
    if (results != NULL)
        read_all(results, arena);
    results_close(results);
    remove_files();
    return 0;
}
