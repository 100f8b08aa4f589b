/*
 * https_client: one policy host, one authority and fetches from it, each on a loop of its own that
 * must be empty afterwards.
 */
#pragma once

#include <signal.h>

#include "base/log/log.h"
#include "tests/unit/support/https_server.h"
#include "probe/https/https_uv.h"
#include "probe/tls/tls.h"
#include "tests/unit/support/unit.h"

#define HOST     "mta-sts.d.test"
#define BODY_MAX 65536
#define DEADLINE 10000
#define OK_HEAD  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#define POLICY   "version: STSv1\r\n"
#define LENGTH16 "Content-Length: 16\r\n"
#define GOOD     OK_HEAD LENGTH16 "\r\n" POLICY
#define INTERIM  "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"

#define ALT(names)                                                                                 \
    {                                                                                              \
        "x", names, -3600, 3600, false                                                             \
    }

static struct certificate authority, leaf;
static char authority_file[64];
static struct https_server server;
static struct tls_context *trusted; /* by it */
static struct ip loopback;
static struct ip_prefix allowed;
static struct address_filter filter;

struct seen {
    unsigned calls;
    bool ok;
    int status;
    enum fetch_failure failure;
    size_t length;
    char why[300], body[64], type[64];
};

static bool any_type;           /* of the next requests */
static const char *posted_text; /* likewise; NULL: they are no POSTs */

static inline void fetched(void *context, const struct https_result *result)
{
    struct seen *seen = context;

    seen->calls++;
    seen->ok = result->ok;
    seen->status = result->status;
    seen->failure = result->failure;
    seen->length = result->length;
    snprintf(seen->type, sizeof seen->type, "%s", result->type);
    snprintf(seen->why, sizeof seen->why, "%s", result->ok ? "" : result->why);
    snprintf(seen->body, sizeof seen->body, "%.60s", result->ok ? result->body : "");
    for (const char *c = seen->why; *c != '\0'; c++)
        assert_in_range(*c, 0x20, 0x7e);
}

static inline struct https *client_new(uv_loop_t *loop, long deadline_ms, unsigned in_flight_max)
{
    struct https_options options = {.deadline_ms = deadline_ms,
                                    .in_flight_max = in_flight_max,
                                    .body_max = BODY_MAX,
                                    .port = server.port};
    struct https *https;

    assert_int_equal(uv_loop_init(loop), 0);
    assert_int_equal(https_new(&https, loop, trusted, &filter, &options), 0);
    return https;
}

static inline void client_end(struct https *https, uv_loop_t *loop)
{
    https_close(https);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

static inline struct https_fetch *get(struct https *https, const char *host,
                                      const struct ip *addresses, size_t count, struct seen *seen)
{
    const struct https_request request = {
        .host = host,
        .path = "/.well-known/mta-sts.txt",
        .addresses = addresses,
        .address_count = count,
        .any_type = any_type,
        .post = posted_text,
        .post_length = posted_text == NULL ? 0 : strlen(posted_text),
        .post_type = "application/tlsrpt+gzip",
    };
    struct https_fetch *fetch;

    memset(seen, 0, sizeof *seen);
    assert_int_equal(https_start(&fetch, https, &request, fetched, seen), 0);
    assert_int_equal(seen->calls, 0);
    return fetch;
}

/* One fetch from start to end, on a loop of its own that is empty afterwards. */
static inline struct seen fetch_at(const char *host, const struct ip *ip, long deadline_ms)
{
    uv_loop_t loop;
    struct https *https = client_new(&loop, deadline_ms, 10);
    struct seen seen;

    get(https, host, ip, 1, &seen);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(seen.calls, 1);
    client_end(https, &loop);
    assert_int_equal(seen.calls, 1);
    return seen;
}

static inline struct seen fetch(void)
{
    return fetch_at(HOST, &loopback, DEADLINE);
}

static inline void expect(const char *row, const struct seen *seen, const char *why)
{
    if (seen->ok != (why == NULL) || (why != NULL && strstr(seen->why, why) == NULL))
        fail_msg("%s: ok %d, status %d, why %s", row, seen->ok, seen->status, seen->why);
}

static inline int set_up(void **state)
{
    const struct certificate_wish wish = ALT("DNS:" HOST);
    const char *why;

    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    authority = authority_make(authority_file);
    assert_int_equal(tls_context_new(&trusted, authority_file, NULL, &why), 0);
    leaf = certificate_make(&wish, &authority);
    server_start(&server, &leaf);
    ip_parse(&loopback, "127.0.0.1");
    ip_prefix_parse(&allowed, "127.0.0.0/24");

    filter.allowed = &allowed;
    filter.allowed_count = 1;
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    server_stop(&server);
    certificate_free(&leaf);
    certificate_free(&authority);
    tls_context_free(trusted);
    unlink(authority_file);
    return 0;
}
