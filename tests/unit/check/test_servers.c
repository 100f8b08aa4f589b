/*
 * test_servers: what authoritative servers say, by scripted ones: that are lame, silent, refuse, lie
 * or answer in part; how their answers are compared; and every limit. The resolver is 127.0.0.1, the
 * servers are 127.0.0.2 and on, all at one port.
 */
#include "tests/unit/support/dns_responder.h"
#include "tests/unit/support/rows.h"

#include "check/servers/servers_uv.h"

#define SERVERS      3 /* the resolver is the first */
#define LINES        600
#define ROUNDS       20
#define OWNER        "_25._tcp.mx.example"
#define DIGEST       "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define RECORD       OWNER ". 300 IN TLSA 3 1 1 " DIGEST
#define OTHER        OWNER ". 300 IN TLSA 3 1 1 " OTHER_DIGEST
#define OTHER_DIGEST "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char *const addresses[SERVERS] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};

static struct world {
    uv_loop_t loop;
    struct arena *arena;
    struct responder responders[SERVERS];
    struct responder_line lines[SERVERS][LINES];
    struct dns_options options;
    struct dns *dns;
    struct ip_prefix loopback;
    struct address_filter filter;
    struct servers_question questions[SERVERS_QUESTIONS_MAX + 1];
    size_t question_count;
    struct servers *servers;
    const struct servers_said *said;
    unsigned calls;
} world;

/* ---- scripts ---- */

static struct responder_line *line(size_t server, const char *name, uint16_t type, uint16_t flags)
{
    struct responder *responder = &world.responders[server];
    struct responder_line *out = &world.lines[server][responder->line_count++];

    assert_true(responder->line_count <= LINES);
    *out = (struct responder_line){.reply = {.name = name, .type = type, .flags = flags}};
    return out;
}

static struct responder_line *give(size_t server, const char *name, uint16_t type,
                                   const char *record)
{
    struct responder_line *out = line(server, name, type, server == 0 ? PACKET_AD : PACKET_AA);

    out->reply.answer[0] = record;
    return out;
}

#define text(...) arena_printf(world.arena, __VA_ARGS__)

/* Zone `example` on the servers from `first` on, the first has the newest serial. */
static void give_zone(size_t first, size_t count)
{
    struct responder_line *ns = line(0, "example", DNS_NS, PACKET_AD);

    for (size_t i = 0; i < count; i++) {
        const char *name = text("ns%zu.example", i);

        ns->reply.answer[i] = text("example. 300 IN NS ns%zu.example.", i);
        give(0, name, DNS_A,
             arena_printf(world.arena, "%s. 300 IN A %s", name,
                          first + i < SERVERS ? addresses[first + i] : "127.0.0.99"));
        line(0, name, DNS_AAAA, PACKET_AD);
        if (first + i < SERVERS)
            give(first + i, "example", DNS_SOA,
                 text("example. 300 IN SOA ns. h. %zu 1 1 1 1", 100 - i));
    }
    line(0, OWNER, DNS_NS, PACKET_AD);
    line(0, "_tcp.mx.example", DNS_NS, PACKET_AD);
    line(0, "mx.example", DNS_NS, PACKET_AD);
}

static void question(const char *name, enum dns_type type, const char *words)
{
    world.questions[world.question_count++] =
        (struct servers_question){.name = name, .type = type, .text = words};
}

/* ---- the world ---- */

static void bind_all(void)
{
    uint16_t port = 0;

    for (unsigned round = 0, at = 0; at < SERVERS; round++) {
        assert_true(round < ROUNDS);
        if (responder_start_at(&world.responders[at], &world.loop, addresses[at],
                               at == 0 ? 0 : port, world.lines[at], 0)) {
            port = world.responders[at++].port;
            continue;
        }
        while (at > 0) /* somebody has the port at another address */
            responder_stop(&world.responders[--at]);
        uv_run(&world.loop, UV_RUN_NOWAIT);
    }
}

