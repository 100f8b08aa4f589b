/* histogram: see histogram.h. Most of what is counted is short: the search begins there. */
#include "base/histogram.h"

void histogram_add(struct histogram *histogram, int64_t ns, unsigned count)
{
#define X(bound_ns, text) INT64_C(bound_ns),
    static const int64_t bounds[] = {HISTOGRAM_BUCKETS(X)};
#undef X
    unsigned bucket = 0;

    if (ns < 0)
        ns = 0;
    while (bucket < HISTOGRAM_BOUNDS && ns > bounds[bucket])
        bucket++;
    histogram->buckets[bucket] += count;
    histogram->sum_ns += (uint64_t)ns * count;
}

const char *histogram_bound(unsigned bucket)
{
#define X(bound_ns, text) text,
    static const char *const texts[] = {HISTOGRAM_BUCKETS(X) "+Inf"};
#undef X

    return texts[bucket];
}
