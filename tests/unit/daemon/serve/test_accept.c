/*
 * server: connections that cannot be accepted because there is no descriptor: they get the place of
 * the spare one and are closed. Without a spare one they wait, and the loop does not.
 */
#include "tests/unit/support/fake_domain.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/serve/server_internal.h"
#include "tests/unit/support/virtual_clock.h"

#define CLIENTS         20
#define SWEEP_PASSES_MS 1100

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

    alarm(60); /* a loop that tries for ever is a failure */
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

static void spare_one_refuses_them(void **state)
{
    int clients[CLIENTS], before, after;

    (void)state;
    open_server();
    before = client();
    turn();
    must_answer(before);
    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = client();
    take_descriptors();
    for (int i = 0; i < CLIENTS + 2; i++)
        turn();
    for (size_t i = 0; i < COUNT(clients); i++) {
        assert_true(is_closed(clients[i]));
        close(clients[i]);
    }
    /* and maybe once more: without a descriptor accept(2) does not look */
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

/* As when it could not be opened at the start; returns the descriptor that has its place. */
static int lose_spare_one(void)
{
    spare_fd_fini(&server->spare);
    return open("/dev/null", O_RDONLY);
}

static void without_a_spare_one_they_wait(void **state)
{
    int waiting, filler, tried;

    (void)state;
    open_server();
    waiting = client();
    filler = lose_spare_one();
    take_descriptors();
    for (int i = 0; i < CLIENTS; i++)
        turn();
    tried = (int)not_accepted();
    assert_in_range(tried, 1, 2);
    give_descriptors();
    virtual_clock_pass(SWEEP_PASSES_MS);
    must_answer(waiting);
    close(filler);
    close(waiting);
    close_server();
}

/* The next connection gets the descriptor of the one that has been idle longest. */
static void without_a_spare_one_the_idle_yield(void **state)
{
    int idle, next, filler;

    (void)state;
    open_server();
    idle = client();
    turn();
    must_answer(idle);
    next = client();
    filler = lose_spare_one();
    take_descriptors();
    must_answer(next);
    assert_true(is_closed(idle));
    give_descriptors();
    close(filler);
    close(idle);
    close(next);
    close_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spare_one_refuses_them),
        cmocka_unit_test(without_a_spare_one_they_wait),
        cmocka_unit_test(without_a_spare_one_the_idle_yield),
    };

    return cmocka_run_group_tests_name("accept", tests, NULL, NULL);
}
