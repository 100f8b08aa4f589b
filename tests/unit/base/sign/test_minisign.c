/* test_minisign: keys and signatures of minisign(1), beside the real one in both directions. */
#include "tests/unit/support/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sign/minisign.h"

#define DATA "{\"version\": \"0.1\"}\n"

static char folder[] = "/tmp/mxcrypt-minisign-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[100];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void put(const char *path, const struct buf *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text->data, 1, text->length, file), text->length);
    assert_int_equal(fclose(file), 0);
}

static void get(struct buf *out, const char *path)
{
    buf_init(out, MINISIGN_TEXT_MAX);
    assert_int_equal(file_read(out, path), 0);
}

/* Key and signature as texts. */
struct made {
    struct minisign_secret secret;
    struct minisign_public public;
    struct buf public_text, secret_text, signature;
};

static void make(struct made *made)
{
    assert_null(minisign_new(&made->secret));
    made->public = minisign_public_of(&made->secret);
    buf_init(&made->public_text, MINISIGN_TEXT_MAX);
    buf_init(&made->secret_text, MINISIGN_TEXT_MAX);
    buf_init(&made->signature, MINISIGN_TEXT_MAX);
    minisign_public_write(&made->public_text, &made->public);
    minisign_secret_write(&made->secret_text, &made->secret);
    assert_null(minisign_sign(&made->signature, &made->secret, DATA, strlen(DATA), "timestamp:1"));
}

static void unmake(struct made *made)
{
    buf_fini(&made->public_text);
    buf_fini(&made->secret_text);
    buf_fini(&made->signature);
}

static const char *verify(const struct made *made, const char *data, const struct buf *signature)
{
    char trusted[MINISIGN_COMMENT_MAX];
    const char *why = minisign_verify(&made->public, data, strlen(data), signature->data,
                                      signature->length, trusted);

    assert_true(why == NULL || trusted[0] == '\0');
    return why;
}

/* ---- alone ---- */

static void there_and_back(void **state)
{
    struct minisign_secret secret;
    struct minisign_public public;
    char trusted[MINISIGN_COMMENT_MAX];
    struct made made;

    (void)state;
    make(&made);
    assert_null(minisign_secret_read(&secret, made.secret_text.data, made.secret_text.length));
    assert_memory_equal(&secret, &made.secret, sizeof secret);
    assert_null(minisign_public_read(&public, made.public_text.data, made.public_text.length));
    assert_memory_equal(&public, &made.public, sizeof public);
    assert_null(minisign_verify(&public, DATA, strlen(DATA), made.signature.data,
                                made.signature.length, trusted));
    assert_string_equal(trusted, "timestamp:1");
    assert_string_equal(verify(&made, DATA " ", &made.signature),
                        "it is not of this file: one of the two was changed, or is another "
                        "version");
    minisign_forget(&secret);
    for (size_t i = 0; i < sizeof secret; i++)
        assert_int_equal(((uint8_t *)&secret)[i], 0);
    unmake(&made);
}

static void another_key(void **state)
{
    struct made one, other;

    (void)state;
    make(&one);
    make(&other);
    assert_string_equal(verify(&one, DATA, &other.signature), "it was made by another key");
    memcpy(one.public.id, other.public.id, MINISIGN_ID); /* the id is no secret */
    assert_non_null(verify(&one, DATA, &other.signature));
    memcpy(one.secret.seed, other.secret.seed, MINISIGN_KEY);
    buf_clear(&one.signature);
    assert_string_equal(minisign_sign(&one.signature, &one.secret, "", 0, ""),
                        "the secret key was damaged: it does not fit its public key");
    unmake(&one);
    unmake(&other);
}

/* Whatever octet of a signature is another one, or is missing, it is not good; but for the first
 * line, which nobody may trust. */
static void every_octet_counts(void **state)
{
    bool whole = true; /* but for the last line end */
    struct made made;
    size_t begin;

    (void)state;
    make(&made);
    begin = (size_t)(strchr(made.signature.data, '\n') - made.signature.data);
    for (size_t at = begin; at < made.signature.length - 1; at++) {
        char was = made.signature.data[at];

        made.signature.data[at] = was == 'A' ? 'B' : 'A';
        if (verify(&made, DATA, &made.signature) == NULL)
            fail_msg("octet %zu", at);
        made.signature.data[at] = was;
    }
    assert_null(verify(&made, DATA, &made.signature));
    for (made.signature.length--; made.signature.length > 0; made.signature.length--) {
        char trusted[MINISIGN_COMMENT_MAX];
        const char *why = minisign_verify(&made.public, DATA, strlen(DATA), made.signature.data,
                                          made.signature.length, trusted);

        assert_true((why == NULL) == whole);
        whole = false;
    }
    unmake(&made);
}

