/* test_tls_pem: files of certificates, good and bad, and the data of TLSA records. */
#include "tests/unit/support/certs.h"
#include "tests/unit/support/unit.h"

#include <openssl/sha.h>

#include "base/buf.h"
#include "probe/tls/tls_pem.h"
#include "probe/tls/tls_internal.h"

enum { ROOT, ISSUER, LEAF, OTHER, CERTS };

static struct cert certs[CERTS];
static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    certs[ROOT] = cert_make(&(struct cert_spec){.cn = "Root", .ca = true});
    certs[ISSUER] =
        cert_make(&(struct cert_spec){.cn = "Issuer", .ca = true, .issuer = &certs[ROOT]});
    certs[LEAF] = cert_make(&(struct cert_spec){.cn = "mx.example", .issuer = &certs[ISSUER]});
    certs[OTHER] = cert_make(&(struct cert_spec){.cn = "Issuer", .ca = true});
    arena = arena_new(1 << 24);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < CERTS; i++)
        cert_free(&certs[i]);
    arena_free(arena);
    return 0;
}

static void add_pem(struct buf *out, const char *which)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    long length;

    for (; *which != '\0'; which++) {
        if (*which == 'K' || *which == 'k')
            PEM_write_bio_PrivateKey(bio, certs[*which == 'K' ? LEAF : OTHER].key, NULL, NULL, 0,
                                     NULL, NULL);
        else if (*which == 'E')
            PEM_write_bio_PrivateKey(bio, certs[LEAF].key, EVP_aes_128_cbc(),
                                     (const unsigned char *)"x", 1, NULL, NULL);
        else
            PEM_write_bio_X509(bio,
                               certs[strchr("0123", *which) != NULL ? *which - '0' : LEAF].x509);
    }
    length = BIO_get_mem_data(bio, &data);
    buf_add(out, data, (size_t)length);
    BIO_free(bio);
}

/* 0 to 3: that certificate; K, k: the key of the leaf, of another; E: under a passphrase. */
static const struct {
    const char *which;
    size_t count;
    const char *why;
} chains[] = {
    {"2", 1, NULL},
    {"21", 2, NULL},
    {"210", 3, NULL},
    {"K21", 2, NULL},
    {"21K", 2, NULL},
    {"", 0, "there is no certificate in it"},
    {"K", 0, "there is no certificate in it"},
    {"20", 2, "a certificate is not issued by the one that follows it"},
    {"12", 2, "a certificate is not issued by the one that follows it"},
    {"23", 2, "a certificate is not issued by the one that follows it"}, /* the same name */
};

static void chains_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(chains); i++) {
        struct tls_shown shown;
        struct buf text;
        const char *why;

        buf_init(&text, TLS_PEM_MAX);
        add_pem(&text, chains[i].which);
        why = tls_pem_read(&shown, arena, buf_text(&text), text.length);
        if (chains[i].why == NULL)
            assert_null(why);
        else
            assert_string_equal(why, chains[i].why);
        if (why == NULL)
            assert_int_equal(shown.count, chains[i].count);
        buf_fini(&text);
    }
}

static void half_a_file_is_refused(void **state)
{
    struct tls_shown shown;
    struct buf text;

    (void)state;
    buf_init(&text, TLS_PEM_MAX);
    add_pem(&text, "21");
    assert_non_null(tls_pem_read(&shown, arena, text.data, text.length - 40));
    assert_non_null(tls_pem_read(&shown, arena, text.data, 100));
    memcpy(strchr(text.data + text.length / 2 + 100, '\n') + 5, "!!", 2);
    assert_non_null(tls_pem_read(&shown, arena, text.data, text.length));
    buf_fini(&text);
}

static void a_file_has_limits(void **state)
{
    struct tls_shown shown;
    struct buf text;

    (void)state;
    buf_init(&text, TLS_PEM_MAX + 1);
    for (size_t i = 0; i < TLS_SHOWN_MAX; i++)
        add_pem(&text, "0"); /* issued by itself */
    assert_null(tls_pem_read(&shown, arena, text.data, text.length));
    assert_int_equal(shown.count, TLS_SHOWN_MAX);
    add_pem(&text, "0");
    assert_string_equal(tls_pem_read(&shown, arena, text.data, text.length),
                        "too many certificates");
    buf_clear(&text);
    add_pem(&text, "2");
    while (text.length < TLS_PEM_MAX)
        buf_adds(&text, "\n");
    assert_null(tls_pem_read(&shown, arena, text.data, text.length));
    buf_adds(&text, "\n");
    assert_string_equal(tls_pem_read(&shown, arena, text.data, text.length), "it is too large");
    buf_clear(&text);
    for (size_t i = 0; i < 99; i++)
        buf_adds(&text, "-----BEGIN X-----\nAAAA\n-----END X-----\n");
    assert_string_equal(tls_pem_read(&shown, arena, text.data, text.length),
                        "there is no certificate in it");
    buf_adds(&text, "-----BEGIN X-----\nAAAA\n-----END X-----\n");
    assert_string_equal(tls_pem_read(&shown, arena, text.data, text.length), "too many blocks");
    buf_fini(&text);
}

