/* Whom we connect to, and whom we leave alone. */
#include "base/net/address_filter.h"

#include "tests/unit/support/rows.h"

struct permit_case {
    const char *name;
    const char *address;
    bool open;    /* by an empty filter */
    bool allowed; /* with allow-address = 127.0.0.0/8 10.1.0.0/16 fd00::/8 */
};

static const struct permit_case permit_cases[] = {
    {"hostile-11 global IPv4", "9.9.9.9", true, true},
    {"hostile-11 global IPv6", "2620:fe::fe", true, true},
    {"hostile-11 loopback", "127.0.0.1", false, true},
    {"hostile-11 loopback at the end", "127.255.255.255", false, true},
    {"hostile-11 private 10", "10.0.0.1", false, false},
    {"hostile-11 private 10.1", "10.1.255.255", false, true},
    {"hostile-11 private 172.16", "172.16.0.1", false, false},
    {"hostile-11 private 192.168", "192.168.1.1", false, false},
    {"hostile-11 link-local", "169.254.169.254", false, false},
    {"hostile-11 shared", "100.64.0.1", false, false},
    {"hostile-11 this host", "0.0.0.0", false, false},
    {"hostile-11 multicast", "224.0.0.1", false, false},
    {"hostile-11 broadcast", "255.255.255.255", false, false},
    {"hostile-11 documentation", "198.51.100.1", false, false},
    {"hostile-11 ::1", "::1", false, false},
    {"hostile-11 ULA", "fd12::1", false, true},
    {"hostile-11 ULA fc", "fc00::1", false, false},
    {"hostile-11 link-local v6", "fe80::1", false, false},
    {"hostile-10 mapped global", "::ffff:9.9.9.9", false, false},
    {"hostile-10 mapped loopback is not the allowed IPv4", "::ffff:127.0.0.1", false, false},
    {"hostile-10 NAT64", "64:ff9b::7f00:1", false, false},
    {"hostile-10 6to4", "2002:7f00:1::1", false, false},
};

static void run_permit_case(void **state)
{
    const struct permit_case *row = *state;
    struct address_filter filter = {0};
    struct ip_prefix allowed[3];
    struct ip ip;

    assert_true(ip_parse(&ip, row->address));
    assert_int_equal(address_filter_permits(&filter, &ip), row->open);
    assert_true(ip_prefix_parse(&allowed[0], "127.0.0.0/8"));
    assert_true(ip_prefix_parse(&allowed[1], "10.1.0.0/16"));
    assert_true(ip_prefix_parse(&allowed[2], "fd00::/8"));
    filter.allowed = allowed;
    filter.allowed_count = 3;
    assert_int_equal(address_filter_permits(&filter, &ip), row->allowed);
}

struct exclude_case {
    const char *name;
    const char *address, *host;
    bool excluded; /* by probe-exclude = 9.9.9.0/24 mx.example.test .quiet.test */
};

static const struct exclude_case exclude_cases[] = {
    {"exclude nothing", "8.8.8.8", "mx.other.test", false},
    {"exclude address", "9.9.9.255", "mx.other.test", true},
    {"exclude next prefix", "9.9.10.0", "mx.other.test", false},
    {"exclude host", "8.8.8.8", "mx.example.test", true},
    {"exclude host, letter case", "8.8.8.8", "MX.Example.test", true},
    {"exclude not below a host", "8.8.8.8", "a.mx.example.test", false},
    {"exclude domain itself", "8.8.8.8", "quiet.test", true},
    {"exclude below a domain", "8.8.8.8", "a.b.quiet.test", true},
    {"exclude not a longer label", "8.8.8.8", "disquiet.test", false},
};

static void run_exclude_case(void **state)
{
    static const char *const names[] = {"mx.example.test", ".quiet.test"};
    const struct exclude_case *row = *state;
    struct ip_prefix prefix;
    struct address_filter filter = {.excluded = &prefix,
                                    .excluded_count = 1,
                                    .excluded_names = names,
                                    .excluded_name_count = 2};
    struct ip ip;

    assert_true(ip_prefix_parse(&prefix, "9.9.9.0/24"));
    assert_true(ip_parse(&ip, row->address));
    assert_int_equal(address_filter_excludes(&filter, &ip, row->host), row->excluded);
}

int main(void)
{
    ROWS_ADD(permit_cases, run_permit_case);
    ROWS_ADD(exclude_cases, run_exclude_case);
    return rows_run("address_filter");
}
