/* test_sight: what a rollover sees, of scripted name servers and a scripted mail host. */
#include "tests/unit/check/sight_world.h"

/* ---- cases ---- */

#define GATE                                                                                       \
    {                                                                                              \
        ACT_GATE, NULL                                                                             \
    }

static const struct line mail_host[] = {
    OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("250 mx\r\n"), HEAR, BYE};
static const struct line gated_host[] = {
    GATE, OFFER, SAY("220 go\r\n"), TLS, HEAR, SAY("250 mx\r\n"), HEAR, BYE};

static bool was_asked(void *context)
{
    const struct responder *server = context;

    for (unsigned i = 0; i < server->count; i++)
        if (strcmp(server->asked[i], world.question) == 0)
            return true;
    return false;
}

static bool always(void *context)
{
    (void)context;
    return true;
}

/* The mail host greets when a name server has been asked for its records. */
static void servers_are_asked_during_handshakes(void **state)
{
    (void)state;
    begin(gated_host);
    world.mail.gate = was_asked;
    world.mail.gate_context = &world.responders[2];
    give(0, world.owner, DNS_TLSA, TLSA);
    give(1, world.owner, DNS_TLSA, TLSA);
    give(2, world.owner, DNS_TLSA, TLSA);
    look(30000);
    assert_int_equal(world.seen.server_count, 2);
    assert_string_equal(world.seen.owner, world.owner);
    expect("127.0.0.2", true, 1, 3600);
    expect("127.0.0.3", true, 1, 3600);
    assert_string_equal(server_at("127.0.0.2")->name, "ns1.example");
    assert_true(world.seen.resolver.known && world.seen.resolver.count == 1);
    assert_int_equal(world.seen.address_count, 1);
    assert_int_equal(world.seen.addresses[0].chain.shown.count, 1);
    end();
}

/* What stands for no answer, and what for an answer that there is nothing. */
static void silence_is_no_absence(void **state)
{
    struct responder_line *first, *other;

    (void)state;
    begin(mail_host);
    line(0, world.owner, DNS_TLSA, PACKET_AD);
    first = line(1, world.owner, DNS_TLSA, PACKET_AA);
    first->reply.rcode = 3;
    other = line(2, world.owner, DNS_TLSA, PACKET_AA);
    other->silent = true;
    look(500);
    expect("127.0.0.2", true, 0, 0);
    expect_why("127.0.0.3", "timeout");
    assert_false(server_at("127.0.0.3")->no_route);
    assert_true(world.seen.resolver.known && world.seen.resolver.count == 0);
    end();
}

static void others_that_do_not_count(void **state)
{
    (void)state;
    begin(mail_host);
    give(0, world.owner, DNS_TLSA, TLSA);
    add(line(1, world.owner, DNS_TLSA, 0),
        arena_printf(world.arena, "%s. " TLSA, world.owner)); /* without AA */
    line(2, world.owner, DNS_TLSA, 0)->reply.rcode = 2;
    look(30000);
    expect_why("127.0.0.2", "an answer without authority");
    expect_why("127.0.0.3", "SERVFAIL");
    end();
}

/* RFC 2181 §8: a TTL of more than 31 bits is one of 0. */
static void ttls_at_their_limits(void **state)
{
    (void)state;
    begin(mail_host);
    give(0, world.owner, DNS_TLSA, "0 IN TLSA 3 1 1 " DIGEST);
    give(1, world.owner, DNS_TLSA, "2147483647 IN TLSA 3 1 1 " DIGEST);
    give(2, world.owner, DNS_TLSA, "2147483648 IN TLSA 3 1 1 " DIGEST);
    look(30000);
    expect("127.0.0.2", true, 1, 2147483647);
    expect("127.0.0.3", true, 1, 0);
    end();
}

#define TARGET  "dane.test"
#define ALIAS   "7200 IN CNAME " TARGET "."
#define BEHIND  TARGET ". 60 IN TLSA 3 1 1 " DIGEST
#define ANOTHER "7200 IN CNAME other.test."

/* The records are an alias to a name of another zone, whose server is the second. */
static void give_alias(const char *at_first)
{
    struct responder_line *resolver = line(0, world.owner, DNS_TLSA, PACKET_AD);

    add(resolver, arena_printf(world.arena, "%s. " ALIAS, world.owner));
    add(resolver, BEHIND);
    give_zone("test", 2, 2);
    give_no_cut(TARGET);
    give(1, world.owner, DNS_TLSA, at_first);
    give(2, world.owner, DNS_TLSA, ALIAS);
    give(2, TARGET, DNS_TLSA, "60 IN TLSA 3 1 1 " DIGEST);
}

