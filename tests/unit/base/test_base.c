/* base/: names, addresses, arenas, buffers, escaping, hashing. */
#include "tests/unit/support/rows.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/net/base_domain.h"
#include "base/buf.h"
#include "base/escape.h"
#include "base/hash.h"
#include "base/net/hostname.h"
#include "base/net/ip.h"

/* ---- hostname ---- */

#define L63      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define L61      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"
#define NAME_253 L63 "." L63 "." L63 "." L61

struct name_row {
    const char *name; /* the host name itself, unless text is given */
    bool ldh, underscore;
    const char *text;
};

static const struct name_row names[] = {
    {"example.com", true, true, NULL},
    {"EXAMPLE.com", true, true, NULL},
    {"com", true, true, NULL},
    {"a", true, true, NULL},
    {"1-a.2b.c3", true, true, NULL},
    {"xn--bcher-kva.example", true, true, NULL},
    {"_25._tcp.example", false, true, NULL},
    {"a_b.example", false, true, NULL},
    {"nothing", false, false, ""},
    {".", false, false, NULL},
    {".example", false, false, NULL},
    {"example.", false, false, NULL},
    {"a..example", false, false, NULL},
    {"-a.example", false, false, NULL},
    {"a-.example", false, false, NULL},
    {"a.example-", false, false, NULL},
    {"192.0.2.1", false, false, NULL},
    {"a.b.1", false, false, NULL},
    {"1", false, false, NULL},
    {"1.a", true, true, NULL},
    {"a.1b", true, true, NULL},
    {"a b.example", false, false, NULL},
    {"a:b.example", false, false, NULL},
    {"*.example", false, false, NULL},
    {"[a.example]", false, false, NULL},
    {"a@b.example", false, false, NULL},
    {"a/b.example", false, false, NULL},
    {"non-ASCII", false, false, "b\xc3\xbc.example"},
    {"line feed", false, false, "a.example\n"},
    {"label of 63", true, true, L63 ".example"},
    {"label of 64", false, false, "x" L63 ".example"},
    {"name of 253", true, true, NAME_253},
    {"name of 254", false, false, NAME_253 "x"},
};

static void test_name(void **state)
{
    const struct name_row *row = *state;
    const char *text = row->text == NULL ? row->name : row->text;

    assert_int_equal(hostname_valid(text, strlen(text), HOSTNAME_LDH), row->ldh);
    assert_int_equal(hostname_valid(text, strlen(text), HOSTNAME_UNDERSCORE), row->underscore);
}

static void test_name_needs_no_nul(void **state)
{
    (void)state;
    assert_true(hostname_valid("a.example/x", 9, HOSTNAME_LDH));
    assert_false(hostname_valid("a.ex\0mple", 9, HOSTNAME_LDH));
}

static void test_labels(void **state)
{
    (void)state;
    assert_int_equal(hostname_labels("a", 1), 1);
    assert_int_equal(hostname_labels("a.b.c", 5), 3);
}

static void test_fold_and_compare(void **state)
{
    char text[] = "AbZ@[`az0_\xc3\x9c";

    (void)state;
    hostname_fold(text, sizeof text - 1);
    assert_string_equal(text, "abz@[`az0_\xc3\x9c");
    assert_true(hostname_equal("MX.Example", "mx.eXAMPLE"));
    assert_false(hostname_equal("mx.example", "mx.example."));
}

static void test_within(void **state)
{
    (void)state;
    assert_true(hostname_within("example.com", "example.com"));
    assert_true(hostname_within("a.b.Example.com", "example.COM"));
    assert_false(hostname_within("badexample.com", "example.com"));
    assert_false(hostname_within("com", "example.com"));
    assert_false(hostname_within("example.com.org", "example.com"));
}

/* ---- ip ---- */

struct ip_row {
    const char *name; /* the address; "" when it is none */
    const char *text; /* as ip_text writes it; NULL: no address */
    bool global, loopback;
};

