/* record_json: what goes out comes in again; nothing else does. */
#include "tests/unit/support/rows.h"

#include <stdlib.h>

#include "daemon/store/record_json.h"
#include "tests/unit/support/evidence_make.h"
#include "policy/evidence/evidence_pack.h"
#include "tests/unit/support/record_make.h"

#define ARENA_OCTETS (32u << 20)

/* ---- there and back ---- */

static struct record answer_with_evidence(struct buf *packed, const char *key)
{
    struct record record = make_answer(key);
    static struct made made;

    make_evidence(&made, MX_LISTED, true, "UU", 'E', "V,T");
    made.evidence.complete = true;
    buf_init(packed, 1 << 20);
    evidence_pack(packed, &made.evidence);
    assert_false(packed->failed);
    record.answer.evidence = packed->data;
    record.answer.evidence_length = packed->length;
    return record;
}

static void check_round_trip(const struct record *record)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    json_t *json = record_to_json(record), *second;
    const char *why = NULL;
    struct record *again;
    char *text;

    assert_non_null(json);
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    again = record_from_json(arena, json, &why);
    if (again == NULL)
        fail_msg("%s: %s", why, text);
    second = record_to_json(again);
    assert_true(json_equal(json, second));
    if (getenv("RECORD_JSON_PRINT") != NULL) /* seeds for the fuzzer */
        print_message("seed %s\n", text);
    json_decref(second);
    json_decref(json);
    free(text);
    arena_free(arena);
}

static void all_kinds_come_back(void **state)
{
    struct buf packed;
    struct record answer = answer_with_evidence(&packed, "example.com"),
                  policy = make_saved_policy("example.org"),
                  probe = make_probe("2001:db8::1", "mx.example.net"),
                  event = make_event("[mx.example.net]:587", MAKE_WALL);

    (void)state;
    check_round_trip(&answer);
    answer = make_answer("example.com");
    check_round_trip(&answer);
    check_round_trip(&policy);
    policy.policy = (struct sts_saved){.domain = "example.org",
                                       .id = "",
                                       .last_id = "1",
                                       .failures = 1,
                                       .failure = STS_BAD_POLICY,
                                       .retry_at = MAKE_WALL};
    check_round_trip(&policy);
    check_round_trip(&probe);
    check_round_trip(&event);
    event.event.first = true;
    event.event.was = VERDICT_NO_OPINION;
    check_round_trip(&event);
    buf_fini(&packed);
}

/* ---- what is refused: one member replaced, or taken away (NULL) ---- */

struct row {
    const char *name;
    enum record_kind kind;
    const char *member, *json;
    bool good;
};

