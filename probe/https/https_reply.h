/*
 * https_reply: judges an HTTP/1.1 response line by line, before anything in it is believed: RFC
 * 9112 without the parts that servers and attackers disagree about (CONFORMANCE hostile 2 to 6).
 * Pure; framing and octets come from the HTTP library.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTPS_HEADER_OCTETS_MAX 16384
#define HTTPS_HEADER_LINES_MAX  100
#define HTTPS_INTERIM_MAX       5
#define HTTPS_CHUNK_LINE_MAX    256
#define HTTPS_RAW_FACTOR        8 /* octets of chunks and what is around them, by body_max */

enum https_chunk_state { HTTPS_CHUNK_LINE, HTTPS_CHUNK_DATA, HTTPS_CHUNK_END, HTTPS_CHUNK_LAST };

struct https_reply {
    int status;    /* of the response being read; 0 before its first line */
    bool complete; /* the headers of the final response have ended */
    char why[200]; /* what was wrong, printable ASCII */
    /* private */
    size_t body_max;
    unsigned interim;
    size_t lines, octets;
    bool length_seen, chunked, coding_bad, encoded, text_plain;
    uint64_t length;
    char type[60], location[120]; /* escaped */
    enum https_chunk_state chunk;
    bool chunk_digits; /* still in the hexadecimal size */
    size_t chunk_line;
    uint64_t chunk_left;
    size_t raw;
};

void https_reply_init(struct https_reply *reply, size_t body_max);
/*
 * Takes one line as it came, its end included: status line, header or trailer, or the empty line
 * that ends them. False, with `why`, when the response must not be used. At the end of the headers
 * of the final response all is judged: status 200, text/plain, no content coding, a length in
 * bounds.
 */
bool https_reply_header(struct https_reply *reply, const char *line, size_t length);
/* Takes octets of the body as they came, chunk lines included. False as above. */
bool https_reply_raw_body(struct https_reply *reply, const char *data, size_t length);
