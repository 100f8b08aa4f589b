/* policy_list_write: the text of a policy list; and what differs between two. Pure. */
#pragma once

#include "base/buf.h"
#include "policy/list/policy_list.h"
#include "policy/list/policy_list_time.h"

/*
 * Appends the text of a list: header, the aliases that are used, and `count` entries, sorted by
 * domain, so that equal content gives equal text, and policy_list_read of it gives the same again.
 * Times are RFC 3339 in UTC. Hosts may be in any order. An alias stands for what the first of its
 * entries says, by domain; one that says something else is written out. Without memory `out` has
 * failed.
 *
 * What is written is not checked: of `header` and entries that are no list's own, read it again.
 */
void policy_list_write(struct buf *out, const struct policy_list_header *header,
                       const struct policy_list_entry *entries, size_t count);

enum policy_list_change { POLICY_LIST_ADDED, POLICY_LIST_REMOVED, POLICY_LIST_CHANGED };
/* `was` is NULL for what was added, `now` for what was removed. */
typedef void (*policy_list_on_change)(void *context, enum policy_list_change change,
                                      const struct policy_list_entry *was,
                                      const struct policy_list_entry *now);
/* Calls back for each domain that is in one only, or has another mode or other hosts (in any
 * order), sorted by domain. The name of an alias is no difference. False without memory. */
bool policy_list_diff(const struct policy_list *was, const struct policy_list *now,
                      policy_list_on_change on_change, void *context);
/* Whether both have the same mode and the same hosts, in any order. */
bool policy_list_says_same(const struct policy_list_entry *a, const struct policy_list_entry *b);
