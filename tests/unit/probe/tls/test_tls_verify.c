/*
 * What certificates are worth: names, chains, TLSA records, against an OpenSSL server in memory.
 * Case names begin with the row of docs/conformance.md they stand for.
 */
#include "probe/tls/tls.h"

#include "tests/unit/support/tls_pair.h"

static struct cert middle, old_middle, fitting, slow, tight, stranger;

struct judged {
    struct starttls_result result;
    struct arena *arena;
};

static void judge(struct judged *judged, SSL_CTX *server, const struct tls_reference *reference)
{
    struct pair pair;

    memset(judged, 0, sizeof *judged);
    judged->arena = arena_new(65536);
    pair_open(&pair, server, reference->host);
    pair_shake(&pair);
    assert_string_equal(tls_session_why(pair.client), "");
    assert_int_equal(pair.progress, TLS_READY);
    pair_judge(&pair, reference, judged->arena, &judged->result);
    pair_close(&pair);
}

struct name_case {
    const char *name;
    struct cert_name names[3];
    const char *host; /* NULL: MX */
    bool good;
};

static const struct name_case name_cases[] = {
    {"J-1 exact", {N_(MX)}, NULL, true},
    {"J-1 letter case", {N_("MX.Example.TEST")}, NULL, true},
    {"J-1 second of two", {N_("a.test"), N_(MX)}, NULL, true},
    {"J-1 another", {N_("other.test")}, NULL, false},
    {"J-1 a parent", {N_("example.test")}, NULL, false},
    {"J-2 wildcard one label", {N_("*.example.test")}, NULL, true},
    {"J-2 wildcard two labels", {N_("*.example.test")}, "a.mx.example.test", false},
    {"J-2 wildcard no label", {N_("*.mx.example.test")}, NULL, false},
    {"J-2 star alone", {N_("*")}, NULL, false},
    {"J-2 star of a top label", {N_("*.test")}, "example.test", false},
    {"J-2 partial after", {N_("m*.example.test")}, NULL, false},
    {"J-2 partial before", {N_("*x.example.test")}, NULL, false},
    {"J-2 star inside", {N_("mx.*.test")}, NULL, false},
    {"J-3 no DNS name", {{GEN_EMAIL, "postmaster@" MX, 0}}, NULL, false},
    {"J-4 an address", {{GEN_IPADD, "\300\000\002\001", 4}}, NULL, false},
    {"J-4 a name like an address", {N_("192.0.2.1")}, "192.0.2.1", false},
    {"J-5 embedded NUL",
     {{GEN_DNS, MX "\0.evil.test", sizeof(MX "\0.evil.test") - 1}},
     NULL,
     false},
    {"J-5 trailing dot", {N_(MX ".")}, NULL, false},
    {"J-5 not ASCII", {N_("m\303\274.example.test")}, "xn--m-xka.example.test", false},
    {"J-6 A-labels", {N_("xn--m-xka.example.test")}, "xn--m-xka.example.test", true},
    {"J-6 star inside an A-label", {N_("xn--*.example.test")}, "xn--m-xka.example.test", false},
    {"J-7 URI only", {{GEN_URI, "https://" MX, 0}}, NULL, false},
};

