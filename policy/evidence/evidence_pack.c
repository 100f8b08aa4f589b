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

#define SMTP_PORT    25
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- hosts ---- */

static void pack_tlsa(struct wire *wire, void *item)
{
    struct tlsa *tlsa = item;
    uint64_t length;

    tlsa->usage = (uint8_t)wire_flags(wire, tlsa->usage, UINT8_MAX, UINT8_MAX, NULL, 0);
    tlsa->selector = (uint8_t)wire_flags(wire, tlsa->selector, UINT8_MAX, UINT8_MAX, NULL, 0);
    tlsa->matching_type =
        (uint8_t)wire_flags(wire, tlsa->matching_type, UINT8_MAX, UINT8_MAX, NULL, 0);
    length = wire_bounded(wire, 2 * (uint64_t)tlsa->length + tlsa->usable, 2 * UINT16_MAX + 1);
    tlsa->usable = length & 1;
    tlsa->length = (uint16_t)(length >> 1);
    tlsa->data = wire_octets(wire, tlsa->data, tlsa->length);
    if (wire->out != NULL || wire->failed)
        return;
    tlsa->data = arena_memdup(wire->arena, tlsa->data, tlsa->length);
    wire_demand(wire, tlsa->data != NULL);
}

static void pack_ip(struct wire *wire, struct ip *ip, bool ipv6)
{
    size_t length = ipv6 ? 16 : 4;
    const void *octets = wire_octets(wire, ip->octets, length);

    if (wire->out == NULL && octets != NULL)
        ip_from_octets(ip, octets, length);
}

