/* hostname: what may stand as a host name, in a key, an MX record or a policy. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Longest name in text without the trailing dot (RFC 1035 §2.3.4: 255 octets on the wire). */
#define HOSTNAME_MAX       253
#define HOSTNAME_LABEL_MAX 63

enum hostname_kind {
    HOSTNAME_LDH = 0,       /* letters, digits, hyphens: RFC 1123 §2.1 */
    HOSTNAME_UNDERSCORE = 1 /* underscores too, as the DNS has them */
};

/*
 * True for a syntactically right name without trailing dot: labels of 1 to 63 octets, none
 * beginning or ending with a hyphen, 253 octets in all, and not all-numeric in its last label
 * (that would be an address). `text` need not end with a NUL.
 */
bool hostname_valid(const char *text, size_t length, enum hostname_kind kind);
/* True for a Domain as RFC 5321 §4.1.2 has it: as hostname_valid with HOSTNAME_LDH, but the last
 * label may be all digits, so that an IPv4 address passes. */
bool hostname_is_domain(const char *text, size_t length);
/* True for a valid name in lower case, with or without underscores; false for NULL. */
bool hostname_canonical(const char *text);
/* Number of labels in a valid name. */
size_t hostname_labels(const char *text, size_t length);
/* ASCII letters to lower case, in place. */
void hostname_fold(char *text, size_t length);
/* ASCII comparison without regard to case. */
bool hostname_equal(const char *a, const char *b);
/* True when `name` is `parent` or lies below it. */
bool hostname_within(const char *name, const char *parent);
