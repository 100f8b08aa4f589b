/* postfix_read: the output of postconf(1), line by line; see postfix.h. Pure. */
#include "cli/postfix/postfix.h"

#include <stdio.h>
#include <string.h>

#define SEPARATORS ", \t" /* of maps */

const char *const postfix_parameter_names[] = {
#define X(id, name) name,
    POSTFIX_PARAMETERS(X)
#undef X
};

/* The parameter of that name, or POSTFIX_PARAMETER_COUNT. */
static size_t parameter_of(const char *name)
{
    size_t i = 0;

    while (i < POSTFIX_PARAMETER_COUNT && strcmp(postfix_parameter_names[i], name) != 0)
        i++;
    return i;
}

/* ---- lines ---- */

struct reading {
    struct postfix *postfix;
    struct arena *arena;
    char *error;
};

typedef int line_taker(struct reading *reading, char *name, char *value);

static int refuse(const struct reading *reading, const char *why, const char *what)
{
    snprintf(reading->error, POSTFIX_ERROR_MAX, "postconf: %s: %.200s", why, what);
    return -1;
}

/* Splits `name = value`; postconf prints `name =` for an empty one. */
static int take_line(struct reading *reading, const char *line, size_t length, line_taker *take)
{
    char *name, *equals;

    if (length > POSTFIX_LINE_MAX)
        return refuse(reading, "a line is too long", "");
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 127)
            return refuse(reading, "a control character", "in its output");
    name = arena_strndup(reading->arena, line, length);
    if (name == NULL)
        return refuse(reading, "no memory", "");
    equals = strstr(name, " =");
    if (equals == NULL || equals == name || (equals[2] != ' ' && equals[2] != '\0'))
        return refuse(reading, "not \"name = value\"", name);
    *equals = '\0';
    return take(reading, name, equals + 2 + (equals[2] == ' '));
}

static int take_lines(struct reading *reading, const char *text, size_t length, line_taker *take)
{
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t size = end == NULL ? length : (size_t)(end - text);

        if (take_line(reading, text, size, take) != 0)
            return -1;
        size += end != NULL;
        text += size;
        length -= size;
    }
    return 0;
}

/* ---- main.cf ---- */

static int take_value(struct reading *reading, char *name, char *value)
{
    size_t parameter = parameter_of(name);

    if (parameter == POSTFIX_PARAMETER_COUNT)
        return refuse(reading, "nobody asked for", name);
    reading->postfix->values[parameter] = value;
    return 0;
}

/* ---- master.cf: name/type/field ---- */

/* Cuts `name/type/field` in place, from the right: names of services may have slashes. */
static bool split_field(char *name, char **type, char **field)
{
    *field = strrchr(name, '/');
    if (*field == NULL)
        return false;
    *(*field)++ = '\0';
    *type = strrchr(name, '/');
    if (*type == NULL || *type == name)
        return false;
    *(*type)++ = '\0';
    return true;
}

static struct postfix_service *find_service(struct postfix *postfix, const char *name,
                                            const char *type)
{
    for (size_t i = 0; i < postfix->service_count; i++)
        if (strcmp(postfix->services[i].name, name) == 0 &&
            strcmp(postfix->services[i].type, type) == 0)
            return &postfix->services[i];
    return NULL;
}

static int take_field(struct reading *reading, char *name, char *value)
{
    struct postfix *postfix = reading->postfix;
    struct postfix_service *service;
    char *type, *field;

    if (!split_field(name, &type, &field))
        return refuse(reading, "not \"service/type/field\"", name);
    service = find_service(postfix, name, type);
    if (service == NULL && postfix->service_count == POSTFIX_SERVICES_MAX)
        return refuse(reading, "too many services", name);
    if (service == NULL) {
        service = &postfix->services[postfix->service_count++];
        *service = (struct postfix_service){name, type, .program = "", .chroot = "-"};
    }
    if (strcmp(field, "chroot") == 0)
        service->chroot = value;
    else if (strcmp(field, "command") == 0)
        service->program = arena_strndup(reading->arena, value, strcspn(value, " \t"));
    return service->program == NULL ? refuse(reading, "no memory", "") : 0;
}

static int take_override(struct reading *reading, char *name, char *value)
{
    struct postfix_service *service;
    char *type, *field;
    size_t parameter;

    if (!split_field(name, &type, &field))
        return refuse(reading, "not \"service/type/parameter\"", name);
    service = find_service(reading->postfix, name, type);
    if (service == NULL)
        return refuse(reading, "an option of an unknown service", name);
    parameter = parameter_of(field);
    if (parameter < POSTFIX_PARAMETER_COUNT)
        service->overrides[parameter] = value;
    return 0;
}

int postfix_read(struct postfix *postfix, struct arena *arena, enum postfix_question question,
                 const char *text, size_t length, char error[POSTFIX_ERROR_MAX])
{
    static line_taker *const takers[] = {
        [POSTFIX_VALUES] = take_value,
        [POSTFIX_SERVICES] = take_field,
        [POSTFIX_OVERRIDES] = take_override,
    };
    struct reading reading = {postfix, arena, error};

    if (question == POSTFIX_VALUES)
        memset(postfix, 0, sizeof *postfix);
    if (take_lines(&reading, text, length, takers[question]) != 0)
        return -1;
    for (size_t i = 0; i < POSTFIX_FIRST_OF_CLIENT && question == POSTFIX_VALUES; i++)
        if (postfix->values[i] == NULL && i != POSTFIX_COMPATIBILITY_LEVEL)
            return refuse(&reading, "does not tell", postfix_parameter_names[i]);
    return 0;
}

/* ---- what follows from it ---- */

static bool read_number(unsigned *out, const char **text)
{
    unsigned value = 0, digits = 0;

    for (; **text >= '0' && **text <= '9' && digits < 4; (*text)++, digits++)
        value = value * 10 + (unsigned)(**text - '0');
    *out = value;
    return digits > 0;
}

bool postfix_version_parse(struct postfix_version *out, const char *text)
{
    *out = (struct postfix_version){0, 0, 0};
    if (!read_number(&out->major, &text) || *text++ != '.' || !read_number(&out->minor, &text))
        return false;
    if (*text == '.') {
        text++;
        if (!read_number(&out->patch, &text))
            return false;
    }
    return *text == '\0' || *text == '-';
}

bool postfix_version_from(const struct postfix_version *version, unsigned major, unsigned minor)
{
    return version->major > major || (version->major == major && version->minor >= minor);
}

bool postfix_is_chrooted(const struct postfix *postfix, const struct postfix_service *service)
{
    const char *level = postfix->values[POSTFIX_COMPATIBILITY_LEVEL];

    if (strcmp(service->chroot, "-") != 0)
        return strcmp(service->chroot, "y") == 0;
    return level == NULL || strcmp(level, "0") == 0 || *level == '\0';
}

/* ---- lists of maps ---- */

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
