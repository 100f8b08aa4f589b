/*
 * share_tell_uv: what an operator says at one relay, to all. Of a key it also lies in the share, for
 * the relays that are away; what the share knows of a key that is forgotten goes.
 *
 * One is told after the other: what lies there is read first, so that a release does not undo that
 * a key was forgotten. One that the server refuses, as a server that is full or has become a replica
 * does, is told again at the next beat, behind the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/share/share_internal.h"

/* KEYS: stream, word, answer, policy. ARGV: the value for the stream, the length of the stream, the
 * word and its life in ms ("" for none), whether answer and policy go. */
static const char script[] =
    "if ARGV[3]~='' then redis.call('SET',KEYS[2],ARGV[3],'PX',ARGV[4]) end\n"
    "if ARGV[5]=='1' then redis.call('DEL',KEYS[3],KEYS[4]) end\n"
    "local function tell(call)\n"
    "return call('XADD',KEYS[1],'MAXLEN','~',ARGV[2],'*','n',ARGV[1]) end\n"
    "local r=tell(redis.pcall)\n"
    "if type(r)=='table' and r.err and string.find(r.err,'WRONGTYPE',1,true) then\n"
    "redis.call('DEL',KEYS[1]) return tell(redis.call) end\n" /* it is no stream */
    "return r";

struct tell {
    struct list link; /* in share.tells */
    struct share *share;
    struct valkey_request request;
    enum share_news_kind kind;
    int64_t at; /* the share's clock; 0: not known yet */
    char key[KEY_TEXT_MAX + 1];
};

static struct tell *first(struct share *share)
{
    return list_empty(&share->tells) ? NULL : LIST_ELEMENT(share->tells.next, struct tell, link);
}

static void end(struct tell *tell)
{
    list_remove(&tell->link);
    valkey_request_cancel(&tell->request);
    tell->share->tell_count--;
    free(tell);
}

static void on_told(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct tell *tell = request->context;
    struct share *share = tell->share;

    if (reply == NULL)
        return; /* once the share is ready again */
    if (valkey_type(reply) == VALKEY_ERROR) {
        share->stats.failures++;
        share_warn(share, tell->key, valkey_text(reply, NULL));
        list_remove(&tell->link);
        list_append(&share->tells, &tell->link);
        return;
    }
    share->stats.news_sent++;
    end(tell);
    share_tells_send(share);
}

/* The domain whose policy goes with a key; the key itself where there is none. */
static void name_policy(char out[SHARE_NAME_MAX], const struct tell *tell)
{
    struct key key;

    key_parse(&key, tell->key, strlen(tell->key), 25);
    share_name(out, tell->share, SHARE_POLICY, key.name[0] != '\0' ? key.name : tell->key);
}

static void send_tell(struct tell *tell, const struct share_word *word)
{
    struct share *share = tell->share;
    bool of_key = tell->kind != SHARE_NEWS_RELOAD;
    char stream[SHARE_NAME_MAX], names[3][SHARE_NAME_MAX], *text, *value, *told;
    struct log_number life;
    size_t length;

    share_news_name(stream, share);
    share_name(names[0], share, SHARE_WORD, tell->key);
    share_name(names[1], share, SHARE_ANSWER, tell->key);
    name_policy(names[2], tell);
    text = of_key ? share_word_write(word) : NULL;
    value = text == NULL ? NULL : share_seal(share, names[0], text, &length);
    told = share_news_seal(share, tell->kind, tell->key, tell->at, &length);
    if (told != NULL && (value != NULL || !of_key)) {
        const char *const words[] = {"EVAL",
                                     script,
                                     "4",
                                     stream,
                                     names[0],
                                     names[1],
                                     names[2],
                                     told,
                                     SHARE_NEWS_KEPT,
                                     value == NULL ? "" : value,
                                     log_number(&life, SHARE_KEEP_MS),
                                     tell->kind == SHARE_NEWS_FORGET ? "1" : "0"};

        valkey_send(share->commands, &tell->request, 12, words, NULL, on_told, tell);
    }
    free(text);
    free(value);
    free(told);
}

static void add(struct share_word *word, const struct tell *tell)
{
    int64_t *said_at = tell->kind == SHARE_NEWS_FORGET ? &word->forgotten_at : &word->released_at;

    if (*said_at < tell->at) /* it may have been said again since */
        *said_at = tell->at;
}

void share_tells_add(struct share *share, const char *name, struct share_word *word)
{
    char nobody[SHARE_NAME_MAX];

    if (list_empty(&share->tells) || !share_name(nobody, share, SHARE_WORD, ""))
        return;
    for (struct list *link = share->tells.next; link != &share->tells; link = link->next) {
        const struct tell *tell = LIST_ELEMENT(link, struct tell, link);

        if (tell->kind != SHARE_NEWS_RELOAD && strcmp(name + strlen(nobody), tell->key) == 0)
            add(word, tell);
    }
}

static void on_word(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct tell *tell = request->context;
    struct share *share = tell->share;
    char name[SHARE_NAME_MAX];
    struct share_word word;

    if (reply == NULL)
        return;
    share_name(name, share, SHARE_WORD, tell->key);
    word = share_read_word(share, name, reply);
    send_tell(tell, &word);
}

void share_tells_send(struct share *share)
{
    static const struct share_word none = {0, 0};
    struct tell *tell = first(share);
    char name[SHARE_NAME_MAX];
    const char *const words[] = {"GET", name};

    if (tell == NULL || !share->ready || tell->request.ticket != NULL)
        return;
    if (tell->at == 0)
        tell->at = share_moment(share).wall_ms;
    if (tell->kind == SHARE_NEWS_RELOAD) {
        send_tell(tell, &none);
        return;
    }
    share_name(name, share, SHARE_WORD, tell->key);
    valkey_send(share->commands, &tell->request, 2, words, NULL, on_word, tell);
}

bool share_tell(struct share *share, enum share_news_kind kind, const char *name)
{
    struct tell *tell;

    if (share->tell_count >= SHARE_TELLS_MAX || strlen(name) > KEY_TEXT_MAX)
        return false;
    tell = calloc(1, sizeof *tell);
    if (tell == NULL)
        return false;
    tell->share = share;
    tell->kind = kind;
    /* said while the share is away: it counts from now, as far as its clock was known */
    tell->at = share->epoch[0] != '\0' ? share_moment(share).wall_ms : 0;
    memcpy(tell->key, name, strlen(name) + 1);
    list_init(&tell->link);
    list_append(&share->tells, &tell->link);
    share->tell_count++;
    share_tells_send(share);
    return true;
}

void share_tells_close(struct share *share)
{
    while (!list_empty(&share->tells))
        end(first(share));
}