static const struct ip_row addresses[] = {
    {"8.8.8.8", "8.8.8.8", true, false},
    {"193.0.0.1", "193.0.0.1", true, false},
    {"0.0.0.0", "0.0.0.0", false, false},
    {"0.255.255.255", "0.255.255.255", false, false},
    {"1.0.0.0", "1.0.0.0", true, false},
    {"9.255.255.255", "9.255.255.255", true, false},
    {"10.0.0.0", "10.0.0.0", false, false},
    {"10.255.255.255", "10.255.255.255", false, false},
    {"11.0.0.0", "11.0.0.0", true, false},
    {"100.63.255.255", "100.63.255.255", true, false},
    {"100.64.0.0", "100.64.0.0", false, false},
    {"100.127.255.255", "100.127.255.255", false, false},
    {"100.128.0.0", "100.128.0.0", true, false},
    {"127.0.0.1", "127.0.0.1", false, true},
    {"127.255.255.254", "127.255.255.254", false, true},
    {"128.0.0.0", "128.0.0.0", true, false},
    {"169.254.169.254", "169.254.169.254", false, false},
    {"169.253.255.255", "169.253.255.255", true, false},
    {"172.15.255.255", "172.15.255.255", true, false},
    {"172.16.0.0", "172.16.0.0", false, false},
    {"172.31.255.255", "172.31.255.255", false, false},
    {"172.32.0.0", "172.32.0.0", true, false},
    {"192.0.0.9", "192.0.0.9", false, false},
    {"192.0.2.1", "192.0.2.1", false, false},
    {"192.88.99.1", "192.88.99.1", false, false},
    {"192.168.255.255", "192.168.255.255", false, false},
    {"192.169.0.0", "192.169.0.0", true, false},
    {"198.17.255.255", "198.17.255.255", true, false},
    {"198.18.0.0", "198.18.0.0", false, false},
    {"198.19.255.255", "198.19.255.255", false, false},
    {"198.20.0.0", "198.20.0.0", true, false},
    {"198.51.100.7", "198.51.100.7", false, false},
    {"203.0.113.7", "203.0.113.7", false, false},
    {"223.255.255.255", "223.255.255.255", true, false},
    {"224.0.0.1", "224.0.0.1", false, false},
    {"240.0.0.1", "240.0.0.1", false, false},
    {"255.255.255.255", "255.255.255.255", false, false},

    {"2001:4860:4860::8888", "2001:4860:4860::8888", true, false},
    {"2A00:1450::1", "2a00:1450::1", true, false},
    {"::", "::", false, false},
    {"::1", "::1", false, true},
    {"::ffff:8.8.8.8", "::ffff:8.8.8.8", false, false},
    {"::ffff:127.0.0.1", "::ffff:127.0.0.1", false, false},
    {"::8.8.8.8", "::8.8.8.8", false, false},
    {"64:ff9b::808:808", "64:ff9b::808:808", false, false},
    {"64:ff9b:1::1", "64:ff9b:1::1", false, false},
    {"100::1", "100::1", false, false},
    {"1fff:ffff::1", "1fff:ffff::1", false, false},
    {"2000::1", "2000::1", true, false},
    {"2001::1", "2001::1", false, false},
    {"2001:1ff:ffff::1", "2001:1ff:ffff::1", false, false},
    {"2001:200::1", "2001:200::1", true, false},
    {"2001:db8::1", "2001:db8::1", false, false},
    {"2001:db7:ffff::1", "2001:db7:ffff::1", true, false},
    {"2002:808:808::1", "2002:808:808::1", false, false},
    {"2003::1", "2003::1", true, false},
    {"3ffe:ffff::1", "3ffe:ffff::1", true, false},
    {"3fff::1", "3fff::1", false, false},
    {"3fff:fff::1", "3fff:fff::1", false, false},
    {"3fff:1000::1", "3fff:1000::1", true, false},
    {"4000::1", "4000::1", false, false},
    {"fc00::1", "fc00::1", false, false},
    {"fdff::1", "fdff::1", false, false},
    {"fe80::1", "fe80::1", false, false},
    {"fec0::1", "fec0::1", false, false},
    {"ff02::1", "ff02::1", false, false},

    {"8.8.8", NULL, false, false},
    {"8.8.8.8.8", NULL, false, false},
    {"8.8.8.256", NULL, false, false},
    {"08.8.8.8", NULL, false, false},
    {"0x8.8.8.8", NULL, false, false},
    {"8.8.8.8 ", NULL, false, false},
    {"8.8.8.8/32", NULL, false, false},
    {"[::1]", NULL, false, false},
    {"fe80::1%lo", NULL, false, false},
    {":::", NULL, false, false},
    {"example.com", NULL, false, false},
};

static void test_address(void **state)
{
    const struct ip_row *row = *state;
    char text[IP_TEXT_MAX];
    struct ip ip;

    assert_int_equal(ip_parse(&ip, row->name), row->text != NULL);
    if (row->text == NULL)
        return;
    assert_string_equal(ip_text(&ip, text), row->text);
    assert_int_equal(ip_is_global(&ip), row->global);
    assert_int_equal(ip_is_loopback(&ip), row->loopback);
}