static const struct row rows[] = {
    {"no type", RECORD_ANSWER, "type", NULL, false},
    {"an unknown type", RECORD_ANSWER, "type", "\"verdict\"", false},
    {"another type", RECORD_ANSWER, "type", "\"policy\"", false},
    {"a number as type", RECORD_ANSWER, "type", "1", false},
    {"an unknown member", RECORD_ANSWER, "password", "1", false},
    {"no key", RECORD_ANSWER, "key", NULL, false},
    {"null as key", RECORD_ANSWER, "key", "null", false},
    {"a key with NUL", RECORD_ANSWER, "key", "\"example.com\\u0000\"", false},
    {"a key in upper case", RECORD_ANSWER, "key", "\"EXAMPLE.com\"", false},
    {"a U-label", RECORD_ANSWER, "key",
     "\"b\xc3\xbc"
     "cher.example\"",
     false},
    {"a parent", RECORD_ANSWER, "key", "\".example.com\"", false},
    {"another domain than the evidence", RECORD_ANSWER, "key", "\"example.org\"", false},
    {"an unknown level", RECORD_ANSWER, "level", "\"may\"", false},
    {"an unknown reason", RECORD_ANSWER, "reason", "\"trust-me\"", false},
    {"without the answer's text", RECORD_ANSWER, "answer", NULL, true},
    {"an answer with a line feed", RECORD_ANSWER, "answer", "\"OK may\\nOK\"", false},
    {"thirty days", RECORD_ANSWER, "valid_until", "1797592000000", true},
    {"thirty days and a bit", RECORD_ANSWER, "valid_until", "1797592000001", false},
    {"a negative time", RECORD_ANSWER, "valid_until", "-1", false},
    {"a time in quotes", RECORD_ANSWER, "valid_until", "\"1795000000000\"", false},
    {"a time with a fraction", RECORD_ANSWER, "valid_until", "1795000000000.5", false},
    {"the largest number", RECORD_ANSWER, "used_at", "9223372036854775807", false},
    {"proven: dane-only", RECORD_ANSWER, "proven", "\"dane-only\"", false},
    {"secure: 1", RECORD_ANSWER, "secure", "1", false},
    {"the smallest clock shift", RECORD_ANSWER, "clock_shift", "-9223372036854775808", false},
    {"no evidence", RECORD_ANSWER, "evidence", NULL, true},
    {"evidence of half an octet", RECORD_ANSWER, "evidence", "\"012\"", false},
    {"evidence in upper case", RECORD_ANSWER, "evidence", "\"AB\"", false},
    {"evidence that is none", RECORD_ANSWER, "evidence", "\"00010203\"", false},
    {"a domain that is none", RECORD_POLICY, "domain", "\"exa mple\"", false},
    {"an address as domain", RECORD_POLICY, "domain", "\"192.0.2.1\"", false},
    {"a policy that is none", RECORD_POLICY, "body", "\"mode: enforce\\n\"", false},
    {"a policy with another mode", RECORD_POLICY, "mode", "\"testing\"", false},
    {"a policy with a bad pattern", RECORD_POLICY, "body",
     "\"version: STSv1\\nmode: enforce\\nmx: .\\nmax_age: 86400\\n\"", false},
    {"a policy of its max_age", RECORD_POLICY, "valid_until", "1795086400000", true},
    {"a policy beyond its max_age", RECORD_POLICY, "valid_until", "1795086400001", false},
    {"no policy, but times", RECORD_POLICY, "body", NULL, false},
    {"an id with a blank", RECORD_POLICY, "id", "\"a b\"", false},
    {"an id of 33", RECORD_POLICY, "id", "\"123456789012345678901234567890123\"", false},
    {"negative failures", RECORD_POLICY, "failures", "-1", false},
    {"a failure that is none", RECORD_POLICY, "failure", "\"policy\"", false},
    {"a reason with an escape", RECORD_POLICY, "why", "\"\\u001b[2J\"", false},
    {"an address that is none", RECORD_PROBE, "address", "\"192.0.2.256\"", false},
    {"port 0", RECORD_PROBE, "port", "0", false},
    {"port 65536", RECORD_PROBE, "port", "65536", false},
    {"a state that is none", RECORD_PROBE, "state", "\"excellent\"", false},
    {"a host that is none", RECORD_PROBE, "host", "\"mx_.-\"", false},
    {"a short hash", RECORD_PROBE, "tlsa", "\"ff\"", false},
    {"a hash that is none", RECORD_PROBE, "tlsa", "\"00000000000000fg\"", false},
    {"a reply code of four digits", RECORD_PROBE, "code", "2200", false},
    {"an event at no time", RECORD_EVENT, "at", "0", false},
    {"the first event", RECORD_EVENT, "was", NULL, true},
    {"an event from an unknown level", RECORD_EVENT, "was", "\"none\"", false},
};

static void refused(void **state)
{
    const struct row *row = *state;
    struct arena *arena = arena_new(ARENA_OCTETS);
    struct buf packed;
    struct record records[] = {
        answer_with_evidence(&packed, "example.com"), make_saved_policy("example.org"),
        make_probe("192.0.2.1", "mx.example.net"), make_event("example.com", MAKE_WALL)};
    json_t *json = record_to_json(&records[row->kind]);
    const char *why = NULL;
    struct record *record;

    if (row->json == NULL)
        json_object_del(json, row->member);
    else
        json_object_set_new(json, row->member,
                            json_loads(row->json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
    record = record_from_json(arena, json, &why);
    assert_int_equal(record != NULL, row->good);
    assert_int_equal(why == NULL, row->good);
    json_decref(json);
    buf_fini(&packed);
    arena_free(arena);
}

static void no_object(void **state)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    json_t *array = json_array();
    const char *why = NULL;

    (void)state;
    assert_null(record_from_json(arena, array, &why));
    assert_string_equal(why, "no record");
    assert_null(record_from_json(arena, NULL, &why));
    json_decref(array);
    arena_free(arena);
}

/* Wherever the memory ends, there is no record, and nothing else happens. */
static void without_memory(void **state)
{
    struct buf packed;
    struct record answer = answer_with_evidence(&packed, "example.com");
    json_t *json = record_to_json(&answer);
    struct record *record = NULL;
    size_t limit;

    (void)state;
    for (limit = 0; limit < 100000 && record == NULL; limit += 16) {
        struct arena *arena = arena_new(limit);
        const char *why = NULL;

        record = record_from_json(arena, json, &why);
        if (record == NULL)
            assert_string_equal(why, "no memory");
        arena_free(arena);
    }
    assert_in_range(limit, packed.length, 99999);
    json_decref(json);
    buf_fini(&packed);
}

int main(void)
{
    ROWS_ADD_TEST(all_kinds_come_back);
    ROWS_ADD_TEST(without_memory);
    ROWS_ADD(rows, refused);
    ROWS_ADD_TEST(no_object);
    return rows_run("record_json");
}
