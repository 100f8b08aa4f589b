/*
 * report_why: why a verdict is what it is, in sentences; one writer per reason. See report_words.h
 * for what they write with, report_context.c for what they share.
 */
#include <stdio.h>

#include "policy/report/report.h"
#include "policy/report/report_words.h"

typedef void (*writer)(struct words *words);

/* ---- keys and MX ---- */

static void why_key(struct words *words)
{
    if (words->key->kind == KEY_PARENT)
        words_add(words,
                  "Postfix asks for .%s after it was told nothing for a name below: that name "
                  "has been asked for by itself, rules for its parents included, so this key is "
                  "never answered.",
                  words->key->name);
    else
        words_add(words, "The key is an address, a path, a name of one label or no host name at "
                         "all: nothing is looked up for it.");
}

static void why_null_mx(struct words *words)
{
    words_add(words, "%s publishes a null MX (RFC 7505): it accepts no mail at all.",
              words_domain(words));
}

static void why_nxdomain(struct words *words)
{
    words_add(words, "%s does not exist: the DNS answers NXDOMAIN.", words_domain(words));
}

static void why_no_host(struct words *words)
{
    const struct evidence *evidence = words->evidence;

    if (evidence->mx == MX_UNUSABLE)
        words_add(words, "%s has MX records, but none that holds a valid host name.",
                  words_domain(words));
    else if (evidence->mx == MX_IMPLICIT)
        words_add(words, "%s has neither an MX record nor an address.", words_domain(words));
    else
        words_say_hosts_why(words, words_is_gone, "No mail host has an address: ", ".");
}

static void why_mx_error(struct words *words)
{
    const char *why = words->evidence->mx_why;

    words_add(words, "The MX lookup of %s failed: %s.", words_domain(words),
              why == NULL ? "no answer" : why);
    words_add(words,
              "A failed lookup is no proof that there is nothing: which hosts take the mail, "
              "and whether they must be authenticated, is unknown.");
}

/* ---- DANE ---- */

static void say_sts_beside_dane(struct words *words)
{
    if (words->verdict->sts_enforced)
        words_add(words, "There is an MTA-STS policy too; DANE goes before it (RFC 8461, 2).");
}

static void why_dane_full(struct words *words)
{
    report_say_mx(words);
    words_say_hosts(words, words_is_usable, "Usable TLSA records, signed with DNSSEC: ", ".");
    report_say_left_out(words);
    say_sts_beside_dane(words);
}

static bool is_truncated(const struct words *words, const struct mx_host *host)
{
    return host->tlsa_truncated && words_is_live(words, host);
}

static void why_dane_truncated(struct words *words)
{
    report_say_mx(words);
    report_say_hosts_dane(words);
    words_say_hosts(words, is_truncated, "Too many TLSA records to look at them all: ", ".");
    words_add(words, "What was not looked at may have nothing usable, so dane-only is not given.");
    if (words->verdict->level == VERDICT_SECURE)
        words_add(words, "MTA-STS is enforced and some hosts have no usable TLSA records, so "
                         "certificates are checked as MTA-STS asks.");
    else
        say_sts_beside_dane(words);
}

static void say_mixed(struct words *words)
{
    report_say_mx(words);
    report_say_hosts_dane(words);
    report_say_left_out(words);
}

static void why_dane_mixed_sts(struct words *words)
{
    say_mixed(words);
    report_say_sts(words);
    words_add(words, "MTA-STS wants every delivery authenticated, and must not take the place of "
                     "DANE: so only hosts with usable TLSA are used.");
}

static void why_dane_mixed(struct words *words)
{
    say_mixed(words);
    if (words->verdict->level == VERDICT_DANE_ONLY)
        words_add(words, "partial-dane = dane-only: hosts without usable TLSA are not used.");
    else if (words->verdict->sts_enforced)
        words_add(words, "partial-dane = dane: hosts without usable TLSA may be used, although "
                         "MTA-STS is enforced.");
    else
        report_say_sts(words);
}

