/* dns_write: by hand, because ldns_pkt2wire of ldns 1.8 follows the pointers it had no memory for.
 */
#include "probe/dns/dns_write.h"

#include <string.h>

#include "probe/dns/dns.h"

#define CLASS_IN 1
#define TYPE_OPT 41
#define OPT_DO   0x8000
#define FLAG_RD  0x0100
#define FLAG_AD  0x0020

static uint8_t *put_16(uint8_t *at, unsigned value)
{
    *at++ = (uint8_t)(value >> 8);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_header(uint8_t *at, uint16_t id)
{
    at = put_16(at, id);
    at = put_16(at, FLAG_RD | FLAG_AD);
    at = put_16(at, 1); /* questions */
    at = put_16(at, 0);
    at = put_16(at, 0);
    return put_16(at, 1); /* additional: OPT */
}

/* The size stands in place of the class, the flags in place of the TTL. */
static uint8_t *put_opt(uint8_t *at)
{
    *at++ = 0; /* the root */
    at = put_16(at, TYPE_OPT);
    at = put_16(at, DNS_UDP_MAX);
    at = put_16(at, 0);
    at = put_16(at, OPT_DO);
    return put_16(at, 0);
}

size_t dns_write_query(uint8_t *out, uint16_t id, const uint8_t *name, size_t name_length,
                       uint16_t type)
{
    uint8_t *at = put_header(out, id);

    memcpy(at, name, name_length);
    at = put_16(at + name_length, type);
    at = put_16(at, CLASS_IN);
    return (size_t)(put_opt(at) - out);
}
