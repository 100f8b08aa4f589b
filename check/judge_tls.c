/*
 * judge_tls: what each address says on port 25, up to TLS: STARTTLS, versions, ciphers. What it
 * shows there is judge_cert's.
 *
 * Nothing can be known of an address that was not connected to. Where no address of the domain
 * answers, no mail arrives: critical.
 */
#include "check/judge_internal.h"

#include <string.h>

static const char *const state_words[] = {
#define X(constant, word, sentence) [constant] = sentence,
    STARTTLS_STATES(X)
#undef X
};

static const char *words_of(const struct check_attempt *attempt)
{
    return attempt->detail != NULL ? attempt->detail : state_words[attempt->state];
}

/* ---- STARTTLS ---- */

#define FIX_SILENT                                                                                 \
    "start the mail server, open port 25 in the firewall, or take the address out of the zone; "   \
    "senders wait for it before they try another"
#define FIX_OFFER                                                                                  \
    "install a certificate and offer STARTTLS; Postfix: smtpd_tls_chain_files, "                   \
    "smtpd_tls_security_level = may; a firewall that rewrites SMTP (\"XXXXXXXA\") must not"
#define FIX_REFUSED                                                                                \
    "look into the mail server's log: it offers STARTTLS and cannot do it, often because the key " \
    "cannot be read"
#define FIX_BROKEN                                                                                 \
    "look into the mail server's log for the handshake; Postfix: smtpd_tls_loglevel = 1; do key "  \
    "and "                                                                                         \
    "certificate belong together?"

static const struct {
    enum starttls state;
    enum check_code code;
    const char *fix;
} state_faults[] = {
    {STARTTLS_SILENT, CHECK_FOUND_SMTP_SILENT, FIX_SILENT},
    {STARTTLS_ERROR, CHECK_FOUND_SMTP_ERROR,
     "look into the mail server's log; does it greet, and accept EHLO, from anywhere?"},
    {STARTTLS_CLEAR, CHECK_FOUND_STARTTLS_MISSING, FIX_OFFER},
    {STARTTLS_TEMPFAIL, CHECK_FOUND_STARTTLS_REFUSED, FIX_REFUSED},
    {STARTTLS_REFUSED, CHECK_FOUND_STARTTLS_REFUSED, FIX_REFUSED},
    {STARTTLS_BROKEN, CHECK_FOUND_TLS_BROKEN, FIX_BROKEN},
};

static bool answers(const struct check_attempt *attempt)
{
    return attempt->made && !attempt->failed_here && attempt->state != STARTTLS_SILENT &&
           attempt->state != STARTTLS_ERROR;
}

static bool any_answers(const struct check_facts *facts)
{
    for (size_t i = 0; i < facts->host_count; i++)
        for (size_t k = 0; k < facts->hosts[i].address_count; k++)
            if (answers(&facts->hosts[i].addresses[k].attempts[CHECK_OFFER_DEFAULT]))
                return true;
    return false;
}

static enum check_severity severity_of(const struct judging *judging, enum check_code code)
{
    bool dead = code == CHECK_FOUND_SMTP_SILENT || code == CHECK_FOUND_SMTP_ERROR;

    return dead && !any_answers(judging->facts) ? CHECK_CRITICAL : check_kinds[code].severity;
}

/* Of a reply the code alone: many servers put the time, or a name for the session, into the text. */
static const char *cause_of(const struct judging *judging, const struct check_attempt *attempt)
{
    return attempt->code == 0 ? NULL : judge_text(judging, "%d", attempt->code);
}

static void judge_state(const struct judging *judging, const struct judge_at *at,
                        const struct check_attempt *attempt)
{
    for (size_t i = 0; i < sizeof state_faults / sizeof state_faults[0]; i++)
        if (state_faults[i].state == attempt->state)
            judge_put(
                judging, at,
                &(struct check_finding){.code = state_faults[i].code,
                                        .severity = severity_of(judging, state_faults[i].code),
                                        .evidence = words_of(attempt),
                                        .fix = state_faults[i].fix,
                                        .cause = cause_of(judging, attempt)});
}

