/* members: see members.h. The names are read first: what is read of each needs the file as well. */
#include "survey/member/members.h"

#include <string.h>

#include "base/clock.h"

#define NAMES_OCTETS_MAX    ((size_t)1 << 30)
#define EVIDENCE_OCTETS_MAX ((size_t)16 << 20)

static bool give(struct results *results, const char *domain, struct arena *arena,
                 members_taker *take, void *context)
{
    struct member member = {.fault = MEMBER_UNSEEN};
    struct evidence evidence;
    int64_t id;

    arena_reset(arena);
    if (!results_find(results, domain, &id) ||
        !results_evidence(results, id, clock_monotonic_ms(), arena, &evidence))
        return *results_error(results) == '\0' && take(context, domain, &member, NULL);
    member_judge(&member, &evidence);
    return take(context, domain, &member, &evidence);
}

bool members_one(struct results *results, const char *domain, members_taker *take, void *context)
{
    struct arena *arena = arena_new(EVIDENCE_OCTETS_MAX);
    bool given = arena != NULL && give(results, domain, arena, take, context);

    arena_free(arena);
    return given;
}

static bool take_name(void *context, const struct results_value *values, int count)
{
    struct buf *names = context; /* one behind the other, each with its NUL */

    if (count == 1 && values[0].type == RESULTS_TEXT)
        buf_add(names, values[0].text, strlen(values[0].text) + 1);
    return !names->failed;
}

bool members_each(struct results *results, members_taker *take, void *context)
{
    struct arena *arena = arena_new(EVIDENCE_OCTETS_MAX);
    struct buf names;
    const char *name;
    bool good;

    buf_init(&names, NAMES_OCTETS_MAX);
    good = arena != NULL && results_query(results, "SELECT name FROM domain ORDER BY name", NULL, 0,
                                          take_name, &names);
    for (name = names.data; good && name < names.data + names.length; name += strlen(name) + 1)
        good = give(results, name, arena, take, context);
    buf_fini(&names);
    arena_free(arena);
    return good;
}
