/* doctor_judge: the table of checks, and those about this host and mxcryptd; those about Postfix
 * are in doctor_judge_postfix.c and doctor_judge_map.c. See doctor.h. Pure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/net/hostname.h"
#include "cli/doctor/doctor.h"

/* ---- findings ---- */

static const char *current_check(const struct doctor_report *report)
{
    return report->checks[report->check_count - 1].check;
}

/* Foreign octets would break a terminal or JSON. */
static const char *printable(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);

    for (char *p = copy; p != NULL && *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return copy;
}

void doctor_find(struct doctor_report *report, enum doctor_level level, const char *where,
                 const char *what, const char *fix)
{
    const char *check = current_check(report);

    where = printable(report->arena, where);
    what = printable(report->arena, what);
    fix = printable(report->arena, fix);
    if (where == NULL || what == NULL || fix == NULL ||
        report->finding_count == DOCTOR_FINDINGS_MAX)
        return;
    for (size_t i = 0; i < report->finding_count; i++)
        if (strcmp(report->findings[i].check, check) == 0 &&
            strcmp(report->findings[i].what, what) == 0)
            return;
    report->findings[report->finding_count++] =
        (struct doctor_finding){check, level, where, what, fix};
}

void doctor_not_made(struct doctor_report *report, const char *why)
{
    why = printable(report->arena, why);
    report->checks[report->check_count - 1].why = why == NULL ? "no memory" : why;
}

/* ---- mxcryptd ---- */

static void judge_config(struct doctor_report *report, const struct doctor_facts *facts)
{
    if (facts->config_error != NULL)
        doctor_find(
            report, DOCTOR_ERROR, "", facts->config_error,
            "mend that line, see mxcryptd.conf(5), or run this as root where it may not be read; "
            "the other checks took the defaults");
}

static void judge_rules(struct doctor_report *report, const struct doctor_facts *facts)
{
    if (facts->rules_forbidden)
        doctor_not_made(report, "the rules are for root and mxcryptd's user");
    else if (facts->rules_error != NULL)
        doctor_find(report, DOCTOR_ERROR, "", facts->rules_error,
                    "mend that line, see mxcrypt-rules(5), and mxcrypt reload");
}

static void judge_daemon(struct doctor_report *report, const struct doctor_facts *facts)
{
    const struct doctor_try *daemon = &facts->daemon;

    if (daemon->state == DOCTOR_NOT_TRIED || daemon->error == EACCES || daemon->error == EPERM)
        doctor_not_made(report, "the control socket is for root and mxcryptd's user");
    else if (daemon->state == DOCTOR_BAD)
        doctor_find(report, DOCTOR_ERROR, "",
                    arena_printf(report->arena, "mxcryptd does not answer at %s: %s",
                                 facts->config->control_socket, daemon->why),
                    "start mxcryptd (systemctl start mxcryptd), and see its log; until then mail "
                    "waits");
    else if (facts->daemon_version == NULL)
        doctor_not_made(report, "mxcryptd answers, but does not tell its version");
    else if (strcmp(facts->daemon_version, facts->version) != 0)
        doctor_find(report, DOCTOR_WARNING, "",
                    arena_printf(report->arena, "mxcryptd runs as version %s, this is %s",
                                 facts->daemon_version, facts->version),
                    "restart mxcryptd (systemctl restart mxcryptd)");
}

/* ---- resolvers ---- */

#define RESOLVER_FIX                                                                               \
    "run a validating resolver on this host, such as unbound, and name it in /etc/resolv.conf "    \
    "(nameserver 127.0.0.1); or set dane = no in mxcryptd.conf"

static void judge_answer(struct doctor_report *report, const struct doctor_resolver *resolver,
                         const char *whose, const char *fix, bool dane)
{
    if (resolver->answer == DOCTOR_UNREACHABLE)
        doctor_find(report, DOCTOR_ERROR, "",
                    arena_printf(report->arena, "%s (%s) does not answer: %s", whose,
                                 resolver->servers, resolver->why),
                    fix);
    else if (resolver->answer == DOCTOR_INSECURE && dane)
        doctor_find(report, DOCTOR_ERROR, "",
                    arena_printf(report->arena,
                                 "%s (%s) does not validate: its answer for the signed root has no "
                                 "AD bit, so every domain counts as unsigned",
                                 whose, resolver->servers),
                    fix);
}

static void judge_resolver(struct doctor_report *report, const struct doctor_facts *facts)
{
    if (!facts->resolver.asked)
        doctor_not_made(report, "the resolver could not be asked");
    else
        judge_answer(report, &facts->resolver, "mxcryptd's resolver", RESOLVER_FIX,
                     facts->config->prober.dane);
}

