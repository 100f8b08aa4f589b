/* fuzz_openpgp: any octets as a key file, a signature file, and the status lines of gpgv. */
#define _GNU_SOURCE /* memmem */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/sign/openpgp.h"
#include "base/sign/packet.h"

#define PIN "0123456789ABCDEF0123456789ABCDEF01234567"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_files(const char *text, size_t size)
{
    char why[OPENPGP_WHY_MAX];
    struct buf out;

    buf_init(&out, OPENPGP_SIGNATURE_MAX);
    if (openpgp_signature_read(&out, text, size, why) == NULL)
        CHECK(out.length > 0 && packet_first(out.data, out.length) == PACKET_SIGNATURE);
    buf_clear(&out);
    if (openpgp_key_read(&out, text, size, why) == NULL)
        CHECK(packet_first(out.data, out.length) == PACKET_PUBLIC_KEY);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *wrong;
    char why[OPENPGP_WHY_MAX];

    try_files(text, size);
    wrong = openpgp_status(text, size, PIN, why);
    CHECK(wrong == NULL || wrong == why);
    if (wrong == NULL) /* never without these */
        CHECK(memmem(text, size, " GOODSIG ", 9) != NULL &&
              memmem(text, size, " VALIDSIG ", 10) != NULL);
    return 0;
}
