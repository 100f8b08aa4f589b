/*
 * valkey_reply: what a server answered. It is hostile until looked at: every function takes any
 * reply, and says "nothing" for one of another type. Replies are borrowed until the callback that
 * gives them returns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALKEY_ELEMENTS_MAX 20000 /* of one reply, in all its arrays */
/* Octets of one reply, and of what follows it at once; more end the connection. */
#define VALKEY_REPLY_MAX (16 * 1024 * 1024)

struct valkey_reply;

enum valkey_type {
    VALKEY_NIL,
    VALKEY_TEXT,   /* octets; also a status as "OK" */
    VALKEY_NUMBER, /* an integer */
    VALKEY_ARRAY,
    VALKEY_ERROR, /* valkey_text says what */
    VALKEY_OTHER
};

/* NULL is VALKEY_NIL. */
enum valkey_type valkey_type(const struct valkey_reply *reply);
/* The octets of a text or an error, with a NUL behind them that does not count; NULL for another
 * type. `length` may be NULL. */
const char *valkey_text(const struct valkey_reply *reply, size_t *length);
/* Whether it is this text. */
bool valkey_is(const struct valkey_reply *reply, const char *text);
/* Whether it is an error that begins with this word, as "READONLY". */
bool valkey_is_error(const struct valkey_reply *reply, const char *word);
/* The integer, or a text that is one in decimal digits. False for anything else. */
bool valkey_number(const struct valkey_reply *reply, int64_t *out);
/* Elements of an array; 0 for another type. */
size_t valkey_count(const struct valkey_reply *reply);
/* An element; NULL beyond the last. */
const struct valkey_reply *valkey_at(const struct valkey_reply *reply, size_t index);
