/*
 * evidence_pack: the writing half; see evidence_pack.h, evidence_wire.h for the octets and
 * evidence_unpack.c for the reading half. A new field in evidence.h needs a line in both.
 *
 * Whatever the probes come up with can be packed: texts for people are cut and made printable, a
 * name from the DNS that is no host name is left out where it may be. What cannot be without our
 * own mistake (a host without a name, a policy with a brace in it) fails.
 */
#include "policy/evidence/evidence_pack.h"

#include <string.h>

#include "base/net/hostname.h"
#include "policy/evidence/evidence_wire.h"

#define SMTP_PORT 25

struct writer {
    struct buf *out;
    int64_t last_time;
    struct wire_strings strings;
};

/* ---- numbers ---- */

static void put_octet(struct writer *writer, unsigned value)
{
    uint8_t octet = (uint8_t)value;

    buf_add(writer->out, &octet, 1);
}

static void put_number(struct writer *writer, uint64_t value)
{
    while (value > 127) {
        put_octet(writer, (unsigned)(value & 127) | 128);
        value >>= 7;
    }
    put_octet(writer, (unsigned)value);
}

static uint64_t unsign(int64_t value)
{
    return value < 0 ? ~((uint64_t)value << 1) : (uint64_t)value << 1;
}

static void put_ttl(struct writer *writer, uint32_t ttl)
{
    put_number(writer, ttl == UINT32_MAX ? 0 : (uint64_t)ttl + 1);
}

static void put_time(struct writer *writer, int64_t at)
{
    if (at > WIRE_TIME_MAX)
        at = WIRE_TIME_MAX;
    if (at < -WIRE_TIME_MAX)
        at = -WIRE_TIME_MAX;
    put_number(writer, at == 0 ? 0 : unsign(at - writer->last_time) + 1);
    if (at != 0)
        writer->last_time = at;
}

/* True while `ok`; else the whole has failed. */
static bool demand(struct writer *writer, bool ok)
{
    if (!ok)
        writer->out->failed = true;
    return ok;
}

/* ---- strings ---- */

static void put_literal(struct writer *writer, const char *text, size_t length)
{
    put_number(writer, 2 * (uint64_t)length + 2);
    buf_add(writer->out, text, length);
}

static void put_string(struct writer *writer, const char *text)
{
    size_t slot = wire_strings_find(&writer->strings, text);

    if (slot < WIRE_STRINGS_MAX) {
        put_number(writer, 2 * slot + 1);
        return;
    }
    put_literal(writer, text, strlen(text));
    wire_strings_add(&writer->strings, text);
}

/* Not to be referred to: what is written is not what the evidence has. */
static void put_cleaned(struct writer *writer, const char *text)
{
    char clean[WIRE_TEXT_MAX];
    size_t length = strnlen(text, sizeof clean);

    for (size_t i = 0; i < length; i++)
        clean[i] = wire_printable(text[i]) ? text[i] : '?';
    put_literal(writer, clean, length);
    wire_strings_add(&writer->strings, NULL);
}

static void put_text(struct writer *writer, const char *text)
{
    if (text == NULL)
        put_number(writer, 0);
    else if (wire_string_ok(WIRE_TEXT, text, strlen(text)))
        put_string(writer, text);
    else
        put_cleaned(writer, text);
}

/* An alias may be anything that the DNS can hold. */
static void put_alias(struct writer *writer, const char *name)
{
    if (name != NULL && wire_string_ok(WIRE_NAME, name, strlen(name)))
        put_string(writer, name);
    else
        put_number(writer, 0);
}

static void put_checked(struct writer *writer, enum wire_kind kind, const char *text)
{
    if (demand(writer, text != NULL && wire_string_ok(kind, text, strlen(text))))
        put_string(writer, text);
}

/* ---- hosts ---- */

static void put_tlsa(struct writer *writer, const struct tlsa *tlsa)
{
    put_octet(writer, tlsa->usage);
    put_octet(writer, tlsa->selector);
    put_octet(writer, tlsa->matching_type);
    put_number(writer, 2 * (uint64_t)tlsa->length + tlsa->usable);
    buf_add(writer->out, tlsa->data, tlsa->length);
}

static void put_address(struct writer *writer, const struct mx_address *address)
{
    const struct starttls_result *result = &address->starttls;
    bool ipv6 = address->ip.family == 6;

    if (!demand(writer, ipv6 || address->ip.family == 4) ||
        !demand(writer, result->code >= 0 && result->code <= WIRE_CODE_MAX))
        return;
    put_octet(writer, (unsigned)result->state | (ipv6 ? WIRE_IPV6 : 0u) |
                          (address->secure ? WIRE_SECURE : 0u) |
                          (result->chain_ok ? WIRE_CHAIN_OK : 0u) |
                          (result->name_ok ? WIRE_NAME_OK : 0u));
    put_octet(writer, (unsigned)result->tlsa | (result->expired ? WIRE_EXPIRED : 0u) |
                          (result->requiretls ? WIRE_REQUIRETLS : 0u) |
                          (result->distrusted ? WIRE_DISTRUSTED : 0u));
    buf_add(writer->out, address->ip.octets, ipv6 ? 16 : 4);
    put_number(writer, (uint64_t)result->code);
    put_time(writer, result->probed_at);
    put_time(writer, result->valid_until);
    put_text(writer, result->protocol);
    put_text(writer, result->cipher);
    put_text(writer, result->subject);
    put_text(writer, result->detail);
    put_number(writer, unsign(result->not_after));
}

