/* tlsrpt_file: see tlsrpt_file.h. */
#include "audit/tlsrpt/tlsrpt_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/ascii.h"

#define EXTENSION  ".json.gz"
#define PIECE      16384
#define GZIP_BITS  31 /* zlib's: 15, and the form of gzip */
#define DIGITS_MAX 12 /* of a moment: year 33658 */

/* ---- names ---- */

bool tlsrpt_name_make(char out[TLSRPT_NAME_MAX + 1], const struct tlsrpt_day *day,
                      const char *domain)
{
    int length = snprintf(out, TLSRPT_NAME_MAX + 1, "%s!%s!%lld!%lld!%s" EXTENSION, day->submitter,
                          domain, (long long)day->begin, (long long)day->end - 1, day->unique);

    return length > 0 && length <= TLSRPT_NAME_MAX;
}

/* Takes a part of the name up to `stop`. */
static bool take_part(struct span *text, char stop, struct span *part)
{
    const char *end = memchr(text->text, stop, text->length);

    if (end == NULL)
        return false;
    *part = (struct span){text->text, (size_t)(end - text->text)};
    span_skip(text, part->length + 1);
    return true;
}

static bool read_name(char out[HOSTNAME_MAX + 1], struct span part)
{
    if (!hostname_valid(part.text, part.length, HOSTNAME_LDH))
        return false;
    memcpy(out, part.text, part.length);
    out[part.length] = '\0';
    hostname_fold(out, part.length);
    return true;
}

static bool read_moment(int64_t *out, struct span part)
{
    *out = 0;
    for (size_t i = 0; i < part.length && i < DIGITS_MAX; i++) {
        if (!ascii_is_digit(part.text[i]))
            return false;
        *out = *out * 10 + (part.text[i] - '0');
    }
    return part.length > 0 && part.length <= DIGITS_MAX;
}

bool tlsrpt_name_read(struct tlsrpt_name *out, const char *name)
{
    struct span rest = {name, strlen(name)}, parts[4], unique;
    const size_t extension = sizeof EXTENSION - 1;

    if (rest.length > TLSRPT_NAME_MAX || rest.length <= extension ||
        strcmp(name + rest.length - extension, EXTENSION) != 0)
        return false;
    rest.length -= extension;
    for (int i = 0; i < 4; i++)
        if (!take_part(&rest, '!', &parts[i]))
            return false;
    unique = rest;
    for (size_t i = 0; i < unique.length; i++)
        if (!ascii_is_alnum(unique.text[i]))
            return false;
    return unique.length > 0 && unique.length <= TLSRPT_UNIQUE_MAX &&
           read_name(out->submitter, parts[0]) && read_name(out->domain, parts[1]) &&
           read_moment(&out->begin, parts[2]) && read_moment(&out->end, parts[3]);
}

/* ---- octets ---- */

static bool deflate_all(z_stream *stream, struct buf *out)
{
    unsigned char piece[PIECE];
    int status;

    do {
        stream->next_out = piece;
        stream->avail_out = sizeof piece;
        status = deflate(stream, Z_FINISH);
        buf_add(out, piece, sizeof piece - stream->avail_out);
    } while (status == Z_OK && !out->failed);
    return status == Z_STREAM_END && !out->failed;
}

bool tlsrpt_pack(struct buf *out, const json_t *report)
{
    char *text = json_dumps(report, JSON_COMPACT | JSON_PRESERVE_ORDER);
    size_t length = text == NULL ? 0 : strlen(text);
    z_stream stream = {0};
    bool packed = false;

    if (length > 0 && length <= TLSRPT_JSON_MAX &&
        deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) ==
            Z_OK) {
        stream.next_in = (unsigned char *)text;
        stream.avail_in = (unsigned)length;
        packed = deflate_all(&stream, out);
        deflateEnd(&stream);
    }
    free(text);
    return packed;
}

static const char *inflate_all(z_stream *stream, struct buf *out)
{
    unsigned char piece[PIECE];
    int status;

    do {
        stream->next_out = piece;
        stream->avail_out = sizeof piece;
        status = inflate(stream, Z_NO_FLUSH);
        buf_add(out, piece, sizeof piece - stream->avail_out);
        if (out->failed)
            return "it is too long";
    } while (status == Z_OK && (stream->avail_in > 0 || stream->avail_out == 0));
    if (status == Z_STREAM_END)
        return stream->avail_in == 0 ? NULL : "something stands behind its end";
    return status == Z_OK || status == Z_BUF_ERROR ? "it is cut off" : "it is no gzip file";
}

const char *tlsrpt_unpack(struct buf *out, const void *data, size_t length)
{
    const unsigned char *octets = data;
    z_stream stream = {0};
    const char *wrong;

    if (length > TLSRPT_JSON_MAX)
        return "it is too long";
    if (length < 2 || octets[0] != 0x1f || octets[1] != 0x8b) {
        buf_add(out, data, length);
        return out->failed ? "it is too long" : NULL;
    }
    if (inflateInit2(&stream, GZIP_BITS) != Z_OK)
        return "no memory";
    stream.next_in = (unsigned char *)octets;
    stream.avail_in = (unsigned)length;
    wrong = inflate_all(&stream, out);
    inflateEnd(&stream);
    return wrong;
}

/* ---- what is read ---- */

static const char *text_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

bool tlsrpt_heading_read(struct tlsrpt_heading *out, const json_t *report)
{
    const json_t *range = json_object_get(report, "date-range");

    *out = (struct tlsrpt_heading){
        .id = text_in(report, "report-id"),
        .organization = text_in(report, "organization-name"),
        .contact = text_in(report, "contact-info"),
        .begin = text_in(range, "start-datetime"),
        .end = text_in(range, "end-datetime"),
        .policies = json_object_get(report, "policies"),
    };
    return out->id[0] != '\0' && json_is_array(out->policies);
}
