/*
 * share_text: the texts in the share, as JSON: records, what operators said of a key, and news. What
 * is read is hostile until it has passed. Times are milliseconds since 1970 on the clock of the
 * share, which all relays have in common. Pure.
 */
#pragma once

#include "daemon/store/record.h"

#define SHARE_TURN_MAX  640 /* octets of the name of a turn: printable */
#define SHARE_RELAY_MAX 64  /* octets of a relay's name: letters, digits, . - _ */

/* What operators said of a key; it counts for what was learnt until then. 0: nothing. */
struct share_word {
    int64_t forgotten_at, released_at;
};

/* X(constant, word) */
#define SHARE_NEWS(X)                                                                              \
    X(SHARE_NEWS_ANSWER, "answer")   /* the record of a key has changed in what matters to all */  \
    X(SHARE_NEWS_FORGET, "forget")   /* a key, or what an address showed, is forgotten */          \
    X(SHARE_NEWS_RELEASE, "release") /* the hold of a key is ended */                              \
    X(SHARE_NEWS_DONE, "done")       /* a turn has ended that somebody waits for */                \
    X(SHARE_NEWS_RELOAD, "reload")   /* rules and configuration are read again */
enum share_news_kind { SHARE_NEWS(ENUM_CONSTANT) SHARE_NEWS_KINDS };

struct share_news {
    enum share_news_kind kind;
    char relay[SHARE_RELAY_MAX + 1]; /* whose it is */
    /* A canonical key; of _FORGET also an address, whose probe results are meant; of _DONE the name
     * of the turn; "" of _RELOAD. */
    const char *name;
    int64_t at;
};

/* What a relay says of itself. */
struct share_relay {
    char name[SHARE_RELAY_MAX + 1];
    char version[SHARE_RELAY_MAX + 1]; /* of the program: of the same characters as a name */
    uint64_t rules;                    /* a hash of the rules' text; 0: none */
    uint32_t settings;                 /* a hash of what decides the result of a lookup */
    bool monitor;                      /* mode */
    unsigned rollout;                  /* percent */
    int64_t at;                        /* when it said so */
    int64_t news_at;                   /* of the last news that it has taken; 0: none */
    int64_t skew_ms;                   /* its wall clock, less the clock of the share */
};

bool share_relay_valid(const char *name);

/* Texts are malloc()ed, for the caller to free; NULL without memory. Readers give NULL, or why the
 * text is none (static); strings are the arena's. */
char *share_record_write(const struct record *record);
const char *share_record_read(struct record **out, struct arena *arena, const char *text,
                              size_t length);
char *share_word_write(const struct share_word *word);
const char *share_word_read(struct share_word *out, const char *text, size_t length);
char *share_news_write(const struct share_news *news);
const char *share_news_read(struct share_news *out, struct arena *arena, const char *text,
                            size_t length);

/* skew_ms may be missing, and there may be more members: while a farm is upgraded, versions list
 * each other. */
char *share_relay_write(const struct share_relay *relay);
const char *share_relay_read(struct share_relay *out, const char *text, size_t length);
/* Whether two relays answer alike, as far as they say: version, rules, settings, mode, rollout. */
bool share_relay_same(const struct share_relay *a, const struct share_relay *b);

/* An answer that takes the place of two of one key: the evidence of the later, and what either
 * proved, but for what the word says no more. `theirs` may be NULL. Strings stay borrowed. */
struct record share_join(const struct record *ours, const struct record *theirs,
                         const struct share_word *word);
/* Takes from an answer what the word says no more; false when nothing of it counts. */
bool share_word_apply(struct record *answer, const struct share_word *word);