static void an_alias_is_followed(void **state)
{
    (void)state;
    begin(mail_host);
    give_alias(ALIAS);
    look(30000);
    assert_string_equal(world.seen.owner, TARGET);
    assert_int_equal(world.seen.server_count, 1);
    assert_int_equal(world.seen.alias_ttl, 7200);
    expect("127.0.0.3", true, 1, 60);
    assert_int_equal(world.seen.resolver.count, 1);
    end();
}

static void an_alias_to_elsewhere_is_not_known(void **state)
{
    (void)state;
    begin(mail_host);
    give_alias(ANOTHER);
    look(30000);
    assert_int_equal(world.seen.server_count, 2);
    expect_why("127.0.0.2", "an alias to other.test, which is not where the resolver was led");
    expect("127.0.0.3", true, 1, 60);
    end();
}

static void a_zone_that_cannot_be_found_is_not_known(void **state)
{
    struct responder_line *resolver;
    const struct rollover_rrset *last;

    (void)state;
    begin(mail_host);
    resolver = line(0, world.owner, DNS_TLSA, PACKET_AD);
    add(resolver, arena_printf(world.arena, "%s. " ALIAS, world.owner));
    add(resolver, BEHIND);
    give(1, world.owner, DNS_TLSA, ALIAS);
    give(2, world.owner, DNS_TLSA, ALIAS);
    look(30000);
    assert_int_equal(world.seen.server_count, 1);
    last = &world.seen.servers[0];
    assert_false(last->known);
    assert_string_equal(last->server, "the name servers of " TARGET);
    assert_string_equal(last->why, "they cannot be found");
    end();
}

static const struct rollover_rrset *server_named(const char *name)
{
    for (size_t i = 0; i < world.seen.server_count; i++)
        if (world.seen.servers[i].name != NULL && strcmp(world.seen.servers[i].name, name) == 0)
            return &world.seen.servers[i];
    return NULL;
}

/* What the resolver says to a question about a name that give_zone has. */
static struct responder_line *resolved(const char *name, uint16_t type)
{
    for (size_t i = 0; i < world.scripts[0].count; i++) {
        struct packet_spec *reply = &world.scripts[0].lines[i].reply;

        if (strcmp(reply->name, name) == 0 && reply->type == type)
            return &world.scripts[0].lines[i];
    }
    return NULL;
}

#define REAL "real.test"

/* The host is an alias of one in a zone whose server is the second; returns the owner there. */
static const char *give_alias_host(void)
{
    const char *owner = arena_printf(world.arena, "_%u._tcp." REAL, world.mail.port);
    struct responder_line *a = resolved(HOST, DNS_A), *aaaa = resolved(HOST, DNS_AAAA);

    a->reply.answer[0] = HOST ". 300 IN CNAME " REAL ".";
    a->reply.answer[1] = REAL ". 300 IN A 127.25.0.1";
    aaaa->reply.answer[0] = HOST ". 300 IN CNAME " REAL ".";
    give_zone("test", 2, 2);
    give_no_cut(owner);
    give_no_cut("_tcp." REAL);
    give_no_cut(REAL);
    return owner;
}

static void an_alias_has_two_owners(void **state)
{
    const char *owner;

    (void)state;
    begin(mail_host);
    owner = give_alias_host();
    give(0, owner, DNS_TLSA, TLSA);
    give(2, owner, DNS_TLSA, TLSA);
    for (size_t i = 0; i <= 2; i++)
        give(i, world.owner, DNS_TLSA, "60 IN TLSA 3 1 1 " DIGEST);
    look(30000);
    assert_null(world.seen.why);
    assert_string_equal(world.seen.owner, owner);
    assert_int_equal(world.seen.server_count, 1);
    expect("127.0.0.3", true, 1, 3600);
    assert_non_null(world.seen.also);
    assert_string_equal(world.seen.also->owner, world.owner);
    assert_int_equal(world.seen.also->server_count, 2);
    assert_true(world.seen.also->servers[0].known && world.seen.also->servers[0].count == 1);
    assert_int_equal(world.seen.also->servers[0].ttl, 60);
    assert_ptr_equal(world.seen.also->addresses, world.seen.addresses);
    assert_null(world.seen.also->also);
    end();
}