static void comments(void **state)
{
    char comment[MINISIGN_COMMENT_MAX + 1], trusted[MINISIGN_COMMENT_MAX];
    struct made made;

    (void)state;
    make(&made);
    memset(comment, 'c', sizeof comment);
    comment[MINISIGN_COMMENT_MAX] = '\0';
    assert_non_null(minisign_sign(&made.signature, &made.secret, DATA, strlen(DATA), comment));
    assert_non_null(minisign_sign(&made.signature, &made.secret, DATA, strlen(DATA), "a\nb"));
    comment[MINISIGN_COMMENT_MAX - 1] = '\0';
    buf_clear(&made.signature);
    assert_null(minisign_sign(&made.signature, &made.secret, DATA, strlen(DATA), comment));
    assert_null(minisign_verify(&made.public, DATA, strlen(DATA), made.signature.data,
                                made.signature.length, trusted));
    assert_string_equal(trusted, comment);
    buf_clear(&made.signature);
    assert_null(minisign_sign(&made.signature, &made.secret, DATA, strlen(DATA), "a\tb\x1b[c"));
    assert_null(minisign_verify(&made.public, DATA, strlen(DATA), made.signature.data,
                                made.signature.length, trusted));
    assert_string_equal(trusted, "a\\x09b\\x1b[c");
    unmake(&made);
}

/* ---- texts ---- */

#define C          "untrusted comment: c\n"
#define PUBLIC_KEY "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"

static const struct {
    const char *name, *text;
    bool good;
} public_rows[] = {
    {"that of minisign's author", C PUBLIC_KEY "\n", true},
    {"no line end", C PUBLIC_KEY, true},
    {"CR LF", "untrusted comment: c\r\n" PUBLIC_KEY "\r\n", true},
    {"empty lines behind it", C PUBLIC_KEY "\n\n\r\n", true},
    {"nothing", "", false},
    {"no comment", PUBLIC_KEY "\n", false},
    {"another comment", "trusted comment: c\n" PUBLIC_KEY "\n", false},
    {"only a comment", C, false},
    {"a line more", C PUBLIC_KEY "\n" PUBLIC_KEY "\n", false},
    {"short", C "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFM=\n", false},
    {"long", C PUBLIC_KEY "AAAA\n", false},
    {"another algorithm", C "RUQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n", false},
    {"a blank", C " " PUBLIC_KEY "\n", false},
};

static void public_texts(void **state)
{
    struct minisign_public key;
    char id[MINISIGN_ID_TEXT];

    (void)state;
    for (size_t i = 0; i < COUNT(public_rows); i++) {
        const char *text = public_rows[i].text;

        if ((minisign_public_read(&key, text, strlen(text)) == NULL) != public_rows[i].good)
            fail_msg("%s", public_rows[i].name);
        if (public_rows[i].good)
            assert_string_equal(minisign_id_text(id, key.id), "E7620F1842B4E81F");
    }
    assert_non_null(minisign_public_read(&key, C PUBLIC_KEY "\n\0", strlen(C PUBLIC_KEY) + 2));
}

/* A key file of exactly the longest size, and one octet more. */
static void longest_texts(void **state)
{
    char text[MINISIGN_TEXT_MAX + 2];
    struct minisign_public key;
    size_t length;

    (void)state;
    for (length = MINISIGN_TEXT_MAX - 1; length <= MINISIGN_TEXT_MAX + 1; length++) {
        size_t comment = length - strlen(PUBLIC_KEY) - 1;

        memset(text, 'c', sizeof text);
        memcpy(text, "untrusted comment: ", 19);
        text[comment] = '\n';
        memcpy(text + comment + 1, PUBLIC_KEY, strlen(PUBLIC_KEY));
        assert_int_equal(minisign_public_read(&key, text, length) == NULL,
                         length <= MINISIGN_TEXT_MAX);
    }
}

static void other_kinds_of_files(void **state)
{
    struct minisign_secret secret;
    struct minisign_public public;
    struct made made;

    (void)state;
    make(&made);
    assert_string_equal(
        minisign_public_read(&public, made.secret_text.data, made.secret_text.length),
        "it is a secret key, which belongs to the maker of the list alone");
    assert_string_equal(
        minisign_secret_read(&secret, made.public_text.data, made.public_text.length),
        "it is a public key");
    assert_string_equal(minisign_secret_read(&secret, made.signature.data, made.signature.length),
                        "it is no secret key of minisign");
    assert_string_equal(minisign_public_read(&public, made.signature.data, made.signature.length),
                        "it is no public key of minisign");
    assert_string_equal(verify(&made, DATA, &made.public_text), "it is no signature of minisign");
    unmake(&made);
}

