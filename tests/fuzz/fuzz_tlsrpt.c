/* Any octets as one TXT record: a valid one has addresses that are printable and within the limit. */
#include <string.h>

#include "base/check.h"
#include "probe/tlsrpt/tlsrpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_record record = {.data = data, .length = (uint16_t)size};
    const struct dns_answer answer = {.outcome = DNS_RECORDS, .count = 1, .records = &record};
    struct arena *arena = arena_new(65536);
    struct tlsrpt seen;

    CHECK(arena != NULL);
    if (size <= UINT16_MAX) {
        tlsrpt_read(&seen, arena, &answer);
        CHECK(seen.state == TLSRPT_NONE || seen.state == TLSRPT_VALID ||
              seen.state == TLSRPT_INVALID);
        CHECK((seen.rua != NULL) == (seen.state == TLSRPT_VALID));
        CHECK(seen.rua == NULL || strlen(seen.rua) <= TLSRPT_RUA_MAX);
        for (const char *c = seen.rua; c != NULL && *c != '\0'; c++)
            CHECK(*c >= ' ' && *c <= '~');
    }
    arena_free(arena);
    return 0;
}
