/*
 * judge_dns: what the DNS says beside the answers: until when they are signed, how long they are
 * cached, and whether all name servers of a zone say the same.
 *
 * A zone is signed as a whole as a rule, so that a zone has one finding, which names the RRset that
 * ends first. Signatures that live for a few days only are made again and again, often as they are
 * asked for: they are late only when little of their life is left.
 */
#include "check/judge_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/net/hostname.h"

#define LIFE_SHORT_S (7 * DAY_S)

/* ---- all RRsets ---- */

struct asked {
    const struct check_rrset *rrset;
    const char *type;
    uint32_t ttl_max; /* seconds: a longer one is told */
    const struct check_host *host;
};

#define TTL_DAY  86400u
#define TTL_WEEK 604800u

/* Records that change with a certificate or a policy are to change within a day. */
static size_t domain_rrsets(struct asked *out, const struct check_facts *facts)
{
    const struct asked all[] = {
        {&facts->mx, "MX", TTL_WEEK, NULL},
        {&facts->sts_record, "TXT", TTL_DAY, NULL},
        {&facts->tlsrpt_record, "TXT", TTL_WEEK, NULL},
        {&facts->sts_a, "A", TTL_WEEK, NULL},
        {&facts->sts_aaaa, "AAAA", TTL_WEEK, NULL},
    };

    memcpy(out, all, sizeof all);
    return sizeof all / sizeof all[0];
}

static size_t host_rrsets(struct asked *out, const struct check_host *host)
{
    const struct asked all[] = {
        {&host->a, "A", TTL_WEEK, host},
        {&host->aaaa, "AAAA", TTL_WEEK, host},
        {&host->tlsa, "TLSA", TTL_DAY, host},
    };

    memcpy(out, all, sizeof all);
    return sizeof all / sizeof all[0];
}

#define RRSETS_MAX 8 /* of the domain, or of a host */

/* Calls `each` for all RRsets; those of a host come together. */
static void for_all(const struct judging *judging, void *context,
                    void (*each)(const struct judging *judging, void *context,
                                 const struct asked *rrsets, size_t count))
{
    const struct check_facts *facts = judging->facts;
    struct asked rrsets[RRSETS_MAX];

    each(judging, context, rrsets, domain_rrsets(rrsets, facts));
    for (size_t i = 0; i < facts->host_count; i++)
        each(judging, context, rrsets, host_rrsets(rrsets, &facts->hosts[i]));
}

/* ---- signatures ---- */

/* The zone that a name is in, as far as is known: the longest of facts.zones; else the domain. */
static const char *zone_of(const struct check_facts *facts, const char *name)
{
    const char *best = NULL;

    for (size_t i = 0; i < facts->zone_count; i++)
        if (hostname_within(name, facts->zones[i].name) &&
            (best == NULL || strlen(facts->zones[i].name) > strlen(best)))
            best = facts->zones[i].name;
    return best == NULL ? facts->domain : best;
}

static const struct {
    unsigned days; /* until the end */
    unsigned part; /* of a signature with a short life: this part of it is left */
    enum check_severity severity;
} signature_steps[] = {
    {1, 8, CHECK_CRITICAL},
    {3, 4, CHECK_WARNING},
};

/* Times of the DNS are modulo 2^32 (RFC 4034 §3.1.5, RFC 1982). */
static int64_t seconds_left(const struct dns_answer *answer, int64_t now)
{
    return (int32_t)(answer->signed_until - (uint32_t)now);
}

/* The answer whose signature counts. */
static const struct dns_answer *signed_answer(const struct check_rrset *rrset)
{
    return rrset->published != NULL ? rrset->published : rrset->answer;
}

static bool signature_ends(const struct dns_answer *answer, int64_t now,
                           enum check_severity *severity)
{
    int64_t life = (int32_t)(answer->signed_until - answer->signed_since);
    int64_t left = seconds_left(answer, now);

    for (size_t i = 0; i < sizeof signature_steps / sizeof signature_steps[0]; i++) {
        int64_t limit = signature_steps[i].days * (int64_t)DAY_S;

        if (answer->signed_since != 0 && life > 0 && life < LIFE_SHORT_S)
            limit = life / signature_steps[i].part;
        *severity = signature_steps[i].severity;
        if (left <= limit)
            return true;
    }
    return false;
}