static void test_ip_from_octets(void **state)
{
    static const uint8_t octets[17] = {192, 0, 2, 1};
    struct ip ip, other;

    (void)state;
    for (size_t length = 0; length <= sizeof octets; length++)
        assert_int_equal(ip_from_octets(&ip, octets, length), length == 4 || length == 16);
    assert_true(ip_from_octets(&ip, octets, 4) && ip_parse(&other, "192.0.2.1"));
    assert_true(ip_equal(&ip, &other));
    assert_true(ip_from_octets(&other, octets, 16));
    assert_false(ip_equal(&ip, &other));
    assert_true(ip_parse(&other, "192.0.2.2"));
    assert_false(ip_equal(&ip, &other));
    memset(&ip, 0, sizeof ip);
    assert_false(ip_is_global(&ip));
    assert_false(ip_is_loopback(&ip));
}

struct prefix_row {
    const char *name; /* the prefix */
    bool valid;
    const char *inside, *outside;
};

static const struct prefix_row prefixes[] = {
    {"0.0.0.0/0", true, "255.255.255.255", "::"},
    {"192.0.2.0/24", true, "192.0.2.255", "192.0.3.0"},
    {"192.0.2.128/25", true, "192.0.2.128", "192.0.2.127"},
    {"192.0.2.1/32", true, "192.0.2.1", "192.0.2.0"},
    {"192.0.2.1", true, "192.0.2.1", "192.0.2.2"},
    {"10.0.0.0/7", true, "11.255.0.1", "12.0.0.0"},
    {"::/0", true, "ffff::", "0.0.0.0"},
    {"2001:db8::/32", true, "2001:db8:ffff::", "2001:db9::"},
    {"2001:db8::1/128", true, "2001:db8::1", "2001:db8::"},
    {"2001:db8::1", true, "2001:db8::1", "2001:db8::2"},
    {"2001:db8::8/125", true, "2001:db8::f", "2001:db8::10"},
    {"192.0.2.1/24", false, NULL, NULL},
    {"192.0.2.0/33", false, NULL, NULL},
    {"192.0.2.0/", false, NULL, NULL},
    {"192.0.2.0/-1", false, NULL, NULL},
    {"192.0.2.0/+8", false, NULL, NULL},
    {"192.0.2.0/ 8", false, NULL, NULL},
    {"192.0.2.0/24x", false, NULL, NULL},
    {"192.0.2.0/24/24", false, NULL, NULL},
    {"192.0.2.0/99999999999999999999", false, NULL, NULL},
    {"/24", false, NULL, NULL},
    {"2001:db8::/129", false, NULL, NULL},
    {"2001:db8::1/64", false, NULL, NULL},
    {"example.com/24", false, NULL, NULL},
};

static void test_prefix(void **state)
{
    const struct prefix_row *row = *state;
    struct ip_prefix prefix;
    struct ip ip;

    assert_int_equal(ip_prefix_parse(&prefix, row->name), row->valid);
    if (!row->valid)
        return;
    assert_true(ip_parse(&ip, row->inside) && ip_prefix_contains(&prefix, &ip));
    assert_true(ip_parse(&ip, row->outside) && !ip_prefix_contains(&prefix, &ip));
}

/* ---- arena ---- */

static void test_arena_alignment_and_zero(void **state)
{
    struct arena *arena = arena_new(1 << 20);

    (void)state;
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *data = arena_alloc(arena, size);

        assert_non_null(data);
        assert_int_equal((uintptr_t)data % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(data[i], 0);
        memset(data, 0xff, size);
    }
    assert_false(arena_failed(arena));
    arena_free(arena);
    arena_free(NULL);
}

static void test_arena_limit(void **state)
{
    const size_t limit = 1024;

    (void)state;
    for (size_t size = limit - 16; size <= limit + 16; size += 16) {
        struct arena *arena = arena_new(limit);
        bool fits = size <= limit;

        assert_int_equal(arena_alloc(arena, size) != NULL, fits);
        assert_int_equal(arena_failed(arena), !fits);
        assert_true(arena_octets(arena) <= limit);
        if (!fits)
            assert_null(arena_alloc(arena, 1));
        arena_free(arena);
    }
}

