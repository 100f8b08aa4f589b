/* postfix_maps: a list of maps as main.cf has it; see postfix.h. Pure. */
#include <stdio.h>
#include <string.h>

#include "cli/postfix/postfix.h"

#define SEPARATORS ", \t"

/* The length of the map that begins at `text`; braces hold blanks and commas together. 0 when a
 * brace is not closed. */
static size_t map_length(const char *text)
{
    size_t depth = 0, i;

    for (i = 0; text[i] != '\0'; i++) {
        if (text[i] == '{')
            depth++;
        else if (text[i] == '}' && depth > 0)
            depth--;
        else if (depth == 0 && strchr(SEPARATORS, text[i]) != NULL)
            break;
    }
    return depth == 0 ? i : 0;
}

static bool read_port(uint16_t *out, const char *text)
{
    unsigned value = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9' && value <= 65535; p++)
        value = value * 10 + (unsigned)(*p - '0');
    *out = (uint16_t)value;
    return p != text && *p == '\0' && value > 0 && value <= 65535;
}

/* HOST:PORT, [HOST]:PORT. */
static bool read_endpoint(struct postfix_map *map, struct arena *arena, const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);

    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length == 0)
        return false;
    map->host = arena_strndup(arena, text, length);
    return map->host != NULL && read_port(&map->port, colon + 1);
}

/* What follows socketmap:. The map name stands behind the last colon. */
static bool read_socketmap(struct postfix_map *map, struct arena *arena, const char *text)
{
    const char *colon = strrchr(text, ':');
    char *where = colon == NULL ? NULL : arena_strndup(arena, text, (size_t)(colon - text));

    if (where == NULL || colon[1] == '\0')
        return false;
    map->name = colon + 1;
    if (strncmp(where, "unix:", 5) == 0 && where[5] != '\0') {
        map->kind = POSTFIX_MAP_UNIX;
        map->path = where + 5;
        return true;
    }
    map->kind = POSTFIX_MAP_INET;
    return strncmp(where, "inet:", 5) == 0 && read_endpoint(map, arena, where + 5);
}

static bool read_map(struct postfix_map *map, struct arena *arena, const char *text)
{
    const char *rest = text;

    *map = (struct postfix_map){.text = text, .kind = POSTFIX_MAP_OTHER};
    if (strncmp(rest, "proxy:", 6) == 0) {
        map->proxied = true;
        rest += 6;
    }
    if (strncmp(rest, "socketmap:", 10) == 0)
        return read_socketmap(map, arena, rest + 10);
    if (strncmp(rest, "tcp:", 4) == 0) {
        map->kind = POSTFIX_MAP_TCP;
        return read_endpoint(map, arena, rest + 4);
    }
    if (strncmp(rest, "static:", 7) == 0)
        map->kind = POSTFIX_MAP_STATIC;
    return strchr(rest, ':') != NULL && rest[0] != ':';
}

int postfix_maps_parse(struct postfix_map out[POSTFIX_MAPS_MAX], struct arena *arena,
                       const char *value, char error[POSTFIX_ERROR_MAX])
{
    int count = 0;

    for (value += strspn(value, SEPARATORS); *value != '\0'; value += strspn(value, SEPARATORS)) {
        size_t length = map_length(value);
        const char *text = length == 0 ? NULL : arena_strndup(arena, value, length);

        if (text == NULL || count == POSTFIX_MAPS_MAX || !read_map(&out[count], arena, text)) {
            snprintf(error, POSTFIX_ERROR_MAX, "%s: %.200s",
                     count == POSTFIX_MAPS_MAX ? "too many maps" : "no map TYPE:NAME", value);
            return -1;
        }
        count++;
        value += length;
    }
    return count;
}
