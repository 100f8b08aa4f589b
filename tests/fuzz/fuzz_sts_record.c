/* Any octets as a TXT record: an id of 1 to 32 letters and digits, or none and a reason. */
#include <ctype.h>
#include <string.h>

#include "base/check.h"
#include "probe/sts/sts_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char id[STS_ID_MAX + 1];
    bool ok = sts_parse_record(id, (const char *)data, size) == NULL;

    CHECK(ok == (id[0] != '\0'));
    CHECK(!ok || sts_is_record((const char *)data, size));
    CHECK(strlen(id) <= STS_ID_MAX);
    for (const char *c = id; *c != '\0'; c++)
        CHECK(isalnum((unsigned char)*c));
    return 0;
}
