/* lists over HTTPS: what is fetched and when, what the server can do wrong, and what stays. */
#include "probe/dns/dns_uv.h"
#include "tests/unit/support/dns_responder.h"
#include "tests/unit/support/https_client.h"

#include "tests/unit/daemon/lists/lists_fixture.h"

#define OTHER     "\"b.example\": {\"policy-alias\": \"ours\"}"
#define USUAL     ((struct times){-HOUR_S, 14 * DAY_S})
#define NEWER     ((struct times){-60, 14 * DAY_S})
#define ROOM      8192
#define JSON      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define OCTETS    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
#define ALLOWED   "allow-address = 127.0.0.0/24\n"
#define SETTINGS  ALLOWED "policy-list-refresh = 10m\n"
#define REFRESH_S 600
#define SOA       "d.test. 60 IN SOA ns.d.test. x.d.test. 1 2 3 4 60"

static const struct responder_line there[] = {
    {.reply = {.name = HOST, .type = DNS_A, .answer = {HOST ". 300 IN A 127.0.0.1"}}},
    {.reply = {.name = HOST, .type = DNS_AAAA, .authority = {SOA}}},
};

static struct responder responder;
static struct dns *dns;
static struct minisign_secret key;
static char line[512];

/* What the server has: two files as answers. */
static char list_room[ROOM], signature_room[ROOM];
static struct answer list_answer, signature_answer;

/* ---- the server ---- */

static size_t response(char *out, const char *head, const char *body, size_t length)
{
    int head_length = snprintf(out, ROOM, "%sContent-Length: %zu\r\n\r\n", head, length);

    assert_true((size_t)head_length + length < ROOM);
    memcpy(out + head_length, body, length);
    return (size_t)head_length + length;
}

static void publish(void)
{
    list_answer.end = ".minisig";
    list_answer.other = &signature_answer;
    server_answers(&server, &list_answer);
}

static void serve_signature(const struct minisign_secret *by, const char *text, size_t length)
{
    struct buf signature;

    buf_init(&signature, MINISIGN_TEXT_MAX);
    assert_null(minisign_sign(&signature, by, text, length, "for tests"));
    signature_answer = (struct answer){
        .head = signature_room,
        .head_length = response(signature_room, OCTETS, signature.data, signature.length)};
    buf_fini(&signature);
}

static void serve(struct times times, const char *policies)
{
    char text[4096];
    size_t length = list_text(text, sizeof text, times, policies);

    serve_signature(&key, text, length);
    list_answer =
        (struct answer){.head = list_room, .head_length = response(list_room, JSON, text, length)};
    publish();
}

/* The list is this instead, byte by byte. */
static void serve_instead(const char *text)
{
    list_answer = (struct answer){.head = text, .head_length = strlen(text)};
    publish();
}

/* Requests since it was last asked. */
static int requests(void)
{
    static int before;
    int now = atomic_load(&server.requests), result = now - before;

    before = now;
    return result;
}

/* ---- the daemon ---- */

/* Certificates that do not end while days pass. */
static int set_up_for_long(void **state)
{
    const struct certificate_wish ca_wish = {"lists authority", NULL, -86400, 9999 * 86400L, true};
    const struct certificate_wish leaf_wish = {"x", "DNS:" HOST, -3600, 9999 * 86400L, false};
    struct certificate ca, own;
    const char *why;
    FILE *file;

    assert_int_equal(set_up(state), 0);
    ca = certificate_make(&ca_wish, NULL);
    own = certificate_make(&leaf_wish, &ca);
    server_use(&server, &own);
    file = fopen(authority_file, "w");
    assert_int_equal(PEM_write_X509(file, ca.x509), 1);
    assert_int_equal(fclose(file), 0);
    tls_context_free(trusted);
    assert_int_equal(tls_context_new(&trusted, authority_file, NULL, &why), 0);
    certificate_free(&own);
    certificate_free(&ca);
    return 0;
}

static int make_lists(void **state)
{
    int result = make_folder(state);

    key = make_key("key");
    snprintf(line, sizeof line,
             SETTINGS "policy-list = https://" HOST ":%u/list.json key=FOLDER/key\n", server.port);
    requests();
    return result;
}

static void live_with(const char *settings)
{
    struct dns_options options = {.timeout_ms = 2000, .tries = 1, .in_flight_max = 10};

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_true(responder_start(&responder, &loop, "127.0.0.1", there, COUNT(there)));
    options.servers[options.server_count++] = responder_server(&responder);
    assert_int_equal(dns_new(&dns, &loop, &options), 0);
    start_with(settings, &(struct lists_tools){.dns = dns, .tls = trusted});
}

