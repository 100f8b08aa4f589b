/* share_internal: declarations shared by the files that implement share_uv.h. */
#pragma once

#include "base/list.h"
#include "base/log/log.h"
#include "daemon/share/share_uv.h"
#include "policy/key.h"

enum share_name { SHARE_ANSWER, SHARE_POLICY, SHARE_PROBE, SHARE_HISTORY, SHARE_WORD, SHARE_NAMES };

struct share {
    struct store store; /* first */
    uv_loop_t *loop;
    struct share_options options;
    const struct share_events *events;
    void *context;
    bool closing;
    unsigned open_handles;
    struct valkey *commands, *feed; /* owned */

    /* share_uv.c */
    uv_timer_t beat;
    struct valkey_request time, epoch_asked;
    int64_t time_asked; /* monotonic ms */
    bool ready;
    int64_t ready_since;        /* monotonic ms: since when `ready` is what it is */
    int64_t wall_less_own;      /* ms: the server's clock, less the monotonic one */
    char epoch[SHARE_MARK_MAX]; /* "": not known */
    int64_t away_since; /* monotonic ms: what was learnt since then is not there; 0: nothing was */
    int64_t caught_up_at; /* monotonic ms: when what was dropped was put again last */
    int64_t catch_up_ms;  /* until it is put again */
    struct log_limit refused_limit;

    /* share_find_uv.c */
    uv_timer_t late;
    struct list reads;

    /* share_put_uv.c */
    struct list puts;

    /* share_turn_uv.c */
    uv_timer_t turns_beat;
    struct list turns;   /* waiting or ours */
    struct list ends;    /* over, but what was put before is not there yet; the oldest first */
    uint64_t put_number; /* of the last put that began */

    /* share_tell_uv.c */
    struct list tells; /* the oldest first */
    size_t tell_count;

    /* share_feed_uv.c */
    struct valkey_request feed_asked;
    bool following;
    char position[48];    /* in the stream; "": not known */
    int64_t followed_at;  /* monotonic ms: when the stream was asked for more */
    int64_t news_lost_at; /* monotonic ms; 0: they come */
    bool news_refused;    /* by the server: the connection is there */
    bool news_lost_told;

    /* share_roster_uv.c */
    struct share_roster roster;
    int64_t roster_at; /* monotonic ms: when it was read last; 0: never */

    struct share_stats stats;
};

/* share_uv.c */
/* The moment that turns the times of the share into those of the daemon and back. */
struct record_moment share_moment(const struct share *share);
/* A name in the share; false when it is too long. */
bool share_name(char out[SHARE_NAME_MAX], const struct share *share, enum share_name kind,
                const char *name);
/* The name of the word that counts for a record: of a probe result that of its address. */
bool share_name_word(char out[SHARE_NAME_MAX], const struct share *share, enum record_kind kind,
                     const char *identity);
/* Reads the frame of a value that was found under a name. False for a nil, and for what counts for
 * nothing, which is counted. */
bool share_open(struct share_frame *out, struct share *share, const char *name,
                const struct valkey_reply *value);
/* Warns, but not often, of something that does not count; share_refuse counts it as well: a value
 * that no relay has written. */
void share_warn(struct share *share, const char *name, const char *why);
void share_refuse(struct share *share, const char *name, const char *why);
/* A value: malloc()ed, its length in *length; NULL without memory or when it is too long. */
char *share_seal(const struct share *share, const char *name, const char *text, size_t *length);
/* A mark that no write had. */
uint64_t share_mark(void);
/* Between the wall clocks of the share and of the daemon. */
void share_record_to_own(const struct share *share, struct record *record);
void share_record_to_share(const struct share *share, struct record *record);
/* What was learnt since then (monotonic ms) may not be there: it is put again when it can be. */
void share_note_away(struct share *share, int64_t since);

/* share_find_uv.c */
/* A read under way, in share.reads. */
struct share_read {
    struct store_read read; /* first */
    struct share *share;
    struct list link; /* in share.reads, in the order of `late_at` */
    int64_t late_at;  /* monotonic ms */
    struct valkey_request request;
    store_on_found done; /* NULL: it is a list */
    store_on_page listed;
    void *context;
    char answer[SHARE_NAME_MAX], policy[SHARE_NAME_MAX], word[SHARE_NAME_MAX];
    char key[KEY_TEXT_MAX + 1];
};
/* A read that is not sent yet; NULL without memory. */
struct share_read *share_read_new(struct share *share, void *context);
/* It was sent, unless there is an error: then it is freed. */
int share_read_begin(struct store_read **out, struct share_read *read, int error);
/* It has its reply: nothing is awaited any more. */
void share_read_take_off(struct share_read *read);
int share_find(struct store_read **out, struct store *store, const char *key, const char *domain,
               store_on_found done, void *context);
void share_find_cancel(struct store_read *read);
void share_finds_close(struct share *share);
/* Reads a record from a value found under `name`; NULL. Its times are the share's. */
struct record *share_read_record(struct share *share, struct arena *arena, const char *name,
                                 const struct valkey_reply *value, enum record_kind kind);
/* With what this relay has said and is not there yet. */
struct share_word share_read_word(struct share *share, const char *name,
                                  const struct valkey_reply *value);

/* What operators said of a key, as news. */
void share_take_word(struct share *share, const char *key, const struct share_word *word);

/* share_put_uv.c */
void share_put(struct share *share, const struct record *record);
void share_puts_close(struct share *share);

/* The number of the oldest put under way; UINT64_MAX: there is none. */
uint64_t share_oldest_put(const struct share *share);

/* share_history_uv.c */
void share_put_event(struct share *share, const struct record *record);
int share_list_events(struct store_read **out, struct share *share, const char *key,
                      store_on_page done, void *context);

/* share_turn_uv.c */
/* A turn that this relay may wait for has ended. */
void share_turn_done(struct share *share, const char *name);
/* A put has ended: so may turns. */
void share_turns_settle(struct share *share);
/* The share is lost: nobody waits any more. */
void share_turns_lost(struct share *share);
void share_turns_close(struct share *share);

/* share_tell_uv.c */
/* Sends what could not be sent: when the share is ready, and at each beat. */
void share_tells_send(struct share *share);
/* Adds to the word under a name what is on its way there. */
void share_tells_add(struct share *share, const char *name, struct share_word *word);
void share_tells_close(struct share *share);

/* share_roster_uv.c */
/* Says what this relay is, once it follows the news. */
void share_show_up(struct share *share);
void share_roster_name(char out[SHARE_NAME_MAX], const struct share *share);
/* What this relay said of itself, in its life before; false when it is not known. */
bool share_read_self(struct share_relay *out, struct share *share,
                     const struct valkey_reply *value);
/* Counts what the others are, if that was not done lately. */
void share_look_around(struct share *share);
void share_roster_close(struct share *share);

/* share_feed_uv.c */
/* When the entry at this place was told, the share's clock; 0 for what is no place. */
int64_t share_place_ms(const char *place);
/* The stream's name. */
void share_news_name(char out[SHARE_NAME_MAX], const struct share *share);
/* The value of an entry of the stream, malloc()ed; NULL without memory. `at`: the share's clock. */
char *share_news_seal(const struct share *share, enum share_news_kind kind, const char *name,
                      int64_t at, size_t *length);
void share_feed_begin(struct share *share);
/* Says it once when the news alone do not come, for a while. */
void share_feed_watch(struct share *share);
void share_on_feed(void *context, bool ready, const char *why);
