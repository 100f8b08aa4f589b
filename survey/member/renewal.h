/*
 * renewal: for how many days the members of a policy list have been good, or not, and what follows from
 * that when the list is renewed. Kept beside the list as JSON. Days are those of UTC; one on which a
 * domain was not looked up counts as if it had not been.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "policy/evidence.h"

#define RENEWAL_DAYS_MAX  3650
#define RENEWAL_TEXT_MAX  (128 * 1024 * 1024)
#define RENEWAL_ERROR_MAX 256

/* One member. All zero: never looked at. */
struct renewal {
    int64_t day;           /* since 1970: the last one that counts */
    unsigned good, failed; /* days in a row up to that one; one of them is 0 */
};

struct renewal_rules {
    unsigned drop_after;    /* failed days */
    unsigned enforce_after; /* good days of one in testing; 0: never */
};

enum renewal_step { RENEWAL_KEEP, RENEWAL_DROP, RENEWAL_ENFORCE };

/* Counts what a look on `day` has found; the last look of a day is the one that counts. */
enum renewal_step renewal_count(struct renewal *member, enum list_mode mode, bool good, int64_t day,
                                const struct renewal_rules *rules);

/* ---- the file ---- */

struct renewals;

/* NULL without memory. */
struct renewals *renewals_new(void);
/* Reads what renewals_write wrote; NULL with what is wrong, in `error`. */
struct renewals *renewals_read(const char *text, size_t length, char error[RENEWAL_ERROR_MAX]);
void renewals_free(struct renewals *all);
/* All zero for one that is not there. */
struct renewal renewals_find(const struct renewals *all, const char *domain);
/* False without memory. */
bool renewals_put(struct renewals *all, const char *domain, const struct renewal *member);
void renewals_write(struct buf *out, const struct renewals *all);
