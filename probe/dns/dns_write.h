/* dns_write: a query as octets (RFC 1035 §4.1, RFC 6891 §6.1.2). Needs no memory, so cannot fail.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DNS_WRITE_FIXED 27 /* octets beside the name: header, type and class, OPT */

/* RD, AD, EDNS 1232 with DO, class IN. `name` is uncompressed; `out` holds name_length +
 * DNS_WRITE_FIXED octets, the length returned. */
size_t dns_write_query(uint8_t *out, uint16_t id, const uint8_t *name, size_t name_length,
                       uint16_t type);
