/*
 * server: connections that cannot be accepted because there is no descriptor, also when libuv has
 * lost the one that it keeps for that (then 1.44 tries for ever, with a call for each attempt).
 */
#include "tests/unit/support/fake_domain.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/serve/server.h"

#define CLIENTS 20

static struct server *server;
static char path[64];
static struct rlimit usual;

static int client(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

static void open_server(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    alarm(60); /* one that tries for ever is a failure */
    begin(SETTINGS);
    snprintf(path, sizeof path, "/tmp/mxc-accept-%ld", (long)getpid());
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 100), 0);
    server = server_new(&loop, &config, engine);
    assert_int_equal(server_add(server, fd, LISTEN_SOCKETMAP), 0);
    turn();
}

static void close_server(void)
{
    server_close(server);
    end();
    unlink(path);
    alarm(0);
}

/* From now on there is no descriptor any more, but those that are closed. */
static void take_descriptors(void)
{
    struct rlimit none;
    int next = dup(0);

    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = (struct rlimit){(rlim_t)next, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void give_descriptors(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

static bool is_closed(int fd)
{
    char octet;

    return recv(fd, &octet, 1, MSG_DONTWAIT) == 0;
}

static uint64_t not_accepted(void)
{
    struct server_stats stats;

    server_get_stats(server, &stats);
    return stats.not_accepted;
}

/* Asks for what needs no lookup. */
static void must_answer(int fd)
{
    static const char request[] = "16:policy 192.0.2.1,";
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char reply[64] = "";

    assert_int_equal(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
    for (int i = 0; i < 1000 && poll(&ready, 1, 0) == 0; i++)
        turn();
    assert_true(recv(fd, reply, sizeof reply - 1, 0) > 0);
    assert_string_equal(reply, "9:NOTFOUND ,");
}

static void refuse_all(bool libuv_has_spare)
{
    int clients[CLIENTS], before, after;

    open_server();
    before = client();
    turn();
    must_answer(before);
    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = client();
    if (!libuv_has_spare) {
        close(loop.emfile_fd);
        loop.emfile_fd = -1;
        while ((after = open("/dev/null", O_RDONLY)) < clients[CLIENTS - 1]) /* fills the gaps */
            assert_true(after >= 0);
        close(after);
    }
    take_descriptors();
    for (int i = 0; i < CLIENTS + 2; i++)
        turn();
    for (size_t i = 0; i < COUNT(clients); i++) {
        assert_true(is_closed(clients[i]));
        close(clients[i]);
    }
    if (!libuv_has_spare) /* and maybe once more: without a descriptor accept(2) does not look */
        assert_in_range(not_accepted(), CLIENTS, CLIENTS + 1);
    must_answer(before);
    give_descriptors();
    after = client();
    turn();
    must_answer(after);
    close(before);
    close(after);
    close_server();
}

static void libuv_refuses_them(void **state)
{
    (void)state;
    refuse_all(true);
}

static void libuv_cannot_and_we_do(void **state)
{
    (void)state;
    if (uv_version() >= 0x012d00) { /* tries once in a turn, and keeps its errors to itself */
        print_message("  libuv %s does not ask\n", uv_version_string());
        return;
    }
    refuse_all(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libuv_refuses_them),
        cmocka_unit_test(libuv_cannot_and_we_do),
    };

    return cmocka_run_group_tests_name("accept", tests, NULL, NULL);
}
