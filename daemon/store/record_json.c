/*
 * record_json: see record_json.h. A record is a flat object whose members are named like the
 * columns of the store. A reader takes member by member; the first thing that is wrong stays, and a
 * member that nobody took is one we do not know: refused too.
 */
#include "daemon/store/record_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/evidence/evidence_pack.h"
#include "policy/key.h"
#include "probe/sts/sts_policy.h"

#define HEX_DIGITS 16 /* of a TLSA hash */
#define NO_MEMORY  "no memory"

static const char digits[] = "0123456789abcdef";

/* ---- writing ---- */

struct writer {
    json_t *object;
    bool failed;
};

static void put(struct writer *writer, const char *name, json_t *take)
{
    if (json_object_set_new(writer->object, name, take) != 0)
        writer->failed = true;
}

/* NULL is left out. */
static void put_text(struct writer *writer, const char *name, const char *text)
{
    if (text != NULL)
        put(writer, name, json_string(text));
}

static void put_number(struct writer *writer, const char *name, int64_t number)
{
    put(writer, name, json_integer(number));
}

static void put_claim(struct writer *writer, const char *name, bool claim)
{
    put(writer, name, json_boolean(claim));
}

static void put_word(struct writer *writer, const char *name, enum record_vocabulary vocabulary,
                     unsigned number)
{
    put_text(writer, name, record_word(vocabulary, number));
}

static void put_octets(struct writer *writer, const char *name, const void *octets, size_t length)
{
    const unsigned char *in = octets;
    char *text;

    if (length == 0)
        return;
    text = malloc(2 * length);
    if (text == NULL) {
        writer->failed = true;
        return;
    }
    for (size_t i = 0; i < length; i++) {
        text[2 * i] = digits[in[i] >> 4];
        text[2 * i + 1] = digits[in[i] & 15];
    }
    put(writer, name, json_stringn(text, 2 * length));
    free(text);
}

static void write_answer(struct writer *writer, const struct answer_record *answer)
{
    const struct remembered *remembered = &answer->remembered;

    put_text(writer, "key", answer->key);
    put_word(writer, "level", RECORD_LEVEL, answer->level);
    put_word(writer, "reason", RECORD_REASON, answer->reason);
    put_text(writer, "answer", answer->answer);
    put_number(writer, "decided_at", answer->decided_at);
    put_number(writer, "valid_until", answer->valid_until);
    put_number(writer, "used_at", answer->used_at);
    put_number(writer, "dane_until", answer->dane_until);
    put_claim(writer, "secure", remembered->secure);
    put_word(writer, "proven", RECORD_LEVEL, remembered->observed);
    put_number(writer, "verify_since", remembered->verify.since);
    put_number(writer, "verify_until", remembered->verify.until);
    put_number(writer, "encrypt_since", remembered->encrypt.since);
    put_number(writer, "encrypt_until", remembered->encrypt.until);
    put_number(writer, "reminded_at", answer->reminded_at);
    put_number(writer, "clock_shift", answer->clock_shift);
    put_octets(writer, "evidence", answer->evidence, answer->evidence_length);
}

static void write_policy(struct writer *writer, const struct sts_saved *policy)
{
    put_text(writer, "domain", policy->domain);
    put_text(writer, "id", policy->id);
    put_word(writer, "mode", RECORD_MODE, policy->mode);
    put_text(writer, "body", policy->body);
    put_number(writer, "fetched_at", policy->fetched_at);
    put_number(writer, "valid_until", policy->valid_until);
    put_text(writer, "last_id", policy->last_id);
    put_number(writer, "failures", policy->failures);
    put_word(writer, "failure", RECORD_FAILURE, policy->failure);
    put_number(writer, "retry_at", policy->retry_at);
    put_text(writer, "why", policy->why);
}

