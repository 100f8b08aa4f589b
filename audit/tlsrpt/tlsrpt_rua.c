/* tlsrpt_rua: see tlsrpt_rua.h. */
#include "audit/tlsrpt/tlsrpt_rua.h"

#include <string.h>
#include <strings.h>

#include "audit/tlsrpt/tlsrpt_report.h"
#include "base/ascii.h"

#define HTTPS_PORT ":443"

static int hex_digit(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool copy_host(struct tlsrpt_rua *out, struct span host)
{
    if (!hostname_valid(host.text, host.length, HOSTNAME_LDH) ||
        hostname_labels(host.text, host.length) < 2)
        return false;
    memcpy(out->host, host.text, host.length);
    out->host[host.length] = '\0';
    hostname_fold(out->host, host.length);
    return true;
}

static const char *read_mail(struct tlsrpt_rua *out, struct span text)
{
    struct span address = span_until(text, "?#");
    size_t length = 0;
    const char *at;

    for (size_t i = 0; i < address.length; i++, length++) {
        int high = -1, low = -1;

        out->text[length] = address.text[i];
        if (address.text[i] != '%')
            continue;
        if (i + 2 < address.length) {
            high = hex_digit(address.text[i + 1]);
            low = hex_digit(address.text[i + 2]);
        }
        if (high < 0 || low < 0)
            return "its percent-encoding is wrong";
        out->text[length] = (char)(high * 16 + low);
        i += 2;
    }
    out->text[length] = '\0';
    if (!tlsrpt_is_address(out->text, length))
        return "it is no plain mail address";
    at = strchr(out->text, '@') + 1;
    copy_host(out, (struct span){at, strlen(at)});
    out->kind = TLSRPT_RUA_MAIL;
    return NULL;
}

static const char *read_https(struct tlsrpt_rua *out, struct span text)
{
    struct span host = span_until(text, "/?#:"), path;

    if (!copy_host(out, host))
        return "it names no host by its name";
    span_skip(&text, host.length);
    if (span_starts(text, ":")) {
        if (!span_starts(text, HTTPS_PORT))
            return "its port is not 443";
        span_skip(&text, sizeof HTTPS_PORT - 1);
        if (text.length > 0 && !span_set_has("/?#", text.text[0]))
            return "its port is not 443";
    }
    path = span_until(text, "#");
    out->text[0] = '/';
    if (span_starts(path, "/"))
        span_skip(&path, 1);
    if (path.length + 1 > TLSRPT_URI_MAX)
        return "it is too long";
    memcpy(out->text + 1, path.text, path.length);
    out->text[path.length + 1] = '\0';
    out->kind = TLSRPT_RUA_HTTPS;
    return NULL;
}

bool tlsrpt_rua_read(struct tlsrpt_rua *out, const char *uri, size_t length, const char **why)
{
    struct span text = {uri, length};

    memset(out, 0, sizeof *out);
    *why = NULL;
    if (length > TLSRPT_URI_MAX)
        *why = "it is too long";
    for (size_t i = 0; *why == NULL && i < length; i++)
        if (uri[i] <= ' ' || uri[i] > '~')
            *why = "it is no URI";
    if (*why != NULL)
        return false;
    if (length > 7 && strncasecmp(uri, "mailto:", 7) == 0) {
        span_skip(&text, 7);
        *why = read_mail(out, text);
    } else if (length > 8 && strncasecmp(uri, "https://", 8) == 0) {
        span_skip(&text, 8);
        *why = read_https(out, text);
    } else {
        *why = "it is neither mailto: nor https:";
    }
    return *why == NULL;
}

/* The local part too: mail systems that tell Postmaster from postmaster are none to reckon with. */
static bool is_same(const struct tlsrpt_rua *one, const struct tlsrpt_rua *other)
{
    if (one->kind != other->kind || strcmp(one->host, other->host) != 0)
        return false;
    return one->kind == TLSRPT_RUA_MAIL ? strcasecmp(one->text, other->text) == 0
                                        : strcmp(one->text, other->text) == 0;
}

bool tlsrpt_rua_repeats(const char *record, struct span uri)
{
    struct span rest = {record, (size_t)(uri.text - record)}, before;
    struct tlsrpt_rua this, other;
    const char *why;

    if (!tlsrpt_rua_read(&this, uri.text, uri.length, &why))
        return false;
    while (rest.length > 0) {
        before = span_until(rest, " ");
        if (tlsrpt_rua_read(&other, before.text, before.length, &why) && is_same(&this, &other))
            return true;
        span_skip(&rest, before.length);
        span_skip_set(&rest, " ");
    }
    return false;
}
