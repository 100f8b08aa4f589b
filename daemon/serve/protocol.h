/*
 * protocol: what the table protocols of Postfix and that of Exim have in common. A codec is pure: it turns
 * octets into a request, and an answer into octets. It borrows its input and never reads beyond it.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "policy/render/render.h"

enum parse_status {
    PARSE_MORE,      /* not a whole request yet */
    PARSE_REQUEST,   /* *request is filled */
    PARSE_MALFORMED, /* a whole request that makes no sense: `malformed` answers it */
    PARSE_CLOSE      /* not this protocol: close the connection without a reply */
};

struct request {
    const char *map; /* map name; "" where the protocol has none. Not NUL-terminated */
    size_t map_length;
    const char *key; /* points into the input, or into `decoded` */
    size_t key_length;
};

/* Longest request in octets, netstring or line, overhead included. */
#define PROTOCOL_KEY_MAX     10000
#define PROTOCOL_REQUEST_MAX (PROTOCOL_KEY_MAX * 3 + 16)

struct protocol {
    /* Takes one request from the front of the input, which is *used octets long. `decoded` is room
     * for PROTOCOL_REQUEST_MAX octets, for a key that has to be decoded. */
    enum parse_status (*parse)(const char *data, size_t length, size_t *used, char *decoded,
                               struct request *request);
    void (*reply)(struct buf *out, const struct answer *answer);
    const char *malformed; /* the whole reply to such a request */
    bool one_request;      /* the connection ends with the reply to its first */
};

extern const struct protocol socketmap_protocol;
extern const struct protocol tcp_table_protocol;
extern const struct protocol exim_protocol;
