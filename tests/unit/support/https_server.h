/*
 * https_server: a policy host inside the test: TLS on 127.0.0.1, a thread per connection, an answer
 * that the test chooses. Certificates are made on the spot; the authority's goes into a file.
 */
#pragma once

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "tests/unit/support/virtual_clock.h"

struct certificate {
    X509 *x509;
    EVP_PKEY *key;
};

struct certificate_wish {
    const char *common_name;
    const char *alt_names; /* "DNS:a,DNS:b"; NULL: none */
    long from_s, to_s;     /* from now */
    bool is_ca;
};

/* What the server does with a connection. */
struct answer {
    const char *head; /* sent first */
    size_t head_length;
    const char *repeat; /* then this, `repeats` times; 0: until nobody reads it */
    size_t repeat_length;
    unsigned repeats;
    unsigned pause_ms;          /* after every repeat */
    bool silent;                /* no handshake, no answer, until the client goes */
    bool hold;                  /* after the answer: waits for the client to go */
    const char *end;            /* for a path that ends so: */
    const struct answer *other; /* this answer instead; NULL: none */
};

struct https_server {
    int fd;
    uint16_t port;
    SSL_CTX *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* busy is 0 */
    unsigned busy;       /* connections; under lock, like the next */
    struct answer answer;
    char request[4096], sni[256];
    atomic_int connections, requests;
    atomic_bool stop;
};

static inline struct certificate certificate_make(const struct certificate_wish *wish,
                                                  const struct certificate *issuer)
{
    static long serial = 1;
    struct certificate made = {X509_new(), EVP_EC_gen("P-256")};
    X509_NAME *name = X509_get_subject_name(made.x509);
    X509V3_CTX context;
    X509_EXTENSION *extension;

    if (issuer == NULL)
        issuer = &made;
    X509_set_version(made.x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.x509), wish->from_s);
    X509_gmtime_adj(X509_getm_notAfter(made.x509), wish->to_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const void *)wish->common_name, -1, -1,
                               0);
    X509_set_issuer_name(made.x509, X509_get_subject_name(issuer->x509));
    X509_set_pubkey(made.x509, made.key);
    X509V3_set_ctx(&context, issuer->x509, made.x509, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, NID_basic_constraints,
                                    wish->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    X509_add_ext(made.x509, extension, -1);
    X509_EXTENSION_free(extension);
    if (wish->alt_names != NULL) {
        extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, wish->alt_names);
        CHECK(extension != NULL);
        X509_add_ext(made.x509, extension, -1);
        X509_EXTENSION_free(extension);
    }
    CHECK(X509_sign(made.x509, issuer->key, EVP_sha256()) > 0);
    return made;
}

static inline void certificate_free(struct certificate *certificate)
{
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
}

/* An authority, its certificate in a new file whose name goes to `path`. */
static inline struct certificate authority_make(char path[64])
{
    const struct certificate_wish wish = {"test authority", NULL, -86400, 86400, true};
    struct certificate ca = certificate_make(&wish, NULL);
    FILE *file;
    int fd;

    strcpy(path, "/tmp/mxcrypt-unit-XXXXXX");
    fd = mkstemp(path);
    CHECK(fd >= 0);
    file = fdopen(fd, "w");
    CHECK(file != NULL && PEM_write_X509(file, ca.x509) == 1 && fclose(file) == 0);
    return ca;
}

static inline void wait_for_client_to_go(int fd)
{
    char octets[256];

    while (recv(fd, octets, sizeof octets, 0) > 0)
        continue;
}

static inline void send_answer(SSL *ssl, const struct answer *answer)
{
    if (answer->head_length > 0 && SSL_write(ssl, answer->head, (int)answer->head_length) <= 0)
        return;
    for (unsigned i = 0; answer->repeat != NULL && (answer->repeats == 0 || i < answer->repeats);
         i++) {
        if (SSL_write(ssl, answer->repeat, (int)answer->repeat_length) <= 0)
            return;
        if (answer->pause_ms > 0)
            usleep(answer->pause_ms * 1000); /* on the virtual clock */
    }
    if (answer->hold)
        wait_for_client_to_go(SSL_get_fd(ssl));
}

