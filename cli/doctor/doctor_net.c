/* doctor_net: see doctor_net.h. Each lookup has a loop and a resolver of its own, as in local.c:
 * nothing here is in a hurry. */
#include "cli/doctor/doctor_net.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "probe/dns/dns_uv.h"
#include "probe/smtp/own_name_uv.h"

#define NET_ARENA_MAX ((size_t)1024 * 1024)

/* ---- lookups ---- */

struct net {
    uv_loop_t loop;
    struct dns *dns;
    struct arena *arena;
    const struct dns_answer *answers[2];
    unsigned wanted, came;
};

struct slot {
    struct net *net;
    unsigned index;
};

static void on_answer(void *context, const struct dns_answer *answer)
{
    struct slot *slot = context;

    slot->net->answers[slot->index] = answer;
    slot->net->came++;
    if (slot->net->came == slot->net->wanted)
        uv_stop(&slot->net->loop);
}

static bool net_open(struct net *net, const struct dns_options *options)
{
    memset(net, 0, sizeof *net);
    CHECK(uv_loop_init(&net->loop) == 0);
    net->arena = arena_new(NET_ARENA_MAX);
    return net->arena != NULL && dns_new(&net->dns, &net->loop, options) == 0;
}

static void net_close(struct net *net)
{
    if (net->dns != NULL)
        dns_close(net->dns);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&net->loop) == 0);
    arena_free(net->arena);
}

/* Asks for all types at once and waits; a missing answer stays NULL. */
static void net_ask(struct net *net, const char *name, const enum dns_type *types, unsigned count)
{
    struct slot slots[2];
    struct dns_query *query;

    for (unsigned i = 0; i < count; i++) {
        slots[i] = (struct slot){net, i};
        if (dns_start(&query, net->dns, net->arena, name, types[i], on_answer, &slots[i]) == 0)
            net->wanted++;
    }
    if (net->wanted > 0)
        uv_run(&net->loop, UV_RUN_DEFAULT);
}

static void list_servers(struct doctor_resolver *out, const struct dns *dns)
{
    struct dns_server servers[DNS_RESOLVERS_MAX];
    size_t count = dns_servers(dns, servers), used = 0;
    char text[IP_TEXT_MAX];

    for (size_t i = 0; i < count && used < sizeof out->servers; i++) {
        used += (size_t)snprintf(out->servers + used, sizeof out->servers - used, "%s%s",
                                 i > 0 ? " " : "", ip_text(&servers[i].ip, text));
        out->remote = out->remote || !ip_is_loopback(&servers[i].ip);
    }
}

void doctor_net_resolver(struct doctor_resolver *out, const struct dns_options *options)
{
    static const enum dns_type types[] = {DNS_NS};
    const struct dns_answer *answer;
    struct net net;

    memset(out, 0, sizeof *out);
    if (net_open(&net, options)) {
        list_servers(out, net.dns);
        net_ask(&net, ".", types, 1);
        answer = net.answers[0];
        out->asked = answer != NULL;
        if (answer != NULL && answer->outcome == DNS_FAILED)
            snprintf(out->why, sizeof out->why, "%s", answer->why == NULL ? "" : answer->why);
        else if (answer != NULL)
            out->answer = answer->secure ? DOCTOR_SECURE : DOCTOR_INSECURE;
    }
    net_close(&net);
}

static int take_addresses(struct ip *out, int count, const struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->count && count < DOCTOR_ADDRESSES_MAX; i++)
        if (ip_from_octets(&out[count], answer->records[i].data, answer->records[i].length))
            count++;
    return count;
}

int doctor_net_addresses(struct ip out[DOCTOR_ADDRESSES_MAX], const struct dns_options *options,
                         const char *name, char why[DOCTOR_WHY_MAX])
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    int count = 0, failed = 0;
    struct net net;

    snprintf(why, DOCTOR_WHY_MAX, "%.100s could not be looked up", name);
    if (net_open(&net, options))
        net_ask(&net, name, types, 2);
    for (int i = 0; i < 2; i++) {
        const struct dns_answer *answer = net.answers[i];

        if (answer == NULL || answer->outcome == DNS_FAILED)
            failed++;
        else if (answer->outcome == DNS_RECORDS)
            count = take_addresses(out, count, answer);
        if (answer != NULL && answer->outcome == DNS_FAILED && answer->why != NULL)
            snprintf(why, DOCTOR_WHY_MAX, "%.100s could not be looked up: %.100s", name,
                     answer->why);
    }
    net_close(&net);
    return count == 0 && failed > 0 ? -1 : count;
}

