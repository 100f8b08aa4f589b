/*
 * dns_wire: queries written, replies read; see dns_wire.h.
 *
 * A reply is walked once, and refused if anything in it does not fit; then the CNAME chain is
 * followed from the question, and only records at its end are taken (RFC 1034 §3.6.2, RFC 2308 §2).
 * Functions that return bool return false for a malformed message; the arena is asked once, at the
 * end, whether memory ran out.
 */
#include "probe/dns/dns_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "probe/dns/dns_name.h"
#include "probe/dns/dns_words.h"

/* RFC 1035 §4.1.1, RFC 4035 §3 */
#define FLAG_QR      0x8000
#define FLAGS_OPCODE 0x7800
#define FLAG_AA      0x0400
#define FLAG_TC      0x0200
#define FLAG_RD      0x0100
#define FLAG_RA      0x0080
#define FLAG_AD      0x0020
#define FLAG_CD      0x0010
#define FLAGS_RCODE  0x000f

#define CLASS_IN           1
#define TYPE_OPT           41
#define TYPE_RRSIG         46
#define OPT_DO             0x8000
#define OPTION_EDE         15 /* RFC 8914 §2 */
#define EDE_TEXT_MAX       100
#define RR_OCTETS_MIN      11
#define RR_FIXED_OCTETS    10 /* type, class, TTL, RDLENGTH */
#define SOA_NUMBERS_OCTETS 20
#define RRSIG_UNTIL        8          /* octets before the expiration, RFC 4034 §3.1 */
#define RRSIG_SINCE        12         /* before the inception */
#define RRSIG_OCTETS_MIN   18         /* without signer and signature */
#define TTL_MAX            0x7fffffff /* RFC 2181 §8: more counts as zero */
#define TTL_WITHOUT_SOA    60

enum rcode { RCODE_NOERROR = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

/* One resource record, by its place in the message. */
struct dns_rr {
    size_t owner; /* offset of the name */
    uint64_t owner_hash;
    uint16_t type, class;
    uint32_t ttl; /* as it stands there */
    size_t rdata; /* offset */
    uint16_t length;
};

struct dns_reply {
    struct dns_span message;
    struct arena *arena;
    struct dns_answer *out;
    uint16_t type;
    unsigned flags, rcode;
    struct dns_name name; /* asked; then where the CNAME chain leads */
    /* owned: what is of interest, the answer section first, then the SOAs of the authority */
    struct dns_rr *records;
    size_t answers, soas;
    bool has_ns, has_opt;
    struct dns_rr opt;
    /* signatures of the answer section, and of the authority section */
    struct {
        bool any;
        uint32_t since, until; /* of the one that ends first */
    } signatures[2];
};

static uint16_t u16(struct dns_span message, size_t offset)
{
    return (uint16_t)(message.data[offset] << 8 | message.data[offset + 1]);
}

static uint32_t u32(struct dns_span message, size_t offset)
{
    return (uint32_t)u16(message, offset) << 16 | u16(message, offset + 2);
}

/* ---- the query ---- */

size_t dns_wire_query(uint8_t out[DNS_QUERY_OCTETS_MAX], uint16_t id, const char *name,
                      uint16_t type)
{
    /* the size stands in place of the class, the flags in place of the TTL (RFC 6891 §6.1.2) */
    static const uint8_t opt[] = {
        0, 0, TYPE_OPT, DNS_UDP_MAX >> 8, DNS_UDP_MAX & 0xff, 0, 0, OPT_DO >> 8, 0, 0, 0};
    const uint8_t header[] = {
        (uint8_t)(id >> 8), (uint8_t)id, FLAG_RD >> 8, FLAG_AD, 0, 1, 0, 0, 0, 0, 0, 1};
    const uint8_t question[] = {(uint8_t)(type >> 8), (uint8_t)type, 0, CLASS_IN};
    struct dns_name owner;
    size_t used = sizeof header;

    if (!dns_name_from_text(&owner, name))
        return 0;
    memcpy(out, header, sizeof header);
    memcpy(out + used, owner.octets, owner.length);
    used += owner.length;
    memcpy(out + used, question, sizeof question);
    used += sizeof question;
    memcpy(out + used, opt, sizeof opt);
    return used + sizeof opt;
}

/* ---- is it ours? ---- */

static bool rcode_is_error(unsigned rcode)
{
    return rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN;
}

/* Moves *offset behind the question when the reply answers ours. */
static bool is_ours(struct dns_reply *reply, uint16_t id, size_t *offset)
{
    struct dns_span message = reply->message;
    struct dns_name name;

    if (message.length < DNS_HEADER_OCTETS || u16(message, 0) != id)
        return false;
    reply->flags = u16(message, 2);
    if ((reply->flags & (FLAG_QR | FLAGS_OPCODE)) != FLAG_QR)
        return false;
    *offset = DNS_HEADER_OCTETS;
    /* servers that could not read the query send the bare header back */
    if (u16(message, 4) == 0)
        return message.length == DNS_HEADER_OCTETS && rcode_is_error(reply->flags & FLAGS_RCODE);
    if (u16(message, 4) != 1 || !dns_name_read(&name, message, offset) ||
        message.length - *offset < 4)
        return false;
    *offset += 4;
    return dns_name_equal(&name, &reply->name) && u16(message, *offset - 4) == reply->type &&
           u16(message, *offset - 2) == CLASS_IN;
}

/* ---- the walk ---- */

/* Reads the record at *offset and moves behind it; false when it does not fit the message. */
static bool read_rr(struct dns_rr *out, struct dns_name *owner, struct dns_span message,
                    size_t *offset)
{
    out->owner = *offset;
    if (!dns_name_read(owner, message, offset) || message.length - *offset < RR_FIXED_OCTETS)
        return false;
    out->owner_hash = owner->hash;
    out->type = u16(message, *offset);
    out->class = u16(message, *offset + 2);
    out->ttl = u32(message, *offset + 4);
    out->length = u16(message, *offset + 8);
    out->rdata = *offset + RR_FIXED_OCTETS;
    *offset = out->rdata + out->length;
    return *offset <= message.length;
}

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL, SECTION_COUNT };

