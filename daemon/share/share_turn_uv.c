/*
 * share_turn_uv: turns; see share_uv.h. A relay that cannot have one leaves a note that it waits; who
 * ends the turn finds the note and tells the stream. Besides, those that wait ask again from time to
 * time: a lease may have lapsed, or another turn of the network ended.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/share/share_internal.h"

#define ASK_AGAIN_MS 250
#define RENEW_MS     (SHARE_LEASE_MS / 3)

/* KEYS: lease, note, network. ARGV: token, life of the lease and of the note in ms, turns of the
 * network (0: any number). What others than relays put there stands in the way no longer than a
 * lease. */
static const char take[] =
    "local t=redis.call('TIME')\n"
    "local now=t[1]*1000+math.floor(t[2]/1000)\n"
    "local max=tonumber(ARGV[4])\n"
    "if max>0 then\n"
    "if type(redis.pcall('ZREMRANGEBYSCORE',KEYS[3],'-inf',now))=='table' then\n"
    "redis.call('DEL',KEYS[3]) end\n"
    "redis.call('ZREMRANGEBYSCORE',KEYS[3],'('..now+ARGV[2],'+inf') end\n"
    "local own=redis.pcall('GET',KEYS[1])\n"
    "if type(own)=='table' then own=false end\n"
    "if own==ARGV[1] or (not own and (max==0 or redis.call('ZCARD',KEYS[3])<max)) then\n"
    "redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2])\n"
    "if max>0 then redis.call('ZADD',KEYS[3],now+ARGV[2],ARGV[1])\n"
    "redis.call('PEXPIRE',KEYS[3],ARGV[2]) end\n"
    "return 1 end\n"
    "if own then redis.pcall('PEXPIRE',KEYS[1],ARGV[2],'LT') end\n"
    "redis.call('SET',KEYS[2],'1','PX',ARGV[3])\n"
    "return 0";

/* KEYS: lease, note, network, stream. ARGV: token, the value for the stream, its length. */
static const char give_back[] =
    "redis.pcall('ZREM',KEYS[3],ARGV[1])\n"
    "if redis.pcall('GET',KEYS[1])~=ARGV[1] then return 0 end\n"
    "redis.call('DEL',KEYS[1])\n"
    "if redis.call('DEL',KEYS[2])==1 then\n"
    "redis.call('XADD',KEYS[4],'MAXLEN','~',ARGV[3],'*','n',ARGV[2]) end\n"
    "return 1";

/* A turn that is over. */
struct ending {
    struct list link; /* in share.ends */
    uint64_t after;   /* the last put that it waits for */
    char name[SHARE_TURN_MAX + 1];
    char network[IP_PREFIX_TEXT_MAX];
    char token[SHARE_MARK_MAX];
};

static bool turn_name(char out[SHARE_NAME_MAX], const struct share *share, char letter,
                      const char *name)
{
    int length = snprintf(out, SHARE_NAME_MAX, "%s:" SHARE_VERSION ":%c:%s", share->options.prefix,
                          letter, name);

    return length > 0 && length < SHARE_NAME_MAX;
}

/* ---- having one ---- */

static void leave(struct share_turn *turn)
{
    list_remove(&turn->link);
    valkey_request_cancel(&turn->request);
    turn->share = NULL;
}

/* It is not to be had, or not any more. */
static void go_on(struct share_turn *turn, enum share_leave how)
{
    leave(turn);
    turn->go(turn, how);
}

static void on_taken(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share_turn *turn = request->context;
    int64_t taken = 0;

    if (reply == NULL)
        return; /* share_turns_lost */
    if (!valkey_number(reply, &taken)) {
        turn->share->stats.failures++;
        if (!turn->ours)
            go_on(turn, SHARE_ALONE);
    } else if (taken == 1 && !turn->ours) {
        turn->ours = true;
        turn->renew_at = clock_monotonic_ms() + RENEW_MS;
        turn->go(turn, SHARE_OURS);
    } else if (!turn->ours) {
        turn->share->stats.waits += !turn->waited;
        turn->waited = true;
        if (turn->ended)
            go_on(turn, SHARE_DONE);
    }
}

static int ask(struct share_turn *turn)
{
    struct share *share = turn->share;
    char lease[SHARE_NAME_MAX], note[SHARE_NAME_MAX], network[SHARE_NAME_MAX];
    struct log_number life, max;
    const char *const words[] = {
        "EVAL",      take,
        "3",         lease,
        note,        network,
        turn->token, log_number(&life, SHARE_LEASE_MS),
        life.text,   log_number(&max, turn->network[0] == '\0' ? 0 : turn->network_max)};

    if (!turn_name(lease, share, 'l', turn->name) || !turn_name(note, share, 'q', turn->name) ||
        !turn_name(network, share, 'x', turn->network))
        return UV_EINVAL;
    turn->ended = false;
    return valkey_send(share->commands, &turn->request, 10, words, NULL, on_taken, turn);
}

/* What was asked for last may be had by now, or later: it is given back. */
static void give_up(struct share_turn *turn)
{
    share_turn_end(turn);
    turn->go(turn, SHARE_ALONE);
}

