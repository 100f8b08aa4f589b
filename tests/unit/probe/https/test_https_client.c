/* Whom a policy fetch talks to, and when: docs/conformance.md, J, hostile 10, 40. */
#include "probe/https/https_uv.h"

#include "tests/unit/support/https_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/support/virtual_clock.h"

struct certificate_row {
    const char *name;
    struct certificate_wish wish;
    enum { BY_AUTHORITY, BY_STRANGER, BY_ITSELF } issuer;
    const char *host;
    const char *why;
};

static const struct certificate_row certificate_rows[] = {
    {"A-21 good", ALT("DNS:" HOST), BY_AUTHORITY, HOST, NULL},
    {"A-21 one of many", ALT("DNS:a.test,DNS:MTA-STS.D.test"), BY_AUTHORITY, HOST, NULL},
    {"A-21 untrusted", ALT("DNS:" HOST), BY_STRANGER, HOST, "certificate is not valid"},
    {"A-21 self-signed", ALT("DNS:" HOST), BY_ITSELF, HOST, "certificate is not valid"},
    {"A-21 expired", {"x", "DNS:" HOST, -7200, -3600, false}, BY_AUTHORITY, HOST, "expired"},
    {"A-21 not yet valid",
     {"x", "DNS:" HOST, 3600, 7200, false},
     BY_AUTHORITY,
     HOST,
     "not yet valid"},
    {"A-21 other name", ALT("DNS:mta-sts.e.test"), BY_AUTHORITY, HOST, "mismatch"},
    {"A-21 CN only", {HOST, NULL, -3600, 3600, false}, BY_AUTHORITY, HOST, "mismatch"},
    {"A-21 CN beside another name",
     {HOST, "DNS:e.test", -3600, 3600, false},
     BY_AUTHORITY,
     HOST,
     "mismatch"},
    {"A-21 part of a label", ALT("DNS:mta-*.d.test"), BY_AUTHORITY, HOST, "mismatch"},
    {"A-21 address", ALT("IP:127.0.0.1"), BY_AUTHORITY, HOST, "mismatch"},
    {"A-22 wildcard", ALT("DNS:*.d.test"), BY_AUTHORITY, HOST, NULL},
    {"A-22 wildcard two labels up", ALT("DNS:*.d.test"), BY_AUTHORITY, "mta-sts.sub.d.test",
     "mismatch"},
    {"J-2 wildcard of a TLD", ALT("DNS:*.test"), BY_AUTHORITY, "mta-sts.test", "mismatch"},
    {"J-7 e-mail only", ALT("email:x@d.test"), BY_AUTHORITY, HOST, "mismatch"},
};

static void certificates_are_verified(void **state)
{
    const struct certificate_wish wish = {"stranger", NULL, -3600, 3600, true};
    struct certificate stranger = certificate_make(&wish, NULL);

    (void)state;
    server_says(&server, GOOD);
    for (size_t i = 0; i < COUNT(certificate_rows); i++) {
        const struct certificate_row *row = &certificate_rows[i];
        struct certificate made =
            certificate_make(&row->wish, row->issuer == BY_AUTHORITY  ? &authority
                                         : row->issuer == BY_STRANGER ? &stranger
                                                                      : NULL);
        int requests = atomic_load(&server.requests);
        struct seen seen;

        server_use(&server, &made);
        seen = fetch_at(row->host, &loopback, DEADLINE);
        expect(row->name, &seen, row->why);
        assert_int_equal(atomic_load(&server.requests) - requests, row->why == NULL);
        certificate_free(&made);
    }
    server_use(&server, &leaf);
    certificate_free(&stranger);
}

/* nothing older than TLS 1.2. */
static void old_tls_is_refused(void **state)
{
    static const int versions[] = {TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    server_says(&server, GOOD);
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct seen seen;

        SSL_CTX_set_max_proto_version(server.ctx, versions[i]);
        seen = fetch();
        expect("A-23", &seen, i == 0 ? "no TLS session: tlsv1 alert protocol version" : NULL);
    }
    SSL_CTX_set_max_proto_version(server.ctx, 0);
}

/* hostile 10: nothing is sent to an address that is not allowed. */
static void addresses_are_filtered(void **state)
{
    static const char *const forbidden[] = {
        "127.1.0.1",       "10.0.0.1", "192.168.1.1",  "169.254.169.254",  "0.0.0.0", "224.0.0.1",
        "100.64.0.1",      "::1",      "fe80::1",      "::ffff:127.0.0.1", "fc00::1", "ff02::1",
        "64:ff9b::7f00:1", "::",       "2002:7f00:1::"};
    struct ip_prefix one = allowed;
    int connections = atomic_load(&server.connections);

    (void)state;
    allowed.bits = 32;
    for (size_t i = 0; i < COUNT(forbidden); i++) {
        struct ip ip;
        struct seen seen;

        assert_true(ip_parse(&ip, forbidden[i]));
        seen = fetch_at(HOST, &ip, DEADLINE);
        expect(forbidden[i], &seen, "no public address");
    }
    allowed = one;
    assert_int_equal(atomic_load(&server.connections), connections);
}

