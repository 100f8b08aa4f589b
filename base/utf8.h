/* utf8: whether octets are UTF-8 (RFC 3629): JSON can hold nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

bool utf8_valid(const void *data, size_t length);
