/* doctor: findings about the map: is mxcryptd asked, by which name, behind what, and does it get
 * there. */
#include "tests/unit/support/doctor_world.h"

FAULT(name_3_9_tlsrpt)
{
    set_version(world, "3.9.2");
    set_main(world, POSTFIX_POLICY_MAPS, "socketmap:unix:mxcrypt/policy.sock:tlsrpt");
}

FAULT(name_3_7_query_with_tlsrpt)
{
    set_main(world, POSTFIX_POLICY_MAPS, "socketmap:inet:127.0.0.1:8461:QUERYwithTLSRPT");
}

FAULT(name_of_sendmail)
{
    set_main(world, POSTFIX_POLICY_MAPS, "socketmap:unix:mxcrypt/policy.sock:sts");
}

FAULT(name_3_10_policy)
{
    set_version(world, "3.10.0");
}

FAULT(name_3_10_tlsrpt)
{
    set_version(world, "3.10.0");
    set_main(world, POSTFIX_POLICY_MAPS, "socketmap:unix:mxcrypt/policy.sock:tlsrpt");
}

FAULT(name_3_12_query_with_tlsrpt)
{
    set_version(world, "3.12-20260821");
    set_main(world, POSTFIX_POLICY_MAPS, "socketmap:inet:localhost:8461:QUERYwithTLSRPT");
}

FAULT(name_of_tcp)
{
    set_version(world, "3.10.0");
    set_main(world, POSTFIX_POLICY_MAPS, "tcp:127.0.0.1:8462");
}

FAULT(no_services)
{
    world->postfix.service_count = 0;
    make_clients(world);
}

FAULT(map_empty)
{
    set_main(world, POSTFIX_POLICY_MAPS, "");
}

FAULT(map_of_another)
{
    set_main(world, POSTFIX_POLICY_MAPS, "socketmap:inet:127.0.0.1:8460:policy");
}

FAULT(map_nonsense)
{
    set_main(world, POSTFIX_POLICY_MAPS, "socketmap:nonsense");
}

FAULT(map_empty_no_listen)
{
    world->config.listen_count = 0;
    set_main(world, POSTFIX_POLICY_MAPS, "");
}

FAULT(map_empty_3_10)
{
    set_version(world, "3.10.1");
    set_main(world, POSTFIX_POLICY_MAPS, "");
}

FAULT(map_override_empty)
{
    add_overridden(world, "bulk", POSTFIX_POLICY_MAPS, "");
}

FAULT(map_overrides_of_two)
{
    add_service(world, "bulk")->overrides[POSTFIX_POLICY_MAPS] = "hash:/x";
    add_overridden(world, "slow", POSTFIX_POLICY_MAPS, "hash:/x");
}

FAULT(map_trial)
{
    world->postfix.values[POSTFIX_POLICY_MAPS] = "";
    add_overridden(world, "trial", POSTFIX_POLICY_MAPS, OURS);
}

FAULT(no_dnssec_where_nobody_asks)
{
    world->postfix.values[POSTFIX_POLICY_MAPS] = "";
    world->postfix.values[POSTFIX_CA_FILE] = "";
    world->postfix.services[0].overrides[POSTFIX_POLICY_MAPS] = OURS;
    world->postfix.services[1].overrides[POSTFIX_POLICY_MAPS] = OURS;
    world->postfix.services[0].overrides[POSTFIX_CA_FILE] = "/ca.pem";
    world->postfix.services[1].overrides[POSTFIX_CA_FILE] = "/ca.pem";
    make_clients(world);
}

FAULT(static_before)
{
    set_main(world, POSTFIX_POLICY_MAPS, "static:{may}, " OURS);
}

FAULT(static_behind)
{
    set_main(world, POSTFIX_POLICY_MAPS, OURS ", static:encrypt");
}

FAULT(daemon_before)
{
    set_main(world, POSTFIX_POLICY_MAPS, "tcp:127.0.0.1:9999 " OURS);
}

FAULT(table_before)
{
    set_main(world, POSTFIX_POLICY_MAPS, "hash:/etc/postfix/partners " OURS);
}

FAULT(table_before_catches)
{
    table_before(world);
    world->facts.clients[0].maps[0].catches.state = DOCTOR_BAD;
}

FAULT(table_before_broken)
{
    table_before(world);
    world->facts.clients[0].maps[0].catches = tried_bad(EINVAL, "fatal: open");
}

FAULT(table_before_untried)
{
    table_before(world);
    world->facts.clients[0].maps[0].catches.state = DOCTOR_NOT_TRIED;
}

FAULT(proxied)
{
    set_main(world, POSTFIX_POLICY_MAPS, "proxy:" OURS);
}

FAULT(proxied_socket)
{
    *add_service(world, "proxymap") =
        (struct postfix_service){.name = "proxymap", .program = "proxymap", .chroot = "n"};
    proxied(world);
    world->facts.clients[0].maps[0].map.proxied = true;
    assert_false(world->facts.clients[0].maps[0].chrooted);
}

FAULT(socket_refused)
{
    world->facts.clients[0].maps[0].socket = tried_bad(ECONNREFUSED, "connect: refused");
}

FAULT(socket_forbidden)
{
    world->facts.clients[0].maps[0].socket = tried_bad(EACCES, "connect: Permission denied");
}

