/*
 * evidence_unpack: the reading half of evidence_pack; see evidence_pack.h, evidence_wire.h.
 *
 * Failure is sticky: after the first octet that is wrong everything reads as nothing, and the end
 * looks once. No count is believed before it is within its limit and within the octets that are
 * left. Numbers have one spelling each, and nothing may follow the end.
 */
#include <string.h>

#include "base/net/hostname.h"
#include "policy/evidence/evidence_pack.h"
#include "policy/evidence/evidence_wire.h"

#define SMTP_PORT 25
/* Seven bits an octet: 64 bits end in the tenth. */
#define NUMBER_SHIFT_MAX 63

struct reader {
    struct arena *arena;
    const uint8_t *at, *end;
    int64_t shift_ms;
    int64_t last_time;
    bool failed;
    struct wire_strings strings;
};

/* True while `ok` and nothing has failed before. */
static bool demand(struct reader *reader, bool ok)
{
    if (!ok)
        reader->failed = true;
    return !reader->failed;
}

static size_t left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* ---- numbers ---- */

static unsigned get_octet(struct reader *reader)
{
    return demand(reader, left(reader) > 0) ? *reader->at++ : 0;
}

static uint64_t get_number(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift <= NUMBER_SHIFT_MAX; shift += 7) {
        unsigned octet = get_octet(reader);

        value |= (uint64_t)(octet & 127) << shift;
        if (octet > 127)
            continue;
        if (!demand(reader, (octet > 0 || shift == 0) && (shift < NUMBER_SHIFT_MAX || octet == 1)))
            return 0;
        return value;
    }
    demand(reader, false);
    return 0;
}

/* A number of at most `most`, else 0. */
static uint64_t get_bounded(struct reader *reader, uint64_t most)
{
    uint64_t value = get_number(reader);

    return demand(reader, value <= most) ? value : 0;
}

/* How many things follow: each takes an octet at least. */
static size_t get_count(struct reader *reader, size_t most)
{
    size_t count = (size_t)get_bounded(reader, most);

    return demand(reader, count <= left(reader)) ? count : 0;
}

static int64_t sign(uint64_t value)
{
    return (value & 1) != 0 ? -(int64_t)(value >> 1) - 1 : (int64_t)(value >> 1);
}

static uint32_t get_ttl(struct reader *reader)
{
    uint64_t value = get_bounded(reader, UINT32_MAX);

    return value == 0 ? UINT32_MAX : (uint32_t)(value - 1);
}

static bool within(int64_t value, int64_t most)
{
    return value >= -most && value <= most;
}

/* As it was written; 0 for none. */
static int64_t get_plain_time(struct reader *reader)
{
    uint64_t value = get_number(reader);
    int64_t difference;

    if (value == 0)
        return 0;
    difference = sign(value - 1);
    if (!demand(reader, within(difference, 2 * WIRE_TIME_MAX) &&
                            within(reader->last_time + difference, WIRE_TIME_MAX)) ||
        !demand(reader, reader->last_time + difference != 0))
        return 0;
    reader->last_time += difference;
    return reader->last_time;
}

static int64_t shifted(const struct reader *reader, int64_t at)
{
    int64_t shift = reader->shift_ms;

    if (at == 0)
        return 0;
    if (!within(shift, WIRE_TIME_MAX))
        shift = shift > 0 ? WIRE_TIME_MAX : -WIRE_TIME_MAX;
    at += shift;
    if (at > WIRE_TIME_MAX)
        at = WIRE_TIME_MAX;
    return at > 0 ? at : 1;
}

static int64_t get_time(struct reader *reader)
{
    return shifted(reader, get_plain_time(reader));
}

/* ---- strings ---- */

static const char *get_literal(struct reader *reader, uint64_t length)
{
    const char *text;

    if (!demand(reader, length <= left(reader)) ||
        !demand(reader, memchr(reader->at, '\0', (size_t)length) == NULL))
        return NULL;
    text = arena_strndup(reader->arena, (const char *)reader->at, (size_t)length);
    reader->at += length;
    if (demand(reader, text != NULL))
        wire_strings_add(&reader->strings, text);
    return text;
}

