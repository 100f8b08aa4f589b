/* test_records: what is to be published, for facts built by hand. */
#include "tests/unit/support/unit.h"

#include <stdlib.h>
#include <string.h>

#include "check/records/records.h"
#include "probe/tls/tls_pem.h"
#include "tests/unit/check/facts_make.h"
#include "tests/unit/support/certs.h"

static struct records records;
static struct arena *arena;
static struct records_wish wish;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(1 << 22);
    wish = (struct records_wish){
        .mta_sts = true, .mode = STS_MODE_ENFORCE, .max_age = 1209600, .ttl = 3600};
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const struct record *find(const char *name, const char *data)
{
    for (size_t i = 0; i < records.count; i++)
        if (strcmp(records.records[i].name, name) == 0 &&
            strncmp(records.records[i].data, data, strlen(data)) == 0)
            return &records.records[i];
    return NULL;
}

static void a_sound_domain_lacks_nothing(void **state)
{
    struct made *made = facts_make();
    struct buf text;

    (void)state;
    wish.missing = true;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_int_equal(records.count, 0);
    assert_int_equal(records.note_count, 0);
    assert_null(records.policy);
    buf_init(&text, 65536);
    records_zone(&text, &records, 3600);
    records_nsupdate(&text, &records, 3600);
    assert_int_equal(text.length, 0);
    buf_fini(&text);
}

static void all_is_told_without_missing(void **state)
{
    struct made *made = facts_make();
    json_t *json;

    (void)state;
    wish.issuer = true;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    /* of two hosts: 3 1 1 and 2 1 1; MTA-STS, TLSRPT */
    assert_int_equal(records.count, 6);
    assert_true(find("_25._tcp.mx1.example.org", "3 1 1 1111")->present);
    assert_false(find("_25._tcp.mx2.example.org", "2 1 1 cccc")->present);
    assert_string_equal(find("_mta-sts.example.org", "")->data, "\"v=STSv1; id=20261101;\"");
    assert_string_equal(find("_smtp._tls.example.org", "")->data,
                        "\"v=TLSRPTv1; rua=mailto:tls@example.org\"");
    json = records_json(&records, 300);
    assert_int_equal(json_array_size(json_object_get(json, "records")), 6);
    json_decref(json);
}

/* A host without a handshake, and hosts that nobody would look up records of, get none. */
static void a_digest_of_nothing_is_never_told(void **state)
{
    struct made *made = facts_make();

    (void)state;
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        for (size_t offer = 0; offer < CHECK_OFFER_COUNT; offer++)
            made_refused(&made->host[0].addresses[i].attempts[offer]);
    made->host[1].evidence.address_secure = false;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_null(find("_25._tcp.mx1.example.org", ""));
    assert_null(find("_25._tcp.mx2.example.org", ""));
    assert_int_equal(records.note_count, 2);
    made = facts_make();
    made->host[0].certificates[0][CHECK_OFFER_DEFAULT][0].key_sha256[0] = '\0';
    made->host[0].certificates[1][CHECK_OFFER_DEFAULT][0].key_sha256[0] = '\0';
    made->host[0].certificates[0][CHECK_OFFER_ECDSA][0].key_sha256[0] = '\0';
    made->host[0].certificates[1][CHECK_OFFER_ECDSA][0].key_sha256[0] = '\0';
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_null(find("_25._tcp.mx1.example.org", ""));
}

/* An extension field may be any UTF-8; these octets turn the direction of a terminal's writing. */
static void a_policy_for_a_terminal(void **state)
{
    static const char body[] = MADE_POLICY "x: \xe2\x80\xae\r\n";
    struct made *made = facts_make();
    struct buf text;

    (void)state;
    made->facts.policy.body = body;
    made->facts.policy.length = sizeof body - 1;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_true(records.policy_present);
    buf_init(&text, 65536);
    records_zone(&text, &records, 3600);
    records_nsupdate(&text, &records, 3600);
    assert_non_null(strstr(buf_text(&text), "\n;   x: \\xe2\\x80\\xae\n"));
    for (size_t i = 0; i < text.length; i++)
        assert_in_range(buf_text(&text)[i], '\n', '~');
    buf_fini(&text);
}

