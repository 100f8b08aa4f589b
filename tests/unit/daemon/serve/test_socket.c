/* socket: Unix sockets as the file system sees them. */
#include "daemon/serve/socket.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/support/unit.h"

static char folder[64], inner[80], path[96];
static char error[SOCKET_ERROR_MAX];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mxc-socket-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(inner, sizeof inner, "%s/mxcrypt", folder);
    snprintf(path, sizeof path, "%s/policy.sock", inner);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    rmdir(inner);
    return rmdir(folder);
}

static unsigned mode_of(const char *name)
{
    struct stat status;

    assert_int_equal(lstat(name, &status), 0);
    return status.st_mode & 0777;
}

static int listen_at_path(void)
{
    const struct listen_address address = {.path = path, .mode = 0666};

    return socket_listen(&address, error);
}

/* The unit has UMask=0077: a folder made with that is closed to user postfix, and all mail waits.
 */
static void postfix_gets_through_whatever_the_umask(void **state)
{
    mode_t mask = umask(077);
    int fd = listen_at_path();

    (void)state;
    umask(mask);
    assert_true(fd >= 0);
    assert_int_equal(mode_of(inner), 0755);
    assert_int_equal(mode_of(path), 0666);
    close(fd);
}

static void a_dead_socket_is_replaced_and_a_live_one_kept(void **state)
{
    int first = listen_at_path(), second = listen_at_path();

    (void)state;
    assert_true(first >= 0);
    assert_int_equal(second, -1);
    assert_non_null(strstr(error, "another process listens"));
    close(first);
    second = listen_at_path();
    assert_true(second >= 0);
    close(second);
}

/* Not a stream socket, so nothing can be told about it by connecting. */
static void a_socket_of_another_kind_is_kept(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)state;
    assert_int_equal(mkdir(inner, 0755), 0);
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    assert_int_equal(bind(other, (const struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen_at_path(), -1);
    assert_non_null(strstr(error, "cannot tell who listens"));
    close(other);
}

static void what_is_no_socket_is_kept(void **state)
{
    (void)state;
    assert_int_equal(mkdir(inner, 0755), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(listen_at_path(), -1);
    assert_non_null(strstr(error, "not a socket"));
}

/* Somebody else's file must not be given away in place of a socket. */
static void owner_and_mode_are_the_sockets(void **state)
{
    struct listen_address address = {.path = path, .mode = 0640, .group = "nogroup"};
    struct stat status;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    fd = socket_listen(&address, error);
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(mode_of(path), 0640);
    assert_int_equal(status.st_uid, 0);
    assert_int_not_equal(status.st_gid, 0);
    close(fd);
    address.owner = "no-such-user";
    assert_int_equal(socket_listen(&address, error), -1);
    assert_non_null(strstr(error, "no such user: no-such-user"));
}

/* A socket that was handed over is not opened again. */
static void a_socket_knows_its_address(void **state)
{
    const struct listen_address here = {.path = path, .mode = 0600}, there = {.path = "/x"};
    struct listen_address tcp = {.ip = {.family = 4, .octets = {127, 0, 0, 1}}};
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    int fd = socket_listen(&here, error), tcp_fd = socket_listen(&tcp, error);

    (void)state;
    assert_true(fd >= 0 && tcp_fd >= 0);
    assert_int_equal(getsockname(tcp_fd, (struct sockaddr *)&name, &length), 0);
    tcp.port = ntohs(name.sin_port);
    assert_true(socket_is_at(fd, &here) && !socket_is_at(fd, &there) && !socket_is_at(fd, &tcp));
    assert_true(socket_is_at(tcp_fd, &tcp) && !socket_is_at(tcp_fd, &here));
    tcp.port++;
    assert_false(socket_is_at(tcp_fd, &tcp));
    close(fd);
    close(tcp_fd);
}

/* Whoever ends late must not take the socket of the one after it. */
static void only_its_own_socket_is_removed(void **state)
{
    const struct listen_address address = {.path = path, .mode = 0600};
    struct socket_file first, second;
    int first_fd = socket_listen(&address, error), second_fd;

    (void)state;
    assert_true(first_fd >= 0);
    socket_find(&first, path);
    assert_int_equal(unlink(path), 0);
    second_fd = socket_listen(&address, error);
    assert_true(second_fd >= 0);
    socket_find(&second, path);
    socket_remove(path, &first);
    assert_int_equal(access(path, F_OK), 0);
    socket_remove(path, &second);
    assert_int_equal(access(path, F_OK), -1);
    socket_remove(path, &second);
    socket_find(&first, path);
    assert_int_equal(first.inode, 0);
    close(first_fd);
    close(second_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(postfix_gets_through_whatever_the_umask, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_socket_is_replaced_and_a_live_one_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_socket_of_another_kind_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_socket_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(owner_and_mode_are_the_sockets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_knows_its_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_its_own_socket_is_removed, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
