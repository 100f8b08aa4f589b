/*
 * config_table: see config_table.h. A new key is a row here, a member of struct config and an entry
 * in docs/mxcryptd.conf.5; tests/manual.sh compares.
 */
#include "daemon/config/config_table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/net/hostname.h"

#define STORE_PATH_MAX  500   /* SQLite takes 512, with what it puts behind it */
#define LIST_MAX        1000  /* entries of probe-exclude, allow-address */
#define TEXT_MAX        65536 /* no line is longer: SETTING_MAX of config.c */
#define SHARE_WORDS_MAX 64    /* octets of share-prefix and share-name */
#define NUMBER_MAX      (UINT64_C(1) << 53)

#define SECOND INT64_C(1000)
#define HOUR   (INT64_C(3600) * SECOND)
#define DAY    (24 * HOUR)

/* ---- parts of values: each returns NULL, or what is wrong with the text ---- */

const char *config_number_parse(uint64_t *out, const char *text, enum config_kind kind)
{
    static const struct {
        const char *why;
        struct {
            const char *name;
            uint64_t factor;
        } units[6]; /* NULL after the last */
    } kinds[] = {
        [DURATION] = {"a duration ends in ms, s, m, h or d",
                      {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}}},
        [COUNT] = {"not a number", {{"", 1}}},
        [OCTETS] = {"a size ends in K, M, G or a digit",
                    {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}}},
    };
    uint64_t number = 0;
    const char *p = text;
    size_t i = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        number = number * 10 + (uint64_t)(*p - '0');
        if (number > NUMBER_MAX)
            return "the number is too large";
    }
    if (p == text)
        return "not a number";
    while (kinds[kind].units[i].name != NULL && strcmp(kinds[kind].units[i].name, p) != 0)
        i++;
    if (kinds[kind].units[i].name == NULL)
        return kinds[kind].why;
    if (number > NUMBER_MAX / kinds[kind].units[i].factor)
        return "the number is too large";
    *out = number * kinds[kind].units[i].factor;
    return NULL;
}

const char *config_next_word(struct arena *arena, const char **text)
{
    const char *start = *text + strspn(*text, " \t,");
    size_t length = strcspn(start, " \t,");

    *text = start + length;
    return length == 0 ? NULL : arena_strndup(arena, start, length);
}

/* ADDRESS:PORT or [V6]:PORT; without `need_port` also ADDRESS alone. */
static const char *address_and_port(struct ip *ip, uint16_t *port, const char *text, bool need_port)
{
    char address[IP_TEXT_MAX];
    const char *end, *colon;
    size_t skip = text[0] == '[', length;
    uint64_t number;

    if (!need_port && ip_parse(ip, text))
        return NULL;
    end = skip ? strchr(text, ']') : strrchr(text, ':');
    length = end == NULL ? 0 : (size_t)(end - text) - skip;
    if (end == NULL || length >= sizeof address)
        return need_port ? "must be ADDRESS:PORT" : "not an address";
    memcpy(address, text + skip, length);
    address[length] = '\0';
    if (!ip_parse(ip, address))
        return "not an address";
    colon = end + skip;
    if (*colon == '\0' && !need_port)
        return NULL;
    if (*colon != ':')
        return "must be ADDRESS:PORT";
    if (config_number_parse(&number, colon + 1, COUNT) != NULL || number == 0 || number > 65535)
        return "a port is 1 to 65535";
    *port = (uint16_t)number;
    return NULL;
}

/* ---- values with a function of their own ---- */

const struct listen_kind listen_kinds[LISTEN_KINDS] = {
    [LISTEN_SOCKETMAP] = {"socketmap", "socketmap:unix:", "socketmap:inet:"},
    [LISTEN_TCP_TABLE] = {"tcp_table", NULL, "tcp:"},
    [LISTEN_EXIM] = {"exim", "exim:unix:", "exim:inet:"},
    [LISTEN_CONTROL] = {"control", NULL, NULL},
};

