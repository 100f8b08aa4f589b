/* What Postfix asks for: docs/verdicts.md §1, docs/postfix.md fact 3. */
#include "tests/unit/support/rows.h"

#include "policy/key.h"

struct row {
    const char *name;
    const char *key;
    enum key_kind kind;
    uint16_t port;
    const char *want_name;
    const char *want_text;
};

#define L63         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define L62         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij"
#define L61         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"
#define NAME_253    L63 "." L63 "." L63 "." L61
#define NAME_254    L63 "." L63 "." L63 "." L62
#define OTHER(text) KEY_OTHER, 25, "", (text)

static const struct row rows[] = {
    {"domain", "example.com", KEY_DOMAIN, 25, "example.com", "example.com"},
    {"F-6 case is folded", "EXAMPLE.Com", KEY_DOMAIN, 25, "example.com", "example.com"},
    {"F-6 one trailing dot", "example.com.", KEY_DOMAIN, 25, "example.com", "example.com"},
    {"two trailing dots", "example.com..", OTHER("example.com..")},
    {"F-6 underscores", "_x.a_b.example", KEY_DOMAIN, 25, "_x.a_b.example", "_x.a_b.example"},
    {"digits and hyphens", "1-2.3.de", KEY_DOMAIN, 25, "1-2.3.de", "1-2.3.de"},
    {"domain:port", "example.com:587", KEY_DOMAIN, 587, "example.com", "example.com:587"},
    {"domain:smtp", "example.com:smtp", KEY_DOMAIN, 25, "example.com", "example.com"},
    {"domain:25", "example.com:25", KEY_DOMAIN, 25, "example.com", "example.com"},
    {"domain.:port", "example.com.:26", KEY_DOMAIN, 26, "example.com", "example.com:26"},
    {"service names fold", "a.example:SubMission", KEY_DOMAIN, 587, "a.example", "a.example:587"},
    {"submissions", "a.example:submissions", KEY_DOMAIN, 465, "a.example", "a.example:465"},
    {"smtps", "a.example:smtps", KEY_DOMAIN, 465, "a.example", "a.example:465"},
    {"unknown service", "a.example:imap", OTHER("a.example:imap")},
    {"port 1", "a.example:1", KEY_DOMAIN, 1, "a.example", "a.example:1"},
    {"port 65535", "a.example:65535", KEY_DOMAIN, 65535, "a.example", "a.example:65535"},
    {"port 65536", "a.example:65536", OTHER("a.example:65536")},
    {"port 65561 is not 25", "a.example:65561", OTHER("a.example:65561")},
    {"port 0", "a.example:0", OTHER("a.example:0")},
    {"port -1", "a.example:-1", OTHER("a.example:-1")},
    {"port 000025", "a.example:000025", OTHER("a.example:000025")},
    {"port 00025", "a.example:00025", KEY_DOMAIN, 25, "a.example", "a.example"},
    {"port 25x", "a.example:25x", OTHER("a.example:25x")},
    {"port empty", "a.example:", OTHER("a.example:")},
    {"two ports", "a.example:25:25", OTHER("a.example:25:25")},

    {"A-31 [host]", "[mx.example.com]", KEY_HOST, 25, "mx.example.com", "[mx.example.com]"},
    {"B-31 [host]:587", "[mx.example.com]:587", KEY_HOST, 587, "mx.example.com",
     "[mx.example.com]:587"},
    {"B-31 [host]:submission", "[MX.example.com.]:submission", KEY_HOST, 587, "mx.example.com",
     "[mx.example.com]:587"},
    {"[host]:25", "[mx.example.com]:25", KEY_HOST, 25, "mx.example.com", "[mx.example.com]"},
    {"[host] and no more", "[mx.example.com]x", OTHER("[mx.example.com]x")},
    {"[host", "[mx.example.com", OTHER("[mx.example.com")},
    {"host]", "mx.example.com]", OTHER("mx.example.com]")},
    {"[]", "[]", OTHER("[]")},
    {"[]:25", "[]:25", OTHER("[]:25")},
    {"[", "[", OTHER("[")},
    {"[[host]]", "[[mx.example.com]]", OTHER("[[mx.example.com]]")},
    {"[.parent]", "[.example.com]", OTHER("[.example.com]")},

    {"A-32 parent", ".Example.com", KEY_PARENT, 25, "example.com", ".example.com"},
    {"A-32 parent, a top-level domain", ".example", KEY_PARENT, 25, "example", ".example"},
    {"parent with a port", ".example.com:25", OTHER(".example.com:25")},
    {"a dot", ".", OTHER(".")},
    {"two dots", "..", OTHER("..")},
    {"two dots before", "..example.com", OTHER("..example.com")},

    {"F-9 address", "192.0.2.1", OTHER("192.0.2.1")},
    {"F-9 address with a port", "192.0.2.1:25", OTHER("192.0.2.1:25")},
    {"F-9 [address]", "[192.0.2.1]", OTHER("[192.0.2.1]")},
    {"F-9 [address]:port", "[192.0.2.1]:587", OTHER("[192.0.2.1]:587")},
    {"F-9 [IPv6:...]", "[IPv6:2001:db8::1]", OTHER("[ipv6:2001:db8::1]")},
    {"F-9 [ipv6:...]:port", "[ipv6:2001:db8::1]:25", OTHER("[ipv6:2001:db8::1]:25")},
    {"F-9 [::1]", "[::1]", OTHER("[::1]")},
    {"F-9 ::1", "::1", OTHER("::1")},
    {"numbers with a dot", "1.2.3.4.", OTHER("1.2.3.4.")},
    {"all-numeric last label", "example.123", OTHER("example.123")},
    {"one label", "localhost", OTHER("localhost")},
    {"one label with a dot", "localhost.", OTHER("localhost.")},
    {"[one label]:port", "[relay]:587", OTHER("[relay]:587")},

    {"hostile 32 empty", "", OTHER("")},
    {"hostile 32 a path", "/var/run/LMTP", OTHER("/var/run/lmtp")},
    {"hostile 32 unix:path", "unix:/var/run/lmtp", OTHER("unix:/var/run/lmtp")},
    {"hostile 32 ..", "../../etc/passwd", OTHER("../../etc/passwd")},
    {"hostile 32 @", "user@example.com", OTHER("user@example.com")},
    {"hostile 32 blank", "example .com", OTHER("")},
    {"hostile 32 line feed", "example.com\n", OTHER("")},
    {"hostile 32 carriage return", "example\r.com", OTHER("")},
    {"hostile 32 escape", "\033[31m.example.com", OTHER("")},
    {"hostile 32 leading hyphen", "-x.example", OTHER("-x.example")},
    {"hostile 32 trailing hyphen", "x-.example", OTHER("x-.example")},
    {"hostile 32 percent", "%s%n.example", OTHER("%s%n.example")},
    {"hostile 32 bad UTF-8", "b\xff\xfe.example", OTHER("")},
    {"hostile 32 overlong UTF-8", "\xc0\xae.example", OTHER("")},
    {"hostile 32 cut UTF-8", "b\xc3", OTHER("")},
    {"hostile 32 right-to-left override",
     "a\xe2\x80\xae"
     "b.example",
     OTHER("")},
    {"hostile 32 emoji", "\xf0\x9f\x92\xa9.example", OTHER("")},
    {"hostile 32 zero width joiner",
     "a\xe2\x80\x8d"
     "b.example",
     OTHER("")},
    {"hostile 32 fullwidth colon",
     "ex\xef\xbc\x9a"
     "25.example",
     OTHER("")},
    {"hostile 32 fullwidth digits are an address",
     "\xef\xbc\x91.\xef\xbc\x92.\xef\xbc\x93.\xef\xbc\x94", OTHER("")},
    {"hostile 32 label of 63", L63 ".example", KEY_DOMAIN, 25, L63 ".example", L63 ".example"},
    {"hostile 32 label of 64", "a" L63 ".example", OTHER("a" L63 ".example")},
    {"hostile 32 name of 253", NAME_253, KEY_DOMAIN, 25, NAME_253, NAME_253},
    {"hostile 32 name of 253 and a dot", NAME_253 ".", KEY_DOMAIN, 25, NAME_253, NAME_253},
    {"hostile 32 name of 254", NAME_254, OTHER(NAME_254)},
    {"longest key", "[" NAME_253 ".]:65535", KEY_HOST, 65535, NAME_253, "[" NAME_253 "]:65535"},

    {"A-43 U-label",
     "b\xc3\xbc"
     "cher.example",
     KEY_DOMAIN, 25, "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"A-43 U-label in capitals",
     "B\xc3\x9c"
     "CHER.EXAMPLE.",
     KEY_DOMAIN, 25, "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"A-43 U-label, decomposed",
     "bu\xcc\x88"
     "cher.example",
     KEY_DOMAIN, 25, "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"A-43 non-transitional", "fa\xc3\x9f.example", KEY_DOMAIN, 25, "xn--fa-hia.example",
     "xn--fa-hia.example"},
    {"A-43 A-label", "XN--BCHER-KVA.example", KEY_DOMAIN, 25, "xn--bcher-kva.example",
     "xn--bcher-kva.example"},
    {"A-43 ideographic full stops",
     "b\xc3\xbc"
     "cher\xe3\x80\x82"
     "example\xe3\x80\x82",
     KEY_DOMAIN, 25, "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"A-43 U-label beside an underscore",
     "_x.b\xc3\xbc"
     "cher.example",
     KEY_DOMAIN, 25, "_x.xn--bcher-kva.example", "_x.xn--bcher-kva.example"},
    {"A-43 [U-label]:port",
     "[b\xc3\xbc"
     "cher.example]:587",
     KEY_HOST, 587, "xn--bcher-kva.example", "[xn--bcher-kva.example]:587"},
    {"A-43 U-label parent",
     ".b\xc3\xbc"
     "cher.example",
     KEY_PARENT, 25, "xn--bcher-kva.example", ".xn--bcher-kva.example"},
    {"hostile 44 longer than 63 after punycode", L62 "\xc3\xbc.example", OTHER("")},
    {"hostile 44 empty U-label beside", "a..b\xc3\xbc.example", OTHER("")},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct key key;

    memset(&key, 0xaa, sizeof key);
    key_parse(&key, row->key, strlen(row->key), 25);
    assert_int_equal(key.kind, row->kind);
    assert_int_equal(key.port, row->port);
    assert_string_equal(key.name, row->want_name);
    assert_string_equal(key.text, row->want_text);
    assert_int_equal(key.text_length, strlen(row->want_text));
    assert_false(key.no_memory);
}

