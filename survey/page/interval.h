/*
 * interval: how far a share of a random sample of domains may be from that of the whole list, at
 * 95 %. Pure.
 *
 * There is none for shares by operators: a sample of domains is no sample of operators. Large ones
 * are all in it, and most of the small ones are not.
 */
#pragma once

struct interval {
    double low, high; /* 0 to 1 */
};

/*
 * Of `part` domains of `whole`, when `sampled` (0 to 1) is the part of the list that was looked up:
 * Wilson's score interval, in which the finite population correction makes the sample larger:
 * n / (1 - sampled). 0 to 1 of nothing.
 */
struct interval interval_of_domains(double part, double whole, double sampled);

/* What the weights of a sample add up to. */
struct interval_weights {
    double domains;                     /* of the sample */
    double part, whole;                 /* sums of weights */
    double part_squares, whole_squares; /* sums of their squares */
};
/*
 * Of a share by weight: the ratio of two sums, by linearisation (Cochran, Sampling Techniques,
 * 6.4), with the finite population correction. A normal interval, which is too narrow where few
 * domains have most of the weight. 0 to 1 of fewer than two domains, or without weight.
 */
struct interval interval_of_weight(const struct interval_weights *weights, double sampled);