static void note_signature(struct dns_reply *reply, enum section section, const struct dns_rr *rr)
{
    uint32_t until;

    if (section > SECTION_AUTHORITY || rr->length < RRSIG_OCTETS_MIN)
        return;
    until = u32(reply->message, rr->rdata + RRSIG_UNTIL);
    if (!reply->signatures[section].any ||
        (int32_t)(until - reply->signatures[section].until) < 0) { /* RFC 1982 */
        reply->signatures[section].until = until;
        reply->signatures[section].since = u32(reply->message, rr->rdata + RRSIG_SINCE);
    }
    reply->signatures[section].any = true;
}

/* Keeps a record of interest; false when the message may not have it. */
static bool note_rr(struct dns_reply *reply, enum section section, const struct dns_rr *rr,
                    const struct dns_name *owner)
{
    bool in = rr->class == CLASS_IN;

    if (section == SECTION_ANSWER && in && (rr->type == reply->type || rr->type == DNS_CNAME))
        reply->records[reply->answers++] = *rr;
    if (in && rr->type == TYPE_RRSIG)
        note_signature(reply, section, rr);
    if (section == SECTION_AUTHORITY && in && rr->type == DNS_NS)
        reply->has_ns = true;
    if (section == SECTION_AUTHORITY && in && rr->type == DNS_SOA)
        reply->records[reply->answers + reply->soas++] = *rr;
    if (section != SECTION_ADDITIONAL || rr->type != TYPE_OPT)
        return true;
    /* RFC 6891 §6.1.1: one OPT at most, owned by the root */
    if (reply->has_opt || owner->length > 1)
        return false;
    reply->has_opt = true;
    reply->opt = *rr;
    return true;
}

/* Notes every record of interest; false unless the records fill the message exactly. */
static bool walk(struct dns_reply *reply, size_t offset)
{
    struct dns_name owner;
    struct dns_rr rr;

    for (enum section section = SECTION_ANSWER; section < SECTION_COUNT; section++) {
        unsigned count = u16(reply->message, 6 + 2 * section);

        for (unsigned i = 0; i < count; i++)
            if (!read_rr(&rr, &owner, reply->message, &offset) ||
                !note_rr(reply, section, &rr, &owner))
                return false;
    }
    return offset == reply->message.length;
}

/* ---- failures ---- */