/* Reads up to the empty line; false when there is none. */
static inline bool read_request(struct https_server *server, SSL *ssl)
{
    char request[4096];
    size_t used = 0;
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    do {
        int got = SSL_read(ssl, request + used, (int)(sizeof request - 1 - used));

        if (got <= 0)
            return false;
        used += (size_t)got;
        request[used] = '\0';
    } while (strstr(request, "\r\n\r\n") == NULL && used < sizeof request - 1);
    pthread_mutex_lock(&server->lock);
    memcpy(server->request, request, used + 1);
    snprintf(server->sni, sizeof server->sni, "%s", sni == NULL ? "" : sni);
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(&server->requests, 1);
    return true;
}

/* By the path of the request, which is the last one of the server. */
static inline const struct answer *answer_for(struct https_server *server,
                                              const struct answer *answer)
{
    size_t length = answer->other == NULL ? 0 : strlen(answer->end);
    const char *space;

    pthread_mutex_lock(&server->lock);
    space = strstr(server->request, " HTTP/");
    if (length > 0 && space != NULL && space - server->request >= (long)length &&
        memcmp(space - length, answer->end, length) == 0)
        answer = answer->other;
    pthread_mutex_unlock(&server->lock);
    return answer;
}

struct connection {
    struct https_server *server;
    int fd;
};

static inline void *connection_run(void *context)
{
    struct connection *connection = context;
    struct https_server *server = connection->server;
    struct answer answer;
    SSL *ssl = SSL_new(server->ctx);

    pthread_mutex_lock(&server->lock);
    answer = server->answer;
    pthread_mutex_unlock(&server->lock);
    SSL_set_fd(ssl, connection->fd);
    if (answer.silent)
        wait_for_client_to_go(connection->fd);
    else if (SSL_accept(ssl) == 1 && read_request(server, ssl)) {
        send_answer(ssl, answer_for(server, &answer));
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(connection->fd);
    free(connection);
    OPENSSL_thread_stop(); /* the test may end before this thread has */
    pthread_mutex_lock(&server->lock);
    if (--server->busy == 0)
        pthread_cond_signal(&server->idle);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static inline void *server_run(void *context)
{
    struct https_server *server = context;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0 && !atomic_load(&server->stop)) {
        struct connection *connection = malloc(sizeof *connection);
        pthread_t thread;

        CHECK(connection != NULL);
        *connection = (struct connection){server, fd};
        atomic_fetch_add(&server->connections, 1);
        pthread_mutex_lock(&server->lock);
        server->busy++;
        pthread_mutex_unlock(&server->lock);
        CHECK(pthread_create(&thread, NULL, connection_run, connection) == 0);
        pthread_detach(thread);
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static inline void server_use(struct https_server *server, const struct certificate *certificate)
{
    CHECK(SSL_CTX_use_certificate(server->ctx, certificate->x509) == 1);
    CHECK(SSL_CTX_use_PrivateKey(server->ctx, certificate->key) == 1);
}

static inline void server_start(struct https_server *server, const struct certificate *certificate)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;

    memset(server, 0, sizeof *server);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->idle, NULL);
    server->ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(server->ctx, TLS1_VERSION);
    SSL_CTX_set_cipher_list(server->ctx, "ALL:@SECLEVEL=0");
    server_use(server, certificate);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(server->fd, (struct sockaddr *)&address, length) == 0);
    CHECK(listen(server->fd, 128) == 0);
    CHECK(getsockname(server->fd, (struct sockaddr *)&address, &length) == 0);
    server->port = ntohs(address.sin_port);
    CHECK(pthread_create(&server->thread, NULL, server_run, server) == 0);
}

static inline void server_answers(struct https_server *server, const struct answer *answer)
{
    pthread_mutex_lock(&server->lock);
    server->answer = *answer;
    pthread_mutex_unlock(&server->lock);
}

static inline void server_says(struct https_server *server, const char *head)
{
    server_answers(server, &(struct answer){.head = head, .head_length = strlen(head)});
}

static inline void server_stop(struct https_server *server)
{
    atomic_store(&server->stop, true);
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    virtual_clock_stop(); /* one in a pause sees that its client has gone */
    pthread_mutex_lock(&server->lock);
    while (server->busy > 0)
        pthread_cond_wait(&server->idle, &server->lock);
    pthread_mutex_unlock(&server->lock);
    SSL_CTX_free(server->ctx);
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->lock);
}
