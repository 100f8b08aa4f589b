/*
 * manners: see manners.h. Units wait in their prefixes; a prefix that may go on is in `ready`, in
 * turn, and one that rests is in `resting`, by the time its rest ends. What is known of a prefix is
 * forgotten some time after its last unit: IDLE_MAX prefixes are remembered.
 */
#include "survey/manners.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"

#define IDLE_MAX 20000

/* One unit, from manners_offer to manners_ended. */
struct visit {
    UT_hash_handle hh; /* by address */
    struct list link;  /* in site.waiting */
    struct site *site;
    struct unit unit;
};

/* A prefix. */
struct site {
    UT_hash_handle hh; /* by prefix */
    struct ip_prefix prefix;
    struct list turn;          /* in manners.ready, or in manners.idle when it has no units */
    struct heap_link rest;     /* in manners.resting; at: monotonic ms */
    struct list waiting;       /* struct visit */
    unsigned count, connected; /* units that wait; that are connected to */
    unsigned refusals;         /* in a row */
    unsigned rests;            /* since it last answered */
    bool left;                 /* it refused after all rests */
};

struct manners {
    struct manners_options options;
    struct visit *visits; /* maps; owned */
    struct site *sites;
    struct list ready, left, idle;
    size_t idle_count, waiting, connected;
    struct heap resting;
    int64_t next_us; /* monotonic: when the next connection may begin */
};

struct manners *manners_new(const struct manners_options *options)
{
    struct manners *manners = calloc(1, sizeof *manners);

    if (manners == NULL)
        return NULL;
    manners->options = *options;
    list_init(&manners->ready);
    list_init(&manners->left);
    list_init(&manners->idle);
    heap_init(&manners->resting);
    return manners;
}

/* ---- prefixes ---- */

static void site_free(struct manners *manners, struct site *site)
{
    list_remove(&site->turn);
    heap_remove(&manners->resting, &site->rest);
    HASH_DEL(manners->sites, site);
    free(site);
}

void manners_free(struct manners *manners)
{
    struct visit *visit, *next_visit;
    struct site *site, *next_site;

    if (manners == NULL)
        return;
    HASH_ITER(hh, manners->visits, visit, next_visit)
    {
        HASH_DEL(manners->visits, visit);
        free(visit);
    }
    HASH_ITER(hh, manners->sites, site, next_site)
    {
        site_free(manners, site);
    }
    heap_fini(&manners->resting);
    free(manners);
}

static struct site *site_get(struct manners *manners, const struct ip *ip)
{
    const struct ip_prefix prefix = ip_site(ip);
    struct site *site;

    HASH_FIND(hh, manners->sites, &prefix, sizeof prefix, site);
    if (site != NULL)
        return site;
    site = calloc(1, sizeof *site);
    if (site == NULL)
        return NULL;
    site->prefix = prefix;
    list_init(&site->waiting);
    list_init(&site->turn);
    HASH_ADD_KEYPTR(hh, manners->sites, &site->prefix, sizeof site->prefix, site);
    if (MAP_ADDED(site)) {
        list_append(&manners->idle, &site->turn);
        manners->idle_count++;
        return site;
    }
    free(site);
    return NULL;
}

static bool is_idle(const struct site *site)
{
    return site->count + site->connected == 0;
}

/* Forgets the prefixes that have been idle longest. */
static void forget_idle(struct manners *manners)
{
    while (manners->idle_count > IDLE_MAX) {
        site_free(manners, LIST_ELEMENT(manners->idle.next, struct site, turn));
        manners->idle_count--;
    }
}

/* Puts a prefix where it belongs: after any change of it. */
static void site_place(struct manners *manners, struct site *site)
{
    bool may =
        site->count > 0 && site->connected < manners->options.prefix_max && site->rest.place == 0;

    if (is_idle(site))
        return;
    if (!may && !(site->left && site->count > 0))
        list_remove(&site->turn);
    else if (list_empty(&site->turn))
        list_append(site->left ? &manners->left : &manners->ready, &site->turn);
}

/* ---- units ---- */

static struct visit *visit_find(const struct manners *manners, const struct ip *ip)
{
    struct visit *visit;

    HASH_FIND(hh, manners->visits, ip, sizeof *ip, visit);
    return visit;
}

/* A new one, which waits; NULL without memory. */
static struct visit *visit_new(struct manners *manners, struct site *site, const struct unit *unit)
{
    struct visit *visit = calloc(1, sizeof *visit);

    if (visit == NULL)
        return NULL;
    visit->unit = *unit;
    visit->site = site;
    HASH_ADD_KEYPTR(hh, manners->visits, &visit->unit.ip, sizeof visit->unit.ip, visit);
    if (!MAP_ADDED(visit)) {
        free(visit);
        return NULL;
    }
    if (is_idle(site)) {
        list_remove(&site->turn);
        manners->idle_count--;
    }
    list_append(&site->waiting, &visit->link);
    site->count++;
    manners->waiting++;
    return visit;
}

/* It waits no more. */
static void visit_leaves_line(struct manners *manners, struct visit *visit)
{
    list_remove(&visit->link);
    visit->site->count--;
    manners->waiting--;
}

