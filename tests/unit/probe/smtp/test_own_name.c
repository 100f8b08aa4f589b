/*
 * own_name: with a libc of the test's own, which finds what the test says, or hangs until the test
 * lets it go on.
 */
#include <errno.h>
#include <netdb.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "probe/smtp/own_name_uv.h"
#include "tests/unit/support/rows.h"

/* ---- libc ---- */

static struct {
    const char *host;     /* of gethostname; NULL: it fails */
    const char *canon[4]; /* what is found for each attempt; NULL: `error` */
    int error[4];
    _Atomic unsigned attempts, left;
    bool hangs;
    uv_sem_t asked, go_on;
} libc;

int gethostname(char *name, size_t length)
{
    if (libc.host == NULL || strlen(libc.host) >= length) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(name, libc.host);
    return 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    unsigned n = libc.attempts++;
    struct addrinfo *found;

    assert_string_equal(name, libc.host);
    assert_null(service);
    assert_int_equal(hints->ai_flags, AI_CANONNAME);
    if (libc.hangs) {
        uv_sem_post(&libc.asked);
        uv_sem_wait(&libc.go_on);
    }
    libc.left++;
    if (n < COUNT(libc.error) && libc.error[n] != 0)
        return libc.error[n];
    found = calloc(1, sizeof *found);
    if (n < COUNT(libc.canon) && libc.canon[n] != NULL)
        found->ai_canonname = strdup(libc.canon[n]);
    *out = found;
    return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
    free(found->ai_canonname);
    free(found);
}

static void libc_reset(const char *host)
{
    memset(&libc, 0, sizeof libc);
    libc.host = host;
    uv_sem_init(&libc.asked, 0);
    uv_sem_init(&libc.go_on, 0);
}

/* ---- somebody who wants to know ---- */

struct wanted {
    uv_loop_t loop;
    struct own_name *own_name;
    unsigned calls;
    char name[300];
};

static void on_found(void *context, const char *name)
{
    struct wanted *wanted = context;

    wanted->calls++;
    strcpy(wanted->name, name == NULL ? "none" : name);
    own_name_close(wanted->own_name);
}

static void start(struct wanted *wanted)
{
    memset(wanted, 0, sizeof *wanted);
    assert_int_equal(uv_loop_init(&wanted->loop), 0);
    assert_int_equal(own_name_start(&wanted->own_name, &wanted->loop, 1, on_found, wanted), 0);
    assert_int_equal(wanted->calls, 0);
}

static void finish(struct wanted *wanted)
{
    uv_run(&wanted->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&wanted->loop), 0);
}

/* ---- what is found ---- */

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define L253                                                                                       \
    L63 "." L63 "." L63 "."                                                                        \
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"

struct row {
    const char *name, *host, *canon;
    int error;
    const char *want;
    unsigned attempts;
};

static const struct row rows[] = {
    {"a full name", "mail", "mail.example.com", 0, "mail.example.com", 1},
    {"another full name", "mail", "host7.example.net", 0, "host7.example.net", 1},
    {"no longer than names may be", "mail", L253, 0, L253, 1},
    {"longer than names may be", "mail", L253 "x", 0, "none", 1},
    {"no dot", "mail", "mail", 0, "none", 1},
    {"no host name", "mail", "mail_1.example.com", 0, "none", 1},
    {"an address", "mail", "192.0.2.1", 0, "none", 1},
    {"a command in it", "mail", "mail.example.com\r\nQUIT", 0, "none", 1},
    {"without a name", "mail", NULL, 0, "none", 1},
    {"not found", "mail", NULL, EAI_NONAME, "none", 1},
    {"no name to ask for", NULL, NULL, 0, "none", 0},
};

static void what_is_found(void **state)
{
    const struct row *row = *state;
    struct wanted wanted;

    libc_reset(row->host);
    libc.canon[0] = row->canon;
    libc.error[0] = row->error;
    start(&wanted);
    finish(&wanted);
    assert_int_equal(wanted.calls, 1);
    assert_string_equal(wanted.name, row->want);
    assert_int_equal(libc.attempts, row->attempts);
}

static void what_fails_is_tried_again(void **state)
{
    struct wanted wanted;

    (void)state;
    libc_reset("mail");
    libc.error[0] = EAI_AGAIN;
    libc.error[1] = EAI_FAIL;
    libc.error[2] = EAI_SYSTEM;
    libc.canon[3] = "mail.example.com";
    start(&wanted);
    finish(&wanted);
    assert_int_equal(wanted.calls, 1);
    assert_string_equal(wanted.name, "mail.example.com");
    assert_int_equal(libc.attempts, 4);
}

/* The loop is empty at once; what the thread finds afterwards is nobody's. */
static void closing_does_not_wait(void **state)
{
    struct wanted wanted;

    (void)state;
    libc_reset("mail");
    libc.canon[0] = "mail.example.com";
    libc.hangs = true;
    start(&wanted);
    uv_sem_wait(&libc.asked);
    own_name_close(wanted.own_name);
    finish(&wanted);
    assert_int_equal(wanted.calls, 0);
    uv_sem_post(&libc.go_on);
    while (libc.left == 0)
        sched_yield();
}

/* Found, but not told yet. */
static void closing_when_it_was_found(void **state)
{
    struct wanted wanted;

    (void)state;
    libc_reset("mail");
    libc.canon[0] = "mail.example.com";
    start(&wanted);
    while (libc.left == 0)
        sched_yield();
    own_name_close(wanted.own_name);
    finish(&wanted);
    assert_int_equal(wanted.calls, 0);
}

static void closing_before_the_next_attempt(void **state)
{
    struct wanted wanted;

    (void)state;
    libc_reset("mail");
    libc.error[0] = EAI_AGAIN;
    memset(&wanted, 0, sizeof wanted);
    assert_int_equal(uv_loop_init(&wanted.loop), 0);
    assert_int_equal(
        own_name_start(&wanted.own_name, &wanted.loop, UINT64_C(3600000), on_found, &wanted), 0);
    uv_run(&wanted.loop, UV_RUN_ONCE);
    own_name_close(wanted.own_name);
    own_name_close(NULL);
    finish(&wanted);
    assert_int_equal(wanted.calls, 0);
    assert_int_equal(libc.attempts, 1);
}

int main(void)
{
    ROWS_ADD(rows, what_is_found);
    ROWS_ADD_TEST(what_fails_is_tried_again);
    ROWS_ADD_TEST(closing_does_not_wait);
    ROWS_ADD_TEST(closing_when_it_was_found);
    ROWS_ADD_TEST(closing_before_the_next_attempt);
    return rows_run("own_name");
}
