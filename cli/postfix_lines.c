/* postfix_lines: see postfix_lines.h. The reasons are those of contrib/postfix/main.cf, for the one
 * Postfix that was found. Nothing is ever written to a file of Postfix's. */
#include "cli/postfix_lines.h"

#include <string.h>
#include <strings.h>

static const char *value_of(const struct postfix_lines *lines, enum postfix_parameter parameter)
{
    const char *value = lines->postfix->values[parameter];

    return value == NULL ? "" : value;
}

static void head(struct buf *out, const struct postfix_lines *lines)
{
    buf_addf(out,
             "# Lines for %s/main.cf, for Postfix %s and this configuration of mxcryptd.\n"
             "# Paste them in place of lines with the same names, then: postfix reload\n",
             value_of(lines, POSTFIX_CONFIG_DIRECTORY), value_of(lines, POSTFIX_MAIL_VERSION));
}

static void map(struct buf *out, const struct postfix_lines *lines)
{
    bool from_3_10 = postfix_version_from(&lines->version, 3, 10);

    buf_adds(out, "\n# Ask mxcryptd about every destination. While it is down mail waits.\n");
    if (lines->map == NULL) {
        buf_adds(out, "# mxcryptd listens nowhere: give it a listen line, mxcryptd.conf(5).\n");
        return;
    }
    if (strncmp(lines->map, "tcp:", 4) != 0)
        buf_addf(out, "# The map name \"%s\" is the one for Postfix %s.\n",
                 strrchr(lines->map, ':') + 1, from_3_10 ? "3.10 and later" : "before 3.10");
    if (strncmp(lines->map, "socketmap:unix:/", 16) != 0)
        buf_adds(out, strncmp(lines->map, "socketmap:unix:", 15) == 0
                          ? "# The path is relative to the queue directory: right in a chroot and "
                            "without.\n"
                          : "");
    else if (lines->chrooted)
        buf_addf(out,
                 "# smtp(8) is chrooted and will not find this socket: have mxcryptd listen below\n"
                 "# %s, or set chroot to n in master.cf.\n",
                 value_of(lines, POSTFIX_QUEUE_DIRECTORY));
    if (*lines->map_present != '\0' && !lines->asks)
        buf_addf(out,
                 "# Now there is: %s\n"
                 "# Put what names single destinations in front of mxcryptd's map, and drop the "
                 "rest.\n",
                 lines->map_present);
    buf_addf(out, "smtp_tls_policy_maps = %s\n", lines->map);
}

static void level(struct buf *out, const struct postfix_lines *lines)
{
    static const char *const saved[] = {"encrypt",   "fingerprint", "dane",
                                        "dane-only", "verify",      "secure"};
    const char *now = value_of(lines, POSTFIX_SECURITY_LEVEL), *word = "may";

    for (size_t i = 0; i < sizeof saved / sizeof saved[0]; i++)
        if (strcasecmp(now, saved[i]) == 0)
            word = saved[i];
    buf_addf(out,
             "\n# The level where mxcryptd has no opinion%s. Without it mail goes out in the clear "
             "there.\n"
             "smtp_tls_security_level = %s\n",
             strcmp(word, "may") == 0 ? "" : ", as you have it", word);
}

static void dane(struct buf *out, const struct postfix_lines *lines)
{
    if (!lines->config->prober.dane) {
        buf_adds(out, "\n# dane = no in mxcryptd.conf: nothing is needed for DANE.\n");
        return;
    }
    buf_adds(out, "\n# DANE: Postfix validates too, by the AD bit of a validating resolver on this "
                  "host. Without\n"
                  "# it \"dane-only\" defers all mail to a domain, and \"dane\" means \"may\".\n"
                  "smtp_dns_support_level = dnssec\n"
                  "\n# Addresses come from the DNS, which can be validated.\n"
                  "smtp_host_lookup = dns\n");
    if (lines->postfix->values[POSTFIX_INSECURE_MX] != NULL)
        buf_adds(out, "\n# TLSA records are used where only the MX records are not signed.\n"
                      "smtp_tls_dane_insecure_mx_policy = dane\n");
}

static void anchors(struct buf *out, const struct postfix_lines *lines)
{
    buf_adds(out, "\n# Trust anchors: Postfix has none by default, and \"secure\" and \"verify\" "
                  "then defer mail.\n");
    if (lines->ca_file == NULL)
        buf_adds(out, "# No CA file was found: install the package ca-certificates.\n");
    else
        buf_addf(out,
                 "# The file is read before smtp(8) enters its chroot.\n"
                 "smtp_tls_CAfile = %s\n",
                 lines->ca_file);
    buf_adds(out, "\n# One line per connection in the mail log.\n"
                  "smtp_tls_loglevel = 1\n");
}

/* Where Postfix's settings decide, and mxcryptd.conf must follow: comments. */
static void probes(struct buf *out, const struct postfix_lines *lines)
{
    const struct doctor_report *compared = lines->compared;

    if (!lines->config->prober.probe)
        return;
    if (compared->finding_count == 0) {
        buf_adds(out, "\n# mxcryptd's probes demand of TLS what Postfix does: nothing is to do.\n");
        return;
    }
    buf_adds(out, "\n# mxcryptd's probes do not see what Postfix will see:\n");
    for (size_t i = 0; i < compared->finding_count; i++) {
        const struct doctor_finding *finding = &compared->findings[i];

        buf_addf(out, "# %s: %s.\n#     %s\n", finding->where, finding->what, finding->fix);
    }
}

void postfix_lines_write(struct buf *out, const struct postfix_lines *lines)
{
    head(out, lines);
    map(out, lines);
    level(out, lines);
    dane(out, lines);
    anchors(out, lines);
    probes(out, lines);
}
