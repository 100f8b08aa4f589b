/*
 * tls_settings: the versions and ciphers that a probe's handshake may end with, in the words of
 * Postfix's smtp_tls_mandatory_protocols, smtp_tls_mandatory_ciphers and
 * smtp_tls_mandatory_exclude_ciphers (postconf(5)): what Postfix will refuse counts as no TLS.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Sets of versions, from the oldest that OpenSSL still has. */
enum {
    TLS_VERSION_1_0 = 1 << 0,
    TLS_VERSION_1_1 = 1 << 1,
    TLS_VERSION_1_2 = 1 << 2,
    TLS_VERSION_1_3 = 1 << 3,
    TLS_VERSIONS_ALL = 15
};

#define TLS_CIPHERS_MAX       2048 /* octets of a list with its NUL; Mozilla's have 600 */
#define TLS_VERSIONS_TEXT_MAX 48
/* Postfix's defaults for the grades, from 3.8 on; before, nothing was excluded. */
#define TLS_CIPHERS_EXCLUDED "!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5"
#define TLS_CIPHERS_MEDIUM   "HIGH:MEDIUM:" TLS_CIPHERS_EXCLUDED ":@STRENGTH"
#define TLS_CIPHERS_HIGH     "HIGH:" TLS_CIPHERS_EXCLUDED ":@STRENGTH"
#define TLS_CIPHERS_LAST     ":+aNULL:!eNULL" /* behind any list */

struct tls_settings {
    unsigned versions;
    const char *cipher_list; /* OpenSSL's, for TLS 1.2 and before; borrowed */
};

/* As Postfix reads it: ">=TLSv1.2", "!TLSv1, !TLSv1.1", "TLSv1.2 TLSv1.3"; empty: all there are.
 * NULL, or what is wrong (static). */
const char *tls_versions_parse(unsigned *out, const char *text);
/* "TLSv1.2, TLSv1.3" */
const char *tls_versions_text(char out[TLS_VERSIONS_TEXT_MAX], unsigned versions);

/*
 * A grade (high, medium; low and export are medium, as from Postfix 3.8 on) or an OpenSSL cipher
 * list, then exclusions: "medium !RC4 !aNULL". Anonymous ciphers come last and those without
 * encryption never. NULL, or what is wrong (static).
 */
const char *tls_ciphers_parse(char out[TLS_CIPHERS_MAX], const char *text);
/* The number of ciphers in list `a` that are not in `b`, and the name of one, borrowed from
 * OpenSSL; -1 without memory or when OpenSSL cannot read a list. */
int tls_ciphers_beyond(const char *a, const char *b, const char **example);
