/* valkey_uv with a real server and a real Sentinel, in clear and over TLS; in real time. */
#include "tests/unit/support/unit.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "tests/unit/base/valkey/real_valkey.h"
#include "tests/unit/base/valkey/valkey_owner.h"

static struct real_valkey server;
static char ca[64], cert[64], key[64], port[8];

/* A port that nobody has at the moment. */
static unsigned free_port(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(bind(fd, (struct sockaddr *)&name, length) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
    close(fd);
    return ntohs(name.sin_port);
}

/* What the server is to show from its next start on. */
static void give(const struct cert *leaf)
{
    FILE *file = fopen(cert, "w");

    CHECK(file != NULL && PEM_write_X509(file, leaf->x509) == 1 && fclose(file) == 0);
    file = fopen(key, "w");
    CHECK(file != NULL && PEM_write_PrivateKey(file, leaf->key, NULL, NULL, 0, NULL, NULL) == 1 &&
          fclose(file) == 0);
}

static int clear_set_up(void **state)
{
    if (set_up(state) != 0)
        return -1;
    virtual_clock_stop();
    real_valkey_make(&server);
    snprintf(port, sizeof port, "%u", free_port());
    return 0;
}

static int clear_tear_down(void **state)
{
    (void)state;
    real_valkey_free(&server);
    return 0;
}

static int tls_set_up(void **state)
{
    FILE *file;

    if (ground_set_up(state) != 0 || clear_set_up(state) != 0)
        return -1;
    snprintf(ca, sizeof ca, "%s/ca.pem", server.directory);
    snprintf(cert, sizeof cert, "%s/cert.pem", server.directory);
    snprintf(key, sizeof key, "%s/key.pem", server.directory);
    file = fopen(ca, "w");
    CHECK(file != NULL && PEM_write_X509(file, ground.root.x509) == 1 && fclose(file) == 0);
    give(&ground.leaf);
    return 0;
}

static int tls_tear_down(void **state)
{
    clear_tear_down(state);
    return ground_tear_down(state);
}

/* Starts the server over TLS; `auth`: whether clients need a certificate. */
static void start_tls(const char *auth)
{
    const char *const words[REAL_VALKEY_WORDS] = {"--bind",
                                                  "127.0.0.1",
                                                  "--tls-port",
                                                  port,
                                                  "--requirepass",
                                                  "secret",
                                                  "--tls-ca-cert-file",
                                                  ca,
                                                  "--tls-cert-file",
                                                  cert,
                                                  "--tls-key-file",
                                                  key,
                                                  "--tls-auth-clients",
                                                  auth,
                                                  NULL};

    memcpy(server.more, words, sizeof words);
    real_valkey_start(&server);
}

static void start_clear(const char *password)
{
    const char *const words[REAL_VALKEY_WORDS] = {"--bind",        "127.0.0.1", "--port", port,
                                                  "--requirepass", password,    NULL};

    memcpy(server.more, words, sizeof words);
    real_valkey_start(&server);
}

static void begin_at(const struct valkey_options *options, const char *url)
{
    begin(options, url, (unsigned)atoi(port), 0);
}

static void it_is_used(void)
{
    struct valkey_request request;
    unsigned replies = owner.replies;

    assert_int_equal(send_ping(&request), 0);
    run_until(&owner.replies, replies + 1);
    assert_string_equal(owner.reply, "PONG");
}

static void a_server_in_clear(void **state)
{
    const struct valkey_options options = usual();

    (void)state;
    start_clear("secret");
    begin_at(&options, "valkey://:secret@127.0.0.1:#/3");
    run_until(&owner.ready, 1);
    it_is_used();
    real_valkey_kill(&server);
    run_until(&owner.not_ready, 1);
    real_valkey_start(&server);
    run_until(&owner.ready, 2);
    it_is_used();
    end(NULL);
}

static void a_server_over_tls(void **state)
{
    static const char *const urls[] = {"valkeys://:secret@localhost:#",
                                       "valkeys://default:secret@127.0.0.1:#/3"};

    start_tls("no");
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct valkey_options options = usual();

        if (i > 0)
            set_up(state);
        begin_at(&options, urls[i]);
        run_until(&owner.ready, 1);
        it_is_used();
        end(NULL);
    }
}