static void set_up(void)
{
    alarm(60);
    memset(&world, 0, sizeof world);
    world.arena = arena_new((size_t)64 << 20);
    assert_int_equal(uv_loop_init(&world.loop), 0);
    bind_all();
    assert_true(ip_prefix_parse(&world.loopback, "127.0.0.0/8"));
    world.filter = (struct address_filter){.allowed = &world.loopback, .allowed_count = 1};
    world.options = (struct dns_options){
        .server_count = 1, .timeout_ms = 2000, .tries = 3, .in_flight_max = 100};
    world.options.servers[0] = responder_server(&world.responders[0]);
    assert_int_equal(dns_new(&world.dns, &world.loop, &world.options), 0);
}

static void on_said(void *context, const struct servers_said *said)
{
    assert_ptr_equal(context, &world);
    world.said = said;
    world.calls++;
}

static void start(void)
{
    const struct servers_request request = {.dns = world.dns,
                                            .options = &world.options,
                                            .filter = &world.filter,
                                            .arena = world.arena,
                                            .port = world.responders[0].port,
                                            .questions = world.questions,
                                            .question_count = world.question_count};

    assert_int_equal(servers_start(&world.servers, &request, on_said, &world), 0);
}

static void ask(void)
{
    start();
    while (world.calls == 0)
        uv_run(&world.loop, UV_RUN_ONCE);
}

/* The loop must run dry. */
static void tear_down(void)
{
    servers_free(world.servers);
    dns_close(world.dns);
    for (size_t i = 0; i < SERVERS; i++)
        responder_stop(&world.responders[i]);
    assert_int_equal(uv_run(&world.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&world.loop), 0);
    assert_false(arena_failed(world.arena));
    arena_free(world.arena);
    assert_true(world.calls <= 1);
}

/* ---- one server beside one that is as it should be ---- */

struct row {
    const char *name;
    struct responder_line line; /* of the second server, for the TLSA record */
    enum check_agreement agreement;
    const char *why; /* SILENT */
};

#define REPLY(...) .reply = {.name = OWNER, .type = DNS_TLSA, __VA_ARGS__}
#define GOOD       REPLY(.flags = PACKET_AA, .answer = {RECORD})

