/*
 * fuzz_tls_feed: a client session against octets nobody meant (first octet 0xff), or against a real
 * server in memory whose stream is meddled with as the input says: four octets an operation.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/check.h"
#include "probe/tls/tls.h"
#include "probe/tls/tlsa.h"

#define INPUT_MAX 4096

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_context *context;
static SSL_CTX *server_ctx;
static uint8_t leaf_der[1024];
static size_t leaf_length;

static X509 *make_leaf(EVP_PKEY *key)
{
    X509 *leaf = X509_new();
    X509_NAME *name = X509_get_subject_name(leaf);

    X509_gmtime_adj(X509_getm_notBefore(leaf), -3600);
    X509_gmtime_adj(X509_getm_notAfter(leaf), 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"fuzz", -1, -1, 0);
    X509_set_issuer_name(leaf, name);
    X509_set_pubkey(leaf, key);
    CHECK(X509_sign(leaf, key, EVP_sha256()) > 0);
    return leaf;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[] = "/tmp/mxcrypt-fuzz-XXXXXX";
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = make_leaf(key);
    unsigned char *der = leaf_der;
    const char *why = NULL;
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    (void)argc, (void)argv;
    CHECK(file != NULL && PEM_write_X509(file, leaf) == 1);
    fclose(file);
    CHECK(tls_context_new(&context, path, NULL, &why) == 0);
    unlink(path);
    leaf_length = (size_t)i2d_X509(leaf, NULL);
    CHECK(leaf_length <= sizeof leaf_der && i2d_X509(leaf, &der) > 0);
    server_ctx = SSL_CTX_new(TLS_server_method());
    CHECK(SSL_CTX_use_certificate(server_ctx, leaf) == 1);
    CHECK(SSL_CTX_use_PrivateKey(server_ctx, key) == 1);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return 0;
}

struct wire {
    struct tls_session *client;
    SSL *server;
    BIO *to_server, *from_server;
    struct buf out;
    enum tls_progress progress;
    bool judged;
    const uint8_t *tlsa; /* fuzzed octets */
    size_t tlsa_length;
};

static void check_printable(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        CHECK(*text >= 0x20 && *text <= 0x7e);
}

static void judge(struct wire *wire)
{
    struct tlsa tlsa[] = {
        {3, 0, 0, true, (uint16_t)leaf_length, leaf_der},
        {2, 1, 1, true, (uint16_t)wire->tlsa_length, wire->tlsa},
        {3, 1, 2, wire->tlsa_length > 3, (uint16_t)wire->tlsa_length, wire->tlsa},
    };
    struct tls_reference reference = {.host = "fuzz.test", .tlsa = tlsa, .tlsa_count = 3};
    struct starttls_result result = {0};
    struct arena *arena = arena_new(65536);

    CHECK(arena != NULL);
    tls_session_judge(wire->client, &reference, arena, &result);
    CHECK(result.state == STARTTLS_TLS && result.chain_ok && !result.name_ok);
    CHECK(result.tlsa == TLSA_MATCH_OK);
    check_printable(result.detail);
    check_printable(result.subject);
    arena_free(arena);
    wire->judged = true;
}

static void feed(struct wire *wire, const void *data, size_t length)
{
    enum tls_progress before = wire->progress;
    char plain[256];

    wire->progress = tls_session_feed(wire->client, data, length, &wire->out);
    CHECK(before != TLS_BROKEN || wire->progress == TLS_BROKEN);
    CHECK(before != TLS_READY || wire->progress != TLS_WANT_MORE);
    CHECK((wire->progress == TLS_BROKEN) == (tls_session_why(wire->client)[0] != '\0'));
    check_printable(tls_session_why(wire->client));
    if (wire->progress == TLS_READY && !wire->judged)
        judge(wire);
    if (length % 3 != 0)
        while (tls_session_read(wire->client, plain, sizeof plain) > 0)
            continue;
}

/* Carries octets both ways; `meddle` changes one of those from the server. */
static void carry(struct wire *wire, const uint8_t *meddle)
{
    static char data[1 << 17];
    int count;

    SSL_do_handshake(wire->server);
    count = BIO_read(wire->from_server, data, sizeof data);
    if (count > 0 && meddle != NULL)
        data[(meddle[1] << 8 | meddle[2]) % count] ^= (char)meddle[3];
    feed(wire, data, count > 0 ? (size_t)count : 0);
    if (wire->out.length > 0)
        BIO_write(wire->to_server, buf_text(&wire->out), (int)wire->out.length);
    buf_clear(&wire->out);
    ERR_clear_error();
}

static void operate(struct wire *wire, const uint8_t *op)
{
    static char block[65536];

    switch (op[0] % 8) {
    case 0:
        carry(wire, op);
        return;
    case 1:
        feed(wire, op, 4);
        break;
    case 2:
        SSL_write(wire->server, block, op[1] * 255 + 1);
        break;
    case 3:
        SSL_key_update(wire->server, op[1] & 1);
        break;
    case 4:
        for (int i = 0; i < op[1] % 40; i++)
            SSL_new_session_ticket(wire->server);
        break;
    case 5:
        tls_session_write(wire->client, block, op[1] + 1, &wire->out);
        break;
    case 6:
        SSL_shutdown(wire->server);
        break;
    default:
        break;
    }
    carry(wire, NULL);
}

static void wire_open(struct wire *wire, const uint8_t *data, size_t size)
{
    memset(wire, 0, sizeof *wire);
    wire->client = tls_session_new(context, "fuzz.test");
    wire->server = SSL_new(server_ctx);
    wire->to_server = BIO_new(BIO_s_mem());
    wire->from_server = BIO_new(BIO_s_mem());
    CHECK(wire->client != NULL && wire->server != NULL);
    SSL_set_bio(wire->server, wire->to_server, wire->from_server);
    SSL_set_accept_state(wire->server);
    if (size > 0 && (data[0] & 1))
        SSL_set_max_proto_version(wire->server, TLS1_2_VERSION);
    buf_init(&wire->out, 1 << 20);
    wire->tlsa = data;
    wire->tlsa_length = size;
    feed(wire, NULL, 0);
    BIO_write(wire->to_server, buf_text(&wire->out), (int)wire->out.length);
    buf_clear(&wire->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire wire;
    uint8_t rdata[3 + INPUT_MAX] = {3, size > 0 ? data[0] & 1 : 0, 0};
    struct tlsa tlsa;

    if (size > INPUT_MAX)
        return 0;
    memcpy(rdata + 3, data, size);
    tlsa_parse(&tlsa, rdata, 3 + size);
    wire_open(&wire, data, size);
    if (size > 0 && data[0] == 0xff)
        feed(&wire, data + 1, size - 1);
    else
        for (size_t at = 1; at + 4 <= size; at += 4)
            operate(&wire, data + at);
    tls_session_free(wire.client);
    SSL_free(wire.server);
    buf_fini(&wire.out);
    ERR_clear_error();
    return 0;
}
