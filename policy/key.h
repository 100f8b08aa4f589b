/* key: what Postfix asks for, normalised and classified (docs/verdicts.md §1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net/hostname.h"
#include "policy/span.h"

/* Longest key that is read. Postfix sends up to 10,000 octets; no host name is this long. */
#define KEY_MAX 1024
/* Longest normalised key: "[host]:65535" and a NUL. */
#define KEY_TEXT_MAX (HOSTNAME_MAX + 10)

enum key_kind {
    KEY_DOMAIN, /* domain, domain:port: MX lookup */
    KEY_HOST,   /* [host], [host]:port: no MX lookup */
    KEY_PARENT, /* .domain: operator's rules only */
    KEY_OTHER   /* address, path, one label, nonsense: operator's rules only */
};

struct key {
    enum key_kind kind;
    uint16_t port;               /* `default_port` of key_parse when the key names none */
    char name[HOSTNAME_MAX + 1]; /* A-labels, lower case, no trailing dot; "" for KEY_OTHER */
    char text[KEY_TEXT_MAX + 1]; /* canonical spelling, the cache's key: "name", "name:587",
                                    "[name]", "[name]:587", ".name"; port left out when the
                                    default. KEY_OTHER: in lower case when it is printable and
                                    fits, else "" */
    size_t text_length;
    bool no_memory; /* KEY_OTHER because memory ran out: answer TEMP */
};

/*
 * Reads `length` octets of `text`. Never fails: what is not a domain, [host] or parent is KEY_OTHER.
 * A port is 1 to 65535, or one of the service names smtp, submission, submissions, smtps.
 * U-labels become A-labels (UTS #46, non-transitional).
 */
void key_parse(struct key *out, const char *text, size_t length, uint16_t default_port);

/* "[host]:port", "[host]", "host:port" or "host" taken apart; each may be empty. */
struct key_parts {
    struct span host, port;
    bool bracketed, has_port;
};
/* False for a bracket that does not close, or something other than a port behind it. */
bool key_split(struct key_parts *out, const char *text, size_t length);

/* The port that `text` names, by number or by service; 0 when it names none. */
uint16_t key_port(const char *text, size_t length);
