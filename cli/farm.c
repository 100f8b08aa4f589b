/* farm: how a share and the relays of its farm are listed. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#define MIB (1024.0 * 1024.0)

/* What is not the same at all relays is told: it makes the same mail go out in two ways. */
static void tell_difference(const json_t *relays, const char *member)
{
    const json_t *first = json_object_get(json_array_get(relays, 0), member), *relay;
    size_t i;

    json_array_foreach(relays, i, relay)
    {
        if (json_equal(json_object_get(relay, member), first))
            continue;
        printf("warning: the relays differ in %s%s\n", member,
               strcmp(member, "settings") == 0
                   ? ": how they look up is not the same, and they share no answers"
                   : "");
        return;
    }
}

/* The server's own words, as far as it says them. */
static void print_server(const json_t *share)
{
    const json_t *memory = json_object_get(share, "memory");
    long long most = number_of(memory, "max");

    printf("share at %s, usable for %lld s", string_of(share, "server"), number_of(share, "for_s"));
    if (json_is_object(memory)) {
        printf("; %s, %.1f MiB used", string_of(share, "program"),
               (double)number_of(memory, "used") / MIB);
        if (most > 0)
            printf(" of %.1f MiB", (double)most / MIB);
        else
            printf(", no maxmemory");
        printf(", maxmemory-policy %s, appendonly %s", string_of(memory, "policy"),
               is_true(memory, "appends") ? "yes" : "no");
    }
    printf("\n");
    if (json_is_string(json_object_get(share, "news_error")))
        printf("warning: the news of the other relays do not come: %s\n",
               string_of(share, "news_error"));
}

void print_farm(const json_t *answer)
{
    static const char *const same[] = {"version", "rules", "settings", "mode", "rollout"};
    const json_t *relays = json_object_get(answer, "relays"), *relay;
    size_t i;

    print_server(json_object_get(answer, "share"));
    json_array_foreach(relays, i, relay)
    {
        printf("%-24s %-8s %-8s %3lld %%  rules %-16s  settings %s  heard of %lld s ago, %lld s "
               "behind, clock %+.1f s%s\n",
               string_of(relay, "relay"), string_of(relay, "version"), string_of(relay, "mode"),
               number_of(relay, "rollout"), string_of(relay, "rules"), string_of(relay, "settings"),
               number_of(relay, "silent_s"), number_of(relay, "behind_s"),
               (double)number_of(relay, "skew_ms") / 1000,
               is_true(relay, "self") ? "  (this one)" : "");
    }
    for (i = 0; i < sizeof same / sizeof same[0]; i++)
        tell_difference(relays, same[i]);
}
