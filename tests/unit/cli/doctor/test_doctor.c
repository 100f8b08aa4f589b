/* doctor: from facts to findings: each row plants one fault in facts that are sound, and says which
 * finding must come, or which check cannot be made. The map has its own, test_doctor_map.c. */
#include "tests/unit/support/doctor_world.h"

FAULT(nothing)
{
    (void)world;
}

FAULT(config_broken)
{
    world->facts.config_error = "mxcryptd.conf:3: foo: unknown key";
}

FAULT(rules_broken)
{
    world->facts.rules_error = "/etc/mxcrypt/rules: line 4: no action";
}

FAULT(rules_forbidden)
{
    world->facts.rules_forbidden = true;
}

FAULT(daemon_down)
{
    world->facts.daemon = tried_bad(ECONNREFUSED, "connect: Connection refused");
}

FAULT(daemon_forbidden)
{
    world->facts.daemon = tried_bad(EACCES, "connect: Permission denied");
}

FAULT(daemon_other_version)
{
    world->facts.daemon_version = "0.9";
}

FAULT(daemon_no_version)
{
    world->facts.daemon_version = NULL;
}

FAULT(postfix_old)
{
    set_version(world, "3.3.9");
}

FAULT(postfix_3_4)
{
    set_version(world, "3.4.0");
}

FAULT(postfix_3_4_no_trust_ad)
{
    set_version(world, "3.4.0");
    world->facts.libc[1].trust_ad = false;
}

FAULT(postfix_3_6_no_trust_ad)
{
    set_version(world, "3.6.0");
    world->facts.libc[1].trust_ad = false;
}

FAULT(version_unknown)
{
    set_version(world, "experimental");
}

FAULT(dns_empty)
{
    set_main(world, POSTFIX_DNS_SUPPORT, "");
}

FAULT(dns_enabled)
{
    set_main(world, POSTFIX_DNS_SUPPORT, "enabled");
}

FAULT(words_in_capitals)
{
    set_main(world, POSTFIX_DNS_SUPPORT, "DNSSEC");
    set_main(world, POSTFIX_SECURITY_LEVEL, "May");
    set_main(world, POSTFIX_CA_FILE, "");
    set_main(world, POSTFIX_APPEND_CA, "Yes");
}

FAULT(dns_without_dane)
{
    load_config(world, SOUND_CONFIG "dane = no\n");
    world->postfix.values[POSTFIX_HOST_LOOKUP] = "native";
    world->postfix.values[POSTFIX_INSECURE_MX] = "may";
    world->facts.resolver.answer = world->facts.libc[1].answer = DOCTOR_INSECURE;
    world->facts.resolver.remote = world->facts.libc[1].remote = true;
    set_main(world, POSTFIX_DNS_SUPPORT, "");
}

FAULT(dns_in_one_service)
{
    add_overridden(world, "bulk", POSTFIX_DNS_SUPPORT, "enabled");
}

FAULT(dns_told_once)
{
    world->postfix.values[POSTFIX_DNS_SUPPORT] = "";
    add_overridden(world, "bulk", POSTFIX_SECURITY_LEVEL, "encrypt");
}

FAULT(lookup_native)
{
    set_main(world, POSTFIX_HOST_LOOKUP, "native");
}

FAULT(lookup_both)
{
    set_main(world, POSTFIX_HOST_LOOKUP, "native, dns");
}

FAULT(mx_may)
{
    set_main(world, POSTFIX_INSECURE_MX, "may");
}

FAULT(mx_unknown)
{
    set_main(world, POSTFIX_INSECURE_MX, NULL);
}

FAULT(ca_unset)
{
    set_main(world, POSTFIX_CA_FILE, "");
}

FAULT(ca_unset_no_file)
{
    world->facts.ca_suggestion = NULL;
    set_main(world, POSTFIX_CA_FILE, "");
}

FAULT(ca_appended)
{
    world->postfix.values[POSTFIX_APPEND_CA] = "yes";
    set_main(world, POSTFIX_CA_FILE, "");
}

FAULT(ca_not_needed)
{
    load_config(world, SOUND_CONFIG "mta-sts = no\nprobe = no\n");
    set_main(world, POSTFIX_CA_FILE, "");
}

FAULT(ca_unreadable)
{
    world->facts.clients[0].ca_file = tried_bad(ENOENT, "open: No such file");
}

FAULT(ca_untried)
{
    world->facts.clients[0].ca_file = (struct doctor_try){.why = "not root"};
}

