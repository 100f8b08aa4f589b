/*
 * valkey_owner: a connection under test, its owner, and its server in the same loop, in clear or over
 * TLS. The server's certificate is for localhost and 127.0.0.1.
 */
#pragma once

#include "tests/unit/support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/valkey/valkey_uv.h"
#include "tests/unit/base/valkey/scripted_valkey.h"
#include "tests/unit/support/certs.h"
#include "tests/unit/support/virtual_clock.h"

#define PRIMARY "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
#define REPLICA "*5\r\n$5\r\nslave\r\n$9\r\n192.0.2.1\r\n:6379\r\n$9\r\nconnected\r\n:9\r\n"
#define OK      "+OK\r\n"

/* A connection under test, and what its owner was told. */
struct owner {
    uv_loop_t loop;
    struct valkey_url url;
    struct valkey *valkey;
    unsigned ready, not_ready;
    char why[VALKEY_WHY_MAX + 1];
    bool close_when_told;
    /* of the last request */
    unsigned replies, lost;
    char reply[200];
};

static struct owner owner;

/* What tests over TLS need. */
struct ground {
    struct cert root, leaf;
    SSL_CTX *server;
    struct valkey_tls *client; /* trusts root; NULL: connections are in clear */
};

static struct ground ground;

/* Writes certificates and a key, each if it is there, to a new file of the test. */
static inline void pem_write(char path[40], const X509 *x509, EVP_PKEY *key)
{
    int fd;
    FILE *file;

    strcpy(path, "/tmp/mxcrypt-test-XXXXXX");
    fd = mkstemp(path);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    CHECK(file != NULL);
    CHECK(x509 == NULL || PEM_write_X509(file, x509) == 1);
    CHECK(key == NULL || PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(fclose(file) == 0);
}

/* A client that trusts `root`, and shows the certificate, if there is one. */
static inline struct valkey_tls *client_of(const struct cert *root, const struct cert *own)
{
    char ca[40], cert[40], key[40];
    const char *why = NULL;
    struct valkey_tls *client;

    pem_write(ca, root->x509, NULL);
    pem_write(cert, own == NULL ? NULL : own->x509, NULL);
    pem_write(key, NULL, own == NULL ? NULL : own->key);
    client = valkey_tls_new(ca, own == NULL ? NULL : cert, own == NULL ? NULL : key, &why);
    assert_null(why);
    unlink(ca);
    unlink(cert);
    unlink(key);
    return client;
}

static inline int ground_set_up(void **state)
{
    static const struct cert_name names[] = {
        {GEN_DNS, "localhost", 0}, {GEN_IPADD, "\x7f\0\0\1", 4}, {0, NULL, 0}};

    (void)state;
    ground.root = cert_make(&(struct cert_spec){.cn = "Root", .ca = true});
    ground.leaf = cert_make(&(struct cert_spec){.cn = "s", .names = names, .issuer = &ground.root});
    ground.server = cert_server(&ground.leaf, NULL);
    ground.client = client_of(&ground.root, NULL);
    return 0;
}

static inline int ground_tear_down(void **state)
{
    (void)state;
    valkey_tls_free(ground.client);
    SSL_CTX_free(ground.server);
    cert_free(&ground.leaf);
    cert_free(&ground.root);
    ground.client = NULL;
    return 0;
}

/* Over TLS with the ground's certificate where there is one. `port` 0: any. */
static inline void start(struct scripted *server, uint16_t port, const char *const *script)
{
    scripted_start(server, &owner.loop, port, script);
    server->tls = ground.server;
}

static inline void on_changed(void *context, bool ready, const char *why)
{
    assert_ptr_equal(context, &owner);
    owner.ready += ready;
    owner.not_ready += !ready;
    snprintf(owner.why, sizeof owner.why, "%s", why == NULL ? "" : why);
    if (owner.close_when_told) {
        valkey_close(owner.valkey);
        owner.valkey = NULL;
    }
}

/* Options that tests change. */
static inline struct valkey_options usual(void)
{
    return (struct valkey_options){.url = &owner.url,
                                   .tls = ground.client,
                                   .connect_ms = 2000,
                                   .stall_ms = 3000,
                                   .pending_max = 100};
}

/* Begins with a URL in which each # stands for the next of two ports; over TLS it becomes one of
 * TLS. */
static inline void begin(const struct valkey_options *options, const char *text, unsigned a,
                         unsigned b)
{
    char url[200] = "";

    if (ground.client != NULL && strncmp(text, "valkeys", 7) != 0) {
        strcpy(url, "valkeys");
        text += strlen("valkey");
    }
    for (; *text != '\0'; text++) {
        size_t length = strlen(url);

        if (*text == '#') {
            snprintf(url + length, sizeof url - length, "%u", a);
            a = b;
        } else {
            url[length] = *text;
            url[length + 1] = '\0';
        }
    }
    assert_null(valkey_url_parse(&owner.url, url));
    assert_int_equal(valkey_new(&owner.valkey, &owner.loop, options, on_changed, &owner), 0);
}

static inline int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    owner = (struct owner){.valkey = NULL};
    return uv_loop_init(&owner.loop);
}

static inline void end(struct scripted *server)
{
    valkey_close(owner.valkey);
    if (server != NULL)
        scripted_stop(server);
    assert_int_equal(uv_run(&owner.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&owner.loop), 0);
}

static inline void run_until(const unsigned *count, unsigned wanted)
{
    for (unsigned turn = 0; *count < wanted; turn++) {
        if (turn == 10000)
            fail_msg("not ready: %s", valkey_why(owner.valkey));
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
}

/* Until it is said that it cannot be reached, and why. */
static inline void run_until_why(const char *why)
{
    for (unsigned turn = 0; strstr(valkey_why(owner.valkey), why) == NULL; turn++) {
        if (turn == 10000)
            fail_msg("%s, not %s", valkey_why(owner.valkey), why);
        uv_run(&owner.loop, UV_RUN_ONCE);
    }
}

static inline void on_reply(struct valkey_request *request, const struct valkey_reply *reply)
{
    const char *text = valkey_text(reply, NULL);

    assert_ptr_equal(request->context, &owner);
    owner.lost += reply == NULL;
    owner.replies++;
    snprintf(owner.reply, sizeof owner.reply, "%s", text == NULL ? "" : text);
}

static inline int send_ping(struct valkey_request *request)
{
    static const char *const words[] = {"PING"};

    return valkey_send(owner.valkey, request, 1, words, NULL, on_reply, &owner);
}
