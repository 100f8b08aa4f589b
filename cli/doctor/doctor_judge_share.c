/* doctor_judge_share: the checks of the share of a farm; see doctor.h. Pure.
 *
 * Nothing that is wrong with a share stops mail: each relay goes on alone. So all findings are
 * warnings, but what keeps mxcryptd from starting or from using the share at all. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net/ip.h"
#include "base/valkey/valkey_url.h"
#include "cli/doctor/doctor.h"

#define SKEW_MS  3000 /* more is no jitter of the network */
#define SILENT_S 60   /* a relay that has said nothing for longer is down: it is not compared */
#define BEHIND_S 60

#define ACL_FIX                                                                                    \
    "give the server's user what contrib/valkey/users.acl has, no more and no less, and run ACL "  \
    "LOAD there"

/* False after a note that the daemon said nothing. */
static bool is_known(struct doctor_report *report)
{
    if (report->facts->share.unknown != NULL)
        doctor_not_made(report, report->facts->share.unknown);
    return report->facts->share.unknown == NULL;
}

/* ---- the connection ---- */

static bool is_refused(const char *why)
{
    return strstr(why, "NOPERM") != NULL || strstr(why, "NOAUTH") != NULL ||
           strstr(why, "WRONGPASS") != NULL;
}

void doctor_judge_share(struct doctor_report *report)
{
    const struct doctor_share *share = &report->facts->share;

    if (share->unshared) {
        doctor_find(report, DOCTOR_WARNING, "restart mxcryptd (systemctl restart mxcryptd)",
                    "mxcryptd.conf names a share, and the running mxcryptd has none");
        return;
    }
    if (!is_known(report))
        return;
    if (!share->ready)
        doctor_find(report, DOCTOR_WARNING,
                    is_refused(share->error)
                        ? "let the user, its password (share-password-file) and the server's ACL "
                          "agree; contrib/valkey/users.acl has a user"
                        : "start the server, and let this host reach it; share, in mxcryptd.conf, "
                          "says where it is",
                    "the share at %s has not been usable for %" PRId64
                    " s, and each relay goes on alone: %s",
                    share->server, share->for_s, share->error);
    else if (*share->news_error != '\0')
        doctor_find(report, DOCTOR_WARNING,
                    is_refused(share->news_error)
                        ? ACL_FIX
                        : "let each relay connect to the server twice (maxclients, a firewall)",
                    "the news of the other relays do not come: %s; a hold or a release there "
                    "counts here only when the domain is looked up again",
                    share->news_error);
}

/* ---- the files ---- */

void doctor_judge_share_files(struct doctor_report *report)
{
    const struct doctor_share *share = &report->facts->share;

    if (share->secrets_error != NULL)
        doctor_find(report, DOCTOR_ERROR,
                    "put the file there, readable by root, or correct mxcryptd.conf: as it is "
                    "mxcryptd does not start again",
                    "%s", share->secrets_error);
    for (size_t i = 0; i < share->secret_count; i++) {
        const struct doctor_secret *secret = &share->secrets[i];

        if (!secret->open)
            continue;
        if (secret->key != NULL)
            doctor_find(report, DOCTOR_WARNING,
                        arena_printf(report->arena, "chmod 600 %s", secret->path),
                        "%s (%s) can be read or changed by others", secret->path, secret->key);
        else
            doctor_find(report, DOCTOR_WARNING,
                        "put it into a file of its own, readable by root alone, and name that with "
                        "share-password-file",
                        "the password of the share stands in %s, which others can read or change",
                        secret->path);
    }
    if (share->secrets_forbidden)
        doctor_not_made(report, "the files of the share are for root");
}

/* ---- the way there ---- */

static bool is_local(const char *host)
{
    struct ip ip;

    if (ip_parse(&ip, host))
        return ip_is_loopback(&ip);
    return strcmp(host, "localhost") == 0;
}

