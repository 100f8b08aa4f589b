/*
 * report_change: what would change a verdict, and in whose hands it lies; one writer per reason.
 * "Domain owner" is whoever runs the destination, "operator" whoever runs this Postfix.
 */
#include <stdio.h>

#include "policy/report/report_words.h"

#define OWNER    "Domain owner: "
#define OPERATOR "Operator: "

typedef void (*writer)(struct words *words);

static bool lacks_usable_tlsa(const struct words *words, const struct mx_host *host)
{
    return words_is_live(words, host) && host->dane != HOST_DANE_USABLE &&
           !words_is_error(words, host);
}

/* ---- steps that several verdicts share ---- */

/* What is missing for dane-only, as far as it is known. */
static void toward_dane_only(struct words *words)
{
    const struct evidence *evidence = words->evidence;
    bool sign_mx = evidence->mx == MX_LISTED && !evidence->mx_secure;
    struct words_list lacking;

    if (words->verdict->without_dane) {
        words_add(words,
                  OPERATOR "give Postfix a validating resolver, set smtp_dns_support_level = "
                           "dnssec in main.cf and dane = yes here: then DANE counts.");
        return;
    }
    words_hosts(words, &lacking, lacks_usable_tlsa);
    if (words->verdict->level == VERDICT_DANE_ONLY)
        words_add(words, OWNER "signed, usable TLSA records at %s would let mail go there too.",
                  lacking.text);
    else if (sign_mx && lacking.count > 0)
        words_add(words,
                  OWNER "DNSSEC for %s, and signed, usable TLSA records at %s, would make it "
                        "dane-only.",
                  words_domain(words), lacking.text);
    else if (sign_mx)
        words_add(words, OWNER "DNSSEC for %s would make it dane-only.", words_domain(words));
    else if (lacking.count > 0)
        words_add(words,
                  OWNER "signed, usable TLSA records at %s (for example 3 1 1, the SHA-256 of the "
                        "server's public key) would make it dane-only.",
                  lacking.text);
}

static void say_repair_sts(struct words *words)
{
    const struct sts_evidence *sts = &words->evidence->sts;
    struct words_span wait;

    if (sts->state == STS_BAD_RECORD || sts->state == STS_BAD_POLICY ||
        sts->state == STS_FETCH_FAILED)
        words_add(words, OWNER "with the MTA-STS %s put right, its policy would count.",
                  sts->state == STS_BAD_RECORD   ? "record"
                  : sts->state == STS_BAD_POLICY ? "policy"
                                                 : "policy host");
    if (sts->retry_at > words->now)
        words_add(words, "The MTA-STS policy is fetched again in %s.",
                  words_time(&wait, sts->retry_at - words->now));
}

static void toward_sts(struct words *words)
{
    const struct sts_evidence *sts = &words->evidence->sts;

    if (sts->state == STS_POLICY && words_policy_in_force(words) &&
        sts->policy->mode == STS_MODE_TESTING) {
        words_add(words, OWNER "mode enforce in the MTA-STS policy would make it secure.");
        words_add(words, OPERATOR "testing = enforce would do so from here.");
        return;
    }
    if (sts->state == STS_NO_RECORD || sts->state == STS_POLICY)
        words_add(words, OWNER "an MTA-STS policy in enforce mode for %s would make it secure.",
                  words_domain(words));
    say_repair_sts(words);
}

/* The TLSA or the certificate that a probe found wrong. */
static void say_repair_tlsa(struct words *words)
{
    words_say_places(words, words_mismatches_tlsa,
                     OWNER "TLSA records that match the certificate, or the certificate that "
                           "matches them, are needed at ",
                     ".");
}

static void say_check_dns(struct words *words, const char *name, const char *type)
{
    words_add(words,
              OPERATOR "ask the resolver itself (delv %s %s); if other domains fail too, it "
                       "is the resolver that needs help.",
              name, type);
}

/* ---- one writer per reason ---- */

static void change_key(struct words *words)
{
    if (words->key->kind == KEY_PARENT)
        words_add(words,
                  OPERATOR "a rule for .%s in mxcrypt-rules(5) stands for every name below "
                           "it, when that name is asked for; smtp_tls_policy_maps tables "
                           "of your own may answer such a key.",
                  words->key->name);
    else
        words_add(words, OPERATOR "a rule for it in mxcrypt-rules(5), or a table of your own in "
                                  "smtp_tls_policy_maps, answers for such a key.");
}

static void change_null_mx(struct words *words)
{
    words_add(words, OWNER "MX records that name mail hosts, in place of the null MX.");
}