static const char *get_reference(struct reader *reader, uint64_t slot)
{
    const char *text = slot < WIRE_STRINGS_MAX ? reader->strings.slots[slot] : NULL;

    demand(reader, text != NULL);
    return text;
}

/* NULL for none, and after a failure. */
static const char *get_optional(struct reader *reader, enum wire_kind kind)
{
    uint64_t tag = get_number(reader);
    const char *text;

    if (tag == 0)
        return NULL;
    text = (tag & 1) != 0 ? get_reference(reader, tag >> 1) : get_literal(reader, (tag - 2) >> 1);
    if (reader->failed || !demand(reader, wire_string_ok(kind, text, strlen(text))))
        return NULL;
    return text;
}

static const char *get_string(struct reader *reader, enum wire_kind kind)
{
    const char *text = get_optional(reader, kind);

    demand(reader, text != NULL);
    return text;
}

/* Memory for `count` things; NULL for none, and after a failure. */
static void *get_array(struct reader *reader, size_t count, size_t size)
{
    void *array;

    if (count == 0 || reader->failed)
        return NULL;
    array = arena_array(reader->arena, count, size);
    demand(reader, array != NULL);
    return array;
}

/* ---- hosts ---- */

static void get_tlsa(struct reader *reader, struct tlsa *tlsa)
{
    uint64_t length;

    tlsa->usage = (uint8_t)get_octet(reader);
    tlsa->selector = (uint8_t)get_octet(reader);
    tlsa->matching_type = (uint8_t)get_octet(reader);
    length = get_bounded(reader, 2 * UINT16_MAX + 1);
    tlsa->usable = length & 1;
    tlsa->length = (uint16_t)(length >> 1);
    if (!demand(reader, tlsa->length <= left(reader)))
        return;
    tlsa->data = arena_memdup(reader->arena, reader->at, tlsa->length);
    reader->at += tlsa->length;
    demand(reader, tlsa->data != NULL);
}

static void get_ip(struct reader *reader, struct ip *ip, bool ipv6)
{
    size_t length = ipv6 ? 16 : 4;

    if (!demand(reader, left(reader) >= length))
        return;
    ip_from_octets(ip, reader->at, length);
    reader->at += length;
}

static void get_result(struct reader *reader, struct starttls_result *result)
{
    result->code = (int)get_bounded(reader, WIRE_CODE_MAX);
    result->probed_at = get_time(reader);
    result->valid_until = get_time(reader);
    result->protocol = get_optional(reader, WIRE_TEXT);
    result->cipher = get_optional(reader, WIRE_TEXT);
    result->subject = get_optional(reader, WIRE_TEXT);
    result->detail = get_optional(reader, WIRE_TEXT);
    result->not_after = sign(get_number(reader));
}

static void get_address(struct reader *reader, struct mx_address *address)
{
    struct starttls_result *result = &address->starttls;
    unsigned flags = get_octet(reader), more = get_octet(reader);

    demand(reader, (flags & WIRE_STARTTLS_MASK) <= STARTTLS_VERIFIED);
    demand(reader, (more & WIRE_MATCH_MASK) <= TLSA_MATCH_MISMATCH);
    demand(reader, more < WIRE_DISTRUSTED << 1);
    if (reader->failed)
        return;
    result->state = (enum starttls)(flags & WIRE_STARTTLS_MASK);
    address->secure = flags & WIRE_SECURE;
    result->chain_ok = flags & WIRE_CHAIN_OK;
    result->name_ok = flags & WIRE_NAME_OK;
    result->tlsa = (enum tlsa_match)(more & WIRE_MATCH_MASK);
    result->expired = more & WIRE_EXPIRED;
    result->requiretls = more & WIRE_REQUIRETLS;
    result->distrusted = more & WIRE_DISTRUSTED;
    get_ip(reader, &address->ip, flags & WIRE_IPV6);
    get_result(reader, result);
}