const char *config_after(const char *text, const char *prefix)
{
    size_t length = prefix == NULL ? 0 : strlen(prefix);

    return length > 0 && strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static const char *listen_target(struct listen_address *out, const char *word)
{
    const char *path = config_after(word, "unix:"), *endpoint = NULL;

    for (unsigned i = 0; i < LISTEN_KINDS && path == NULL && endpoint == NULL; i++) {
        out->protocol = (enum listen_protocol)i;
        path = config_after(word, listen_kinds[i].unix_prefix);
        endpoint = config_after(word, listen_kinds[i].tcp_prefix);
    }
    if (endpoint != NULL)
        return address_and_port(&out->ip, &out->port, endpoint, true);
    if (path == NULL)
        return "must be socketmap:unix:PATH, socketmap:inet:ADDRESS:PORT, tcp:ADDRESS:PORT, "
               "exim:unix:PATH or exim:inet:ADDRESS:PORT";
    if (*path != '/')
        return "the path of a Unix socket begins with /";
    if (strlen(path) > CONFIG_UNIX_PATH_MAX)
        return "a socket's path has at most 107 octets";
    out->path = path;
    return NULL;
}

static const char *listen_option(struct listen_address *out, const char *word)
{
    const char *owner = config_after(word, "owner="), *group = config_after(word, "group=");
    const char *mode = config_after(word, "mode=");
    unsigned long number;
    char *end;

    if (owner != NULL && *owner != '\0') {
        out->owner = owner;
    } else if (group != NULL && *group != '\0') {
        out->group = group;
    } else if (mode != NULL) {
        number = strtoul(mode, &end, 8);
        if (*mode < '0' || *mode > '7' || *end != '\0' || number > 0777)
            return "mode= is an octal number up to 0777";
        out->mode = (unsigned)number;
    } else {
        return "unknown option: owner=, group= and mode= are known";
    }
    return out->path == NULL ? "owner, group and mode are for Unix sockets" : NULL;
}

static const char *set_listen(struct config *config, const char *text)
{
    struct listen_address address = {.protocol = LISTEN_SOCKETMAP, .mode = 0666};
    const char *word = config_next_word(config->arena, &text), *why;

    if (config->listen_count == CONFIG_LISTEN_MAX)
        return "more than 16 listen lines";
    why = word == NULL ? "empty" : listen_target(&address, word);
    while (why == NULL && (word = config_next_word(config->arena, &text)) != NULL)
        why = listen_option(&address, word);
    if (why == NULL)
        config->listen[config->listen_count++] = address;
    return why;
}

static const char *set_rollout(struct config *config, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long percent = strtoul(text, NULL, 10);

    if (digits == 0 || digits > 3 || percent > 100 ||
        strcmp(text + digits + strspn(text + digits, " "), "%") != 0)
        return "must be 0 % to 100 %";
    config->override.rollout = (unsigned)percent;
    return NULL;
}

static const char *set_metrics_listen(struct config *config, const char *text)
{
    return *text == '\0' ? NULL
                         : address_and_port(&config->metrics_ip, &config->metrics_port, text, true);
}

static const char *set_tls_protocols(struct config *config, const char *text)
{
    return tls_versions_parse(&config->prober.tls.versions, text);
}

static const char *set_tls_ciphers(struct config *config, const char *text)
{
    char list[TLS_CIPHERS_MAX];
    const char *why = tls_ciphers_parse(list, text);

    if (why == NULL)
        config->prober.tls.cipher_list = arena_strdup(config->arena, list);
    return why;
}

/* Empty: the host's own name if it is a full one. Otherwise the prober has to look it up, which can
 * take long: reading a configuration does not wait for the DNS. */
static const char *set_helo_name(struct config *config, const char *text)
{
    char own[HOSTNAME_MAX + 1] = "";
    bool given = *text != '\0';

    if (!given && (gethostname(own, sizeof own) != 0 || own[HOSTNAME_MAX] != '\0' ||
                   strchr(own, '.') == NULL))
        return NULL;
    if (!given)
        text = own;
    if (hostname_valid(text, strlen(text), HOSTNAME_LDH))
        config->prober.probes.smtp.helo_name = arena_strdup(config->arena, text);
    else if (given)
        return "not a host name";
    return NULL;
}

static const char *set_resolver(struct config *config, const char *text)
{
    struct dns_options *dns = &config->prober.dns;
    const char *word, *why = NULL;

    while (why == NULL && (word = config_next_word(config->arena, &text)) != NULL) {
        struct dns_server *server = &dns->servers[dns->server_count];

        if (dns->server_count == DNS_RESOLVERS_MAX)
            return "more than 8 resolvers";
        dns->server_count++;
        server->port = 53;
        why = address_and_port(&server->ip, &server->port, word, false);
    }
    return why;
}

static const char *set_allow_address(struct config *config, const char *text)
{
    struct address_filter *filter = &config->prober.filter;
    struct ip_prefix *list = arena_array(config->arena, LIST_MAX, sizeof *list);
    const char *word;

    filter->allowed = list;
    while (list != NULL && (word = config_next_word(config->arena, &text)) != NULL) {
        if (filter->allowed_count == LIST_MAX)
            return "more than 1000 entries";
        if (!ip_prefix_parse(&list[filter->allowed_count++], word))
            return "not ADDRESS or ADDRESS/BITS with zero host bits";
    }
    return NULL;
}

static const char *set_probe_exclude(struct config *config, const char *text)
{
    struct address_filter *filter = &config->prober.filter;
    struct ip_prefix *prefixes = arena_array(config->arena, LIST_MAX, sizeof *prefixes);
    const char **names = arena_array(config->arena, LIST_MAX, sizeof *names);
    const char *word;

    filter->excluded = prefixes;
    filter->excluded_names = names;
    while (names != NULL && (word = config_next_word(config->arena, &text)) != NULL) {
        const char *name = word + (*word == '.');

        if (filter->excluded_count == LIST_MAX || filter->excluded_name_count == LIST_MAX)
            return "more than 1000 entries";
        if (ip_prefix_parse(&prefixes[filter->excluded_count], word))
            filter->excluded_count++;
        else if (hostname_valid(name, strlen(name), HOSTNAME_UNDERSCORE))
            names[filter->excluded_name_count++] = word;
        else
            return "not a host, a .domain, an address or ADDRESS/BITS";
    }
    return NULL;
}

static const char *set_rules(struct config *config, const char *text)
{
    config->rules_optional = *text == '\0';
    config->rules_path = config->rules_optional ? MXC_RULES_FILE : text;
    return *config->rules_path == '/' ? NULL : "must be an absolute path";
}

static const char *set_share(struct config *config, const char *text)
{
    struct valkey_url *url = arena_alloc(config->arena, sizeof *url);
    const char *why;

    if (*text == '\0' || url == NULL)
        return NULL;
    config->share = url;
    why = valkey_url_parse(url, text);
    return why == NULL && url->tls ? valkey_tls_lacking() : why;
}

static bool is_plain_name(const char *text, size_t max)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if (!ascii_is_alnum(text[i]) && strchr(".-_", text[i]) == NULL)
            return false;
    return length > 0 && length <= max;
}

