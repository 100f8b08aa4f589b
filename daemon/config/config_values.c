/* config_values: see config_values.h. */
#include "daemon/config/config_values.h"

#include <stdlib.h>
#include <string.h>

#include "base/net/hostname.h"

#define COUNT_MAX (UINT64_C(1) << 53)

struct unit {
    const char *name;
    uint64_t factor;
};

/* Digits, then one of `units`; the value times the unit's factor. */
static const char *number_with_unit(uint64_t *out, const char *text, const struct unit *units)
{
    uint64_t number = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++) {
        number = number * 10 + (uint64_t)(*p - '0');
        if (number > COUNT_MAX)
            return "the number is too large";
    }
    if (p == text)
        return "not a number";
    for (; units->name != NULL; units++)
        if (strcmp(units->name, p) == 0)
            break;
    if (units->name == NULL)
        return "unknown unit";
    if (units->factor > 1 && number > COUNT_MAX / units->factor)
        return "the number is too large";
    *out = number * units->factor;
    return NULL;
}

const char *value_duration(int64_t *out_ms, const char *text)
{
    static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
    uint64_t ms;
    const char *why = number_with_unit(&ms, text, units);

    if (why != NULL)
        return strcmp(why, "unknown unit") == 0 ? "a duration ends in ms, s, m, h or d" : why;
    *out_ms = (int64_t)ms;
    return NULL;
}

const char *value_count(uint64_t *out, const char *text)
{
    static const struct unit units[] = {{"", 1}, {NULL, 0}};
    const char *why = number_with_unit(out, text, units);

    return why != NULL && strcmp(why, "unknown unit") == 0 ? "not a number" : why;
}

const char *value_octets(uint64_t *out, const char *text)
{
    static const struct unit units[] = {
        {"", 1}, {"K", 1024}, {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024}, {NULL, 0}};
    const char *why = number_with_unit(out, text, units);

    return why != NULL && strcmp(why, "unknown unit") == 0 ? "a size ends in K, M, G or a digit"
                                                           : why;
}

const char *value_word(struct arena *arena, const char **text)
{
    const char *start = *text + strspn(*text, " \t,");
    size_t length = strcspn(start, " \t,");

    *text = start + length;
    return length == 0 ? NULL : arena_strndup(arena, start, length);
}

static const char *value_port(uint16_t *out, const char *text)
{
    uint64_t port;

    if (value_count(&port, text) != NULL || port == 0 || port > 65535)
        return "a port is 1 to 65535";
    *out = (uint16_t)port;
    return NULL;
}

/* Splits "ADDR:PORT", "[V6]:PORT"; without `need_port` also ADDR alone. */
static const char *address_and_port(struct ip *ip, uint16_t *port, const char *text, bool need_port)
{
    char address[IP_TEXT_MAX];
    const char *end, *colon;
    size_t skip = text[0] == '[';

    if (!need_port && ip_parse(ip, text))
        return NULL;
    end = skip ? strchr(text, ']') : strrchr(text, ':');
    colon = end == NULL ? NULL : end + skip;
    if (end == NULL || (size_t)(end - text) - skip >= sizeof address)
        return need_port ? "must be ADDRESS:PORT" : "not an address";
    memcpy(address, text + skip, (size_t)(end - text) - skip);
    address[(size_t)(end - text) - skip] = '\0';
    if (!ip_parse(ip, address))
        return "not an address";
    if (*colon == '\0' && !need_port)
        return NULL;
    return *colon == ':' ? value_port(port, colon + 1) : "must be ADDRESS:PORT";
}

const char *value_endpoint(struct ip *ip, uint16_t *port, const char *text)
{
    return address_and_port(ip, port, text, true);
}

const char *value_server(struct dns_server *out, const char *text)
{
    struct dns_server server = {.port = 53};
    const char *why = address_and_port(&server.ip, &server.port, text, false);

    if (why == NULL)
        *out = server;
    return why;
}

static const char *listen_option(struct listen_address *out, struct arena *arena, const char *word)
{
    char *end;

    if (strncmp(word, "owner=", 6) == 0 && word[6] != '\0') {
        out->owner = arena_strdup(arena, word + 6);
    } else if (strncmp(word, "group=", 6) == 0 && word[6] != '\0') {
        out->group = arena_strdup(arena, word + 6);
    } else if (strncmp(word, "mode=", 5) == 0) {
        out->mode = (unsigned)strtoul(word + 5, &end, 8);
        if (*end != '\0' || word[5] == '\0' || out->mode > 0777)
            return "mode= is an octal number up to 0777";
    } else {
        return "unknown option: owner=, group= and mode= are known";
    }
    return out->path == NULL ? "owner, group and mode are for Unix sockets" : NULL;
}

static const char *listen_target(struct listen_address *out, struct arena *arena, const char *word)
{
    if (strncmp(word, "socketmap:unix:", 15) == 0 || strncmp(word, "unix:", 5) == 0) {
        out->path = strstr(word, "unix:") + 5;
        if (out->path[0] != '/')
            return "the path of a Unix socket begins with /";
        if (strlen(out->path) > CONFIG_UNIX_PATH_MAX)
            return "a socket's path has at most 107 octets";
        out->path = arena_strdup(arena, out->path);
        return NULL;
    }
    if (strncmp(word, "socketmap:inet:", 15) == 0)
        return address_and_port(&out->ip, &out->port, word + 15, true);
    if (strncmp(word, "tcp:", 4) == 0) {
        out->protocol = LISTEN_TCP_TABLE;
        return address_and_port(&out->ip, &out->port, word + 4, true);
    }
    return "must be socketmap:unix:PATH, socketmap:inet:ADDRESS:PORT or tcp:ADDRESS:PORT";
}

const char *value_listen(struct listen_address *out, struct arena *arena, const char *text)
{
    struct listen_address address = {.protocol = LISTEN_SOCKETMAP, .mode = 0666};
    const char *word = value_word(arena, &text);
    const char *why = word == NULL ? "empty" : listen_target(&address, arena, word);

    while (why == NULL && (word = value_word(arena, &text)) != NULL)
        why = listen_option(&address, arena, word);
    if (why == NULL && arena_failed(arena))
        why = "no memory";
    if (why == NULL)
        *out = address;
    return why;
}
