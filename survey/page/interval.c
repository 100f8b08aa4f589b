/* interval: see interval.h. */
#include "survey/page/interval.h"

#include <math.h>

#define Z 1.959963984540054 /* 97.5 % of the normal distribution */

static double within(double share)
{
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

/* Wilson's score interval of a share of `n` domains. */
static struct interval wilson(double share, double n)
{
    double middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n);
    double half = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n));

    return (struct interval){within(middle - half), within(middle + half)};
}

struct interval interval_of_domains(double part, double whole, double sampled)
{
    double share = part / whole;

    if (!(whole > 0))
        return (struct interval){0, 1};
    if (sampled >= 1)
        return (struct interval){share, share};
    return wilson(share, whole / (1 - sampled));
}

struct interval interval_of_weight(const struct interval_weights *weights, double sampled)
{
    double share, both, squares, spread = weights->whole_squares;

    if (!(weights->whole > 0) || !(spread > 0))
        return (struct interval){0, 1};
    share = within(weights->part / weights->whole);
    if (sampled >= 1)
        return (struct interval){share, share};
    /* of the residuals w (y - share), where y is 1 within the part and 0 outside */
    squares = weights->part_squares * (1 - share) * (1 - share) +
              (weights->whole_squares - weights->part_squares) * share * share;
    both = share * (1 - share);
    if (both > 0)
        spread = fmax(spread, squares / both);
    return wilson(share, weights->whole * weights->whole / spread / (1 - sampled));
}
