/*
 * share_uv: see share_uv.h. The life of a share, its clock and its epoch. share_find_uv.c reads,
 * share_put_uv.c writes, share_feed_uv.c follows the news.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "daemon/share/share_internal.h"

/* A clock that is asked for this slowly is asked again: it is not known well enough. */
#define TIME_SLOW_MS 250
/* While writes fail, as in a server that is full, all that was learnt since is tried again after this,
 * which doubles for as long as some fail. */
#define CATCH_UP_MS     15000
#define CATCH_UP_MAX_MS (16 * 60 * 1000)

/* ---- names and values ---- */

bool share_name(char out[SHARE_NAME_MAX], const struct share *share, enum share_name kind,
                const char *name)
{
    static const char letters[SHARE_NAMES] = "aprhw";
    char settings[sizeof "01234567:"] = "";
    int length;

    if (kind != SHARE_WORD)
        snprintf(settings, sizeof settings, "%08" PRIx32 ":", share->options.settings);
    length = snprintf(out, SHARE_NAME_MAX, "%s:" SHARE_VERSION ":%c:%s%s", share->options.prefix,
                      letters[kind], settings, name);

    return length > 0 && length < SHARE_NAME_MAX;
}

bool share_name_word(char out[SHARE_NAME_MAX], const struct share *share, enum record_kind kind,
                     const char *identity)
{
    char address[IP_TEXT_MAX];

    if (kind != RECORD_PROBE)
        return share_name(out, share, SHARE_WORD, identity);
    snprintf(address, sizeof address, "%.*s", (int)strcspn(identity, " "), identity);
    return share_name(out, share, SHARE_WORD, address);
}

uint64_t share_mark(void)
{
    static uint64_t count;
    uint64_t seed[2] = {++count, (uint64_t)clock_monotonic_ns()};

    return hash_bytes(seed, sizeof seed);
}

void share_warn(struct share *share, const char *name, const char *why)
{
    uint64_t left_out;

    if (log_limit_passes(&share->refused_limit, clock_monotonic_ms(), &left_out))
        log_event(LOG_LEVEL_WARNING, "share-refused", "name", name, "reason", why, "left_out",
                  left_out > 0 ? LOG_NUM(left_out) : NULL, NULL);
}

void share_refuse(struct share *share, const char *name, const char *why)
{
    share->stats.refused++;
    share_warn(share, name, why);
}

bool share_open(struct share_frame *out, struct share *share, const char *name,
                const struct valkey_reply *value)
{
    size_t length = 0;
    const char *text = valkey_text(value, &length);
    const char *why;

    if (valkey_type(value) == VALKEY_NIL)
        return false;
    why = valkey_type(value) != VALKEY_TEXT
              ? "it is no string"
              : share_frame_read(out, share->options.key, name, text, length);
    if (why != NULL)
        share_refuse(share, name, why);
    return why == NULL;
}

char *share_seal(const struct share *share, const char *name, const char *text, size_t *length)
{
    struct buf value;

    buf_init(&value, SHARE_VALUE_MAX);
    if (text == NULL ||
        !share_frame_write(&value, share->options.key, name, share_mark(), text, strlen(text))) {
        buf_fini(&value);
        return NULL;
    }
    *length = value.length;
    return value.data;
}

/* ---- clocks ---- */

struct record_moment share_moment(const struct share *share)
{
    int64_t now = clock_monotonic_ms();

    return (struct record_moment){now, now + share->wall_less_own};
}

static struct record_moment own_moment(void)
{
    return record_moment_of(clock_monotonic_ms(), clock_wall_ms(), 0);
}

void share_record_to_own(const struct share *share, struct record *record)
{
    record_to_daemon(record, share_moment(share));
    record_to_wall(record, own_moment());
}

void share_record_to_share(const struct share *share, struct record *record)
{
    record_to_daemon(record, own_moment());
    record_to_wall(record, share_moment(share));
}

void share_note_away(struct share *share, int64_t since)
{
    if (since == 0) /* which says that nothing was */
        since = -1;
    if (share->away_since == 0 || since < share->away_since)
        share->away_since = since;
}

/* ---- readiness ---- */

/* What was dropped meanwhile is put again. */
static void catch_up(struct share *share)
{
    int64_t since = share->away_since;

    share->away_since = 0;
    share->caught_up_at = clock_monotonic_ms();
    share->events->begun(share->context, since);
}

/* At each beat: once it is time. */
static void catch_up_later(struct share *share)
{
    if (share->away_since == 0) {
        share->catch_up_ms = CATCH_UP_MS;
    } else if (share->stats.pending < SHARE_PUTS_MAX / 4 &&
               clock_monotonic_ms() - share->caught_up_at >= share->catch_up_ms) {
        if (share->catch_up_ms < CATCH_UP_MAX_MS)
            share->catch_up_ms *= 2;
        catch_up(share);
    }
}

