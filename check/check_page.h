/*
 * check_page: a report for a terminal, for programs, and for Nagios and its kin. Each returns false
 * when the page is not whole: without memory, or with an error of the file.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "check/facts.h"
#include "check/finding.h"

struct check_page {
    const struct check_facts *facts;
    const struct check_report *report;
    bool quiet; /* text: findings only, so that it may be empty */
};

/* Findings, worst first, then what was seen, in 80 columns. */
bool check_text(FILE *out, const struct check_page *page);
/* By docs/check.schema.json. */
bool check_json(FILE *out, const struct check_page *page);
/* One line: "MXCRYPT WARNING - example.org: 2 warnings: ... | days_to_expiry=23;14:;3: findings=2" */
bool check_nagios(FILE *out, const struct check_page *page);
/* The same where there is no report: "MXCRYPT UNKNOWN - why". */
bool check_nagios_unknown(FILE *out, const char *why);

/* ---- words that they share ---- */

/* How many findings have that severity. */
size_t check_count(const struct check_report *report, enum check_severity severity);
/* "1 critical, 2 warnings", "no findings"; what does not fit is cut. Returns `out`. */
#define CHECK_COUNTS_MAX 100
const char *check_counts(char out[CHECK_COUNTS_MAX], const struct check_report *report);
/* "ok", "warning", "critical", "unknown": of the exit status. */
const char *check_status(const struct check_report *report);
const char *check_sender_name(enum check_sender sender);
/* "none", "unsigned", "unusable", "usable": the TLSA records of a host. */
const char *check_dane_name(const struct check_page *page, const struct check_host *host);
