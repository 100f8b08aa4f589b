/* test_openpgp: keys and signatures that gpg(1) made, verified by the real gpgv(1), and a gpgv that is
 * not what it should be. */
#include "tests/unit/support/unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sign/signature.h"
#include "tests/unit/support/virtual_clock.h"

#define PATIENCE_MS 30000

static char folder[] = "/tmp/mxcrypt-openpgp-XXXXXX";
static char path_before[1000];

static int make_files(void **state)
{
    (void)state;
    virtual_clock_stop(); /* gpgv's deadline is waited for by poll(2) */
    snprintf(path_before, sizeof path_before, "%s", getenv("PATH"));
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    return system("exec 2>log; sh " MXC_SOURCE_DIR "/tests/unit/base/sign/openpgp_files.sh || "
                  "{ cat log >&3; exit 1; } 3>&2");
}

static int remove_files(void **state)
{
    char command[100];

    (void)state;
    setenv("PATH", path_before, 1);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void get(struct buf *out, const char *name, const char *suffix)
{
    char path[100];

    buf_init(out, 100000);
    snprintf(path, sizeof path, "%s%s", name, suffix);
    if (file_read(out, path) != 0)
        fail_msg("%s: %s", path, strerror(errno));
}

/* What is verified, and how that ends. */
struct row {
    const char *name, *signature, *data, *key, *pin;
    const char *why; /* NULL: good; else its begin */
};

/* NULL, or what is wrong, in `why`. */
static const char *verify(const struct row *row, int deadline_ms, char why[OPENPGP_WHY_MAX])
{
    char fingerprint[OPENPGP_FINGERPRINT_MAX + 1];
    struct buf data, signature, pin;
    struct signature_check check = {.key_path = row->key, .deadline_ms = deadline_ms};
    const char *wrong;

    get(&data, row->data, "");
    get(&signature, row->signature, ".asc");
    get(&pin, row->pin, ".fpr");
    pin.data[pin.length - 1] = '\0';
    assert_true(openpgp_fingerprint(fingerprint, pin.data));
    assert_true(signature_kind_of(&check.kind, row->key, why));
    assert_int_equal(check.kind, SIGNATURE_OPENPGP);
    check.data = data.data;
    check.length = data.length;
    check.signature = signature.data;
    check.signature_length = signature.length;
    check.fingerprint = fingerprint;
    wrong = signature_verify(&check, why);
    buf_fini(&data);
    buf_fini(&signature);
    buf_fini(&pin);
    return wrong;
}

static void expect(const struct row *row, int deadline_ms)
{
    char room[OPENPGP_WHY_MAX];
    const char *why = verify(row, deadline_ms, room);

    if ((why == NULL) != (row->why == NULL) ||
        (why != NULL && strncmp(why, row->why, strlen(row->why)) != 0))
        fail_msg("%s: %s", row->name, why == NULL ? "good" : why);
}

#define CHANGED    "it is not of this file: one of the two was changed, or is another version, key "
#define UNKNOWN    "it was made by a key that the key file does not have, key "
#define NOT_PINNED "it was made by a key that is not the pinned one, primary key "
#define SEVERAL    "it has several signatures, and must have one"

static const struct row rows[] = {
    {"good", "good", "data", "maker.gpg", "maker", NULL},
    {"a key with armour", "good", "data", "maker.asc.key", "maker", NULL},
    {"a signature without", "binary", "data", "maker.gpg", "maker", NULL},
    {"several keys in the file", "good", "data", "both.gpg", "maker", NULL},
    {"a subkey", "by-subkey", "data", "sub.gpg", "sub", NULL},
    {"a subkey, another has expired", "by-subfresh", "data", "subs.gpg", "subs", NULL},
    {"tampered with", "good", "data2", "maker.gpg", "maker", CHANGED},
    {"of another file", "over2", "data", "maker.gpg", "maker", CHANGED},
    {"another key", "by-other", "data", "maker.gpg", "maker", UNKNOWN},
    {"another key of the file", "by-other", "data", "both.gpg", "maker", NOT_PINNED},
    {"another pin", "good", "data", "maker.gpg", "other", NOT_PINNED},
    {"the subkey as a pin", "by-subkey", "data", "sub.gpg", "subkey", NOT_PINNED},
    {"a subkey that was revoked", "by-subkey", "data", "subrevoked.gpg", "sub",
     "its key was revoked, "},
    {"a subkey that has expired", "by-subbrief", "data", "subs.gpg", "subs",
     "its key has expired, "},
    {"a key that has expired", "by-brief", "data", "brief.gpg", "brief", "its key has expired, "},
    {"a key that was revoked", "by-revoked", "data", "revoked.gpg", "revoked",
     "its key was revoked, "},
    {"a signature that has expired", "expired", "data", "maker.gpg", "maker",
     "the signature has expired, "},
    {"two signatures", "two", "data", "both.gpg", "maker", SEVERAL},
    {"a signature twice", "twice", "data", "maker.gpg", "maker", SEVERAL},
    {"of a text", "text", "data", "maker.gpg", "maker", "it is a signature of a text"},
    {"SHA-1", "sha1", "data", "maker.gpg", "maker", "gpgv cannot verify it: "},
    {"a signed message", "inline", "data", "maker.gpg", "maker", "it has 'BEGIN PGP MESSAGE"},
    {"a signed text", "clear", "data", "maker.gpg", "maker", "it has 'BEGIN PGP SIGNED"},
    {"a secret key", "good", "data", "secret.gpg", "maker", "secret.gpg: it has a secret key"},
    {"a secret key with armour", "good", "data", "secret.asc.key", "maker",
     "secret.asc.key: it has 'BEGIN PGP PRIVATE KEY"},
    {"a signature as a key", "good", "data", "good.asc", "maker",
     "good.asc: it has 'BEGIN PGP SIGNATURE"},
};

static void verified(void **state)
{
    (void)state;
    setenv("PATH", path_before, 1);
    for (size_t i = 0; i < COUNT(rows); i++)
        expect(&rows[i], PATIENCE_MS);
}

/* ---- files that are none ---- */

static void kinds_of_keys(void **state)
{
    static const struct {
        const char *content, *why; /* NULL: minisign */
    } keys[] = {
        {"untrusted comment: x\\n", NULL},
        {"", "k: it is a public key neither of minisign nor of OpenPGP"},
        {"untrusted", "k: it is a public key neither of minisign nor of OpenPGP"},
        {"ssh-ed25519 AAAA", "k: it is a public key neither of minisign nor of OpenPGP"},
    };
    char why[OPENPGP_WHY_MAX], command[200];
    enum signature_kind kind;

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        snprintf(command, sizeof command, "printf '%s' >k", keys[i].content);
        assert_int_equal(system(command), 0);
        assert_int_equal(signature_kind_of(&kind, "k", why), keys[i].why == NULL);
        if (keys[i].why != NULL)
            assert_string_equal(why, keys[i].why);
        else
            assert_int_equal(kind, SIGNATURE_MINISIGN);
    }
    assert_false(signature_kind_of(&kind, "home", why));
    assert_string_equal(why, "home: Is a directory");
    assert_false(signature_kind_of(&kind, "none", why));
    assert_string_equal(why, "none: No such file or directory");
    assert_string_equal(signature_suffix(SIGNATURE_MINISIGN), ".minisig");
    assert_string_equal(signature_suffix(SIGNATURE_OPENPGP), ".asc");
}

