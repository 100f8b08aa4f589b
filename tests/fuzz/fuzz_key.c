/* fuzz_key: whatever is asked, the key is well formed, and its canonical text is the same key. */
#include <string.h>

#include "base/check.h"
#include "policy/key.h"

static void check_key(const struct key *key)
{
    size_t length = strlen(key->name);

    CHECK(key->text_length <= KEY_TEXT_MAX && key->text_length == strlen(key->text));
    CHECK(key->port != 0 && !key->no_memory);
    if (key->kind == KEY_OTHER) {
        CHECK(length == 0);
        return;
    }
    CHECK(hostname_valid(key->name, length, HOSTNAME_UNDERSCORE));
    CHECK(key->kind == KEY_PARENT || hostname_labels(key->name, length) >= 2);
    for (const char *p = key->text; *p != '\0'; p++)
        CHECK(*p > ' ' && *p <= '~' && !(*p >= 'A' && *p <= 'Z'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    struct key key, again;

    key_parse(&key, (const char *)data, length, 25);
    check_key(&key);
    key_parse(&again, key.text, key.text_length, 25);
    CHECK(again.kind == key.kind && again.port == key.port);
    CHECK(strcmp(again.text, key.text) == 0 && strcmp(again.name, key.name) == 0);
    return 0;
}
