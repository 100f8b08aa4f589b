/*
 * exim: what ${readsocket} of Exim sends and reads (mxcrypt-exim(5)): `exim1 SP key LF`, answered by
 * one line of policy/render/exim.h. A connection is for one request: Exim reads until its end.
 */
#include <string.h>

#include "daemon/serve/protocol.h"
#include "policy/key.h"

#define EXIM_MALFORMED "level=temp reason=\"malformed request\"\n"

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

static enum parse_status exim_parse(const char *data, size_t length, size_t *used, char *decoded,
                                    struct request *request)
{
    static const char verb[] = "exim1 ";
    const size_t verb_length = sizeof verb - 1;
    size_t begun = length < verb_length ? length : verb_length;
    const char *end;

    (void)decoded;
    if (memcmp(data, verb, begun) != 0)
        return PARSE_CLOSE;
    end = memchr(data, '\n', length);
    if (end == NULL)
        return length > verb_length + KEY_MAX ? PARSE_CLOSE : PARSE_MORE;
    *used = (size_t)(end - data) + 1;
    request->map = "";
    request->map_length = 0;
    request->key = data + verb_length;
    request->key_length = (size_t)(end - request->key);
    if (request->key_length == 0 || request->key_length > KEY_MAX ||
        !is_printable(request->key, request->key_length))
        return PARSE_MALFORMED;
    return PARSE_REQUEST;
}

/* Its text is a line of exim_write, whatever the status; but what has no memory for one has none. */
static void exim_reply(struct buf *out, const struct answer *answer)
{
    buf_add(out, answer->text, answer->length);
    buf_add(out, "\n", 1);
}

const struct protocol exim_protocol = {
    .parse = exim_parse,
    .reply = exim_reply,
    .malformed = EXIM_MALFORMED,
    .one_request = true,
};
