/*
 * probe_table: see probe_table.h. A map of entries (probe_entry.h) and a list by last use. An entry
 * stays after its result has lapsed, because the back-off counts on.
 */
#include "probe/smtp/probe_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/hash.h"
#include "probe/smtp/probe_entry.h"

#define DOUBLINGS_MAX 20

struct probe_table {
    struct hashmap entries; /* owned */
    struct list ages;
    size_t entries_max;
    int64_t good_ms, retry_min_ms, retry_max_ms;
    /* Monotonic ms: certificates judged before `judged_after` count no longer than until
     * `judged_at`. */
    int64_t judged_after, judged_at;
    struct probe_saved shown; /* what probe_table_get gives: an entry unpacked */
};

/* ---- lifetimes ---- */

/* `ms` and up to 10 % more or less, so that what was learnt together is not asked again together.
 */
static int64_t vary(int64_t ms, const struct probe_key *key, int64_t now_ms)
{
    uint64_t seed[2] = {hash_bytes(key->octets, key->length), (uint64_t)now_ms};
    int64_t per_mille = (int64_t)(hash_bytes(seed, sizeof seed) % 201) - 100;

    return ms + ms / 1000 * per_mille + ms % 1000 * per_mille / 1000;
}

static bool is_good(enum starttls state)
{
    return state == STARTTLS_TLS || state == STARTTLS_VERIFIED || state == STARTTLS_CLEAR;
}

/* True for what trust anchors had a say in. */
static bool is_judged(enum starttls state)
{
    return state == STARTTLS_TLS || state == STARTTLS_VERIFIED;
}

/* How long a result lives; counts the failures on. */
static int64_t lifetime_ms(const struct probe_table *table, enum starttls state, bool failed_here,
                           unsigned *failures)
{
    int64_t ms = table->retry_min_ms;

    if (is_good(state)) {
        *failures = 0;
        return table->good_ms;
    }
    if (failed_here)
        return ms < PROBE_RETRY_HERE_MS ? ms : PROBE_RETRY_HERE_MS;
    if (state == STARTTLS_SKIPPED)
        return ms;
    for (unsigned i = 0; i < *failures && ms < table->retry_max_ms; i++)
        ms *= 2;
    if (*failures < DOUBLINGS_MAX)
        ++*failures;
    return ms < table->retry_max_ms ? ms : table->retry_max_ms;
}

/* What is left of the certificate's life, at least a second. */
static int64_t certificate_ms(const struct starttls_result *result, int64_t wall_s)
{
    int64_t left_s = result->not_after - wall_s;

    if (left_s > INT64_MAX / 1000)
        return INT64_MAX;
    return left_s < 1 ? 1000 : left_s * 1000;
}

static void set_times(const struct probe_table *table, const struct probe_key *key,
                      const struct probe_moment *moment, unsigned *failures,
                      struct starttls_result *result)
{
    int64_t ms = lifetime_ms(table, result->state, moment->failed_here, failures);

    ms = vary(ms, key, moment->now_ms);
    if (result->state == STARTTLS_VERIFIED && ms > certificate_ms(result, moment->wall_s))
        ms = certificate_ms(result, moment->wall_s);
    /* judged while the trust anchors changed: by which of them is not known */
    if (moment->began_ms != 0 && moment->began_ms < table->judged_after && is_judged(result->state))
        ms = 1;
    result->probed_at = moment->now_ms;
    result->valid_until = moment->now_ms + ms;
}

/* ---- the table ---- */

struct probe_table *probe_table_new(const struct probe_cache_options *options)
{
    struct probe_table *table = calloc(1, sizeof *table);

    if (table == NULL)
        return NULL;
    list_init(&table->ages);
    hashmap_init(&table->entries, PROBE_ENTRY_KEY_AT);
    table->judged_after = INT64_MIN;
    table->entries_max = options->entries_max > 0 ? options->entries_max : 1;
    table->good_ms = options->good_ms;
    table->retry_min_ms = options->retry_min_ms;
    table->retry_max_ms = options->retry_max_ms;
    return table;
}

static void drop(struct probe_table *table, struct probe_entry *entry)
{
    hashmap_remove(&table->entries, &entry->by_subject);
    list_remove(&entry->age);
    free(entry);
}

void probe_table_free(struct probe_table *table)
{
    if (table == NULL)
        return;
    while (!list_empty(&table->ages))
        drop(table, LIST_ELEMENT(table->ages.next, struct probe_entry, age));
    hashmap_fini(&table->entries);
    free(table);
}