static void set_ready(struct share *share)
{
    if (share->ready)
        return;
    share->ready = true;
    share->ready_since = clock_monotonic_ms();
    share->stats.error[0] = '\0';
    log_event(LOG_LEVEL_INFO, "share-ready", "server", valkey_where(share->commands), NULL);
    share_tells_send(share);
    share_feed_begin(share);
    catch_up(share);
}

static void lose(struct share *share, const char *why)
{
    bool told = strcmp(share->stats.error, why) == 0;

    if (share->ready)
        share->ready_since = clock_monotonic_ms();
    share->ready = false;
    share_note_away(share, clock_monotonic_ms());
    share_turns_lost(share);
    snprintf(share->stats.error, sizeof share->stats.error, "%s", why);
    if (!told)
        log_event(LOG_LEVEL_WARNING, "share-lost", "server", valkey_where(share->commands),
                  "reason", why, NULL);
}

/* ---- the beat: clock and epoch ---- */

static void ask(struct share *share);

static void on_time(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share *share = request->context;
    int64_t now = clock_monotonic_ms(), seconds, micros, wall;

    if (reply == NULL)
        return;
    if (!valkey_number(valkey_at(reply, 0), &seconds) ||
        !valkey_number(valkey_at(reply, 1), &micros) || seconds < 0 ||
        seconds > RECORD_TIME_MAX / 1000 || micros < 0 || micros >= 1000000) {
        share_refuse(share, "TIME", "it is no time");
        return;
    }
    wall = seconds * 1000 + micros / 1000;
    if (!share->ready || now - share->time_asked <= TIME_SLOW_MS)
        share->wall_less_own = wall - (now + share->time_asked) / 2;
}

/* Another epoch, or the first: what is known is not there. */
static void on_epoch(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share *share = request->context;
    size_t length = 0;
    const char *text = valkey_text(reply, &length);

    if (reply == NULL)
        return;
    if (valkey_type(reply) != VALKEY_TEXT || length != SHARE_MARK_MAX - 1 ||
        strspn(text, "0123456789abcdef") != length) {
        lose(share, valkey_type(reply) == VALKEY_ERROR ? text : "it keeps no epoch");
        return;
    }
    if (strcmp(share->epoch, text) != 0) {
        share->stats.emptied += share->epoch[0] != '\0';
        if (share->epoch[0] != '\0')
            log_event(LOG_LEVEL_WARNING, "share-emptied", "server", valkey_where(share->commands),
                      NULL);
        memcpy(share->epoch, text, length + 1);
        share->away_since = 0;
        share->ready = false; /* until the next line */
    }
    set_ready(share);
    share_tells_send(share);
    share_show_up(share);
    share_look_around(share);
    catch_up_later(share);
}

static void on_beat(uv_timer_t *timer)
{
    ask(timer->data);
}

/* KEYS: epoch, stream, list of relays. ARGV: a new epoch. The epoch, which is drawn where there is
 * none. What is of another type than it must be goes: nobody could write there. */
static const char upkeep[] =
    "local function foreign(r)\n"
    "return type(r)=='table' and r.err and string.find(r.err,'WRONGTYPE',1,true) end\n"
    "if foreign(redis.pcall('XRANGE',KEYS[2],'-','+','COUNT',1)) then redis.call('DEL',KEYS[2]) "
    "end\n"
    "if foreign(redis.pcall('HDEL',KEYS[3],'')) then redis.call('DEL',KEYS[3]) end\n"
    "local v=redis.pcall('GET',KEYS[1])\n"
    "if type(v)=='string' and #v==16 and not string.find(v,'[^0-9a-f]') then return v end\n"
    "redis.call('SET',KEYS[1],ARGV[1])\n"
    "return ARGV[1]";

/* Asks for the clock and for the epoch. */
static void ask(struct share *share)
{
    static const char *const time[] = {"TIME"};
    char name[SHARE_NAME_MAX], stream[SHARE_NAME_MAX], list[SHARE_NAME_MAX], mark[SHARE_MARK_MAX];
    const char *const keep[] = {"EVAL", upkeep, "3", name, stream, list, mark};

    if (!valkey_is_ready(share->commands))
        return;
    uv_timer_start(&share->beat, on_beat, SHARE_BEAT_MS, 0);
    share_feed_begin(share);
    share_feed_watch(share);
    if (share->epoch_asked.ticket != NULL || share->time.ticket != NULL)
        return; /* it answers slowly */
    snprintf(name, sizeof name, "%s:" SHARE_VERSION ":epoch", share->options.prefix);
    share_news_name(stream, share);
    share_roster_name(list, share);
    snprintf(mark, sizeof mark, "%016" PRIx64, share_mark());
    share->time_asked = clock_monotonic_ms();
    if (valkey_send(share->commands, &share->time, 1, time, NULL, on_time, share) != 0 ||
        valkey_send(share->commands, &share->epoch_asked, 7, keep, NULL, on_epoch, share) != 0)
        share_note_away(share, clock_monotonic_ms());
}

