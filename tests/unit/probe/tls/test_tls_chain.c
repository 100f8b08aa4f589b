/*
 * Chains that are kept: by what they were shown as, without the session. That they are judged as the
 * session is, is shown by every case of test_tls_verify.c and test_tls_dates.c.
 */
#include "probe/tls/tls_chain.h"
#include "probe/tls/tls_digest.h"

#include "tests/unit/support/tls_pair.h"

#define MANY 40 /* certificates: more than are kept */

static struct cert middle, leaf;

/* The octets of certificates, as a server would have sent them. */
struct sent {
    struct tls_shown shown;
    unsigned char *data[TLS_SHOWN_MAX];
};

static void send(struct sent *sent, const struct cert *const *certs)
{
    memset(sent, 0, sizeof *sent);
    sent->shown.strong = true;
    for (size_t i = 0; certs[i] != NULL; i++) {
        int length = i2d_X509(certs[i]->x509, &sent->data[i]);

        assert_true(length > 0);
        sent->shown.certificates[i] = (struct tls_der){sent->data[i], (size_t)length};
        sent->shown.count++;
    }
}

static void sent_free(struct sent *sent)
{
    for (size_t i = 0; i < TLS_SHOWN_MAX; i++)
        OPENSSL_free(sent->data[i]);
}

/* ---- faults ---- */

struct fault_case {
    const char *name;
    struct cert_spec leaf;
    const struct cert *along;
    enum tls_fault want;
    const char *why;
    int rsa_bits; /* of the leaf; 0: an EC key */
};

#define BY(ca) .cn = MX, .names = mx_names, .issuer = (ca)

static const struct fault_case fault_cases[] = {
    {"none", {BY(&root)}, NULL, TLS_FAULT_NONE, NULL, 0},
    {"none, another name", {.cn = "x", .issuer = &root}, NULL, TLS_FAULT_NONE, NULL, 0},
    {"none, an intermediate", {BY(&middle)}, &middle, TLS_FAULT_NONE, NULL, 0},
    {"self-signed", {BY(NULL)}, NULL, TLS_FAULT_SELF_SIGNED, "is self-signed", 0},
    {"unknown issuer", {BY(&other_root)}, NULL, TLS_FAULT_UNKNOWN_ISSUER, "Other Root", 0},
    {"unknown root", {BY(&other_root)}, &other_root, TLS_FAULT_UNKNOWN_ISSUER, "not trusted", 0},
    {"intermediate missing", {BY(&middle)}, NULL, TLS_FAULT_UNKNOWN_ISSUER, "Middle", 0},
    {"expired", {BY(&root), DATED(-2 * CERT_DAY, -60)}, NULL, TLS_FAULT_EXPIRED, "expired 2", 0},
    {"not yet valid",
     {BY(&root), DATED(600, CERT_DAY)},
     NULL,
     TLS_FAULT_NOT_YET_VALID,
     "before 2",
     0},
    {"weak", {BY(&root)}, NULL, TLS_FAULT_WEAK, "key too weak", 768},
    {"costly", {BY(&root)}, &large, TLS_FAULT_COSTLY, "costs too much", 0},
    {"other", {BY(&root), .extended = "clientAuth"}, NULL, TLS_FAULT_OTHER, "purpose", 0},
};

static void run_fault_case(void **state)
{
    const struct fault_case *row = *state;
    struct cert_spec spec = row->leaf;
    struct cert cert;
    struct tls_chain *chain;
    struct sent sent;

    if (row->rsa_bits != 0)
        spec.key = EVP_RSA_gen((unsigned)row->rsa_bits);
    cert = cert_make(&spec);
    send(&sent, (const struct cert *const[]){&cert, row->along, NULL});
    chain = tls_chain_new(context, &sent.shown);
    sent_free(&sent); /* it is borrowed for the call only */
    assert_string_equal(tls_fault_name(tls_chain_finding(chain)->fault), tls_fault_name(row->want));
    expect_words(tls_chain_finding(chain)->why, row->why);
    tls_chain_free(chain);
    cert_free(&cert);
}

/* ---- names and records ---- */

