/* exim_judge: what is wrong with an Exim that should do what mxcryptd says; see exim.h. The tables are
 * the options of contrib/exim without which mail goes out in the clear, to a wrong host, or comes
 * back. Pure. */
#include <stdio.h>
#include <string.h>

#include "cli/mta/exim.h"

#define OF_CONTRIB "set it as in contrib/exim; mxcrypt exim-config says where these files go"

/* ---- options ---- */

/* What an option must be, or (part) have in it. */
struct wanted {
    int where; /* a router or transport; ALL: every one */
    const char *option, *value;
    bool part;
};
#define ALL (-1)

static const struct wanted of_routers[] = {
    {EXIM_ASK, "driver", "redirect", false},
    {EXIM_ASK, "allow_defer", "yes", false},
    {EXIM_ASK, "condition", "", false},
    {EXIM_ASK, "senders", "", false},
    {EXIM_ASK, "local_parts", "", false},
    {EXIM_ASK, "set", "{exim1 $r_mxcrypt_key\\n}", true},
    {EXIM_ASK, "data", ":defer:", true},
    {EXIM_SEND, "condition", "${if !eq{$r_mxcrypt_level}{notfound}}", false},
    {EXIM_SEND, "ignore_target_hosts", "${tr{$r_mxcrypt_skip}{:}{;}}", true},
    {EXIM_SEND, "dnssec_request_domains", "*", false},
    {EXIM_SEND, "more", "${if def:r_mxcrypt_skip{yes}{no}}", false},
    {EXIM_SEND, "transport",
     "${extract{$r_mxcrypt_level}{dane-only=mxcrypt_dane_only secure=mxcrypt_verify "
     "verify=mxcrypt_verify encrypt=mxcrypt_encrypt dane=mxcrypt_dane may=mxcrypt_may "
     "none=mxcrypt_may}}",
     false},
    {EXIM_SEND, "senders", "", false},
    {EXIM_SEND, "local_parts", "", false},
    {EXIM_UNMATCHED, "driver", "redirect", false},
    {EXIM_UNMATCHED, "allow_defer", "yes", false},
    {EXIM_UNMATCHED, "condition", "${if def:r_mxcrypt_skip}", false},
    {EXIM_UNMATCHED, "data", ":defer:", true},
    {ALL, "verify_recipient", "yes", false}, /* or cutthrough_delivery goes without */
    {ALL, "unseen", "no", false},
    {ALL, "fallback_hosts", "", false},
};

static const struct wanted of_transports[] = {
    {ALL, "driver", "smtp", false},
    {ALL, "protocol", "smtp", true}, /* or smtps */
    {ALL, "hosts", "", false},
    {ALL, "hosts_override", "no", false},
    {ALL, "fallback_hosts", "", false},
    {ALL, "hosts_require_dane", "", false},
    {EXIM_DANE_ONLY, "hosts_require_tls", "*", false},
    {EXIM_DANE_ONLY, "hosts_try_dane", "*", false},
    {EXIM_DANE_ONLY, "hosts_avoid_tls", "", false},
    {EXIM_DANE_ONLY, "tls_verify_hosts", "*", false},
    {EXIM_DANE_ONLY, "tls_verify_certificates", "/dev/null", false},
    {EXIM_VERIFY, "hosts_require_tls", "*", false},
    {EXIM_VERIFY, "hosts_try_dane", "", false},
    {EXIM_VERIFY, "hosts_avoid_tls", "", false},
    {EXIM_VERIFY, "tls_verify_hosts", "*", false},
    {EXIM_VERIFY, "tls_verify_cert_hostnames", "*", false},
    {EXIM_ENCRYPT, "hosts_require_tls", "*", false},
    {EXIM_ENCRYPT, "hosts_avoid_tls", "", false},
    {EXIM_DANE, "hosts_try_dane", "*", false},
    {EXIM_DANE, "hosts_avoid_tls", "", false},
    {EXIM_DANE, "tls_verify_certificates", "/dev/null", false},
};

static void judge_option(struct doctor_report *report, const char *what, const char *name,
                         const char *lines, const struct wanted *wanted)
{
    const char *value = exim_option(report->arena, lines, wanted->option);

    if (value == NULL) /* an option of another driver, or of a later Exim */
        value = "";
    if (wanted->part ? strstr(value, wanted->value) != NULL : strcmp(value, wanted->value) == 0)
        return;
    if (wanted->part)
        doctor_find(report, DOCTOR_ERROR, OF_CONTRIB, "%s %s: %s has no %s in it", what, name,
                    wanted->option, wanted->value);
    else
        doctor_find(report, DOCTOR_ERROR, OF_CONTRIB, "%s %s: %s is \"%s\", not \"%s\"", what, name,
                    wanted->option, value, wanted->value);
}

