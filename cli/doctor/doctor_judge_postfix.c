/* doctor_judge_postfix: the other settings of main.cf on which mxcryptd's answers depend; see
 * doctor.h and its reasons in contrib/postfix/main.cf. Words are compared as Postfix does, in any
 * case. Pure. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/doctor/doctor.h"

#define OLDEST_MAJOR 3
#define OLDEST_MINOR 4

void doctor_judge_version(struct doctor_report *report, const struct doctor_facts *facts)
{
    if (facts->postfix == NULL)
        doctor_find(report, DOCTOR_ERROR, "",
                    "install Postfix, or name its configuration directory: --postfix DIR", "%s",
                    facts->postfix_error);
    else if (!facts->postfix_version_known)
        doctor_not_made(report, "postconf mail_version cannot be understood");
    else if (!postfix_version_from(&facts->postfix_version, OLDEST_MAJOR, OLDEST_MINOR))
        doctor_find(report, DOCTOR_ERROR, "", "upgrade Postfix to 3.4 or later",
                    "Postfix %s is older than 3.4: it defers mail for answers with "
                    "servername=",
                    facts->postfix->values[POSTFIX_MAIL_VERSION]);
}

/* ---- DANE ---- */

void doctor_judge_dns_support(struct doctor_report *report, const struct doctor_facts *facts,
                              const struct doctor_client *client)
{
    const char *level = doctor_value(client, POSTFIX_DNS_SUPPORT);

    if (facts->config->prober.dane && strcasecmp(level, "dnssec") != 0)
        doctor_find(report, DOCTOR_ERROR, client->where,
                    "smtp_dns_support_level = dnssec (or dane = no in mxcryptd.conf)",
                    "smtp_dns_support_level is \"%.100s\": \"dane-only\" defers all "
                    "mail to a domain, \"dane\" silently means \"may\"",
                    level);
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

void doctor_judge_host_lookup(struct doctor_report *report, const struct doctor_facts *facts,
                              const struct doctor_client *client)
{
    const char *lookup = doctor_value(client, POSTFIX_HOST_LOOKUP);

    if (facts->config->prober.dane && !has_word(lookup, "dns"))
        doctor_find(report, DOCTOR_ERROR, client->where, "smtp_host_lookup = dns",
                    "smtp_host_lookup is \"%.100s\": without dns no address is "
                    "validated, so that \"dane-only\" defers",
                    lookup);
}

void doctor_judge_insecure_mx(struct doctor_report *report, const struct doctor_facts *facts,
                              const struct doctor_client *client)
{
    if (facts->config->prober.dane &&
        strcasecmp(doctor_value(client, POSTFIX_INSECURE_MX), "may") == 0)
        doctor_find(report, DOCTOR_WARNING, client->where,
                    "smtp_tls_dane_insecure_mx_policy = dane",
                    "smtp_tls_dane_insecure_mx_policy is \"may\": where the MX records are not "
                    "signed, TLSA records of the hosts are not used");
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
    const char *path = doctor_value(client, POSTFIX_CA_PATH);
    bool alone = *doctor_value(client, POSTFIX_CA_FILE) == '\0';

    if (*path == '\0')
        return;
    if (client->ca_path.state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, client->ca_path.why);
    else if (client->ca_path.state == DOCTOR_BAD)
        doctor_find(report, alone ? DOCTOR_ERROR : DOCTOR_WARNING, client->where,
                    ca_fix(report, facts),
                    "smtp_tls_CApath = %.200s is of no use to user "
                    "%s%s: %s",
                    path, doctor_value(client, POSTFIX_MAIL_OWNER),
                    client->chrooted ? " in the chroot of smtp(8)" : "", client->ca_path.why);
}

void doctor_judge_ca(struct doctor_report *report, const struct doctor_facts *facts,
                     const struct doctor_client *client)
{
    const char *file = doctor_value(client, POSTFIX_CA_FILE);

    if (*file != '\0' && client->ca_file.state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, client->ca_file.why);
    else if (*file != '\0' && client->ca_file.state == DOCTOR_BAD)
        doctor_find(report, DOCTOR_ERROR, client->where, ca_fix(report, facts),
                    "smtp_tls_CAfile = %.200s cannot be used: %s; smtp(8) then has no "
                    "TLS at all",
                    file, client->ca_file.why);
    ca_path(report, facts, client);
    if (*file == '\0' && *doctor_value(client, POSTFIX_CA_PATH) == '\0' &&
        strcasecmp(doctor_value(client, POSTFIX_APPEND_CA), "yes") != 0 &&
        (facts->config->prober.mta_sts || facts->config->prober.probe))
        doctor_find(report, DOCTOR_ERROR, client->where, ca_fix(report, facts),
                    "neither smtp_tls_CAfile nor smtp_tls_CApath is set: \"secure\" and \"verify\" "
                    "defer all mail to the domain");
}

/* ---- the level for NOTFOUND ---- */

static bool is_yes(const struct doctor_client *client, enum postfix_parameter parameter)
{
    return strcasecmp(doctor_value(client, parameter), "yes") == 0;
}

void doctor_judge_security_level(struct doctor_report *report, const struct doctor_facts *facts,
                                 const struct doctor_client *client)
{
    static const char *const known[] = {"may",       "encrypt", "fingerprint", "dane",
                                        "dane-only", "verify",  "secure"};
    const char *level = doctor_value(client, POSTFIX_SECURITY_LEVEL);

    (void)facts;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(level, known[i]) == 0)
            return;
    if (*level == '\0' && is_yes(client, POSTFIX_ENFORCE_TLS))
        doctor_find(report, DOCTOR_WARNING, client->where,
                    "smtp_tls_security_level = encrypt, and no smtp_enforce_tls",
                    "smtp_enforce_tls is obsolete");
    else if (*level == '\0' && is_yes(client, POSTFIX_USE_TLS))
        doctor_find(report, DOCTOR_WARNING, client->where,
                    "smtp_tls_security_level = may, and no smtp_use_tls",
                    "smtp_use_tls is obsolete");
    else if (*level == '\0' || strcasecmp(level, "none") == 0)
        doctor_find(report, DOCTOR_WARNING, client->where, "smtp_tls_security_level = may",
                    "smtp_tls_security_level is \"%s\": where mxcryptd has no opinion "
                    "mail goes out in the clear",
                    level);
    else
        doctor_find(report, DOCTOR_ERROR, client->where, "smtp_tls_security_level = may",
                    "smtp_tls_security_level = %.100s is no level", level);
}
