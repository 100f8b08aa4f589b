/*
 * report_why: why a verdict is what it is: for each reason what is said, in order, behind what the
 * reasons share. See report_words.h for the rows.
 *
 * Nothing claims an absence that was not looked for: under dane = no nothing is said of TLSA, and an
 * unsigned address is not called a missing record.
 */
#include <stdio.h>

#include "policy/report/report.h"
#include "policy/report/report_words.h"

#define BESIDE_DANE "There is an MTA-STS policy too; DANE goes before it (RFC 8461, 2)."

/* Records of one host whose fault is said. */
#define FAULTS_MAX    3
#define SHA256_OCTETS 32
#define SHA512_OCTETS 64

/* ---- MX and hosts ---- */

static const struct sentence mx_records[] = {
    WHEN(IF(MX_SELF), "The key names the mail host itself, so no MX record is involved."),
    WHEN(IF(MX_IMPLICIT), "{domain} has no MX record and is its own mail host; Postfix takes "
                          "that like a signed MX."),
    WHEN(IF(MX_SIGNED), "The MX records of {domain} are signed with DNSSEC."),
    WHEN(IF(MX_UNSIGNED), "The MX records of {domain} are not signed with DNSSEC: a forger can "
                          "choose the mail hosts."),
    {.when = IF(MX_TRUNCATED),
     .text = "{domain} has more than " TEXT(EVIDENCE_MX_MAX) " mail hosts; only the first " TEXT(
         EVIDENCE_MX_MAX) " were looked at."},
    {0},
};

static const struct sentence gone[] = {
    {.why = IS_GONE, .text = "Not counted, because no address is known: {list}."},
    {0},
};