static void change_nxdomain(struct words *words)
{
    words_add(words, OPERATOR "look whether the domain is spelt right.");
    words_add(words, OWNER "%s must exist in the DNS.", words_domain(words));
}

static void change_no_host(struct words *words)
{
    if (!words_say_hosts(words, words_is_gone, OWNER "an address is needed for ", "."))
        words_add(words, OWNER "MX records of %s with valid host names.", words_domain(words));
}

static void change_mx_error(struct words *words)
{
    words_add(words,
              OWNER "the name servers of %s must answer, and its DNSSEC signatures must be "
                    "valid.",
              words_domain(words));
    say_check_dns(words, words_domain(words), "MX");
}

static void change_dane_full(struct words *words)
{
    words_add(words, "Nothing is stronger; without TLSA at a host, or DNSSEC, it would be less.");
    say_repair_tlsa(words);
}

static void change_dane_mixed(struct words *words)
{
    toward_dane_only(words);
    words_add(words,
              OPERATOR "partial-dane = dane-only or dane says what holds when some hosts have "
                       "TLSA and some have none.");
    say_repair_tlsa(words);
}

static void change_dane_truncated(struct words *words)
{
    words_add(words, OWNER "at most %d mail hosts, with at most %d TLSA records each.",
              EVIDENCE_MX_MAX, EVIDENCE_TLSA_MAX);
    say_repair_tlsa(words);
}

static void change_dane_weak(struct words *words)
{
    toward_dane_only(words);
    toward_sts(words);
    say_repair_tlsa(words);
}

static void change_dane_error(struct words *words)
{
    const struct evidence *evidence = words->evidence;
    char owner[HOSTNAME_MAX + 16];

    words_say_hosts(words, words_is_error,
                    OWNER "name servers that answer for TLSA, if only with a signed \"no\": ", ".");
    words_say_hosts(words, words_is_lost, OWNER "name servers that answer for the address of ",
                    ".");
    for (size_t i = 0; i < evidence->host_count; i++) {
        if (!words_is_error(words, &evidence->hosts[i]))
            continue;
        snprintf(owner, sizeof owner, "_%u._tcp.%s", evidence->port, evidence->hosts[i].name);
        say_check_dns(words, owner, "TLSA");
        return;
    }
}

static void change_dane_short(struct words *words)
{
    words_say_hosts(words, words_is_short, OWNER "the TLSA record without data must go from ", ".");
    say_repair_sts(words);
}

static void change_sts(struct words *words)
{
    struct words_list uncovered;

    if (words_hosts(words, &uncovered, words_is_uncovered) > 0)
        words_add(words,
                  OWNER "an mx line in the MTA-STS policy, and a new id in the record, are needed "
                        "for %s to get mail.",
                  uncovered.text);
    toward_dane_only(words);
    if (words->verdict->reason == REASON_STS_TESTING)
        words_add(words, OPERATOR "with testing = none a policy in testing mode asks for nothing.");
    else
        words_add(words, OWNER "a policy with another mode, under a new id, ends it; a policy that "
                               "cannot be fetched does not, before its max_age.");
}

static void change_probed(struct words *words)
{
    if (words->verdict->reason == REASON_VERIFIED && words->verdict->level == VERDICT_ENCRYPT)
        words_add(words, OPERATOR "probe-level = verify would make it verify.");
    words_say_addresses(words, words_is_unverified,
                        OWNER "a certificate valid for the host would make it verify: ", ".");
    words_add(words, "One address that answers without TLS would end it.");
    toward_dane_only(words);
    toward_sts(words);
}

static void change_unencrypted(struct words *words)
{
    words_say_addresses(words, words_has_no_tls, OWNER "STARTTLS must work at ", ".");
    toward_dane_only(words);
    toward_sts(words);
}

static void change_unprobed(struct words *words)
{
    struct words_list list;

    if (words->verdict->without_probe)
        words_add(words, OPERATOR "probe = yes lets mxcrypt see which hosts do TLS.");
    else if (words_addresses(words, &list, words_is_silent) > 0)
        words_add(words,
                  OPERATOR "if no host of any domain answers, look whether this machine may "
                           "connect to port %u outside.",
                  words->evidence->port);
    if (!words->verdict->without_probe && words_addresses(words, &list, words_is_skipped) > 0)
        words_add(words, OPERATOR "allow-address and probe-exclude say what may be connected to.");
    toward_dane_only(words);
    toward_sts(words);
}

static void change_open(struct words *words)
{
    words_add(words, "Time: ask again in a few seconds.");
    words_add(words, OPERATOR "answer-deadline says how long Postfix is kept waiting.");
}

