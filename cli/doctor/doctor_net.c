/* doctor_net: what doctor tries on the network: resolvers, port 25, source addresses, helo-name;
 * see doctor_gather.h. Each lookup has a loop and a resolver of its own, as in local.c: nothing
 * here is in a hurry. */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/net/address_filter.h"
#include "cli/doctor/doctor_gather.h"
#include "probe/dns/dns_check.h"
#include "probe/dns/dns_uv.h"
#include "probe/smtp/own_name_uv.h"

#define CONNECT_MS    10000
#define OWN_NAME_MS   10000
#define NET_ARENA_MAX ((size_t)1024 * 1024)
#define ADDRESSES_MAX 16 /* of one name */
#define ENTRIES_MAX   20 /* cached keys that are looked at */
#define HOST_SIZE     256
#define KNOWN_ENOUGH  3 /* hosts from the cache; with fewer, well-known ones are added */

/* ---- lookups ---- */

struct net {
    uv_loop_t loop;
    struct dns *dns;
    struct arena *arena;
    const struct dns_answer *answers[2]; /* NULL: there is none */
};

static void on_answer(void *context, const struct dns_answer *answer)
{
    *(const struct dns_answer **)context = answer;
}

/* Asks for all types at once and waits. Without memory there are no answers. */
static void net_ask(struct net *net, const struct dns_options *options, const char *name,
                    const enum dns_type *types, size_t count)
{
    struct dns_query *query;
    size_t asked = 0;

    memset(net, 0, sizeof *net);
    CHECK(uv_loop_init(&net->loop) == 0);
    net->arena = arena_new(NET_ARENA_MAX);
    if (net->arena == NULL || dns_new(&net->dns, &net->loop, options) != 0)
        return;
    while (asked < count && dns_start(&query, net->dns, net->arena, name, types[asked], on_answer,
                                      &net->answers[asked]) == 0)
        asked++;
    for (size_t i = 0; i < asked; i++)
        while (net->answers[i] == NULL && uv_run(&net->loop, UV_RUN_ONCE) != 0)
            continue;
}

static void net_close(struct net *net)
{
    if (net->dns != NULL)
        dns_close(net->dns);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&net->loop) == 0);
    arena_free(net->arena);
}

void doctor_net_resolver(struct doctor_resolver *out, const struct dns_options *options)
{
    static const enum doctor_answer answers[] = {[DNS_CHECK_UNREACHABLE] = DOCTOR_UNREACHABLE,
                                                 [DNS_CHECK_INSECURE] = DOCTOR_INSECURE,
                                                 [DNS_CHECK_SECURE] = DOCTOR_SECURE};
    struct dns_check check;

    memset(out, 0, sizeof *out);
    out->asked = dns_check_now(&check, options);
    out->answer = answers[check.answer];
    out->remote = check.remote;
    snprintf(out->why, sizeof out->why, "%s", check.why);
    snprintf(out->servers, sizeof out->servers, "%s", check.servers);
}

/* The addresses of a name, A and AAAA. Their number; -1 when it could not be found out, with why.
 */
static int addresses_of(struct ip out[ADDRESSES_MAX], const struct dns_options *options,
                        const char *name, char why[DOCTOR_WHY_MAX])
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    int count = 0, failed = 0;
    struct net net;

    snprintf(why, DOCTOR_WHY_MAX, "%.100s could not be looked up", name);
    net_ask(&net, options, name, types, 2);
    for (int i = 0; i < 2; i++) {
        const struct dns_answer *answer = net.answers[i];

        if (answer == NULL || answer->outcome == DNS_FAILED)
            failed++;
        if (answer != NULL && answer->outcome == DNS_FAILED && answer->why != NULL)
            snprintf(why, DOCTOR_WHY_MAX, "%.100s could not be looked up: %.100s", name,
                     answer->why);
        if (answer == NULL || answer->outcome != DNS_RECORDS)
            continue;
        for (size_t k = 0; k < answer->count && count < ADDRESSES_MAX; k++)
            count +=
                ip_from_octets(&out[count], answer->records[k].data, answer->records[k].length);
    }
    net_close(&net);
    return count == 0 && failed > 0 ? -1 : count;
}

/* ---- sockets ---- */

/* A socket bound to `source`, if that is an address, whose connection to `to` is under way, unless
 * that is NULL; -1 with errno. */
