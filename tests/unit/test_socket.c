/* socket: folders, modes and what is in the way of a Unix socket. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/socket.h"

static char folder[64], path[96];

static int make_place(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mxc-socket-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/below/policy.sock", folder);
    return 0;
}

static int remove_place(void **state)
{
    char below[80];

    (void)state;
    unlink(path);
    snprintf(below, sizeof below, "%s/below", folder);
    rmdir(below);
    return rmdir(folder);
}

static mode_t mode_of(const char *name)
{
    struct stat status;

    assert_int_equal(stat(name, &status), 0);
    return status.st_mode & 07777;
}

static int open_at(unsigned mode, char error[SOCKET_ERROR_MAX])
{
    const struct listen_address address = {.path = path, .mode = mode};

    return socket_listen(&address, error);
}

static void user_postfix_can_enter_whatever_the_umask(void **state)
{
    char error[SOCKET_ERROR_MAX], below[80];
    mode_t before = umask(0077);
    int fd = open_at(0666, error);

    (void)state;
    umask(before);
    assert_true(fd >= 0);
    snprintf(below, sizeof below, "%s/below", folder);
    assert_int_equal(mode_of(below), 0755);
    assert_int_equal(mode_of(path), 0666);
    close(fd);
}

static void the_mode_is_the_one_asked_for(void **state)
{
    char error[SOCKET_ERROR_MAX];
    int fd = open_at(0600, error);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(mode_of(path), 0600);
    close(fd);
}

static void a_socket_left_behind_is_replaced(void **state)
{
    char error[SOCKET_ERROR_MAX];
    int dead = open_at(0666, error), fd;

    (void)state;
    assert_true(dead >= 0);
    close(dead);
    fd = open_at(0666, error);
    assert_true(fd >= 0);
    close(fd);
}

static void a_living_one_is_not(void **state)
{
    char error[SOCKET_ERROR_MAX];
    int living = open_at(0666, error);

    (void)state;
    assert_true(living >= 0);
    assert_int_equal(open_at(0666, error), -1);
    assert_non_null(strstr(error, "another process listens on"));
    close(living);
}

static void a_file_in_the_way_stays(void **state)
{
    char error[SOCKET_ERROR_MAX];
    int fd = open_at(0666, error);
    FILE *file;

    (void)state;
    close(fd);
    unlink(path);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(open_at(0666, error), -1);
    assert_non_null(strstr(error, "not a socket"));
    assert_int_equal(access(path, F_OK), 0);
}

static void an_unknown_group(void **state)
{
    const struct listen_address address = {.path = path, .mode = 0666, .group = "no-such-group"};
    char error[SOCKET_ERROR_MAX];

    (void)state;
    assert_int_equal(socket_listen(&address, error), -1);
    assert_non_null(strstr(error, "no such group: no-such-group"));
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACED(user_postfix_can_enter_whatever_the_umask),
        PLACED(the_mode_is_the_one_asked_for),
        PLACED(a_socket_left_behind_is_replaced),
        PLACED(a_living_one_is_not),
        PLACED(a_file_in_the_way_stays),
        PLACED(an_unknown_group),
    };

    return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
