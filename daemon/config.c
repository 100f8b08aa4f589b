/*
 * config: the table of keys and how a file becomes a struct config; see config.h.
 *
 * A value's syntax is config_values.c's; here are names, defaults and bounds. Any error names file
 * and line and ends the reading: a daemon that misread its orders must not start.
 */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/hostname.h"
#include "daemon/config_values.h"

#define CONFIG_ARENA_MAX (16 * 1024 * 1024)
#define STORE_PATH_MAX   500  /* SQLite takes 512, with what it puts behind it */
#define LIST_MAX         1000 /* entries of probe-exclude, allow-address */

enum kind { DURATION, COUNT, OCTETS, BOOL, STRING, CUSTOM };

struct row {
    const char *key;
    const char *fallback;
    enum kind kind;
    size_t offset, size;
    int64_t min, max;
    const char *(*set)(struct config *config, const char *text);
};

#define FIELD(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)
#define SECOND        INT64_C(1000)
#define HOUR          (INT64_C(3600) * SECOND)
#define DAY           (24 * HOUR)

/* ---- values that need more than a number ---- */

static const char *set_listen(struct config *config, const char *text)
{
    if (config->listen_count == CONFIG_LISTEN_MAX)
        return "more than 16 listen lines";
    return value_listen(&config->listen[config->listen_count++], config->arena, text);
}

static const char *set_log_level(struct config *config, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            config->log_level = (enum log_level)i;
            return NULL;
        }
    return "must be error, warning, info or debug";
}

static const char *set_partial_dane(struct config *config, const char *text)
{
    if (*text == '\0')
        config->verdict.partial_dane = PARTIAL_DANE_TABLE;
    else if (strcmp(text, "dane-only") == 0)
        config->verdict.partial_dane = PARTIAL_DANE_ONLY;
    else if (strcmp(text, "dane") == 0)
        config->verdict.partial_dane = PARTIAL_DANE_OPPORTUNISTIC;
    else
        return "must be dane-only, dane or empty";
    return NULL;
}

static const char *set_testing(struct config *config, const char *text)
{
    config->verdict.testing_enforced = strcmp(text, "enforce") == 0;
    return config->verdict.testing_enforced || strcmp(text, "none") == 0
               ? NULL
               : "must be none or enforce";
}

static const char *set_probe_level(struct config *config, const char *text)
{
    config->verdict.verify = strcmp(text, "verify") == 0;
    return config->verdict.verify || strcmp(text, "encrypt") == 0 ? NULL
                                                                  : "must be verify or encrypt";
}

/* The host's own full name, as the resolver library gives it; "localhost" as a last resort. */
static const char *own_name(struct arena *arena)
{
    char name[HOSTNAME_MAX + 1] = "";
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_family = AF_UNSPEC}, *found = NULL;
    const char *result = NULL;

    if (gethostname(name, sizeof name) != 0 || name[sizeof name - 1] != '\0')
        return "localhost";
    if (strchr(name, '.') == NULL && getaddrinfo(name, NULL, &hints, &found) == 0) {
        if (found->ai_canonname != NULL && strchr(found->ai_canonname, '.') != NULL)
            result = arena_strdup(arena, found->ai_canonname);
        freeaddrinfo(found);
    }
    if (result == NULL)
        result = arena_strdup(arena, name);
    return result != NULL && hostname_valid(result, strlen(result), HOSTNAME_LDH) ? result
                                                                                  : "localhost";
}

static const char *set_helo_name(struct config *config, const char *text)
{
    if (*text == '\0')
        text = own_name(config->arena);
    if (!hostname_valid(text, strlen(text), HOSTNAME_LDH))
        return "not a host name";
    config->prober.book.smtp.helo_name = arena_strdup(config->arena, text);
    return NULL;
}

static const char *set_resolver(struct config *config, const char *text)
{
    struct dns_options *dns = &config->prober.dns;
    const char *word, *why = NULL;

    while (why == NULL && (word = value_word(config->arena, &text)) != NULL) {
        if (dns->server_count == DNS_RESOLVERS_MAX)
            return "more than 8 resolvers";
        why = value_server(&dns->servers[dns->server_count++], word);
    }
    return why;
}