/* ---- this host's own name ---- */

struct own {
    uv_loop_t loop;
    uv_timer_t patience;
    struct own_name *own_name;
    char *name;
    int found;
};

static void on_own_name(void *context, const char *name)
{
    struct own *own = context;

    own->found = name != NULL;
    snprintf(own->name, HOSTNAME_MAX + 1, "%s", name == NULL ? "" : name);
    uv_stop(&own->loop);
}

static void on_patience_over(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

int doctor_net_own_name(char out[HOSTNAME_MAX + 1], char why[DOCTOR_WHY_MAX])
{
    struct own own = {.name = out, .found = -1};

    snprintf(why, DOCTOR_WHY_MAX, "this host's own name could not be looked up");
    CHECK(uv_loop_init(&own.loop) == 0);
    uv_timer_init(&own.loop, &own.patience);
    if (own_name_start(&own.own_name, &own.loop, DOCTOR_OWN_NAME_MS, on_own_name, &own) == 0) {
        uv_timer_start(&own.patience, on_patience_over, DOCTOR_OWN_NAME_MS, 0);
        uv_run(&own.loop, UV_RUN_DEFAULT);
        own_name_close(own.own_name);
    }
    uv_close((uv_handle_t *)&own.patience, NULL);
    uv_run(&own.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&own.loop) == 0);
    return own.found;
}

/* ---- port 25 ---- */

/* A socket bound to the address, if that is one; -1 with errno. */
static int open_socket(uint8_t family, const struct ip *source)
{
    struct sockaddr_storage name;
    int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, error;
    int fd = socket(family == 4 ? AF_INET : AF_INET6, type, 0);

    if (fd < 0 || source->family == 0 ||
        bind(fd, (const struct sockaddr *)&name, (socklen_t)ip_to_sockaddr(&name, source, 0)) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A socket whose connection is under way, or -1 with errno. */
static int begin_connect(const struct ip *ip, uint16_t port, const struct ip *source)
{
    struct sockaddr_storage name;
    socklen_t length = (socklen_t)ip_to_sockaddr(&name, ip, port);
    int fd = open_socket(ip->family, source), error;

    if (fd < 0 || connect(fd, (const struct sockaddr *)&name, length) == 0 || errno == EINPROGRESS)
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
    int64_t end = clock_monotonic_ms() + DOCTOR_CONNECT_MS, left;
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

void doctor_net_connect(struct doctor_try *out, const struct doctor_targets *targets)
{
    struct pollfd fds[DOCTOR_HOSTS_MAX * DOCTOR_ADDRESSES_MAX];
    size_t room = sizeof fds / sizeof fds[0], asked = targets->count < room ? targets->count : room;
    int error = EADDRNOTAVAIL;

    for (size_t i = 0; i < asked; i++) {
        const struct ip *ip = &targets->ips[i];
        const struct ip *source = ip->family == 4 ? &targets->source : &targets->source6;

        fds[i] = (struct pollfd){.fd = begin_connect(ip, targets->port, source), .events = POLLOUT};
        if (fds[i].fd < 0)
            error = errno;
    }
    error = await_connect(fds, asked, error);
    for (size_t i = 0; i < asked; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    *out = (struct doctor_try){.state = error == 0 ? DOCTOR_GOOD : DOCTOR_BAD, .error = error};
    if (error != 0)
        snprintf(out->why, sizeof out->why, "%s at all %zu addresses that were tried",
                 strerror(error), asked);
}

void doctor_net_source(struct doctor_try *out, const struct ip *source)
{
    int fd = source->family == 0 ? -1 : open_socket(source->family, source);

    *out = (struct doctor_try){.state = DOCTOR_NOT_TRIED};
    if (source->family == 0)
        return;
    out->state = fd >= 0 ? DOCTOR_GOOD : DOCTOR_BAD;
    out->error = fd >= 0 ? 0 : errno;
    if (fd >= 0)
        close(fd);
    else
        snprintf(out->why, sizeof out->why, "%s", strerror(out->error));
}

/* ---- this host ---- */

bool doctor_net_is_here(const struct ip *ip)
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
