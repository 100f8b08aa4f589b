/*
 * https_reply: the checks of an HTTP/1.1 response that libcurl does not make, line by line, before
 * anything in it is believed (docs/conformance.md hostile 2 to 6). Pure.
 *
 * libcurl itself refuses HTTP/0.9 (CURLOPT_HTTP09_ALLOWED) and versions it does not know, a status
 * that is no number of three digits, a header line without a colon or above 100 KB, an empty or
 * negative Content-Length, a body shorter than its length, and whatever is wrong with chunks. It
 * takes the rest: folded headers, bare LF, several or signed lengths, a length beside chunks,
 * transfer codings that were not asked for, headers and interim responses without end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HTTPS_HEADER_OCTETS_MAX 16384 /* with trailers and interim responses, as the lines */
#define HTTPS_HEADER_LINES_MAX  100
#define HTTPS_INTERIM_MAX       5
#define HTTPS_RAW_FACTOR        8 /* octets of chunks and what is around them, by body_max */

struct https_reply {
    int status;    /* of the response being read; 0 before its first line */
    bool complete; /* the headers of the final response have ended */
    char why[200]; /* what was wrong, printable ASCII */
    bool any_type; /* set it after https_reply_init where the media type does not matter */
    bool posted;   /* set it likewise for a reply to a POST, which may be 201 (RFC 8460 §5.4) */
    /* private */
    size_t body_max, lines, octets, raw;
    unsigned interim;
    struct https_fields {
        bool length_seen, chunked, text_plain;
        const char *wrong; /* the first that is, unless the status says enough */
        unsigned long long length;
        char type[60], location[120]; /* escaped */
    } fields;                         /* of the response being read */
};

void https_reply_init(struct https_reply *reply, size_t body_max);
/*
 * Takes one line as it came, its end included: status line, header or trailer, or the empty line
 * that ends them. False, with `why`, when the response must not be used. At the end of the headers
 * of the final response all is judged: status 200, text/plain, no content coding, a length in
 * bounds.
 */
bool https_reply_header(struct https_reply *reply, const char *line, size_t length);
/* Counts octets of the body as they came, chunk lines included. False as above: libcurl reads chunk
 * extensions without end. */
bool https_reply_raw_body(struct https_reply *reply, size_t length);