static void get_host_lists(struct reader *reader, struct mx_host *host)
{
    host->tlsa_count = get_count(reader, EVIDENCE_TLSA_MAX);
    host->tlsa = get_array(reader, host->tlsa_count, sizeof *host->tlsa);
    for (size_t i = 0; !reader->failed && i < host->tlsa_count; i++)
        get_tlsa(reader, &host->tlsa[i]);
    host->address_count = get_count(reader, 2 * EVIDENCE_ADDRESSES_MAX);
    host->addresses = get_array(reader, host->address_count, sizeof *host->addresses);
    for (size_t i = 0; !reader->failed && i < host->address_count; i++)
        get_address(reader, &host->addresses[i]);
}

static void get_host(struct reader *reader, struct mx_host *host)
{
    unsigned flags = get_octet(reader);

    if (!demand(reader,
                (flags & WIRE_DANE_MASK) <= HOST_DANE_LOST && flags < WIRE_TLSA_TRUNCATED << 1))
        return;
    host->dane = (enum host_dane)(flags & WIRE_DANE_MASK);
    host->address_secure = flags & WIRE_ADDRESS_SECURE;
    host->addresses_known = flags & WIRE_ADDRESSES_KNOWN;
    host->tlsa_short = flags & WIRE_TLSA_SHORT;
    host->tlsa_truncated = flags & WIRE_TLSA_TRUNCATED;
    host->name = get_string(reader, WIRE_NAME);
    host->preference = (uint16_t)get_bounded(reader, UINT16_MAX);
    host->tlsa_base = get_optional(reader, WIRE_NAME);
    host->expanded = get_optional(reader, WIRE_NAME);
    host->why = get_optional(reader, WIRE_TEXT);
    host->ttl = get_ttl(reader);
    get_host_lists(reader, host);
}

/* ---- MTA-STS ---- */

static void get_lines(struct reader *reader, struct sts_policy *policy)
{
    size_t octets = 0;

    policy->line_count = get_count(reader, WIRE_LINES_MAX);
    policy->lines = get_array(reader, policy->line_count, sizeof *policy->lines);
    for (size_t i = 0; !reader->failed && i < policy->line_count; i++) {
        policy->lines[i] = get_string(reader, WIRE_LINE);
        if (reader->failed)
            return;
        octets += strlen(policy->lines[i]);
        demand(reader, octets <= STS_BODY_MAX);
    }
}

static size_t count_patterns(const struct sts_policy *policy)
{
    size_t count = 0;

    for (size_t i = 0; i < policy->line_count; i++)
        count += wire_line_pattern(policy->lines[i]) != NULL;
    return count;
}

/* The patterns as the lines have them. */
static void take_patterns(struct reader *reader, struct sts_policy *policy)
{
    size_t count = reader->failed ? 0 : count_patterns(policy), taken = 0;

    if (!demand(reader, count <= STS_MX_MAX))
        return;
    policy->mx = get_array(reader, count, sizeof *policy->mx);
    for (size_t i = 0; !reader->failed && taken < count; i++) {
        const char *pattern = wire_line_pattern(policy->lines[i]);
        char *copy;

        if (pattern == NULL)
            continue;
        copy = arena_strdup(reader->arena, pattern);
        if (!demand(reader, copy != NULL))
            return;
        hostname_fold(copy, strlen(copy));
        demand(reader, wire_string_ok(WIRE_PATTERN, copy, strlen(copy)));
        policy->mx[taken++] = copy;
    }
    policy->mx_count = taken;
}

static void get_patterns(struct reader *reader, struct sts_policy *policy)
{
    policy->mx_count = get_count(reader, STS_MX_MAX);
    policy->mx = get_array(reader, policy->mx_count, sizeof *policy->mx);
    for (size_t i = 0; !reader->failed && i < policy->mx_count; i++)
        policy->mx[i] = get_string(reader, WIRE_PATTERN);
}

static struct sts_policy *get_policy(struct reader *reader)
{
    struct sts_policy *policy = get_array(reader, 1, sizeof *policy);
    unsigned flags = get_octet(reader);

