/* sendmail_lines: what `mxcrypt sendmail-config` prints; see sendmail.h. The reasons are those of
 * contrib/sendmail/sendmail.mc. Nothing is ever written to a file of Sendmail's. Pure. */
#include "cli/mta/sendmail.h"

#define CA_FOLDER "/etc/ssl/certs"
#define CA_FILE   CA_FOLDER "/ca-certificates.crt"
/* Seconds: contrib's, and by how much a longer one is longer than answer-deadline. */
#define TIMEOUT_S       10
#define TIMEOUT_SPARE_S 5

long sendmail_timeout(const struct config *config)
{
    long timeout_s = (long)(config->answer_deadline_ms / 1000) + TIMEOUT_SPARE_S;

    return timeout_s > TIMEOUT_S ? timeout_s : TIMEOUT_S;
}

void sendmail_lines(struct buf *out, const char *address, const char *ca_file, long timeout_s)
{
    buf_adds(out, "dnl Lines for sendmail.mc, before the first MAILER line.\n");
    if (address == NULL)
        buf_adds(out, "dnl mxcryptd does not listen for Sendmail: give mxcryptd.conf the line\n"
                      "dnl listen = socketmap:inet:127.0.0.1:8461\n");
    address = address == NULL ? "inet:8461@127.0.0.1" : address;
    if (ca_file == NULL)
        buf_adds(out, "dnl No CA file was found: install the package ca-certificates.\n");
    buf_addf(
        out,
        "dnl Whose certificates are valid. The file is read only where the folder is named.\n"
        "define(`confCACERT_PATH', `" CA_FOLDER "')dnl\n"
        "define(`confCACERT', `%s')dnl\n"
        "dnl One connection, one recipient: one domain's policy is never another's.\n"
        "define(`confMCI_CACHE_SIZE', `0')dnl\n"
        "define(`SMTP_MAILER_MAXRCPTS', `1')dnl\n"
        "dnl A host that fails one domain's policy is tried for the next.\n"
        "define(`confTO_HOSTSTATUS', `0s')dnl\n"
        "undefine(`confHOST_STATUS_DIRECTORY')dnl\n"
        "dnl A recipient's domain stays as it is: who forges an alias gets no mail. Put these\n"
        "dnl two lines into submit.mc as well, before FEATURE(`msp'...).\n"
        "FEATURE(`nocanonify')dnl\n"
        "define(`confDIRECT_SUBMISSION_MODIFIERS', `u')dnl\n"
        "dnl mxcryptd. While it is down mail waits.\n"
        "define(`confMXCRYPT_SOCKET', `%s')dnl\n"
        "define(`confMXCRYPT_TIMEOUT', `%ld')dnl\n"
        "FEATURE(`sts', `socket -d%ld -T<TMPF> %s', `NO_SAN_TST')dnl\n",
        ca_file == NULL ? CA_FILE : ca_file, address, timeout_s, timeout_s, address);
    buf_adds(
        out,
        "\n"
        "dnl And this one after the last MAILER line.\n"
        "include(`" MXC_DATA_FOLDER "/mxcrypt.m4')dnl\n"
        "\n"
        "dnl Then: sendmailconfig, or make -C /etc/mail, and mxcrypt sendmail-config --check\n");
}
