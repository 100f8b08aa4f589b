/*
 * tls_settings: see tls_settings.h. Postfix's parser of versions is tls_proto_mask_lims(); a word
 * that it does not know is an error there too. Names of ciphers are OpenSSL's affair, which passes
 * over those that it does not know.
 */
#include "probe/tls/tls_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "probe/tls/tls_internal.h"

#define SEPARATORS   ", \t"
#define WORD_MAX     32 /* of a list of versions */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- versions ---- */

static const struct {
    const char *name;
    unsigned wire;    /* number on the wire */
    unsigned version; /* 0: OpenSSL has it no more */
} versions[] = {
    {"SSLv2", 0x0002, 0},
    {"SSLv3", 0x0300, 0},
    {"TLSv1", 0x0301, TLS_VERSION_1_0},
    {"TLSv1.1", 0x0302, TLS_VERSION_1_1},
    {"TLSv1.2", 0x0303, TLS_VERSION_1_2},
    {"TLSv1.3", 0x0304, TLS_VERSION_1_3},
};

static size_t version_named(const char *name)
{
    size_t i = 0;

    while (i < COUNT(versions) && strcasecmp(versions[i].name, name) != 0)
        i++;
    return i;
}

/* The number of a bound: a name, "None" or hexadecimal digits. */
static bool bound_number(unsigned long *out, const char *name)
{
    size_t i = version_named(name);
    char *end;

    if (i < COUNT(versions)) {
        *out = versions[i].wire;
        return true;
    }
    if (strcasecmp(name, "None") == 0) {
        *out = 0;
        return true;
    }
    *out = strtoul(name, &end, 16);
    return end != name && *end == '\0' && strspn(name, "0123456789abcdefABCDEFxX") == strlen(name);
}

struct version_reading {
    unsigned included, excluded;  /* bits of versions[] */
    unsigned long floor, ceiling; /* 0: none */
};

static bool read_word(struct version_reading *reading, const char *word)
{
    bool excluded = *word == '!';
    size_t i;

    if (strncmp(word, ">=", 2) == 0)
        return bound_number(&reading->floor, word + 2);
    if (strncmp(word, "<=", 2) == 0)
        return bound_number(&reading->ceiling, word + 2);
    i = version_named(word + excluded);
    if (i == COUNT(versions))
        return false;
    *(excluded ? &reading->excluded : &reading->included) |= 1u << i;
    return true;
}

const char *tls_versions_parse(unsigned *out, const char *text)
{
    static const char separators[] = SEPARATORS ":";
    struct version_reading reading = {0};
    char word[WORD_MAX];
    unsigned set = 0;

    for (text += strspn(text, separators); *text != '\0'; text += strspn(text, separators)) {
        size_t length = strcspn(text, separators);

        if (length >= sizeof word)
            return "not a version of TLS";
        memcpy(word, text, length);
        word[length] = '\0';
        if (!read_word(&reading, word))
            return "not a version of TLS";
        text += length;
    }
    for (size_t i = 0; i < COUNT(versions); i++)
        if ((reading.included == 0 || (reading.included & 1u << i) != 0) &&
            (reading.excluded & 1u << i) == 0 && versions[i].wire >= reading.floor &&
            (reading.ceiling == 0 || versions[i].wire <= reading.ceiling))
            set |= versions[i].version;
    if (set == 0)
        return "leaves no version of TLS";
    *out = set;
    return NULL;
}

const char *tls_versions_text(char out[TLS_VERSIONS_TEXT_MAX], unsigned set)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < COUNT(versions); i++)
        if ((versions[i].version & set) != 0)
            used += (size_t)snprintf(out + used, TLS_VERSIONS_TEXT_MAX - used, "%s%s",
                                     used == 0 ? "" : ", ", versions[i].name);
    return out;
}

/* ---- ciphers ---- */

static const struct {
    const char *name, *list;
} grades[] = {
    {"high", TLS_CIPHERS_HIGH},
    {"medium", TLS_CIPHERS_MEDIUM},
    {"low", TLS_CIPHERS_MEDIUM},
    {"export", TLS_CIPHERS_MEDIUM},
};

static const char *list_of_grade(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(grades); i++)
        if (strlen(grades[i].name) == length && strncasecmp(grades[i].name, name, length) == 0)
            return grades[i].list;
    return NULL;
}

static bool is_cipher_text(const char *text, size_t length, const char *more)
{
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= 'a' && text[i] <= 'z') ||
              (text[i] >= '0' && text[i] <= '9') || strchr(more, text[i]) != NULL))
            return false;
    return length > 0;
}

static const char *next_word(const char **text, size_t *length)
{
    *text += strspn(*text, SEPARATORS);
    *length = strcspn(*text, SEPARATORS);
    *text += *length;
    return *text - *length;
}

static SSL_CTX *context_with(const char *list)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL)
        return NULL;
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_security_level(context, 0);
    if (SSL_CTX_set_cipher_list(context, list) == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

const char *tls_ciphers_parse(char out[TLS_CIPHERS_MAX], const char *text)
{
    size_t length, used;
    const char *word = next_word(&text, &length), *list = list_of_grade(word, length);
    SSL_CTX *context;
    bool found;

    if (list == NULL && !is_cipher_text(word, length, "-_+!:@=."))
        return "not high, medium or a list of ciphers";
    if (list == NULL)
        list = word;
    else
        length = strlen(list);
    used = (size_t)snprintf(out, TLS_CIPHERS_MAX, "%.*s%s", (int)length, list, TLS_CIPHERS_LAST);
    for (word = next_word(&text, &length); length > 0; word = next_word(&text, &length)) {
        if (word[0] != '!' || !is_cipher_text(word + 1, length - 1, "-_+."))
            return "what follows the grade is !NAME, to exclude ciphers";
        if (used < TLS_CIPHERS_MAX)
            used +=
                (size_t)snprintf(out + used, TLS_CIPHERS_MAX - used, ":%.*s", (int)length, word);
    }
    if (used >= TLS_CIPHERS_MAX)
        return "more than 2047 octets of ciphers";
    context = context_with(out);
    found = context != NULL;
    SSL_CTX_free(context);
    ERR_clear_error();
    return found ? NULL : "OpenSSL finds no cipher in it";
}

bool tls_has_cipher(const SSL_CTX *context, const char *name)
{
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);

    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
        if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i)), name) == 0)
            return true;
    return false;
}

int tls_ciphers_beyond(const char *a, const char *b, const char **example)
{
    SSL_CTX *mine = context_with(a), *theirs = context_with(b);
    const STACK_OF(SSL_CIPHER) *ciphers = mine == NULL ? NULL : SSL_CTX_get_ciphers(mine);
    int count = mine == NULL || theirs == NULL ? -1 : 0;

    for (int i = 0; count >= 0 && i < sk_SSL_CIPHER_num(ciphers); i++) {
        const char *name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i));

        if (!tls_has_cipher(theirs, name) && count++ == 0)
            *example = name;
    }
    SSL_CTX_free(mine);
    SSL_CTX_free(theirs);
    ERR_clear_error();
    return count;
}
