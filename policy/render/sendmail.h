/*
 * sendmail: an answer as Sendmail's rules can use it, which ask two socket maps (mxcrypt-sendmail(5)).
 * Pure. Both take the answer as it is for an MTA without DANE (render_capabilities).
 *
 *   map sts       a policy of level secure, which is all that FEATURE(`sts') knows: the certificate must
 *                 name the MX host, and that must be one of match=. Without match=, which is mxcrypt's
 *                 level verify, it may be any.
 *   map sendmail  what is required of the connection: ENCR, VERIFY or NONE
 *
 * FAIL DIRECTIONS
 *   Sendmail takes each status but TEMP for "not found", and FEATURE(`sts') takes that for "no policy".
 *   So a policy that it cannot be given, or cannot carry out (fingerprint, tafile=), is TEMP, and map
 *   sendmail says NONE where there is no opinion: what is not found there did not come from mxcryptd.
 */
#pragma once

#include "policy/render/render.h"

/* Both append a text and give the status of the answer; what is appended for ANSWER_OK has passed
 * the check below. Both fail only as buf_add does. */
enum answer_status sendmail_sts(struct buf *out, const struct answer *answer);
enum answer_status sendmail_requirement(struct buf *out, const struct answer *answer);

/* True for "secure match=a:.b servername=hostname", with names in lower case, with or without match=,
 * and nothing else. */
bool sendmail_sts_ok(const char *text, size_t length);
/* True for "ENCR:112", "VERIFY:112" and "NONE". */
bool sendmail_requirement_ok(const char *text, size_t length);