size_t probe_table_entries(const struct probe_table *table)
{
    return table->entries.count;
}

static struct probe_entry *find(const struct probe_table *table, const struct probe_key *key)
{
    struct hashmap_link *link = hashmap_find(&table->entries, key->octets, key->length);

    return link == NULL ? NULL : HASHMAP_ELEMENT(link, struct probe_entry, by_subject);
}

/* True for what trust anchors had a say in that are no longer the ones of today. */
static bool is_judged_before(const struct probe_table *table, enum starttls state,
                             int64_t probed_at)
{
    return is_judged(state) && probed_at < table->judged_after;
}

static int64_t ends_at(const struct probe_table *table, const struct probe_entry *entry)
{
    return is_judged_before(table, entry->state, entry->probed_at) &&
                   entry->valid_until > table->judged_at
               ? table->judged_at
               : entry->valid_until;
}

static void unpack(struct probe_saved *out, const struct probe_table *table,
                   const struct probe_entry *entry)
{
    probe_entry_unpack(out, entry);
    out->result.valid_until = ends_at(table, entry);
}

/* Puts a result in the place of the one before; false without memory. */
static bool replace(struct probe_table *table, const struct probe_key *key,
                    const struct starttls_result *result, unsigned failures)
{
    struct probe_entry *entry = probe_entry_new(key, result, failures), *before = find(table, key);

    if (entry == NULL)
        return false;
    if (before != NULL)
        drop(table, before);
    if (!hashmap_add(&table->entries, &entry->by_subject, key->length)) {
        free(entry);
        return false;
    }
    list_append(&table->ages, &entry->age);
    if (probe_table_entries(table) > table->entries_max)
        drop(table, LIST_ELEMENT(table->ages.next, struct probe_entry, age));
    return true;
}

const struct starttls_result *probe_table_get(struct probe_table *table,
                                              const struct probe_key *key, int64_t now_ms)
{
    struct probe_entry *entry = find(table, key);

    if (entry == NULL)
        return NULL;
    list_remove(&entry->age);
    list_append(&table->ages, &entry->age);
    if (now_ms >= ends_at(table, entry))
        return NULL;
    unpack(&table->shown, table, entry);
    return &table->shown.result;
}

/* TLS with the right name, but with a chain that is not trusted, at a host that verified before. */
static bool may_be_distrusted(const struct starttls_result *result)
{
    return result->state == STARTTLS_TLS && result->name_ok && !result->chain_ok &&
           !result->expired && result->verified_as != NULL;
}

/* Is it the certificate that verified last, and was it our trust that changed? */
static void compare_certificate(struct starttls_result *result, const struct probe_entry *before)
{
    struct probe_saved seen = {0};

    if (before != NULL)
        probe_entry_unpack(&seen, before);
    result->verified_as =
        result->state == STARTTLS_VERIFIED ? result->shown : seen.result.verified_as;
    result->distrusted = may_be_distrusted(result) && result->shown != NULL &&
                         strcmp(result->shown, result->verified_as) == 0;
}

bool probe_table_put(struct probe_table *table, const struct probe_key *key,
                     const struct probe_moment *moment, struct starttls_result *result)
{
    const struct probe_entry *before = find(table, key);
    unsigned failures = before == NULL ? 0 : before->failures;
    bool saved;

    set_times(table, key, moment, &failures, result);
    compare_certificate(result, before);
    saved = replace(table, key, result, failures);
    result->shown = result->verified_as = NULL; /* the session's, or of an entry that is gone */
    return saved;
}

void probe_table_judge_again(struct probe_table *table, int64_t before_ms, int64_t now_ms)
{
    table->judged_after = before_ms;
    table->judged_at = now_ms;
}

/* Equal for equal addresses. */
static uint8_t address_mark(const struct ip *ip)
{
    return ip->octets[ip->family == 6 ? 15 : 3];
}

void probe_table_forget(struct probe_table *table, const struct ip *ips, size_t count)
{
    bool marked[UINT8_MAX + 1] = {false};
    struct list *link, *next;

    for (size_t i = 0; i < count; i++)
        marked[address_mark(&ips[i])] = true;
    for (link = table->ages.next; link != &table->ages; link = next) {
        struct probe_entry *entry = LIST_ELEMENT(link, struct probe_entry, age);
        struct probe_saved subject;
        size_t i = 0;

        next = link->next;
        probe_key_read(&subject, entry->data);
        if (!marked[address_mark(&subject.ip)])
            continue;
        while (i < count && !ip_equal(&subject.ip, &ips[i]))
            i++;
        if (i < count)
            drop(table, entry);
    }
}

