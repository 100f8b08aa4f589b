/*
 * policy_list_judge: see policy_list_judge.h.
 *
 * What makes a list unfit for ever is said before what time will change: one that is rolled back is
 * that, whether it has expired or not.
 */
#include "policy/list/policy_list_judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "policy/list/policy_list_time.h"

#define DAY_S INT64_C(86400)

static enum policy_list_state because(enum policy_list_state state, char why[POLICY_LIST_ERROR_MAX],
                                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum policy_list_state because(enum policy_list_state state, char why[POLICY_LIST_ERROR_MAX],
                                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, POLICY_LIST_ERROR_MAX, format, args);
    va_end(args);
    return state;
}

enum policy_list_state policy_list_judge(const struct policy_list_header *header, int64_t newest_s,
                                         int64_t min_age_s, int64_t now_s,
                                         char why[POLICY_LIST_ERROR_MAX])
{
    char a[POLICY_LIST_TIME_SIZE], b[POLICY_LIST_TIME_SIZE];
    int64_t timestamp_s = header->timestamp_s, expires_s = header->expires_s;
    const char *timestamp = policy_list_time_text(a, timestamp_s);

    why[0] = '\0';
    if (expires_s <= timestamp_s)
        return because(POLICY_LIST_ABSURD, why, "it expires at %s, not after its timestamp, %s",
                       policy_list_time_text(b, expires_s), timestamp);
    if (expires_s - timestamp_s > POLICY_LIST_LIFE_MAX_S)
        return because(POLICY_LIST_ABSURD, why,
                       "it expires at %s, more than %" PRId64 " days after its timestamp, %s",
                       policy_list_time_text(b, expires_s), POLICY_LIST_LIFE_MAX_S / DAY_S,
                       timestamp);
    if (timestamp_s < newest_s)
        return because(POLICY_LIST_ROLLED_BACK, why,
                       "its timestamp is %s, before %s, that of a list used before", timestamp,
                       policy_list_time_text(b, newest_s));
    if (expires_s <= now_s)
        return because(POLICY_LIST_EXPIRED, why, "it expired at %s",
                       policy_list_time_text(b, expires_s));
    if (timestamp_s > now_s && timestamp_s - now_s > POLICY_LIST_SKEW_S)
        return because(POLICY_LIST_TOO_NEW, why, "its timestamp, %s, is in the future", timestamp);
    if (min_age_s > 0 && now_s < timestamp_s + min_age_s)
        return because(POLICY_LIST_TOO_NEW, why,
                       "its timestamp is %s, and min-age holds it until %s", timestamp,
                       policy_list_time_text(b, timestamp_s + min_age_s));
    return POLICY_LIST_IN_FORCE;
}

const char *policy_list_state_name(enum policy_list_state state)
{
    static const char *const names[] = {
        [POLICY_LIST_IN_FORCE] = "in-force", [POLICY_LIST_TOO_NEW] = "too-new",
        [POLICY_LIST_EXPIRED] = "expired",   [POLICY_LIST_ROLLED_BACK] = "rolled-back",
        [POLICY_LIST_ABSURD] = "absurd",
    };

    return names[state];
}
