/* mac: HMAC-SHA256 (RFC 2104): who wrote a text that went through other hands. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MAC_TEXT_MAX 65 /* with NUL: 64 hexadecimal digits */
/* Octets of a key: a shorter one is worth less than the MAC. */
#define MAC_KEY_MIN 32
#define MAC_KEY_MAX 1024

/* One piece of what is covered. */
struct mac_piece {
    const void *octets;
    size_t length;
};

/* The MAC of the pieces, each with its length before it, so that no octet can move from one to the
 * next. False when it cannot be made: no memory. */
bool mac_make(char out[MAC_TEXT_MAX], const void *key, size_t key_length,
              const struct mac_piece *pieces, size_t count);
/* Whether 64 octets are that MAC; takes the same time whatever they are. */
bool mac_equal(const char *a, const char *b);
