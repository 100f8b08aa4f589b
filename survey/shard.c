/* shard: see shard.h. */
#include "survey/shard.h"

#include "base/hash.h"

bool shard_owns(const struct results_run *run, const struct ip *ip)
{
    const struct ip_prefix site = ip_site(ip);

    return run->shards <= 1 || hash_stable(&site, sizeof site) % run->shards == run->shard - 1;
}
