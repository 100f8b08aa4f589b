/*
 * tlsrpt_mail: the message that a report is sent in (RFC 8460 §5.3): multipart/report with a text for
 * people and the report. Pure. Lines end with a newline alone, as sendmail(1) takes them.
 */
#pragma once

#include "audit/tlsrpt/tlsrpt_file.h"

struct tlsrpt_mail {
    const char *name;      /* of the file */
    const char *recipient; /* an address of tlsrpt_is_address, as the contact */
    const char *contact, *organization;
    const char *id; /* report-id, as anybody may have written it */
    struct tlsrpt_name about;
    int64_t now; /* seconds since 1970 */
    const void *data;
    size_t length; /* the octets of the file */
};

/* Appends the whole message. False without memory, or beyond the limit of `out`. */
bool tlsrpt_mail_write(struct buf *out, const struct tlsrpt_mail *mail);