static const char *set_allow_address(struct config *config, const char *text)
{
    struct address_filter *filter = &config->prober.filter;
    struct ip_prefix *list = arena_array(config->arena, LIST_MAX, sizeof *list);
    const char *word;

    filter->allowed = list;
    while (list != NULL && (word = value_word(config->arena, &text)) != NULL) {
        if (filter->allowed_count == LIST_MAX)
            return "more than 1000 entries";
        if (!ip_prefix_parse(&list[filter->allowed_count++], word))
            return "not ADDRESS or ADDRESS/BITS with zero host bits";
    }
    return NULL;
}

static const char *exclude_one(struct address_filter *filter, struct ip_prefix *prefixes,
                               const char **names, const char *word)
{
    const char *name = word + (*word == '.');

    if (filter->excluded_count == LIST_MAX || filter->excluded_name_count == LIST_MAX)
        return "more than 1000 entries";
    if (ip_prefix_parse(&prefixes[filter->excluded_count], word)) {
        filter->excluded_count++;
        return NULL;
    }
    if (!hostname_valid(name, strlen(name), HOSTNAME_UNDERSCORE))
        return "not a host, a .domain, an address or ADDRESS/BITS";
    names[filter->excluded_name_count++] = word;
    return NULL;
}

static const char *set_probe_exclude(struct config *config, const char *text)
{
    struct address_filter *filter = &config->prober.filter;
    struct ip_prefix *prefixes = arena_array(config->arena, LIST_MAX, sizeof *prefixes);
    const char **names = arena_array(config->arena, LIST_MAX, sizeof *names);
    const char *word, *why = NULL;

    filter->excluded = prefixes;
    filter->excluded_names = names;
    while (names != NULL && why == NULL && (word = value_word(config->arena, &text)) != NULL)
        why = exclude_one(filter, prefixes, names, word);
    return why;
}

/* A file or folder of trust anchors; the two keys differ in their target only. */
static const char *absolute_path(struct config *config, const char **out, const char *text)
{
    if (*text == '\0')
        return NULL;
    if (*text != '/')
        return "must be an absolute path";
    *out = arena_strdup(config->arena, text);
    return NULL;
}

static const char *set_control_socket(struct config *config, const char *text)
{
    if (*text == '\0' || strlen(text) > CONFIG_UNIX_PATH_MAX)
        return "must be a path of 1 to 107 octets";
    return absolute_path(config, &config->control_socket, text);
}

static const char *set_ca_file(struct config *config, const char *text)
{
    return absolute_path(config, &config->prober.ca_file, text);
}

static const char *set_ca_path(struct config *config, const char *text)
{
    return absolute_path(config, &config->prober.ca_path, text);
}

static const char *set_store(struct config *config, const char *text)
{
    if (strlen(text) > STORE_PATH_MAX)
        return "longer than 500 octets";
    return absolute_path(config, &config->store_path, text);
}

static const char *set_import(struct config *config, const char *text)
{
    return absolute_path(config, &config->import_path, text);
}

/* ---- the table ---- */