static void visit_free(struct manners *manners, struct visit *visit)
{
    struct site *site = visit->site;

    HASH_DEL(manners->visits, visit);
    free(visit);
    site_place(manners, site);
    if (is_idle(site)) {
        list_remove(&site->turn);
        list_append(&manners->idle, &site->turn);
        manners->idle_count++;
        forget_idle(manners);
    }
}

enum manners_offer manners_offer(struct manners *manners, const struct unit *unit)
{
    struct site *site;

    if (visit_find(manners, &unit->ip) != NULL)
        return MANNERS_KNOWN;
    if (manners->waiting >= MANNERS_WAITING_MAX)
        return MANNERS_FULL;
    site = site_get(manners, &unit->ip);
    if (site == NULL)
        return MANNERS_NO_MEMORY;
    if (site->left)
        return MANNERS_LEFT;
    if (site->count >= MANNERS_WAITING_PREFIX_MAX)
        return MANNERS_BUSY;
    if (visit_new(manners, site, unit) == NULL)
        return MANNERS_NO_MEMORY;
    site_place(manners, site);
    return MANNERS_TAKEN;
}

/* ---- turns ---- */

/* Ends the rests that are over. */
static void wake(struct manners *manners, int64_t now_ms)
{
    struct heap_link *first;

    while ((first = heap_first(&manners->resting)) != NULL && first->at <= now_ms) {
        heap_remove(&manners->resting, first);
        site_place(manners, HEAP_ELEMENT(first, struct site, rest));
    }
}

/* How long the rate asks to wait: ms, rounded up. */
static int64_t rate_wait(const struct manners *manners, int64_t now_ms)
{
    int64_t wait_us = manners->next_us - now_ms * 1000;

    return manners->options.rate == 0 || wait_us <= 0 ? 0 : (wait_us + 999) / 1000;
}

/* A connection begins: the next one has to wait for its time. What was not used is not saved up, but
 * for the millisecond that a timer may be late. */
static void rate_spend(struct manners *manners, int64_t now_ms)
{
    if (manners->options.rate == 0)
        return;
    if (manners->next_us < (now_ms - 1) * 1000)
        manners->next_us = (now_ms - 1) * 1000;
    manners->next_us += (1000000 + manners->options.rate - 1) / manners->options.rate;
}

const struct unit *manners_next(struct manners *manners, int64_t now_ms, int64_t *wait_ms)
{
    const struct heap_link *rest;
    struct visit *visit;
    struct site *site;

    wake(manners, now_ms);
    *wait_ms = INT64_MAX;
    if (manners->connected >= manners->options.connections_max)
        return NULL;
    if (list_empty(&manners->ready)) {
        rest = heap_first(&manners->resting);
        *wait_ms = rest == NULL ? INT64_MAX : rest->at - now_ms;
        return NULL;
    }
    *wait_ms = rate_wait(manners, now_ms);
    if (*wait_ms > 0)
        return NULL;
    rate_spend(manners, now_ms);
    site = LIST_ELEMENT(manners->ready.next, struct site, turn);
    visit = LIST_ELEMENT(site->waiting.next, struct visit, link);
    visit_leaves_line(manners, visit);
    site->connected++;
    manners->connected++;
    list_remove(&site->turn); /* behind the others */
    site_place(manners, site);
    return &visit->unit;
}

/* ---- what came ---- */

static void note_refusal(struct manners *manners, struct site *site, int64_t now_ms)
{
    int64_t rest_ms;

    if (++site->refusals < MANNERS_REFUSALS_MAX || site->rest.place != 0)
        return;
    if (site->rests == MANNERS_RESTS_MAX) {
        site->left = true;
        list_remove(&site->turn); /* from those that have a turn */
        return;
    }
    rest_ms = (int64_t)MANNERS_REST_MIN_MS << site->rests++;
    if (rest_ms > MANNERS_REST_MAX_MS)
        rest_ms = MANNERS_REST_MAX_MS;
    /* without memory it does not rest this time */
    heap_put(&manners->resting, &site->rest, now_ms + rest_ms);
}

void manners_ended(struct manners *manners, const struct unit *unit, struct manners_end end,
                   int64_t now_ms)
{
    struct visit *visit = visit_find(manners, &unit->ip);

    CHECK(visit != NULL && list_empty(&visit->link)); /* it was connected to */
    visit->site->connected--;
    manners->connected--;
    for (unsigned i = 1; i < end.connections; i++)
        rate_spend(manners, now_ms);
    if (end.answered)
        visit->site->refusals = visit->site->rests = 0;
    else if (end.refused)
        note_refusal(manners, visit->site, now_ms);
    visit_free(manners, visit);
}

bool manners_take_left(struct manners *manners, struct unit *out)
{
    struct visit *visit;
    struct site *site;

    if (list_empty(&manners->left))
        return false;
    site = LIST_ELEMENT(manners->left.next, struct site, turn);
    visit = LIST_ELEMENT(site->waiting.next, struct visit, link);
    *out = visit->unit;
    visit_leaves_line(manners, visit);
    visit_free(manners, visit);
    return true;
}

size_t manners_waiting(const struct manners *manners)
{
    return manners->waiting;
}
