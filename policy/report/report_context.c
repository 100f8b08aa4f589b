/*
 * report_context: sentences that stand beside the reason of a verdict; see report_words.h.
 *
 * None claims an absence that was not looked for: under dane = no TLSA is not spoken of, and an
 * unsigned address is not a missing record.
 */
#include <stdio.h>
#include <string.h>

#include "policy/report/report_words.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/* Records of one host whose fault is told. */
#define FAULTS_MAX    3
#define SHA256_OCTETS 32
#define SHA512_OCTETS 64
#define NO_ADDRESS    "Not counted, because no address is known: "

/* ---- MX and hosts ---- */

void report_say_mx(struct words *words)
{
    const struct evidence *evidence = words->evidence;
    const char *domain = words_domain(words);

    if (evidence->mx == MX_SELF)
        words_add(words, "The key names the mail host itself, so no MX record is involved.");
    else if (evidence->mx == MX_IMPLICIT)
        words_add(words,
                  "%s has no MX record and is its own mail host; Postfix takes that like a "
                  "signed MX.",
                  domain);
    else if (evidence->mx == MX_LISTED && evidence->mx_secure)
        words_add(words, "The MX records of %s are signed with DNSSEC.", domain);
    else if (evidence->mx == MX_LISTED)
        words_add(words,
                  "The MX records of %s are not signed with DNSSEC: who forges them chooses "
                  "the mail hosts.",
                  domain);
    if (evidence->mx_truncated)
        words_add(words, "%s has more than %d mail hosts; only the first %d were looked at.",
                  domain, EVIDENCE_MX_MAX, EVIDENCE_MX_MAX);
}

void report_say_left_out(struct words *words)
{
    words_say_hosts_why(words, words_is_error,
                        "Not counted, because the TLSA lookup failed; Postfix skips such a host "
                        "until it works: ",
                        ".");
    words_say_hosts_why(words, words_is_gone, NO_ADDRESS, ".");
}

void report_say_hosts_dane(struct words *words)
{
    words_say_hosts(words, words_is_usable, "Usable TLSA records: ", ".");
    report_say_unusable(words);
    words_say_hosts(words, words_is_without, "No TLSA records: ", ".");
    words_say_hosts(words, words_is_unsigned,
                    "The addresses are not signed with DNSSEC, so TLSA does not count: ", ".");
}

/* Why SMTP cannot use a record: RFC 7672, 3.1, and RFC 7671, 5. */
static const char *tlsa_fault(const struct tlsa *tlsa)
{
    if (tlsa->usage <= 1)
        return "certificate usages 0 and 1 are not for SMTP";
    if (tlsa->usage > 3)
        return "an unknown certificate usage";
    if (tlsa->selector > 1)
        return "an unknown selector";
    if (tlsa->matching_type > 2)
        return "an unknown matching type";
    if (tlsa->length == 0)
        return "no data";
    if (tlsa->matching_type == 1 && tlsa->length != SHA256_OCTETS)
        return "a SHA-256 digest of the wrong length";
    if (tlsa->matching_type == 2 && tlsa->length != SHA512_OCTETS)
        return "a SHA-512 digest of the wrong length";
    if (tlsa->matching_type != 0)
        return "not usable";
    return tlsa->selector == 0 ? "the data is no certificate" : "the data is no public key";
}

static void say_unusable_host(struct words *words, const struct mx_host *host)
{
    char text[512] = "";
    size_t used = 0, left;

    for (size_t i = 0; i < host->tlsa_count && i < FAULTS_MAX; i++) {
        const struct tlsa *tlsa = &host->tlsa[i];

        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%u %u %u: %s", i == 0 ? "" : "; ",
                             tlsa->usage, tlsa->selector, tlsa->matching_type, tlsa_fault(tlsa));
    }
    left = host->tlsa_count - (host->tlsa_count < FAULTS_MAX ? host->tlsa_count : FAULTS_MAX);
    if (left > 0)
        snprintf(text + used, sizeof text - used, "; and %zu more", left);
    words_add(words, "TLSA records at %s, but none that SMTP can use%s%s%s.", host->name,
              used > 0 ? " (" : "", text, used > 0 ? ")" : "");
}

void report_say_unusable(struct words *words)
{
    size_t said = 0;

    for (size_t i = 0; i < words->evidence->host_count && said < WORDS_NAMED_MAX; i++)
        if (words->evidence->hosts[i].dane == HOST_DANE_UNUSABLE) {
            say_unusable_host(words, &words->evidence->hosts[i]);
            said++;
        }
}

/* ---- DANE, where it does not decide ---- */

static void say_unsigned_mx(struct words *words)
{
    struct words_list list;

    if (words_hosts(words, &list, words_is_usable) > 0)
        words_add(
            words,
            "There are usable TLSA records (%s), but the MX records of %s are not signed with "
            "DNSSEC, so DANE cannot protect the way there.",
            list.text, words_domain(words));
    report_say_unusable(words);
    words_say_hosts_why(words, words_is_error, "The TLSA lookup failed: ", ".");
    words_say_hosts(words, words_is_without, "No TLSA records: ", ".");
}

