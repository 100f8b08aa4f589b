/* resolver_check: see resolver_check.h. The root's NS records are signed since 2010. */
#include "daemon/resolver_check.h"

#include "base/arena.h"
#include "base/log/log.h"

#define CHECK_ARENA_MAX (256 * 1024)

struct resolver_check {
    struct arena *arena;     /* owned; this is in it */
    struct dns_query *query; /* NULL once answered */
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

static void on_answer(void *context, const struct dns_answer *answer)
{
    struct resolver_check *check = context;

    check->query = NULL;
    if (answer->outcome == DNS_FAILED)
        log_event(LOG_LEVEL_WARNING, "resolver-unreachable", "why", answer->why, "effect",
                  "until it answers, domains that are not cached get TEMP and their mail waits",
                  NULL);
    else if (answer->secure)
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
    struct arena *arena = arena_new(CHECK_ARENA_MAX);
    struct resolver_check *check = arena == NULL ? NULL : arena_alloc(arena, sizeof *check);

    if (check == NULL) {
        arena_free(arena);
        return NULL;
    }
    check->arena = arena;
    check->dane = dane;
    if (dane)
        warn_remote(dns);
    if (dns_start(&check->query, dns, check->arena, ".", DNS_NS, on_answer, check) != 0)
        check->query = NULL;
    return check;
}

void resolver_check_free(struct resolver_check *check)
{
    if (check == NULL)
        return;
    if (check->query != NULL)
        dns_cancel(check->query);
    arena_free(check->arena);
}
