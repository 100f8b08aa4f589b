/* rollover: the steps; see rollover.h. What is seen is made of records in rollover_look.c. */
#include "check/rollover/rollover.h"

#include <string.h>

const char *rollover_state_name(enum rollover_state state)
{
    static const char *const names[] = {ROLLOVER_STATES(ENUM_WORD)};

    return names[state];
}

/* ---- staging ---- */

static bool is_same(const struct rollover_chain *a, const struct rollover_chain *b)
{
    return strcmp(a->sha256, b->sha256) == 0;
}

static void enter(struct rollover *rollover, enum rollover_state state, int64_t now)
{
    if (rollover->state != state)
        rollover->since = now;
    rollover->state = state;
    if (state == ROLLOVER_STAGED)
        rollover->published_at = 0;
}

bool rollover_stage(struct rollover *rollover, const struct rollover_chain *next, int64_t now)
{
    bool over = rollover->state == ROLLOVER_CLEANED;

    if (rollover->next.shown.count > 0 && is_same(&rollover->next, next))
        return false;
    /* what was installed may be live at an address that cannot be seen */
    if (rollover->next.shown.count > 0 && (rollover->installed || over))
        rollover->current = rollover->next;
    if (over)
        rollover->ttl = 0;
    rollover->next = *next;
    rollover->installed = false;
    enter(rollover, ROLLOVER_STAGED, now);
    rollover->since = now;
    return true;
}

/* ---- stepping ---- */

/* A clock that stepped back: nothing is known of the time since, so the wait begins anew. */
static void mind_the_clock(struct rollover *rollover, int64_t now)
{
    if (rollover->since > now)
        rollover->since = now;
    if (rollover->published_at > now)
        rollover->published_at = now;
}

static int64_t wait_of(const struct rollover *rollover)
{
    /* of whole seconds the first may have been a short one */
    return 2 * (int64_t)rollover->ttl + 1;
}

/* What the sights of all hosts come to. */
struct together {
    bool known, complete, lost, resolved, unchanged, broken, old_gone;
    bool all_next, back; /* live: everywhere the next; somewhere not */
};

static void say(struct rollover_advice *advice, const char *why, const char *host)
{
    if (advice->why != NULL)
        return;
    advice->why = why;
    advice->host = host;
}

static struct together add_up(struct rollover *rollover, const struct rollover_sight *sights,
                              struct rollover_advice *advice)
{
    struct together all = {true, true, false, true, true, false, true, true, false};

    for (size_t i = 0; i < rollover->host_count; i++) {
        const struct rollover_sight *sight = &sights[i];

        if (sight->ttl > rollover->ttl)
            rollover->ttl = sight->ttl < ROLLOVER_TTL_MAX ? sight->ttl : ROLLOVER_TTL_MAX;
        all.known &= sight->known;
        all.complete &= sight->known && sight->everywhere;
        all.lost |= !sight->everywhere;
        all.resolved &= sight->resolver_has;
        all.unchanged &= sight->unchanged;
        all.broken |= sight->broken;
        all.old_gone &= sight->known && sight->old_gone;
        all.all_next &= sight->live == ROLLOVER_LIVE_NEXT;
        all.back |= sight->live == ROLLOVER_LIVE_OLD || sight->live == ROLLOVER_LIVE_OTHER;
        if (sight->broken || !sight->known || !sight->everywhere)
            say(advice, sight->why, sight->host);
    }
    return all;
}

static void step_published(struct rollover *rollover, const struct together *all, int64_t now,
                           struct rollover_advice *advice)
{
    int64_t ripe_at = rollover->published_at + wait_of(rollover);

    if (!all->known)
        return;
    if (!all->resolved && !all->unchanged)
        say(advice, "the resolver does not have the records yet", NULL);
    else if (all->unchanged || now >= ripe_at)
        enter(rollover, ROLLOVER_RIPE, now);
    else
        say(advice, "caches may still have the old records", NULL);
    advice->again_at = rollover->state == ROLLOVER_PUBLISHED && ripe_at > now ? ripe_at : 0;
}

static void step_ripe(struct rollover *rollover, const struct together *all, int64_t now,
                      struct rollover_advice *advice)
{
    if (all->all_next && all->known)
        enter(rollover, ROLLOVER_DEPLOYED, now);
    else if (all->known)
        advice->install = true;
    if (rollover->state == ROLLOVER_RIPE)
        say(advice, "not every address shows the certificate yet", NULL);
}

static void step_deployed(struct rollover *rollover, const struct together *all, int64_t now,
                          struct rollover_advice *advice)
{
    int64_t sure_at = rollover->since + wait_of(rollover);

    if (all->back)
        enter(rollover, ROLLOVER_RIPE, now);
    else if (all->all_next && all->known && (all->old_gone || now >= sure_at))
        enter(rollover, ROLLOVER_CLEANED, now);
    if (rollover->state == ROLLOVER_CLEANED)
        return;
    say(advice,
        all->back ? "an address shows another certificate again"
                  : "the old records stay until every cache is sure",
        NULL);
    advice->again_at = rollover->state == ROLLOVER_DEPLOYED && sure_at > now ? sure_at : 0;
}

void rollover_step(struct rollover *rollover, const struct rollover_sight *sights, int64_t now,
                   struct rollover_advice *advice)
{
    struct together all;

    *advice = (struct rollover_advice){.again_at = 0};
    if (rollover->state == ROLLOVER_CLEANED)
        return;
    mind_the_clock(rollover, now);
    all = add_up(rollover, sights, advice);
    advice->broken = all.broken;
    if (all.lost)
        enter(rollover, ROLLOVER_STAGED, now);
    if (rollover->state == ROLLOVER_STAGED && all.complete) {
        enter(rollover, ROLLOVER_PUBLISHED, now);
        rollover->published_at = now;
    }
    if (rollover->state == ROLLOVER_PUBLISHED)
        step_published(rollover, &all, now, advice);
    if (rollover->state == ROLLOVER_RIPE)
        step_ripe(rollover, &all, now, advice);
    if (rollover->state == ROLLOVER_DEPLOYED)
        step_deployed(rollover, &all, now, advice);
}
