/* Responses of every temper: docs/conformance.md, hostile 1 to 5. */
#include "probe/https/https_uv.h"

#include "tests/unit/support/https_client.h"

struct row {
    const char *name;
    const char *response;
    const char *why; /* NULL: the policy is had */
};

#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Type: text/plain\r\n" LENGTH16 "\r\n" POLICY
#define MOVED(code)                                                                                \
    "HTTP/1.1 " code " Moved\r\nLocation: https://e.test/\xff\r\nContent-Length: 0\r\n\r\n"
#define TYPE(value) "HTTP/1.1 200 OK\r\n" value LENGTH16 "\r\n" POLICY
#define FIELD(line) OK_HEAD LENGTH16 line "\r\n\r\n" POLICY

static const struct row rows[] = {
    {"A-12 good", GOOD, NULL},
    {"good until the end of the connection", OK_HEAD "\r\n" POLICY, NULL},
    {"good, chunked", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n10\r\n" POLICY "\r\n0\r\n\r\n",
     NULL},
    {"good, two chunks, extension, trailer",
     OK_HEAD "Transfer-Encoding: chunked\r\n\r\n9;a=b\r\nversion: \r\n07\r\nSTSv1\r\n\r\n0\r\n"
             "Content-Type: text/html\r\n\r\n",
     NULL},
    {"good, HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" POLICY, NULL},
    {"good, no reason phrase",
     "HTTP/1.1 200\r\nContent-Type: text/plain\r\n" LENGTH16 "\r\n" POLICY, NULL},
    {"A-24 301", MOVED("301"), "HTTP status 301, redirect to https://e.test/\\xff not"},
    {"A-24 302", MOVED("302"), "HTTP status 302, redirect to"},
    {"A-24 307", MOVED("307"), "HTTP status 307, redirect to"},
    {"A-24 308", MOVED("308"), "HTTP status 308, redirect to"},
    {"A-25 201", STATUS("201 Created"), "HTTP status 201"},
    {"A-25 203", STATUS("203 Non-Authoritative"), "HTTP status 203"},
    {"A-25 204", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP status 204"},
    {"A-25 206", STATUS("206 Partial Content"), "HTTP status 206"},
    {"A-25 304", "HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP status 304"},
    {"A-25 404", STATUS("404 Not Found"), "HTTP status 404"},
    {"A-25 410", STATUS("410 Gone"), "HTTP status 410"},
    {"A-25 500", STATUS("500 Internal Server Error"), "HTTP status 500"},
    {"A-26 caching headers", FIELD("Cache-Control: no-store\r\nExpires: 0\r\nETag: \"1\""), NULL},
    {"A-27 upper case", TYPE("CONTENT-TYPE: TEXT/PLAIN\r\n"), NULL},
    {"A-27 charset", TYPE("Content-Type: text/plain; charset=utf-8\r\n"), NULL},
    {"A-27 blanks and parameters", TYPE("Content-Type:\ttext/plain ;a=\"b;c\"\r\n"), NULL},
    {"A-27 html", TYPE("Content-Type: text/html\r\n"), "text/html, not text/plain"},
    {"A-27 prefix", TYPE("Content-Type: text/plainer\r\n"), "not text/plain"},
    {"A-27 none", TYPE(""), "no Content-Type"},
    {"A-27 empty", TYPE("Content-Type:\r\n"), "no Content-Type"},
    {"A-27 two", TYPE("Content-Type: text/html\r\nContent-Type: text/plain\r\n"), "not text/plain"},
    {"hostile 2 long chunk",
     OK_HEAD "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n" POLICY, ""},
    {"hostile 2 huge length", OK_HEAD "Content-Length: 10737418240\r\n\r\n" POLICY,
     "10737418240 octets, more than 65536"},
    {"hostile 3 gzip", FIELD("Content-Encoding: gzip"), "Content-Encoding"},
    {"hostile 3 br", FIELD("content-encoding: br"), "Content-Encoding"},
    {"hostile 3 identity and gzip", FIELD("Content-Encoding: identity, gzip"), "Content-Encoding"},
    {"hostile 3 identity", FIELD("Content-Encoding: identity"), NULL},
    {"hostile 3 gzip as a transfer coding",
     OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", ""},
    {"hostile 4 five interim responses", INTERIM INTERIM INTERIM INTERIM INTERIM GOOD, NULL},
    {"hostile 4 six interim responses", INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM GOOD,
     "more than 5 interim"},
    {"hostile 4 switching protocols", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n" GOOD, ""},
    {"hostile 4 HTTP/0.9", POLICY, ""},
    {"hostile 4 HTTP/2 in a status line",
     "HTTP/2 200 OK\r\nContent-Type: text/plain\r\n\r\n" POLICY,
     "HTTP/1"}, /* libcurl 8 refuses it before us */
    {"hostile 4 folded header", FIELD("X: a\r\n b"), "folded header"},
    {"hostile 4 folded content type",
     "HTTP/1.1 200 OK\r\nContent-Type: text/html;\r\n text/plain\r\n" LENGTH16 "\r\n" POLICY,
     "folded header"},
    {"hostile 4 two lengths", FIELD("Content-Length: 16"), ""},
    {"hostile 4 two different lengths", FIELD("Content-Length: 17"), ""},
    {"hostile 4 length and chunked", FIELD("Transfer-Encoding: chunked"),
     "both Content-Length and Transfer-Encoding"},
    {"hostile 4 negative length", OK_HEAD "Content-Length: -1\r\n\r\n" POLICY, ""},
    {"hostile 4 signed length", OK_HEAD "Content-Length: +16\r\n\r\n" POLICY, ""},
    {"hostile 4 list of lengths", OK_HEAD "Content-Length: 16, 16\r\n\r\n" POLICY, ""},
    {"hostile 4 bare LF",
     "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 16\n\n" POLICY, "CR LF"},
    {"hostile 4 one bare LF", FIELD("X: a\nY: b"), "CR LF"},
    {"hostile 4 blank before the colon", FIELD("X : a"), "malformed header"},
    {"hostile 4 no colon", FIELD("nonsense"), "colon"},
    {"hostile 4 control character", FIELD("X: a\x01"), "control character"},
    {"hostile 4 cut body", OK_HEAD "Content-Length: 17\r\n\r\n" POLICY, ""},
    {"hostile 4 cut chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n11\r\n" POLICY, ""},
    {"hostile 4 cut headers", OK_HEAD, ""},
    {"hostile 4 nothing", "", ""},
    {"more than its length", GOOD "mode: none\r\n", NULL},
};

static void responses_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen;

        server_says(&server, rows[i].response);
        seen = fetch();
        expect(rows[i].name, &seen, rows[i].why);
        if (seen.ok && (seen.length != strlen(POLICY) || strcmp(seen.body, POLICY) != 0))
            fail_msg("%s: body %zu %s", rows[i].name, seen.length, seen.body);
        if (!seen.ok && seen.why[0] == '\0')
            fail_msg("%s: no reason", rows[i].name);
        if (!seen.ok)
            assert_int_equal(seen.failure, seen.status != 0 && seen.status != 200
                                               ? FETCH_FAILURE_STATUS
                                               : FETCH_FAILURE_RESPONSE);
    }
}

/* Who looks at a policy of his own wants to see it whatever its type is. */
static void any_type_may_do(void **state)
{
    static const struct {
        const char *response, *type, *why;
    } taken[] = {
        {GOOD, "text/plain", NULL},
        {TYPE("Content-Type: text/html; charset=x\r\n"), "text/html", NULL},
        {TYPE("Content-Type: a\tb\xff\r\n"), "a\\x09b\\xff", NULL},
        {TYPE(""), "", NULL},
        {STATUS("404 Not Found"), "text/plain", "HTTP status 404"},
    };

    (void)state;
    any_type = true;
    for (size_t i = 0; i < COUNT(taken); i++) {
        struct seen seen;

        server_says(&server, taken[i].response);
        seen = fetch();
        expect(taken[i].response, &seen, taken[i].why);
        assert_string_equal(seen.type, taken[i].type);
    }
    any_type = false;
}

/* what we say. */
static void the_request_is_plain(void **state)
{
    struct seen seen;

    (void)state;
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    server_says(&server, GOOD);
    seen = fetch();
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
    expect("A-23", &seen, NULL);
    assert_string_equal(server.sni, HOST);
    assert_memory_equal(server.request, "GET /.well-known/mta-sts.txt HTTP/1.1\r\n", 39);
    assert_non_null(strstr(server.request, "\r\nAccept-Encoding: identity\r\n"));
    assert_null(strstr(server.request, "If-None-Match"));
    assert_null(strstr(server.request, "If-Modified-Since"));
    assert_null(strstr(server.request, "Cookie"));
}

/* 65535, 65536, 65537 octets with a length, in chunks, and until the connection ends. */
static void bodies_are_bounded(void **state)
{
    static const char *const heads[] = {OK_HEAD "Content-Length: %zu\r\n\r\n",
                                        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                                        OK_HEAD "X-Length: %zu\r\n\r\n"};
    char *response = malloc(BODY_MAX + 300);

    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++)
        for (size_t length = BODY_MAX - 1; length <= BODY_MAX + 1; length++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            size_t used = (size_t)snprintf(response, 300, heads[i], length);
#pragma GCC diagnostic pop
            struct seen seen;

            memset(response + used, 'x', length);
            used += length;
            if (i == 1)
                used += (size_t)sprintf(response + used, "\r\n0\r\n\r\n");
            server_answers(&server, &(struct answer){.head = response, .head_length = used});
            seen = fetch();
            expect("A-28", &seen, length > BODY_MAX ? "more than 65536" : NULL);
            assert_int_equal(seen.length, seen.ok ? length : 0);
        }
    free(response);
}

