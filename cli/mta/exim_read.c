/* exim_read: what exim(8) prints, line by line; see exim.h. Pure. */
#include <stdio.h>
#include <string.h>

#include "cli/mta/exim.h"

const char *const exim_router_names[EXIM_ROUTERS] = {
    [EXIM_ASK] = "mxcrypt_ask",
    [EXIM_SEND] = "mxcrypt_send",
    [EXIM_UNMATCHED] = "mxcrypt_unmatched",
};
const char *const exim_transport_names[EXIM_TRANSPORTS] = {
    [EXIM_DANE_ONLY] = "mxcrypt_dane_only",
    [EXIM_VERIFY] = "mxcrypt_verify",
    [EXIM_ENCRYPT] = "mxcrypt_encrypt",
    [EXIM_DANE] = "mxcrypt_dane",
    [EXIM_MAY] = "mxcrypt_may",
};

/* The next line, without its end; false at the end of the text. */
static bool next_line(const char **text, const char **line, size_t *length)
{
    const char *end;

    if (**text == '\0')
        return false;
    end = strchr(*text, '\n');
    *line = *text;
    *length = end == NULL ? strlen(*text) : (size_t)(end - *text);
    *text += *length + (end != NULL);
    return true;
}

/* What follows `start` in a line that begins with it, or NULL. */
static const char *after(const char *line, size_t length, const char *start)
{
    size_t size = strlen(start);

    return length >= size && memcmp(line, start, size) == 0 ? line + size : NULL;
}

static bool is_line(const char *line, size_t length, const char *prefix, const char *name)
{
    const char *rest = after(line, length, prefix);

    return rest != NULL && length == strlen(prefix) + strlen(name) &&
           memcmp(rest, name, strlen(name)) == 0;
}

const char *exim_option(struct arena *arena, const char *lines, const char *name)
{
    const char *line, *value;
    size_t length;

    while (lines != NULL && next_line(&lines, &line, &length)) {
        if (is_line(line, length, "", name))
            return "yes";
        if (is_line(line, length, "no_", name))
            return "no";
        value = after(line, length, name);
        if (value == NULL || after(value, length - strlen(name), " =") == NULL)
            continue;
        value += 2;
        value += *value == ' ';
        return value > line + length ? ""
                                     : arena_strndup(arena, value, (size_t)(line + length - value));
    }
    return NULL;
}

void exim_read_version(struct exim_facts *facts, const char *text)
{
    const char *line, *rest;
    size_t length;
    int used = 0;

    while (next_line(&text, &line, &length)) {
        rest = after(line, length, "Exim version ");
        if (rest != NULL && facts->version == NULL &&
            sscanf(rest, "%3u.%3u%n", &facts->major, &facts->minor, &used) == 2)
            facts->version = arena_strndup(facts->arena, rest, (size_t)used);
        rest = after(line, length, "Support for: ");
        if (rest != NULL) {
            const char *list =
                arena_printf(facts->arena, " %.*s ", (int)(line + length - rest), rest);

            facts->tls = list != NULL &&
                         (strstr(list, " GnuTLS ") != NULL || strstr(list, " OpenSSL ") != NULL);
            facts->dane = list != NULL && strstr(list, " DANE ") != NULL;
        }
    }
}

void exim_read_order(struct exim_facts *facts, const char *text)
{
    const char *line;
    size_t length, at = 0, found[EXIM_ROUTERS] = {0};
    bool asks = false;

    while (next_line(&text, &line, &length)) {
        at++;
        for (size_t i = 0; i < EXIM_ROUTERS; i++)
            if (is_line(line, length, "", exim_router_names[i]))
                found[i] = at;
        asks = asks || found[EXIM_ASK] > 0;
        if (!asks && facts->before_count < EXIM_ROUTERS_MAX)
            facts->before[facts->before_count++] = arena_strndup(facts->arena, line, length);
    }
    facts->in_order = found[EXIM_ASK] > 0 && found[EXIM_SEND] == found[EXIM_ASK] + 1 &&
                      found[EXIM_UNMATCHED] == found[EXIM_SEND] + 1;
}

/* The value of NAME='value', or NULL. */
static const char *quoted(struct arena *arena, const char *text, const char *name)
{
    const char *line, *value;
    size_t length;

    while (next_line(&text, &line, &length)) {
        value = after(line, length, name);
        if (value == NULL || line + length - value < 3 || value[0] != '=' || value[1] != '\'' ||
            line[length - 1] != '\'')
            continue;
        return arena_strndup(arena, value + 2, (size_t)(line + length - 1 - value - 2));
    }
    return NULL;
}

void exim_read_debian(struct exim_facts *facts, const char *text)
{
    const char *split = quoted(facts->arena, text, "dc_use_split_config"),
               *type = quoted(facts->arena, text, "dc_eximconfig_configtype");

    facts->layout = split != NULL && strcmp(split, "true") == 0 ? EXIM_SPLIT : EXIM_UNSPLIT;
    if (type != NULL && (strcmp(type, "smarthost") == 0 || strcmp(type, "satellite") == 0))
        facts->smarthost = quoted(facts->arena, text, "dc_smarthost");
}

const char *exim_socket(struct arena *arena, const struct config *config)
{
    char ip[IP_TEXT_MAX];

    for (size_t i = 0; i < config->listen_count; i++) {
        const struct listen_address *address = &config->listen[i];

        if (address->protocol != LISTEN_EXIM)
            continue;
        if (address->path != NULL)
            return address->path;
        ip_text(&address->ip, ip);
        return arena_printf(arena, strchr(ip, ':') == NULL ? "inet:%s:%u" : "inet:[%s]:%u", ip,
                            address->port);
    }
    return NULL;
}
