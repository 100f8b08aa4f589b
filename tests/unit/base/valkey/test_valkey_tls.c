/* valkey_tls: whom it trusts, what it says of others, and what a server may do in a handshake. */
#include "tests/unit/support/unit.h"

#include <openssl/err.h>

#include "tests/unit/base/valkey/valkey_owner.h"

#define SECRET "valkeys://u:secret@"
#define NAMES(...)                                                                                 \
    (const struct cert_name[])                                                                     \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            0, NULL, 0                                                                             \
        }                                                                                          \
    }
#define DNS(text)                                                                                  \
    {                                                                                              \
        GEN_DNS, text, 0                                                                           \
    }
#define LOOPBACK                                                                                   \
    {                                                                                              \
        GEN_IPADD, "\x7f\0\0\1", 4                                                                 \
    }

static const char *const login[] = {OK, PRIMARY, "+PONG\r\n", NULL};

static int tls_set_up(void **state)
{
    return ground_set_up(state) != 0 || set_up(state) != 0;
}

/* A server that begins with a certificate of its own. */
static SSL_CTX *server_of(const struct cert_spec *spec)
{
    struct cert leaf = cert_make(spec);
    SSL_CTX *context = cert_server(&leaf, NULL);

    cert_free(&leaf);
    return context;
}

/* ---- certificates ---- */

/* Each attempt is refused for this reason, and nothing is sent but a handshake. */
static void is_refused(SSL_CTX *context, const char *host, const char *why)
{
    const struct valkey_options options = usual();
    struct scripted server;
    char url[80];

    start(&server, 0, login);
    server.tls = context;
    snprintf(url, sizeof url, SECRET "%s:#", host);
    begin(&options, url, server.port, 0);
    while (owner.ready == 0 && server.accepted < 3)
        uv_run(&owner.loop, UV_RUN_ONCE);
    assert_int_equal(owner.ready, 0);
    run_until_why(why);
    assert_int_equal(server.asked, 0);
    assert_int_equal(server.heard.length, 0);
    end(&server);
    SSL_CTX_free(context);
}

