/*
 * config_table: every key with its default and bounds, and how its value becomes part of a struct
 * config; see config_table.h. A value's syntax is config_values.c's.
 */
#include "daemon/config/config_table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/net/hostname.h"
#include "daemon/config/config_values.h"

#define STORE_PATH_MAX 500  /* SQLite takes 512, with what it puts behind it */
#define LIST_MAX       1000 /* entries of probe-exclude, allow-address */

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
    return log_level_parse(&config->log_level, text) ? NULL
                                                     : "must be error, warning, info or debug";
}

static const char *set_log(struct config *config, const char *text)
{
    config->log_syslog = strcmp(text, "syslog") == 0;
    return config->log_syslog || strcmp(text, "stderr") == 0 ? NULL : "must be stderr or syslog";
}

static const char *set_mode(struct config *config, const char *text)
{
    config->override.monitor = strcmp(text, "monitor") == 0;
    return config->override.monitor || strcmp(text, "enforce") == 0 ? NULL
                                                                    : "must be monitor or enforce";
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
    return *text == '\0' ? NULL : value_endpoint(&config->metrics_ip, &config->metrics_port, text);
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

static const char *set_wildcards(struct config *config, const char *text)
{
    config->verdict.wildcard_hosts = strcmp(text, "hosts") == 0;
    return config->verdict.wildcard_hosts || strcmp(text, "suffix") == 0
               ? NULL
               : "is neither hosts nor suffix";
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

/* The host's own name where it is a full one. Otherwise the prober has to look it up, which may
 * take as long as the DNS is silent: nothing that only reads a configuration waits for that. */
static const char *own_full_name(char room[HOSTNAME_MAX + 1])
{
    if (gethostname(room, HOSTNAME_MAX + 1) != 0 || room[HOSTNAME_MAX] != '\0')
        return NULL;
    return strchr(room, '.') != NULL && hostname_valid(room, strlen(room), HOSTNAME_LDH) ? room
                                                                                         : NULL;
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

/* A source address of one family; empty for the kernel's choice. */
static const char *source_address(struct ip *out, const char *text, uint8_t family)
{
    static const struct ip none;
    struct ip ip = none, any = {.family = family};

    if (*text != '\0' && (!ip_parse(&ip, text) || ip.family != family || ip_equal(&ip, &any)))
        return family == 4 ? "must be an IPv4 address of this host"
                           : "must be an IPv6 address of this host";
    *out = ip;
    return NULL;
}

static const char *set_bind_address(struct config *config, const char *text)
{
    return source_address(&config->prober.probes.smtp.bind, text, 4);
}

static const char *set_bind_address6(struct config *config, const char *text)
{
    return source_address(&config->prober.probes.smtp.bind6, text, 6);
}

static const char *set_helo_name(struct config *config, const char *text)
{
    char room[HOSTNAME_MAX + 1] = "";

    if (*text == '\0')
        text = own_full_name(room);
    if (text == NULL)
        return NULL;
    if (!hostname_valid(text, strlen(text), HOSTNAME_LDH))
        return "not a host name";
    config->prober.probes.smtp.helo_name = arena_strdup(config->arena, text);
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

static const char *set_rules(struct config *config, const char *text)
{
    config->rules_path = MXC_RULES_FILE;
    config->rules_optional = *text == '\0';
    return absolute_path(config, &config->rules_path, text);
}

static const char *set_import(struct config *config, const char *text)
{
    return absolute_path(config, &config->import_path, text);
}

/* ---- the table ---- */

const struct config_row config_rows[] = {
    {"listen", "socketmap:unix:/var/spool/postfix/mxcrypt/policy.sock", CUSTOM, 0, 0, 0, 0,
     set_listen, CONFIG_REPEATS},
    {"control-socket", "/run/mxcrypt/control.sock", CUSTOM, 0, 0, 0, 0, set_control_socket, 0},
    {"metrics-listen", "", CUSTOM, 0, 0, 0, 0, set_metrics_listen, 0},
    {"user", "mxcrypt", STRING, FIELD(user), 0, 0, NULL, 0},
    {"sandbox", "yes", BOOL, FIELD(sandbox), 0, 0, NULL, 0},
    {"log", "stderr", CUSTOM, 0, 0, 0, 0, set_log, 0},
    {"log-level", "info", CUSTOM, 0, 0, 0, 0, set_log_level, CONFIG_LIVE},
    {"mode", "enforce", CUSTOM, 0, 0, 0, 0, set_mode, CONFIG_LIVE},
    {"rollout", "100%", CUSTOM, 0, 0, 0, 0, set_rollout, CONFIG_LIVE},
    {"rules", "", CUSTOM, 0, 0, 0, 0, set_rules, CONFIG_LIVE},
    {"helo-name", "", CUSTOM, 0, 0, 0, 0, set_helo_name, 0},
    {"resolver", "", CUSTOM, 0, 0, 0, 0, set_resolver, 0},
    {"resolv-conf", "/etc/resolv.conf", STRING, FIELD(prober.dns.resolv_conf), 0, 0, NULL, 0},
    {"dns-timeout", "1500ms", DURATION, FIELD(prober.dns.timeout_ms), 10, 30 * SECOND, NULL, 0},
    {"dns-tries", "3", COUNT, FIELD(prober.dns.tries), 1, 10, NULL, 0},
    {"dns-queries", "1000", COUNT, FIELD(prober.dns.in_flight_max), 1, 10000, NULL, 0},
    {"dane", "yes", BOOL, FIELD(prober.dane), 0, 0, NULL, 0},
    {"partial-dane", "", CUSTOM, 0, 0, 0, 0, set_partial_dane, 0},
    {"mta-sts", "yes", BOOL, FIELD(prober.mta_sts), 0, 0, NULL, 0},
    {"testing", "none", CUSTOM, 0, 0, 0, 0, set_testing, 0},
    {"sts-wildcards", "hosts", CUSTOM, 0, 0, 0, 0, set_wildcards, 0},
    {"probe", "yes", BOOL, FIELD(prober.probe), 0, 0, NULL, 0},
    {"probe-level", "verify", CUSTOM, 0, 0, 0, 0, set_probe_level, 0},
    {"probe-exclude", "", CUSTOM, 0, 0, 0, 0, set_probe_exclude, 0},
    {"allow-address", "", CUSTOM, 0, 0, 0, 0, set_allow_address, 0},
    {"ca-file", "", CUSTOM, 0, 0, 0, 0, set_ca_file, 0},
    {"ca-path", "", CUSTOM, 0, 0, 0, 0, set_ca_path, 0},
    {"probe-bind-address", "", CUSTOM, 0, 0, 0, 0, set_bind_address, 0},
    {"probe-bind-address6", "", CUSTOM, 0, 0, 0, 0, set_bind_address6, 0},
    {"tls-protocols", ">=TLSv1", CUSTOM, 0, 0, 0, 0, set_tls_protocols, 0},
    {"tls-ciphers", "medium", CUSTOM, 0, 0, 0, 0, set_tls_ciphers, 0},
    {"smtp-port", "25", COUNT, FIELD(prober.smtp_port), 1, 65535, NULL, 0},
    {"answer-deadline", "5s", DURATION, FIELD(answer_deadline_ms), 10, 60 * SECOND, NULL, 0},
    {"job-deadline", "30s", DURATION, FIELD(job_deadline_ms), 10, 300 * SECOND, NULL, 0},
    {"fetch-deadline", "20s", DURATION, FIELD(prober.https.deadline_ms), 10, 60 * SECOND, NULL, 0},
    {"fetches", "100", COUNT, FIELD(prober.https.in_flight_max), 1, 10000, NULL, 0},
    {"greeting-deadline", "30s", DURATION, FIELD(prober.probes.smtp.greeting_ms), 10, 300 * SECOND,
     NULL, 0},
    {"probe-deadline", "60s", DURATION, FIELD(prober.probes.smtp.total_ms), 10, 600 * SECOND, NULL,
     0},
    {"probe-ttl", "24h", DURATION, FIELD(prober.probes.good_ms), 10, 30 * DAY, NULL, 0},
    {"probe-retry-min", "15m", DURATION, FIELD(prober.probes.retry_min_ms), 10, DAY, NULL, 0},
    {"probe-retry-max", "6h", DURATION, FIELD(prober.probes.retry_max_ms), 10, 7 * DAY, NULL, 0},
    {"probe-connections", "200", COUNT, FIELD(prober.probes.connections_max), 1, 10000, NULL, 0},
    {"probe-connections-prefix", "20", COUNT, FIELD(prober.probes.connections_prefix_max), 1, 10000,
     NULL, 0},
    {"probe-entries", "100000", COUNT, FIELD(prober.probes.entries_max), 1, 10000000, NULL, 0},
    {"sts-retry", "5m", DURATION, FIELD(prober.sts.retry_ms), 10, DAY, NULL, 0},
    {"sts-refresh", "24h", DURATION, FIELD(prober.sts.refresh_ms), 10, 30 * DAY, NULL, 0},
    {"sts-entries", "100000", COUNT, FIELD(prober.sts.entries_max), 1, 10000000, NULL, 0},
    {"ttl-min", "60s", DURATION, FIELD(verdict.ttl_min_ms), 10, HOUR, NULL, 0},
    {"ttl-max", "24h", DURATION, FIELD(verdict.ttl_max_ms), 10, 7 * DAY, NULL, 0},
    {"negative-ttl-max", "3h", DURATION, FIELD(verdict.negative_ttl_max_ms), 10, DAY, NULL, 0},
    {"temp-ttl", "60s", DURATION, FIELD(verdict.temp_ttl_ms), 10, 300 * SECOND, NULL, 0},
    {"jobs", "2000", COUNT, FIELD(jobs_max), 1, 10000, NULL, 0},
    {"jobs-suffix", "64", COUNT, FIELD(jobs_suffix_max), 1, 10000, NULL, 0},
    {"max-connections", "1024", COUNT, FIELD(connections_max), 1, 1000000, NULL, 0},
    {"idle-timeout", "150s", DURATION, FIELD(idle_timeout_ms), 10, DAY, NULL, 0},
    {"stall-warning", "0s", DURATION, FIELD(stall_warning_ms), 0, 60 * SECOND, NULL, 0},
    {"cache-entries", "200000", COUNT, FIELD(cache_entries), 1, 100000000, NULL, 0},
    {"store", "/var/lib/mxcrypt/store.db", CUSTOM, 0, 0, 0, 0, set_store, 0},
    {"store-flush", "5s", DURATION, FIELD(store_flush_ms), 10, HOUR, NULL, 0},
    {"import", "", CUSTOM, 0, 0, 0, 0, set_import, 0},
    {"hold", "48h", DURATION, FIELD(verdict.hold_ms), 0, 30 * DAY, NULL, 0},
    {"hold-expired", "24h", DURATION, FIELD(verdict.hold_expired_ms), 0, 30 * DAY, NULL, 0},
    {"hold-probe-min", "15m", DURATION, FIELD(verdict.hold_probe_min_ms), 10, DAY, NULL, 0},
    {"hold-probe-max", "6h", DURATION, FIELD(verdict.hold_probe_max_ms), 10, DAY, NULL, 0},
    {"hold-reminder", "24h", DURATION, FIELD(hold_reminder_ms), 10, 30 * DAY, NULL, 0},
    {"remembered-deadline", "500ms", DURATION, FIELD(stale_deadline_ms), 10, 60 * SECOND, NULL, 0},
    {"refresh-idle", "24h", DURATION, FIELD(refresh_idle_ms), 0, 30 * DAY, NULL, 0},
    {"refresh-rate", "20", COUNT, FIELD(refresh_rate), 1, 10000, NULL, 0},
    {"cache-size", "256M", OCTETS, FIELD(cache_octets), 65536, INT64_C(1) << 40, NULL, 0},
};
_Static_assert(sizeof config_rows / sizeof config_rows[0] == CONFIG_KEYS, "CONFIG_KEYS");

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

static const char *set_number(struct config *config, const struct config_row *row, const char *text)
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

const char *config_row_set(struct config *config, const struct config_row *row, const char *text)
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