static void answer_failed(struct dns_reply *reply, enum dns_failure failure, const char *why)
{
    *reply->out = (struct dns_answer){.outcome = DNS_FAILED,
                                      .owner = reply->out->owner,
                                      .aliases = reply->out->aliases,
                                      .why = why,
                                      .failure = failure};
}

/* Finds the first extended error; false when the options do not fit the OPT record. */
static bool find_ede(const struct dns_reply *reply, struct dns_span *ede)
{
    size_t at = reply->opt.rdata, end = reply->opt.rdata + reply->opt.length;

    while (at < end) {
        uint16_t length;

        if (end - at < 4)
            return false;
        length = u16(reply->message, at + 2);
        if (end - at - 4 < length)
            return false;
        if (u16(reply->message, at) == OPTION_EDE && length >= 2 && ede->data == NULL)
            *ede = (struct dns_span){reply->message.data + at + 4, length};
        at += 4 + (size_t)length;
    }
    return true;
}

/* In words: "SERVFAIL (EDE 6: DNSSEC Bogus, no keys)". */
static void explain_rcode(struct dns_reply *reply, struct dns_span ede)
{
    enum dns_failure failure = reply->rcode == RCODE_SERVFAIL  ? DNS_FAILURE_SERVFAIL
                               : reply->rcode == RCODE_REFUSED ? DNS_FAILURE_REFUSED
                                                               : DNS_FAILURE_RCODE;
    char rcode[20], text[EDE_TEXT_MAX];
    const char *words = dns_rcode_name(reply->rcode);
    unsigned code;

    if (words != NULL)
        snprintf(rcode, sizeof rcode, "%s", words);
    else
        snprintf(rcode, sizeof rcode, "RCODE %u", reply->rcode);
    if (ede.data == NULL) {
        answer_failed(reply, failure, arena_strdup(reply->arena, rcode));
        return;
    }
    code = u16(ede, 0);
    words = dns_ede_name(code);
    escape_bytes(text, sizeof text, ede.data + 2, ede.length - 2);
    answer_failed(reply, failure,
                  arena_printf(reply->arena, "%s (EDE %u%s%s%s%s)", rcode, code,
                               words != NULL ? ": " : "", words != NULL ? words : "",
                               text[0] != '\0' ? ", " : "", text));
}

/* ---- the chain ---- */

static void lower_ttl(struct dns_reply *reply, uint32_t ttl)
{
    if (ttl > TTL_MAX)
        ttl = 0;
    if (ttl < reply->out->ttl)
        reply->out->ttl = ttl;
}

/* The TTL of a record that is part of the answer. */
static void note_ttl(struct dns_reply *reply, uint32_t ttl)
{
    lower_ttl(reply, ttl);
    if (ttl <= TTL_MAX && ttl > reply->out->ttl_longest)
        reply->out->ttl_longest = ttl;
}

/* Decodes the name at `offset`, which must end at `end`. */
static bool read_name(struct dns_name *out, const struct dns_reply *reply, size_t offset,
                      size_t end)
{
    return dns_name_read(out, reply->message, &offset) && offset == end;
}

/* True for a record of `type` at the present name. What has another hash is not read again: a
 * message of 64 KiB has thousands of names, and each alias of a chain looks at them all. */
static bool is_here(const struct dns_reply *reply, const struct dns_rr *rr, uint16_t type)
{
    size_t at = rr->owner;
    struct dns_name owner;

    return rr->type == type && rr->owner_hash == reply->name.hash &&
           dns_name_read(&owner, reply->message, &at) && dns_name_equal(&owner, &reply->name);
}

static size_t count_records(const struct dns_reply *reply)
{
    size_t count = 0;

    for (size_t i = 0; i < reply->answers; i++)
        count += is_here(reply, &reply->records[i], reply->type);
    return count;
}

/* The CNAME at the present name: *found tells whether there is one. Two different ones are no CNAME
 * RRset at all (RFC 2181 §10.1). */
static bool find_alias(struct dns_reply *reply, struct dns_name *target, bool *found)
{
    struct dns_name other;

    *found = false;
    for (size_t i = 0; i < reply->answers; i++) {
        const struct dns_rr *rr = &reply->records[i];

        if (!is_here(reply, rr, DNS_CNAME))
            continue;
        if (!read_name(&other, reply, rr->rdata, rr->rdata + rr->length) ||
            (*found && !dns_name_equal(&other, target)))
            return false;
        *target = other;
        *found = true;
        note_ttl(reply, rr->ttl);
    }
    return true;
}