static void certificates_that_are_refused(void **state)
{
    const struct cert other = cert_make(&(struct cert_spec){.cn = "Other", .ca = true});
    const struct {
        const char *host;
        struct cert_spec spec;
        const char *why;
    } rows[] = {
        {"localhost", {.names = NAMES(DNS("other.example"))}, "it is for another name"},
        {"localhost", {.names = NAMES(DNS("localhost.example"))}, "it is for another name"},
        {"localhost", {.names = NAMES(LOOPBACK)}, "it is for another name"},
        {"127.0.0.1", {.names = NAMES(DNS("localhost"))}, "it is for another name"},
        {"127.0.0.1", {.names = NAMES(DNS("127.0.0.1"))}, "it is for another name"},
        {"127.0.0.1", {.names = NAMES({GEN_IPADD, "\x7f\0\0\2", 4})}, "it is for another name"},
        {"127.0.0.1", {.cn = "127.0.0.1"}, "it is for another name"},
        {"127.0.0.1",
         {.names = NAMES(LOOPBACK), .issuer = &other},
         "unable to get local issuer certificate"},
        {"127.0.0.1",
         {.cn = "t", .names = NAMES(LOOPBACK), .issuer = &ground.leaf},
         "unable to get local issuer certificate"},
        {"127.0.0.1",
         {.names = NAMES(LOOPBACK), .from_s = -3 * CERT_DAY, .until_s = -CERT_DAY},
         "certificate has expired"},
        {"127.0.0.1",
         {.names = NAMES(LOOPBACK), .from_s = CERT_DAY, .until_s = 3 * CERT_DAY},
         "certificate is not yet valid"},
        {"127.0.0.1", {.names = NAMES(LOOPBACK), .extended = "clientAuth"}, "purpose"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cert_spec spec = rows[i].spec;

        set_up(state);
        spec.cn = spec.cn != NULL ? spec.cn : "s";
        spec.issuer = spec.issuer != NULL ? spec.issuer : &ground.root;
        is_refused(server_of(&spec), rows[i].host, rows[i].why);
        assert_non_null(strstr(owner.why, "the server's certificate is refused"));
    }
    cert_free((struct cert *)(uintptr_t)&other);
}

static void one_that_nobody_issued(void **state)
{
    (void)state;
    is_refused(server_of(&(struct cert_spec){.cn = "s", .names = NAMES(LOOPBACK)}), "127.0.0.1",
               "self-signed certificate");
}

static void certificates_that_are_accepted(void **state)
{
    const struct {
        const char *host, *sni;
        struct cert_spec spec;
    } rows[] = {
        {"127.0.0.1", "", {.names = NAMES(LOOPBACK)}},
        {"127.0.0.1", "", {.names = NAMES(DNS("x"), LOOPBACK)}},
        {"localhost", "localhost", {.names = NAMES(DNS("x"), DNS("LocalHost"))}},
        {"LOCALHOST", "localhost", {.names = NAMES(DNS("localhost"))}},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cert_spec spec = rows[i].spec;
        struct valkey_options options;
        struct scripted server;
        SSL_CTX *context;
        char url[80];

        set_up(state);
        options = usual();
        spec.cn = "s";
        spec.issuer = &ground.root;
        context = server_of(&spec);
        start(&server, 0, login);
        server.tls = context;
        snprintf(url, sizeof url, SECRET "%s:#", rows[i].host);
        begin(&options, url, server.port, 0);
        run_until(&owner.ready, 1);
        assert_string_equal(server.sni, rows[i].sni);
        assert_string_equal(buf_text(&server.heard), "AUTH u secret ROLE ");
        end(&server);
        SSL_CTX_free(context);
    }
}

/* ---- versions, and the client's certificate ---- */

static void before_tls_1_2_there_is_nothing(void **state)
{
    (void)state;
    SSL_CTX_up_ref(ground.server);
    SSL_CTX_set_max_proto_version(ground.server, TLS1_1_VERSION);
    is_refused(ground.server, "127.0.0.1", "the server refuses this client: protocol version");
}

static void a_client_certificate_that_is_asked_for(void **state)
{
    const struct cert own = cert_make(&(struct cert_spec){.cn = "relay", .issuer = &ground.root});
    static const struct {
        int version;
        const char *why;
    } rows[] = {
        {TLS1_2_VERSION, "the server refuses this client: handshake failure"},
        {TLS1_3_VERSION, "the server refuses this client: certificate required"},
    };

    X509_STORE_add_cert(SSL_CTX_get_cert_store(ground.server), ground.root.x509);
    SSL_CTX_set_verify(ground.server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct valkey_tls *with = client_of(&ground.root, &own), *without = ground.client;
        struct valkey_options options;
        struct scripted server;

        SSL_CTX_set_max_proto_version(ground.server, rows[i].version);
        SSL_CTX_up_ref(ground.server);
        set_up(state);
        is_refused(ground.server, "127.0.0.1", rows[i].why);
        set_up(state);
        ground.client = with;
        options = usual();
        start(&server, 0, login);
        begin(&options, SECRET "127.0.0.1:#", server.port, 0);
        run_until(&owner.ready, 1);
        assert_true(server.with_certificate);
        end(&server);
        ground.client = without;
        valkey_tls_free(with);
    }
    cert_free((struct cert *)(uintptr_t)&own);
}

/* ---- whatever is sent in a handshake ---- */

static void what_is_no_handshake(void **state)
{
    static const struct {
        const char *retort;
        size_t length;
        const char *why;
    } rows[] = {
        {SILENCE, 0, "it does not answer: the TLS handshake is not over"},
        {HANG_UP, 0, "TLS: the handshake failed"},
        {"-ERR unknown command\r\n", 0, "the server does not speak TLS at this port"},
        {"+OK\r\n+OK\r\n+OK\r\n", 0, "the server does not speak TLS at this port"},
        {"HTTP/1.1 400 Bad Request\r\n\r\n", 0, "TLS: the handshake failed"},
        {"\x15\x03\x03\x00\x02\x02\x28", 7, "the server refuses this client: handshake failure"},
        {"\x15\x03\x03\x00\x02\x02\xff", 7, "the server refuses this client"},
        {"\x16\x03\x03\xff\xff\x02\x00\x00\x00", 9, "TLS: the handshake failed"},
        {"\x16\x03\x03\x00\x04\x0e\x00\x00\x00", 9, "TLS: the handshake failed"},
        {"\x16\x03\x03\x00\x04\x02\xff\xff\xff", 9, "TLS: the handshake failed"},
        {"\x16\x03\x03\x00\x64\x02\x00", 7, "it does not answer: the TLS handshake is not over"},
        {"\x17\x03\x03\x00\x07+PONG\r\n", 12, "TLS: the handshake failed"},
        {"\x14\x03\x03\x00\x01\x01", 6, "TLS: the handshake failed"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct valkey_options options;
        struct scripted server;

        set_up(state);
        options = usual();
        start(&server, 0, login);
        server.retort = rows[i].retort;
        server.retort_length = rows[i].length;
        begin(&options, SECRET "127.0.0.1:#", server.port, 0);
        run_until(&server.accepted, 3);
        run_until_why(rows[i].why);
        assert_int_equal(owner.ready, 0);
        assert_int_equal(owner.not_ready, 1);
        end(&server);
    }
}

/* It closes after each part of what it would send. */
static void a_handshake_that_ends_anywhere(void **state)
{
    (void)state;
    for (size_t octets = 1; octets < 2000; octets = octets * 3 / 2 + 1) {
        struct valkey_options options;
        struct scripted server;

        set_up(state);
        options = usual();
        start(&server, 0, login);
        server.hang_up_after = octets;
        begin(&options, SECRET "127.0.0.1:#", server.port, 0);
        run_until(&server.accepted, 3);
        assert_int_equal(owner.ready, 0);
        run_until_why("TLS: ");
        assert_int_equal(server.asked, 0);
        end(&server);
        if (server.handshakes > 0)
            break;
    }
}

/* ---- more than one server, and one that begins again ---- */

static void from_one_with_a_bad_certificate_to_a_good_one(void **state)
{
    const struct cert_spec spec = {.cn = "x", .names = NAMES(LOOPBACK)};
    const struct valkey_options options = usual();
    SSL_CTX *bad = server_of(&spec);
    struct scripted first, second;
    char where[40];

    (void)state;
    start(&first, 0, login);
    first.tls = bad;
    start(&second, 0, login);
    begin(&options, SECRET "127.0.0.1:#,127.0.0.1:#", first.port, second.port);
    run_until(&owner.ready, 1);
    assert_int_equal(first.accepted, 1);
    assert_int_equal(first.asked, 0);
    snprintf(where, sizeof where, "127.0.0.1:%u", (unsigned)second.port);
    assert_string_equal(valkey_where(owner.valkey), where);
    scripted_stop(&first);
    end(&second);
    SSL_CTX_free(bad);
}

static void a_server_that_begins_again_is_verified_again(void **state)
{
    const struct cert_spec spec = {.cn = "x", .names = NAMES(LOOPBACK)};
    const struct valkey_options options = usual();
    SSL_CTX *bad = server_of(&spec);
    struct scripted server;

    (void)state;
    start(&server, 0, login);
    begin(&options, SECRET "127.0.0.1:#", server.port, 0);
    run_until(&owner.ready, 1);
    peer_close(server.peer);
    server.tls = bad;
    run_until(&owner.not_ready, 1);
    run_until_why("self-signed certificate");
    assert_int_equal(owner.ready, 1);
    server.tls = ground.server;
    run_until(&owner.ready, 2);
    assert_string_equal(valkey_why(owner.valkey), "");
    end(&server);
    SSL_CTX_free(bad);
}

/* The password is for whom the Sentinel names, and only if the certificate is for that address. */
static void a_sentinel_names_one_whose_certificate_is_for_another(void **state)
{
    const struct cert_spec spec = {
        .cn = "x", .names = NAMES(DNS("localhost")), .issuer = &ground.root};
    const struct valkey_options options = usual();
    SSL_CTX *other = server_of(&spec);
    struct scripted sentinel, server;
    const char *named[] = {NULL, NULL};
    char answer[80];

    (void)state;
    start(&server, 0, login);
    server.tls = other;
    snprintf(answer, sizeof answer, "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%u\r\n",
             server.port < 10000 ? 4 : 5, (unsigned)server.port);
    named[0] = answer;
    start(&sentinel, 0, named);
    begin(&options, "valkeys+sentinel://u:secret@127.0.0.1:#/mail", sentinel.port, 0);
    run_until(&server.accepted, 2);
    run_until_why("it is for another name");
    assert_int_equal(server.asked, 0);
    snprintf(answer, sizeof answer, "*2\r\n$9\r\nlocalhost\r\n$%d\r\n%u\r\n",
             server.port < 10000 ? 4 : 5, (unsigned)server.port);
    run_until(&owner.ready, 1);
    scripted_stop(&sentinel);
    end(&server);
    SSL_CTX_free(other);
}

/* ---- reading and writing ---- */

static void a_command_that_no_socket_holds_at_once(void **state)
{
    const struct valkey_options options = usual();
    size_t length = 12 * 1024 * 1024;
    char *word = malloc(length);
    const char *const words[] = {"ECHO", word};
    const size_t lengths[] = {4, length};
    struct valkey_request request;
    struct scripted server;

    (void)state;
    assert_non_null(word);
    memset(word, 'x', length);
    start(&server, 0, login);
    begin(&options, SECRET "127.0.0.1:#", server.port, 0);
    run_until(&owner.ready, 1);
    /* what the client reads last before it writes is no reply */
    assert_int_equal(SSL_new_session_ticket(server.peer->ssl), 1);
    assert_int_equal(SSL_do_handshake(server.peer->ssl), 1);
    peer_flush(server.peer);
    assert_int_equal(valkey_send(owner.valkey, &request, 2, words, lengths, on_reply, &owner), 0);
    run_until(&owner.replies, 1);
    assert_string_equal(owner.reply, "PONG");
    assert_int_equal(owner.not_ready, 0);
    end(&server);
    free(word);
}

/* Session tickets, which no reply follows, leave the loop to others. */
static void records_without_data_keep_nobody_waiting(void **state)
{
    const struct valkey_options options = usual();
    struct valkey_request request;
    struct scripted server;
    unsigned turns = 0;

    (void)state;
    start(&server, 0, login);
    begin(&options, SECRET "127.0.0.1:#", server.port, 0);
    run_until(&owner.ready, 1);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(SSL_new_session_ticket(server.peer->ssl), 1);
        assert_int_equal(SSL_do_handshake(server.peer->ssl), 1);
        peer_flush(server.peer);
    }
    assert_int_equal(send_ping(&request), 0);
    for (; owner.replies == 0; turns++)
        uv_run(&owner.loop, UV_RUN_ONCE);
    assert_in_range(turns, 100, 10000);
    assert_int_equal(owner.not_ready, 0);
    end(&server);
}

static void on_prepare(uv_prepare_t *prepare)
{
    (void)prepare;
    ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
}

/* On the same thread probes meet errors of OpenSSL all the time. */
static void errors_of_others_are_not_its_own(void **state)
{
    static const char *const script[] = {OK, PRIMARY, SILENCE, NULL};
    const struct valkey_options options = usual();
    struct valkey_request request;
    struct scripted server;
    uv_prepare_t prepare;
    char octets[200];
    int length;

    (void)state;
    uv_prepare_init(&owner.loop, &prepare);
    uv_prepare_start(&prepare, on_prepare);
    start(&server, 0, script);
    begin(&options, SECRET "127.0.0.1:#", server.port, 0);
    run_until(&owner.ready, 1);
    assert_int_equal(send_ping(&request), 0);
    run_until(&server.asked, 3);
    assert_int_equal(SSL_write(server.peer->ssl, "+PONG\r\n", 7), 7);
    length = BIO_read(server.peer->out, octets, sizeof octets);
    assert_in_range(length, 20, sizeof octets - 1);
    peer_write(server.peer, octets, 10); /* OpenSSL asks for more, by an error of its own */
    for (int turn = 0; turn < 3; turn++)
        uv_run(&owner.loop, UV_RUN_NOWAIT);
    peer_write(server.peer, octets + 10, (size_t)length - 10);
    run_until(&owner.replies, 1);
    assert_string_equal(owner.reply, "PONG");
    assert_int_equal(owner.not_ready, 0);
    uv_close((uv_handle_t *)&prepare, NULL);
    end(&server);
}

/* ---- files ---- */

static void files_that_cannot_be_used(void **state)
{
    const struct cert own = cert_make(&(struct cert_spec){.cn = "relay"});
    char ca[40], cert[40], key[40], empty[40], other[40], locked[40];
    const struct {
        const char *ca, *cert, *key, *why;
    } rows[] = {
        {"/nonexistent", NULL, NULL, "trust anchors cannot be read"},
        {"/tmp", NULL, NULL, "trust anchors cannot be read"},
        {empty, NULL, NULL, "trust anchors cannot be read, or has none"},
        {key, NULL, NULL, "trust anchors cannot be read, or has none"},
        {ca, cert, NULL, "needs its key"},
        {ca, NULL, key, "needs its key"},
        {ca, "/nonexistent", key, "client certificate cannot be read"},
        {ca, empty, key, "client certificate cannot be read"},
        {ca, cert, "/nonexistent", "key of the client certificate"},
        {ca, cert, empty, "key of the client certificate"},
        {ca, cert, other, "is that of another certificate"},
        {ca, cert, locked, "has a passphrase"},
    };
    FILE *file;

    (void)state;
    pem_write(ca, ground.root.x509, NULL);
    pem_write(cert, own.x509, NULL);
    pem_write(key, NULL, own.key);
    pem_write(empty, NULL, NULL);
    pem_write(other, NULL, ground.root.key);
    pem_write(locked, NULL, NULL);
    file = fopen(locked, "w");
    assert_int_equal(PEM_write_PrivateKey(file, own.key, EVP_aes_128_cbc(),
                                          (const unsigned char *)"word", 4, NULL, NULL),
                     1);
    fclose(file);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *why = NULL;

        assert_null(valkey_tls_new(rows[i].ca, rows[i].cert, rows[i].key, &why));
        assert_non_null(strstr(why, rows[i].why));
        assert_int_equal(ERR_peek_error(), 0);
    }
    for (size_t i = 0; i < 6; i++)
        unlink((const char *[]){ca, cert, key, empty, other, locked}[i]);
    cert_free((struct cert *)(uintptr_t)&own);
}

