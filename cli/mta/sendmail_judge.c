/* sendmail_judge: what is wrong with a Sendmail that should do what mxcryptd says; see sendmail.h.
 * Each fault here lets mail out in the clear or to a wrong host, or makes it wait. Pure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/mta/sendmail.h"

#define MAKE                                                                                       \
    "put it into sendmail.mc as mxcrypt sendmail-config prints it, and make sendmail.cf again"
#define RULES                                                                                      \
    "include mxcrypt.m4 after the last MAILER line of sendmail.mc, and make sendmail.cf again"
#define TEMPORARY "<TMPF>"
#define MAJOR     8
#define MINOR     17

typedef void judgement(struct doctor_report *report, const struct sendmail_facts *facts);

/* ---- the program ---- */

static void judge_program(struct doctor_report *report, const struct sendmail_facts *facts)
{
    static const char *const needed[] = {"SOCKETMAP", "STARTTLS", "MAP_REGEX", "MTA_STS",
                                         "TLS_ALTNAMES"};

    if (facts->program_error != NULL) {
        doctor_not_made(report, facts->program_error);
        return;
    }
    if (facts->version == NULL) {
        doctor_find(report, DOCTOR_ERROR, "name Sendmail's program with --sendmail",
                    "the program is not Sendmail: it does not say which version it is");
        return;
    }
    if (facts->major < MAJOR || (facts->major == MAJOR && facts->minor < MINOR))
        doctor_find(report, DOCTOR_ERROR, "use Sendmail 8.17 or later",
                    "Sendmail %s knows no MTA-STS", facts->version);
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (strstr(facts->compiled, needed[i]) == NULL)
            doctor_find(report, DOCTOR_ERROR, "use a Sendmail with it; Debian's has it",
                        "Sendmail was compiled without %s", needed[i]);
}

/* ---- sendmail.cf ---- */

static void judge_file(struct doctor_report *report, const struct sendmail_facts *facts)
{
    if (facts->cf_forbidden)
        doctor_not_made(report, "sendmail.cf is not for us: run this as root");
    else if (facts->cf_error != NULL)
        doctor_find(report, DOCTOR_ERROR, "name the file with --cf, or make it of sendmail.mc",
                    "%s: %s", facts->cf, facts->cf_error);
}

/* Whether there is a file to judge; else the check is not made. */
static bool has_file(struct doctor_report *report, const struct sendmail_facts *facts)
{
    if (facts->text == NULL)
        doctor_not_made(report, "sendmail.cf could not be read");
    return facts->text != NULL;
}

static void judge_map(struct doctor_report *report, const struct sendmail_facts *facts,
                      enum sendmail_map which)
{
    const struct sendmail_socket *map = &facts->sockets[which];
    const char *name = sendmail_map_names[which];

    if (map->text == NULL || !map->is_socket || map->address == NULL) {
        doctor_find(report, DOCTOR_ERROR, which == SENDMAIL_MAP_STS ? MAKE : RULES,
                    "there is no socket map \"%s\"", name);
        return;
    }
    if (map->temporary == NULL || strcmp(map->temporary, TEMPORARY) != 0)
        doctor_find(report, DOCTOR_ERROR, MAKE,
                    "map \"%s\" has no -T" TEMPORARY ": while mxcryptd is away, mail goes out "
                    "without a policy",
                    name);
    if (map->timeout_s == 0)
        doctor_find(report, DOCTOR_ERROR, MAKE,
                    "map \"%s\" has no -d: a silent mxcryptd stops Sendmail", name);
    else if (map->timeout_s <= facts->config->answer_deadline_ms / 1000)
        doctor_find(report, DOCTOR_WARNING,
                    "let -d be longer than answer-deadline in mxcryptd.conf",
                    "map \"%s\" has -d%ld: Sendmail gives up before mxcryptd answers, and mail to "
                    "new domains waits",
                    name, map->timeout_s);
    if (!sendmail_is_ours(facts->config, map->address))
        doctor_find(report, DOCTOR_WARNING,
                    "give mxcryptd.conf a listen line for it, unless mxcryptd is another host's",
                    "map \"%s\" asks %s, where the mxcryptd of this host does not listen", name,
                    map->address);
}

static void judge_maps(struct doctor_report *report, const struct sendmail_facts *facts)
{
    if (!has_file(report, facts))
        return;
    for (enum sendmail_map i = 0; i < SENDMAIL_MAPS; i++)
        judge_map(report, facts, i);
}

static void judge_rules(struct doctor_report *report, const struct sendmail_facts *facts)
{
    static const char *const needed[] = {"Mxcrypt", "Mxcrypt_done", "Mxcrypt_encrypted",
                                         "Mxcrypt_verified", "Mxcrypt_match"};
    static const char *const callers[] = {"Local_tls_server", "Local_tls_rcpt"};
    const char *rule;

    if (!has_file(report, facts))
        return;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (sendmail_first_rule(facts, needed[i]) == NULL)
            doctor_find(report, DOCTOR_ERROR, RULES, "there is no ruleset %s", needed[i]);
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++) {
        rule = sendmail_first_rule(facts, callers[i]);
        if (rule == NULL || strstr(rule, "$>Mxcrypt $&{rcpt_addr}") == NULL)
            doctor_find(report, DOCTOR_ERROR,
                        "include mxcrypt.m4 before rules of your own in LOCAL_TLS_SERVER and "
                        "LOCAL_TLS_RCPT",
                        "ruleset %s does not ask mxcryptd first: mail goes out without a policy",
                        callers[i]);
    }
}

