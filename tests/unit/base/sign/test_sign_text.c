/* test_sign_text: the encodings beneath signatures: base64, ASCII armour, OpenPGP packets. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/sign/armour.h"
#include "base/sign/base64.h"
#include "base/sign/packet.h"

/* ---- base64 ---- */

static const struct {
    const char *text, *octets; /* NULL: it is none */
} base64_rows[] = {
    {"", ""},        {"Zg==", "f"},        {"Zm8=", "fo"},
    {"Zm9v", "foo"}, {"Zm9vYg==", "foob"}, {"+/8A", NULL},
    {"Zg=", NULL},   {"Zg", NULL},         {"Zh==", NULL},
    {"Zm9=", NULL},  {"Zg==Zg==", NULL},   {"Z===", NULL},
    {"====", NULL},  {"Zm9v\n", NULL},     {"Zm 9", NULL},
    {"-_8A", NULL},  {"Zm9v=Zm9", NULL},   {"\xc3\xbc==", NULL},
};

static void base64(void **state)
{
    struct buf out;

    (void)state;
    for (size_t i = 1; i < COUNT(base64_rows); i++) {
        bool good;

        buf_init(&out, 100);
        good = base64_decode(&out, base64_rows[i].text, strlen(base64_rows[i].text));
        if (strcmp(base64_rows[i].text, "+/8A") == 0) {
            assert_true(good);
            assert_memory_equal(out.data, "\xfb\xff\0", 3);
        } else if (good != (base64_rows[i].octets != NULL) ||
                   (good && strcmp(out.data, base64_rows[i].octets) != 0))
            fail_msg("'%s'", base64_rows[i].text);
        buf_fini(&out);
        if (base64_rows[i].octets == NULL)
            continue;
        buf_init(&out, 100);
        base64_encode(&out, base64_rows[i].octets, strlen(base64_rows[i].octets));
        assert_string_equal(out.data, base64_rows[i].text);
        buf_fini(&out);
    }
}

static void base64_all_octets(void **state)
{
    char octets[256];
    struct buf text, again;

    (void)state;
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (char)i;
    for (size_t length = 0; length <= sizeof octets; length++) {
        buf_init(&text, 1000);
        buf_init(&again, length); /* and it fits exactly */
        base64_encode(&text, octets, length);
        assert_true(base64_decode(&again, text.data, text.length));
        assert_int_equal(again.length, length);
        assert_true(length == 0 || memcmp(again.data, octets, length) == 0);
        if (length > 0) {
            buf_fini(&again);
            buf_init(&again, length - 1);
            assert_false(base64_decode(&again, text.data, text.length));
        }
        buf_fini(&text);
        buf_fini(&again);
    }
}

/* ---- armour ---- */

#define BEGIN  "-----BEGIN PGP SIGNATURE-----\n"
#define END    "-----END PGP SIGNATURE-----\n"
#define NO_END "its armour has no end"
#define NOT_64 "what its armour has is no base64, or too much"

static const struct {
    const char *name, *text, *octets, *why;
} armour_rows[] = {
    {"as gpg writes it", BEGIN "\nZm9v\nYmFy\n=AAAA\n" END, "foobar", NULL},
    {"headers", BEGIN "Version: 1\nComment: a b\n\nZm9v\n" END, "foo", NULL},
    {"text around it", "Dear all,\n\n" BEGIN "\nZm9v\n" END "Yours\n", "foo", NULL},
    {"two blocks", BEGIN "\nZm9v\n" END "\n" BEGIN "\nYmFy\n" END, "foobar", NULL},
    {"CR LF", "-----BEGIN PGP SIGNATURE-----\r\n\r\nZm9v\r\n-----END PGP SIGNATURE-----\r\n", "foo",
     NULL},
    {"blanks behind lines", "-----BEGIN PGP SIGNATURE----- \n \t\nZm9v \n" END, "foo", NULL},
    {"no line end at the end", BEGIN "\nZm9v\n-----END PGP SIGNATURE-----", "foo", NULL},
    {"nothing", "", NULL, "it has no armour"},
    {"no armour", "Zm9v\n", NULL, "it has no armour"},
    {"no end", BEGIN "\nZm9v\n", NULL, NO_END},
    {"cut in the end", BEGIN "\nZm9v\n-----END PGP SIG", NULL, NO_END},
    {"another end", BEGIN "\nZm9v\n-----END PGP MESSAGE-----\n", NULL, NO_END},
    {"a block within", BEGIN "\nZm9v\n" BEGIN "\nZm9v\n" END, NULL, NO_END},
    {"only headers", BEGIN "Version: 1\n", NULL, "its armour has no empty line behind the headers"},
    {"no empty line", BEGIN "Zm9v\n" END, NULL, "its armour has no empty line behind the headers"},
    {"empty", BEGIN "\n" END, NULL, NO_END},
    {"no base64", BEGIN "\nZm9\n" END, NULL, NOT_64},
    {"another kind", "-----BEGIN PGP MESSAGE-----\n\nZm9v\n-----END PGP MESSAGE-----\n", NULL,
     "it has 'BEGIN PGP MESSAGE-----' where BEGIN PGP SIGNATURE must be"},
    {"another kind behind", BEGIN "\nZm9v\n" END "-----BEGIN PGP \x01\n", NULL,
     "it has 'BEGIN PGP \\x01' where BEGIN PGP SIGNATURE must be"},
    {"a signed text",
     "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\ntext\n" BEGIN "\nZm9v\n" END, NULL,
     "it has 'BEGIN PGP SIGNED MESSAGE-----' where BEGIN PGP SIGNATURE must be"},
};

