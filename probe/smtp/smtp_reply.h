/* smtp_reply: SMTP replies (RFC 5321 §4.2) from a server that may be hostile. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SMTP_LINE_MAX         2048 /* octets of a line with CRLF; as smtp(8) */
#define SMTP_REPLY_LINES_MAX  100
#define SMTP_REPLY_OCTETS_MAX 16384

enum smtp_reply_status { SMTP_REPLY_MORE, SMTP_REPLY_DONE, SMTP_REPLY_BAD };

struct smtp_reply {
    int code;      /* 200 to 599 once DONE */
    bool starttls; /* a line after the first has the keyword STARTTLS alone */
    bool requiretls;
    char text[160];  /* first line after its code, escaped */
    const char *why; /* BAD: what was wrong, static */
    /* private */
    size_t line_length, lines, octets;
    int first_code;
    char line[SMTP_LINE_MAX];
};

void smtp_reply_init(struct smtp_reply *reply);
/*
 * Takes octets until the reply is complete; *used is their number. The rest belongs to no reply
 * yet. After DONE or BAD the status stays until smtp_reply_init.
 */
enum smtp_reply_status smtp_reply_feed(struct smtp_reply *reply, const char *data, size_t length,
                                       size_t *used);