static const struct row rows[] = {
    {"listen", "socketmap:unix:/var/spool/postfix/mxcrypt/policy.sock", CUSTOM, 0, 0, 0, 0,
     set_listen},
    {"control-socket", "/run/mxcrypt/control.sock", CUSTOM, 0, 0, 0, 0, set_control_socket},
    {"log-level", "info", CUSTOM, 0, 0, 0, 0, set_log_level},
    {"helo-name", "", CUSTOM, 0, 0, 0, 0, set_helo_name},
    {"resolver", "", CUSTOM, 0, 0, 0, 0, set_resolver},
    {"resolv-conf", "/etc/resolv.conf", STRING, FIELD(prober.dns.resolv_conf), 0, 0, NULL},
    {"dns-timeout", "1500ms", DURATION, FIELD(prober.dns.timeout_ms), 10, 30 * SECOND, NULL},
    {"dns-tries", "3", COUNT, FIELD(prober.dns.tries), 1, 10, NULL},
    {"dns-queries", "1000", COUNT, FIELD(prober.dns.in_flight_max), 1, 10000, NULL},
    {"dane", "yes", BOOL, FIELD(prober.dane), 0, 0, NULL},
    {"partial-dane", "", CUSTOM, 0, 0, 0, 0, set_partial_dane},
    {"mta-sts", "yes", BOOL, FIELD(prober.mta_sts), 0, 0, NULL},
    {"testing", "none", CUSTOM, 0, 0, 0, 0, set_testing},
    {"probe", "yes", BOOL, FIELD(prober.probe), 0, 0, NULL},
    {"probe-level", "verify", CUSTOM, 0, 0, 0, 0, set_probe_level},
    {"probe-exclude", "", CUSTOM, 0, 0, 0, 0, set_probe_exclude},
    {"allow-address", "", CUSTOM, 0, 0, 0, 0, set_allow_address},
    {"ca-file", "", CUSTOM, 0, 0, 0, 0, set_ca_file},
    {"ca-path", "", CUSTOM, 0, 0, 0, 0, set_ca_path},
    {"smtp-port", "25", COUNT, FIELD(prober.smtp_port), 1, 65535, NULL},
    {"answer-deadline", "5s", DURATION, FIELD(answer_deadline_ms), 10, 60 * SECOND, NULL},
    {"job-deadline", "30s", DURATION, FIELD(job_deadline_ms), 10, 300 * SECOND, NULL},
    {"fetch-deadline", "20s", DURATION, FIELD(prober.https.deadline_ms), 10, 60 * SECOND, NULL},
    {"fetches", "100", COUNT, FIELD(prober.https.in_flight_max), 1, 10000, NULL},
    {"greeting-deadline", "30s", DURATION, FIELD(prober.book.smtp.greeting_ms), 10, 300 * SECOND,
     NULL},
    {"probe-deadline", "60s", DURATION, FIELD(prober.book.smtp.total_ms), 10, 600 * SECOND, NULL},
    {"probe-ttl", "24h", DURATION, FIELD(prober.book.good_ms), 10, 30 * DAY, NULL},
    {"probe-retry-min", "15m", DURATION, FIELD(prober.book.retry_min_ms), 10, DAY, NULL},
    {"probe-retry-max", "6h", DURATION, FIELD(prober.book.retry_max_ms), 10, 7 * DAY, NULL},
    {"probe-connections", "200", COUNT, FIELD(prober.book.connections_max), 1, 10000, NULL},
    {"probe-connections-prefix", "20", COUNT, FIELD(prober.book.connections_prefix_max), 1, 10000,
     NULL},
    {"probe-entries", "100000", COUNT, FIELD(prober.book.entries_max), 1, 10000000, NULL},
    {"sts-retry", "5m", DURATION, FIELD(prober.sts.retry_ms), 10, DAY, NULL},
    {"sts-refresh", "24h", DURATION, FIELD(prober.sts.refresh_ms), 10, 30 * DAY, NULL},
    {"sts-entries", "100000", COUNT, FIELD(prober.sts.entries_max), 1, 10000000, NULL},
    {"ttl-min", "60s", DURATION, FIELD(verdict.ttl_min_ms), 10, HOUR, NULL},
    {"ttl-max", "24h", DURATION, FIELD(verdict.ttl_max_ms), 10, 7 * DAY, NULL},
    {"negative-ttl-max", "3h", DURATION, FIELD(verdict.negative_ttl_max_ms), 10, DAY, NULL},
    {"temp-ttl", "60s", DURATION, FIELD(verdict.temp_ttl_ms), 10, 300 * SECOND, NULL},
    {"jobs", "2000", COUNT, FIELD(jobs_max), 1, 10000, NULL},
    {"jobs-suffix", "64", COUNT, FIELD(jobs_suffix_max), 1, 10000, NULL},
    {"max-connections", "1024", COUNT, FIELD(connections_max), 1, 1000000, NULL},
    {"idle-timeout", "150s", DURATION, FIELD(idle_timeout_ms), 10, DAY, NULL},
    {"stall-warning", "0s", DURATION, FIELD(stall_warning_ms), 0, 60 * SECOND, NULL},
    {"cache-entries", "200000", COUNT, FIELD(cache_entries), 1, 100000000, NULL},
    {"store", "/var/lib/mxcrypt/store.db", CUSTOM, 0, 0, 0, 0, set_store},
    {"store-flush", "5s", DURATION, FIELD(store_flush_ms), 10, HOUR, NULL},
    {"import", "", CUSTOM, 0, 0, 0, 0, set_import},
    {"hold", "48h", DURATION, FIELD(verdict.hold_ms), 0, 30 * DAY, NULL},
    {"hold-expired", "24h", DURATION, FIELD(verdict.hold_expired_ms), 0, 30 * DAY, NULL},
    {"hold-probe-min", "15m", DURATION, FIELD(verdict.hold_probe_min_ms), 10, DAY, NULL},
    {"hold-probe-max", "6h", DURATION, FIELD(verdict.hold_probe_max_ms), 10, DAY, NULL},
    {"hold-reminder", "24h", DURATION, FIELD(hold_reminder_ms), 10, 30 * DAY, NULL},
    {"remembered-deadline", "500ms", DURATION, FIELD(remembered_deadline_ms), 10, 60 * SECOND,
     NULL},
    {"refresh-idle", "24h", DURATION, FIELD(refresh_idle_ms), 0, 30 * DAY, NULL},
    {"refresh-rate", "20", COUNT, FIELD(refresh_rate), 1, 10000, NULL},
    {"cache-size", "256M", OCTETS, FIELD(cache_octets), 65536, INT64_C(1) << 40, NULL},
};
#define ROWS (sizeof rows / sizeof rows[0])