/* It has no records at its own name, and nobody knows whether at the other. */
static void an_alias_whose_records_are_lost_is_not_known(void **state)
{
    const char *owner;

    (void)state;
    begin(mail_host);
    owner = give_alias_host();
    line(0, owner, DNS_TLSA, 0)->reply.rcode = 2;
    give(2, owner, DNS_TLSA, TLSA);
    for (size_t i = 0; i <= 2; i++)
        line(i, world.owner, DNS_TLSA, i == 0 ? PACKET_AD : PACKET_AA);
    look(30000);
    expect_detail(world.seen.why, "SERVFAIL");
    assert_string_equal(world.seen.owner, owner);
    assert_false(world.seen.resolver.known);
    expect("127.0.0.3", true, 1, 3600);
    end();
}

static void a_host_whose_addresses_are_lost_is_not_known(void **state)
{
    (void)state;
    begin(mail_host);
    resolved(HOST, DNS_A)->reply = (struct packet_spec){.name = HOST, .type = DNS_A, .rcode = 2};
    for (size_t i = 0; i <= 2; i++)
        line(i, world.owner, DNS_TLSA, i == 0 ? PACKET_AD : PACKET_AA);
    look(30000);
    expect_detail(world.seen.why, "A lookup " HOST ": SERVFAIL");
    assert_int_equal(world.seen.address_count, 0);
    end();
}

static void an_address_may_be_hidden(void **state)
{
    (void)state;
    begin(mail_host);
    resolved(HOST, DNS_AAAA)->reply =
        (struct packet_spec){.name = HOST, .type = DNS_AAAA, .rcode = 2};
    give(0, world.owner, DNS_TLSA, TLSA);
    look(30000);
    assert_null(world.seen.why);
    assert_false(world.seen.addresses[0].unreachable);
    expect_detail(world.seen.hidden, "AAAA lookup " HOST ": SERVFAIL");
    assert_int_equal(world.seen.address_count, 1);
    end();
}

/* ---- whether a record matches what is shown ---- */

