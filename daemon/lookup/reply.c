/* reply: see reply.h. */
#include "daemon/lookup/reply.h"

struct answer reply_answer(const struct reply *reply, enum answer_form form)
{
    static const enum answer_status statuses[] = {
        [FINAL_POLICY] = ANSWER_OK,
        [FINAL_NOTFOUND] = ANSWER_NOTFOUND,
        [FINAL_TEMP] = ANSWER_TEMP,
    };
    const struct final_answer *final = &reply->final;

    if (final->kind == FINAL_FOUND)
        return cache_entry_answer(reply->entry, form);
    return (struct answer){statuses[final->kind], final->text == NULL ? "" : final->text,
                           final->length};
}

void reply_count(struct engine_stats *stats, const struct reply *reply)
{
    const struct cached_verdict *found = &reply->entry->verdict;

    stats->by_level[reply->final.level]++;
    stats->by_final_reason[reply->final.reason]++;
    if (reply->final.kind == FINAL_FOUND)
        stats->by_reason[found->reason]++;
    if (reply->final.withheld)
        stats->withheld_by_level[found->level]++;
}

void reply_keep(struct cache_entry *entry, const struct override *override, unsigned generation)
{
    cache_entry_apply(&entry->final, override, entry);
    entry->unwanted = !override_wants_lookup(override);
    entry->generation = generation;
}