static void one_chain_many_names(void **state)
{
    static const struct cert_name names[] = {N_("a.test"), N_("*.b.test"), END};
    static const struct {
        const char *host;
        bool named;
    } rows[] = {{"a.test", true},      {"x.b.test", true}, {"y.b.test", true},   {"b.test", false},
                {"x.y.b.test", false}, {MX, false},        {"192.0.2.1", false}, {"", false}};
    struct cert cert = cert_make(&(struct cert_spec){.cn = MX, .names = names, .issuer = &root});
    struct arena *arena = arena_new(65536);
    struct tls_chain *chain;
    struct sent sent;

    (void)state;
    send(&sent, (const struct cert *const[]){&cert, NULL});
    chain = tls_chain_new(context, &sent.shown);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct tls_reference reference = {.host = rows[i].host};
        struct starttls_result result = {.protocol = "TLSv1.3"};

        tls_chain_judge(chain, &reference, arena, &result);
        assert_int_equal(tls_chain_names(chain, rows[i].host), rows[i].named);
        assert_int_equal(result.state, rows[i].named ? STARTTLS_VERIFIED : STARTTLS_TLS);
        assert_string_equal(result.protocol, "TLSv1.3");
    }
    tls_chain_free(chain);
    sent_free(&sent);
    arena_free(arena);
    cert_free(&cert);
}

/* Each record is asked for by itself; together they still match if one of them does. */
static void records_one_by_one(void **state)
{
    uint8_t good[SHA256_DIGEST_LENGTH], bad[SHA256_DIGEST_LENGTH] = {1};
    struct tlsa records[] = {{3, 0, 1, true, sizeof good, good},
                             {3, 0, 1, true, sizeof bad, bad},
                             {3, 0, 1, false, sizeof good, good}};
    const struct tls_reference reference = {.host = MX, .tlsa = records, .tlsa_count = 3};
    struct starttls_result result = {.protocol = NULL};
    struct arena *arena = arena_new(65536);
    struct tls_chain *chain;
    struct sent sent;

    (void)state;
    send(&sent, (const struct cert *const[]){&leaf, NULL});
    SHA256(sent.shown.certificates[0].data, sent.shown.certificates[0].length, good);
    chain = tls_chain_new(context, &sent.shown);
    tls_chain_judge(chain, &reference, arena, &result);
    assert_int_equal(result.tlsa, TLSA_MATCH_OK);
    assert_true(tls_chain_matches(chain, &reference, &records[0]));
    assert_false(tls_chain_matches(chain, &reference, &records[1]));
    assert_false(tls_chain_matches(chain, &reference, &records[2]));
    tls_chain_free(chain);
    sent_free(&sent);
    arena_free(arena);
}

static void a_weak_handshake_is_not_verified(void **state)
{
    struct starttls_result result = {.protocol = "TLSv1"};
    struct arena *arena = arena_new(65536);
    struct tls_chain *chain;
    struct sent sent;

    (void)state;
    send(&sent, (const struct cert *const[]){&leaf, &middle, NULL});
    sent.shown.strong = false;
    chain = tls_chain_new(context, &sent.shown);
    tls_chain_judge(chain, &(struct tls_reference){.host = MX}, arena, &result);
    assert_int_equal(result.state, STARTTLS_TLS);
    expect_words(result.detail, "TLSv1 as negotiated is too weak");
    tls_chain_free(chain);
    sent_free(&sent);
    arena_free(arena);
}

/* ---- what no server should have sent ---- */

static void expect_nothing(const struct tls_shown *shown, enum tls_fault fault)
{
    static const uint8_t digest[SHA256_DIGEST_LENGTH];
    const struct tlsa record = {3, 0, 1, true, sizeof digest, digest};
    const struct tls_reference reference = {.host = MX, .tlsa = &record, .tlsa_count = 1};
    struct tls_chain *chain = tls_chain_new(context, shown);
    struct starttls_result result = {.protocol = "TLSv1.2"};
    struct arena *arena = arena_new(65536);

    assert_string_equal(tls_fault_name(tls_chain_finding(chain)->fault), tls_fault_name(fault));
    assert_non_null(tls_chain_finding(chain)->why);
    tls_chain_judge(chain, &reference, arena, &result);
    assert_int_equal(result.state, STARTTLS_TLS);
    assert_false(result.chain_ok || result.name_ok || result.expired);
    assert_int_equal(result.tlsa, TLSA_MATCH_MISMATCH);
    assert_int_equal(result.not_after, 0);
    assert_null(result.subject);
    assert_string_equal(result.detail, tls_chain_finding(chain)->why);
    assert_false(tls_chain_names(chain, MX));
    assert_false(tls_chain_matches(chain, &reference, &record));
    tls_chain_free(chain);
    arena_free(arena);
}

