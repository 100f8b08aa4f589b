/* lists_status: see lists_status.h. */
#include "daemon/lists/lists_status.h"

#include "base/clock.h"
#include "daemon/lists/lists_internal.h"

static const char *state_of(const struct list_source *source)
{
    if (source->in_force)
        return list_outcome_name(LIST_TAKEN);
    if (source->outcome == LIST_TAKEN || source->outcome == LIST_SAME)
        return list_outcome_name(LIST_EXPIRED); /* since it was read */
    return list_outcome_name(source->outcome);
}

static int64_t next_s(const struct list_source *source)
{
    int64_t in_ms = source->due_ms - clock_monotonic_ms();

    return clock_wall_s() + (in_ms > 0 ? in_ms / 1000 : 0);
}

bool lists_status(struct lists_status *out, const struct lists *lists, size_t index)
{
    const struct list_source *source;

    if (lists == NULL || index >= lists->count)
        return false;
    source = lists->sources[index];
    *out = (struct lists_status){
        .source = source->line.source,
        .state = state_of(source),
        .why = source->why,
        .kept_why = source->kept_why,
        .list = source->list,
        .enforced = source->enforced,
        .in_force = source->in_force,
        .stale = source->stale,
        .fetched = source->line.host != NULL,
        .key_known = source->key_known,
        .kind = source->kind,
        .key = source->key_text,
        .as = source->line.as,
        .newest_s = source->kept.newest_s,
        .looked_s = source->looked_s,
        .good_s = source->kept.good_s,
        .next_s = next_s(source),
        .ready_s = source->ready_s,
    };
    return true;
}

static void add_source(struct lists_stats *out, const struct list_source *source)
{
    const struct policy_list_header *header;

    out->stale += source->stale;
    out->not_kept += source->kept_why[0] != '\0';
    out->expired += state_of(source) == list_outcome_name(LIST_EXPIRED);
    if (!source->in_force)
        return;
    header = policy_list_header(source->list);
    out->in_force++;
    out->domains += header->domains;
    if (out->expires_s == 0 || header->expires_s < out->expires_s)
        out->expires_s = header->expires_s;
}

void lists_get_stats(const struct lists *lists, struct lists_stats *out)
{
    *out = (struct lists_stats){0};
    if (lists == NULL)
        return;
    *out = lists->stats;
    out->configured = lists->count;
    for (size_t i = 0; i < lists->count; i++)
        add_source(out, lists->sources[i]);
}
