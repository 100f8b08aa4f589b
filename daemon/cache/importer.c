/* importer: see importer.h. Checking a record is record_json's, taking it in is the memory's. */
#include "daemon/cache/importer.h"

#include <string.h>

#include "base/clock.h"
#include "daemon/store/record_json.h"

#define IMPORT_ARENA_MAX (8 * 1024 * 1024)

void importer_init(struct importer *importer, struct cache *cache)
{
    *importer = (struct importer){.cache = cache};
}

static bool is_type(const json_t *json, const char *type)
{
    const char *found = json_string_value(json_object_get(json, "type"));

    return found != NULL && strcmp(found, type) == 0;
}

static const char *take_header(struct importer *importer, const json_t *json)
{
    if (!is_type(json, "mxcrypt-export"))
        importer->failed = true;
    else if (json_integer_value(json_object_get(json, "version")) != RECORD_JSON_VERSION)
        importer->failed = true;
    else
        importer->begun = true;
    return importer->failed ? "no export of mxcrypt, or of another version" : NULL;
}

static const char *take_record(struct importer *importer, const json_t *json)
{
    struct record_moment moment = {clock_monotonic_ms(), clock_wall_ms()};
    struct arena *arena = arena_new(IMPORT_ARENA_MAX);
    const char *why = "no memory";
    struct record *record = arena == NULL ? NULL : record_from_json(arena, json, &why);
    enum loaded restored = LOADED_REFUSED;

    if (record != NULL) {
        why = "the evidence does not hold";
        restored = cache_load_record(importer->cache, record, moment, true);
    }
    arena_free(arena);
    importer->restored += restored == LOADED_NEW;
    importer->known += restored == LOADED_KNOWN;
    importer->refused += restored == LOADED_REFUSED;
    return restored == LOADED_REFUSED ? why : NULL;
}

static const char *take_end(struct importer *importer, const json_t *json)
{
    importer->ended = true;
    if (json_integer_value(json_object_get(json, "records")) == (json_int_t)importer->records)
        return NULL;
    importer->failed = true;
    return "the export says that it has another number of records";
}

static void take_json(struct importer *importer, const json_t *json, const char **why)
{
    const char *refusal = NULL;

    importer->line++;
    if (!importer->begun) {
        refusal = take_header(importer, json);
    } else if (importer->ended) {
        refusal = "a line after the end";
        importer->refused++;
    } else if (is_type(json, "end")) {
        refusal = take_end(importer, json);
    } else {
        importer->records++;
        refusal = take_record(importer, json);
    }
    if (refusal != NULL)
        *why = refusal;
}

void importer_line(struct importer *importer, const char *text, size_t length, const char **why)
{
    json_t *json =
        length > IMPORTER_LINE_MAX ? NULL : json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

    if (json != NULL || !importer->begun) {
        take_json(importer, json, why);
        json_decref(json);
        return;
    }
    importer->line++;
    importer->records++;
    importer->refused++;
    *why = length > IMPORTER_LINE_MAX ? "the line is longer than 1 MiB" : "no JSON";
}

bool importer_failed(const struct importer *importer)
{
    return importer->failed;
}

const char *importer_end(const struct importer *importer)
{
    if (importer->failed)
        return "no whole export";
    if (!importer->begun)
        return "an empty file";
    return importer->ended ? NULL : "the export is cut short: its last line is missing";
}
