/* doctor_lines: what `mxcrypt postfix-config` prints; see doctor.h. The reasons are those of
 * contrib/postfix/main.cf, for the one Postfix that was found. Nothing is ever written to a file of
 * Postfix's. Pure. */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "cli/doctor/doctor.h"

/* Why that map, by its type. */
static void explain_map(struct buf *out, const struct doctor_facts *facts, const char *map)
{
    bool from_3_10 = postfix_version_from(&facts->postfix_version, 3, 10), chrooted = false;

    for (size_t i = 0; i < facts->client_count; i++)
        chrooted = chrooted || facts->clients[i].chrooted;
    if (strncmp(map, "tcp:", 4) != 0)
        buf_addf(out, "# The map name \"%s\" is the one for Postfix %s.\n", strrchr(map, ':') + 1,
                 from_3_10 ? "3.10 and later" : "before 3.10");
    if (strncmp(map, "socketmap:unix:/", 16) == 0 && chrooted)
        buf_addf(out,
                 "# smtp(8) is chrooted and will not find this socket: have mxcryptd listen below\n"
                 "# %s, or set chroot to n in master.cf.\n",
                 doctor_value(facts->postfix->values, POSTFIX_QUEUE_DIRECTORY));
    else if (strncmp(map, "socketmap:unix:", 15) == 0 && map[15] != '/')
        buf_adds(out, "# The path is relative to the queue directory: right in a chroot and "
                      "without.\n");
}

static void add_map(struct buf *out, const struct doctor_facts *facts)
{
    const char *map = facts->map_suggestion,
               *present = doctor_value(facts->postfix->values, POSTFIX_POLICY_MAPS);
    bool asks = false;

    for (size_t i = 0; i < facts->client_count; i++)
        asks = asks || (facts->clients[i].main && facts->clients[i].ours >= 0);
    buf_adds(out, "\n# Ask mxcryptd about every destination. While it is down mail waits.\n");
    if (map == NULL) {
        buf_adds(out, "# mxcryptd listens nowhere: give it a listen line, mxcryptd.conf(5).\n");
        return;
    }
    explain_map(out, facts, map);
    if (*present != '\0' && !asks)
        buf_addf(out,
                 "# Now there is: %s\n"
                 "# Put what names single destinations in front of mxcryptd's map, and drop the "
                 "rest.\n",
                 present);
    buf_addf(out, "smtp_tls_policy_maps = %s\n", map);
}

static void add_level(struct buf *out, const struct doctor_facts *facts)
{
    static const char *const saved[] = {"encrypt",   "fingerprint", "dane",
                                        "dane-only", "verify",      "secure"};
    const char *now = doctor_value(facts->postfix->values, POSTFIX_SECURITY_LEVEL), *word = "may";

    for (size_t i = 0; i < sizeof saved / sizeof saved[0]; i++)
        if (strcasecmp(now, saved[i]) == 0)
            word = saved[i];
    buf_addf(out,
             "\n# The level where mxcryptd has no opinion%s. Without it mail goes out in the clear "
             "there.\n"
             "smtp_tls_security_level = %s\n",
             strcmp(word, "may") == 0 ? "" : ", as you have it", word);
}

static void add_dane(struct buf *out, const struct doctor_facts *facts)
{
    if (!facts->config->prober.dane) {
        buf_adds(out, "\n# dane = no in mxcryptd.conf: nothing is needed for DANE.\n");
        return;
    }
    buf_adds(out, "\n# DANE: Postfix validates too, by the AD bit of a validating resolver on this "
                  "host. Without\n"
                  "# it \"dane-only\" defers all mail to a domain, and \"dane\" means \"may\".\n"
                  "smtp_dns_support_level = dnssec\n"
                  "\n# Addresses come from the DNS, which can be validated.\n"
                  "smtp_host_lookup = dns\n");
    if (facts->postfix->values[POSTFIX_INSECURE_MX] != NULL)
        buf_adds(out, "\n# TLSA records are used where only the MX records are not signed.\n"
                      "smtp_tls_dane_insecure_mx_policy = dane\n");
}

static void add_anchors(struct buf *out, const struct doctor_facts *facts)
{
    buf_adds(out, "\n# Trust anchors: Postfix has none by default, and \"secure\" and \"verify\" "
                  "then defer mail.\n");
    if (facts->ca_suggestion == NULL)
        buf_adds(out, "# No CA file was found: install the package ca-certificates.\n");
    else
        buf_addf(out,
                 "# The file is read before smtp(8) enters its chroot.\n"
                 "smtp_tls_CAfile = %s\n",
                 facts->ca_suggestion);
    buf_adds(out, "\n# One line per connection in the mail log.\n"
                  "smtp_tls_loglevel = 1\n");
}

/* Where Postfix's settings decide, and mxcryptd.conf must follow: comments. */
static void add_probes(struct buf *out, const struct doctor_report *compared)
{
    if (compared->finding_count == 0)
        buf_adds(out, "\n# mxcryptd's probes demand of TLS what Postfix does: nothing is to do.\n");
    else
        buf_adds(out, "\n# mxcryptd's probes do not see what Postfix will see:\n");
    for (size_t i = 0; i < compared->finding_count; i++) {
        const struct doctor_finding *finding = &compared->findings[i];

        buf_addf(out, "# %s: %s.\n#     %s\n", finding->where, finding->what, finding->fix);
    }
}

void doctor_lines(struct buf *out, const struct doctor_facts *facts,
                  const struct doctor_report *compared)
{
    buf_addf(out,
             "# Lines for %s/main.cf, for Postfix %s and this configuration of mxcryptd.\n"
             "# Paste them in place of lines with the same names, then: postfix reload\n",
             doctor_value(facts->postfix->values, POSTFIX_CONFIG_DIRECTORY),
             doctor_value(facts->postfix->values, POSTFIX_MAIL_VERSION));
    add_map(out, facts);
    add_level(out, facts);
    add_dane(out, facts);
    add_anchors(out, facts);
    if (facts->config->prober.probe)
        add_probes(out, compared);
}