static void judge_resolver_local(struct doctor_report *report, const struct doctor_facts *facts)
{
    if (!facts->resolver.asked)
        doctor_not_made(report, "the resolver could not be asked");
    else if (facts->resolver.remote && facts->config->prober.dane)
        doctor_find(report, DOCTOR_WARNING, "",
                    arena_printf(report->arena,
                                 "mxcryptd's resolver (%s) is not on this host: whoever is on the "
                                 "path can forge the AD bit that DANE rests on",
                                 facts->resolver.servers),
                    RESOLVER_FIX);
}

static const char *copy_fix(const struct doctor_report *report, const struct doctor_facts *facts,
                            int chrooted)
{
    if (!chrooted)
        return RESOLVER_FIX;
    return arena_printf(report->arena, "cp /etc/resolv.conf %s, and postfix reload",
                        facts->resolv_conf[chrooted]);
}

static void judge_libc(struct doctor_report *report, const struct doctor_facts *facts, int chrooted)
{
    const struct doctor_resolver *libc = &facts->libc[chrooted];
    const char *whose = arena_printf(report->arena,
                                     libc->no_file ? "smtp(8)'s resolver, for want of %s,"
                                                   : "smtp(8)'s resolver in %s",
                                     facts->resolv_conf[chrooted]);
    bool same = strcmp(libc->servers, facts->resolver.servers) == 0;

    if (whose == NULL)
        return;
    if (!same || libc->answer != facts->resolver.answer)
        judge_answer(report, libc, whose, copy_fix(report, facts, chrooted), true);
    if (!same && libc->remote)
        doctor_find(
            report, DOCTOR_WARNING, "",
            arena_printf(report->arena, "%s (%s) is not on this host", whose, libc->servers),
            copy_fix(report, facts, chrooted));
    if (!libc->trust_ad && !postfix_version_from(&facts->postfix_version, 3, 6))
        doctor_find(report, DOCTOR_WARNING, "",
                    arena_printf(report->arena,
                                 "no \"options trust-ad\" in %s: the C library (glibc 2.31 and "
                                 "later) may hide the AD bit from this Postfix",
                                 facts->resolv_conf[chrooted]),
                    arena_printf(report->arena, "options edns0 trust-ad, in %s",
                                 facts->resolv_conf[chrooted]));
}

/* What smtp(8) sees, which reads resolv.conf inside its chroot. */
static void judge_postfix_resolver(struct doctor_report *report, const struct doctor_facts *facts)
{
    bool judged[2] = {false, false};

    if (!facts->config->prober.dane)
        return;
    for (size_t i = 0; i < facts->client_count; i++) {
        int chrooted = facts->clients[i].chrooted;

        if (judged[chrooted] || !doctor_client_matters(facts, &facts->clients[i]))
            continue;
        judged[chrooted] = true;
        if (facts->libc[chrooted].asked)
            judge_libc(report, facts, chrooted);
        else
            doctor_not_made(report, "the resolver could not be asked");
    }
    if (!judged[0] && !judged[1])
        doctor_not_made(report, "no smtp(8) service is known");
}

/* ---- this host ---- */

#define CLOCK_FIX "run an NTP client such as chrony or systemd-timesyncd (timedatectl)"

static void judge_clock(struct doctor_report *report, const struct doctor_facts *facts)
{
    if (facts->now_s < facts->built_s)
        doctor_find(report, DOCTOR_ERROR, "",
                    "the clock stands before the day this program was built: certificates and "
                    "DNSSEC signatures count as not yet valid",
                    CLOCK_FIX);
    else if (!facts->clock_known)
        doctor_not_made(report, "the kernel does not tell whether its clock is synchronised");
    else if (facts->clock_unsynchronised)
        doctor_find(report, DOCTOR_WARNING, "",
                    "the kernel says that its clock is not synchronised: certificates, DNSSEC "
                    "signatures and what is remembered go by it",
                    CLOCK_FIX);
}

static void judge_port25(struct doctor_report *report, const struct doctor_facts *facts)
{
    const struct doctor_try *port = &facts->port25;
    unsigned number = facts->config->prober.smtp_port;

    if (port->state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, port->why);
    else if (port->state == DOCTOR_BAD)
        doctor_find(
            report, DOCTOR_ERROR, "",
            arena_printf(report->arena, "outbound port %u is blocked: %s", number, port->why),
            "have your provider or firewall open outbound TCP port 25; if all mail goes "
            "through a relay, set probe = no in mxcryptd.conf");
}

