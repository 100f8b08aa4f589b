/* evidence_wire: see evidence_wire.h. */
#include "policy/evidence/evidence_wire.h"

#include <string.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/net/hostname.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/* Seven bits an octet: 64 bits end in the tenth. */
#define NUMBER_SHIFT_MAX 63
#define ITEM_MAX         256 /* the largest is a struct mx_host */

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

static bool id_ok(const char *text)
{
    size_t length = 0;

    while (ascii_is_alnum(text[length]))
        length++;
    return text[length] == '\0' && length <= STS_ID_MAX;
}

/* RFC 8461 §3.2. What of it Postfix can be given is sts_match.c's to say. */
static bool pattern_ok(const char *text)
{
    if (strncmp(text, "*.", 2) == 0 && text[2] != '\0')
        text += 2;
    for (const char *p = text; *p != '\0'; p++)
        if (ascii_is_upper(*p))
            return false;
    return hostname_is_domain(text, strlen(text));
}

static bool line_ok(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= STS_BODY_MAX && ascii_is_printable(text) &&
           text[strcspn(text, "{}")] == '\0' && text[0] != ' ' && text[length - 1] != ' ';
}

bool wire_string_ok(enum wire_kind kind, const char *text)
{
    switch (kind) {
    case WIRE_NAME:
        return hostname_canonical(text);
    case WIRE_ID:
        return id_ok(text);
    case WIRE_PATTERN:
        return pattern_ok(text);
    case WIRE_LINE:
        return line_ok(text);
    case WIRE_TEXT:
        break;
    }
    return strlen(text) <= WIRE_TEXT_MAX && ascii_is_printable(text);
}

/* ---- the wire ---- */

void wire_init(struct wire *wire)
{
    wire->next_string = COUNT(presets);
    memcpy(wire->strings, presets, sizeof presets);
}

bool wire_demand(struct wire *wire, bool ok)
{
    if (!ok)
        wire->failed = true;
    return !wire->failed;
}

const void *wire_octets(struct wire *wire, const void *octets, size_t length)
{
    if (wire->out != NULL) {
        buf_add(wire->out, octets, length);
        return octets;
    }
    if (!wire_demand(wire, length <= (size_t)(wire->end - wire->at)))
        return NULL;
    octets = wire->at;
    wire->at += length;
    return octets;
}

unsigned wire_octet(struct wire *wire, unsigned value)
{
    uint8_t one = (uint8_t)value;
    const uint8_t *at = wire_octets(wire, &one, 1);

    return at == NULL ? 0 : *at;
}

unsigned wire_flags(struct wire *wire, unsigned value, unsigned bits, unsigned most,
                    bool *const *claims)
{
    unsigned mask = (1U << bits) - 1, bit = mask + 1;

    for (size_t i = 0; claims[i] != NULL; i++, bit <<= 1)
        if (wire->out != NULL && *claims[i])
            value |= bit;
    value = wire_octet(wire, value);
    if (!wire_demand(wire, value < bit && (value & mask) <= most))
        return 0;
    bit = mask + 1;
    for (size_t i = 0; claims[i] != NULL; i++, bit <<= 1)
        *claims[i] = (value & bit) != 0;
    return value & mask;
}

/* ---- numbers ---- */

static void write_number(struct wire *wire, uint64_t value)
{
    for (; value > 127; value >>= 7)
        wire_octet(wire, (unsigned)(value & 127) | 128);
    wire_octet(wire, (unsigned)value);
}

/* Each number has one spelling. */
static uint64_t read_number(struct wire *wire)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift <= NUMBER_SHIFT_MAX; shift += 7) {
        unsigned next = wire_octet(wire, 0);

        value |= (uint64_t)(next & 127) << shift;
        if (next > 127)
            continue;
        if (!wire_demand(wire, (next > 0 || shift == 0) && (shift < NUMBER_SHIFT_MAX || next == 1)))
            return 0;
        return value;
    }
    wire_demand(wire, false);
    return 0;
}

uint64_t wire_bounded(struct wire *wire, uint64_t value, uint64_t most)
{
    if (wire->out == NULL)
        value = read_number(wire);
    else
        write_number(wire, value);
    return wire_demand(wire, value <= most) ? value : 0;
}

static uint64_t unsign(int64_t value)
{
    return value < 0 ? ~((uint64_t)value << 1) : (uint64_t)value << 1;
}

static int64_t sign(uint64_t value)
{
    return (value & 1) != 0 ? -(int64_t)(value >> 1) - 1 : (int64_t)(value >> 1);
}

int64_t wire_signed(struct wire *wire, int64_t value)
{
    return sign(wire_bounded(wire, unsign(value), UINT64_MAX));
}

uint32_t wire_ttl(struct wire *wire, uint32_t ttl)
{
    uint64_t value = wire_bounded(wire, ttl == UINT32_MAX ? 0 : (uint64_t)ttl + 1, UINT32_MAX);

    return value == 0 ? UINT32_MAX : (uint32_t)(value - 1);
}

static int64_t limited(int64_t value)
{
    if (value > WIRE_TIME_MAX)
        return WIRE_TIME_MAX;
    return value < -WIRE_TIME_MAX ? -WIRE_TIME_MAX : value;
}

