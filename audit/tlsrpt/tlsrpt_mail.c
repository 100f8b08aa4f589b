/* tlsrpt_mail: see tlsrpt_mail.h. */
#include "audit/tlsrpt/tlsrpt_mail.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "base/hash.h"
#include "base/sign/base64.h"

#define BASE64_LINE 57              /* octets: 76 characters */
#define ID_SHOWN    TLSRPT_NAME_MAX /* a report-id has less than the name of its file */

static void add_base64(struct buf *out, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i += BASE64_LINE) {
        base64_encode(out, data + i, length - i < BASE64_LINE ? length - i : BASE64_LINE);
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
    char begin[TLSRPT_TIME_SIZE], end[TLSRPT_TIME_SIZE], organization[ID_SHOWN + 1];

    buf_addf(out, "This is a message in several parts (RFC 8460).\n\n--%s\n", boundary);
    buf_addf(out,
             "Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\n"
             "This is an aggregate report on TLS of SMTP sessions to\n%s,\n"
             "from %s to %s,\nby %s (%s).\n"
             "Where it is sent to stands in the TXT record of\n_smtp._tls.%s.\n",
             mail->about.domain, tlsrpt_time(begin, mail->about.begin),
             tlsrpt_time(end, mail->about.end), tame(organization, mail->organization),
             mail->contact, mail->about.domain);
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