/* Whatever octet of a secret key is another one, nothing good is signed by it. */
static void secret_key_that_was_damaged(void **state)
{
    struct minisign_secret secret;
    struct made made;
    size_t begin;

    (void)state;
    make(&made);
    begin = (size_t)(strchr(made.secret_text.data, '\n') + 1 - made.secret_text.data);
    for (size_t at = begin; at < made.secret_text.length - 1; at++) {
        char was = made.secret_text.data[at];
        bool unused =
            at - begin >= 8 && (at - begin < 72 || (at - begin >= 168 && at - begin < 210));

        made.secret_text.data[at] = was == 'A' ? 'B' : 'A';
        buf_clear(&made.signature);
        if ((minisign_secret_read(&secret, made.secret_text.data, made.secret_text.length) ==
                 NULL &&
             minisign_sign(&made.signature, &secret, DATA, strlen(DATA), "") == NULL &&
             verify(&made, DATA, &made.signature) == NULL) != unused)
            fail_msg("octet %zu", at - begin);
        made.secret_text.data[at] = was;
    }
    unmake(&made);
}

/* ---- beside minisign(1) ---- */

static void run(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void what_minisign_makes(void **state)
{
    static const char *const kinds[] = {"-H", "-l"};
    struct buf public_text, secret_text, signature, again;
    struct minisign_secret secret;
    struct made made;

    (void)state;
    run("printf '%s\\n' '{\"version\": \"0.1\"}' >data; minisign -G -W -f -p p -s s >/dev/null");
    get(&public_text, "p");
    get(&secret_text, "s");
    assert_null(minisign_public_read(&made.public, public_text.data, public_text.length));
    assert_null(minisign_secret_read(&secret, secret_text.data, secret_text.length));
    assert_memory_equal(secret.key, made.public.key, MINISIGN_KEY);
    assert_memory_equal(secret.id, made.public.id, MINISIGN_ID);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        run(i == 0 ? "minisign -S -W -s s -m data -x x >/dev/null"
                   : "minisign -S -W -l -s s -m data -x x >/dev/null");
        get(&signature, "x");
        assert_null(verify(&made, DATA, &signature));
        assert_non_null(verify(&made, "", &signature));
        buf_fini(&signature);
    }
    buf_init(&again, MINISIGN_TEXT_MAX); /* and signed by us with that key */
    assert_null(minisign_sign(&again, &secret, DATA, strlen(DATA), "timestamp:1\tfile:data"));
    put("x", &again);
    run("minisign -V -q -H -p p -m data -x x");
    buf_fini(&again);
    buf_fini(&public_text);
    buf_fini(&secret_text);
}

static void what_minisign_reads(void **state)
{
    struct made made;

    (void)state;
    make(&made);
    run("printf '%s\\n' '{\"version\": \"0.1\"}' >data");
    put("p", &made.public_text);
    put("s", &made.secret_text);
    put("x", &made.signature);
    run("minisign -V -q -p p -m data -x x");
    run("test \"$(minisign -V -Q -p p -m data -x x)\" = timestamp:1");
    run("! minisign -V -q -p p -m p -x x 2>/dev/null");
    run("minisign -S -W -s s -m data -x x2 >/dev/null && minisign -V -q -p p -m data -x x2");
    run("minisign -R -s s -p p2 >/dev/null && test \"$(tail -n 1 p2)\" = \"$(tail -n 1 p)\"");
    unmake(&made);
}

/* "Sc" says that it is encrypted with a password (scrypt). */
static void key_with_a_password(void **state)
{
    struct minisign_secret secret;
    struct made made;
    char *kinds;

    (void)state;
    make(&made);
    kinds = strstr(made.secret_text.data, "\nRWQAAEIy");
    assert_non_null(kinds);
    memcpy(kinds, "\nRWRTY0Iy", 9);
    assert_string_equal(
        minisign_secret_read(&secret, made.secret_text.data, made.secret_text.length),
        "it has a password: sign with minisign -S, or take the password away with minisign -C -W");
    memcpy(kinds, "\nRWRBcjIy", 9);
    assert_non_null(minisign_secret_read(&secret, made.secret_text.data, made.secret_text.length));
    unmake(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),       cmocka_unit_test(another_key),
        cmocka_unit_test(every_octet_counts),   cmocka_unit_test(comments),
        cmocka_unit_test(public_texts),         cmocka_unit_test(longest_texts),
        cmocka_unit_test(other_kinds_of_files), cmocka_unit_test(secret_key_that_was_damaged),
        cmocka_unit_test(what_minisign_makes),  cmocka_unit_test(what_minisign_reads),
        cmocka_unit_test(key_with_a_password),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