/* Follows the CNAMEs from the question to the name that has *count records, which may be none. A
 * chain that does not end fails the answer. */
static bool follow_chain(struct dns_reply *reply, size_t *count)
{
    struct dns_name seen[DNS_ALIASES_MAX + 1], target;
    struct dns_answer *out = reply->out;
    const char *why = NULL;
    bool found = false;

    while ((*count = count_records(reply)) == 0) {
        if (!find_alias(reply, &target, &found))
            return false;
        if (!found)
            return true;
        seen[out->aliases] = reply->name;
        for (unsigned i = 0; i <= out->aliases; i++)
            if (dns_name_equal(&seen[i], &target))
                why = "CNAME loop";
        if (why == NULL && out->aliases == DNS_ALIASES_MAX)
            why = "CNAME chain too long";
        if (why != NULL) {
            answer_failed(reply, DNS_FAILURE_MALFORMED, why);
            return true;
        }
        out->aliases++;
        reply->name = target;
    }
    return true;
}

/* ---- the records ---- */

static bool read_octets(struct dns_reply *reply, const struct dns_rr *rr, struct dns_record *out)
{
    if ((reply->type == DNS_A && rr->length != 4) || (reply->type == DNS_AAAA && rr->length != 16))
        return false;
    out->length = rr->length;
    out->data = arena_memdup(reply->arena, reply->message.data + rr->rdata, rr->length);
    return true;
}

static bool read_text(struct dns_reply *reply, const struct dns_rr *rr, struct dns_record *out)
{
    const uint8_t *rdata = reply->message.data + rr->rdata;
    uint8_t *text = arena_alloc(reply->arena, rr->length);
    size_t at = 0, used = 0;

    while (text != NULL && at < rr->length) {
        size_t piece = rdata[at++];

        if (rr->length - at < piece)
            return false;
        memcpy(text + used, rdata + at, piece);
        used += piece;
        at += piece;
    }
    out->data = text;
    out->length = (uint16_t)used;
    return true;
}

static bool read_target(struct dns_reply *reply, const struct dns_rr *rr, struct dns_record *out)
{
    size_t skip = reply->type == DNS_MX ? 2 : 0;
    struct dns_name name;

    if (rr->length < skip)
        return false;
    if (reply->type == DNS_MX)
        out->preference = u16(reply->message, rr->rdata);
    if (!read_name(&name, reply, rr->rdata + skip, rr->rdata + rr->length))
        return false;
    out->name = dns_name_text(reply->arena, &name);
    return true;
}

static bool read_record(struct dns_reply *reply, const struct dns_rr *rr, struct dns_record *out)
{
    switch (reply->type) {
    case DNS_MX:
    case DNS_CNAME:
    case DNS_NS:
    case DNS_PTR:
        return read_target(reply, rr, out);
    case DNS_TXT:
        return read_text(reply, rr, out);
    default:
        return read_octets(reply, rr, out);
    }
}

static bool read_records(struct dns_reply *reply, size_t count)
{
    struct dns_answer *out = reply->out;

    /* records at a name that does not exist: one of the two is a lie */
    if (reply->rcode == RCODE_NXDOMAIN)
        return false;
    out->outcome = DNS_RECORDS;
    out->cut = count > DNS_RECORDS_MAX;
    out->records =
        arena_array(reply->arena, out->cut ? DNS_RECORDS_MAX : count, sizeof *out->records);
    for (size_t i = 0; i < reply->answers && out->count < DNS_RECORDS_MAX; i++) {
        const struct dns_rr *rr = &reply->records[i];

        if (!is_here(reply, rr, reply->type))
            continue;
        if (arena_failed(reply->arena))
            return true;
        if (!read_record(reply, rr, &out->records[out->count++]))
            return false;
        note_ttl(reply, rr->ttl);
    }
    return true;
}

/* ---- absence ---- */

/* The SOA of the zone nearest to the present name, or NULL. */
static const struct dns_rr *find_soa(const struct dns_reply *reply)
{
    const struct dns_rr *nearest = NULL;
    size_t nearest_length = 0;

    for (size_t i = 0; i < reply->soas; i++) {
        const struct dns_rr *soa = &reply->records[reply->answers + i];
        size_t at = soa->owner;
        struct dns_name zone;

        if (dns_name_read(&zone, reply->message, &at) && zone.length > nearest_length &&
            dns_name_within(&reply->name, &zone)) {
            nearest = soa;
            nearest_length = zone.length;
        }
    }
    return nearest;
}

