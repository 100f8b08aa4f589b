/*
 * queue_uv: the queue of one run: commands to a Valkey or Redis server, one after the other, each
 * answered before the next. What was asked is asked again when the connection was lost meanwhile, so
 * every command must be one that may be carried out twice.
 *
 * A queue that is not there, or takes nothing now (it is loading, full, or a replica), is waited for
 * and told once; after QUEUE_PATIENCE_MS it counts as failed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/valkey/valkey_reply.h"

#define QUEUE_PATIENCE_MS (10 * 60 * 1000)
#define QUEUE_TURN_MS     200
#define QUEUE_KEY_MAX     160 /* with NUL */
#define QUEUE_WORDS_MAX   16
#define QUEUE_SAID_MAX    700

struct queue_options {
    const char *url; /* base/valkey/valkey_url.h */
    const char *run; /* plan_name_ok; borrowed */
    /* A line for the operator. */
    void (*say)(const char *text);
};

struct queue;

/* Why it is no URL of a server (static); NULL: it is one. */
const char *queue_url_wrong(const char *url);
/* Begins to connect; SIGINT and SIGTERM stop it from now on. NULL with *why (static). */
struct queue *queue_open(const struct queue_options *options, const char **why);
/* NULL is allowed. */
void queue_close(struct queue *queue);

/* What a command brought; borrowed. Errors come only where they are said to. */
typedef void queue_taker(void *context, const struct valkey_reply *reply);
/* Sends words that end with NULL, each with a NUL at its end. False when the queue has failed, or was
 * stopped while it was waited for: all else fails then too. `take` may be NULL. It gets these errors: BUSYGROUP, NOGROUP, that
 * an entry is not newer than the last, and that there is no such key; all others are failures. */
bool queue_ask(struct queue *queue, queue_taker *take, void *context, const char *const *words);
/* Takers: of a number into an int64_t, 0 where there is none; whether there was anything but nil or an error
 * into a bool. */
queue_taker queue_take_number, queue_take_any;

/* "mxcrypt:survey:RUN:WORD" and, unless NULL, ":REST". Returns `out`. */
const char *queue_key(const struct queue *queue, char out[QUEUE_KEY_MAX], const char *word,
                      const char *rest);
/* Waits so long, or until queue_wake or a signal. */
void queue_wait(struct queue *queue, int64_t ms);
void queue_wake(struct queue *queue);
/* `turn` is called every QUEUE_TURN_MS or oftener while anything is waited for; it must not ask. */
void queue_set_turn(struct queue *queue, void (*turn)(void *context), void *context);
/* Whether a signal came. */
bool queue_is_stopped(const struct queue *queue);
/* How often it was connected: what was put in may have been lost in between. */
unsigned queue_connections(const struct queue *queue);
/* After a failure or a signal: a last few commands may be sent, if the server is there. */
bool queue_recover(struct queue *queue);
/* Why it failed; "" while it has not. */
const char *queue_why(const struct queue *queue);
/* Lets it fail; false. The first words count. */
bool queue_fail(struct queue *queue, const char *format, ...) __attribute__((format(printf, 2, 3)));
void queue_say(const struct queue *queue, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
