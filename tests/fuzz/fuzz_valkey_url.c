/* fuzz_valkey_url: what is told of a URL is a URL again, of the same server, and has no password. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/valkey/valkey_url.h"

static void check_told(const struct valkey_url *url)
{
    char told[VALKEY_URL_TEXT_MAX], again[VALKEY_URL_TEXT_MAX];
    struct valkey_url read;

    valkey_url_text(url, told);
    CHECK(strlen(told) + 1 < sizeof told);
    /* a path or a name with octets that must be written as %XX, or more than a URL may have */
    if (strpbrk(url->path, "%?@:") != NULL || strpbrk(url->sentinel, "%/@") != NULL ||
        strlen(told) > VALKEY_URL_MAX)
        return;
    CHECK(valkey_url_parse(&read, told) == NULL);
    CHECK(read.user[0] == '\0' && read.password[0] == '\0');
    CHECK(strcmp(valkey_url_text(&read, again), told) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    char text[VALKEY_URL_MAX + 2];
    struct valkey_url url;

    if (length >= sizeof text)
        length = sizeof text - 1;
    memcpy(text, data, length);
    text[length] = '\0';
    if (valkey_url_parse(&url, text) != NULL)
        return 0;
    CHECK((url.path[0] == '\0') == (url.server_count > 0));
    CHECK(url.server_count <= VALKEY_SERVERS_MAX && url.db <= VALKEY_DB_MAX);
    for (size_t i = 0; i < url.server_count; i++)
        CHECK(url.servers[i].port != 0 && url.servers[i].host[0] != '\0');
    check_told(&url);
    return 0;
}
