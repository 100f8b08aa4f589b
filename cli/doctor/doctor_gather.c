/* doctor_gather: fills the facts: asks postconf, takes the place of smtp(8), asks resolvers and the
 * daemon; see doctor.h. Nothing is judged here, and nothing fails: what is not known
 * is noted. */
#include "cli/doctor/doctor_gather.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/clock.h"

#define RESOLV_CONF_MAX 65536
/* With --self: for all questions to mxcryptd, and for the resolver, which is asked twice. */
#define SELF_MS     3000
#define SELF_DNS_MS 1000

/* ---- the daemon ---- */

static void gather_daemon(struct doctor_facts *facts)
{
    const struct config *config = facts->config;
    json_t *answer = doctor_ask(&facts->daemon, facts, "version", NULL);
    char error[CONFIG_ERROR_MAX];
    struct rules *rules = NULL;

    facts->daemon_version =
        arena_strdup(facts->arena, json_string_value(json_object_get(answer, "version")));
    json_decref(answer);
    facts->rules_forbidden = access(config->rules_path, R_OK) != 0 && errno == EACCES;
    if (!facts->rules_forbidden && config_read_rules(&rules, config, error) != 0)
        facts->rules_error = arena_strdup(facts->arena, error);
    rules_free(rules);
}

static void gather_store(struct doctor_facts *facts)
{
    struct doctor_try try;
    json_t *stats, *degraded;

    if (facts->config->store_path == NULL)
        return;
    stats = doctor_ask(&try, facts, "stats", NULL);
    degraded = json_object_get(stats, "store_degraded");
    if (!json_is_integer(degraded))
        doctor_not_tried(&facts->store, "mxcryptd says nothing of its store");
    else if (json_integer_value(degraded) != 0)
        doctor_bad(&facts->store, 0, "it cannot be read or written");
    else
        doctor_good(&facts->store);
    json_decref(stats);
}

/* ---- Postfix ---- */

/* The same file under another name, as seen from outside a chroot. */
static bool same_file(const char *a, const char *b)
{
    struct stat first, second;

    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* A socket may be listened at under another name, through a link or a mount. */
static void find_by_file(struct doctor_client *client, const struct doctor_facts *facts)
{
    const struct config *config = facts->config;

    for (size_t i = 0; i < (client->ours < 0 ? client->map_count : (size_t)client->ours); i++) {
        const struct doctor_map *map = &client->maps[i];
        const char *path = map->map.path;

        if (path != NULL && (path[0] != '/' || map->chrooted))
            path =
                arena_printf(facts->arena, "%s/%s", client->values[POSTFIX_QUEUE_DIRECTORY], path);
        for (size_t k = 0; k < config->listen_count && path != NULL; k++)
            if (config->listen[k].path != NULL && same_file(config->listen[k].path, path))
                client->ours = (int)i;
    }
}

/* Asks the system, as Postfix does at its start. */
static int resolve(const char *name, struct ip *out, size_t max)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    size_t count = 0;

    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *one = found; one != NULL && count < max; one = one->ai_next)
        count += ip_from_sockaddr(&out[count], one->ai_addr);
    freeaddrinfo(found);
    return (int)count;
}

void doctor_gather_postfix(struct doctor_facts *facts)
{
    struct postfix *postfix = arena_alloc(facts->arena, sizeof *postfix);
    char error[POSTFIX_ERROR_MAX] = "no memory";

    if (postfix == NULL ||
        postfix_load(postfix, facts->arena, facts->postfix_directory, error) != 0) {
        facts->postfix_error = arena_strdup(facts->arena, error);
        return;
    }
    facts->postfix = postfix;
    facts->postfix_version_known =
        postfix_version_parse(&facts->postfix_version, postfix->values[POSTFIX_MAIL_VERSION]);
    doctor_clients(facts);
    facts->map_suggestion = doctor_suggest_map(facts);
    for (size_t i = 0; i < facts->client_count; i++)
        find_by_file(&facts->clients[i], facts);
    for (size_t i = 0; i < facts->client_count; i++) {
        struct doctor_client *client = &facts->clients[i];

        if (doctor_client_matters(facts, client))
            client->interfaces_unknown = !doctor_one_interface(
                client->interfaces, doctor_value(client->values, POSTFIX_INET_INTERFACES), resolve);
    }
}

