/*
 * cli_stage: `mxcrypt rollover stage`: another certificate, which is refused where it could not be
 * installed: out of order, of another key, not valid now, not for the mail hosts, or in use already.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/check/cli_certs.h"
#include "cli/check/cli_rolling.h"

static int refuse(const char *what, const char *why)
{
    return rolling_say(what, why, CLI_DATA);
}

/* ---- hosts ---- */

/* False when it is no host name, or there is no room. */
static bool take_host(struct rollover *rollover, const char *name)
{
    size_t length = strlen(name);
    char *host = rollover->hosts[rollover->host_count];

    if (length > HOSTNAME_MAX || rollover->host_count == ROLLOVER_HOSTS_MAX)
        return false;
    memcpy(host, name, length + 1);
    hostname_fold(host, length);
    if (!hostname_canonical(host))
        return false;
    for (size_t i = 0; i < rollover->host_count; i++)
        if (strcmp(rollover->hosts[i], host) == 0)
            return true;
    rollover->host_count++;
    return true;
}

static int take_given(struct rolling *rolling)
{
    const struct cli *cli = rolling->cli;

    rolling->rollover.host_count = 0;
    for (size_t i = 0; i < cli->mail_host_count; i++)
        if (!take_host(&rolling->rollover, cli->mail_hosts[i]))
            return rolling_say(cli->mail_hosts[i], "not a host name", CLI_USAGE);
    return CLI_OK;
}

/* The names of the certificate, which must have all that the rollover had before. */
static int take_names(struct rolling *rolling, const struct tls_der *leaf)
{
    const char *names[ROLLOVER_HOSTS_MAX], *file = rolling->cli->own.certs[0];
    size_t count = tls_der_hosts(names, ROLLOVER_HOSTS_MAX, rolling->arena, leaf);
    const struct rollover *before = &rolling->rollover;

    if (arena_failed(rolling->arena))
        return rolling_say(file, "no memory", CLI_INTERNAL);
    if (count == 0)
        return refuse(file, "it names no host: name the mail hosts with --mail-host");
    if (count > ROLLOVER_HOSTS_MAX)
        return refuse(file, "it has more than 100 names: name the mail hosts with --mail-host");
    for (size_t i = 0; i < before->host_count; i++)
        if (!tls_der_names(leaf, before->hosts[i]))
            return refuse(before->hosts[i], "a mail host until now, which the certificate does not "
                                            "name: name those that stay with --mail-host");
    rolling->rollover.host_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!take_host(&rolling->rollover, names[i]))
            return refuse(file, "a name of it is no host name");
    return CLI_OK;
}

static int take_hosts(struct rolling *rolling, const struct tls_der *leaf)
{
    struct rollover *rollover = &rolling->rollover;
    const struct cli *cli = rolling->cli;
    int status = cli->mail_host_count > 0 ? take_given(rolling) : take_names(rolling, leaf);

    rollover->port = cli->config.prober.smtp_port;
    for (size_t i = 0; status == CLI_OK && i < rollover->host_count && !cli->own.any_name; i++)
        if (!tls_der_names(leaf, rollover->hosts[i]))
            status = refuse(rollover->hosts[i], "the certificate does not name it, which MTA-STS "
                                                "needs; --any-name takes it all the same");
    return status;
}

static bool has_host(const struct rollover *rollover, const char *name)
{
    for (size_t i = 0; i < rollover->host_count; i++)
        if (strcmp(rollover->hosts[i], name) == 0)
            return true;
    return false;
}

/* Whether there are TLSA records to wait for that there were not before. */
static bool is_more(const struct rollover *rollover, const struct rollover *before)
{
    for (size_t i = 0; i < rollover->host_count; i++)
        if (!has_host(before, rollover->hosts[i]))
            return true;
    return rollover->port != before->port;
}

/* ---- the certificate ---- */

static int read_next(struct rollover_chain *next, const struct rolling *rolling)
{
    const struct cli_own *own = &rolling->cli->own;
    int64_t now = clock_wall_s();
    struct tls_shown shown;

    if (own->cert_count != 1)
        return rolling_say("rollover stage", "it needs one --cert FILE", CLI_USAGE);
    if (!cli_read_chain(&shown, rolling->arena, own->certs[0]) ||
        (own->key != NULL && !cli_check_key(own->key, &shown.certificates[0])))
        return CLI_DATA;
    if (!rollover_chain_make(next, rolling->arena, &shown))
        return refuse(own->certs[0], "the certificate cannot be read");
    if (next->not_after < now)
        return refuse(own->certs[0], "the certificate has expired");
    if (next->not_before > now)
        return refuse(own->certs[0], "the certificate is not valid yet");
    return CLI_OK;
}

/* What the hosts show, or a file says, is what will be replaced. */
static int take_current(struct rolling *rolling)
{
    const char *path = rolling->cli->own.current;
    struct tls_shown shown;

    if (path == NULL)
        return CLI_OK;
    return cli_read_chain(&shown, rolling->arena, path) &&
                   rollover_chain_make(&rolling->rollover.current, rolling->arena, &shown)
               ? CLI_OK
               : CLI_DATA;
}

/* Back to what was there before is a change like any other once the next one may be in use. */
static bool is_present(const struct rollover *rollover, const struct rollover_chain *next)
{
    return rollover->current.shown.count > 0 && !rollover->released &&
           rollover->state != ROLLOVER_CLEANED && rollover_chain_same(&rollover->current, next);
}

static void stage(struct rollover *rollover, const struct rollover_chain *next,
                  const struct rollover *before)
{
    int64_t now = clock_wall_s();

    if (!rollover_stage(rollover, next, now) && is_more(rollover, before))
        rollover_begin_again(rollover, now);
}

int do_rollover_stage(struct cli *cli)
{
    struct rollover_chain next, current;
    struct rollover before;
    struct rolling rolling;
    int status = rolling_open(&rolling, cli, true);
    bool known = true;

    before = rolling.rollover;
    if (status == CLI_OK)
        status = read_next(&next, &rolling);
    if (status == CLI_OK)
        status = take_current(&rolling);
    if (status == CLI_OK && is_present(&rolling.rollover, &next))
        status = rolling_say(cli->own.certs[0], "it is the present certificate: nothing to change",
                             CLI_NO);
    /* the file of what is installed already does not tell what was there before */
    if (status == CLI_OK && rollover_chain_same(&rolling.rollover.current, &next)) {
        rolling.rollover.current = before.current;
        known = false;
    }
    if (status == CLI_OK)
        status = take_hosts(&rolling, &next.shown.certificates[0]);
    if (status == CLI_OK) {
        current = rolling.rollover.current;
        stage(&rolling.rollover, &next, &before);
        /* of a certificate that was released, but not installed, the file knows better */
        if (cli->own.current != NULL && known)
            rolling.rollover.current = current;
        status = rolling_write(&rolling);
    }
    return rolling_close(&rolling, status);
}
