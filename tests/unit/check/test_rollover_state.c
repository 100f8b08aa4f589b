/* test_rollover_state: the file of a rollover: what is written is read again, and nothing else. */
#include "tests/unit/support/certs.h"
#include "tests/unit/support/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "check/rollover/rollover_state.h"

static struct arena *arena;
static struct rollover made;
static char why[ROLLOVER_WHY_MAX];

static struct rollover_chain chain_of(const char *name)
{
    struct cert cert = cert_make(&(struct cert_spec){.cn = name});
    struct tls_shown shown = {.count = 1};
    struct rollover_chain chain;
    unsigned char *der = NULL;
    int length = i2d_X509(cert.x509, &der);

    shown.certificates[0] =
        (struct tls_der){arena_memdup(arena, der, (size_t)length), (size_t)length};
    assert_true(rollover_chain_make(&chain, arena, &shown));
    OPENSSL_free(der);
    cert_free(&cert);
    return chain;
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(1 << 24);
    made = (struct rollover){.state = ROLLOVER_RIPE,
                             .host_count = 2,
                             .hosts = {"mx1.example.org", "mx2.example.org"},
                             .port = 25,
                             .next = chain_of("next"),
                             .current = chain_of("current"),
                             .released = true,
                             .installed = true,
                             .without_count = 2,
                             .without = {"ns1.example.org", "192.0.2.1"},
                             .unseen_count = 2,
                             .unseen = {"192.0.2.25", "2001:db8::25"},
                             .since = 2000,
                             .published_at = 1000,
                             .went_back_at = 1500,
                             .stepped_at = 3000,
                             .ttl = 300};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void what_is_written_is_read(void **state)
{
    struct rollover read;
    struct buf text, again;

    (void)state;
    buf_init(&text, ROLLOVER_STATE_MAX);
    buf_init(&again, ROLLOVER_STATE_MAX);
    rollover_state_text(&text, &made);
    assert_true(rollover_state_parse(&read, arena, text.data, text.length, why));
    assert_int_equal(read.state, ROLLOVER_RIPE);
    assert_string_equal(read.next.sha256, made.next.sha256);
    assert_string_equal(read.hosts[1], "mx2.example.org");
    rollover_state_text(&again, &read);
    assert_string_equal(buf_text(&text), buf_text(&again));
    buf_fini(&text);
    buf_fini(&again);
}

/* What is put in the place of something, and must be refused. */
static const struct {
    const char *was, *is;
} spoilt[] = {
    {"\"ripe\"", "\"rotten\""},
    {"\"port\": 25", "\"port\": 0"},
    {"\"port\": 25", "\"port\": 65536"},
    {"\"ttl\": 300", "\"ttl\": -1"},
    {"\"ttl\": 300", "\"ttl\": 604801"},
    {"\"ttl\": 300", "\"ttl\": 300, \"more\": 1"},
    {"\"ttl\": 300", "\"ttl\": \"300\""},
    {"\"ttl\": 300", "\"ttl\": 300, \"ttl\": 300"},
    {"\"version\": 1", "\"version\": 2"},
    {"\"mx1.example.org\"", "\"MX1.example.org\""},
    {"\"mx1.example.org\"", "\"\""},
    {"\"mx1.example.org\"", "7"},
    {"\"published_at\": 1000", "\"published_at\": 0"}, /* ripe, and never published */
    {"\"since\": 2000", "\"since\": -1"},
    {"\"since\": 2000", "\"since\": 253402300800"},
    {"\"published_at\": 1000", "\"published_at\": 253402300800"},
    {"\"stepped_at\": 3000", "\"stepped_at\": -1"},
    {"\"stepped_at\": 3000", "\"stepped_at\": 253402300800"},
    {"\"stepped_at\": 3000", "\"stepped_at\": false"},
    {"\"went_back_at\": 1500", "\"went_back_at\": -1"},
    {"\"went_back_at\": 1500", "\"went_back_at\": 253402300800"},
    {"\"installed\": true", "\"installed\": 1"},
    {"\"differs\": false", "\"differs\": 0"},
    {"\"ns1.example.org\"", "\"NS1.example.org\""},
    {"\"ns1.example.org\"", "\"192.0.2.1\""}, /* twice */
    {"\"ns1.example.org\"", "[]"},
    {"\"192.0.2.25\"", "\"mx.example.org\""},
    {"\"192.0.2.25\"", "\"2001:db8::25\""}, /* twice */
    {"\"2001:db8::25\"", "\"2001:DB8::25\""},
    {"\"192.0.2.25\"", "[]"},
    {"\"without_addresses\": [", "\"without_addresses\": [\"192.0.2.1\", \"192.0.2.2\", "
                                 "\"192.0.2.3\", \"192.0.2.4\", \"192.0.2.5\", \"192.0.2.6\", "
                                 "\"192.0.2.7\", "}, /* nine */
    {"\"3082", "\"3081"},
    {"\"3082", "\"3g82"},
    {"\"3082", "\"308"},
};

static void nothing_else_is_read(void **state)
{
    struct rollover read;
    struct buf text, bad;

    (void)state;
    buf_init(&text, ROLLOVER_STATE_MAX);
    rollover_state_text(&text, &made);
    for (size_t i = 0; i < COUNT(spoilt); i++) {
        const char *at = strstr(text.data, spoilt[i].was);

        assert_non_null(at);
        buf_init(&bad, ROLLOVER_STATE_MAX);
        buf_add(&bad, text.data, (size_t)(at - text.data));
        buf_adds(&bad, spoilt[i].is);
        buf_adds(&bad, at + strlen(spoilt[i].was));
        if (rollover_state_parse(&read, arena, bad.data, bad.length, why))
            fail_msg("%s was read", spoilt[i].is);
        buf_fini(&bad);
    }
    for (size_t length = 0; length < text.length - 2; length += 7)
        assert_false(rollover_state_parse(&read, arena, text.data, length, why));
    buf_fini(&text);
}

/* As written before 'differs', 'stepped_at' and 'went_back_at': it waits. */
static void an_older_state(void **state)
{
    static const char *const new[] = {" \"differs\": false,\n", " \"stepped_at\": 3000,\n",
                                      " \"went_back_at\": 1500,\n"};
    struct rollover read;
    struct buf text;

    (void)state;
    buf_init(&text, ROLLOVER_STATE_MAX);
    rollover_state_text(&text, &made);
    for (size_t i = 0; i < COUNT(new); i++) {
        char *at = strstr(text.data, new[i]);

        assert_non_null(at);
        memset(at, ' ', strlen(new[i]));
    }
    assert_true(rollover_state_parse(&read, arena, text.data, text.length, why));
    assert_true(read.differs);
    assert_int_equal(read.stepped_at, 2000);
    assert_int_equal(read.went_back_at, 0);
    buf_fini(&text);
}

static void a_file_is_replaced_and_locked(void **state)
{
    char folder[] = "/tmp/mxcrypt-test-XXXXXX", path[64], lock[80];
    struct rollover read;
    int one, other;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/state", folder);
    snprintf(lock, sizeof lock, "%s.lock", path);
    assert_int_equal(rollover_state_read(&read, arena, path, why), 0);
    assert_true(rollover_state_write(&made, path, why));
    assert_int_equal(rollover_state_read(&read, arena, path, why), 1);
    one = rollover_state_lock(path, 0, why);
    assert_true(one >= 0);
    other = rollover_state_lock(path, 0, why);
    assert_int_equal(other, -1);
    assert_string_equal(why, "another mxcrypt rollover is at work");
    close(one);
    other = rollover_state_lock(path, 0, why);
    assert_true(other >= 0);
    close(other);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(rollover_state_write(&made, path, why));
    assert_int_equal(rollover_state_read(&read, arena, path, why), -1);
    rmdir(path);
    unlink(lock);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- files of others ---- */

static char folder[] = "/tmp/mxcrypt-test-XXXXXX";

static const char *file_in(const char *name)
{
    static char path[64];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void expect_unread(const char *words)
{
    struct rollover read;

    assert_int_equal(rollover_state_read(&read, arena, file_in("state"), why), -1);
    assert_string_equal(why, words);
    assert_int_equal(read.host_count, 0);
}

static void what_others_may_have_written(void **state)
{
    struct rollover read;
    char target[64];

    (void)state;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    strcpy(target, file_in("target"));
    assert_true(rollover_state_write(&made, target, why));
    assert_int_equal(symlink(target, file_in("state")), 0);
    expect_unread("it is a symbolic link");
    assert_false(rollover_state_write(&made, file_in("state"), why));
    assert_int_equal(unlink(file_in("state")), 0);
    assert_int_equal(mkfifo(file_in("state"), 0600), 0);
    expect_unread("it is no plain file");
    assert_int_equal(unlink(file_in("state")), 0);
    assert_int_equal(rename(target, file_in("state")), 0);
    assert_int_equal(chmod(file_in("state"), 0602), 0);
    expect_unread("others may write to it");
    assert_int_equal(chmod(file_in("state"), 0620), 0);
    expect_unread("others may write to it");
    assert_int_equal(chmod(file_in("state"), 0644), 0);
    assert_int_equal(rollover_state_read(&read, arena, file_in("state"), why), 1);
    if (geteuid() == 0) {
        assert_int_equal(chown(file_in("state"), 12345, 0), 0);
        expect_unread("it belongs to another user");
    }
    unlink(file_in("state"));
    strcpy(target, file_in("elsewhere"));
    assert_int_equal(symlink(target, file_in("state.lock")), 0);
    assert_int_equal(rollover_state_lock(file_in("state"), 0, why), -1);
    assert_int_equal(access(file_in("elsewhere"), F_OK), -1);
    unlink(file_in("state.lock"));
    assert_int_equal(rmdir(folder), 0);
}

/* The old state stays, and nothing is left behind. */
static void a_disk_that_is_full(void **state)
{
    struct rlimit before, little = {100, 100};
    struct rollover read;

    (void)state;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_true(rollover_state_write(&made, file_in("state"), why));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    little.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &little);
    made.state = ROLLOVER_DEPLOYED;
    assert_false(rollover_state_write(&made, file_in("state"), why));
    setrlimit(RLIMIT_FSIZE, &before);
    made.state = ROLLOVER_RIPE;
    assert_string_equal(why, strerror(EFBIG));
    assert_int_equal(rollover_state_read(&read, arena, file_in("state"), why), 1);
    assert_int_equal(read.state, ROLLOVER_RIPE);
    assert_int_equal(unlink(file_in("state")), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void a_chain_that_is_too_large(void **state)
{
    struct rollover large = made;
    uint8_t *data = calloc(1, ROLLOVER_STATE_MAX / 2);

    (void)state;
    assert_non_null(data);
    large.next.shown.certificates[0] = (struct tls_der){data, ROLLOVER_STATE_MAX / 2};
    assert_false(rollover_state_write(&large, "/nonexistent/state", why));
    assert_string_equal(why, "the certificates are too large for it, or there is no memory");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_others_may_have_written),
        cmocka_unit_test(a_disk_that_is_full),
        cmocka_unit_test(a_chain_that_is_too_large),
        cmocka_unit_test(an_older_state),
        cmocka_unit_test(nothing_else_is_read),
        cmocka_unit_test(a_file_is_replaced_and_locked),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
