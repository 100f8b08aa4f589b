/* members: every domain of a results file, with what it shows as a member of a policy list. */
#pragma once

#include "survey/member/member.h"
#include "survey/results/results.h"

/* `evidence` is NULL for a domain that was not looked up. False ends it. All that is given is gone
 * after the call. */
typedef bool members_taker(void *context, const char *domain, const struct member *member,
                           const struct evidence *evidence);
/* Calls `take` for each, by name. False when it says so, or on failure: results_error is not "" then,
 * unless there is no memory. */
bool members_each(struct results *results, members_taker *take, void *context);
/* The same for one domain, which need not be there. */
bool members_one(struct results *results, const char *domain, members_taker *take, void *context);