static void say_shown(struct words *words);

static void change_held(struct words *words)
{
    struct words_span left;

    words_add(words, "Time: when nothing better is seen, the hold ends in %s.",
              words_time(&left, words->verdict->held.until - words->now));
    words_add(words,
              OPERATOR "if the domain means it, mxcrypt release %s ends the hold at once, and "
                       "mail goes by what is seen; hold says how long holds last.",
              words->key->text);
    say_shown(words);
}

static void change_dane_remembered(struct words *words)
{
    struct words_span left;

    words_add(words, "Time: in %s the TLSA records seen before are past their TTL.",
              words_time(&left, words->verdict->remembered.dane_only_until - words->now));
    say_shown(words);
}

static void change_sts_remembered(struct words *words)
{
    if (words->verdict->shown_reason != REASON_MX_ERROR)
        change_open(words);
    else
        change_mx_error(words);
    words_add(words, OWNER "a policy with another mode, under a new id, ends it; a policy that "
                           "cannot be fetched does not, before its max_age.");
}

static void change_starttls_remembered(struct words *words)
{
    const struct remembered *memory = &words->verdict->remembered;

    if (!words->evidence->complete)
        change_open(words);
    else
        change_unprobed(words);
    if (memory->verify.since != 0 || memory->encrypt.since != 0)
        words_add(words,
                  OPERATOR "less has been seen: once a whole lookup says so again it is held, "
                           "and mxcrypt release %s ends that.",
                  words->key->text);
}

static void change_overload(struct words *words)
{
    words_add(words, "Time: ask again in a few seconds.");
    words_add(words, OPERATOR "jobs and jobs-suffix bound the lookups under way at once.");
}

static void change_memory(struct words *words)
{
    words_add(words, OPERATOR "the daemon needs more memory, or a smaller cache-size.");
}

static const writer writers[REASON_COUNT] = {
    [REASON_PENDING] = change_open,
    [REASON_KEY] = change_key,
    [REASON_NULL_MX] = change_null_mx,
    [REASON_NXDOMAIN] = change_nxdomain,
    [REASON_NO_HOST] = change_no_host,
    [REASON_MX_ERROR] = change_mx_error,
    [REASON_DANE_FULL] = change_dane_full,
    [REASON_DANE_TRUNCATED] = change_dane_truncated,
    [REASON_DANE_MIXED_STS] = change_dane_mixed,
    [REASON_DANE_MIXED] = change_dane_mixed,
    [REASON_DANE_UNSIGNED] = change_dane_weak,
    [REASON_DANE_UNUSABLE] = change_dane_weak,
    [REASON_DANE_ERROR] = change_dane_error,
    [REASON_DANE_ERROR_STS] = change_dane_error,
    [REASON_DANE_SHORT] = change_dane_short,
    [REASON_STS_ENFORCE] = change_sts,
    [REASON_STS_TESTING] = change_sts,
    [REASON_VERIFIED] = change_probed,
    [REASON_TLS] = change_probed,
    [REASON_PARTLY] = change_unencrypted,
    [REASON_CLEAR] = change_unencrypted,
    [REASON_REFUSED] = change_unencrypted,
    [REASON_UNPROBED] = change_unprobed,
    [REASON_HELD] = change_held,
    [REASON_DANE_REMEMBERED] = change_dane_remembered,
    [REASON_STS_REMEMBERED] = change_sts_remembered,
    [REASON_STARTTLS_REMEMBERED] = change_starttls_remembered,
    [REASON_DEADLINE] = change_open,
    [REASON_OVERLOAD] = change_overload,
    [REASON_MEMORY] = change_memory,
};

/* What would change the verdict if nothing were remembered. */
static void say_shown(struct words *words)
{
    struct verdict shown = *words->verdict;
    struct words as = *words;

    shown.level = shown.shown_level;
    shown.reason = shown.shown_reason;
    as.verdict = &shown;
    if (!verdict_is_remembered(&shown))
        writers[shown.reason](&as);
    words->failed |= as.failed;
}

void report_write_change(struct words *words)
{
    static const bool without_evidence[REASON_COUNT] = {
        [REASON_PENDING] = true,  [REASON_KEY] = true,    [REASON_DEADLINE] = true,
        [REASON_OVERLOAD] = true, [REASON_MEMORY] = true,
    };
    enum verdict_reason reason = words->verdict->reason;

    report_say_rules_change(words);
    if (!override_wants_lookup(words->override))
        return;
    if (words->evidence != NULL || without_evidence[reason])
        writers[reason](words);
}
