/*
 * rules_place: keys and patterns in one spelling; see rules_place.h.
 *
 * key_parse knows domains, [host]s and parents. What it calls KEY_OTHER is taken apart here:
 * addresses, names of one label, paths, and names with a port that only the services file of this
 * host knows, which are taken for the key without its port. A pattern that no key could ever match
 * is refused, with what to write instead.
 */
#include "policy/rules/rules_place.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/escape.h"
#include "base/net/ip.h"

#define IPV6_PREFIX "ipv6:"
#define QUOTE_MAX   96

static bool starts_with(struct key_span span, const char *start)
{
    return span.length >= strlen(start) && memcmp(span.text, start, strlen(start)) == 0;
}

static bool read_address(struct ip *out, struct key_span span)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[IP_TEXT_MAX];

    if (starts_with(span, IPV6_PREFIX)) {
        span.text += sizeof IPV6_PREFIX - 1;
        span.length -= sizeof IPV6_PREFIX - 1;
    }
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

static void place_path(struct rules_place *out, const struct key *key)
{
    memcpy(out->text, key->text, key->text_length + 1);
    out->length = out->host_length = key->text_length;
    out->stays_here = true;
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
    struct key_span whole = {key->text, key->text_length};
    struct key_parts parts;
    struct ip ip;
    uint16_t port = 0;

    if (strchr(key->text, '/') != NULL) {
        place_path(out, key);
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

static int fault(char out[RULES_FAULT_MAX], struct key_span pattern, const char *why)
{
    char quote[QUOTE_MAX];

    snprintf(out, RULES_FAULT_MAX, "'%s' is not a pattern: %s",
             escape_bytes(quote, sizeof quote, pattern.text, pattern.length), why);
    return -1;
}

static bool is_domain(struct key_span span)
{
    return hostname_valid(span.text, span.length, HOSTNAME_UNDERSCORE) &&
           hostname_labels(span.text, span.length) > 1;
}

static int star_fault(char out[RULES_FAULT_MAX], struct key_span pattern)
{
    struct key_span below = {pattern.text + 1, pattern.length - 1};
    char quote[QUOTE_MAX], why[QUOTE_MAX + 64];

    if (!starts_with(pattern, "*."))
        return fault(out, pattern, "* is used alone, for all; there are no other wildcards");
    snprintf(why, sizeof why, "for every name below a domain write %s",
             escape_bytes(quote, sizeof quote, below.text, below.length));
    return fault(out, pattern, why);
}

/* A relative path begins in Postfix's queue directory: private/lmtp. */
static int path_fault(char out[RULES_FAULT_MAX], struct key_span pattern)
{
    const char *slash = memchr(pattern.text, '/', pattern.length);
    struct key_span first = {pattern.text, (size_t)(slash - pattern.text)};
    struct ip ip;

    if (first.length == 0)
        return 0;
    if (read_address(&ip, first))
        return fault(out, pattern, "there are none for networks, only for single addresses");
    if (starts_with(pattern, "unix:"))
        return fault(out, pattern, "of a path only what follows unix:");
    if (!hostname_valid(first.text, first.length, HOSTNAME_UNDERSCORE) || is_domain(first))
        return fault(out, pattern, "neither a path nor a host");
    return 0;
}

/* What key_parse takes for a name in another way than was meant, or for none. */
static int shape_fault(char out[RULES_FAULT_MAX], struct key_span pattern)
{
    if (memchr(pattern.text, '*', pattern.length) != NULL)
        return star_fault(out, pattern);
    if (memchr(pattern.text, '@', pattern.length) != NULL)
        return fault(out, pattern, "rules are for next-hops, not for mail addresses");
    if (starts_with(pattern, "inet:"))
        return fault(out, pattern, "of a host only what follows inet:");
    if (memchr(pattern.text, '/', pattern.length) != NULL)
        return path_fault(out, pattern);
    return 0;
}

/* 0, or what is wrong with the port a pattern may have. */
static int port_fault(char out[RULES_FAULT_MAX], struct key_span pattern, uint16_t default_port)
{
    struct key_parts parts;
    struct ip ip;
    uint16_t port;
    char why[128];

    if (memchr(pattern.text, '/', pattern.length) != NULL || read_address(&ip, pattern))
        return 0;
    if (!key_split(&parts, pattern.text, pattern.length) || !parts.has_port)
        return 0;
    port = key_port(parts.port.text, parts.port.length);
    if (port == 0)
        return fault(out, pattern, "a port is 1 to 65535 or smtp, submission, submissions, smtps");
    if (port != default_port)
        return 0;
    snprintf(why, sizeof why, "%u is the port of a key without one; write it without the port",
             (unsigned)port);
    return fault(out, pattern, why);
}

int rules_place_of_pattern(struct rules_place *out, const char *text, size_t length,
                           uint16_t default_port, char error[RULES_FAULT_MAX])
{
    struct key_span pattern = {text, length};
    struct key key;

    if (length == 1 && text[0] == '*') {
        *out = (struct rules_place){.text = "*", .length = 1, .host_length = 1};
        return 0;
    }
    if (shape_fault(error, pattern) != 0)
        return -1;
    key_parse(&key, text, length, default_port);
    if (text[0] == '.' && key.kind != KEY_PARENT)
        return fault(error, pattern, "a parent is a dot and a domain, without a port");
    if (text[0] != '.' && port_fault(error, pattern, default_port) != 0)
        return -1;
    rules_place_of_key(out, &key, default_port);
    if (out->length == 0)
        return fault(error, pattern, "it is neither domain, .domain, [host], address, path nor *");
    return 0;
}
