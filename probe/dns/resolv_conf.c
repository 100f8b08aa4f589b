/*
 * resolv_conf: see resolv_conf.h and resolv.conf(5).
 *
 * Only `nameserver` counts; a keyword must begin its line, as in the C library. An address with a
 * zone (fe80::1%eth0) or one that was named before is skipped.
 */
#include "probe/dns/resolv_conf.h"

#include <stdbool.h>
#include <string.h>

#define KEYWORD "nameserver"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Reads the address of one line without its end; false when the line names none. */
static bool parse_line(struct ip *out, const char *line, size_t length)
{
    const size_t keyword = sizeof KEYWORD - 1;
    char address[IP_TEXT_MAX];
    size_t used = 0, at = keyword;

    if (length <= keyword || memcmp(line, KEYWORD, keyword) != 0 || !is_blank(line[at]))
        return false;
    while (at < length && is_blank(line[at]))
        at++;
    for (; at < length && !is_blank(line[at]); at++) {
        if (line[at] == '\0' || used + 1 == sizeof address)
            return false;
        address[used++] = line[at];
    }
    address[used] = '\0';
    return ip_parse(out, address);
}

static bool is_listed(const struct ip *list, size_t count, const struct ip *ip)
{
    for (size_t i = 0; i < count; i++)
        if (ip_equal(&list[i], ip))
            return true;
    return false;
}

size_t resolv_conf_parse(struct ip *out, size_t max, const char *text, size_t length)
{
    size_t count = 0;

    while (length > 0 && count < max) {
        const char *newline = memchr(text, '\n', length);
        size_t line = newline == NULL ? length : (size_t)(newline - text);

        if (parse_line(&out[count], text, line) && !is_listed(out, count, &out[count]))
            count++;
        if (newline == NULL)
            break;
        text += line + 1;
        length -= line + 1;
    }
    return count;
}
