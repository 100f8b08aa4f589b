/*
 * evidence_pack: see evidence_pack.h; what a packed evidence consists of, described once for writing
 * and for reading. evidence_wire.h has the parts. A new field in evidence.h needs a line here.
 *
 * Whatever the probes come up with can be written: texts for people are cut and made printable, a
 * name from the DNS that is no host name is left out where it may be. What cannot be without our
 * own mistake (a host without a name, a policy with a brace in it) fails.
 */
#include "policy/evidence/evidence_pack.h"

#include <string.h>

#include "base/net/hostname.h"
#include "policy/evidence/evidence_wire.h"

#define SMTP_PORT 25

/* ---- hosts ---- */

static void pack_tlsa(struct wire *wire, void *item)
{
    struct tlsa *tlsa = item;
    uint64_t length;

    tlsa->usage = (uint8_t)wire_octet(wire, tlsa->usage);
    tlsa->selector = (uint8_t)wire_octet(wire, tlsa->selector);
    tlsa->matching_type = (uint8_t)wire_octet(wire, tlsa->matching_type);
    length = wire_bounded(wire, 2 * (uint64_t)tlsa->length + tlsa->usable, 2 * UINT16_MAX + 1);
    tlsa->usable = length & 1;
    tlsa->length = (uint16_t)(length >> 1);
    tlsa->data = wire_octets(wire, tlsa->data, tlsa->length);
    if (wire->out != NULL || wire->failed)
        return;
    tlsa->data = arena_memdup(wire->arena, tlsa->data, tlsa->length);
    wire_demand(wire, tlsa->data != NULL);
}

static void pack_address(struct wire *wire, void *item)
{
    struct mx_address *address = item;
    struct starttls_result *result = &address->starttls;
    bool ipv6 = address->ip.family == 6;
    bool *const claims[] = {&ipv6, &address->secure, &result->chain_ok, &result->name_ok, NULL};
    bool *const more[] = {&result->expired, &result->requiretls, &result->distrusted, NULL};
    const void *octets;

    if (!wire_demand(wire, wire->out == NULL || ipv6 || address->ip.family == 4))
        return;
    result->state = (enum starttls)wire_flags(wire, result->state, 4, STARTTLS_VERIFIED, claims);
    result->tlsa = (enum tlsa_match)wire_flags(wire, result->tlsa, 2, TLSA_MATCH_MISMATCH, more);
    octets = wire_octets(wire, address->ip.octets, ipv6 ? 16 : 4);
    if (wire->out == NULL && octets != NULL)
        ip_from_octets(&address->ip, octets, ipv6 ? 16 : 4);
    result->code = (int)wire_bounded(wire, (uint64_t)result->code, WIRE_CODE_MAX);
    result->probed_at = wire_time(wire, result->probed_at);
    result->valid_until = wire_time(wire, result->valid_until);
    result->protocol = wire_optional(wire, result->protocol, WIRE_TEXT);
    result->cipher = wire_optional(wire, result->cipher, WIRE_TEXT);
    result->subject = wire_optional(wire, result->subject, WIRE_TEXT);
    result->detail = wire_optional(wire, result->detail, WIRE_TEXT);
    result->not_after = wire_signed(wire, result->not_after);
}

static void pack_host(struct wire *wire, void *item)
{
    struct mx_host *host = item;
    bool *const claims[] = {&host->address_secure, &host->addresses_known, &host->tlsa_short,
                            &host->tlsa_truncated, NULL};

    host->dane = (enum host_dane)wire_flags(wire, host->dane, 3, HOST_DANE_LOST, claims);
    host->name = wire_string(wire, host->name, WIRE_NAME);
    host->preference = (uint16_t)wire_bounded(wire, host->preference, UINT16_MAX);
    host->tlsa_base = wire_optional(wire, host->tlsa_base, WIRE_NAME);
    host->expanded = wire_optional(wire, host->expanded, WIRE_NAME);
    host->why = wire_optional(wire, host->why, WIRE_TEXT);
    host->ttl = wire_ttl(wire, host->ttl);
    host->tlsa = wire_list(wire, host->tlsa, &host->tlsa_count, sizeof *host->tlsa,
                           EVIDENCE_TLSA_MAX, pack_tlsa);
    host->addresses = wire_list(wire, host->addresses, &host->address_count,
                                sizeof *host->addresses, 2 * EVIDENCE_ADDRESSES_MAX, pack_address);
}

