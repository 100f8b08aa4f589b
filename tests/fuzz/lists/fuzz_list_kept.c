/* fuzz_list_kept: any file in the place of what mxcryptd keeps of a policy list; what is read is the same
 * when it was written and read again. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "daemon/lists/list_kept.h"

#define SOURCE "/l"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_state(const char *text, size_t size)
{
    struct list_kept kept;
    struct buf out;

    if (!list_kept_parse(&kept, text, size, SOURCE))
        return;
    buf_init(&out, size + 1);
    list_kept_text(&out, &kept, SOURCE);
    CHECK(out.length == size && memcmp(out.data, text, size) == 0);
    buf_fini(&out);
}

static void try_copy(const char *data, size_t size)
{
    char header[LIST_COPY_HEADER_MAX];
    struct buf text, signature;
    size_t length;

    buf_init(&text, size + 1);
    buf_init(&signature, 65536);
    buf_add(&text, data, size);
    if (list_copy_parse(&text, &signature)) {
        length = (size_t)list_copy_header(header, signature.length, text.length);
        CHECK(length + signature.length + text.length == size);
        CHECK(memcmp(data, header, length) == 0);
        CHECK(memcmp(data + length, buf_text(&signature), signature.length) == 0);
        CHECK(memcmp(data + size - text.length, buf_text(&text), text.length) == 0);
    }
    buf_fini(&signature);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_state((const char *)data, size);
    try_copy((const char *)data, size);
    return 0;
}