static const char *set_share_prefix(struct config *config, const char *text)
{
    config->share_prefix = text;
    return is_plain_name(text, SHARE_WORDS_MAX) ? NULL : "1 to 64 letters, digits, . - and _";
}

/* Empty: the host's own name, as far as it can be one. */
static const char *set_share_name(struct config *config, const char *text)
{
    char own[SHARE_WORDS_MAX + 1] = "";

    if (*text == '\0' && (gethostname(own, sizeof own) != 0 || own[SHARE_WORDS_MAX] != '\0' ||
                          !is_plain_name(own, SHARE_WORDS_MAX)))
        strcpy(own, "relay");
    config->share_name = *text == '\0' ? arena_strdup(config->arena, own) : text;
    return config->share_name == NULL || is_plain_name(config->share_name, SHARE_WORDS_MAX)
               ? NULL
               : "1 to 64 letters, digits, . - and _";
}

/* ---- the table ---- */

static const struct config_choice no_yes = {"must be yes or no", {"no", "yes"}};
static const struct config_choice log_targets = {"must be stderr or syslog", {"stderr", "syslog"}};
static const struct config_choice log_levels = {"must be error, warning, info or debug",
                                                {[LOG_LEVEL_ERROR] = "error",
                                                 [LOG_LEVEL_WARNING] = "warning",
                                                 [LOG_LEVEL_INFO] = "info",
                                                 [LOG_LEVEL_DEBUG] = "debug"}};
static const struct config_choice modes = {"must be enforce or monitor", {"enforce", "monitor"}};
static const struct config_choice partial_danes = {"must be dane-only, dane or empty",
                                                   {[PARTIAL_DANE_TABLE] = "",
                                                    [PARTIAL_DANE_ONLY] = "dane-only",
                                                    [PARTIAL_DANE_OPPORTUNISTIC] = "dane"}};