static void octets_that_are_no_certificate(void **state)
{
    struct sent sent;
    struct tls_shown shown = {.count = 0};

    (void)state;
    expect_nothing(&shown, TLS_FAULT_ANONYMOUS);
    shown.count = 1;
    shown.certificates[0] = (struct tls_der){(const uint8_t *)"garbage", 7};
    expect_nothing(&shown, TLS_FAULT_OTHER);
    shown.certificates[0] = (struct tls_der){(const uint8_t *)"", 0};
    expect_nothing(&shown, TLS_FAULT_OTHER);
    send(&sent, (const struct cert *const[]){&leaf, &middle, NULL});
    sent.shown.certificates[1].length--; /* cut off */
    expect_nothing(&sent.shown, TLS_FAULT_OTHER);
    sent.shown.certificates[1].length++;
    sent.shown.certificates[0].length--;
    expect_nothing(&sent.shown, TLS_FAULT_OTHER);
    sent_free(&sent);
}

static void something_after_a_certificate(void **state)
{
    unsigned char room[4096], *end = room;
    int length = i2d_X509(leaf.x509, &end);
    struct tls_shown shown = {.count = 1};

    (void)state;
    assert_in_range(length, 1, sizeof room - 1);
    room[length] = 0;
    shown.certificates[0] = (struct tls_der){room, (size_t)length + 1};
    expect_nothing(&shown, TLS_FAULT_OTHER);
}

/* ---- how many are kept ---- */

/* What the chain tells of a certificate is what its octets tell. */
static void same_certificates(const struct tls_chain *chain, const struct tls_shown *shown)
{
    struct arena *arena = arena_new(1 << 20);
    struct tls_certificate one, other;

    for (size_t i = 0; i < shown->count; i++) {
        assert_true(tls_chain_certificate(chain, i, arena, &one));
        assert_true(tls_certificate_read(&other, arena, &shown->certificates[i]));
        assert_string_equal(one.sha256, other.sha256);
        assert_string_equal(one.key_sha256, other.key_sha256);
        assert_string_equal(one.subject, other.subject);
        assert_string_equal(one.names, other.names);
        assert_string_equal(one.key_type, other.key_type);
        assert_int_equal(one.not_after, other.not_after);
        assert_int_equal(one.self_signed, other.self_signed);
    }
    assert_false(tls_chain_certificate(chain, shown->count, arena, &one));
    arena_free(arena);
}

/* A session that was shown `count` certificates, the one that is needed last. */
static void judge_many(int count, bool needed_is_kept)
{
    const struct cert *along[MANY + 1] = {NULL};
    struct starttls_result result = {.protocol = NULL};
    struct arena *arena = arena_new(65536), *kept = arena_new(1 << 20);
    SSL_CTX *server;
    struct tls_chain *chain;
    struct tls_shown shown;
    struct pair pair;

    for (int i = 0; i < count - 1; i++)
        along[i] = i == count - 2 ? &middle : &other_root;
    server = cert_server(&leaf, along);
    pair_open(&pair, server, MX);
    pair_shake(&pair);
    assert_int_equal(pair.progress, TLS_READY);
    pair_judge(&pair, &(struct tls_reference){.host = MX}, arena, &result);
    assert_int_equal(result.chain_ok, needed_is_kept);
    chain = tls_session_chain(pair.client);
    assert_true(tls_chain_shown(chain, kept, &shown));
    assert_int_equal(shown.count, count < TLS_SHOWN_MAX ? count : TLS_SHOWN_MAX);
    same_certificates(chain, &shown);
    tls_chain_free(chain);
    pair_close(&pair);
    SSL_CTX_free(server);
    arena_free(arena);
    arena_free(kept);
}

static void hostile_8_certificates_at_the_limit(void **state)
{
    (void)state;
    judge_many(TLS_SHOWN_MAX - 1, true);
    judge_many(TLS_SHOWN_MAX, true);
    judge_many(TLS_SHOWN_MAX + 1, false);
}

static void no_room_for_what_was_shown(void **state)
{
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct arena *kept = arena_new(100);
    struct tls_chain *chain;
    struct tls_shown shown;
    struct pair pair;

    (void)state;
    pair_open(&pair, server, MX);
    pair_shake(&pair);
    chain = tls_session_chain(pair.client);
    assert_non_null(chain);
    assert_false(tls_chain_shown(chain, kept, &shown));
    tls_chain_free(chain);
    pair_close(&pair);
    SSL_CTX_free(server);
    arena_free(kept);
}

/* ---- what is in a certificate ---- */

static bool read_one(struct tls_certificate *out, struct arena *arena, const struct cert *cert)
{
    struct sent sent;
    bool ok;

    send(&sent, (const struct cert *const[]){cert, NULL});
    ok = tls_certificate_read(out, arena, &sent.shown.certificates[0]);
    sent_free(&sent);
    return ok;
}

