/* fuzz_names: whatever a line of a list holds, what is taken from it is a domain with a weight that
 * can be written as a line and read again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "survey/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    char line[HOSTNAME_MAX + 32];
    struct name_line out, again;

    if (names_read(&out, (const char *)data, length) != NAMES_DOMAIN)
        return 0;
    CHECK(hostname_canonical(out.name) && hostname_labels(out.name, strlen(out.name)) >= 2);
    CHECK(out.weight >= 0 && out.weight <= NAMES_WEIGHT_MAX);
    snprintf(line, sizeof line, "%s %" PRId64, out.name, out.weight);
    CHECK(names_read(&again, line, strlen(line)) == NAMES_DOMAIN);
    CHECK(strcmp(again.name, out.name) == 0 && again.weight == out.weight);
    return 0;
}
