/* Any octets as a line of an export: what is taken is valid, and gives itself again. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "daemon/store/record_json.h"

#define ARENA_OCTETS (32u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const struct record *record)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    json_t *json = record_to_json(record);
    char identity[RECORD_IDENTITY_MAX], identity_again[RECORD_IDENTITY_MAX];
    struct record *again;
    const char *why = NULL;

    CHECK(json != NULL && record_valid(record, &why));
    CHECK(record_identity(identity, record));
    again = record_from_json(arena, json, &why);
    CHECK(again != NULL && record_identity(identity_again, again));
    CHECK(strcmp(identity, identity_again) == 0);
    record_to_daemon(again, record_moment_of(1000, INT64_C(1795000000000), 0));
    record_to_wall(again, record_moment_of(1000, INT64_C(1795000000000), 0));
    json_decref(json);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    const char *why = NULL;
    struct record *record = json == NULL ? NULL : record_from_json(arena, json, &why);

    CHECK(json == NULL || (record != NULL) == (why == NULL));
    if (record != NULL)
        check_record(record);
    json_decref(json);
    arena_free(arena);
    return 0;
}