static const struct config_choice testings = {"must be none or enforce", {"none", "enforce"}};
static const struct config_choice wildcards = {"must be hosts or suffix", {"suffix", "hosts"}};
static const struct config_choice probe_levels = {"must be verify or encrypt",
                                                  {"encrypt", "verify"}};

#define FIELD(member)                 offsetof(struct config, member), sizeof(((struct config *)0)->member)
#define RANGE(kind, member, min, max) kind, FIELD(member), min, max, NULL, NULL
#define WORD(member, choice)          CHOICE, FIELD(member), 0, 0, NULL, &(choice)
#define BY(set)                       CUSTOM, 0, 0, 0, 0, set, NULL

const struct config_row config_rows[] = {
    {"listen", "socketmap:unix:/var/spool/postfix/mxcrypt/policy.sock", BY(set_listen),
     CONFIG_REPEATS},
    {"control-socket", "/run/mxcrypt/control.sock",
     RANGE(PATH, control_socket, 1, CONFIG_UNIX_PATH_MAX), 0},
    {"metrics-listen", "", BY(set_metrics_listen), 0},
    {"user", "mxcrypt", RANGE(STRING, user, 1, TEXT_MAX), 0},
    {"sandbox", "yes", WORD(sandbox, no_yes), 0},
    {"log", "stderr", WORD(log_syslog, log_targets), 0},
    {"log-level", "info", WORD(log_level, log_levels), CONFIG_LIVE},
    {"mode", "enforce", WORD(override.monitor, modes), CONFIG_LIVE},
    {"rollout", "100%", BY(set_rollout), CONFIG_LIVE},
    {"rules", "", BY(set_rules), CONFIG_LIVE},
    {"helo-name", "", BY(set_helo_name), 0},
    {"resolver", "", BY(set_resolver), 0},
    {"resolv-conf", "/etc/resolv.conf", RANGE(STRING, prober.dns.resolv_conf, 1, TEXT_MAX), 0},
    {"dns-timeout", "1500ms", RANGE(DURATION, prober.dns.timeout_ms, 10, 30 * SECOND), 0},
    {"dns-tries", "3", RANGE(COUNT, prober.dns.tries, 1, 10), 0},
    {"dns-queries", "1000", RANGE(COUNT, prober.dns.in_flight_max, 1, 10000), 0},
    {"dane", "yes", WORD(prober.dane, no_yes), CONFIG_LOOKUP},
    {"partial-dane", "", WORD(verdict.partial_dane, partial_danes), 0},
    {"mta-sts", "yes", WORD(prober.mta_sts, no_yes), CONFIG_LOOKUP},
    {"testing", "none", WORD(verdict.testing_enforced, testings), 0},
    {"sts-wildcards", "hosts", WORD(verdict.wildcard_hosts, wildcards), 0},
    {"probe", "yes", WORD(prober.probe, no_yes), CONFIG_LOOKUP},
    {"probe-level", "verify", WORD(verdict.verify, probe_levels), 0},
    {"probe-exclude", "", BY(set_probe_exclude), CONFIG_LOOKUP},
    {"allow-address", "", BY(set_allow_address), CONFIG_LOOKUP},
    {"ca-file", "", RANGE(PATH, prober.ca_file, 0, TEXT_MAX), CONFIG_LOOKUP},
    {"ca-path", "", RANGE(PATH, prober.ca_path, 0, TEXT_MAX), CONFIG_LOOKUP},
    {"probe-bind-address", "", RANGE(ADDRESS, prober.probes.smtp.bind, 4, 4), 0},
    {"probe-bind-address6", "", RANGE(ADDRESS, prober.probes.smtp.bind6, 6, 6), 0},
    {"tls-protocols", ">=TLSv1", BY(set_tls_protocols), CONFIG_LOOKUP},
    {"tls-ciphers", "medium", BY(set_tls_ciphers), CONFIG_LOOKUP},
    {"smtp-port", "25", RANGE(COUNT, prober.smtp_port, 1, 65535), CONFIG_LOOKUP},
    {"answer-deadline", "5s", RANGE(DURATION, answer_deadline_ms, 10, 60 * SECOND), 0},
    {"job-deadline", "30s", RANGE(DURATION, job_deadline_ms, 10, 300 * SECOND), 0},
    {"fetch-deadline", "20s", RANGE(DURATION, prober.https.deadline_ms, 10, 60 * SECOND), 0},
    {"fetches", "100", RANGE(COUNT, prober.https.in_flight_max, 1, 10000), 0},
    {"greeting-deadline", "30s", RANGE(DURATION, prober.probes.smtp.greeting_ms, 10, 300 * SECOND),
     0},
    {"probe-deadline", "60s", RANGE(DURATION, prober.probes.smtp.total_ms, 10, 600 * SECOND), 0},
    {"probe-ttl", "24h", RANGE(DURATION, prober.probes.good_ms, 10, 30 * DAY), 0},
    {"probe-retry-min", "15m", RANGE(DURATION, prober.probes.retry_min_ms, 10, DAY), 0},
    {"probe-retry-max", "6h", RANGE(DURATION, prober.probes.retry_max_ms, 10, 7 * DAY), 0},
    {"probe-connections", "200", RANGE(COUNT, prober.probes.connections_max, 1, 10000), 0},
    {"probe-connections-prefix", "20", RANGE(COUNT, prober.probes.connections_prefix_max, 1, 10000),
     0},
    {"probe-entries", "100000", RANGE(COUNT, prober.probes.entries_max, 1, 10000000), 0},
    {"sts-retry", "5m", RANGE(DURATION, prober.sts.retry_ms, 10, DAY), 0},
    {"sts-refresh", "24h", RANGE(DURATION, prober.sts.refresh_ms, 10, 30 * DAY), 0},
    {"sts-entries", "100000", RANGE(COUNT, prober.sts.entries_max, 1, 10000000), 0},
    {"ttl-min", "60s", RANGE(DURATION, verdict.ttl_min_ms, 10, HOUR), 0},
    {"ttl-max", "24h", RANGE(DURATION, verdict.ttl_max_ms, 10, 7 * DAY), 0},
    {"negative-ttl-max", "3h", RANGE(DURATION, verdict.negative_ttl_max_ms, 10, DAY), 0},
    {"temp-ttl", "60s", RANGE(DURATION, verdict.temp_ttl_ms, 10, 300 * SECOND), 0},
    {"jobs", "2000", RANGE(COUNT, jobs_max, 1, 10000), 0},
    {"jobs-suffix", "64", RANGE(COUNT, jobs_suffix_max, 1, 10000), 0},
    {"max-connections", "1024", RANGE(COUNT, connections_max, 1, 1000000), 0},
    {"idle-timeout", "150s", RANGE(DURATION, idle_timeout_ms, 10, DAY), 0},
    {"stall-warning", "0s", RANGE(DURATION, stall_warning_ms, 0, 60 * SECOND), 0},
    {"cache-entries", "200000", RANGE(COUNT, cache_entries, 1, 100000000), 0},
    {"store", "/var/lib/mxcrypt/store.db", RANGE(PATH, store_path, 0, STORE_PATH_MAX), 0},
    {"store-flush", "5s", RANGE(DURATION, store_flush_ms, 10, HOUR), 0},
    {"import", "", RANGE(PATH, import_path, 0, TEXT_MAX), 0},
    {"hold", "48h", RANGE(DURATION, verdict.hold_ms, 0, 30 * DAY), 0},
    {"hold-expired", "24h", RANGE(DURATION, verdict.hold_expired_ms, 0, 30 * DAY), 0},
    {"hold-probe-min", "15m", RANGE(DURATION, verdict.hold_probe_min_ms, 10, DAY), 0},
    {"hold-probe-max", "6h", RANGE(DURATION, verdict.hold_probe_max_ms, 10, DAY), 0},
    {"hold-reminder", "24h", RANGE(DURATION, hold_reminder_ms, 10, 30 * DAY), 0},
    {"remembered-deadline", "500ms", RANGE(DURATION, stale_deadline_ms, 10, 60 * SECOND), 0},
    {"refresh-idle", "24h", RANGE(DURATION, refresh_idle_ms, 0, 30 * DAY), 0},
    {"refresh-rate", "20", RANGE(COUNT, refresh_rate, 1, 10000), 0},
    {"policy-list", "", BY(config_set_policy_list), CONFIG_REPEATS | CONFIG_LIVE},
    {"policy-list-refresh", "12h", RANGE(DURATION, list_refresh_ms, 10, 30 * DAY), CONFIG_LIVE},
    {"policy-list-stale", "48h", RANGE(DURATION, list_stale_ms, 10, 366 * DAY), CONFIG_LIVE},
    {"share", "", BY(set_share), 0},
    {"share-password-file", "", RANGE(PATH, share_password_file, 0, TEXT_MAX), 0},
    {"share-key-file", "", RANGE(PATH, share_key_file, 0, TEXT_MAX), 0},
    {"share-prefix", "mxcrypt", BY(set_share_prefix), 0},
    {"share-name", "", BY(set_share_name), 0},
    {"share-deadline", "50ms", RANGE(DURATION, share_deadline_ms, 1, 5 * SECOND), 0},
    {"share-ca-file", "", RANGE(PATH, share_ca_file, 0, TEXT_MAX), 0},
    {"share-cert-file", "", RANGE(PATH, share_cert_file, 0, TEXT_MAX), 0},
    {"share-cert-key", "", RANGE(PATH, share_cert_key, 0, TEXT_MAX), 0},
    {"tlsrpt-organization", "", RANGE(STRING, tlsrpt_organization, 0, TEXT_MAX), 0},
    {"tlsrpt-contact", "", RANGE(STRING, tlsrpt_contact, 0, TEXT_MAX), 0},
    {"cache-size", "256M", RANGE(OCTETS, cache_octets, 65536, INT64_C(1) << 40), 0},
};
_Static_assert(sizeof config_rows / sizeof config_rows[0] == CONFIG_KEYS, "CONFIG_KEYS");

