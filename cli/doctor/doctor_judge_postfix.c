/* doctor_judge_postfix: the other settings of main.cf on which mxcryptd's answers depend; see
 * doctor.h and its reasons in contrib/postfix/main.cf. Words are compared as Postfix does, in any
 * case. Pure. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/doctor/doctor.h"

#define OLDEST_MAJOR 3
#define OLDEST_MINOR 4

static const char *value_of(const struct doctor_client *client, enum postfix_parameter parameter)
{
    return client->values[parameter] == NULL ? "" : client->values[parameter];
}

/* A client judge: one setting of one client. */
typedef void (*client_judge)(struct doctor_report *report, const struct doctor_facts *facts,
                             const struct doctor_client *client);

static void each_client(struct doctor_report *report, const struct doctor_facts *facts,
                        client_judge judge)
{
    for (size_t i = 0; i < facts->client_count; i++)
        if (doctor_client_matters(facts, &facts->clients[i]))
            judge(report, facts, &facts->clients[i]);
}

void doctor_judge_version(struct doctor_report *report, const struct doctor_facts *facts)
{
    if (facts->postfix == NULL)
        doctor_find(report, DOCTOR_ERROR, "", facts->postfix_error,
                    "install Postfix, or name its configuration directory: --postfix DIR");
    else if (!facts->postfix_version_known)
        doctor_not_made(report, "postconf mail_version makes no sense");
    else if (!postfix_version_from(&facts->postfix_version, OLDEST_MAJOR, OLDEST_MINOR))
        doctor_find(report, DOCTOR_ERROR, "",
                    arena_printf(report->arena,
                                 "Postfix %s is older than 3.4: it defers mail for answers with "
                                 "servername=",
                                 facts->postfix->values[POSTFIX_MAIL_VERSION]),
                    "upgrade Postfix to 3.4 or later");
}

/* ---- DANE ---- */

static void dns_support(struct doctor_report *report, const struct doctor_facts *facts,
                        const struct doctor_client *client)
{
    const char *level = value_of(client, POSTFIX_DNS_SUPPORT);

    if (facts->config->prober.dane && strcasecmp(level, "dnssec") != 0)
        doctor_find(report, DOCTOR_ERROR, client->where,
                    arena_printf(report->arena,
                                 "smtp_dns_support_level is \"%.100s\": \"dane-only\" defers all "
                                 "mail to a domain, \"dane\" silently means \"may\"",
                                 level),
                    "smtp_dns_support_level = dnssec (or dane = no in mxcryptd.conf)");
}

void doctor_judge_dns_support(struct doctor_report *report, const struct doctor_facts *facts)
{
    each_client(report, facts, dns_support);
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (*list != '\0') {
        size_t size = strcspn(list, ", \t");

        if (size == length && strncmp(list, word, length) == 0)
            return true;
        list += size;
        list += strspn(list, ", \t");
    }
    return false;
}

static void host_lookup(struct doctor_report *report, const struct doctor_facts *facts,
                        const struct doctor_client *client)
{
    const char *lookup = value_of(client, POSTFIX_HOST_LOOKUP);

    if (facts->config->prober.dane && !has_word(lookup, "dns"))
        doctor_find(report, DOCTOR_ERROR, client->where,
                    arena_printf(report->arena,
                                 "smtp_host_lookup is \"%.100s\": without dns no address is "
                                 "validated, so that \"dane-only\" defers",
                                 lookup),
                    "smtp_host_lookup = dns");
}

void doctor_judge_host_lookup(struct doctor_report *report, const struct doctor_facts *facts)
{
    each_client(report, facts, host_lookup);
}

static void insecure_mx(struct doctor_report *report, const struct doctor_facts *facts,
                        const struct doctor_client *client)
{
    if (facts->config->prober.dane && strcasecmp(value_of(client, POSTFIX_INSECURE_MX), "may") == 0)
        doctor_find(report, DOCTOR_WARNING, client->where,
                    "smtp_tls_dane_insecure_mx_policy is \"may\": where the MX records are not "
                    "signed, TLSA records of the hosts are not used",
                    "smtp_tls_dane_insecure_mx_policy = dane");
}

void doctor_judge_insecure_mx(struct doctor_report *report, const struct doctor_facts *facts)
{
    each_client(report, facts, insecure_mx);
}

/* ---- trust anchors ---- */

