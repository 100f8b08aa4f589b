/*
 * progress: one line on a terminal that says how much is done: it appears when something takes
 * longer than a second, changes a few times a second, and leaves nothing behind. Where the output
 * is no terminal there is nothing at all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    const char *unit; /* borrowed: what is counted, "domains"; NULL: octets. Set after the begin */
    FILE *out;        /* borrowed; NULL: no terminal */
    uint64_t before;  /* of what is done, so much was done before the begin */
    const char *note; /* borrowed: stands at the end of the line; NULL: nothing */
    int64_t begun_ms, shown_ms;
    size_t width; /* of what is shown; 0: nothing */
};

void progress_begin(struct progress *progress, FILE *out);
/* `done` of `all`, which is 0 where it is not known. May be called as often as there is something
 * new; it is cheap. */
void progress_show(struct progress *progress, uint64_t done, uint64_t all);
/* Clears the line: before anything else is written to the terminal, and at the end. The next
 * progress_show may show it again. */
void progress_clear(struct progress *progress);

struct progress_amount {
    uint64_t done, all; /* all 0: not known */
    const char *unit;   /* NULL: octets */
    int64_t elapsed_ms;
    uint64_t before;  /* of `done`, so much was done before */
    const char *note; /* NULL: none */
};
/* What is shown, in at most `columns` columns: "34% [===>      ] 1.2 GiB of 3.4 GiB, 512 MiB/s, 5 s
 * left" or "34% [===>      ] 120 of 350 domains, 10/s, 23 s left", and the note behind it. Pure. Gives the length, less
 * than `size`. */
size_t progress_text(char *out, size_t size, const struct progress_amount *amount, size_t columns);
