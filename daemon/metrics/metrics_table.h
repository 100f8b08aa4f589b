/*
 * metrics_table: the table of everything mxcryptd counts. Prometheus (metrics_text) and `mxcrypt
 * stats` (control/commands.c) are two ways to print it. The numbers come from metrics_gather.
 *
 * A row is a number, or an array of numbers with a label that distinguishes them. Its names are
 * interfaces and never change.
 */
#pragma once

#include "daemon/metrics/metrics_gather.h"

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_family {
    const char *name; /* for Prometheus, without the prefix; NULL: not there */
    enum metrics_kind kind;
    size_t offset, size; /* of the first number, or histogram, in struct metrics_numbers */
    unsigned count;      /* of the array; 1 without a label */
    const char *label;   /* NULL: none */
    const char *(*value)(unsigned index); /* of the label */
    unsigned decimals;                    /* Prometheus divides by ten to the power of this */
    const char *stats; /* for `mxcrypt stats`, before "_" and the label's value; NULL: not there */
    const char *help;
};

/* The row at `index`; NULL after the last. */
const struct metrics_family *metrics_family_at(size_t index);
/* The number at `index` of a family that is not a histogram. */
uint64_t metrics_number(const struct metrics_family *family, const struct metrics_numbers *numbers,
                        unsigned index);
