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
 *   PREFIX:1:a:SETTINGS:KEY       answer             PREFIX:1:w:KEY   word of operators
 *   PREFIX:1:p:SETTINGS:DOMAIN    policy             PREFIX:1:news    stream of news
 *   PREFIX:1:r:SETTINGS:IDENTITY  result of a probe  PREFIX:1:epoch   drawn when the share was empty
 *   PREFIX:1:h:SETTINGS:KEY       list of events
 *   PREFIX:1:l:TURN               lease of a turn    PREFIX:1:q:TURN  somebody waits for it
 *   PREFIX:1:x:PREFIX             turns of a network PREFIX:1:relays  what relays say of themselves
 *
 * SETTINGS is 8 hexadecimal digits of what decides the result of a lookup at the relay that made it:
 * one that looks up without DANE, or trusts another CA, is of no use to one that does not. Only words,
 * news and turns are common to all.
 *
 * A share that was emptied has another epoch, or none: everything that is known is put there again,
 * as into a store that was begun anew.
 *
 * Glossary
 *   ready     commands can be sent, the clock and the epoch of the share are known
 *   degraded  it is not ready
 *
 * BUGS: events (RECORD_EVENT) that happen while the share is away are in the history of that relay
 * alone. A stream that was cut shorter than a relay was away counts as emptied for that relay.
 */
#pragma once

#include "base/list.h"
#include "base/valkey/valkey_uv.h"
#include "daemon/share/share_frame.h"
#include "daemon/share/share_text.h"
#include "daemon/store/store.h"

#define SHARE_VERSION   "1"      /* of names and texts: another version is another share */
#define SHARE_NEWS_KEPT "100000" /* entries of the stream, about */
#define SHARE_BEAT_MS   5000     /* the epoch and the clock are asked for again */
#define SHARE_PUTS_MAX  1000 /* under way; beyond, what is put is dropped, and put again later */
#define SHARE_READS_MAX 4096
/* Milliseconds that an answer stays that has proven something. */
#define SHARE_KEEP_MS RECORD_LIFE_MAX

/* Borrowed for the life of the share. */
struct share_options {
    const char *prefix, *relay; /* relay: this one's name, share_relay_valid */
    uint32_t settings;          /* the same at relays that can use each other's records */
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
    uint64_t waits;                              /* turns that another had first */
    size_t tells;                                /* that wait for the share */
    uint64_t news_sent, news_taken;
    uint64_t emptied;
    char error[STORE_ERROR_MAX];      /* why it is not ready; "" when it is */
    int64_t connected_ms;             /* that it has been ready; 0: it is not */
    int64_t for_ms;                   /* that it has been ready, or not */
    bool news_ready;                  /* news are followed */
    char news_error[STORE_ERROR_MAX]; /* why they are not; "" when they are */
    int64_t skew_ms;                  /* the wall clock here, less that of the share */
    int64_t skew_abs_ms;
    /* of the roster, as it was read last */
    size_t relays;     /* heard of within SHARE_RELAY_SILENT_MS, this one included */
    size_t differing;  /* of these, those that share_relay_same tells from this one */
    int64_t behind_ms; /* since the last news were told that this relay has not taken yet; 0 */
};

struct share_events {
    /* It was emptied, or away: put what was learnt since then again (monotonic ms; 0: all). */
    void (*begun)(void *context, int64_t since);
    /* What another relay said; `at` is monotonic ms. */
    void (*news)(void *context, const struct share_news *news);
    /* An answer that another relay knows and this one is to know, wall clock; borrowed. */
    void (*answer)(void *context, const struct record *record);
    /* Fills in what this relay is, for the others: all but name and times. */
    void (*describe)(void *context, struct share_relay *out);
};

struct share;

/* 0 or a libuv error. Nothing is called back from inside. */
int share_new(struct share **out, uv_loop_t *loop, const struct share_options *options,
              const struct share_events *events, void *context);