static void run_name_case(void **state)
{
    const struct name_case *row = *state;
    struct tls_reference reference = {.host = row->host == NULL ? MX : row->host};
    struct cert leaf =
        cert_make(&(struct cert_spec){.cn = MX, .names = row->names, .issuer = &root});
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct judged judged;

    judge(&judged, server, &reference);
    assert_int_equal(judged.result.name_ok, row->good);
    assert_true(judged.result.chain_ok);
    assert_int_equal(judged.result.state, row->good ? STARTTLS_VERIFIED : STARTTLS_TLS);
    expect_words(judged.result.detail, row->good ? NULL : "not for ");
    arena_free(judged.arena);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

/* J-8 */
static void J_8_thousand_names(void **state)
{
    static struct cert_name names[1001];
    static char text[1000][32];
    struct cert leaf;
    SSL_CTX *server;
    struct judged judged;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        snprintf(text[i], sizeof text[i], "mx%zu.example.test", i);
        names[i] = (struct cert_name){GEN_DNS, text[i], 0};
    }
    leaf = cert_make(&(struct cert_spec){.cn = MX, .names = names, .issuer = &root});
    server = cert_server(&leaf, NULL);
    judge(&judged, server, &(struct tls_reference){.host = "mx999.example.test"});
    assert_int_equal(judged.result.state, STARTTLS_VERIFIED);
    assert_string_equal(judged.result.subject, "mx0.example.test");
    arena_free(judged.arena);
    judge(&judged, server, &(struct tls_reference){.host = MX});
    expect_words(judged.result.detail,
                 "certificate is for mx0.example.test and 999 more, not for " MX);
    arena_free(judged.arena);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

struct chain_case {
    const char *name;
    struct cert_spec leaf;
    const struct cert *along; /* sent beside the leaf, or NULL */
    bool chain_ok, name_ok;
    const char *detail;
    int rsa_bits; /* of the leaf; 0: an EC key */
};

#define BY(ca) .cn = MX, .names = mx_names, .issuer = (ca)

static struct cert_name many_names[601];

static const struct chain_case chain_cases[] = {
    {"chain good", {BY(&root)}, NULL, true, true, NULL, 0},
    {"chain good, root sent", {BY(&root)}, &root, true, true, NULL, 0},
    {"chain good, with an intermediate", {BY(&middle)}, &middle, true, true, NULL, 0},
    {"chain intermediate missing", {BY(&middle)}, NULL, false, true, "issuer unknown: Middle", 0},
    {"chain expired",
     {BY(&root), DATED(-2 * CERT_DAY, -60)},
     NULL,
     false,
     true,
     "certificate expired 2",
     0},
    {"chain not yet valid",
     {BY(&root), DATED(600, CERT_DAY)},
     NULL,
     false,
     true,
     "certificate is not valid before 2",
     0},
    {"chain self-signed", {BY(NULL)}, NULL, false, true, "is self-signed", 0},
    {"chain unknown CA", {BY(&other_root)}, NULL, false, true, "issuer unknown: Other Root", 0},
    {"chain unknown root sent",
     {BY(&other_root)},
     &other_root,
     false,
     true,
     "issuer unknown: the root Other Root is not trusted here",
     0},
    {"chain expired intermediate",
     {BY(&old_middle)},
     &old_middle,
     false,
     true,
     "CA certificate expired 2",
     0},
    {"J-3 CN only", {.cn = MX, .issuer = &root}, NULL, true, false, "no DNS name", 0},
    {"chain for clients", {BY(&root), .extended = "clientAuth"}, NULL, false, true, "purpose", 0},
    {"chain key too short", {BY(&root)}, NULL, false, true, "key too weak", 768},
    {"chain key of 1024 bits", {BY(&root)}, NULL, true, true, NULL, 1024},
    {"hostile-8 key too large", {BY(&root)}, &large, false, true, "key that costs too much", 0},
    {"hostile-8 key of 8192 bits", {BY(&root)}, &fitting, true, true, NULL, 0},
    {"hostile-8 exponent of 65 bits", {BY(&root)}, &slow, false, true, "costs too much", 0},
    {"hostile-8 few names, 600 constraints", {BY(&tight)}, &tight, true, true, NULL, 0},
    {"hostile-8 600 names, 600 constraints",
     {.cn = MX, .names = many_names, .issuer = &tight},
     &tight,
     false,
     true,
     "too many names and name constraints",
     0},
};

static void run_chain_case(void **state)
{
    const struct chain_case *row = *state;
    const struct cert *along[] = {row->along, NULL};
    struct cert_spec spec = row->leaf;
    struct cert leaf;
    SSL_CTX *server;
    struct judged judged;

    if (row->rsa_bits != 0)
        spec.key = EVP_RSA_gen((unsigned)row->rsa_bits);
    leaf = cert_make(&spec);
    server = cert_server(&leaf, along);
    judge(&judged, server, &(struct tls_reference){.host = MX});
    expect_words(judged.result.detail, row->detail);
    assert_int_equal(judged.result.chain_ok, row->chain_ok);
    assert_int_equal(judged.result.name_ok, row->name_ok);
    assert_int_equal(judged.result.state,
                     row->chain_ok && row->name_ok ? STARTTLS_VERIFIED : STARTTLS_TLS);
    assert_true(judged.result.not_after != 0);
    arena_free(judged.arena);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

/* What a certificate says about itself never reaches a terminal as it is. */
static void hostile_45_names_escaped(void **state)
{
    struct cert leaf = cert_make(&(struct cert_spec){
        .cn = MX, .names = (const struct cert_name[]){N_("\033[31m\r\n%s"), END}});
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct judged judged;

    (void)state;
    judge(&judged, server, &(struct tls_reference){.host = MX});
    assert_string_equal(judged.result.subject, "\\x1b[31m\\x0d\\x0a%s");
    expect_words(judged.result.detail, "certificate is for \\x1b[31m\\x0d\\x0a%s, not for");
    arena_free(judged.arena);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

/* A verifying Postfix raises the security level to 1: then these would not have connected. */
static void weak_handshakes_not_verified(void **state)
{
    struct cert leaf = cert_make(&(struct cert_spec){.cn = MX, .names = mx_names, .issuer = &root});
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct judged judged;

    (void)state;
    SSL_CTX_set_max_proto_version(server, TLS1_VERSION);
    judge(&judged, server, &(struct tls_reference){.host = MX});
    assert_int_equal(judged.result.state, STARTTLS_TLS);
    assert_true(judged.result.chain_ok && judged.result.name_ok);
    assert_string_equal(judged.result.protocol, "TLSv1");
    expect_words(judged.result.detail, "too weak");
    arena_free(judged.arena);
    SSL_CTX_free(server);

    server = cert_server(NULL, NULL);
    SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(server, "aNULL:@SECLEVEL=0"), 1);
    judge(&judged, server, &(struct tls_reference){.host = MX});
    assert_int_equal(judged.result.state, STARTTLS_TLS);
    assert_false(judged.result.chain_ok || judged.result.name_ok);
    expect_words(judged.result.detail, "anonymous");
    arena_free(judged.arena);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

/* A server with both kinds of cipher shows its certificate: aNULL is offered last. */
static void anonymous_ciphers_last(void **state)
{
    struct cert leaf = cert_make(&(struct cert_spec){.cn = MX, .names = mx_names, .issuer = &root});
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct judged judged;

    (void)state;
    SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(server, "ALL:aNULL:@SECLEVEL=0"), 1);
    judge(&judged, server, &(struct tls_reference){.host = MX});
    assert_int_equal(judged.result.state, STARTTLS_VERIFIED);
    arena_free(judged.arena);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

/* ---- DANE ---- */

static const struct cert_name other_names[] = {N_("other.test"), END};
static const struct cert_name wild_names[] = {N_("*.example.test"), END};
static const struct cert_name partial_names[] = {N_("m*.example.test"), END};

#define TLSA_ROOM 4096

struct record {
    struct tlsa tlsa;
    uint8_t data[TLSA_ROOM];
};

struct dane_record {
    uint8_t usage, selector, type;
    const struct cert *cert; /* NULL ends */
    bool spoil, unusable;
};

struct dane_case {
    const char *name;
    const struct cert *leaf, *along[3];
    struct dane_record records[3];
    const char *names[4]; /* none: MX */
    enum tlsa_match want;
    const char *detail; /* NULL: not looked at */
};

#define REC(usage, selector, type, cert)                                                           \
    {                                                                                              \
        usage, selector, type, cert, false, false                                                  \
    }
#define SPOILT(usage, selector, type, cert)                                                        \
    {                                                                                              \
        usage, selector, type, cert, true, false                                                   \
    }
#define USELESS(usage, selector, type, cert)                                                       \
    {                                                                                              \
        usage, selector, type, cert, false, true                                                   \
    }
#define OK       TLSA_MATCH_OK
#define MISMATCH TLSA_MATCH_MISMATCH
#define NONE     TLSA_MATCH_NONE

static struct cert ee, odd, good, other, wild, part, named, old;

static const struct dane_case dane_cases[] = {
    {"B-1 3 1 1", &ee, {0}, {REC(3, 1, 1, &ee)}, {0}, OK, NULL},
    {"B-1 3 0 1", &ee, {0}, {REC(3, 0, 1, &ee)}, {0}, OK, NULL},
    {"B-1 3 1 2", &ee, {0}, {REC(3, 1, 2, &ee)}, {0}, OK, NULL},
    {"B-1 3 0 0", &ee, {0}, {REC(3, 0, 0, &ee)}, {0}, OK, NULL},
    {"B-1 3 1 0", &ee, {0}, {REC(3, 1, 0, &ee)}, {0}, OK, NULL},
    {"B-33 no name, date, chain", &odd, {0}, {REC(3, 1, 1, &odd)}, {0}, OK, "self-signed"},
    {"B-39 mismatch", &ee, {0}, {SPOILT(3, 1, 1, &ee)}, {0}, MISMATCH, "no record matches"},
    {"C-4 one of three",
     &ee,
     {0},
     {REC(3, 1, 1, &odd), SPOILT(3, 1, 1, &ee), REC(3, 1, 1, &ee)},
     {0},
     OK,
     NULL},
    {"C-9 old and new", &ee, {0}, {REC(3, 1, 1, &odd), REC(3, 1, 1, &ee)}, {0}, OK, NULL},
    {"C-1 the stronger digest decides",
     &ee,
     {0},
     {REC(3, 1, 1, &ee), SPOILT(3, 1, 2, &ee)},
     {0},
     MISMATCH,
     NULL},
    {"C-1 per selector", &ee, {0}, {REC(3, 0, 1, &ee), SPOILT(3, 1, 2, &ee)}, {0}, OK, NULL},
    {"C-1 per usage",
     &good,
     {&other_root},
     {REC(2, 0, 1, &other_root), SPOILT(3, 0, 2, &good)},
     {0},
     OK,
     NULL},
    {"C-1 type 0 is never dropped",
     &ee,
     {0},
     {REC(3, 1, 0, &ee), SPOILT(3, 1, 2, &ee)},
     {0},
     OK,
     NULL},
    {"B-10 unusable beside a good one",
     &ee,
     {0},
     {USELESS(4, 1, 1, &odd), REC(3, 1, 1, &ee)},
     {0},
     OK,
     NULL},
    {"B-9 PKIX usages only", &ee, {0}, {USELESS(1, 1, 1, &ee)}, {0}, NONE, NULL},
    {"no TLSA record", &ee, {0}, {REC(0, 0, 0, NULL)}, {0}, NONE, NULL},
    {"B-34 2 0 1", &good, {&other_root}, {REC(2, 0, 1, &other_root)}, {0}, OK, NULL},
    {"B-34 2 1 1", &good, {&other_root}, {REC(2, 1, 1, &other_root)}, {MX}, OK, NULL},
    {"B-34 wrong name",
     &other,
     {&other_root},
     {REC(2, 0, 1, &other_root)},
     {MX},
     MISMATCH,
     "ostname mismatch"},
    {"B-34 next-hop",
     &other,
     {&other_root},
     {REC(2, 0, 1, &other_root)},
     {MX, "other.test"},
     OK,
     NULL},
    {"B-34 expanded next-hop",
     &other,
     {&other_root},
     {REC(2, 0, 1, &other_root)},
     {MX, "a.test", "other.test"},
     OK,
     NULL},
    {"B-34 expired",
     &old,
     {&other_root},
     {REC(2, 0, 1, &other_root)},
     {MX},
     MISMATCH,
     "TLSA: certificate expired"},
    {"B-34 wildcard", &wild, {&other_root}, {REC(2, 0, 1, &other_root)}, {MX}, OK, NULL},
    {"B-34 partial wildcard",
     &part,
     {&other_root},
     {REC(2, 0, 1, &other_root)},
     {MX},
     MISMATCH,
     NULL},
    {"J-7 CN without DNS name", &named, {&other_root}, {REC(2, 0, 1, &other_root)}, {MX}, OK, NULL},
    {"B-35 2 0 1 not in the handshake",
     &good,
     {0},
     {REC(2, 0, 1, &other_root)},
     {MX},
     MISMATCH,
     NULL},
    {"B-35 2 0 0 not in the handshake", &good, {0}, {REC(2, 0, 0, &other_root)}, {MX}, OK, NULL},
    {"B-35 2 1 0 not in the handshake", &good, {0}, {REC(2, 1, 0, &other_root)}, {MX}, OK, NULL},
    {"hostile-8 2 0 0 of a costly kind", &good, {0}, {REC(2, 0, 0, &large)}, {MX}, MISMATCH, NULL},
    {"B-36 unrelated CA appended",
     &good,
     {&other_root, &stranger},
     {REC(2, 0, 1, &stranger)},
     {MX},
     MISMATCH,
     NULL},
    {"B-37 3 bad, 2 good",
     &good,
     {&other_root},
     {REC(3, 1, 1, &other_root), REC(2, 0, 1, &other_root)},
     {MX},
     OK,
     NULL},
    {"B-37 2 bad, 3 good",
     &other,
     {&other_root},
     {REC(2, 0, 1, &other_root), REC(3, 1, 1, &other)},
     {MX},
     OK,
     NULL},
};

static void make_record(struct record *out, const struct dane_record *from)
{
    unsigned char *der = NULL;
    int length = from->selector == 0 ? i2d_X509(from->cert->x509, &der)
                                     : i2d_PUBKEY(X509_get0_pubkey(from->cert->x509), &der);
    unsigned data_length = (unsigned)length;

    assert_in_range(length, 1, TLSA_ROOM);
    if (from->type == 0)
        memcpy(out->data, der, (size_t)length);
    else
        EVP_Digest(der, (size_t)length, out->data, &data_length,
                   from->type == 1 ? EVP_sha256() : EVP_sha512(), NULL);
    OPENSSL_free(der);
    if (from->spoil)
        out->data[data_length - 1] ^= 1;
    out->tlsa = (struct tlsa){from->usage,     from->selector,        from->type,
                              !from->unusable, (uint16_t)data_length, out->data};
}

static void run_dane_case(void **state)
{
    static struct record records[3];
    const struct dane_case *row = *state;
    struct tlsa tlsa[3];
    struct tls_reference reference = {.host = MX, .tlsa = tlsa};
    SSL_CTX *server = cert_server(row->leaf, row->along);
    struct judged judged;
    size_t count = 0;

    for (; count < 3 && row->records[count].cert != NULL; count++) {
        const struct dane_record *from = &row->records[count];

        make_record(&records[count], from);
        tlsa[count] = records[count].tlsa;
    }
    reference.tlsa_count = count;
    memcpy(reference.tlsa_names, row->names, sizeof reference.tlsa_names);
    judge(&judged, server, &reference);
    assert_int_equal(judged.result.tlsa, row->want);
    if (row->detail != NULL)
        expect_words(judged.result.detail, row->detail);
    arena_free(judged.arena);
    SSL_CTX_free(server);
}

/* A chain and name that are right and a TLSA record that does not match: not verified. */
static void B_39_mismatch_is_not_verified(void **state)
{
    struct cert leaf = cert_make(&(struct cert_spec){.cn = MX, .names = mx_names, .issuer = &root});
    struct record record;
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct judged judged;

    (void)state;
    make_record(&record, &(struct dane_record)SPOILT(3, 1, 1, &leaf));
    judge(&judged, server,
          &(struct tls_reference){.host = MX, .tlsa = &record.tlsa, .tlsa_count = 1});
    assert_true(judged.result.chain_ok && judged.result.name_ok);
    assert_int_equal(judged.result.state, STARTTLS_TLS);
    arena_free(judged.arena);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

static void make_authorities(void)
{
    stranger = cert_make(&(struct cert_spec){.cn = "Stranger", .ca = true});
    middle = cert_make(&(struct cert_spec){.cn = "Middle", .issuer = &root, .ca = true});
    old_middle = cert_make(&(struct cert_spec){
        .cn = "Old Middle", .issuer = &root, .ca = true, DATED(-3 * CERT_DAY, -CERT_DAY)});
    slow = cert_make(&(struct cert_spec){
        .cn = "Slow", .issuer = &root, .ca = true, .key = cert_large_key(2048, 65)});
    fitting = cert_make(&(struct cert_spec){
        .cn = "Fitting", .issuer = &root, .ca = true, .key = cert_large_key(8192, 64)});
}

/* A CA that excludes 600 names, and 600 names for its leaf. */
static void make_many_names(void)
{
    char constraint[600 * 32] = "";
    size_t used = 0;

    for (int i = 0; i < 600; i++) {
        many_names[i] = (struct cert_name)N_(MX);
        used += (size_t)snprintf(constraint + used, sizeof constraint - used,
                                 "%sexcluded;DNS:x%d.test", i > 0 ? "," : "", i);
    }
    tight = cert_make(
        &(struct cert_spec){.cn = "Tight", .issuer = &root, .ca = true, .constraint = constraint});
}

static void make_dane_leaves(void)
{
    const struct cert *ta = &other_root;

    ee = cert_make(&(struct cert_spec){.cn = MX, .names = mx_names, .issuer = &root});
    odd = cert_make(
        &(struct cert_spec){.cn = "x", .names = other_names, DATED(-2 * CERT_DAY, -CERT_DAY)});
    good = cert_make(&(struct cert_spec){.cn = "x", .names = mx_names, .issuer = ta});
    other = cert_make(&(struct cert_spec){.cn = MX, .names = other_names, .issuer = ta});
    wild = cert_make(&(struct cert_spec){.cn = "x", .names = wild_names, .issuer = ta});
    part = cert_make(&(struct cert_spec){.cn = "x", .names = partial_names, .issuer = ta});
    named = cert_make(&(struct cert_spec){.cn = MX, .issuer = ta});
    old = cert_make(
        &(struct cert_spec){.cn = "x", .names = mx_names, .issuer = ta, DATED(-2 * CERT_DAY, -60)});
}

static void free_certs(void)
{
    struct cert *all[] = {&stranger, &middle, &old_middle, &fitting, &slow, &tight, &ee,
                          &odd,      &good,   &other,      &wild,    &part, &named, &old};

    for (size_t i = 0; i < COUNT(all); i++)
        cert_free(all[i]);
}

int main(void)
{
    int failed;

    tls_pair_set_up();
    make_authorities();
    make_many_names();
    make_dane_leaves();
    ROWS_ADD(name_cases, run_name_case);
    ROWS_ADD_TEST(J_8_thousand_names);
    ROWS_ADD(chain_cases, run_chain_case);
    ROWS_ADD_TEST(hostile_45_names_escaped);
    ROWS_ADD_TEST(weak_handshakes_not_verified);
    ROWS_ADD_TEST(anonymous_ciphers_last);
    ROWS_ADD(dane_cases, run_dane_case);
    ROWS_ADD_TEST(B_39_mismatch_is_not_verified);
    failed = rows_run("tls_verify");
    free_certs();
    tls_pair_tear_down();
    return failed;
}
