/* fuzz_postfix_read: any octets as the output of postconf, and its values as lists of maps. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/postfix/postfix.h"

#define MEMORY ((size_t)64 * 1024 * 1024)

/* Every kind of output, one after the other: what one of them took in is there for the next. */
static void read_all(struct postfix *postfix, struct arena *arena, const char *text, size_t size)
{
    char error[POSTFIX_ERROR_MAX];

    postfix_read(postfix, arena, POSTFIX_VALUES, text, size, error);
    postfix_read(postfix, arena, POSTFIX_SERVICES, text, size, error);
    postfix_read(postfix, arena, POSTFIX_OVERRIDES, text, size, error);
    CHECK(postfix->service_count <= POSTFIX_SERVICES_MAX);
    for (size_t i = 0; i < postfix->service_count; i++)
        CHECK(postfix->services[i].program != NULL || arena_failed(arena));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct postfix_map maps[POSTFIX_MAPS_MAX];
    static struct postfix postfix;
    struct arena *arena = arena_new(MEMORY);
    char *copy = malloc(size + 1), error[POSTFIX_ERROR_MAX];
    struct postfix_version version;
    int count;

    CHECK(copy != NULL && arena != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    read_all(&postfix, arena, copy, size);
    count = postfix_maps_parse(maps, arena, copy, error);
    CHECK(count >= -1 && count <= POSTFIX_MAPS_MAX);
    for (int i = 0; i < count; i++)
        CHECK(*maps[i].text != '\0' && (maps[i].kind != POSTFIX_MAP_UNIX || *maps[i].path != '\0'));
    postfix_version_parse(&version, copy);
    arena_free(arena);
    free(copy);
    return 0;
}