static void judge_options(struct doctor_report *report, const char *what, const char *const *names,
                          const char *const *lines, size_t count, const struct wanted *wanted,
                          size_t wanted_count)
{
    for (size_t i = 0; i < count; i++) {
        if (lines[i] == NULL)
            doctor_find(report, DOCTOR_ERROR,
                        "include the files of contrib/exim; mxcrypt exim-config says where, then "
                        "update-exim4.conf and restart Exim",
                        "there is no %s %s", what, names[i]);
        for (size_t k = 0; lines[i] != NULL && k < wanted_count; k++)
            if (wanted[k].where == ALL || wanted[k].where == (int)i)
                judge_option(report, what, names[i], lines[i], &wanted[k]);
    }
}

static void judge_routers(struct doctor_report *report, const struct exim_facts *facts)
{
    const char *driver = exim_option(report->arena, facts->routers[EXIM_SEND], "driver");
    const char *asked = exim_option(report->arena, facts->routers[EXIM_ASK], "domains");
    const char *sent = exim_option(report->arena, facts->routers[EXIM_SEND], "domains");

    judge_options(report, "router", exim_router_names, facts->routers, EXIM_ROUTERS, of_routers,
                  sizeof of_routers / sizeof of_routers[0]);
    if (driver != NULL && strcmp(driver, "dnslookup") != 0 && strcmp(driver, "manualroute") != 0)
        doctor_find(report, DOCTOR_ERROR, OF_CONTRIB,
                    "router mxcrypt_send: driver is %s, not dnslookup or manualroute", driver);
    if (asked != NULL && sent != NULL && strcmp(asked, sent) != 0)
        doctor_find(report, DOCTOR_ERROR, "give both the same domains",
                    "mxcrypt_ask is for the domains \"%s\", mxcrypt_send for \"%s\"", asked, sent);
}

static void judge_transports(struct doctor_report *report, const struct exim_facts *facts)
{
    const char *anchors =
        exim_option(report->arena, facts->transports[EXIM_VERIFY], "tls_verify_certificates");

    judge_options(report, "transport", exim_transport_names, facts->transports, EXIM_TRANSPORTS,
                  of_transports, sizeof of_transports / sizeof of_transports[0]);
    if (facts->transports[EXIM_VERIFY] != NULL && (anchors == NULL || *anchors == '\0'))
        doctor_find(report, DOCTOR_ERROR, OF_CONTRIB,
                    "transport mxcrypt_verify has no tls_verify_certificates: mail to it waits");
}

/* A manualroute is meant where it is for some domains only, as Debian's hubbed_hosts. */
static bool is_for_all(struct doctor_report *report, const char *options, const char *driver)
{
    const char *domains = exim_option(report->arena, options, "domains");

    return strcmp(driver, "manualroute") != 0 || domains == NULL || *domains == '\0' ||
           *domains == '!' || *domains == '*';
}

/* Mail that another router takes first is sent without asking. */
static void judge_order(struct doctor_report *report, const struct exim_facts *facts)
{
    static const char *const remote[] = {"dnslookup", "manualroute", "ipliteral", "iplookup",
                                         "queryprogram"};

    if (facts->routers[EXIM_ASK] == NULL)
        return;
    if (!facts->in_order)
        doctor_find(report, DOCTOR_ERROR, OF_CONTRIB,
                    "mxcrypt_ask, mxcrypt_send and mxcrypt_unmatched do not follow each other");
    for (size_t i = 0; i < facts->before_count; i++) {
        const char *driver = exim_option(report->arena, facts->before_options[i], "driver");

        for (size_t k = 0; driver != NULL && k < sizeof remote / sizeof remote[0]; k++)
            if (strcmp(driver, remote[k]) == 0 &&
                is_for_all(report, facts->before_options[i], driver))
                doctor_find(report, DOCTOR_WARNING,
                            "put the routers of mxcrypt in front of it, unless you mean it",
                            "router %s (%s) is in front of mxcrypt_ask: what it takes is sent "
                            "without asking mxcryptd",
                            facts->before[i], driver);
    }
}

/* ---- the rest ---- */

