/*
 * report_context: sentences that stand beside the reason of a verdict; see report_words.h.
 *
 * None claims an absence that was not looked for: under dane = no nothing is said of TLSA, and an
 * unsigned address is not called a missing record.
 */
#include <stdio.h>

#include "policy/report/report_words.h"

#define TEXT(n)    TEXT_OF(n)
#define TEXT_OF(n) #n
/* Records of one host whose fault is said. */
#define FAULTS_MAX    3
#define SHA256_OCTETS 32
#define SHA512_OCTETS 64

/* ---- MX and hosts ---- */

const struct sentence report_mx[] = {
    {.when = IF(MX_SELF),
     .text = "The key names the mail host itself, so no MX record is involved."},
    {.when = IF(MX_IMPLICIT),
     .text = "{domain} has no MX record and is its own mail host; Postfix takes that like a signed "
             "MX."},
    {.when = IF(MX_SIGNED), .text = "The MX records of {domain} are signed with DNSSEC."},
    {.when = IF(MX_UNSIGNED),
     .text = "The MX records of {domain} are not signed with DNSSEC: a forger can choose the mail "
             "hosts."},
    {.when = IF(MX_TRUNCATED),
     .text = "{domain} has more than " TEXT(EVIDENCE_MX_MAX) " mail hosts; only the first " TEXT(
         EVIDENCE_MX_MAX) " were looked at."},
    {0},
};

static const struct sentence gone[] = {
    {.why = IS_GONE, .text = "Not counted, because no address is known: {list}."},
    {0},
};

const struct sentence report_left_out[] = {
    {.why = IS_ERROR,
     .text = "Not counted, because the TLSA lookup failed; Postfix skips such a host until it "
             "works: {list}."},
    {.use = gone},
    {0},
};

const struct sentence report_hosts_dane[] = {
    {.hosts = IS_USABLE, .text = "Usable TLSA records: {list}."},
    {.use = report_unusable},
    {0},
};

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

static void say_unusable(struct words *words)
{
    size_t said = 0;

    for (size_t i = 0; i < words->evidence->host_count && said < WORDS_NAMED_MAX; i++)
        if (words->evidence->hosts[i].dane == HOST_DANE_UNUSABLE) {
            say_unusable_host(words, &words->evidence->hosts[i]);
            said++;
        }
}

const struct sentence report_unusable[] = {
    {.call = say_unusable},
    {.hosts = IS_WITHOUT, .text = "No TLSA records: {list}."},
    {.hosts = IS_UNSIGNED,
     .text = "The addresses are not signed with DNSSEC, so TLSA does not count: {list}."},
    {0},
};

/* ---- DANE, where it does not decide ---- */

static const struct sentence unsigned_mx[] = {
    {.hosts = IS_USABLE,
     .text = "There are usable TLSA records ({list}), but the MX records of {domain} are not "
             "signed with DNSSEC, so DANE cannot protect delivery."},
    {.call = say_unusable},
    {.why = IS_ERROR, .text = "The TLSA lookup failed: {list}."},
    {.hosts = IS_WITHOUT, .text = "No TLSA records: {list}."},
    {.hosts = IS_UNSIGNED,
     .text = "Neither the MX records nor these addresses are signed with DNSSEC, so there is no "
             "DANE: {list}."},
    {0},
};

const struct sentence report_dane[] = {
    {.when = IF(MX_UNUSABLE),
     .text = "{domain} has MX records, but none that holds a valid host name."},
    {.when = IF(WITHOUT_DANE),
     .text = "DANE is switched off here (dane = no), so TLSA records do not count."},
    {.when = OTHERWISE | IF(MX_UNSIGNED), .use = unsigned_mx},
    {.when = OTHERWISE, .use = report_hosts_dane},
    {.use = gone},
    {0},
};

/* ---- MTA-STS ---- */

/* Of a policy that asks for something. */
static const struct sentence policy_in_force[] = {
    {.when = IF(POLICY_ENDS), .text = "Its max_age ends in {policy-left} unless it is renewed."},
    {.when = OTHERWISE, .text = "Its max_age is 0: it is good for this answer only."},
    {.when = IF(POLICY_UNFIT),
     .text = "Patterns that cannot be given to Postfix are left out of match=, which takes host "
             "names of two labels or more: {unfit}."},
    {.when = IF(POLICY_TESTING),
     .unless = IF(STS_ENFORCED),
     .text = "A policy in testing mode is not enforced (testing = none)."},
    {.when = IF(STS_WHY) | IF(POLICY_ENDS),
     .text = "The last attempt to renew it failed ({sts-why}); a policy stays in force until its "
             "max_age all the same: for {policy-left} more."},
    {0},
};

