/* sight_uv: see sight_uv.h. */
#include "check/rollover/sight_uv.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "check/servers/servers_uv.h"
#include "probe/dns/dns_question_uv.h"
#include "probe/host_uv.h"
#include "probe/prober_uv.h"
#include "probe/smtp/smtp_uv.h"
#include "probe/tls/tlsa.h"

#define BUDGET_MAX              10000                    /* questions */
#define NO_ROUTE                "network is unreachable" /* ENETUNREACH, in libuv's words */
#define NOT_ASKED               SIZE_MAX
#define OWNERS_MAX              2 /* of a host that is an alias */
#define SERVERS_OF_QUESTION_MAX ((size_t)CHECK_SERVERS_MAX + CHECK_LOST_MAX + 1)

/* Passing over as many as may be must not pass over all that are lost. */
_Static_assert(2 * OWNERS_MAX * ROLLOVER_HOSTS_MAX <= SERVERS_QUESTIONS_MAX, "some are not asked");
_Static_assert(CHECK_LOST_MAX > ROLLOVER_WITHOUT_MAX, "a lost name server would be forgotten");

struct sight;

struct sight_address {
    struct sight *sight;
    struct smtp_probe *probe;
    struct smtp_target target;
    struct tls_chain *chain; /* that was shown; held until the records are known */
    struct rollover_shown *out;
};

/* A name at which senders ask for TLSA records. */
struct sight_owner {
    struct sight *sight;
    struct rollover_seen *out;
    const char *base; /* a name of the host */
    const char *name; /* "_25._tcp.BASE" */
    struct dns_question tlsa;
    size_t asked, asked_target; /* questions to the servers; NOT_ASKED: none */
};

struct sight_host {
    struct sight *sight;
    struct rollover_seen *out;
    struct mx_host evidence;
    struct host_lookup *lookup;
    size_t owner_count; /* 0: not known yet */
    struct sight_owner owners[OWNERS_MAX];
    struct sight_address *addresses;
};

struct sight {
    uv_loop_t loop;
    struct arena *arena; /* borrowed, as the next three */
    const struct rollover *rollover;
    struct prober_options options;
    const struct domain_tools *tools;
    struct prober *prober;
    struct dns_asker asker;
    unsigned budget;
    size_t host_count, awaited;
    struct sight_host *hosts;
    size_t question_count;
    struct servers_question *questions;
    uint16_t dns_port;
    bool servers_started, failed;
    struct servers *servers;
    const struct servers_said *said;
};

static void ask_servers(struct sight *sight);

/* ---- handshakes ---- */

static bool key_is(const struct sight *sight, const struct rollover_chain *chain, const char *type)
{
    struct tls_certificate leaf;

    return chain->shown.count > 0 &&
           tls_certificate_read(&leaf, sight->arena, &chain->shown.certificates[0]) &&
           strcmp(leaf.key_type, type) == 0;
}

static enum tls_offer offer_of(const struct sight *sight)
{
    const struct rollover *rollover = sight->rollover;

    if (key_is(sight, &rollover->next, "RSA") && key_is(sight, &rollover->current, "RSA"))
        return TLS_OFFER_RSA;
    if (key_is(sight, &rollover->next, "EC") && key_is(sight, &rollover->current, "EC"))
        return TLS_OFFER_ECDSA;
    return TLS_OFFER_DEMANDED;
}

/* Whether no connection came about, as where port 25 is blocked, or none was to be made. */
static bool is_unreachable(const struct smtp_outcome *outcome)
{
    return outcome->failed_here || outcome->result.state == STARTTLS_SKIPPED ||
           outcome->failure == SMTP_FAILURE_CONNECT_REFUSED ||
           outcome->failure == SMTP_FAILURE_CONNECT_TIMEOUT ||
           outcome->failure == SMTP_FAILURE_CONNECT;
}