int64_t wire_plain_time(struct wire *wire, int64_t at)
{
    uint64_t value = at == 0 ? 0 : unsign(limited(at) - wire->last_time) + 1;
    int64_t difference;

    value = wire_bounded(wire, value, UINT64_MAX);
    if (value == 0)
        return 0;
    difference = sign(value - 1);
    if (!wire_demand(wire, difference >= -2 * WIRE_TIME_MAX && difference <= 2 * WIRE_TIME_MAX))
        return 0;
    at = wire->last_time + difference;
    if (!wire_demand(wire, at != 0 && limited(at) == at))
        return 0;
    wire->last_time = at;
    return at;
}

int64_t wire_shifted(const struct wire *wire, int64_t at)
{
    if (at == 0)
        return 0;
    at = limited(at + limited(wire->shift_ms));
    return at > 0 ? at : 1;
}

int64_t wire_time(struct wire *wire, int64_t at)
{
    return wire_shifted(wire, wire_plain_time(wire, at));
}

/* ---- strings ---- */

/* NULL takes a place that nothing finds. */
static void remember(struct wire *wire, const char *text)
{
    wire->strings[wire->next_string++] = text;
    if (wire->next_string == WIRE_STRINGS_MAX)
        wire->next_string = COUNT(presets);
}

/* Octets and their length; `remembered` NULL: not to be referred to. */
static void write_literal(struct wire *wire, const char *text, size_t length,
                          const char *remembered)
{
    write_number(wire, 2 * (uint64_t)length + 2);
    wire_octets(wire, text, length);
    remember(wire, remembered);
}

static void write_text(struct wire *wire, const char *text)
{
    for (size_t i = 0; i < WIRE_STRINGS_MAX; i++)
        if (wire->strings[i] != NULL && strcmp(wire->strings[i], text) == 0) {
            write_number(wire, 2 * i + 1);
            return;
        }
    write_literal(wire, text, strlen(text), text);
}

/* Not to be referred to: what is written is not what the evidence has. */
static void write_cleaned(struct wire *wire, const char *text)
{
    char clean[WIRE_TEXT_MAX];
    size_t length = strnlen(text, sizeof clean);

    for (size_t i = 0; i < length; i++)
        clean[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    write_literal(wire, clean, length, NULL);
}

static const char *read_literal(struct wire *wire, uint64_t length)
{
    const char *octets, *text;

    if (!wire_demand(wire, length <= (size_t)(wire->end - wire->at)))
        return NULL;
    octets = wire_octets(wire, NULL, (size_t)length);
    if (!wire_demand(wire, memchr(octets, '\0', (size_t)length) == NULL))
        return NULL;
    text = arena_strndup(wire->arena, octets, (size_t)length);
    if (wire_demand(wire, text != NULL))
        remember(wire, text);
    return text;
}

/* NULL for none, and after a failure. */
static const char *read_text(struct wire *wire, enum wire_kind kind)
{
    uint64_t tag = read_number(wire);
    const char *text = NULL;

    if (tag == 0)
        return NULL;
    if ((tag & 1) == 0)
        text = read_literal(wire, (tag - 2) >> 1);
    else if (tag >> 1 < WIRE_STRINGS_MAX)
        text = wire->strings[tag >> 1];
    return wire_demand(wire, text != NULL && wire_string_ok(kind, text)) ? text : NULL;
}

const char *wire_string(struct wire *wire, const char *text, enum wire_kind kind)
{
    if (wire->out == NULL)
        text = read_text(wire, kind);
    else if (wire_demand(wire, text != NULL && wire_string_ok(kind, text)))
        write_text(wire, text);
    wire_demand(wire, text != NULL);
    return text;
}

const char *wire_optional(struct wire *wire, const char *text, enum wire_kind kind)
{
    if (wire->out == NULL)
        return read_text(wire, kind);
    if (text != NULL && wire_string_ok(kind, text))
        write_text(wire, text);
    else if (text != NULL && kind == WIRE_TEXT)
        write_cleaned(wire, text);
    else
        write_number(wire, 0);
    return text;
}

/* ---- lists ---- */

void *wire_array(struct wire *wire, size_t count, size_t size)
{
    void *array;

    if (count == 0 || wire->failed)
        return NULL;
    array = arena_array(wire->arena, count, size);
    wire_demand(wire, array != NULL);
    return array;
}

void *wire_list(struct wire *wire, const void *items, size_t *count, size_t size, size_t most,
                void (*one)(struct wire *wire, void *item))
{
    _Alignas(max_align_t) char copy[ITEM_MAX];
    char *read = NULL;

    CHECK(size <= sizeof copy);
    *count = (size_t)wire_bounded(wire, *count, most);
    if (wire->out == NULL) {
        /* each takes an octet at least */
        if (!wire_demand(wire, *count <= (size_t)(wire->end - wire->at)))
            *count = 0;
        read = wire_array(wire, *count, size);
    }
    for (size_t i = 0; i < *count && !wire->failed; i++) {
        if (wire->out != NULL)
            memcpy(copy, (const char *)items + i * size, size);
        one(wire, read != NULL ? read + i * size : copy);
    }
    return read;
}

const char *wire_line_pattern(const char *line)
{
    return strncmp(line, "mx:", 3) != 0 ? NULL : line + 3 + strspn(line + 3, " ");
}
