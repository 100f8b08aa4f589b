/* survey_words: what keys and terms mean, for people; see figures.h and survey_page.h. */
#include <stddef.h>
#include <string.h>

#include "policy/decide/verdict.h"
#include "survey/page/survey_page.h"

static const struct {
    const char *figure, *key, *words;
} words[] = {
    {"mx", "listed", "MX records name a mail host"},
    {"mx", "implicit", "no MX record: the domain itself is the mail host"},
    {"mx", "null", "a null MX: it accepts no mail"},
    {"mx", "nxdomain", "the domain does not exist"},
    {"mx", "unusable", "MX records without a valid host name"},
    {"mx", "error", "the lookup failed"},
    {"levels", "dane-only", "TLS with a certificate that TLSA records prove"},
    {"levels", "secure", "TLS with a valid certificate, as an MTA-STS policy demands"},
    {"levels", "verify", "TLS with a valid certificate, as every host showed"},
    {"levels", "dane", "DANE at those hosts that have it"},
    {"levels", "encrypt", "TLS with any certificate"},
    {"levels", "notfound", "nothing: mail goes out in clear where TLS is not offered"},
    {"levels", "temp", "mail waits until a lookup succeeds"},
    {"levels", "no-mail", "no mail can be sent to it"},
    {"starttls", "verified", "TLS, and a valid certificate"},
    {"starttls", "tls", "TLS, but not every certificate is valid"},
    {"starttls", "partly", "TLS at some addresses only"},
    {"starttls", "clear", "no TLS anywhere"},
    {"starttls", "refused", "an address refuses STARTTLS with 5xx"},
    {"starttls", "unknown", "no address answered, or none was asked"},
    {"dane", "full", "every host has usable records, and all is signed"},
    {"dane", "mixed", "some hosts have usable records"},
    {"dane", "unusable", "records, but none that SMTP can use"},
    {"dane", "unsigned", "hosts have records, the MX records are not signed"},
    {"dane", "error", "a TLSA lookup failed"},
    {"dane", "none", "no host has records"},
    {"mx_signed", "signed", "DNSSEC proves the MX records"},
    {"mx_signed", "not-signed", "DNSSEC does not"},
    {"mta_sts", "enforce", "a policy in mode enforce"},
    {"mta_sts", "testing", "a policy in mode testing"},
    {"mta_sts", "none", "a policy in mode none"},
    {"mta_sts", "bad-record", "a record with a syntax error"},
    {"mta_sts", "dns-error", "the lookup of the record failed"},
    {"mta_sts", "fetch-failed", "a record, but the policy could not be fetched"},
    {"mta_sts", "bad-policy", "a policy with a syntax error"},
    {"mta_sts", "not-asked", "not looked up"},
    {"mta_sts", "no-record", "no record"},
    {"policy_faults", "none", "the policy was read"},
    {"policy_faults", "dns", "the policy host has no address, or the lookup failed"},
    {"policy_faults", "connect", "no connection to the policy host"},
    {"policy_faults", "tls", "the handshake failed"},
    {"policy_faults", "certificate", "the policy host's certificate is not valid"},
    {"policy_faults", "timeout", "the fetch took too long"},
    {"policy_faults", "status", "an HTTP status other than 200"},
    {"policy_faults", "response", "no valid HTTP response, or a wrong type"},
    {"policy_faults", "policy", "a policy with a syntax error"},
    {"policy_faults", "bad-record", "a record with a syntax error"},
    {"policy_faults", "dns-error", "the lookup of the record failed"},
    {"policy_faults", "local", "it failed on the survey's own side"},
    {"policy_hosts", "all", "every mail host is covered"},
    {"policy_hosts", "some", "some are not: they must not be given mail"},
    {"policy_hosts", "none", "none is: no mail may be delivered"},
    {"tlsrpt", "valid", "wants reports"},
    {"tlsrpt", "invalid", "a record with a syntax error, or several"},
    {"tlsrpt", "error", "the lookup failed"},
    {"tlsrpt", "none", "no record"},
    {"enforcing", "all-meet", "every address that answered does what is demanded"},
    {"enforcing", "some-fail", "some do not: mail goes to the others"},
    {"enforcing", "all-fail", "none does: mail waits, and comes back in the end"},
    {"enforcing", "temp", "the verdict itself defers mail, until a lookup succeeds"},
    {"enforcing", "no-demand", "nothing is demanded: nothing changes"},
    {"enforcing", "unknown", "no address answered, or none was asked"},
    {"address_states", "tls", "TLS works"},
    {"address_states", "clear", "STARTTLS is not offered"},
    {"address_states", "tempfail", "STARTTLS is refused for now (4xx)"},
    {"address_states", "refused", "STARTTLS is refused (5xx)"},
    {"address_states", "broken", "STARTTLS is offered, and TLS does not work"},
    {"address_states", "error", "no usable answer, or a 4xx greeting: says nothing about TLS"},
    {"address_states", "silent", "no connection, or no answer in time"},
    {"address_states", "skipped", "not connected to: excluded, opted out, or not public"},
    {"address_failures", "connect-refused", "nobody listens"},
    {"address_failures", "connect-timeout", "no connection in time"},
    {"address_failures", "connect-other", "no connection, for another reason"},
    {"address_failures", "greeting-timeout", "no greeting in time"},
    {"address_failures", "greeting-lost", "closed before a greeting"},
    {"address_failures", "greeting-refused", "a greeting of 4xx or 5xx"},
    {"address_failures", "ehlo", "EHLO was refused"},
    {"address_failures", "starttls-4xx", "STARTTLS was refused for now"},
    {"address_failures", "starttls-5xx", "STARTTLS was refused"},
    {"address_failures", "starttls-other", "another answer to STARTTLS"},
    {"address_failures", "handshake-timeout", "no handshake in time"},
    {"address_failures", "handshake", "the handshake failed"},
    {"address_failures", "ehlo-in-tls", "EHLO in TLS was refused"},
    {"address_failures", "protocol", "not SMTP"},
    {"address_failures", "prefix-refuses", "left alone: its network refuses us"},
    {"address_failures", "local", "the survey's own side failed"},
    {"errors", "local", "the survey's own side failed"},
    {"hosts", "usable", "records that SMTP can use"},
    {"hosts", "unusable", "records, but none that SMTP can use"},
    {"hosts", "none", "no records, or not signed"},
    {"hosts", "error", "the TLSA lookup failed"},
    {"hosts", "dead", "the name or its addresses do not exist"},
    {"hosts", "lost", "the address lookup failed"},
    {"certificates", "valid", "the chain is trusted and the name is right"},
    {"certificates", "wrong-name", "the chain is trusted, the host is not named"},
    {"certificates", "bad-chain", "the host is named, the chain is not trusted"},
    {"certificates", "neither", "neither"},
    {"chain_faults", "none", "the chain ends at a trust anchor"},
    {"chain_faults", "anonymous", "no certificate was shown"},
    {"chain_faults", "self-signed", "the certificate is signed by itself"},
    {"chain_faults", "unknown-issuer", "no chain to a trust anchor"},
    {"chain_faults", "expired", "a certificate has expired"},
    {"chain_faults", "not-yet-valid", "a certificate is not valid yet"},
    {"chain_faults", "weak", "a key or signature is too weak"},
    {"chain_faults", "costly", "the chain would cost too much to verify"},
    {"chain_faults", "other", "another reason"},
    {"expiry", "expired", "before the end of the survey"},
    {"expiry", "14-days", "within 14 days"},
    {"expiry", "30-days", "in 14 to 30 days"},
    {"expiry", "90-days", "in 30 to 90 days"},
    {"expiry", "later", "later"},
    {"tlsa_pairs", "match", "a record matches"},
    {"tlsa_pairs", "mismatch", "no record matches: DANE keeps mail back"},
    {"tlsa_pairs", "none", "not compared"},
    {"requiretls", "offered", "offered"},
    {"requiretls", "not-offered", "not offered"},
    {"errors", "none", "nothing failed"},
};