const char *config_key_name(size_t index)
{
    return index < ROWS ? rows[index].key : NULL;
}

const char *config_key_default(size_t index)
{
    return index < ROWS ? rows[index].fallback : NULL;
}

/* ---- from text to values ---- */

static void store_integer(void *target, size_t size, uint64_t value)
{
    if (size == sizeof(uint16_t))
        *(uint16_t *)target = (uint16_t)value;
    else if (size == sizeof(uint32_t))
        *(uint32_t *)target = (uint32_t)value;
    else
        *(uint64_t *)target = value;
}

static const char *set_number(struct config *config, const struct row *row, const char *text)
{
    uint64_t number = 0;
    int64_t ms = 0;
    const char *why = row->kind == DURATION ? value_duration(&ms, text)
                      : row->kind == OCTETS ? value_octets(&number, text)
                                            : value_count(&number, text);

    if (why != NULL)
        return why;
    if (row->kind == DURATION)
        number = (uint64_t)ms;
    if (number < (uint64_t)row->min || number > (uint64_t)row->max)
        return "out of range";
    store_integer((char *)config + row->offset, row->size, number);
    return NULL;
}

static const char *set_value(struct config *config, const struct row *row, const char *text)
{
    char *target = (char *)config + row->offset;

    switch (row->kind) {
    case CUSTOM:
        return row->set(config, text);
    case BOOL:
        return value_bool((bool *)(void *)target, text);
    case STRING:
        if (*text == '\0')
            return "must not be empty";
        *(const char **)(void *)target = text;
        return NULL;
    default:
        return set_number(config, row, text);
    }
}

/* Where a value came from, for messages. */
struct origin {
    const char *file;
    unsigned line; /* 0: the command line */
};

struct loading {
    struct config *config;
    struct origin origin;
    bool seen[ROWS];
    bool overriding; /* now come the overrides */
    bool overridden[ROWS];
    char *error;
};

static int complain(struct loading *loading, const char *key, const char *why)
{
    if (loading->origin.line > 0)
        snprintf(loading->error, CONFIG_ERROR_MAX, "%s:%u: %s: %s", loading->origin.file,
                 loading->origin.line, key, why);
    else
        snprintf(loading->error, CONFIG_ERROR_MAX, "%s: %s: %s", loading->origin.file, key, why);
    return -1;
}

static bool may_repeat(const struct row *row)
{
    return row->set == set_listen;
}

static int take_setting(void *context, unsigned line, const char *key, const char *value)
{
    struct loading *loading = context;
    const char *why;
    size_t i;

    loading->origin.line = line;
    for (i = 0; i < ROWS; i++)
        if (strcmp(rows[i].key, key) == 0)
            break;
    if (i == ROWS)
        return complain(loading, key, "unknown key");
    if (!loading->overriding && loading->overridden[i])
        return 0;
    if (loading->seen[i] && !may_repeat(&rows[i]))
        return complain(loading, key, "given twice");
    loading->seen[i] = true;
    if (loading->overriding)
        loading->overridden[i] = true;
    why = set_value(loading->config, &rows[i], value);
    return why == NULL ? 0 : complain(loading, key, why);
}

