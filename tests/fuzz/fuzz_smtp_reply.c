/*
 * fuzz_smtp_reply: replies read whole and in pieces must be the same; the limits hold, and nothing
 * unprintable comes out. The first octet is the size of the pieces.
 */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "probe/smtp/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum smtp_reply_status feed_pieces(struct smtp_reply *reply, const char *data, size_t length,
                                          size_t piece, size_t *total)
{
    enum smtp_reply_status status = SMTP_REPLY_MORE;
    size_t used;

    smtp_reply_init(reply);
    *total = 0;
    while (status == SMTP_REPLY_MORE && *total < length) {
        size_t left = length - *total, next = left < piece ? left : piece;

        status = smtp_reply_feed(reply, data + *total, next, &used);
        CHECK(used <= next && (status != SMTP_REPLY_MORE || used == next));
        *total += used;
    }
    return status;
}

static void check_reply(const struct smtp_reply *reply, enum smtp_reply_status status)
{
    CHECK((status == SMTP_REPLY_BAD) == (reply->why != NULL));
    CHECK((status == SMTP_REPLY_DONE) == (reply->code != 0));
    CHECK(reply->code == 0 || (reply->code >= 200 && reply->code <= 599));
    CHECK(reply->lines <= SMTP_REPLY_LINES_MAX + 1 && reply->line_length <= SMTP_LINE_MAX);
    CHECK(strlen(reply->text) < sizeof reply->text);
    for (const char *p = reply->text; *p != '\0'; p++)
        CHECK(*p >= 0x20 && *p <= 0x7e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct smtp_reply whole, pieces;
    enum smtp_reply_status status;
    size_t used, total, at = 1;

    while (at < size) {
        const char *text = (const char *)data + at;

        status = feed_pieces(&whole, text, size - at, size, &used);
        CHECK(feed_pieces(&pieces, text, size - at, data[0] + 1, &total) == status);
        CHECK(total == used && pieces.code == whole.code && pieces.starttls == whole.starttls);
        CHECK(strcmp(pieces.text, whole.text) == 0);
        check_reply(&whole, status);
        if (status != SMTP_REPLY_DONE)
            break;
        at += used; /* a pipeline of replies */
    }
    return 0;
}
