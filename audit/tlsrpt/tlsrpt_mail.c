/* tlsrpt_mail: see tlsrpt_mail.h. */
#include "audit/tlsrpt/tlsrpt_mail.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "base/hash.h"

#define BASE64_LINE 57              /* octets: 76 characters */
#define ID_SHOWN    TLSRPT_NAME_MAX /* a report-id has less than the name of its file */

static void add_base64(struct buf *out, const unsigned char *data, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        unsigned value = (unsigned)data[i] << 16 | (left > 1 ? (unsigned)data[i + 1] << 8 : 0) |
                         (left > 2 ? data[i + 2] : 0);
        char four[4] = {digits[value >> 18], digits[value >> 12 & 63],
                        left > 1 ? digits[value >> 6 & 63] : '=',
                        left > 2 ? digits[value & 63] : '='};

        buf_add(out, four, sizeof four);
        if (i % BASE64_LINE == BASE64_LINE - 3 || left <= 3)
            buf_adds(out, "\n");
    }
}

/* A text that may stand in a header, within <> or quotes: what could end either is left out. */
static const char *tame(char out[ID_SHOWN + 1], const char *text)
{
    size_t length = 0;

    for (; *text != '\0' && length < ID_SHOWN; text++)
        if (ascii_is_alnum(*text) || strchr("-._~!#$%&'*+/=?^{|}@ ", *text) != NULL)
            out[length++] = *text;
    out[length] = '\0';
    return out;
}

/* As RFC 5322 §3.3 has it. */
static const char *date_of(char out[64], int64_t at)
{
    time_t seconds = (time_t)at;
    struct tm parts;

    out[0] = '\0';
    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(out, 64, "%a, %d %b %Y %H:%M:%S +0000", &parts);
    return out;
}

static const char *moment_of(char out[64], int64_t at)
{
    time_t seconds = (time_t)at;
    struct tm parts;

    out[0] = '\0';
    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(out, 64, "%FT%TZ", &parts);
    return out;
}

/* Also for the boundary: of this report, and of no text in the message. */
static uint64_t number_of_mail(const struct tlsrpt_mail *mail)
{
    return hash_stable(mail->name, strlen(mail->name)) ^
           hash_stable(mail->recipient, strlen(mail->recipient));
}

static void add_headers(struct buf *out, const struct tlsrpt_mail *mail, const char *boundary)
{
    char id[ID_SHOWN + 1], organization[ID_SHOWN + 1], date[64];

    tame(id, mail->id);
    buf_addf(out, "From: \"%s\" <%s>\n", tame(organization, mail->organization), mail->contact);
    buf_addf(out, "To: <%s>\n", mail->recipient);
    /* folded: RFC 5322 §2.1.1 allows 998 characters, and prefers 78 */
    buf_addf(out, "Subject: Report Domain: %s\n Submitter: %s\n Report-ID: <%s>\n",
             mail->about.domain, mail->about.submitter, id);
    buf_addf(out, "Date: %s\n", date_of(date, mail->now));
    buf_addf(out, "Message-ID: <%016llx.%lld@%s>\n", (unsigned long long)number_of_mail(mail),
             (long long)mail->now, mail->about.submitter);
    buf_addf(out, "TLS-Report-Domain: %s\nTLS-Report-Submitter: %s\nTLS-Required: No\n",
             mail->about.domain, mail->about.submitter);
    buf_addf(out,
             "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
             "Content-Type: multipart/report; report-type=\"tlsrpt\";\n boundary=\"%s\"\n\n",
             boundary);
}

static void add_text(struct buf *out, const struct tlsrpt_mail *mail, const char *boundary)
{
    char begin[64], end[64], organization[ID_SHOWN + 1];

    buf_addf(out, "This is a message in several parts (RFC 8460).\n\n--%s\n", boundary);
    buf_addf(out,
             "Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\n"
             "This is an aggregate report on TLS of SMTP sessions to\n%s,\n"
             "from %s to %s,\nby %s (%s).\n"
             "Where it is sent to stands in the TXT record of\n_smtp._tls.%s.\n",
             mail->about.domain, moment_of(begin, mail->about.begin),
             moment_of(end, mail->about.end), tame(organization, mail->organization), mail->contact,
             mail->about.domain);
}

bool tlsrpt_mail_write(struct buf *out, const struct tlsrpt_mail *mail)
{
    char boundary[64];

    snprintf(boundary, sizeof boundary, "=_tlsrpt_%016llx",
             (unsigned long long)number_of_mail(mail));
    add_headers(out, mail, boundary);
    add_text(out, mail, boundary);
    buf_addf(out,
             "\n--%s\nContent-Type: application/tlsrpt+gzip\n"
             "Content-Transfer-Encoding: base64\n"
             "Content-Disposition: attachment;\n filename=\"%s\"\n\n",
             boundary, mail->name);
    add_base64(out, mail->data, mail->length);
    buf_addf(out, "\n--%s--\n", boundary);
    return !out->failed;
}
