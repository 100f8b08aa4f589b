/* commands_stats: see commands.h. */
#include <stdio.h>

#include "daemon/control/commands.h"
#include "daemon/metrics/metrics_table.h"

static void add_family(json_t *out, const struct metrics_family *family,
                       const struct metrics_numbers *numbers)
{
    char name[64];

    for (unsigned i = 0; i < family->count; i++) {
        snprintf(name, sizeof name, family->label != NULL ? "%s_%s" : "%s", family->stats,
                 family->label != NULL ? family->value(i) : "");
        json_object_set_new(out, name,
                            json_integer((json_int_t)metrics_number(family, numbers, i)));
    }
}

json_t *stats_json(const struct metrics_numbers *numbers)
{
    json_t *out = json_object();
    const struct metrics_family *family;

    for (size_t i = 0; out != NULL && (family = metrics_family_at(i)) != NULL; i++)
        if (family->stats != NULL)
            add_family(out, family, numbers);
    return out;
}

void command_stats(struct command *command)
{
    struct metrics_numbers numbers;

    metrics_gather(&numbers, command->engine, command->server);
    command_finish(command, stats_json(&numbers));
}
