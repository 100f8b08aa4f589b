/*
 * share_feed_uv: follows the stream of news, on a connection of its own that waits for them. Where
 * it stands is kept while the connection is lost, and of a relay that starts again its own entry in
 * the list of relays knows it. A stream that begins after that was cut or begun anew, and one that ends
 * before it has lost its end, as in a fail-over: what was in between is not known, and everything is
 * compared again; so it is by a relay that is in no list.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "daemon/share/share_internal.h"

#define FEED_ARENA_MAX 65536 /* of one entry */
#define FEED_MAX       200   /* entries at once */

void share_news_name(char out[SHARE_NAME_MAX], const struct share *share)
{
    CHECK(snprintf(out, SHARE_NAME_MAX, "%s:" SHARE_VERSION ":news", share->options.prefix) <
          SHARE_NAME_MAX);
}

char *share_news_seal(const struct share *share, enum share_news_kind kind, const char *name,
                      int64_t at, size_t *length)
{
    struct share_news news = {.kind = kind, .name = name, .at = at};
    char stream[SHARE_NAME_MAX], *text, *value;

    share_news_name(stream, share);
    snprintf(news.relay, sizeof news.relay, "%s", share->options.relay);
    text = share_news_write(&news);
    value = share_seal(share, stream, text, length);
    free(text);
    return value;
}

/* ---- whether they come ---- */

static void lose_news(struct share *share, const char *why, bool refused)
{
    if (share->news_lost_at == 0)
        share->news_lost_at = clock_monotonic_ms();
    share->news_refused = refused;
    snprintf(share->stats.news_error, sizeof share->stats.news_error, "%s", why);
}

static void note_news(struct share *share)
{
    if (share->news_lost_told)
        log_event(LOG_LEVEL_INFO, "share-news-ready", "server", valkey_where(share->feed), NULL);
    share->news_lost_told = share->news_refused = false;
    share->news_lost_at = 0;
    share->stats.news_error[0] = '\0';
}

/* A share that is back has its news a beat later: nothing is said of that. */
void share_feed_watch(struct share *share)
{
    int64_t now = clock_monotonic_ms(), enough = now - 2 * SHARE_BEAT_MS;

    if (!share->ready || share->news_lost_at == 0 || share->news_lost_told ||
        share->news_lost_at > enough || share->ready_since > enough)
        return;
    share->news_lost_told = true;
    log_event(LOG_LEVEL_WARNING, "share-news-lost", "server", valkey_where(share->feed), "reason",
              share->stats.news_error, NULL);
}

/* ---- entries ---- */

/* Where an entry stands: milliseconds and a number in them. */
struct place {
    uint64_t ms, number;
};

static bool read_place(struct place *out, const char *text)
{
    int end = 0;

    return text != NULL && strspn(text, "0123456789-") == strlen(text) && strlen(text) < 42 &&
           sscanf(text, "%20" SCNu64 "-%20" SCNu64 "%n", &out->ms, &out->number, &end) == 2 &&
           text[end] == '\0';
}

int64_t share_place_ms(const char *place)
{
    struct place read;

    return read_place(&read, place) && read.ms <= RECORD_TIME_MAX ? (int64_t)read.ms : 0;
}

static bool is_after(const char *a, const char *b)
{
    struct place first, second;

    return read_place(&first, a) && read_place(&second, b) &&
           (first.ms != second.ms ? first.ms > second.ms : first.number > second.number);
}

static void take_news(struct share *share, const struct valkey_reply *value)
{
    const struct record_moment moment = share_moment(share);
    struct arena *arena = arena_new(FEED_ARENA_MAX);
    char stream[SHARE_NAME_MAX];
    struct share_frame frame;
    struct share_news news;
    const char *why;

    share_news_name(stream, share);
    if (arena != NULL && share_open(&frame, share, stream, value)) {
        why = share_news_read(&news, arena, frame.text, frame.length);
        if (why != NULL) {
            share_refuse(share, stream, why);
        } else if (news.kind == SHARE_NEWS_DONE) {
            share_turn_done(share, news.name);
        } else if (strcmp(news.relay, share->options.relay) != 0) {
            share->stats.news_taken++;
            if (news.at > moment.wall_ms)
                news.at = moment.wall_ms;
            news.at += moment.monotonic_ms - moment.wall_ms;
            share->events->news(share->context, &news);
        }
    }
    arena_free(arena);
}

/* An entry is its place, and fields with values; ours have one. False for what is no entry, or does not
 * come after the last. */
static bool take_entry(struct share *share, const struct valkey_reply *entry)
{
    const char *place = valkey_text(valkey_at(entry, 0), NULL);
    const struct valkey_reply *fields = valkey_at(entry, 1);
    struct place read;

    if (!read_place(&read, place) || !is_after(place, share->position))
        return false;
    snprintf(share->position, sizeof share->position, "%s", place);
    if (valkey_is(valkey_at(fields, 0), "n"))
        take_news(share, valkey_at(fields, 1));
    return true;
}

/* ---- following ---- */

static void follow(struct share *share);
static void ask_first(struct share *share);