static void on_probed(void *context, const struct smtp_outcome *outcome)
{
    struct sight_address *address = context;
    struct arena *arena = address->sight->arena;
    struct tls_shown shown;

    address->probe = NULL;
    address->sight->awaited--;
    address->out->unreachable = is_unreachable(outcome);
    address->out->why = outcome->result.detail != NULL ? arena_strdup(arena, outcome->result.detail)
                                                       : "it shows no certificate";
    if (outcome->chain != NULL && tls_chain_shown(outcome->chain, arena, &shown) &&
        rollover_chain_make(&address->out->chain, arena, &shown))
        address->chain = tls_chain_share(outcome->chain);
    else
        address->out->chain = (struct rollover_chain){.made = NULL};
}

static void connect_to(struct sight_host *host, size_t index, enum tls_offer offer)
{
    struct sight *sight = host->sight;
    struct sight_address *address = &host->addresses[index];
    const struct smtp_tools tools = {&sight->loop, prober_tls(sight->prober), sight->tools->filter};
    struct smtp_options options = sight->options.probes.smtp;
    char text[IP_TEXT_MAX];

    options.helo_pending = false;
    options.keep_chain = true;
    options.offer = offer;
    *address = (struct sight_address){.sight = sight,
                                      .out = (struct rollover_shown *)&host->out->addresses[index]};
    address->target = (struct smtp_target){
        .ip = host->evidence.addresses[index].ip,
        .port = sight->rollover->port,
        .host = host->evidence.name,
        .sni = host->evidence.tlsa_base != NULL ? host->evidence.tlsa_base : host->evidence.name};
    ip_text(&address->target.ip, text);
    *address->out =
        (struct rollover_shown){.address = arena_strdup(sight->arena, text), .why = "no memory"};
    if (smtp_start(&address->probe, &tools, &options, &address->target, on_probed, address) == 0)
        sight->awaited++;
    else
        address->probe = NULL;
}

/* ---- hosts ---- */

static void on_answered(void *owner)
{
    struct sight *sight = owner;

    sight->awaited--;
    ask_servers(sight);
}

static void add_owner(struct sight_host *host, const char *base)
{
    struct sight *sight = host->sight;
    struct sight_owner *owner = &host->owners[host->owner_count++];
    const char *name = arena_printf(sight->arena, "_%u._tcp.%s", sight->rollover->port, base);

    *owner = (struct sight_owner){
        .sight = sight, .base = base, .name = name, .asked = NOT_ASKED, .asked_target = NOT_ASKED};
    dns_question_ask(&owner->tlsa, &sight->asker, name, DNS_TLSA);
    sight->awaited += owner->tlsa.query != NULL;
}

/* A second name has records of its own; the first is told of both. */
static void give_seen(struct sight_host *host)
{
    struct rollover_seen *also = NULL;

    host->owners[0].out = host->out;
    if (host->owner_count < OWNERS_MAX)
        return;
    also = arena_alloc(host->sight->arena, sizeof *also);
    host->owners[1].out = also;
    host->sight->failed |= also == NULL;
    if (also != NULL)
        *also = *host->out;
    host->out->also = also;
}

/* Senders ask at the name that an alias leads to, and where there is nothing at its own; whether a
 * lookup of ours found the first secure or empty just now is no matter. */
static void on_host(void *context)
{
    struct sight_host *host = context;
    struct sight *sight = host->sight;
    const struct mx_host *evidence = &host->evidence;
    size_t count = evidence->address_count;
    struct rollover_shown *shown = arena_array(sight->arena, count + 1, sizeof *shown);

    host->lookup = NULL;
    sight->awaited--;
    host->out->hidden = evidence->hidden;
    if (evidence->dane == HOST_DANE_ERROR || evidence->dane == HOST_DANE_LOST)
        host->out->why = evidence->why;
    if (evidence->expanded != NULL && strcmp(evidence->expanded, evidence->name) != 0)
        add_owner(host, evidence->expanded);
    add_owner(host, evidence->name);
    host->addresses = arena_array(sight->arena, count + 1, sizeof *host->addresses);
    if (shown != NULL && host->addresses != NULL) {
        host->out->addresses = shown;
        host->out->address_count = count;
        for (size_t i = 0; i < count; i++)
            connect_to(host, i, offer_of(sight));
    }
    give_seen(host);
    ask_servers(sight);
}