/* ---- from text to values ---- */

static void store_integer(void *target, size_t size, uint64_t value)
{
    if (size == sizeof(bool))
        *(bool *)target = value != 0;
    else if (size == sizeof(uint16_t))
        *(uint16_t *)target = (uint16_t)value;
    else if (size == sizeof(uint32_t))
        *(uint32_t *)target = (uint32_t)value;
    else
        *(uint64_t *)target = value;
}

static const char *set_number(struct config *config, const struct config_row *row, const char *text)
{
    uint64_t number = 0;
    const char *why = config_number_parse(&number, text, row->kind);

    if (why != NULL)
        return why;
    if (number < (uint64_t)row->min || number > (uint64_t)row->max)
        return "out of range";
    store_integer((char *)config + row->offset, row->size, number);
    return NULL;
}

static const char *set_choice(struct config *config, const struct config_row *row, const char *text)
{
    for (size_t i = 0; row->choice->words[i] != NULL; i++)
        if (strcmp(row->choice->words[i], text) == 0) {
            store_integer((char *)config + row->offset, row->size, i);
            return NULL;
        }
    return row->choice->why;
}

/* An empty text, where it may be empty, leaves NULL. */
static const char *set_text(struct config *config, const struct config_row *row, const char *text)
{
    const char **target = (const char **)(void *)((char *)config + row->offset);
    size_t length = strlen(text);

    if (length < (size_t)row->min)
        return "must not be empty";
    if (length > (size_t)row->max)
        return arena_printf(config->arena, "longer than %u octets", (unsigned)row->max);
    if (row->kind == PATH && length > 0 && *text != '/')
        return "must be an absolute path";
    *target = length > 0 ? text : NULL;
    return NULL;
}

/* Of the family that is the row's minimum; an empty text is the kernel's choice. */
static const char *set_address(struct config *config, const struct config_row *row,
                               const char *text)
{
    struct ip *target = (struct ip *)(void *)((char *)config + row->offset);
    struct ip ip = {0}, any = {.family = (uint8_t)row->min};

    if (*text != '\0' && (!ip_parse(&ip, text) || ip.family != any.family || ip_equal(&ip, &any)))
        return any.family == 4 ? "must be an IPv4 address of this host"
                               : "must be an IPv6 address of this host";
    *target = ip;
    return NULL;
}

const char *config_row_set(struct config *config, const struct config_row *row, const char *text)
{
    switch (row->kind) {
    case CUSTOM:
        return row->set(config, text);
    case CHOICE:
        return set_choice(config, row, text);
    case STRING:
    case PATH:
        return set_text(config, row, text);
    case ADDRESS:
        return set_address(config, row, text);
    default:
        return set_number(config, row, text);
    }
}
