/* fuzz_resolv_conf: any octets as a resolv.conf. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "probe/dns/resolv_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ip out[8];
    char text[IP_TEXT_MAX];
    char *copy = malloc(size + (size == 0));
    size_t count;

    CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    count = resolv_conf_parse(out, 8, copy, size);
    CHECK(count <= 8);
    for (size_t i = 0; i < count; i++)
        CHECK(*ip_text(&out[i], text) != '\0');
    free(copy);
    return 0;
}
