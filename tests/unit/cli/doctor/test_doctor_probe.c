/* doctor: whether the probes see what Postfix will see; one difference a row. */
#include "tests/unit/support/doctor_world.h"

FAULT(sound)
{
    (void)world;
}

FAULT(floor_in_main)
{
    set_main(world, POSTFIX_MANDATORY_PROTOCOLS, "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1");
}

FAULT(floor_of_a_service)
{
    add_overridden(world, "slow", POSTFIX_MANDATORY_PROTOCOLS, ">=TLSv1.3");
}

FAULT(floor_in_both)
{
    load_config(world, SOUND_CONFIG "tls-protocols = >=TLSv1.2\n");
    set_main(world, POSTFIX_MANDATORY_PROTOCOLS, "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1");
}

FAULT(floor_in_ours)
{
    load_config(world, SOUND_CONFIG "tls-protocols = >=TLSv1.2\n");
    make_clients(world);
}

FAULT(floor_without_probes)
{
    load_config(world, SOUND_CONFIG "probe = no\n");
    floor_in_main(world);
}

FAULT(floor_unknown)
{
    set_main(world, POSTFIX_MANDATORY_PROTOCOLS, "TLSv9");
}

FAULT(floor_of_old_postfix)
{
    set_main(world, POSTFIX_MANDATORY_PROTOCOLS, "!SSLv2, !SSLv3");
}

FAULT(floor_of_nobody)
{
    add_service(world, "lone")->overrides[POSTFIX_POLICY_MAPS] = "";
    world->postfix.services[world->postfix.service_count - 1]
        .overrides[POSTFIX_MANDATORY_PROTOCOLS] = ">=TLSv1.3";
    make_clients(world);
}

FAULT(high_in_main)
{
    set_main(world, POSTFIX_MANDATORY_CIPHERS, "HIGH");
    set_main(world, POSTFIX_MANDATORY_EXCLUDE, "aNULL, kRSA");
    set_main(world, POSTFIX_EXCLUDE_CIPHERS, "MD5:3DES");
}

FAULT(high_in_both)
{
    load_config(world, SOUND_CONFIG "tls-ciphers = high !MD5 !3DES !aNULL !kRSA\n");
    high_in_main(world);
}

FAULT(excluded_in_ours)
{
    load_config(world, SOUND_CONFIG "tls-ciphers = medium !kRSA\n");
    make_clients(world);
}

/* As ssl-config.mozilla.org has it. */
FAULT(list_in_main)
{
    set_main(world, POSTFIX_MEDIUM_CIPHERS,
             "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384");
}

FAULT(lists_of_3_8)
{
    set_main(world, POSTFIX_MEDIUM_CIPHERS,
             "aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:"
             "+RC4:@STRENGTH");
}

FAULT(high_list_of_3_8)
{
    load_config(world, SOUND_CONFIG "tls-ciphers = high\n");
    set_main(world, POSTFIX_HIGH_CIPHERS,
             "aNULL:-aNULL:HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:@STRENGTH");
    set_main(world, POSTFIX_MANDATORY_CIPHERS, "high");
}

FAULT(list_in_both)
{
    load_config(world, SOUND_CONFIG
                "tls-ciphers = ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256\n");
    list_in_main(world);
}

FAULT(list_with_blanks)
{
    set_main(world, POSTFIX_MEDIUM_CIPHERS, "ECDHE-RSA-AES128-GCM-SHA256, AES128-SHA");
}

FAULT(grade_low)
{
    set_main(world, POSTFIX_MANDATORY_CIPHERS, "low");
}

FAULT(grade_null)
{
    set_main(world, POSTFIX_MANDATORY_CIPHERS, "null");
}

FAULT(all_excluded)
{
    set_main(world, POSTFIX_MANDATORY_EXCLUDE, "ALL");
}

FAULT(excluded_of_a_service)
{
    add_overridden(world, "slow", POSTFIX_MANDATORY_EXCLUDE, "kRSA");
}

