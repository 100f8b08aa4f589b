/* servers_uv: see servers_uv.h. As check/look, it is driven by events: advance starts what has
 * become possible, and all is over when nothing is awaited. */
#include "check/servers/servers_uv.h"

#include <stdlib.h>
#include <string.h>

#include "base/net/hostname.h"
#include "probe/dns/dns_question_uv.h"

#define DNS_PORT      53
#define CUTS_MAX      512 /* names that are asked for NS records */
#define NAMES_MAX     13  /* name servers of a zone that are looked up */
#define QUERIES_MAX   20000
#define SOA_NUMBERS   20 /* octets at the end of its RDATA; the serial is first */
#define TRIES_MAX     2
#define IN_FLIGHT_MAX 64

/* A name that may be the apex of a zone. */
struct cut {
    const char *name;
    struct dns_question ns;
};

/* One server under way. */
struct direct {
    struct dns *dns; /* asks this server only; NULL: forbidden */
    struct dns_asker asker;
    struct dns_question soa, *questions; /* as many as the request's; those of its zone are asked */
};

struct zone {
    const struct cut *cut;
    struct dns_question a[NAMES_MAX], aaaa[NAMES_MAX];
    size_t name_count;
    bool made; /* its servers are known */
    struct direct *directs;
};

struct servers {
    struct servers_request request;
    servers_done *done;
    void *context;
    uv_timer_t finish; /* `done` is called from the loop */
    bool advancing, over, closing;

    struct dns_asker asker;
    unsigned budget;
    struct cut cuts[CUTS_MAX];
    size_t cut_count;
    struct zone zones[CHECK_ZONES_MAX];
    size_t zone_of[SERVERS_QUESTIONS_MAX];    /* index + 1; 0: not known yet */
    const char *above[SERVERS_QUESTIONS_MAX]; /* where the search for it is; NULL: not begun */
    struct servers_said said;
};

static void advance(struct servers *servers);

static void on_event(void *owner)
{
    advance(owner);
}

/* ---- zones ---- */

static struct cut *cut_at(struct servers *servers, const char *name)
{
    for (size_t i = 0; i < servers->cut_count; i++)
        if (strcmp(servers->cuts[i].name, name) == 0)
            return &servers->cuts[i];
    if (servers->cut_count == CUTS_MAX)
        return NULL;
    servers->cuts[servers->cut_count].name = name;
    return &servers->cuts[servers->cut_count++];
}

static const char *parent(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot == NULL ? NULL : dot + 1;
}

static bool is_apex(const struct cut *cut)
{
    const struct dns_answer *answer = cut->ns.answer;

    return answer->outcome == DNS_RECORDS && strcmp(answer->owner, cut->name) == 0;
}

/* The zone of that apex, as index + 1; 0: there are too many. */
static size_t zone_at(struct servers *servers, const struct cut *cut)
{
    size_t count = servers->said.zone_count;

    for (size_t i = 0; i < count; i++)
        if (servers->zones[i].cut == cut)
            return i + 1;
    if (count == CHECK_ZONES_MAX)
        return 0;
    servers->zones[count].cut = cut;
    servers->said.zones[count].name = cut->name;
    servers->said.zone_count++;
    return count + 1;
}

/* Asks upwards from a question's name until there are NS records; true while that is awaited. */
static bool find_zone(struct servers *servers, size_t question)
{
    const char *name = servers->above[question] != NULL ? servers->above[question]
                                                        : servers->request.questions[question].name;

    while (servers->zone_of[question] == 0 && name != NULL) {
        struct cut *cut = cut_at(servers, name);

        if (cut == NULL)
            return false;
        servers->above[question] = name;
        if (dns_question_once(&cut->ns, &servers->asker, name, DNS_NS))
            return true;
        if (cut->ns.answer->outcome == DNS_FAILED)
            return false;
        if (is_apex(cut))
            servers->zone_of[question] = zone_at(servers, cut);
        name = servers->zone_of[question] != 0 ? NULL : parent(name);
    }
    return false;
}

/* ---- their servers ---- */

/* Notes a name server that is not asked, or not at every address. */
static void lose(struct check_zone *out, const char *name, const char *why, bool too_many)
{
    for (size_t i = 0; i < out->lost_count; i++)
        if (strcmp(out->lost[i].name, name) == 0)
            return;
    if (out->lost_count < CHECK_LOST_MAX)
        out->lost[out->lost_count++] = (struct check_lost){name, why, too_many};
}

