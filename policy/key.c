/*
 * key: reads what Postfix asks for; see key.h and docs/verdicts.md §1.
 *
 * An ASCII key is read in place, without an allocation. libidn2 gets only names with octets above
 * 127, and its result is checked by the same rules as every other name. Nothing here fails: what
 * cannot be looked up is KEY_OTHER, and the daemon has an answer for that.
 */
#include "policy/key.h"

#include <idn2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A name of fewer labels is local: there is no MX record or policy for it. */
#define KEY_LABELS_MIN  2
#define PORT_DIGITS_MAX 5

static const struct {
    const char *name;
    uint16_t port;
} services[] = {{"smtp", 25}, {"submission", 587}, {"submissions", 465}, {"smtps", 465}};

uint16_t key_port(const char *text, size_t length)
{
    unsigned long port = 0;

    for (size_t i = 0; i < COUNT(services); i++)
        if (length == strlen(services[i].name) && strncasecmp(text, services[i].name, length) == 0)
            return services[i].port;
    if (length == 0 || length > PORT_DIGITS_MAX)
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* Copies a name of ASCII octets, without its trailing dot, in lower case. */
static bool name_copy(struct key *out, struct span span)
{
    if (span.length > 0 && span.text[span.length - 1] == '.')
        span.length--;
    if (!hostname_valid(span.text, span.length, HOSTNAME_UNDERSCORE))
        return false;
    memcpy(out->name, span.text, span.length);
    out->name[span.length] = '\0';
    hostname_fold(out->name, span.length);
    return true;
}

/* U-labels to A-labels: UTS #46, non-transitional. */
static bool name_convert(struct key *out, struct span span)
{
    uint8_t utf8[KEY_MAX + 1];
    uint8_t *ascii = NULL;
    bool ok = false;
    int rc;

    if (span.length > KEY_MAX || memchr(span.text, '\0', span.length) != NULL)
        return false;
    memcpy(utf8, span.text, span.length);
    utf8[span.length] = '\0';
    rc = idn2_lookup_u8(utf8, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    out->no_memory = rc == IDN2_MALLOC;
    if (rc == IDN2_OK)
        ok = name_copy(out, (struct span){(char *)ascii, strlen((char *)ascii)});
    idn2_free(ascii);
    return ok;
}

static bool name_parse(struct key *out, struct span span)
{
    unsigned char all = 0;

    for (size_t i = 0; i < span.length; i++)
        all |= (unsigned char)span.text[i];
    return all < 0x80 ? name_copy(out, span) : name_convert(out, span);
}

bool key_split(struct key_parts *out, const char *text, size_t length)
{
    const char *end = text + length, *stop;

    memset(out, 0, sizeof *out);
    out->bracketed = length > 0 && text[0] == '[';
    stop = memchr(text, out->bracketed ? ']' : ':', length);
    if (out->bracketed && stop == NULL)
        return false;
    if (stop == NULL)
        stop = end;
    if (out->bracketed)
        text++;
    out->host = (struct span){text, (size_t)(stop - text)};
    if (out->bracketed)
        stop++;
    out->has_port = stop < end;
    if (!out->has_port)
        return true;
    out->port = (struct span){stop + 1, (size_t)(end - stop - 1)};
    return *stop == ':';
}

static void text_add(struct key *out, const char *text, size_t length)
{
    memcpy(out->text + out->text_length, text, length);
    out->text_length += length;
    out->text[out->text_length] = '\0';
}

static void text_write(struct key *out, uint16_t default_port)
{
    const char *before = out->kind == KEY_HOST ? "[" : out->kind == KEY_PARENT ? "." : "";

    text_add(out, before, strlen(before));
    text_add(out, out->name, strlen(out->name));
    if (out->kind == KEY_HOST)
        text_add(out, "]", 1);
    if (out->port != default_port)
        out->text_length += (size_t)snprintf(out->text + out->text_length,
                                             sizeof out->text - out->text_length, ":%u", out->port);
}

/* An address, a path or a local name keeps its spelling, for the operator's rules to be asked. */
static void other_write(struct key *out, struct span key)
{
    out->kind = KEY_OTHER;
    out->name[0] = '\0';
    if (key.length > KEY_TEXT_MAX)
        return;
    for (size_t i = 0; i < key.length; i++)
        if (key.text[i] <= ' ' || key.text[i] > '~')
            return;
    text_add(out, key.text, key.length);
    hostname_fold(out->text, out->text_length);
}

static bool parent_parse(struct key *out, struct span key)
{
    out->kind = KEY_PARENT;
    return name_parse(out, (struct span){key.text + 1, key.length - 1});
}

static bool next_hop_parse(struct key *out, struct span key)
{
    struct key_parts parts;

    if (!key_split(&parts, key.text, key.length) || !name_parse(out, parts.host))
        return false;
    if (hostname_labels(out->name, strlen(out->name)) < KEY_LABELS_MIN)
        return false;
    out->kind = parts.bracketed ? KEY_HOST : KEY_DOMAIN;
    if (parts.has_port)
        out->port = key_port(parts.port.text, parts.port.length);
    return out->port != 0;
}

void key_parse(struct key *out, const char *text, size_t length, uint16_t default_port)
{
    struct span key = {text, length};
    bool found = false;

    out->kind = KEY_OTHER;
    out->port = default_port;
    out->no_memory = false;
    out->name[0] = out->text[0] = '\0';
    out->text_length = 0;
    if (length > 0 && length <= KEY_MAX)
        found = text[0] == '.' ? parent_parse(out, key) : next_hop_parse(out, key);
    if (found) {
        text_write(out, default_port);
        return;
    }
    out->port = default_port;
    other_write(out, key);
}
