/* evidence_wire: see evidence_wire.h. */
#include "policy/evidence/evidence_wire.h"

#include <string.h>

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

static bool wire_printable(char c)
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

/* ---- the wire ---- */

void wire_init(struct wire *wire)
{
    wire->strings.next = COUNT(presets);
    memcpy(wire->strings.slots, presets, sizeof presets);
}

bool wire_demand(struct wire *wire, bool ok)
{
    if (!ok)
        wire->failed = true;
    return !wire->failed;
}

size_t wire_left(const struct wire *wire)
{
    return (size_t)(wire->end - wire->at);
}

const void *wire_octets(struct wire *wire, const void *octets, size_t length)
{
    if (wire->out != NULL) {
        buf_add(wire->out, octets, length);
        return octets;
    }
    if (!wire_demand(wire, length <= wire_left(wire)))
        return NULL;
    octets = wire->at;
    wire->at += length;
    return octets;
}

static unsigned octet(struct wire *wire, unsigned value)
{
    uint8_t one = (uint8_t)value;
    const uint8_t *at = wire_octets(wire, &one, 1);

    return at == NULL ? 0 : *at;
}

unsigned wire_flags(struct wire *wire, unsigned value, unsigned mask, unsigned most,
                    const struct wire_claim *claims, size_t count)
{
    unsigned all = mask;

    for (size_t i = 0; i < count; i++) {
        all |= claims[i].bit;
        if (wire->out != NULL && *claims[i].claim)
            value |= claims[i].bit;
    }
    value = octet(wire, value);
    if (!wire_demand(wire, (value & ~all) == 0 && (value & mask) <= most))
        return 0;
    for (size_t i = 0; i < count; i++)
        *claims[i].claim = (value & claims[i].bit) != 0;
    return value & mask;
}

/* ---- numbers ---- */

static void write_number(struct wire *wire, uint64_t value)
{
    for (; value > 127; value >>= 7)
        octet(wire, (unsigned)(value & 127) | 128);
    octet(wire, (unsigned)value);
}

