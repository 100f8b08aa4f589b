/*
 * Any octets as a packed evidence (hostile 38): nothing crashes, and what is taken can be written
 * and read again as the same. The first octet chooses how far times are moved.
 */
#include <string.h>

#include "base/check.h"
#include "policy/evidence/evidence_pack.h"
#include "policy/decide/verdict.h"

#define ARENA_OCTETS  (4u << 20)
#define OCTETS_MAX    (4u << 20)
#define NOW           INT64_C(1000000000)
#define SHIFT_UNIT_MS INT64_C(3600000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decided(const struct evidence *evidence)
{
    struct verdict_options options = {.dane = true, .probe = true, .verify = true};
    struct verdict verdict;

    verdict_decide(&verdict, evidence, NULL, &options, NOW);
    CHECK(verdict.refresh_at < verdict.valid_until);
}

static void check_again(const struct evidence *evidence)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    struct buf first, second;
    const struct evidence *again;

    buf_init(&first, OCTETS_MAX);
    buf_init(&second, OCTETS_MAX);
    evidence_pack(&first, evidence);
    CHECK(!first.failed);
    again = evidence_unpack(arena, first.data, first.length, 0);
    CHECK(again != NULL);
    evidence_pack(&second, again);
    CHECK(!second.failed && first.length == second.length);
    CHECK(memcmp(first.data, second.data, first.length) == 0);
    buf_fini(&first);
    buf_fini(&second);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    const struct evidence *evidence = NULL;

    if (size > 0)
        evidence =
            evidence_unpack(arena, data + 1, size - 1, ((int64_t)data[0] - 128) * SHIFT_UNIT_MS);
    if (evidence != NULL) {
        check_decided(evidence);
        check_again(evidence);
    }
    arena_free(arena);
    return 0;
}
