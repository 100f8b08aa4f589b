/* rollover: the steps; see rollover.h. What is seen is made of records in rollover_look.c. */
#include "check/rollover/rollover.h"

#include <string.h>

const char *rollover_state_name(enum rollover_state state)
{
    static const char *const names[] = {ROLLOVER_STATES(ENUM_WORD)};

    return names[state];
}

const char *rollover_need_name(enum rollover_need need)
{
    static const char *const names[] = {ROLLOVER_NEEDS(ENUM_WORD)};

    return names[need];
}

/* ---- staging ---- */

static int64_t wait_of(const struct rollover *rollover)
{
    /* of whole seconds the first may have been a short one */
    return 2 * (int64_t)rollover->ttl + 1;
}

static void enter(struct rollover *rollover, enum rollover_state state, int64_t now)
{
    if (rollover->state != state)
        rollover->since = now;
    if (rollover->state > state && rollover->went_back_at == 0)
        rollover->went_back_at = now;
    rollover->state = state;
    if (state == ROLLOVER_STAGED)
        rollover->published_at = 0;
}

/* Whether no cache has anything of the change before. */
static bool is_forgotten(const struct rollover *rollover, int64_t now)
{
    return rollover->state == ROLLOVER_CLEANED && now >= rollover->since + wait_of(rollover);
}

void rollover_begin_again(struct rollover *rollover, int64_t now)
{
    if (is_forgotten(rollover, now)) {
        rollover->ttl = 0;
        rollover->differs = false;
    }
    enter(rollover, ROLLOVER_STAGED, now);
    rollover->since = rollover->stepped_at = now;
    rollover->went_back_at = 0;
    rollover->installed = false;
}

bool rollover_stage(struct rollover *rollover, const struct rollover_chain *next, int64_t now)
{
    bool any = rollover->next.shown.count > 0, known = any && !is_forgotten(rollover, now);
    int64_t stepped_at = rollover->stepped_at;

    if (any && rollover_chain_same(&rollover->next, next)) {
        if (now < stepped_at)
            rollover_begin_again(rollover, now);
        return now < stepped_at;
    }
    /* what was installed may be live at an address that cannot be seen */
    if (any && (rollover->released || rollover->state == ROLLOVER_CLEANED))
        rollover->current = rollover->next;
    rollover_begin_again(rollover, now);
    rollover->differs = known; /* what was seen may match the one before, and not this one */
    rollover->next = *next;
    rollover->released = false;
    rollover->without_count = 0;
    if (now < stepped_at) /* whether the clock is right now, only the operator knows */
        rollover->stepped_at = stepped_at;
    return true;
}

/* Writes a server's name or address as it is compared. False when it is neither. */
static bool read_server(char out[HOSTNAME_MAX + 1], const char *text)
{
    size_t length = strlen(text);
    struct ip ip;

    if (length > 1 && text[length - 1] == '.')
        length--;
    if (length > HOSTNAME_MAX)
        return false;
    memcpy(out, text, length);
    out[length] = '\0';
    hostname_fold(out, length);
    if (!ip_parse(&ip, out))
        return hostname_canonical(out);
    ip_text(&ip, out);
    return true;
}

bool rollover_pass_over(struct rollover *rollover, const char *server)
{
    char name[HOSTNAME_MAX + 1];

    if (!read_server(name, server))
        return false;
    for (size_t i = 0; i < rollover->without_count; i++)
        if (strcmp(rollover->without[i], name) == 0)
            return true;
    if (rollover->without_count == ROLLOVER_WITHOUT_MAX)
        return false;
    strcpy(rollover->without[rollover->without_count++], name);
    return true;
}

bool rollover_pass_over_address(struct rollover *rollover, const char *address)
{
    char text[IP_TEXT_MAX];
    struct ip ip;

    if (!ip_parse(&ip, address))
        return false;
    ip_text(&ip, text);
    for (size_t i = 0; i < rollover->unseen_count; i++)
        if (strcmp(rollover->unseen[i], text) == 0)
            return true;
    if (rollover->unseen_count == ROLLOVER_WITHOUT_MAX)
        return false;
    strcpy(rollover->unseen[rollover->unseen_count++], text);
    return true;
}

/* ---- stepping ---- */

/* What the sights of all hosts come to. */
struct together {
    bool known, complete, lost, resolved, unchanged, old_gone;
    bool all_next, back;                 /* live: everywhere the next; somewhere not */
    const struct rollover_sight *behind; /* the first where it is not everywhere */
    const struct rollover_sight *old;    /* the first where it is the present one */
};

