/* What the offers of a handshake find out: a table of servers, and what comes of each offer. */
#include "probe/tls/tls.h"

#include "tests/unit/support/tls_pair.h"

#define OFFERS 6

enum keys { KEYS_EC = 1, KEYS_RSA = 2, KEYS_BOTH = 3 };

/* X: the handshake works, with that kind of certificate. */
struct server_row {
    const char *label;
    enum keys keys;
    int oldest, newest;
    const char *ciphers;          /* of TLS 1.2 and before; NULL: OpenSSL's */
    const char *expected[OFFERS]; /* by enum tls_offer: "EC", "RSA"; NULL: it fails */
};

static const struct server_row servers[] = {
    {"an ECDSA certificate", KEYS_EC, TLS1_VERSION, 0, NULL, {"EC", "EC", "EC", NULL, NULL, "EC"}},
    {"an RSA certificate", KEYS_RSA, TLS1_2_VERSION, 0, NULL, {"RSA", "RSA", NULL, NULL, "RSA"}},
    {"both, TLS 1.3", KEYS_BOTH, TLS1_3_VERSION, 0, NULL, {"EC", "EC", NULL, NULL, "RSA", "EC"}},
    {"both, TLS 1.2",
     KEYS_BOTH,
     TLS1_2_VERSION,
     TLS1_2_VERSION,
     NULL,
     {"EC", "EC", NULL, NULL, "RSA", "EC"}},
    {"TLS 1.1 only",
     KEYS_BOTH,
     TLS1_1_VERSION,
     TLS1_1_VERSION,
     "ALL",
     {"EC", "EC", "EC", NULL, "RSA", "EC"}},
    {"no encryption",
     KEYS_RSA,
     TLS1_2_VERSION,
     TLS1_2_VERSION,
     "NULL-SHA256",
     {NULL, "RSA", NULL, "RSA", NULL, NULL}},
};

static struct cert ec_leaf, rsa_leaf;

static SSL_CTX *server_of(const struct server_row *row)
{
    SSL_CTX *ctx = cert_server(NULL, NULL);

    SSL_CTX_set_min_proto_version(ctx, row->oldest);
    SSL_CTX_set_max_proto_version(ctx, row->newest);
    if (row->ciphers != NULL)
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, row->ciphers), 1);
    SSL_CTX_set_security_level(ctx, 0);
    if ((row->keys & KEYS_RSA) != 0) {
        assert_int_equal(SSL_CTX_use_certificate(ctx, rsa_leaf.x509), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, rsa_leaf.key), 1);
    }
    if ((row->keys & KEYS_EC) != 0) {
        assert_int_equal(SSL_CTX_use_certificate(ctx, ec_leaf.x509), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, ec_leaf.key), 1);
    }
    return ctx;
}

static const char *kind_shown(const struct pair *pair, struct arena *arena)
{
    struct tls_certificate certificate = {.key_type = "no certificate"};
    struct tls_chain *chain;

    if (pair->progress != TLS_READY)
        return NULL;
    chain = tls_session_chain(pair->client);
    assert_non_null(chain);
    tls_chain_certificate(chain, 0, arena, &certificate);
    tls_chain_free(chain);
    return certificate.key_type;
}

static void offers_find_out(void **state)
{
    struct arena *arena = arena_new(1 << 20);

    (void)state;
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        SSL_CTX *server = server_of(&servers[i]);

        for (int offer = 0; offer < OFFERS; offer++) {
            const char *expected = servers[i].expected[offer], *kind;
            struct pair pair;

            pair_open(&pair, server, MX);
            assert_true(tls_session_offer(pair.client, (enum tls_offer)offer));
            pair_shake(&pair);
            kind = kind_shown(&pair, arena);
            if ((kind == NULL) != (expected == NULL) ||
                (kind != NULL && strcmp(kind, expected) != 0))
                fail_msg("%s, offer %d: %s instead of %s (%s)", servers[i].label, offer,
                         kind == NULL ? "failed" : kind, expected == NULL ? "failed" : expected,
                         tls_session_why(pair.client));
            pair_close(&pair);
        }
        SSL_CTX_free(server);
    }
    arena_free(arena);
}

int main(void)
{
    static const struct CMUnitTest cases[] = {cmocka_unit_test(offers_find_out)};
    int failed;

    root = cert_make(&(struct cert_spec){.cn = "root", .ca = true});
    context = cert_context(&root);
    ec_leaf = cert_make(&(struct cert_spec){.cn = MX, .names = mx_names, .issuer = &root});
    rsa_leaf = cert_make(&(struct cert_spec){
        .cn = MX, .names = mx_names, .issuer = &root, .key = EVP_RSA_gen(2048)});
    failed = cmocka_run_group_tests(cases, NULL, NULL);
    cert_free(&rsa_leaf);
    cert_free(&ec_leaf);
    cert_free(&root);
    tls_context_free(context);
    return failed;
}
