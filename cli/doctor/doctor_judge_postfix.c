/* doctor_judge_postfix: the settings of Postfix on which mxcryptd's answers depend: does it ask
 * mxcryptd, in the right place, by the right name, and get there; and the other parameters, for the
 * reasons in contrib/postfix/main.cf. Words are compared as Postfix does, in any case. See
 * doctor.h. Pure. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "cli/doctor/doctor.h"

#define OLDEST_MAJOR 3
#define OLDEST_MINOR 4

void doctor_judge_version(struct doctor_report *report)
{
    const struct doctor_facts *facts = report->facts;

    if (facts->postfix == NULL)
        doctor_find(report, DOCTOR_ERROR,
                    "install Postfix, or name its configuration directory: --postfix DIR", "%s",
                    facts->postfix_error);
    else if (!facts->postfix_version_known)
        doctor_not_made(report, "postconf mail_version cannot be understood");
    else if (!postfix_version_from(&facts->postfix_version, OLDEST_MAJOR, OLDEST_MINOR))
        doctor_find(report, DOCTOR_ERROR, "upgrade Postfix to 3.4 or later",
                    "Postfix %s is older than 3.4: it defers mail for answers with servername=",
                    facts->postfix->values[POSTFIX_MAIL_VERSION]);
}

/* ---- is mxcryptd asked ---- */

static const struct doctor_map *our_map(const struct doctor_client *client)
{
    return client->ours < 0 ? NULL : &client->maps[client->ours];
}

static const char *map_fix(const struct doctor_report *report)
{
    if (report->facts->map_suggestion == NULL)
        return "give mxcryptd a listen line, see mxcryptd.conf(5)";
    return arena_printf(report->arena, "smtp_tls_policy_maps = %s", report->facts->map_suggestion);
}

void doctor_judge_map(struct doctor_report *report)
{
    static const struct doctor_client none = {.where = "master.cf"};
    const struct doctor_facts *facts = report->facts;

    if (facts->client_count == 0) {
        report->client = &none;
        doctor_find(report, DOCTOR_ERROR, "smtp unix - - y - - smtp, in master.cf",
                    "no smtp(8) service: no mail leaves");
    }
    for (size_t i = 0; i < facts->client_count; i++) {
        const struct doctor_client *client = report->client = &facts->clients[i];

        if (client->map_error != NULL)
            doctor_find(report, DOCTOR_ERROR, map_fix(report), "smtp_tls_policy_maps: %s",
                        client->map_error);
        else if (client->ours >= 0)
            continue;
        else if (!doctor_any_asks(facts))
            doctor_find(report, DOCTOR_ERROR, map_fix(report),
                        "smtp_tls_policy_maps does not lead to mxcryptd: it is never asked");
        else if (client->main)
            doctor_find(
                report, DOCTOR_WARNING, map_fix(report),
                "only some services of master.cf ask mxcryptd: other mail goes out without it");
        else
            doctor_find(report, DOCTOR_WARNING, "remove this -o from master.cf",
                        "\"-o smtp_tls_policy_maps=%.200s\" bypasses mxcryptd",
                        client->values[POSTFIX_POLICY_MAPS]);
    }
}

/* ---- by which name ---- */

void doctor_judge_map_name(struct doctor_report *report)
{
    const struct doctor_facts *facts = report->facts;
    bool from_3_10 = postfix_version_from(&facts->postfix_version, 3, 10), tlsrpt;
    const struct doctor_map *ours = our_map(report->client);
    const char *name = ours == NULL ? NULL : ours->map.name;

    /* the map names that add what 3.10 understands: see mxcryptd(8) */
    tlsrpt = name != NULL && (strcmp(name, "tlsrpt") == 0 || strcmp(name, "QUERYwithTLSRPT") == 0);
    if (name != NULL && (strcmp(name, "sts") == 0 || strcmp(name, "sendmail") == 0))
        doctor_find(
            report, DOCTOR_ERROR, map_fix(report),
            "map name \"%s\" is Sendmail's: Postfix defers mail for what it says, or knows no "
            "DANE",
            name);
    else if (!facts->postfix_version_known)
        doctor_not_made(report, "the version of Postfix is not known");
    else if (name == NULL || tlsrpt == from_3_10)
        return;
    else if (from_3_10)
        doctor_find(report, DOCTOR_WARNING, map_fix(report),
                    "map name \"%.100s\" with Postfix %s: MTA-STS is matched less exactly, and "
                    "TLSRPT knows nothing of it",
                    name, facts->postfix->values[POSTFIX_MAIL_VERSION]);
    else
        doctor_find(report, DOCTOR_ERROR, map_fix(report),
                    "map name \"%.100s\" is for Postfix 3.10 and later: %s defers mail for what it "
                    "adds",
                    name, facts->postfix->values[POSTFIX_MAIL_VERSION]);
}

