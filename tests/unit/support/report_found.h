/* report_found: a report of what was found out, without rules. */
#pragma once

#include "policy/report/report.h"

static inline json_t *report_found(const struct key *key, const struct verdict *verdict,
                                   const struct evidence *evidence, int64_t now)
{
    static const struct override none;
    const struct final_answer as_found = {.kind = FINAL_FOUND, .level = verdict->level};

    return report_explain(&(struct report_facts){key, verdict, &none, &as_found, evidence, now});
}