static void why_dane_unsigned(struct words *words)
{
    report_say_mx(words);
    words_say_hosts(words, words_is_usable, "Usable TLSA records, signed with DNSSEC: ", ".");
    words_add(words, "With unsigned MX records dane-only would refuse all mail (RFC 7672, 2.2.1); "
                     "under dane, Postfix goes by its smtp_tls_dane_insecure_mx_policy.");
    report_say_left_out(words);
    report_say_sts(words);
}

static void why_dane_unusable(struct words *words)
{
    report_say_mx(words);
    report_say_hosts_dane(words);
    words_add(words, "A domain with TLSA records announces TLS, even if no certificate can be "
                     "checked against them (RFC 7672, 2.2).");
    report_say_left_out(words);
    report_say_sts(words);
}

static void say_failed_lookups(struct words *words)
{
    report_say_mx(words);
    words_say_hosts_why(words, words_is_error, "The TLSA lookup failed: ", ".");
    words_say_hosts_why(words, words_is_lost, "The address lookup failed: ", ".");
    report_say_unusable(words);
    words_say_hosts(words, words_is_without, "No TLSA records: ", ".");
    words_say_hosts(words, words_is_unsigned,
                    "The addresses are not signed with DNSSEC, so TLSA does not count: ", ".");
}

static void why_dane_error(struct words *words)
{
    say_failed_lookups(words);
    words_add(words,
              "A failed lookup is not an absence: who can block answers could hide TLSA this "
              "way. Under dane, Postfix repeats the lookup and leaves out hosts where it "
              "fails.");
    report_say_sts(words);
}

static void why_dane_error_sts(struct words *words)
{
    say_failed_lookups(words);
    report_say_sts(words);
    words_add(words, "MTA-STS must not take the place of DANE that may be there (RFC 8461, 2), and "
                     "dane alone would let mail go to other hosts unauthenticated: so mail waits.");
}

static void why_dane_short(struct words *words)
{
    words_say_hosts(words, words_is_short, "A TLSA record of 3 octets, without data: ", ".");
    words_add(words, "Such a record crashes the smtp(8) of Postfix before its fix of 31 May 2026, "
                     "so Postfix is not made to look at TLSA here.");
    report_say_hosts_dane(words);
    report_say_sts(words);
}

/* ---- MTA-STS ---- */

static void why_sts(struct words *words)
{
    if (words->verdict->reason == REASON_STS_TESTING)
        words_add(words, "testing = enforce: policies in testing mode are enforced here.");
    report_say_sts(words);
    report_say_dane(words);
}

/* ---- STARTTLS ---- */

static void say_nothing_stronger(struct words *words)
{
    report_say_dane(words);
    report_say_sts(words);
}

static void say_not_counted(struct words *words)
{
    words_say_addresses(words, words_is_silent,
                        "Not counted, because no usable answer came: ", ".");
    words_say_addresses(words, words_is_skipped, "Not counted, because not connected to: ", ".");
    words_say_addresses(words, words_is_unasked, "Not counted, because not asked: ", ".");
}

static void why_verified(struct words *words)
{
    words_say_places(words, words_has_tls,
                     "STARTTLS works with a certificate valid for the host at every address "
                     "that answered: ",
                     ".");
    if (words->verdict->level == VERDICT_ENCRYPT)
        words_add(words, "probe-level = encrypt: certificates are not insisted on.");
    say_not_counted(words);
    say_nothing_stronger(words);
}

static void why_tls(struct words *words)
{
    words_say_places(words, words_has_tls, "STARTTLS works at every address that answered: ", ".");
    words_say_addresses(
        words, words_is_unverified,
        "Not enough for verify, which sends SNI and needs a certificate valid for the host: ", ".");
    words_say_places(words, words_is_distrusted,
                     "The certificate is the very one that verified before: what changed is which "
                     "CAs this machine trusts, so nothing is held: ",
                     ".");
    say_not_counted(words);
    say_nothing_stronger(words);
}

