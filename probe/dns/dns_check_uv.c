/* dns_check_uv: see dns_check.h. The root's NS records are signed since 2010. */
#include "probe/dns/dns_check_uv.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define CHECK_ARENA_MAX (256 * 1024)

struct dns_checking {
    struct arena *arena; /* owned; this is in it */
    struct dns *dns;
    struct dns_query *query; /* NULL once answered */
    dns_checked *done;
    void *context;
};

static void take_servers(struct dns_check *out, const struct dns *dns)
{
    struct dns_server servers[DNS_RESOLVERS_MAX];
    size_t count = dns_servers(dns, servers), used = 0;
    char text[IP_TEXT_MAX];

    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(out->servers + used, sizeof out->servers - used, "%s%s",
                                 i > 0 ? " " : "", ip_text(&servers[i].ip, text));
        out->remote = out->remote || !ip_is_loopback(&servers[i].ip);
    }
}

static void on_check_answer(void *context, const struct dns_answer *answer)
{
    struct dns_checking *checking = context;
    struct dns_check check = {.answer = DNS_CHECK_UNREACHABLE};

    checking->query = NULL;
    take_servers(&check, checking->dns);
    if (answer->outcome != DNS_FAILED)
        check.answer = answer->secure ? DNS_CHECK_SECURE : DNS_CHECK_INSECURE;
    else
        snprintf(check.why, sizeof check.why, "%s", answer->why == NULL ? "" : answer->why);
    checking->done(checking->context, &check);
}

struct dns_checking *dns_checking_start(struct dns *dns, dns_checked *done, void *context)
{
    struct arena *arena = arena_new(CHECK_ARENA_MAX);
    struct dns_checking *checking = arena == NULL ? NULL : arena_alloc(arena, sizeof *checking);

    if (checking == NULL) {
        arena_free(arena);
        return NULL;
    }
    *checking = (struct dns_checking){.arena = arena, .dns = dns, .done = done, .context = context};
    if (dns_start(&checking->query, dns, arena, ".", DNS_NS, on_check_answer, checking) == 0)
        return checking;
    arena_free(arena);
    return NULL;
}

void dns_checking_free(struct dns_checking *checking)
{
    if (checking == NULL)
        return;
    if (checking->query != NULL)
        dns_cancel(checking->query);
    arena_free(checking->arena);
}

/* ---- on a loop of its own ---- */

struct waiting_check {
    struct dns_check *out;
    bool done;
};

static void on_waited(void *context, const struct dns_check *check)
{
    struct waiting_check *waiting = context;

    *waiting->out = *check;
    waiting->done = true;
}

bool dns_check_now(struct dns_check *out, const struct dns_options *options)
{
    struct waiting_check waiting = {.out = out};
    struct dns_checking *checking = NULL;
    struct dns *dns = NULL;
    uv_loop_t loop;

    *out = (struct dns_check){.answer = DNS_CHECK_UNREACHABLE};
    if (uv_loop_init(&loop) != 0)
        return false;
    if (dns_new(&dns, &loop, options) == 0) {
        take_servers(out, dns);
        checking = dns_checking_start(dns, on_waited, &waiting);
        while (checking != NULL && !waiting.done && uv_run(&loop, UV_RUN_ONCE) != 0)
            continue;
        dns_checking_free(checking);
        dns_close(dns);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
    return waiting.done;
}
