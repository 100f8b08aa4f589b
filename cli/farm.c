/* farm: how the relays of a farm are listed. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

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

void print_farm(const json_t *answer)
{
    static const char *const same[] = {"version", "rules", "settings", "mode", "rollout"};
    const json_t *relays = json_object_get(answer, "relays"), *relay;
    size_t i;

    json_array_foreach(relays, i, relay)
    {
        printf("%-24s %-8s %-8s %3lld %%  rules %-16s  settings %s  heard of %lld s ago, %lld s "
               "behind%s\n",
               string_of(relay, "relay"), string_of(relay, "version"), string_of(relay, "mode"),
               number_of(relay, "rollout"), string_of(relay, "rules"), string_of(relay, "settings"),
               number_of(relay, "silent_s"), number_of(relay, "behind_s"),
               is_true(relay, "self") ? "  (this one)" : "");
    }
    for (i = 0; i < sizeof same / sizeof same[0]; i++)
        tell_difference(relays, same[i]);
}
