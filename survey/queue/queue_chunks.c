/* queue_chunks: see queue_chunks.h. Replies are hostile: what is not as it must be is not there. */
#include "survey/queue/queue_chunks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "survey/queue/job.h"

#define GROUP "work"
#define FIELD "j"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define NUMBER_MAX 24

static const char *number_text(char out[NUMBER_MAX], int64_t number)
{
    snprintf(out, NUMBER_MAX, "%" PRId64, number);
    return out;
}

struct names {
    char key[QUEUE_KEY_MAX], stream[CHUNK_NAME_MAX], entry[CHUNK_NAME_MAX], name[CHUNK_NAME_MAX];
};

static void names_of(struct names *out, const struct queue *queue,
                     const struct results_chunk *chunk)
{
    queue_key(queue, out->key, chunk_stream(out->stream, chunk), NULL);
    chunk_entry(out->entry, chunk);
    chunk_name(out->name, chunk);
}

/* ---- the run ---- */

/* The first plan counts. Its mark is the server's time. */
static const char put_plan[] =
    "if redis.call('HSETNX', KEYS[1], 'plan', ARGV[1]) == 1 then "
    "local t = redis.call('TIME') redis.call('HSET', KEYS[1], 'mark', t[1] .. '.' .. t[2], "
    "'phase', '" QUEUE_PHASE_BEGUN "') end "
    "if redis.call('HGET', KEYS[1], 'plan') == ARGV[1] then return 1 end return 0";

bool queue_put_plan(struct queue *queue, const struct plan *plan, bool *same)
{
    char key[QUEUE_KEY_MAX];
    struct buf text;
    int64_t number = 0;
    bool ok;

    buf_init(&text, PLAN_TEXT_MAX);
    plan_write(&text, plan);
    ok = !text.failed || queue_fail(queue, "no memory");
    ok = ok && queue_ask(queue, queue_take_number, &number,
                         WORDS("EVAL", put_plan, "1", queue_key(queue, key, "run", NULL),
                               buf_text(&text)));
    buf_fini(&text);
    *same = number == 1;
    return ok;
}

static void take_run(void *context, const struct valkey_reply *reply)
{
    struct queue_run *out = context;
    size_t length = 0, mark = 0;
    const char *text = valkey_text(valkey_at(reply, 0), &length);
    const char *marked = valkey_text(valkey_at(reply, 2), &mark);

    *out = (struct queue_run){.there = text != NULL};
    out->good = text != NULL && plan_read(&out->plan, text, length);
    out->ended = valkey_is(valkey_at(reply, 1), QUEUE_PHASE_ENDED);
    if (marked != NULL && mark < sizeof out->mark)
        memcpy(out->mark, marked, mark);
}

bool queue_get_run(struct queue *queue, struct queue_run *out)
{
    char key[QUEUE_KEY_MAX];

    return queue_ask(queue, take_run, out,
                     WORDS("HMGET", queue_key(queue, key, "run", NULL), "plan", "phase", "mark"));
}

bool queue_end_run(struct queue *queue, const struct plan *plan)
{
    static const char *const others[] = {"domains", "hosts", "tries", "parts", "slots"};
    char key[QUEUE_KEY_MAX];
    struct results_chunk chunk = {UNIT_ADDRESS, 0, 1};
    struct names names;

    if (!queue_ask(queue, NULL, NULL,
                   WORDS("HSET", queue_key(queue, key, "run", NULL), "phase", QUEUE_PHASE_ENDED)))
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!queue_ask(queue, NULL, NULL, WORDS("DEL", queue_key(queue, key, others[i], NULL))))
            return false;
    for (; chunk.part < plan->parts; chunk.part++) {
        names_of(&names, queue, &chunk);
        if (!queue_ask(queue, NULL, NULL, WORDS("DEL", names.key)))
            return false;
    }
    return true;
}

/* ---- putting in ---- */

/* The member of XINFO STREAM, which is a list of names and values. */
static void take_last(void *context, const struct valkey_reply *reply)
{
    int64_t *number = context;

    *number = 0;
    for (size_t i = 0; i + 1 < valkey_count(reply); i += 2) {
        size_t length;
        const char *text = valkey_text(valkey_at(reply, i + 1), &length);

        if (valkey_is(valkey_at(reply, i), "last-generated-id") && text != NULL &&
            !chunk_entry_read(number, text, length))
            *number = 0;
    }
}

bool queue_last(struct queue *queue, const struct results_chunk *chunk, int64_t *number)
{
    struct names names;

    names_of(&names, queue, chunk);
    return queue_ask(queue, NULL, NULL,
                     WORDS("XGROUP", "CREATE", names.key, GROUP, "0", "MKSTREAM")) &&
           queue_ask(queue, take_last, number, WORDS("XINFO", "STREAM", names.key));
}

