/* test_openpgp_status: what gpgv's status lines mean, and fingerprints. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/sign/openpgp.h"

#define PIN   "0123456789ABCDEF0123456789ABCDEF01234567"
#define SUB   "89ABCDEF0123456789ABCDEF0123456789ABCDEF"
#define G     "[GNUPG:] "
#define NEW   G "NEWSIG\n"
#define GOOD  G "GOODSIG 89ABCDEF01234567 Maker <maker@list.example>\n"
#define TIMES " 2026-11-28 1795887648 0 4 0 22 8 "
#define VALID G "VALIDSIG " PIN TIMES "00 " PIN "\n"

static const struct {
    const char *name, *text;
    const char *why; /* NULL: good */
} rows[] = {
    {"good", NEW G "KEY_CONSIDERED " PIN " 0\n" G "SIG_ID x 2026-11-28 1795887648\n" GOOD VALID,
     NULL},
    {"by a subkey", NEW GOOD G "VALIDSIG " SUB TIMES "00 " PIN "\n", NULL},
    {"another subkey has expired", NEW G "KEYEXPIRED 1300000000\n" GOOD VALID, NULL},
    {"lower case", NEW GOOD G "VALIDSIG " PIN TIMES "00 0123456789abcdef0123456789abcdef01234567\n",
     NULL},
    {"other words", NEW G "NOTATION_NAME x\n" GOOD VALID G "WHATEVER\n", NULL},
    {"nothing", "", "gpgv says of no signature that it is good"},
    {"only GOODSIG", NEW GOOD, "gpgv says of no signature that it is good"},
    {"only VALIDSIG", NEW VALID, "gpgv says of no signature that it is good"},
    {"cut before the last line end", NEW GOOD G "VALIDSIG " PIN TIMES "00 " PIN,
     "gpgv says of no signature that it is good"},
    {"words without the prefix", "NEWSIG\nGOODSIG x\nVALIDSIG " PIN TIMES "00 " PIN "\n",
     "gpgv says of no signature that it is good"},
    {"prefix further on", "x" NEW "x" GOOD "x" VALID, "gpgv says of no signature that it is good"},
    {"pin is the subkey", NEW GOOD G "VALIDSIG " PIN TIMES "00 " SUB "\n",
     "it was made by a key that is not the pinned one, primary key " SUB},
    {"no primary key", NEW GOOD G "VALIDSIG " PIN TIMES "00\n",
     "it was made by a key that is not the pinned one, primary key "},
    {"a longer fingerprint", NEW GOOD G "VALIDSIG " PIN TIMES "00 " PIN "0\n",
     "it was made by a key that is not the pinned one, primary key " PIN "0"},
    {"a shorter one", NEW GOOD G "VALIDSIG " PIN TIMES "00 01234567\n",
     "it was made by a key that is not the pinned one, primary key 01234567"},
    {"a text", NEW GOOD G "VALIDSIG " PIN TIMES "01 " PIN "\n",
     "it is a signature of a text, not of a file as it is"},
    {"two", NEW GOOD VALID NEW GOOD VALID, "it has several signatures, and must have one"},
    {"two, one by a key unknown", NEW GOOD VALID NEW G "NO_PUBKEY 0123\n",
     "it has several signatures, and must have one"},
    {"GOODSIG twice", NEW GOOD GOOD VALID, "it has several signatures, and must have one"},
    {"VALIDSIG twice", NEW GOOD VALID VALID, "it has several signatures, and must have one"},
    {"bad", NEW G "BADSIG 89ABCDEF01234567 Maker\n",
     "it is not of this file: one of the two was changed, or is another version, key "
     "89ABCDEF01234567"},
    {"good and bad", NEW GOOD VALID G "BADSIG\n",
     "it is not of this file: one of the two was changed, or is another version, key"},
    {"unknown key", NEW G "ERRSIG 0123 22 8 00 1 9 " PIN "\n" G "NO_PUBKEY 0123\n",
     "it was made by a key that the key file does not have, key 0123"},
    {"weak", NEW G "ERRSIG 0123 22 2 00 1 5 " PIN "\n",
     "gpgv cannot verify it: an algorithm that is too weak or too new, key 0123"},
    {"expired key", NEW G "KEYEXPIRED 1\n" G "EXPKEYSIG 0123 Maker\n" VALID,
     "its key has expired, key 0123"},
    {"expired key, and good", NEW G "EXPKEYSIG 0123 Maker\n" GOOD VALID,
     "its key has expired, key 0123"},
    {"expired signature", NEW G "EXPSIG 0123 Maker\n" VALID, "the signature has expired, key 0123"},
    {"revoked", NEW G "REVKEYSIG 0123 Maker\n" VALID, "its key was revoked, key 0123"},
    {"no data", G "NODATA 4\n", "it is no OpenPGP signature"},
    {"a message", G "PLAINTEXT 62 0 \n" NEW GOOD VALID,
     "it is a signed message, not a detached signature"},
    {"failure", NEW GOOD VALID G "FAILURE gpgv 1\n", "gpgv failed"},
    {"hostile key", NEW G "BADSIG \x1b[0m\xff x\n",
     "it is not of this file: one of the two was changed, or is another version, key "
     "\\x1b[0m\\xff"},
};

static void status_lines(void **state)
{
    char room[OPENPGP_WHY_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *want = rows[i].why,
                   *why = openpgp_status(rows[i].text, strlen(rows[i].text), PIN, room);

        if ((why == NULL) != (want == NULL) || (why != NULL && strcmp(why, want) != 0))
            fail_msg("%s: %s", rows[i].name, why == NULL ? "good" : why);
    }
}

/* A text without its last octets is never better than the whole. */
static void cut_anywhere(void **state)
{
    const char *text = rows[0].text;
    char room[OPENPGP_WHY_MAX];

    (void)state;
    for (size_t length = 0; length < strlen(text); length++)
        assert_non_null(openpgp_status(text, length, PIN, room));
}

#define DIGITS_64 "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

static const struct {
    const char *text, *fingerprint; /* NULL: it is none */
} fingerprints[] = {
    {PIN, PIN},
    {"0123456789abcdef0123456789abcdef01234567", PIN},
    {"0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567", PIN},
    {DIGITS_64, "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"},
    {"", NULL},
    {"01234567", NULL},
    {PIN "0", NULL},
    {DIGITS_64 "0", NULL},
    {"0x" PIN, NULL},
    {"0123456789abcdef0123456789abcdef0123456g", NULL},
    {"0123:4567:89AB:CDEF:0123:4567:89AB:CDEF:0123:4567", NULL},
};

static void fingerprint_texts(void **state)
{
    char out[OPENPGP_FINGERPRINT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(fingerprints); i++) {
        if (openpgp_fingerprint(out, fingerprints[i].text) != (fingerprints[i].fingerprint != NULL))
            fail_msg("'%s'", fingerprints[i].text);
        if (fingerprints[i].fingerprint != NULL)
            assert_string_equal(out, fingerprints[i].fingerprint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_lines),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(fingerprint_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
