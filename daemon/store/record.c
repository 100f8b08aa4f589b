/*
 * record: see record.h. The fields are record_fields.c's; here is what they are as a whole.
 */
#include "daemon/store/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/record_fields.h"
#include "policy/report/report.h"

int64_t record_start(const struct record *record)
{
    const struct record_fields *fields = &record_fields[record->kind];

    for (size_t i = 0; i < fields->count; i++)
        if (fields->fields[i].flags & FIELD_START)
            return *RECORD_FIELD(record, &fields->fields[i], const int64_t);
    return 0;
}

void record_lapse(struct record *record, int64_t now)
{
    const struct record_fields *fields = &record_fields[record->kind];

    for (size_t i = 0; i < fields->count; i++) {
        const struct record_field *field = &fields->fields[i];
        int64_t *at = RECORD_FIELD(record, field, int64_t);

        if (field->flags & FIELD_LAPSE_NOW && *at > now)
            *at = now;
        if (field->flags & FIELD_LAPSE_ZERO && field->type == FIELD_CLAIM)
            *RECORD_FIELD(record, field, bool) = false;
        else if (field->flags & FIELD_LAPSE_ZERO)
            *at = 0;
    }
}

/* ---- copies ---- */

static size_t text_octets(const struct record *record, const struct record_field *field)
{
    const char *text =
        field->type < FIELD_TIME ? *RECORD_FIELD(record, field, const char *const) : NULL;

    return text == NULL ? 0 : strlen(text) + 1;
}

size_t record_octets(const struct record *record)
{
    const struct record_fields *fields = &record_fields[record->kind];
    size_t octets = record->kind == RECORD_ANSWER ? record->answer.evidence_length : 0;

    for (size_t i = 0; i < fields->count; i++)
        octets += text_octets(record, &fields->fields[i]);
    return octets;
}

void record_place(struct record *out, void *room, const struct record *record)
{
    const struct record_fields *fields = &record_fields[record->kind];
    char *next = room;

    *out = *record;
    for (size_t i = 0; i < fields->count; i++) {
        const struct record_field *field = &fields->fields[i];
        size_t octets = text_octets(record, field);

        if (octets == 0)
            continue;
        memcpy(next, *RECORD_FIELD(record, field, const char *const), octets);
        *RECORD_FIELD(out, field, const char *) = next;
        next += octets;
    }
    if (out->kind == RECORD_ANSWER && out->answer.evidence_length > 0)
        out->answer.evidence = memcpy(next, out->answer.evidence, out->answer.evidence_length);
}

struct record *record_copy(struct arena *arena, const struct record *record)
{
    struct record *copy = arena_alloc(arena, sizeof *copy);
    void *room = arena_alloc(arena, record_octets(record));

    if (copy == NULL || room == NULL)
        return NULL;
    record_place(copy, room, record);
    return copy;
}

/* ---- identity ---- */

size_t record_write_identity(char out[RECORD_IDENTITY_MAX], const struct record *record)
{
    const struct probe_saved *probe = &record->probe;
    char address[IP_TEXT_MAX];
    int length;

    if (record->kind == RECORD_PROBE)
        length = snprintf(out, RECORD_IDENTITY_MAX, "%s %u %s %s %016" PRIx64,
                          ip_text(&probe->ip, address), probe->port, probe->host,
                          probe->sni == NULL ? "" : probe->sni, probe->tlsa);
    else
        length = snprintf(out, RECORD_IDENTITY_MAX, "%s",
                          record->kind == RECORD_ANSWER   ? record->answer.key
                          : record->kind == RECORD_POLICY ? record->policy.domain
                                                          : record->event.key);
    return length > 0 && length < RECORD_IDENTITY_MAX ? (size_t)length : 0;
}

const char *record_identity(struct arena *arena, const struct record *record)
{
    char text[RECORD_IDENTITY_MAX];
    size_t length = record_write_identity(text, record);

    return length == 0 ? NULL : arena_strndup(arena, text, length);
}

/* ---- words ---- */

static const char *level_word(unsigned number)
{
    return verdict_level_name((enum verdict_level)number);
}

static const char *reason_word(unsigned number)
{
    return verdict_reason_code((enum verdict_reason)number);
}

static const char *mode_word(unsigned number)
{
    static const char *const words[] = {
        [STS_MODE_NONE] = "none", [STS_MODE_TESTING] = "testing", [STS_MODE_ENFORCE] = "enforce"};

    return words[number];
}

/* NULL: no failure of a fetch. */
static const char *failure_word(unsigned number)
{
    static const char *const words[STS_POLICY + 1] = {
        [STS_UNKNOWN] = "unknown",
        [STS_FETCH_FAILED] = "fetch-failed",
        [STS_BAD_POLICY] = "bad-policy",
    };

    return words[number];
}

