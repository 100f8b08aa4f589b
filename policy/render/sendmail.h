/*
 * sendmail: an answer as Sendmail's rules can use it, which ask two socket maps (mxcrypt-sendmail(5)).
 * Pure. Both take the answer as it is for an MTA without DANE (render_capabilities).
 *
 *   map sts       what FEATURE(`sts') reads: a policy of level secure, whose match= names the MX hosts
 *   map sendmail  what TLS_connection in Sendmail's configuration demands: "ENCR:112", "VERIFY:112"
 *
 * FAIL DIRECTIONS
 *   FEATURE(`sts') takes each status but TEMP for "no policy", so that a policy that it cannot be
 *   given is TEMP. A policy that Sendmail cannot carry out (fingerprint, tafile=) is TEMP in both
 *   maps.
 */
#pragma once

#include "policy/render/render.h"

/* Both append a text and give the status of the answer; what is appended for ANSWER_OK has passed
 * the check below. Both fail only as buf_add does. */
enum answer_status sendmail_sts(struct buf *out, const struct answer *answer);
enum answer_status sendmail_demand(struct buf *out, const struct answer *answer);

/* True for "secure match=a:.b servername=hostname", with names in lower case, and nothing else. */
bool sendmail_sts_ok(const char *text, size_t length);
/* True for "ENCR:112" and "VERIFY:112". */
bool sendmail_demand_ok(const char *text, size_t length);