/* As the key itself is written, by another way of OpenSSL. */
static void expect_key_digest(const struct tls_certificate *seen, const struct cert *cert)
{
    unsigned char *octets = NULL;
    int length = i2d_PUBKEY(cert->key, &octets);
    char digest[TLS_DIGEST_TEXT];

    assert_true(length > 0);
    tls_digest(digest, octets, (size_t)length);
    assert_string_equal(seen->key_sha256, digest);
    OPENSSL_free(octets);
}

static void a_certificate_is_described(void **state)
{
    static const struct cert_name names[] = {N_(MX), N_("b.test"), N_("\033[31m"), N_("c d"), END};
    struct cert cert = cert_make(&(struct cert_spec){
        .cn = "A\n<b>", .names = names, .issuer = &root, .key = EVP_RSA_gen(1024)});
    struct arena *arena = arena_new(65536);
    struct tls_certificate seen;

    (void)state;
    assert_true(read_one(&seen, arena, &cert));
    assert_int_equal(strlen(seen.sha256), 64);
    expect_key_digest(&seen, &cert);
    assert_string_equal(seen.subject, "A\\x0a<b>");
    assert_string_equal(seen.issuer, "Root");
    assert_string_equal(seen.issuer_name, "Root");
    assert_string_equal(seen.key_type, "RSA");
    assert_int_equal(seen.key_bits, 1024);
    assert_string_equal(seen.signature, "ecdsa-with-SHA256");
    assert_true(seen.not_after - seen.not_before == 2 * CERT_DAY);
    assert_false(seen.self_signed);
    assert_int_equal(seen.name_count, 4);
    assert_string_equal(seen.names, MX " b.test \\x1b[31m");
    assert_true(read_one(&seen, arena, &root));
    assert_true(seen.self_signed);
    assert_string_equal(seen.key_type, "EC");
    assert_int_equal(seen.key_bits, 256);
    assert_string_equal(seen.names, "");
    arena_free(arena);
    cert_free(&cert);
}

/* Names of 64 octets, of which 15 and the blanks between them come to 974. */
static void a_thousand_octets_of_names(void **state)
{
    static char text[20][65];
    struct cert_name names[21] = {END};
    struct arena *arena = arena_new(65536);
    struct tls_certificate seen;
    struct cert cert;

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        memset(text[i], 'a' + (int)i, 64);
        names[i] = (struct cert_name){GEN_DNS, text[i], 0};
    }
    names[20] = (struct cert_name)END;
    cert = cert_make(&(struct cert_spec){.cn = MX, .names = names, .issuer = &root});
    assert_true(read_one(&seen, arena, &cert));
    assert_int_equal(seen.name_count, 20);
    assert_int_equal(strlen(seen.names), 15 * 65 - 1);
    arena_free(arena);
    cert_free(&cert);
}

static void no_certificate_is_described(void **state)
{
    struct arena *arena = arena_new(65536);
    struct tls_certificate seen;

    (void)state;
    assert_false(
        tls_certificate_read(&seen, arena, &(struct tls_der){(const uint8_t *)"garbage", 7}));
    assert_false(tls_certificate_read(&seen, arena, &(struct tls_der){(const uint8_t *)"", 0}));
    arena_free(arena);
}

int main(void)
{
    int failed;

    tls_pair_set_up();
    middle = cert_make(&(struct cert_spec){.cn = "Middle", .issuer = &root, .ca = true});
    leaf = cert_make(&(struct cert_spec){BY(&middle)});
    ROWS_ADD(fault_cases, run_fault_case);
    ROWS_ADD_TEST(one_chain_many_names);
    ROWS_ADD_TEST(records_one_by_one);
    ROWS_ADD_TEST(a_weak_handshake_is_not_verified);
    ROWS_ADD_TEST(octets_that_are_no_certificate);
    ROWS_ADD_TEST(something_after_a_certificate);
    ROWS_ADD_TEST(hostile_8_certificates_at_the_limit);
    ROWS_ADD_TEST(no_room_for_what_was_shown);
    ROWS_ADD_TEST(a_certificate_is_described);
    ROWS_ADD_TEST(a_thousand_octets_of_names);
    ROWS_ADD_TEST(no_certificate_is_described);
    failed = rows_run("tls_chain");
    cert_free(&middle);
    cert_free(&leaf);
    tls_pair_tear_down();
    return failed;
}