static const struct sentence policy[] = {
    {.unless = IF(POLICY_IN_FORCE),
     .text = "The MTA-STS policy of {domain} is past its max_age and no longer counts."},
    {.when = IF(POLICY_NONE),
     .text = "The MTA-STS policy of {domain} has mode none: it asks for nothing."},
    {.when = IF(POLICY_TESTING),
     .text = "{domain} has an MTA-STS policy in testing mode for these hosts: {patterns}."},
    {.when = IF(POLICY_ENFORCE),
     .text = "{domain} has an MTA-STS policy in enforce mode for these hosts: {patterns}."},
    {.when = IF(POLICY_IN_FORCE), .unless = IF(POLICY_NONE), .use = policy_in_force},
    {0},
};

const struct sentence report_sts[] = {
    {.when = IF(STS_POLICY), .use = policy},
    {.when = IF(STS_UNKNOWN) | IF(COMPLETE), .text = "MTA-STS could not be looked up."},
    {.when = IF(STS_UNKNOWN),
     .unless = IF(COMPLETE),
     .text = "The MTA-STS lookup has not been answered yet."},
    {.when = IF(STS_NOT_ASKED),
     .text =
         "MTA-STS was not looked up: it applies to the SMTP port only, and can be switched off."},
    {.when = IF(STS_NO_RECORD),
     .text = "No MTA-STS: there is no record at _mta-sts.{domain}{because}."},
    {.when = IF(STS_BAD_RECORD),
     .text = "No MTA-STS: the record at _mta-sts.{domain} has a syntax error{because}."},
    {.when = IF(STS_DNS_ERROR),
     .text = "MTA-STS is not known: the lookup of _mta-sts.{domain} failed{because}, and no policy "
             "is remembered."},
    {.when = IF(STS_FETCH_FAILED),
     .text = "An MTA-STS policy is announced for {domain}, but it could not be fetched{because}, "
             "and none is remembered."},
    {.when = IF(STS_BAD_POLICY),
     .text = "The MTA-STS policy of {domain} has a syntax error{because}, so there is none."},
    {0},
};

/* ---- warnings: what will happen to mail ---- */

const struct sentence report_warnings[] = {
    {.when = IF(LEVEL_SECURE) | IF(ALL_UNCOVERED),
     .hosts = IS_UNCOVERED,
     .text = "Warning: mail will be deferred: the policy covers none of the current mail hosts "
             "({list})."},
    {.when = OTHERWISE | IF(LEVEL_SECURE),
     .hosts = IS_UNCOVERED,
     .text = "Not covered by the policy, so a certificate that names only the host itself is not "
             "enough there: {list}."},
    {.when = IF(LEVEL_BY_TLSA) | IF(MX_UNSIGNED),
     .places = IS_HELD_TO_TLS | MISMATCHES_TLSA,
     .text = "Warning: mail may be deferred: no TLSA record matches the certificate at {list}."},
    {.when = OTHERWISE | IF(LEVEL_BY_TLSA) | IF(SOME_MATCH_TLSA),
     .places = IS_HELD_TO_TLS | MISMATCHES_TLSA,
     .text = "Warning: no mail gets through where no TLSA record matches the certificate: {list}."},
    {.when = OTHERWISE | IF(LEVEL_BY_TLSA),
     .places = IS_HELD_TO_TLS | MISMATCHES_TLSA,
     .text = "Warning: mail will be deferred: no TLSA record matches the certificate at {list}."},
    {.seen = IS_HELD_TO_TLS | HAS_BAD_TLS,
     .text = "Warning: mail will be deferred where TLS is demanded and does not work: {list}."},
    {.seen = IS_HELD_TO_TLS | IS_REFUSED,
     .text = "Warning: mail may bounce where TLS is demanded and STARTTLS is refused with 5xx: "
             "{list}."},
    {.when = IF(LEVEL_SECURE),
     .seen = IS_HELD_TO_TLS | IS_UNVERIFIED,
     .text =
         "Warning: mail may be deferred: no certificate valid for the host was seen at {list}."},
    {0},
};

/* ---- effect ---- */

const struct sentence report_effect[] = {
    {.when = IF(OF_RULE_ALONE),
     .text = "Postfix does what the rule says, whatever the mail hosts show."},
    {.when = IF(UNSENT), .unless = IF(OF_RULE_ALONE), .text = "{unsent}."},
    {.when = IF(WITHHELD),
     .unless = IF(OF_RULE_ALONE),
     .text = "Postfix is told nothing: it uses the level of its main.cf."},
    {.unless = IF(WITHHELD) | IF(OF_RULE_ALONE), .text = "{effect}"},
    {0},
};