static void live(void)
{
    live_with(line);
}

static void die(void)
{
    responder_stop(&responder);
    dns_close(dns);
    stop();
}

/* ---- what is fetched ---- */

static void a_list_is_fetched_and_kept(void **state)
{
    struct lists_stats stats;

    (void)state;
    serve(USUAL, ONE);
    live();
    must_be(0, "missing", "not been fetched yet");
    pass(5);
    must_be(0, "in-force", "");
    must_say("a.example", LIST_ENFORCE);
    assert_int_equal(changes, 1);
    assert_int_equal(requests(), 2); /* the signature, the list */
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.fetched, 1);
    assert_int_equal(stats.fetch_failures, 0);
    assert_true(status_of(0).fetched);
    assert_true(status_of(0).next_s - clock_wall_s() > REFRESH_S / 2);
    die();
    serve_instead(""); /* a restart needs no server */
    live();
    must_be(0, "in-force", "");
    must_say("a.example", LIST_ENFORCE);
    pass(REFRESH_S / 2);
    assert_int_equal(requests(), 0);
    die();
}

static void only_the_signature_is_fetched_again(void **state)
{
    (void)state;
    serve(USUAL, ONE);
    live();
    pass(5);
    assert_int_equal(requests(), 2);
    pass(REFRESH_S);
    assert_int_equal(requests(), 1);
    assert_int_equal(changes, 1);
    assert_true(clock_wall_s() - status_of(0).good_s < REFRESH_S / 4);
    die();
}

static void a_new_list_is_fetched(void **state)
{
    (void)state;
    serve(USUAL, ONE);
    live();
    pass(5);
    serve(NEWER, OTHER);
    pass(REFRESH_S);
    must_be(0, "in-force", "");
    must_say("b.example", LIST_TESTING);
    must_say("a.example", LIST_NONE);
    assert_int_equal(requests(), 4);
    die();
    serve_instead("");
    live();
    must_say("b.example", LIST_TESTING);
    die();
}

static void a_list_that_waits_is_fetched_when_its_time_has_come(void **state)
{
    char with_age[600];

    (void)state;
    snprintf(with_age, sizeof with_age, "%.*s min-age=20m\n", (int)strlen(line) - 1, line);
    serve((struct times){-60, 14 * DAY_S}, ONE);
    live_with(with_age);
    pass(5);
    must_be(0, "too-new", "min-age");
    assert_int_equal(requests(), 2);
    pass(REFRESH_S);
    must_be(0, "too-new", "min-age");
    assert_int_equal(requests(), 1);
    pass(REFRESH_S);
    must_be(0, "in-force", "");
    must_say("a.example", LIST_ENFORCE);
    die();
}

/* The server has a newer one by then, which is fetched once, and once more when it is its turn. */
static void a_list_that_waits_is_kept_though_the_server_has_another(void **state)
{
    char with_age[600];

    (void)state;
    snprintf(with_age, sizeof with_age, "%.*s min-age=20m\n", (int)strlen(line) - 1, line);
    serve((struct times){-60, 14 * DAY_S}, ONE);
    live_with(with_age);
    pass(5);
    assert_int_equal(requests(), 2);
    serve((struct times){0, 14 * DAY_S}, OTHER);
    pass(REFRESH_S);
    assert_int_equal(requests(), 2);
    must_be(0, "too-new", "min-age");
    pass(1140 - REFRESH_S);
    must_say("a.example", LIST_ENFORCE);
    must_say("b.example", LIST_NONE);
    pass(2 * REFRESH_S);
    must_say("a.example", LIST_NONE);
    must_say("b.example", LIST_TESTING);
    must_be(0, "in-force", "");
    die();
}

/* ---- what a server does wrong ---- */