/* Follows the news from now on: those since this relay did so last, if the share knows that, else all
 * is put there that is known here (struct share_events, begun). To be called once what is remembered
 * is at hand, so that news of it find it. */
void share_follow(struct share *share);
/* The share as a store; of it store_put, store_find, store_list of the events of a key,
 * store_read_cancel and store_close. The reads fail with UV_ENOTCONN while it is not ready. */
struct store *share_store(struct share *share);
void share_get_stats(const struct share *share, struct share_stats *out);
/* The server that it is at, or tries: "192.0.2.1:6379", or a path. */
const char *share_where(const struct share *share);
/* The same as its `ready`, for callers that ask at every lookup. */
bool share_is_ready(const struct share *share);

#define SHARE_TELLS_MAX 1000 /* that wait for the share */

/* Tells all relays; what is forgotten or released counts for what is learnt until now. While the
 * share is not ready it waits for it. False when too many wait, or without memory: nobody is told. */
bool share_tell(struct share *share, enum share_news_kind kind, const char *name);

#define SHARE_RELAYS_MAX 1000
/* Milliseconds: a relay that has said nothing for so long is listed no more. */
#define SHARE_RELAY_GONE_MS (INT64_C(86400) * 1000)
/* Milliseconds: one that has said nothing for so long is down, or cannot reach the share. */
#define SHARE_RELAY_SILENT_MS 60000

/* Who asks which relays there are; embedded in its owner. */
struct share_roster;
/* `relays`: in no order, with the times of the share; `now` too. `last_news`: when the last of the
 * stream were told; 0: never. NULL: the share does not answer. */
typedef void (*share_listed)(struct share_roster *roster, const struct share_relay *relays,
                             size_t count, int64_t now, int64_t last_news);
struct share_roster {
    struct valkey_request request, last;
    struct share *share;
    share_listed done;
    void *context;
    int64_t last_news;
};
/* Calls `done` once, later, unless share_roster_cancel comes first. UV_ENOTCONN when it is not
 * ready, or another error. */
int share_list(struct share_roster *roster, struct share *share, share_listed done, void *context);
void share_roster_cancel(struct share_roster *roster);

/* As store_find, of the result of a probe, by its identity. */
int share_find_probe(struct store_read **out, struct share *share, const char *identity,
                     store_on_found done, void *context);

/*
 * A turn is leave to look something up: one relay has it, the others wait until it has ended, and
 * then find what was learnt. It is a lease, renewed while it lasts: a relay that dies with one costs
 * SHARE_LEASE_MS. A relay that has waited as long as it can goes on alone.
 */
#define SHARE_LEASE_MS 10000

enum share_leave {
    SHARE_OURS, /* nobody else has it: end it when what was learnt has been put */
    SHARE_DONE, /* another had it, and has ended it: look into the share, then ask again */
    SHARE_ALONE /* not to be had in time, or the share was lost: it is over */
};

struct share_turn;
typedef void (*share_go)(struct share_turn *turn, enum share_leave leave);

/* Embedded in its owner, who fills the first part. */
struct share_turn {
    char name[SHARE_TURN_MAX + 1];    /* printable */
    char network[IP_PREFIX_TEXT_MAX]; /* "": none; else at most network_max turns of it at once */
    unsigned network_max;
    int64_t patience_ms;
    share_go go; /* once, later, unless the turn is ended first */
    void *context;
    /* private */
    struct share *share; /* NULL: it is over, or was never asked for */
    struct list link;
    struct valkey_request request;
    bool ours;
    bool waited;
    bool ended;                   /* another's has, since it was asked for last */
    int64_t give_up_at, renew_at; /* monotonic ms: while it is waited for; while it is ours */
    char token[SHARE_MARK_MAX];
};

/* UV_ENOTCONN when the share is not ready, or another error: `go` is not called then. */
int share_turn_ask(struct share *share, struct share_turn *turn);
/* Ends a turn, or the wait for it; harmless when it is over. What was put before is there before
 * the others hear of it. */
void share_turn_end(struct share_turn *turn);
