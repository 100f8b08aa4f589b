/*
 * https_reply: see https_reply.h. Headers that matter are a table; everything else is counted and
 * checked for its form only.
 */
#include "probe/https/https_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/escape.h"

#define DIGITS            "0123456789"
#define LENGTH_DIGITS_MAX 18

/* A piece of a line. Behind it there is always the CR LF of that line. */
struct value {
    const char *data;
    size_t length;
};

void https_reply_init(struct https_reply *reply, size_t body_max)
{
    *reply = (struct https_reply){.body_max = body_max};
}

__attribute__((format(printf, 2, 3))) static bool refuse(struct https_reply *reply,
                                                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reply->why, sizeof reply->why, format, args);
    va_end(args);
    return false;
}

static struct value trimmed(struct value value)
{
    for (; value.length > 0 && ascii_is_blank(value.data[0]); value.length--)
        value.data++;
    while (value.length > 0 && ascii_is_blank(value.data[value.length - 1]))
        value.length--;
    return value;
}

static bool value_is(const struct value *value, const char *word)
{
    return value->length == strlen(word) && strncasecmp(value->data, word, value->length) == 0;
}

/* ---- headers that matter ---- */

static void note_wrong(struct https_fields *fields, const char *why)
{
    if (fields->wrong == NULL)
        fields->wrong = why;
}

/* The value need not end with a NUL. */
static bool read_number(const struct value *value, unsigned long long *out)
{
    *out = 0;
    if (value->length == 0 || value->length > LENGTH_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < value->length; i++) {
        if (!ascii_is_digit(value->data[i]))
            return false;
        *out = *out * 10 + (unsigned)(value->data[i] - '0');
    }
    return true;
}

static void take_content_length(struct https_fields *fields, const struct value *value)
{
    if (fields->length_seen)
        note_wrong(fields, "Content-Length stands there twice");
    if (!read_number(value, &fields->length))
        note_wrong(fields, "Content-Length is no number");
    fields->length_seen = true;
}

static void take_transfer_encoding(struct https_fields *fields, const struct value *value)
{
    if (fields->chunked || !value_is(value, "chunked"))
        note_wrong(fields, "a Transfer-Encoding other than chunked");
    fields->chunked = true;
}

static void take_content_encoding(struct https_fields *fields, const struct value *value)
{
    if (!value_is(value, "identity"))
        note_wrong(fields, "a Content-Encoding, which was not asked for");
}

/* RFC 8461 §3.2: the media type alone counts, its parameters do not. */
static void take_content_type(struct https_fields *fields, const struct value *value)
{
    const char *semicolon = memchr(value->data, ';', value->length);
    struct value type = *value;

    if (semicolon != NULL)
        type = trimmed((struct value){value->data, (size_t)(semicolon - value->data)});
    fields->text_plain = value_is(&type, "text/plain") && (fields->text_plain || !fields->type[0]);
    escape_bytes(fields->type, sizeof fields->type, type.data, type.length);
}

static void take_location(struct https_fields *fields, const struct value *value)
{
    escape_bytes(fields->location, sizeof fields->location, value->data, value->length);
}

static const struct header {
    const char *name;
    void (*take)(struct https_fields *fields, const struct value *value);
} headers[] = {
    {"Content-Length", take_content_length},
    {"Transfer-Encoding", take_transfer_encoding},
    {"Content-Encoding", take_content_encoding},
    {"Content-Type", take_content_type},
    {"Location", take_location},
};

/* ---- lines ---- */

/* libcurl takes "HTTP/2 200" where HTTP/1.1 was spoken. */
static bool take_status(struct https_reply *reply, const struct value *line)
{
    const char *text = line->data;

    if (line->length < 12 || memcmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ' || text[9] == '0' ||
        strspn(text + 9, DIGITS) != 3)
        return refuse(reply, "the response is not HTTP/1.1");
    reply->status = atoi(text + 9);
    return true;
}

static bool take_field(struct https_reply *reply, const struct value *line)
{
    struct value name = {line->data, strcspn(line->data, ": \t\r")}, value;

    if (ascii_is_blank(line->data[0]))
        return refuse(reply, "a folded header");
    if (name.length == 0 || line->data[name.length] != ':')
        return refuse(reply, "a malformed header");
    if (reply->complete)
        return true; /* a trailer */
    value = trimmed((struct value){line->data + name.length + 1, line->length - name.length - 1});
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (value_is(&name, headers[i].name))
            headers[i].take(&reply->fields, &value);
    return true;
}

static bool judge(struct https_reply *reply)
{
    const struct https_fields *fields = &reply->fields;

    if (reply->status / 100 == 3 && fields->location[0] != '\0')
        return refuse(reply, "HTTP status %d, redirect to %s not followed", reply->status,
                      fields->location);
    if (reply->status != 200 && !(reply->posted && reply->status == 201))
        return refuse(reply, "HTTP status %d", reply->status);
    if (fields->wrong != NULL)
        return refuse(reply, "%s", fields->wrong);
    if (fields->chunked && fields->length_seen)
        return refuse(reply, "both Content-Length and Transfer-Encoding");
    if (fields->type[0] == '\0' && !reply->any_type)
        return refuse(reply, "no Content-Type, text/plain is required");
    if (!fields->text_plain && !reply->any_type)
        return refuse(reply, "Content-Type is %s, not text/plain", fields->type);
    if (fields->length > reply->body_max)
        return refuse(reply, "the body has %llu octets, more than %zu", fields->length,
                      reply->body_max);
    return true;
}

static bool take_end(struct https_reply *reply)
{
    if (reply->complete)
        return true; /* after trailers */
    if (reply->status / 100 != 1 || reply->status == 101) {
        reply->complete = true;
        return judge(reply);
    }
    if (++reply->interim > HTTPS_INTERIM_MAX)
        return refuse(reply, "more than %d interim responses", HTTPS_INTERIM_MAX);
    reply->status = 0;
    reply->fields = (struct https_fields){0};
    return true;
}

bool https_reply_header(struct https_reply *reply, const char *line, size_t length)
{
    struct value text = {line, length - 2};

    reply->octets += length;
    if (reply->octets > HTTPS_HEADER_OCTETS_MAX)
        return refuse(reply, "headers of more than %d octets", HTTPS_HEADER_OCTETS_MAX);
    if (++reply->lines > HTTPS_HEADER_LINES_MAX)
        return refuse(reply, "more than %d header lines", HTTPS_HEADER_LINES_MAX);
    if (length < 2 || memcmp(line + text.length, "\r\n", 2) != 0)
        return refuse(reply, "a header line that does not end with CR LF");
    for (size_t i = 0; i < text.length; i++)
        if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
            return refuse(reply, "a control character in a header");
    if (reply->status == 0)
        return take_status(reply, &text);
    return text.length == 0 ? take_end(reply) : take_field(reply, &text);
}

bool https_reply_raw_body(struct https_reply *reply, size_t length)
{
    reply->raw += length;
    if (!reply->fields.chunked || reply->raw <= HTTPS_RAW_FACTOR * reply->body_max)
        return true;
    return refuse(reply, "chunks with too much around them");
}