#define ALIASES                                                                                    \
    "%s replaces a recipient's domain that is an alias: a forged one brings the mail to another "  \
    "domain, under the policy of that domain"

/* Before mxcryptd is asked. */
static void judge_aliases(struct doctor_report *report, const struct sendmail_facts *facts)
{
    if (!has_file(report, facts))
        return;
    if (sendmail_canonifies(facts->arena, facts->text))
        doctor_find(report, DOCTOR_ERROR, MAKE, ALIASES, "sendmail.cf");
    if (facts->submit != NULL && sendmail_canonifies(facts->arena, facts->submit))
        doctor_find(report, DOCTOR_ERROR,
                    "put the two lines of mxcrypt sendmail-config into submit.mc, and make "
                    "submit.cf again",
                    ALIASES, "submit.cf");
}

/* ---- options ---- */

struct wanted {
    const char *name, *value; /* "": not set */
    enum doctor_level level;
    const char *without; /* what happens */
};

static const struct wanted options[] = {
    {"StrictTransportSecurity", "true", DOCTOR_ERROR, "no recipient is checked"},
    {"SetCertAltnames", "true", DOCTOR_ERROR, "no certificate has a name, and mail waits"},
    {"ConnectionCacheSize", "0", DOCTOR_ERROR,
     "the names of one host's certificate are taken for another's"},
    {"Timeout.hoststatus", "0s", DOCTOR_WARNING,
     "a fault of one domain defers the mail of others at the same mail host"},
    {"HostStatusDirectory", "", DOCTOR_WARNING, "Sendmail warns whenever it is run"},
};

static void judge_options(struct doctor_report *report, const struct sendmail_facts *facts)
{
    if (!has_file(report, facts))
        return;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        const struct wanted *wanted = &options[i];
        const char *value = sendmail_option(facts, wanted->name);

        if (strcasecmp(value == NULL ? "" : value, wanted->value) != 0)
            doctor_find(report, wanted->level, MAKE, "option %s is %s, not %s: %s", wanted->name,
                        value == NULL ? "not set" : value,
                        *wanted->value == '\0' ? "unset" : wanted->value, wanted->without);
    }
}

static void judge_recipients(struct doctor_report *report, const struct sendmail_facts *facts)
{
    const char *names = NULL;

    if (!has_file(report, facts))
        return;
    for (size_t i = 0; i < facts->mailer_count; i++)
        if (facts->mailers[i].recipients != 1)
            names = names == NULL
                        ? facts->mailers[i].name
                        : arena_printf(facts->arena, "%s, %s", names, facts->mailers[i].name);
    if (names != NULL)
        doctor_find(report, DOCTOR_WARNING, MAKE,
                    "mailers send several recipients at once (r= is not 1), and those who share a "
                    "mail host with a domain whose policy fails wait with it: %s",
                    names);
}

static void judge_try(struct doctor_report *report, const char *option, const char *value,
                      const struct doctor_try *tried)
{
    if (value == NULL || *value == '\0')
        doctor_find(report, DOCTOR_ERROR, MAKE,
                    "option %s is not set: no certificate is valid, and mail waits", option);
    else if (tried->state == DOCTOR_BAD)
        doctor_find(report, DOCTOR_ERROR, "install the package ca-certificates, or name another",
                    "option %s, %s: %s", option, value, tried->why);
}

static void judge_anchors(struct doctor_report *report, const struct sendmail_facts *facts)
{
    if (!has_file(report, facts))
        return;
    judge_try(report, "CACertPath", sendmail_option(facts, "CACertPath"), &facts->ca_path);
    judge_try(report, "CACertFile", sendmail_option(facts, "CACertFile"), &facts->ca_file);
}

/* ---- mxcryptd ---- */

static void judge_socket(struct doctor_report *report, const struct sendmail_facts *facts)
{
    if (facts->open_folder != NULL)
        doctor_find(report, DOCTOR_ERROR, "move the socket to a folder that only root may write to",
                    "anybody may write to %s: Sendmail refuses a socket there", facts->open_folder);
    for (enum sendmail_map i = 0; i < SENDMAIL_MAPS; i++) {
        const struct doctor_try *answer = &facts->answers[i];

        if (answer->state == DOCTOR_NOT_TRIED)
            doctor_not_made(report, *answer->why == '\0' ? "no socket is known" : answer->why);
        else if (answer->state == DOCTOR_BAD)
            doctor_find(report, DOCTOR_ERROR,
                        "start mxcryptd (systemctl start mxcryptd); until then mail waits",
                        "map \"%s\" at %s: %s", sendmail_map_names[i], facts->sockets[i].address,
                        answer->why);
    }
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    judgement *judge;
} checks[] = {
    {"program", judge_program},       {"sendmail.cf", judge_file}, {"maps", judge_maps},
    {"rules", judge_rules},           {"options", judge_options},  {"recipients", judge_recipients},
    {"trust-anchors", judge_anchors}, {"socket", judge_socket},    {"aliases", judge_aliases},
};

void sendmail_judge(struct doctor_report *report, const struct sendmail_facts *facts)
{
    *report = (struct doctor_report){.arena = facts->arena};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        report->checks[report->check_count++] = (struct doctor_outcome){checks[i].name, NULL};
        checks[i].judge(report, facts);
    }
}
