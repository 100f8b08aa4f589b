/* verifier: OpenPGP signatures of a real gpg(1), verified by another process; and that process gone,
 * stopped, and late. */
#include "tests/unit/daemon/lists/lists_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "daemon/lists/verifier.h"

#define PATIENCE_MS 30000
/* So that a verifier that says nothing is waited for a tenth of a second. */
#define IMPATIENCE_MS (100 - VERIFIER_SPARE_MS)
#define LINE          "policy-list = FOLDER/list key=FOLDER/key.pgp fingerprint="

static struct verifier *verifier;
static char fingerprint[OPENPGP_FINGERPRINT_MAX + 1];
static char home[64];

static int run_command(const char *command)
{
    char text[1024];

    snprintf(text, sizeof text, "cd %s && export GNUPGHOME=%s LC_ALL=C && %s", folder, home,
             command);
    return system(text);
}

#define GPG                                                                                        \
    "gpg --no-options --batch --yes --quiet --no-tty --pinentry-mode loopback --passphrase '' "

static int make_openpgp_key(void **state)
{
    struct buf text;

    virtual_clock_stop(); /* gpgv's deadline is waited for by poll(2) */
    snprintf(home, sizeof home, "/tmp/mxc-gnupg-XXXXXX");
    if (mkdtemp(home) == NULL || make_folder(state) != 0)
        return -1;
    if (run_command(GPG
                    "--quick-generate-key maker@list.example ed25519 sign never 2>/dev/null &&"
                    "gpg --with-colons --list-keys | awk -F: '/^fpr/ { print $10; exit }' >fpr &&"
                    "gpg --export >key.pgp") != 0)
        return -1;
    buf_init(&text, 1000);
    assert_int_equal(file_read(&text, in_folder("fpr")), 0);
    text.data[strcspn(text.data, "\n")] = '\0';
    assert_true(openpgp_fingerprint(fingerprint, text.data));
    buf_fini(&text);
    verifier = verifier_start(NULL);
    return verifier == NULL ? -1 : 0;
}

static int drop_openpgp_key(void **state)
{
    verifier_stop(verifier);
    run_command("gpgconf --kill all; rm -rf $GNUPGHOME");
    return drop_folder(state);
}

static void sign_openpgp(const char *name)
{
    char command[300];

    snprintf(command, sizeof command, GPG "--armor --output %s.asc --detach-sign %s", name, name);
    assert_int_equal(run_command(command), 0);
}

/* NULL when the signature of "data" is good for `text`. */
static const char *check(const char *text, int deadline_ms, char why[OPENPGP_WHY_MAX])
{
    struct openpgp_check request = {.data = text,
                                    .length = strlen(text),
                                    .key_path = in_folder("key.pgp"),
                                    .fingerprint = fingerprint,
                                    .deadline_ms = deadline_ms};
    struct buf signature;
    const char *wrong;

    buf_init(&signature, OPENPGP_SIGNATURE_MAX);
    assert_int_equal(file_read(&signature, in_folder("data.asc")), 0);
    request.signature = buf_text(&signature);
    request.signature_length = signature.length;
    wrong = verifier_check(verifier, &request, why);
    buf_fini(&signature);
    return wrong;
}

static void signatures_are_verified(void **state)
{
    char why[OPENPGP_WHY_MAX];

    (void)state;
    put("data", "yes\n", 4);
    sign_openpgp("data");
    for (int i = 0; i < 3; i++) {
        assert_null(check("yes\n", PATIENCE_MS, why));
        assert_non_null(strstr(check("no\n", PATIENCE_MS, why), "not of this file"));
        assert_non_null(check("", PATIENCE_MS, why));
    }
}

static void *check_thread(void *context)
{
    char why[OPENPGP_WHY_MAX];

    *(bool *)context = check("yes\n", PATIENCE_MS, why) == NULL &&
                       strstr(check("no\n", PATIENCE_MS, why), "not of this file") != NULL;
    return NULL;
}

static void threads_take_turns(void **state)
{
    pthread_t threads[6];
    bool good[COUNT(threads)];

    (void)state;
    put("data", "yes\n", 4);
    sign_openpgp("data");
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_thread, &good[i]), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_true(good[i]);
    }
}

static void one_that_was_killed_verifies_nothing(void **state)
{
    char why[OPENPGP_WHY_MAX];

    (void)state;
    put("data", "yes\n", 4);
    sign_openpgp("data");
    assert_null(check("yes\n", PATIENCE_MS, why));
    assert_int_equal(kill(verifier_pid(verifier), SIGKILL), 0);
    for (int i = 0; i < 3; i++)
        assert_non_null(strstr(check("yes\n", PATIENCE_MS, why), "the verifier process is gone"));
}