static void armour(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(armour_rows); i++) {
        const char *text = armour_rows[i].text, *want = armour_rows[i].why, *why;
        char room[ARMOUR_WHY_MAX];
        struct buf out;

        buf_init(&out, 6);
        why = armour_read(&out, text, strlen(text), "SIGNATURE", room);
        if ((why == NULL) != (want == NULL) || (why != NULL && strcmp(why, want) != 0) ||
            (why == NULL && strcmp(buf_text(&out), armour_rows[i].octets) != 0))
            fail_msg("%s: %s, '%s'", armour_rows[i].name, why == NULL ? "good" : why,
                     buf_text(&out));
        assert_int_equal(armour_is(text, strlen(text)), strstr(text, "-----BEGIN PGP ") != NULL);
        buf_fini(&out);
    }
}

static void armour_that_is_too_long(void **state)
{
    const char *text = BEGIN "\nZm9vYmFy\n" END;
    char why[ARMOUR_WHY_MAX];
    struct buf out;

    (void)state;
    buf_init(&out, 5);
    assert_string_equal(armour_read(&out, text, strlen(text), "SIGNATURE", why), NOT_64);
    buf_fini(&out);
}

/* ---- packets ---- */

#define PACKET(octets) (octets), sizeof(octets) - 1
#define NONE           "it is no OpenPGP signature"
#define MORE           "it has more than a signature: it must be a detached one (gpg --detach-sign)"
#define BEHIND         "something follows the signature"

static const struct {
    const char *name, *octets;
    size_t length;
    int first;
    const char *why;
} packet_rows[] = {
    {"legacy, one octet of length", PACKET("\x88\x02xx"), 2, NULL},
    {"legacy, two octets", PACKET("\x89\x00\x02xx"), 2, NULL},
    {"legacy, four octets", PACKET("\x8a\x00\x00\x00\x02xx"), 2, NULL},
    {"legacy, no length", PACKET("\x8bxx"), -1, NONE},
    {"one octet", PACKET("\xc2\x02xx"), 2, NULL},
    {"two octets",
     PACKET("\xc2\xc0\x00" /* 192 */
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
     2, NULL},
    {"five octets", PACKET("\xc2\xff\x00\x00\x00\x02xx"), 2, NULL},
    {"partial", PACKET("\xc2\xe1xx"), -1, NONE},
    {"empty body", PACKET("\xc2\x00"), 2, NULL},
    {"nothing", PACKET(""), -1, "it is empty"},
    {"no packet", PACKET("Zm9v"), -1, NONE},
    {"only a header", PACKET("\x88"), -1, NONE},
    {"cut length", PACKET("\x89\x00"), -1, NONE},
    {"cut length of five", PACKET("\xc2\xff\x00\x00"), -1, NONE},
    {"cut body", PACKET("\x88\x03xx"), -1, NONE},
    {"more than there can be", PACKET("\xc2\xff\xff\xff\xff\xffxx"), -1, NONE},
    {"two", PACKET("\x88\x02xx\x88\x02xx"), 2, "it has several signatures, and must have one"},
    {"rubbish behind it", PACKET("\x88\x02xxyy"), 2, BEHIND},
    {"a cut one behind it", PACKET("\x88\x02xx\x88\x05xx"), 2, BEHIND},
    {"a one-pass signature before it", PACKET("\x90\x02xx\x88\x02xx"), 4, MORE},
    {"a literal behind it", PACKET("\x88\x02xx\xac\x02xx"), 2, MORE},
    {"compressed", PACKET("\xa0\x02xx"), 8, MORE},
    {"a public key", PACKET("\x98\x02xx"), PACKET_PUBLIC_KEY, MORE},
    {"a secret key", PACKET("\xc5\x02xx"), PACKET_SECRET_KEY, MORE},
};

static void packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(packet_rows); i++) {
        const char *want = packet_rows[i].why,
                   *why = packet_one_signature(packet_rows[i].octets, packet_rows[i].length);

        if ((why == NULL) != (want == NULL) || (why != NULL && strcmp(why, want) != 0))
            fail_msg("%s: %s", packet_rows[i].name, why == NULL ? "good" : why);
        if (packet_first(packet_rows[i].octets, packet_rows[i].length) != packet_rows[i].first)
            fail_msg("%s: first", packet_rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64),
        cmocka_unit_test(base64_all_octets),
        cmocka_unit_test(armour),
        cmocka_unit_test(packets),
        cmocka_unit_test(armour_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