static void a_key_must_be_the_certificates(void **state)
{
    static const struct {
        const char *which;
        const char *why;
    } keys[] = {
        {"K", NULL},
        {"2K", NULL},
        {"k", "its private key is not that of the certificate"},
        {"2", "there is no private key in it that can be read"},
        {"E", "there is no private key in it that can be read"},
    };
    struct tls_shown shown;
    struct buf text;

    (void)state;
    buf_init(&text, TLS_PEM_MAX);
    add_pem(&text, "2");
    assert_null(tls_pem_read(&shown, arena, text.data, text.length));
    for (size_t i = 0; i < COUNT(keys); i++) {
        const char *why;

        buf_clear(&text);
        add_pem(&text, keys[i].which);
        why = tls_pem_key(text.data, text.length, &shown.certificates[0]);
        if (keys[i].why == NULL)
            assert_null(why);
        else
            assert_string_equal(why, keys[i].why);
    }
    buf_fini(&text);
}

static void data_is_that_of_tlsa_records(void **state)
{
    struct tls_associations made;
    unsigned char *key = NULL, digest[SHA256_DIGEST_LENGTH];
    int length = i2d_PUBKEY(certs[LEAF].key, &key);
    struct tls_shown shown;
    struct buf text;

    (void)state;
    buf_init(&text, TLS_PEM_MAX);
    add_pem(&text, "2");
    assert_null(tls_pem_read(&shown, arena, text.data, text.length));
    assert_true(tls_associations_read(&made, arena, &shown.certificates[0]));
    assert_int_equal(made.of[0][0].length, shown.certificates[0].length);
    assert_memory_equal(made.of[0][0].data, shown.certificates[0].data, made.of[0][0].length);
    assert_int_equal(made.of[1][0].length, length);
    SHA256(key, (size_t)length, digest);
    assert_memory_equal(made.of[1][1].data, digest, sizeof digest);
    assert_int_equal(made.of[1][2].length, 64);
    SHA256(shown.certificates[0].data, shown.certificates[0].length, digest);
    assert_memory_equal(made.of[0][1].data, digest, sizeof digest);
    shown.certificates[0].length--;
    assert_false(tls_associations_read(&made, arena, &shown.certificates[0]));
    OPENSSL_free(key);
    buf_fini(&text);
}

/* Of a certificate with these names. */
static size_t hosts_of(const struct cert_name *names, const char **out, size_t max)
{
    struct cert cert = cert_make(&(struct cert_spec){.cn = "cn.example", .names = names});
    unsigned char *der = NULL;
    struct tls_der given;
    size_t count;

    given.length = (size_t)i2d_X509(cert.x509, &der);
    given.data = der;
    count = tls_der_hosts(out, max, arena, &given);
    OPENSSL_free(der);
    cert_free(&cert);
    return count;
}

static void hosts_are_its_dns_names(void **state)
{
    static const struct cert_name names[] = {{GEN_DNS, "MX1.Example", 0},
                                             {GEN_DNS, "*.example", 0},
                                             {GEN_EMAIL, "mx2.example", 0},
                                             {GEN_DNS, "mx3.example\0.test", 17},
                                             {GEN_DNS, "", 0},
                                             {GEN_DNS, "192.0.2.1", 0},
                                             {GEN_DNS, "mx2.example", 0},
                                             {GEN_DNS, "mx4.example", 0},
                                             {0, NULL, 0}};
    const char *out[2] = {NULL, NULL};

    (void)state;
    assert_int_equal(hosts_of(names, out, 2), 3);
    assert_string_equal(out[0], "mx1.example");
    assert_string_equal(out[1], "mx2.example");
    assert_int_equal(hosts_of(NULL, out, 2), 0);
}

static void hosts_without_end_are_counted(void **state)
{
    static struct cert_name names[1001];
    static char texts[1000][24];
    const char *out[3] = {NULL, NULL, "not touched"};

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        snprintf(texts[i], sizeof texts[i], "mx%zu.example", i);
        names[i] = (struct cert_name){GEN_DNS, texts[i], 0};
    }
    assert_int_equal(hosts_of(names, out, 2), 1000);
    assert_string_equal(out[1], "mx1.example");
    assert_string_equal(out[2], "not touched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_are_read_or_refused),
        cmocka_unit_test(half_a_file_is_refused),
        cmocka_unit_test(a_file_has_limits),
        cmocka_unit_test(a_key_must_be_the_certificates),
        cmocka_unit_test(data_is_that_of_tlsa_records),
        cmocka_unit_test(hosts_are_its_dns_names),
        cmocka_unit_test(hosts_without_end_are_counted),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