static void what_comes_too_late_is_not_taken_for_the_next(void **state)
{
    char why[OPENPGP_WHY_MAX];

    (void)state;
    put("data", "yes\n", 4);
    sign_openpgp("data");
    assert_int_equal(kill(verifier_pid(verifier), SIGSTOP), 0);
    for (int i = 0; i < 3; i++)
        assert_non_null(strstr(check("yes\n", IMPATIENCE_MS, why), "does not answer"));
    assert_int_equal(kill(verifier_pid(verifier), SIGCONT), 0);
    assert_non_null(strstr(check("no\n", PATIENCE_MS, why), "not of this file"));
    assert_null(check("yes\n", PATIENCE_MS, why));
}

static void one_that_is_stopped_does_not_hinder_the_end(void **state)
{
    (void)state;
    assert_int_equal(kill(verifier_pid(verifier), SIGSTOP), 0);
    verifier_stop(verifier);
    verifier = NULL;
}

static void without_one_nothing_is_verified(void **state)
{
    struct verifier *before = verifier;
    char why[OPENPGP_WHY_MAX];

    (void)state;
    put("data", "yes\n", 4);
    sign_openpgp("data");
    verifier = NULL;
    assert_non_null(strstr(check("yes\n", PATIENCE_MS, why), "restart it"));
    verifier = before;
}

/* It holds the other end of a pipe as long as it lives. */
static void it_ends_with_the_daemon(void **state)
{
    char octet;
    int ends[2];
    pid_t daemon;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    daemon = fork();
    if (daemon == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(verifier_start(NULL) == NULL);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &octet, 1), 0);
    assert_int_equal(waitpid(daemon, NULL, 0), daemon);
    close(ends[0]);
}

/* What the daemon has open besides is closed in it: listeners, the database. */
static void it_holds_nothing_open(void **state)
{
    char path[64];
    DIR *directory;
    const struct dirent *entry;
    unsigned count = 0;
    char why[OPENPGP_WHY_MAX];

    (void)state;
    put("data", "yes\n", 4);
    sign_openpgp("data");
    assert_null(check("yes\n", PATIENCE_MS, why)); /* it is under way */
    snprintf(path, sizeof path, "/proc/%d/fd", verifier_pid(verifier));
    directory = opendir(path);
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.' && atoi(entry->d_name) > STDERR_FILENO;
    closedir(directory);
    assert_int_equal(count, 1);
}

static void a_list_with_an_openpgp_signature_is_in_force(void **state)
{
    char text[4096], settings[300];
    struct lists_status status;

    (void)state;
    put("list", text, list_text(text, sizeof text, (struct times){-HOUR_S, DAY_S}, ONE));
    sign_openpgp("list");
    snprintf(settings, sizeof settings, LINE "%s\n", fingerprint);
    assert_int_equal(uv_loop_init(&loop), 0);
    start_with(settings, &(struct lists_tools){.verifier = verifier});
    must_be(0, "in-force", "");
    must_say("a.example", LIST_ENFORCE);
    status = status_of(0);
    assert_int_equal(status.kind, SIGNATURE_OPENPGP);
    assert_string_equal(status.key, fingerprint);
    stop();
    fingerprint[0] = fingerprint[0] == 'A' ? 'B' : 'A'; /* another is pinned */
    snprintf(settings, sizeof settings, LINE "%s\n", fingerprint);
    assert_int_equal(uv_loop_init(&loop), 0);
    start_with(settings, &(struct lists_tools){.verifier = verifier});
    must_be(0, "refused", "signature: it was made by a key that is not the pinned one");
    stop();
    assert_int_equal(uv_loop_init(&loop), 0);
    start_with("policy-list = FOLDER/list key=FOLDER/key.pgp\n",
               &(struct lists_tools){.verifier = verifier});
    must_be(0, "refused", "fingerprint= of its primary key is missing");
    stop();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_openpgp_key, drop_openpgp_key)
    const struct CMUnitTest tests[] = {
        TEST(signatures_are_verified),
        TEST(threads_take_turns),
        TEST(one_that_was_killed_verifies_nothing),
        TEST(what_comes_too_late_is_not_taken_for_the_next),
        TEST(one_that_is_stopped_does_not_hinder_the_end),
        TEST(without_one_nothing_is_verified),
        TEST(it_ends_with_the_daemon),
        TEST(it_holds_nothing_open),
        TEST(a_list_with_an_openpgp_signature_is_in_force),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
