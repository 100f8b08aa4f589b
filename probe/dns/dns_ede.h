/* dns_ede: extended DNS errors (RFC 8914), in words. */
#pragma once

#include <stdint.h>

/* The name of an info-code as IANA has it; NULL for one unknown here. */
const char *dns_ede_name(uint16_t code);