struct flood {
    const char *name, *head, *repeat, *why;
};

/* hostile 1, 2, 4: without end; given up at once and not at the deadline. */
static void endless_answers_are_given_up(void **state)
{
    static char line[8192], chunk[5000], tiny[6 * 1000 + 1], fat[206 * 50 + 1];
    const struct flood floods[] = {
        {"endless chunks", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n", chunk, "more than 65536"},
        {"tiny chunks", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n", tiny, "more than 65536"},
        {"tiny records", OK_HEAD "\r\n", "x", "pieces that are too small"},
        {"fat chunks", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n", fat, "too much around"},
        {"endless chunk extension", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n10;", line,
         "too much around"},
        {"chunk extension in tiny records", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n10;",
         "aaaaaaaa", "pieces that are too small"},
        {"endless trailers", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n",
         "header lines"},
        {"endless body", OK_HEAD "\r\n", line, "more than 65536"},
        {"endless headers", OK_HEAD, "X: y\r\n", "header lines"},
        {"endless header", OK_HEAD "X: ", line, ""},
        {"long headers", OK_HEAD, line, "headers of more than 16384"},
        {"endless interim", "", INTERIM, "interim"},
        {"endless status line", "HTTP/1.1 200 ", "a", ""},
    };

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        memcpy(tiny + 6 * i, "1\r\nx\r\n", 6);
    for (size_t i = 0; i < 50; i++)
        snprintf(fat + 206 * i, 207, "1;%0199d\r\nx\r\n", 0);
    snprintf(chunk, sizeof chunk, "1000\r\n%04096d\r\n", 0);
    for (size_t i = 0; i < COUNT(floods); i++) {
        struct seen seen;

        memset(line, 'x', sizeof line - 1);
        if (strcmp(floods[i].name, "long headers") == 0) {
            memcpy(line, "X: ", 3);
            memcpy(line + sizeof line - 3, "\r\n", 2);
        }
        server_answers(&server, &(struct answer){.head = floods[i].head,
                                                 .head_length = strlen(floods[i].head),
                                                 .repeat = floods[i].repeat,
                                                 .repeat_length = strlen(floods[i].repeat)});
        seen = fetch_at(HOST, &loopback, 60000);
        expect(floods[i].name, &seen, floods[i].why);
        assert_null(strstr(seen.why, "after 60000 ms"));
    }
}

/* Headers of 16 KiB and 100 lines: at the limit and past it. */
static void headers_are_bounded(void **state)
{
    char response[20000];

    (void)state;
    for (size_t octets = 16383; octets <= 16385; octets++) {
        size_t fixed = strlen(OK_HEAD LENGTH16 "X: \r\n\r\n");
        struct seen seen;

        snprintf(response, sizeof response, OK_HEAD LENGTH16 "X: %0*d\r\n\r\n" POLICY,
                 (int)(octets - fixed), 0);
        server_says(&server, response);
        seen = fetch();
        expect("16 KiB", &seen, octets > 16384 ? "headers of more than 16384" : NULL);
    }
    for (unsigned lines = 99; lines <= 101; lines++) {
        size_t used = (size_t)sprintf(response, OK_HEAD LENGTH16);
        struct seen seen;

        for (unsigned i = 4; i < lines; i++) /* status, type, length and the end are four */
            used += (size_t)sprintf(response + used, "X: y\r\n");
        sprintf(response + used, "\r\n" POLICY);
        server_says(&server, response);
        seen = fetch();
        expect("100 lines", &seen, lines > 100 ? "more than 100 header lines" : NULL);
    }
}

/* A-29, hostile 1: one deadline for all of it, and the stage it passed in. */
static void the_deadline_is_for_the_whole(void **state)
{
    static const struct answer answers[] = {
        {.silent = true},
        {.hold = true},
        {.head = "HTTP/1.1 200 OK\r\n",
         .head_length = 17,
         .repeat = "X",
         .repeat_length = 1,
         .pause_ms = 20},
        {.head = OK_HEAD "\r\n",
         .head_length = sizeof OK_HEAD "\r\n" - 1,
         .repeat = "x",
         .repeat_length = 1,
         .pause_ms = 20},
        /* in the last millisecond, and then nothing */
        {.head = OK_HEAD "\r\n",
         .head_length = sizeof OK_HEAD "\r\n" - 1,
         .repeat = "x",
         .repeat_length = 1,
         .repeats = 2,
         .pause_ms = 299,
         .hold = true},
    };
    static const char *const why[] = {"no TLS session: after 300 ms", "no response: after 300 ms",
                                      "did not end: after 300 ms", "did not end: after 300 ms",
                                      "did not end: after 300 ms"};

    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct seen seen;

        server_answers(&server, &answers[i]);
        seen = fetch_at(HOST, &loopback, 300);
        expect("A-29", &seen, why[i]);
        assert_int_equal(seen.failure, FETCH_FAILURE_TIMEOUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_are_judged),          cmocka_unit_test(any_type_may_do),
        cmocka_unit_test(the_request_is_plain),          cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(endless_answers_are_given_up),  cmocka_unit_test(headers_are_bounded),
        cmocka_unit_test(the_deadline_is_for_the_whole),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