/* As long as a line may be. */
FAULT(excluded_without_end)
{
    static char list[POSTFIX_LINE_MAX - 1];

    for (size_t i = 0; i < sizeof list - 1; i++)
        list[i] = i % 2 == 0 ? 'a' : ',';
    set_main(world, POSTFIX_MANDATORY_EXCLUDE, list);
    set_main(world, POSTFIX_EXCLUDE_CIPHERS, list);
}

FAULT(bound_in_main)
{
    set_main(world, POSTFIX_BIND_ADDRESS, "192.0.2.9");
}

FAULT(bound_in_both)
{
    load_config(world, SOUND_CONFIG "probe-bind-address = 192.0.2.9\n");
    bound_in_main(world);
}

FAULT(bound_elsewhere)
{
    load_config(world, SOUND_CONFIG "probe-bind-address = 192.0.2.8\n");
    bound_in_main(world);
}

FAULT(bound_in_ours)
{
    load_config(world, SOUND_CONFIG "probe-bind-address6 = 2001:db8::9\n");
    make_clients(world);
}

FAULT(bound_of_a_service)
{
    add_overridden(world, "slow", POSTFIX_BIND_ADDRESS6, "2001:DB8:0::9");
}

FAULT(bound_without_ipv6)
{
    world->postfix.values[POSTFIX_INET_PROTOCOLS] = "ipv4";
    set_main(world, POSTFIX_BIND_ADDRESS6, "2001:db8::9");
}

FAULT(bound_to_nonsense)
{
    set_main(world, POSTFIX_BIND_ADDRESS, "mail.example");
}

FAULT(bound_without_probes)
{
    load_config(world, SOUND_CONFIG "probe = no\n");
    bound_in_main(world);
}

FAULT(one_interface)
{
    make_clients(world);
    assert_true(ip_parse(&world->facts.clients[0].interfaces[0], "192.0.2.7"));
}

FAULT(one_interface_in_both)
{
    load_config(world, SOUND_CONFIG "probe-bind-address = 192.0.2.7\n");
    one_interface(world);
}

FAULT(one_interface_and_bound)
{
    load_config(world, SOUND_CONFIG "probe-bind-address = 192.0.2.9\n");
    world->postfix.values[POSTFIX_BIND_ADDRESS] = "192.0.2.9";
    one_interface(world);
}

FAULT(interface_unknown)
{
    make_clients(world);
    world->facts.clients[0].interfaces_unknown = true;
}

FAULT(source_away)
{
    world->facts.source[1] = tried_bad(EADDRNOTAVAIL, "Cannot assign requested address");
}

