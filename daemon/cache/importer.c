/* importer: see importer.h. record_json checks a record, the cache loads it. */
#include "daemon/cache/importer.h"

#include <string.h>

#include "daemon/store/record_json.h"

#define IMPORT_ARENA_MAX (8 * 1024 * 1024)

static bool is_type(const json_t *json, const char *type)
{
    const char *found = json_string_value(json_object_get(json, "type"));

    return found != NULL && strcmp(found, type) == 0;
}

static const char *take_record(struct importer *importer, const json_t *json)
{
    struct arena *arena = arena_new(IMPORT_ARENA_MAX);
    const char *why = "no memory";
    struct record *record = arena == NULL ? NULL : record_from_json(arena, json, &why);
    enum loaded restored = LOADED_REFUSED;

    if (record != NULL) {
        why = "the evidence does not hold";
        restored = cache_load_record(importer->cache, record, cache_moment(0), CACHE_FROM_EXPORT);
    }
    arena_free(arena);
    importer->restored += restored == LOADED_NEW;
    importer->known += restored == LOADED_KNOWN;
    importer->refused += restored == LOADED_REFUSED;
    return restored == LOADED_REFUSED ? why : NULL;
}

static const char *take_json(struct importer *importer, const json_t *json)
{
    importer->line++;
    if (!importer->begun) {
        importer->begun =
            is_type(json, "mxcrypt-export") &&
            json_integer_value(json_object_get(json, "version")) == RECORD_JSON_VERSION;
        importer->failed = !importer->begun;
        return importer->failed ? "no export of mxcrypt, or of another version" : NULL;
    }
    if (importer->ended) {
        importer->refused++;
        return "a line after the end";
    }
    if (is_type(json, "end")) {
        json_int_t records = json_integer_value(json_object_get(json, "records"));

        importer->ended = true;
        importer->failed = records != (json_int_t)importer->records;
        return importer->failed ? "the export says that it has another number of records" : NULL;
    }
    importer->records++;
    return take_record(importer, json);
}

const char *importer_line(struct importer *importer, const char *text, size_t length)
{
    bool too_long = length > IMPORTER_LINE_MAX;
    json_t *json = too_long ? NULL : json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    const char *why;

    if (json != NULL || !importer->begun) {
        why = take_json(importer, json);
        json_decref(json);
        return why;
    }
    importer->line++;
    importer->records++;
    importer->refused++;
    return too_long ? "the line is longer than 1 MiB" : "no JSON";
}

const char *importer_end(const struct importer *importer)
{
    if (importer->failed)
        return "no whole export";
    if (!importer->begun)
        return "an empty file";
    return importer->ended ? NULL : "the export is cut short: its last line is missing";
}
