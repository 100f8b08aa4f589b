/*
 * config_table: see config_table.h. The syntax of values is in config_values.c. A new key is a row
 * here, a member of struct config and an entry in docs/mxcryptd.conf.5; tests/manual.sh compares.
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

/* ---- values with a function of their own ---- */

static const char *set_listen(struct config *config, const char *text)
{
    if (config->listen_count == CONFIG_LISTEN_MAX)
        return "more than 16 listen lines";
    return value_listen(&config->listen[config->listen_count++], config->arena, text);
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

/* The host's own name if it is a full one. Otherwise the prober has to look it up, which can take
 * long: reading a configuration does not wait for the DNS. */
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

/* Empty: none. */
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

#define NUMBER(kind, member, min, max) kind, FIELD(member), min, max, NULL, NULL
#define TEXT(kind, member)             kind, FIELD(member), 0, 0, NULL, NULL
#define WORD(member, choice)           CHOICE, FIELD(member), 0, 0, NULL, &(choice)
#define BY(set)                        CUSTOM, 0, 0, 0, 0, set, NULL

const struct config_row config_rows[] = {
    {"listen", "socketmap:unix:/var/spool/postfix/mxcrypt/policy.sock", BY(set_listen),
     CONFIG_REPEATS},
    {"control-socket", "/run/mxcrypt/control.sock", BY(set_control_socket), 0},
    {"metrics-listen", "", BY(set_metrics_listen), 0},
    {"user", "mxcrypt", TEXT(STRING, user), 0},
    {"sandbox", "yes", WORD(sandbox, no_yes), 0},
    {"log", "stderr", WORD(log_syslog, log_targets), 0},
    {"log-level", "info", WORD(log_level, log_levels), CONFIG_LIVE},
    {"mode", "enforce", WORD(override.monitor, modes), CONFIG_LIVE},
    {"rollout", "100%", BY(set_rollout), CONFIG_LIVE},
    {"rules", "", BY(set_rules), CONFIG_LIVE},
    {"helo-name", "", BY(set_helo_name), 0},
    {"resolver", "", BY(set_resolver), 0},
    {"resolv-conf", "/etc/resolv.conf", TEXT(STRING, prober.dns.resolv_conf), 0},
    {"dns-timeout", "1500ms", NUMBER(DURATION, prober.dns.timeout_ms, 10, 30 * SECOND), 0},
    {"dns-tries", "3", NUMBER(COUNT, prober.dns.tries, 1, 10), 0},
    {"dns-queries", "1000", NUMBER(COUNT, prober.dns.in_flight_max, 1, 10000), 0},
    {"dane", "yes", WORD(prober.dane, no_yes), 0},
    {"partial-dane", "", WORD(verdict.partial_dane, partial_danes), 0},
    {"mta-sts", "yes", WORD(prober.mta_sts, no_yes), 0},
    {"testing", "none", WORD(verdict.testing_enforced, testings), 0},
    {"sts-wildcards", "hosts", WORD(verdict.wildcard_hosts, wildcards), 0},
    {"probe", "yes", WORD(prober.probe, no_yes), 0},
    {"probe-level", "verify", WORD(verdict.verify, probe_levels), 0},
    {"probe-exclude", "", BY(set_probe_exclude), 0},
    {"allow-address", "", BY(set_allow_address), 0},
    {"ca-file", "", TEXT(PATH, prober.ca_file), 0},
    {"ca-path", "", TEXT(PATH, prober.ca_path), 0},
    {"probe-bind-address", "", BY(set_bind_address), 0},
    {"probe-bind-address6", "", BY(set_bind_address6), 0},
    {"tls-protocols", ">=TLSv1", BY(set_tls_protocols), 0},
    {"tls-ciphers", "medium", BY(set_tls_ciphers), 0},
    {"smtp-port", "25", NUMBER(COUNT, prober.smtp_port, 1, 65535), 0},
    {"answer-deadline", "5s", NUMBER(DURATION, answer_deadline_ms, 10, 60 * SECOND), 0},
    {"job-deadline", "30s", NUMBER(DURATION, job_deadline_ms, 10, 300 * SECOND), 0},
    {"fetch-deadline", "20s", NUMBER(DURATION, prober.https.deadline_ms, 10, 60 * SECOND), 0},
    {"fetches", "100", NUMBER(COUNT, prober.https.in_flight_max, 1, 10000), 0},
    {"greeting-deadline", "30s", NUMBER(DURATION, prober.probes.smtp.greeting_ms, 10, 300 * SECOND),
     0},
    {"probe-deadline", "60s", NUMBER(DURATION, prober.probes.smtp.total_ms, 10, 600 * SECOND), 0},
    {"probe-ttl", "24h", NUMBER(DURATION, prober.probes.good_ms, 10, 30 * DAY), 0},
    {"probe-retry-min", "15m", NUMBER(DURATION, prober.probes.retry_min_ms, 10, DAY), 0},
    {"probe-retry-max", "6h", NUMBER(DURATION, prober.probes.retry_max_ms, 10, 7 * DAY), 0},
    {"probe-connections", "200", NUMBER(COUNT, prober.probes.connections_max, 1, 10000), 0},
    {"probe-connections-prefix", "20",
     NUMBER(COUNT, prober.probes.connections_prefix_max, 1, 10000), 0},
    {"probe-entries", "100000", NUMBER(COUNT, prober.probes.entries_max, 1, 10000000), 0},
    {"sts-retry", "5m", NUMBER(DURATION, prober.sts.retry_ms, 10, DAY), 0},
    {"sts-refresh", "24h", NUMBER(DURATION, prober.sts.refresh_ms, 10, 30 * DAY), 0},
    {"sts-entries", "100000", NUMBER(COUNT, prober.sts.entries_max, 1, 10000000), 0},
    {"ttl-min", "60s", NUMBER(DURATION, verdict.ttl_min_ms, 10, HOUR), 0},
    {"ttl-max", "24h", NUMBER(DURATION, verdict.ttl_max_ms, 10, 7 * DAY), 0},
    {"negative-ttl-max", "3h", NUMBER(DURATION, verdict.negative_ttl_max_ms, 10, DAY), 0},
    {"temp-ttl", "60s", NUMBER(DURATION, verdict.temp_ttl_ms, 10, 300 * SECOND), 0},
    {"jobs", "2000", NUMBER(COUNT, jobs_max, 1, 10000), 0},
    {"jobs-suffix", "64", NUMBER(COUNT, jobs_suffix_max, 1, 10000), 0},
    {"max-connections", "1024", NUMBER(COUNT, connections_max, 1, 1000000), 0},
    {"idle-timeout", "150s", NUMBER(DURATION, idle_timeout_ms, 10, DAY), 0},
    {"stall-warning", "0s", NUMBER(DURATION, stall_warning_ms, 0, 60 * SECOND), 0},
    {"cache-entries", "200000", NUMBER(COUNT, cache_entries, 1, 100000000), 0},
    {"store", "/var/lib/mxcrypt/store.db", BY(set_store), 0},
    {"store-flush", "5s", NUMBER(DURATION, store_flush_ms, 10, HOUR), 0},
    {"import", "", TEXT(PATH, import_path), 0},
    {"hold", "48h", NUMBER(DURATION, verdict.hold_ms, 0, 30 * DAY), 0},
    {"hold-expired", "24h", NUMBER(DURATION, verdict.hold_expired_ms, 0, 30 * DAY), 0},
    {"hold-probe-min", "15m", NUMBER(DURATION, verdict.hold_probe_min_ms, 10, DAY), 0},
    {"hold-probe-max", "6h", NUMBER(DURATION, verdict.hold_probe_max_ms, 10, DAY), 0},
    {"hold-reminder", "24h", NUMBER(DURATION, hold_reminder_ms, 10, 30 * DAY), 0},
    {"remembered-deadline", "500ms", NUMBER(DURATION, stale_deadline_ms, 10, 60 * SECOND), 0},
    {"refresh-idle", "24h", NUMBER(DURATION, refresh_idle_ms, 0, 30 * DAY), 0},
    {"refresh-rate", "20", NUMBER(COUNT, refresh_rate, 1, 10000), 0},
    {"cache-size", "256M", NUMBER(OCTETS, cache_octets, 65536, INT64_C(1) << 40), 0},
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

static const char *set_choice(struct config *config, const struct config_row *row, const char *text)
{
    for (size_t i = 0; row->choice->words[i] != NULL; i++)
        if (strcmp(row->choice->words[i], text) == 0) {
            store_integer((char *)config + row->offset, row->size, i);
            return NULL;
        }
    return row->choice->why;
}

const char *config_row_set(struct config *config, const struct config_row *row, const char *text)
{
    char *target = (char *)config + row->offset;

    switch (row->kind) {
    case CUSTOM:
        return row->set(config, text);
    case CHOICE:
        return set_choice(config, row, text);
    case PATH:
        return absolute_path(config, (const char **)(void *)target, text);
    case STRING:
        if (*text == '\0')
            return "must not be empty";
        *(const char **)(void *)target = text;
        return NULL;
    default:
        return set_number(config, row, text);
    }
}
