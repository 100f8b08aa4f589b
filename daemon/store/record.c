/*
 * record: see record.h. What every kind of record has in pointers is one table, so that copies
 * cannot forget a field.
 */
#include "daemon/store/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/net/hostname.h"
#include "policy/key.h"
#include "policy/report/report.h"

#define COUNT(array)  (sizeof(array) / sizeof(array)[0])
#define STRINGS_MAX   7
#define FAILURES_MAX  1000000
#define TLSA_MATCHES  (TLSA_MATCH_MISMATCH + 1)
#define STARTTLSES    (STARTTLS_VERIFIED + 1)
#define SECONDS_MAX   (RECORD_TIME_MAX / 1000)
#define SMTP_CODE_MAX 999

/* ---- copies ---- */

/* Points to every string of the record; gives their number. */
static size_t strings_of(struct record *record, const char **out[STRINGS_MAX])
{
    struct sts_saved *policy = &record->policy;
    struct probe_saved *probe = &record->probe;
    size_t n = 0;

    switch (record->kind) {
    case RECORD_ANSWER:
        out[n++] = &record->answer.key;
        out[n++] = &record->answer.answer;
        break;
    case RECORD_POLICY:
        out[n++] = &policy->domain;
        out[n++] = &policy->id;
        out[n++] = &policy->body;
        out[n++] = &policy->last_id;
        out[n++] = &policy->why;
        break;
    case RECORD_PROBE:
        out[n++] = &probe->host;
        out[n++] = &probe->sni;
        out[n++] = &probe->result.protocol;
        out[n++] = &probe->result.cipher;
        out[n++] = &probe->result.subject;
        out[n++] = &probe->result.detail;
        out[n++] = &probe->result.verified_as;
        break;
    case RECORD_EVENT:
        out[n++] = &record->event.key;
        break;
    case RECORD_KINDS:
        CHECK(false);
    }
    return n;
}

size_t record_octets(const struct record *record)
{
    struct record copy = *record;
    const char **strings[STRINGS_MAX];
    size_t count = strings_of(&copy, strings), octets = 0;

    for (size_t i = 0; i < count; i++)
        octets += *strings[i] == NULL ? 0 : strlen(*strings[i]) + 1;
    if (record->kind == RECORD_ANSWER)
        octets += record->answer.evidence_length;
    return octets;
}