/* ---- versions ---- */

static bool is_old(const char *protocol)
{
    static const char *const old[] = {"SSLv3", "TLSv1", "TLSv1.1"};

    for (size_t i = 0; protocol != NULL && i < sizeof old / sizeof old[0]; i++)
        if (strcmp(old[i], protocol) == 0)
            return true;
    return false;
}

/* True when old versions are all that works. */
static bool judge_version(const struct judging *judging, const struct judge_at *at)
{
    const struct check_attempt *usual = &at->address->attempts[CHECK_OFFER_DEFAULT];
    const struct check_attempt *old = &at->address->attempts[CHECK_OFFER_OLD];
    bool works = judge_is_tls(usual), only = works && is_old(usual->protocol);
    const struct check_attempt *shown = only ? usual : old;
    const char *protocol = shown->protocol == NULL ? "an old version" : shown->protocol;

    if (only || (usual->state == STARTTLS_BROKEN && judge_is_tls(old))) {
        judge_add(judging, at, CHECK_FOUND_TLS_OLD_ONLY,
                  judge_text(judging, "%s is the best that works", protocol),
                  "update the mail server's TLS library, or allow TLS 1.2 and 1.3; Postfix: "
                  "smtpd_tls_protocols = >=TLSv1.2");
        return true;
    }
    if (works && judge_is_tls(old))
        judge_add(judging, at, CHECK_FOUND_TLS_OLD,
                  judge_text(judging, "%s is accepted beside %s", protocol,
                             usual->protocol == NULL ? "newer ones" : usual->protocol),
                  "Postfix: smtpd_tls_protocols = >=TLSv1.2; senders that know nothing newer will "
                  "deliver in clear where they may");
    return false;
}

/* ---- ciphers ---- */

/* By OpenSSL's names; the first that fits counts. */
static const struct {
    const char *part;
    enum check_severity severity;
    const char *why;
} weak_ciphers[] = {
    {"NULL", CHECK_WARNING, "encrypts nothing"},
    {"EXP", CHECK_WARNING, "has a key that was made to be broken"},
    {"RC4", CHECK_WARNING, "RC4 is broken"},
    {"RC2", CHECK_WARNING, "RC2 is broken"},
    {"3DES", CHECK_WARNING, "has blocks of 64 bits"},
    {"DES-", CHECK_WARNING, "has blocks of 64 bits"},
    {"IDEA", CHECK_WARNING, "has blocks of 64 bits"},
    {"MD5", CHECK_WARNING, "rests on MD5"},
    {"DSS", CHECK_WARNING, "rests on DSA, which has gone out of use"},
    {"SEED", CHECK_WARNING, "is SEED, which has gone out of use"},
    {"ADH-", CHECK_NOTICE, "shows no certificate"},
    {"AECDH-", CHECK_NOTICE, "shows no certificate"},
    {"", CHECK_NOTICE, "has no forward secrecy: anyone who gets the key later can read old mail"},
};

static void judge_cipher(const struct judging *judging, const struct judge_at *at)
{
    const struct check_attempt *weak = &at->address->attempts[CHECK_OFFER_WEAK];
    const char *cipher = weak->cipher == NULL ? "" : weak->cipher;
    size_t i = 0;

    if (!judge_is_tls(weak))
        return;
    while (strstr(cipher, weak_ciphers[i].part) == NULL)
        i++;
    judge_put(judging, at,
              &(struct check_finding){
                  .code = CHECK_FOUND_TLS_WEAK,
                  .severity = weak_ciphers[i].severity,
                  .evidence =
                      judge_text(judging, "%s with %s is accepted; it %s",
                                 weak->protocol == NULL ? "TLS" : weak->protocol,
                                 cipher[0] == '\0' ? "a weak cipher" : cipher, weak_ciphers[i].why),
                  .fix =
                      "Postfix: tls_medium_cipherlist as it comes, and smtpd_tls_exclude_ciphers = "
                      "aNULL, eNULL, EXPORT, DES, 3DES, RC2, RC4, MD5, IDEA, kRSA"});
}

