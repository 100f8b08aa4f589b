/*
 * share_roster_uv: which relays there are. Each says at every beat what it is; who says nothing any
 * more is listed for a day.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/share/share_internal.h"

#define ROSTER_MS 30000 /* the others are looked at this often */

void share_roster_name(char out[SHARE_NAME_MAX], const struct share *share)
{
    snprintf(out, SHARE_NAME_MAX, "%s:" SHARE_VERSION ":relays", share->options.prefix);
}

static struct share_relay describe(struct share *share)
{
    struct share_relay self = {.settings = share->options.settings,
                               .at = share_moment(share).wall_ms,
                               .news_at = share_place_ms(share->position)};
    struct share_stats stats;

    share->events->describe(share->context, &self);
    share_get_stats(share, &stats);
    self.skew_ms = stats.skew_ms;
    snprintf(self.name, sizeof self.name, "%s", share->options.relay);
    return self;
}

void share_show_up(struct share *share)
{
    struct share_relay self = describe(share);
    char name[SHARE_NAME_MAX], *text, *value;
    size_t length;

    if (share->position[0] == '\0')
        return; /* what it said in its life before is still needed */
    share_roster_name(name, share);
    text = share_relay_write(&self);
    value = share_seal(share, name, text, &length);
    if (value != NULL) {
        const char *const words[] = {"HSET", name, self.name, value};

        (void)valkey_send(share->commands, NULL, 4, words, NULL, NULL, NULL);
    }
    free(text);
    free(value);
}

/* ---- listing them ---- */

/* Nobody has heard of it for long, or it is none of ours. */
static void strike_out(struct share *share, const char *list, const char *relay)
{
    const char *const words[] = {"HDEL", list, relay};

    (void)valkey_send(share->commands, NULL, 3, words, NULL, NULL, NULL);
}

bool share_read_self(struct share_relay *out, struct share *share, const struct valkey_reply *value)
{
    char list[SHARE_NAME_MAX];
    struct share_frame frame;

    share_roster_name(list, share);
    return share_open(&frame, share, list, value) &&
           share_relay_read(out, frame.text, frame.length) == NULL &&
           strcmp(out->name, share->options.relay) == 0;
}

/* One field of the list and its value. False where it does not count. */
static bool take_relay(struct share_relay *out, struct share *share, const char *list,
                       const struct valkey_reply *field, const struct valkey_reply *value,
                       int64_t now)
{
    const char *name = valkey_text(field, NULL), *why;
    struct share_frame frame;

    if (name == NULL || !share_open(&frame, share, list, value))
        return false;
    why = share_relay_read(out, frame.text, frame.length);
    if (why == NULL && strcmp(out->name, name) != 0)
        why = "it is another relay's";
    if (why != NULL)
        share_refuse(share, list, why);
    else if (out->at < now - SHARE_RELAY_GONE_MS)
        strike_out(share, list, name);
    else
        return true;
    return false;
}

static void on_listed(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share_roster *roster = request->context;
    struct share *share = roster->share;
    int64_t now = share_moment(share).wall_ms;
    size_t fields = valkey_count(reply) / 2, count = 0;
    struct share_relay *relays;
    char list[SHARE_NAME_MAX];

    if (fields > SHARE_RELAYS_MAX)
        fields = SHARE_RELAYS_MAX;
    relays = valkey_type(reply) == VALKEY_ARRAY ? calloc(fields + 1, sizeof *relays) : NULL;
    share_roster_name(list, share);
    for (size_t i = 0; relays != NULL && i < fields; i++)
        count += take_relay(&relays[count], share, list, valkey_at(reply, 2 * i),
                            valkey_at(reply, 2 * i + 1), now);
    valkey_request_cancel(&roster->last);
    roster->share = NULL;
    roster->done(roster, relays, count, now, roster->last_news);
    free(relays);
}

static void on_last(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share_roster *roster = request->context;
    const char *place = valkey_text(valkey_at(valkey_at(reply, 0), 0), NULL);

    roster->last_news = place == NULL ? 0 : share_place_ms(place);
}

int share_list(struct share_roster *roster, struct share *share, share_listed done, void *context)
{
    char list[SHARE_NAME_MAX], stream[SHARE_NAME_MAX];
    const char *const last[] = {"XREVRANGE", stream, "+", "-", "COUNT", "1"};
    const char *const all[] = {"HGETALL", list};
    int error;

    if (!share->ready)
        return UV_ENOTCONN;
    *roster = (struct share_roster){.share = share, .done = done, .context = context};
    share_roster_name(list, share);
    share_news_name(stream, share);
    error = valkey_send(share->commands, &roster->last, 6, last, NULL, on_last, roster);
    if (error == 0)
        error = valkey_send(share->commands, &roster->request, 2, all, NULL, on_listed, roster);
    if (error != 0)
        share_roster_cancel(roster);
    return error;
}

void share_roster_cancel(struct share_roster *roster)
{
    valkey_request_cancel(&roster->request);
    valkey_request_cancel(&roster->last);
    roster->share = NULL;
}

/* ---- what is counted of them ---- */

static void count_relays(struct share_roster *roster, const struct share_relay *relays,
                         size_t count, int64_t now, int64_t last_news)
{
    struct share *share = roster->context;
    const struct share_relay self = describe(share);

    if (count == 0)
        return; /* it does not answer: what was known stands */
    share->stats.relays = share->stats.differing = 0;
    for (size_t i = 0; i < count; i++) {
        if (relays[i].at < now - SHARE_RELAY_SILENT_MS)
            continue;
        share->stats.relays++;
        share->stats.differing += !share_relay_same(&relays[i], &self);
    }
    share->stats.behind_ms = self.news_at < last_news && last_news < now ? now - last_news : 0;
}

void share_look_around(struct share *share)
{
    int64_t now = clock_monotonic_ms();

    if (share->roster.share != NULL || share->position[0] == '\0' || /* not listed itself yet */
        (share->roster_at != 0 && now - share->roster_at < ROSTER_MS))
        return;
    share->roster_at = now;
    (void)share_list(&share->roster, share, count_relays, share);
}

void share_roster_close(struct share *share)
{
    if (share->roster.share != NULL)
        share_roster_cancel(&share->roster);
}