/* A keybox of gpg, and a signature file of nothing or of too much. */
static void files_of_no_use(void **state)
{
    static const struct row of_box = {"keybox", "good", "data", "home/pubring.kbx", "maker", NULL};
    char why[OPENPGP_WHY_MAX], name[OPENPGP_FINGERPRINT_MAX + 1] = "";
    struct signature_check check = {.kind = SIGNATURE_OPENPGP,
                                    .data = "",
                                    .signature = "",
                                    .key_path = "maker.gpg",
                                    .fingerprint = name,
                                    .deadline_ms = PATIENCE_MS};
    static char much[OPENPGP_SIGNATURE_MAX + 1];
    struct buf out;

    (void)state;
    get(&out, of_box.key, "");
    buf_fini(&out);
    check.key_path = of_box.key;
    assert_string_equal(
        signature_verify(&check, why),
        "home/pubring.kbx: it is a keybox of gpg: give it what gpg --export writes");
    check.key_path = "maker.gpg";
    assert_string_equal(signature_verify(&check, why), "it is empty");
    check.signature = much;
    check.signature_length = sizeof much;
    assert_string_equal(signature_verify(&check, why), "it is too long");
    check.signature_length--;
    assert_string_equal(signature_verify(&check, why), "it is no OpenPGP signature");
    check.fingerprint = NULL;
    assert_string_equal(signature_verify(&check, why),
                        "an OpenPGP key needs the fingerprint of its primary key");
}

