/* share_text: see share_text.h. Records are those of record_json.h. */
#include "daemon/share/share_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "daemon/store/record_json.h"
#include "policy/key.h"

#define NO_JSON   "it is no JSON"
#define NO_MEMBER "a member is missing, unknown, or of another type"

bool share_relay_valid(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > SHARE_RELAY_MAX)
        return false;
    for (; *name != '\0'; name++)
        if (!ascii_is_alnum(*name) && strchr(".-_", *name) == NULL)
            return false;
    return true;
}

static json_t *load(const char *text, size_t length)
{
    return json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
}

static char *dump(json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    json_decref(json);
    return text;
}

static bool is_time(int64_t at)
{
    return at >= 0 && at <= RECORD_TIME_MAX;
}

/* ---- records ---- */

char *share_record_write(const struct record *record)
{
    return dump(record_to_json(record));
}

const char *share_record_read(struct record **out, struct arena *arena, const char *text,
                              size_t length)
{
    json_t *json = load(text, length);
    const char *why = NO_JSON;

    *out = json == NULL ? NULL : record_from_json(arena, json, &why);
    json_decref(json);
    return *out == NULL ? why : NULL;
}

/* ---- words ---- */

char *share_word_write(const struct share_word *word)
{
    return dump(json_pack("{s:I,s:I}", "forgotten", (json_int_t)word->forgotten_at, "released",
                          (json_int_t)word->released_at));
}

const char *share_word_read(struct share_word *out, const char *text, size_t length)
{
    json_t *json = load(text, length);
    json_int_t forgotten = -1, released = -1;
    bool good = json != NULL && json_unpack(json, "{s:I,s:I!}", "forgotten", &forgotten, "released",
                                            &released) == 0;

    json_decref(json);
    if (!good)
        return json == NULL ? NO_JSON : NO_MEMBER;
    if (!is_time(forgotten) || !is_time(released))
        return "a time is out of range";
    *out = (struct share_word){forgotten, released};
    return NULL;
}

/* ---- news ---- */

static const char *const kinds[] = {SHARE_NEWS(ENUM_WORD)};

char *share_news_write(const struct share_news *news)
{
    return dump(json_pack("{s:s,s:s,s:s,s:I}", "news", kinds[news->kind], "relay", news->relay,
                          "name", news->name, "at", (json_int_t)news->at));
}

/* A key that is not as this daemon writes it could be no key of its cache. */
static bool is_canonical(const char *name)
{
    size_t length = strlen(name);
    struct key key;

    if (length > KEY_TEXT_MAX)
        return false;
    key_parse(&key, name, length, 25);
    return key.kind != KEY_OTHER && strcmp(key.text, name) == 0;
}

static bool is_about(const struct share_news *news, const char *name)
{
    size_t length = strlen(name);
    struct ip ip;

    switch (news->kind) {
    case SHARE_NEWS_RELOAD:
        return length == 0;
    case SHARE_NEWS_DONE:
        return length > 0 && length <= SHARE_TURN_MAX && ascii_is_printable(name);
    case SHARE_NEWS_FORGET:
        return is_canonical(name) || ip_parse(&ip, name);
    default:
        return is_canonical(name);
    }
}

static const char *take_news(struct share_news *out, struct arena *arena, const json_t *json)
{
    const char *kind, *relay, *name;
    json_int_t at;

    if (json_unpack((json_t *)json, "{s:s,s:s,s:s,s:I!}", "news", &kind, "relay", &relay, "name",
                    &name, "at", &at) != 0)
        return NO_MEMBER;
    for (out->kind = 0; out->kind < SHARE_NEWS_KINDS; out->kind++)
        if (strcmp(kinds[out->kind], kind) == 0)
            break;
    if (out->kind == SHARE_NEWS_KINDS)
        return "news of an unknown kind";
    if (!share_relay_valid(relay))
        return "it is no relay's name";
    if (!is_about(out, name))
        return "it is about no key";
    if (!is_time(at))
        return "a time is out of range";
    memcpy(out->relay, relay, strlen(relay) + 1);
    out->at = at;
    out->name = arena_strdup(arena, name);
    return out->name == NULL ? "no memory" : NULL;
}

