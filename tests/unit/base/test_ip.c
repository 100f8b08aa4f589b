/* ip: to a sockaddr and back. hostname: the spelling that is stored. */
#include "tests/unit/support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/net/hostname.h"
#include "base/net/ip.h"

static void addresses_survive_a_sockaddr(void **state)
{
    static const struct {
        const char *text;
        int family;
        size_t length;
    } rows[] = {
        {"192.0.2.1", AF_INET, sizeof(struct sockaddr_in)},
        {"255.255.255.255", AF_INET, sizeof(struct sockaddr_in)},
        {"2001:db8::1", AF_INET6, sizeof(struct sockaddr_in6)},
        {"::", AF_INET6, sizeof(struct sockaddr_in6)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sockaddr_storage name;
        struct ip ip, back;

        assert_true(ip_parse(&ip, rows[i].text));
        assert_int_equal(ip_to_sockaddr(&name, &ip, 2500), rows[i].length);
        assert_int_equal(name.ss_family, rows[i].family);
        assert_int_equal(((struct sockaddr_in *)(void *)&name)->sin_port, htons(2500));
        assert_true(ip_from_sockaddr(&back, (struct sockaddr *)&name));
        assert_memory_equal(&back, &ip, sizeof ip);
    }
}

static void other_families_have_no_address(void **state)
{
    const struct sockaddr_storage name = {.ss_family = AF_UNIX};
    struct ip ip = {4, {1}};

    (void)state;
    assert_false(ip_from_sockaddr(&ip, (const struct sockaddr *)&name));
    assert_int_equal(ip.family, 0);
}

static void sites(void **state)
{
    static const char *const rows[][2] = {
        {"192.0.2.255", "192.0.2.0/24"},
        {"255.255.255.255", "255.255.255.0/24"},
        {"2001:db8:1:2:3::1", "2001:db8:1::/48"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff::/48"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[IP_PREFIX_TEXT_MAX];
        struct ip_prefix site;
        struct ip ip;

        assert_true(ip_parse(&ip, rows[i][0]));
        site = ip_site(&ip);
        assert_string_equal(ip_prefix_text(&site, text), rows[i][1]);
        assert_true(ip_prefix_contains(&site, &ip));
    }
}

static void canonical_names(void **state)
{
    static const struct {
        const char *name;
        bool want;
    } rows[] = {
        {"mx.example", true},  {"_25._tcp.mx.example", true},
        {"x", true},           {"MX.example", false},
        {"mx.examplE", false}, {"mx.example.", false},
        {"192.0.2.1", false},  {"", false},
        {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (hostname_canonical(rows[i].name) != rows[i].want)
            fail_msg("%s", rows[i].name == NULL ? "NULL" : rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_survive_a_sockaddr),
        cmocka_unit_test(other_families_have_no_address),
        cmocka_unit_test(sites),
        cmocka_unit_test(canonical_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
