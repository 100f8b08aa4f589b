/*
 * probe_table: see probe_table.h. One piece of memory per subject, key and strings in it, in a list
 * by last use: there may be a hundred thousand. An entry stays after its result has lapsed, because
 * the back-off counts on.
 */
#include "probe/smtp/probe_table.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/list.h"
#include "base/map.h"

#define DOUBLINGS_MAX 20
#define STRINGS       5

enum flag {
    FLAG_CHAIN_OK = 1,
    FLAG_EXPIRED = 2,
    FLAG_NAME_OK = 4,
    FLAG_REQUIRETLS = 8,
    FLAG_DISTRUSTED = 16
};

/* A struct starttls_result with what it belongs to. */
struct probe_entry {
    UT_hash_handle hh;
    struct list age; /* in table.ages, used longest ago first */
    int64_t probed_at, valid_until, not_after;
    int16_t code;
    uint16_t key_length;
    uint8_t state, tlsa; /* enum starttls, enum tlsa_match */
    uint8_t flags;       /* of enum flag */
    uint8_t strings;     /* bit i: the i-th string is there */
    uint8_t failures;
    unsigned char data[]; /* the key, then the strings that are there */
};

struct probe_table {
    struct probe_entry *entries; /* owned */
    struct list ages;
    size_t entries_max;
    struct probe_lifetimes lifetimes;
    int64_t judged_after;         /* monotonic ms: certificates judged before are judged again */
    struct starttls_result shown; /* what probe_table_get gives: an entry unpacked */
};

/*
 * ---- keys ----
 *
 * struct ip, port, TLSA hash, host NUL, SNI NUL. The SNI is most often the host: then it is
 * SNI_AS_HOST, which is no name.
 */

#define KEY_PORT    sizeof(struct ip)
#define KEY_TLSA    (KEY_PORT + 2)
#define KEY_NAMES   (KEY_TLSA + 8)
#define SNI_AS_HOST "="

static unsigned char *write_octets(unsigned char *out, const void *data, size_t length)
{
    return (unsigned char *)memcpy(out, data, length) + length;
}

/* Equal for equal sets, whatever their order, in every process; 0 for none. */
static uint64_t tlsa_hash(const struct tlsa *tlsa, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t data = hash_stable(tlsa[i].data, tlsa[i].length);
        unsigned char record[11] = {tlsa[i].usage, tlsa[i].selector, tlsa[i].matching_type};

        for (size_t at = 0; at < 8; at++)
            record[3 + at] = (unsigned char)(data >> (8 * at));
        sum += hash_stable(record, sizeof record);
    }
    return count > 0 && sum == 0 ? 1 : sum;
}

static bool key_write(struct probe_key *out, const struct probe_saved *subject)
{
    const char *sni = subject->sni == NULL ? "" : subject->sni;
    unsigned char *next = out->octets;

    if (strlen(subject->host) > HOSTNAME_MAX || strlen(sni) > HOSTNAME_MAX)
        return false;
    if (strcmp(sni, subject->host) == 0)
        sni = SNI_AS_HOST;
    next = write_octets(next, &subject->ip, sizeof subject->ip);
    next = write_octets(next, &subject->port, sizeof subject->port);
    next = write_octets(next, &subject->tlsa, sizeof subject->tlsa);
    next = write_octets(next, subject->host, strlen(subject->host) + 1);
    next = write_octets(next, sni, strlen(sni) + 1);
    out->length = (size_t)(next - out->octets);
    return true;
}

bool probe_key_make(struct probe_key *out, const struct smtp_target *target)
{
    return key_write(out, &(struct probe_saved){
                              .ip = target->ip,
                              .port = target->port,
                              .host = target->host,
                              .sni = target->sni,
                              .tlsa = tlsa_hash(target->tlsa, target->tlsa_count),
                          });
}

/* The names point into the key. */
static void key_read(struct probe_saved *out, const unsigned char *key)
{
    memcpy(&out->ip, key, sizeof out->ip);
    memcpy(&out->port, key + KEY_PORT, sizeof out->port);
    memcpy(&out->tlsa, key + KEY_TLSA, sizeof out->tlsa);
    out->host = (const char *)key + KEY_NAMES;
    out->sni = out->host + strlen(out->host) + 1;
    if (strcmp(out->sni, SNI_AS_HOST) == 0)
        out->sni = out->host;
}

