/*
 * config_list: one `policy-list` line: SOURCE key=FILE [fingerprint=HEX] [as=...] [min-age=...].
 * Whether the files are there is for the one who reads them: a list that cannot be used is no
 * reason not to start.
 */
#include <string.h>

#include "base/net/hostname.h"
#include "base/sign/openpgp.h"
#include "daemon/config/config_table.h"

#define SOURCE_MAX     900 /* octets: an URL has less than 1024, with port and suffix */
#define HTTPS_PORT     443
#define MIN_AGE_MAX_MS (INT64_C(30) * 86400 * 1000)

/* Printable ASCII: the signature's suffix comes behind it, so there is no query and no fragment. */
static bool is_url_path(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~' || strchr("?#\"<>\\^`{|}", *text) != NULL)
            return false;
    return true;
}

/* What follows "https://". */
static const char *set_url(struct config *config, struct config_list *out, const char *text)
{
    size_t length = strcspn(text, ":/");
    const char *host = arena_strndup(config->arena, text, length), *digits, *why;
    uint64_t port = HTTPS_PORT;

    text += length;
    if (host == NULL)
        return NULL;
    if (!hostname_valid(host, length, HOSTNAME_LDH) || ip_parse(&(struct ip){0}, host))
        return "the URL has no host name";
    if (*text == ':') {
        length = strcspn(++text, "/");
        digits = arena_strndup(config->arena, text, length);
        why = digits == NULL ? NULL : config_number_parse(&port, digits, COUNT);
        if (why != NULL || port == 0 || port > 65535)
            return "a port is 1 to 65535";
        text += length;
    }
    if (*text != '/' || !is_url_path(text))
        return "the URL has no path, or one that is not plain (a query, a fragment, a blank)";
    out->host = host;
    out->port = (uint16_t)port;
    out->path = text;
    return NULL;
}

static const char *set_source(struct config *config, struct config_list *out, const char *word)
{
    const char *url = config_after(word, "https://");

    if (strlen(word) > SOURCE_MAX)
        return "a source has at most 900 octets";
    for (size_t i = 0; i < config->list_count; i++)
        if (strcmp(config->lists[i].source, word) == 0)
            return "this source is given twice";
    out->source = out->path = word;
    if (url != NULL)
        return set_url(config, out, url);
    return *word == '/' ? NULL : "a source is an absolute path, or https://HOST/PATH";
}

static const char *set_as(struct config_list *out, const char *word)
{
    static const char *const words[] = {
        [LIST_AS_FILE] = "file", [LIST_AS_TESTING] = "testing", [LIST_AS_ENFORCE] = "enforce"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], word) == 0) {
            out->as = (enum list_as)i;
            return NULL;
        }
    return "as= is file, testing or enforce";
}

static const char *set_min_age(struct config_list *out, const char *word)
{
    uint64_t ms;
    const char *why = config_number_parse(&ms, word, DURATION);

    if (why != NULL)
        return why;
    if (ms > (uint64_t)MIN_AGE_MAX_MS)
        return "min-age= is 30 days at most";
    out->min_age_ms = (int64_t)ms;
    return NULL;
}

static const char *set_fingerprint(struct config *config, struct config_list *out, const char *word)
{
    char text[OPENPGP_FINGERPRINT_MAX + 1];

    if (!openpgp_fingerprint(text, word))
        return "fingerprint= has 40 hexadecimal digits, or 64";
    out->fingerprint = arena_strdup(config->arena, text);
    return NULL;
}

static const char *set_option(struct config *config, struct config_list *out, const char *word)
{
    const char *key = config_after(word, "key="), *as = config_after(word, "as=");
    const char *fingerprint = config_after(word, "fingerprint=");
    const char *min_age = config_after(word, "min-age=");

    if (key != NULL) {
        out->key_path = key;
        return *key == '/' ? NULL : "key= is an absolute path";
    }
    if (fingerprint != NULL)
        return set_fingerprint(config, out, fingerprint);
    if (as != NULL)
        return set_as(out, as);
    if (min_age != NULL)
        return set_min_age(out, min_age);
    return "unknown option: key=, fingerprint=, as= and min-age= are known";
}

const char *config_set_policy_list(struct config *config, const char *text)
{
    struct config_list list = {.as = LIST_AS_FILE};
    const char *word = config_next_word(config->arena, &text), *why;

    if (word == NULL)
        return NULL; /* the default: none */
    if (config->list_count == CONFIG_LISTS_MAX)
        return "more than 16 policy-list lines";
    why = set_source(config, &list, word);
    while (why == NULL && (word = config_next_word(config->arena, &text)) != NULL)
        why = set_option(config, &list, word);
    if (why == NULL && list.key_path == NULL)
        why = "key=FILE is missing: a list counts only with the signature of a known key";
    if (why == NULL)
        config->lists[config->list_count++] = list;
    return why;
}