static const struct sentence left_out[] = {
    {.why = IS_ERROR,
     .text = "Not counted, because the TLSA lookup failed; Postfix skips such a host until it "
             "works: {list}."},
    {.use = gone},
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

static const struct sentence unusable[] = {
    {.call = say_unusable},
    {.hosts = IS_WITHOUT, .text = "No TLSA records: {list}."},
    {.hosts = IS_UNSIGNED,
     .text = "The addresses are not signed with DNSSEC, so TLSA does not count: {list}."},
    {0},
};

static const struct sentence hosts_dane[] = {
    {.hosts = IS_USABLE, .text = "Usable TLSA records: {list}."},
    {.use = unusable},
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

static const struct sentence dane[] = {
    WHEN(IF(MX_UNUSABLE), "{domain} has MX records, but none that holds a valid host name."),
    WHEN(IF(WITHOUT_DANE), "DANE is switched off here (dane = no), so TLSA records do not count."),
    {.when = OTHERWISE | IF(MX_UNSIGNED), .use = unsigned_mx},
    {.when = OTHERWISE, .use = hosts_dane},
    {.use = gone},
    {0},
};

/* ---- MTA-STS ---- */

/* Of a policy that asks for something. */
static const struct sentence policy_in_force[] = {
    WHEN(IF(POLICY_ENDS), "Its max_age ends in {policy-left} unless it is renewed."),
    WHEN(OTHERWISE, "Its max_age is 0: it is good for this answer only."),
    WHEN(IF(POLICY_UNFIT), "Patterns that cannot be given to Postfix are left out of match=, "
                           "which takes host names of two labels or more: {unfit}."),
    {.when = IF(POLICY_TESTING),
     .unless = IF(STS_ENFORCED),
     .text = "A policy in testing mode is not enforced (testing = none)."},
    WHEN(IF(STS_WHY) | IF(POLICY_ENDS), "The last attempt to renew it failed ({sts-why}); a "
                                        "policy stays in force until its max_age all the same: "
                                        "for {policy-left} more."),
    {0},
};

static const struct sentence policy[] = {
    {.unless = IF(POLICY_IN_FORCE),
     .text = "The MTA-STS policy of {domain} is past its max_age and no longer counts."},
    WHEN(IF(POLICY_NONE), "The MTA-STS policy of {domain} has mode none: it asks for nothing."),
    WHEN(IF(POLICY_TESTING), "{domain} has an MTA-STS policy in testing mode for these hosts: "
                             "{patterns}."),
    WHEN(IF(POLICY_ENFORCE), "{domain} has an MTA-STS policy in enforce mode for these hosts: "
                             "{patterns}."),
    {.when = IF(POLICY_IN_FORCE), .unless = IF(POLICY_NONE), .use = policy_in_force},
    {0},
};

static const struct sentence sts[] = {
    {.when = IF(STS_POLICY), .use = policy},
    WHEN(IF(STS_UNKNOWN) | IF(COMPLETE), "MTA-STS could not be looked up."),
    {.when = IF(STS_UNKNOWN),
     .unless = IF(COMPLETE),
     .text = "The MTA-STS lookup has not been answered yet."},
    WHEN(IF(STS_NOT_ASKED), "MTA-STS was not looked up: it applies to the SMTP port only, and "
                            "can be switched off."),
    WHEN(IF(STS_NO_RECORD), "No MTA-STS: there is no record at _mta-sts.{domain}{because}."),
    WHEN(IF(STS_BAD_RECORD), "No MTA-STS: the record at _mta-sts.{domain} has a syntax "
                             "error{because}."),
    WHEN(IF(STS_DNS_ERROR), "MTA-STS is not known: the lookup of _mta-sts.{domain} "
                            "failed{because}, and no policy is remembered."),
    WHEN(IF(STS_FETCH_FAILED), "An MTA-STS policy is announced for {domain}, but it could not be "
                               "fetched{because}, and none is remembered."),
    WHEN(IF(STS_BAD_POLICY), "The MTA-STS policy of {domain} has a syntax error{because}, so "
                             "there is none."),
    {0},
};

/* ---- warnings: what will happen to mail ---- */

static const struct sentence warnings[] = {
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

/* ---- policy lists ---- */

/* Where the list is not the reason. */
static const struct sentence listed[] = {
    {.when = IF(LISTED_TESTING) | IF(LIST_DECIDES) | IF(LIST_WAITS),
     .text = "The policy list {list-name} has {domain} in testing mode. In enforce mode mail would "
             "wait until the lookup is answered."},
    {.when = OTHERWISE | IF(LISTED_TESTING) | IF(LIST_DECIDES),
     .text = "The policy list {list-name} has {domain} in testing mode, for these hosts: {listed}. "
             "In enforce mode the answer would be {by-list}."},
    {.when = OTHERWISE | IF(LISTED),
     .unless = IF(LISTED_TESTING) | IF(LIST_DECIDES) | IF(LEVEL_TEMP),
     .text = "The policy list {list-name} has {domain} too; DANE and MTA-STS go before it."},
    {0},
};

/* ---- effect ---- */

static const struct sentence effect[] = {
    WHEN(IF(OF_RULE_ALONE), "Postfix does what the rule says, whatever the mail hosts show."),
    {.when = IF(UNSENT), .unless = IF(OF_RULE_ALONE), .text = "{unsent}."},
    {.when = IF(WITHHELD),
     .unless = IF(OF_RULE_ALONE),
     .text = "Postfix is told nothing: it uses the level of its main.cf."},
    {.unless = IF(WITHHELD) | IF(OF_RULE_ALONE), .text = "{effect}"},
    {0},
};

/* ---- what several reasons share ---- */

static const struct sentence mixed[] = {
    {.use = mx_records},
    {.use = hosts_dane},
    {.use = left_out},
    {0},
};

static const struct sentence failed_lookups[] = {
    {.use = mx_records},
    {.why = IS_ERROR, .text = "The TLSA lookup failed: {list}."},
    {.why = IS_LOST, .text = "The address lookup failed: {list}."},
    {.use = unusable},
    {0},
};

static const struct sentence not_counted[] = {
    {.seen = IS_SILENT, .text = "Not counted, because no usable answer came: {list}."},
    {.seen = IS_SKIPPED, .text = "Not counted, because not connected to: {list}."},
    {.seen = IS_UNASKED, .text = "Not counted, because not asked: {list}."},
    {0},
};

/* Why nothing stronger decides. */
static const struct sentence nothing_stronger[] = {
    {.use = dane},
    {.use = sts},
    {0},
};

static const struct sentence downgrade[] = {
    {.text = "Less has been seen for {less-for}; what was proven is kept for {kept-for} more."},
    {0},
};

/* ---- the reasons ---- */

static const struct sentence sentences[] = {
    OF(REASON_KEY),
    WHEN(IF(PARENT), "Postfix asks for .{name} after it was told nothing for a name below: that "
                     "name was looked up by itself, with the rules for its parents, so this key "
                     "is never answered."),
    WHEN(OTHERWISE, "The key is an address, a path, a name of one label or no host name at all: "
                    "nothing is looked up for it."),

    OF(REASON_NULL_MX),
    {.text = "{domain} publishes a null MX (RFC 7505): it accepts no mail at all."},

    OF(REASON_NXDOMAIN),
    {.text = "{domain} does not exist: the DNS answers NXDOMAIN."},

    OF(REASON_NO_HOST),
    WHEN(IF(MX_UNUSABLE), "{domain} has MX records, but none that holds a valid host name."),
    WHEN(OTHERWISE | IF(MX_IMPLICIT), "{domain} has neither an MX record nor an address."),
    {.when = OTHERWISE, .why = IS_GONE, .text = "No mail host has an address: {list}."},

    OF(REASON_MX_ERROR),
    {.text = "The MX lookup of {domain} failed: {mx-why}."},
    {.text = "A failed lookup is no proof that there is nothing: which hosts take the mail, and "
             "whether they must be authenticated, is unknown."},

    OF(REASON_DANE_FULL),
    {.use = mx_records},
    {.hosts = IS_USABLE, .text = "Usable TLSA records, signed with DNSSEC: {list}."},
    {.use = left_out},
    {.when = IF(STS_ENFORCED), .text = BESIDE_DANE},

    OF(REASON_DANE_TRUNCATED),
    {.use = mx_records},
    {.use = hosts_dane},
    {.hosts = IS_TRUNCATED, .text = "Too many TLSA records to look at them all: {list}."},
    {.text = "What was not looked at may have nothing usable, so dane-only is not given."},
    WHEN(IF(LEVEL_SECURE), "MTA-STS is enforced and some hosts have no usable TLSA records, so "
                           "certificates are checked as MTA-STS asks."),
    {.when = OTHERWISE | IF(STS_ENFORCED), .text = BESIDE_DANE},

    OF(REASON_DANE_MIXED_STS),
    {.use = mixed},
    {.use = sts},
    {.text = "MTA-STS wants every delivery authenticated, and must not take the place of DANE: so "
             "only hosts with usable TLSA are used."},

    OF(REASON_DANE_MIXED_LIST),
    {.use = mixed},
    {.when = IF(LISTED),
     .text =
         "The policy list {list-name} has {domain} in enforce mode, and must not take the place "
         "of DANE: so only hosts with usable TLSA are used."},
    {.use = sts},

    OF(REASON_DANE_MIXED),
    {.use = mixed},
    WHEN(IF(LEVEL_DANE_ONLY), "partial-dane = dane-only: hosts without usable TLSA are not used."),
    WHEN(OTHERWISE | IF(STS_ENFORCED), "partial-dane = dane: hosts without usable TLSA may be "
                                       "used, although MTA-STS is enforced."),
    {.when = OTHERWISE, .use = sts},

    OF(REASON_DANE_UNSIGNED),
    {.use = mx_records},
    {.hosts = IS_USABLE, .text = "Usable TLSA records, signed with DNSSEC: {list}."},
    {.text = "With unsigned MX records dane-only would refuse all mail (RFC 7672, 2.2.1); under "
             "dane, Postfix goes by its smtp_tls_dane_insecure_mx_policy."},
    {.use = left_out},
    {.use = sts},

    OF(REASON_DANE_UNUSABLE),
    {.use = mx_records},
    {.use = hosts_dane},
    {.text = "A domain with TLSA records announces TLS, even if no certificate can be checked "
             "against them (RFC 7672, 2.2)."},
    {.use = left_out},
    {.use = sts},

    OF(REASON_DANE_ERROR),
    {.use = failed_lookups},
    {.text =
         "A failed lookup is not an absence: an attacker who blocks answers could hide TLSA "
         "records. Under dane, Postfix repeats the lookup and leaves out hosts where it fails."},
    WHEN(IF(LEVEL_TEMP), "The mail hosts did TLS before, and dane alone may ask for less now: so "
                         "mail waits."),
    {.use = sts},

    OF(REASON_DANE_ERROR_STS),
    {.use = failed_lookups},
    {.use = sts},
    {.text = "MTA-STS must not take the place of DANE that may be there (RFC 8461, 2), and dane "
             "alone would let mail go to other hosts unauthenticated: so mail waits."},

    OF(REASON_DANE_ERROR_LIST),
    {.use = failed_lookups},
    {.when = IF(LISTED),
     .text =
         "The policy list {list-name} has {domain} in enforce mode. It must not take the place of "
         "DANE that may be there, and dane alone would let mail go in clear if the records turn "
         "out to be absent: so mail waits."},
    {.use = sts},

    OF(REASON_DANE_SHORT),
    {.hosts = IS_SHORT, .text = "A TLSA record of 3 octets, without data: {list}."},
    {.text = "Such a record crashes the smtp(8) of Postfix before its fix of 31 May 2026, so "
             "Postfix is not made to look at TLSA here."},
    {.use = hosts_dane},
    {.use = sts},

    OF(REASON_STS_ENFORCE),
    OF(REASON_STS_TESTING),
    WHEN(IF(BY_TESTING), "testing = enforce: policies in testing mode are enforced here."),
    {.use = sts},
    {.use = dane},

    OF(REASON_LIST),
    WHEN(IF(LISTED), "The policy list {list-name} has {domain} in enforce mode, for these hosts: "
                     "{listed}."),
    {.text = "It counts whatever the hosts show: at a first contact an attacker on the path could "
             "remove STARTTLS. What is seen now ({shown-reason}) would give {shown-level}."},
    {.shown = true},

    OF(REASON_VERIFIED),
    {.places = HAS_TLS,
     .text = "STARTTLS works with a certificate valid for the host at every address that answered: "
             "{list}."},
    WHEN(IF(LEVEL_ENCRYPT), "probe-level = encrypt: certificates are not required."),
    {.use = not_counted},
    {.use = nothing_stronger},

    OF(REASON_TLS),
    {.places = HAS_TLS, .text = "STARTTLS works at every address that answered: {list}."},
    {.seen = IS_UNVERIFIED,
     .text = "Not enough for verify, which sends SNI and needs a certificate valid for the host: "
             "{list}."},
    {.places = IS_DISTRUSTED,
     .text = "The certificate is the one that verified before: only the CAs that this machine "
             "trusts have changed, so nothing is held: {list}."},
    {.use = not_counted},
    {.use = nothing_stronger},

    OF(REASON_PARTLY),
    {.seen = HAS_NO_TLS, .text = "STARTTLS does not work at: {list}."},
    {.places = HAS_TLS, .text = "STARTTLS works at: {list}."},
    {.text = "Postfix may deliver to any of them, so TLS cannot be demanded."},
    {.use = not_counted},
    {.use = nothing_stronger},

    OF(REASON_CLEAR),
    {.seen = HAS_NO_TLS, .text = "STARTTLS works at no address that answered: {list}."},
    {.use = not_counted},
    {.use = nothing_stronger},

    OF(REASON_REFUSED),
    {.seen = IS_REFUSED, .text = "STARTTLS is offered and then refused with 5xx: {list}."},
    WHEN(OTHERWISE, "A mail host refused STARTTLS with 5xx when it was last asked, and could not "
                    "be asked this time."),
    {.text = "If TLS were demanded, Postfix would bounce mail there instead of deferring it."},
    {.use = nothing_stronger},

    OF(REASON_UNPROBED),
    WHEN(IF(WITHOUT_PROBE), "Mail hosts are not connected to (probe = no), so it is not known "
                            "whether they do TLS."),
    {.unless = IF(WITHOUT_PROBE), .seen = IS_SILENT, .text = "No usable answer: {list}."},
    {.unless = IF(WITHOUT_PROBE), .seen = IS_SKIPPED, .text = "Not connected to: {list}."},
    {.unless = IF(WITHOUT_PROBE), .seen = IS_UNASKED, .text = "Not asked: {list}."},
    {.use = nothing_stronger},

    /* answers before the end of a lookup */
    OF(REASON_PENDING),
    OF(REASON_DEADLINE),
    WHEN(IF(MX_UNKNOWN), "The MX lookup of {domain} has not been answered yet."),
    {.hosts = IS_OPEN, .text = "The DNS has not answered yet for: {list}."},
    {.when = IF(BY_DEADLINE), .seen = IS_UNASKED, .text = "The probes have not ended: {list}."},
    {.when = IF(BY_DEADLINE), .use = sts},
    {.text = "The lookup goes on, and its result will answer the next request."},

    /* what is remembered */
    OF(REASON_HELD),
    {.text = "Held: when the probes saw more, {observed}."},
    {.use = downgrade},
    {.text = "What the hosts show has changed, not what this machine trusts."},
    {.text = "An attacker on the path could remove STARTTLS, and must gain nothing by it. What is "
             "seen now ({shown-reason}) would give {shown-level}."},
    {.shown = true},
    WHEN(IF(LEVEL_TEMP), "Told to insist on TLS, Postfix would bounce mail at such a host, so "
                         "mail waits instead."),
    WHEN(OTHERWISE, "Meanwhile Postfix defers mail at hosts without TLS; it does not bounce it."),

    OF(REASON_DANE_REMEMBERED),
    {.text = "Remembered: usable, signed TLSA records at every mail host of {domain}, valid for "
             "{dane-left} more by their TTL."},
    {.text = "A lookup that gives less ({shown-reason}) does not end them earlier."},
    {.shown = true},

    OF(REASON_STS_REMEMBERED),
    {.text = "Remembered: MTA-STS decided for {domain} before, and its policy is in force."},
    WHEN(IF(SHOWN_MX_ERROR), "The MX lookup failed now ({mx-why}); the policy names the hosts "
                             "all the same."),
    WHEN(OTHERWISE, "The lookup has not been answered yet; the policy names the hosts all the "
                    "same."),
    {.use = sts},

    OF(REASON_STARTTLS_REMEMBERED),
    {.text = "Remembered: when last seen, {observed}."},
    {.when = IF(LESS_SEEN), .use = downgrade},
    WHEN(IF(COMPLETE), "This time the hosts could not be asked, which says nothing against it."),
    {.shown = true},
    {0},
};

void report_write_why(struct words *words)
{
    enum verdict_reason reason = words->verdict->reason;
    bool wanted = override_wants_lookup(words->override); /* else what is known does not matter */
    bool looked_up = words->looked_up && wanted;

    report_say_rules(words);
    if (wanted &&
        !((looked_up || reason == REASON_KEY) && words_say_reason(words, sentences, reason)))
        words_add(words, "%s: %s.", words_domain(words), verdict_reason_text(reason));
    if (looked_up)
        words_say(words, listed);
    if (looked_up)
        words_say(words, warnings);
    words_say(words, effect);
}
