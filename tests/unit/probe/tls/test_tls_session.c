/*
 * The TLS session of the prober under floods and garbage, and the strictness of the policy fetch.
 * Case names begin with the row of docs/conformance.md they stand for.
 */
#include "probe/tls/tls.h"

#include "tests/unit/support/tls_pair.h"

#define TLSA_ROOM 4096

/* ---- the session ---- */

static struct cert plain_leaf(void)
{
    return cert_make(&(struct cert_spec){.cn = MX, .names = mx_names, .issuer = &root});
}

/* B-38, C-3 */
static void B_38_sni(void **state)
{
    struct cert leaf = plain_leaf();
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct pair pair;

    (void)state;
    pair_open(&pair, server, "base.example.test");
    pair_shake(&pair);
    assert_string_equal(SSL_get_servername(pair.server, TLSEXT_NAMETYPE_host_name),
                        "base.example.test");
    assert_int_equal(SSL_version(pair.server), TLS1_3_VERSION);
    pair_close(&pair);
    pair_open(&pair, server, "192.0.2.1");
    pair_shake(&pair);
    assert_null(SSL_get_servername(pair.server, TLSEXT_NAMETYPE_host_name));
    assert_int_equal(pair.progress, TLS_READY);
    pair_close(&pair);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

static void talks_both_ways(void **state)
{
    struct cert leaf = plain_leaf();
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct pair pair;
    char text[64] = {0};

    (void)state;
    pair_open(&pair, server, MX);
    pair_shake(&pair);
    assert_int_equal(tls_session_write(pair.client, "EHLO a\r\n", 8, &pair.out), 0);
    pair_carry(&pair);
    assert_int_equal(SSL_read(pair.server, text, sizeof text), 8);
    assert_int_equal(SSL_write(pair.server, "250 b\r\n", 7), 7);
    pair_carry(&pair);
    assert_int_equal(tls_session_read(pair.client, text, 3), 3);
    assert_int_equal(tls_session_read(pair.client, text + 3, sizeof text - 3), 4);
    assert_memory_equal(text, "250 b\r\n", 7);
    SSL_shutdown(pair.server);
    pair_carry(&pair);
    assert_int_equal(pair.progress, TLS_CLOSED);
    pair_close(&pair);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

static void hostile_9_garbage(void **state)
{
    struct tls_session *session = tls_session_new(context, MX);
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    assert_int_equal(tls_session_feed(session, "220 still talking\r\n", 19, &out), TLS_BROKEN);
    assert_true(strlen(tls_session_why(session)) > 0);
    assert_int_equal(tls_session_feed(session, "", 0, &out), TLS_BROKEN);
    assert_int_equal(tls_session_write(session, "x", 1, &out), -1);
    buf_fini(&out);
    tls_session_free(session);
}

enum flood { FLOOD_KEY_UPDATE, FLOOD_TICKETS, FLOOD_TINY, FLOOD_DATA };

static void flood_once(struct pair *pair, enum flood flood)
{
    static char block[16000];

    switch (flood) {
    case FLOOD_KEY_UPDATE:
        SSL_key_update(pair->server, SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(pair->server);
        break;
    case FLOOD_TICKETS:
        SSL_new_session_ticket(pair->server);
        SSL_do_handshake(pair->server);
        break;
    case FLOOD_TINY:
        SSL_write(pair->server, "x", 1);
        break;
    case FLOOD_DATA:
        SSL_write(pair->server, block, sizeof block);
        break;
    }
}

/* hostile-9 */
static void run_flood(enum flood flood, int count, const char *why)
{
    struct cert leaf = plain_leaf();
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct pair pair;
    char drain[4096];

    pair_open(&pair, server, MX);
    pair_shake(&pair);
    assert_int_equal(pair.progress, TLS_READY);
    for (int i = 0; i < count && pair.progress == TLS_READY; i++) {
        flood_once(&pair, flood);
        pair_carry(&pair);
        while (tls_session_read(pair.client, drain, sizeof drain) > 0)
            continue;
    }
    if (why == NULL) {
        assert_int_equal(pair.progress, TLS_READY);
    } else {
        assert_int_equal(pair.progress, TLS_BROKEN);
        assert_string_equal(tls_session_why(pair.client), why);
    }
    pair_close(&pair);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

static void hostile_9_floods(void **state)
{
    (void)state;
    run_flood(FLOOD_KEY_UPDATE, 30, NULL);
    run_flood(FLOOD_KEY_UPDATE, 33, "too many tickets or key updates");
    run_flood(FLOOD_TICKETS, 33, "too many tickets or key updates");
    run_flood(FLOOD_TINY, 900, NULL);
    run_flood(FLOOD_TINY, 1001, "too many TLS records");
    run_flood(FLOOD_DATA, 40, "too much data");
}

/* hostile-9: the peer asks for a renegotiation and gets none. */
static void hostile_9_no_renegotiation(void **state)
{
    struct cert leaf = plain_leaf();
    SSL_CTX *server = cert_server(&leaf, NULL);
    struct pair pair;

    (void)state;
    SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
    pair_open(&pair, server, MX);
    pair_shake(&pair);
    SSL_renegotiate(pair.server);
    SSL_do_handshake(pair.server);
    pair_shake(&pair);
    SSL_do_handshake(pair.server);
    assert_true(SSL_renegotiate_pending(pair.server));
    pair_close(&pair);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

/* A server that speaks anonymous Diffie-Hellman in a group of its own, or a named one. */
static enum tls_progress shake_in_group(int bits, const char *name)
{
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    SSL_CTX *server = cert_server(NULL, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *p = BN_new(), *g = BN_new();
    OSSL_PARAM *params;
    EVP_PKEY *group = NULL;
    struct pair pair;
    enum tls_progress progress;

    BN_set_bit(p, bits - 1);
    BN_set_bit(p, 0);
    BN_set_word(g, 2);
    if (name != NULL) {
        OSSL_PARAM_BLD_push_utf8_string(build, "group", name, 0);
    } else {
        OSSL_PARAM_BLD_push_BN(build, "p", p);
        OSSL_PARAM_BLD_push_BN(build, "g", g);
    }
    params = OSSL_PARAM_BLD_to_param(build);
    assert_int_equal(EVP_PKEY_fromdata_init(make), 1);
    assert_int_equal(EVP_PKEY_fromdata(make, &group, EVP_PKEY_KEY_PARAMETERS, params), 1);
    SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(server, "ADH:@SECLEVEL=0"), 1);
    assert_int_equal(SSL_CTX_set0_tmp_dh_pkey(server, group), 1);
    pair_open(&pair, server, MX);
    pair_shake(&pair);
    progress = pair.progress;
    pair_close(&pair);
    SSL_CTX_free(server);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(p);
    BN_free(g);
    EVP_PKEY_CTX_free(make);
    return progress;
}

/* A prime of 10,000 bits would cost half a second. */
static void hostile_8_costly_groups(void **state)
{
    (void)state;
    assert_int_equal(shake_in_group(2048, NULL), TLS_READY);
    assert_int_equal(shake_in_group(4097, NULL), TLS_BROKEN);
    assert_int_equal(shake_in_group(8192, NULL), TLS_BROKEN);
    assert_int_equal(shake_in_group(0, "ffdhe8192"), TLS_READY);
    assert_int_equal(shake_in_group(0, "modp_6144"), TLS_READY);
}

/* hostile-8: chains of 100 certificates and more than 100 KB. */
static void hostile_8_long_chain(void **state)
{
    static struct cert_name names[600];
    struct cert leaf = plain_leaf(), fat;
    const struct cert *along[12] = {0};
    SSL_CTX *server;
    struct pair pair;

    (void)state;
    for (size_t i = 0; i < 599; i++)
        names[i] = (struct cert_name){GEN_DNS, "a-rather-long-name.example.test", 0};
    fat = cert_make(&(struct cert_spec){.cn = "fat", .names = names, .ca = true});
    for (size_t i = 0; i < 6; i++)
        along[i] = &fat;
    server = cert_server(&leaf, along);
    pair_open(&pair, server, MX);
    pair_shake(&pair);
    assert_int_equal(pair.progress, TLS_BROKEN);
    pair_close(&pair);
    SSL_CTX_free(server);
    cert_free(&leaf);
    cert_free(&fat);
}

/* ---- the policy fetch ---- */

/* A client as libcurl makes it, hardened for `host`; true when the handshake succeeds. */
static bool fetch_ok(SSL_CTX *server, const char *host)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *client, *peer = SSL_new(server);
    BIO *a = NULL, *b = NULL;
    bool ok = false;

    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    assert_int_equal(tls_harden_policy_client(ctx, host, context), 0);
    client = SSL_new(ctx);
    assert_int_equal(BIO_new_bio_pair(&a, 1 << 18, &b, 1 << 18), 1);
    SSL_set_bio(client, a, a);
    SSL_set_bio(peer, b, b);
    SSL_set_connect_state(client);
    SSL_set_accept_state(peer);
    for (int i = 0; i < 20 && !ok; i++) {
        ok = SSL_do_handshake(client) == 1;
        SSL_do_handshake(peer);
    }
    SSL_free(client);
    SSL_free(peer);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

struct fetch_case {
    const char *name;
    struct cert_name names[2];
    const struct cert *issuer, *along;
    const char *host;
    bool good;
};

#define STS "mta-sts.example.test"

static const struct fetch_case fetch_cases[] = {
    {"A-21 good", {N_(STS)}, &root, NULL, STS, true},
    {"A-21 untrusted CA", {N_(STS)}, &other_root, NULL, STS, false},
    {"A-21 self-signed", {N_(STS)}, NULL, NULL, STS, false},
    {"A-21 name mismatch", {N_("example.test")}, &root, NULL, STS, false},
    {"A-21 CN only", {END}, &root, NULL, STS, false},
    {"A-21 partial wildcard", {N_("mta-*.example.test")}, &root, NULL, STS, false},
    {"A-22 wildcard", {N_("*.example.test")}, &root, NULL, STS, true},
    {"A-22 wildcard above", {N_("*.example.test")}, &root, NULL, "mta-sts.sub.example.test", false},
    {"hostile-8 policy host's key too large", {N_(STS)}, &root, &large, STS, false},
};

static void run_fetch_case(void **state)
{
    const struct fetch_case *row = *state;
    const struct cert *along[] = {row->along, NULL};
    struct cert leaf = cert_make(&(struct cert_spec){
        .cn = STS, .names = row->names[0].type != 0 ? row->names : NULL, .issuer = row->issuer});
    SSL_CTX *server = cert_server(&leaf, along);

    assert_int_equal(fetch_ok(server, row->host), row->good);
    SSL_CTX_free(server);
    cert_free(&leaf);
}

/* */
static void A_23_tls_1_2(void **state)
{
    struct cert leaf = cert_make(&(struct cert_spec){
        .cn = STS, .names = (const struct cert_name[]){N_(STS), END}, .issuer = &root});
    SSL_CTX *server = cert_server(&leaf, NULL);

    (void)state;
    SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
    assert_true(fetch_ok(server, STS));
    SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION);
    assert_false(fetch_ok(server, STS));
    SSL_CTX_free(server);
    cert_free(&leaf);
}

/* hostile-40: no anchors is an error with words. */
static void hostile_40_no_anchors(void **state)
{
    struct tls_context *none = NULL;
    const char *why = NULL;

    (void)state;
    assert_int_equal(tls_context_new(&none, "/nonexistent/ca.pem", NULL, &why), -1);
    expect_words(why, "ca-file /nonexistent/ca.pem");
    assert_int_equal(tls_context_new(&none, NULL, "/nonexistent", &why), -1);
    expect_words(why, "ca-path /nonexistent");
}

int main(void)
{
    int failed;

    tls_pair_set_up();
    ROWS_ADD_TEST(B_38_sni);
    ROWS_ADD_TEST(talks_both_ways);
    ROWS_ADD_TEST(hostile_9_garbage);
    ROWS_ADD_TEST(hostile_9_floods);
    ROWS_ADD_TEST(hostile_9_no_renegotiation);
    ROWS_ADD_TEST(hostile_8_costly_groups);
    ROWS_ADD_TEST(hostile_8_long_chain);
    ROWS_ADD(fetch_cases, run_fetch_case);
    ROWS_ADD_TEST(A_23_tls_1_2);
    ROWS_ADD_TEST(hostile_40_no_anchors);
    failed = rows_run("tls_session");
    tls_pair_tear_down();
    return failed;
}