FAULT(ca_path_good)
{
    world->postfix.values[POSTFIX_CA_PATH] = "/certs";
    set_main(world, POSTFIX_CA_FILE, "");
}

FAULT(ca_path_alone_bad)
{
    ca_path_good(world);
    world->facts.clients[0].ca_path = tried_bad(ENOENT, "open: No such file");
}

FAULT(ca_path_besides_bad)
{
    set_main(world, POSTFIX_CA_PATH, "/certs");
    world->facts.clients[0].ca_path = tried_bad(ENOENT, "open: No such file");
}

FAULT(ca_path_untried)
{
    ca_path_good(world);
    world->facts.clients[0].ca_path = (struct doctor_try){.why = "not root"};
}

FAULT(level_empty)
{
    set_main(world, POSTFIX_SECURITY_LEVEL, "");
}

FAULT(level_none)
{
    set_main(world, POSTFIX_SECURITY_LEVEL, "none");
}

FAULT(level_dane)
{
    set_main(world, POSTFIX_SECURITY_LEVEL, "dane");
}

FAULT(level_nonsense)
{
    set_main(world, POSTFIX_SECURITY_LEVEL, "mya");
}

FAULT(level_use_tls)
{
    world->postfix.values[POSTFIX_USE_TLS] = "yes";
    set_main(world, POSTFIX_SECURITY_LEVEL, "");
}

FAULT(level_enforce_tls)
{
    world->postfix.values[POSTFIX_ENFORCE_TLS] = "yes";
    set_main(world, POSTFIX_SECURITY_LEVEL, "");
}

FAULT(level_use_tls_unused)
{
    set_main(world, POSTFIX_USE_TLS, "yes");
}

FAULT(resolver_silent)
{
    world->facts.resolver.answer = DOCTOR_UNREACHABLE;
    world->facts.libc[1].answer = DOCTOR_UNREACHABLE;
}

FAULT(resolver_insecure)
{
    world->facts.resolver.answer = DOCTOR_INSECURE;
    world->facts.libc[1].answer = DOCTOR_INSECURE;
}

FAULT(resolver_remote)
{
    world->facts.resolver.remote = world->facts.libc[1].remote = true;
}

FAULT(resolver_unasked)
{
    world->facts.resolver.asked = false;
}

FAULT(libc_insecure)
{
    world->facts.libc[1] = (struct doctor_resolver){
        .asked = true, .answer = DOCTOR_INSECURE, .servers = "127.0.0.2", .trust_ad = true};
}

FAULT(libc_remote)
{
    world->facts.libc[1] = (struct doctor_resolver){
        .asked = true, .answer = DOCTOR_SECURE, .servers = "9.9.9.9", .remote = true};
}

FAULT(libc_without_file)
{
    world->facts.libc[1] = (struct doctor_resolver){
        .asked = true, .answer = DOCTOR_UNREACHABLE, .servers = "127.0.0.1", .no_file = true};
}

FAULT(libc_of_nobody)
{
    world->facts.libc[0].answer = DOCTOR_INSECURE; /* nobody runs outside the chroot */
}

FAULT(libc_unasked)
{
    world->facts.libc[1].asked = false;
}

FAULT(clock_unsynchronised)
{
    world->facts.clock_unsynchronised = true;
}

FAULT(clock_silent)
{
    world->facts.clock_known = false;
}

FAULT(clock_behind)
{
    world->facts.now_s = 999;
}

FAULT(clock_just_right)
{
    world->facts.now_s = 1000;
}

FAULT(port_blocked)
{
    world->facts.port25 = tried_bad(ETIMEDOUT, "timed out");
}

FAULT(port_untried)
{
    world->facts.port25 = (struct doctor_try){.why = "no host"};
}

FAULT(helo_elsewhere)
{
    world->facts.helo = DOCTOR_HELO_ELSEWHERE;
    strcpy(world->facts.helo_why, "192.0.2.1");
}

FAULT(helo_no_address)
{
    world->facts.helo = DOCTOR_HELO_NO_ADDRESS;
}

FAULT(helo_untried)
{
    world->facts.helo = DOCTOR_HELO_NOT_TRIED;
}

FAULT(helo_short)
{
    load_config(world, "helo-name = localhost\ncontrol-socket = /run/x.sock\n");
}