static void on_commands(void *context, bool ready, const char *why)
{
    struct share *share = context;

    if (ready)
        ask(share);
    else
        lose(share, why);
}

/* ---- as a store ---- */

static void get_store_stats(const struct store *store, struct store_stats *out)
{
    const struct share *share = (const struct share *)(const void *)store;

    *out = (struct store_stats){
        .degraded = !share->ready,
        .pending = share->stats.pending,
        .written = share->stats.puts,
        .write_failures = share->stats.failures,
        .dropped = share->stats.dropped,
        .finds = share->stats.finds,
        .finds_late = share->stats.finds_late,
        .rejected = share->stats.refused,
    };
    memcpy(out->error, share->stats.error, sizeof out->error);
}

/* Only what is learnt is shared: uses and ends are each relay's own. */
static void change(struct store *store, const struct store_change *change)
{
    if (change->op == STORE_PUT)
        share_put((struct share *)(void *)store, change->record);
}

/* What is known of all keys is in no relay's list: it is asked for by name. */
static int list(struct store_read **out, struct store *store,
                const struct store_selection *selection, store_on_page done, void *context)
{
    if (selection->kind != RECORD_EVENT || selection->key == NULL)
        return UV_ENOTSUP;
    return share_list_events(out, (struct share *)(void *)store, selection->key, done, context);
}

static void on_closed(uv_handle_t *handle)
{
    struct share *share = handle->data;

    if (--share->open_handles == 0)
        free(share);
}

static void close_share(struct store *store)
{
    struct share *share = (struct share *)(void *)store;

    share->closing = true;
    share_finds_close(share);
    share_puts_close(share);
    share_tells_close(share);
    share_turns_close(share);
    valkey_request_cancel(&share->time);
    valkey_request_cancel(&share->epoch_asked);
    valkey_request_cancel(&share->feed_asked);
    share_roster_close(share);
    valkey_close(share->commands);
    valkey_close(share->feed);
    uv_close((uv_handle_t *)&share->beat, on_closed);
    uv_close((uv_handle_t *)&share->late, on_closed);
    uv_close((uv_handle_t *)&share->turns_beat, on_closed);
}

static const struct store_kind kind = {close_share, get_store_stats,  change, share_find,
                                       list,        share_find_cancel};

struct store *share_store(struct share *share)
{
    return &share->store;
}

void share_get_stats(const struct share *share, struct share_stats *out)
{
    int64_t now = clock_monotonic_ms();

    *out = share->stats;
    out->ready = share->ready;
    if (!valkey_is_ready(share->commands) && *valkey_why(share->commands) != '\0') /* of now */
        snprintf(out->error, sizeof out->error, "%s", valkey_why(share->commands));
    out->for_ms = now - share->ready_since;
    out->connected_ms = share->ready ? out->for_ms : 0;
    out->news_ready = share->ready && share->news_lost_at == 0;
    if (share->epoch[0] != '\0')
        out->skew_ms = clock_wall_ms() - now - share->wall_less_own;
    out->skew_abs_ms = llabs(out->skew_ms);
}

const char *share_where(const struct share *share)
{
    return valkey_where(share->commands);
}

bool share_is_ready(const struct share *share)
{
    return share->ready;
}

/* ---- life ---- */

static int connect_both(struct share *share)
{
    struct valkey_options feed = share->options.server;
    int error =
        valkey_new(&share->commands, share->loop, &share->options.server, on_commands, share);

    if (error != 0)
        return error;
    feed.stall_ms += SHARE_BEAT_MS; /* it waits for news that long */
    return valkey_new(&share->feed, share->loop, &feed, share_on_feed, share);
}

int share_new(struct share **out, uv_loop_t *loop, const struct share_options *options,
              const struct share_events *events, void *context)
{
    struct share *share = calloc(1, sizeof *share);
    int error;

    if (share == NULL)
        return UV_ENOMEM;
    share->store.kind = &kind;
    share->loop = loop;
    share->options = *options;
    share->events = events;
    share->context = context;
    share->ready_since = clock_monotonic_ms();
    share->catch_up_ms = CATCH_UP_MS;
    list_init(&share->reads);
    list_init(&share->puts);
    list_init(&share->tells);
    list_init(&share->turns);
    list_init(&share->ends);
    CHECK(uv_timer_init(loop, &share->beat) == 0 && uv_timer_init(loop, &share->late) == 0 &&
          uv_timer_init(loop, &share->turns_beat) == 0);
    share->open_handles = 3;
    share->beat.data = share->late.data = share->turns_beat.data = share;
    error = connect_both(share);
    if (error != 0)
        close_share(&share->store);
    else
        *out = share;
    return error;
}
