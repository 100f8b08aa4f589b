/* look_now: gathers the facts of one domain and waits for them, on a loop of its own. */
#pragma once

#include "check/facts.h"
#include "probe/options.h"
#include "probe/start_uv.h"

#define LOOK_WHY_MAX 256

struct look_now_request {
    const struct prober_options *options; /* borrowed for the life of what is gathered */
    const struct verdict_options *verdict;
    const char *domain; /* A-label; borrowed likewise */
    bool enforced;
    const struct check_before *before; /* NULL: nothing is remembered */
};

struct look_now;

/* Takes some seconds, and no longer than the slowest deadline of the options. 0, or -1 with why,
 * which is for people: no memory, no trust anchors. */
int look_now(struct look_now **out, const struct look_now_request *request, char why[LOOK_WHY_MAX]);
/* Until look_now_free. */
const struct check_facts *look_now_facts(const struct look_now *now);
/* What was found about this host. */
const struct start_findings *look_now_start(const struct look_now *now);
/* NULL is allowed. */
void look_now_free(struct look_now *now);