static void why_partly(struct words *words)
{
    words_say_addresses(words, words_has_no_tls, "STARTTLS does not work at: ", ".");
    words_say_places(words, words_has_tls, "STARTTLS works at: ", ".");
    words_add(words, "Postfix may come to any of them, so TLS cannot be demanded.");
    say_not_counted(words);
    say_nothing_stronger(words);
}

static void why_clear(struct words *words)
{
    words_say_addresses(words, words_has_no_tls,
                        "STARTTLS works at no address that answered: ", ".");
    say_not_counted(words);
    say_nothing_stronger(words);
}

static void why_refused(struct words *words)
{
    if (!words_say_addresses(words, words_is_refused,
                             "STARTTLS is offered and then refused for good: ", "."))
        words_add(words, "A mail host refused STARTTLS for good when it was asked last, and could "
                         "not be asked this time.");
    words_add(words, "If TLS were demanded, Postfix would bounce mail there instead of deferring "
                     "it.");
    say_nothing_stronger(words);
}

static void why_unprobed(struct words *words)
{
    if (words->verdict->without_probe)
        words_add(words, "Mail hosts are not connected to (probe = no), so it is not known whether "
                         "they do TLS.");
    else {
        words_say_addresses(words, words_is_silent, "No usable answer: ", ".");
        words_say_addresses(words, words_is_skipped, "Not connected to: ", ".");
        words_say_addresses(words, words_is_unasked, "Not asked: ", ".");
    }
    say_nothing_stronger(words);
}

/* ---- answers before the end of a lookup ---- */

static void why_open(struct words *words)
{
    if (words->evidence->mx == MX_UNKNOWN)
        words_add(words, "The MX lookup of %s has not been answered yet.", words_domain(words));
    words_say_hosts(words, words_is_unknown, "The DNS has not answered yet about: ", ".");
    if (words->verdict->reason == REASON_DEADLINE) {
        words_say_addresses(words, words_is_unasked, "The probes have not ended: ", ".");
        report_say_sts(words);
    }
    words_add(words, "The lookup goes on and its end will answer the next question.");
}

/* ---- what is remembered ---- */

static void say_shown(struct words *words);

static const char *observed_text(enum verdict_level level)
{
    return level >= VERDICT_VERIFY
               ? "every mail host that answered did STARTTLS with a certificate valid for it"
               : "every mail host that answered did STARTTLS";
}

static void say_downgrade(struct words *words, const struct downgrade *downgrade)
{
    struct words_span since, until;

    words_add(words, "Less has been seen for %s; what was proven is kept for %s more.",
              words_time(&since, words->now - downgrade->since),
              words_time(&until, downgrade->until - words->now));
}

static void why_held(struct words *words)
{
    const struct verdict *verdict = words->verdict;

    words_add(words, "Held: when the probes saw more, %s.",
              observed_text(report_held_level(verdict)));
    say_downgrade(words, &verdict->held);
    words_add(words, "It is what the hosts show that changed, not what this machine trusts.");
    words_add(
        words,
        "Somebody between the two could make STARTTLS vanish, and must gain nothing by it. What "
        "is seen now (%s) would give %s.",
        verdict_reason_code(verdict->shown_reason), verdict_level_name(verdict->shown_level));
    say_shown(words);
    if (verdict->level == VERDICT_TEMP)
        words_add(words, "Told to insist on TLS, Postfix would bounce mail at such a host, so mail "
                         "waits instead.");
    else
        words_add(words, "Postfix defers mail at hosts without TLS meanwhile, it bounces none.");
}

static void why_dane_remembered(struct words *words)
{
    struct words_span left;

    words_add(words,
              "Remembered: usable, signed TLSA records at every mail host of %s, which live for "
              "%s more by their TTL.",
              words_domain(words),
              words_time(&left, words->verdict->remembered.dane_only_until - words->now));
    words_add(words, "A lookup that gives less (%s) does not end them before.",
              verdict_reason_code(words->verdict->shown_reason));
    say_shown(words);
}