static void one_that_wants_a_certificate_of_the_client(void **state)
{
    struct cert own = cert_make(&(struct cert_spec){.cn = "relay", .issuer = &ground.root});
    struct valkey_tls *with = client_of(&ground.root, &own), *without = ground.client;
    struct valkey_options options = usual();

    start_tls("yes");
    begin_at(&options, "valkeys://:secret@127.0.0.1:#");
    run_until_why("the server refuses this client: certificate required");
    assert_int_equal(owner.ready, 0);
    end(NULL);
    set_up(state);
    ground.client = with;
    options = usual();
    begin_at(&options, "valkeys://:secret@127.0.0.1:#");
    run_until(&owner.ready, 1);
    it_is_used();
    end(NULL);
    ground.client = without;
    valkey_tls_free(with);
    cert_free(&own);
}

static void one_that_begins_again_with_another_certificate(void **state)
{
    struct cert other = cert_make(&(struct cert_spec){.cn = "s"});
    const struct valkey_options options = usual();

    (void)state;
    start_tls("no");
    begin_at(&options, "valkeys://:secret@127.0.0.1:#");
    run_until(&owner.ready, 1);
    real_valkey_kill(&server);
    give(&other);
    start_tls("no");
    run_until_why("the server's certificate is refused");
    assert_int_equal(owner.ready, 1);
    real_valkey_kill(&server);
    give(&ground.leaf);
    start_tls("no");
    run_until(&owner.ready, 2);
    it_is_used();
    end(NULL);
    cert_free(&other);
}

/* Whatever such a server makes of a handshake. */
static void one_without_tls(void **state)
{
    const struct valkey_options options = usual();

    (void)state;
    start_clear("secret");
    begin_at(&options, "valkeys://:secret@127.0.0.1:#");
    run_until_why("TLS");
    assert_int_equal(owner.ready, 0);
    end(NULL);
}

/* It speaks TLS, and asks the server over TLS, where the server does so. */
static void start_sentinel(struct real_valkey *sentinel, unsigned at, bool tls)
{
    char path[80];
    FILE *file;

    real_valkey_make(sentinel);
    snprintf(path, sizeof path, "%s/sentinel.conf", sentinel->directory);
    file = fopen(path, "w");
    CHECK(file != NULL);
    fprintf(file, "bind 127.0.0.1\nsentinel monitor mail 127.0.0.1 %s 1\n", port);
    fprintf(file, "sentinel auth-pass mail secret\nport %u\n", tls ? 0 : at);
    if (tls)
        fprintf(file,
                "tls-port %u\ntls-replication yes\ntls-auth-clients no\n"
                "tls-ca-cert-file %s\ntls-cert-file %s\ntls-key-file %s\n",
                at, ca, cert, key);
    CHECK(fclose(file) == 0);
    real_valkey_start_words(sentinel, (const char *const[]){path, "--sentinel", NULL});
}

static void a_sentinel(void **state)
{
    bool tls = ground.client != NULL;
    const struct valkey_options options = usual();
    struct real_valkey sentinel;
    unsigned at = free_port();
    char where[40];

    (void)state;
    if (tls)
        start_tls("no");
    else
        start_clear("secret");
    start_sentinel(&sentinel, at, tls);
    begin(&options, "valkey+sentinel://:secret@localhost:#/mail", at, 0);
    run_until(&owner.ready, 1);
    it_is_used();
    snprintf(where, sizeof where, "127.0.0.1:%s", port);
    assert_string_equal(valkey_where(owner.valkey), where);
    end(NULL);
    real_valkey_free(&sentinel);
}

int main(void)
{
#define IN_CLEAR(test) cmocka_unit_test_setup_teardown(test, clear_set_up, clear_tear_down)
#define OVER_TLS(test) cmocka_unit_test_setup_teardown(test, tls_set_up, tls_tear_down)
    static const struct CMUnitTest clear[] = {
        IN_CLEAR(a_server_in_clear),
        IN_CLEAR(a_sentinel),
    };
    static const struct CMUnitTest tls[] = {
        OVER_TLS(a_server_over_tls),
        OVER_TLS(one_that_wants_a_certificate_of_the_client),
        OVER_TLS(one_that_begins_again_with_another_certificate),
        OVER_TLS(one_without_tls),
        OVER_TLS(a_sentinel),
    };
    int failed = cmocka_run_group_tests_name("in clear", clear, NULL, NULL);

    if (valkey_tls_lacking() != NULL)
        printf("skip unit_valkey_server over TLS: %s\n", valkey_tls_lacking());
    else
        failed += cmocka_run_group_tests_name("over TLS", tls, NULL, NULL);
    return failed;
}
