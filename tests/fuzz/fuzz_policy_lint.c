/* Any octets as a policy file: it has a severe fault exactly where senders take no policy, and all
 * that is told of it is fit for a terminal. */
#include <stdint.h>

#include "base/ascii.h"
#include "base/check.h"
#include "check/policy_lint.h"
#include "probe/sts/sts_parse.h"

#define ARENA_OCTETS (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_faults(const struct policy_lint *lint)
{
    bool severe = false;

    CHECK(lint->count <= CHECK_FAULTS_MAX);
    CHECK(lint->count == CHECK_FAULTS_MAX || lint->dropped == 0);
    for (size_t i = 0; i < lint->count; i++) {
        const struct check_fault *fault = &lint->faults[i];

        CHECK(fault->text[0] != '\0' && ascii_is_printable(fault->text));
        CHECK(i == 0 || fault->line == 0 ||
              (lint->faults[i - 1].line != 0 && lint->faults[i - 1].line <= fault->line));
        severe |= fault->severe;
    }
    CHECK(severe == lint->severe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    struct policy_lint lint;
    const char *why;
    bool valid = sts_parse_policy(arena, (const char *)data, size, &why) != NULL;

    CHECK(policy_lint(&lint, arena, (const char *)data, size));
    CHECK(valid == !lint.severe);
    check_faults(&lint);
    arena_free(arena);
    return 0;
}