/* The first server of the URL that is on another machine; NULL: there is none. */
static const char *remote_server(const struct valkey_url *url)
{
    for (size_t i = 0; i < url->server_count; i++)
        if (!is_local(url->servers[i].host))
            return url->servers[i].host;
    return NULL;
}

void doctor_judge_share_tls(struct doctor_report *report)
{
    const struct valkey_url *url = report->facts->config->share;
    const char *remote = remote_server(url);

    if (remote != NULL && !url->tls)
        doctor_find(report, DOCTOR_WARNING,
                    "write valkeys:// (TLS), or use a tunnel that ends on loopback (right where "
                    "the network itself is encrypted, as by WireGuard)",
                    "the connection to the share at %s is in clear: who sees it reads the "
                    "password and which domains mail goes to; share-key-file does not help "
                    "against that",
                    remote);
}

void doctor_judge_share_key(struct doctor_report *report)
{
    const struct config *config = report->facts->config;
    const char *remote = remote_server(config->share);

    if (remote != NULL && config->share_key_file == NULL)
        doctor_find(report, DOCTOR_WARNING,
                    "openssl rand -hex 32 into a file, the same at all relays, readable by root, "
                    "and name it with share-key-file",
                    "there is no share-key-file, and the share is at %s: who can write to the "
                    "server can change what the relays believe, and end holds",
                    remote);
}

/* ---- the server ---- */

void doctor_judge_share_rights(struct doctor_report *report)
{
    const struct doctor_share *share = &report->facts->share;

    if (!is_known(report))
        return;
    if (!share->rights_known) {
        doctor_not_made(report,
                        arena_printf(report->arena, "what the user %s may do is not known: %s",
                                     share->user, share->rights_error));
        return;
    }
    if (*share->lacks != '\0')
        doctor_find(report, DOCTOR_ERROR, ACL_FIX, "the user %s may not: %s", share->user,
                    share->lacks);
    if (*share->exceeds != '\0')
        doctor_find(report, DOCTOR_WARNING,
                    strcmp(share->user, "default") == 0
                        ? "have a user for the relays, as in contrib/valkey/users.acl, and name it "
                          "in share: valkey://relay:@HOST"
                        : ACL_FIX,
                    "the user %s may do what no relay does: %s", share->user, share->exceeds);
}

void doctor_judge_share_memory(struct doctor_report *report)
{
    const struct doctor_share *share = &report->facts->share;

    if (!is_known(report))
        return;
    if (share->policy == NULL) {
        doctor_not_made(report, arena_printf(report->arena,
                                             "how the server's memory is bounded is not known: %s",
                                             share->memory_error));
        return;
    }
    if (share->max_octets == 0)
        doctor_find(report, DOCTOR_WARNING, "maxmemory 1gb, in the server's configuration",
                    "the server has no maxmemory: what is shared grows with the domains that mail "
                    "goes to, and can take all memory of its host");
    if (strncmp(share->policy, "allkeys-", 8) == 0)
        doctor_find(report, DOCTOR_WARNING,
                    "maxmemory-policy volatile-ttl, in the server's configuration",
                    "maxmemory-policy %s: a full server drops the news, and the mark by which "
                    "relays see that it was emptied: all of them fill it again and again",
                    share->policy);
    else if (strcmp(share->policy, "noeviction") == 0 && share->max_octets > 0 &&
             share->used_octets > share->max_octets / 10 * 9)
        doctor_find(report, DOCTOR_WARNING,
                    "maxmemory-policy volatile-ttl, or more maxmemory, in the server's "
                    "configuration",
                    "%" PRId64 " of %" PRId64
                    " octets of the server are used, and with maxmemory-policy noeviction a full "
                    "server takes nothing that is new",
                    share->used_octets, share->max_octets);
}

/* ---- the relays ---- */

#define CLOCK_FIX "run an NTP client on the relays and on the server (timedatectl)"

static const char *ahead(int64_t skew_ms)
{
    return skew_ms < 0 ? "behind" : "ahead of";
}

static double seconds(int64_t ms)
{
    return (double)llabs(ms) / 1000;
}

