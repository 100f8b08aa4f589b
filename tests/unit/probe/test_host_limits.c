/* host_uv: limits, budget, cancelling, and details beside the rows of test_host.c. */
#include "probe/host_uv.h"

#include "probe/dns/dns_query_uv.h"
#include "tests/unit/support/host_fixture.h"

static void test_addresses(void **state)
{
    static const struct responder_line lines[] = {
        REPLY("mx.example", 1, AD, "mx.example. 300 IN A 192.0.2.9",
              "mx.example. 300 IN A 192.0.2.1", "mx.example. 300 IN A 192.0.2.9"),
        REPLY("mx.example", 28, 0, "mx.example. 30 IN AAAA 2001:db8::1"), TLSA_GOOD};
    struct fixture *f = open_fixture(lines, COUNT(lines));
    char text_of[IP_TEXT_MAX];

    (void)state;
    look_up(f);
    assert_int_equal(f->host.address_count, 3);
    assert_string_equal(ip_text(&f->host.addresses[0].ip, text_of), "192.0.2.1");
    assert_string_equal(ip_text(&f->host.addresses[1].ip, text_of), "192.0.2.9");
    assert_string_equal(ip_text(&f->host.addresses[2].ip, text_of), "2001:db8::1");
    assert_true(f->host.addresses[0].secure);
    assert_false(f->host.addresses[2].secure);
    assert_true(f->host.address_secure);
    assert_int_equal(f->host.ttl, 30);
    assert_int_equal(f->host.addresses[0].starttls.state, STARTTLS_UNKNOWN);
    close_fixture(f);
}

/* A failed lookup of one family may have kept an address back. */
static void test_hidden(void **state)
{
    static const struct responder_line lines[] = {A_SECURE, RCODE("mx.example", 28, 2), TLSA_GOOD};
    struct fixture *f = open_fixture(lines, COUNT(lines));

    (void)state;
    look_up(f);
    assert_int_equal(f->host.dane, HOST_DANE_USABLE);
    assert_string_equal(f->host.hidden, "AAAA lookup mx.example: SERVFAIL");
    assert_null(f->host.failure);
    close_fixture(f);
}

static void test_full_queue(void **state)
{
    static const struct responder_line lines[] = {A_SECURE, AAAA_NOTHING, TLSA_GOOD};
    struct fixture *f = open_fixture(lines, COUNT(lines));

    (void)state;
    f->dns->stats.queued = DNS_QUEUE_MAX;
    look_up(f);
    f->dns->stats.queued = 0;
    assert_int_equal(f->host.dane, HOST_DANE_LOST);
    assert_string_equal(f->host.why, "address lookup mx.example: too many DNS lookups are waiting");
    close_fixture(f);
}

static void test_address_limit(void **state)
{
    static const unsigned counts[] = {EVIDENCE_ADDRESSES_MAX - 1, EVIDENCE_ADDRESSES_MAX,
                                      EVIDENCE_ADDRESSES_MAX + 1, 1000};

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) { /* hostile 20 */
        char records[PACKET_RRS][60];
        struct responder_line lines[] = {
            {.reply = {.name = "mx.example", .type = 1, .flags = AD}, .truncate = true},
            AAAA_NOTHING,
            TLSA_GOOD};
        struct fixture *f = open_fixture(lines, COUNT(lines));

        /* as many as the script takes come in text, the rest as padding of one address */
        for (unsigned n = 0; n < PACKET_RRS; n++) {
            snprintf(records[n], sizeof records[n], "mx.example. 300 IN A 198.51.100.%u", n + 1);
            lines[0].reply.answer[n] = records[n];
        }
        lines[0].distinct = counts[i] - PACKET_RRS;
        look_up(f);
        assert_int_equal(f->host.dane, HOST_DANE_USABLE);
        assert_int_equal(f->host.address_count,
                         counts[i] > EVIDENCE_ADDRESSES_MAX ? EVIDENCE_ADDRESSES_MAX : counts[i]);
        assert_int_equal(f->host.hidden != NULL, counts[i] > EVIDENCE_ADDRESSES_MAX);
        close_fixture(f);
    }
}

