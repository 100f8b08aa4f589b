/* fuzz_minisign: any text as a key or a signature of minisign; what is read as a key is the same when it
 * was written and read again. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/sign/minisign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_public(const char *text, size_t size)
{
    struct minisign_public key, again;
    struct buf out;

    if (minisign_public_read(&key, text, size) != NULL)
        return;
    buf_init(&out, MINISIGN_TEXT_MAX);
    minisign_public_write(&out, &key);
    CHECK(minisign_public_read(&again, out.data, out.length) == NULL);
    CHECK(memcmp(&key, &again, sizeof key) == 0);
    buf_fini(&out);
}

static void try_secret(const char *text, size_t size)
{
    struct minisign_secret key, again;
    struct buf out;

    if (minisign_secret_read(&key, text, size) != NULL)
        return;
    buf_init(&out, MINISIGN_TEXT_MAX);
    minisign_secret_write(&out, &key);
    CHECK(minisign_secret_read(&again, out.data, out.length) == NULL);
    CHECK(memcmp(&key, &again, sizeof key) == 0);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct minisign_public key = {"corpusid", {0}};
    char trusted[MINISIGN_COMMENT_MAX];

    try_public((const char *)data, size);
    try_secret((const char *)data, size);
    minisign_verify(&key, "data", 4, (const char *)data, size, trusted);
    CHECK(memchr(trusted, '\0', sizeof trusted) != NULL);
    return 0;
}