static void start_host(struct sight *sight, size_t index)
{
    struct sight_host *host = &sight->hosts[index];
    const struct host_request request = {.dns = sight->asker.dns,
                                         .arena = sight->arena,
                                         .name = sight->rollover->hosts[index],
                                         .port = sight->rollover->port,
                                         .dane = true,
                                         .query_budget = &sight->budget};

    host->sight = sight;
    host->evidence.name = request.name;
    if (host_start(&host->lookup, &request, &host->evidence, on_host, host) == 0)
        sight->awaited++;
    else
        sight->failed = true;
}

/* ---- what servers say ---- */

static struct rollover_rrset rrset_of(struct arena *arena, const char *server,
                                      const struct dns_answer *answer, bool cached)
{
    struct rollover_rrset out = {.server = server, .cached = cached, .why = "it was not asked"};
    struct tlsa *records;

    if (answer == NULL)
        return out;
    out.why = answer->outcome == DNS_FAILED ? answer->why : "an answer without authority";
    out.known = answer->outcome != DNS_FAILED && (cached || answer->authoritative);
    out.no_route = answer->outcome == DNS_FAILED && answer->failure == DNS_FAILURE_NETWORK &&
                   strstr(answer->why, NO_ROUTE) != NULL;
    out.ttl = answer->ttl_longest;
    records = arena_array(arena, answer->count + 1, sizeof *records);
    out.known &= records != NULL;
    out.records = records;
    for (size_t i = 0; out.known && answer->outcome == DNS_RECORDS && i < answer->count; i++)
        out.count +=
            tlsa_parse(&records[out.count], answer->records[i].data, answer->records[i].length);
    return out;
}

/* The zone, of those that were asked, that a name is in. */
static size_t zone_of(const struct servers_said *said, const char *name)
{
    size_t found = NOT_ASKED;

    for (size_t i = 0; i < said->zone_count; i++)
        if (hostname_within(name, said->zones[i].name) &&
            (found == NOT_ASKED || strlen(said->zones[i].name) > strlen(said->zones[found].name)))
            found = i;
    return found;
}

/* Whether an answer is no RRset, but an alias that leads out of what the server has. */
static bool is_alias(const struct dns_answer *answer)
{
    return answer != NULL && answer->outcome != DNS_RECORDS && answer->outcome != DNS_FAILED &&
           answer->authoritative && answer->aliases > 0;
}

/* What a server gave, unless it is the alias that the resolver has followed too. */
static bool take_answer(struct rollover_rrset *out, struct sight_owner *owner, const char *server,
                        const struct dns_answer *answer)
{
    const struct dns_answer *followed = owner->tlsa.answer;
    struct arena *arena = owner->sight->arena;

    *out = rrset_of(arena, server, answer, false);
    if (!is_alias(answer))
        return true;
    if (answer->ttl_longest > owner->out->alias_ttl)
        owner->out->alias_ttl = answer->ttl_longest;
    if (followed != NULL && followed->owner != NULL && strcmp(answer->owner, followed->owner) == 0)
        return false;
    out->known = false;
    out->why = arena_printf(arena, "an alias to %s, which is not where the resolver was led",
                            answer->owner);
    return true;
}

/* A set of servers that is not known to say anything. */
static void add_unknown(struct sight_owner *owner, struct rollover_rrset *servers,
                        const char *server, const char *name, const char *why)
{
    servers[owner->out->server_count++] =
        (struct rollover_rrset){.server = server, .name = name, .why = why};
}