static const struct doctor_row rows[] = {
    {"G-18 nothing is planted", sound, NULL, NULL, NULL},
    {"G-18 protocols in main.cf", floor_in_main,
     "tls-protocols error: smtp_tls_mandatory_protocols allows TLSv1.2, TLSv1.3, and tls-protocols "
     "also TLSv1, TLSv1.1: mail",
     "tls-protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1, in mxcryptd.conf", NULL},
    {"G-18 protocols of a service", floor_of_a_service,
     "tls-protocols error: smtp_tls_mandatory_protocols allows TLSv1.3, and",
     "tls-protocols = >=TLSv1.3, in", NULL},
    {"G-18 the same protocols", floor_in_both, NULL, NULL, NULL},
    {"G-18 fewer protocols in mxcryptd.conf", floor_in_ours,
     "tls-protocols warning: tls-protocols allows TLSv1.2, TLSv1.3, and "
     "smtp_tls_mandatory_protocols also TLSv1, TLSv1.1",
     "tls-protocols = >=TLSv1, in", NULL},
    {"G-18 protocols without probes", floor_without_probes, NULL, NULL, NULL},
    {"G-18 unknown protocols", floor_unknown,
     "tls-protocols error: smtp_tls_mandatory_protocols = TLSv9: not a version of TLS",
     "smtp_tls_mandatory_protocols = >=TLSv1.2", NULL},
    {"G-18 the default before 3.6", floor_of_old_postfix, NULL, NULL, NULL},
    {"G-18 protocols of a service that does not ask", floor_of_nobody, "map ", "", NULL},
    {"G-18 ciphers in main.cf", high_in_main,
     "tls-ciphers error: smtp_tls_mandatory_ciphers, less what is excluded, allows",
     "tls-ciphers = high !MD5 !3DES !aNULL !kRSA, in mxcryptd.conf", NULL},
    {"G-18 the same ciphers", high_in_both, NULL, NULL, NULL},
    {"G-18 fewer ciphers in mxcryptd.conf", excluded_in_ours,
     "tls-ciphers warning: tls-ciphers allows", "tls-ciphers = medium, in", NULL},
    {"G-18 a list in place of Postfix's", list_in_main, "tls-ciphers error: ",
     "tls-ciphers = ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384, in", NULL},
    {"G-18 Postfix's list from 3.8 on", lists_of_3_8, NULL, NULL, NULL},
    {"G-18 Postfix's high list from 3.8 on", high_list_of_3_8, NULL, NULL, NULL},
    {"G-18 the same list in another order", list_in_both, NULL, NULL, NULL},
    {"G-18 a list with blanks", list_with_blanks,
     "tls-ciphers error: ", "tls-ciphers = ECDHE-RSA-AES128-GCM-SHA256::AES128-SHA, in", NULL},
    {"G-18 low is medium", grade_low, NULL, NULL, NULL},
    {"G-18 null is no grade", grade_null,
     "tls-ciphers error: smtp_tls_mandatory_ciphers = null is no grade",
     "smtp_tls_mandatory_ciphers = medium", NULL},
    {"G-18 all ciphers excluded", all_excluded,
     "tls-ciphers error: smtp_tls_mandatory_ciphers, less what is excluded, cannot be used",
     "fewer exclusions", NULL},
    {"G-18 more exclusions than there is room for", excluded_without_end,
     "tls-ciphers error: smtp_tls_mandatory_ciphers, less what is excluded, cannot be used",
     "fewer exclusions", NULL},
    {"G-18 ciphers of a service", excluded_of_a_service,
     "tls-ciphers error: ", "tls-ciphers = medium !kRSA, in", NULL},
    {"smtp_bind_address", bound_in_main,
     "bind-address warning: smtp(8) connects from 192.0.2.9 (smtp_bind_address), and the probes "
     "from any address:",
     "probe-bind-address = 192.0.2.9, in mxcryptd.conf", NULL},
    {"smtp_bind_address, the same", bound_in_both, NULL, NULL, NULL},
    {"smtp_bind_address, another", bound_elsewhere,
     "bind-address warning: smtp(8) connects from 192.0.2.9 (smtp_bind_address), and the probes "
     "from 192.0.2.8 (probe-bind-address)",
     "probe-bind-address = 192.0.2.9, in", NULL},
    {"probe-bind-address6 alone", bound_in_ours,
     "bind-address warning: smtp(8) connects from any address, and the probes from 2001:db8::9",
     "smtp_bind_address6 = 2001:db8::9 (or no probe-bind-address6 in mxcryptd.conf)", NULL},
    {"smtp_bind_address6 of a service", bound_of_a_service,
     "bind-address warning: smtp(8) connects from 2001:db8::9 (smtp_bind_address6)",
     "probe-bind-address6 = 2001:db8::9, in", NULL},
    {"smtp_bind_address6 without IPv6", bound_without_ipv6, NULL, NULL, NULL},
    {"smtp_bind_address is a name", bound_to_nonsense,
     "bind-address error: smtp_bind_address = mail.example is no address", "an address", NULL},
    {"smtp_bind_address without probes", bound_without_probes, NULL, NULL, NULL},
    {"one address in inet_interfaces", one_interface,
     "bind-address warning: smtp(8) connects from 192.0.2.7 (inet_interfaces)",
     "probe-bind-address = 192.0.2.7, in", NULL},
    {"one address in inet_interfaces, the same", one_interface_in_both, NULL, NULL, NULL},
    {"smtp_bind_address goes before inet_interfaces", one_interface_and_bound, NULL, NULL, NULL},
    {"inet_interfaces cannot be resolved", interface_unknown, NULL, NULL, "bind-address"},
    {"probe-bind-address6 is not here", source_away,
     "probe-address error: probe-bind-address6 cannot be used (Cannot assign requested address)",
     "probe-bind-address6 = an address of this host", NULL},
};

