/*
 * tcp_table: Postfix's own line protocol (tcp_table(5)): `get SP key LF`, answered `200 SP text`,
 * `500 SP text` or `400 SP text`; blanks, controls, % and non-ASCII are %XX.
 */
#include <string.h>

#include "daemon/serve/protocol.h"

#define TCP_TABLE_LINE_MAX (12 * 1024) /* octets of a request line */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Undoes %XX into `out`; the length, or -1 for a % that two hex digits do not follow. */
static ptrdiff_t decode(char *out, const char *text, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        int high, low;

        if (text[i] != '%') {
            out[used++] = text[i];
            continue;
        }
        if (length - i < 3)
            return -1;
        high = hex_digit(text[i + 1]);
        low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0)
            return -1;
        out[used++] = (char)(high << 4 | low);
        i += 2;
    }
    return (ptrdiff_t)used;
}

static enum parse_status tcp_table_parse(const char *data, size_t length, size_t *used,
                                         char *decoded, struct request *request)
{
    static const char verb[] = "get ";
    const size_t verb_length = sizeof verb - 1;
    const char *end = memchr(data, '\n', length);
    size_t line = end == NULL ? length : (size_t)(end - data);
    ptrdiff_t key_length;

    if (line > TCP_TABLE_LINE_MAX)
        return PARSE_CLOSE;
    if (end == NULL)
        return PARSE_MORE;
    *used = line + 1;
    if (line > 0 && data[line - 1] == '\r')
        line--;
    if (line < verb_length || memcmp(data, verb, verb_length) != 0)
        return PARSE_MALFORMED;
    key_length = decode(decoded, data + verb_length, line - verb_length);
    if (key_length <= 0)
        return PARSE_MALFORMED;
    request->map = "";
    request->map_length = 0;
    request->key = decoded;
    request->key_length = (size_t)key_length;
    return PARSE_REQUEST;
}

static void encode(struct buf *out, const char *text, size_t length)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        char coded[3] = {'%', hex[c >> 4], hex[c & 15]};

        if (c > 0x20 && c < 0x7f && c != '%')
            buf_add(out, &text[i], 1);
        else
            buf_add(out, coded, sizeof coded);
    }
}

static void tcp_table_reply(struct buf *out, const struct answer *answer)
{
    static const char *const codes[] = {
        [ANSWER_OK] = "200 ", [ANSWER_NOTFOUND] = "500 ", [ANSWER_TEMP] = "400 "};
    size_t start = out->length;

    buf_adds(out, codes[answer->status]);
    if (answer->status == ANSWER_NOTFOUND)
        buf_adds(out, "not%20found");
    else
        encode(out, answer->text, answer->length);
    if (out->length - start > RENDER_TCP_TABLE_MAX) { /* by a rule: what is found fits */
        out->length = start;
        buf_adds(out, "400 the%20policy%20is%20too%20long%20for%20this%20protocol");
    }
    buf_add(out, "\n", 1);
}

const struct protocol tcp_table_protocol = {
    .parse = tcp_table_parse,
    .reply = tcp_table_reply,
    .malformed = "400 malformed%20request\n",
};
