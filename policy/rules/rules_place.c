/*
 * rules_place: keys and patterns in one spelling; see rules_line.h.
 *
 * key_parse knows domains, [host]s and parents. What it calls KEY_OTHER is taken apart here:
 * addresses, names of one label, paths, and names with a port that only the services file of this
 * host knows, which are taken for the key without its port. A pattern that no key could ever match
 * is refused, with what to write instead.
 */
#include "policy/rules/rules_line.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/escape.h"
#include "base/net/ip.h"

#define IPV6_PREFIX "ipv6:"
#define QUOTE_MAX   96
#define WHY_MAX     (QUOTE_MAX + 64)

static bool read_address(struct ip *out, struct span span)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[IP_TEXT_MAX];

    if (span_starts(span, IPV6_PREFIX))
        span_skip(&span, strlen(IPV6_PREFIX));
    if (span.length == 0 || span.length >= sizeof text)
        return false;
    memcpy(text, span.text, span.length);
    text[span.length] = '\0';
    if (!ip_parse(out, text))
        return false;
    if (out->family == 6 && memcmp(out->octets, mapped, sizeof mapped) == 0) {
        struct ip ipv6 = *out;

        ip_from_octets(out, ipv6.octets + sizeof mapped, 4);
    }
    return true;
}

/* ---- keys ---- */

static void write_place(struct rules_place *out, const char *host, bool bracketed, uint16_t port)
{
    out->host_length =
        (size_t)snprintf(out->text, sizeof out->text, bracketed ? "[%s]" : "%s", host);
    out->length = out->host_length;
    if (port != 0)
        out->length += (size_t)snprintf(out->text + out->length, sizeof out->text - out->length,
                                        ":%u", (unsigned)port);
    CHECK(out->length < sizeof out->text);
}

static void place_address(struct rules_place *out, const struct ip *ip, uint16_t port)
{
    char text[IP_TEXT_MAX];

    write_place(out, ip_text(ip, text), true, port);
    out->stays_here = ip_is_loopback(ip);
}

static void place_name(struct rules_place *out, struct key_parts *parts, uint16_t port)
{
    char name[HOSTNAME_MAX + 1];

    if (parts->host.length > 0 && parts->host.text[parts->host.length - 1] == '.')
        parts->host.length--;
    if (!hostname_valid(parts->host.text, parts->host.length, HOSTNAME_UNDERSCORE))
        return;
    memcpy(name, parts->host.text, parts->host.length);
    name[parts->host.length] = '\0';
    write_place(out, name, parts->bracketed, port);
    out->stays_here = strcmp(name, "localhost") == 0;
    if (strchr(name, '.') != NULL) {
        out->name_at = parts->bracketed;
        out->name_length = parts->host.length;
    }
}

static void place_other(struct rules_place *out, const struct key *key, uint16_t default_port)
{
    struct span whole = {key->text, key->text_length};
    struct key_parts parts;
    struct ip ip;
    uint16_t port = 0;

    if (strchr(key->text, '/') != NULL) {
        memcpy(out->text, key->text, key->text_length + 1);
        out->length = out->host_length = key->text_length;
        out->stays_here = true;
        return;
    }
    if (read_address(&ip, whole)) {
        place_address(out, &ip, 0);
        return;
    }
    if (!key_split(&parts, whole.text, whole.length))
        return;
    if (parts.has_port)
        port = key_port(parts.port.text, parts.port.length);
    if (port == default_port)
        port = 0;
    if (read_address(&ip, parts.host))
        place_address(out, &ip, port);
    else
        place_name(out, &parts, port);
}

void rules_place_of_key(struct rules_place *out, const struct key *key, uint16_t default_port)
{
    out->text[0] = '\0';
    out->length = out->host_length = out->name_at = out->name_length = 0;
    out->stays_here = false;
    if (key->kind == KEY_OTHER) {
        place_other(out, key, default_port);
        return;
    }
    memcpy(out->text, key->text, key->text_length + 1);
    out->length = key->text_length;
    out->name_at = key->kind != KEY_DOMAIN;
    out->name_length = strlen(key->name);
    out->host_length = out->name_at + out->name_length + (key->kind == KEY_HOST);
}

