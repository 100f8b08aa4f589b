/*
 * dns_wire: names read by ldns, everything else written and read where it stands.
 *
 * A reply is walked once by dns_walk, which refuses whatever does not fit; then the CNAME chain is
 * followed from the question and only records at its end are taken (RFC 1034 §3.6.2, RFC 2308 §2).
 * RDATA comes from the octets of the message and not from ldns, which would drop or refuse records
 * it finds short. No function here blocks, and none uses the resolver of ldns.
 */
#include "probe/dns/dns_wire.h"

#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#include "base/escape.h"
#include "probe/dns/dns_ede.h"
#include "probe/dns/dns_walk.h"
#include "probe/dns/dns_write.h"

#define CLASS_IN           1
#define TYPE_SOA           6
#define TYPE_OPT           41
#define OPTION_EDE         15 /* RFC 8914 §2 */
#define EDE_TEXT_MAX       100
#define RR_OCTETS_MIN      11
#define SOA_NUMBERS_OCTETS 20
#define TTL_MAX            0x7fffffff /* RFC 2181 §8: more counts as zero */
#define TTL_WITHOUT_SOA    60

enum reading { READING_OK, READING_MALFORMED, READING_MEMORY };

struct wire_name {
    uint8_t octets[DNS_NAME_OCTETS_MAX]; /* uncompressed, lower case */
};

struct dns_reply {
    struct dns_span message;
    struct arena *arena;
    struct dns_answer *out;
    uint16_t type;
    unsigned rcode;
    struct wire_name name; /* asked; then where the CNAME chain leads */
    /* owned: what is of interest, the answer section first, then SOA and NS of the authority */
    struct dns_walk_rr *records;
    size_t answers, authorities;
    bool has_ns, has_opt;
    struct dns_walk_rr opt;
};

/* ---- names ---- */

static enum reading take_name(struct wire_name *out, ldns_status status, ldns_rdf *name)
{
    if (status != LDNS_STATUS_OK)
        return status == LDNS_STATUS_MEM_ERR ? READING_MEMORY : READING_MALFORMED;
    /* ldns 1.8 reports success when it could not make the name */
    if (name == NULL)
        return READING_MEMORY;
    if (ldns_rdf_size(name) > sizeof out->octets) {
        ldns_rdf_deep_free(name);
        return READING_MALFORMED;
    }
    ldns_dname2canonical(name);
    memcpy(out->octets, ldns_rdf_data(name), ldns_rdf_size(name));
    ldns_rdf_deep_free(name);
    return READING_OK;
}

static enum reading name_from_text(struct wire_name *out, const char *text)
{
    ldns_rdf *name = NULL;
    ldns_status status = ldns_str2rdf_dname(&name, text);

    return take_name(out, status, name);
}

/* Decodes the name at `offset`, which must end at `end`. */
static enum reading name_from_wire(struct wire_name *out, struct dns_span message, size_t offset,
                                   size_t end)
{
    ldns_rdf *name = NULL;
    ldns_status status;
    size_t guarded = offset;

    if (!dns_walk_name(message, &guarded) || guarded != end)
        return READING_MALFORMED;
    status = ldns_wire2dname(&name, message.data, message.length, &offset);
    return take_name(out, status, name);
}

static size_t name_length(const struct wire_name *name)
{
    size_t at = 0;

    while (name->octets[at] != 0)
        at += (size_t)name->octets[at] + 1;
    return at + 1;
}

static bool name_equal(const struct wire_name *a, const struct wire_name *b)
{
    size_t length = name_length(a);

    return length == name_length(b) && memcmp(a->octets, b->octets, length) == 0;
}

