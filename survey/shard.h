/* shard: which part of a survey that is split over several machines is this one's. Pure. */
#pragma once

#include <stdbool.h>

#include "base/net/ip.h"
#include "survey/results/results.h"

/* Whether a prefix is the run's shard's: the same on every machine. */
bool shard_owns(const struct results_run *run, const struct ip *ip);