/* What it hands out again is zero, whatever was there before, and counts anew. */
static void test_arena_reset(void **state)
{
    static const char zeros[60000];
    struct arena *arena = arena_new(300000);

    (void)state;
    arena_reset(arena);
    for (size_t size = 1; size <= sizeof zeros; size *= 3) {
        for (int i = 0; i < 2; i++) {
            char *data = arena_alloc(arena, size);

            assert_non_null(data);
            assert_memory_equal(data, zeros, size);
            memset(data, 'x', size);
        }
        arena_reset(arena);
    }
    assert_non_null(arena_alloc(arena, 200000));
    assert_null(arena_alloc(arena, 200000));
    arena_reset(arena);
    assert_false(arena_failed(arena));
    assert_int_equal(arena_octets(arena), 0); /* so large a piece is not kept */
    arena_free(arena);
}

static void test_arena_overflow(void **state)
{
    struct arena *arena = arena_new(SIZE_MAX);

    (void)state;
    assert_null(arena_array(arena, SIZE_MAX / 2, 3));
    assert_true(arena_failed(arena));
    arena_free(arena);
    arena = arena_new(SIZE_MAX);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_true(arena_failed(arena));
    arena_free(arena);
}

static void test_arena_copies(void **state)
{
    struct arena *arena = arena_new(1 << 16);

    (void)state;
    assert_string_equal(arena_strdup(arena, "name"), "name");
    assert_null(arena_strdup(arena, NULL));
    assert_false(arena_failed(arena));
    assert_string_equal(arena_strndup(arena, "nameless", 4), "name");
    assert_memory_equal(arena_memdup(arena, "a\0b", 3), "a\0b", 3);
    assert_non_null(arena_memdup(arena, NULL, 0));
    assert_string_equal(arena_printf(arena, "%s:%d", "a", 25), "a:25");
    assert_string_equal(arena_printf(arena, "%0600d", 1) + 598, "01");
    arena_free(arena);
}

/* ---- buf ---- */

static void test_buf_grows(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100000);
    assert_string_equal(buf_text(&buf), "");
    for (int i = 0; i < 10000; i++)
        buf_addf(&buf, "%04d", i);
    assert_int_equal(buf.length, 40000);
    assert_memory_equal(buf.data + 39996, "9999", 5);
    buf_consume(&buf, 39996);
    assert_string_equal(buf_text(&buf), "9999");
    buf_consume(&buf, 0);
    buf_consume(&buf, 100);
    assert_string_equal(buf_text(&buf), "");
    buf_add(&buf, "a\0b", 3);
    buf_add(&buf, NULL, 0);
    assert_int_equal(buf.length, 3);
    buf_fini(&buf);
    assert_string_equal(buf_text(&buf), "");
}

static void test_buf_limit_is_sticky(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 5);
    buf_adds(&buf, "1234");
    buf_adds(&buf, "5");
    assert_false(buf.failed);
    buf_adds(&buf, "6");
    assert_true(buf.failed);
    assert_string_equal(buf_text(&buf), "12345");
    buf_clear(&buf);
    assert_false(buf.failed);
    buf_addf(&buf, "%d", 123456);
    assert_true(buf.failed);
    buf_adds(&buf, "1");
    assert_int_equal(buf.length, 0);
    buf_fini(&buf);
}

/* ---- escape ---- */

struct escape_row {
    const char *name;
    const char *data;
    size_t length, size;
    const char *want;
};

static const struct escape_row escapes[] = {
    {"printable", "a ~\"%n", 6, 20, "a ~\"%n"},
    {"hostile 45 ANSI and line feed", "\033[31m\n", 6, 40, "\\x1b[31m\\x0a"},
    {"backslash", "a\\x0a", 5, 40, "a\\x5cx0a"},
    {"NUL and high octets", "a\0\xff", 3, 40, "a\\x00\\xff"},
    {"nothing", "", 0, 10, ""},
    {"no room at all", "abc", 3, 1, ""},
    {"exactly", "abcdef", 6, 7, "abcdef"},
    {"one too many", "abcdefg", 7, 7, "abc..."},
    {"cut between escapes", "abc\n\n", 5, 10, "abc..."},
    {"exactly with escapes", "abc\n\n", 5, 12, "abc\\x0a\\x0a"},
};

static void test_escape(void **state)
{
    const struct escape_row *row = *state;
    char *out = malloc(row->size);

    assert_non_null(out);
    assert_ptr_equal(escape_bytes(out, row->size, row->data, row->length), out);
    assert_string_equal(out, row->want);
    free(out);
}

/* ---- hash ---- */