/* ---- what comes before it ---- */

void doctor_judge_map_order(struct doctor_report *report)
{
    for (int i = 0; i < report->client->ours; i++) {
        const struct doctor_map *map = &report->client->maps[i];
        const char *text = map->map.text;

        if (map->catches.state == DOCTOR_BAD && map->catches.error != 0)
            doctor_find(report, DOCTOR_ERROR,
                        "make the table (postmap), or remove it from smtp_tls_policy_maps",
                        "%.200s comes before mxcryptd and cannot be looked up, so all mail waits: "
                        "%s",
                        text, map->catches.why);
        else if (map->map.kind == POSTFIX_MAP_STATIC || map->catches.state == DOCTOR_BAD)
            doctor_find(report, DOCTOR_ERROR,
                        "put it after mxcryptd in smtp_tls_policy_maps, or remove it",
                        "%.200s comes before mxcryptd and answers for every domain: mxcryptd is "
                        "never asked",
                        text);
        else if (map->map.kind != POSTFIX_MAP_OTHER)
            doctor_find(report, DOCTOR_WARNING, "remove it from smtp_tls_policy_maps",
                        "%.200s, another policy daemon, comes before mxcryptd: what it answers is "
                        "never checked",
                        text);
        else if (map->catches.state == DOCTOR_NOT_TRIED)
            doctor_not_made(report, arena_printf(report->arena, "%.200s could not be asked: %s",
                                                 text, map->catches.why));
    }
}

void doctor_judge_proxy(struct doctor_report *report)
{
    const struct doctor_map *ours = our_map(report->client);

    if (ours != NULL && ours->map.proxied)
        doctor_find(report, DOCTOR_WARNING,
                    arena_printf(report->arena, "smtp_tls_policy_maps = %.200s",
                                 ours->map.text + strlen("proxy:")),
                    "proxy: comes before mxcryptd's map: proxymap(8) makes one lookup at a time, "
                    "so that one slow domain stops all mail");
}

/* ---- does it get there ---- */

static const char *socket_fix(const struct doctor_report *report, const struct doctor_map *map)
{
    const char *path = map->map.path;

    if (map->socket.error == EACCES)
        return "mode=0666 on the listen line of mxcryptd.conf, and chmod a+x on the folders above "
               "the socket";
    if (map->socket.error == ENOENT && map->chrooted && path != NULL && path[0] == '/')
        return arena_printf(report->arena,
                            "listen = socketmap:unix:%s/mxcrypt/policy.sock in mxcryptd.conf and "
                            "smtp_tls_policy_maps = socketmap:unix:mxcrypt/policy.sock:%s",
                            report->client->values[POSTFIX_QUEUE_DIRECTORY], map->map.name);
    if (map->socket.error == ENOENT)
        return map_fix(report);
    return "start mxcryptd (systemctl start mxcryptd), and look into its log";
}

void doctor_judge_socket(struct doctor_report *report)
{
    if (!doctor_any_asks(report->facts))
        doctor_not_made(report, "smtp_tls_policy_maps does not lead to mxcryptd");
    for (size_t i = 0; i < report->facts->client_count; i++) {
        const struct doctor_client *client = &report->facts->clients[i];
        const struct doctor_map *ours = our_map(client);

        report->client = client;
        if (ours != NULL && ours->socket.state == DOCTOR_NOT_TRIED)
            doctor_not_made(report, ours->socket.why);
        else if (ours != NULL && ours->socket.state == DOCTOR_BAD)
            doctor_find(report, DOCTOR_ERROR, socket_fix(report, ours),
                        "%s%s, as user %s, gets no answer by %.200s: %s",
                        ours->map.proxied ? "proxymap(8)" : "smtp(8)",
                        ours->chrooted ? " in its chroot" : "", client->values[POSTFIX_MAIL_OWNER],
                        ours->map.text, ours->socket.why);
    }
}

/* ---- DANE ---- */