const char *doctor_ca_file(const struct config *config)
{
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem", "/usr/local/share/certs/ca-root-nss.crt"};
    struct doctor_try try;

    if (config->prober.ca_file != NULL)
        return config->prober.ca_file;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        doctor_try_ca_file(&try, files[i]);
        if (try.state == DOCTOR_GOOD)
            return files[i];
    }
    return NULL;
}

/* ---- resolvers ---- */

static bool says_trust_ad(const char *path)
{
    char text[RESOLV_CONF_MAX], *rest = text, *line;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    while ((line = strsep(&rest, "\n")) != NULL)
        if (strncmp(line, "options", 7) == 0 && strstr(line, "trust-ad") != NULL)
            return true;
    return false;
}

/* Asks as mxcryptd does, and as smtp(8) does where there is one: by its resolv.conf. */
static void gather_resolvers(struct doctor_facts *facts)
{
    struct dns_options options = facts->config->prober.dns;

    doctor_net_resolver(&facts->resolver, &options);
    options.server_count = 0;
    facts->resolv_conf[0] = "/etc/resolv.conf";
    if (facts->postfix != NULL)
        facts->resolv_conf[1] = arena_printf(facts->arena, "%s/etc/resolv.conf",
                                             facts->postfix->values[POSTFIX_QUEUE_DIRECTORY]);
    for (size_t i = 0; i < facts->client_count; i++) {
        int chrooted = facts->clients[i].chrooted;

        if (facts->libc[chrooted].asked || facts->resolv_conf[chrooted] == NULL ||
            !doctor_client_matters(facts, &facts->clients[i]))
            continue;
        options.resolv_conf = facts->resolv_conf[chrooted];
        doctor_net_resolver(&facts->libc[chrooted], &options);
        facts->libc[chrooted].trust_ad = says_trust_ad(options.resolv_conf);
        facts->libc[chrooted].no_file = access(options.resolv_conf, F_OK) != 0 && errno == ENOENT;
    }
}

/* ---- all of it ---- */

/* What a restart of mxcryptd could end is asked first, while there is time. */
static void gather_self(struct doctor_facts *facts)
{
    struct dns_options options = facts->config->prober.dns;

    if (facts->config_error != NULL)
        return; /* the defaults say nothing of a daemon that was started with other settings */
    facts->end_ms = clock_monotonic_ms() + SELF_MS;
    gather_daemon(facts);
    doctor_gather_listeners(facts);
    gather_store(facts);
    doctor_gather_share(facts);
    doctor_gather_lists(facts);
    options.tries = 2;
    if (options.timeout_ms > SELF_DNS_MS)
        options.timeout_ms = SELF_DNS_MS;
    if (doctor_wait_s(facts) > 0)
        doctor_net_resolver(&facts->resolver, &options);
}

void doctor_gather(struct doctor_facts *facts)
{
    struct timex kernel = {0};
    int state = adjtimex(&kernel);

    facts->now_s = clock_wall_s();
    facts->built_s = MXC_BUILT_S;
    facts->clock_known = state >= 0;
    facts->clock_unsynchronised = state == TIME_ERROR || (kernel.status & STA_UNSYNC) != 0;
    facts->version = MXC_VERSION;
    if (facts->self) {
        gather_self(facts);
        return;
    }
    facts->ca_suggestion = doctor_ca_file(facts->config);
    gather_daemon(facts);
    doctor_gather_share(facts);
    doctor_gather_lists(facts);
    doctor_gather_postfix(facts);
    for (size_t i = 0; i < facts->client_count; i++)
        if (doctor_client_matters(facts, &facts->clients[i]))
            doctor_try_client(&facts->clients[i]);
    gather_resolvers(facts);
    doctor_net_sources(facts);
    doctor_net_port25(facts);
    doctor_net_helo(facts);
}
