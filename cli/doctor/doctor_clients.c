/* doctor_clients: the smtp(8) services of master.cf, those with the same settings as one, which of
 * their maps lead to mxcryptd, and what inet_interfaces means; see doctor.h. Pure. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/doctor/doctor.h"

#define OUR_FOLDER "mxcrypt/" /* what the packages name it, below the queue directory */
#define SEPARATORS ", \t"

/* ---- whose map it is ---- */

/* 0.0.0.0 or ::, where mxcryptd is reached by any address of this host. */
static bool is_any(const struct ip *ip)
{
    static const uint8_t none[sizeof ip->octets];

    return memcmp(ip->octets, none, ip->family == 4 ? 4 : sizeof none) == 0;
}

static bool same_endpoint(const struct listen_address *listen, const struct postfix_map *map)
{
    struct ip ip;

    if (listen->path != NULL || listen->port != map->port)
        return false;
    if (is_any(&listen->ip))
        return true;
    if (strcmp(map->host, "localhost") == 0)
        return ip_is_loopback(&listen->ip);
    return ip_parse(&ip, map->host) && ip_equal(&ip, &listen->ip);
}

bool doctor_map_is_ours(const struct config *config, const struct postfix_map *map,
                        const char *queue_directory)
{
    char path[2 * CONFIG_UNIX_PATH_MAX + 4096] = ""; /* as seen outside a chroot */
    enum listen_protocol protocol =
        map->kind == POSTFIX_MAP_TCP ? LISTEN_TCP_TABLE : LISTEN_SOCKETMAP;

    if (map->kind == POSTFIX_MAP_STATIC || map->kind == POSTFIX_MAP_OTHER)
        return false;
    if (map->kind == POSTFIX_MAP_UNIX) {
        if (strncmp(map->path, OUR_FOLDER, sizeof OUR_FOLDER - 1) == 0 ||
            strstr(map->path, "/" OUR_FOLDER) != NULL)
            return true;
        snprintf(path, sizeof path, "%s%s%s", map->path[0] == '/' ? "" : queue_directory,
                 map->path[0] == '/' ? "" : "/", map->path);
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct listen_address *listen = &config->listen[i];

        if (listen->protocol != protocol)
            continue;
        if (map->kind == POSTFIX_MAP_UNIX ? listen->path != NULL && strcmp(listen->path, path) == 0
                                          : same_endpoint(listen, map))
            return true;
    }
    return false;
}

/* ---- the line that suits ---- */

/* What is left of `path` below the folder; NULL when it is not below. */
static const char *below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    while (length > 1 && folder[length - 1] == '/')
        length--;
    return strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

/* A socket below the queue directory, else any Unix socket, else TCP. */
static const struct listen_address *best_listen(const struct config *config, const char *queue)
{
    const struct listen_address *best = NULL;
    int best_rank = 0;

    for (size_t i = 0; i < config->listen_count; i++) {
        const struct listen_address *listen = &config->listen[i];
        int rank = listen->protocol == LISTEN_EXIM        ? 0
                   : listen->protocol == LISTEN_TCP_TABLE ? 1
                   : listen->path == NULL                 ? 2
                   : below(listen->path, queue) == NULL   ? 3
                                                          : 4;

        if (rank > best_rank) {
            best = listen;
            best_rank = rank;
        }
    }
    return best;
}

const char *doctor_suggest_map(const struct doctor_facts *facts)
{
    const char *queue = facts->postfix->values[POSTFIX_QUEUE_DIRECTORY], *relative;
    const char *name = postfix_version_from(&facts->postfix_version, 3, 10) ? "tlsrpt" : "policy";
    const struct listen_address *listen = best_listen(facts->config, queue);
    char text[IP_TEXT_MAX], host[IP_TEXT_MAX + sizeof "[]:65535"];

    if (listen == NULL)
        return NULL;
    if (listen->path != NULL) {
        relative = below(listen->path, queue);
        return arena_printf(facts->arena, "socketmap:unix:%s:%s",
                            relative == NULL ? listen->path : relative, name);
    }
    ip_text(&listen->ip, text);
    if (is_any(&listen->ip))
        strcpy(text, listen->ip.family == 4 ? "127.0.0.1" : "::1");
    snprintf(host, sizeof host, listen->ip.family == 6 ? "[%s]:%u" : "%s:%u", text,
             (unsigned)listen->port);
    if (listen->protocol == LISTEN_TCP_TABLE)
        return arena_printf(facts->arena, "tcp:%s", host);
    return arena_printf(facts->arena, "socketmap:inet:%s:%s", host, name);
}

/* ---- clients ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void set_values(struct doctor_client *client, const struct postfix *postfix,
                       const struct postfix_service *service)
{
    client->main = true;
    for (int i = 0; i < POSTFIX_PARAMETER_COUNT; i++) {
        client->values[i] =
            service->overrides[i] == NULL ? postfix->values[i] : service->overrides[i];
        if (i < POSTFIX_FIRST_OF_LOG)
            client->main = client->main && same_text(client->values[i], postfix->values[i]);
    }
    client->chrooted = postfix_is_chrooted(postfix, service);
}

/* proxy: is looked up by proxymap(8). */
static bool proxymap_is_chrooted(const struct postfix *postfix)
{
    for (size_t i = 0; i < postfix->service_count; i++)
        if (strcmp(postfix->services[i].program, "proxymap") == 0)
            return postfix_is_chrooted(postfix, &postfix->services[i]);
    return false;
}