/* ---- results ---- */

bool starttls_result_copy(struct starttls_result *out, struct arena *arena,
                          const struct starttls_result *in)
{
    *out = *in;
    out->protocol = arena_strdup(arena, in->protocol);
    out->cipher = arena_strdup(arena, in->cipher);
    out->subject = arena_strdup(arena, in->subject);
    out->detail = arena_strdup(arena, in->detail);
    out->shown = arena_strdup(arena, in->shown);
    out->verified_as = NULL;
    return !arena_failed(arena);
}

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
static int64_t lifetime_ms(const struct probe_lifetimes *lifetimes, enum starttls state,
                           bool failed_here, unsigned *failures)
{
    int64_t ms = lifetimes->retry_min_ms;

    if (is_good(state)) {
        *failures = 0;
        return lifetimes->good_ms;
    }
    if (failed_here)
        return ms < PROBE_RETRY_HERE_MS ? ms : PROBE_RETRY_HERE_MS;
    if (state == STARTTLS_SKIPPED)
        return ms;
    for (unsigned i = 0; i < *failures && ms < lifetimes->retry_max_ms; i++)
        ms *= 2;
    if (*failures < DOUBLINGS_MAX)
        ++*failures;
    return ms < lifetimes->retry_max_ms ? ms : lifetimes->retry_max_ms;
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
    int64_t ms = lifetime_ms(&table->lifetimes, result->state, moment->failed_here, failures);

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

struct probe_table *probe_table_new(size_t entries_max, const struct probe_lifetimes *lifetimes)
{
    struct probe_table *table = calloc(1, sizeof *table);

    if (table == NULL)
        return NULL;
    list_init(&table->ages);
    table->judged_after = INT64_MIN;
    table->entries_max = entries_max > 0 ? entries_max : 1;
    table->lifetimes = *lifetimes;
    return table;
}

static void drop(struct probe_table *table, struct probe_entry *entry)
{
    HASH_DEL(table->entries, entry);
    list_remove(&entry->age);
    free(entry);
}

void probe_table_free(struct probe_table *table)
{
    struct probe_entry *entry, *next;

    if (table == NULL)
        return;
    HASH_ITER(hh, table->entries, entry, next)
    {
        drop(table, entry);
    }
    free(table);
}

size_t probe_table_entries(const struct probe_table *table)
{
    return HASH_COUNT(table->entries);
}

static struct probe_entry *find(const struct probe_table *table, const struct probe_key *key)
{
    struct probe_entry *entry;

    HASH_FIND(hh, table->entries, key->octets, (unsigned)key->length, entry);
    return entry;
}

/* ---- results, packed and unpacked ---- */

static void strings_of(const char **out[STRINGS], struct starttls_result *result)
{
    out[0] = &result->protocol;
    out[1] = &result->cipher;
    out[2] = &result->subject;
    out[3] = &result->detail;
    out[4] = &result->verified_as;
}

static struct probe_entry *pack(const struct probe_key *key, struct starttls_result result,
                                unsigned failures)
{
    const char **strings[STRINGS];
    size_t octets = key->length;
    unsigned char *next;
    struct probe_entry *entry;

    strings_of(strings, &result);
    for (size_t i = 0; i < STRINGS; i++)
        octets += *strings[i] == NULL ? 0 : strlen(*strings[i]) + 1;
    entry = calloc(1, sizeof *entry + octets);
    if (entry == NULL)
        return NULL;
    list_init(&entry->age);
    entry->probed_at = result.probed_at;
    entry->valid_until = result.valid_until;
    entry->not_after = result.not_after;
    entry->code = (int16_t)result.code;
    entry->key_length = (uint16_t)key->length;
    entry->state = (uint8_t)result.state;
    entry->tlsa = (uint8_t)result.tlsa;
    entry->flags =
        (uint8_t)((result.chain_ok ? FLAG_CHAIN_OK : 0) | (result.expired ? FLAG_EXPIRED : 0) |
                  (result.name_ok ? FLAG_NAME_OK : 0) | (result.requiretls ? FLAG_REQUIRETLS : 0) |
                  (result.distrusted ? FLAG_DISTRUSTED : 0));
    entry->failures = (uint8_t)failures;
    next = write_octets(entry->data, key->octets, key->length);
    for (size_t i = 0; i < STRINGS; i++) {
        if (*strings[i] == NULL)
            continue;
        entry->strings |= (uint8_t)(1u << i);
        next = write_octets(next, *strings[i], strlen(*strings[i]) + 1);
    }
    return entry;
}

/* The strings stay the entry's. */
static void unpack(struct starttls_result *out, const struct probe_entry *entry)
{
    const char *next = (const char *)entry->data + entry->key_length;
    const char **strings[STRINGS];

    *out = (struct starttls_result){
        .state = (enum starttls)entry->state,
        .chain_ok = (entry->flags & FLAG_CHAIN_OK) != 0,
        .expired = (entry->flags & FLAG_EXPIRED) != 0,
        .name_ok = (entry->flags & FLAG_NAME_OK) != 0,
        .tlsa = (enum tlsa_match)entry->tlsa,
        .requiretls = (entry->flags & FLAG_REQUIRETLS) != 0,
        .distrusted = (entry->flags & FLAG_DISTRUSTED) != 0,
        .code = entry->code,
        .probed_at = entry->probed_at,
        .valid_until = entry->valid_until,
        .not_after = entry->not_after,
    };
    strings_of(strings, out);
    for (size_t i = 0; i < STRINGS; i++) {
        if ((entry->strings & 1u << i) == 0)
            continue;
        *strings[i] = next;
        next += strlen(next) + 1;
    }
}

/* Puts a result in the place of the one before; false without memory. */
static bool replace(struct probe_table *table, const struct probe_key *key,
                    const struct starttls_result *result, unsigned failures)
{
    struct probe_entry *entry = pack(key, *result, failures), *before = find(table, key);

    if (entry == NULL)
        return false;
    if (before != NULL)
        drop(table, before);
    HASH_ADD_KEYPTR(hh, table->entries, entry->data, (unsigned)key->length, entry);
    if (!MAP_ADDED(entry)) {
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
    if (now_ms >= entry->valid_until)
        return NULL;
    unpack(&table->shown, entry);
    return &table->shown;
}

/* Is it the certificate that verified last, and was it our trust that changed? */
static void compare_certificate(struct starttls_result *result, const struct probe_entry *before)
{
    struct starttls_result seen = {0};

    if (before != NULL)
        unpack(&seen, before);
    result->verified_as = result->state == STARTTLS_VERIFIED ? result->shown : seen.verified_as;
    result->distrusted = result->state == STARTTLS_TLS && result->name_ok && !result->chain_ok &&
                         !result->expired && result->shown != NULL && seen.verified_as != NULL &&
                         strcmp(result->shown, seen.verified_as) == 0;
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
    struct probe_entry *entry, *next;

    table->judged_after = before_ms;
    HASH_ITER(hh, table->entries, entry, next)
    {
        if (is_judged((enum starttls)entry->state) && entry->probed_at < before_ms &&
            entry->valid_until > now_ms)
            entry->valid_until = now_ms;
    }
}

/* Equal for equal addresses. */
static unsigned char address_mark(const void *ip)
{
    const unsigned char *octets = ip;
    unsigned char mark = 0;

    for (size_t i = 0; i < sizeof(struct ip); i++)
        mark ^= octets[i];
    return mark;
}

static bool is_among(const struct probe_entry *entry, const struct ip *ips, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(entry->data, &ips[i], sizeof ips[i]) == 0)
            return true;
    return false;
}

void probe_table_forget(struct probe_table *table, const struct ip *ips, size_t count)
{
    bool marked[UCHAR_MAX + 1] = {false};
    struct probe_entry *entry, *next;

    for (size_t i = 0; i < count; i++)
        marked[address_mark(&ips[i])] = true;
    HASH_ITER(hh, table->entries, entry, next)
    {
        if (marked[address_mark(entry->data)] && is_among(entry, ips, count))
            drop(table, entry);
    }
}

/* ---- saved elsewhere ---- */

bool probe_table_save(const struct probe_table *table, struct arena *arena,
                      const struct probe_key *key, struct probe_saved *out)
{
    const struct probe_entry *entry = find(table, key);
    const char **strings[STRINGS];

    if (entry == NULL)
        return false;
    key_read(out, entry->data);
    out->host = arena_strdup(arena, out->host);
    out->sni = arena_strdup(arena, out->sni);
    out->failures = entry->failures;
    unpack(&out->result, entry);
    strings_of(strings, &out->result);
    for (size_t i = 0; i < STRINGS; i++)
        *strings[i] = arena_strdup(arena, *strings[i]);
    return !arena_failed(arena);
}

bool probe_table_walk(const struct probe_table *table, struct map_walk *walk, probe_take take,
                      void *context)
{
    const UT_hash_table *map = table->entries == NULL ? NULL : table->entries->hh.tbl;
    const UT_hash_handle *handle;

    if (map_walk_over(walk, map))
        return true;
    for (handle = map_walk_next(walk, map); handle != NULL; handle = handle->hh_next) {
        const struct probe_entry *entry = ELMT_FROM_HH(map, handle);
        struct probe_saved saved;

        key_read(&saved, entry->data);
        saved.failures = entry->failures;
        unpack(&saved.result, entry);
        take(context, &saved);
    }
    return false;
}

static bool result_ok(struct starttls_result result)
{
    const char **strings[STRINGS];

    strings_of(strings, &result);
    for (size_t i = 0; i < STRINGS; i++)
        if ((*strings[i] != NULL && strnlen(*strings[i], PROBE_WORDS_MAX + 1) > PROBE_WORDS_MAX) ||
            !ascii_is_printable(*strings[i]))
            return false;
    if (result.state == STARTTLS_VERIFIED && (!result.chain_ok || !result.name_ok))
        return false;
    return result.state > STARTTLS_UNKNOWN && result.state <= STARTTLS_VERIFIED &&
           (unsigned)result.tlsa <= TLSA_MATCH_MISMATCH && result.code >= 0 && result.code <= 999 &&
           result.probed_at != 0;
}

static bool saved_ok(const struct probe_saved *saved)
{
    return (saved->ip.family == 4 || saved->ip.family == 6) && hostname_canonical(saved->host) &&
           (saved->sni == NULL || saved->sni[0] == '\0' || hostname_canonical(saved->sni)) &&
           result_ok(saved->result);
}

/* Whether only our trust anchors changed is not saved: such a host is asked again. */
static bool may_be_distrusted(const struct starttls_result *result)
{
    return result->state == STARTTLS_TLS && result->name_ok && !result->chain_ok &&
           !result->expired && result->verified_as != NULL;
}

/* No longer than a result seen then could live now: keys and certificates end, clocks jump. */
static void clamp_times(const struct probe_table *table, const struct probe_moment *moment,
                        struct starttls_result *result)
{
    int64_t most =
        is_good(result->state) ? table->lifetimes.good_ms : table->lifetimes.retry_max_ms;

    if (result->probed_at > moment->now_ms)
        result->probed_at = moment->now_ms;
    most += most / 10;
    if (result->valid_until > result->probed_at + most)
        result->valid_until = result->probed_at + most;
    if (((is_judged(result->state) && result->probed_at < table->judged_after) ||
         may_be_distrusted(result)) &&
        result->valid_until > moment->now_ms)
        result->valid_until = moment->now_ms;
    if (result->state != STARTTLS_VERIFIED || result->valid_until <= moment->now_ms)
        return;
    most = result->not_after <= moment->wall_s ? 0 : certificate_ms(result, moment->wall_s);
    if (result->valid_until - moment->now_ms > most)
        result->valid_until = moment->now_ms + most;
}

enum loaded probe_table_load(struct probe_table *table, const struct probe_saved *saved,
                             const struct probe_moment *moment)
{
    struct probe_saved clean = *saved;
    const struct probe_entry *known;
    struct probe_key key;

    if (!saved_ok(saved))
        return LOADED_REFUSED;
    if (clean.result.state == STARTTLS_SKIPPED)
        return LOADED_KNOWN; /* by another configuration, perhaps */
    if (clean.ip.family == 4)
        memset(clean.ip.octets + 4, 0, sizeof clean.ip.octets - 4);
    if (clean.failures > DOUBLINGS_MAX)
        clean.failures = DOUBLINGS_MAX;
    clamp_times(table, moment, &clean.result);
    if (!key_write(&key, &clean))
        return LOADED_REFUSED;
    known = find(table, &key);
    if (known != NULL && known->probed_at >= clean.result.probed_at - LOADED_SAME_MS)
        return LOADED_KNOWN;
    return replace(table, &key, &clean.result, clean.failures) ? LOADED_NEW : LOADED_REFUSED;
}