/* ---- without TLS ---- */

static void a_build_without_tls_says_so(void **state)
{
    const char *why = NULL;

    (void)state;
    assert_null(valkey_tls_new(NULL, NULL, NULL, &why));
    assert_string_equal(why, valkey_tls_lacking());
    assert_non_null(strstr(why, "hiredis is older than 1.0"));
    assert_non_null(strstr(why, "use a Unix socket or a tunnel"));
}

int main(void)
{
#define OVER_TLS(test) cmocka_unit_test_setup_teardown(test, tls_set_up, ground_tear_down)
#define ROWS(test)     cmocka_unit_test_setup_teardown(test, ground_set_up, ground_tear_down)
    static const struct CMUnitTest tests[] = {
        ROWS(certificates_that_are_refused),
        OVER_TLS(one_that_nobody_issued),
        ROWS(certificates_that_are_accepted),
        OVER_TLS(before_tls_1_2_there_is_nothing),
        ROWS(a_client_certificate_that_is_asked_for),
        ROWS(what_is_no_handshake),
        ROWS(a_handshake_that_ends_anywhere),
        OVER_TLS(from_one_with_a_bad_certificate_to_a_good_one),
        OVER_TLS(a_server_that_begins_again_is_verified_again),
        OVER_TLS(a_sentinel_names_one_whose_certificate_is_for_another),
        OVER_TLS(a_command_that_no_socket_holds_at_once),
        OVER_TLS(records_without_data_keep_nobody_waiting),
        OVER_TLS(errors_of_others_are_not_its_own),
        ROWS(files_that_cannot_be_used),
    };
    static const struct CMUnitTest without[] = {cmocka_unit_test(a_build_without_tls_says_so)};

    if (valkey_tls_lacking() == NULL)
        return cmocka_run_group_tests(tests, NULL, NULL);
    printf("skip unit_valkey_tls: %s\n", valkey_tls_lacking());
    return cmocka_run_group_tests(without, NULL, NULL);
}