/* Nothing is configured: what was found stands for it. */
FAULT(helo_found_elsewhere)
{
    load_config(world, "control-socket = /run/x.sock\n");
    world->config.prober.probes.smtp.helo_name = NULL; /* whatever this host is called */
    strcpy(world->facts.helo_name, "found.example");
    helo_elsewhere(world);
}

FAULT(helo_nameless)
{
    load_config(world, "control-socket = /run/x.sock\n");
    world->config.prober.probes.smtp.helo_name = NULL;
    world->facts.helo = DOCTOR_HELO_NO_NAME;
}

FAULT(helo_name_untried)
{
    load_config(world, "control-socket = /run/x.sock\n");
    world->config.prober.probes.smtp.helo_name = NULL;
    world->facts.helo = DOCTOR_HELO_NOT_TRIED;
}

FAULT(postfix_absent)
{
    world->facts.postfix = NULL;
    world->facts.postfix_error = "postconf is not found";
    world->facts.client_count = 0;
}

FAULT(foreign_octets)
{
    set_main(world, POSTFIX_SECURITY_LEVEL, "m\xc3\xa4y\xff");
}

static const struct doctor_row rows[] = {
    {"a sound set-up", nothing, NULL, NULL, NULL},
    {"configuration", config_broken, "config error: mxcryptd.conf:3", "fix that line", NULL},
    {"rules", rules_broken, "rules error: /etc/mxcrypt/rules: line 4", "mxcrypt reload", NULL},
    {"rules are not for us", rules_forbidden, NULL, NULL, "rules"},
    {"daemon down", daemon_down, "daemon error: mxcryptd does not answer at /run/x.sock",
     "systemctl start", NULL},
    {"daemon's socket is not for us", daemon_forbidden, NULL, NULL, "daemon"},
    {"daemon of another version", daemon_other_version,
     "daemon warning: mxcryptd runs as version 0.9, this is 1", "restart", NULL},
    {"daemon tells no version", daemon_no_version, NULL, NULL, "daemon"},
    {"Postfix 3.3", postfix_old, "postfix error: Postfix 3.3.9 is older than 3.4", "upgrade", NULL},
    {"Postfix 3.4", postfix_3_4, NULL, NULL, NULL},
    {"Postfix 3.4 without trust-ad", postfix_3_4_no_trust_ad,
     "postfix-resolver warning: no \"options trust-ad\" in /var/spool", "options edns0 trust-ad",
     NULL},
    {"Postfix 3.6 without trust-ad", postfix_3_6_no_trust_ad, NULL, NULL, NULL},
    {"Postfix of unknown version", version_unknown, NULL, NULL, "map-name"},
    {"no Postfix", postfix_absent, "postfix error: postconf is not found", "--postfix DIR", "ca"},
    {"no DNS support level", dns_empty, "dns-support error: smtp_dns_support_level is \"\"",
     "= dnssec", NULL},
    {"DNS support without DNSSEC", dns_enabled, "dns-support error: smtp_dns_support_level is \"en",
     "= dnssec", NULL},
    {"words in capitals", words_in_capitals, NULL, NULL, NULL},
    {"no DANE, no need", dns_without_dane, NULL, NULL, NULL},
    {"one service without DNSSEC", dns_in_one_service, "dns-support error: smtp_dns_support_level",
     "= dnssec", NULL},
    {"the same fault in two clients is told once", dns_told_once,
     "dns-support error: smtp_dns_support_level", "= dnssec", NULL},
    {"native lookups", lookup_native, "host-lookup error: smtp_host_lookup is \"native\"", "= dns",
     NULL},
    {"native lookups, then DNS", lookup_both, NULL, NULL, NULL},
    {"insecure MX: may", mx_may, "insecure-mx warning: smtp_tls_dane_insecure_mx_policy", "= dane",
     NULL},
    {"insecure MX: unknown to the version", mx_unknown, NULL, NULL, NULL},
    {"no anchors", ca_unset, "ca error: neither", "smtp_tls_CAfile = /found.pem", NULL},
    {"no anchors to be found", ca_unset_no_file, "ca error: neither", "ca-certificates", NULL},
    {"tls_append_default_CA", ca_appended, NULL, NULL, NULL},
    {"no anchors, no need", ca_not_needed, NULL, NULL, NULL},
    {"CA file unreadable", ca_unreadable, "ca error: smtp_tls_CAfile = /ca.pem cannot be used",
     "/found.pem", NULL},
    {"CA file not tried", ca_untried, NULL, NULL, "ca"},
    {"CA folder", ca_path_good, NULL, NULL, NULL},
    {"CA folder outside the chroot", ca_path_alone_bad, "ca error: smtp_tls_CApath = /certs is of",
     "/found.pem", NULL},
    {"CA folder of no use beside a file", ca_path_besides_bad, "ca warning: smtp_tls_CApath",
     "/found.pem", NULL},
    {"CA folder not tried", ca_path_untried, NULL, NULL, "ca"},
    {"no level", level_empty, "security-level warning: smtp_tls_security_level is \"\"", "= may",
     NULL},
    {"level none", level_none, "security-level warning: smtp_tls_security_level is \"none\"",
     "= may", NULL},
    {"level dane", level_dane, NULL, NULL, NULL},
    {"level mya", level_nonsense, "security-level error: smtp_tls_security_level = mya is no level",
     "= may", NULL},
    {"foreign octets are not printed", foreign_octets,
     "security-level error: smtp_tls_security_level = m??y? is no level", "= may", NULL},
    {"smtp_use_tls", level_use_tls, "security-level warning: smtp_use_tls is obsolete", "= may",
     NULL},
    {"smtp_enforce_tls", level_enforce_tls, "security-level warning: smtp_enforce_tls is obsolete",
     "= encrypt", NULL},
    {"smtp_use_tls beside a level", level_use_tls_unused, NULL, NULL, NULL},
    {"resolver silent, told once", resolver_silent, "resolver error: mxcryptd's resolver",
     "unbound", NULL},
    {"resolver does not validate, told once", resolver_insecure,
     "resolver error: mxcryptd's resolver (127.0.0.1) does not validate", "unbound", NULL},
    {"resolver remote, told once", resolver_remote, "resolver-local warning: mxcryptd's resolver",
     "unbound", NULL},
    {"resolver not asked", resolver_unasked, NULL, NULL, "resolver"},
    {"the chroot's resolver does not validate", libc_insecure,
     "postfix-resolver error: smtp(8)'s resolver in /var/spool/postfix/etc/resolv.conf (127.0.0.2)",
     "cp /etc/resolv.conf /var/spool/postfix/etc/resolv.conf", NULL},
    {"the chroot's resolver is remote", libc_remote, "postfix-resolver warning: smtp(8)'s",
     "cp /etc/resolv.conf", NULL},
    {"no resolv.conf in the chroot", libc_without_file,
     "postfix-resolver error: smtp(8)'s resolver, in the absence of "
     "/var/spool/postfix/etc/resolv.conf, "
     "(127.0.0.1)",
     "cp /etc/resolv.conf /var/spool/postfix/etc/resolv.conf", NULL},
    {"a resolver nobody uses", libc_of_nobody, NULL, NULL, NULL},
    {"the chroot's resolver not asked", libc_unasked, NULL, NULL, "postfix-resolver"},
    {"clock unsynchronised", clock_unsynchronised, "clock warning: the kernel says", "NTP", NULL},
    {"clock unknown", clock_silent, NULL, NULL, "clock"},
    {"clock before the build", clock_behind, "clock error: the clock shows a time before", "NTP",
     NULL},
    {"clock at the build", clock_just_right, NULL, NULL, NULL},
    {"port 25 blocked", port_blocked, "port-25 error: outbound port 25 is blocked: timed out",
     "provider", NULL},
    {"port 25 not tried", port_untried, NULL, NULL, "port-25"},
    {"helo-name elsewhere", helo_elsewhere,
     "helo-name warning: helo-name mail.example is 192.0.2.1, no address", "helo-name =", NULL},
    {"helo-name without address", helo_no_address,
     "helo-name warning: helo-name mail.example has no address", "helo-name =", NULL},
    {"helo-name not looked up", helo_untried, NULL, NULL, "helo-name"},
    {"helo-name found elsewhere", helo_found_elsewhere,
     "helo-name warning: helo-name found.example is 192.0.2.1, no address", "helo-name =", NULL},
    {"no name", helo_nameless, "helo-name warning: this host has no full name for EHLO",
     "helo-name =", NULL},
    {"own name not looked up", helo_name_untried, NULL, NULL, "helo-name"},
    {"helo-name short", helo_short, "helo-name warning: helo-name localhost is no full",
     "helo-name =", NULL},
};

int main(void)
{
    ROWS_ADD(rows, test_doctor_row);
    return rows_run("doctor");
}