/* Who wants no visits of a survey has none by its policy host either; the daemon fetches all the
 * same, whom it does not probe. */
static void who_is_left_alone(void **state)
{
    static const char *const names[] = {HOST};
    struct ip_prefix here = allowed;
    int connections = atomic_load(&server.connections);
    struct seen seen;

    (void)state;
    filter.excluded = &here;
    filter.excluded_count = 1;
    filter.excludes_policy_hosts = true;
    seen = fetch();
    expect("by address", &seen, "is excluded by probe-exclude");
    filter.excluded_count = 0;
    filter.excluded_names = names;
    filter.excluded_name_count = 1;
    seen = fetch();
    expect("by name", &seen, "is excluded by probe-exclude");
    assert_int_equal(atomic_load(&server.connections), connections);
    filter.excludes_policy_hosts = false;
    seen = fetch();
    assert_true(atomic_load(&server.connections) > connections);
    filter.excluded_name_count = 0;
}

static void no_address_is_a_failure(void **state)
{
    uv_loop_t loop;
    struct https *https = client_new(&loop, DEADLINE, 10);
    struct seen seen;

    (void)state;
    get(https, HOST, NULL, 0, &seen);
    uv_run(&loop, UV_RUN_DEFAULT);
    expect("no address", &seen, HOST " has no address");
    client_end(https, &loop);
}

/* The next address is tried, of both families; forbidden ones are left out. */
static void other_addresses_are_tried(void **state)
{
    static const char *const texts[] = {"10.0.0.1", "127.0.0.2", "::1", "127.0.0.1"};
    struct ip ips[COUNT(texts)];
    uv_loop_t loop;
    struct https *https = client_new(&loop, DEADLINE, 10);
    struct seen seen;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_true(ip_parse(&ips[i], texts[i]));
    server_says(&server, GOOD);
    get(https, HOST, ips, COUNT(ips), &seen);
    uv_run(&loop, UV_RUN_DEFAULT);
    expect("the fourth address", &seen, NULL);
    get(https, HOST, ips, 2, &seen);
    uv_run(&loop, UV_RUN_DEFAULT);
    expect("nobody listens", &seen, HOST " (127.0.0.2): no connection: Connection refused");
    client_end(https, &loop);
}

/* More than may be in flight wait, all are answered, never more at once than allowed. */
static void fetches_wait_in_a_queue(void **state)
{
    uv_loop_t loop;
    struct https *https = client_new(&loop, DEADLINE, 4);
    struct seen seen[40];
    int connections = atomic_load(&server.connections);

    (void)state;
    server_says(&server, GOOD);
    for (size_t i = 0; i < COUNT(seen); i++)
        get(https, HOST, &loopback, 1, &seen[i]);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < COUNT(seen); i++)
        expect("queued", &seen[i], NULL);
    assert_int_equal(atomic_load(&server.connections) - connections, COUNT(seen));
    client_end(https, &loop);
}

/* A slow host takes a quarter of the places and one more; others get theirs. */
static void one_slow_host_does_not_take_all(void **state)
{
    uv_loop_t loop;
    struct https *https = client_new(&loop, DEADLINE, 4);
    struct https_fetch *slow[8];
    struct seen seen[COUNT(slow)], other;
    struct ip elsewhere;

    (void)state;
    assert_true(ip_parse(&elsewhere, "127.0.0.2"));
    server_answers(&server, &(struct answer){.silent = true});
    for (size_t i = 0; i < COUNT(slow); i++)
        slow[i] = get(https, HOST, &loopback, 1, &seen[i]);
    get(https, HOST, &elsewhere, 1, &other);
    while (other.calls == 0)
        uv_run(&loop, UV_RUN_ONCE);
    expect("elsewhere", &other, "Connection refused");
    for (size_t i = 0; i < COUNT(slow); i++) {
        assert_int_equal(seen[i].calls, 0);
        https_cancel(slow[i]);
    }
    client_end(https, &loop);
}

/* A host that accepts connections and never says a word. */
static int silent_host(struct ip *out, const char *address)
{
    struct sockaddr_storage name;
    socklen_t length;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(ip_parse(out, address));
    length = (socklen_t)ip_to_sockaddr(&name, out, server.port);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, length), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* The next in line takes the place of a fetch at its deadline then, not when another one ends. */