static void test_hash(void **state)
{
    static const unsigned char data[64] = {1, 2, 3};
    uint64_t seen[64];

    (void)state;
    for (size_t length = 0; length < 64; length++) {
        seen[length] = hash_bytes(data, length);
        assert_true(hash_bytes(data, length) == seen[length]);
        for (size_t i = 0; i < length; i++)
            assert_true(seen[i] != seen[length]);
    }
    /* under a key drawn at start strangers cannot tell which names collide */
    assert_int_equal(hash_init(), 0);
    assert_true(hash_bytes(data, 10) != seen[10]);
}

/* Maps of foreign names rely on it. */
static void test_hash_spreads(void **state)
{
    unsigned buckets[64] = {0};

    (void)state;
    for (uint32_t i = 0; i < 64000; i++)
        buckets[hash_bytes(&i, sizeof i) % 64]++;
    for (size_t i = 0; i < 64; i++)
        assert_true(buckets[i] > 800 && buckets[i] < 1200);
}

/* ---- base_domain ---- */

static const struct base_row {
    const char *name, *want;
} bases[] = {
    {"", ""},
    {"com", "com"},
    {"example.com", "example.com"},
    {"a.b.example.com", "example.com"},
    {"co.uk", "co.uk"},
    {"b.co.uk", "b.co.uk"},
    {"a.b.co.uk", "b.co.uk"},
    {"a.b.coo.uk", "coo.uk"},
    {"a.b.com.br", "b.com.br"},
    /* with an underscore, as the DNS has them */
    {"_a._b.c.co.uk", "c.co.uk"},
    /* of the private section: strangers below one owner's name */
    {"github.io", "github.io"},
    {"me.github.io", "me.github.io"},
    {"x.y.me.github.io", "me.github.io"},
    {"mygithub.io", "mygithub.io"},
    {"a.io", "a.io"},
    /* *.ck, but !www.ck */
    {"ck", "ck"},
    {"co.ck", "co.ck"},
    {"b.co.ck", "b.co.ck"},
    {"a.b.co.ck", "b.co.ck"},
    {"www.ck", "www.ck"},
    {"a.www.ck", "www.ck"},
    /* *.kobe.jp, but !city.kobe.jp */
    {"b.c.kobe.jp", "b.c.kobe.jp"},
    {"a.b.c.kobe.jp", "b.c.kobe.jp"},
    {"a.b.city.kobe.jp", "city.kobe.jp"},
    /* a top level that is not listed: the last two labels */
    {"localhost", "localhost"},
    {"a.example", "a.example"},
    {"a.b.example", "b.example"},
    {"a.b.co.example", "co.example"},
    {"a.b.c.invalid", "c.invalid"},
    /* A-labels */
    {"xn--p1ai", "xn--p1ai"},
    {"a.b.xn--p1ai", "b.xn--p1ai"},
    {"xn--55qx5d.cn", "xn--55qx5d.cn"},
    {"a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn"},
    {"a.xn--mxauadabcdfgaxb7a.com", "xn--mxauadabcdfgaxb7a.com"},
    {"a.xn--zzzzzzzz.com", "xn--zzzzzzzz.com"}, /* stands for nothing */
    {"a.xn--.com", "xn--.com"},
    /* as long as a name may be */
    {NAME_253, L63 "." L61},
    {L63 "." L63 "." L61 ".co.uk", L61 ".co.uk"},
};

/* Strangers below co.uk must not share one owner's cap on lookups: hostile 27. */
static void test_base(void **state)
{
    const struct base_row *row = *state;
    const char *base = base_domain(row->name);

    assert_string_equal(base, row->want);
    assert_ptr_equal(base, row->name + strlen(row->name) - strlen(base));
}

int main(void)
{
    ROWS_ADD(names, test_name);
    ROWS_ADD_TEST(test_name_needs_no_nul);
    ROWS_ADD_TEST(test_labels);
    ROWS_ADD_TEST(test_fold_and_compare);
    ROWS_ADD_TEST(test_within);
    ROWS_ADD(bases, test_base);
    ROWS_ADD(addresses, test_address);
    ROWS_ADD_TEST(test_ip_from_octets);
    ROWS_ADD(prefixes, test_prefix);
    ROWS_ADD_TEST(test_arena_alignment_and_zero);
    ROWS_ADD_TEST(test_arena_limit);
    ROWS_ADD_TEST(test_arena_reset);
    ROWS_ADD_TEST(test_arena_overflow);
    ROWS_ADD_TEST(test_arena_copies);
    ROWS_ADD_TEST(test_buf_grows);
    ROWS_ADD_TEST(test_buf_limit_is_sticky);
    ROWS_ADD(escapes, test_escape);
    ROWS_ADD_TEST(test_hash);
    ROWS_ADD_TEST(test_hash_spreads);
    return rows_run("base");
}