static void take_server(struct sight_owner *owner, size_t zone, size_t server, size_t question,
                        struct rollover_rrset *servers)
{
    struct sight *sight = owner->sight;
    const struct check_server *of = &sight->said->zones[zone].servers[server];
    struct rollover_rrset *out = &servers[owner->out->server_count];
    char text[IP_TEXT_MAX];

    ip_text(&of->ip, text);
    if (!take_answer(out, owner, arena_printf(sight->arena, "%s [%s]", of->name, text),
                     sight->said->answers[zone][server * sight->question_count + question]))
        return;
    out->name = of->name;
    out->address = arena_strdup(sight->arena, text);
    if (of->why != NULL && !out->known)
        out->why = of->why;
    owner->out->server_count++;
}

/* What the servers of its zone said to a question; those that could not be asked are not known. */
static void take_question(struct sight_owner *owner, size_t question,
                          struct rollover_rrset *servers)
{
    struct sight *sight = owner->sight;
    const struct check_zone *of;
    const char *all;
    size_t zone;

    if (question == NOT_ASKED)
        return;
    zone = zone_of(sight->said, sight->questions[question].name);
    all = arena_printf(sight->arena, "the name servers of %s", sight->questions[question].name);
    if (zone == NOT_ASKED || sight->said->answers[zone] == NULL) {
        add_unknown(owner, servers, all, NULL, "they cannot be found");
        return;
    }
    of = &sight->said->zones[zone];
    if (of->server_count == 0 && of->lost_count == 0)
        add_unknown(owner, servers, all, NULL, "they have no addresses");
    for (size_t i = 0; i < of->server_count; i++)
        take_server(owner, zone, i, question, servers);
    for (size_t i = 0; i < of->lost_count; i++)
        add_unknown(owner, servers, of->lost[i].name, of->lost[i].name, of->lost[i].why);
}

static void take_owner(struct sight_owner *owner)
{
    struct sight *sight = owner->sight;
    struct rollover_rrset *servers =
        arena_array(sight->arena, 2 * SERVERS_OF_QUESTION_MAX, sizeof *servers);

    owner->out->resolver = rrset_of(sight->arena, "the resolver", owner->tlsa.answer, true);
    owner->out->servers = servers;
    owner->out->owner =
        owner->asked_target == NOT_ASKED ? owner->name : sight->questions[owner->asked_target].name;
    if (servers == NULL || sight->said == NULL)
        return;
    take_question(owner, owner->asked, servers);
    take_question(owner, owner->asked_target, servers);
}

/* Whether a record that the resolver gave matches what an address shows. */
static bool is_proven(const struct sight_host *host, struct tls_chain *chain)
{
    for (size_t i = 0; i < host->owner_count && !host->sight->failed; i++) {
        const struct rollover_rrset *rrset = &host->owners[i].out->resolver;
        const struct tls_reference reference = {
            .host = host->evidence.name, .tlsa_names = {host->owners[i].base, host->evidence.name}};

        for (size_t k = 0; rrset->known && k < rrset->count; k++)
            if (tls_chain_matches(chain, &reference, &rrset->records[k]))
                return true;
    }
    return false;
}

static void take_servers(struct sight *sight)
{
    for (size_t i = 0; i < sight->host_count; i++) {
        struct sight_host *host = &sight->hosts[i];

        for (size_t k = 0; k < host->owner_count; k++)
            if (host->owners[k].out != NULL)
                take_owner(&host->owners[k]);
        for (size_t k = 0; k < host->out->address_count; k++) {
            struct sight_address *address = &host->addresses[k];

            address->out->proven = address->chain != NULL && is_proven(host, address->chain);
            tls_chain_free(address->chain);
        }
    }
}

static void on_said(void *context, const struct servers_said *said)
{
    struct sight *sight = context;

    sight->said = said;
    sight->awaited--;
}

static size_t add_question(struct sight *sight, const char *name)
{
    size_t index = sight->question_count++;

    sight->questions[index] =
        (struct servers_question){.name = name, .type = DNS_TLSA, .text = name};
    return index;
}