/* The RRsets of one zone whose signatures end soon. */
struct ending {
    const char *zone;
    struct asked kept; /* the one that ends first */
    size_t count;
    enum check_severity severity;
};

#define ENDINGS_MAX (CHECK_ZONES_MAX + 1)

static struct ending *ending_of(struct ending *endings, const char *zone)
{
    for (size_t i = 0; i < ENDINGS_MAX; i++) {
        if (endings[i].zone == NULL)
            endings[i].zone = zone;
        if (strcmp(endings[i].zone, zone) == 0)
            return &endings[i];
    }
    return NULL;
}

static void note_ending(const struct judging *judging, void *context, const struct asked *rrsets,
                        size_t count)
{
    int64_t now = judging->facts->now_s;

    for (size_t i = 0; i < count; i++) {
        const struct dns_answer *answer;
        struct ending *ending;
        enum check_severity severity;

        if (judge_answer(rrsets[i].rrset) < JUDGE_EMPTY || !rrsets[i].rrset->answer->secure)
            continue;
        answer = signed_answer(rrsets[i].rrset);
        if (!answer->is_signed || !signature_ends(answer, now, &severity))
            continue;
        ending = ending_of(context, zone_of(judging->facts, rrsets[i].rrset->name));
        if (ending == NULL)
            continue;
        if (ending->count == 0 ||
            seconds_left(answer, now) < seconds_left(signed_answer(ending->kept.rrset), now)) {
            ending->kept = rrsets[i];
            ending->severity = severity;
        }
        ending->count++;
    }
}

static void judge_signatures(const struct judging *judging)
{
    struct ending endings[ENDINGS_MAX] = {{0}};
    int64_t now = judging->facts->now_s;

    for_all(judging, endings, note_ending);
    for (size_t i = 0; i < ENDINGS_MAX && endings[i].count > 0; i++) {
        const struct check_rrset *rrset = endings[i].kept.rrset;
        int64_t left = seconds_left(signed_answer(rrset), now);

        judge_put(judging, &(struct judge_at){.name = endings[i].zone},
                  &(struct check_finding){
                      .code = CHECK_FOUND_DNSSEC_EXPIRES,
                      .severity = endings[i].severity,
                      .evidence = judge_text(
                          judging, "%s %s is signed until %s (%d hours left), of %zu such RRsets",
                          endings[i].kept.type, rrset->name, judge_date(judging, now + left),
                          (int)(left / 3600), endings[i].count),
                      .fix =
                          "sign the zone again, and see why it was not signed by itself; when the "
                          "signatures end, validating senders defer all mail"});
    }
}

/* ---- TTLs ---- */

static uint32_t ttl_of(const struct check_rrset *rrset)
{
    return rrset->ttl > rrset->answer->ttl ? rrset->ttl : rrset->answer->ttl;
}

static void judge_ttls(const struct judging *judging, void *context, const struct asked *rrsets,
                       size_t count)
{
    struct judge_list list;
    const char *text;

    (void)context;
    judge_list_init(&list);
    for (size_t i = 0; i < count; i++) {
        const struct check_rrset *rrset = rrsets[i].rrset;

        if (judge_answer(rrset) == JUDGE_RECORDS && ttl_of(rrset) > rrsets[i].ttl_max)
            judge_list_add(&list, judge_text(judging, "%s %s: %u s", rrsets[i].type, rrset->name,
                                             ttl_of(rrset)));
    }
    text = judge_list_take(judging, &list);
    if (list.count > 0)
        judge_add(judging, &(struct judge_at){.host = rrsets[0].host}, CHECK_FOUND_DNS_TTL, text,
                  "a TTL of 3600 s: caches keep the old record for as long after a change");
}

/* ---- name servers ---- */

static const char *server_text(const struct judging *judging, const struct check_server *server)
{
    char ip[IP_TEXT_MAX], serial[40] = "";
    const char *what = server->agreement == CHECK_OTHER ? server->rrset : server->why;

    if (server->serial_known)
        snprintf(serial, sizeof serial, " serial %u", server->serial);
    return judge_text(judging, "%s [%s]%s: %s", server->name, ip_text(&server->ip, ip), serial,
                      what == NULL ? "no answer" : what);
}