static void test_tlsa_limit(void **state)
{
    static const unsigned counts[] = {EVIDENCE_TLSA_MAX - 1, EVIDENCE_TLSA_MAX,
                                      EVIDENCE_TLSA_MAX + 1, 1300};

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) { /* hostile 21 */
        struct responder_line lines[] = {A_SECURE,
                                         AAAA_NOTHING,
                                         {.reply = {.name = OWNER, .type = 52, .flags = AD},
                                          .truncate = true,
                                          .distinct = counts[i]}};
        struct fixture *f = open_fixture(lines, COUNT(lines));

        look_up(f);
        assert_int_equal(f->host.dane, HOST_DANE_USABLE);
        assert_int_equal(f->host.tlsa_truncated, counts[i] > EVIDENCE_TLSA_MAX);
        assert_int_equal(f->host.tlsa_count,
                         counts[i] > EVIDENCE_TLSA_MAX ? EVIDENCE_TLSA_MAX : counts[i]);
        close_fixture(f);
    }
}

static void test_short_tlsa(void **state)
{
    static const struct responder_line lines[] = {A_SECURE, AAAA_NOTHING,
                                                  REPLY(OWNER, 52, AD,
                                                        OWNER ". 200 IN TLSA \\# 3 030101",
                                                        OWNER ". 200 IN TLSA 3 1 1 " DIGEST_A)};
    struct fixture *f = open_fixture(lines, COUNT(lines));

    (void)state;
    look_up(f); /* C-2: the record that crashes old smtp(8) */
    assert_int_equal(f->host.dane, HOST_DANE_USABLE);
    assert_true(f->host.tlsa_short);
    assert_int_equal(f->host.tlsa_count, 2);
    assert_int_equal(f->host.tlsa[0].length, 0);
    assert_false(f->host.tlsa[0].usable);
    assert_true(f->host.tlsa[1].usable);
    close_fixture(f);
}

static void test_order_of_tlsa(void **state)
{
    static const struct responder_line one[] = {A_SECURE, AAAA_NOTHING,
                                                REPLY(OWNER, 52, AD,
                                                      OWNER ". 200 IN TLSA 3 1 1 " DIGEST_B,
                                                      OWNER ". 200 IN TLSA 3 1 1 " DIGEST_A)};
    static const struct responder_line other[] = {A_SECURE, AAAA_NOTHING,
                                                  REPLY(OWNER, 52, AD,
                                                        OWNER ". 200 IN TLSA 3 1 1 " DIGEST_A,
                                                        OWNER ". 200 IN TLSA 3 1 1 " DIGEST_B)};
    struct fixture *f = open_fixture(one, COUNT(one)), *g = open_fixture(other, COUNT(other));

    (void)state;
    look_up(f);
    look_up(g);
    for (size_t i = 0; i < 2; i++)
        assert_memory_equal(f->host.tlsa[i].data, g->host.tlsa[i].data, 32);
    close_fixture(f);
    close_fixture(g);
}

static void test_port(void **state)
{
    static const struct responder_line lines[] = {
        A_SECURE, AAAA_NOTHING,
        REPLY("_587._tcp.mx.example", 52, AD, "_587._tcp.mx.example. 200 IN TLSA 3 1 1 " DIGEST_A)};
    struct fixture *f = open_fixture(lines, COUNT(lines));

    (void)state;
    f->request.port = 587;
    look_up(f); /* B-31 */
    assert_int_equal(f->host.dane, HOST_DANE_USABLE);
    close_fixture(f);
}

static void test_without_dane(void **state)
{
    static const struct responder_line lines[] = {A_SECURE, AAAA_NOTHING};
    struct fixture *f = open_fixture(lines, COUNT(lines));

    (void)state;
    f->request.dane = false;
    look_up(f);
    assert_int_equal(f->host.dane, HOST_DANE_NONE);
    assert_int_equal(f->host.address_count, 1);
    assert_int_equal(f->responder.count, 2);
    close_fixture(f);
}

