/* Any octets as an HTTP response, cut into lines up to the empty one and a body after it. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "probe/https/https_reply.h"

#define BODY_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const struct https_reply *reply)
{
    CHECK(reply->why[0] != '\0' && strlen(reply->why) < sizeof reply->why);
    for (const char *c = reply->why; *c != '\0'; c++)
        CHECK(*c >= ' ' && *c < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    struct https_reply reply;

    https_reply_init(&reply, BODY_MAX);
    while (at < end && !reply.complete) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline == NULL ? end : newline + 1) - at);

        if (!https_reply_header(&reply, at, length)) {
            check_refusal(&reply);
            return 0;
        }
        at += length;
    }
    CHECK(!reply.complete || reply.status == 200);
    if (!https_reply_raw_body(&reply, (size_t)(end - at)))
        check_refusal(&reply);
    return 0;
}