static const char *reason_words(const char *code)
{
    for (enum verdict_reason reason = 0; reason < REASON_COUNT; reason++) {
        if (strcmp(verdict_reason_code(reason), code) == 0)
            return verdict_reason_text(reason);
    }
    return NULL;
}

const char *figure_words(const char *figure, const char *key)
{
    if (strcmp(figure, "reasons") == 0)
        return reason_words(key);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].figure, figure) == 0 && strcmp(words[i].key, key) == 0)
            return words[i].words;
    }
    return NULL;
}

const struct survey_definition survey_definitions[] = {
    {"Mail domain", "A domain with an MX record that names a host, or with no MX record (it is its "
                    "own mail host then), unless all its mail hosts are known to have no address. "
                    "A domain that has a null MX, does not exist, or whose MX lookup failed is not "
                    "a mail domain. Shares are of mail domains, unless stated otherwise."},
    {"Mail host", "A name in the MX records, whatever its preference; at most 50 for a domain."},
    {"Does STARTTLS",
     "Every address of every mail host that answered on port 25 completed a handshake after "
     "STARTTLS, and answered EHLO in TLS. Addresses that did not answer, or greeted with 4xx or "
     "5xx, say nothing and are left out. Each address was connected to once, and again only to try "
     "the name of another host there."},
    {"Certificate verifies",
     "The chain that was shown ends at a trust anchor of the machine that made the survey, with "
     "valid dates and sufficient strength, and the certificate names the mail host in a DNS name "
     "of its subjectAltName (RFC 6125; the common name does not count). It verifies for a domain "
     "if it does so at every address that answered."},
    {"DANE", "The MX records are signed, every mail host has a signed TLSA record that SMTP can "
             "use (usage 2 or 3, RFC 7672), and its address records are signed. Whether the "
             "records match what the servers show is counted separately."},
    {"MTA-STS",
     "The domain has one valid _mta-sts record, and its policy was fetched over HTTPS with a valid "
     "certificate and has no syntax error (RFC 8461)."},
    {"TLSRPT", "One valid _smtp._tls record with a mailto: or https: address (RFC 8460)."},
    {"Operator", "The base domain (by the Public Suffix List) of the mail host with the lowest "
                 "preference value. Each operator counts as 1, divided among its mail domains. An "
                 "operator whose hosts have names in its customers' domains is not recognised."},
    {"Weight", "What the list of names gives for a domain, such as its number of messages; 1 if it "
               "gives none."},
    {"Level",
     "What mxcryptd would have Postfix demand, decided by the same function: mxcryptd(8)."},
    {"Interval",
     "With --sample: at 95 %, for the whole list. By domains: Wilson's score interval. By weight: "
     "the same, for as many domains of equal weight as would be equally informative; it is too "
     "narrow where a few domains have most of the weight. Both with the finite population "
     "correction. By operators there is none: a sample of domains is not a sample of operators."},
    {NULL, NULL},
};