/* NULL, or why the reply counts for nothing. */
static const char *take_entries(struct share *share, const struct valkey_reply *reply)
{
    const struct valkey_reply *entries = valkey_at(valkey_at(reply, 0), 1);
    size_t count = valkey_count(entries);

    if (count == 0 && clock_monotonic_ms() - share->followed_at < SHARE_BEAT_MS / 2)
        return "the server does not wait for entries";
    for (size_t i = 0; i < count; i++)
        if (i == FEED_MAX || !take_entry(share, valkey_at(entries, i)))
            return "it is no entry of a stream, or not the next";
    return NULL;
}

/* After a reply that counts for nothing the next beat begins again: the server would be asked all the
 * time. Where nothing came, the stream may be another. */
static void on_entries(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share *share = request->context;
    const char *why;

    if (reply == NULL)
        return;
    if (valkey_type(reply) == VALKEY_ERROR) {
        lose_news(share, valkey_text(reply, NULL), true);
        return; /* the next beat begins again */
    }
    why = take_entries(share, reply);
    if (why != NULL) {
        share_refuse(share, "XREAD", why);
        return;
    }
    note_news(share);
    if (valkey_count(reply) == 0)
        ask_first(share);
    else
        follow(share);
}

static void follow(struct share *share)
{
    char stream[SHARE_NAME_MAX];
    struct log_number most, wait;
    const char *const words[] = {"XREAD",
                                 "COUNT",
                                 log_number(&most, FEED_MAX),
                                 "BLOCK",
                                 log_number(&wait, SHARE_BEAT_MS),
                                 "STREAMS",
                                 stream,
                                 share->position};

    share_news_name(stream, share);
    share->followed_at = clock_monotonic_ms();
    valkey_send(share->feed, &share->feed_asked, 8, words, NULL, on_entries, share);
}

/* Whether the server has answered where the stream begins, or ends. */
static bool has_place(struct share *share, const struct valkey_reply *reply)
{
    if (reply == NULL)
        return false;
    if (valkey_type(reply) == VALKEY_ERROR) {
        lose_news(share, valkey_text(reply, NULL), true);
        return false;
    }
    if (!share->news_refused) /* else only an entry, or a wait for one, proves that they come */
        note_news(share);
    return true;
}

/* From the beginning, and everything is compared. */
static void start_over(struct share *share)
{
    snprintf(share->position, sizeof share->position, "0-0");
    share->events->begun(share->context, 0);
}

/* The end of the stream, where a relay that begins stands; not before where this relay stands, or what
 * is told now would not be heard. */
static void on_last(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share *share = request->context;
    const char *place = valkey_text(valkey_at(valkey_at(reply, 0), 0), NULL);
    struct place read;

    if (!has_place(share, reply))
        return;
    if (!read_place(&read, place))
        place = "0-0";
    if (share->position[0] == '\0') {
        snprintf(share->position, sizeof share->position, "%s", place);
        share_show_up(share);
    } else if (is_after(share->position, place)) {
        start_over(share);
    }
    follow(share);
}

static void ask_last(struct share *share)
{
    char stream[SHARE_NAME_MAX];
    const char *const words[] = {"XREVRANGE", stream, "+", "-", "COUNT", "1"};

    share_news_name(stream, share);
    valkey_send(share->feed, &share->feed_asked, 6, words, NULL, on_last, share);
}

/* The beginning of the stream: not after where this relay stands, or something was missed. */
static void on_first(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share *share = request->context;
    const char *place = valkey_text(valkey_at(valkey_at(reply, 0), 0), NULL);

    if (!has_place(share, reply))
        return;
    if (strcmp(share->position, "0-0") != 0 && (place == NULL || is_after(place, share->position)))
        start_over(share);
    ask_last(share);
}

static void ask_first(struct share *share)
{
    char stream[SHARE_NAME_MAX];
    const char *const words[] = {"XRANGE", stream, "-", "+", "COUNT", "1"};

    share_news_name(stream, share);
    valkey_send(share->feed, &share->feed_asked, 6, words, NULL, on_first, share);
}

/* Goes on where this relay stood in its life before, if that is known. What it learnt last may not
 * have got there. */
static void on_self(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share *share = request->context;
    const struct record_moment moment = share_moment(share);
    struct share_relay self;

    if (reply == NULL)
        return;
    if (share_read_self(&self, share, reply) && self.news_at > 0) {
        snprintf(share->position, sizeof share->position, "%" PRId64 "-0", self.news_at);
        share->events->begun(share->context,
                             self.at - SHARE_BEAT_MS + moment.monotonic_ms - moment.wall_ms);
        ask_first(share);
    } else {
        share->events->begun(share->context, 0);
        ask_last(share);
    }
}

static void ask_self(struct share *share)
{
    char list[SHARE_NAME_MAX];
    const char *const words[] = {"HGET", list, share->options.relay};

    share_roster_name(list, share);
    valkey_send(share->feed, &share->feed_asked, 3, words, NULL, on_self, share);
}

void share_feed_begin(struct share *share)
{
    if (!share->following || !share->ready || !valkey_is_ready(share->feed) ||
        share->feed_asked.ticket != NULL)
        return;
    if (share->position[0] == '\0')
        ask_self(share);
    else
        ask_first(share);
}

void share_follow(struct share *share)
{
    share->following = true;
    share_feed_begin(share);
}

void share_on_feed(void *context, bool ready, const char *why)
{
    struct share *share = context;

    if (ready)
        share_feed_begin(share);
    else
        lose_news(share, why, false);
}
