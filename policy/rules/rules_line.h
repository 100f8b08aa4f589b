/*
 * rules_line: one line of mxcrypt-rules(5), taken apart and checked (rules_line.c); and where a key
 * stands among the patterns (rules_place.c). Part of rules.h.
 */
#pragma once

#include "policy/key.h"
#include "policy/rules/rules.h"

#define RULES_FAULT_MAX 384

struct rules_place {
    char text[KEY_TEXT_MAX + 1]; /* the key's own pattern; addresses in one spelling, in brackets */
    size_t length;               /* 0: no pattern is this key */
    size_t host_length;          /* the part of `text` before the port */
    size_t name_at, name_length; /* the domain in `text`, that has parents; 0: none */
    bool stays_here;             /* a path, a loopback address, localhost: not for `*` */
};

void rules_place_of_key(struct rules_place *out, const struct key *key, uint16_t default_port);
/* The place of a pattern: text[0] is '.' for a parent; "*" for all. 0, or -1 with a sentence in
 * `fault` that says what is wrong with it. */
int rules_place_of_pattern(struct rules_place *out, struct span pattern, uint16_t default_port,
                           char fault[RULES_FAULT_MAX]);

struct rules_line {
    struct rules_place place;
    enum rule_action action;
    struct span policy; /* within the line, or static; NULL: none */
    enum verdict_level level;
    int64_t until_s;
    struct span ticket; /* within the line; NULL: none */
};

/* Reads a line without its end. 1 with *out, 0 for a comment or a blank line, or -1 with a sentence
 * in `fault`. `length` is at most RULES_LINE_MAX. */
int rules_line_read(struct rules_line *out, const char *text, size_t length, uint16_t default_port,
                    char fault[RULES_FAULT_MAX]);