FAULT(socket_absolute)
{
    set_main(world, POSTFIX_POLICY_MAPS, "socketmap:unix:/run/mxcrypt/policy.sock:policy");
    world->facts.clients[0].maps[0].socket = tried_bad(ENOENT, "connect: No such file");
}

FAULT(socket_absent)
{
    set_main(world, POSTFIX_POLICY_MAPS, "socketmap:unix:mxcrypt/typo.sock:policy");
    world->facts.clients[0].maps[0].socket = tried_bad(ENOENT, "connect: No such file");
}

FAULT(socket_untried)
{
    world->facts.clients[0].maps[0].socket = (struct doctor_try){.why = "not root"};
}

static const struct doctor_row rows[] = {
    {"3.9 with tlsrpt", name_3_9_tlsrpt, "map-name error: map name \"tlsrpt\" is for",
     "policy.sock:policy", NULL},
    {"3.7 with QUERYwithTLSRPT", name_3_7_query_with_tlsrpt, "map-name error: map name \"QUERYwith",
     "policy.sock:policy", NULL},
    {"a map of Sendmail's", name_of_sendmail, "map-name error: map name \"sts\" is Sendmail's",
     "policy.sock:policy", NULL},
    {"3.10 with policy", name_3_10_policy, "map-name warning: map name \"policy\" with Postfix",
     "policy.sock:tlsrpt", NULL},
    {"3.10 with tlsrpt", name_3_10_tlsrpt, NULL, NULL, NULL},
    {"3.12 with QUERYwithTLSRPT", name_3_12_query_with_tlsrpt, NULL, NULL, NULL},
    {"3.10 by tcp:", name_of_tcp, NULL, NULL, NULL},
    {"no smtp(8)", no_services, "map error: no smtp(8) service", "smtp unix", "socket"},
    {"no map", map_empty, "map error: smtp_tls_policy_maps does not lead",
     "smtp_tls_policy_maps = " OURS, "socket"},
    {"no map, 3.10", map_empty_3_10, "map error: smtp_tls_policy_maps does not lead",
     "policy.sock:tlsrpt", "socket"},
    {"no map, no listen", map_empty_no_listen, "map error: smtp_tls_policy_maps does not lead",
     "give mxcryptd a listen line", "socket"},
    {"another daemon's map", map_of_another, "map error: smtp_tls_policy_maps does not lead", OURS,
     "socket"},
    {"a map that is none", map_nonsense, "map error: smtp_tls_policy_maps: no map TYPE:NAME", OURS,
     "socket"},
    {"an empty override", map_override_empty, "map warning: \"-o smtp_tls_policy_maps=\" bypasses",
     "from master.cf", NULL},
    {"two services with the same override", map_overrides_of_two,
     "map warning: \"-o smtp_tls_policy_maps=hash:/x\" bypasses", "from master.cf", NULL},
    {"a trial", map_trial, "map warning: only some services", OURS, NULL},
    {"main.cf is not judged where no service uses it", no_dnssec_where_nobody_asks, NULL, NULL,
     NULL},
    {"static before", static_before, "map-order error: static:{may} comes before", "after", NULL},
    {"static behind", static_behind, NULL, NULL, NULL},
    {"another daemon before", daemon_before, "map-order warning: tcp:127.0.0.1:9999, another",
     "remove it", NULL},
    {"a table before", table_before, NULL, NULL, NULL},
    {"a table before that answers everything", table_before_catches,
     "map-order error: hash:/etc/postfix/partners comes", "after", NULL},
    {"a table before that is broken", table_before_broken, "map-order error: hash:/etc/postfix",
     "postmap", NULL},
    {"a table before that was not asked", table_before_untried, NULL, NULL, "map-order"},
    {"proxy:", proxied, "proxy warning: proxy: comes before", OURS, NULL},
    {"proxy:, which is not in a chroot", proxied_socket, "proxy warning: proxy: comes before", OURS,
     NULL},
    {"socket refused", socket_refused, "socket error: smtp(8) in its chroot, as user postfix",
     "systemctl start", NULL},
    {"socket forbidden", socket_forbidden, "socket error: smtp(8) in its chroot", "mode=0666",
     NULL},
    {"socket outside the chroot", socket_absolute, "socket error: smtp(8) in its chroot",
     "listen = socketmap:unix:/var/spool/postfix/mxcrypt/policy.sock", NULL},
    {"socket of another name", socket_absent, "socket error: smtp(8) in its chroot", OURS, NULL},
    {"socket not tried", socket_untried, NULL, NULL, "socket"},
};

/* ---- where a finding is ---- */

static void where_it_is(void **state)
{
    struct world *world = malloc(sizeof *world);
    struct doctor_report *report = malloc(sizeof *report);

    (void)state;
    make_world(world);
    map_overrides_of_two(world);
    doctor_judge(report, &world->facts, false);
    assert_string_equal(report->findings[0].where, "master.cf service bulk, slow");
    set_main(world, POSTFIX_CA_FILE, "");
    doctor_judge(report, &world->facts, false);
    assert_string_equal(report->findings[1].where, "main.cf");
    config_fini(&world->config);
    arena_free(world->arena);
    free(report);
    free(world);
}

int main(void)
{
    ROWS_ADD(rows, test_doctor_row);
    ROWS_ADD_TEST(where_it_is);
    return rows_run("doctor_map");
}
