/*
 * share_put_uv: a record into the share. What lies there is read first: of an answer the two are
 * joined, of a policy or a probe the later stays. It is written only if it is still the same that
 * lies there, else all is done once more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/share/share_internal.h"

#define TRIES_MAX     5
#define PUT_ARENA_MAX (4 * 1024 * 1024)
#define LIFE_MIN_MS   1000
#define EXPECTED      5     /* the word of it in the command */
#define LIFE_FAILED   60000 /* of a policy that there is none of, but a failure */
#define CLOCKS_MS     1000  /* by which times may differ that were converted to and fro */

/* KEYS: the record, the stream. ARGV: the mark that lies there ("" for none), the value, its life in
 * ms, the value for the stream ("" for none), the length of the stream. */
static const char script[] =
    "local v=redis.pcall('GET',KEYS[1])\n"
    "if type(v)=='table' then v=false end\n" /* it is no string: written over */
    "if (v and string.sub(v,1,16) or '')~=ARGV[1] then return 0 end\n"
    "redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3])\n"
    "if ARGV[4]~='' then redis.call('XADD',KEYS[2],'MAXLEN','~',ARGV[5],'*','n',ARGV[4]) end\n"
    "return 1";

struct put {
    struct list link; /* in share.puts */
    struct share *share;
    struct valkey_request request;
    uint64_t number;
    unsigned tries;
    char name[SHARE_NAME_MAX], word[SHARE_NAME_MAX];
    char expected[SHARE_MARK_MAX]; /* what the value that lies there begins with */
    size_t expected_length;
    struct record record; /* on the share's clock */
    char room[];          /* of its strings */
};

static void look(struct put *put);

static void end(struct put *put)
{
    list_remove(&put->link);
    valkey_request_cancel(&put->request);
    put->share->stats.pending--;
    share_turns_settle(put->share);
    free(put);
}

/* It is to be put again, however early it was learnt; of policies and probes all are. `moment`: on the
 * clock of the record. */
static void note_missing(struct share *share, const struct record *record,
                         struct record_moment moment)
{
    int64_t ago = record->kind == RECORD_ANSWER ? moment.wall_ms - record->answer.decided_at : 0;

    share_note_away(share, moment.monotonic_ms - ago - CLOCKS_MS);
}

static void fail(struct put *put)
{
    put->share->stats.failures++;
    note_missing(put->share, &put->record, share_moment(put->share));
    end(put);
}

/* ---- writing ---- */

static int64_t life_of(const struct record *record, int64_t now)
{
    const struct answer_record *answer = &record->answer;
    int64_t until = 0;

    switch (record->kind) {
    case RECORD_ANSWER:
        if (answer->remembered.observed != VERDICT_NO_OPINION || answer->remembered.secure ||
            answer->dane_until != 0)
            return SHARE_KEEP_MS;
        until = answer->valid_until;
        break;
    case RECORD_POLICY:
        until = record->policy.valid_until;
        if (until < now + LIFE_FAILED)
            until = now + LIFE_FAILED;
        break;
    case RECORD_PROBE:
        until = record->probe.result.valid_until;
        break;
    default:
        break;
    }
    return until > now + LIFE_MIN_MS ? until - now : LIFE_MIN_MS;
}

static void on_written(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct put *put = request->context;
    int64_t done;

    if (reply == NULL || !valkey_number(reply, &done)) {
        fail(put);
    } else if (done == 1) {
        put->share->stats.puts++;
        end(put);
    } else {
        put->share->stats.conflicts++;
        if (++put->tries < TRIES_MAX)
            look(put);
        else
            fail(put);
    }
}

/* Writes a record in the place of what was found there. */
static void write_record(struct put *put, const struct record *record, bool news)
{
    struct share *share = put->share;
    int64_t now = share_moment(share).wall_ms;
    size_t length = 0, news_length = 0; /* neither value has a NUL */
    char *text = share_record_write(record), *value = share_seal(share, put->name, text, &length);
    char *told =
        news ? share_news_seal(share, SHARE_NEWS_ANSWER, record->answer.key, now, &news_length)
             : NULL;
    char stream[SHARE_NAME_MAX];
    struct log_number life;
    const char *const words[] = {"EVAL",
                                 script,
                                 "2",
                                 put->name,
                                 stream,
                                 put->expected,
                                 value,
                                 log_number(&life, life_of(record, now)),
                                 told == NULL ? "" : told,
                                 SHARE_NEWS_KEPT};
    size_t lengths[10];

    share_news_name(stream, share);
    for (size_t i = 0; i < 10; i++)
        lengths[i] = i == EXPECTED ? put->expected_length : words[i] == NULL ? 0 : strlen(words[i]);
    share->stats.news_sent += told != NULL;
    if (value == NULL ||
        valkey_send(share->commands, &put->request, 10, words, lengths, on_written, put) != 0)
        fail(put);
    free(text);
    free(value);
    free(told);
}

/* ---- what lies there ---- */

/* The time by which records of a kind are early or late. */
static int64_t start_of(const struct record *record)
{
    switch (record->kind) {
    case RECORD_ANSWER:
        return record->answer.decided_at;
    case RECORD_POLICY:
        return record->policy.fetched_at;
    case RECORD_PROBE:
        return record->probe.result.probed_at;
    default:
        return 0;
    }
}

static bool same_downgrade(const struct downgrade *a, const struct downgrade *b)
{
    return a->since == b->since && a->until == b->until;
}