/* What a key is called must be a key, and the same one. */
static void test_canonical_text_is_stable(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct key once, twice;

        key_parse(&once, rows[i].key, strlen(rows[i].key), 25);
        key_parse(&twice, once.text, once.text_length, 25);
        assert_int_equal(once.kind, twice.kind);
        assert_string_equal(once.text, twice.text);
        assert_string_equal(once.name, twice.name);
        assert_int_equal(once.port, twice.port);
    }
}

static void test_default_port(void **state)
{
    struct key key;

    (void)state;
    key_parse(&key, "example.com", 11, 2525);
    assert_int_equal(key.port, 2525);
    assert_string_equal(key.text, "example.com");
    key_parse(&key, "example.com:25", 14, 2525);
    assert_int_equal(key.port, 25);
    assert_string_equal(key.text, "example.com:25");
    key_parse(&key, "example.com:2525", 16, 2525);
    assert_string_equal(key.text, "example.com");
}

static void test_hostile_32_nul(void **state)
{
    struct key key;

    (void)state;
    key_parse(&key, "example.com\0x", 13, 25);
    assert_int_equal(key.kind, KEY_OTHER);
    key_parse(&key, "b\xc3\xbc.example\0.com", 16, 25);
    assert_int_equal(key.kind, KEY_OTHER);
    assert_string_equal(key.text, "");
}

static void test_hostile_32_lengths(void **state)
{
    static char text[KEY_MAX + 2];
    struct key key;

    (void)state;
    for (size_t length = KEY_TEXT_MAX - 1; length <= KEY_MAX + 1; length++) {
        memset(text, 'a', length);
        key_parse(&key, text, length, 25);
        assert_int_equal(key.kind, KEY_OTHER);
        assert_int_equal(key.text_length, length <= KEY_TEXT_MAX ? length : 0);
    }
}

static void test_hostile_44_bomb(void **state)
{
    static char text[KEY_MAX];
    struct key key;

    (void)state;
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    key_parse(&key, text, sizeof text, 25);
    assert_int_equal(key.kind, KEY_OTHER);
    for (size_t i = 16; i < sizeof text; i += 17)
        text[i] = '.';
    key_parse(&key, text, sizeof text, 25);
    assert_int_equal(key.kind, KEY_OTHER);
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_canonical_text_is_stable);
    ROWS_ADD_TEST(test_default_port);
    ROWS_ADD_TEST(test_hostile_32_nul);
    ROWS_ADD_TEST(test_hostile_32_lengths);
    ROWS_ADD_TEST(test_hostile_44_bomb);
    return rows_run("key");
}