static void judge_helo(struct doctor_report *report, const struct doctor_facts *facts)
{
    const char *configured = facts->config->prober.probes.smtp.helo_name;
    const char *name = configured != NULL ? configured : facts->helo_name;
    const char *fix = "helo-name = this host's name in the DNS, in mxcryptd.conf, and an address "
                      "record for it";

    if (facts->helo == DOCTOR_HELO_NO_NAME)
        doctor_find(report, DOCTOR_WARNING, "",
                    "this host has no full name to say in EHLO: mail hosts are told its address, "
                    "and may refuse the probes",
                    fix);
    else if (*name != '\0' && hostname_labels(name, strlen(name)) < 2)
        doctor_find(report, DOCTOR_WARNING, "",
                    arena_printf(report->arena,
                                 "helo-name %s is no full host name: mail hosts may "
                                 "refuse the probes",
                                 name),
                    fix);
    else if (facts->helo == DOCTOR_HELO_NOT_TRIED)
        doctor_not_made(report, facts->helo_why);
    else if (facts->helo == DOCTOR_HELO_NO_ADDRESS)
        doctor_find(report, DOCTOR_WARNING, "",
                    arena_printf(report->arena,
                                 "helo-name %s has no address in the DNS: mail "
                                 "hosts may refuse the probes",
                                 name),
                    fix);
    else if (facts->helo == DOCTOR_HELO_ELSEWHERE)
        doctor_find(report, DOCTOR_WARNING, "",
                    arena_printf(report->arena,
                                 "helo-name %s is %s, no address of this host (right behind NAT)",
                                 name, facts->helo_why),
                    fix);
}

/* ---- the table ---- */

enum check_kind { OF_HOST, OF_POSTFIX, OF_PROBES };

static const struct check {
    const char *name;
    enum check_kind kind; /* nothing to judge but OF_HOST when postconf said nothing */
    void (*judge)(struct doctor_report *report, const struct doctor_facts *facts);
} checks[] = {
    {"config", OF_HOST, judge_config},
    {"rules", OF_HOST, judge_rules},
    {"daemon", OF_HOST, judge_daemon},
    {"postfix", OF_HOST, doctor_judge_version},
    {"map", OF_POSTFIX, doctor_judge_map},
    {"map-name", OF_POSTFIX, doctor_judge_map_name},
    {"map-order", OF_POSTFIX, doctor_judge_map_order},
    {"proxy", OF_POSTFIX, doctor_judge_proxy},
    {"socket", OF_POSTFIX, doctor_judge_socket},
    {"dns-support", OF_POSTFIX, doctor_judge_dns_support},
    {"host-lookup", OF_POSTFIX, doctor_judge_host_lookup},
    {"insecure-mx", OF_POSTFIX, doctor_judge_insecure_mx},
    {"ca", OF_POSTFIX, doctor_judge_ca},
    {"security-level", OF_POSTFIX, doctor_judge_security_level},
    {"tls-protocols", OF_PROBES, doctor_judge_protocols},
    {"tls-ciphers", OF_PROBES, doctor_judge_ciphers},
    {"resolver", OF_HOST, judge_resolver},
    {"resolver-local", OF_HOST, judge_resolver_local},
    {"postfix-resolver", OF_POSTFIX, judge_postfix_resolver},
    {"clock", OF_HOST, judge_clock},
    {"bind-address", OF_PROBES, doctor_judge_bind_address},
    {"probe-address", OF_HOST, doctor_judge_source},
    {"port-25", OF_HOST, judge_port25},
    {"helo-name", OF_HOST, judge_helo},
};

_Static_assert(sizeof checks / sizeof checks[0] <= DOCTOR_CHECKS_MAX, "DOCTOR_CHECKS_MAX");

static void begin(struct doctor_report *report, struct arena *arena)
{
    memset(report, 0, sizeof *report);
    report->arena = arena;
}

static void make(struct doctor_report *report, const struct check *check,
                 const struct doctor_facts *facts)
{
    report->checks[report->check_count++].check = check->name;
    if (check->kind != OF_HOST && facts->postfix == NULL)
        doctor_not_made(report, "postconf did not tell");
    else
        check->judge(report, facts);
}

void doctor_judge(struct doctor_report *report, struct arena *arena,
                  const struct doctor_facts *facts)
{
    begin(report, arena);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        make(report, &checks[i], facts);
}

void doctor_compare_probes(struct doctor_report *report, struct arena *arena,
                           const struct doctor_facts *facts)
{
    begin(report, arena);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (checks[i].kind == OF_PROBES)
            make(report, &checks[i], facts);
}