static void write_probe(struct writer *writer, const struct probe_saved *probe)
{
    const struct starttls_result *result = &probe->result;
    char address[IP_TEXT_MAX], tlsa[HEX_DIGITS + 1];

    snprintf(tlsa, sizeof tlsa, "%016" PRIx64, probe->tlsa);
    put_text(writer, "address", ip_text(&probe->ip, address));
    put_number(writer, "port", probe->port);
    put_text(writer, "host", probe->host);
    put_text(writer, "sni", probe->sni == NULL ? "" : probe->sni);
    put_text(writer, "tlsa", tlsa);
    put_word(writer, "state", RECORD_STARTTLS, result->state);
    put_claim(writer, "chain_ok", result->chain_ok);
    put_claim(writer, "expired", result->expired);
    put_claim(writer, "name_ok", result->name_ok);
    put_word(writer, "tlsa_match", RECORD_MATCH, result->tlsa);
    put_claim(writer, "requiretls", result->requiretls);
    put_number(writer, "code", result->code);
    put_number(writer, "probed_at", result->probed_at);
    put_number(writer, "valid_until", result->valid_until);
    put_text(writer, "protocol", result->protocol);
    put_text(writer, "cipher", result->cipher);
    put_text(writer, "subject", result->subject);
    put_text(writer, "detail", result->detail);
    put_text(writer, "verified_as", result->verified_as);
    put_number(writer, "not_after", result->not_after);
    put_number(writer, "failures", probe->failures);
}

static void write_event(struct writer *writer, const struct event_record *event)
{
    put_text(writer, "key", event->key);
    put_number(writer, "at", event->at);
    if (!event->first)
        put_word(writer, "was", RECORD_LEVEL, event->was);
    put_word(writer, "now", RECORD_LEVEL, event->now);
    put_word(writer, "reason", RECORD_REASON, event->reason);
}

json_t *record_to_json(const struct record *record)
{
    struct writer writer = {json_object(), false};

    put_word(&writer, "type", RECORD_TYPE, record->kind);
    if (record->kind == RECORD_ANSWER)
        write_answer(&writer, &record->answer);
    else if (record->kind == RECORD_POLICY)
        write_policy(&writer, &record->policy);
    else if (record->kind == RECORD_PROBE)
        write_probe(&writer, &record->probe);
    else
        write_event(&writer, &record->event);
    if (!writer.failed)
        return writer.object;
    json_decref(writer.object);
    return NULL;
}

/* ---- reading ---- */

struct reader {
    const json_t *object;
    struct arena *arena;
    size_t taken; /* members */
    const char *why;
};

static void complain(struct reader *reader, const char *why)
{
    if (reader->why == NULL)
        reader->why = why;
}

static const json_t *take(struct reader *reader, const char *name)
{
    const json_t *value = json_object_get(reader->object, name);

    if (value != NULL)
        reader->taken++;
    return value;
}

/* A text without NUL, in the JSON; NULL without. */
static const char *borrow_text(struct reader *reader, const char *name)
{
    const json_t *value = take(reader, name);

    if (value == NULL)
        return NULL;
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
        complain(reader, "a member that should be a text is none");
        return NULL;
    }
    return json_string_value(value);
}

static const char *get_optional(struct reader *reader, const char *name)
{
    return arena_strdup(reader->arena, borrow_text(reader, name));
}

static const char *get_text(struct reader *reader, const char *name)
{
    const char *text = borrow_text(reader, name);

    if (text == NULL)
        complain(reader, "a text is missing");
    return arena_strdup(reader->arena, text == NULL ? "" : text);
}

static int64_t get_number(struct reader *reader, const char *name, int64_t min, int64_t max)
{
    const json_t *value = take(reader, name);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : min - 1;

    if (json_is_integer(value) && number >= min && number <= max)
        return number;
    complain(reader, "a number is missing or out of its range");
    return 0;
}

static int64_t get_time(struct reader *reader, const char *name)
{
    return get_number(reader, name, 0, RECORD_TIME_MAX);
}