/* ---- patterns ---- */

static int pattern_fault(char out[RULES_FAULT_MAX], struct span pattern, const char *why)
{
    char quote[QUOTE_MAX];

    snprintf(out, RULES_FAULT_MAX, "'%s' is not a pattern: %s",
             escape_bytes(quote, sizeof quote, pattern.text, pattern.length), why);
    return -1;
}

static bool has(struct span pattern, char c)
{
    return memchr(pattern.text, c, pattern.length) != NULL;
}

/* A relative path begins in Postfix's queue directory: private/lmtp. */
static const char *path_fault(struct span pattern)
{
    struct span first = span_until(pattern, "/");
    struct ip ip;

    if (first.length == 0)
        return NULL;
    if (read_address(&ip, first))
        return "there are none for networks, only for single addresses";
    if (span_starts(pattern, "unix:"))
        return "of a path only what follows unix:";
    /* a domain is no directory */
    if (!hostname_valid(first.text, first.length, HOSTNAME_UNDERSCORE) ||
        hostname_labels(first.text, first.length) > 1)
        return "neither a path nor a host";
    return NULL;
}

/* What key_parse takes for a name in another way than was meant, or for none; else NULL. */
static const char *shape_fault(struct span pattern, char room[WHY_MAX])
{
    char quote[QUOTE_MAX];

    if (span_starts(pattern, "*.")) {
        snprintf(room, WHY_MAX, "for every name below a domain write %s",
                 escape_bytes(quote, sizeof quote, pattern.text + 1, pattern.length - 1));
        return room;
    }
    if (has(pattern, '*'))
        return "* is used alone, for all; there are no other wildcards";
    if (has(pattern, '@'))
        return "rules are for next-hops, not for mail addresses";
    if (span_starts(pattern, "inet:"))
        return "of a host only what follows inet:";
    return has(pattern, '/') ? path_fault(pattern) : NULL;
}

/* What is wrong with the port a pattern may have. */
static const char *port_fault(struct span pattern, uint16_t default_port, char room[WHY_MAX])
{
    struct key_parts parts;
    struct ip ip;
    uint16_t port;

    if (has(pattern, '/') || read_address(&ip, pattern) ||
        !key_split(&parts, pattern.text, pattern.length) || !parts.has_port)
        return NULL;
    port = key_port(parts.port.text, parts.port.length);
    if (port == 0)
        return "a port is 1 to 65535 or smtp, submission, submissions, smtps";
    if (port != default_port)
        return NULL;
    snprintf(room, WHY_MAX, "%u is the port of a key without one; write it without the port",
             (unsigned)port);
    return room;
}

int rules_place_of_pattern(struct rules_place *out, struct span pattern, uint16_t default_port,
                           char fault[RULES_FAULT_MAX])
{
    char room[WHY_MAX];
    const char *why;
    struct key key;

    if (span_is(pattern, "*")) {
        *out = (struct rules_place){.text = "*", .length = 1, .host_length = 1};
        return 0;
    }
    why = shape_fault(pattern, room);
    if (why != NULL)
        return pattern_fault(fault, pattern, why);
    key_parse(&key, pattern.text, pattern.length, default_port);
    if (span_starts(pattern, "."))
        why = key.kind == KEY_PARENT ? NULL : "a parent is a dot and a domain, without a port";
    else
        why = port_fault(pattern, default_port, room);
    if (why != NULL)
        return pattern_fault(fault, pattern, why);
    rules_place_of_key(out, &key, default_port);
    if (out->length > 0)
        return 0;
    return pattern_fault(fault, pattern,
                         "it is neither domain, .domain, [host], address, path nor *");
}
