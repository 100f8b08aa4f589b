/*
 * dns_packet: DNS replies for tests, put together from records in zone file syntax. ldns reads the
 * text, so that what our reader is held against was not written by it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#include "base/check.h"

#define PACKET_AA 0x0400
#define PACKET_TC 0x0200
#define PACKET_RD 0x0100
#define PACKET_RA 0x0080
#define PACKET_AD 0x0020
#define PACKET_CD 0x0010
#define PACKET_QR 0x8000

#define PACKET_RRS 14

struct packet_spec {
    uint16_t id;
    uint16_t flags;   /* added to QR, RD, RA */
    uint16_t without; /* taken away from them */
    uint8_t rcode;
    const char *name; /* of the question */
    uint16_t type;
    const char *answer[PACKET_RRS]; /* NULL ends */
    const char *authority[PACKET_RRS];
    const char *additional[PACKET_RRS];
    unsigned ede;           /* info-code + 1; 0: no OPT */
    const char *ede_text;   /* may be NULL */
    uint8_t extended_rcode; /* upper eight bits, with OPT */
};

struct packet {
    uint8_t data[65535];
    size_t length;
};

static inline void packet_put(struct packet *packet, const void *data, size_t length)
{
    CHECK(sizeof packet->data - packet->length >= length);
    memcpy(packet->data + packet->length, data, length);
    packet->length += length;
}

static inline void packet_put_u8(struct packet *packet, unsigned value)
{
    uint8_t octet = (uint8_t)value;

    packet_put(packet, &octet, 1);
}

static inline void packet_put_u16(struct packet *packet, unsigned value)
{
    packet_put_u8(packet, value >> 8);
    packet_put_u8(packet, value & 0xff);
}

static inline void packet_put_u32(struct packet *packet, uint32_t value)
{
    packet_put_u16(packet, value >> 16);
    packet_put_u16(packet, value & 0xffff);
}

static inline void packet_put_name(struct packet *packet, const char *name)
{
    ldns_rdf *rdf = ldns_dname_new_frm_str(name);

    CHECK(rdf != NULL);
    packet_put(packet, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
    ldns_rdf_deep_free(rdf);
}

static inline void packet_put_rr(struct packet *packet, const char *text)
{
    ldns_rr *rr = NULL;
    uint8_t *wire = NULL;
    size_t length = 0;

    CHECK(ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) == LDNS_STATUS_OK);
    CHECK(ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &length) == LDNS_STATUS_OK);
    packet_put(packet, wire, length);
    free(wire);
    ldns_rr_free(rr);
}

/* Header and question; the counts are put right by packet_count. */
static inline void packet_start(struct packet *packet, const struct packet_spec *spec)
{
    unsigned flags = PACKET_QR | PACKET_RD | PACKET_RA | spec->flags | spec->rcode;

    packet->length = 0;
    packet_put_u16(packet, spec->id);
    packet_put_u16(packet, flags & ~(unsigned)spec->without);
    packet_put_u16(packet, 1);
    packet_put_u16(packet, 0);
    packet_put_u32(packet, 0);
    packet_put_name(packet, spec->name);
    packet_put_u16(packet, spec->type);
    packet_put_u16(packet, 1);
}

/* Sets the record count of a section: 1 answer, 2 authority, 3 additional. */
static inline void packet_count(struct packet *packet, unsigned section, unsigned count)
{
    packet->data[4 + 2 * section] = (uint8_t)(count >> 8);
    packet->data[5 + 2 * section] = (uint8_t)count;
}

static inline unsigned packet_put_rrs(struct packet *packet, const char *const *texts)
{
    unsigned count = 0;

    while (count < PACKET_RRS && texts[count] != NULL)
        packet_put_rr(packet, texts[count++]);
    return count;
}

static inline void packet_put_opt(struct packet *packet, const struct packet_spec *spec)
{
    size_t text = spec->ede_text == NULL ? 0 : strlen(spec->ede_text);

    packet_put_u8(packet, 0);
    packet_put_u16(packet, 41);
    packet_put_u16(packet, 1232);
    packet_put_u32(packet, (uint32_t)spec->extended_rcode << 24);
    packet_put_u16(packet, (unsigned)(6 + text));
    packet_put_u16(packet, 15);
    packet_put_u16(packet, (unsigned)(2 + text));
    packet_put_u16(packet, spec->ede - 1);
    if (text > 0)
        packet_put(packet, spec->ede_text, text);
}

static inline void packet_build(struct packet *packet, const struct packet_spec *spec)
{
    unsigned additional;

    packet_start(packet, spec);
    packet_count(packet, 1, packet_put_rrs(packet, spec->answer));
    packet_count(packet, 2, packet_put_rrs(packet, spec->authority));
    additional = packet_put_rrs(packet, spec->additional);
    if (spec->ede != 0)
        packet_put_opt(packet, spec);
    packet_count(packet, 3, additional + (spec->ede != 0));
}
