/* interval: see interval.h. */
#include "survey/page/interval.h"

#include <math.h>

#define Z 1.959963984540054 /* 97.5 % of the normal distribution */

static double within(double share)
{
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

struct interval interval_of_domains(double part, double whole, double sampled)
{
    double share = part / whole, n, middle, half;

    if (!(whole > 0))
        return (struct interval){0, 1};
    if (sampled >= 1)
        return (struct interval){share, share};
    n = whole / (1 - sampled);
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n);
    half = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n));
    return (struct interval){within(middle - half), within(middle + half)};
}

struct interval interval_of_weight(const struct interval_weights *weights, double sampled)
{
    double n = weights->domains, share, squares, half;

    if (!(n >= 2) || !(weights->whole > 0))
        return (struct interval){0, 1};
    share = weights->part / weights->whole;
    if (sampled >= 1)
        return (struct interval){share, share};
    /* of the residuals w (y - share), where y is 1 within the part and 0 outside */
    squares = weights->part_squares * (1 - share) * (1 - share) +
              (weights->whole_squares - weights->part_squares) * share * share;
    half = Z * sqrt((1 - sampled) * n / (n - 1) * squares) / weights->whole;
    return (struct interval){within(share - half), within(share + half)};
}