static void a_forgotten_host_changes_policy_and_id(void **state)
{
    struct made *made = facts_make();
    struct buf text;

    (void)state;
    wish.missing = true;
    made->policy.mx_count = 1;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_string_equal(records.policy, MADE_POLICY);
    assert_int_equal(records.count, 1);
    assert_string_not_equal(records.records[0].data, "\"v=STSv1; id=20261101;\"");
    buf_init(&text, 65536);
    records_nsupdate(&text, &records, 300);
    assert_non_null(strstr(buf_text(&text), "update delete _mta-sts.example.org. TXT\nupdate add "
                                            "_mta-sts.example.org. 300 IN TXT \"v=STSv1; id="));
    buf_fini(&text);
}

static void a_long_text_is_in_strings(void **state)
{
    struct made *made = facts_make();
    char rua[400];

    (void)state;
    memset(rua, 'a', sizeof rua - 1);
    memcpy(rua, "mailto:\"", 8);
    rua[sizeof rua - 1] = '\0';
    wish.rua = rua;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_non_null(strstr(find("_smtp._tls.example.org", "")->data, "aaaa\" \"aaaa"));
    assert_non_null(strstr(find("_smtp._tls.example.org", "")->data, "mailto:\\\"aaa"));
}

/* What no sender uses goes, and what is of a key to come stays; nothing goes while an address is
 * not known to show what the new records are for. */
static void what_is_wrong_is_removed(void **state)
{
    struct made *made = facts_make();
    struct buf text;

    (void)state;
    wish.missing = true;
    made_record(&made->host[0], 2, FORM(1, 1, 1), '1');
    made_record(&made->host[0], 3, FORM(3, 0, 1), '2');
    made->host[0].records[1].length = 0;
    made->host[0].records[1].usable = false;
    made->hosts[0].record_count = 4;
    made->host[0].matched[1][CHECK_OFFER_ECDSA][3] = true;
    made_record(&made->host[1], 1, FORM(3, 1, 9), '2');
    made->host[1].records[1].usable = false;
    made_refused(&made->host[1].addresses[1].attempts[CHECK_OFFER_DEFAULT]);
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_int_equal(records.count, 3);
    assert_true(find("_25._tcp.mx1.example.org", "\\# 3 030101")->remove);
    assert_true(find("_25._tcp.mx1.example.org", "1 1 1 1111")->remove);
    assert_true(find("_25._tcp.mx1.example.org", "3 0 1 2222")->remove);
    buf_init(&text, 65536);
    records_zone(&text, &records, 300);
    assert_non_null(strstr(buf_text(&text), "; remove: no sender uses usages 0 and 1\n"
                                            "; _25._tcp.mx1.example.org. 300 IN TLSA 1 1 1 11"));
    records_nsupdate(&text, &records, 300);
    assert_non_null(strstr(buf_text(&text), "; 3 1 1 takes its place\nupdate delete "
                                            "_25._tcp.mx1.example.org. TLSA 3 0 1 22"));
    buf_fini(&text);
}

static size_t removed(void)
{
    size_t count = 0;

    for (size_t i = 0; i < records.count; i++)
        count += records.records[i].remove;
    return count;
}

/* Let's Encrypt R3 */
#define RETIRED "8d02536c887482bc34ff54e41d2ba659bf85b341a0a20afadb5813dcfbcf286d"

/* mx1 has, beside 3 1 1 of its ECDSA key, 3 0 1 of that certificate and 2 1 1 of a retired issuer,
 * which one with an RSA key may need. */
static struct made *make_left_behind(void)
{
    static uint8_t retired[32];
    struct made *made = facts_make();

