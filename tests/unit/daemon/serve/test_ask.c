/*
 * Asking, from a client's request to its reply: a key that is not cached is parsed once and asks the
 * rules once, a cached one does neither and allocates nothing. The linker puts the counters below
 * around the functions (--wrap in tests/CMakeLists.txt).
 */
#include "tests/unit/support/fake_domain.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control/command.h"
#include "daemon/serve/server.h"

#define RULES "rules = /dev/null\n"

static unsigned parsed, rules_asked, allocated;

void __real_key_parse(struct key *out, const char *text, size_t length, uint16_t default_port);
void __wrap_key_parse(struct key *out, const char *text, size_t length, uint16_t default_port);
void __real_ruleset_find(const struct ruleset *set, const struct key *key, struct override *out);
void __wrap_ruleset_find(const struct ruleset *set, const struct key *key, struct override *out);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void __wrap_key_parse(struct key *out, const char *text, size_t length, uint16_t default_port)
{
    parsed++;
    __real_key_parse(out, text, length, default_port);
}

void __wrap_ruleset_find(const struct ruleset *set, const struct key *key, struct override *out)
{
    rules_asked++;
    __real_ruleset_find(set, key, out);
}

void *__wrap_malloc(size_t size)
{
    allocated++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocated++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocated++;
    return __real_realloc(old, size);
}

/* ---- a client of the listener ---- */

static struct server *server;
static int client;

static void open_server(const char *settings)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    begin(settings);
    /* in no folder: the name begins with a NUL */
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "mxc-ask-%ld", (long)getpid());
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 10), 0);
    server = server_new(&loop, &config, engine);
    assert_int_equal(server_add(server, fd, LISTEN_TCP_TABLE), 0);
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, sizeof name), 0);
    turn();
    parsed = rules_asked = 0;
}

static void close_server(void)
{
    close(client);
    server_close(server);
    end();
}

static void send_key(const char *key)
{
    char line[128];
    int length = snprintf(line, sizeof line, "get %s\n", key);

    assert_int_equal(send(client, line, (size_t)length, 0), length);
    turn();
    turn();
}

static void expect(const char *wanted)
{
    struct pollfd ready = {.fd = client, .events = POLLIN};
    char reply[256] = "";

    for (int i = 0; i < 1000 && poll(&ready, 1, 0) == 0; i++)
        turn();
    assert_true(recv(client, reply, sizeof reply - 1, MSG_DONTWAIT) > 0);
    assert_string_equal(reply, wanted);
}

static void expect_counts(unsigned parses, unsigned questions)
{
    assert_int_equal(parsed, parses);
    assert_int_equal(rules_asked, questions);
    parsed = rules_asked = 0;
}

/* ---- cases ---- */

static void a_cold_key_is_parsed_once_and_asks_the_rules_once(void **state)
{
    (void)state;
    open_server(SETTINGS);
    send_key("d.example");
    assert_int_equal(lookup_count, 1);
    answer_dane(lookups[0], false);
    answer_dane(lookups[0], true);
    expect("200 dane-only\n");
    expect_counts(1, 1);
    send_key("d.example");
    expect("200 dane-only\n");
    expect_counts(0, 0); /* the entry keeps what the rules make of it */
    send_key("D.Example.");
    expect("200 dane-only\n");
    expect_counts(1, 0); /* it is not spelt as in the cache */
    close_server();
}

static void the_rules_are_asked_again_when_they_have_changed(void **state)
{
    (void)state;
    open_server(SETTINGS RULES);
    send_key("d.example");
    expect_counts(1, 1);
    config.override.monitor = true;
    ruleset_replace(ruleset, NULL, &config.override);
    answer_dane(lookups[0], true);
    expect("500 not%20found\n");
    expect_counts(0, 1);
    config.override.monitor = false;
    close_server();
}

