/* cause: which words of Postfix's mean that TLS made a delivery fail; see line.h. They are those of
 * smtp_tls_policy.c, smtp_proto.c and smtp_tls_sess.c of Postfix 3.4 to 3.12. What a server said
 * is quoted behind words of Postfix's own ("host NAME[ADDRESS] said: "), which none of these are. */
#include "audit/line.h"

#define SUSPENDED "delivery temporarily suspended: " /* the queue manager's, before the words */

static const struct {
    const char *start;
    enum tally_cause cause;
} starts[] = {
    {"TLS is required, but was not offered by host ", TALLY_NOT_OFFERED},
    {"TLS is required, but host ", TALLY_REFUSED},
    {"TLS is required, but ", TALLY_OUR_TLS},
    {"Cannot start TLS: ", TALLY_HANDSHAKE},
    {"Server certificate not ", TALLY_CERTIFICATE},
    {"client TLS configuration problem", TALLY_POLICY_LOOKUP},
    {"Temporary lookup error", TALLY_POLICY_LOOKUP},
    {"TLSA lookup error for ", TALLY_TLSA_LOOKUP},
    {"non DNSSEC destination", TALLY_NO_DANE},
    {"no TLSA records found", TALLY_NO_DANE},
    {"TLSA records unusable", TALLY_NO_DANE},
    {"Verification not possible, MX RRset is insecure", TALLY_NO_DANE},
    {"REQUIRETLS", TALLY_REQUIRETLS},
};

/* "DOMAIN: dane-only configured with dnssec lookups disabled" */
static const char *const ends_of_our_tls[] = {
    " configured, but no requisite library support",
    " configured with dnssec lookups disabled",
    " configured with MX lookup errors ignored",
};

static bool is_our_tls(struct span reason)
{
    for (size_t i = 0; i < sizeof ends_of_our_tls / sizeof ends_of_our_tls[0]; i++) {
        const char *end = ends_of_our_tls[i];

        if (reason.length > strlen(end) &&
            memcmp(reason.text + reason.length - strlen(end), end, strlen(end)) == 0)
            return !span_starts(reason, "host ");
    }
    return false;
}

enum tally_cause cause_of(struct span reason)
{
    if (span_starts(reason, SUSPENDED))
        span_skip(&reason, sizeof SUSPENDED - 1);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (span_starts(reason, starts[i].start))
            return starts[i].cause;
    return is_our_tls(reason) ? TALLY_OUR_TLS : TALLY_NO_CAUSE;
}