/* The relays of which the clock is furthest ahead and behind. */
static void judge_relay_clocks(struct doctor_report *report)
{
    const struct doctor_share *share = &report->facts->share;
    const struct doctor_relay *first = NULL, *last = NULL;

    for (size_t i = 0; i < share->relay_count; i++) {
        const struct doctor_relay *relay = &share->relays[i];

        if (relay->silent_s > SILENT_S)
            continue;
        if (first == NULL || relay->skew_ms > first->skew_ms)
            first = relay;
        if (last == NULL || relay->skew_ms < last->skew_ms)
            last = relay;
    }
    if (first != NULL && first->skew_ms - last->skew_ms > SKEW_MS)
        doctor_find(report, DOCTOR_WARNING, CLOCK_FIX,
                    "the clock of relay %s is %.1f s ahead of that of relay %s", first->name,
                    seconds(first->skew_ms - last->skew_ms), last->name);
}

void doctor_judge_share_clock(struct doctor_report *report)
{
    const struct doctor_share *share = &report->facts->share;

    if (!is_known(report))
        return;
    if (!share->ready)
        doctor_not_made(report, "the share cannot be used");
    else if (llabs(share->skew_ms) > SKEW_MS)
        doctor_find(report, DOCTOR_WARNING, CLOCK_FIX,
                    "the clock of this host is %.1f s %s that of the share's server",
                    seconds(share->skew_ms), ahead(share->skew_ms));
    else
        judge_relay_clocks(report);
}

/* The relay that is this one; NULL: it is not listed. */
static const struct doctor_relay *own_relay(const struct doctor_share *share)
{
    for (size_t i = 0; i < share->relay_count; i++)
        if (share->relays[i].self)
            return &share->relays[i];
    return NULL;
}

static void compare(struct doctor_report *report, const struct doctor_relay *own,
                    const struct doctor_relay *other)
{
    if (strcmp(own->version, other->version) != 0)
        doctor_find(report, DOCTOR_WARNING, "install the same version at all relays",
                    "relay %s is version %s, this one is %s", other->name, other->version,
                    own->version);
    if (strcmp(own->rules, other->rules) != 0)
        doctor_find(report, DOCTOR_WARNING, "put the same file there, and run mxcrypt farm reload",
                    "relay %s has other rules than this one: the same mail goes out in two ways",
                    other->name);
    if (strcmp(own->mode, other->mode) != 0 || own->rollout != other->rollout)
        doctor_find(
            report, DOCTOR_WARNING, "set mode and rollout alike, and run mxcrypt farm reload",
            "relay %s has mode = %s and rollout = %" PRId64 "%%, this one %s and %" PRId64 "%%",
            other->name, other->mode, other->rollout, own->mode, own->rollout);
    if (strcmp(own->settings, other->settings) != 0)
        doctor_find(
            report, DOCTOR_WARNING,
            "write dane, mta-sts, probe, probe-exclude, allow-address, ca-file, ca-path, "
            "tls-protocols, tls-ciphers and smtp-port alike in mxcryptd.conf at both, and "
            "restart mxcryptd",
            "relay %s has other settings of lookups than this one, and they share no answers",
            other->name);
    if (other->behind_s > BEHIND_S)
        doctor_find(report, DOCTOR_WARNING, "run mxcrypt doctor there",
                    "relay %s is %" PRId64 " s behind with the news of the others", other->name,
                    other->behind_s);
}

void doctor_judge_share_relays(struct doctor_report *report)
{
    const struct doctor_share *share = &report->facts->share;
    const struct doctor_relay *own = own_relay(share);

    if (!is_known(report))
        return;
    if (own == NULL) {
        doctor_not_made(report, "this relay is not listed in the share");
        return;
    }
    for (size_t i = 0; i < share->relay_count; i++)
        if (!share->relays[i].self && share->relays[i].silent_s <= SILENT_S)
            compare(report, own, &share->relays[i]);
}