static const struct row rows[] = {
    {"the same", {GOOD}, CHECK_SAME, NULL},
    {"another record", {REPLY(.flags = PACKET_AA, .answer = {OTHER})}, CHECK_OTHER, NULL},
    {"one more record", {REPLY(.flags = PACKET_AA, .answer = {RECORD, OTHER})}, CHECK_OTHER, NULL},
    {"records of another name are none",
     {REPLY(.flags = PACKET_AA, .answer = {"evil.example. 300 IN TLSA 3 1 1 " DIGEST})},
     CHECK_OTHER,
     NULL},
    {"no such record", {REPLY(.flags = PACKET_AA)}, CHECK_OTHER, NULL},
    {"no such name", {REPLY(.flags = PACKET_AA, .rcode = 3)}, CHECK_OTHER, NULL},
    {"an alias instead",
     {REPLY(.flags = PACKET_AA,
            .answer = {OWNER ". 300 IN CNAME x.example.", "x.example. 300 IN TLSA 3 1 1 " DIGEST})},
     CHECK_OTHER,
     NULL},
    {"without authority", {REPLY(.answer = {RECORD})}, CHECK_SILENT, "without authority"},
    {"it refuses", {REPLY(.rcode = 5)}, CHECK_SILENT, "REFUSED"},
    {"it fails", {REPLY(.rcode = 2)}, CHECK_SILENT, "SERVFAIL"},
    {"it knows no such question", {REPLY(.rcode = 4)}, CHECK_SILENT, "NOTIMP"},
    {"it is silent", {GOOD, .silent = true}, CHECK_SILENT, "timeout"},
    {"it is silent once", {GOOD, .drop = 1}, CHECK_SAME, NULL},
    {"it is asked no more than twice", {GOOD, .drop = 2}, CHECK_SILENT, "timeout"},
    {"another id comes first", {GOOD, .wrong_id = true}, CHECK_SAME, NULL},
    {"another question comes first", {GOOD, .wrong_question = true}, CHECK_SAME, NULL},
    {"more records are counted than come", {GOOD, .malformed = true}, CHECK_SILENT, "malformed"},
    {"truncated, and whole by TCP", {GOOD, .truncate = true}, CHECK_SAME, NULL},
    {"octet by octet by TCP",
     {GOOD, .truncate = true, .tcp = RESPONDER_TCP_DRIP},
     CHECK_SAME,
     NULL},
    {"truncated, and another by TCP",
     {REPLY(.flags = PACKET_AA, .answer = {OTHER}), .truncate = true},
     CHECK_OTHER,
     NULL},
    {"truncated, and closed",
     {GOOD, .truncate = true, .tcp = RESPONDER_TCP_CLOSE},
     CHECK_SILENT,
     ""},
    {"truncated, and silent",
     {GOOD, .truncate = true, .tcp = RESPONDER_TCP_SILENT},
     CHECK_SILENT,
     "timed out"},
    {"truncated, and half an answer",
     {GOOD, .truncate = true, .tcp = RESPONDER_TCP_HALF},
     CHECK_SILENT,
     ""},
    {"truncated, and no message",
     {GOOD, .truncate = true, .tcp = RESPONDER_TCP_TINY},
     CHECK_SILENT,
     ""},
    {"truncated, and another id",
     {GOOD, .truncate = true, .tcp = RESPONDER_TCP_WRONG_ID},
     CHECK_SILENT,
     ""},
    {"truncated by TCP too",
     {GOOD, .truncate = true, .tcp = RESPONDER_TCP_TRUNCATED},
     CHECK_SILENT,
     ""},
    {"a thousand records by TCP", {GOOD, .truncate = true, .distinct = 1000}, CHECK_OTHER, NULL},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    const struct check_server *bad;

    set_up();
    give_zone(1, 2);
    give(1, OWNER, DNS_TLSA, RECORD);
    *line(2, OWNER, DNS_TLSA, 0) = row->line;
    question(OWNER, DNS_TLSA, "TLSA " OWNER);
    ask();
    assert_int_equal(world.said->zone_count, 1);
    assert_string_equal(world.said->zones[0].name, "example");
    assert_int_equal(world.said->zones[0].server_count, 2);
    bad = &world.said->zones[0].servers[1];
    assert_int_equal(bad->agreement, row->agreement);
    if (row->agreement == CHECK_OTHER)
        assert_string_equal(bad->rrset, "TLSA " OWNER);
    if (row->why != NULL && strstr(bad->why, row->why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", bad->why, row->why);
    assert_true(bad->serial_known);
    tear_down();
}

/* ---- zones and servers ---- */

#define ALIAS OWNER ". 300 IN CNAME x.test."

/* What the second server says where the first has an alias to another zone, and nothing of that. */
static void alias_beside(const char *alias, const char *target, enum check_agreement agreement)
{
    give_zone(1, 2);
    give(1, OWNER, DNS_TLSA, ALIAS);
    give(2, OWNER, DNS_TLSA, alias)->reply.answer[1] = target;
    question(OWNER, DNS_TLSA, "TLSA");
    ask();
    assert_int_equal(world.said->zones[0].servers[0].agreement, CHECK_SAME);
    assert_int_equal(world.said->zones[0].servers[1].agreement, agreement);
}

static void an_alias_to_another_zone(void)
{
    alias_beside(ALIAS, NULL, CHECK_SAME);
}

static void an_alias_to_a_zone_that_one_server_has(void)
{
    alias_beside(ALIAS, "x.test. 300 IN TLSA 3 1 1 " DIGEST, CHECK_SAME);
}

static void an_alias_to_an_alias_in_a_zone_that_one_server_has(void)
{
    alias_beside(ALIAS, "x.test. 300 IN CNAME y.test.", CHECK_SAME);
}

static void an_alias_to_elsewhere(void)
{
    alias_beside(OWNER ". 300 IN CNAME y.test.", NULL, CHECK_OTHER);
}

/* Addresses that are chosen by load are others at each server; that there are none is a fault. */
static void spread_addresses(const char *other, bool spread, enum check_agreement agreement)
{
    give_zone(1, 2);
    give(1, "mx.example", DNS_A, "mx.example. 300 IN A 192.0.2.1");
    give(2, "mx.example", DNS_A, other);
    question("mx.example", DNS_A, "A");
    world.questions[0].spread = spread;
    ask();
    assert_int_equal(world.said->zones[0].servers[0].agreement, CHECK_SAME);
    assert_int_equal(world.said->zones[0].servers[1].agreement, agreement);
}

static void addresses_that_are_spread(void)
{
    spread_addresses("mx.example. 300 IN A 192.0.2.2", true, CHECK_SAME);
}

static void addresses_that_are_not_spread(void)
{
    spread_addresses("mx.example. 300 IN A 192.0.2.2", false, CHECK_OTHER);
}

static void addresses_that_one_server_lacks(void)
{
    spread_addresses(NULL, true, CHECK_OTHER);
}

static void a_lookup_that_fails_finds_no_zone(void)
{
    line(0, OWNER, DNS_NS, 0)->reply.rcode = 2;
    question(OWNER, DNS_TLSA, "TLSA");
    ask();
    assert_int_equal(world.said->zone_count, 0);
}

static void an_address_that_is_not_public_is_not_asked(void)
{
    struct responder_line *a;

    give_zone(1, 1);
    give(1, OWNER, DNS_TLSA, RECORD);
    a = give(0, "ns9.example", DNS_A, "ns9.example. 300 IN A 10.0.0.1");
    a->reply.answer[1] = "ns9.example. 300 IN A 192.168.1.1";
    line(0, "ns9.example", DNS_AAAA, PACKET_AD);
    world.lines[0][0].reply.answer[1] = "example. 300 IN NS ns9.example.";
    question(OWNER, DNS_TLSA, "TLSA");
    ask();
    assert_int_equal(world.said->zones[0].server_count, 3);
    assert_int_equal(world.said->zones[0].servers[0].agreement, CHECK_SAME);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(world.said->zones[0].servers[i].agreement, CHECK_SILENT);
        assert_string_equal(world.said->zones[0].servers[i].why, "not a global address");
        assert_false(world.said->zones[0].servers[i].serial_known);
    }
}

static void a_name_server_without_address(void)
{
    give_zone(1, 1);
    world.lines[0][1].reply.answer[0] = NULL;
    question(OWNER, DNS_TLSA, "TLSA");
    ask();
    assert_int_equal(world.said->zone_count, 1);
    assert_int_equal(world.said->zones[0].server_count, 0);
}

/* ---- name servers that are lost ---- */

static void expect_lost(size_t servers, size_t count, const char *name, const char *why)
{
    const struct check_zone *zone = &world.said->zones[0];

    assert_int_equal(zone->server_count, servers);
    assert_int_equal(zone->lost_count, count);
    assert_string_equal(zone->lost[0].name, name);
    assert_string_equal(zone->lost[0].why, why);
    assert_int_equal(zone->lost[0].too_many, strstr(why, "more") != NULL);
}

static const struct lost_row {
    const char *name;
    size_t names, first;  /* of the zone; the first whose lookups end as follows */
    uint8_t a, aaaa;      /* RCODEs */
    size_t servers, lost; /* wanted */
} lost_rows[] = {
    {"addresses that cannot be looked up", 2, 1, 2, 0, 1, 1},
    {"one kind of addresses that cannot be looked up", 2, 1, 0, 2, 2, 1},
    {"a name server that does not exist is not lost", 2, 1, 3, 2, 1, 0},
    {"lost names at their limit", CHECK_LOST_MAX, 0, 2, 2, 0, CHECK_LOST_MAX},
    {"lost names over their limit", CHECK_LOST_MAX + 1, 0, 2, 2, 0, CHECK_LOST_MAX},
};

static void test_lost(void **state)
{
    const struct lost_row *row = *state;

    set_up();
    give_zone(1, row->names);
    for (size_t i = 1; i < 1 + 2 * row->names; i++) { /* behind the NS records */
        struct packet_spec *reply = &world.lines[0][i].reply;

        if ((i - 1) / 2 >= row->first)
            reply->rcode = reply->type == DNS_A ? row->a : row->aaaa;
        if (reply->rcode != 0)
            reply->answer[0] = NULL;
    }
    question(OWNER, DNS_TLSA, "TLSA");
    ask();
    assert_int_equal(world.said->zones[0].lost_count, row->lost);
    if (row->lost > 0)
        expect_lost(row->servers, row->lost, text("ns%zu.example", row->first),
                    "its addresses cannot be looked up: SERVFAIL");
    tear_down();
}

/* ---- limits ---- */

static void zones(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = text("z%zu.test", i);

        give(0, name, DNS_NS, arena_printf(world.arena, "%s. 300 IN NS ns0.example.", name));
        question(name, DNS_MX, name);
    }
    line(0, "ns0.example", DNS_A, PACKET_AD);
    line(0, "ns0.example", DNS_AAAA, PACKET_AD);
    ask();
}

