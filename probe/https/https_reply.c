/*
 * https_reply: see https_reply.h. Headers that matter are a table; everything else is counted and
 * checked for its form only.
 */
#include "probe/https/https_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/escape.h"

void https_reply_init(struct https_reply *reply, size_t body_max)
{
    memset(reply, 0, sizeof *reply);
    reply->body_max = body_max;
    reply->chunk_digits = true;
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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* RFC 9110 §5.6.2 */
static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct value {
    const char *data;
    size_t length;
};

static bool value_is(const struct value *value, const char *word)
{
    return value->length == strlen(word) && strncasecmp(value->data, word, value->length) == 0;
}

/* ---- headers that matter ---- */

static bool take_content_length(struct https_reply *reply, const struct value *value)
{
    uint64_t length = 0;

    if (reply->length_seen)
        return refuse(reply, "Content-Length stands there twice");
    if (value->length == 0 || value->length > 18)
        return refuse(reply, "Content-Length is no length");
    for (size_t i = 0; i < value->length; i++) {
        if (!is_digit(value->data[i]))
            return refuse(reply, "Content-Length is no number");
        length = length * 10 + (uint64_t)(value->data[i] - '0');
    }
    reply->length_seen = true;
    reply->length = length;
    return true;
}

static bool take_transfer_encoding(struct https_reply *reply, const struct value *value)
{
    if (reply->chunked || !value_is(value, "chunked"))
        reply->coding_bad = true;
    reply->chunked = true;
    return true;
}

static bool take_content_encoding(struct https_reply *reply, const struct value *value)
{
    if (!value_is(value, "identity"))
        reply->encoded = true;
    return true;
}

/* RFC 8461 §3.2: the media type alone counts, its parameters do not. */
static bool take_content_type(struct https_reply *reply, const struct value *value)
{
    const char *semicolon = memchr(value->data, ';', value->length);
    struct value type = *value;

    if (semicolon != NULL)
        type.length = (size_t)(semicolon - value->data);
    while (type.length > 0 && is_blank(type.data[type.length - 1]))
        type.length--;
    reply->text_plain = value_is(&type, "text/plain") && (reply->text_plain || !reply->type[0]);
    escape_bytes(reply->type, sizeof reply->type, type.data, type.length);
    return true;
}

static bool take_location(struct https_reply *reply, const struct value *value)
{
    escape_bytes(reply->location, sizeof reply->location, value->data, value->length);
    return true;
}

static const struct header {
    const char *name;
    bool (*take)(struct https_reply *reply, const struct value *value);
} headers[] = {
    {"Content-Length", take_content_length},
    {"Transfer-Encoding", take_transfer_encoding},
    {"Content-Encoding", take_content_encoding},
    {"Content-Type", take_content_type},
    {"Location", take_location},
};

/* ---- lines ---- */

static bool take_status(struct https_reply *reply, const struct value *line)
{
    const char *text = line->data;

    if (line->length < 12 || memcmp(text, "HTTP/1.", 7) != 0 ||
        (text[7] != '0' && text[7] != '1') || text[8] != ' ' || text[9] < '1' || text[9] > '9' ||
        !is_digit(text[10]) || !is_digit(text[11]) || (line->length > 12 && text[12] != ' '))
        return refuse(reply, "the response is not HTTP/1.1");
    reply->status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    return true;
}

static bool take_field(struct https_reply *reply, const struct value *line)
{
    struct value name = {line->data, 0}, value;

    while (name.length < line->length && is_token(name.data[name.length]))
        name.length++;
    if (name.length == 0 || name.length == line->length || name.data[name.length] != ':')
        return refuse(reply, is_blank(line->data[0]) ? "a folded header" : "a malformed header");
    value.data = name.data + name.length + 1;
    value.length = line->length - name.length - 1;
    for (; value.length > 0 && is_blank(value.data[0]); value.length--)
        value.data++;
    while (value.length > 0 && is_blank(value.data[value.length - 1]))
        value.length--;
    if (reply->complete)
        return true; /* a trailer */
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (value_is(&name, headers[i].name))
            return headers[i].take(reply, &value);
    return true;
}

static bool judge_status(struct https_reply *reply)
{
    if (reply->status == 200)
        return true;
    if (reply->status / 100 == 3 && reply->location[0] != '\0')
        return refuse(reply, "HTTP status %d, redirect to %s not followed", reply->status,
                      reply->location);
    return refuse(reply, "HTTP status %d", reply->status);
}

static bool judge(struct https_reply *reply)
{
    if (!judge_status(reply))
        return false;
    if (reply->coding_bad)
        return refuse(reply, "a Transfer-Encoding other than chunked");
    if (reply->chunked && reply->length_seen)
        return refuse(reply, "both Content-Length and Transfer-Encoding");
    if (reply->encoded)
        return refuse(reply, "a Content-Encoding, which was not asked for");
    if (reply->type[0] == '\0')
        return refuse(reply, "no Content-Type, text/plain is required");
    if (!reply->text_plain)
        return refuse(reply, "Content-Type is %s, not text/plain", reply->type);
    if (reply->length_seen && reply->length > reply->body_max)
        return refuse(reply, "the policy has %llu octets, more than %zu",
                      (unsigned long long)reply->length, reply->body_max);
    return true;
}

static bool take_end(struct https_reply *reply)
{
    size_t lines = reply->lines, octets = reply->octets, body_max = reply->body_max;
    unsigned interim = reply->interim + 1;

    if (reply->complete)
        return true; /* after trailers */
    if (reply->status == 0)
        return refuse(reply, "the response is not HTTP/1.1");
    if (reply->status >= 200) {
        reply->complete = true;
        return judge(reply);
    }
    if (reply->status == 101)
        return refuse(reply, "HTTP status 101");
    if (interim > HTTPS_INTERIM_MAX)
        return refuse(reply, "more than %d interim responses", HTTPS_INTERIM_MAX);
    https_reply_init(reply, body_max);
    reply->lines = lines;
    reply->octets = octets;
    reply->interim = interim;
    return true;
}

static bool take_size(struct https_reply *reply, size_t length)
{
    reply->octets += length;
    reply->lines++;
    if (reply->octets > HTTPS_HEADER_OCTETS_MAX)
        return refuse(reply, "headers of more than %d octets", HTTPS_HEADER_OCTETS_MAX);
    if (reply->lines > HTTPS_HEADER_LINES_MAX)
        return refuse(reply, "more than %d header lines", HTTPS_HEADER_LINES_MAX);
    return true;
}

bool https_reply_header(struct https_reply *reply, const char *line, size_t length)
{
    struct value text = {line, length};

    if (!take_size(reply, length))
        return false;
    if (length < 2 || memcmp(line + length - 2, "\r\n", 2) != 0)
        return refuse(reply, "a header line that does not end with CR LF");
    text.length -= 2;
    for (size_t i = 0; i < text.length; i++)
        if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
            return refuse(reply, "a control character in a header");
    if (text.length == 0)
        return take_end(reply);
    if (reply->status == 0)
        return take_status(reply, &text);
    return take_field(reply, &text);
}

/* ---- chunks (RFC 9112 §7.1) ---- */

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool take_chunk_line(struct https_reply *reply, char c)
{
    if (++reply->chunk_line > HTTPS_CHUNK_LINE_MAX)
        return refuse(reply, "a chunk line of more than %d octets", HTTPS_CHUNK_LINE_MAX);
    if (c == '\n') {
        reply->chunk = reply->chunk_left == 0 ? HTTPS_CHUNK_LAST : HTTPS_CHUNK_DATA;
        return true;
    }
    if (hex_value(c) < 0)
        reply->chunk_digits = false;
    if (!reply->chunk_digits)
        return true;
    reply->chunk_left = reply->chunk_left * 16 + (uint64_t)hex_value(c);
    if (reply->chunk_left > reply->body_max)
        return refuse(reply, "the policy has more than %zu octets", reply->body_max);
    return true;
}

/* The end of a line after the data of a chunk. */
static bool take_chunk_end(struct https_reply *reply, char c)
{
    if ((c != '\r' && c != '\n') || ++reply->chunk_line > 2)
        return refuse(reply, "a chunk longer than it says");
    if (c == '\n') {
        reply->chunk = HTTPS_CHUNK_LINE;
        reply->chunk_line = 0;
        reply->chunk_digits = true;
    }
    return true;
}

/* Skips data of a chunk; the octets it skipped. */
static size_t skip_chunk_data(struct https_reply *reply, size_t length)
{
    size_t step = length < reply->chunk_left ? length : (size_t)reply->chunk_left;

    reply->chunk_left -= step;
    if (reply->chunk_left == 0) {
        reply->chunk = HTTPS_CHUNK_END;
        reply->chunk_line = 0;
    }
    return step;
}

bool https_reply_raw_body(struct https_reply *reply, const char *data, size_t length)
{
    size_t at = 0;

    if (!reply->chunked)
        return true;
    reply->raw += length;
    if (reply->raw > HTTPS_RAW_FACTOR * reply->body_max)
        return refuse(reply, "chunks with too much around them");
    while (at < length && reply->chunk != HTTPS_CHUNK_LAST) {
        bool ok = true;

        if (reply->chunk == HTTPS_CHUNK_DATA)
            at += skip_chunk_data(reply, length - at);
        else if (reply->chunk == HTTPS_CHUNK_LINE)
            ok = take_chunk_line(reply, data[at++]);
        else
            ok = take_chunk_end(reply, data[at++]);
        if (!ok)
            return false;
    }
    return true;
}
