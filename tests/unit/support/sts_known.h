/* sts_known: what an sts_cache knows of a domain, copied: it outlives the entry. */
#pragma once

#include "probe/sts/sts_cache.h"

static inline bool sts_known(const struct sts_cache *cache, struct arena *arena, const char *domain,
                             struct sts_saved *out)
{
    if (!sts_cache_get(cache, domain, out))
        return false;
    out->domain = arena_strdup(arena, out->domain);
    out->id = arena_strdup(arena, out->id);
    out->last_id = arena_strdup(arena, out->last_id);
    out->body = arena_strdup(arena, out->body);
    out->why = arena_strdup(arena, out->why);
    return true;
}
