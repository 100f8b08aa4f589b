/* exim: requests as ${readsocket} sends them, and a connection that ends with its one reply. */
#include "tests/unit/support/fake_domain.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/serve/server.h"
#include "daemon/serve/protocol.h"
#include "tests/unit/support/virtual_clock.h"

#define MALFORMED "level=temp reason=\"malformed request\"\n"
#define DANE_ONLY "level=dane-only dane=require require_tls=yes verify=no\n"

/* ---- requests ---- */

static const struct {
    const char *input;
    enum parse_status want;
    const char *key;
} rows[] = {
    {"exim1 a.example\n", PARSE_REQUEST, "a.example"},
    {"exim1 [a.example]:587\nexim1 b\n", PARSE_REQUEST, "[a.example]:587"},
    {"exim1 a.example", PARSE_MORE, NULL},
    {"exim", PARSE_MORE, NULL},
    {"exim1 \n", PARSE_MALFORMED, NULL},
    {"exim1 a b\n", PARSE_MALFORMED, NULL},
    {"exim1 a\r\n", PARSE_MALFORMED, NULL},
    {"exim1 a\tb\n", PARSE_MALFORMED, NULL},
    {"exim1 \xc3\xa4.example\n", PARSE_MALFORMED, NULL},
    {"exim2 a.example\n", PARSE_CLOSE, NULL},
    {"EXIM1 a.example\n", PARSE_CLOSE, NULL},
    {"exim1\n", PARSE_CLOSE, NULL},
    {"\n", PARSE_CLOSE, NULL},
    {"GET / HTTP/1.1\r\n", PARSE_CLOSE, NULL},
    {"16:policy 192.0.2.1,", PARSE_CLOSE, NULL},
};

static enum parse_status parse(const char *text, size_t length, size_t *used,
                               struct request *request)
{
    char *input = malloc(length); /* so that what is read beyond it is seen */
    enum parse_status status;

    memcpy(input, text, length);
    status = exim_protocol.parse(input, length, used, NULL, request);
    if (status == PARSE_REQUEST)
        request->key = text + (request->key - input);
    free(input);
    return status;
}

static void requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request request = {0};
        size_t used = 0;

        if (parse(rows[i].input, strlen(rows[i].input), &used, &request) != rows[i].want)
            fail_msg("%s", rows[i].input);
        if (rows[i].want != PARSE_REQUEST)
            continue;
        assert_int_equal(request.key_length, strlen(rows[i].key));
        assert_memory_equal(request.key, rows[i].key, request.key_length);
        assert_int_equal(rows[i].input[used - 1], '\n');
    }
}

static void a_key_has_its_limit(void **state)
{
    static const struct {
        size_t length;
        bool ended;
        enum parse_status want;
    } table[] = {
        {KEY_MAX, true, PARSE_REQUEST},
        {KEY_MAX, false, PARSE_MORE},
        {KEY_MAX + 1, true, PARSE_MALFORMED},
        {KEY_MAX + 1, false, PARSE_CLOSE},
    };
    char line[KEY_MAX + 16];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct request request;
        size_t used, length = strlen("exim1 ") + table[i].length;

        memcpy(line, "exim1 ", 6);
        memset(line + 6, 'a', table[i].length);
        line[length] = '\n';
        assert_int_equal(parse(line, length + table[i].ended, &used, &request), table[i].want);
    }
}

/* ---- a connection ---- */

static struct server *server;
static struct sockaddr_un name;

static void open_server(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    begin(SETTINGS);
    /* in no folder: the name begins with a NUL */
    name = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "mxc-exim-%ld", (long)getpid());
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 10), 0);
    server = server_new(&loop, &config, engine);
    assert_int_equal(server_add(server, fd, LISTEN_EXIM), 0);
}

static void close_server(void)
{
    server_close(server);
    end();
}

/* A client that has sent its request and, as Exim does, says that it sends no more. */
static int send_request(const char *request, bool half_close)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    if (half_close)
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (int i = 0; i < 3; i++)
        turn();
    return fd;
}

/* Everything until the end of the connection, which comes by itself. */
static void expect_all(int fd, const char *wanted)
{
    char text[512] = "";
    size_t length = 0;
    ssize_t got = 1;

    while (got > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};

        for (int i = 0; i < 1000 && poll(&ready, 1, 0) == 0; i++)
            turn();
        got = recv(fd, text + length, sizeof text - 1 - length, MSG_DONTWAIT);
        assert_true(got >= 0);
        length += (size_t)got;
    }
    assert_string_equal(text, wanted);
    close(fd);
}

static void the_connection_ends_with_the_reply(void **state)
{
    (void)state;
    open_server();
    expect_all(send_request("exim1 192.0.2.1\n", true), "level=notfound\n");
    expect_all(send_request("exim1 192.0.2.1\n", false), "level=notfound\n");
    expect_all(send_request("exim1 a b\n", true), MALFORMED);
    expect_all(send_request("exim1 a b\n", false), MALFORMED);
    expect_all(send_request("exim1 a.exa", true), "");
    expect_all(send_request("get a.example\n", false), "");
    close_server();
}

static void only_one_is_answered(void **state)
{
    (void)state;
    open_server();
    expect_all(send_request("exim1 192.0.2.1\nexim1 192.0.2.2\n", true), "level=notfound\n");
    expect_all(send_request("exim1 a b\nexim1 192.0.2.2\n", true), MALFORMED);
    close_server();
}

static void the_reply_may_come_later(void **state)
{
    int first, second;

    (void)state;
    open_server();
    first = send_request("exim1 d.example\n", true);
    second = send_request("exim1 d.example\nexim1 192.0.2.1\n", false);
    assert_int_equal(lookup_count, 1);
    answer_dane(lookups[0], false);
    answer_dane(lookups[0], true);
    expect_all(first, DANE_ONLY);
    expect_all(second, DANE_ONLY);
    expect_all(send_request("exim1 d.example\n", true), DANE_ONLY);
    close_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(a_key_has_its_limit),
        cmocka_unit_test(the_connection_ends_with_the_reply),
        cmocka_unit_test(only_one_is_answered),
        cmocka_unit_test(the_reply_may_come_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
