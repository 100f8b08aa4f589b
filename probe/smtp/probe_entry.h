/*
 * probe_entry: a result of probe_table.c in memory. The result, its key and its strings are one
 * small piece of memory, because there may be a hundred thousand. For probe_table.c only.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "probe/smtp/probe_table.h"

#define PROBE_STRINGS 5

/* A struct starttls_result with what it belongs to. */
struct probe_entry {
    struct hashmap_link by_subject;
    struct list age; /* in the table's ages */
    int64_t probed_at, valid_until, not_after;
    int16_t code;
    enum starttls state : 4;
    enum tlsa_match tlsa : 2;
    bool chain_ok : 1, expired : 1, name_ok : 1, requiretls : 1, distrusted : 1;
    uint8_t strings; /* bit i: the i-th string is there */
    uint8_t failures;
    unsigned char data[]; /* the key, then the strings that are there */
};

#define PROBE_ENTRY_KEY_AT                                                                         \
    (offsetof(struct probe_entry, data) - offsetof(struct probe_entry, by_subject))

/* False when a name is longer than a host name can be. */
bool probe_key_write(struct probe_key *out, const struct probe_saved *subject);
/* Reads from a key what its result belongs to; the names point into the key. */
void probe_key_read(struct probe_saved *out, const unsigned char *key);
/* A copy, in no map or list; NULL without memory. */
struct probe_entry *probe_entry_new(const struct probe_key *key,
                                    const struct starttls_result *result, unsigned failures);
/* The strings stay the entry's, or are static. */
void probe_entry_unpack(struct probe_saved *out, const struct probe_entry *entry);
/* The places of those strings of a result that are kept. */
void probe_strings(const char **out[PROBE_STRINGS], struct starttls_result *result);
