/* doctor_judge: the table of checks, and those about this host and mxcryptd; those about Postfix
 * are in doctor_judge_postfix.c, those that compare it with the probes in doctor_judge_probe.c, those
 * about the share in doctor_judge_share.c, about policy lists in doctor_judge_lists.c. See doctor.h.
 * Pure. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/net/hostname.h"
#include "cli/doctor/doctor.h"

#define FINDING_MAX 4096
#define NO_CONFIG   "where mxcryptd is to be asked is not known without its configuration"

/* ---- findings ---- */

/* Foreign octets would break a terminal or JSON. */
static const char *printable(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);

    for (char *p = copy; p != NULL && *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return copy;
}

void doctor_find(struct doctor_report *report, enum doctor_level level, const char *fix,
                 const char *format, ...)
{
    struct doctor_finding found = {report->checks[report->check_count - 1].check, level, "", "",
                                   ""};
    char text[FINDING_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    found.where = printable(report->arena, report->client == NULL ? "" : report->client->where);
    found.what = printable(report->arena, text);
    found.fix = printable(report->arena, fix);
    if (arena_failed(report->arena) || report->finding_count == DOCTOR_FINDINGS_MAX)
        return;
    for (size_t i = 0; i < report->finding_count; i++)
        if (strcmp(report->findings[i].check, found.check) == 0 &&
            strcmp(report->findings[i].what, found.what) == 0)
            return;
    report->findings[report->finding_count++] = found;
}

void doctor_not_made(struct doctor_report *report, const char *why)
{
    why = printable(report->arena, why);
    report->checks[report->check_count - 1].why = why == NULL ? "no memory" : why;
}

/* ---- mxcryptd ---- */

static void judge_config(struct doctor_report *report)
{
    if (report->facts->config_error != NULL)
        doctor_find(report, DOCTOR_ERROR,
                    "fix that line, see mxcryptd.conf(5), or run this as root if only root may "
                    "read the file; the other checks used the defaults",
                    "%s", report->facts->config_error);
}

static void judge_rules(struct doctor_report *report)
{
    if (report->facts->rules_forbidden)
        doctor_not_made(report, "the rules are for root and mxcryptd's user");
    else if (report->facts->rules_error != NULL)
        doctor_find(report, DOCTOR_ERROR,
                    "fix that line, see mxcrypt-rules(5), and run mxcrypt reload", "%s",
                    report->facts->rules_error);
}

static void judge_daemon(struct doctor_report *report)
{
    const struct doctor_facts *facts = report->facts;
    const struct doctor_try *daemon = &facts->daemon;

    if (facts->self && facts->config_error != NULL)
        doctor_not_made(report, NO_CONFIG);
    else if (daemon->state == DOCTOR_NOT_TRIED || daemon->error == EACCES || daemon->error == EPERM)
        doctor_not_made(report, "the control socket is for root and mxcryptd's user");
    else if (daemon->state == DOCTOR_BAD) {
        doctor_find(report, DOCTOR_ERROR,
                    "start mxcryptd (systemctl start mxcryptd), and look into its log; until then "
                    "mail waits",
                    "mxcryptd does not answer at %s: %s", facts->config->control_socket,
                    daemon->why);
        report->restart_helps = true;
    } else if (facts->daemon_version == NULL)
        doctor_not_made(report, "mxcryptd answers, but its version is not known");
    else if (strcmp(facts->daemon_version, facts->version) != 0)
        doctor_find(report, DOCTOR_WARNING, "restart mxcryptd (systemctl restart mxcryptd)",
                    "mxcryptd runs as version %s, this is %s", facts->daemon_version,
                    facts->version);
}

static void judge_listeners(struct doctor_report *report)
{
    const struct doctor_facts *facts = report->facts;

    if (facts->config_error != NULL) {
        doctor_not_made(report, NO_CONFIG);
        return;
    }
    for (size_t i = 0; i < facts->listener_count; i++) {
        const struct doctor_listener *listener = &facts->listeners[i];
        int error = listener->tried.error;

        if (listener->tried.state == DOCTOR_NOT_TRIED || error == EACCES || error == EPERM) {
            doctor_not_made(
                report, arena_printf(report->arena, "%s: %s", listener->name, listener->tried.why));
        } else if (listener->tried.state == DOCTOR_BAD) {
            doctor_find(report, DOCTOR_ERROR,
                        "restart mxcryptd, and look into its log; until then mail waits",
                        "mxcryptd does not answer at %s: %s", listener->name, listener->tried.why);
            report->restart_helps = true;
        }
    }
}

static void judge_store(struct doctor_report *report)
{
    const struct doctor_facts *facts = report->facts;

    if (facts->config_error != NULL)
        doctor_not_made(report, NO_CONFIG);
    else if (facts->config->store_path == NULL)
        return;
    else if (facts->store.state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, facts->store.why);
    else if (facts->store.state == DOCTOR_BAD)
        doctor_find(report, DOCTOR_WARNING,
                    "give mxcryptd's user room and rights there, and do not restart it before: "
                    "what it learns is in its memory alone",
                    "the store %s is degraded: %s", facts->config->store_path, facts->store.why);
}

/* ---- resolvers ---- */

#define RESOLVER_FIX                                                                               \
    "run a validating resolver on this host, such as unbound, and name it in /etc/resolv.conf "    \
    "(nameserver 127.0.0.1); or set dane = no in mxcryptd.conf"

static void judge_answer(struct doctor_report *report, const struct doctor_resolver *resolver,
                         const char *whose, const char *fix, bool dane)
{
    if (resolver->answer == DOCTOR_UNREACHABLE)
        doctor_find(report, DOCTOR_ERROR, fix, "%s (%s) does not answer: %s", whose,
                    resolver->servers, resolver->why);
    else if (resolver->answer == DOCTOR_INSECURE && dane)
        doctor_find(report, DOCTOR_ERROR, fix,
                    "%s (%s) does not validate: its answer for the signed root has no "
                    "AD bit, so every domain counts as unsigned",
                    whose, resolver->servers);
}

static void judge_resolver(struct doctor_report *report)
{
    if (!report->facts->resolver.asked)
        doctor_not_made(report, "the resolver could not be asked");
    else
        judge_answer(report, &report->facts->resolver, "mxcryptd's resolver", RESOLVER_FIX,
                     report->facts->config->prober.dane);
}

static void judge_resolver_local(struct doctor_report *report)
{
    const struct doctor_resolver *resolver = &report->facts->resolver;

    if (!resolver->asked)
        doctor_not_made(report, "the resolver could not be asked");
    else if (resolver->remote && report->facts->config->prober.dane)
        doctor_find(report, DOCTOR_WARNING, RESOLVER_FIX,
                    "mxcryptd's resolver (%s) is not on this host: an attacker on the "
                    "path can forge the AD bit that DANE rests on",
                    resolver->servers);
}

static void judge_libc(struct doctor_report *report, bool chrooted)
{
    const struct doctor_facts *facts = report->facts;
    const struct doctor_resolver *libc = &facts->libc[chrooted];
    const char *file = facts->resolv_conf[chrooted], *fix = RESOLVER_FIX;
    const char *whose = arena_printf(report->arena,
                                     libc->no_file ? "smtp(8)'s resolver, in the absence of %s,"
                                                   : "smtp(8)'s resolver in %s",
                                     file);
    bool same = strcmp(libc->servers, facts->resolver.servers) == 0;

    if (whose == NULL)
        return;
    if (chrooted)
        fix = arena_printf(report->arena, "cp /etc/resolv.conf %s, and postfix reload", file);
    if (!same || libc->answer != facts->resolver.answer)
        judge_answer(report, libc, whose, fix, true);
    if (!same && libc->remote)
        doctor_find(report, DOCTOR_WARNING, fix, "%s (%s) is not on this host", whose,
                    libc->servers);
    if (!libc->trust_ad && !postfix_version_from(&facts->postfix_version, 3, 6))
        doctor_find(report, DOCTOR_WARNING,
                    arena_printf(report->arena, "options edns0 trust-ad, in %s", file),
                    "no \"options trust-ad\" in %s: the C library (glibc 2.31 and "
                    "later) may hide the AD bit from this Postfix",
                    file);
}

/* What smtp(8) sees, which reads resolv.conf inside its chroot. */
static void judge_postfix_resolver(struct doctor_report *report)
{
    const struct doctor_facts *facts = report->facts;
    bool judged[2] = {false, false};

    if (!facts->config->prober.dane)
        return;
    for (size_t i = 0; i < facts->client_count; i++) {
        bool chrooted = facts->clients[i].chrooted;

        if (judged[chrooted] || !doctor_client_matters(facts, &facts->clients[i]))
            continue;
        judged[chrooted] = true;
        if (facts->libc[chrooted].asked)
            judge_libc(report, chrooted);
        else
            doctor_not_made(report, "the resolver could not be asked");
    }
    if (!judged[0] && !judged[1])
        doctor_not_made(report, "no smtp(8) service is known");
}

/* ---- this host ---- */

#define CLOCK_FIX "run an NTP client such as chrony or systemd-timesyncd (timedatectl)"

static void judge_clock(struct doctor_report *report)
{
    if (report->facts->now_s < report->facts->built_s)
        doctor_find(report, DOCTOR_ERROR, CLOCK_FIX,
                    "the clock shows a time before the day this program was built: certificates "
                    "and DNSSEC signatures count as not yet valid");
    else if (!report->facts->clock_known)
        doctor_not_made(report, "it is not known whether the kernel's clock is synchronised");
    else if (report->facts->clock_unsynchronised)
        doctor_find(report, DOCTOR_WARNING, CLOCK_FIX,
                    "the kernel says that its clock is not synchronised: certificates, DNSSEC "
                    "signatures and what is remembered go by it");
}

static void judge_port25(struct doctor_report *report)
{
    const struct doctor_try *port = &report->facts->port25;
    unsigned number = report->facts->config->prober.smtp_port;

    if (port->state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, port->why);
    else if (port->state == DOCTOR_BAD)
        doctor_find(report, DOCTOR_ERROR,
                    "have your provider or firewall open outbound TCP port 25; if all mail goes "
                    "through a relay, set probe = no in mxcryptd.conf",
                    "outbound port %u is blocked: %s", number, port->why);
}

static void judge_helo(struct doctor_report *report)
{
    const struct doctor_facts *facts = report->facts;
    const char *configured = facts->config->prober.probes.smtp.helo_name;
    const char *name = configured != NULL ? configured : facts->helo_name;
    const char *fix = "helo-name = this host's name in the DNS, in mxcryptd.conf, and an address "
                      "record for it";

    if (facts->helo == DOCTOR_HELO_NO_NAME)
        doctor_find(report, DOCTOR_WARNING, fix,
                    "this host has no full name for EHLO: mail hosts get its address instead, "
                    "and may refuse the probes");
    else if (*name != '\0' && hostname_labels(name, strlen(name)) < 2)
        doctor_find(report, DOCTOR_WARNING, fix,
                    "helo-name %s is no full host name: mail hosts may refuse the probes", name);
    else if (facts->helo == DOCTOR_HELO_NOT_TRIED)
        doctor_not_made(report, facts->helo_why);
    else if (facts->helo == DOCTOR_HELO_NO_ADDRESS)
        doctor_find(report, DOCTOR_WARNING, fix,
                    "helo-name %s has no address in the DNS: mail hosts may refuse the probes",
                    name);
    else if (facts->helo == DOCTOR_HELO_ELSEWHERE)
        doctor_find(report, DOCTOR_WARNING, fix,
                    "helo-name %s is %s, no address of this host (right behind NAT)", name,
                    facts->helo_why);
}

/* ---- the table ---- */

/* What a check is about. Without an answer from postconf only OF_HOST can be judged. */
enum check_kind {
    OF_HOST,
    OF_DAEMON, /* with --self as well, as are OF_SHARE and OF_LISTS */
    OF_SELF,   /* with --self only */
    OF_POSTFIX,
    OF_SHARE,  /* is made only where there is one */
    OF_LISTS,  /* the same, of policy lists */
    OF_CLIENT, /* is judged for each client that matters */
    OF_PROBES  /* the same, and compares it with the probes */
};

static const struct check {
    const char *name;
    enum check_kind kind;
    doctor_judgement *judge;
} checks[] = {
    {"config", OF_DAEMON, judge_config},
    {"rules", OF_DAEMON, judge_rules},
    {"daemon", OF_DAEMON, judge_daemon},
    {"listen", OF_SELF, judge_listeners},
    {"store", OF_SELF, judge_store},
    {"postfix", OF_HOST, doctor_judge_version},
    {"map", OF_POSTFIX, doctor_judge_map},
    {"map-name", OF_CLIENT, doctor_judge_map_name},
    {"map-order", OF_CLIENT, doctor_judge_map_order},
    {"proxy", OF_CLIENT, doctor_judge_proxy},
    {"socket", OF_POSTFIX, doctor_judge_socket},
    {"dns-support", OF_CLIENT, doctor_judge_dns_support},
    {"host-lookup", OF_CLIENT, doctor_judge_host_lookup},
    {"insecure-mx", OF_CLIENT, doctor_judge_insecure_mx},
    {"ca", OF_CLIENT, doctor_judge_ca},
    {"security-level", OF_CLIENT, doctor_judge_security_level},
    {"tls-protocols", OF_PROBES, doctor_judge_protocols},
    {"tls-ciphers", OF_PROBES, doctor_judge_ciphers},
    {"resolver", OF_DAEMON, judge_resolver},
    {"resolver-local", OF_HOST, judge_resolver_local},
    {"postfix-resolver", OF_POSTFIX, judge_postfix_resolver},
    {"clock", OF_HOST, judge_clock},
    {"bind-address", OF_PROBES, doctor_judge_bind_address},
    {"probe-address", OF_HOST, doctor_judge_source},
    {"port-25", OF_HOST, judge_port25},
    {"helo-name", OF_HOST, judge_helo},
    {"list-key", OF_LISTS, doctor_judge_list_keys},
    {"list-gpgv", OF_LISTS, doctor_judge_gpgv},
    {"list", OF_LISTS, doctor_judge_lists},
    {"list-expiry", OF_LISTS, doctor_judge_list_expiry},
    {"list-kept", OF_LISTS, doctor_judge_list_kept},
    {"share", OF_SHARE, doctor_judge_share},
    {"share-files", OF_SHARE, doctor_judge_share_files},
    {"share-tls", OF_SHARE, doctor_judge_share_tls},
    {"share-key", OF_SHARE, doctor_judge_share_key},
    {"share-rights", OF_SHARE, doctor_judge_share_rights},
    {"share-memory", OF_SHARE, doctor_judge_share_memory},
    {"share-clock", OF_SHARE, doctor_judge_share_clock},
    {"share-relays", OF_SHARE, doctor_judge_share_relays},
};

_Static_assert(sizeof checks / sizeof checks[0] <= DOCTOR_CHECKS_MAX, "DOCTOR_CHECKS_MAX");

static bool is_of_daemon(enum check_kind kind)
{
    return kind == OF_DAEMON || kind == OF_SHARE || kind == OF_LISTS;
}

static void make(struct doctor_report *report, const struct check *check)
{
    const struct doctor_facts *facts = report->facts;

    if (check->kind == OF_SELF ? !facts->self : facts->self && !is_of_daemon(check->kind))
        return;
    if ((check->kind == OF_SHARE && facts->config->share == NULL) ||
        (check->kind == OF_LISTS && facts->config->list_count == 0))
        return;
    report->checks[report->check_count++].check = check->name;
    report->client = NULL;
    if (check->kind == OF_HOST || check->kind == OF_SELF || is_of_daemon(check->kind))
        check->judge(report);
    else if (facts->postfix == NULL)
        doctor_not_made(report, "postconf gave no answer");
    else if (check->kind == OF_POSTFIX)
        check->judge(report);
    else
        for (size_t i = 0; i < facts->client_count; i++) {
            report->client = &facts->clients[i];
            if (doctor_client_matters(facts, report->client))
                check->judge(report);
        }
}

void doctor_judge(struct doctor_report *report, const struct doctor_facts *facts, bool probes_alone)
{
    memset(report, 0, sizeof *report);
    report->arena = facts->arena;
    report->facts = facts;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (checks[i].kind == OF_PROBES || !probes_alone)
            make(report, &checks[i]);
}
