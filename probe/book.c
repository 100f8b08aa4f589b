/*
 * book: see book.h. One map entry per subject, its strings packed behind one pointer, in a list by
 * last use. An entry stays after its result has lapsed, because the back-off counts on.
 */
#include "probe/book.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"

#define DOUBLINGS_MAX 20

struct entry {
    UT_hash_handle hh;
    struct list age; /* in store.ages, used longest ago first */
    struct starttls_result result;
    char *strings; /* of result; owned */
    unsigned failures;
    unsigned char key[];
};

struct book_store {
    struct entry *entries; /* owned */
    struct list ages;
    size_t entries_max;
    struct book_lifetimes lifetimes;
};

/* ---- keys ---- */

struct key_writer {
    unsigned char *next;
};

static void write_octets(struct key_writer *writer, const void *data, size_t length)
{
    memcpy(writer->next, data, length);
    writer->next += length;
}

static size_t address_octets(unsigned char out[17], const struct ip *ip)
{
    out[0] = ip->family;
    memcpy(out + 1, ip->octets, 16);
    return 17;
}

/* Equal for equal sets, whatever their order. */
static uint64_t tlsa_hash(const struct tlsa *tlsa, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t record[2] = {(uint64_t)tlsa[i].usage << 16 | (uint64_t)tlsa[i].selector << 8 |
                                  tlsa[i].matching_type,
                              hash_bytes(tlsa[i].data, tlsa[i].length)};

        sum += hash_bytes(record, sizeof record);
    }
    return sum;
}

bool book_key_make(struct book_key *out, const struct book_subject *subject)
{
    struct key_writer writer = {out->octets};
    uint64_t tlsa = tlsa_hash(subject->tlsa, subject->tlsa_count);
    const char *sni = subject->sni == NULL ? "" : subject->sni;
    size_t host_length = strlen(subject->host), sni_length = strlen(sni);

    if (host_length > HOSTNAME_MAX || sni_length > HOSTNAME_MAX)
        return false;
    writer.next += address_octets(writer.next, subject->ip);
    write_octets(&writer, &subject->port, sizeof subject->port);
    write_octets(&writer, &tlsa, sizeof tlsa);
    write_octets(&writer, subject->host, host_length + 1);
    write_octets(&writer, sni, sni_length + 1);
    out->length = (size_t)(writer.next - out->octets);
    return true;
}

/* ---- lifetimes ---- */

/* `ms` and up to 10 % more or less, so that what was learnt together is not asked again together.
 */
static int64_t vary(int64_t ms, const struct book_key *key, int64_t now_ms)
{
    uint64_t seed[2] = {hash_bytes(key->octets, key->length), (uint64_t)now_ms};
    int64_t per_mille = (int64_t)(hash_bytes(seed, sizeof seed) % 201) - 100;

    return ms + ms / 1000 * per_mille + ms % 1000 * per_mille / 1000;
}

static bool is_good(enum starttls state)
{
    return state == STARTTLS_TLS || state == STARTTLS_VERIFIED || state == STARTTLS_CLEAR;
}

