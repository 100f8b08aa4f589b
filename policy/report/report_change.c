/*
 * report_change: what would change a verdict, and in whose hands it lies: for each reason what is
 * said, in order; see report_words.h. The domain owner runs the destination, the operator runs this
 * Postfix.
 */
#include "policy/report/report.h"
#include "policy/report/report_words.h"

#define CHECK_DNS(question)                                                                        \
    OPERATOR "ask the resolver itself (delv " question "); if other domains fail too, the "        \
             "resolver is at fault."
#define POLICY_GOES                                                                                \
    OWNER "a policy with another mode, under a new id, ends it; a policy that cannot be fetched "  \
          "does not, before its max_age."

/* ---- steps that several verdicts share ---- */

/* What is missing for dane-only, as far as it is known. */
static const struct sentence toward_dane_only[] = {
    WHEN(IF(WITHOUT_DANE),
         OPERATOR "give Postfix a validating resolver, set "
                  "smtp_dns_support_level = dnssec in main.cf and dane = yes here: then "
                  "DANE counts."),
    {.when = OTHERWISE | IF(LEVEL_DANE_ONLY),
     .hosts = IS_LACKING_TLSA,
     .text = OWNER "signed, usable TLSA records at {list} would let mail go there too."},
    {.when = OTHERWISE | IF(MX_UNSIGNED),
     .hosts = IS_LACKING_TLSA,
     .text = OWNER
     "DNSSEC for {domain}, and signed, usable TLSA records at {list}, would make it dane-only."},
    WHEN(OTHERWISE | IF(MX_UNSIGNED), OWNER "DNSSEC for {domain} would make it dane-only."),
    {.when = OTHERWISE,
     .hosts = IS_LACKING_TLSA,
     .text = OWNER "signed, usable TLSA records at {list} (for example 3 1 1, the SHA-256 of the "
                   "server's public key) would make it dane-only."},
    {0},
};

static const struct sentence repair_sts[] = {
    WHEN(IF(STS_BAD_RECORD), OWNER "once the MTA-STS record is corrected, the policy counts."),
    WHEN(IF(STS_BAD_POLICY), OWNER "once the MTA-STS policy is corrected, it counts."),
    WHEN(IF(STS_FETCH_FAILED), OWNER "once the MTA-STS policy can be fetched, it counts."),
    WHEN(IF(STS_RETRY), "The MTA-STS policy is fetched again in {retry-in}."),
    {0},
};

static const struct sentence end_testing[] = {
    {.text = OWNER "mode enforce in the MTA-STS policy would make it secure."},
    {.text = OPERATOR "testing = enforce would do so on this side."},
    {0},
};

static const struct sentence begin_sts[] = {
    WHEN(IF(STS_ABSENT), OWNER "an MTA-STS policy in enforce mode for {domain} would make it "
                               "secure."),
    {.use = repair_sts},
    {0},
};

static const struct sentence toward_sts[] = {
    {.when = IF(POLICY_TESTING), .use = end_testing},
    {.when = OTHERWISE, .use = begin_sts},
    {0},
};

/* The TLSA or the certificate that a probe found wrong. */
static const struct sentence repair_tlsa[] = {
    {.places = MISMATCHES_TLSA,
     .text = OWNER "TLSA records that match the certificate, or the certificate that matches them, "
                   "are needed at {list}."},
    {0},
};

static const struct sentence mx_error[] = {
    {.text = OWNER
     "the name servers of {domain} must answer, and its DNSSEC signatures must be valid."},
    {.text = CHECK_DNS("{domain} MX")},
    {0},
};

static const struct sentence unprobed[] = {
    WHEN(IF(WITHOUT_PROBE), OPERATOR "probe = yes lets mxcrypt see which hosts do TLS."),
    {.when = OTHERWISE,
     .seen = IS_SILENT,
     .text = OPERATOR "if no host of any domain answers, check that this machine may connect to "
                      "port {port} outside."},
    {.unless = IF(WITHOUT_PROBE),
     .seen = IS_SKIPPED,
     .text = OPERATOR "allow-address and probe-exclude set what may be connected to."},
    {.use = toward_dane_only},
    {.use = toward_sts},
    {0},
};

static const struct sentence open_lookup[] = {
    {.text = "Time: ask again in a few seconds."},
    {.text = OPERATOR "answer-deadline sets how long Postfix waits."},
    {0},
};

/* ---- the reasons ---- */

