/*
 * results_host: a host as it is in the file, for the evidence of its domains. Many domains have the
 * same hosts, so those that were read last are kept, HOSTS_MAX of them, until something is written.
 *
 * Texts of another's file that are too long, and words that are none, are taken for unknown.
 */
#include "survey/results/results_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define HOSTS_MAX       2048
#define ADDRESSES_MAX   (2 * EVIDENCE_ADDRESSES_MAX) /* as many as the statements give */
#define ARENA_MAX       ((size_t)64 * 1024 * 1024)
#define OCTETS_MAX      ((size_t)4 * 1024 * 1024) /* when all are forgotten; one host is small */
#define WORD_MAX_OCTETS 100

/* In the arena. */
struct known_host {
    struct hashmap_link link;
    int64_t id; /* the key */
    struct mx_host host;
};

struct placed_address {
    int64_t position;
    struct mx_address address;
};

struct results_hosts {
    struct hashmap by_id;
    struct arena *arena;                            /* owned */
    struct placed_address addresses[ADDRESSES_MAX]; /* of the one that is read */
};

struct results_hosts *results_hosts_new(void)
{
    struct results_hosts *hosts = calloc(1, sizeof *hosts);

    if (hosts == NULL)
        return NULL;
    hosts->arena = arena_new(ARENA_MAX);
    if (hosts->arena == NULL) {
        free(hosts);
        return NULL;
    }
    hashmap_init(&hosts->by_id,
                 offsetof(struct known_host, id) - offsetof(struct known_host, link));
    return hosts;
}

void results_hosts_free(struct results_hosts *hosts)
{
    if (hosts == NULL)
        return;
    hashmap_fini(&hosts->by_id);
    arena_free(hosts->arena);
    free(hosts);
}

void results_hosts_forget(struct results *results)
{
    struct results_hosts *hosts = results->hosts;

    if (hosts->by_id.count == 0)
        return;
    hashmap_fini(&hosts->by_id);
    hashmap_init(&hosts->by_id,
                 offsetof(struct known_host, id) - offsetof(struct known_host, link));
    arena_reset(hosts->arena);
}

void results_hosts_tidy(struct results *results)
{
    if (results->hosts->by_id.count >= HOSTS_MAX ||
        arena_octets(results->hosts->arena) > OCTETS_MAX)
        results_hosts_forget(results);
}

/* ---- addresses ---- */

static void take_result(struct arena *arena, struct sql_statement *row, struct starttls_result *out)
{
    *out = (struct starttls_result){.state = row_word(row, 3, &results_starttls_words)};
    out->chain_ok = row_is(row, 4);
    out->name_ok = row_is(row, 5);
    out->expired = row_is(row, 6);
    out->tlsa = row_word(row, 7, &results_match_words);
    out->code = (int)(row_number(row, 8, 0) % 1000);
    out->detail = row_text_copy(row, 9, RESULTS_TEXT_MAX, arena);
    if (out->state < STARTTLS_TLS)
        return;
    out->protocol = row_text_copy(row, 10, WORD_MAX_OCTETS, arena);
    out->cipher = row_text_copy(row, 11, WORD_MAX_OCTETS, arena);
    out->requiretls = row_is(row, 12);
    out->subject = row_text_copy(row, 13, RESULTS_TEXT_MAX, arena);
    out->not_after = row_number(row, 14, 0);
}

static int by_position(const void *a, const void *b)
{
    const struct placed_address *one = a, *other = b;

    return (one->position > other->position) - (one->position < other->position);
}

/* In the arena, in the order of their positions: few, so that this costs less than ORDER BY. */
static void keep_addresses(struct results_hosts *hosts, size_t count, struct mx_host *host)
{
    struct mx_address *addresses = arena_array(hosts->arena, count, sizeof *addresses);

    if (count > 1)
        qsort(hosts->addresses, count, sizeof *hosts->addresses, by_position);
    for (size_t i = 0; addresses != NULL && i < count; i++)
        addresses[i] = hosts->addresses[i].address;
    host->addresses = addresses;
    host->address_count = addresses == NULL ? 0 : count;
}