static bool plain_octet(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Writes one octet of a label as it is or as \\DDD; returns how much that took. */
static size_t put_octet(char *out, uint8_t c)
{
    if (plain_octet(c)) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = '\\';
    out[1] = (char)('0' + c / 100);
    out[2] = (char)('0' + c / 10 % 10);
    out[3] = (char)('0' + c % 10);
    return 4;
}

static const char *name_text(struct arena *arena, const struct wire_name *name)
{
    char text[DNS_NAME_OCTETS_MAX * 4 + 1];
    size_t used = 0;

    for (const uint8_t *label = name->octets; *label != 0; label += *label + 1) {
        if (used > 0)
            text[used++] = '.';
        for (unsigned i = 1; i <= *label; i++)
            used += put_octet(text + used, label[i]);
    }
    return used == 0 ? arena_strdup(arena, ".") : arena_strndup(arena, text, used);
}

/* ---- the query ---- */

enum dns_wire_written dns_wire_query(uint8_t *out, size_t size, size_t *length, uint16_t id,
                                     const char *name, uint16_t type)
{
    struct wire_name owner;
    enum reading reading = name_from_text(&owner, name);

    if (reading == READING_MEMORY)
        return DNS_WIRE_NO_MEMORY;
    if (reading != READING_OK || size < DNS_WRITE_FIXED + name_length(&owner))
        return DNS_WIRE_IMPOSSIBLE;
    *length = dns_write_query(out, id, owner.octets, name_length(&owner), type);
    return DNS_WIRE_WRITTEN;
}

/* ---- is it ours? ---- */

static bool rcode_is_error(unsigned rcode)
{
    return rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN;
}

/* Moves *offset behind the question when the reply answers ours. */
static bool is_ours(const struct dns_reply *reply, uint16_t id, size_t *offset)
{
    struct dns_span message = reply->message;
    size_t at = DNS_HEADER_OCTETS;

    if (message.length < DNS_HEADER_OCTETS || dns_walk_u16(message, 0) != id ||
        !LDNS_QR_WIRE(message.data) || LDNS_OPCODE_WIRE(message.data) != LDNS_PACKET_QUERY)
        return false;
    *offset = at;
    /* servers that could not read the query send the bare header back */
    if (LDNS_QDCOUNT(message.data) == 0)
        return message.length == DNS_HEADER_OCTETS && rcode_is_error(LDNS_RCODE_WIRE(message.data));
    if (LDNS_QDCOUNT(message.data) != 1 || !dns_walk_name(message, &at) || message.length - at < 4)
        return false;
    if (!dns_walk_equal(message, DNS_HEADER_OCTETS, reply->name.octets) ||
        dns_walk_u16(message, at) != reply->type || dns_walk_u16(message, at + 2) != CLASS_IN)
        return false;
    *offset = at + 4;
    return true;
}

/* ---- the walk ---- */

static bool note_answer(struct dns_reply *reply, const struct dns_walk_rr *rr)
{
    if (rr->class == CLASS_IN && (rr->type == reply->type || rr->type == DNS_CNAME))
        reply->records[reply->answers++] = *rr;
    return true;
}

static bool note_authority(struct dns_reply *reply, const struct dns_walk_rr *rr)
{
    if (rr->class != CLASS_IN)
        return true;
    if (rr->type == DNS_NS)
        reply->has_ns = true;
    if (rr->type == TYPE_SOA)
        reply->records[reply->answers + reply->authorities++] = *rr;
    return true;
}

/* RFC 6891 §6.1.1: one OPT at most, owned by the root. */
static bool note_additional(struct dns_reply *reply, const struct dns_walk_rr *rr)
{
    static const uint8_t root[1] = {0};

    if (rr->type != TYPE_OPT)
        return true;
    if (reply->has_opt || !dns_walk_equal(reply->message, rr->owner, root))
        return false;
    reply->has_opt = true;
    reply->opt = *rr;
    return true;
}

/* Notes every record of interest; false unless the records fill the message exactly. */
static bool walk(struct dns_reply *reply, size_t offset)
{
    static bool (*const note[])(struct dns_reply *, const struct dns_walk_rr *) = {
        note_answer, note_authority, note_additional};
    struct dns_walk_rr rr;

    for (size_t section = 0; section < 3; section++) {
        unsigned count = dns_walk_u16(reply->message, LDNS_ANCOUNT_OFF + 2 * section);

        for (unsigned i = 0; i < count; i++)
            if (!dns_walk_rr(reply->message, &offset, &rr) || !note[section](reply, &rr))
                return false;
    }
    return offset == reply->message.length;
}

/* ---- failures ---- */

static enum reading fail(struct dns_reply *reply, const char *why)
{
    struct dns_answer *out = reply->out;

    out->outcome = DNS_FAILED;
    out->secure = out->cut = false;
    out->ttl = 0;
    out->count = 0;
    out->records = NULL;
    out->why = why;
    out->failure = DNS_FAILURE_MALFORMED;
    return why == NULL ? READING_MEMORY : READING_OK;
}

/* Finds the first extended error; false when the options do not fit the OPT record. */
static bool find_ede(const struct dns_reply *reply, struct dns_span *ede)
{
    size_t at = reply->opt.rdata, end = reply->opt.rdata + reply->opt.length;

    while (reply->has_opt && at < end) {
        uint16_t length;

        if (end - at < 4)
            return false;
        length = dns_walk_u16(reply->message, at + 2);
        if (end - at - 4 < length)
            return false;
        if (dns_walk_u16(reply->message, at) == OPTION_EDE && length >= 2 && ede->data == NULL)
            *ede = (struct dns_span){reply->message.data + at + 4, length};
        at += 4 + (size_t)length;
    }
    return true;
}

static const char *rcode_name(unsigned rcode, char room[16])
{
    const ldns_lookup_table *entry = ldns_lookup_by_id(ldns_rcodes, (int)rcode);

    if (entry != NULL)
        return entry->name;
    snprintf(room, 16, "RCODE %u", rcode);
    return room;
}

static enum dns_failure rcode_failure(unsigned rcode)
{
    return rcode == LDNS_RCODE_SERVFAIL  ? DNS_FAILURE_SERVFAIL
           : rcode == LDNS_RCODE_REFUSED ? DNS_FAILURE_REFUSED
                                         : DNS_FAILURE_RCODE;
}

/* In words: "SERVFAIL (EDE 6: DNSSEC Bogus, no keys)". */
static enum reading explain_rcode(struct dns_reply *reply, struct dns_span ede)
{
    char room[16], text[EDE_TEXT_MAX];
    const char *rcode = rcode_name(reply->rcode, room), *words;
    unsigned code;

    if (ede.data == NULL)
        return fail(reply, arena_strdup(reply->arena, rcode));
    code = dns_walk_u16(ede, 0);
    words = dns_ede_name((uint16_t)code);
    escape_bytes(text, sizeof text, ede.data + 2, ede.length - 2);
    return fail(reply, arena_printf(reply->arena, "%s (EDE %u%s%s%s%s)", rcode, code,
                                    words != NULL ? ": " : "", words != NULL ? words : "",
                                    text[0] != '\0' ? ", " : "", text));
}

static enum reading fail_rcode(struct dns_reply *reply, struct dns_span ede)
{
    enum reading status = explain_rcode(reply, ede);

    reply->out->failure = rcode_failure(reply->rcode);
    return status;
}

/* ---- the chain ---- */

static uint32_t usable_ttl(uint32_t ttl)
{
    return ttl > TTL_MAX ? 0 : ttl;
}

static void lower_ttl(struct dns_reply *reply, uint32_t ttl)
{
    if (usable_ttl(ttl) < reply->out->ttl)
        reply->out->ttl = usable_ttl(ttl);
}

static bool is_at(const struct dns_reply *reply, const struct dns_walk_rr *rr, uint16_t type)
{
    return rr->type == type && dns_walk_equal(reply->message, rr->owner, reply->name.octets);
}

static size_t count_records(const struct dns_reply *reply)
{
    size_t count = 0;

    for (size_t i = 0; i < reply->answers; i++)
        count += is_at(reply, &reply->records[i], reply->type);
    return count;
}

/* The CNAME at the present name: *found tells whether there is one. Two different ones are no CNAME
 * RRset at all (RFC 2181 §10.1). */
static enum reading find_alias(struct dns_reply *reply, struct wire_name *target, bool *found)
{
    struct wire_name other;
    enum reading status;

    *found = false;
    for (size_t i = 0; i < reply->answers; i++) {
        const struct dns_walk_rr *rr = &reply->records[i];

        if (!is_at(reply, rr, DNS_CNAME))
            continue;
        status = name_from_wire(&other, reply->message, rr->rdata, rr->rdata + rr->length);
        if (status != READING_OK)
            return status;
        if (*found && !name_equal(&other, target))
            return READING_MALFORMED;
        *target = other;
        *found = true;
        lower_ttl(reply, rr->ttl);
    }
    return READING_OK;
}

/* Follows the CNAMEs from the question to the name that has the records, or has nothing. */
static enum reading follow_chain(struct dns_reply *reply)
{
    struct wire_name seen[DNS_ALIASES_MAX + 1], target;
    struct dns_answer *out = reply->out;
    bool found = false;

    while (count_records(reply) == 0) {
        enum reading status = find_alias(reply, &target, &found);

        if (status != READING_OK || !found)
            return status;
        seen[out->aliases] = reply->name;
        for (unsigned i = 0; i <= out->aliases; i++)
            if (name_equal(&seen[i], &target))
                return fail(reply, "CNAME loop");
        if (out->aliases == DNS_ALIASES_MAX)
            return fail(reply, "CNAME chain too long");
        out->aliases++;
        reply->name = target;
    }
    return READING_OK;
}

/* ---- the records ---- */

static enum reading read_octets(struct dns_reply *reply, const struct dns_walk_rr *rr,
                                struct dns_record *out)
{
    if ((reply->type == DNS_A && rr->length != 4) || (reply->type == DNS_AAAA && rr->length != 16))
        return READING_MALFORMED;
    out->length = rr->length;
    out->data = arena_memdup(reply->arena, reply->message.data + rr->rdata, rr->length);
    return out->data == NULL ? READING_MEMORY : READING_OK;
}

static enum reading read_text(struct dns_reply *reply, const struct dns_walk_rr *rr,
                              struct dns_record *out)
{
    const uint8_t *rdata = reply->message.data + rr->rdata;
    uint8_t *text = arena_alloc(reply->arena, rr->length);
    size_t at = 0, used = 0;

    if (text == NULL)
        return READING_MEMORY;
    while (at < rr->length) {
        size_t piece = rdata[at++];

        if (rr->length - at < piece)
            return READING_MALFORMED;
        memcpy(text + used, rdata + at, piece);
        used += piece;
        at += piece;
    }
    out->data = text;
    out->length = (uint16_t)used;
    return READING_OK;
}

static enum reading read_target(struct dns_reply *reply, const struct dns_walk_rr *rr,
                                struct dns_record *out)
{
    size_t skip = reply->type == DNS_MX ? 2 : 0;
    struct wire_name name;
    enum reading status;

    if (rr->length < skip)
        return READING_MALFORMED;
    if (reply->type == DNS_MX)
        out->preference = dns_walk_u16(reply->message, rr->rdata);
    status = name_from_wire(&name, reply->message, rr->rdata + skip, rr->rdata + rr->length);
    if (status != READING_OK)
        return status;
    out->name = name_text(reply->arena, &name);
    return out->name == NULL ? READING_MEMORY : READING_OK;
}

static enum reading read_record(struct dns_reply *reply, const struct dns_walk_rr *rr,
                                struct dns_record *out)
{
    switch (reply->type) {
    case DNS_MX:
    case DNS_CNAME:
    case DNS_NS:
        return read_target(reply, rr, out);
    case DNS_TXT:
        return read_text(reply, rr, out);
    default:
        return read_octets(reply, rr, out);
    }
}

static enum reading read_records(struct dns_reply *reply, size_t count)
{
    struct dns_answer *out = reply->out;

    /* records at a name that does not exist: one of the two is a lie */
    if (reply->rcode == LDNS_RCODE_NXDOMAIN)
        return READING_MALFORMED;
    out->cut = count > DNS_RECORDS_MAX;
    out->records =
        arena_array(reply->arena, out->cut ? DNS_RECORDS_MAX : count, sizeof *out->records);
    if (out->records == NULL)
        return READING_MEMORY;
    for (size_t i = 0; i < reply->answers && out->count < DNS_RECORDS_MAX; i++) {
        enum reading status;

        if (!is_at(reply, &reply->records[i], reply->type))
            continue;
        status = read_record(reply, &reply->records[i], &out->records[out->count]);
        if (status != READING_OK)
            return status;
        lower_ttl(reply, reply->records[i].ttl);
        out->count++;
    }
    out->outcome = DNS_RECORDS;
    return READING_OK;
}

/* ---- absence ---- */

/* The SOA of the zone nearest to the present name, or NULL. */
static const struct dns_walk_rr *find_soa(const struct dns_reply *reply)
{
    const struct dns_walk_rr *soas = reply->records + reply->answers;
    const uint8_t *zone = reply->name.octets;

    for (;;) {
        for (size_t i = 0; i < reply->authorities; i++)
            if (dns_walk_equal(reply->message, soas[i].owner, zone))
                return &soas[i];
        if (*zone == 0)
            return NULL;
        zone += *zone + 1;
    }
}

static bool soa_minimum(const struct dns_reply *reply, const struct dns_walk_rr *soa, uint32_t *out)
{
    size_t at = soa->rdata, end = soa->rdata + soa->length;

    if (!dns_walk_name(reply->message, &at) || !dns_walk_name(reply->message, &at) || at > end ||
        end - at != SOA_NUMBERS_OCTETS)
        return false;
    *out = dns_walk_u32(reply->message, end - 4);
    return true;
}

static bool is_referral(const struct dns_reply *reply)
{
    return reply->has_ns && reply->authorities == 0 && !LDNS_AA_WIRE(reply->message.data) &&
           !LDNS_RA_WIRE(reply->message.data);
}

static enum reading read_absence(struct dns_reply *reply)
{
    const struct dns_walk_rr *soa = find_soa(reply);
    uint32_t minimum;

    /* RFC 2308 §2.2.1: a server that only points elsewhere has not said that there is nothing */
    if (reply->rcode == LDNS_RCODE_NOERROR && is_referral(reply))
        return fail(reply, "a referral: this server does no recursion");
    reply->out->outcome = reply->rcode == LDNS_RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
    if (soa == NULL) {
        lower_ttl(reply, TTL_WITHOUT_SOA);
        return READING_OK;
    }
    if (!soa_minimum(reply, soa, &minimum))
        return READING_MALFORMED;
    lower_ttl(reply, soa->ttl);
    lower_ttl(reply, minimum);
    return READING_OK;
}

/* ---- the whole ---- */

static enum reading read_reply(struct dns_reply *reply, size_t offset)
{
    const uint8_t *header = reply->message.data;
    struct dns_answer *out = reply->out;
    struct dns_span ede = {NULL, 0};
    enum reading status;
    size_t count;

    if (!walk(reply, offset) || !find_ede(reply, &ede))
        return READING_MALFORMED;
    reply->rcode = LDNS_RCODE_WIRE(header);
    if (reply->has_opt)
        reply->rcode |= reply->opt.ttl >> 24 << 4;
    if (rcode_is_error(reply->rcode))
        return fail_rcode(reply, ede);
    out->ttl = TTL_MAX;
    status = follow_chain(reply);
    if (status != READING_OK || out->why != NULL)
        return status;
    out->owner = name_text(reply->arena, &reply->name);
    count = count_records(reply);
    status = count > 0 ? read_records(reply, count) : read_absence(reply);
    out->secure = out->why == NULL && LDNS_AD_WIRE(header) && !LDNS_CD_WIRE(header);
    return status;
}

enum dns_wire_result dns_wire_answer(struct dns_answer *out, struct arena *arena,
                                     const uint8_t *data, size_t length, uint16_t id,
                                     const char *name, uint16_t type)
{
    struct dns_reply reply = {.message = {data, length}, .arena = arena, .out = out, .type = type};
    enum reading status = name_from_text(&reply.name, name);
    size_t offset;

    if (status == READING_MEMORY)
        return DNS_WIRE_MEMORY;
    if (status != READING_OK || !is_ours(&reply, id, &offset))
        return DNS_WIRE_NOT_OURS;
    if (LDNS_TC_WIRE(data))
        return DNS_WIRE_TRUNCATED;
    memset(out, 0, sizeof *out);
    out->owner = name_text(arena, &reply.name);
    reply.records = malloc((length / RR_OCTETS_MIN + 1) * sizeof *reply.records);
    if (reply.records == NULL)
        return DNS_WIRE_MEMORY;
    status = read_reply(&reply, offset);
    free(reply.records);
    if (status == READING_MALFORMED)
        status = fail(&reply, "malformed answer");
    return status == READING_MEMORY || arena_failed(arena) ? DNS_WIRE_MEMORY : DNS_WIRE_OK;
}