static bool same_memory(const struct answer_record *a, const struct answer_record *b)
{
    return a->remembered.observed == b->remembered.observed &&
           a->remembered.secure == b->remembered.secure && a->dane_until == b->dane_until &&
           same_downgrade(&a->remembered.verify, &b->remembered.verify) &&
           same_downgrade(&a->remembered.encrypt, &b->remembered.encrypt);
}

/* What every relay must know at once, rather than when it asks next. */
static bool is_news(const struct answer_record *was, const struct answer_record *now)
{
    return was->level != now->level || was->remembered.observed != now->remembered.observed ||
           (was->remembered.verify.since == 0) != (now->remembered.verify.since == 0) ||
           (was->remembered.encrypt.since == 0) != (now->remembered.encrypt.since == 0);
}

/* The other relay knows more: so does this one now. */
static void learn(struct share *share, const struct record *theirs)
{
    struct record own = *theirs;

    share_record_to_own(share, &own);
    share->events->answer(share->context, &own);
}

static void put_answer(struct put *put, const struct record *theirs, const struct share_word *word)
{
    struct record joined;

    if (!share_word_apply(&put->record, word)) {
        end(put); /* it was looked up before the key was forgotten */
        return;
    }
    joined = share_join(&put->record, theirs, word);
    if (theirs != NULL && (start_of(theirs) > start_of(&put->record) ||
                           !same_memory(&joined.answer, &put->record.answer)))
        learn(put->share, &joined);
    if (theirs != NULL && start_of(&joined) == start_of(theirs) &&
        same_memory(&joined.answer, &theirs->answer))
        end(put);
    else
        write_record(put, &joined, theirs != NULL && is_news(&theirs->answer, &joined.answer));
}

static void note_expected(struct put *put, const struct valkey_reply *value)
{
    size_t length = 0;
    const char *text = valkey_text(value, &length);

    put->expected_length = length < SHARE_MARK_MAX - 1 ? length : SHARE_MARK_MAX - 1;
    if (text != NULL)
        memcpy(put->expected, text, put->expected_length);
}

static void on_looked(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct put *put = request->context;
    struct share *share = put->share;
    struct arena *arena = reply == NULL ? NULL : arena_new(PUT_ARENA_MAX);
    const struct valkey_reply *value = valkey_at(reply, 0);
    struct share_word word;
    struct record *theirs;

    if (arena == NULL || valkey_count(reply) != 2) {
        arena_free(arena);
        fail(put);
        return;
    }
    note_expected(put, value);
    theirs = share_read_record(share, arena, put->name, value, put->record.kind);
    word = share_read_word(share, put->word, valkey_at(reply, 1));
    if (put->record.kind == RECORD_ANSWER) {
        share_take_word(share, put->record.answer.key, &word); /* before anything is learnt */
        put_answer(put, theirs, &word);
    } else if (word.forgotten_at != 0 && start_of(&put->record) <= word.forgotten_at)
        end(put); /* it was learnt before it was forgotten */
    else if (theirs != NULL && start_of(theirs) >= start_of(&put->record))
        end(put); /* a failure (of which the start is 0) takes no policy's place */
    else
        write_record(put, &put->record, false);
    arena_free(arena);
}

static void look(struct put *put)
{
    const char *const words[] = {"MGET", put->name, put->word};

    if (valkey_send(put->share->commands, &put->request, 3, words, NULL, on_looked, put) != 0)
        fail(put);
}

/* ---- from the cache ---- */

static bool name_put(struct put *put, const struct record *record)
{
    static const enum share_name kinds[RECORD_KINDS] = {[RECORD_ANSWER] = SHARE_ANSWER,
                                                        [RECORD_POLICY] = SHARE_POLICY,
                                                        [RECORD_PROBE] = SHARE_PROBE};
    char identity[RECORD_IDENTITY_MAX];

    return record_identity(identity, record) &&
           share_name(put->name, put->share, kinds[record->kind], identity) &&
           share_name_word(put->word, put->share, record->kind, identity);
}

void share_put(struct share *share, const struct record *record)
{
    const struct record_moment own = record_moment_of(clock_monotonic_ms(), clock_wall_ms(), 0);
    struct put *put;

    if (record->kind == RECORD_EVENT) {
        share_put_event(share, record);
        return;
    }
    if (!share->ready) {
        note_missing(share, record, own);
        return;
    }
    put =
        share->stats.pending < SHARE_PUTS_MAX ? malloc(sizeof *put + record_octets(record)) : NULL;
    if (put == NULL) {
        share->stats.dropped++;
        note_missing(share, record, own);
        return;
    }
    *put = (struct put){.share = share, .number = ++share->put_number};
    list_init(&put->link);
    list_append(&share->puts, &put->link);
    share->stats.pending++;
    record_place(&put->record, put->room, record);
    share_record_to_share(share, &put->record);
    if (name_put(put, record))
        look(put);
    else
        end(put);
}

/* They are listed in the order in which they began. */
uint64_t share_oldest_put(const struct share *share)
{
    return list_empty(&share->puts) ? UINT64_MAX
                                    : LIST_ELEMENT(share->puts.next, struct put, link)->number;
}

void share_puts_close(struct share *share)
{
    while (!list_empty(&share->puts))
        end(LIST_ELEMENT(share->puts.next, struct put, link));
}