static void serve_nothing(void)
{
    static const char text[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

    signature_answer = (struct answer){.head = text, .head_length = strlen(text)};
    publish();
}

static void serve_no_list(void)
{
    serve_instead("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

static void redirect(void)
{
    serve_instead("HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\n"
                  "Content-Length: 0\r\n\r\n");
}

static void hang(void)
{
    server_answers(&server, &(struct answer){.silent = true});
}

static void hang_in_the_middle(void)
{
    list_answer = (struct answer){.head = JSON "Content-Length: 5000\r\n\r\n{",
                                  .head_length = strlen(JSON "Content-Length: 5000\r\n\r\n{"),
                                  .hold = true};
    publish();
}

static void cut_off(void)
{
    serve_instead(JSON "Content-Length: 5000\r\n\r\n{\"timestamp\":");
}

static void say_it_is_large(void)
{
    serve_instead(JSON "Content-Length: 104857601\r\n\r\n{");
}

static void be_large(void)
{
    static char block[16000];

    memset(block, ' ', sizeof block);
    list_answer = (struct answer){.head = JSON "\r\n",
                                  .head_length = strlen(JSON "\r\n"),
                                  .repeat = block,
                                  .repeat_length = sizeof block};
    publish();
}

static void sign_at_length(void)
{
    static char block[1000];

    memset(block, 'x', sizeof block);
    signature_answer = (struct answer){.head = OCTETS "\r\n",
                                       .head_length = strlen(OCTETS "\r\n"),
                                       .repeat = block,
                                       .repeat_length = sizeof block};
    publish();
}

static void be_compressed(void)
{
    serve_instead(JSON "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc");
}

static void be_older(void)
{
    serve((struct times){-2 * HOUR_S, 14 * DAY_S}, OTHER);
}

static void be_expired(void)
{
    serve((struct times){-60, -1}, OTHER);
}

static void be_wrong(void)
{
    serve(NEWER, "\"x\": {}");
}

/* The list in force stays, whatever the server does. */
static void what_the_server_does_wrong_is_said(void **state)
{
    static const struct {
        void (*make)(void);
        const char *why;
        enum list_refusal counted; /* LIST_REFUSALS_COUNT: not as refused */
    } table[] = {
        {serve_nothing, "HTTP status 404", LIST_REFUSALS_COUNT},
        {serve_no_list, "HTTP status 404", LIST_REFUSALS_COUNT},
        {redirect, "HTTP status 301", LIST_REFUSALS_COUNT},
        {hang, "after 60000 ms", LIST_REFUSALS_COUNT},
        {hang_in_the_middle, "after 60000 ms", LIST_REFUSALS_COUNT},
        {cut_off, "the fetch failed: ", LIST_REFUSALS_COUNT},
        {say_it_is_large, "104857601 octets, more than 104857600", LIST_REFUSAL_SIZE},
        {be_large, "more than 104857600 octets", LIST_REFUSAL_SIZE},
        {sign_at_length, "more than 65536 octets", LIST_REFUSAL_SIZE},
        {be_compressed, "Content-Encoding", LIST_REFUSALS_COUNT},
        {be_older, "before", LIST_REFUSAL_ROLLBACK},
        {be_expired, "expire", LIST_REFUSAL_TIMES},
        {be_wrong, "line", LIST_REFUSAL_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct lists_stats stats;
        struct lists_status status;

        serve(USUAL, ONE);
        live();
        pass(5);
        serve(NEWER, OTHER);
        table[i].make();
        pass(REFRESH_S + 70);
        status = status_of(0);
        lists_get_stats(lists, &stats);
        if (strstr(status.why, table[i].why) == NULL || stats.fetch_failures == 0)
            fail_msg("row %zu: %" PRIu64 ": %s", i, stats.fetch_failures, status.why);
        must_be(0, "in-force", table[i].why);
        must_say("a.example", LIST_ENFORCE);
        for (size_t reason = 0; reason < LIST_REFUSALS_COUNT; reason++)
            if ((stats.refused[reason] > 0) != (reason == table[i].counted))
                fail_msg("row %zu: counted as %zu", i, reason);
        assert_int_equal(changes, 1);
        die();
        empty_folder(in_folder("state"));
    }
}

static void failures_are_tried_again_later_and_later(void **state)
{
    static const struct {
        int64_t from_s, to_s;
        int fetches;
    } table[] = {{0, 5, 1},      {5, 310, 1},     {310, 920, 1},
                 {920, 2130, 1}, {2130, 4530, 1}, {4530, 8140, 1}};
    char hourly[600];
    int64_t now = 0;

    (void)state;
    snprintf(hourly, sizeof hourly, ALLOWED "policy-list-refresh = 1h\n%s",
             strchr(strchr(line, '\n') + 1, '\n') + 1);
    serve_nothing();
    live_with(hourly);
    for (size_t i = 0; i < COUNT(table); i++) {
        int got;

        pass(table[i].to_s - now);
        now = table[i].to_s;
        got = requests();
        if (got != table[i].fetches)
            fail_msg("from %d s on: %d", (int)table[i].from_s, got);
    }
    must_be(0, "missing", "404");
    serve(USUAL, ONE);
    pass(HOUR_S);
    must_be(0, "in-force", "");
    die();
}

/* The files of a list are replaced one after the other. */
static void a_signature_that_does_not_match_is_fetched_once_more(void **state)
{
    char text[4096];
    size_t length = list_text(text, sizeof text, NEWER, OTHER);
    struct lists_stats stats;

    (void)state;
    serve(USUAL, ONE);
    serve_signature(&key, text, length);
    publish();
    live();
    pass(5);
    must_be(0, "missing", "not been fetched yet");
    assert_int_equal(requests(), 2);
    pass(30);
    assert_int_equal(requests(), 0);
    list_answer =
        (struct answer){.head = list_room, .head_length = response(list_room, JSON, text, length)};
    publish();
    pass(40);
    assert_int_equal(requests(), 2);
    must_be(0, "in-force", "");
    must_say("b.example", LIST_TESTING);
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.fetch_failures + stats.refused[LIST_REFUSAL_SIGNATURE], 0);
    die();
    empty_folder(in_folder("state"));
    serve(USUAL, ONE);
    serve_signature(&key, text, length);
    publish();
    live();
    pass(70);
    assert_int_equal(requests(), 4);
    must_be(0, "refused", "signature: it is not of this file");
    pass(200);
    assert_int_equal(requests(), 0); /* a failure as any */
    lists_get_stats(lists, &stats);
    assert_int_equal(stats.fetch_failures, 1);
    assert_int_equal(stats.refused[LIST_REFUSAL_SIGNATURE], 1);
    die();
}

static void the_host_may_be_unknown_or_forbidden(void **state)
{
    static const struct responder_line nowhere[] = {
        {.reply = {.name = HOST, .type = DNS_A, .rcode = 3, .authority = {SOA}}},
        {.reply = {.name = HOST, .type = DNS_AAAA, .rcode = 3, .authority = {SOA}}},
    };
    static const struct responder_line broken[] = {
        {.reply = {.name = HOST, .type = DNS_A, .rcode = 2}},
        {.reply = {.name = HOST, .type = DNS_AAAA, .rcode = 2}},
    };

    (void)state;
    serve(USUAL, ONE);
    live();
    responder.lines = nowhere;
    pass(5);
    must_be(0, "missing", HOST " does not exist");
    die();
    live();
    responder.lines = broken;
    pass(5);
    must_be(0, "missing", "address lookup of " HOST);
    die();
    live_with(strchr(line, '\n') + 1); /* without allow-address */
    pass(5);
    must_be(0, "missing", "no public address (127.0.0.1)");
    assert_int_equal(requests(), 0);
    die();
}

/* ---- reload, end ---- */

static void a_reload_fetches_only_what_failed(void **state)
{
    (void)state;
    serve(USUAL, ONE);
    live();
    pass(5);
    requests();
    reconfigure(line);
    pass(5);
    assert_int_equal(requests(), 0);
    serve_nothing();
    pass(REFRESH_S);
    requests();
    serve(NEWER, OTHER);
    reconfigure(line);
    pass(5);
    assert_int_equal(requests(), 2);
    must_say("b.example", LIST_TESTING);
    die();
}

static void another_key_makes_it_fetch_again(void **state)
{
    (void)state;
    serve(USUAL, ONE);
    live();
    pass(5);
    requests();
    key = make_key("key");
    reconfigure(line);
    pass(70);
    must_say("a.example", LIST_NONE);
    must_be(0, "refused", "signature: it was made by another key");
    serve(NEWER, ONE);
    reconfigure(line);
    pass(70);
    must_say("a.example", LIST_ENFORCE);
    die();
}

static void a_close_ends_what_is_under_way(void **state)
{
    (void)state;
    hang();
    live();
    pass(5);
    die();
    live();
    pass(5);
    reconfigure(SETTINGS); /* it goes when its fetch is over */
    pass(1);
    reconfigure(line);
    pass(1);
    must_be(0, "missing", "not been fetched yet");
    reconfigure(SETTINGS);
    pass(200);
    reconfigure(line);
    reconfigure(SETTINGS);
    die();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_lists, drop_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_list_is_fetched_and_kept),
        TEST(only_the_signature_is_fetched_again),
        TEST(a_new_list_is_fetched),
        TEST(a_list_that_waits_is_fetched_when_its_time_has_come),
        TEST(a_list_that_waits_is_kept_though_the_server_has_another),
        TEST(what_the_server_does_wrong_is_said),
        TEST(failures_are_tried_again_later_and_later),
        TEST(a_signature_that_does_not_match_is_fetched_once_more),
        TEST(the_host_may_be_unknown_or_forbidden),
        TEST(a_reload_fetches_only_what_failed),
        TEST(another_key_makes_it_fetch_again),
        TEST(a_close_ends_what_is_under_way),
    };

    return cmocka_run_group_tests(tests, set_up_for_long, tear_down);
}
