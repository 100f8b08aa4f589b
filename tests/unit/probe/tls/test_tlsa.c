/* tlsa: which records SMTP can use (docs/conformance.md B-9 to B-12, C-2). */
#include "probe/tls/tlsa.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tests/unit/support/rows.h"

#define FIXED 3

static unsigned char *certificate, *key;
static size_t certificate_length, key_length;

/* A self-signed certificate and its public key, as DER. */
static int make_certificate(void)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    int length;

    if (pkey == NULL || x509 == NULL)
        return -1;
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, pkey);
    X509_sign(x509, pkey, EVP_sha256());
    length = i2d_X509(x509, &certificate);
    certificate_length = length > 0 ? (size_t)length : 0;
    length = i2d_PUBKEY(pkey, &key);
    key_length = length > 0 ? (size_t)length : 0;
    X509_free(x509);
    EVP_PKEY_free(pkey);
    return certificate_length > 0 && key_length > 0 ? 0 : -1;
}

static const struct row {
    const char *name;
    uint8_t usage, selector, matching_type;
    size_t length; /* of the data */
    bool usable;
} rows[] = {
    {"B-1 3 1 1", 3, 1, 1, 32, true},
    {"3 0 1", 3, 0, 1, 32, true},
    {"2 0 1", 2, 0, 1, 32, true},
    {"2 1 2", 2, 1, 2, 64, true},
    {"3 1 2", 3, 1, 2, 64, true},
    {"B-9 usage 0", 0, 1, 1, 32, false},
    {"B-9 usage 1", 1, 1, 1, 32, false},
    {"B-10 usage 4", 4, 1, 1, 32, false},
    {"B-10 usage 255", 255, 1, 1, 32, false},
    {"B-10 selector 2", 3, 2, 1, 32, false},
    {"B-10 selector 255", 3, 255, 1, 32, false},
    {"B-10 matching type 3", 3, 1, 3, 48, false},
    {"B-10 matching type 255", 3, 1, 255, 32, false},
    {"B-11 SHA-256 of 31", 3, 1, 1, 31, false},
    {"B-11 SHA-256 of 33", 3, 1, 1, 33, false},
    {"B-11 SHA-256 of 64", 3, 1, 1, 64, false},
    {"B-11 SHA-512 of 63", 3, 1, 2, 63, false},
    {"B-11 SHA-512 of 65", 3, 1, 2, 65, false},
    {"B-11 no data, 3 1 1", 3, 1, 1, 0, false},
    {"B-11 no data, 3 1 0", 3, 1, 0, 0, false},
    {"B-11 no data, 3 0 0", 3, 0, 0, 0, false},
    {"B-12 3 0 0, zeros", 3, 0, 0, 500, false},
    {"B-12 3 1 0, zeros", 3, 1, 0, 91, false},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    uint8_t *rdata = calloc(1, FIXED + row->length);
    struct tlsa tlsa;

    assert_non_null(rdata);
    rdata[0] = row->usage;
    rdata[1] = row->selector;
    rdata[2] = row->matching_type;
    assert_true(tlsa_parse(&tlsa, rdata, FIXED + row->length));
    assert_int_equal(tlsa.usage, row->usage);
    assert_int_equal(tlsa.selector, row->selector);
    assert_int_equal(tlsa.matching_type, row->matching_type);
    assert_int_equal(tlsa.length, row->length);
    assert_ptr_equal(tlsa.data, rdata + FIXED);
    assert_int_equal(tlsa.usable, row->usable);
    free(rdata);
}

static void test_short(void **state)
{
    static const uint8_t rdata[] = {3, 1, 1, 0};
    struct tlsa tlsa;

    (void)state;
    for (size_t length = 0; length <= sizeof rdata; length++) { /* C-2 */
        uint8_t *copy = malloc(length + (length == 0));

        assert_non_null(copy);
        memcpy(copy, rdata, length);
        assert_int_equal(tlsa_parse(&tlsa, copy, length), length >= FIXED);
        if (length >= FIXED) {
            assert_int_equal(tlsa.length, length - FIXED);
            assert_false(tlsa.usable);
        }
        free(copy);
    }
}

static bool usable_with(uint8_t selector, const void *data, size_t length, size_t extra)
{
    uint8_t *rdata = calloc(1, FIXED + length + extra);
    struct tlsa tlsa;
    bool usable;

    assert_non_null(rdata);
    rdata[0] = 3;
    rdata[1] = selector;
    memcpy(rdata + FIXED, data, length);
    assert_true(tlsa_parse(&tlsa, rdata, FIXED + length + extra));
    usable = tlsa.usable;
    free(rdata);
    return usable;
}

static void test_full_data(void **state)
{
    (void)state;
    assert_true(usable_with(0, certificate, certificate_length, 0));
    assert_true(usable_with(1, key, key_length, 0));
    /* B-12 */
    assert_false(usable_with(0, certificate, certificate_length, 1));
    assert_false(usable_with(1, key, key_length, 1));
    assert_false(usable_with(0, certificate, certificate_length - 1, 0));
    assert_false(usable_with(1, key, key_length - 1, 0));
    assert_false(usable_with(1, certificate, certificate_length, 0));
    assert_false(usable_with(0, key, key_length, 0));
    assert_false(usable_with(2, key, key_length, 0));
}

int main(void)
{
    int failed;

    if (make_certificate() != 0)
        return 1;
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_short);
    ROWS_ADD_TEST(test_full_data);
    failed = rows_run("tlsa");
    OPENSSL_free(certificate);
    OPENSSL_free(key);
    return failed;
}
