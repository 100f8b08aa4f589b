/* doctor_lines_inbound: what `mxcrypt postfix-config --inbound` prints: how smtpd(8) should offer
 * TLS; see doctor.h. Nothing is ever written to a file of Postfix's. Pure. */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "cli/doctor/doctor.h"

#define CERTBOT_LIVE "/etc/letsencrypt/live/"

static const char *value(const struct doctor_facts *facts, enum postfix_parameter parameter)
{
    return doctor_value(facts->postfix->values, parameter);
}

static const char *host_name(const struct doctor_facts *facts)
{
    const char *name = value(facts, POSTFIX_MYHOSTNAME);

    if (facts->mail_host_count > 0)
        return facts->mail_hosts[0];
    return *name == '\0' ? "mx.example.org" : name;
}

static bool is_set(const struct doctor_facts *facts, enum postfix_parameter parameter)
{
    const char *text = value(facts, parameter);

    return *text != '\0' && strcasecmp(text, "none") != 0;
}

/* Key and certificate of one name, in the order that smtpd_tls_chain_files wants. */
static void add_pair(struct buf *out, const char *host)
{
    buf_addf(out, CERTBOT_LIVE "%s/privkey.pem,\n    " CERTBOT_LIVE "%s/fullchain.pem", host, host);
}

static void keep_pair(struct buf *out, const struct doctor_facts *facts,
                      enum postfix_parameter cert, enum postfix_parameter key, const char *before)
{
    if (!is_set(facts, cert))
        return;
    buf_addf(out, "%s%s,\n    %s", before,
             is_set(facts, key) ? value(facts, key) : value(facts, cert), value(facts, cert));
}

static void add_certificate(struct buf *out, const struct doctor_facts *facts)
{
    const char *host = host_name(facts);

    buf_adds(
        out,
        "\n# The private key and then the certificate with all intermediates (fullchain.pem): "
        "without\n"
        "# them \"secure\" and MTA-STS fail at senders. A second pair may have an ECDSA key.\n");
    if (!postfix_version_from(&facts->postfix_version, 3, 4)) {
        buf_addf(out,
                 "smtpd_tls_cert_file = " CERTBOT_LIVE "%s/fullchain.pem\n"
                 "smtpd_tls_key_file = " CERTBOT_LIVE "%s/privkey.pem\n",
                 host, host);
        return;
    }
    buf_adds(out, "smtpd_tls_chain_files =\n    ");
    if (is_set(facts, POSTFIX_SMTPD_CHAIN_FILES)) {
        buf_addf(out, "%s\n", value(facts, POSTFIX_SMTPD_CHAIN_FILES));
        return;
    }
    if (is_set(facts, POSTFIX_SMTPD_CERT_FILE)) {
        keep_pair(out, facts, POSTFIX_SMTPD_CERT_FILE, POSTFIX_SMTPD_KEY_FILE, "");
        keep_pair(out, facts, POSTFIX_SMTPD_ECCERT_FILE, POSTFIX_SMTPD_ECKEY_FILE, ",\n    ");
        buf_adds(out,
                 "\n# and drop smtpd_tls_cert_file, smtpd_tls_key_file and their eccert, eckey.\n");
        return;
    }
    add_pair(out, host);
    buf_adds(out, "\n");
}

static void add_inbound_level(struct buf *out, bool enforce)
{
    if (!enforce) {
        buf_adds(out, "\n# Offer TLS to everybody, demand it of nobody.\n"
                      "smtpd_tls_security_level = may\n");
        return;
    }
    buf_adds(
        out,
        "\n# Take no mail without TLS: MAIL gets \"530 5.7.0 Must issue a STARTTLS command "
        "first\".\n"
        "# What that costs: mail of senders that know no TLS is bounced by them, at once or after\n"
        "# days. RFC 3207 section 4 forbids it to publicly referenced servers. Look first at who\n"
        "# would be hit, with smtpd_tls_loglevel = 1 and smtpd_tls_received_header = yes:\n"
        "# grep for Received: headers without \"using TLS\" in what comes in.\n"
        "smtpd_tls_security_level = encrypt\n");
}

static void add_inbound_protocols(struct buf *out, const struct doctor_facts *facts)
{
    const char *floor = postfix_version_from(&facts->postfix_version, 3, 6)
                            ? ">=TLSv1.2"
                            : "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1";

    buf_addf(out,
             "\n# RFC 8996: TLS 1.0 and 1.1 are dead. Who knows nothing newer sends in clear "
             "instead, as long\n"
             "# as the level is \"may\".\n"
             "smtpd_tls_protocols = %s\n"
             "smtpd_tls_mandatory_protocols = %s\n",
             floor, floor);
}

static void add_names(struct buf *out, const struct doctor_facts *facts)
{
    if (facts->mail_host_count < 2)
        return;
    buf_adds(out, "\n# Several names lead here. One certificate with all of them as DNS names is "
                  "the simplest, and\n"
                  "# needs nothing of the following. With one for each:\n");
    if (!postfix_version_from(&facts->postfix_version, 3, 4)) {
        buf_adds(out, "# tls_server_sni_maps needs Postfix 3.4.\n");
        return;
    }
    if (is_set(facts, POSTFIX_SERVER_SNI_MAPS))
        buf_addf(out, "# Now there is: %s\n", value(facts, POSTFIX_SERVER_SNI_MAPS));
    buf_addf(
        out,
        "tls_server_sni_maps = hash:%s/sni\n# %s/sni, after each change: postmap -F hash:%s/sni\n",
        value(facts, POSTFIX_CONFIG_DIRECTORY), value(facts, POSTFIX_CONFIG_DIRECTORY),
        value(facts, POSTFIX_CONFIG_DIRECTORY));
    for (size_t i = 0; i < facts->mail_host_count; i++)
        buf_addf(out, "#     %s " CERTBOT_LIVE "%s/privkey.pem " CERTBOT_LIVE "%s/fullchain.pem\n",
                 facts->mail_hosts[i], facts->mail_hosts[i], facts->mail_hosts[i]);
}

void doctor_lines_inbound(struct buf *out, const struct doctor_facts *facts, bool enforce)
{
    buf_addf(out,
             "# Lines for %s/main.cf, for Postfix %s: the mail that comes in.\n"
             "# Paste them in place of lines with the same names, then: postfix reload\n"
             "# Afterwards, and from a timer: mxcrypt check DOMAIN\n",
             value(facts, POSTFIX_CONFIG_DIRECTORY), value(facts, POSTFIX_MAIL_VERSION));
    add_certificate(out, facts);
    add_names(out, facts);
    add_inbound_level(out, enforce);
    add_inbound_protocols(out, facts);
    if (strcasecmp(value(facts, POSTFIX_SMTPD_AUTH_ONLY), "yes") != 0)
        buf_adds(out, "\n# Passwords never in clear.\nsmtpd_tls_auth_only = yes\n");
    buf_adds(
        out,
        "\n# Which TLS a message came over, in its Received: header, and a line in the mail log.\n"
        "smtpd_tls_received_header = yes\n"
        "smtpd_tls_loglevel = 1\n");
}
