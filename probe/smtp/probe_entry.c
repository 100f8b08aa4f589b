/*
 * probe_entry: see probe_entry.h.
 *
 * A key is the family with KEY flags, the address, the port, the hash of the TLSA set, the host
 * with a NUL, the SNI with a NUL. There is no hash without a set, and no SNI when it is the host.
 *
 * A string is its text with a NUL, or one octet that no text begins with: PRESETS and the number of
 * a preset, or AS_HOST for the host of the key.
 */
#include "probe/smtp/probe_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { KEY_FAMILY = 15, KEY_TLSA = 16, KEY_SNI = 32 };

#define PRESETS 0x80
#define AS_HOST 0xff

static const char *const presets[] = {
    "TLSv1.3",
    "TLSv1.2",
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "STARTTLS is not offered",
};

/* What a result is without its strings: X(field of struct starttls_result) */
#define FIELDS(X)                                                                                  \
    X(probed_at)                                                                                   \
    X(valid_until)                                                                                 \
    X(not_after)                                                                                   \
    X(code)                                                                                        \
    X(state)                                                                                       \
    X(tlsa)                                                                                        \
    X(chain_ok)                                                                                    \
    X(expired)                                                                                     \
    X(name_ok)                                                                                     \
    X(requiretls)                                                                                  \
    X(distrusted)

/* ---- keys ---- */

static unsigned char *write_octets(unsigned char *out, const void *data, size_t length)
{
    return (unsigned char *)memcpy(out, data, length) + length;
}

static const unsigned char *read_octets(void *out, const unsigned char *from, size_t length)
{
    memcpy(out, from, length);
    return from + length;
}

static size_t ip_size(unsigned family)
{
    return family == 6 ? 16 : 4;
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

bool probe_key_write(struct probe_key *out, const struct probe_saved *subject)
{
    const char *sni = subject->sni == NULL ? "" : subject->sni;
    bool other_sni = strcmp(sni, subject->host) != 0;
    unsigned char *next = out->octets;

    if (strlen(subject->host) > HOSTNAME_MAX || strlen(sni) > HOSTNAME_MAX)
        return false;
    *next++ = (unsigned char)(subject->ip.family | (subject->tlsa != 0 ? KEY_TLSA : 0) |
                              (other_sni ? KEY_SNI : 0));
    next = write_octets(next, subject->ip.octets, ip_size(subject->ip.family));
    next = write_octets(next, &subject->port, sizeof subject->port);
    if (subject->tlsa != 0)
        next = write_octets(next, &subject->tlsa, sizeof subject->tlsa);
    next = write_octets(next, subject->host, strlen(subject->host) + 1);
    if (other_sni)
        next = write_octets(next, sni, strlen(sni) + 1);
    out->length = (size_t)(next - out->octets);
    return true;
}

bool probe_key_make(struct probe_key *out, const struct smtp_target *target)
{
    return probe_key_write(out, &(struct probe_saved){
                                    .ip = target->ip,
                                    .port = target->port,
                                    .host = target->host,
                                    .sni = target->sni,
                                    .tlsa = tlsa_hash(target->tlsa, target->tlsa_count),
                                });
}

void probe_key_read(struct probe_saved *out, const unsigned char *key)
{
    unsigned family = *key & KEY_FAMILY;
    const unsigned char *next = key + 1;

    *out = (struct probe_saved){.ip = {.family = (uint8_t)family}};
    next = read_octets(out->ip.octets, next, ip_size(family));
    next = read_octets(&out->port, next, sizeof out->port);
    if (*key & KEY_TLSA)
        next = read_octets(&out->tlsa, next, sizeof out->tlsa);
    out->host = out->sni = (const char *)next;
    if (*key & KEY_SNI)
        out->sni = out->host + strlen(out->host) + 1;
}

bool probe_identity(char out[PROBE_IDENTITY_MAX], const struct probe_saved *saved)
{
    char address[IP_TEXT_MAX];
    int length =
        snprintf(out, PROBE_IDENTITY_MAX, "%s %u %s %s %016" PRIx64, ip_text(&saved->ip, address),
                 saved->port, saved->host, saved->sni == NULL ? "" : saved->sni, saved->tlsa);

    return length > 0 && length < PROBE_IDENTITY_MAX;
}

bool probe_key_identity(char out[PROBE_IDENTITY_MAX], const struct probe_key *key)
{
    struct probe_saved saved;

    probe_key_read(&saved, key->octets);
    return probe_identity(out, &saved);
}

/* ---- entries ---- */

void probe_strings(const char **out[PROBE_STRINGS], struct starttls_result *result)
{
    out[0] = &result->protocol;
    out[1] = &result->cipher;
    out[2] = &result->subject;
    out[3] = &result->detail;
    out[4] = &result->verified_as;
}

/* Writes `text` to `out`, unless that is NULL; gives its octets. */
static size_t string_pack(unsigned char *out, const char *text, const char *host)
{
    size_t size = strlen(text) + 1;
    unsigned char code = strcmp(text, host) == 0 ? AS_HOST : 0;

    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++)
        if (strcmp(text, presets[i]) == 0)
            code = (unsigned char)(PRESETS + i);
    if (code != 0)
        size = 1;
    if (out != NULL)
        memcpy(out, code != 0 ? (const void *)&code : text, size);
    return size;
}

/* The string at `at`, and in *next what follows it. */
static const char *string_unpack(const unsigned char *at, const unsigned char **next,
                                 const char *host)
{
    *next = at + 1;
    if (*at == AS_HOST)
        return host;
    if (*at >= PRESETS)
        return presets[*at - PRESETS];
    *next = at + strlen((const char *)at) + 1;
    return (const char *)at;
}

struct probe_entry *probe_entry_new(const struct probe_key *key,
                                    const struct starttls_result *result, unsigned failures)
{
    struct starttls_result copy = *result;
    const char **strings[PROBE_STRINGS];
    size_t octets = key->length;
    struct probe_saved subject;
    struct probe_entry *entry;
    unsigned char *next;

    probe_key_read(&subject, key->octets);
    probe_strings(strings, &copy);
    for (size_t i = 0; i < PROBE_STRINGS; i++)
        octets += *strings[i] == NULL ? 0 : string_pack(NULL, *strings[i], subject.host);
    entry = calloc(1, offsetof(struct probe_entry, data) + octets);
    if (entry == NULL)
        return NULL;
    list_init(&entry->age);
    entry->failures = (uint8_t)failures;
#define X(field) entry->field = result->field;
    FIELDS(X)
#undef X
    next = write_octets(entry->data, key->octets, key->length);
    for (size_t i = 0; i < PROBE_STRINGS; i++) {
        if (*strings[i] == NULL)
            continue;
        entry->strings |= (uint8_t)(1u << i);
        next += string_pack(next, *strings[i], subject.host);
    }
    return entry;
}

void probe_entry_unpack(struct probe_saved *out, const struct probe_entry *entry)
{
    const unsigned char *next = entry->data + entry->by_subject.key_length;
    const char **strings[PROBE_STRINGS];

    probe_key_read(out, entry->data);
    out->failures = entry->failures;
    out->result = (struct starttls_result){0};
#define X(field) out->result.field = entry->field;
    FIELDS(X)
#undef X
    probe_strings(strings, &out->result);
    for (size_t i = 0; i < PROBE_STRINGS; i++)
        if ((entry->strings & 1u << i) != 0)
            *strings[i] = string_unpack(next, &next, out->host);
}