static void put_host(struct writer *writer, const struct mx_host *host)
{
    if (!demand(writer, host->tlsa_count <= EVIDENCE_TLSA_MAX) ||
        !demand(writer, host->address_count <= 2 * EVIDENCE_ADDRESSES_MAX))
        return;
    put_octet(writer, (unsigned)host->dane | (host->address_secure ? WIRE_ADDRESS_SECURE : 0u) |
                          (host->addresses_known ? WIRE_ADDRESSES_KNOWN : 0u) |
                          (host->tlsa_short ? WIRE_TLSA_SHORT : 0u) |
                          (host->tlsa_truncated ? WIRE_TLSA_TRUNCATED : 0u));
    put_checked(writer, WIRE_NAME, host->name);
    put_number(writer, host->preference);
    put_alias(writer, host->tlsa_base);
    put_alias(writer, host->expanded);
    put_text(writer, host->why);
    put_ttl(writer, host->ttl);
    put_number(writer, host->tlsa_count);
    for (size_t i = 0; i < host->tlsa_count; i++)
        put_tlsa(writer, &host->tlsa[i]);
    put_number(writer, host->address_count);
    for (size_t i = 0; i < host->address_count; i++)
        put_address(writer, &host->addresses[i]);
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

static void put_policy(struct writer *writer, const struct sts_policy *policy)
{
    bool in_lines = mx_in_lines(policy);

    if (!demand(writer, policy->mx_count <= STS_MX_MAX && policy->line_count <= WIRE_LINES_MAX) ||
        !demand(writer, policy->mx_count > 0 || policy->mode == STS_MODE_NONE) ||
        !demand(writer, policy->max_age <= STS_MAX_AGE_MAX))
        return;
    put_octet(writer, (unsigned)policy->mode | (in_lines ? WIRE_MX_IN_LINES : 0u));
    put_number(writer, policy->max_age);
    put_number(writer, policy->line_count);
    for (size_t i = 0; i < policy->line_count; i++)
        put_checked(writer, WIRE_LINE, policy->lines[i]);
    if (in_lines)
        return;
    put_number(writer, policy->mx_count);
    for (size_t i = 0; i < policy->mx_count; i++)
        put_checked(writer, WIRE_PATTERN, policy->mx[i]);
}

/* Never beyond max_age, which the reader would not believe. */
static int64_t policy_end(const struct sts_evidence *sts)
{
    int64_t most;

    if (sts->state != STS_POLICY || sts->policy == NULL)
        return sts->valid_until;
    most = sts->fetched_at + (int64_t)sts->policy->max_age * 1000;
    return sts->valid_until < most ? sts->valid_until : most;
}

static void put_sts(struct writer *writer, const struct sts_evidence *sts)
{
    put_octet(writer, (unsigned)sts->state);
    put_checked(writer, WIRE_ID, sts->id);
    put_ttl(writer, sts->ttl);
    put_text(writer, sts->why);
    put_time(writer, sts->fetched_at);
    put_time(writer, policy_end(sts));
    put_time(writer, sts->refresh_at);
    put_time(writer, sts->retry_at);
    if (sts->state == STS_POLICY && demand(writer, sts->policy != NULL))
        put_policy(writer, sts->policy);
}

void evidence_pack(struct buf *out, const struct evidence *evidence)
{
    struct writer writer = {.out = out};
    bool other_port = evidence->port != SMTP_PORT;

    wire_strings_init(&writer.strings);
    put_octet(&writer, EVIDENCE_PACK_VERSION);
    put_octet(&writer, (unsigned)evidence->mx | (evidence->mx_secure ? WIRE_MX_SECURE : 0u) |
                           (evidence->mx_truncated ? WIRE_MX_TRUNCATED : 0u) |
                           (evidence->complete ? WIRE_COMPLETE : 0u) |
                           (other_port ? WIRE_OTHER_PORT : 0u));
    if (other_port)
        put_number(&writer, evidence->port);
    put_checked(&writer, WIRE_NAME, evidence->domain);
    put_alias(&writer, evidence->expanded);
    put_ttl(&writer, evidence->mx_ttl);
    put_text(&writer, evidence->mx_why);
    if (!demand(&writer, evidence->host_count <= EVIDENCE_MX_MAX))
        return;
    put_number(&writer, evidence->host_count);
    for (size_t i = 0; i < evidence->host_count; i++)
        put_host(&writer, &evidence->hosts[i]);
    put_sts(&writer, &evidence->sts);
}
