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
    double part, whole;                 /* sums of weights */
    double part_squares, whole_squares; /* sums of their squares */
};
/*
 * Of a share by weight: the same, for as many domains of equal weight as would tell as much: (sum of
 * w)^2 / sum of w^2 (Kish, Survey Sampling, 11.7), or fewer where heavy domains are more often within
 * the part than others, so that the ratio of the two sums has a larger variance (by linearisation:
 * Cochran, Sampling Techniques, 6.4). Of that variance alone an interval would have no width at a
 * share of 0, and hold too few rare shares. Where all weights are equal it is the interval of the
 * domains. 0 to 1 without weight.
 */
struct interval interval_of_weight(const struct interval_weights *weights, double sampled);