static const char *starttls_word(unsigned number)
{
    return report_starttls_name((enum starttls)number);
}

static const char *match_word(unsigned number)
{
    static const char *const words[] = {
        [TLSA_MATCH_NONE] = "none", [TLSA_MATCH_OK] = "match", [TLSA_MATCH_MISMATCH] = "mismatch"};

    return words[number];
}

static const char *type_word(unsigned number)
{
    static const char *const words[] = {[RECORD_ANSWER] = "answer",
                                        [RECORD_POLICY] = "policy",
                                        [RECORD_PROBE] = "probe",
                                        [RECORD_EVENT] = "event"};

    return words[number];
}

static const struct {
    const char *(*word)(unsigned number);
    unsigned count;
} vocabularies[RECORD_VOCABULARIES] = {
    [RECORD_LEVEL] = {level_word, VERDICT_TEMP + 1},
    [RECORD_REASON] = {reason_word, REASON_COUNT},
    [RECORD_MODE] = {mode_word, STS_MODE_ENFORCE + 1},
    [RECORD_FAILURE] = {failure_word, STS_POLICY},
    [RECORD_STARTTLS] = {starttls_word, STARTTLS_VERIFIED + 1},
    [RECORD_MATCH] = {match_word, TLSA_MATCH_MISMATCH + 1},
    [RECORD_TYPE] = {type_word, RECORD_KINDS},
};

const char *record_word(enum record_vocabulary vocabulary, unsigned number)
{
    return number < vocabularies[vocabulary].count ? vocabularies[vocabulary].word(number) : NULL;
}

bool record_word_number(enum record_vocabulary vocabulary, const char *word, unsigned *number)
{
    for (unsigned i = 0; word != NULL && i < vocabularies[vocabulary].count; i++) {
        const char *known = vocabularies[vocabulary].word(i);

        if (known != NULL && strcmp(known, word) == 0) {
            *number = i;
            return true;
        }
    }
    return false;
}

/* ---- what can be ---- */

/* How long after its start the end of a record may lie. */
static const int64_t lives[RECORD_KINDS] = {
    [RECORD_ANSWER] = RECORD_LIFE_MAX,
    [RECORD_POLICY] = INT64_C(1000) * STS_MAX_AGE_MAX,
    [RECORD_PROBE] = RECORD_LIFE_MAX,
};

static bool downgrade_valid(const struct downgrade *downgrade, int64_t decided_at)
{
    return downgrade->since <= decided_at && (downgrade->since != 0 || downgrade->until == 0);
}

static const char *wrong_answer(const struct answer_record *answer)
{
    enum verdict_level observed = answer->remembered.observed;

    if (answer->decided_at == 0)
        return "it was never decided";
    if ((observed != VERDICT_NO_OPINION && observed != VERDICT_ENCRYPT &&
         observed != VERDICT_VERIFY) ||
        !downgrade_valid(&answer->remembered.verify, answer->decided_at) ||
        !downgrade_valid(&answer->remembered.encrypt, answer->decided_at))
        return "what was proven is contradictory";
    return NULL;
}

static const char *wrong_policy(const struct sts_saved *policy)
{
    if (policy->body == NULL)
        return policy->fetched_at == 0 && policy->valid_until == 0 ? NULL
                                                                   : "times without a policy";
    return policy->fetched_at == 0 ? "a policy that was never fetched" : NULL;
}

static const char *wrong_fields(const struct record *record)
{
    const struct record_fields *fields = &record_fields[record->kind];
    int64_t start = record_start(record);
    const char *why = NULL;

    for (size_t i = 0; i < fields->count && why == NULL; i++) {
        const struct record_field *field = &fields->fields[i];

        why = record_field_wrong(record, field);
        if (why == NULL && field->flags & FIELD_ENDS &&
            *RECORD_FIELD(record, field, const int64_t) > start + lives[record->kind])
            why = "it would live too long";
    }
    return why;
}

bool record_valid(const struct record *record, const char **why)
{
    *why = "an unknown kind";
    if ((unsigned)record->kind >= RECORD_KINDS)
        return false;
    *why = wrong_fields(record);
    if (*why == NULL && record->kind == RECORD_ANSWER)
        *why = wrong_answer(&record->answer);
    else if (*why == NULL && record->kind == RECORD_POLICY)
        *why = wrong_policy(&record->policy);
    else if (*why == NULL && record->kind == RECORD_EVENT && record->event.at == 0)
        *why = "it never happened";
    return *why == NULL;
}
