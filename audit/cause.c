/* cause: which words of Postfix's mean that TLS made a delivery fail; see line.h. They are those of
 * smtp_tls_policy.c, smtp_proto.c and smtp_tls_sess.c of Postfix 3.4 to 3.12. What a server said
 * is quoted behind words of Postfix's own ("host NAME[ADDRESS] said: "), which none of these are. */
#include "audit/line.h"

#define SUSPENDED "delivery temporarily suspended: " /* the queue manager's, before the words */
#define PROTOCOL  "Protocol error: "                 /* a client's: the reply code is no failure */

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

/* "DOMAIN: dane-only configured with dnssec lookups disabled": what stands behind the first blank. */
static const char *const our_tls[] = {
    "dane-only configured, but no requisite library support",
    "dane-only configured with dnssec lookups disabled",
    "dane-only configured with MX lookup errors ignored",
    "dns resolver options incompatible with dane-only TLS",
};

static bool is_our_tls(struct span reason)
{
    const char *blank = memchr(reason.text, ' ', reason.length);

    if (blank == NULL || blank == reason.text || blank[-1] != ':')
        return false;
    span_skip(&reason, (size_t)(blank + 1 - reason.text));
    for (size_t i = 0; i < sizeof our_tls / sizeof our_tls[0]; i++)
        if (span_is(reason, our_tls[i]))
            return true;
    return false;
}

/* The mail host said nothing to STARTTLS: "lost connection with HOST while receiving …",
 * "conversation with HOST timed out while receiving …". */
static bool is_hung_up(struct span reason)
{
    static const char end[] = " while receiving the STARTTLS response";
    size_t length = sizeof end - 1;

    return (span_starts(reason, "lost connection with ") ||
            span_starts(reason, "conversation with ")) &&
           reason.length > length && memcmp(reason.text + reason.length - length, end, length) == 0;
}

enum tally_cause cause_of(struct span reason)
{
    if (span_starts(reason, SUSPENDED))
        span_skip(&reason, sizeof SUSPENDED - 1);
    if (span_starts(reason, PROTOCOL))
        span_skip(&reason, sizeof PROTOCOL - 1);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (span_starts(reason, starts[i].start))
            return starts[i].cause;
    if (is_hung_up(reason))
        return TALLY_REFUSED;
    return is_our_tls(reason) ? TALLY_OUR_TLS : TALLY_NO_CAUSE;
}
