/* record_fields: see record_fields.h. */
#include "daemon/store/record_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/net/hostname.h"
#include "policy/key.h"
#include "policy/report/report.h"

#define FAILURES_MAX  1000000
#define SECONDS_MAX   (RECORD_TIME_MAX / 1000)
#define SMTP_CODE_MAX 999
#define HASH_DIGITS   16
#define ALNUM         "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#define NO_WORD    "an unknown word"
#define NO_ADDRESS "no address"
#define NO_TEXT    "a key, name or text that cannot be"
#define TOO_LARGE  "the evidence is too large"

/* ---- the list ---- */

/* clang-format off */
#define F(name, type, member, flags) {name, FIELD_##type, offsetof(struct record, member), 0, flags}
#define W(name, vocabulary, member, flags)                                                         \
    {name, FIELD_WORD, offsetof(struct record, member), RECORD_##vocabulary, flags}

static const struct record_field answer[] = {
    F("key", KEY, answer.key, 0),
    W("level", LEVEL, answer.level, 0),
    W("reason", REASON, answer.reason, 0),
    F("answer", ANSWER, answer.answer, FIELD_OPTIONAL),
    F("decided_at", TIME, answer.decided_at, FIELD_START | FIELD_MOVES),
    F("valid_until", TIME, answer.valid_until, FIELD_MOVES | FIELD_ENDS | FIELD_LAPSE_NOW),
    F("used_at", TIME, answer.used_at, FIELD_BY_CLOCK | FIELD_PAST | FIELD_UNCHECKED),
    F("dane_until", TIME, answer.dane_until, FIELD_MOVES | FIELD_ENDS | FIELD_LAPSE_ZERO),
    F("secure", CLAIM, answer.remembered.secure, FIELD_LAPSE_ZERO),
    W("proven", LEVEL, answer.remembered.observed, 0),
    F("verify_since", TIME, answer.remembered.verify.since, FIELD_MOVES),
    F("verify_until", TIME, answer.remembered.verify.until, FIELD_MOVES | FIELD_ENDS),
    F("encrypt_since", TIME, answer.remembered.encrypt.since, FIELD_MOVES),
    F("encrypt_until", TIME, answer.remembered.encrypt.until, FIELD_MOVES | FIELD_ENDS),
    F("reminded_at", TIME, answer.reminded_at, FIELD_MOVES | FIELD_PAST),
    F("clock_shift", SHIFT, answer.clock_shift, FIELD_MOVES),
    F("evidence", OCTETS, answer.evidence, FIELD_OPTIONAL),
    {0},
};
static const struct record_field policy[] = {
    F("domain", NAME, policy.domain, 0),
    F("id", ID, policy.id, 0),
    W("mode", MODE, policy.mode, 0),
    F("body", BODY, policy.body, FIELD_OPTIONAL),
    F("fetched_at", TIME, policy.fetched_at, FIELD_START | FIELD_MOVES),
    F("valid_until", TIME, policy.valid_until, FIELD_MOVES | FIELD_ENDS),
    F("last_id", ID, policy.last_id, 0),
    F("failures", COUNT, policy.failures, 0),
    W("failure", FAILURE, policy.failure, 0),
    F("retry_at", TIME, policy.retry_at, FIELD_BY_CLOCK | FIELD_NEXT_DAY),
    F("why", WORDS, policy.why, FIELD_OPTIONAL),
    F("written_at", WRITTEN, kind, FIELD_OPTIONAL),
    {0},
};
static const struct record_field probe[] = {
    F("address", ADDRESS, probe.ip, 0),
    F("port", PORT, probe.port, 0),
    F("host", NAME, probe.host, 0),
    F("sni", SNI, probe.sni, 0),
    F("tlsa", HASH, probe.tlsa, 0),
    W("state", STARTTLS, probe.result.state, 0),
    F("chain_ok", CLAIM, probe.result.chain_ok, 0),
    F("expired", CLAIM, probe.result.expired, 0),
    F("name_ok", CLAIM, probe.result.name_ok, 0),
    W("tlsa_match", MATCH, probe.result.tlsa, 0),
    F("requiretls", CLAIM, probe.result.requiretls, 0),
    F("code", CODE, probe.result.code, 0),
    F("probed_at", TIME, probe.result.probed_at, FIELD_START | FIELD_MOVES | FIELD_POSITIVE),
    F("valid_until", TIME, probe.result.valid_until, FIELD_MOVES | FIELD_ENDS | FIELD_POSITIVE),
    F("protocol", WORDS, probe.result.protocol, FIELD_OPTIONAL),
    F("cipher", WORDS, probe.result.cipher, FIELD_OPTIONAL),
    F("subject", WORDS, probe.result.subject, FIELD_OPTIONAL),
    F("detail", WORDS, probe.result.detail, FIELD_OPTIONAL),
    F("not_after", SECONDS, probe.result.not_after, 0),
    F("failures", COUNT, probe.failures, 0),
    F("written_at", WRITTEN, kind, FIELD_OPTIONAL),
    F("verified_as", WORDS, probe.result.verified_as, FIELD_OPTIONAL),
    {0},
};
static const struct record_field event[] = {
    F("key", KEY, event.key, 0),
    F("at", TIME, event.at, FIELD_START | FIELD_MOVES),
    W("was", LEVEL, event.was, FIELD_OPTIONAL),
    W("now", LEVEL, event.now, 0),
    W("reason", REASON, event.reason, 0),
    {0},
};
/* clang-format on */

_Static_assert(sizeof probe / sizeof probe[0] <= RECORD_FIELDS_MAX, "it has the most fields");

const struct record_field *const record_fields[RECORD_KINDS] = {
    [RECORD_ANSWER] = answer,
    [RECORD_POLICY] = policy,
    [RECORD_PROBE] = probe,
    [RECORD_EVENT] = event,
};

/* ---- words ---- */

#define WORDS_MAX   STS_POLICY /* of an enum that has no names elsewhere */
#define NUMBERS_MAX 64         /* of any enum */
_Static_assert(REASON_COUNT <= NUMBERS_MAX, "a reason could not be read back");

static const char *const words[RECORD_VOCABULARIES][WORDS_MAX] = {
    [RECORD_MODE] =
        {[STS_MODE_NONE] = "none", [STS_MODE_TESTING] = "testing", [STS_MODE_ENFORCE] = "enforce"},
    [RECORD_FAILURE] = {[STS_UNKNOWN] = "unknown",
                        [STS_FETCH_FAILED] = "fetch-failed",
                        [STS_BAD_POLICY] = "bad-policy"},
    [RECORD_MATCH] =
        {[TLSA_MATCH_NONE] = "none", [TLSA_MATCH_OK] = "match", [TLSA_MATCH_MISMATCH] = "mismatch"},
    [RECORD_TYPE] = {[RECORD_ANSWER] = "answer",
                     [RECORD_POLICY] = "policy",
                     [RECORD_PROBE] = "probe",
                     [RECORD_EVENT] = "event"},
};

const char *record_word(enum record_vocabulary vocabulary, unsigned number)
{
    switch (vocabulary) {
    case RECORD_LEVEL:
        return number > VERDICT_TEMP ? NULL : verdict_level_name((enum verdict_level)number);
    case RECORD_REASON:
        return number >= REASON_COUNT ? NULL : verdict_reason_code((enum verdict_reason)number);
    case RECORD_STARTTLS:
        return number > STARTTLS_VERIFIED ? NULL : report_starttls_name((enum starttls)number);
    default:
        return number >= WORDS_MAX ? NULL : words[vocabulary][number];
    }
}

bool record_word_number(enum record_vocabulary vocabulary, const char *word, unsigned *number)
{
    for (unsigned i = 0; word != NULL && i < NUMBERS_MAX; i++) {
        const char *known = record_word(vocabulary, i);

        if (known != NULL && strcmp(known, word) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

/* ---- bounds ---- */

/* Reading it gives the same text again, whatever port is the default: two cannot both be named. */
static bool key_valid(const char *text)
{
    for (uint16_t port = 1; text != NULL && port <= 2; port++) {
        struct key key;

        key_parse(&key, text, strlen(text), port);
        if ((key.kind == KEY_DOMAIN || key.kind == KEY_HOST) && strcmp(key.text, text) == 0)
            return true;
    }
    return false;
}

static bool text_valid(const char *text, enum field_type type)
{
    size_t length = text == NULL ? 0 : strlen(text);

    switch (type) {
    case FIELD_KEY:
        return key_valid(text);
    case FIELD_NAME:
        return hostname_canonical(text);
    case FIELD_SNI:
        return length == 0 || hostname_canonical(text);
    case FIELD_ID:
        return text != NULL && length <= STS_ID_MAX && strspn(text, ALNUM) == length;
    case FIELD_BODY:
        return length <= STS_BODY_MAX + 1;
    default:
        return length <= (type == FIELD_ANSWER ? RECORD_TEXT_MAX : RECORD_WORDS_MAX) &&
               ascii_is_printable(text);
    }
}

static const char *number_wrong(int64_t number, enum field_type type)
{
    static const struct {
        int64_t least, most;
    } ranges[] = {
        [FIELD_TIME] = {0, RECORD_TIME_MAX - 1},
        [FIELD_SECONDS] = {-SECONDS_MAX, SECONDS_MAX},
        [FIELD_SHIFT] = {-RECORD_TIME_MAX, RECORD_TIME_MAX},
        [FIELD_COUNT] = {0, FAILURES_MAX},
        [FIELD_CODE] = {0, SMTP_CODE_MAX},
        [FIELD_PORT] = {1, UINT16_MAX},
        [FIELD_CLAIM] = {0, 1},
    };

    return number >= ranges[type].least && number <= ranges[type].most
               ? NULL
               : "a time or number out of its range";
}

static int64_t number_of(const struct record *record, const struct record_field *field)
{
    switch (field->type) {
    case FIELD_COUNT:
        return *RECORD_FIELD(record, field, const unsigned);
    case FIELD_CODE:
        return *RECORD_FIELD(record, field, const int);
    case FIELD_PORT:
        return *RECORD_FIELD(record, field, const uint16_t);
    case FIELD_CLAIM:
        return *RECORD_FIELD(record, field, const bool);
    default:
        return *RECORD_FIELD(record, field, const int64_t);
    }
}

const char *record_field_wrong(const struct record *record, const struct record_field *field)
{
    const void *at = RECORD_FIELD(record, field, const void);
    uint8_t family;

    switch (field->type) {
    case FIELD_WORD:
        return record_word(field->vocabulary, *(const unsigned *)at) == NULL ? NO_WORD : NULL;
    case FIELD_ADDRESS:
        family = ((const struct ip *)at)->family;
        return family != 4 && family != 6 ? NO_ADDRESS : NULL;
    case FIELD_OCTETS:
        return record->answer.evidence_length > RECORD_EVIDENCE_MAX ? TOO_LARGE : NULL;
    case FIELD_HASH:
    case FIELD_WRITTEN:
        return NULL;
    default:
        if (field->type > FIELD_HASH)
            return number_wrong(number_of(record, field), field->type);
        return text_valid(*(const char *const *)at, field->type) ? NULL : NO_TEXT;
    }
}

/* ---- values ---- */

static const char *text_of(const struct record *record, const struct record_field *field,
                           char room[RECORD_ROOM])
{
    const char *text;

    switch (field->type) {
    case FIELD_WORD:
        if (field->flags & FIELD_OPTIONAL && record->event.first)
            return NULL;
        return record_word(field->vocabulary, *RECORD_FIELD(record, field, const unsigned));
    case FIELD_ADDRESS:
        return ip_text(RECORD_FIELD(record, field, const struct ip), room);
    case FIELD_HASH:
        snprintf(room, RECORD_ROOM, "%016" PRIx64, *RECORD_FIELD(record, field, const uint64_t));
        return room;
    default:
        text = *RECORD_FIELD(record, field, const char *const);
        return text == NULL && field->type == FIELD_SNI ? "" : text;
    }
}

struct sql_value record_get(const struct record *record, const struct record_field *field,
                            char room[RECORD_ROOM])
{
    struct sql_value value = {.type = SQL_NONE};

    if (field->type <= FIELD_HASH) {
        value.text = text_of(record, field, room);
        value.type = value.text == NULL ? SQL_NONE : SQL_TEXT;
    } else if (field->type <= FIELD_CLAIM) {
        value.number = number_of(record, field);
        value.type = SQL_NUMBER;
    } else if (field->type == FIELD_OCTETS && record->answer.evidence_length > 0) {
        value.octets = record->answer.evidence;
        value.length = record->answer.evidence_length;
        value.type = SQL_OCTETS;
    }
    return value;
}

static const char *set_number(struct record *record, const struct record_field *field,
                              int64_t number)
{
    const char *why = number_wrong(number, field->type);
    void *at = RECORD_FIELD(record, field, void);

    if (why != NULL)
        return why;
    if (field->type == FIELD_COUNT)
        *(unsigned *)at = (unsigned)number;
    else if (field->type == FIELD_CODE)
        *(int *)at = (int)number;
    else if (field->type == FIELD_PORT)
        *(uint16_t *)at = (uint16_t)number;
    else if (field->type == FIELD_CLAIM)
        *(bool *)at = number == 1;
    else
        *(int64_t *)at = number;
    return NULL;
}

static const char *set_text(struct record *record, const struct record_field *field,
                            const char *text, struct arena *arena)
{
    void *at = RECORD_FIELD(record, field, void);

    switch (field->type) {
    case FIELD_WORD:
        return record_word_number(field->vocabulary, text, at) ? NULL : NO_WORD;
    case FIELD_ADDRESS:
        return ip_parse(at, text) ? NULL : NO_ADDRESS;
    case FIELD_HASH:
        if (strlen(text) != HASH_DIGITS || strspn(text, "0123456789abcdef") != HASH_DIGITS)
            return "a hash that is none";
        *(uint64_t *)at = strtoull(text, NULL, 16);
        return NULL;
    default:
        *(const char **)at = arena_strdup(arena, text);
        return NULL;
    }
}

const char *record_set(struct record *record, const struct record_field *field,
                       const struct sql_value *value, struct arena *arena)
{
    if (value->type == SQL_NONE) {
        if (!(field->flags & FIELD_OPTIONAL))
            return "a value is missing";
        if (field->type == FIELD_WORD)
            record->event.first = true;
        return NULL;
    }
    if (value->type == SQL_TEXT && field->type <= FIELD_HASH)
        return set_text(record, field, value->text, arena);
    if (value->type == SQL_NUMBER && field->type > FIELD_HASH && field->type <= FIELD_CLAIM)
        return set_number(record, field, value->number);
    if (value->type != SQL_OCTETS || field->type != FIELD_OCTETS)
        return "a value of another type";
    if (value->length > RECORD_EVIDENCE_MAX)
        return TOO_LARGE;
    record->answer.evidence_length = value->length;
    record->answer.evidence = arena_memdup(arena, value->octets, value->length);
    return NULL;
}
