/*
 * fuzz_tls_chain: any octets as the certificates a server showed: two octets of length before each.
 * What is read is described and judged, for a name and for TLSA records of the first octets.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "probe/tls/tls_chain.h"
#include "probe/tls/tlsa.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tls_context *context;

/* A context whose only trust anchor has a key that nobody knows. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[] = "/tmp/mxcrypt-fuzz-XXXXXX";
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *anchor = X509_new();
    const char *why = NULL;
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    (void)argc, (void)argv;
    X509_gmtime_adj(X509_getm_notBefore(anchor), -3600);
    X509_gmtime_adj(X509_getm_notAfter(anchor), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(anchor), "CN", MBSTRING_ASC,
                               (const unsigned char *)"fuzz", -1, -1, 0);
    X509_set_issuer_name(anchor, X509_get_subject_name(anchor));
    X509_set_pubkey(anchor, key);
    CHECK(X509_sign(anchor, key, EVP_sha256()) > 0);
    CHECK(file != NULL && PEM_write_X509(file, anchor) == 1);
    fclose(file);
    CHECK(tls_context_new(&context, path, NULL, &why) == 0);
    unlink(path);
    X509_free(anchor);
    EVP_PKEY_free(key);
    return 0;
}

static void check_printable(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        CHECK(*text >= 0x20 && *text <= 0x7e);
}

static void describe(const struct tls_der *der)
{
    struct arena *arena = arena_new(65536);
    struct tls_certificate seen;

    if (tls_certificate_read(&seen, arena, der)) {
        CHECK(strlen(seen.sha256) == 64 && strlen(seen.names) <= 1000);
        check_printable(seen.subject);
        check_printable(seen.issuer);
        check_printable(seen.names);
        check_printable(seen.signature);
    }
    arena_free(arena);
}

static void judge(const struct tls_shown *shown, const uint8_t *data, size_t size)
{
    const struct tlsa tlsa[] = {{3, 1, 1, size >= 32, 32, data}, {2, 0, 1, size >= 32, 32, data}};
    const struct tls_reference reference = {.host = "fuzz.test", .tlsa = tlsa, .tlsa_count = 2};
    struct tls_chain *chain = tls_chain_new(context, shown);
    struct starttls_result result = {.protocol = "TLSv1.3"};
    struct arena *arena = arena_new(65536);

    CHECK(chain != NULL && arena != NULL);
    tls_chain_judge(chain, &reference, arena, &result);
    CHECK(result.state == STARTTLS_TLS && !result.chain_ok && result.tlsa != TLSA_MATCH_OK);
    CHECK(tls_chain_finding(chain)->fault != TLS_FAULT_NONE &&
          tls_chain_finding(chain)->why != NULL);
    CHECK(result.name_ok == tls_chain_names(chain, "fuzz.test"));
    CHECK(!tls_chain_matches(chain, &reference, &tlsa[0]));
    check_printable(result.detail);
    check_printable(result.subject);
    tls_chain_free(chain);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_shown shown = {.strong = true};
    const uint8_t *at = data, *end = data + size;

    while (end - at >= 2 && shown.count < TLS_SHOWN_MAX) {
        size_t length = (size_t)at[0] << 8 | at[1];

        at += 2;
        if (length > (size_t)(end - at))
            length = (size_t)(end - at);
        shown.certificates[shown.count++] = (struct tls_der){at, length};
        describe(&shown.certificates[shown.count - 1]);
        at += length;
    }
    judge(&shown, data, size);
    return 0;
}
