/*
 * smtp_reply: see smtp_reply.h. One octet at a time into one line buffer; every limit of the header
 * is checked before an octet is stored. A bare LF ends a line too, as in smtp(8).
 */
#include "probe/smtp/smtp_reply.h"

#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/escape.h"

void smtp_reply_init(struct smtp_reply *reply)
{
    memset(reply, 0, sizeof *reply);
}

static enum smtp_reply_status bad(struct smtp_reply *reply, const char *why)
{
    reply->why = why;
    return SMTP_REPLY_BAD;
}

/* The code of a line, or -1. */
static int line_code(const char *line, size_t length)
{
    if (length < 3 || line[0] < '2' || line[0] > '5' || !ascii_is_digit(line[1]) ||
        !ascii_is_digit(line[2]))
        return -1;
    if (length > 3 && line[3] != ' ' && line[3] != '-')
        return -1;
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* True when `text` is `keyword` and nothing else but blanks. */
static bool is_keyword(const char *text, size_t length, const char *keyword)
{
    while (length > 0 && ascii_is_blank(text[0]))
        text++, length--;
    while (length > 0 && ascii_is_blank(text[length - 1]))
        length--;
    return length == strlen(keyword) && strncasecmp(text, keyword, length) == 0;
}

static enum smtp_reply_status take_line(struct smtp_reply *reply, const char *line, size_t length)
{
    int code = line_code(line, length);
    const char *text = length > 4 ? line + 4 : "";
    size_t text_length = length > 4 ? length - 4 : 0;

    if (code < 0)
        return bad(reply, "not an SMTP reply");
    if (++reply->lines > SMTP_REPLY_LINES_MAX)
        return bad(reply, "reply of too many lines");
    if (reply->lines == 1) {
        reply->first_code = code;
        escape_bytes(reply->text, sizeof reply->text, text, text_length);
    } else if (code != reply->first_code) {
        return bad(reply, "reply codes differ between lines");
    } else if (is_keyword(text, text_length, "STARTTLS")) {
        reply->starttls = true;
    } else if (is_keyword(text, text_length, "REQUIRETLS")) {
        reply->requiretls = true;
    }
    if (length > 3 && line[3] == '-')
        return SMTP_REPLY_MORE;
    reply->code = code;
    return SMTP_REPLY_DONE;
}

static enum smtp_reply_status take_octet(struct smtp_reply *reply, char octet)
{
    size_t length;

    if (++reply->octets > SMTP_REPLY_OCTETS_MAX)
        return bad(reply, "reply too long");
    if (reply->line_length == SMTP_LINE_MAX)
        return bad(reply, "reply line too long");
    reply->line[reply->line_length++] = octet;
    if (octet != '\n')
        return SMTP_REPLY_MORE;
    length = reply->line_length - 1;
    if (length > 0 && reply->line[length - 1] == '\r')
        length--;
    reply->line_length = 0;
    return take_line(reply, reply->line, length);
}

enum smtp_reply_status smtp_reply_feed(struct smtp_reply *reply, const char *data, size_t length,
                                       size_t *used)
{
    enum smtp_reply_status status = SMTP_REPLY_MORE;

    *used = 0;
    if (reply->why != NULL)
        return SMTP_REPLY_BAD;
    if (reply->code != 0)
        return SMTP_REPLY_DONE;
    while (status == SMTP_REPLY_MORE && *used < length)
        status = take_octet(reply, data[(*used)++]);
    return status;
}
