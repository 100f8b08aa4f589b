/*
 * share_uv: what the relays of a farm share, on a Valkey or Redis server. To the cache it is another
 * store (daemon/store/store.h): what is put there is for all relays, what is found there was learnt
 * by any. It is never the only memory: without it each relay goes on with its own.
 *
 * Records lie under names (below), with an end each. An answer is joined with the one that lies
 * there (share_join), in the server if need be several times, so that no relay undoes what another
 * has proven. What operators said of a key lies beside it, and counts for all that was learnt until
 * then. What all must know at once goes through a stream, which every relay follows: its `news`.
 *
 * Times are on the clock of the server, which is asked for it, so that relays whose clocks differ
 * agree; the store's interface is in the wall clock of the daemon, as that of any store.
 *
 *   PREFIX:1:a:KEY       answer             PREFIX:1:w:KEY    word of operators
 *   PREFIX:1:p:DOMAIN    policy             PREFIX:1:news     stream of news
 *   PREFIX:1:r:IDENTITY  result of a probe  PREFIX:1:epoch    drawn when the share was empty
 *
 * A share that was emptied has another epoch, or none: everything that is known is put there again,
 * as into a store that was begun anew.
 *
 * Glossary
 *   ready     commands can be sent, the clock and the epoch of the share are known
 *   degraded  it is not ready
 *
 * BUGS: history (RECORD_EVENT) is not shared. A stream that was cut shorter than a relay was away
 * counts as emptied for that relay.
 */
#pragma once

#include "base/valkey/valkey_uv.h"
#include "daemon/share/share_frame.h"
#include "daemon/share/share_text.h"
#include "daemon/store/store.h"

#define SHARE_PREFIX_MAX 64
#define SHARE_VERSION    "1"      /* of names and texts: another version is another share */
#define SHARE_NEWS_KEPT  "100000" /* entries of the stream, about */
#define SHARE_BEAT_MS    5000     /* the epoch and the clock are asked for again */
#define SHARE_PUTS_MAX   1000 /* under way; beyond, what is put is dropped, and put again later */
#define SHARE_READS_MAX  4096
/* Milliseconds that an answer stays that has proven something. */
#define SHARE_KEEP_MS RECORD_LIFE_MAX

/* Borrowed for the life of the share. */
struct share_options {
    const char *prefix, *relay; /* relay: this one's name, share_relay_valid */
    const struct share_key *key;
    int64_t deadline_ms; /* a find that takes longer finds nothing */
    struct valkey_options server;
};

struct share_stats {
    bool ready;
    size_t pending; /* puts under way */
    uint64_t finds, found, finds_late;
    uint64_t puts, conflicts, failures, dropped; /* conflicts: another relay was faster */
    uint64_t refused;                            /* what lay there and counts for nothing */
    size_t tells;                                /* that wait for the share */
    uint64_t news_sent, news_taken;
    uint64_t emptied;
    char error[STORE_ERROR_MAX]; /* why it is not ready; "" when it is */
};

struct share_events {
    /* It was emptied, or away: put what was learnt since then again (monotonic ms; 0: all). */
    void (*begun)(void *context, int64_t since);
    /* What another relay said; `at` is monotonic ms. */
    void (*news)(void *context, const struct share_news *news);
    /* An answer that another relay knows and this one is to know, wall clock; borrowed. */
    void (*answer)(void *context, const struct record *record);
};

struct share;

/* 0 or a libuv error. Nothing is called back from inside. */
int share_new(struct share **out, uv_loop_t *loop, const struct share_options *options,
              const struct share_events *events, void *context);
/* The share as a store; of it store_put, store_find, store_read_cancel and store_close. store_find
 * fails with UV_ENOTCONN while it is not ready. */
struct store *share_store(struct share *share);
void share_get_stats(const struct share *share, struct share_stats *out);

#define SHARE_TELLS_MAX 1000 /* that wait for the share */

/* Tells all relays; what is forgotten or released counts for what is learnt until now. While the
 * share is not ready it waits for it. False when too many wait, or without memory: nobody is told. */
bool share_tell(struct share *share, enum share_news_kind kind, const char *name);