bool queue_put(struct queue *queue, const struct results_chunk *chunk, const char *job)
{
    char key[QUEUE_KEY_MAX], part[NUMBER_MAX];
    struct names names;

    names_of(&names, queue, chunk);
    return queue_ask(queue, NULL, NULL, WORDS("XADD", names.key, names.entry, FIELD, job)) &&
           (chunk->kind != UNIT_ADDRESS ||
            queue_ask(queue, NULL, NULL,
                      WORDS("SADD", queue_key(queue, key, "parts", NULL),
                            number_text(part, chunk->part))));
}

bool queue_length(struct queue *queue, const struct results_chunk *chunk, int64_t *length)
{
    struct names names;

    names_of(&names, queue, chunk);
    return queue_ask(queue, queue_take_number, length, WORDS("XLEN", names.key));
}

/* Without XACK a deleted entry would stay pending. */
static const char done[] = "redis.call('XACK', KEYS[1], '" GROUP "', ARGV[1]) "
                           "redis.call('XDEL', KEYS[1], ARGV[1]) "
                           "return redis.call('HDEL', KEYS[2], ARGV[2])";

bool queue_done(struct queue *queue, const struct results_chunk *chunk)
{
    char tries[QUEUE_KEY_MAX];
    struct names names;

    names_of(&names, queue, chunk);
    return queue_ask(queue, NULL, NULL,
                     WORDS("EVAL", done, "2", names.key, queue_key(queue, tries, "tries", NULL),
                           names.entry, names.name));
}

/* ---- taking out ---- */

struct taking {
    struct results_chunk *chunk;
    struct buf *job;
    struct queue_reader *reader;
};

/* [ID, [FIELD, TEXT]]; one that was deleted while it was pending has nil instead. */
static void take_entry(struct taking *taking, const struct valkey_reply *entry)
{
    const struct valkey_reply *fields = valkey_at(entry, 1);
    size_t length = 0, job = 0;
    int64_t number;
    const char *id = valkey_text(valkey_at(entry, 0), &length);
    const char *text = valkey_text(valkey_at(fields, 1), &job);

    taking->chunk->number = 0;
    buf_clear(taking->job);
    if (id == NULL || text == NULL || job > JOB_TEXT_MAX || memchr(text, '\0', job) != NULL ||
        !valkey_is(valkey_at(fields, 0), FIELD) || !chunk_entry_read(&number, id, length))
        return;
    taking->chunk->number = number;
    buf_add(taking->job, text, job);
}

/* [[STREAM, [ENTRY]]] */
static void take_read(void *context, const struct valkey_reply *reply)
{
    take_entry(context, valkey_at(valkey_at(valkey_at(reply, 0), 1), 0));
}

/* [CURSOR, [ENTRY], DELETED...] */
static void take_claimed(void *context, const struct valkey_reply *reply)
{
    struct taking *taking = context;
    char *cursor = taking->reader->cursor;
    size_t length;
    const char *text = valkey_text(valkey_at(reply, 0), &length);

    take_entry(taking, valkey_at(valkey_at(reply, 1), 0));
    cursor[0] = '\0';
    if (text == NULL || length >= sizeof taking->reader->cursor || strcmp(text, "0-0") == 0)
        return;
    memcpy(cursor, text, length);
    cursor[length] = '\0';
}

bool queue_claim(struct queue *queue, struct queue_reader *reader, struct results_chunk *chunk,
                 struct buf *job)
{
    struct taking taking = {chunk, job, reader};
    char idle[NUMBER_MAX], from[sizeof reader->cursor];
    struct names names;

    names_of(&names, queue, chunk);
    chunk->number = 0;
    snprintf(from, sizeof from, "%s", reader->cursor[0] == '\0' ? "0-0" : reader->cursor);
    return queue_ask(queue, take_claimed, &taking,
                     WORDS("XAUTOCLAIM", names.key, GROUP, reader->consumer,
                           number_text(idle, reader->idle_ms), from, "COUNT", "1"));
}

bool queue_read(struct queue *queue, const struct queue_reader *reader, struct results_chunk *chunk,
                struct buf *job)
{
    struct taking taking = {chunk, job, NULL};
    struct names names;

    names_of(&names, queue, chunk);
    chunk->number = 0;
    return queue_ask(queue, take_read, &taking,
                     WORDS("XREADGROUP", "GROUP", GROUP, reader->consumer, "COUNT", "1", "STREAMS",
                           names.key, ">"));
}

bool queue_hand_back(struct queue *queue, const struct queue_reader *reader,
                     const struct results_chunk *chunk)
{
    char idle[NUMBER_MAX];
    struct names names;

    names_of(&names, queue, chunk);
    return queue_ask(queue, NULL, NULL,
                     WORDS("XCLAIM", names.key, GROUP, reader->consumer, "0", names.entry, "IDLE",
                           number_text(idle, reader->idle_ms), "JUSTID"));
}

struct parts {
    unsigned *out;
    size_t max, *count;
};

static void take_parts(void *context, const struct valkey_reply *reply)
{
    struct parts *parts = context;

    *parts->count = 0;
    for (size_t i = 0; i < valkey_count(reply) && *parts->count < parts->max; i++) {
        int64_t part;

        if (valkey_number(valkey_at(reply, i), &part) && part >= 0 && part < CHUNK_PARTS_MAX)
            parts->out[(*parts->count)++] = (unsigned)part;
    }
}