/* Of two that are as urgent, the first is told. */
static void say(struct rollover_advice *advice, enum rollover_need need, const char *why,
                const char *host)
{
    if (advice->need >= need)
        return;
    advice->need = need;
    advice->why = why;
    advice->host = host;
}

static void say_of_host(struct rollover_advice *advice, const struct rollover_sight *sight)
{
    bool lacking = !sight->everywhere && !sight->somewhere;

    if (sight->broken != NULL)
        say(advice, ROLLOVER_BROKEN, sight->broken, sight->host);
    if (sight->impossible || lacking)
        say(advice, ROLLOVER_ACT, sight->lacks, sight->host);
    if (!sight->known || !sight->everywhere)
        say(advice, ROLLOVER_WAITS, sight->why, sight->host);
}

static struct together add_up(struct rollover *rollover, const struct rollover_sight *sights,
                              struct rollover_advice *advice)
{
    struct together all = {true, true, false, true, true, true, true, false, NULL, NULL};
    bool next_seen = rollover->installed;

    for (size_t i = 0; i < rollover->host_count; i++) {
        const struct rollover_sight *sight = &sights[i];

        if (sight->ttl > rollover->ttl)
            rollover->ttl = sight->ttl < ROLLOVER_TTL_MAX ? sight->ttl : ROLLOVER_TTL_MAX;
        all.known &= sight->known;
        all.complete &= sight->known && sight->everywhere;
        all.lost |= !sight->everywhere;
        all.resolved &= sight->resolver_has;
        all.unchanged &= sight->unchanged;
        all.old_gone &= sight->known && sight->old_gone;
        all.all_next &= sight->live == ROLLOVER_LIVE_NEXT || sight->idle;
        if (all.behind == NULL && sight->behind != NULL && !sight->idle)
            all.behind = sight;
        if (all.old == NULL && sight->live == ROLLOVER_LIVE_OLD)
            all.old = sight;
        next_seen |= sight->live == ROLLOVER_LIVE_NEXT;
        all.back |= !sight->idle &&
                    (sight->live == ROLLOVER_LIVE_OLD || sight->live == ROLLOVER_LIVE_OTHER);
        say_of_host(advice, sight);
    }
    all.all_next &= next_seen;
    /* caches may have what is not there any more, and did not fit both */
    rollover->differs |= !all.unchanged;
    all.unchanged &= !rollover->differs;
    return all;
}

static void step_published(struct rollover *rollover, const struct together *all, int64_t now,
                           struct rollover_advice *advice)
{
    int64_t ripe_at = rollover->published_at + wait_of(rollover);

    if (!all->known)
        return;
    if (!all->resolved && !all->unchanged)
        say(advice, ROLLOVER_WAITS, "the resolver does not have the records yet", NULL);
    else if (all->unchanged || now >= ripe_at)
        enter(rollover, ROLLOVER_RIPE, now);
    else
        say(advice, ROLLOVER_WAITS, "caches may still have the old records", NULL);
    advice->again_at = rollover->state == ROLLOVER_PUBLISHED && ripe_at > now ? ripe_at : 0;
}

static void step_ripe(struct rollover *rollover, const struct together *all, int64_t now,
                      struct rollover_advice *advice)
{
    const struct rollover_sight *behind = all->behind;

    if (all->all_next && all->known) {
        enter(rollover, ROLLOVER_DEPLOYED, now);
        rollover->released = true;
        return;
    }
    if (now > rollover->next.not_after)
        say(advice, ROLLOVER_ACT, "the next certificate has expired: stage another one", NULL);
    else if (all->known && (!rollover->installed || all->back))
        rollover->released = advice->install = true;
    say(advice, ROLLOVER_WAITS,
        behind != NULL ? behind->behind : "not every address shows the certificate yet",
        behind != NULL ? behind->host : NULL);
}

static void step_deployed(struct rollover *rollover, const struct together *all, int64_t now,
                          struct rollover_advice *advice)
{
    int64_t sure_at = rollover->since + wait_of(rollover);
    const struct rollover_sight *behind = now >= sure_at ? all->behind : NULL;

    if (all->back)
        enter(rollover, ROLLOVER_RIPE, now);
    else if (all->all_next && all->known && (all->old_gone || now >= sure_at))
        enter(rollover, ROLLOVER_CLEANED, now);
    if (rollover->state == ROLLOVER_CLEANED)
        return;
    if (all->back)
        say(advice, ROLLOVER_WAITS, "an address shows another certificate again", NULL);
    else if (behind != NULL) /* an address that nothing is seen of, and not time */
        say(advice, ROLLOVER_WAITS, behind->behind, behind->host);
    say(advice, ROLLOVER_WAITS, "the old records stay until every cache is sure", NULL);
    advice->again_at = rollover->state == ROLLOVER_DEPLOYED && sure_at > now ? sure_at : 0;
}