static void add_servers(struct check_zone *out, const char *name, const struct dns_answer *answer)
{
    for (size_t i = 0; answer->outcome == DNS_RECORDS && i < answer->count; i++) {
        struct check_server *server = &out->servers[out->server_count];
        const struct dns_record *record = &answer->records[i];

        if (out->server_count == CHECK_SERVERS_MAX) {
            lose(out, name, "its zone has more addresses of name servers than are asked", true);
            return;
        }
        *server = (struct check_server){.name = name};
        out->server_count += ip_from_octets(&server->ip, record->data, record->length);
    }
}

/* A lookup that failed is no absence: senders' resolvers may know the address. */
static void add_name(struct servers *servers, struct check_zone *out, const char *name,
                     const struct dns_answer *a, const struct dns_answer *aaaa)
{
    const struct dns_answer *failed = a->outcome == DNS_FAILED ? a : aaaa;
    bool gone = a->outcome == DNS_NXDOMAIN || aaaa->outcome == DNS_NXDOMAIN;

    add_servers(out, name, a);
    add_servers(out, name, aaaa);
    if (failed->outcome == DNS_FAILED && !gone)
        lose(out, name,
             arena_printf(servers->request.arena, "its addresses cannot be looked up: %s",
                          failed->why),
             false);
}

static void make_direct(struct servers *servers, struct direct *direct, struct check_server *server)
{
    struct dns_options options = *servers->request.options;

    direct->questions = arena_array(servers->request.arena, servers->request.question_count + 1,
                                    sizeof *direct->questions);
    server->agreement = CHECK_SILENT; /* until it is asked */
    server->why = "no memory";
    if (direct->questions == NULL)
        return;
    if (!address_filter_permits(servers->request.filter, &server->ip)) {
        server->why = "not a global address";
        return;
    }
    options.server_count = 1;
    options.servers[0] = (struct dns_server){
        server->ip, servers->request.port == 0 ? DNS_PORT : servers->request.port};
    options.tries = options.tries < TRIES_MAX ? options.tries : TRIES_MAX;
    options.in_flight_max = IN_FLIGHT_MAX;
    options.questions_per_socket = 0;
    if (dns_new(&direct->dns, servers->finish.loop, &options) != 0)
        return;
    server->agreement = CHECK_NOT_ASKED;
    server->why = NULL;
    direct->asker = servers->asker;
    direct->asker.dns = direct->dns;
}

/* Takes the addresses of a zone's servers once all are there; true while they are awaited. */
static bool make_servers(struct servers *servers, size_t index)
{
    const struct dns_answer *ns = servers->zones[index].cut->ns.answer;
    struct zone *zone = &servers->zones[index];
    struct check_zone *out = &servers->said.zones[index];
    struct arena *arena = servers->request.arena;
    bool waits = false;

    zone->name_count = ns->count < NAMES_MAX ? ns->count : NAMES_MAX;
    for (size_t i = 0; i < zone->name_count; i++) {
        waits |= dns_question_once(&zone->a[i], &servers->asker, ns->records[i].name, DNS_A);
        waits |= dns_question_once(&zone->aaaa[i], &servers->asker, ns->records[i].name, DNS_AAAA);
    }
    if (waits)
        return true;
    zone->made = true;
    out->servers = arena_array(arena, CHECK_SERVERS_MAX + 1, sizeof *out->servers);
    zone->directs = arena_array(arena, CHECK_SERVERS_MAX, sizeof *zone->directs);
    out->lost = arena_array(arena, CHECK_LOST_MAX, sizeof *out->lost);
    if (out->servers == NULL || zone->directs == NULL || out->lost == NULL)
        return false;
    for (size_t i = 0; i < zone->name_count; i++)
        add_name(servers, out, ns->records[i].name, zone->a[i].answer, zone->aaaa[i].answer);
    for (size_t i = zone->name_count; i < ns->count; i++)
        lose(out, ns->records[i].name, "its zone has more name servers than are asked", true);
    for (size_t i = 0; i < out->server_count; i++)
        make_direct(servers, &zone->directs[i], &out->servers[i]);
    return false;
}

/* ---- their answers ---- */

static bool ask_directly(struct servers *servers, size_t index, struct direct *direct)
{
    bool waits;

    if (direct->dns == NULL)
        return false;
    waits =
        dns_question_once(&direct->soa, &direct->asker, servers->zones[index].cut->name, DNS_SOA);
    for (size_t i = 0; i < servers->request.question_count; i++)
        if (servers->zone_of[i] == index + 1)
            waits |= dns_question_once(&direct->questions[i], &direct->asker,
                                       servers->request.questions[i].name,
                                       servers->request.questions[i].type);
    return waits;
}

static bool ask_zone(struct servers *servers, size_t index)
{
    bool waits = false;

    if (!servers->zones[index].made && make_servers(servers, index))
        return true;
    for (size_t i = 0; i < servers->said.zones[index].server_count; i++)
        waits |= ask_directly(servers, index, &servers->zones[index].directs[i]);
    return waits;
}

