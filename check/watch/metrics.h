/*
 * metrics: the results of checks as a textfile for node_exporter. Labels are the operator's own
 * domains, and codes of finding.h: a bounded number of time series.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "check/finding.h"

/* What is told of one domain. */
struct metrics_domain {
    const char *domain;
    bool checked; /* false: it could not be; nothing else is known */
    uint64_t by_severity[CHECK_SEVERITY_COUNT];
    uint64_t by_code[CHECK_CODE_COUNT];
    bool expiry_known;
    int64_t days_to_expiry;
};

struct metrics {
    const struct metrics_domain *domains; /* borrowed */
    size_t count;
    int64_t now_s; /* seconds since 1970 */
};

/* Counts a report. */
void metrics_count(struct metrics_domain *out, const char *domain,
                   const struct check_report *report);
/* Writes all, as a page_filler: `context` is a struct metrics. */
bool metrics_write(FILE *out, const void *context);
