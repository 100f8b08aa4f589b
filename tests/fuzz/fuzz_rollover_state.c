/* fuzz_rollover_state: any text as the file of a rollover; what is read is written, and read again. */
#include <stdint.h>

#include "base/check.h"
#include "check/rollover/rollover_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)16 << 20);
    static struct rollover one, other;
    char why[ROLLOVER_WHY_MAX];
    struct buf text;

    CHECK(arena != NULL);
    buf_init(&text, ROLLOVER_STATE_MAX);
    if (rollover_state_parse(&one, arena, (const char *)data, size, why)) {
        rollover_state_text(&text, &one);
        CHECK(text.failed || rollover_state_parse(&other, arena, text.data, text.length, why));
    }
    buf_fini(&text);
    arena_free(arena);
    return 0;
}