static bool get_claim(struct reader *reader, const char *name)
{
    const json_t *value = take(reader, name);

    if (!json_is_boolean(value))
        complain(reader, "a member that should be true or false is neither");
    return json_is_true(value);
}

static unsigned get_word(struct reader *reader, const char *name, enum record_vocabulary vocabulary)
{
    unsigned number = 0;

    if (!record_word_number(vocabulary, borrow_text(reader, name), &number))
        complain(reader, "an unknown word");
    return number;
}

static int hex_value(char c)
{
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

/* Octets written as hexadecimal digits, in the arena. */
static const void *get_octets(struct reader *reader, const char *name, size_t *length)
{
    const char *text = borrow_text(reader, name);
    size_t count = text == NULL ? 0 : strlen(text);
    unsigned char *octets;

    *length = 0;
    if (count == 0)
        return NULL;
    if (count % 2 != 0 || count / 2 > RECORD_EVIDENCE_MAX) {
        complain(reader, "the evidence is no octets, or too many");
        return NULL;
    }
    octets = arena_alloc(reader->arena, count / 2);
    for (size_t i = 0; octets != NULL && i < count / 2; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            complain(reader, "the evidence is not hexadecimal");
            return NULL;
        }
        octets[i] = (unsigned char)(high << 4 | low);
    }
    *length = count / 2;
    return octets;
}

static uint64_t get_hash(struct reader *reader, const char *name)
{
    const char *text = borrow_text(reader, name);
    uint64_t number = 0;

    if (text == NULL || strlen(text) != HEX_DIGITS || strspn(text, digits) != HEX_DIGITS) {
        complain(reader, "a hash that is none");
        return 0;
    }
    for (int i = 0; i < HEX_DIGITS; i++)
        number = number << 4 | (uint64_t)hex_value(text[i]);
    return number;
}

static void read_answer(struct reader *reader, struct answer_record *answer)
{
    struct remembered *remembered = &answer->remembered;

    answer->key = get_text(reader, "key");
    answer->level = (enum verdict_level)get_word(reader, "level", RECORD_LEVEL);
    answer->reason = (enum verdict_reason)get_word(reader, "reason", RECORD_REASON);
    answer->answer = get_optional(reader, "answer");
    answer->decided_at = get_time(reader, "decided_at");
    answer->valid_until = get_time(reader, "valid_until");
    answer->used_at = get_time(reader, "used_at");
    answer->dane_until = get_time(reader, "dane_until");
    remembered->secure = get_claim(reader, "secure");
    remembered->observed = (enum verdict_level)get_word(reader, "proven", RECORD_LEVEL);
    remembered->verify.since = get_time(reader, "verify_since");
    remembered->verify.until = get_time(reader, "verify_until");
    remembered->encrypt.since = get_time(reader, "encrypt_since");
    remembered->encrypt.until = get_time(reader, "encrypt_until");
    answer->reminded_at = get_time(reader, "reminded_at");
    answer->clock_shift = get_number(reader, "clock_shift", -RECORD_TIME_MAX, RECORD_TIME_MAX);
    answer->evidence = get_octets(reader, "evidence", &answer->evidence_length);
}

static void read_policy(struct reader *reader, struct sts_saved *policy)
{
    policy->domain = get_text(reader, "domain");
    policy->id = get_text(reader, "id");
    policy->mode = (enum sts_mode)get_word(reader, "mode", RECORD_MODE);
    policy->body = get_optional(reader, "body");
    policy->fetched_at = get_time(reader, "fetched_at");
    policy->valid_until = get_time(reader, "valid_until");
    policy->last_id = get_text(reader, "last_id");
    policy->failures = (unsigned)get_number(reader, "failures", 0, INT32_MAX);
    policy->failure = (enum sts_state)get_word(reader, "failure", RECORD_FAILURE);
    policy->retry_at = get_time(reader, "retry_at");
    policy->why = get_optional(reader, "why");
}