static void why_sts_remembered(struct words *words)
{
    const struct evidence *evidence = words->evidence;

    words_add(words, "Remembered: MTA-STS decided for %s before, and its policy is in force.",
              words_domain(words));
    if (words->verdict->shown_reason == REASON_MX_ERROR)
        words_add(words, "The MX lookup failed now (%s); the policy names the hosts all the same.",
                  evidence->mx_why == NULL ? "no answer" : evidence->mx_why);
    else
        words_add(words, "The lookup has not been answered yet; the policy names the hosts all "
                         "the same.");
    report_say_sts(words);
}

static void why_starttls_remembered(struct words *words)
{
    const struct remembered *memory = &words->verdict->remembered;
    const struct downgrade *downgrade =
        words->verdict->level >= VERDICT_VERIFY ? &memory->verify : &memory->encrypt;

    words_add(words, "Remembered: when last seen, %s.", observed_text(words->verdict->level));
    if (downgrade->since != 0 && downgrade->until > words->now)
        say_downgrade(words, downgrade);
    if (words->evidence->complete)
        words_add(words, "This time the hosts could not be asked, which says nothing against it.");
    say_shown(words);
}

static const writer writers[REASON_COUNT] = {
    [REASON_PENDING] = why_open,
    [REASON_KEY] = why_key,
    [REASON_NULL_MX] = why_null_mx,
    [REASON_NXDOMAIN] = why_nxdomain,
    [REASON_NO_HOST] = why_no_host,
    [REASON_MX_ERROR] = why_mx_error,
    [REASON_DANE_FULL] = why_dane_full,
    [REASON_DANE_TRUNCATED] = why_dane_truncated,
    [REASON_DANE_MIXED_STS] = why_dane_mixed_sts,
    [REASON_DANE_MIXED] = why_dane_mixed,
    [REASON_DANE_UNSIGNED] = why_dane_unsigned,
    [REASON_DANE_UNUSABLE] = why_dane_unusable,
    [REASON_DANE_ERROR] = why_dane_error,
    [REASON_DANE_ERROR_STS] = why_dane_error_sts,
    [REASON_DANE_SHORT] = why_dane_short,
    [REASON_STS_ENFORCE] = why_sts,
    [REASON_STS_TESTING] = why_sts,
    [REASON_VERIFIED] = why_verified,
    [REASON_TLS] = why_tls,
    [REASON_PARTLY] = why_partly,
    [REASON_CLEAR] = why_clear,
    [REASON_REFUSED] = why_refused,
    [REASON_UNPROBED] = why_unprobed,
    [REASON_HELD] = why_held,
    [REASON_DANE_REMEMBERED] = why_dane_remembered,
    [REASON_STS_REMEMBERED] = why_sts_remembered,
    [REASON_STARTTLS_REMEMBERED] = why_starttls_remembered,
    [REASON_DEADLINE] = why_open,
};

/* What would be said if nothing were remembered. */
static void say_shown(struct words *words)
{
    struct verdict shown = *words->verdict;
    struct words as = *words;

    shown.level = shown.shown_level;
    shown.reason = shown.shown_reason;
    as.verdict = &shown;
    if (writers[shown.reason] != NULL && !verdict_is_remembered(&shown))
        writers[shown.reason](&as);
    words->failed |= as.failed;
}

void report_write_why(struct words *words)
{
    enum verdict_reason reason = words->verdict->reason;
    bool looked_up = words->evidence != NULL;

    report_say_rules(words);
    if (!override_wants_lookup(words->override))
        looked_up = false; /* what may be known from before has no say */
    else if (reason == REASON_KEY)
        why_key(words);
    else if (looked_up && writers[reason] != NULL)
        writers[reason](words);
    else
        words_add(words, "%s: %s.", words_domain(words), verdict_reason_text(reason));
    if (looked_up)
        report_say_warnings(words);
    report_say_effect(words);
}