static void so_it_is_where_the_answer_is_withheld(void **state)
{
    (void)state;
    open_server(SETTINGS "mode = monitor\n" RULES);
    send_key("d.example");
    expect("500 not%20found\n");
    answer_dane(lookups[0], true);
    expect_counts(1, 1);
    close_server();
}

static void a_cached_key_allocates_nothing(void **state)
{
    unsigned before;

    (void)state;
    open_server(SETTINGS);
    send_key("d.example");
    answer_dane(lookups[0], true);
    expect("200 dane-only\n");
    send_key("d.example"); /* brings the waiter that is kept for the next */
    expect("200 dane-only\n");
    before = allocated;
    assert_true(before > 0);
    for (int i = 0; i < 10; i++) {
        send_key("d.example");
        expect("200 dane-only\n");
    }
    assert_int_equal(allocated, before);
    close_server();
}

static void a_used_up_share_is_asked_again(void **state)
{
    const struct engine_stats *stats;
    struct asker asker;
    struct reply reply;
    unsigned share = 0;

    (void)state;
    begin(SETTINGS);
    stats = &engine->stats;
    waiter_init(&asker.waiter, on_deliver);
    asker.waiter.share = &share;
    asker.delivered = 0;
    assert_int_equal(ask_now("d.example", &asker.waiter, &reply), ASKED_LATER);
    assert_int_equal(ask_now("d.example", NULL, &reply), ASKED_LATER);
    assert_int_equal(ask_now("192.0.2.1", &asker.waiter, &reply), ASKED_ANSWERED);
    turn();
    assert_int_equal(lookup_count, 0);
    assert_int_equal(stats->lookups, 1); /* the one that was answered */
    share = 2;
    assert_int_equal(ask_now("d.example", &asker.waiter, &reply), ASKED_WAITING);
    assert_int_equal(share, 1);
    turn();
    answer_dane(lookups[0], true);
    assert_int_equal(asker.delivered, 1);
    share = 0; /* what is cached needs none */
    assert_int_equal(ask_now("d.example", &asker.waiter, &reply), ASKED_ANSWERED);
    end();
}

/* ---- the operator asks in the same way ---- */

static char *answer_text; /* owned */

static void on_answered(struct command *command, json_t *answer, bool last)
{
    (void)command;
    assert_true(last && answer_text == NULL);
    answer_text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
}

static void a_query_of_the_operator_too(void **state)
{
    static const char line[] = "{\"command\":\"query\",\"key\":\"d.example\"}";
    static const char explain[] = "{\"command\":\"explain\",\"key\":\"d.example\"}";
    struct command_means means = {0};
    struct command command;

    (void)state;
    begin(SETTINGS);
    means.engine = engine;
    parsed = rules_asked = 0;
    command_init(&command, &means, on_answered);
    command_begin(&command, line, sizeof line - 1);
    turn();
    assert_null(answer_text);
    answer_dane(lookups[0], true);
    assert_non_null(answer_text);
    assert_non_null(strstr(answer_text, "\"text\":\"dane-only\""));
    expect_counts(1, 1);
    free(answer_text);
    answer_text = NULL;
    parsed = rules_asked = 0;
    command_begin(&command, explain, sizeof explain - 1);
    assert_non_null(answer_text);
    assert_non_null(strstr(answer_text, "\"reason\":\"dane-full\""));
    expect_counts(1, 1); /* for the report */
    free(answer_text);
    answer_text = NULL;
    command_cancel(&command);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cold_key_is_parsed_once_and_asks_the_rules_once),
        cmocka_unit_test(the_rules_are_asked_again_when_they_have_changed),
        cmocka_unit_test(so_it_is_where_the_answer_is_withheld),
        cmocka_unit_test(a_cached_key_allocates_nothing),
        cmocka_unit_test(a_used_up_share_is_asked_again),
        cmocka_unit_test(a_query_of_the_operator_too),
    };

    return cmocka_run_group_tests_name("ask", tests, NULL, NULL);
}