static int take_overrides(struct loading *loading, const char *const *overrides, size_t count)
{
    const char *why = NULL;
    unsigned line;

    loading->overriding = true;
    loading->origin.file = "-o";
    for (size_t i = 0; i < count; i++) {
        int result = conf_read(overrides[i], strlen(overrides[i]), loading->config->arena,
                               take_setting, loading, &line, &why);

        if (result != 0 && why == NULL)
            return -1;
        loading->origin.line = 0;
        if (result != 0)
            return complain(loading, overrides[i], why);
    }
    loading->overriding = false;
    return 0;
}

static int take_defaults(struct loading *loading)
{
    loading->origin = (struct origin){"default", 0};
    for (size_t i = 0; i < ROWS; i++) {
        const char *why =
            loading->seen[i] ? NULL : set_value(loading->config, &rows[i], rows[i].fallback);

        if (why != NULL)
            return complain(loading, rows[i].key, why);
    }
    return 0;
}

/* What follows from several keys together. */
static int finish(struct loading *loading)
{
    struct config *config = loading->config;
    struct smtp_options *smtp = &config->prober.book.smtp;

    loading->origin = (struct origin){"configuration", 0};
    if (config->answer_deadline_ms > config->job_deadline_ms)
        return complain(loading, "answer-deadline", "longer than job-deadline");
    if (config->prober.book.retry_min_ms > config->prober.book.retry_max_ms)
        return complain(loading, "probe-retry-min", "longer than probe-retry-max");
    if (config->verdict.hold_probe_min_ms > config->verdict.hold_probe_max_ms)
        return complain(loading, "hold-probe-min", "longer than hold-probe-max");
    if (config->verdict.ttl_min_ms > config->verdict.ttl_max_ms)
        return complain(loading, "ttl-min", "longer than ttl-max");
    config->verdict.dane = config->prober.dane;
    config->verdict.probe = config->prober.probe;
    smtp->connect_ms = smtp->command_ms = smtp->greeting_ms;
    config->prober.https.body_max = STS_BODY_MAX;
    if (arena_failed(config->arena))
        return complain(loading, "reading", "no memory");
    return 0;
}

int config_parse(struct config *config, const char *name, const char *text, size_t length,
                 const char *const *overrides, size_t override_count, char error[CONFIG_ERROR_MAX])
{
    struct loading loading = {.config = config, .error = error};
    const char *why = NULL;
    unsigned line = 0;

    memset(config, 0, sizeof *config);
    error[0] = '\0';
    config->arena = arena_new(CONFIG_ARENA_MAX);
    if (config->arena == NULL) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: no memory", name);
        return -1;
    }
    if (take_overrides(&loading, overrides, override_count) != 0)
        return -1;
    loading.origin.file = name;
    if (conf_read(text, length, config->arena, take_setting, &loading, &line, &why) != 0) {
        loading.origin.line = line;
        return why == NULL ? -1 : complain(&loading, "syntax", why);
    }
    if (take_defaults(&loading) != 0)
        return -1;
    return finish(&loading);
}

/* The whole file into `text`; 0, or -1 with errno. */
static int read_file(struct buf *text, const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char part[4096];
    ssize_t n;

    if (file < 0)
        return -1;
    while ((n = read(file, part, sizeof part)) > 0)
        buf_add(text, part, (size_t)n);
    close(file);
    if (n == 0 && text->failed)
        errno = EFBIG;
    return n < 0 || text->failed ? -1 : 0;
}

int config_load(struct config *config, const char *path, const char *const *overrides,
                size_t override_count, char error[CONFIG_ERROR_MAX])
{
    const char *name = path == NULL ? MXC_CONFIG_FILE : path;
    struct buf text;
    int result;

    memset(config, 0, sizeof *config);
    buf_init(&text, CONF_FILE_MAX);
    if (read_file(&text, name) != 0 && (path != NULL || errno != ENOENT)) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: %s", name, strerror(errno));
        buf_fini(&text);
        return -1;
    }
    result =
        config_parse(config, name, buf_text(&text), text.length, overrides, override_count, error);
    buf_fini(&text);
    return result;
}

void config_fini(struct config *config)
{
    arena_free(config->arena);
    config->arena = NULL;
}