static void zones_at_their_limit(void)
{
    zones(CHECK_ZONES_MAX);
    assert_int_equal(world.said->zone_count, CHECK_ZONES_MAX);
}

static void zones_over_their_limit(void)
{
    zones(CHECK_ZONES_MAX + 1);
    assert_int_equal(world.said->zone_count, CHECK_ZONES_MAX);
}

/* A name with that many addresses, none of which is asked. */
static void servers_of_one_name(unsigned count)
{
    give_zone(1, 1);
    world.lines[0][1].reply.answer[0] = NULL;
    world.lines[0][1].truncate = true;
    world.lines[0][1].distinct = count;
    question(OWNER, DNS_TLSA, "TLSA");
    ask();
}

static void servers_at_their_limit(void)
{
    servers_of_one_name(CHECK_SERVERS_MAX);
    assert_int_equal(world.said->zones[0].server_count, CHECK_SERVERS_MAX);
    assert_int_equal(world.said->zones[0].lost_count, 0);
}

static void servers_over_their_limit(void)
{
    servers_of_one_name(CHECK_SERVERS_MAX + 1);
    expect_lost(CHECK_SERVERS_MAX, 1, "ns0.example",
                "its zone has more addresses of name servers than are asked");
}

static void thirteen_names_of_servers(void)
{
    give_zone(2, 13); /* the first is a server, the others are dead */
    give(2, OWNER, DNS_TLSA, RECORD);
    question(OWNER, DNS_TLSA, "TLSA");
    ask();
    assert_int_equal(world.said->zones[0].server_count, 13);
    assert_int_equal(world.said->zones[0].servers[0].agreement, CHECK_SAME);
    assert_int_equal(world.said->zones[0].servers[12].agreement, CHECK_SILENT);
    assert_int_equal(world.said->zones[0].lost_count, 0);
}

