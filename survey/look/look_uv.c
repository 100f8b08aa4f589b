/* look_uv: see look_uv.h. */
#include "survey/look/look_uv.h"

#include <string.h>

#include "base/clock.h"

#define LOOK_ARENA_MAX   (8 * 1024 * 1024)
#define LOOK_QUERIES_MAX 20 /* DNS lookups for one unit; the longest takes 5 */

static const struct look_kind *const kinds[UNIT_KIND_COUNT] = {
    [UNIT_DOMAIN] = &look_domain, [UNIT_HOST] = &look_host, [UNIT_ADDRESS] = &look_address};

struct look *look_new(const struct unit *unit)
{
    struct arena *arena = arena_new(LOOK_ARENA_MAX);
    struct look *look = arena == NULL ? NULL : arena_alloc(arena, sizeof *look);
    struct unit_result *result = look == NULL ? NULL : arena_alloc(arena, sizeof *result);

    if (result == NULL) {
        arena_free(arena);
        return NULL;
    }
    result->arena = arena;
    result->unit = *unit;
    look->result = result;
    list_init(&look->link);
    return look;
}

bool look_start(struct look *look, const struct look_tools *tools, look_done *done)
{
    struct unit_result *result = look->result;

    look->tools = tools;
    look->done = done;
    look->query_budget = LOOK_QUERIES_MAX;
    look->asker.dns = tools->dns;
    look->asker.arena = result->arena;
    look->asker.budget = &look->query_budget;
    look->asker.owner = look;
    result->looked_at = clock_wall_s();
    result->failed_here = !kinds[result->unit.kind]->start(look);
    return !result->failed_here;
}

void look_cancel(struct look *look)
{
    kinds[look->result->unit.kind]->cancel(look);
}

bool look_failed_here(const char *failure)
{
    return failure != NULL && (strcmp(failure, dns_failure_name(DNS_FAILURE_LOCAL)) == 0 ||
                               strcmp(failure, dns_failure_name(DNS_FAILURE_QUEUE)) == 0 ||
                               strcmp(failure, fetch_failure_name(FETCH_FAILURE_LOCAL)) == 0);
}

void look_note_failure(struct look *look, const char *failure)
{
    struct unit_result *result = look->result;

    if (failure == NULL)
        return;
    result->try_again = true;
    result->failed_here |= look_failed_here(failure);
    result->timed_out |= strcmp(failure, dns_failure_name(DNS_FAILURE_TIMEOUT)) == 0;
}

void look_finish(struct look *look)
{
    look->result->failed_here |= arena_failed(look->result->arena);
    look->done(look);
}