static void pack_address(struct wire *wire, void *item)
{
    struct mx_address *address = item;
    struct starttls_result *result = &address->starttls;
    bool ipv6 = address->ip.family == 6;
    const struct wire_claim claims[] = {{&ipv6, WIRE_IPV6},
                                        {&address->secure, WIRE_SECURE},
                                        {&result->chain_ok, WIRE_CHAIN_OK},
                                        {&result->name_ok, WIRE_NAME_OK}};
    const struct wire_claim more[] = {{&result->expired, WIRE_EXPIRED},
                                      {&result->requiretls, WIRE_REQUIRETLS},
                                      {&result->distrusted, WIRE_DISTRUSTED}};

    if (!wire_demand(wire, wire->out == NULL || ipv6 || address->ip.family == 4))
        return;
    result->state = (enum starttls)wire_flags(wire, result->state, WIRE_STARTTLS_MASK,
                                              STARTTLS_VERIFIED, claims, COUNT(claims));
    result->tlsa = (enum tlsa_match)wire_flags(wire, result->tlsa, WIRE_MATCH_MASK,
                                               TLSA_MATCH_MISMATCH, more, COUNT(more));
    pack_ip(wire, &address->ip, ipv6);
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
    const struct wire_claim claims[] = {{&host->address_secure, WIRE_ADDRESS_SECURE},
                                        {&host->addresses_known, WIRE_ADDRESSES_KNOWN},
                                        {&host->tlsa_short, WIRE_TLSA_SHORT},
                                        {&host->tlsa_truncated, WIRE_TLSA_TRUNCATED}};

    host->dane = (enum host_dane)wire_flags(wire, host->dane, WIRE_DANE_MASK, HOST_DANE_LOST,
                                            claims, COUNT(claims));
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

/* What was read is no more than a policy file can hold. */
static bool lines_fit(const struct sts_policy *policy)
{
    size_t octets = 0;

    for (size_t i = 0; i < policy->line_count; i++)
        octets += strlen(policy->lines[i]);
    return octets <= STS_BODY_MAX;
}

static size_t count_patterns(const struct sts_policy *policy)
{
    size_t count = 0;

    for (size_t i = 0; i < policy->line_count; i++)
        count += wire_line_pattern(policy->lines[i]) != NULL;
    return count;
}

/* The patterns as the lines that were read have them. */
static void take_patterns(struct wire *wire, struct sts_policy *policy)
{
    size_t count = wire->failed ? 0 : count_patterns(policy), taken = 0;

    if (!wire_demand(wire, count <= STS_MX_MAX))
        return;
    policy->mx = wire_array(wire, count, sizeof *policy->mx);
    for (size_t i = 0; !wire->failed && taken < count; i++) {
        const char *pattern = wire_line_pattern(policy->lines[i]);
        char *copy;

        if (pattern == NULL)
            continue;
        copy = arena_strdup(wire->arena, pattern);
        if (!wire_demand(wire, copy != NULL))
            return;
        hostname_fold(copy, strlen(copy));
        wire_demand(wire, wire_string_ok(WIRE_PATTERN, copy, strlen(copy)));
        policy->mx[taken++] = copy;
    }
    policy->mx_count = taken;
}

static void pack_policy(struct wire *wire, struct sts_policy *policy)
{
    bool in_lines = wire->out != NULL && mx_in_lines(policy);
    const struct wire_claim claims[] = {{&in_lines, WIRE_MX_IN_LINES}};

    policy->mode = (enum sts_mode)wire_flags(wire, policy->mode, WIRE_MODE_MASK, STS_MODE_ENFORCE,
                                             claims, COUNT(claims));
    policy->max_age = (uint32_t)wire_bounded(wire, policy->max_age, STS_MAX_AGE_MAX);
    policy->lines = wire_list(wire, policy->lines, &policy->line_count, sizeof *policy->lines,
                              WIRE_LINES_MAX, pack_line);
    if (wire->out == NULL && !wire->failed)
        wire_demand(wire, lines_fit(policy));
    if (!in_lines)
        policy->mx = wire_list(wire, policy->mx, &policy->mx_count, sizeof *policy->mx, STS_MX_MAX,
                               pack_pattern);
    else if (wire->out == NULL)
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
    struct sts_policy *policy, copy;

    if (!wire_demand(wire, wire->out == NULL || sts->policy != NULL))
        return;
    policy = wire->out != NULL ? &copy : wire_array(wire, 1, sizeof *policy);
    if (policy == NULL)
        return;
    if (wire->out != NULL)
        copy = *sts->policy;
    pack_policy(wire, policy);
    if (wire->out == NULL)
        sts->policy = policy;
}

static void pack_sts(struct wire *wire, struct sts_evidence *sts)
{
    int64_t end = sts->valid_until;
    const char *id;

    /* never beyond max_age, which the reader would not believe */
    if (sts->state == STS_POLICY && sts->policy != NULL && end > policy_end(sts))
        end = policy_end(sts);
    sts->state = (enum sts_state)wire_flags(wire, sts->state, UINT8_MAX, STS_POLICY, NULL, 0);
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
    if (!wire->failed && sts->policy != NULL && wire->out == NULL)
        wire_demand(wire, sts->valid_until <= policy_end(sts));
    sts->fetched_at = wire_shifted(wire, sts->fetched_at);
    sts->valid_until = wire_shifted(wire, sts->valid_until);
}

/* ---- the whole ---- */

static void pack_all(struct wire *wire, struct evidence *evidence)
{
    bool other_port = evidence->port != SMTP_PORT;
    const struct wire_claim claims[] = {{&evidence->mx_secure, WIRE_MX_SECURE},
                                        {&evidence->mx_truncated, WIRE_MX_TRUNCATED},
                                        {&evidence->complete, WIRE_COMPLETE},
                                        {&other_port, WIRE_OTHER_PORT}};

    wire_init(wire);
    wire_flags(wire, EVIDENCE_PACK_VERSION, EVIDENCE_PACK_VERSION, EVIDENCE_PACK_VERSION, NULL, 0);
    evidence->mx = (enum mx_state)wire_flags(wire, evidence->mx, WIRE_MX_MASK, MX_ERROR, claims,
                                             COUNT(claims));
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
    wire_demand(&wire, wire_left(&wire) == 0);
    return wire.failed || arena_failed(arena) ? NULL : evidence;
}
