/* control: the socket survives a moment without memory, or without descriptors. Compiled in here, to
 * run out of both. */
#include <stdbool.h>
#include <stdlib.h>

static bool no_memory;

static void *scarce_calloc(size_t count, size_t size)
{
    return no_memory ? NULL : calloc(count, size);
}

#define calloc scarce_calloc
#include "daemon/control/control.c"
#undef calloc

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/serve/socket.h"
#include "tests/unit/support/unit.h"

static uv_loop_t loop;
static struct config config;
static struct engine *engine;
static struct server *server;
static struct control *control;
static char path[64];

static int set_up(void **state)
{
    const struct domain_tools tools = {.smtp_port = 25};
    const struct listen_address address = {.path = path, .mode = 0600};
    char error[CONFIG_ERROR_MAX], why[SOCKET_ERROR_MAX];
    static const char settings[] = "store =\n"
                                   "helo-name = mx.example\n";

    (void)state;
    snprintf(path, sizeof path, "/tmp/mxc-control-%ld", (long)getpid());
    assert_int_equal(config_parse(&config, "test", settings, sizeof settings - 1, NULL, 0, error),
                     0);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(engine_new(&engine, &loop, &config, &tools, NULL), 0);
    server = server_new(&loop, &config, engine);
    control = control_new(&loop, engine, server, NULL);
    return control_add(control, socket_listen(&address, why));
}

static int tear_down(void **state)
{
    (void)state;
    control_close(control);
    server_close(server);
    engine_close(engine);
    uv_run(&loop, UV_RUN_DEFAULT);
    engine_free(engine);
    assert_int_equal(uv_loop_close(&loop), 0);
    config_fini(&config);
    return unlink(path);
}

static int silent_client(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

static int client(void)
{
    static const char request[] = "{\"command\":\"cache-flush\"}\n";
    int fd = silent_client();

    assert_int_equal(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
    return fd;
}

/* The answer, once the loop has brought it. */
static void expect_answer(int fd)
{
    char answer[64] = "";

    while (recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT) < 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_string_equal(answer, "{\"flushed\":0}\n");
    close(fd);
}

static void a_moment_without_memory_does_not_close_it(void **state)
{
    int first = client(), second;

    (void)state;
    no_memory = true;
    for (int i = 0; i < 3; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    no_memory = false;
    second = client();
    expect_answer(first);
    expect_answer(second);
}

static bool is_closed(int fd)
{
    char octet;

    return recv(fd, &octet, 1, MSG_DONTWAIT) == 0;
}

/* Neither libuv nor we have one to spare: a descriptor of a connection must do, or libuv 1.44 never
 * returns to the loop. */
static void without_a_spare_descriptor_a_connection_gives_way(void **state)
{
    struct rlimit usual, none;
    int first, second, gap;

    (void)state;
    if (uv_version() >= 0x012d00)
        skip(); /* it tries once in a turn, and keeps its errors to itself */
    alarm(60);  /* the loop does not come back: a failure */
    first = silent_client();
    uv_run(&loop, UV_RUN_NOWAIT);
    second = silent_client();
    spare_fd_give(&control->spare);
    close(loop.emfile_fd);
    loop.emfile_fd = -1;
    while ((gap = open("/dev/null", O_RDONLY)) < second)
        assert_true(gap >= 0);
    close(gap);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = (struct rlimit){(rlim_t)gap, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_true(is_closed(first));
    assert_true(is_closed(second));
    expect_answer(client());
    assert_true(control->spare.fd >= 0);
    close(first);
    close(second);
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_moment_without_memory_does_not_close_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_a_spare_descriptor_a_connection_gives_way, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
