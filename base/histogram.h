/*
 * histogram: how long things took, in fixed buckets from 25 us to 30 s. Plain data: all zero is
 * empty. Cannot fail.
 */
#pragma once

#include <stdint.h>

/* Upper bounds, inclusive: X(nanoseconds, the same in seconds as text). What is known takes tens of
 * microseconds, a lookup tens of milliseconds up to answer-deadline. */
#define HISTOGRAM_BUCKETS(X)                                                                       \
    X(25000, "0.000025")                                                                           \
    X(50000, "0.00005")                                                                            \
    X(100000, "0.0001")                                                                            \
    X(250000, "0.00025")                                                                           \
    X(500000, "0.0005")                                                                            \
    X(1000000, "0.001")                                                                            \
    X(2500000, "0.0025")                                                                           \
    X(5000000, "0.005")                                                                            \
    X(10000000, "0.01")                                                                            \
    X(25000000, "0.025")                                                                           \
    X(50000000, "0.05")                                                                            \
    X(100000000, "0.1")                                                                            \
    X(250000000, "0.25")                                                                           \
    X(500000000, "0.5")                                                                            \
    X(1000000000, "1")                                                                             \
    X(2500000000, "2.5")                                                                           \
    X(5000000000, "5")                                                                             \
    X(10000000000, "10")                                                                           \
    X(30000000000, "30")

#define X(ns, text) +1
enum { HISTOGRAM_BOUNDS = 0 HISTOGRAM_BUCKETS(X) };
#undef X

struct histogram {
    uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* each one for itself; the last: longer than all */
    uint64_t sum_ns;
};

/* `count` things that took `ns` each; a negative time counts as none. */
void histogram_add(struct histogram *histogram, int64_t ns, unsigned count);
/* The bound of a bucket in seconds: "0.0001"; "+Inf" for the last. */
const char *histogram_bound(unsigned bucket);
