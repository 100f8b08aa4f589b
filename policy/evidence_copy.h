/* evidence_copy: evidence moved to memory of its own, for the cache. */
#pragma once

#include "base/arena.h"
#include "policy/evidence.h"

/* A deep copy in `arena`; NULL without memory. */
struct evidence *evidence_copy(struct arena *arena, const struct evidence *evidence);
