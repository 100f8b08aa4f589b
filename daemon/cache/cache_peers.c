/*
 * cache_peers: the other relays of a farm as base/net/peers.h has them. What is to be looked up is first
 * sought in the share, then there is a turn for it (daemon/share/share_uv.h), and then it is sought
 * once more: another relay may have had the turn just before. While the share is away everything is
 * looked up at once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/cache/cache.h"

struct peer_turn {
    struct list link; /* in cache.peer_turns */
    struct cache *cache;
    struct peers_wait *wait;
    enum peers_subject subject;
    struct share_turn turn;
    struct store_read *read;       /* a policy or a probe is sought; NULL: none is */
    struct cache_loading *loading; /* a key is; NULL */
    bool has_turn;
    int64_t give_up_at; /* monotonic ms */
    char name[PROBE_IDENTITY_MAX];
};

static void seek(struct peer_turn *peer);

static void stop_seeking(struct peer_turn *peer)
{
    if (peer->read != NULL)
        store_read_cancel(peer->read);
    if (peer->loading != NULL)
        cache_load_cancel(peer->loading);
    peer->read = NULL;
    peer->loading = NULL;
}

static void go(struct peer_turn *peer)
{
    peer->wait->go(peer->wait); /* which may end it */
}

/* ---- the turn ---- */

static void on_turn(struct share_turn *turn, enum share_leave leave)
{
    struct peer_turn *peer = turn->context;

    peer->has_turn = leave == SHARE_OURS;
    if (leave == SHARE_ALONE)
        go(peer);
    else
        seek(peer);
}

static void take_turn(struct peer_turn *peer)
{
    peer->turn.patience_ms = peer->give_up_at - clock_monotonic_ms();
    if (peer->has_turn || peer->turn.patience_ms <= 0 ||
        share_turn_ask(peer->cache->share, &peer->turn) != 0)
        go(peer);
}

/* ---- what another has found ---- */

static void on_sought(struct peer_turn *peer)
{
    if (peer->wait->enough(peer->wait))
        go(peer);
    else
        take_turn(peer);
}

static void on_found(void *context, const struct store_found *found)
{
    struct peer_turn *peer = context;
    const struct record *record = peer->subject == PEERS_PROBE ? found->probe : found->policy;

    peer->read = NULL;
    if (record != NULL) {
        struct record own = *record; /* loading changes it */

        cache_load_record(peer->cache, &own, cache_moment(0), CACHE_FROM_SHARE);
    }
    on_sought(peer);
}

static void on_key_loaded(void *context, bool sure)
{
    struct peer_turn *peer = context;

    (void)sure;
    peer->loading = NULL;
    on_sought(peer);
}

static void seek(struct peer_turn *peer)
{
    struct cache *cache = peer->cache;
    struct key key;
    int error;

    if (peer->subject == PEERS_KEY) {
        key_parse(&key, peer->name, strlen(peer->name), cache->config->prober.smtp_port);
        error = cache_load(&peer->loading, cache, &key, CACHE_ASKS_SHARE, on_key_loaded, peer);
    } else if (peer->subject == PEERS_PROBE) {
        error = share_find_probe(&peer->read, cache->share, peer->name, on_found, peer);
    } else {
        error = store_find(&peer->read, share_store(cache->share), peer->name, peer->name, on_found,
                           peer);
    }
    if (error != 0)
        take_turn(peer);
}

/* ---- as peers ---- */

/* An address has one turn, whatever is asked of it, and a network so many. */
static void name_turn(struct share_turn *turn, const struct cache *cache,
                      enum peers_subject subject, const char *name, const struct ip *ip)
{
    const struct ip_prefix site = ip == NULL ? (struct ip_prefix){.bits = 0} : ip_site(ip);
    char address[IP_TEXT_MAX];

    if (ip == NULL) { /* what a relay with other settings finds is of no use to this one */
        snprintf(turn->name, sizeof turn->name, "%c:%08" PRIx32 ":%s",
                 subject == PEERS_KEY ? 'k' : 'p', cache->settings, name);
        return;
    }
    snprintf(turn->name, sizeof turn->name, "a:%s", ip_text(ip, address));
    ip_prefix_text(&site, turn->network);
    turn->network_max = cache->config->prober.probes.connections_prefix_max;
}

/* Enough is left to look it up here. An address is waited for longer, or two relays would probe one
 * that is slow; but leases have no MAC, and one that somebody else has put there must not keep it from
 * being probed. */
static int64_t patience_ms(const struct config *config, enum peers_subject subject)
{
    return subject == PEERS_PROBE ? config->job_deadline_ms / 2 : config->answer_deadline_ms / 4;
}

static int begin(struct peers *peers, struct peers_wait *wait, enum peers_subject subject,
                 const char *name, const struct ip *ip)
{
    struct cache *cache = LIST_ELEMENT(peers, struct cache, peers);
    struct peer_turn *peer;
    int error;

    if (!cache_shares(cache) || strlen(name) >= sizeof peer->name)
        return UV_ENOTCONN;
    peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return UV_ENOMEM;
    peer->cache = cache;
    peer->wait = wait;
    peer->subject = subject;
    strcpy(peer->name, name);
    list_init(&peer->link);
    name_turn(&peer->turn, cache, subject, name, ip);
    peer->turn.patience_ms = patience_ms(cache->config, subject);
    peer->give_up_at = clock_monotonic_ms() + peer->turn.patience_ms;
    peer->turn.go = on_turn;
    peer->turn.context = peer;
    if (subject == PEERS_KEY) /* the caller has looked into the share */
        error = share_turn_ask(cache->share, &peer->turn);
    else if (subject == PEERS_PROBE)
        error = share_find_probe(&peer->read, cache->share, peer->name, on_found, peer);
    else
        error = store_find(&peer->read, share_store(cache->share), peer->name, peer->name, on_found,
                           peer);
    if (error != 0) {
        free(peer);
        return error;
    }
    list_append(&cache->peer_turns, &peer->link);
    wait->own = peer;
    return 0;
}

static void end(struct peers *peers, struct peers_wait *wait)
{
    struct peer_turn *peer = wait->own;

    (void)peers;
    wait->own = NULL;
    stop_seeking(peer);
    share_turn_end(&peer->turn);
    list_remove(&peer->link);
    free(peer);
}

void cache_open_peers(struct cache *cache)
{
    cache->peers = (struct peers){begin, end};
    list_init(&cache->peer_turns);
    if (cache->share == NULL)
        return;
    if (cache->tools.probes != NULL)
        probe_cache_set_peers(cache->tools.probes, &cache->peers);
    if (cache->tools.sts != NULL)
        sts_set_peers(cache->tools.sts, &cache->peers);
}

struct peers *cache_peers(struct cache *cache)
{
    return cache->share == NULL ? NULL : &cache->peers;
}

void cache_close_peers(struct cache *cache)
{
    if (cache->share == NULL)
        return;
    if (cache->tools.probes != NULL)
        probe_cache_set_peers(cache->tools.probes, NULL);
    if (cache->tools.sts != NULL)
        sts_set_peers(cache->tools.sts, NULL);
    while (!list_empty(&cache->peer_turns)) {
        struct peer_turn *peer = LIST_ELEMENT(cache->peer_turns.next, struct peer_turn, link);

        end(&cache->peers, peer->wait);
    }
}
