/* Which certificates are wrong by their dates alone (docs/verdicts.md §4: held for a day, then
 * encrypt). */
#include "probe/tls/tls.h"

#include "tests/unit/support/tls_pair.h"

static struct cert old_middle, forger; /* which is old_middle with another key */

struct dates_case {
    const char *name;
    struct cert_spec leaf;
    const struct cert *along; /* sent beside the leaf, or NULL */
    int rsa_bits;             /* of the leaf; 0: an EC key */
    int version;              /* TLS at most; 0: any */
    bool bad_record;          /* a TLSA record that does not match */
    bool expired;
};

#define PAST        DATED(-2 * CERT_DAY, -60)
#define BY(ca)      .cn = MX, .names = mx_names, .issuer = (ca)
#define CASE(words) .name = "expired: " words

static const struct cert_name other_names[] = {N_("other.test"), END};

static const struct dates_case dates_cases[] = {
    {CASE("no, a good one"), .leaf = {BY(&root)}},
    {CASE("yes, ended"), .leaf = {BY(&root), PAST}, .expired = true},
    {CASE("yes, not begun"), .leaf = {BY(&root), DATED(600, CERT_DAY)}, .expired = true},
    {CASE("yes, an intermediate"), .leaf = {BY(&old_middle)}, .along = &old_middle,
     .expired = true},
    {CASE("yes, both"), .leaf = {BY(&old_middle), PAST}, .along = &old_middle, .expired = true},
    {CASE("no, forged by an intermediate"), .leaf = {BY(&forger)}, .along = &old_middle},
    {CASE("no, self-signed"), .leaf = {BY(NULL), PAST}},
    {CASE("no, unknown CA"), .leaf = {BY(&other_root), PAST}},
    {CASE("no, unknown root sent"), .leaf = {BY(&other_root), PAST}, .along = &other_root},
    {CASE("no, intermediate missing"), .leaf = {BY(&old_middle), PAST}},
    {CASE("no, another name"), .leaf = {.cn = MX, .names = other_names, .issuer = &root, PAST}},
    {CASE("no, no DNS name"), .leaf = {.cn = MX, .issuer = &root, PAST}},
    {CASE("no, for clients"), .leaf = {BY(&root), PAST, .extended = "clientAuth"}},
    {CASE("no, key too short"), .leaf = {BY(&root), PAST}, .rsa_bits = 768},
    {CASE("no, key too large"), .leaf = {BY(&root), PAST}, .along = &large},
    {CASE("no, handshake too weak"), .leaf = {BY(&root), PAST}, .version = TLS1_VERSION},
    {CASE("no, TLSA mismatch"), .leaf = {BY(&root), PAST}, .bad_record = true},
};

static void run_dates_case(void **state)
{
    static const uint8_t zeros[32];
    static const struct tlsa record = {3, 1, 1, true, sizeof zeros, zeros};
    const struct dates_case *row = *state;
    const struct cert *along[] = {row->along, NULL};
    struct tls_reference reference = {.host = MX, .tlsa = &record, .tlsa_count = row->bad_record};
    struct starttls_result result = {.expired = true};
    struct arena *arena = arena_new(65536);
    struct cert_spec spec = row->leaf;
    struct cert leaf;
    SSL_CTX *server;
    struct pair pair;

    if (row->rsa_bits != 0)
        spec.key = EVP_RSA_gen((unsigned)row->rsa_bits);
    leaf = cert_make(&spec);
    server = cert_server(&leaf, along);
    if (row->version != 0)
        SSL_CTX_set_max_proto_version(server, row->version);
    pair_open(&pair, server, MX);
    pair_shake(&pair);
    assert_int_equal(pair.progress, TLS_READY);
    pair_judge(&pair, &reference, arena, &result);
    assert_int_equal(result.expired, row->expired);
    if (result.expired) {
        assert_int_equal(result.state, STARTTLS_TLS);
        assert_true(result.name_ok && !result.chain_ok);
        assert_non_null(result.detail);
    }
    pair_close(&pair);
    SSL_CTX_free(server);
    cert_free(&leaf);
    arena_free(arena);
}

int main(void)
{
    int failed;

    tls_pair_set_up();
    old_middle = cert_make(&(struct cert_spec){
        .cn = "Old Middle", .issuer = &root, .ca = true, DATED(-3 * CERT_DAY, -CERT_DAY)});
    forger = (struct cert){old_middle.x509, EVP_EC_gen("P-256")};
    ROWS_ADD(dates_cases, run_dates_case);
    failed = rows_run("tls_dates");
    EVP_PKEY_free(forger.key);
    cert_free(&old_middle);
    tls_pair_tear_down();
    return failed;
}