static int open_socket(const struct ip *source, const struct ip *to, uint16_t port)
{
    const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    struct sockaddr_storage from, name = {0};
    socklen_t length = to == NULL ? 0 : (socklen_t)ip_to_sockaddr(&name, to, port);
    int fd = socket((to == NULL ? source : to)->family == 4 ? AF_INET : AF_INET6, type, 0), error;

    if (fd < 0)
        return -1;
    if ((source->family == 0 ||
         bind(fd, (struct sockaddr *)&from, (socklen_t)ip_to_sockaddr(&from, source, 0)) == 0) &&
        (to == NULL || connect(fd, (struct sockaddr *)&name, length) == 0 || errno == EINPROGRESS))
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* What has become of a connection: 0, or an errno. */
static int connect_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

/* Waits for the first that is made; 0, the last error, or ETIMEDOUT. Ends each fd that is done. */
static int await_connect(struct pollfd *fds, nfds_t count, int error)
{
    int64_t end = clock_monotonic_ms() + CONNECT_MS, left;
    size_t open = 0;

    for (nfds_t i = 0; i < count; i++)
        open += fds[i].fd >= 0;
    while (open > 0 && (left = end - clock_monotonic_ms()) > 0) {
        if (poll(fds, count, (int)left) < 0 && errno != EINTR)
            return errno;
        for (nfds_t i = 0; i < count; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            error = connect_error(fds[i].fd);
            if (error == 0)
                return 0;
            close(fds[i].fd);
            fds[i].fd = -1;
            fds[i].revents = 0;
            open--;
        }
    }
    return open > 0 ? ETIMEDOUT : error;
}

/* Connects to all of them at once: GOOD when one connection is made. */
static void connect_any(struct doctor_try *out, const struct prober_options *prober,
                        const struct ip *ips, size_t count)
{
    struct pollfd fds[DOCTOR_HOSTS_MAX * ADDRESSES_MAX];
    const struct smtp_options *smtp = &prober->probes.smtp;
    int error = EADDRNOTAVAIL;

    for (size_t i = 0; i < count; i++) {
        const struct ip *source = ips[i].family == 4 ? &smtp->bind : &smtp->bind6;

        fds[i] = (struct pollfd){open_socket(source, &ips[i], prober->smtp_port), POLLOUT, 0};
        if (fds[i].fd < 0)
            error = errno;
    }
    error = await_connect(fds, count, error);
    for (size_t i = 0; i < count; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    *out = (struct doctor_try){.state = error == 0 ? DOCTOR_GOOD : DOCTOR_BAD, .error = error};
    if (error != 0)
        snprintf(out->why, sizeof out->why, "%s at all %zu addresses that were tried",
                 strerror(error), count);
}

void doctor_net_sources(struct doctor_facts *facts)
{
    const struct smtp_options *smtp = &facts->config->prober.probes.smtp;
    const struct ip *const sources[] = {&smtp->bind, &smtp->bind6};

    for (size_t i = 0; i < 2; i++) {
        struct doctor_try *try = &facts->source[i];
        int fd;

        if (sources[i]->family == 0)
            continue;
        fd = open_socket(sources[i], NULL, 0);
        *try = (struct doctor_try){fd >= 0 ? DOCTOR_GOOD : DOCTOR_BAD, fd >= 0 ? 0 : errno, ""};
        if (fd >= 0)
            close(fd);
        else
            snprintf(try->why, sizeof try->why, "%s", strerror(try->error));
    }
}

/* ---- port 25 ---- */

struct hosts {
    char names[DOCTOR_HOSTS_MAX][HOST_SIZE];
    size_t count;
};

static void add_host(struct hosts *hosts, const char *name)
{
    if (name == NULL || strlen(name) >= HOST_SIZE || hosts->count == DOCTOR_HOSTS_MAX)
        return;
    for (size_t i = 0; i < hosts->count; i++)
        if (strcmp(hosts->names[i], name) == 0)
            return;
    snprintf(hosts->names[hosts->count++], HOST_SIZE, "%s", name);
}

/* The first mail hosts of cached keys. */
static void add_cached(struct hosts *hosts, const struct doctor_facts *facts)
{
    struct doctor_try try;
    json_t *list = doctor_ask(&try, facts, "cache-list", NULL), *entry, *shown, *host;
    size_t i;

    json_array_foreach(json_object_get(list, "entries"), i, entry)
    {
        const char *key = json_string_value(json_object_get(entry, "key"));

        if (i == ENTRIES_MAX || hosts->count == DOCTOR_HOSTS_MAX / 2)
            break;
        shown = key == NULL ? NULL : doctor_ask(&try, facts, "cache-show", key);
        host = json_array_get(json_object_get(json_object_get(shown, "evidence"), "hosts"), 0);
        add_host(hosts, json_string_value(json_object_get(host, "name")));
        json_decref(shown);
    }
    json_decref(list);
}

static void choose_hosts(struct hosts *hosts, const struct doctor_facts *facts)
{
    static const char *const known[] = {"gmail-smtp-in.l.google.com", "mx01.mail.icloud.com",
                                        "mx-eu.mail.am0.yahoodns.net"};

    if (facts->daemon.state == DOCTOR_GOOD)
        add_cached(hosts, facts);
    for (size_t i = 0; hosts->count < KNOWN_ENOUGH && i < sizeof known / sizeof known[0]; i++)
        add_host(hosts, known[i]);
}

void doctor_net_port25(struct doctor_facts *facts)
{
    const struct prober_options *prober = &facts->config->prober;
    struct ip ips[DOCTOR_HOSTS_MAX * ADDRESSES_MAX], found[ADDRESSES_MAX];
    bool chosen = facts->mail_host_count == 0;
    struct hosts hosts = {.count = 0};
    char why[DOCTOR_WHY_MAX];
    size_t count = 0;

    facts->port25 = (struct doctor_try){.why = "no mail host has an address: name one with "
                                               "--mail-host"};
    for (size_t i = 0; i < facts->mail_host_count; i++)
        add_host(&hosts, facts->mail_hosts[i]);
    if (chosen)
        choose_hosts(&hosts, facts);
    for (size_t i = 0; i < hosts.count; i++) {
        int more = 1;

        if (!ip_parse(&found[0], hosts.names[i]))
            more = addresses_of(found, &prober->dns, hosts.names[i], why);
        for (int k = 0; k < more; k++)
            if (!chosen || address_filter_permits(&prober->filter, &found[k]))
                ips[count++] = found[k];
    }
    if (count > 0)
        connect_any(&facts->port25, prober, ips, count);
}

/* ---- helo-name ---- */

static void on_own_name(void *context, const char *name)
{
    struct doctor_facts *facts = context;

    if (name == NULL)
        facts->helo = DOCTOR_HELO_NO_NAME;
    else
        snprintf(facts->helo_name, sizeof facts->helo_name, "%s", name);
}

static void on_patience_over(uv_timer_t *timer)
{
    (void)timer; /* it is no longer active, and that is looked at */
}

/* This host's own full name, as the prober finds it. */
static void find_own_name(struct doctor_facts *facts)
{
    struct own_name *own_name;
    uv_timer_t patience;
    uv_loop_t loop;

    snprintf(facts->helo_why, DOCTOR_WHY_MAX, "this host's own name could not be looked up");
    CHECK(uv_loop_init(&loop) == 0);
    uv_timer_init(&loop, &patience);
    if (own_name_start(&own_name, &loop, OWN_NAME_MS, on_own_name, facts) == 0) {
        uv_timer_start(&patience, on_patience_over, OWN_NAME_MS, 0);
        while (facts->helo == DOCTOR_HELO_NOT_TRIED && facts->helo_name[0] == '\0' &&
               uv_is_active((uv_handle_t *)&patience))
            uv_run(&loop, UV_RUN_ONCE);
        own_name_close(own_name);
    }
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
}

/* Whether the address is one of this host's. */
static bool is_here(const struct ip *ip)
{
    struct ifaddrs *all, *one;
    bool here = false;
    struct ip own;

    if (getifaddrs(&all) != 0)
        return false;
    for (one = all; one != NULL && !here; one = one->ifa_next)
        here = one->ifa_addr != NULL && ip_from_sockaddr(&own, one->ifa_addr) && ip_equal(&own, ip);
    freeifaddrs(all);
    return here;
}

void doctor_net_helo(struct doctor_facts *facts)
{
    const struct prober_options *prober = &facts->config->prober;
    const char *name = prober->probes.smtp.helo_name;
    struct ip found[ADDRESSES_MAX];
    char text[IP_TEXT_MAX];
    size_t used = 0;
    int count;

    if (name == NULL) {
        find_own_name(facts);
        name = facts->helo_name;
        if (*name == '\0')
            return;
    }
    count = addresses_of(found, &prober->dns, name, facts->helo_why);
    if (count < 0)
        return;
    facts->helo = count == 0 ? DOCTOR_HELO_NO_ADDRESS : DOCTOR_HELO_ELSEWHERE;
    facts->helo_why[0] = '\0';
    for (int i = 0; i < count && used < sizeof facts->helo_why; i++) {
        used += (size_t)snprintf(facts->helo_why + used, sizeof facts->helo_why - used, "%s%s",
                                 i > 0 ? " " : "", ip_text(&found[i], text));
        if (is_here(&found[i]))
            facts->helo = DOCTOR_HELO_HERE;
    }
}
