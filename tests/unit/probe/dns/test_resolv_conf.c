/* resolv_conf: what counts as a nameserver line. */
#include "probe/dns/resolv_conf.h"

#include <stdlib.h>

#include "tests/unit/support/rows.h"

#define MAX 8

static const struct row {
    const char *name, *text, *want; /* addresses separated by blanks */
} rows[] = {
    {"empty", "", ""},
    {"one", "nameserver 192.0.2.1\n", "192.0.2.1"},
    {"no newline at the end", "nameserver 192.0.2.1", "192.0.2.1"},
    {"in order, IPv6 too", "nameserver ::1\nnameserver 127.0.0.1\n", "::1 127.0.0.1"},
    {"tabs and blanks", "nameserver \t 192.0.2.1 \t\n", "192.0.2.1"},
    {"CR LF", "nameserver 192.0.2.1\r\nnameserver 192.0.2.2\r\n", "192.0.2.1 192.0.2.2"},
    {"other lines",
     "# nameserver 192.0.2.9\n; x\nsearch example\noptions edns0 trust-ad\n"
     "nameserver 192.0.2.1\n",
     "192.0.2.1"},
    {"comment behind", "nameserver 192.0.2.1 # ours\n", "192.0.2.1"},
    {"keyword not at the beginning", " nameserver 192.0.2.1\n", ""},
    {"longer keyword", "nameservers 192.0.2.1\n", ""},
    {"keyword alone", "nameserver\nnameserver \n", ""},
    {"no blank", "nameserver192.0.2.1\n", ""},
    {"zone", "nameserver fe80::1%eth0\nnameserver ::1\n", "::1"},
    {"no address", "nameserver localhost\nnameserver 1.2.3\nnameserver 1.2.3.256\n", ""},
    {"longest address",
     "nameserver 1111:1111:1111:1111:1111:1111:111.111.111.111\n"
     "nameserver 1111:1111:1111:1111:1111:1111:111.111.111.1111\n",
     "1111:1111:1111:1111:1111:1111:6f6f:6f6f"},
    {"twice", "nameserver ::1\nnameserver ::1\nnameserver 0:0:0:0:0:0:0:1\n", "::1"},
    {"nine",
     "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n"
     "nameserver 10.0.0.5\nnameserver 10.0.0.6\nnameserver 10.0.0.7\nnameserver 10.0.0.8\n"
     "nameserver 10.0.0.9\n",
     "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8"},
};

static size_t parse(struct ip *out, size_t max, const char *text, size_t length)
{
    char *copy = malloc(length + (length == 0)); /* exact, for the sanitizer */
    size_t count;

    assert_non_null(copy);
    memcpy(copy, text, length);
    count = resolv_conf_parse(out, max, copy, length);
    free(copy);
    return count;
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct ip got[MAX];
    char text[IP_TEXT_MAX], joined[MAX * IP_TEXT_MAX + 1] = "";
    size_t count = parse(got, MAX, row->text, strlen(row->text));

    for (size_t n = 0; n < count; n++) {
        strcat(joined, n > 0 ? " " : "");
        strcat(joined, ip_text(&got[n], text));
    }
    assert_string_equal(joined, row->want);
}

static void test_limits(void **state)
{
    static const char with_nul[] = "nameserver 10.0.0.1\0\nnameserver 10.0.0.2\n";
    static const char two[] = "nameserver 10.0.0.1\nnameserver 10.0.0.2\n";
    struct ip got[MAX];

    (void)state;
    assert_int_equal(parse(got, MAX, with_nul, sizeof with_nul - 1), 1);
    assert_int_equal(got[0].octets[3], 2);
    assert_int_equal(parse(got, 0, two, sizeof two - 1), 0);
    assert_int_equal(parse(got, 1, two, sizeof two - 1), 1);
    for (size_t length = 0; length < sizeof two; length++)
        assert_true(parse(got, MAX, two, length) <= 2);
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_limits);
    return rows_run("resolv_conf");
}