static void say_hosts_without_dane(struct words *words, bool mx_unsigned)
{
    if (!mx_unsigned) {
        report_say_hosts_dane(words);
        return;
    }
    say_unsigned_mx(words);
    words_say_hosts(
        words, words_is_unsigned,
        "Neither the MX records nor these addresses are signed with DNSSEC, so there is "
        "no DANE: ",
        ".");
}

void report_say_dane(struct words *words)
{
    const struct evidence *evidence = words->evidence;

    if (evidence->mx == MX_UNUSABLE)
        words_add(words, "%s has MX records, but none that holds a valid host name.",
                  words_domain(words));
    if (words->verdict->without_dane)
        words_add(words, "DANE is switched off here (dane = no), so TLSA records do not count.");
    else
        say_hosts_without_dane(words, evidence->mx == MX_LISTED && !evidence->mx_secure);
    words_say_hosts_why(words, words_is_gone, NO_ADDRESS, ".");
}

/* ---- MTA-STS ---- */

static const char *because(const struct sts_evidence *sts, char *text, size_t size)
{
    text[0] = '\0';
    if (sts->why != NULL && *sts->why != '\0')
        snprintf(text, size, " (%s)", sts->why);
    return text;
}

static void say_policy(struct words *words)
{
    const struct sts_evidence *sts = &words->evidence->sts;
    struct words_span age;
    struct words_list patterns;

    words_patterns(words, &patterns);
    if (!words_policy_in_force(words))
        words_add(words, "The MTA-STS policy of %s is past its max_age and counts no more.",
                  words_domain(words));
    else if (sts->policy->mode == STS_MODE_NONE)
        words_add(words, "The MTA-STS policy of %s has mode none: it asks for nothing.",
                  words_domain(words));
    else
        words_add(words, "%s has an MTA-STS policy in %s mode for these hosts: %s.",
                  words_domain(words),
                  sts->policy->mode == STS_MODE_ENFORCE ? "enforce" : "testing", patterns.text);
    if (!words_policy_in_force(words) || sts->policy->mode == STS_MODE_NONE)
        return;
    if (sts->valid_until <= words->now)
        words_add(words, "Its max_age is 0: it is good for this answer only.");
    else
        words_add(words, "Its max_age ends in %s unless it is renewed.",
                  words_time(&age, sts->valid_until - words->now));
    if (words_unfit_patterns(words, &patterns) > 0)
        words_add(
            words,
            "Patterns that cannot be given to Postfix are left out of match=, which takes host "
            "names of two labels or more: %s.",
            patterns.text);
    if (sts->policy->mode == STS_MODE_TESTING && !words->verdict->sts_enforced)
        words_add(words, "A policy in testing mode is not enforced (testing = none).");
    if (sts->why != NULL && sts->valid_until > words->now)
        words_add(words,
                  "The last attempt to renew it failed (%s); a policy stays in force until "
                  "its max_age all the same: for %s more.",
                  sts->why, words_time(&age, sts->valid_until - words->now));
}

/* A sentence around the domain and the cause. */
static const struct {
    const char *before, *between, *after;
} sts_texts[] = {
    [STS_NO_RECORD] = {"No MTA-STS: _mta-sts.", " has no record of it", "."},
    [STS_BAD_RECORD] = {"No MTA-STS: the record at _mta-sts.", " is against the grammar", "."},
    [STS_DNS_ERROR] = {"MTA-STS is not known: the lookup of _mta-sts.", " failed",
                       ", and no policy is remembered."},
    [STS_FETCH_FAILED] = {"An MTA-STS policy is announced for ", ", but it could not be fetched",
                          ", and none is remembered."},
    [STS_BAD_POLICY] = {"The MTA-STS policy of ", " is against the grammar", ", so there is none."},
};

void report_say_sts(struct words *words)
{
    const struct sts_evidence *sts = &words->evidence->sts;
    char why[400];

    if (sts->state == STS_POLICY && sts->policy != NULL)
        say_policy(words);
    else if (sts->state == STS_UNKNOWN && words->evidence->complete)
        words_add(words, "MTA-STS could not be asked.");
    else if (sts->state == STS_UNKNOWN)
        words_add(words, "MTA-STS has not been answered yet.");
    else if (sts->state == STS_NOT_ASKED)
        words_add(words, "MTA-STS was not asked: it goes with the SMTP port only, and can be "
                         "switched off.");
    else if (sts->state < COUNT(sts_texts))
        words_add(words, "%s%s%s%s%s", sts_texts[sts->state].before, words_domain(words),
                  sts_texts[sts->state].between, because(sts, why, sizeof why),
                  sts_texts[sts->state].after);
}

/* ---- warnings: what will happen to mail ---- */