/* Asks again for those that are waited for, and renews our own. */
static void on_beat(uv_timer_t *timer)
{
    struct share *share = timer->data;
    int64_t now = clock_monotonic_ms();
    struct list all;

    list_init(&all);
    list_take(&all, &share->turns);
    while (!list_empty(&all)) {
        struct share_turn *turn = LIST_ELEMENT(all.next, struct share_turn, link);

        list_remove(&turn->link);
        list_append(&share->turns, &turn->link);
        if (!turn->ours && now >= turn->give_up_at) {
            give_up(turn);
        } else if (turn->request.ticket == NULL && (!turn->ours || now >= turn->renew_at)) {
            turn->renew_at = now + RENEW_MS;
            (void)ask(turn);
        }
    }
    if (!list_empty(&share->turns))
        uv_timer_start(timer, on_beat, ASK_AGAIN_MS, 0);
}

int share_turn_ask(struct share *share, struct share_turn *turn)
{
    int error;

    if (!share->ready)
        return UV_ENOTCONN;
    turn->share = share;
    turn->ours = turn->waited = false;
    turn->request.ticket = NULL;
    turn->give_up_at = clock_monotonic_ms() + turn->patience_ms;
    snprintf(turn->token, sizeof turn->token, "%016" PRIx64, share_mark());
    list_init(&turn->link);
    error = ask(turn);
    if (error != 0) {
        turn->share = NULL;
        return error;
    }
    list_append(&share->turns, &turn->link);
    if (!uv_is_active((uv_handle_t *)&share->turns_beat))
        uv_timer_start(&share->turns_beat, on_beat, ASK_AGAIN_MS, 0);
    return 0;
}

void share_turn_done(struct share *share, const char *name)
{
    struct list all;

    list_init(&all);
    list_take(&all, &share->turns);
    while (!list_empty(&all)) {
        struct share_turn *turn = LIST_ELEMENT(all.next, struct share_turn, link);

        list_remove(&turn->link);
        list_append(&share->turns, &turn->link);
        if (turn->ours || strcmp(turn->name, name) != 0)
            continue;
        if (turn->request.ticket != NULL) /* this relay may have it by now: the reply says so */
            turn->ended = true;
        else
            go_on(turn, SHARE_DONE);
    }
}

/* ---- ending one ---- */

static void send_end(struct share *share, const struct ending *ending)
{
    char lease[SHARE_NAME_MAX], note[SHARE_NAME_MAX], network[SHARE_NAME_MAX];
    char stream[SHARE_NAME_MAX];
    size_t length;
    char *told =
        share_news_seal(share, SHARE_NEWS_DONE, ending->name, share_moment(share).wall_ms, &length);
    const char *const words[] = {"EVAL",  give_back, "4",           lease, note,
                                 network, stream,    ending->token, told,  SHARE_NEWS_KEPT};

    share_news_name(stream, share);
    if (told != NULL && turn_name(lease, share, 'l', ending->name) &&
        turn_name(note, share, 'q', ending->name) &&
        turn_name(network, share, 'x', ending->network))
        (void)valkey_send(share->commands, NULL, 10, words, NULL, NULL, NULL);
    free(told);
}

void share_turns_settle(struct share *share)
{
    uint64_t oldest = share_oldest_put(share);

    while (!share->closing && !list_empty(&share->ends)) {
        struct ending *ending = LIST_ELEMENT(share->ends.next, struct ending, link);

        if (ending->after >= oldest)
            return;
        list_remove(&ending->link);
        send_end(share, ending);
        free(ending);
    }
}

void share_turn_end(struct share_turn *turn)
{
    struct share *share = turn->share;
    struct ending *ending;

    if (share == NULL)
        return;
    leave(turn);
    /* one that is asked for may have been had meanwhile */
    ending = calloc(1, sizeof *ending);
    if (ending == NULL)
        return; /* the lease lapses */
    ending->after = share->put_number;
    memcpy(ending->name, turn->name, sizeof ending->name);
    memcpy(ending->network, turn->network, sizeof ending->network);
    memcpy(ending->token, turn->token, sizeof ending->token);
    list_init(&ending->link);
    list_append(&share->ends, &ending->link);
    share_turns_settle(share);
}

void share_turns_lost(struct share *share)
{
    struct list all;

    list_init(&all);
    list_take(&all, &share->turns);
    while (!list_empty(&all)) {
        struct share_turn *turn = LIST_ELEMENT(all.next, struct share_turn, link);
        bool ours = turn->ours;

        leave(turn);
        if (!ours)
            turn->go(turn, SHARE_ALONE);
    }
}

/* Leases are given back, though what was put may not be there: the others look it up themselves, and
 * need not wait for the lease to lapse. */
void share_turns_close(struct share *share)
{
    while (!list_empty(&share->turns))
        share_turn_end(LIST_ELEMENT(share->turns.next, struct share_turn, link));
    while (!list_empty(&share->ends)) {
        struct ending *ending = LIST_ELEMENT(share->ends.next, struct ending, link);

        list_remove(&ending->link);
        if (share->ready)
            send_end(share, ending);
        free(ending);
    }
}