/* mail.example has one address of each family, two.example two of IPv4. */
static int resolve(const char *name, struct ip *out, size_t max)
{
    assert_true(max >= 2);
    if (strcmp(name, "mail.example") == 0)
        return ip_parse(&out[0], "192.0.2.1") && ip_parse(&out[1], "2001:db8::1") ? 2 : -1;
    if (strcmp(name, "two.example") == 0)
        return ip_parse(&out[0], "192.0.2.1") && ip_parse(&out[1], "192.0.2.2") ? 2 : -1;
    return -1;
}

static const struct source_row {
    const char *name, *interfaces;
    const char *ipv4, *ipv6; /* "": none */
    bool unknown;
} source_rows[] = {
    {"inet_interfaces: all", "all", "", "", false},
    {"inet_interfaces: loopback-only", "loopback-only", "", "", false},
    {"inet_interfaces: one address", "192.0.2.5", "192.0.2.5", "", false},
    {"inet_interfaces: one of each family", "192.0.2.5, [2001:db8::5]", "192.0.2.5", "2001:db8::5",
     false},
    {"inet_interfaces: two of a family", "192.0.2.5 192.0.2.6 2001:db8::5", "", "2001:db8::5",
     false},
    {"inet_interfaces: the same twice", "192.0.2.5, 192.0.2.5", "192.0.2.5", "", false},
    {"inet_interfaces: loopback", "127.0.0.1, [::1]", "", "", false},
    {"inet_interfaces: loopback and another", "127.0.0.1, 192.0.2.5", "", "", false},
    {"inet_interfaces: a name", "mail.example", "192.0.2.1", "2001:db8::1", false},
    {"inet_interfaces: a name and its address", "mail.example, 192.0.2.1", "192.0.2.1",
     "2001:db8::1", false},
    {"inet_interfaces: a name of two addresses", "two.example", "", "", false},
    {"inet_interfaces: an unknown name", "192.0.2.5, no.example", "", "", true},
    {"inet_interfaces: nothing", "", "", "", false},
};

static void test_source(void **state)
{
    const struct source_row *row = *state;
    char text[IP_TEXT_MAX];
    struct ip got[2];

    assert_int_equal(doctor_one_interface(got, row->interfaces, resolve), !row->unknown);
    assert_string_equal(got[0].family == 0 ? "" : ip_text(&got[0], text), row->ipv4);
    assert_string_equal(got[1].family == 0 ? "" : ip_text(&got[1], text), row->ipv6);
}

static void most_interfaces(void **state)
{
    char text[(DOCTOR_INTERFACES_MAX + 1) * 16] = "";
    struct ip got[2];

    (void)state;
    for (int i = 0; i < DOCTOR_INTERFACES_MAX + 1; i++) {
        sprintf(text + strlen(text), "192.0.2.%d ", i + 1);
        assert_int_equal(doctor_one_interface(got, text, resolve), i < DOCTOR_INTERFACES_MAX);
    }
}

int main(void)
{
    ROWS_ADD(rows, test_doctor_row);
    ROWS_ADD(source_rows, test_source);
    ROWS_ADD_TEST(most_interfaces);
    return rows_run("doctor_probe");
}