/* ---- another gpgv ---- */

#define NEW "echo '[GNUPG:] NEWSIG' >&3\n"
#define SAID                                                                                       \
    NEW "echo '[GNUPG:] GOODSIG x' >&3\n"                                                          \
        "echo \"[GNUPG:] VALIDSIG x 2026-11-28 1 0 4 0 22 8 00 $(cat @/maker.fpr)\" >&3\n"

/* Puts a script into the folder that PATH is then; "@" in it is the folder of the test. */
static void put_gpgv(const char *script)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/bin", folder);
    mkdir(path, 0755);
    setenv("PATH", path, 1);
    snprintf(path, sizeof path, "%s/bin/gpgv", folder);
    unlink(path);
    if (script == NULL)
        return;
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("#!/bin/sh\n", file);
    for (; *script != '\0'; script++)
        if (*script == '@')
            fputs(folder, file);
        else
            fputc(*script, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

static const struct {
    const char *name, *script, *why;
    int deadline_ms;
} others[] = {
    {"it is missing", NULL, "gpgv is not installed", PATIENCE_MS},
    {"it says what it should", SAID, NULL, PATIENCE_MS},
    {"and fails", SAID "exit 2\n", "gpgv says that it is good, and fails", PATIENCE_MS},
    {"and is killed", SAID "kill -KILL $$\n", "gpgv says that it is good, and fails", PATIENCE_MS},
    {"it says nothing", "exit 0\n", "gpgv says of no signature that it is good", PATIENCE_MS},
    {"it hangs", "exec sleep 1000\n", "gpgv takes too long", 100},
    {"it says what it should, and hangs", SAID "exec sleep 1000\n", "gpgv takes too long", 500},
    {"a child of it hangs", SAID "sleep 1000 &\n", "gpgv takes too long", 500},
    {"it closes its descriptor and hangs", SAID "exec 3>&-\nexec sleep 1000\n",
     "gpgv takes too long", 500},
    {"it talks for ever", "while :; do " NEW "done\n", "gpgv says too much", PATIENCE_MS},
    {"it has nothing of ours",
     "[ \"$(env | grep -cv '^\\(LC_ALL\\|PATH\\|PWD\\|_\\)=')\" = 0 ] || exit 3\n"
     "ls /proc/$$/fd >@/fds\n" /* 10 to 15 are the shell's own */
     "[ \"$(grep -v '^1[0-5]' @/fds | tr '\\n' ' ')\" = '0 1 2 3 4 5 6 ' ] || exit 4\n"
     "[ \"$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 | sort -u)\" = /dev/null ] || exit "
     "5\n"
     "cmp -s /dev/fd/4 @/maker.gpg && cmp -s /dev/fd/5 @/binary.asc && cmp -s /dev/fd/6 @/data || "
     "exit 6\n" SAID,
     NULL, PATIENCE_MS},
};

static size_t descriptors(void)
{
    DIR *open = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(open);
    while (readdir(open) != NULL)
        count++;
    closedir(open);
    return count;
}

static void gpgv_that_is_another(void **state)
{
    size_t before = descriptors();

    (void)state;
    setenv("GNUPGHOME", "/tmp/not-this", 1);
    for (size_t i = 0; i < COUNT(others); i++) {
        const struct row row = {others[i].name, "binary", "data",
                                "maker.gpg",    "maker",  others[i].why};

        put_gpgv(others[i].script);
        expect(&row, others[i].deadline_ms);
        assert_int_equal(descriptors(), before);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
        assert_int_equal(errno, ECHILD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verified),
        cmocka_unit_test(kinds_of_keys),
        cmocka_unit_test(files_of_no_use),
        cmocka_unit_test(gpgv_that_is_another),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