/* How long a result lives; counts the failures on. */
static int64_t lifetime_ms(const struct book_lifetimes *lifetimes, enum starttls state,
                           bool failed_here, unsigned *failures)
{
    int64_t ms = lifetimes->retry_min_ms;

    if (is_good(state)) {
        *failures = 0;
        return lifetimes->good_ms;
    }
    if (failed_here)
        return ms < BOOK_RETRY_HERE_MS ? ms : BOOK_RETRY_HERE_MS;
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

static void set_times(const struct book_store *store, const struct book_key *key,
                      const struct book_moment *moment, unsigned *failures,
                      struct starttls_result *result)
{
    int64_t ms = lifetime_ms(&store->lifetimes, result->state, moment->failed_here, failures);

    ms = vary(ms, key, moment->now_ms);
    if (result->state == STARTTLS_VERIFIED && ms > certificate_ms(result, moment->wall_s))
        ms = certificate_ms(result, moment->wall_s);
    result->probed_at = moment->now_ms;
    result->valid_until = moment->now_ms + ms;
}

/* ---- the store ---- */

struct book_store *book_store_new(size_t entries_max, const struct book_lifetimes *lifetimes)
{
    struct book_store *store = calloc(1, sizeof *store);

    if (store == NULL)
        return NULL;
    list_init(&store->ages);
    store->entries_max = entries_max > 0 ? entries_max : 1;
    store->lifetimes = *lifetimes;
    return store;
}

static void drop(struct book_store *store, struct entry *entry)
{
    HASH_DEL(store->entries, entry);
    list_remove(&entry->age);
    free(entry->strings);
    free(entry);
}

void book_store_free(struct book_store *store)
{
    struct entry *entry, *next;

    if (store == NULL)
        return;
    HASH_ITER(hh, store->entries, entry, next)
    {
        drop(store, entry);
    }
    free(store);
}

size_t book_store_entries(const struct book_store *store)
{
    return HASH_COUNT(store->entries);
}

static struct entry *find(struct book_store *store, const struct book_key *key)
{
    struct entry *entry;

    HASH_FIND(hh, store->entries, key->octets, (unsigned)key->length, entry);
    if (entry != NULL) {
        list_remove(&entry->age);
        list_append(&store->ages, &entry->age);
    }
    return entry;
}

static struct entry *add(struct book_store *store, const struct book_key *key)
{
    struct entry *entry = calloc(1, sizeof *entry + key->length);

    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key->octets, key->length);
    HASH_ADD_KEYPTR(hh, store->entries, entry->key, (unsigned)key->length, entry);
    if (!MAP_ADDED(entry)) {
        free(entry);
        return NULL;
    }
    list_init(&entry->age);
    list_append(&store->ages, &entry->age);
    if (book_store_entries(store) > store->entries_max)
        drop(store, LIST_ELEMENT(store->ages.next, struct entry, age));
    return entry;
}

const struct starttls_result *book_store_get(struct book_store *store, const struct book_key *key,
                                             int64_t now_ms)
{
    struct entry *entry = find(store, key);

    return entry != NULL && now_ms < entry->result.valid_until ? &entry->result : NULL;
}

#define STRINGS 4

/* Copies the strings of `result` into one piece of memory and points to them there. */
static char *pack_strings(struct starttls_result *result)
{
    const char **fields[STRINGS] = {&result->protocol, &result->cipher, &result->subject,
                                    &result->detail};
    size_t lengths[STRINGS] = {0}, total = 1;
    char *memory, *next;

    for (size_t i = 0; i < STRINGS; i++) {
        lengths[i] = *fields[i] == NULL ? 0 : strlen(*fields[i]) + 1;
        total += lengths[i];
    }
    next = memory = malloc(total);
    if (memory == NULL)
        return NULL;
    for (size_t i = 0; i < STRINGS; i++) {
        if (*fields[i] == NULL)
            continue;
        memcpy(next, *fields[i], lengths[i]);
        *fields[i] = next;
        next += lengths[i];
    }
    return memory;
}

bool book_store_put(struct book_store *store, const struct book_key *key,
                    const struct book_moment *moment, struct starttls_result *result)
{
    struct entry *entry = find(store, key);
    struct starttls_result copy;
    unsigned failures = entry == NULL ? 0 : entry->failures;
    char *strings;

    set_times(store, key, moment, &failures, result);
    copy = *result;
    strings = pack_strings(&copy);
    if (strings == NULL)
        return false;
    if (entry == NULL)
        entry = add(store, key);
    if (entry == NULL) {
        free(strings);
        return false;
    }
    free(entry->strings);
    entry->strings = strings;
    entry->result = copy;
    entry->failures = failures;
    return true;
}

void book_store_forget(struct book_store *store, const struct ip *ip)
{
    unsigned char address[17];
    size_t length = address_octets(address, ip);
    struct entry *entry, *next;

    HASH_ITER(hh, store->entries, entry, next)
    {
        if (memcmp(entry->key, address, length) == 0)
            drop(store, entry);
    }
}