static const char *ca_fix(const struct doctor_report *report, const struct doctor_facts *facts)
{
    if (facts->ca_suggestion == NULL)
        return "install the package ca-certificates, and set smtp_tls_CAfile to its file";
    return arena_printf(report->arena, "smtp_tls_CAfile = %s", facts->ca_suggestion);
}

static void ca_path(struct doctor_report *report, const struct doctor_facts *facts,
                    const struct doctor_client *client)
{
    const char *path = value_of(client, POSTFIX_CA_PATH);
    bool alone = *value_of(client, POSTFIX_CA_FILE) == '\0';

    if (*path == '\0')
        return;
    if (client->ca_path.state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, client->ca_path.why);
    else if (client->ca_path.state == DOCTOR_BAD)
        doctor_find(report, alone ? DOCTOR_ERROR : DOCTOR_WARNING, client->where,
                    arena_printf(report->arena,
                                 "smtp_tls_CApath = %.200s is of no use to user "
                                 "%s%s: %s",
                                 path, value_of(client, POSTFIX_MAIL_OWNER),
                                 client->chrooted ? " in the chroot of smtp(8)" : "",
                                 client->ca_path.why),
                    ca_fix(report, facts));
}

static void ca(struct doctor_report *report, const struct doctor_facts *facts,
               const struct doctor_client *client)
{
    const char *file = value_of(client, POSTFIX_CA_FILE);

    if (*file != '\0' && client->ca_file.state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, client->ca_file.why);
    else if (*file != '\0' && client->ca_file.state == DOCTOR_BAD)
        doctor_find(report, DOCTOR_ERROR, client->where,
                    arena_printf(report->arena,
                                 "smtp_tls_CAfile = %.200s cannot be used: %s; smtp(8) then has no "
                                 "TLS at all",
                                 file, client->ca_file.why),
                    ca_fix(report, facts));
    ca_path(report, facts, client);
    if (*file == '\0' && *value_of(client, POSTFIX_CA_PATH) == '\0' &&
        strcasecmp(value_of(client, POSTFIX_APPEND_CA), "yes") != 0 &&
        (facts->config->prober.mta_sts || facts->config->prober.probe))
        doctor_find(report, DOCTOR_ERROR, client->where,
                    "neither smtp_tls_CAfile nor smtp_tls_CApath is set: \"secure\" and \"verify\" "
                    "defer all mail to a domain",
                    ca_fix(report, facts));
}

void doctor_judge_ca(struct doctor_report *report, const struct doctor_facts *facts)
{
    each_client(report, facts, ca);
}

/* ---- the level for NOTFOUND ---- */

static bool is_yes(const struct doctor_client *client, enum postfix_parameter parameter)
{
    return strcasecmp(value_of(client, parameter), "yes") == 0;
}

static void security_level(struct doctor_report *report, const struct doctor_facts *facts,
                           const struct doctor_client *client)
{
    static const char *const known[] = {"may",       "encrypt", "fingerprint", "dane",
                                        "dane-only", "verify",  "secure"};
    const char *level = value_of(client, POSTFIX_SECURITY_LEVEL);

    (void)facts;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(level, known[i]) == 0)
            return;
    if (*level == '\0' && is_yes(client, POSTFIX_ENFORCE_TLS))
        doctor_find(report, DOCTOR_WARNING, client->where, "smtp_enforce_tls is obsolete",
                    "smtp_tls_security_level = encrypt, and no smtp_enforce_tls");
    else if (*level == '\0' && is_yes(client, POSTFIX_USE_TLS))
        doctor_find(report, DOCTOR_WARNING, client->where, "smtp_use_tls is obsolete",
                    "smtp_tls_security_level = may, and no smtp_use_tls");
    else if (*level == '\0' || strcasecmp(level, "none") == 0)
        doctor_find(report, DOCTOR_WARNING, client->where,
                    arena_printf(report->arena,
                                 "smtp_tls_security_level is \"%s\": where mxcryptd has no opinion "
                                 "mail goes in clear",
                                 level),
                    "smtp_tls_security_level = may");
    else
        doctor_find(
            report, DOCTOR_ERROR, client->where,
            arena_printf(report->arena, "smtp_tls_security_level = %.100s is no level", level),
            "smtp_tls_security_level = may");
}

void doctor_judge_security_level(struct doctor_report *report, const struct doctor_facts *facts)
{
    each_client(report, facts, security_level);
}