void doctor_judge_dns_support(struct doctor_report *report)
{
    const char *level = doctor_value(report->client->values, POSTFIX_DNS_SUPPORT);

    if (report->facts->config->prober.dane && strcasecmp(level, "dnssec") != 0)
        doctor_find(report, DOCTOR_ERROR,
                    "smtp_dns_support_level = dnssec (or dane = no in mxcryptd.conf)",
                    "smtp_dns_support_level is \"%.100s\": \"dane-only\" defers all mail to a "
                    "domain, \"dane\" silently means \"may\"",
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

void doctor_judge_host_lookup(struct doctor_report *report)
{
    const char *lookup = doctor_value(report->client->values, POSTFIX_HOST_LOOKUP);

    if (report->facts->config->prober.dane && !has_word(lookup, "dns"))
        doctor_find(report, DOCTOR_ERROR, "smtp_host_lookup = dns",
                    "smtp_host_lookup is \"%.100s\": without dns no address is validated, so that "
                    "\"dane-only\" defers",
                    lookup);
}

void doctor_judge_insecure_mx(struct doctor_report *report)
{
    const char *level = doctor_value(report->client->values, POSTFIX_INSECURE_MX);

    if (report->facts->config->prober.dane && strcasecmp(level, "may") == 0)
        doctor_find(report, DOCTOR_WARNING, "smtp_tls_dane_insecure_mx_policy = dane",
                    "smtp_tls_dane_insecure_mx_policy is \"may\": where the MX records are not "
                    "signed, TLSA records of the hosts are not used");
}

/* ---- trust anchors ---- */

void doctor_judge_ca(struct doctor_report *report)
{
    const struct doctor_facts *facts = report->facts;
    const struct doctor_client *client = report->client;
    const char *file = doctor_value(client->values, POSTFIX_CA_FILE);
    const char *path = doctor_value(client->values, POSTFIX_CA_PATH);
    const char *fix = "install the package ca-certificates, and set smtp_tls_CAfile to its file";

    if (facts->ca_suggestion != NULL)
        fix = arena_printf(report->arena, "smtp_tls_CAfile = %s", facts->ca_suggestion);
    if (*file != '\0' && client->ca_file.state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, client->ca_file.why);
    else if (*file != '\0' && client->ca_file.state == DOCTOR_BAD)
        doctor_find(report, DOCTOR_ERROR, fix,
                    "smtp_tls_CAfile = %.200s cannot be used: %s; smtp(8) then has no TLS at all",
                    file, client->ca_file.why);
    if (*path != '\0' && client->ca_path.state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, client->ca_path.why);
    else if (*path != '\0' && client->ca_path.state == DOCTOR_BAD)
        doctor_find(report, *file == '\0' ? DOCTOR_ERROR : DOCTOR_WARNING, fix,
                    "smtp_tls_CApath = %.200s is of no use to user %s%s: %s", path,
                    doctor_value(client->values, POSTFIX_MAIL_OWNER),
                    client->chrooted ? " in the chroot of smtp(8)" : "", client->ca_path.why);
    if (*path == '\0' && *file == '\0' &&
        strcasecmp(doctor_value(client->values, POSTFIX_APPEND_CA), "yes") != 0 &&
        (facts->config->prober.mta_sts || facts->config->prober.probe))
        doctor_find(report, DOCTOR_ERROR, fix,
                    "neither smtp_tls_CAfile nor smtp_tls_CApath is set: \"secure\" and \"verify\" "
                    "defer all mail to the domain");
}

/* ---- the level for NOTFOUND ---- */

void doctor_judge_security_level(struct doctor_report *report)
{
    static const char *const known[] = {"may",       "encrypt", "fingerprint", "dane",
                                        "dane-only", "verify",  "secure"};
    const struct doctor_client *client = report->client;
    const char *level = doctor_value(client->values, POSTFIX_SECURITY_LEVEL);

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(level, known[i]) == 0)
            return;
    if (*level == '\0' && strcasecmp(doctor_value(client->values, POSTFIX_ENFORCE_TLS), "yes") == 0)
        doctor_find(report, DOCTOR_WARNING,
                    "smtp_tls_security_level = encrypt, and no smtp_enforce_tls",
                    "smtp_enforce_tls is obsolete");
    else if (*level == '\0' &&
             strcasecmp(doctor_value(client->values, POSTFIX_USE_TLS), "yes") == 0)
        doctor_find(report, DOCTOR_WARNING, "smtp_tls_security_level = may, and no smtp_use_tls",
                    "smtp_use_tls is obsolete");
    else if (*level == '\0' || strcasecmp(level, "none") == 0)
        doctor_find(
            report, DOCTOR_WARNING, "smtp_tls_security_level = may",
            "smtp_tls_security_level is \"%s\": where mxcryptd has no opinion mail goes out "
            "in the clear",
            level);
    else
        doctor_find(report, DOCTOR_ERROR, "smtp_tls_security_level = may",
                    "smtp_tls_security_level = %.100s is no level", level);
}