static void set_maps(struct doctor_client *client, const struct doctor_facts *facts)
{
    struct postfix_map maps[POSTFIX_MAPS_MAX];
    char error[POSTFIX_ERROR_MAX];
    int count = postfix_maps_parse(maps, facts->arena,
                                   doctor_value(client->values, POSTFIX_POLICY_MAPS), error);

    client->ours = -1;
    if (count < 0)
        client->map_error = arena_strdup(facts->arena, error);
    else
        client->maps = arena_array(facts->arena, (size_t)count + 1, sizeof *client->maps);
    if (client->maps == NULL)
        return;
    client->map_count = (size_t)count;
    for (int i = 0; i < count; i++) {
        client->maps[i].map = maps[i];
        client->maps[i].chrooted =
            maps[i].proxied ? proxymap_is_chrooted(facts->postfix) : client->chrooted;
        if (client->ours < 0 &&
            doctor_map_is_ours(facts->config, &maps[i], client->values[POSTFIX_QUEUE_DIRECTORY]))
            client->ours = i;
    }
}

/* The client with these settings, or a new one behind the others; how it logs does not matter.
 * There is room for one per service. */
static struct doctor_client *client_of(struct doctor_facts *facts,
                                       const struct doctor_client *wanted)
{
    for (size_t i = 0; i < facts->client_count; i++) {
        struct doctor_client *client = &facts->clients[i];
        bool same = client->chrooted == wanted->chrooted;

        for (int k = 0; k < POSTFIX_FIRST_OF_LOG && same; k++)
            same = same_text(client->values[k], wanted->values[k]);
        if (same)
            return client;
    }
    facts->clients[facts->client_count] = *wanted;
    return &facts->clients[facts->client_count++];
}

void doctor_clients(struct doctor_facts *facts)
{
    const struct postfix *postfix = facts->postfix;

    facts->clients = arena_array(facts->arena, DOCTOR_CLIENTS_MAX, sizeof *facts->clients);
    for (size_t i = 0; facts->clients != NULL && i < postfix->service_count; i++) {
        const char *name = postfix->services[i].name;
        struct doctor_client wanted = {0}, *client;

        if (strcmp(postfix->services[i].program, "smtp") != 0)
            continue;
        set_values(&wanted, postfix, &postfix->services[i]);
        client = client_of(facts, &wanted);
        if (client->main)
            client->where = "main.cf";
        else if (client->where == NULL)
            client->where = arena_printf(facts->arena, "master.cf service %s", name);
        else
            client->where = arena_printf(facts->arena, "%s, %s", client->where, name);
    }
    for (size_t i = 0; i < facts->client_count; i++)
        set_maps(&facts->clients[i], facts);
}

bool doctor_any_asks(const struct doctor_facts *facts)
{
    for (size_t i = 0; i < facts->client_count; i++)
        if (facts->clients[i].ours >= 0)
            return true;
    return false;
}

bool doctor_client_matters(const struct doctor_facts *facts, const struct doctor_client *client)
{
    return doctor_any_asks(facts) ? client->ours >= 0 : client->main || facts->client_count == 1;
}

const char *doctor_value(const char *const *values, enum postfix_parameter parameter)
{
    return values[parameter] == NULL ? "" : values[parameter];
}

/* ---- inet_interfaces: as own_inet_addr_list() and smtp_connect_addr() of Postfix have it ---- */

struct interfaces {
    struct ip ips[DOCTOR_INTERFACES_MAX]; /* each once */
    size_t count;
};

static bool add_ip(struct interfaces *interfaces, const struct ip *ip)
{
    for (size_t i = 0; i < interfaces->count; i++)
        if (ip_equal(&interfaces->ips[i], ip))
            return true;
    if (interfaces->count == DOCTOR_INTERFACES_MAX)
        return false;
    interfaces->ips[interfaces->count++] = *ip;
    return true;
}

static bool add_word(struct interfaces *interfaces, char *word, doctor_resolve *resolve)
{
    struct ip found[DOCTOR_INTERFACES_MAX];
    size_t length = strlen(word);
    int count;

    if (word[0] == '[' && word[length - 1] == ']') {
        word[length - 1] = '\0';
        word++;
    }
    if (ip_parse(&found[0], word))
        return add_ip(interfaces, &found[0]);
    count = resolve(word, found, DOCTOR_INTERFACES_MAX);
    for (int i = 0; i < count; i++)
        if (!add_ip(interfaces, &found[i]))
            return false;
    return count >= 0;
}

static bool add_words(struct interfaces *interfaces, const char *text, doctor_resolve *resolve)
{
    for (text += strspn(text, SEPARATORS); *text != '\0'; text += strspn(text, SEPARATORS)) {
        size_t length = strcspn(text, SEPARATORS);
        char word[HOSTNAME_MAX + 3];

        if (length >= sizeof word)
            return false;
        memcpy(word, text, length);
        word[length] = '\0';
        if (!add_word(interfaces, word, resolve))
            return false;
        text += length;
    }
    return true;
}

bool doctor_one_interface(struct ip out[2], const char *inet_interfaces, doctor_resolve *resolve)
{
    struct interfaces all = {.count = 0};
    size_t counts[2] = {0, 0};

    out[0] = out[1] = (struct ip){.family = 0};
    if (strcasecmp(inet_interfaces, "all") == 0 ||
        strcasecmp(inet_interfaces, "loopback-only") == 0)
        return true;
    if (!add_words(&all, inet_interfaces, resolve))
        return false;
    for (size_t i = 0; i < all.count; i++) {
        size_t family = all.ips[i].family == 6;

        out[family] = all.ips[i];
        counts[family]++;
    }
    for (size_t family = 0; family < 2; family++)
        if (counts[family] != 1 || ip_is_loopback(&out[family]))
            out[family] = (struct ip){.family = 0};
    return true;
}
