/*
 * tlsrpt_report: the report about one policy domain (RFC 8460 §4.4) from the sessions of a day's log
 * and what mxcryptd says of the domain. Pure.
 *
 * A session counts under the policy that decided about it:
 *
 *   tlsa             the answer to Postfix is dane-only or dane, and the session was Verified, or
 *                    failed at a host with TLSA records
 *   sts              the answer rests on an MTA-STS policy, and the session was Verified, or failed
 *   no-policy-found  all others
 *
 * A policy may be there of which Postfix is not told: MTA-STS in testing mode, or by a rule, by mode or
 * rollout. Then a session counts only if it proves that the policy was kept or broken.
 *
 * The answer is the present one: of a policy that came or went on that day the sessions before count
 * under no-policy-found, since their level shows that no policy was asked for.
 */
#pragma once

#include <jansson.h>

#include "audit/tlsrpt/sessions.h"

#define TLSRPT_DETAILS_MAX 100 /* failure-details of one policy; those with the most sessions */
#define TLSRPT_STRINGS_MAX 100 /* lines of a policy-string, and patterns of mx-host */

struct tlsrpt_day {
    const char *organization, *contact, *submitter; /* as tlsrpt_settings_wrong allows */
    const char *unique;                             /* letters and digits: of this machine */
    int64_t begin, end; /* seconds since 1970: the first, and the first after */
    int64_t now;
};

/* The report, a new reference; NULL when no session counts, or without memory. `explained` is the
 * daemon's explanation of the domain (mxcrypt(1), EXPLAIN); NULL: nothing is known of it. */
json_t *tlsrpt_report(const struct tlsrpt_day *day, const struct session_domain *domain,
                      const json_t *explained);

#define TLSRPT_TIME_SIZE 32
/* Seconds since 1970 as RFC 3339 has it, "2026-11-27T00:00:00Z"; "" for a year beyond all. Returns
 * `out`. */
const char *tlsrpt_time(char out[TLSRPT_TIME_SIZE], int64_t at);

/* What is wrong with the words for organization-name and contact-info; NULL when nothing is.
 * *submitter is set to the domain of the contact, which is an address: user@domain. */
const char *tlsrpt_settings_wrong(const char *organization, const char *contact,
                                  const char **submitter);
/* An address that may be written to: of letters, digits and RFC 5322 §3.2.3's atext with dots, but
 * without "!%/|`", which some mailers take for more than a name; not beginning with a hyphen; at a
 * domain of two labels or more. */
bool tlsrpt_is_address(const char *text, size_t length);
