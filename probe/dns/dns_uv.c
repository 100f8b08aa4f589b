/*
 * dns_uv: the resolver object: decides which resolvers are asked, and which query may ask now. See
 * dns_uv.h for its contract and dns_query_uv.h for the course of one lookup.
 *
 * resolv.conf is checked when a lookup starts, at most once a second. If it can no longer be read,
 * nothing changes; without a nameserver it means 127.0.0.1, as with the C library.
 *
 * The resolver that answered last is asked first, for a minute. Then the configured order counts
 * again, because the first is usually the local one, whose AD bit is the most trustworthy.
 */
#include "probe/dns/dns_uv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "probe/dns/dns_query_uv.h"
#include "probe/dns/resolv_conf.h"

#define DNS_PORT            53
#define RESOLV_CONF_MAX     65536
#define RESOLV_CONF_LOOK_MS 1000
#define PREFER_MS           60000

/* ---- resolvers ---- */

/* True when the file could be read. Without a resolver in it, or at all, 127.0.0.1 is asked. */
static bool read_resolv_conf(struct dns *dns)
{
    struct ip addresses[DNS_RESOLVERS_MAX] = {{4, {127, 0, 0, 1}}};
    struct buf text;
    bool read;

    buf_init(&text, RESOLV_CONF_MAX);
    read = file_read(&text, dns->options.resolv_conf) == 0 || errno == EFBIG;
    if (read || dns->server_count == 0) {
        size_t count =
            resolv_conf_parse(addresses, DNS_RESOLVERS_MAX, buf_text(&text), text.length);

        dns->server_count = count > 0 ? count : 1;
        for (size_t i = 0; i < dns->server_count; i++)
            dns->servers[i] = (struct dns_server){.ip = addresses[i], .port = DNS_PORT};
    }
    buf_fini(&text);
    return read;
}

static void look_at_resolv_conf(struct dns *dns)
{
    struct file_mark now = {0};

    dns->looked_at_ms = uv_now(dns->loop);
    file_mark_add(&now, dns->options.resolv_conf);
    if (now.identity != dns->seen.identity && read_resolv_conf(dns))
        dns->seen = now;
}

static bool same_server(const struct dns_server *a, const struct dns_server *b)
{
    return a->port == b->port && ip_equal(&a->ip, &b->ip);
}

void dns_prefer(struct dns *dns, const struct dns_server *server)
{
    uint64_t now = uv_now(dns->loop);

    if (same_server(&dns->preferred, server) && now - dns->preferred_at_ms < PREFER_MS)
        return;
    dns->preferred = *server;
    dns->preferred_at_ms = now;
}

static size_t first_server(const struct dns *dns)
{
    if (uv_now(dns->loop) - dns->preferred_at_ms >= PREFER_MS)
        return 0;
    for (size_t i = 0; i < dns->server_count; i++)
        if (same_server(&dns->servers[i], &dns->preferred))
            return i;
    return 0;
}

size_t dns_servers(const struct dns *dns, struct dns_server out[DNS_RESOLVERS_MAX])
{
    memcpy(out, dns->servers, sizeof dns->servers);
    return dns->server_count;
}

/* ---- the object ---- */

/* The timer is the last that lives before dns_close, so that none is left only then. */
void dns_handle_closed(struct dns *dns)
{
    if (--dns->handles > 0)
        return;
    free(dns->packets);
    free(dns);
}

int dns_new(struct dns **out, uv_loop_t *loop, const struct dns_options *options)
{
    struct dns *dns = calloc(1, sizeof *dns);

    if (dns == NULL)
        return UV_ENOMEM;
    dns->options = *options;
    if (options->questions_per_socket > 1)
        dns->packets = malloc((size_t)DNS_PACKETS * DNS_PACKET_MAX); /* most is never touched */
    if (options->questions_per_socket > 1 && dns->packets == NULL) {
        free(dns);
        return UV_ENOMEM;
    }
    if (dns->options.tries == 0)
        dns->options.tries = 1;
    if (dns->options.in_flight_max == 0)
        dns->options.in_flight_max = 1;
    dns->loop = loop;
    dns_deadlines_init(dns);
    list_init(&dns->waiting);
    list_init(&dns->active);
    memcpy(dns->servers, options->servers, sizeof dns->servers);
    dns->server_count = options->server_count;
    if (dns->server_count == 0)
        look_at_resolv_conf(dns);
    *out = dns;
    return 0;
}

static void release_all(struct list *list)
{
    while (!list_empty(list))
        dns_query_release(LIST_ELEMENT(list->next, struct dns_query, link));
}

void dns_close(struct dns *dns)
{
    release_all(&dns->waiting);
    release_all(&dns->active);
    dns_channel_retire(dns);
    dns->closed = true;
    dns_deadlines_close(dns);
}

void dns_get_stats(const struct dns *dns, struct dns_stats *out)
{
    *out = dns->stats;
}

uv_loop_t *dns_loop(const struct dns *dns)
{
    return dns->loop;
}

/* ---- lookups ---- */

static bool has_room(const struct dns *dns)
{
    return dns->stats.in_flight < dns->options.in_flight_max;
}

static void give_slot(struct dns *dns, struct dns_query *query)
{
    list_append(&dns->active, &query->link);
    dns->stats.in_flight++;
    query->has_slot = true;
    query->event = DNS_EVENT_SLOT;
    dns_query_run(query);
}

void dns_pump(struct dns *dns)
{
    while (!list_empty(&dns->waiting) && has_room(dns)) {
        struct dns_query *query = LIST_ELEMENT(dns->waiting.next, struct dns_query, link);

        list_remove(&query->link);
        dns->stats.queued--;
        give_slot(dns, query);
    }
}

int dns_start(struct dns_query **out, struct dns *dns, struct arena *arena, const char *name,
              enum dns_type type, dns_done done, void *context)
{
    struct dns_query *query;

    if (dns->stats.queued >= DNS_QUEUE_MAX) {
        dns->stats.by_failure[DNS_FAILURE_QUEUE]++;
        return UV_ENOBUFS;
    }
    if (dns->options.server_count == 0 &&
        uv_now(dns->loop) - dns->looked_at_ms >= RESOLV_CONF_LOOK_MS)
        look_at_resolv_conf(dns);
    query = dns_query_new(dns, arena, name, type);
    if (query == NULL)
        return UV_ENOMEM;
    query->done = done;
    query->context = context;
    memcpy(query->servers, dns->servers, sizeof query->servers);
    query->server_count = dns->server_count;
    query->server = first_server(dns);
    dns->stats.queries++;
    *out = query;
    if (list_empty(&dns->waiting) && has_room(dns)) {
        give_slot(dns, query);
        return 0;
    }
    list_append(&dns->waiting, &query->link);
    dns->stats.queued++;
    dns_query_run(query);
    return 0;
}

void dns_cancel(struct dns_query *query)
{
    struct dns *dns = query->dns;

    dns_query_release(query);
    dns_pump(dns);
}

const char *dns_failure_name(enum dns_failure failure)
{
#define X(word, name) name,
    static const char *const names[] = {DNS_FAILURES(X)};
#undef X

    return names[failure];
}
