/*
 * store_rows: see store_rows.h. A cursor over parameters or columns, one line per column; what went
 * wrong on the way is looked at once, at the end.
 */
#include "daemon/store/store_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* ---- writing ---- */

struct writer {
    struct sql_statement *statement;
    int next;
};

static void put_text(struct writer *writer, const char *text)
{
    sql_bind_text(writer->statement, writer->next++, text);
}

static void put_number(struct writer *writer, int64_t number)
{
    sql_bind_number(writer->statement, writer->next++, number);
}

static void put_word(struct writer *writer, enum record_vocabulary vocabulary, unsigned number)
{
    put_text(writer, record_word(vocabulary, number));
}

static void bind_answer(struct writer *writer, const struct answer_record *answer)
{
    const struct remembered *remembered = &answer->remembered;

    put_text(writer, answer->key);
    put_word(writer, RECORD_LEVEL, answer->level);
    put_word(writer, RECORD_REASON, answer->reason);
    put_text(writer, answer->answer);
    put_number(writer, answer->decided_at);
    put_number(writer, answer->valid_until);
    put_number(writer, answer->used_at);
    put_number(writer, answer->dane_until);
    put_number(writer, remembered->secure);
    put_word(writer, RECORD_LEVEL, remembered->observed);
    put_number(writer, remembered->verify.since);
    put_number(writer, remembered->verify.until);
    put_number(writer, remembered->encrypt.since);
    put_number(writer, remembered->encrypt.until);
    put_number(writer, answer->reminded_at);
    put_number(writer, answer->clock_shift);
    sql_bind_octets(writer->statement, writer->next++, answer->evidence, answer->evidence_length);
}

static void bind_policy(struct writer *writer, const struct sts_saved *policy, int64_t now)
{
    put_text(writer, policy->domain);
    put_text(writer, policy->id);
    put_word(writer, RECORD_MODE, policy->mode);
    put_text(writer, policy->body);
    put_number(writer, policy->fetched_at);
    put_number(writer, policy->valid_until);
    put_text(writer, policy->last_id);
    put_number(writer, policy->failures);
    put_word(writer, RECORD_FAILURE, policy->failure);
    put_number(writer, policy->retry_at);
    put_text(writer, policy->why);
    put_number(writer, now);
}

static void bind_probe(struct writer *writer, const struct probe_saved *probe,
                       struct store_row_room *room, int64_t now)
{
    const struct starttls_result *result = &probe->result;

    snprintf(room->tlsa, sizeof room->tlsa, "%016" PRIx64, probe->tlsa);
    put_text(writer, ip_text(&probe->ip, room->address));
    put_number(writer, probe->port);
    put_text(writer, probe->host);
    put_text(writer, probe->sni == NULL ? "" : probe->sni);
    put_text(writer, room->tlsa);
    put_word(writer, RECORD_STARTTLS, result->state);
    put_number(writer, result->chain_ok);
    put_number(writer, result->expired);
    put_number(writer, result->name_ok);
    put_word(writer, RECORD_MATCH, result->tlsa);
    put_number(writer, result->requiretls);
    put_number(writer, result->code);
    put_number(writer, result->probed_at);
    put_number(writer, result->valid_until);
    put_text(writer, result->protocol);
    put_text(writer, result->cipher);
    put_text(writer, result->subject);
    put_text(writer, result->detail);
    put_number(writer, result->not_after);
    put_number(writer, probe->failures);
    put_number(writer, now);
    put_text(writer, result->verified_as);
}

static void bind_event(struct writer *writer, const struct event_record *event)
{
    put_text(writer, event->key);
    put_number(writer, event->at);
    put_text(writer, event->first ? NULL : record_word(RECORD_LEVEL, event->was));
    put_word(writer, RECORD_LEVEL, event->now);
    put_word(writer, RECORD_REASON, event->reason);
}

void store_row_bind(struct sql_statement *statement, const struct record *record,
                    struct store_row_room *room, int64_t now)
{
    struct writer writer = {statement, 1};

    switch (record->kind) {
    case RECORD_ANSWER:
        bind_answer(&writer, &record->answer);
        break;
    case RECORD_POLICY:
        bind_policy(&writer, &record->policy, now);
        break;
    case RECORD_PROBE:
        bind_probe(&writer, &record->probe, room, now);
        break;
    case RECORD_EVENT:
        bind_event(&writer, &record->event);
        break;
    case RECORD_KINDS:
        CHECK(false);
    }
}

/* ---- reading ---- */

struct reader {
    struct sql_statement *statement;
    struct arena *arena;
    int next;
    bool bad;
};

static const char *get_borrowed(struct reader *reader)
{
    return sql_column_text(reader->statement, reader->next++, &reader->bad);
}

static const char *get_text(struct reader *reader)
{
    return arena_strdup(reader->arena, get_borrowed(reader));
}

static int64_t get_number(struct reader *reader)
{
    return sql_column_number(reader->statement, reader->next++);
}

/* A number that fits into unsigned. */
static unsigned get_count(struct reader *reader)
{
    int64_t number = get_number(reader);

    if (number < 0 || number > INT32_MAX) {
        reader->bad = true;
        return 0;
    }
    return (unsigned)number;
}

static bool get_claim(struct reader *reader)
{
    unsigned number = get_count(reader);

    if (number > 1)
        reader->bad = true;
    return number == 1;
}

