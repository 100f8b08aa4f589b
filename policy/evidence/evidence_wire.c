/* evidence_wire: see evidence_wire.h. */
#include "policy/evidence/evidence_wire.h"

#include <string.h>

#include "base/net/hostname.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What most mail hosts have. A change here is a new EVIDENCE_PACK_VERSION. */
static const char *const presets[] = {
    "TLSv1.3",
    "TLSv1.2",
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
};

bool wire_printable(char c)
{
    return c >= ' ' && c <= '~';
}

static bool printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!wire_printable(text[i]))
            return false;
    return true;
}

static bool lower_case(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            return false;
    return true;
}

static bool id_ok(const char *text, size_t length)
{
    if (length > STS_ID_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
              (text[i] >= '0' && text[i] <= '9')))
            return false;
    return true;
}

/* RFC 8461 §3.2. What of it Postfix can be given is sts_match.c's to say. */
static bool pattern_ok(const char *text, size_t length)
{
    if (length > 2 && memcmp(text, "*.", 2) == 0) {
        text += 2;
        length -= 2;
    }
    return hostname_is_domain(text, length) && lower_case(text, length);
}

static bool line_ok(const char *text, size_t length)
{
    return length > 0 && length <= STS_BODY_MAX && printable(text, length) &&
           memchr(text, '{', length) == NULL && memchr(text, '}', length) == NULL &&
           text[0] != ' ' && text[length - 1] != ' ';
}

bool wire_string_ok(enum wire_kind kind, const char *text, size_t length)
{
    switch (kind) {
    case WIRE_NAME:
        return hostname_valid(text, length, HOSTNAME_UNDERSCORE) && lower_case(text, length);
    case WIRE_ID:
        return id_ok(text, length);
    case WIRE_PATTERN:
        return pattern_ok(text, length);
    case WIRE_LINE:
        return line_ok(text, length);
    case WIRE_TEXT:
        break;
    }
    return length <= WIRE_TEXT_MAX && printable(text, length);
}

void wire_strings_init(struct wire_strings *strings)
{
    *strings = (struct wire_strings){.next = COUNT(presets)};
    memcpy(strings->slots, presets, sizeof presets);
}

void wire_strings_add(struct wire_strings *strings, const char *text)
{
    strings->slots[strings->next++] = text;
    if (strings->next == WIRE_STRINGS_MAX)
        strings->next = COUNT(presets);
}

size_t wire_strings_find(const struct wire_strings *strings, const char *text)
{
    for (size_t i = 0; i < WIRE_STRINGS_MAX; i++)
        if (strings->slots[i] != NULL && strcmp(strings->slots[i], text) == 0)
            return i;
    return WIRE_STRINGS_MAX;
}

const char *wire_line_pattern(const char *line)
{
    return strncmp(line, "mx:", 3) != 0 ? NULL : line + 3 + strspn(line + 3, " ");
}
