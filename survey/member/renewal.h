/*
 * renewal: for how many days the members of a policy list have been good, or not, and what follows from
 * that when the list is renewed. Kept beside the list as JSON. Days are those of UTC; one on which a
 * domain was not looked up counts as if it had not been. They are those of one entry: of its mode and
 * its hosts.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/mac.h"
#include "policy/evidence.h"

#define RENEWAL_DAYS_MAX  3650
#define RENEWAL_TEXT_MAX  (256 * 1024 * 1024)
#define RENEWAL_ERROR_MAX 256

/* One member. All zero: never looked at. */
struct renewal {
    int64_t day;              /* since 1970: the last one that counts */
    unsigned good, failed;    /* days in a row up to that one; one of them is 0 */
    enum list_mode mode;      /* of the entry that was looked at */
    char hosts[MAC_TEXT_MAX]; /* a digest of its hosts; "": of none yet */
};

/* The days are for an entry with this mode and these hosts (as in struct list_evidence) from now on:
 * they begin anew where they were counted for another. False without memory. */
bool renewal_begin(struct renewal *member, enum list_mode mode, const char *mx, size_t mx_count);

struct renewal_rules {
    unsigned drop_after;    /* failed days */
    unsigned enforce_after; /* good days of one in testing; 0: never */
};

enum renewal_step { RENEWAL_KEEP, RENEWAL_DROP, RENEWAL_ENFORCE };

/* Counts what a look on `day` has found, for the mode of the member; the last look of a day is the one
 * that counts. Days later than `day` were counted by a wrong clock, and none is left of them. */
enum renewal_step renewal_count(struct renewal *member, bool good, int64_t day,
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
