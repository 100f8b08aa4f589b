/* packet: the outermost packets of OpenPGP data (RFC 9580, section 4.2): what a file is, before gpgv(1)
 * is asked about it. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum packet_type { PACKET_SIGNATURE = 2, PACKET_SECRET_KEY = 5, PACKET_PUBLIC_KEY = 6 };

/* The type of the first packet; -1 when it is none. */
int packet_first(const void *data, size_t length);
/* NULL when the data is exactly one signature packet; else what is wrong, in words (static). */
const char *packet_one_signature(const void *data, size_t length);
