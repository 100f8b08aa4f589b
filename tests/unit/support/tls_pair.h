/*
 * tls_pair: a client session of ours and a server of OpenSSL's, joined in memory; and what the
 * cases about them share.
 */
#pragma once

#include <openssl/err.h>

#include "probe/tls/tls_chain.h"
#include "tests/unit/support/certs.h"
#include "tests/unit/support/rows.h"

#define MX "mx.example.test"

static struct tls_context *context; /* trusts root */
static struct cert root, other_root, large;

#define N_(text)                                                                                   \
    {                                                                                              \
        GEN_DNS, text, 0                                                                           \
    }
#define END                                                                                        \
    {                                                                                              \
        0, NULL, 0                                                                                 \
    }

#define DATED(from, until) .from_s = (from), .until_s = (until)

static const struct cert_name mx_names[] = {N_(MX), END};

struct pair {
    struct tls_session *client;
    SSL *server;
    BIO *to_server, *from_server;
    struct buf out;
    enum tls_progress progress;
};

static inline void pair_open(struct pair *pair, SSL_CTX *server, const char *sni)
{
    pair->client = tls_session_new(context, sni);
    pair->server = SSL_new(server);
    pair->to_server = BIO_new(BIO_s_mem());
    pair->from_server = BIO_new(BIO_s_mem());
    SSL_set_bio(pair->server, pair->to_server, pair->from_server);
    SSL_set_accept_state(pair->server);
    buf_init(&pair->out, 1 << 20);
    pair->progress = TLS_WANT_MORE;
    assert_non_null(pair->client);
}

static inline void pair_close(struct pair *pair)
{
    tls_session_free(pair->client);
    SSL_free(pair->server);
    buf_fini(&pair->out);
    ERR_clear_error();
}

/* Carries octets both ways once; true when any moved. */
static inline bool pair_carry(struct pair *pair)
{
    char data[65536];
    int count = BIO_read(pair->from_server, data, sizeof data);
    bool moved;

    pair->progress =
        tls_session_feed(pair->client, data, count > 0 ? (size_t)count : 0, &pair->out);
    moved = count > 0 || pair->out.length > 0;
    if (pair->out.length > 0)
        BIO_write(pair->to_server, buf_text(&pair->out), (int)pair->out.length);
    buf_clear(&pair->out);
    return moved;
}

static inline void pair_shake(struct pair *pair)
{
    for (int i = 0; i < 20 && pair_carry(pair); i++)
        SSL_do_handshake(pair->server);
}

static inline void expect_words(const char *text, const char *words)
{
    if (words == NULL) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    if (strstr(text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static inline void same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        assert_true(a == b);
    else
        assert_string_equal(a, b);
}

/* Judges by a chain, which is freed; it must come to the same as the session itself. */
static inline void chain_judge(struct tls_chain *take_chain, const struct tls_reference *reference,
                               struct arena *arena, const struct starttls_result *want)
{
    struct starttls_result other = {
        .expired = true, .requiretls = true, .code = 7, .protocol = want->protocol};

    assert_non_null(take_chain);
    tls_chain_judge(take_chain, reference, arena, &other);
    assert_int_equal(other.state, want->state);
    assert_int_equal(other.chain_ok, want->chain_ok);
    assert_int_equal(other.expired, want->expired);
    assert_int_equal(other.name_ok, want->name_ok);
    assert_int_equal(other.tlsa, want->tlsa);
    assert_int_equal(other.not_after, want->not_after);
    same_text(other.subject, want->subject);
    same_text(other.detail, want->detail);
    assert_true(other.requiretls &&
                other.code == 7); /* what no certificate says is left as it is */
    assert_true(tls_chain_finding(take_chain)->verified);
    assert_int_equal(tls_chain_finding(take_chain)->fault == TLS_FAULT_NONE, want->chain_ok);
    assert_int_equal(tls_chain_names(take_chain, reference->host), want->name_ok);
    tls_chain_free(take_chain);
}

/* What a session is judged as, after it was shown that its chain is judged the same: as it was
 * parsed, read again from what is kept of it, and verified again. */
static inline void pair_judge(struct pair *pair, const struct tls_reference *reference,
                              struct arena *arena, struct starttls_result *out)
{
    struct tls_chain *chain = tls_session_chain(pair->client);
    struct arena *kept = arena_new(1 << 20);
    struct tls_shown shown;

    tls_session_judge(pair->client, reference, arena, out);
    assert_true(tls_chain_shown(chain, kept, &shown));
    assert_true(shown.finding.verified);
    chain_judge(tls_chain_share(chain), reference, arena, out);
    tls_chain_free(chain);
    chain_judge(tls_chain_new(context, &shown), reference, arena, out);
    shown.finding = (struct tls_finding){0};
    chain_judge(tls_chain_new(context, &shown), reference, arena, out);
    arena_free(kept);
}

static inline void tls_pair_set_up(void)
{
    root = cert_make(&(struct cert_spec){.cn = "Root", .ca = true});
    other_root = cert_make(&(struct cert_spec){.cn = "Other Root", .ca = true});
    large = cert_make(&(struct cert_spec){
        .cn = "Large", .issuer = &root, .ca = true, .key = cert_large_key(8193, 17)});
    context = cert_context(&root);
}

static inline void tls_pair_tear_down(void)
{
    tls_context_free(context);
    cert_free(&root);
    cert_free(&other_root);
    cert_free(&large);
}
