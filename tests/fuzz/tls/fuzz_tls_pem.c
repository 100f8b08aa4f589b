/* fuzz_tls_pem: any text as a PEM file of certificates and of a key. */
#include <stdint.h>

#include "base/check.h"
#include "probe/tls/tls_pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)8 << 20);
    struct tls_associations made;
    struct tls_shown shown;

    CHECK(arena != NULL);
    if (tls_pem_read(&shown, arena, (const char *)data, size) == NULL) {
        CHECK(shown.count > 0 && shown.count <= TLS_SHOWN_MAX);
        if (tls_associations_read(&made, arena, &shown.certificates[0]))
            CHECK(made.of[0][1].length == 32 && made.of[1][2].length == 64);
        tls_pem_key((const char *)data, size, &shown.certificates[0]);
    }
    arena_free(arena);
    return 0;
}
