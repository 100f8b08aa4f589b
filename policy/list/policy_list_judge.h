/* policy_list_judge: when a list may be used: by its times, and by those of the one before. Pure. */
#pragma once

#include "policy/list/policy_list.h"

#define POLICY_LIST_SKEW_S     3600 /* a timestamp may be this much ahead of our clock */
#define POLICY_LIST_LIFE_MAX_S (INT64_C(366) * 86400) /* from timestamp to expires */

enum policy_list_state {
    POLICY_LIST_IN_FORCE,
    POLICY_LIST_TOO_NEW, /* a timestamp in the future, or younger than min-age: used later */
    POLICY_LIST_EXPIRED,
    POLICY_LIST_ROLLED_BACK, /* older than one that was used before */
    POLICY_LIST_ABSURD       /* times that no maker can mean */
};

/* `newest_s`: the latest timestamp of a list that was in force from the same source, 0: none;
 * `why` (static or in `room`) says it in words for all but IN_FORCE. */
enum policy_list_state policy_list_judge(const struct policy_list_header *header, int64_t newest_s,
                                         int64_t min_age_s, int64_t now_s,
                                         char why[POLICY_LIST_ERROR_MAX]);
const char *policy_list_state_name(enum policy_list_state state);
