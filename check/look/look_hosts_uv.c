/*
 * look_hosts_uv: the mail hosts: what senders find out about each (probe/host_uv.h), the same RRsets
 * with their signatures, reverse names, and the connections.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/look/look_internal.h"
#include "probe/tls/tlsa.h"

#define REVERSE_MAX 80 /* octets of the longest name below ip6.arpa */

/* ---- one host ---- */

static void on_host(void *context)
{
    struct look_host *host = context;

    host->lookup = NULL;
    host->looked_up = true;
    look_advance(host->look);
}

static void begin_host(struct check_look *look, struct look_host *host)
{
    const struct host_request request = {
        .dns = look->tools->dns,
        .arena = look->request.arena,
        .name = host->out->name,
        .port = look->evidence.port,
        .dane = true,
        .query_budget = &look->budget,
    };

    if (host_start(&host->lookup, &request, host->evidence, on_host, host) != 0)
        host->lookup = NULL;
}

static const char *tlsa_name(struct check_look *look, const struct look_host *host)
{
    const char *base = host->evidence->tlsa_base;

    return arena_printf(look->request.arena, "_%u._tcp.%s", look->evidence.port,
                        base == NULL ? host->out->name : base);
}

static void read_records(struct check_look *look, struct look_host *host)
{
    const struct dns_answer *answer = host->tlsa.answer;
    struct check_host *out = host->out;

    if (answer->outcome != DNS_RECORDS)
        return;
    out->records = arena_array(look->request.arena, answer->count, sizeof *out->records);
    for (size_t i = 0; i < answer->count && out->records != NULL; i++)
        if (tlsa_parse(&out->records[out->record_count], answer->records[i].data,
                       answer->records[i].length))
            out->record_count++;
        else
            out->stump_count++;
}

static const char *why_forbidden(const struct check_look *look, const struct ip *ip,
                                 const char *host)
{
    if (!address_filter_permits(look->tools->filter, ip))
        return "not a global address";
    if (address_filter_excludes(look->tools->filter, ip, host))
        return "excluded by probe-exclude";
    return look->request.options->probe ? NULL : "probing is switched off";
}

/* Takes what the DNS says of a host, and its addresses as parts. */
static bool read_host(struct check_look *look, struct look_host *host)
{
    struct check_host *out = host->out;
    struct mx_host *evidence = host->evidence;
    struct arena *arena = look->request.arena;

    look_rrset(look, &out->a, &host->a, out->name, DNS_A);
    look_rrset(look, &out->aaaa, &host->aaaa, out->name, DNS_AAAA);
    look_rrset(look, &out->tlsa, &host->tlsa, out->tlsa.name, DNS_TLSA);
    out->alias = host->a.answer->aliases > 0 || host->aaaa.answer->aliases > 0;
    read_records(look, host);
    out->addresses = arena_array(arena, evidence->address_count + 1, sizeof *out->addresses);
    host->addresses = arena_array(arena, evidence->address_count + 1, sizeof *host->addresses);
    if (out->addresses == NULL || host->addresses == NULL)
        return false;
    out->address_count = evidence->address_count;
    for (size_t i = 0; i < out->address_count; i++) {
        const struct ip *ip = &evidence->addresses[i].ip;

        out->addresses[i].ip = *ip;
        out->addresses[i].secure = evidence->addresses[i].secure;
        out->addresses[i].forbidden = why_forbidden(look, ip, out->name);
        if (out->addresses[i].forbidden != NULL)
            evidence->addresses[i].starttls = (struct starttls_result){
                .state = STARTTLS_SKIPPED, .detail = out->addresses[i].forbidden};
        host->addresses[i] =
            (struct look_address){.look = look, .host = host, .out = &out->addresses[i]};
    }
    return true;
}

/* ---- reverse names ---- */

static const char *reverse_name(struct arena *arena, const struct ip *ip)
{
    char text[REVERSE_MAX];
    size_t used = 0;

    if (ip->family == 4)
        return arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", ip->octets[3], ip->octets[2],
                            ip->octets[1], ip->octets[0]);
    for (int i = 15; i >= 0; i--)
        used += (size_t)snprintf(text + used, sizeof text - used, "%x.%x.", ip->octets[i] & 15,
                                 ip->octets[i] >> 4);
    snprintf(text + used, sizeof text - used, "ip6.arpa");
    return arena_strdup(arena, text);
}