static void fourteen_names_of_servers(void)
{
    give_zone(2, 14);
    question(OWNER, DNS_TLSA, "TLSA");
    ask();
    expect_lost(13, 1, "ns13.example", "its zone has more name servers than are asked");
}

static void questions_over_their_limit(void)
{
    const struct dns_answer **answers;

    give_zone(1, 1);
    give(1, OWNER, DNS_TLSA, RECORD);
    for (size_t i = 0; i < SERVERS_QUESTIONS_MAX + 1; i++)
        question(OWNER, DNS_TLSA, "TLSA");
    ask();
    answers = world.said->answers[0];
    for (size_t i = 0; i < SERVERS_QUESTIONS_MAX; i++)
        assert_int_equal(answers[i]->outcome, DNS_RECORDS);
    assert_int_equal(world.responders[1].count, SERVERS_QUESTIONS_MAX + 1); /* and the SOA */
}

#define NAMES_MAX 512
#define DEEP      4 /* names of 127 labels, each of which may begin a zone */

/* With these and others there are as many as may be asked for, and one more. */
static void names_over_their_limit(void)
{
    static char deep[DEEP][2 * 127];

    for (size_t i = 0; i < DEEP; i++) {
        for (size_t label = 0; label < 127; label++)
            memcpy(&deep[i][2 * label], "a.", 2);
        deep[i][252] = (char)('a' + i);
        deep[i][253] = '\0';
        for (size_t label = 0; label < 127; label++)
            line(0, &deep[i][2 * label], DNS_NS, PACKET_AD);
        question(deep[i], DNS_MX, "MX");
    }
    give_zone(1, 1);
    question("example", DNS_MX, "MX");
    question("mx.example", DNS_MX, "MX");
    question(OWNER, DNS_MX, "MX"); /* and what is above it */
    line(0, "other.example", DNS_NS, PACKET_AD);
    question("other.example", DNS_MX, "MX");
    give(1, "example", DNS_MX, "example. 300 IN MX 10 mx.example.");
    ask();
    assert_int_equal(world.said->zone_count, 1);
    assert_null(world.said->answers[0][0]);
    assert_int_equal(world.said->answers[0][DEEP]->outcome, DNS_RECORDS);
    assert_int_equal(world.said->answers[0][DEEP + 2]->outcome, DNS_FAILED);
    assert_int_equal(world.said->answers[0][DEEP + 3]->outcome, DNS_FAILED);
    assert_int_equal(world.responders[0].count, NAMES_MAX + 2); /* and the server's addresses */
}

