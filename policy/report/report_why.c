/*
 * report_why: why a verdict is what it is: for each reason what is said, in order. See
 * report_words.h for the rows, report_context.c for what the reasons share.
 */
#include "policy/report/report.h"
#include "policy/report/report_words.h"

#define BESIDE_DANE "There is an MTA-STS policy too; DANE goes before it (RFC 8461, 2)."

static void say_shown(struct words *words);

/* ---- what several reasons share ---- */

static const struct sentence mixed[] = {
    {.use = report_mx},
    {.use = report_hosts_dane},
    {.use = report_left_out},
    {0},
};

static const struct sentence failed_lookups[] = {
    {.use = report_mx},
    {.why = IS_ERROR, .text = "The TLSA lookup failed: {list}."},
    {.why = IS_LOST, .text = "The address lookup failed: {list}."},
    {.use = report_unusable},
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
    {.use = report_dane},
    {.use = report_sts},
    {0},
};

static const struct sentence downgrade[] = {
    {.text = "Less has been seen for {less-for}; what was proven is kept for {kept-for} more."},
    {0},
};

/* ---- the reasons ---- */

static const struct sentence sentences[] = {
    OF(KEY),
    {.when = IF(PARENT),
     .text = "Postfix asks for .{name} after it was told nothing for a name below: that name was "
             "looked up by itself, with the rules for its parents, so this key is never answered."},
    {.when = OTHERWISE,
     .text = "The key is an address, a path, a name of one label or no host name at all: nothing "
             "is looked up for it."},

    OF(NULL_MX),
    {.text = "{domain} publishes a null MX (RFC 7505): it accepts no mail at all."},

    OF(NXDOMAIN),
    {.text = "{domain} does not exist: the DNS answers NXDOMAIN."},

    OF(NO_HOST),
    {.when = IF(MX_UNUSABLE),
     .text = "{domain} has MX records, but none that holds a valid host name."},
    {.when = OTHERWISE | IF(MX_IMPLICIT),
     .text = "{domain} has neither an MX record nor an address."},
    {.when = OTHERWISE, .why = IS_GONE, .text = "No mail host has an address: {list}."},

    OF(MX_ERROR),
    {.text = "The MX lookup of {domain} failed: {mx-why}."},
    {.text = "A failed lookup is no proof that there is nothing: which hosts take the mail, and "
             "whether they must be authenticated, is unknown."},

    OF(DANE_FULL),
    {.use = report_mx},
    {.hosts = IS_USABLE, .text = "Usable TLSA records, signed with DNSSEC: {list}."},
    {.use = report_left_out},
    {.when = IF(STS_ENFORCED), .text = BESIDE_DANE},

    OF(DANE_TRUNCATED),
    {.use = report_mx},
    {.use = report_hosts_dane},
    {.hosts = IS_TRUNCATED, .text = "Too many TLSA records to look at them all: {list}."},
    {.text = "What was not looked at may have nothing usable, so dane-only is not given."},
    {.when = IF(LEVEL_SECURE),
     .text = "MTA-STS is enforced and some hosts have no usable TLSA records, so certificates are "
             "checked as MTA-STS asks."},
    {.when = OTHERWISE | IF(STS_ENFORCED), .text = BESIDE_DANE},

    OF(DANE_MIXED_STS),
    {.use = mixed},
    {.use = report_sts},
    {.text = "MTA-STS wants every delivery authenticated, and must not take the place of DANE: so "
             "only hosts with usable TLSA are used."},

    OF(DANE_MIXED),
    {.use = mixed},
    {.when = IF(LEVEL_DANE_ONLY),
     .text = "partial-dane = dane-only: hosts without usable TLSA are not used."},
    {.when = OTHERWISE | IF(STS_ENFORCED),
     .text = "partial-dane = dane: hosts without usable TLSA may be used, although MTA-STS is "
             "enforced."},
    {.when = OTHERWISE, .use = report_sts},

    OF(DANE_UNSIGNED),
    {.use = report_mx},
    {.hosts = IS_USABLE, .text = "Usable TLSA records, signed with DNSSEC: {list}."},
    {.text = "With unsigned MX records dane-only would refuse all mail (RFC 7672, 2.2.1); under "
             "dane, Postfix goes by its smtp_tls_dane_insecure_mx_policy."},
    {.use = report_left_out},
    {.use = report_sts},

    OF(DANE_UNUSABLE),
    {.use = report_mx},
    {.use = report_hosts_dane},
    {.text = "A domain with TLSA records announces TLS, even if no certificate can be checked "
             "against them (RFC 7672, 2.2)."},
    {.use = report_left_out},
    {.use = report_sts},

    OF(DANE_ERROR),
    {.use = failed_lookups},
    {.text =
         "A failed lookup is not an absence: an attacker who blocks answers could hide TLSA "
         "records. Under dane, Postfix repeats the lookup and leaves out hosts where it fails."},
    {.when = IF(LEVEL_TEMP),
     .text = "The mail hosts did TLS before, and dane alone may ask for less now: so mail waits."},
    {.use = report_sts},

    OF(DANE_ERROR_STS),
    {.use = failed_lookups},
    {.use = report_sts},
    {.text = "MTA-STS must not take the place of DANE that may be there (RFC 8461, 2), and dane "
             "alone would let mail go to other hosts unauthenticated: so mail waits."},

    OF(DANE_SHORT),
    {.hosts = IS_SHORT, .text = "A TLSA record of 3 octets, without data: {list}."},
    {.text = "Such a record crashes the smtp(8) of Postfix before its fix of 31 May 2026, so "
             "Postfix is not made to look at TLSA here."},
    {.use = report_hosts_dane},
    {.use = report_sts},

    OF(STS_ENFORCE),
    OF(STS_TESTING),
    {.when = IF(BY_TESTING),
     .text = "testing = enforce: policies in testing mode are enforced here."},
    {.use = report_sts},
    {.use = report_dane},

    OF(VERIFIED),
    {.places = HAS_TLS,
     .text = "STARTTLS works with a certificate valid for the host at every address that answered: "
             "{list}."},
    {.when = IF(LEVEL_ENCRYPT), .text = "probe-level = encrypt: certificates are not required."},
    {.use = not_counted},
    {.use = nothing_stronger},

    OF(TLS),
    {.places = HAS_TLS, .text = "STARTTLS works at every address that answered: {list}."},
    {.seen = IS_UNVERIFIED,
     .text = "Not enough for verify, which sends SNI and needs a certificate valid for the host: "
             "{list}."},
    {.places = IS_DISTRUSTED,
     .text = "The certificate is the one that verified before: only the CAs that this machine "
             "trusts have changed, so nothing is held: {list}."},
    {.use = not_counted},
    {.use = nothing_stronger},

    OF(PARTLY),
    {.seen = HAS_NO_TLS, .text = "STARTTLS does not work at: {list}."},
    {.places = HAS_TLS, .text = "STARTTLS works at: {list}."},
    {.text = "Postfix may deliver to any of them, so TLS cannot be demanded."},
    {.use = not_counted},
    {.use = nothing_stronger},

    OF(CLEAR),
    {.seen = HAS_NO_TLS, .text = "STARTTLS works at no address that answered: {list}."},
    {.use = not_counted},
    {.use = nothing_stronger},

    OF(REFUSED),
    {.seen = IS_REFUSED, .text = "STARTTLS is offered and then refused with 5xx: {list}."},
    {.when = OTHERWISE,
     .text = "A mail host refused STARTTLS with 5xx when it was last asked, and could not be asked "
             "this time."},
    {.text = "If TLS were demanded, Postfix would bounce mail there instead of deferring it."},
    {.use = nothing_stronger},

    OF(UNPROBED),
    {.when = IF(WITHOUT_PROBE),
     .text =
         "Mail hosts are not connected to (probe = no), so it is not known whether they do TLS."},
    {.unless = IF(WITHOUT_PROBE), .seen = IS_SILENT, .text = "No usable answer: {list}."},
    {.unless = IF(WITHOUT_PROBE), .seen = IS_SKIPPED, .text = "Not connected to: {list}."},
    {.unless = IF(WITHOUT_PROBE), .seen = IS_UNASKED, .text = "Not asked: {list}."},
    {.use = nothing_stronger},

    /* answers before the end of a lookup */
    OF(PENDING),
    OF(DEADLINE),
    {.when = IF(MX_UNKNOWN), .text = "The MX lookup of {domain} has not been answered yet."},
    {.hosts = IS_OPEN, .text = "The DNS has not answered yet for: {list}."},
    {.when = IF(BY_DEADLINE), .seen = IS_UNASKED, .text = "The probes have not ended: {list}."},
    {.when = IF(BY_DEADLINE), .use = report_sts},
    {.text = "The lookup goes on, and its result will answer the next request."},

    /* what is remembered */
    OF(HELD),
    {.text = "Held: when the probes saw more, {observed}."},
    {.use = downgrade},
    {.text = "What the hosts show has changed, not what this machine trusts."},
    {.text = "An attacker on the path could remove STARTTLS, and must gain nothing by it. What is "
             "seen now ({shown-reason}) would give {shown-level}."},
    {.call = say_shown},
    {.when = IF(LEVEL_TEMP),
     .text =
         "Told to insist on TLS, Postfix would bounce mail at such a host, so mail waits instead."},
    {.when = OTHERWISE,
     .text = "Meanwhile Postfix defers mail at hosts without TLS; it does not bounce it."},

    OF(DANE_REMEMBERED),
    {.text = "Remembered: usable, signed TLSA records at every mail host of {domain}, valid for "
             "{dane-left} more by their TTL."},
    {.text = "A lookup that gives less ({shown-reason}) does not end them earlier."},
    {.call = say_shown},

    OF(STS_REMEMBERED),
    {.text = "Remembered: MTA-STS decided for {domain} before, and its policy is in force."},
    {.when = IF(SHOWN_MX_ERROR),
     .text = "The MX lookup failed now ({mx-why}); the policy names the hosts all the same."},
    {.when = OTHERWISE,
     .text = "The lookup has not been answered yet; the policy names the hosts all the same."},
    {.use = report_sts},

    OF(STARTTLS_REMEMBERED),
    {.text = "Remembered: when last seen, {observed}."},
    {.when = IF(LESS_SEEN), .use = downgrade},
    {.when = IF(COMPLETE),
     .text = "This time the hosts could not be asked, which says nothing against it."},
    {.call = say_shown},
    {0},
};

/* What would be said if nothing were remembered. */
static void say_shown(struct words *words)
{
    words_say_shown(words, sentences);
}

void report_write_why(struct words *words)
{
    enum verdict_reason reason = words->verdict->reason;
    bool wanted = override_wants_lookup(words->override); /* else what is known does not matter */
    bool looked_up = words->looked_up && wanted;

    report_say_rules(words);
    if (wanted && !((looked_up || reason == REASON_KEY) &&
                    words_say_part(words, sentences, 1 + (unsigned)reason)))
        words_add(words, "%s: %s.", words_domain(words), verdict_reason_text(reason));
    if (looked_up)
        words_say(words, report_warnings);
    words_say(words, report_effect);
}