/* ---- MTA-STS ---- */

/* True when the patterns are those of the lines, so that they need not be written. */
static bool mx_in_lines(const struct sts_policy *policy)
{
    size_t found = 0;

    for (size_t i = 0; i < policy->line_count; i++) {
        const char *pattern = wire_line_pattern(policy->lines[i]);

        if (pattern == NULL)
            continue;
        if (found == policy->mx_count || !hostname_equal(pattern, policy->mx[found++]))
            return false;
    }
    return found == policy->mx_count;
}

static void pack_line(struct wire *wire, void *item)
{
    const char **line = item;

    *line = wire_string(wire, *line, WIRE_LINE);
}

static void pack_pattern(struct wire *wire, void *item)
{
    const char **pattern = item;

    *pattern = wire_string(wire, *pattern, WIRE_PATTERN);
}

/* The patterns as the lines that were read have them. */
static void take_patterns(struct wire *wire, struct sts_policy *policy)
{
    size_t most = policy->line_count < STS_MX_MAX ? policy->line_count : STS_MX_MAX;

    policy->mx = wire_array(wire, most, sizeof *policy->mx);
    for (size_t i = 0; !wire->failed && i < policy->line_count; i++) {
        const char *pattern = wire_line_pattern(policy->lines[i]);
        char *copy;

        if (pattern == NULL || !wire_demand(wire, policy->mx_count < most))
            continue;
        copy = arena_strdup(wire->arena, pattern);
        if (!wire_demand(wire, copy != NULL))
            return;
        hostname_fold(copy, strlen(copy));
        wire_demand(wire, wire_string_ok(WIRE_PATTERN, copy));
        policy->mx[policy->mx_count++] = copy;
    }
}

static void pack_policy(struct wire *wire, struct sts_policy *policy)
{
    bool reads = wire->out == NULL, in_lines = !reads && mx_in_lines(policy);
    bool *const claims[] = {&in_lines, NULL};
    size_t octets = 0;

    policy->mode = (enum sts_mode)wire_flags(wire, policy->mode, 2, STS_MODE_ENFORCE, claims);
    policy->max_age = (uint32_t)wire_bounded(wire, policy->max_age, STS_MAX_AGE_MAX);
    policy->lines = wire_list(wire, policy->lines, &policy->line_count, sizeof *policy->lines,
                              WIRE_LINES_MAX, pack_line);
    /* what was read is no more than a policy file can hold */
    for (size_t i = 0; reads && !wire->failed && i < policy->line_count; i++)
        octets += strlen(policy->lines[i]);
    wire_demand(wire, octets <= STS_BODY_MAX);
    if (!in_lines)
        policy->mx = wire_list(wire, policy->mx, &policy->mx_count, sizeof *policy->mx, STS_MX_MAX,
                               pack_pattern);
    else if (reads)
        take_patterns(wire, policy);
    wire_demand(wire, policy->mx_count <= STS_MX_MAX);
    wire_demand(wire, policy->mx_count > 0 || policy->mode == STS_MODE_NONE);
}

static int64_t policy_end(const struct sts_evidence *sts)
{
    return sts->fetched_at + (int64_t)sts->policy->max_age * 1000;
}