/* True when the verdict makes Postfix insist on TLS at this host. */
static bool must_have_tls(const struct words *words, const struct mx_host *host)
{
    switch (words->verdict->level) {
    case VERDICT_DANE_ONLY:
        return host->dane == HOST_DANE_USABLE;
    case VERDICT_DANE:
        return host->dane == HOST_DANE_USABLE || host->dane == HOST_DANE_UNUSABLE;
    case VERDICT_SECURE:
        return !words_is_uncovered(words, host);
    case VERDICT_ENCRYPT:
    case VERDICT_VERIFY:
        return true;
    default:
        return false;
    }
}

typedef bool (*say_addresses)(struct words *words, words_address_test test, const char *before,
                              const char *after);

/* Says where `test` holds, among the hosts where it matters to this verdict. */
static void warn(struct words *words, words_address_test test, const char *before,
                 say_addresses say)
{
    struct evidence some = *words->evidence;
    struct mx_host hosts[EVIDENCE_MX_MAX];
    struct words only = *words;

    some.hosts = hosts;
    some.host_count = 0;
    for (size_t i = 0; i < words->evidence->host_count && i < EVIDENCE_MX_MAX; i++)
        if (must_have_tls(words, &words->evidence->hosts[i]))
            hosts[some.host_count++] = words->evidence->hosts[i];
    only.evidence = &some;
    say(&only, test, before, ".");
    words->failed |= only.failed;
}

static bool is_no_tls_but_refused(const struct mx_host *host, const struct mx_address *address)
{
    return words_has_no_tls(host, address) && !words_is_refused(host, address);
}

static void warn_uncovered(struct words *words)
{
    struct words_list uncovered, live;

    if (words_hosts(words, &uncovered, words_is_uncovered) == 0)
        return;
    if (uncovered.count == words_hosts(words, &live, words_is_live))
        words_add(words,
                  "Warning: mail will be deferred: the policy covers none of the current mail "
                  "hosts (%s).",
                  uncovered.text);
    else
        words_add(words,
                  "Not covered by the policy, so a certificate that names only the host itself is "
                  "not enough there: %s.",
                  uncovered.text);
}

static bool matches_tlsa(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.tlsa == TLSA_MATCH_OK;
}

static void warn_dane(struct words *words)
{
    bool mx_signed = words->evidence->mx != MX_LISTED || words->evidence->mx_secure;
    struct words_list matching;
    const char *before =
        "Warning: mail will be deferred: no TLSA record matches the certificate at ";

    if (!mx_signed)
        before = "Warning: mail may be deferred: no TLSA record matches the certificate at ";
    else if (words_addresses(words, &matching, matches_tlsa) > 0)
        before = "Warning: no mail gets through where no TLSA record matches the certificate: ";
    warn(words, words_mismatches_tlsa, before, words_say_places);
}

void report_say_warnings(struct words *words)
{
    enum verdict_level level = words->verdict->level;

    if (level == VERDICT_SECURE)
        warn_uncovered(words);
    if (level == VERDICT_DANE || level == VERDICT_DANE_ONLY)
        warn_dane(words);
    warn(words, is_no_tls_but_refused,
         "Warning: mail will be deferred where TLS is demanded and does not work: ",
         words_say_addresses);
    warn(words, words_is_refused,
         "Warning: mail may bounce where TLS is demanded and STARTTLS is refused for good: ",
         words_say_addresses);
    if (level == VERDICT_SECURE)
        warn(words, words_is_unverified,
             "Warning: mail may be deferred: no certificate valid for the host was seen at ",
             words_say_addresses);
}

/* ---- effect ---- */

void report_say_effect(struct words *words)
{
    static const char *const texts[] = {
        [VERDICT_NO_OPINION] = "mxcrypt has no opinion: Postfix uses the level of its main.cf.",
        [VERDICT_ENCRYPT] = "Postfix delivers over TLS or not at all, and checks no certificate.",
        [VERDICT_DANE] = "Postfix asks for TLSA itself: it holds each host to the records it has, "
                         "and takes what TLS there is where there are none.",
        [VERDICT_VERIFY] =
            "Postfix delivers only over TLS with a certificate that is valid for the mail host.",
        [VERDICT_SECURE] = "Postfix delivers only over TLS with a certificate that is valid for a "
                           "host of the policy.",
        [VERDICT_DANE_ONLY] =
            "Postfix delivers only over TLS with a certificate that a TLSA record vouches for.",
        [VERDICT_TEMP] = "Postfix keeps the mail in its queue and asks again.",
    };

    if (words->final->kind == FINAL_POLICY && words->final->level == VERDICT_NO_OPINION) {
        words_add(words, "Postfix does as the rule says, whatever the mail hosts show.");
        return;
    }
    if (words->unsent != NULL)
        words_add(words, "%s.", words->unsent);
    if (words->final->withheld) {
        words_add(words, "Postfix is told nothing: it uses the level of its main.cf.");
        return;
    }
    words_add(words, "%s", texts[words->unsent != NULL ? VERDICT_TEMP : words->final->level]);
}
