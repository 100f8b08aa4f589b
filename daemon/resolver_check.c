/* resolver_check: see resolver_check.h. */
#include "daemon/resolver_check.h"

#include <stdlib.h>

#include "base/log/log.h"
#include "probe/dns/dns_check_uv.h"

struct resolver_check {
    struct dns_checking *checking; /* owned; NULL: it could not be asked */
    bool dane;
};

static void warn_remote(const struct dns *dns)
{
    struct dns_server servers[DNS_RESOLVERS_MAX];
    size_t count = dns_servers(dns, servers);
    char text[IP_TEXT_MAX];

    for (size_t i = 0; i < count; i++)
        if (!ip_is_loopback(&servers[i].ip))
            log_event(LOG_LEVEL_WARNING, "resolver-remote", "resolver",
                      ip_text(&servers[i].ip, text), "why",
                      "not on this host: the AD bit that DANE rests on can be forged on the way; "
                      "run a validating resolver on loopback",
                      NULL);
}

static void on_checked(void *context, const struct dns_check *seen)
{
    struct resolver_check *check = context;

    if (seen->answer == DNS_CHECK_UNREACHABLE)
        log_event(LOG_LEVEL_WARNING, "resolver-unreachable", "why", seen->why, "effect",
                  "until it answers, domains that are not cached get TEMP and their mail waits",
                  NULL);
    else if (seen->answer == DNS_CHECK_SECURE)
        log_event(LOG_LEVEL_INFO, "resolver-validates", NULL);
    else if (check->dane)
        log_event(LOG_LEVEL_WARNING, "resolver-does-not-validate", "why",
                  "its answer for the signed root has no AD bit", "effect",
                  "DANE cannot work: every domain counts as unsigned", "change",
                  "use a validating resolver such as unbound on loopback; with the C library's "
                  "resolv.conf nothing else is needed for mxcryptd, Postfix also wants "
                  "smtp_dns_support_level = dnssec",
                  NULL);
}

struct resolver_check *resolver_check_new(struct dns *dns, bool dane)
{
    struct resolver_check *check = malloc(sizeof *check);

    if (check == NULL)
        return NULL;
    check->dane = dane;
    if (dane)
        warn_remote(dns);
    check->checking = dns_checking_start(dns, on_checked, check);
    return check;
}

void resolver_check_free(struct resolver_check *check)
{
    if (check == NULL)
        return;
    dns_checking_free(check->checking);
    free(check);
}