    if (!demand(reader,
                (flags & WIRE_MODE_MASK) <= STS_MODE_ENFORCE && flags < WIRE_MX_IN_LINES << 1))
        return NULL;
    policy->mode = (enum sts_mode)(flags & WIRE_MODE_MASK);
    policy->max_age = (uint32_t)get_bounded(reader, STS_MAX_AGE_MAX);
    get_lines(reader, policy);
    if (flags & WIRE_MX_IN_LINES)
        take_patterns(reader, policy);
    else
        get_patterns(reader, policy);
    demand(reader, policy->mx_count > 0 || policy->mode == STS_MODE_NONE);
    return policy;
}

/* A policy that outlives its max_age is nobody's. */
static bool times_ok(const struct sts_evidence *plain, const struct sts_policy *policy)
{
    return plain->valid_until <= plain->fetched_at + (int64_t)policy->max_age * 1000;
}

static void get_sts(struct reader *reader, struct sts_evidence *sts)
{
    unsigned state = get_octet(reader);
    const char *id = get_string(reader, WIRE_ID);

    if (!demand(reader, state <= STS_POLICY))
        return;
    sts->state = (enum sts_state)state;
    memcpy(sts->id, id, strlen(id) + 1);
    sts->ttl = get_ttl(reader);
    sts->why = get_optional(reader, WIRE_TEXT);
    sts->fetched_at = get_plain_time(reader);
    sts->valid_until = get_plain_time(reader);
    sts->refresh_at = get_time(reader);
    sts->retry_at = get_time(reader);
    if (sts->state == STS_POLICY)
        sts->policy = get_policy(reader);
    if (!reader->failed && sts->policy != NULL)
        demand(reader, times_ok(sts, sts->policy));
    sts->fetched_at = shifted(reader, sts->fetched_at);
    sts->valid_until = shifted(reader, sts->valid_until);
}

/* ---- the whole ---- */

static void get_evidence(struct reader *reader, struct evidence *evidence)
{
    unsigned flags = get_octet(reader);

    if (!demand(reader, flags < WIRE_OTHER_PORT << 1))
        return;
    evidence->mx = (enum mx_state)(flags & WIRE_MX_MASK);
    evidence->mx_secure = flags & WIRE_MX_SECURE;
    evidence->mx_truncated = flags & WIRE_MX_TRUNCATED;
    evidence->complete = flags & WIRE_COMPLETE;
    evidence->port = SMTP_PORT;
    if (flags & WIRE_OTHER_PORT)
        evidence->port = (uint16_t)get_bounded(reader, UINT16_MAX);
    evidence->domain = get_string(reader, WIRE_NAME);
    evidence->expanded = get_optional(reader, WIRE_NAME);
    evidence->mx_ttl = get_ttl(reader);
    evidence->mx_why = get_optional(reader, WIRE_TEXT);
    evidence->host_count = get_count(reader, EVIDENCE_MX_MAX);
    evidence->hosts = get_array(reader, evidence->host_count, sizeof *evidence->hosts);
    for (size_t i = 0; !reader->failed && i < evidence->host_count; i++)
        get_host(reader, &evidence->hosts[i]);
    get_sts(reader, &evidence->sts);
    demand(reader, left(reader) == 0);
}

struct evidence *evidence_unpack(struct arena *arena, const void *octets, size_t length,
                                 int64_t shift_ms)
{
    struct reader reader = {.arena = arena, .shift_ms = shift_ms};
    struct evidence *evidence;

    if (length == 0)
        return NULL;
    reader.at = octets;
    reader.end = reader.at + length;
    wire_strings_init(&reader.strings);
    if (get_octet(&reader) != EVIDENCE_PACK_VERSION)
        return NULL;
    evidence = arena_alloc(arena, sizeof *evidence);
    if (evidence == NULL)
        return NULL;
    get_evidence(&reader, evidence);
    return reader.failed || arena_failed(arena) ? NULL : evidence;
}
