/* exim_lines: what `mxcrypt exim-config` prints; see exim.h. Nothing is ever written to a file of
 * Exim's. Pure. */
#include <string.h>

#include "cli/mta/exim.h"

#define FOLDER "/etc/exim4/mxcrypt"

static void add_steps(struct buf *out, const struct exim_facts *facts)
{
    static const char *const files = "routers, transports, smtp and retry of contrib/exim\n"
                                     "# (/usr/share/doc/mxcrypt/examples/exim)";

    buf_addf(out,
             "# For Exim %s (%s). Make the folder " FOLDER ", copy the files %s\n# into it, and "
             "put the lines below into " FOLDER "/macros. Then:\n",
             facts->version == NULL ? "of an unknown version" : facts->version, facts->program,
             files);
    if (facts->layout == EXIM_SPLIT)
        buf_adds(out, "#   cd /etc/exim4/conf.d\n"
                      "#   echo '.include " FOLDER "/macros' >main/05_mxcrypt\n"
                      "#   echo '.include " FOLDER "/routers' >router/160_mxcrypt\n"
                      "#   echo '.include " FOLDER "/transports' >transport/40_mxcrypt\n");
    else
        buf_addf(
            out,
            "#   in %s put\n"
            "#     .include " FOLDER "/macros      at the top\n"
            "#     .include " FOLDER "/routers     in front of the router that asks the DNS\n"
            "#     .include " FOLDER "/transports  behind \"begin transports\"\n"
            "#     .include " FOLDER "/retry       behind \"begin retry\", where there is no rule "
            "for *\n%s",
            facts->layout == EXIM_UNSPLIT ? "/etc/exim4/exim4.conf.template"
                                          : "your configuration file",
            facts->layout == EXIM_UNSPLIT
                ? ""
                : "#     dns_dnssec_ok = 1                     in the main part\n"
                  "#     domainlist relay_to_domains =         the same, unless it is there\n");
    buf_addf(out, "#   %ssystemctl restart exim4 && mxcrypt exim-config --check\n\n",
             facts->layout == EXIM_OWN_FILE ? "" : "update-exim4.conf && ");
}

/* "smart.example::587" of Debian's file; of several, the first. */
static void add_smarthost(struct buf *out, const struct exim_facts *facts)
{
    size_t length = strcspn(facts->smarthost, ":;, ");
    const char *port = facts->smarthost + length;

    if (length == 0 || length > HOSTNAME_MAX ||
        strspn(facts->smarthost,
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") < length) {
        buf_adds(out, "# All mail goes to a smarthost: set MXCRYPT_SMARTHOST and MXCRYPT_PORT.\n");
        return;
    }
    buf_addf(out,
             "# All mail goes to this host: mxcryptd is asked about it only.\n"
             "MXCRYPT_SMARTHOST = %.*s\n",
             (int)length, facts->smarthost);
    port = strncmp(port, "::", 2) != 0 || strspn(port + 2, "0123456789") == 0 ? "25" : port + 2;
    buf_addf(out, "MXCRYPT_PORT = %.*s\n", (int)strspn(port, "0123456789"), port);
}

void exim_lines(struct buf *out, const struct exim_facts *facts)
{
    const char *socket = exim_socket(facts->arena, facts->config);

    add_steps(out, facts);
    if (socket == NULL)
        buf_adds(out, "# mxcryptd.conf has no listener for Exim yet. Add this line:\n"
                      "#   listen = exim:unix:/run/mxcrypt/exim.sock\n"
                      "# Restart mxcryptd; under systemd copy mxcryptd-exim.socket of contrib/exim "
                      "to\n# /etc/systemd/system, and\n"
                      "#   systemctl enable mxcryptd-exim.socket && systemctl stop mxcryptd &&\n"
                      "#   systemctl start mxcryptd-exim.socket mxcryptd\n");
    buf_addf(out, "MXCRYPT_SOCKET = %s\n", socket == NULL ? "/run/mxcrypt/exim.sock" : socket);
    buf_addf(out,
             "MXCRYPT_DOMAINS = ! +local_domains : ! +relay_to_domains\n"
             "MXCRYPT_TIMEOUT = %llds\n"
             "MXCRYPT_IGNORE = <; 0.0.0.0/8 ; 10.0.0.0/8 ; 127.0.0.0/8 ; 169.254.0.0/16 ; "
             "172.16.0.0/12 ; 192.168.0.0/16 ; \\\n"
             "    255.255.255.255 ; ::/128 ; ::1/128 ; fc00::/7 ; fe80::/10 ; 100::/64\n",
             (long long)(facts->config->answer_deadline_ms / 1000 + 5));
    if (facts->smarthost != NULL)
        add_smarthost(out, facts);
}