/* ---- the end ---- */

static void read_serial(struct check_server *server, const struct dns_answer *soa)
{
    const uint8_t *numbers;

    if (soa == NULL || soa->outcome != DNS_RECORDS || soa->records[0].length < SOA_NUMBERS)
        return;
    numbers = soa->records[0].data + soa->records[0].length - SOA_NUMBERS;
    server->serial = (uint32_t)numbers[0] << 24 | (uint32_t)numbers[1] << 16 |
                     (uint32_t)numbers[2] << 8 | numbers[3];
    server->serial_known = true;
}

static void conclude_zone(struct servers *servers, size_t index)
{
    size_t count = servers->request.question_count;
    struct check_zone *out = &servers->said.zones[index];
    const struct dns_answer **answers =
        arena_array(servers->request.arena, out->server_count * count + 1, sizeof(void *));

    servers->said.answers[index] = answers;
    if (answers == NULL)
        return;
    for (size_t i = 0; i < out->server_count; i++) {
        struct direct *direct = &servers->zones[index].directs[i];

        read_serial(&out->servers[i], direct->soa.answer);
        for (size_t j = 0; j < count; j++)
            answers[i * count + j] = direct->questions == NULL ? NULL : direct->questions[j].answer;
    }
    servers_compare(out, answers, servers->request.questions, count);
}

static void on_finish(uv_timer_t *timer)
{
    struct servers *servers = timer->data;

    for (size_t i = 0; i < servers->said.zone_count; i++)
        conclude_zone(servers, i);
    servers->done(servers->context, &servers->said);
}

static void advance(struct servers *servers)
{
    bool waits = false;

    if (servers->advancing || servers->over)
        return;
    servers->advancing = true;
    for (size_t i = 0; i < servers->request.question_count; i++)
        waits |= find_zone(servers, i);
    /* zones are asked when it is known which questions are whose */
    for (size_t i = 0, count = waits ? 0 : servers->said.zone_count; i < count; i++)
        waits |= ask_zone(servers, i);
    servers->advancing = false;
    servers->over = !waits;
    if (servers->over)
        uv_timer_start(&servers->finish, on_finish, 0, 0);
}

/* ---- the whole ---- */

int servers_start(struct servers **out, const struct servers_request *request, servers_done *done,
                  void *context)
{
    struct servers *servers = calloc(1, sizeof *servers);
    struct arena *arena = request->arena;

    if (servers == NULL)
        return UV_ENOMEM;
    servers->request = *request;
    if (request->question_count > SERVERS_QUESTIONS_MAX)
        servers->request.question_count = SERVERS_QUESTIONS_MAX;
    servers->done = done;
    servers->context = context;
    servers->budget = QUERIES_MAX;
    servers->asker = (struct dns_asker){.dns = request->dns,
                                        .arena = arena,
                                        .budget = &servers->budget,
                                        .answered = on_event,
                                        .owner = servers};
    servers->said.zones = arena_array(arena, CHECK_ZONES_MAX, sizeof *servers->said.zones);
    servers->said.answers = arena_array(arena, CHECK_ZONES_MAX, sizeof *servers->said.answers);
    if (servers->said.zones == NULL || servers->said.answers == NULL) {
        free(servers);
        return UV_ENOMEM;
    }
    uv_timer_init(dns_loop(request->dns), &servers->finish);
    servers->finish.data = servers;
    *out = servers;
    advance(servers);
    return 0;
}

static void stop_zone(struct zone *zone, size_t server_count, size_t question_count)
{
    for (size_t i = 0; i < zone->name_count; i++) {
        dns_question_stop(&zone->a[i]);
        dns_question_stop(&zone->aaaa[i]);
    }
    for (size_t i = 0; zone->directs != NULL && i < server_count; i++) {
        struct direct *direct = &zone->directs[i];

        if (direct->dns == NULL)
            continue;
        dns_question_stop(&direct->soa);
        for (size_t j = 0; j < question_count; j++)
            dns_question_stop(&direct->questions[j]);
        dns_close(direct->dns);
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void servers_free(struct servers *servers)
{
    if (servers == NULL || servers->closing)
        return;
    servers->closing = servers->over = true;
    for (size_t i = 0; i < servers->cut_count; i++)
        dns_question_stop(&servers->cuts[i].ns);
    for (size_t i = 0; i < servers->said.zone_count; i++)
        stop_zone(&servers->zones[i], servers->said.zones[i].server_count,
                  servers->request.question_count);
    uv_close((uv_handle_t *)&servers->finish, on_closed);
}
