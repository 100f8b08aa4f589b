/* config_table: the only list of the configuration's keys. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/config/config.h"

/* The type of a value; its bounds are those of the number, of the length of a text, or the family of
 * an address. */
enum config_kind { DURATION, COUNT, OCTETS, CHOICE, STRING, PATH, ADDRESS, CUSTOM };

/* The words of a CHOICE; the value is the place of the word. */
struct config_choice {
    const char *why;      /* "must be yes or no" */
    const char *words[5]; /* NULL after the last */
};

enum config_flag {
    CONFIG_REPEATS = 1, /* may be given more than once */
    CONFIG_LIVE = 2,    /* a reload brings it into force */
    CONFIG_LOOKUP = 4   /* what a lookup finds depends on it, whatever it is asked from */
};

struct config_row {
    const char *key;
    const char *fallback;
    enum config_kind kind;
    size_t offset, size; /* of the member of struct config; 0 for CUSTOM */
    int64_t min, max;
    const char *(*set)(struct config *config, const char *text); /* of CUSTOM */
    const struct config_choice *choice;                          /* of CHOICE */
    unsigned flags;
};

extern const struct config_row config_rows[CONFIG_KEYS];

/* Puts a value into `config`, whose strings may point into `text`; NULL, or what is wrong with it.
 * Without memory the arena has failed, and the result does not count. */
const char *config_row_set(struct config *config, const struct config_row *row, const char *text);

/* ---- parts of values, for the functions that set them ---- */

/* Digits and the unit of a kind: 500ms 5s 15m 24h 7d; 64K 256M 1G. NULL, or what is wrong. */
const char *config_number_parse(uint64_t *out, const char *text, enum config_kind kind);
/* The next word of a list (blanks and commas between them), NUL-terminated in the arena; NULL at
 * the end or without memory. Moves *text on. */
const char *config_next_word(struct arena *arena, const char **text);
/* What follows a prefix; NULL when the text does not begin with it, or it is NULL. */
const char *config_after(const char *text, const char *prefix);

/* config_list.c */
const char *config_set_policy_list(struct config *config, const char *text);
