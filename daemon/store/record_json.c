/*
 * record_json: see record_json.h. A record is a flat object whose members are the fields of
 * record_fields.h, without those that are absent. Unknown members are refused.
 */
#include "daemon/store/record_json.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/store/record_fields.h"
#include "policy/evidence/evidence_pack.h"
#include "policy/key.h"
#include "probe/sts/sts_parse.h"

#define NO_MEMORY  "no memory"
#define OTHER_TYPE "a value of another type"

static const char digits[] = "0123456789abcdef";

/* ---- writing ---- */

static json_t *octets_to_json(const void *octets, size_t length)
{
    const unsigned char *in = octets;
    char *text = malloc(2 * length);
    json_t *json;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        text[2 * i] = digits[in[i] >> 4];
        text[2 * i + 1] = digits[in[i] & 15];
    }
    json = json_stringn(text, 2 * length);
    free(text);
    return json;
}

static json_t *value_to_json(const struct sql_value *value, enum field_type type)
{
    if (value->type == SQL_TEXT)
        return json_string(value->text);
    if (value->type == SQL_OCTETS)
        return octets_to_json(value->octets, value->length);
    return type == FIELD_CLAIM ? json_boolean(value->number == 1) : json_integer(value->number);
}

json_t *record_to_json(const struct record *record)
{
    json_t *object = json_pack("{s:s}", "type", record_word(RECORD_TYPE, record->kind));
    bool failed = object == NULL;
    const struct record_field *field;

    for (field = record_fields[record->kind]; field->name != NULL && !failed; field++) {
        char room[RECORD_ROOM];
        struct sql_value value = record_get(record, field, room);

        if (value.type != SQL_NONE)
            failed = json_object_set_new(object, field->name, value_to_json(&value, field->type));
    }
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- reading ---- */

/* Octets written as hexadecimal digits, in the arena. */
static const char *octets_from_text(struct sql_value *value, struct arena *arena, const char *text)
{
    size_t count = strlen(text);
    unsigned char *octets;

    if (count % 2 != 0 || count / 2 > RECORD_EVIDENCE_MAX)
        return "the evidence is no octets, or too many";
    if (strspn(text, digits) != count)
        return "the evidence is not hexadecimal";
    octets = arena_alloc(arena, count / 2);
    for (size_t i = 0; octets != NULL && i < count; i++) {
        unsigned digit = (unsigned)(strchr(digits, text[i]) - digits);

        octets[i / 2] = (unsigned char)(octets[i / 2] << 4 | digit);
    }
    value->type = count == 0 || octets == NULL ? SQL_NONE : SQL_OCTETS;
    value->octets = octets;
    value->length = count / 2;
    return NULL;
}

/* A member, NULL when it is absent, as a value. NULL, or why it cannot be. */
static const char *value_from_json(struct sql_value *value, struct arena *arena, const json_t *json,
                                   enum field_type type)
{
    *value = (struct sql_value){.type = SQL_NONE};
    if (json == NULL)
        return NULL;
    if (json_is_boolean(json) != (type == FIELD_CLAIM))
        return OTHER_TYPE;
    if (json_is_boolean(json) || json_is_integer(json)) {
        value->type = SQL_NUMBER;
        value->number = json_is_integer(json) ? json_integer_value(json) : json_is_true(json);
        return NULL;
    }
    if (!json_is_string(json) || strlen(json_string_value(json)) != json_string_length(json))
        return OTHER_TYPE;
    if (type == FIELD_OCTETS)
        return octets_from_text(value, arena, json_string_value(json));
    value->type = SQL_TEXT;
    value->text = json_string_value(json);
    return NULL;
}

/* Reads the fields of a record whose kind is set. NULL, or why it is none. */
static const char *read_fields(struct record *record, struct arena *arena, const json_t *json)
{
    const struct record_field *field;
    size_t known = 1; /* the type */

    for (field = record_fields[record->kind]; field->name != NULL; field++) {
        const json_t *member = json_object_get(json, field->name);
        struct sql_value value;
        const char *why = value_from_json(&value, arena, member, field->type);

        if (why == NULL)
            why = record_set(record, field, &value, arena);
        if (why != NULL)
            return why;
        known += member != NULL;
    }
    return known == json_object_size(json) ? NULL : "an unknown member";
}

/* ---- what the fields mean together ---- */

static const char *wrong_body(struct arena *arena, const struct sts_saved *saved)
{
    const struct sts_policy *policy;
    const char *why;

    if (saved->body == NULL)
        return NULL;
    policy = sts_parse_policy(arena, saved->body, strlen(saved->body), &why);
    if (policy == NULL)
        return why;
    if (policy->mode != saved->mode)
        return "the mode is not that of the policy";
    if (saved->valid_until - saved->fetched_at > INT64_C(1000) * policy->max_age)
        return "the policy would outlive its max_age";
    return NULL;
}

static const char *wrong_evidence(struct arena *arena, const struct answer_record *answer)
{
    const struct evidence *evidence;
    struct key key;

    if (answer->evidence_length == 0)
        return NULL;
    evidence = evidence_unpack(arena, answer->evidence, answer->evidence_length, 0);
    if (evidence == NULL)
        return arena_failed(arena) ? NO_MEMORY : "the evidence cannot be read";
    key_parse(&key, answer->key, strlen(answer->key), 25);
    return evidence->domain != NULL && strcmp(evidence->domain, key.name) == 0
               ? NULL
               : "the evidence is another domain's";
}

struct record *record_from_json(struct arena *arena, const json_t *json, const char **why)
{
    struct record *record = arena_alloc(arena, sizeof *record);
    const char *type = json_string_value(json_object_get(json, "type"));
    unsigned kind = 0;

    *why = NO_MEMORY;
    if (record == NULL)
        return NULL;
    *why = "no record";
    if (!json_is_object(json) || !record_word_number(RECORD_TYPE, type, &kind))
        return NULL;
    record->kind = (enum record_kind)kind;
    *why = read_fields(record, arena, json);
    if (*why == NULL && !arena_failed(arena) && record_valid(record, why)) {
        if (kind == RECORD_POLICY)
            *why = wrong_body(arena, &record->policy);
        else if (kind == RECORD_ANSWER)
            *why = wrong_evidence(arena, &record->answer);
    }
    if (arena_failed(arena))
        *why = NO_MEMORY;
    return *why == NULL ? record : NULL;
}