/* Whether an answer has the address among others, however many they are. */
static bool has_address(const struct dns_answer *answer, const struct ip *ip)
{
    for (size_t i = 0; answer->outcome == DNS_RECORDS && i < answer->count; i++) {
        struct ip found;

        if (ip_from_octets(&found, answer->records[i].data, answer->records[i].length) &&
            ip_equal(&found, ip))
            return true;
    }
    return false;
}

/* Looks whether a reverse name leads back, one after the other; true while an answer is awaited. */
static bool look_back(struct check_look *look, struct look_address *address)
{
    struct check_address *out = address->out;
    enum dns_type type = out->ip.family == 4 ? DNS_A : DNS_AAAA;
    const struct dns_answer *reverse;

    if (out->reverse.name == NULL)
        out->reverse.name = reverse_name(look->request.arena, &out->ip);
    if (look_ask(look, &address->reverse, out->reverse.name, DNS_PTR))
        return true;
    look_rrset(look, &out->reverse, &address->reverse, out->reverse.name, DNS_PTR);
    reverse = address->reverse.answer;
    for (size_t i = 0; reverse->outcome == DNS_RECORDS && i < reverse->count &&
                       i < LOOK_REVERSE_MAX && !out->reverse_confirmed;
         i++) {
        if (look_ask(look, &address->forward[i], reverse->records[i].name, type))
            return true;
        out->reverse_confirmed = has_address(address->forward[i].answer, &out->ip);
    }
    return false;
}

/* ---- all hosts ---- */

/* Whether it is known where the TLSA records are: at the host's own name, or, where that is an
 * alias, where the sender's lookup has found them. */
static bool has_base(const struct look_host *host)
{
    const struct dns_answer *a = host->a.answer, *aaaa = host->aaaa.answer;

    return host->looked_up || (a != NULL && aaaa != NULL && a->aliases + aaaa->aliases == 0);
}

static bool advance_host(struct check_look *look, struct look_host *host)
{
    bool waits = look_ask(look, &host->a, host->out->name, DNS_A);

    waits |= look_ask(look, &host->aaaa, host->out->name, DNS_AAAA);
    if (host->out->tlsa.name == NULL && has_base(host))
        host->out->tlsa.name = tlsa_name(look, host);
    if (host->out->tlsa.name != NULL)
        waits |= look_ask(look, &host->tlsa, host->out->tlsa.name, DNS_TLSA);
    if (!host->looked_up)
        return host->lookup != NULL || waits;
    if (waits)
        return true;
    if (!host->read)
        host->read = read_host(look, host);
    for (size_t i = 0; host->read && i < host->out->address_count; i++) {
        waits |= look_back(look, &host->addresses[i]);
        waits |= look_connect(&host->addresses[i]);
    }
    return waits;
}

static void make_hosts(struct check_look *look)
{
    struct evidence *evidence = &look->evidence;
    struct arena *arena = look->request.arena;

    look->hosts_made = true;
    look->hosts = arena_array(arena, evidence->host_count + 1, sizeof *look->hosts);
    look->facts.hosts = arena_array(arena, evidence->host_count + 1, sizeof *look->facts.hosts);
    if (look->hosts == NULL || look->facts.hosts == NULL)
        return;
    look->facts.host_count = evidence->host_count;
    for (size_t i = 0; i < evidence->host_count; i++) {
        struct look_host *host = &look->hosts[i];

        host->out = &look->facts.hosts[i];
        host->evidence = &evidence->hosts[i];
        host->out->name = host->evidence->name;
        host->out->preference = host->evidence->preference;
        host->out->evidence = host->evidence;
        host->look = look;
        begin_host(look, host);
    }
}

bool look_hosts(struct check_look *look)
{
    bool waits = false;

    if (look->evidence.mx == MX_UNKNOWN)
        return false;
    if (!look->hosts_made)
        make_hosts(look);
    for (size_t i = 0; i < look->facts.host_count; i++)
        waits |= advance_host(look, &look->hosts[i]);
    return waits;
}

void look_hosts_stop(struct check_look *look)
{
    for (size_t i = 0; i < look->facts.host_count; i++) {
        struct look_host *host = &look->hosts[i];

        if (host->lookup != NULL)
            host_cancel(host->lookup);
        dns_question_stop(&host->a);
        dns_question_stop(&host->aaaa);
        dns_question_stop(&host->tlsa);
        for (size_t j = 0; j < host->out->address_count; j++) {
            dns_question_stop(&host->addresses[j].reverse);
            for (size_t k = 0; k < LOOK_REVERSE_MAX; k++)
                dns_question_stop(&host->addresses[j].forward[k]);
            if (host->addresses[j].probe != NULL)
                smtp_cancel(host->addresses[j].probe);
        }
    }
}