static void pack_policy_of(struct wire *wire, struct sts_evidence *sts)
{
    struct sts_policy copy, *policy = &copy;

    if (wire->out == NULL)
        policy = wire_array(wire, 1, sizeof *policy);
    else if (sts->policy != NULL)
        copy = *sts->policy;
    if (!wire_demand(wire, wire->out == NULL || sts->policy != NULL))
        return;
    pack_policy(wire, policy);
    if (wire->out != NULL)
        return;
    sts->policy = policy;
    wire_demand(wire, sts->valid_until <= policy_end(sts));
}

static void pack_sts(struct wire *wire, struct sts_evidence *sts)
{
    int64_t end = sts->valid_until;
    const char *id;

    /* never beyond max_age, which the reader would not believe */
    if (sts->state == STS_POLICY && sts->policy != NULL && end > policy_end(sts))
        end = policy_end(sts);
    sts->state = (enum sts_state)wire_bounded(wire, sts->state, STS_POLICY);
    id = wire_string(wire, sts->id, WIRE_ID);
    if (wire->out == NULL && id != NULL)
        memcpy(sts->id, id, strlen(id) + 1);
    sts->ttl = wire_ttl(wire, sts->ttl);
    sts->why = wire_optional(wire, sts->why, WIRE_TEXT);
    sts->fetched_at = wire_plain_time(wire, sts->fetched_at);
    sts->valid_until = wire_plain_time(wire, end);
    sts->refresh_at = wire_time(wire, sts->refresh_at);
    sts->retry_at = wire_time(wire, sts->retry_at);
    if (sts->state == STS_POLICY)
        pack_policy_of(wire, sts);
    sts->fetched_at = wire_shifted(wire, sts->fetched_at);
    sts->valid_until = wire_shifted(wire, sts->valid_until);
}

/* ---- the whole ---- */

static void pack_all(struct wire *wire, struct evidence *evidence)
{
    bool other_port = evidence->port != SMTP_PORT;
    bool *const claims[] = {&evidence->mx_secure, &evidence->mx_truncated, &evidence->complete,
                            &other_port, NULL};

    wire_init(wire);
    wire_bounded(wire, EVIDENCE_PACK_VERSION, EVIDENCE_PACK_VERSION);
    evidence->mx = (enum mx_state)wire_flags(wire, evidence->mx, 3, MX_ERROR, claims);
    if (other_port)
        evidence->port = (uint16_t)wire_bounded(wire, evidence->port, UINT16_MAX);
    else
        evidence->port = SMTP_PORT;
    evidence->domain = wire_string(wire, evidence->domain, WIRE_NAME);
    evidence->expanded = wire_optional(wire, evidence->expanded, WIRE_NAME);
    evidence->mx_ttl = wire_ttl(wire, evidence->mx_ttl);
    evidence->mx_why = wire_optional(wire, evidence->mx_why, WIRE_TEXT);
    evidence->hosts = wire_list(wire, evidence->hosts, &evidence->host_count,
                                sizeof *evidence->hosts, EVIDENCE_MX_MAX, pack_host);
    pack_sts(wire, &evidence->sts);
}

void evidence_pack(struct buf *out, const struct evidence *evidence)
{
    struct evidence copy = *evidence;
    struct wire wire = {.out = out};

    pack_all(&wire, &copy);
    if (wire.failed)
        out->failed = true;
}

struct evidence *evidence_unpack(struct arena *arena, const void *octets, size_t length,
                                 int64_t shift_ms)
{
    struct wire wire = {.arena = arena, .at = octets, .shift_ms = shift_ms};
    struct evidence *evidence;

    if (length == 0 || *wire.at != EVIDENCE_PACK_VERSION)
        return NULL;
    wire.end = wire.at + length;
    evidence = arena_alloc(arena, sizeof *evidence);
    if (evidence == NULL)
        return NULL;
    pack_all(&wire, evidence);
    wire_demand(&wire, wire.at == wire.end);
    return wire.failed || arena_failed(arena) ? NULL : evidence;
}
