/* valkey_url: see valkey_url.h. The text is taken apart from the left, a part at a time. */
#include "base/valkey/valkey_url.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/net/ip.h"

#define NO_SCHEME "it begins with valkey://, valkeys://, valkey+unix:// or valkey+sentinel://"

struct part {
    const char *text;
    size_t length;
};

/* Takes what is before the first of `end`, which goes as well, off the front. False where there is
 * none. */
static bool take_to(struct part *out, struct part *rest, char end)
{
    const char *found = memchr(rest->text, end, rest->length);

    if (found == NULL)
        return false;
    *out = (struct part){rest->text, (size_t)(found - rest->text)};
    rest->length -= out->length + 1;
    rest->text = found + 1;
    return true;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);

    return found == NULL ? -1 : (int)((found - digits) % 16);
}

/* Copies a part without its %XX. False where it is too long or holds a %XX that is none, or a NUL
 * or another control. */
static bool decode(char *out, size_t max, struct part part)
{
    size_t length = 0;

    for (size_t i = 0; i < part.length; i++) {
        unsigned char octet = (unsigned char)part.text[i];

        if (octet == '%') {
            int high = i + 2 < part.length ? hex_digit(part.text[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(part.text[i + 2]);

            if (low < 0)
                return false;
            octet = (unsigned char)(high << 4 | low);
            i += 2;
        }
        if (octet < ' ' || octet == 127 || length == max)
            return false;
        out[length++] = (char)octet;
    }
    out[length] = '\0';
    return true;
}

/* A decimal number without a sign, at most `max`. */
static bool read_number(unsigned *out, struct part part, unsigned max)
{
    *out = 0;
    if (part.length == 0 || part.length > 5)
        return false;
    for (size_t i = 0; i < part.length; i++) {
        if (!ascii_is_digit(part.text[i]))
            return false;
        *out = *out * 10 + (unsigned)(part.text[i] - '0');
    }
    return *out <= max;
}

static const char *read_credentials(struct valkey_url *url, struct part *rest)
{
    struct part all, user;

    if (memchr(rest->text, '@', rest->length) == NULL)
        return NULL;
    take_to(&all, rest, '@');
    if (!take_to(&user, &all, ':'))
        return "USER@ has no password: write USER:PASSWORD@ or USER:@ with a password file";
    if (!decode(url->user, VALKEY_USER_MAX, user))
        return "the user is too long, or holds what must be written as %XX";
    if (!decode(url->password, VALKEY_PASSWORD_MAX, all))
        return "the password is too long, or holds what must be written as %XX";
    return NULL;
}

static bool read_host(struct valkey_server *out, struct part part, bool brackets)
{
    struct ip ip;

    if (part.length == 0 || part.length > HOSTNAME_MAX ||
        memchr(part.text, '\0', part.length) != NULL)
        return false;
    memcpy(out->host, part.text, part.length);
    out->host[part.length] = '\0';
    if (ip_parse(&ip, out->host))
        return (ip.family == 6) == brackets;
    hostname_fold(out->host, part.length);
    return !brackets && hostname_valid(out->host, part.length, HOSTNAME_UNDERSCORE);
}

static const char *read_server(struct valkey_url *url, struct part part)
{
    struct valkey_server *server = &url->servers[url->server_count];
    bool brackets = part.length > 0 && part.text[0] == '[';
    struct part host = part, port = {NULL, 0};
    unsigned number = url->sentinel[0] != '\0' ? VALKEY_SENTINEL_PORT : VALKEY_PORT;

    if (url->server_count == VALKEY_SERVERS_MAX)
        return "more than 8 servers";
    if (brackets) {
        part.text++;
        part.length--;
        if (!take_to(&host, &part, ']') || (part.length > 0 && part.text[0] != ':'))
            return "a [ without its ], or something after it that is no port";
        if (part.length > 0)
            port = (struct part){part.text + 1, part.length - 1};
    } else if (take_to(&host, &part, ':')) {
        port = part;
    }
    if (!read_host(server, host, brackets))
        return "a server is neither a host name nor an address (IPv6 in brackets)";
    if (port.text != NULL && (!read_number(&number, port, UINT16_MAX) || number == 0))
        return "a port is no number from 1 to 65535";
    server->port = (uint16_t)number;
    url->server_count++;
    return NULL;
}

static const char *read_servers(struct valkey_url *url, struct part list)
{
    const char *why = NULL;
    struct part one;

    while (why == NULL && take_to(&one, &list, ','))
        why = read_server(url, one);
    return why != NULL ? why : read_server(url, list);
}

static const char *read_db(struct valkey_url *url, struct part part)
{
    return read_number(&url->db, part, VALKEY_DB_MAX) ? NULL
                                                      : "the database is no number from 0 to 15";
}

/* [USER:PASSWORD@]/PATH[?db=DB] */
static const char *read_unix(struct valkey_url *url, struct part rest)
{
    const char *why = read_credentials(url, &rest);
    struct part path = rest;

    if (why != NULL)
        return why;
    if (take_to(&path, &rest, '?')) {
        if (rest.length < 3 || memcmp(rest.text, "db=", 3) != 0)
            return "after the path of the socket only ?db=DB may stand";
        why = read_db(url, (struct part){rest.text + 3, rest.length - 3});
    }
    if (why != NULL)
        return why;
    if (!decode(url->path, VALKEY_PATH_MAX, path) || url->path[0] != '/')
        return "the path of the socket does not begin with /, or is longer than 107 octets";
    return NULL;
}

/* [USER:PASSWORD@]HOST,...[/NAME][/DB] */
static const char *read_network(struct valkey_url *url, struct part rest, bool sentinel)
{
    const char *why = read_credentials(url, &rest);
    struct part servers = rest, name;
    bool more = why == NULL && take_to(&servers, &rest, '/');

    if (why == NULL && sentinel) {
        if (!more)
            return "behind the Sentinels stands /NAME of the primary";
        more = take_to(&name, &rest, '/');
        if (!more)
            name = rest;
        if (name.length == 0 || !decode(url->sentinel, VALKEY_NAME_MAX, name))
            return "the name of the primary is empty or too long";
    }
    if (why == NULL)
        why = read_servers(url, servers);
    if (why == NULL && more && rest.length > 0)
        why = read_db(url, rest);
    return why;
}

/* Takes the scheme off the front of the text. */
static bool is_scheme(struct part *rest, const char *scheme)
{
    size_t length = strlen(scheme);

    if (rest->length < length || memcmp(rest->text, scheme, length) != 0)
        return false;
    rest->text += length;
    rest->length -= length;
    return true;
}

const char *valkey_url_parse(struct valkey_url *out, const char *text)
{
    struct part rest = {text, strlen(text)};

    memset(out, 0, sizeof *out);
    if (rest.length > VALKEY_URL_MAX)
        return "it is longer than 2048 octets";
    if (is_scheme(&rest, "valkey+unix://"))
        return read_unix(out, rest);
    out->tls = is_scheme(&rest, "valkeys://") || is_scheme(&rest, "rediss://");
    if (out->tls || is_scheme(&rest, "valkey://") || is_scheme(&rest, "redis://"))
        return read_network(out, rest, false);
    out->tls = is_scheme(&rest, "valkeys+sentinel://");
    if (out->tls || is_scheme(&rest, "valkey+sentinel://"))
        return read_network(out, rest, true);
    return NO_SCHEME;
}

/* ---- for people ---- */

/* Appends, as far as there is room, which is always enough. */
static void append(char out[VALKEY_URL_TEXT_MAX], const char *text)
{
    size_t length = strlen(out);

    snprintf(out + length, VALKEY_URL_TEXT_MAX - length, "%s", text);
}

const char *valkey_url_text(const struct valkey_url *url, char out[VALKEY_URL_TEXT_MAX])
{
    bool sentinel = url->sentinel[0] != '\0', local = url->path[0] != '\0';
    char number[16];

    snprintf(out, VALKEY_URL_TEXT_MAX, "valkey%s%s://%s", url->tls ? "s" : "",
             local      ? "+unix"
             : sentinel ? "+sentinel"
                        : "",
             url->path);
    for (size_t i = 0; i < url->server_count; i++) {
        const struct valkey_server *server = &url->servers[i];
        bool brackets = strchr(server->host, ':') != NULL;

        append(out, i > 0 ? "," : "");
        append(out, brackets ? "[" : "");
        append(out, server->host);
        append(out, brackets ? "]" : "");
        snprintf(number, sizeof number, ":%u", (unsigned)server->port);
        append(out, number);
    }
    append(out, sentinel ? "/" : "");
    append(out, url->sentinel);
    snprintf(number, sizeof number, local ? "?db=%u" : "/%u", url->db);
    append(out, url->db > 0 ? number : "");
    return out;
}