static void judge_config(struct doctor_report *report, const struct exim_facts *facts)
{
    const char *socket = exim_socket(report->arena, facts->config);

    if (socket == NULL)
        doctor_find(report, DOCTOR_ERROR,
                    "add \"listen = exim:unix:/run/mxcrypt/exim.sock\", and restart mxcryptd; "
                    "under systemd it takes mxcryptd-exim.socket, see mxcrypt-exim(5)",
                    "mxcryptd.conf has no listener for Exim");
    else if (facts->socket != NULL && strcmp(facts->socket, socket) != 0)
        doctor_find(report, DOCTOR_ERROR, "set MXCRYPT_SOCKET to where mxcryptd listens",
                    "MXCRYPT_SOCKET is %s, and mxcryptd listens at %s", facts->socket, socket);
    else if (facts->socket == NULL)
        doctor_find(report, DOCTOR_ERROR, OF_CONTRIB, "Exim has no macro MXCRYPT_SOCKET");
}

static void judge_version(struct doctor_report *report, const struct exim_facts *facts)
{
    if (facts->version == NULL)
        doctor_not_made(report, "the version is not known");
    else if (facts->major < EXIM_MAJOR || (facts->major == EXIM_MAJOR && facts->minor < EXIM_MINOR))
        doctor_find(report, DOCTOR_ERROR, "use Exim 4.94 or later, which has router variables",
                    "%s is Exim %s", facts->program, facts->version);
    if (!facts->tls)
        doctor_find(report, DOCTOR_ERROR, "install exim4-daemon-light or exim4-daemon-heavy",
                    "%s is built without TLS", facts->program);
    if (!facts->dane)
        doctor_find(report, DOCTOR_ERROR,
                    "use an Exim with DANE, or set dane = no in mxcryptd.conf",
                    "%s is built without DANE: mail to dane-only domains waits", facts->program);
}

static void judge_retry(struct doctor_report *report, const struct exim_facts *facts)
{
    if (facts->retry == NULL || strstr(facts->retry, "Retry rule: ") == NULL)
        doctor_find(report, DOCTOR_ERROR,
                    "include contrib/exim/retry behind \"begin retry\", as its last rule",
                    "there is no retry rule for all domains: what must wait is bounced");
}

static void judge_dnssec(struct doctor_report *report, const struct exim_facts *facts)
{
    if (facts->dnssec_ok == NULL || strcmp(facts->dnssec_ok, "1") != 0)
        doctor_find(report, DOCTOR_ERROR, "set dns_dnssec_ok = 1 in the main part",
                    "dns_dnssec_ok is %s: mail to dane-only domains waits",
                    facts->dnssec_ok == NULL ? "not known" : facts->dnssec_ok);
    if (!facts->tried)
        doctor_not_made(report, "only root can ask as Exim's user: run this as root");
    else if (facts->secure == NULL || strcmp(facts->secure, "secure") != 0)
        doctor_find(report, DOCTOR_ERROR,
                    "let /etc/resolv.conf name only a validating resolver on this host, with "
                    "\"options edns0 trust-ad\"",
                    "Exim does not see that a signed zone is validated: mail to dane-only domains "
                    "waits, and TLSA records do not count");
}

static void judge_socket(struct doctor_report *report, const struct exim_facts *facts)
{
    if (!facts->answer_tried)
        doctor_not_made(report, !facts->tried ? "only root can ask as Exim's user: run this as root"
                                              : "there is no address to ask at");
    else if (facts->answer == NULL)
        doctor_find(
            report, DOCTOR_ERROR,
            "start mxcryptd, and let the user that Exim runs as reach the socket (mode= and "
            "group= of listen, and its folder)",
            "asked as user %s, mxcryptd does not answer: %s", facts->user, facts->answer_error);
    else if (strncmp(facts->answer, "level=", 6) != 0)
        doctor_find(report, DOCTOR_ERROR, "let MXCRYPT_SOCKET and listen name the same address",
                    "what answers says \"%.100s\"", facts->answer);
}

/* ---- all of it ---- */

typedef void exim_judgement(struct doctor_report *report, const struct exim_facts *facts);

void exim_judge(struct doctor_report *report, const struct exim_facts *facts)
{
    static const struct {
        const char *name;
        exim_judgement *judge;
    } checks[] = {
        {"exim", judge_version},    {"listen", judge_config},      {"socket", judge_socket},
        {"routers", judge_routers}, {"router-order", judge_order}, {"transports", judge_transports},
        {"retry", judge_retry},     {"dnssec", judge_dnssec},
    };

    memset(report, 0, sizeof *report);
    report->arena = facts->arena;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        report->checks[report->check_count++].check = checks[i].name;
        checks[i].judge(report, facts);
    }
}