const char *share_news_read(struct share_news *out, struct arena *arena, const char *text,
                            size_t length)
{
    json_t *json = load(text, length);
    const char *why = json == NULL ? NO_JSON : take_news(out, arena, json);

    json_decref(json);
    return why;
}

/* ---- relays ---- */

char *share_relay_write(const struct share_relay *relay)
{
    char rules[17];

    snprintf(rules, sizeof rules, "%016" PRIx64, relay->rules);
    return dump(json_pack("{s:s,s:s,s:s,s:I,s:b,s:i,s:I,s:I,s:I}", "relay", relay->name, "version",
                          relay->version, "rules", rules, "settings", (json_int_t)relay->settings,
                          "monitor", (int)relay->monitor, "rollout", (int)relay->rollout, "at",
                          (json_int_t)relay->at, "news_at", (json_int_t)relay->news_at, "skew_ms",
                          (json_int_t)relay->skew_ms));
}

static const char *take_relay(struct share_relay *out, const json_t *json)
{
    const char *name, *version, *rules;
    json_int_t settings, at, news_at, skew = 0;
    int monitor, rollout;

    if (json_unpack((json_t *)json, "{s:s,s:s,s:s,s:I,s:b,s:i,s:I,s:I,s?I}", "relay", &name,
                    "version", &version, "rules", &rules, "settings", &settings, "monitor",
                    &monitor, "rollout", &rollout, "at", &at, "news_at", &news_at, "skew_ms",
                    &skew) != 0)
        return NO_MEMBER;
    if (!share_relay_valid(name) || !share_relay_valid(version) || strlen(rules) != 16 ||
        strspn(rules, "0123456789abcdef") != 16)
        return "it is no relay";
    if (settings < 0 || settings > UINT32_MAX || rollout < 0 || rollout > 100 || !is_time(at) ||
        !is_time(news_at) || skew < -RECORD_TIME_MAX || skew > RECORD_TIME_MAX)
        return "a number is out of range";
    *out = (struct share_relay){.rules = strtoull(rules, NULL, 16),
                                .settings = (uint32_t)settings,
                                .monitor = monitor != 0,
                                .rollout = (unsigned)rollout,
                                .at = at,
                                .news_at = news_at,
                                .skew_ms = skew};
    strcpy(out->name, name);
    strcpy(out->version, version);
    return NULL;
}

const char *share_relay_read(struct share_relay *out, const char *text, size_t length)
{
    json_t *json = load(text, length);
    const char *why = json == NULL ? NO_JSON : take_relay(out, json);

    json_decref(json);
    return why;
}

bool share_relay_same(const struct share_relay *a, const struct share_relay *b)
{
    return strcmp(a->version, b->version) == 0 && a->rules == b->rules &&
           a->settings == b->settings && a->monitor == b->monitor && a->rollout == b->rollout;
}

/* ---- joining ---- */

static struct remembered remembered_of(const struct answer_record *answer)
{
    struct remembered remembered = answer->remembered;

    remembered_set_dane_until(&remembered, answer->dane_until);
    return remembered;
}

bool share_word_apply(struct record *answer, const struct share_word *word)
{
    struct answer_record *record = &answer->answer;
    int64_t since = remembered_held_since(&record->remembered);

    if (record->decided_at <= word->forgotten_at)
        return false;
    /* a relay that has not heard of it may have looked the key up again, and hold on */
    if (record->decided_at <= word->released_at ||
        (since != 0 && (since <= word->released_at || since <= word->forgotten_at)))
        remembered_release(&record->remembered);
    return true;
}

struct record share_join(const struct record *ours, const struct record *theirs,
                         const struct share_word *word)
{
    struct record first, second;
    struct remembered a, b, joined;

    if (theirs == NULL)
        return *ours;
    first = theirs->answer.decided_at <= ours->answer.decided_at ? *theirs : *ours;
    second = theirs->answer.decided_at <= ours->answer.decided_at ? *ours : *theirs;
    if (!share_word_apply(&first, word))
        return second;
    (void)share_word_apply(&second, word);
    a = remembered_of(&first.answer);
    b = remembered_of(&second.answer);
    joined = remembered_join(&a, &b);
    second.answer.dane_until = remembered_dane_until(&joined, second.answer.decided_at);
    second.answer.remembered = joined;
    return second;
}