/* The serial that most servers have that agree; false: none is known. */
static bool common_serial(const struct check_zone *zone, uint32_t *serial)
{
    for (size_t i = 0; i < zone->server_count; i++)
        if (zone->servers[i].agreement == CHECK_SAME && zone->servers[i].serial_known) {
            *serial = zone->servers[i].serial;
            return true;
        }
    return false;
}

static bool is_asked(const struct check_zone *zone, const char *name)
{
    for (size_t i = 0; i < zone->server_count; i++)
        if (strcmp(zone->servers[i].name, name) == 0)
            return true;
    return false;
}

/* Name servers none of whose addresses can be looked up: what senders' resolvers ask does not answer
 * either. With one of two kinds of addresses a name server is asked all the same. */
static void list_lost(const struct judging *judging, const struct check_zone *zone,
                      struct judge_list *list)
{
    for (size_t i = 0; i < zone->lost_count; i++)
        if (!zone->lost[i].too_many && !is_asked(zone, zone->lost[i].name))
            judge_list_add(list,
                           judge_text(judging, "%s: %s", zone->lost[i].name, zone->lost[i].why));
}

static void judge_servers(const struct judging *judging, const struct check_zone *zone,
                          enum check_agreement agreement, enum check_code code, const char *fix)
{
    bool no_ipv6 = judge_lacks_ipv6(judging->facts);
    struct judge_list list;
    uint32_t serial;
    const char *text;

    judge_list_init(&list);
    for (size_t i = 0; i < zone->server_count; i++)
        if (zone->servers[i].agreement == agreement &&
            !(no_ipv6 && zone->servers[i].ip.family == 6))
            judge_list_add(&list, server_text(judging, &zone->servers[i]));
    if (agreement == CHECK_SILENT)
        list_lost(judging, zone, &list);
    text = judge_list_take(judging, &list);
    if (list.count == 0)
        return;
    if (agreement == CHECK_OTHER && common_serial(zone, &serial))
        text = judge_text(judging, "%s; others have serial %u", text, serial);
    judge_add(judging, &(struct judge_at){.name = zone->name}, code, text, fix);
}

/* A server that is silent, where no server of any zone answers this machine; else NULL. The resolver
 * had its answers from some of them, so that it is the way from here: a firewall, or a proxy that
 * answers in their place. */
static const struct check_server *all_silent(const struct check_facts *facts)
{
    const struct check_server *silent = NULL;

    for (size_t i = 0; i < facts->zone_count; i++)
        for (size_t k = 0; k < facts->zones[i].server_count; k++) {
            const struct check_server *server = &facts->zones[i].servers[k];

            if (server->agreement == CHECK_SAME || server->agreement == CHECK_OTHER)
                return NULL;
            if (silent == NULL && server->agreement == CHECK_SILENT)
                silent = server;
        }
    return silent;
}

/* No more than a notice, as of a machine without IPv6: it stays so. */
static void judge_no_way(const struct judging *judging, const struct check_server *server)
{
    judge_put(judging, &(struct judge_at){.name = NULL},
              &(struct check_finding){
                  .code = CHECK_FOUND_NOT_FOUND_OUT,
                  .severity = CHECK_NOTICE,
                  .evidence = judge_text(judging,
                                         "whether all name servers say the same: none answers this "
                                         "machine: %s",
                                         server_text(judging, server)),
                  .fix = "let this machine ask name servers on port 53, by UDP and TCP, or run the "
                         "check on another one too"});
}

/* ---- the whole ---- */

void judge_dns(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    const struct check_server *silent = all_silent(facts);

    judge_signatures(judging);
    for_all(judging, NULL, judge_ttls);
    if (silent != NULL) {
        judge_no_way(judging, silent);
        return;
    }
    for (size_t i = 0; i < facts->zone_count; i++) {
        judge_servers(
            judging, &facts->zones[i], CHECK_OTHER, CHECK_FOUND_DNS_LAGS,
            "have the server transfer the zone: NOTIFY, TSIG keys, firewall, and the SOA's "
            "refresh time; change nothing else until all agree");
        judge_servers(judging, &facts->zones[i], CHECK_SILENT, CHECK_FOUND_DNS_SILENT,
                      "start the server, have it serve the zone, or take it out of the NS records "
                      "here and in the zone above");
    }
}
