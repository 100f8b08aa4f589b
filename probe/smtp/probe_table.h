/*
 * probe_table: the pure half of probe_cache_uv: what was seen at which address, under which name,
 * and for how long that counts. It reads no clock: the caller passes the time.
 *
 * Glossary
 *   good      an answer that settles the question: TLS, VERIFIED, CLEAR
 *   failure   any other result of a probe: tried again after retry_min, doubling to retry_max
 *   skipped   never tried; asked again after retry_min, in case the configuration changed
 */
#pragma once

#include "base/map.h"
#include "base/net/hostname.h"
#include "policy/evidence.h"
#include "probe/smtp/smtp_options.h"
#include "base/loaded.h"

#define PROBE_KEY_MAX   (1 + 16 + 2 + 8 + 2 * (HOSTNAME_MAX + 1))
#define PROBE_WORDS_MAX 2000 /* octets of a string of a loaded result */

/* The longest wait before a host is probed again after a failure on our own side. */
#define PROBE_RETRY_HERE_MS 60000

struct probe_key {
    size_t length;
    unsigned char octets[PROBE_KEY_MAX];
};

/* The key of a result: address, port, names and the TLSA records in any order. False if a name is
 * longer than a host name can be. */
bool probe_key_make(struct probe_key *out, const struct smtp_target *target);

/* "address port host sni tlsa", with NUL. */
#define PROBE_IDENTITY_MAX (IP_TEXT_MAX + 6 + 2 * (HOSTNAME_MAX + 1) + 17)

struct probe_saved;
/* What a result belongs to, in words. False when a name is longer than a host name can be. */
bool probe_identity(char out[PROBE_IDENTITY_MAX], const struct probe_saved *saved);
bool probe_key_identity(char out[PROBE_IDENTITY_MAX], const struct probe_key *key);

struct probe_moment {
    int64_t now_ms; /* monotonic */
    int64_t wall_s;
    bool failed_here; /* our own side failed: says nothing about the host */
    int64_t began_ms; /* monotonic: when the probe began; 0: unknown */
};

/* A result as it is saved elsewhere and loaded: monotonic ms. Strings belong to its holder. */
struct probe_saved {
    struct ip ip;
    uint16_t port;
    const char *host, *sni; /* sni: "" without one */
    uint64_t tlsa;          /* a stable hash of the TLSA set; 0 without one */
    unsigned failures;
    struct starttls_result result;
};

struct probe_table;

/* Holds at most `entries_max` results, those used longest ago go first. NULL without memory. */
struct probe_table *probe_table_new(const struct probe_cache_options *options);
void probe_table_free(struct probe_table *table);
size_t probe_table_entries(const struct probe_table *table);

/* The result if it still counts at `now_ms`, else NULL. Borrowed until the table is used again. */
const struct starttls_result *probe_table_get(struct probe_table *table,
                                              const struct probe_key *key, int64_t now_ms);
/*
 * Fills probed_at, valid_until and distrusted of *result and stores a copy of it. The copy takes
 * over `shown`, which is then NULL in *result. False if there was no memory for the copy. Lifetimes
 * vary by 10 % either way; VERIFIED ends with the certificate.
 */
bool probe_table_put(struct probe_table *table, const struct probe_key *key,
                     const struct probe_moment *moment, struct starttls_result *result);
/* The trust anchors changed at `before_ms`: certificates judged earlier, here or in a result that
 * is loaded later, count until `now_ms`. What the hosts showed stays known. */
void probe_table_judge_again(struct probe_table *table, int64_t before_ms, int64_t now_ms);
/* Forgets everything about some addresses, their back-off too, in one walk. */
void probe_table_forget(struct probe_table *table, const struct ip *ips, size_t count);

/* Fills *out; its strings are borrowed until the table is used again. False without an entry. */
bool probe_table_save(const struct probe_table *table, const struct probe_key *key,
                      struct probe_saved *out);
/*
 * Loads a result that was saved elsewhere and may have been changed there, unless it is SKIPPED or
 * a result of that time or later is known. It lives no longer than if it had been put when it was
 * seen. LOADED_REFUSED if probe_table_save cannot have given it, or without memory.
 */
enum loaded probe_table_load(struct probe_table *table, const struct probe_saved *saved,
                             const struct probe_moment *moment);
/* Gives `take` some of the results, borrowed. Call it until it returns true: the walk is over. */
typedef void (*probe_take)(void *context, const struct probe_saved *saved);
bool probe_table_walk(const struct probe_table *table, struct map_walk *walk, probe_take take,
                      void *context);