static void read_result(struct reader *reader, struct starttls_result *result)
{
    result->state = (enum starttls)get_word(reader, "state", RECORD_STARTTLS);
    result->chain_ok = get_claim(reader, "chain_ok");
    result->expired = get_claim(reader, "expired");
    result->name_ok = get_claim(reader, "name_ok");
    result->tlsa = (enum tlsa_match)get_word(reader, "tlsa_match", RECORD_MATCH);
    result->requiretls = get_claim(reader, "requiretls");
    result->code = (int)get_number(reader, "code", 0, INT32_MAX);
    result->probed_at = get_time(reader, "probed_at");
    result->valid_until = get_time(reader, "valid_until");
    result->protocol = get_optional(reader, "protocol");
    result->cipher = get_optional(reader, "cipher");
    result->subject = get_optional(reader, "subject");
    result->detail = get_optional(reader, "detail");
    result->verified_as = get_optional(reader, "verified_as");
    result->not_after = get_number(reader, "not_after", -RECORD_TIME_MAX, RECORD_TIME_MAX);
}

static void read_probe(struct reader *reader, struct probe_saved *probe)
{
    const char *address = borrow_text(reader, "address");

    if (address == NULL || !ip_parse(&probe->ip, address))
        complain(reader, "no address");
    probe->port = (uint16_t)get_number(reader, "port", 1, UINT16_MAX);
    probe->host = get_text(reader, "host");
    probe->sni = get_text(reader, "sni");
    probe->tlsa = get_hash(reader, "tlsa");
    probe->failures = (unsigned)get_number(reader, "failures", 0, INT32_MAX);
    read_result(reader, &probe->result);
}

static void read_event(struct reader *reader, struct event_record *event)
{
    event->key = get_text(reader, "key");
    event->at = get_time(reader, "at");
    event->first = json_object_get(reader->object, "was") == NULL;
    if (!event->first)
        event->was = (enum verdict_level)get_word(reader, "was", RECORD_LEVEL);
    event->now = (enum verdict_level)get_word(reader, "now", RECORD_LEVEL);
    event->reason = (enum verdict_reason)get_word(reader, "reason", RECORD_REASON);
}

/* ---- what the fields mean together ---- */

static const char *wrong_body(struct arena *arena, const struct sts_saved *saved)
{
    const struct sts_policy *policy;
    const char *why;

    if (saved->body == NULL)
        return NULL;
    policy = sts_policy_parse(arena, saved->body, strlen(saved->body), &why);
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

static void read_kind(struct reader *reader, struct record *record)
{
    if (record->kind == RECORD_ANSWER)
        read_answer(reader, &record->answer);
    else if (record->kind == RECORD_POLICY)
        read_policy(reader, &record->policy);
    else if (record->kind == RECORD_PROBE)
        read_probe(reader, &record->probe);
    else
        read_event(reader, &record->event);
}

struct record *record_from_json(struct arena *arena, const json_t *json, const char **why)
{
    struct reader reader = {json, arena, 0, NULL};
    struct record *record = arena_alloc(arena, sizeof *record);
    unsigned kind = 0;

    *why = NO_MEMORY;
    if (record == NULL)
        return NULL;
    *why = "no record";
    if (!json_is_object(json) ||
        !record_word_number(RECORD_TYPE, borrow_text(&reader, "type"), &kind))
        return NULL;
    record->kind = (enum record_kind)kind;
    read_kind(&reader, record);
    *why = arena_failed(arena) ? NO_MEMORY : reader.why;
    if (*why == NULL && reader.taken != json_object_size(json))
        *why = "an unknown member";
    if (*why == NULL && record_valid(record, why)) {
        if (record->kind == RECORD_POLICY)
            *why = wrong_body(arena, &record->policy);
        else if (record->kind == RECORD_ANSWER)
            *why = wrong_evidence(arena, &record->answer);
    }
    return *why == NULL ? record : NULL;
}