/* ---- the end ---- */

static void it_may_end_at_any_moment(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 60; turns++) {
        set_up();
        give_zone(1, 2);
        give(1, OWNER, DNS_TLSA, RECORD)->truncate = true;
        line(2, OWNER, DNS_TLSA, PACKET_AA)->silent = true;
        question(OWNER, DNS_TLSA, "TLSA");
        start();
        for (unsigned i = 0; i < turns && world.calls == 0; i++)
            uv_run(&world.loop, UV_RUN_NOWAIT);
        tear_down();
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
#define CASE(function)                                                                             \
    {                                                                                              \
#function, function                                                                        \
    }
    CASE(an_alias_to_another_zone),
    CASE(an_alias_to_a_zone_that_one_server_has),
    CASE(an_alias_to_an_alias_in_a_zone_that_one_server_has),
    CASE(an_alias_to_elsewhere),
    CASE(addresses_that_are_spread),
    CASE(addresses_that_are_not_spread),
    CASE(addresses_that_one_server_lacks),
    CASE(a_lookup_that_fails_finds_no_zone),
    CASE(an_address_that_is_not_public_is_not_asked),
    CASE(a_name_server_without_address),
    CASE(zones_at_their_limit),
    CASE(zones_over_their_limit),
    CASE(servers_at_their_limit),
    CASE(servers_over_their_limit),
    CASE(thirteen_names_of_servers),
    CASE(fourteen_names_of_servers),
    CASE(questions_over_their_limit),
    CASE(names_over_their_limit),
};

static void test_case(void **state)
{
    void (*const *run)(void) = *state;

    set_up();
    (*run)();
    tear_down();
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD(lost_rows, test_lost);
    for (size_t i = 0; i < COUNT(cases); i++)
        rows_add_one(cases[i].name, test_case, &cases[i].run);
    ROWS_ADD_TEST(it_may_end_at_any_moment);
    return rows_run("servers");
}