/* "0 IN TLSA USAGE 1 1 ..." of a key. */
static const char *record_of_key(unsigned usage, const struct cert *cert)
{
    uint8_t *key = NULL, digest[32];
    int length = i2d_PUBKEY(cert->key, &key);
    char hex[2 * sizeof digest + 1];

    assert_true(length > 0);
    assert_int_equal(EVP_Digest(key, (size_t)length, digest, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(key);
    return arena_printf(world.arena, "60 IN TLSA %u 1 1 %s", usage,
                        escape_hex(hex, digest, sizeof digest));
}

/* Whether it is proven what a host with that certificate, and the root, shows. */
static bool is_proven_by(const struct cert *leaf, unsigned usage, const struct cert *key,
                         bool resolved_too)
{
    const struct cert *const along[] = {&ground.root, NULL};
    SSL_CTX *tls = cert_server(leaf, along);
    bool proven;

    begin(mail_host);
    world.mail.tls = tls;
    give(0, world.owner, DNS_TLSA, resolved_too ? record_of_key(usage, key) : TLSA);
    for (size_t i = 1; i <= 2; i++)
        give(i, world.owner, DNS_TLSA, record_of_key(usage, key));
    look(30000);
    assert_int_equal(world.seen.addresses[0].chain.shown.count, 2);
    proven = world.seen.addresses[0].proven;
    end();
    SSL_CTX_free(tls);
    return proven;
}

static void what_is_shown_is_proven_by_the_resolver(void **state)
{
    static const struct cert_name names[] = {{GEN_DNS, HOST, 0}, {0, NULL, 0}};
    struct cert leaf =
        cert_make(&(struct cert_spec){.cn = HOST, .names = names, .issuer = &ground.root});
    struct cert foreign = cert_make(&(struct cert_spec){.cn = HOST, .names = names});

    (void)state;
    assert_true(is_proven_by(&leaf, 3, &leaf, true));
    assert_false(is_proven_by(&leaf, 3, &leaf, false));
    assert_true(is_proven_by(&leaf, 2, &ground.root, true));
    assert_false(is_proven_by(&ground.leaf, 2, &ground.root, true)); /* it has another name */
    assert_false(is_proven_by(&foreign, 3, &leaf, true));
    assert_false(is_proven_by(&foreign, 2, &ground.root, true)); /* it only shows the issuer */
    cert_free(&leaf);
    cert_free(&foreign);
}

/* Nothing listens there, or nothing may connect. */
static void an_address_that_cannot_be_reached(void **state)
{
    (void)state;
    begin(gated_host);
    world.mail.gate = always;
    resolved(HOST, DNS_A)->reply.answer[0] = HOST ". 300 IN A 127.25.0.2";
    add(resolved(HOST, DNS_A), HOST ". 300 IN A 10.0.0.1");
    give(0, world.owner, DNS_TLSA, TLSA);
    look(30000);
    assert_int_equal(world.seen.address_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(world.seen.addresses[i].unreachable);
        assert_int_equal(world.seen.addresses[i].chain.shown.count, 0);
    }
    expect_detail(world.seen.addresses[1].why, "refused");
    end();
}

static void a_server_whose_addresses_are_lost_is_not_known(void **state)
{
    (void)state;
    begin(mail_host);
    resolved("ns2.example", DNS_A)->reply =
        (struct packet_spec){.name = "ns2.example", .type = DNS_A, .rcode = 2};
    give(0, world.owner, DNS_TLSA, TLSA);
    give(1, world.owner, DNS_TLSA, TLSA);
    look(30000);
    assert_int_equal(world.seen.server_count, 2);
    expect("127.0.0.2", true, 1, 3600);
    assert_non_null(server_named("ns2.example"));
    assert_false(server_named("ns2.example")->known);
    assert_string_equal(server_named("ns2.example")->why,
                        "its addresses cannot be looked up: SERVFAIL");
    end();
}

static void a_zone_whose_servers_have_no_address_is_not_known(void **state)
{
    (void)state;
    begin(mail_host);
    for (size_t i = 1; i <= 2; i++)
        resolved(arena_printf(world.arena, "ns%zu.example", i), DNS_A)->reply.answer[0] = NULL;
    give(0, world.owner, DNS_TLSA, TLSA);
    look(30000);
    assert_int_equal(world.seen.server_count, 1);
    assert_false(world.seen.servers[0].known);
    assert_string_equal(world.seen.servers[0].why, "they have no addresses");
    end();
}

/* A name server at an address that must not be connected to, of this zone only. */
static void a_forbidden_server_is_named(void **state)
{
    static const struct ip_prefix *allowed = &ground.loopback;
    struct ip_prefix one;

    (void)state;
    begin(gated_host);
    world.mail.gate = always;
    assert_true(ip_prefix_parse(&one, "127.25.0.0/16"));
    ground.filter.allowed = &one;
    give(0, world.owner, DNS_TLSA, TLSA);
    look(30000);
    ground.filter.allowed = allowed;
    assert_int_equal(world.seen.server_count, 2);
    expect_why("127.0.0.2", "not a global address");
    assert_int_equal(world.responders[1].count, 0);
    assert_int_equal(world.seen.addresses[0].chain.shown.count, 1);
    end();
}

int main(void)
{
    int failed;

    ground_set_up();
    ROWS_ADD_TEST(servers_are_asked_during_handshakes);
    ROWS_ADD_TEST(silence_is_no_absence);
    ROWS_ADD_TEST(others_that_do_not_count);
    ROWS_ADD_TEST(ttls_at_their_limits);
    ROWS_ADD_TEST(an_alias_is_followed);
    ROWS_ADD_TEST(an_alias_to_elsewhere_is_not_known);
    ROWS_ADD_TEST(a_zone_that_cannot_be_found_is_not_known);
    ROWS_ADD_TEST(an_alias_has_two_owners);
    ROWS_ADD_TEST(an_alias_whose_records_are_lost_is_not_known);
    ROWS_ADD_TEST(a_host_whose_addresses_are_lost_is_not_known);
    ROWS_ADD_TEST(an_address_may_be_hidden);
    ROWS_ADD_TEST(an_address_that_cannot_be_reached);
    ROWS_ADD_TEST(what_is_shown_is_proven_by_the_resolver);
    ROWS_ADD_TEST(a_server_whose_addresses_are_lost_is_not_known);
    ROWS_ADD_TEST(a_zone_whose_servers_have_no_address_is_not_known);
    ROWS_ADD_TEST(a_forbidden_server_is_named);
    failed = rows_run("sight");
    ground_tear_down();
    return failed;
}