static void the_deadline_gives_the_place_to_the_next(void **state)
{
    uv_loop_t loop;
    struct https *https = client_new(&loop, DEADLINE, 2);
    struct ip one, two;
    int hosts[] = {silent_host(&one, "127.0.0.2"), silent_host(&two, "127.0.0.3")};
    struct seen first, meanwhile, next;
    uint64_t began = uv_now(&loop);

    (void)state;
    get(https, HOST, &one, 1, &first);
    get(https, HOST, &one, 1, &next); /* one address has one place of two */
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    virtual_clock_pass(DEADLINE / 4 * 3);
    uv_run(&loop, UV_RUN_NOWAIT);
    get(https, HOST, &two, 1, &meanwhile);
    while (next.calls == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(first.calls, 1);
    assert_int_equal(meanwhile.calls, 1);
    assert_in_range(uv_now(&loop) - began, 2 * DEADLINE, 2 * DEADLINE + DEADLINE / 4);
    client_end(https, &loop);
    for (size_t i = 0; i < COUNT(hosts); i++)
        close(hosts[i]);
}

/* No callback after a cancel, at whatever moment it comes; the loop is empty afterwards. */
static void a_cancelled_fetch_never_calls(void **state)
{
    (void)state;
    server_says(&server, GOOD);
    for (unsigned turns = 0; turns < 12; turns++) {
        uv_loop_t loop;
        struct https *https = client_new(&loop, DEADLINE, 1);
        struct seen first, second;
        struct https_fetch *one = get(https, HOST, &loopback, 1, &first);
        struct https_fetch *two = get(https, HOST, &loopback, 1, &second);

        for (unsigned i = 0; i < turns; i++)
            uv_run(&loop, UV_RUN_NOWAIT);
        if (first.calls == 0)
            https_cancel(one);
        if (turns % 2 == 0 && second.calls == 0)
            https_cancel(two);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_true(first.calls <= 1 && second.calls <= 1);
        assert_true(turns % 2 == 0 || second.calls == 1);
        client_end(https, &loop);
    }
}

/* Closing in the middle of everything calls nobody and leaves nothing. */
static void closing_ends_everything(void **state)
{
    (void)state;
    server_answers(&server, &(struct answer){.hold = true});
    for (unsigned turns = 0; turns < 8; turns++) {
        uv_loop_t loop;
        struct https *https = client_new(&loop, DEADLINE, 2);
        struct seen seen[4];

        for (size_t i = 0; i < COUNT(seen); i++)
            get(https, HOST, &loopback, 1, &seen[i]);
        for (unsigned i = 0; i < turns; i++)
            uv_run(&loop, UV_RUN_NOWAIT);
        client_end(https, &loop);
        for (size_t i = 0; i < COUNT(seen); i++)
            assert_int_equal(seen[i].calls, 0);
    }
}

#define EMPTY "Content-Length: 0\r\n\r\n"

/* RFC 8460 §5.4: 200 and 201, and nothing is followed. */
static const struct {
    const char *name, *head;
    const char *why;        /* NULL: it is taken */
    const char *why_of_get; /* the same answer to a GET */
} post_rows[] = {
    {"200", "HTTP/1.1 200 OK\r\n" EMPTY, NULL, NULL},
    {"201", "HTTP/1.1 201 Created\r\n" EMPTY, NULL, "HTTP status 201"},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP status 204", "HTTP status 204"},
    {"302", "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\n" EMPTY, "not followed",
     "not followed"},
    {"307", "HTTP/1.1 307 Temporary\r\nLocation: https://127.0.0.1/\r\n" EMPTY, "not followed",
     "not followed"},
    {"503", "HTTP/1.1 503 Busy\r\n" EMPTY, "HTTP status 503", "HTTP status 503"},
};

static void reports_are_posted(void **state)
{
    static const char long_text[] = "\x1f\x8b and what is packed";

    (void)state;
    any_type = true;
    for (size_t i = 0; i < COUNT(post_rows); i++) {
        struct seen seen;

        server_says(&server, post_rows[i].head);
        posted_text = long_text;
        seen = fetch();
        expect(post_rows[i].name, &seen, post_rows[i].why);
        assert_int_equal(strncmp(server.request, "POST /.well-known/mta-sts.txt HTTP/1.1\r\n", 39),
                         0);
        assert_non_null(strstr(server.request, "\r\nContent-Type: application/tlsrpt+gzip\r\n"));
        assert_non_null(strstr(server.request, "\r\nContent-Length: 21\r\n"));
        assert_null(strstr(server.request, "Expect"));
        posted_text = NULL;
        seen = fetch();
        expect(post_rows[i].name, &seen, post_rows[i].why_of_get);
        assert_int_equal(strncmp(server.request, "GET ", 4), 0);
    }
    any_type = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_verified),
        cmocka_unit_test(old_tls_is_refused),
        cmocka_unit_test(addresses_are_filtered),
        cmocka_unit_test(who_is_left_alone),
        cmocka_unit_test(no_address_is_a_failure),
        cmocka_unit_test(other_addresses_are_tried),
        cmocka_unit_test(fetches_wait_in_a_queue),
        cmocka_unit_test(one_slow_host_does_not_take_all),
        cmocka_unit_test(the_deadline_gives_the_place_to_the_next),
        cmocka_unit_test(a_cancelled_fetch_never_calls),
        cmocka_unit_test(closing_ends_everything),
        cmocka_unit_test(reports_are_posted),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