/* RFC 2308 §5 */
static bool soa_minimum(const struct dns_reply *reply, const struct dns_rr *soa, uint32_t *out)
{
    size_t at = soa->rdata, end = soa->rdata + soa->length;
    struct dns_name name;

    if (!dns_name_read(&name, reply->message, &at) || !dns_name_read(&name, reply->message, &at) ||
        at > end || end - at != SOA_NUMBERS_OCTETS)
        return false;
    *out = u32(reply->message, end - 4);
    return true;
}

static bool read_absence(struct dns_reply *reply)
{
    const struct dns_rr *soa = find_soa(reply);
    uint32_t minimum;

    /* RFC 2308 §2.2.1: a server that only points elsewhere has not said that there is nothing */
    if (reply->rcode == RCODE_NOERROR && reply->has_ns && reply->soas == 0 &&
        (reply->flags & (FLAG_AA | FLAG_RA)) == 0) {
        answer_failed(reply, DNS_FAILURE_MALFORMED, "a referral: this server does no recursion");
        return true;
    }
    reply->out->outcome = reply->rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
    if (soa == NULL) {
        lower_ttl(reply, TTL_WITHOUT_SOA);
        return true;
    }
    if (!soa_minimum(reply, soa, &minimum))
        return false;
    lower_ttl(reply, soa->ttl);
    lower_ttl(reply, minimum);
    return true;
}

/* ---- the whole ---- */

/* Until when what was answered is signed. */
static void note_ends(struct dns_reply *reply, enum section section)
{
    if (reply->out->outcome == DNS_FAILED)
        return;
    reply->out->is_signed = reply->signatures[section].any;
    reply->out->signed_since = reply->signatures[section].since;
    reply->out->signed_until = reply->signatures[section].until;
}

static bool read_reply(struct dns_reply *reply, size_t offset)
{
    struct dns_answer *out = reply->out;
    struct dns_span ede = {NULL, 0};
    size_t count;

    if (!walk(reply, offset) || !find_ede(reply, &ede))
        return false;
    reply->rcode = (reply->flags & FLAGS_RCODE) | reply->opt.ttl >> 24 << 4;
    if (rcode_is_error(reply->rcode)) {
        explain_rcode(reply, ede);
        return true;
    }
    out->ttl = TTL_MAX;
    if (!follow_chain(reply, &count))
        return false;
    if (out->outcome == DNS_FAILED)
        return true;
    out->owner = dns_name_text(reply->arena, &reply->name);
    if (!(count > 0 ? read_records(reply, count) : read_absence(reply)))
        return false;
    note_ends(reply, count > 0 ? SECTION_ANSWER : SECTION_AUTHORITY);
    out->authoritative = (reply->flags & FLAG_AA) != 0;
    out->secure = out->outcome != DNS_FAILED && (reply->flags & (FLAG_AD | FLAG_CD)) == FLAG_AD;
    return true;
}

enum dns_wire_result dns_wire_answer(struct dns_answer *out, struct arena *arena,
                                     const uint8_t *data, size_t length, uint16_t id,
                                     const char *name, uint16_t type)
{
    struct dns_reply reply = {.message = {data, length}, .arena = arena, .out = out, .type = type};
    size_t offset;

    if (!dns_name_from_text(&reply.name, name) || !is_ours(&reply, id, &offset))
        return DNS_WIRE_NOT_OURS;
    if ((reply.flags & FLAG_TC) != 0)
        return DNS_WIRE_TRUNCATED;
    *out = (struct dns_answer){.owner = dns_name_text(arena, &reply.name)};
    reply.records = malloc((length / RR_OCTETS_MIN + 1) * sizeof *reply.records);
    if (reply.records == NULL)
        return DNS_WIRE_MEMORY;
    if (!read_reply(&reply, offset))
        answer_failed(&reply, DNS_FAILURE_MALFORMED, "malformed answer");
    free(reply.records);
    return arena_failed(arena) ? DNS_WIRE_MEMORY : DNS_WIRE_OK;
}