    for (size_t i = 0; i < sizeof retired; i++) {
        char octet[3] = {RETIRED[2 * i], RETIRED[2 * i + 1], '\0'};

        retired[i] = (uint8_t)strtoul(octet, NULL, 16);
    }
    made_record(&made->host[0], 2, FORM(3, 0, 1), '2');
    made->host[0].matched[0][CHECK_OFFER_DEFAULT][2] = true;
    made_record(&made->host[0], 3, FORM(2, 1, 1), '0');
    made->host[0].records[3].data = retired;
    made->hosts[0].record_count = 4;
    return made;
}

/* What the attempt with RSA keys at one address comes to, and whether it is known then what the
 * address shows. */
static void nothing_goes_before_all_is_seen(void **state)
{
    static const struct {
        struct check_attempt rsa;
        bool known;
    } rows[] = {
        {{.made = true, .state = STARTTLS_BROKEN, .failure = "handshake"}, true},
        {{.made = true, .state = STARTTLS_BROKEN, .failure = "handshake-timeout"}, false},
        {{.made = true, .state = STARTTLS_BROKEN, .failure = "ehlo-in-tls"}, false},
        {{.made = true, .state = STARTTLS_BROKEN, .failed_here = true}, false},
        {{.made = true, .state = STARTTLS_SILENT, .failure = "connect-timeout"}, false},
        {{.made = true, .state = STARTTLS_TEMPFAIL, .failure = "starttls-4xx"}, false},
        {{.made = true, .state = STARTTLS_ERROR, .failure = "greeting-refused"}, false},
        {{.made = false}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made *made = make_left_behind();

        made->host[0].addresses[1].attempts[CHECK_OFFER_RSA] = rows[i].rsa;
        assert_true(records_make(&records, arena, &made->facts, &wish));
        assert_int_equal(removed(), rows[i].known ? 2 : 0);
        assert_int_equal(records.note_count, rows[i].known ? 0 : 1);
    }
}

static void nothing_goes_while_an_address_is_not_known(void **state)
{
    struct made *made = make_left_behind();

    (void)state;
    made->host[0].aaaa.answer.outcome = DNS_FAILED;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_int_equal(removed(), 0);
    made->host[0].aaaa.answer.outcome = DNS_NODATA;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_int_equal(removed(), 2);
    for (size_t count = EVIDENCE_ADDRESSES_MAX - 1; count <= EVIDENCE_ADDRESSES_MAX + 1; count++) {
        made->host[0].a.answer.count = count;
        assert_true(records_make(&records, arena, &made->facts, &wish));
        assert_int_equal(removed(), count <= EVIDENCE_ADDRESSES_MAX ? 2 : 0);
    }
}

/* With RSA beside ECDSA: each has a record of its own before one goes. */
static void what_the_other_key_needs_is_there_first(void **state)
{
    struct made *made = make_left_behind();

    (void)state;
    for (size_t i = 0; i < MADE_ADDRESSES; i++) {
        made_tls(&made->host[0], "mx1.example.org", i, CHECK_OFFER_RSA, '5');
        made->host[0].matched[i][CHECK_OFFER_RSA][0] = false;
        made->host[0].matched[i][CHECK_OFFER_RSA][2] = true;
        made->host[0].matched[i][CHECK_OFFER_RSA][3] = true;
    }
    wish.missing = true;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_int_equal(records.count, 3);
    assert_string_equal(records.records[0].name, "_25._tcp.mx1.example.org");
    assert_memory_equal(records.records[0].data, "3 1 1 5555", 10);
    assert_false(records.records[0].remove);
    assert_int_equal(removed(), 2);
    /* a key that cannot be told of */
    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        made->host[0].certificates[i][CHECK_OFFER_RSA][0].key_sha256[0] = '\0';
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_int_equal(records.count, 0);
}

/* A record of a form that is not recommended, of a certificate that nobody shows yet. */
static void what_is_of_a_key_to_come_stays(void **state)
{
    struct made *made = make_left_behind();

    (void)state;
    made->host[0].matched[0][CHECK_OFFER_DEFAULT][2] = false;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_null(find("_25._tcp.mx1.example.org", "3 0 1"));
}

static struct tls_der der_of(const struct cert *cert)
{
    unsigned char *octets = NULL;
    int length = i2d_X509(cert->x509, &octets);
    struct tls_der der = {arena_memdup(arena, octets, (size_t)length), (size_t)length};

    OPENSSL_free(octets);
    return der;
}

/* 2 1 2 keeps the next certificate of the issuer valid, which 3 1 1 does not. */
static void an_issuer_is_replaced_by_itself(void **state)
{
    struct made *made = make_left_behind();
    struct made_host *host = &made->host[0];
    struct cert ca = cert_make(&(struct cert_spec){.cn = "issuer", .ca = true});
    struct cert other = cert_make(&(struct cert_spec){.cn = "other", .ca = true});
    struct tls_der der = der_of(&ca);
    struct tls_associations of;
    struct tls_certificate read;

    (void)state;
    assert_true(tls_associations_read(&of, arena, &der));
    assert_true(tls_certificate_read(&read, arena, &der));
    host->records[2] = (struct tlsa){2, 1, 2, true, 64, of.of[1][2].data};
    host->addresses[0].attempts[CHECK_OFFER_DEFAULT].shown.certificates[1] = der;
    memcpy(host->certificates[0][CHECK_OFFER_DEFAULT][1].key_sha256, read.key_sha256, 65);
    made->hosts[0].record_count = 3;
    wish.missing = true;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_int_equal(records.count, 2);
    assert_string_equal(records.records[0].data, arena_printf(arena, "2 1 1 %s", read.key_sha256));
    assert_true(find("_25._tcp.mx1.example.org", "2 1 2")->remove);
    assert_string_equal(records.records[1].why, "2 1 1 takes its place");
    /* where it matches is not known */
    host->addresses[0].attempts[CHECK_OFFER_DEFAULT].shown.certificates[1] = der_of(&other);
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_int_equal(records.count, 0);
    cert_free(&ca);
    cert_free(&other);
}

/* Beside an alias there can be no other record. */
static void behind_an_alias(void **state)
{
    struct made *made = facts_make();

    (void)state;
    made->host[0].tlsa.answer.aliases = made->sts_record.answer.aliases =
        made->tlsrpt_record.answer.aliases = 1;
    made->host[0].tlsa.answer.owner = "tlsa.example.net";
    made->sts_record.answer.owner = "sts.example.net";
    made->tlsrpt_record.answer.owner = "rpt.example.net";
    made_record(&made->host[0], 1, FORM(1, 1, 1), '2');
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_int_equal(records.count, 5);
    assert_true(find("tlsa.example.net", "3 1 1 1111")->present);
    assert_true(find("tlsa.example.net", "1 1 1 2222")->remove);
    assert_non_null(find("_25._tcp.mx2.example.org", "3 1 1 1111"));
    assert_non_null(find("sts.example.net", "\"v=STSv1"));
    assert_non_null(find("rpt.example.net", "\"v=TLSRPTv1"));
}

static void an_issuer_is_named_if_it_is_one(void **state)
{
    struct made *made = facts_make();
    struct tls_certificate *issuer = &made->host[0].certificates[0][CHECK_OFFER_DEFAULT][1];

    (void)state;
    wish.issuer = true;
    for (size_t i = 0; i < MADE_ADDRESSES; i++) {
        made->host[1].certificates[i][CHECK_OFFER_DEFAULT][1].subject = "another";
        made->host[1].certificates[i][CHECK_OFFER_ECDSA][1].subject = "another";
    }
    memcpy(issuer->key_sha256, RETIRED, sizeof RETIRED);
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_null(find("_25._tcp.mx1.example.org", "2 1 1 8d02"));
    assert_non_null(find("_25._tcp.mx1.example.org", "2 1 1 cccc"));
    assert_null(find("_25._tcp.mx2.example.org", "2 1 1"));
    assert_int_equal(records.note_count, 2);
}

/* A policy in place of one that nobody has seen, or without a mail host, would do harm. */
static void what_is_not_known_stays(void **state)
{
    struct made *made = facts_make();

    (void)state;
    made->facts.policy.policy = made->evidence.sts.policy = NULL;
    made->facts.tlsrpt = (struct tlsrpt){.state = TLSRPT_ERROR};
    made->evidence.sts.state = STS_FETCH_FAILED;
    made->evidence.sts.why = "connection refused";
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_null(records.policy);
    assert_null(find("_mta-sts.example.org", ""));
    assert_null(find("_smtp._tls.example.org", ""));
    assert_int_equal(records.note_count, 2);
    wish.mode_given = true;
    wish.rua = "mailto:a@example.org";
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_non_null(records.policy);
    assert_non_null(find("_mta-sts.example.org", ""));
    assert_non_null(find("_smtp._tls.example.org", "\"v=TLSRPTv1; rua=mailto:a@example.org\""));
    made->evidence.mx_truncated = true;
    assert_true(records_make(&records, arena, &made->facts, &wish));
    assert_null(records.policy);
    assert_null(find("_mta-sts.example.org", ""));
}

static unsigned seed = 1;

static unsigned any(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

/* Two random domains with few differences: the id is the same exactly when the policy is. */
static void an_id_changes_when_the_policy_does(void **state)
{
    static const char *const names[] = {"mx1.example.org", "mx2.example.org", "mx3.example.org"};
    char ids[2][STS_ID_MAX + 1], *policies[2];
    unsigned same = 0, different = 0;

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        for (size_t k = 0; k < 2; k++) {
            struct made *made = facts_make();

            arena_reset(arena);
            made->facts.policy.policy = NULL;
            made->facts.host_count = 1 + any(2);
            for (size_t h = 0; h < made->facts.host_count; h++)
                made->hosts[h].name = names[any(3)];
            wish.mode = any(2) == 0 ? STS_MODE_ENFORCE : STS_MODE_TESTING;
            wish.max_age = 86400 * (1 + any(2));
            assert_true(records_make(&records, arena, &made->facts, &wish));
            policies[k] = strdup(records.policy);
            records_policy_id(ids[k], policies[k], strlen(policies[k]));
            assert_int_equal(strspn(ids[k], "0123456789abcdef"), 20);
            assert_non_null(strstr(find("_mta-sts.example.org", "")->data, ids[k]));
        }
        assert_int_equal(strcmp(ids[0], ids[1]) == 0, strcmp(policies[0], policies[1]) == 0);
        same += strcmp(policies[0], policies[1]) == 0;
        different += strcmp(policies[0], policies[1]) != 0;
        free(policies[0]);
        free(policies[1]);
    }
    assert_true(same > 50 && different > 50);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_sound_domain_lacks_nothing),
        CASE(all_is_told_without_missing),
        CASE(a_digest_of_nothing_is_never_told),
        CASE(a_forgotten_host_changes_policy_and_id),
        CASE(a_long_text_is_in_strings),
        CASE(what_is_wrong_is_removed),
        CASE(nothing_goes_before_all_is_seen),
        CASE(nothing_goes_while_an_address_is_not_known),
        CASE(what_the_other_key_needs_is_there_first),
        CASE(what_is_of_a_key_to_come_stays),
        CASE(an_issuer_is_replaced_by_itself),
        CASE(a_policy_for_a_terminal),
        CASE(an_issuer_is_named_if_it_is_one),
        CASE(behind_an_alias),
        CASE(an_id_changes_when_the_policy_does),
        CASE(what_is_not_known_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