void record_place(struct record *out, void *room, const struct record *record)
{
    const char **strings[STRINGS_MAX];
    char *next = room;
    size_t count;

    *out = *record;
    count = strings_of(out, strings);
    for (size_t i = 0; i < count; i++) {
        size_t size;

        if (*strings[i] == NULL)
            continue;
        size = strlen(*strings[i]) + 1;
        *strings[i] = memcpy(next, *strings[i], size);
        next += size;
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
    [RECORD_STARTTLS] = {starttls_word, STARTTLSES},
    [RECORD_MATCH] = {match_word, TLSA_MATCHES},
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

static bool name_valid(const char *text)
{
    if (text == NULL || !hostname_valid(text, strlen(text), HOSTNAME_UNDERSCORE))
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            return false;
    return true;
}

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

/* Printable ASCII, or NULL. */
static bool text_valid(const char *text, size_t max)
{
    size_t length = text == NULL ? 0 : strlen(text);

    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return length <= max;
}

static bool id_valid(const char *text)
{
    return text != NULL && strlen(text) <= STS_ID_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
               strlen(text);
}

static bool time_valid(int64_t at)
{
    return at >= 0 && at < RECORD_TIME_MAX;
}

/* An end no further than `life` after `from`. */
static bool end_valid(int64_t end, int64_t from, int64_t life)
{
    return time_valid(end) && end <= from + life;
}

static bool downgrade_valid(const struct downgrade *downgrade, int64_t decided_at)
{
    return time_valid(downgrade->since) && downgrade->since <= decided_at &&
           end_valid(downgrade->until, decided_at, RECORD_LIFE_MAX) &&
           (downgrade->since != 0 || downgrade->until == 0);
}

static bool observed_valid(enum verdict_level level)
{
    return level == VERDICT_NO_OPINION || level == VERDICT_ENCRYPT || level == VERDICT_VERIFY;
}

static const char *wrong_answer(const struct answer_record *answer)
{
    const struct remembered *remembered = &answer->remembered;
    int64_t decided_at = answer->decided_at;

    if (!key_valid(answer->key))
        return "the key is not canonical";
    if ((unsigned)answer->level > VERDICT_TEMP || (unsigned)answer->reason >= REASON_COUNT)
        return "an unknown level or reason";
    if (!text_valid(answer->answer, RECORD_TEXT_MAX))
        return "the answer is not printable, or too long";
    if (!time_valid(decided_at) || decided_at == 0 || !time_valid(answer->used_at) ||
        !time_valid(answer->reminded_at))
        return "a time that cannot be";
    if (!end_valid(answer->valid_until, decided_at, RECORD_LIFE_MAX) ||
        !end_valid(answer->dane_until, decided_at, RECORD_LIFE_MAX))
        return "it would live too long";
    if (!observed_valid(remembered->observed) ||
        !downgrade_valid(&remembered->verify, decided_at) ||
        !downgrade_valid(&remembered->encrypt, decided_at))
        return "what was proven is contradictory";
    if (answer->evidence_length > RECORD_EVIDENCE_MAX || answer->clock_shift > RECORD_TIME_MAX ||
        answer->clock_shift < -RECORD_TIME_MAX)
        return "the evidence is too large, or its clock cannot be";
    return NULL;
}

static const char *wrong_policy(const struct sts_saved *policy)
{
    if (!name_valid(policy->domain))
        return "the domain is no host name";
    if (!id_valid(policy->id) || !id_valid(policy->last_id))
        return "an id that cannot be";
    if ((unsigned)policy->mode > STS_MODE_ENFORCE ||
        record_word(RECORD_FAILURE, policy->failure) == NULL)
        return "an unknown mode or failure";
    if (!time_valid(policy->fetched_at) || !time_valid(policy->retry_at) ||
        !end_valid(policy->valid_until, policy->fetched_at, INT64_C(1000) * STS_MAX_AGE_MAX))
        return "a time that cannot be";
    if (policy->failures > FAILURES_MAX || !text_valid(policy->why, RECORD_WORDS_MAX))
        return "a failure that cannot be";
    if (policy->body == NULL)
        return policy->fetched_at == 0 && policy->valid_until == 0 ? NULL
                                                                   : "times without a policy";
    if (strlen(policy->body) > STS_BODY_MAX + 1 || policy->fetched_at == 0)
        return "a policy that is too long, or was never fetched";
    return NULL;
}

static bool words_valid(const struct starttls_result *result)
{
    return text_valid(result->protocol, RECORD_WORDS_MAX) &&
           text_valid(result->cipher, RECORD_WORDS_MAX) &&
           text_valid(result->subject, RECORD_WORDS_MAX) &&
           text_valid(result->detail, RECORD_WORDS_MAX) &&
           text_valid(result->verified_as, RECORD_WORDS_MAX);
}

static const char *wrong_probe(const struct probe_saved *probe)
{
    const struct starttls_result *result = &probe->result;

    if (probe->ip.family != 4 && probe->ip.family != 6)
        return "no address";
    if (!name_valid(probe->host) ||
        (probe->sni != NULL && *probe->sni != '\0' && !name_valid(probe->sni)))
        return "the host is no host name";
    if ((unsigned)result->state >= STARTTLSES || (unsigned)result->tlsa >= TLSA_MATCHES)
        return "an unknown state";
    if (!time_valid(result->probed_at) ||
        !end_valid(result->valid_until, result->probed_at, RECORD_LIFE_MAX) ||
        result->not_after < -SECONDS_MAX || result->not_after > SECONDS_MAX)
        return "a time that cannot be";
    if (probe->failures > FAILURES_MAX || result->code < 0 || result->code > SMTP_CODE_MAX ||
        !words_valid(result))
        return "a result that cannot be";
    return NULL;
}

static const char *wrong_event(const struct event_record *event)
{
    if (!key_valid(event->key))
        return "the key is not canonical";
    if ((unsigned)event->was > VERDICT_TEMP || (unsigned)event->now > VERDICT_TEMP ||
        (unsigned)event->reason >= REASON_COUNT)
        return "an unknown level or reason";
    return time_valid(event->at) && event->at != 0 ? NULL : "a time that cannot be";
}

bool record_valid(const struct record *record, const char **why)
{
    *why = "an unknown kind";
    switch (record->kind) {
    case RECORD_ANSWER:
        *why = wrong_answer(&record->answer);
        break;
    case RECORD_POLICY:
        *why = wrong_policy(&record->policy);
        break;
    case RECORD_PROBE:
        *why = wrong_probe(&record->probe);
        break;
    case RECORD_EVENT:
        *why = wrong_event(&record->event);
        break;
    case RECORD_KINDS:
        break;
    }
    return *why == NULL;
}