/* ---- our own side ---- */

#define NO_ROUTE "network is unreachable" /* ENETUNREACH, in libuv's words */

static bool has_no_route(const char *why)
{
    return why != NULL && strstr(why, NO_ROUTE) != NULL;
}

/* What became of the connections, and of the questions to name servers, by IPv6. */
struct ipv6 {
    size_t tried, no_route;
};

static void count_address(struct ipv6 *out, const struct check_address *address)
{
    const struct check_attempt *usual = &address->attempts[CHECK_OFFER_DEFAULT];

    if (address->ip.family != 6 || address->forbidden != NULL)
        return;
    out->tried++;
    out->no_route += usual->made && usual->state == STARTTLS_SILENT && has_no_route(usual->detail);
}

static void count_server(struct ipv6 *out, const struct check_server *server)
{
    if (server->ip.family != 6 || server->agreement == CHECK_NOT_ASKED)
        return;
    out->tried++;
    out->no_route += server->agreement == CHECK_SILENT && has_no_route(server->why);
}

bool judge_lacks_ipv6(const struct check_facts *facts)
{
    struct ipv6 ipv6 = {0};

    for (size_t i = 0; facts->probed && i < facts->host_count; i++)
        for (size_t k = 0; k < facts->hosts[i].address_count; k++)
            count_address(&ipv6, &facts->hosts[i].addresses[k]);
    for (size_t i = 0; i < facts->zone_count; i++)
        for (size_t k = 0; k < facts->zones[i].server_count; k++)
            count_server(&ipv6, &facts->zones[i].servers[k]);
    return ipv6.tried > 0 && ipv6.tried == ipv6.no_route;
}

static bool any_ipv6(const struct check_facts *facts)
{
    struct ipv6 ipv6 = {0};

    for (size_t i = 0; i < facts->host_count; i++)
        for (size_t k = 0; k < facts->hosts[i].address_count; k++)
            count_address(&ipv6, &facts->hosts[i].addresses[k]);
    return ipv6.tried > 0;
}

/* No more than a notice: most machines without IPv6 stay so. */
static void judge_route(const struct judging *judging)
{
    judge_put(judging, &(struct judge_at){.name = NULL},
              &(struct check_finding){
                  .code = CHECK_FOUND_NOT_FOUND_OUT,
                  .severity = CHECK_NOTICE,
                  .evidence = "what IPv6 addresses say on port 25: this machine has no IPv6",
                  .fix = "run the check on a machine with IPv6 too"});
}

/* ---- the whole ---- */

static void judge_tls_at(const struct judging *judging, const struct judge_at *at)
{
    const struct check_attempt *usual = &at->address->attempts[CHECK_OFFER_DEFAULT];

    if (at->address->forbidden != NULL)
        return; /* judge_mx has said so */
    if (!usual->made || usual->failed_here || usual->state == STARTTLS_UNKNOWN ||
        usual->state == STARTTLS_SKIPPED) {
        judge_unknown(judging, at, "what the address says on port 25", usual->detail);
        return;
    }
    if (!judge_version(judging, at))
        judge_state(judging, at, usual);
    judge_cipher(judging, at);
}

void judge_tls(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    bool no_ipv6 = facts->probed && judge_lacks_ipv6(facts);

    if (no_ipv6 && any_ipv6(facts))
        judge_route(judging);
    for (size_t i = 0; facts->probed && i < facts->host_count; i++) {
        const struct check_host *host = &facts->hosts[i];

        for (size_t k = 0; k < host->address_count; k++)
            if (!no_ipv6 || host->addresses[k].ip.family != 6)
                judge_tls_at(judging,
                             &(struct judge_at){.host = host, .address = &host->addresses[k]});
        judge_certificates(judging, host);
    }
}
