/* fuzz: the table protocols and Exim's over the same octets, request after request as a connection does. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "daemon/serve/protocol.h"

static char decoded[PROTOCOL_REQUEST_MAX];

static void run(const struct protocol *protocol, const char *data, size_t length)
{
    while (length > 0) {
        struct request request = {0};
        size_t used = 0;
        enum parse_status status = protocol->parse(data, length, &used, decoded, &request);

        if (status != PARSE_REQUEST && status != PARSE_MALFORMED)
            return;
        CHECK(used > 0 && used <= length);
        if (status == PARSE_REQUEST) {
            const struct answer answer = {ANSWER_OK, request.key, request.key_length, false};
            struct buf out;

            buf_init(&out, 1 << 20);
            protocol->reply(&out, &answer);
            CHECK(!out.failed);
            buf_fini(&out);
        }
        data += used;
        length -= used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    run(&socketmap_protocol, (const char *)data, length);
    run(&tcp_table_protocol, (const char *)data, length);
    run(&exim_protocol, (const char *)data, length);
    return 0;
}