static unsigned get_word(struct reader *reader, enum record_vocabulary vocabulary)
{
    unsigned number = 0;

    if (!record_word_number(vocabulary, get_borrowed(reader), &number))
        reader->bad = true;
    return number;
}

static void read_answer(struct reader *reader, struct answer_record *answer)
{
    struct remembered *remembered = &answer->remembered;
    const void *octets;

    answer->key = get_text(reader);
    answer->level = (enum verdict_level)get_word(reader, RECORD_LEVEL);
    answer->reason = (enum verdict_reason)get_word(reader, RECORD_REASON);
    answer->answer = get_text(reader);
    answer->decided_at = get_number(reader);
    answer->valid_until = get_number(reader);
    answer->used_at = get_number(reader);
    answer->dane_until = get_number(reader);
    remembered->secure = get_claim(reader);
    remembered->observed = (enum verdict_level)get_word(reader, RECORD_LEVEL);
    remembered->verify.since = get_number(reader);
    remembered->verify.until = get_number(reader);
    remembered->encrypt.since = get_number(reader);
    remembered->encrypt.until = get_number(reader);
    answer->reminded_at = get_number(reader);
    answer->clock_shift = get_number(reader);
    octets = sql_column_octets(reader->statement, reader->next++, &answer->evidence_length);
    if (answer->evidence_length > RECORD_EVIDENCE_MAX)
        reader->bad = true;
    else if (answer->evidence_length > 0)
        answer->evidence = arena_memdup(reader->arena, octets, answer->evidence_length);
}

static void read_policy(struct reader *reader, struct sts_saved *policy)
{
    policy->domain = get_text(reader);
    policy->id = get_text(reader);
    policy->mode = (enum sts_mode)get_word(reader, RECORD_MODE);
    policy->body = get_text(reader);
    policy->fetched_at = get_number(reader);
    policy->valid_until = get_number(reader);
    policy->last_id = get_text(reader);
    policy->failures = get_count(reader);
    policy->failure = (enum sts_state)get_word(reader, RECORD_FAILURE);
    policy->retry_at = get_number(reader);
    policy->why = get_text(reader);
}

static uint64_t get_hex(struct reader *reader)
{
    const char *text = get_borrowed(reader);
    uint64_t number = 0;

    if (text == NULL || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16 ||
        sscanf(text, "%16" SCNx64, &number) != 1)
        reader->bad = true;
    return number;
}

static void read_result(struct reader *reader, struct starttls_result *result)
{
    result->state = (enum starttls)get_word(reader, RECORD_STARTTLS);
    result->chain_ok = get_claim(reader);
    result->expired = get_claim(reader);
    result->name_ok = get_claim(reader);
    result->tlsa = (enum tlsa_match)get_word(reader, RECORD_MATCH);
    result->requiretls = get_claim(reader);
    result->code = (int)get_count(reader);
    result->probed_at = get_number(reader);
    result->valid_until = get_number(reader);
    result->protocol = get_text(reader);
    result->cipher = get_text(reader);
    result->subject = get_text(reader);
    result->detail = get_text(reader);
    result->not_after = get_number(reader);
}

static void read_probe(struct reader *reader, struct probe_saved *probe)
{
    const char *address = get_borrowed(reader);
    unsigned port;

    if (address == NULL || !ip_parse(&probe->ip, address))
        reader->bad = true;
    port = get_count(reader);
    if (port > UINT16_MAX)
        reader->bad = true;
    probe->port = (uint16_t)port;
    probe->host = get_text(reader);
    probe->sni = get_text(reader);
    probe->tlsa = get_hex(reader);
    read_result(reader, &probe->result);
    probe->failures = get_count(reader);
    get_number(reader); /* written_at */
    probe->result.verified_as = get_text(reader);
}

static void read_event(struct reader *reader, struct event_record *event)
{
    bool bad;

    event->key = get_text(reader);
    event->at = get_number(reader);
    bad = reader->bad;
    event->first = get_borrowed(reader) == NULL;
    reader->next--;
    event->was = (enum verdict_level)get_word(reader, RECORD_LEVEL);
    if (event->first)
        reader->bad = bad;
    event->now = (enum verdict_level)get_word(reader, RECORD_LEVEL);
    event->reason = (enum verdict_reason)get_word(reader, RECORD_REASON);
}

struct store_place store_row_place(struct sql_statement *statement)
{
    return (struct store_place){sql_column_number(statement, 1), sql_column_number(statement, 2),
                                sql_column_number(statement, 0)};
}

enum store_row store_row_read(struct sql_statement *statement, struct arena *arena,
                              enum record_kind kind, struct record *out)
{
    struct reader reader = {statement, arena, 3, false};
    const char *why;

    memset(out, 0, sizeof *out);
    out->kind = kind;
    if (!get_claim(&reader))
        return STORE_ROW_BAD;
    switch (kind) {
    case RECORD_ANSWER:
        read_answer(&reader, &out->answer);
        break;
    case RECORD_POLICY:
        read_policy(&reader, &out->policy);
        break;
    case RECORD_PROBE:
        read_probe(&reader, &out->probe);
        break;
    case RECORD_EVENT:
        read_event(&reader, &out->event);
        break;
    case RECORD_KINDS:
        CHECK(false);
    }
    if (arena_failed(arena))
        return STORE_ROW_NO_MEMORY;
    return !reader.bad && record_valid(out, &why) ? STORE_ROW_GOOD : STORE_ROW_BAD;
}