/* Each number has one spelling. */
static uint64_t read_number(struct wire *wire)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift <= NUMBER_SHIFT_MAX; shift += 7) {
        unsigned next = octet(wire, 0);

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

uint64_t wire_number(struct wire *wire, uint64_t value)
{
    if (wire->out == NULL)
        return read_number(wire);
    write_number(wire, value);
    return value;
}

uint64_t wire_bounded(struct wire *wire, uint64_t value, uint64_t most)
{
    value = wire_number(wire, value);
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
    return sign(wire_number(wire, unsign(value)));
}

uint32_t wire_ttl(struct wire *wire, uint32_t ttl)
{
    uint64_t value = wire_bounded(wire, ttl == UINT32_MAX ? 0 : (uint64_t)ttl + 1, UINT32_MAX);

    return value == 0 ? UINT32_MAX : (uint32_t)(value - 1);
}

static bool within(int64_t value, int64_t most)
{
    return value >= -most && value <= most;
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

    value = wire_number(wire, value);
    if (value == 0)
        return 0;
    difference = sign(value - 1);
    if (!wire_demand(wire, within(difference, 2 * WIRE_TIME_MAX) &&
                               within(wire->last_time + difference, WIRE_TIME_MAX)) ||
        !wire_demand(wire, wire->last_time + difference != 0))
        return 0;
    wire->last_time += difference;
    return wire->last_time;
}

int64_t wire_shifted(const struct wire *wire, int64_t at)
{
    if (at == 0)
        return 0;
    at += limited(wire->shift_ms);
    if (at > WIRE_TIME_MAX)
        at = WIRE_TIME_MAX;
    return at > 0 ? at : 1;
}

int64_t wire_time(struct wire *wire, int64_t at)
{
    return wire_shifted(wire, wire_plain_time(wire, at));
}

/* ---- strings ---- */

/* NULL takes a slot that nothing finds. */
static void remember(struct wire_strings *strings, const char *text)
{
    strings->slots[strings->next++] = text;
    if (strings->next == WIRE_STRINGS_MAX)
        strings->next = COUNT(presets);
}

static size_t slot_of(const struct wire_strings *strings, const char *text)
{
    for (size_t i = 0; i < WIRE_STRINGS_MAX; i++)
        if (strings->slots[i] != NULL && strcmp(strings->slots[i], text) == 0)
            return i;
    return WIRE_STRINGS_MAX;
}

static void write_literal(struct wire *wire, const char *text, size_t length)
{
    write_number(wire, 2 * (uint64_t)length + 2);
    wire_octets(wire, text, length);
}

static void write_text(struct wire *wire, const char *text)
{
    size_t slot = slot_of(&wire->strings, text);

    if (slot < WIRE_STRINGS_MAX) {
        write_number(wire, 2 * slot + 1);
        return;
    }
    write_literal(wire, text, strlen(text));
    remember(&wire->strings, text);
}

/* Not to be referred to: what is written is not what the evidence has. */
static void write_cleaned(struct wire *wire, const char *text)
{
    char clean[WIRE_TEXT_MAX];
    size_t length = strnlen(text, sizeof clean);

    for (size_t i = 0; i < length; i++)
        clean[i] = wire_printable(text[i]) ? text[i] : '?';
    write_literal(wire, clean, length);
    remember(&wire->strings, NULL);
}

static const char *read_literal(struct wire *wire, uint64_t length)
{
    const char *octets, *text;

    if (!wire_demand(wire, length <= wire_left(wire)))
        return NULL;
    octets = wire_octets(wire, NULL, (size_t)length);
    if (!wire_demand(wire, memchr(octets, '\0', (size_t)length) == NULL))
        return NULL;
    text = arena_strndup(wire->arena, octets, (size_t)length);
    if (wire_demand(wire, text != NULL))
        remember(&wire->strings, text);
    return text;
}

static const char *read_reference(struct wire *wire, uint64_t slot)
{
    const char *text = slot < WIRE_STRINGS_MAX ? wire->strings.slots[slot] : NULL;

    wire_demand(wire, text != NULL);
    return text;
}

/* NULL for none, and after a failure. */
static const char *read_text(struct wire *wire, enum wire_kind kind)
{
    uint64_t tag = read_number(wire);
    const char *text;

    if (tag == 0)
        return NULL;
    text = (tag & 1) != 0 ? read_reference(wire, tag >> 1) : read_literal(wire, (tag - 2) >> 1);
    if (wire->failed || !wire_demand(wire, wire_string_ok(kind, text, strlen(text))))
        return NULL;
    return text;
}

const char *wire_string(struct wire *wire, const char *text, enum wire_kind kind)
{
    if (wire->out == NULL)
        text = read_text(wire, kind);
    else if (wire_demand(wire, text != NULL && wire_string_ok(kind, text, strlen(text))))
        write_text(wire, text);
    wire_demand(wire, text != NULL);
    return text;
}

const char *wire_optional(struct wire *wire, const char *text, enum wire_kind kind)
{
    if (wire->out == NULL)
        return read_text(wire, kind);
    if (text != NULL && wire_string_ok(kind, text, strlen(text)))
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

static void write_list(struct wire *wire, const char *items, size_t count, size_t size,
                       void (*one)(struct wire *wire, void *item))
{
    _Alignas(max_align_t) char copy[ITEM_MAX];

    CHECK(size <= sizeof copy);
    for (size_t i = 0; i < count && !wire->failed; i++) {
        memcpy(copy, items + i * size, size);
        one(wire, copy);
    }
}

void *wire_list(struct wire *wire, const void *items, size_t *count, size_t size, size_t most,
                void (*one)(struct wire *wire, void *item))
{
    char *read;

    *count = (size_t)wire_bounded(wire, *count, most);
    if (wire->out != NULL) {
        write_list(wire, items, *count, size, one);
        return NULL;
    }
    /* each takes an octet at least */
    if (!wire_demand(wire, *count <= wire_left(wire)))
        *count = 0;
    read = wire_array(wire, *count, size);
    for (size_t i = 0; i < *count && !wire->failed; i++)
        one(wire, read + i * size);
    return read;
}

const char *wire_line_pattern(const char *line)
{
    return strncmp(line, "mx:", 3) != 0 ? NULL : line + 3 + strspn(line + 3, " ");
}