static void step_on(struct rollover *rollover, const struct together *all, int64_t now,
                    struct rollover_advice *advice)
{
    if (all->lost)
        enter(rollover, ROLLOVER_STAGED, now);
    if (rollover->state == ROLLOVER_STAGED && all->complete) {
        enter(rollover, ROLLOVER_PUBLISHED, now);
        rollover->published_at = now;
    }
    if (rollover->state == ROLLOVER_PUBLISHED)
        step_published(rollover, all, now, advice);
    if (rollover->state == ROLLOVER_RIPE)
        step_ripe(rollover, all, now, advice);
    if (rollover->state == ROLLOVER_DEPLOYED)
        step_deployed(rollover, all, now, advice);
}

bool rollover_is_over(const struct rollover *rollover)
{
    return rollover->state == ROLLOVER_CLEANED && rollover->current.shown.count == 0;
}

/* Records that match what is live anywhere are needed. While an address shows another certificate it
 * is not over: mail to it may be refused, and that is told until it is not. */
static void step_cleaned(struct rollover *rollover, const struct together *all,
                         struct rollover_advice *advice)
{
    if (advice->need != ROLLOVER_BROKEN)
        *advice = (struct rollover_advice){.need = ROLLOVER_DONE};
    advice->remove = all->all_next;
    if (all->old != NULL)
        say(advice, ROLLOVER_WAITS, "an address shows the certificate before again",
            all->old->host);
    if (all->known && all->old_gone && !all->back)
        rollover->current = (struct rollover_chain){.made = NULL};
}

/* A clock that is behind, as after a start until the time is fetched, does not tell for how long
 * the records have been there. */
static bool is_clock_behind(const struct rollover *rollover, int64_t now,
                            struct rollover_advice *advice)
{
    int64_t valid_at = rollover->next.not_before, at = rollover->stepped_at;

    at = at > valid_at ? at : valid_at;
    if (now >= at)
        return false;
    advice->again_at = at;
    if (advice->need >= ROLLOVER_ACT)
        return true;
    advice->need = at - now > ROLLOVER_PATIENCE ? ROLLOVER_ACT : ROLLOVER_WAITS;
    advice->host = NULL;
    advice->why = now < valid_at ? "the clock is behind: the next certificate is not valid yet"
                                 : "the clock is behind the last step: set it, or, if it is right "
                                   "now, stage the certificate again";
    return true;
}

/* Whether it is more than time that lets it wait. Where a state goes back again and again, as with a
 * server that has the records every other time, none of them lasts long. */
static bool is_stuck(const struct rollover *rollover, int64_t now)
{
    int64_t back = rollover->went_back_at;

    return now - rollover->since > ROLLOVER_PATIENCE ||
           (back != 0 && now - back > ROLLOVER_PATIENCE + 2 * wait_of(rollover));
}

/* Of a wait that is too long, somebody is told. */
static void mind_the_end(const struct rollover *rollover, int64_t now,
                         struct rollover_advice *advice)
{
    const struct rollover_chain *current = &rollover->current;
    int64_t soon = (current->not_after - current->not_before) / 8;

    if (soon > ROLLOVER_ENDS_SOON)
        soon = ROLLOVER_ENDS_SOON;
    if (rollover->state < ROLLOVER_DEPLOYED && current->shown.count > 0 &&
        now >= current->not_after - soon)
        advice->ends = now > current->not_after ? "the present certificate has expired"
                                                : "the present certificate expires soon";
    if (advice->need == ROLLOVER_WAITS &&
        (advice->ends != NULL || (advice->again_at == 0 && is_stuck(rollover, now))))
        advice->need = ROLLOVER_ACT;
}

void rollover_step(struct rollover *rollover, const struct rollover_sight *sights, int64_t now,
                   struct rollover_advice *advice)
{
    struct together all;

    *advice = (struct rollover_advice){.need = ROLLOVER_DONE};
    all = add_up(rollover, sights, advice);
    if (rollover->state != ROLLOVER_CLEANED) {
        if (is_clock_behind(rollover, now, advice)) {
            if (all.lost)
                enter(rollover, ROLLOVER_STAGED, rollover->stepped_at);
            return;
        }
        rollover->stepped_at = now;
        step_on(rollover, &all, now, advice);
    }
    if (rollover->state == ROLLOVER_CLEANED)
        step_cleaned(rollover, &all, advice);
    mind_the_end(rollover, now, advice);
}
