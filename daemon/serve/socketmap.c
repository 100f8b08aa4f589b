/*
 * socketmap: Sendmail's socketmap protocol as Postfix speaks it (socketmap_table(5)): netstrings,
 * `LEN:NAME SP KEY,` for requests and `LEN:STATUS SP TEXT,` for replies.
 */
#include <string.h>

#include "daemon/serve/protocol.h"

#define LENGTH_DIGITS_MAX 6

/* Reads `LEN:`. PARSE_REQUEST: *length and *used are set. */
static enum parse_status parse_length(const char *data, size_t size, size_t *length, size_t *used)
{
    size_t value = 0, i;

    for (i = 0; i < size && data[i] >= '0' && data[i] <= '9'; i++) {
        if (i == LENGTH_DIGITS_MAX)
            return PARSE_CLOSE;
        value = value * 10 + (size_t)(data[i] - '0');
    }
    if (i == size)
        return PARSE_MORE;
    if (i == 0 || data[i] != ':' || value > PROTOCOL_KEY_MAX)
        return PARSE_CLOSE;
    *length = value;
    *used = i + 1;
    return PARSE_REQUEST;
}

static enum parse_status socketmap_parse(const char *data, size_t length, size_t *used,
                                         char *decoded, struct request *request)
{
    size_t size, start;
    enum parse_status status = parse_length(data, length, &size, &start);
    const char *blank;

    (void)decoded;
    if (status != PARSE_REQUEST)
        return status;
    if (length - start <= size)
        return PARSE_MORE;
    if (data[start + size] != ',')
        return PARSE_CLOSE;
    *used = start + size + 1;
    request->map = data + start;
    blank = memchr(request->map, ' ', size);
    if (blank == NULL)
        return PARSE_MALFORMED;
    request->map_length = (size_t)(blank - request->map);
    request->key = blank + 1;
    request->key_length = size - request->map_length - 1;
    return PARSE_REQUEST;
}

static void socketmap_reply(struct buf *out, const struct answer *answer)
{
    static const char *const words[] = {
        [ANSWER_OK] = "OK ", [ANSWER_NOTFOUND] = "NOTFOUND ", [ANSWER_TEMP] = "TEMP "};
    const char *word = words[answer->status];
    size_t word_length = strlen(word), total = word_length + answer->length;
    char head[32];
    size_t i = sizeof head;

    head[--i] = ':';
    do {
        head[--i] = (char)('0' + total % 10);
        total /= 10;
    } while (total > 0);
    buf_add(out, head + i, sizeof head - i);
    buf_add(out, word, word_length);
    buf_add(out, answer->text, answer->length);
    buf_add(out, ",", 1);
}

const struct protocol socketmap_protocol = {
    .parse = socketmap_parse,
    .reply = socketmap_reply,
    .malformed = "56:PERM malformed request: expected NAME, a blank and a key,",
};