static void test_name_without_room(void **state)
{
    struct responder_line lines[] = {{.reply = {.type = 1, .flags = AD}},
                                     {.reply = {.type = 28, .flags = AD}}};
    char name[254], record[300];
    struct fixture *f = open_fixture(lines, COUNT(lines));

    (void)state;
    memset(name, 'a', 253);
    for (size_t i = 63; i < 253; i += 64)
        name[i] = '.';
    name[253] = '\0';
    snprintf(record, sizeof record, "%s. 300 IN A 192.0.2.1", name);
    lines[0].reply.name = lines[1].reply.name = f->request.name = name;
    lines[0].reply.answer[0] = record;
    look_up(f); /* C-10 */
    assert_int_equal(f->host.dane, HOST_DANE_NONE);
    assert_int_equal(f->host.address_count, 1);
    assert_int_equal(f->host.ttl, 300);
    assert_int_equal(f->responder.count, 2);
    close_fixture(f);
}

static void test_budget(void **state)
{
    static const struct responder_line lines[] = {A_SECURE, AAAA_NOTHING, TLSA_GOOD};
    static const struct {
        unsigned budget;
        enum host_dane dane;
        const char *why;
    } cases[] = {
        {0, HOST_DANE_LOST, "address lookup mx.example: too many DNS queries for one domain"},
        {1, HOST_DANE_ERROR, "TLSA lookup " OWNER ": too many DNS queries for one domain"},
        {2, HOST_DANE_ERROR, "TLSA lookup " OWNER ": too many DNS queries for one domain"},
        {3, HOST_DANE_USABLE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) { /* hostile 19, 22 */
        struct fixture *f = open_fixture(lines, COUNT(lines));

        f->budget = cases[i].budget;
        look_up(f);
        assert_int_equal(f->host.dane, cases[i].dane);
        assert_string_equal(text(f->host.why), text(cases[i].why));
        assert_int_equal(f->responder.count, cases[i].budget);
        assert_int_equal(f->budget, 0);
        close_fixture(f);
    }
}

static void test_cancel(void **state)
{
    static const struct responder_line lines[] = {
        A_ALIAS(0), AAAA_ALIAS(0), REPLY("mx.example", 5, AD, TO_TARGET), NOTHING(OWNER, 52, AD)};

    (void)state;
    for (unsigned asked = 0; asked <= 4; asked++) {
        struct fixture *f = open_fixture(lines, COUNT(lines));
        struct host_lookup *lookup = start(f);

        while (f->responder.count < asked)
            uv_run(&f->loop, UV_RUN_ONCE);
        host_cancel(lookup);
        for (unsigned i = 0; i < 3; i++)
            uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_int_equal(f->done, 0);
        close_fixture(f);
    }
}

static void test_no_memory(void **state)
{
    static const struct responder_line lines[] = {A_SECURE, AAAA_NOTHING, TLSA_GOOD};

    (void)state;
    for (size_t limit = 0; limit < 24000; limit += limit < 2000 ? 64 : 2000) { /* hostile 40 */
        struct fixture *f = open_fixture(lines, COUNT(lines));
        struct arena *little = arena_new(limit);

        assert_non_null(little);
        f->request.arena = little;
        look_up(f);
        assert_int_equal(f->host.dane == HOST_DANE_USABLE, !arena_failed(little));
        if (arena_failed(little))
            assert_true(f->host.dane == HOST_DANE_LOST || f->host.dane == HOST_DANE_ERROR);
        close_fixture(f);
        arena_free(little);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),     cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_full_queue),    cmocka_unit_test(test_address_limit),
        cmocka_unit_test(test_tlsa_limit),    cmocka_unit_test(test_short_tlsa),
        cmocka_unit_test(test_order_of_tlsa), cmocka_unit_test(test_port),
        cmocka_unit_test(test_without_dane),  cmocka_unit_test(test_name_without_room),
        cmocka_unit_test(test_budget),        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("host_limits", tests, NULL, NULL);
}