static const struct sentence sentences[] = {
    OF(REASON_KEY),
    WHEN(IF(PARENT),
         OPERATOR "a rule for .{name} in mxcrypt-rules(5) stands for every name "
                  "below it, when that name is asked for; smtp_tls_policy_maps tables of your "
                  "own may answer such a key."),
    WHEN(OTHERWISE, OPERATOR "a rule for it in mxcrypt-rules(5), or a table of your own in "
                             "smtp_tls_policy_maps, answers for such a key."),

    OF(REASON_NULL_MX),
    {.text = OWNER "MX records that name mail hosts, in place of the null MX."},

    OF(REASON_NXDOMAIN),
    {.text = OPERATOR "check the spelling of the domain."},
    {.text = OWNER "{domain} must exist in the DNS."},

    OF(REASON_NO_HOST),
    {.hosts = IS_GONE, .text = OWNER "an address is needed for {list}."},
    WHEN(OTHERWISE, OWNER "MX records of {domain} with valid host names."),

    OF(REASON_MX_ERROR),
    {.use = mx_error},

    OF(REASON_DANE_FULL),
    {.text = "Nothing is stronger; without TLSA at a host, or DNSSEC, it would be less."},
    {.use = repair_tlsa},

    OF(REASON_DANE_TRUNCATED),
    {.text = OWNER "at most " TEXT(EVIDENCE_MX_MAX) " mail hosts, with at most " TEXT(
         EVIDENCE_TLSA_MAX) " TLSA records each."},
    {.use = repair_tlsa},

    OF(REASON_DANE_MIXED_STS),
    OF(REASON_DANE_MIXED_LIST),
    OF(REASON_DANE_MIXED),
    {.use = toward_dane_only},
    {.text = OPERATOR
     "partial-dane = dane-only or dane decides when some hosts have TLSA and some have none."},
    {.use = repair_tlsa},

    OF(REASON_DANE_UNSIGNED),
    OF(REASON_DANE_UNUSABLE),
    {.use = toward_dane_only},
    {.use = toward_sts},
    {.use = repair_tlsa},

    OF(REASON_DANE_ERROR),
    OF(REASON_DANE_ERROR_STS),
    OF(REASON_DANE_ERROR_LIST),
    {.hosts = IS_ERROR,
     .text = OWNER "name servers must answer for TLSA, if only with a signed \"no\": {list}."},
    {.hosts = IS_LOST, .text = OWNER "name servers must answer for the address of {list}."},
    {.hosts = IS_ERROR, .text = CHECK_DNS("{tlsa-owner} TLSA")},

    OF(REASON_DANE_SHORT),
    {.hosts = IS_SHORT, .text = OWNER "the TLSA record without data must be removed from {list}."},
    {.use = repair_sts},

    OF(REASON_STS_ENFORCE),
    OF(REASON_STS_TESTING),
    {.hosts = IS_UNCOVERED,
     .text = OWNER "an mx line in the MTA-STS policy, and a new id in the record, are needed for "
                   "{list} to get mail."},
    {.use = toward_dane_only},
    WHEN(IF(BY_TESTING), OPERATOR "with testing = none a policy in testing mode asks for nothing."),
    {.when = OTHERWISE, .text = POLICY_GOES},

    OF(REASON_LIST),
    {.hosts = IS_UNCOVERED,
     .text = OWNER "the maker of the policy list must hear of {list} before mail gets there."},
    {.text = OPERATOR "a rule for {domain} in mxcrypt-rules(5) goes before the list; mxcrypt list "
                      "shows when the list ends."},
    {.use = toward_dane_only},
    {.use = toward_sts},

    OF(REASON_VERIFIED),
    OF(REASON_TLS),
    WHEN(IF(BY_VERIFIED) | IF(LEVEL_ENCRYPT), OPERATOR "probe-level = verify would make it "
                                                       "verify."),
    {.seen = IS_UNVERIFIED,
     .text = OWNER "a certificate valid for the host would make it verify: {list}."},
    {.text = "One address that answers without TLS would end it."},
    {.use = toward_dane_only},
    {.use = toward_sts},

    OF(REASON_PARTLY),
    OF(REASON_CLEAR),
    OF(REASON_REFUSED),
    {.seen = HAS_NO_TLS, .text = OWNER "STARTTLS must work at {list}."},
    {.use = toward_dane_only},
    {.use = toward_sts},

    OF(REASON_UNPROBED),
    {.use = unprobed},

    OF(REASON_PENDING),
    OF(REASON_DEADLINE),
    {.use = open_lookup},

    OF(REASON_HELD),
    {.text = "Time: when nothing better is seen, the hold ends in {kept-for}."},
    {.text = OPERATOR "if the domain means it, mxcrypt release {key} ends the hold at once, and "
                      "mail goes by what is seen; the key hold sets how long holds last."},
    {.shown = true},

    OF(REASON_DANE_REMEMBERED),
    {.text = "Time: in {dane-left} the TLSA records seen before are past their TTL."},
    {.shown = true},

    OF(REASON_STS_REMEMBERED),
    {.when = IF(SHOWN_MX_ERROR), .use = mx_error},
    {.when = OTHERWISE, .use = open_lookup},
    {.text = POLICY_GOES},

    OF(REASON_STARTTLS_REMEMBERED),
    {.when = IF(COMPLETE), .use = unprobed},
    {.when = OTHERWISE, .use = open_lookup},
    WHEN(IF(LESS_REMEMBERED), OPERATOR "less has been seen: once a whole lookup says so again it "
                                       "is held, and mxcrypt release {key} ends that."),

    OF(REASON_OVERLOAD),
    {.text = "Time: ask again in a few seconds."},
    {.text = OPERATOR "jobs and jobs-suffix limit the lookups under way at once."},

    OF(REASON_MEMORY),
    {.text = OPERATOR "the daemon needs more memory, or a smaller cache-size."},
    {0},
};

void report_write_change(struct words *words)
{
    static const bool without_evidence[REASON_COUNT] = {
        [REASON_PENDING] = true,  [REASON_KEY] = true,    [REASON_DEADLINE] = true,
        [REASON_OVERLOAD] = true, [REASON_MEMORY] = true,
    };
    enum verdict_reason reason = words->verdict->reason;

    report_say_rules_change(words);
    if (override_wants_lookup(words->override) && (words->looked_up || without_evidence[reason]))
        words_say_reason(words, sentences, reason);
}