/* Whether the resolver has answered for every host. */
static bool are_led(const struct sight *sight)
{
    for (size_t i = 0; i < sight->host_count; i++) {
        const struct sight_host *host = &sight->hosts[i];

        for (size_t k = 0; k < host->owner_count; k++)
            if (host->owners[k].tlsa.answer == NULL)
                return false;
        if (host->owner_count == 0)
            return false;
    }
    return true;
}

static void ask_owner(struct sight_owner *owner)
{
    struct sight *sight = owner->sight;
    const struct dns_answer *answer = owner->tlsa.answer;

    sight->failed |= owner->name == NULL;
    if (owner->name == NULL)
        return;
    owner->asked = add_question(sight, owner->name);
    if (answer->outcome != DNS_FAILED && answer->aliases > 0)
        owner->asked_target = add_question(sight, answer->owner);
}

/* While the handshakes are made. */
static void ask_servers(struct sight *sight)
{
    struct servers_request request = {.dns = sight->asker.dns,
                                      .options = &sight->options.dns,
                                      .filter = &sight->options.filter,
                                      .arena = sight->arena,
                                      .port = sight->dns_port,
                                      .questions = sight->questions};

    if (sight->servers_started || sight->failed || !are_led(sight))
        return;
    sight->servers_started = true;
    for (size_t i = 0; i < sight->host_count; i++)
        for (size_t k = 0; k < sight->hosts[i].owner_count; k++)
            ask_owner(&sight->hosts[i].owners[k]);
    if (sight->failed)
        return;
    request.question_count = sight->question_count;
    if (servers_start(&sight->servers, &request, on_said, sight) == 0)
        sight->awaited++;
    else
        sight->failed = true;
}

/* ---- the whole ---- */

static bool see(struct sight *sight, struct rollover_seen *out)
{
    sight->tools = prober_tools(sight->prober);
    sight->budget = BUDGET_MAX;
    sight->asker = (struct dns_asker){.dns = sight->tools->dns,
                                      .arena = sight->arena,
                                      .budget = &sight->budget,
                                      .answered = on_answered,
                                      .owner = sight};
    sight->hosts = arena_array(sight->arena, sight->host_count + 1, sizeof *sight->hosts);
    sight->questions =
        arena_array(sight->arena, 2 * OWNERS_MAX * sight->host_count + 1, sizeof *sight->questions);
    if (sight->hosts == NULL || sight->questions == NULL)
        return false;
    for (size_t i = 0; i < sight->host_count; i++) {
        out[i] = (struct rollover_seen){.host = sight->rollover->hosts[i]};
        sight->hosts[i].out = &out[i];
        start_host(sight, i);
    }
    while (sight->awaited > 0)
        uv_run(&sight->loop, UV_RUN_ONCE);
    take_servers(sight);
    servers_free(sight->servers);
    return !sight->failed && !arena_failed(sight->arena);
}

bool sight_now(struct rollover_seen *out, struct arena *arena, const struct rollover *rollover,
               const struct prober_options *options, uint16_t dns_port, char why[SIGHT_WHY_MAX])
{
    struct sight sight = {.arena = arena,
                          .rollover = rollover,
                          .options = *options,
                          .host_count = rollover->host_count,
                          .dns_port = dns_port};
    const char *words = NULL;
    bool ok = false;
    int error;

    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    CHECK(uv_loop_init(&sight.loop) == 0);
    error = prober_new(&sight.prober, &sight.loop, &sight.options, &words);
    if (error == 0) {
        ok = see(&sight, out);
        words = "no memory";
        prober_close(sight.prober);
    }
    uv_run(&sight.loop, UV_RUN_DEFAULT);
    prober_free(sight.prober);
    CHECK(uv_loop_close(&sight.loop) == 0);
    if (!ok)
        snprintf(why, SIGHT_WHY_MAX, "%s", words != NULL ? words : uv_strerror(error));
    return ok;
}