static bool read_addresses(struct results *results, int64_t id, struct mx_host *host)
{
    struct results_hosts *hosts = results->hosts;
    struct sql_value value = value_number(id);
    const bool probed = results->run.verdict.probe; /* else no result counts */
    struct sql_statement *row = results_select(
        results, probed ? RESULTS_EVIDENCE_ADDRESSES : RESULTS_EVIDENCE_ADDRESSES_ALONE, &value, 1);
    enum sql_step step = SQL_ERROR;
    size_t count = 0;

    while (row != NULL && count < ADDRESSES_MAX && (step = results_row(results, row)) == SQL_ROW) {
        struct placed_address *placed = &hosts->addresses[count];
        const char *ip = row_text(row, 0, IP_TEXT_MAX);

        *placed = (struct placed_address){.position = row_number(row, 2, 0)};
        if (ip == NULL || !ip_parse(&placed->address.ip, ip))
            continue;
        placed->address.secure = row_is(row, 1);
        if (probed)
            take_result(hosts->arena, row, &placed->address.starttls);
        count++;
    }
    if (row != NULL)
        sql_reset(row);
    keep_addresses(hosts, count, host);
    return step != SQL_ERROR;
}

/* ---- the host ---- */

static void take_host(struct arena *arena, struct sql_statement *row, struct mx_host *out)
{
    out->name = row_text_copy(row, 0, HOSTNAME_MAX, arena);
    out->dane = row_word(row, 1, &results_dane_words);
    out->address_secure = row_is(row, 2);
    out->addresses_known = row_is(row, 3);
    out->tlsa_base = row_text_copy(row, 4, HOSTNAME_MAX, arena);
    out->tlsa_short = row_is(row, 5);
    out->tlsa_truncated = row_is(row, 6);
    out->expanded = row_text_copy(row, 7, HOSTNAME_MAX, arena);
    out->ttl = row_ttl(row, 8);
    out->why = row_text_copy(row, 9, RESULTS_TEXT_MAX, arena);
}

static bool read_tlsa(struct results *results, int64_t id, struct mx_host *host)
{
    const struct tlsa *tlsa;

    if (host->dane != HOST_DANE_USABLE && host->dane != HOST_DANE_UNUSABLE)
        return true;
    if (!results_read_tlsa(results, id, results->hosts->arena, &tlsa, &host->tlsa_count))
        return false;
    host->tlsa = arena_memdup(results->hosts->arena, tlsa, host->tlsa_count * sizeof *tlsa);
    return true;
}

static bool read_host(struct results *results, struct known_host *known)
{
    struct sql_value value = value_number(known->id);
    struct sql_statement *row = results_select(results, RESULTS_EVIDENCE_HOST, &value, 1);
    enum sql_step step = row == NULL ? SQL_ERROR : results_row(results, row);

    if (step == SQL_ROW)
        take_host(results->hosts->arena, row, &known->host);
    if (row != NULL)
        sql_reset(row);
    return step != SQL_ERROR && read_tlsa(results, known->id, &known->host) &&
           read_addresses(results, known->id, &known->host);
}

bool results_host(struct results *results, int64_t id, const struct mx_host **out)
{
    struct results_hosts *hosts = results->hosts;
    struct hashmap_link *link = hashmap_find(&hosts->by_id, &id, sizeof id);
    struct known_host *known = link != NULL ? HASHMAP_ELEMENT(link, struct known_host, link) : NULL;

    if (known == NULL) {
        known = arena_alloc(hosts->arena, sizeof *known);
        if (known == NULL)
            return results_fail_with(results, "no memory");
        known->id = id;
        if (!read_host(results, known))
            return false;
        if (arena_failed(hosts->arena) || !hashmap_add(&hosts->by_id, &known->link, sizeof id))
            return results_fail_with(results, "no memory");
    }
    *out = known->host.name == NULL ? NULL : &known->host;
    return true;
}