bool queue_parts(struct queue *queue, unsigned *out, size_t max, size_t *count)
{
    struct parts parts = {out, max, count};
    char key[QUEUE_KEY_MAX];

    return queue_ask(queue, take_parts, &parts,
                     WORDS("SMEMBERS", queue_key(queue, key, "parts", NULL)));
}

/* ---- tries ---- */

bool queue_try(struct queue *queue, const struct results_chunk *chunk, int by, int64_t *tries)
{
    char key[QUEUE_KEY_MAX], name[CHUNK_NAME_MAX], number[NUMBER_MAX];

    return queue_ask(queue, queue_take_number, tries,
                     WORDS("HINCRBY", queue_key(queue, key, "tries", NULL), chunk_name(name, chunk),
                           number_text(number, by)));
}

static const char set_aside[] = "redis.call('HSET', KEYS[2], ARGV[2], ARGV[3]) "
                                "redis.call('XACK', KEYS[1], '" GROUP "', ARGV[1]) "
                                "return redis.call('XDEL', KEYS[1], ARGV[1])";

bool queue_set_aside(struct queue *queue, const struct results_chunk *chunk, const char *job)
{
    char aside[QUEUE_KEY_MAX];
    struct names names;

    names_of(&names, queue, chunk);
    return queue_ask(queue, NULL, NULL,
                     WORDS("EVAL", set_aside, "2", names.key,
                           queue_key(queue, aside, "aside", NULL), names.entry, names.name, job));
}

bool queue_aside_count(struct queue *queue, int64_t *count)
{
    char key[QUEUE_KEY_MAX];

    return queue_ask(queue, queue_take_number, count,
                     WORDS("HLEN", queue_key(queue, key, "aside", NULL)));
}

struct asides {
    queue_aside_taker *take;
    void *context;
};

static void take_asides(void *context, const struct valkey_reply *reply)
{
    struct asides *asides = context;

    for (size_t i = 0; i + 1 < valkey_count(reply); i += 2) {
        struct results_chunk chunk;
        size_t name, job;
        const char *text = valkey_text(valkey_at(reply, i), &name);
        const char *names = valkey_text(valkey_at(reply, i + 1), &job);

        if (text != NULL && names != NULL && chunk_name_read(&chunk, text, name))
            asides->take(asides->context, &chunk, names, job);
    }
}

bool queue_each_aside(struct queue *queue, queue_aside_taker *take, void *context)
{
    struct asides asides = {take, context};
    char key[QUEUE_KEY_MAX];

    return queue_ask(queue, take_asides, &asides,
                     WORDS("HGETALL", queue_key(queue, key, "aside", NULL)));
}

/* ---- workers ---- */

static const char keep_slots[] =
    "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "for i = 1, tonumber(ARGV[2]) do "
    "redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1] .. '#' .. i) end "
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now) return redis.call('ZCARD', KEYS[1])";

bool queue_keep_slots(struct queue *queue, const char *token, unsigned slots, int64_t ms,
                      int64_t *all)
{
    char key[QUEUE_KEY_MAX], count[NUMBER_MAX], time[NUMBER_MAX];
    bool ok = queue_ask(queue, queue_take_number, all,
                        WORDS("EVAL", keep_slots, "1", queue_key(queue, key, "slots", NULL), token,
                              number_text(count, slots), number_text(time, ms)));

    if (ok && *all < 1)
        *all = 1;
    return ok;
}

/* ---- leases ---- */

static const char renew[] = "if redis.call('GET', KEYS[1]) == ARGV[1] then "
                            "return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0";
static const char release[] = "if redis.call('GET', KEYS[1]) == ARGV[1] then "
                              "return redis.call('DEL', KEYS[1]) end return 0";

bool queue_renew(struct queue *queue, const char *name, const char *token, int64_t ms, bool *ours)
{
    char key[QUEUE_KEY_MAX], time[NUMBER_MAX];
    int64_t number = 0;
    bool ok = queue_ask(queue, queue_take_number, &number,
                        WORDS("EVAL", renew, "1", queue_key(queue, key, "lease", name), token,
                              number_text(time, ms)));

    *ours = number == 1;
    return ok;
}

bool queue_lease(struct queue *queue, const char *name, const char *token, int64_t ms, bool *ours)
{
    char key[QUEUE_KEY_MAX], time[NUMBER_MAX];

    if (!queue_ask(queue, queue_take_any, ours,
                   WORDS("SET", queue_key(queue, key, "lease", name), token, "NX", "PX",
                         number_text(time, ms))))
        return false;
    /* it may be ours already, where the answer was lost */
    return *ours || queue_renew(queue, name, token, ms, ours);
}

bool queue_release(struct queue *queue, const char *name, const char *token)
{
    char key[QUEUE_KEY_MAX];

    return queue_ask(queue, NULL, NULL,
                     WORDS("EVAL", release, "1", queue_key(queue, key, "lease", name), token));
}