/* ---- saved elsewhere ---- */

bool probe_table_save(const struct probe_table *table, const struct probe_key *key,
                      struct probe_saved *out)
{
    const struct probe_entry *entry = find(table, key);

    if (entry != NULL)
        unpack(out, table, entry);
    return entry != NULL;
}

bool probe_table_walk(const struct probe_table *table, struct map_walk *walk, probe_take take,
                      void *context)
{
    struct hashmap_link *link;

    if (!hashmap_step(&table->entries, walk, &link))
        return true;
    for (; link != NULL; link = link->next) {
        struct probe_saved saved;

        unpack(&saved, table, HASHMAP_ELEMENT(link, struct probe_entry, by_subject));
        take(context, &saved);
    }
    return false;
}

static bool saved_ok(struct probe_saved saved)
{
    const struct starttls_result *result = &saved.result;
    const char **strings[PROBE_STRINGS];

    probe_strings(strings, &saved.result);
    for (size_t i = 0; i < PROBE_STRINGS; i++)
        if ((*strings[i] != NULL && strnlen(*strings[i], PROBE_WORDS_MAX + 1) > PROBE_WORDS_MAX) ||
            !ascii_is_printable(*strings[i]))
            return false;
    if (result->state == STARTTLS_VERIFIED && (!result->chain_ok || !result->name_ok))
        return false;
    return (saved.ip.family == 4 || saved.ip.family == 6) && hostname_canonical(saved.host) &&
           (saved.sni == NULL || saved.sni[0] == '\0' || hostname_canonical(saved.sni)) &&
           result->state > STARTTLS_UNKNOWN && result->state <= STARTTLS_VERIFIED &&
           (unsigned)result->tlsa <= TLSA_MATCH_MISMATCH && result->code >= 0 &&
           result->code <= 999 && result->probed_at != 0;
}

/* No longer than a result seen then could live now: keys and certificates end, clocks jump. */
static void clamp_times(const struct probe_table *table, const struct probe_moment *moment,
                        struct starttls_result *result)
{
    int64_t most = is_good(result->state) ? table->good_ms : table->retry_max_ms;

    if (result->probed_at > moment->now_ms)
        result->probed_at = moment->now_ms;
    most += most / 10;
    if (result->valid_until > result->probed_at + most)
        result->valid_until = result->probed_at + most;
    /* whether only our trust anchors changed is not saved: such a host is asked again */
    if ((is_judged_before(table, result->state, result->probed_at) || may_be_distrusted(result)) &&
        result->valid_until > moment->now_ms)
        result->valid_until = moment->now_ms;
    if (result->state != STARTTLS_VERIFIED || result->valid_until <= moment->now_ms)
        return;
    most = result->not_after <= moment->wall_s ? 0 : certificate_ms(result, moment->wall_s);
    if (result->valid_until - moment->now_ms > most)
        result->valid_until = moment->now_ms + most;
}

/* A later result is known here. If it was probed before the one that is loaded was known, it lacks
 * the certificate that verified last; where that might explain the result, the host is asked again.
 */
static void learn_certificate(struct probe_table *table, const struct probe_key *key,
                              const struct probe_entry *known, const char *verified_as)
{
    struct probe_saved later;

    unpack(&later, table, known);
    if (later.result.verified_as != NULL || verified_as == NULL)
        return;
    later.result.verified_as = verified_as;
    if (may_be_distrusted(&later.result))
        later.result.valid_until = later.result.probed_at;
    replace(table, key, &later.result, known->failures);
}

enum loaded probe_table_load(struct probe_table *table, const struct probe_saved *saved,
                             const struct probe_moment *moment)
{
    struct probe_saved clean = *saved;
    const struct probe_entry *known;
    struct probe_key key;

    if (!saved_ok(*saved))
        return LOADED_REFUSED;
    if (clean.result.state == STARTTLS_SKIPPED)
        return LOADED_KNOWN; /* by another configuration, perhaps */
    if (clean.failures > DOUBLINGS_MAX)
        clean.failures = DOUBLINGS_MAX;
    clamp_times(table, moment, &clean.result);
    if (!probe_key_write(&key, &clean))
        return LOADED_REFUSED;
    known = find(table, &key);
    if (known != NULL && known->probed_at >= clean.result.probed_at - LOADED_SAME_MS) {
        learn_certificate(table, &key, known, clean.result.verified_as);
        return LOADED_KNOWN;
    }
    return replace(table, &key, &clean.result, clean.failures) ? LOADED_NEW : LOADED_REFUSED;
}
