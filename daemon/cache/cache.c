/*
 * cache: see cache.h. Its life, and what it is asked. cache_save.c is what happens when
 * a lookup has ended, cache_records.c the way to and from the store.
 *
 * Without memory for a record or a hold, what was found out still counts until it is evicted or the
 * daemon ends; nothing here fails an answer.
 */
#include "daemon/cache/cache.h"

#include <stdlib.h>
#include <string.h>

/* Uses noted, or entries written again, in one turn of the loop. */
#define NOTES_SHARE 200
/* Buckets of policies and of probe results in one turn, some ten each, and the pause between. */
#define REFILL_SHARE 20
#define REFILL_MS    5
/* Rows the store keeps for every entry the cache can hold. */
#define STORE_ANSWERS_FACTOR 2
/* Records that wait for a store that cannot be written. */
#define STORE_PENDING_MAX 100000
/* What has ended is deleted so long afterwards. */
#define STORE_KEEP_MS (INT64_C(7) * 86400 * 1000)

/* ---- what is on its way to the store ---- */

static void on_notes(uv_timer_t *timer);

static void on_asked(void *context, bool sure)
{
    struct cache *cache = context;

    cache->asking = NULL;
    uv_timer_start(&cache->notes, on_notes, sure ? 1 : (uint64_t)cache->config->store_flush_ms, 0);
}

/* False when the store takes no question now: later, then. */
static bool note(struct cache *cache, struct cache_entry *entry, struct record_moment moment)
{
    struct key key;

    switch (entry->state) {
    case ENTRY_STORE_PENDING: /* what the store knows comes first: then cache_load writes it */
        key_parse(&key, entry->key, entry->key_length, cache->config->prober.smtp_port);
        if (cache_load(&cache->asking, cache, &key, CACHE_ASKS_ALL, on_asked, cache) == 0)
            break;
        cache_map_mark(cache->map, entry, true);
        return false;
    case ENTRY_UNSAVED:
        cache_store_entry(cache, entry);
        cache_entry_set_state(entry, ENTRY_SAVED);
        break;
    case ENTRY_SAVED:
        if (!cache_entry_is_negative(entry))
            store_touch(cache->store, entry->key,
                        entry->used_at - moment.monotonic_ms + moment.wall_ms);
    }
    return true;
}

/* Some policies and probe results, as far as the store keeps up. */
static void refill(struct cache *cache)
{
    struct store_stats stats;
    bool policies = cache->tools.sts == NULL, probes = cache->tools.probes == NULL;

    store_get_stats(cache->store, &stats);
    if (stats.pending > STORE_PENDING_MAX / 8)
        return;
    for (int share = REFILL_SHARE; share > 0 && !(policies && probes); share--) {
        policies = policies || sts_cache_walk(sts_cache_of(cache->tools.sts), &cache->policies);
        probes = probes || probe_cache_walk(cache->tools.probes, &cache->probes);
    }
    cache->refilling = !(policies && probes);
}

static void on_notes(uv_timer_t *timer)
{
    struct cache *cache = timer->data;
    struct record_moment moment = cache_moment(0);
    struct cache_entry *entry = NULL;

    if (cache->asking != NULL)
        return; /* on_asked goes on */
    if (cache->refilling)
        refill(cache);
    for (int share = NOTES_SHARE; share > 0; share--) {
        entry = cache_map_next_marked(cache->map);
        if (entry != NULL && !note(cache, entry, moment))
            entry = NULL;
        if (entry == NULL)
            break;
        if (cache->asking != NULL)
            return;
    }
    uv_timer_start(timer, on_notes,
                   entry != NULL      ? 1
                   : cache->refilling ? REFILL_MS
                                      : (uint64_t)cache->config->store_flush_ms,
                   0);
}

/* ---- sweeps ---- */

static bool sweep_step(struct share_task *task)
{
    struct cache_sweep *sweep = LIST_ELEMENT(task, struct cache_sweep, task);

    return !cache_map_some(sweep->cache->map, &sweep->walk, sweep->take, sweep->cache);
}

static void sweep_init(struct cache_sweep *sweep, struct cache *cache, cache_map_take take)
{
    share_task_init(&sweep->task, sweep_step);
    sweep->cache = cache;
    sweep->take = take;
}

static void sweep_begin(struct cache_sweep *sweep)
{
    sweep->walk = (struct map_walk){0};
    shares_add(sweep->cache->shares, &sweep->task);
}

static void make_unsaved(void *context, struct cache_entry *entry)
{
    struct cache *cache = context;

    if (entry->state == ENTRY_SAVED)
        cache_entry_set_state(entry, ENTRY_UNSAVED);
    cache_map_mark(cache->map, entry, true);
}

/* The store lost what it had: all that is known goes there again, a share at a time. */
static void on_begun(void *context)
{
    struct cache *cache = context;

    sweep_begin(&cache->unsaved);
    cache->refilling = true;
    cache->policies = cache->probes = (struct map_walk){0};
    uv_timer_start(&cache->notes, on_notes, REFILL_MS, 0);
}

void cache_judge(const struct cache *cache, struct cache_entry *entry, int64_t now)
{
    const struct probe_cache *probes = cache->tools.probes;
    enum verdict_level level = entry->verdict.level;

    if (probes != NULL && (level == VERDICT_VERIFY || level == VERDICT_ENCRYPT) &&
        entry->made_at < probe_cache_judged_after(probes))
        cache_entry_lapse(entry, now, false);
}

static void judge(void *context, struct cache_entry *entry)
{
    struct cache *cache = context;

    cache_judge(cache, entry, cache->judged_at);
}

void cache_judge_again(struct cache *cache, int64_t now)
{
    cache->judged_at = now;
    sweep_begin(&cache->judging);
}

/* ---- life ---- */

static int open_store(struct cache *cache)
{
    const struct config *config = cache->config;
    const struct store_options options = {
        .path = config->store_path,
        .flush_ms = config->store_flush_ms,
        .pending_max = STORE_PENDING_MAX,
        .keep_ms = STORE_KEEP_MS,
        .answers_max = config->cache_entries * STORE_ANSWERS_FACTOR,
        .policies_max = config->prober.sts.entries_max,
        .probes_max = config->prober.probes.entries_max,
    };
    int error;

    if (config->store_path == NULL)
        return 0;
    error = store_new(&cache->store, cache->loop, &options, on_begun, cache);
    if (error != 0)
        return error;
    uv_timer_start(&cache->notes, on_notes, (uint64_t)config->store_flush_ms, 0);
    return 0;
}

static void watch(struct cache *cache)
{
    if (cache->tools.sts != NULL)
        sts_cache_watch(sts_cache_of(cache->tools.sts), cache_store_policy, cache);
    if (cache->tools.probes != NULL)
        probe_cache_watch(cache->tools.probes, cache_store_probe, cache);
}

int cache_new(struct cache **out, uv_loop_t *loop, const struct config *config,
              const struct domain_tools *tools, const struct ruleset *ruleset)
{
    struct cache *cache = calloc(1, sizeof *cache);
    int error = UV_ENOMEM;

    if (cache == NULL)
        return UV_ENOMEM;
    cache->loop = loop;
    cache->config = config;
    cache->tools = *tools;
    cache->ruleset = ruleset;
    cache->shares = shares_new(loop);
    if (cache->shares == NULL) {
        free(cache);
        return UV_ENOMEM;
    }
    sweep_init(&cache->unsaved, cache, make_unsaved);
    sweep_init(&cache->judging, cache, judge);
    uv_timer_init(loop, &cache->notes);
    uv_timer_init(loop, &cache->hold_over);
    cache->notes.data = cache->hold_over.data = cache;
    cache->map = cache_map_new(config->cache_entries, config->cache_octets);
    heap_init(&cache->hold_ends);
    if (cache->map != NULL)
        error = open_store(cache);
    if (error == 0)
        error = cache_open_share(cache);
    if (error == 0 && (cache->store != NULL || cache->share != NULL))
        watch(cache);
    cache_open_peers(cache);
    *out = cache;
    return error;
}

void cache_close(struct cache *cache)
{
    struct record_moment moment = cache_moment(0);
    struct cache_entry *entry;

    if (cache->asking != NULL)
        cache_load_cancel(cache->asking);
    cache->asking = NULL;
    if (cache->store != NULL) {
        /* what was to be noted in a moment, but for what the store was not asked about */
        while ((entry = cache_map_next_marked(cache->map)) != NULL)
            if (entry->state != ENTRY_STORE_PENDING)
                note(cache, entry, moment);
        store_close(cache->store);
    }
    cache->store = NULL;
    cache_close_peers(cache);
    cache_close_share(cache);
    shares_remove(&cache->unsaved.task);
    shares_remove(&cache->judging.task);
    shares_close(cache->shares);
    uv_close((uv_handle_t *)&cache->notes, NULL);
    uv_close((uv_handle_t *)&cache->hold_over, NULL);
}

void cache_free(struct cache *cache)
{
    cache_map_free(cache->map);
    cache_free_holds(cache);
    cache_free_share(cache);
    free(cache);
}

void cache_get_stats(const struct cache *cache, struct cache_stats *out)
{
    struct cache_map_stats map;

    cache_map_get_stats(cache->map, &map);
    *out = cache->stats;
    out->held = HASH_COUNT(cache->holds);
    out->noting = cache->refilling || cache->asking != NULL || map.marked > 0 ||
                  !list_empty(&cache->unsaved.task.link);
}

/* ---- what is asked of it ---- */

const struct cache_entry *cache_peek(const struct cache *cache, const struct key *key)
{
    return cache_map_get(cache->map, key->text, key->text_length);
}

bool cache_forget(struct cache *cache, const struct key *key)
{
    cache_forget_hold(cache, key->text);
    if (cache->store != NULL)
        store_remove(cache->store, RECORD_ANSWER, key->text);
    return cache_map_remove(cache->map, key->text, key->text_length);
}

struct lapsing {
    int64_t now;
    size_t count;
};

static void lapse(void *context, struct cache_entry *entry)
{
    struct lapsing *lapsing = context;

    lapsing->count += entry->verdict.valid_until > lapsing->now;
    cache_entry_lapse(entry, lapsing->now, true);
}

size_t cache_lapse(struct cache *cache, int64_t now)
{
    struct lapsing lapsing = {now, 0};
    struct map_walk walk = {0};

    while (!cache_map_some(cache->map, &walk, lapse, &lapsing))
        ;
    if (cache->store != NULL)
        store_lapse_answers(cache->store);
    return lapsing.count;
}

struct cache_entry *cache_decide_again(const struct cache *cache, const struct cache_entry *known,
                                       const struct remembered *remembered, int64_t at)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    const struct evidence *packed = arena == NULL ? NULL : cache_entry_evidence(known, arena);
    struct cache_entry *entry = NULL;
    struct evidence evidence;
    struct verdict verdict;
    struct key key;

    if (packed != NULL) {
        key_parse(&key, known->key, known->key_length, cache->config->prober.smtp_port);
        ruleset_evidence(&evidence, cache->ruleset, &key, packed);
        verdict_decide(&verdict, &evidence, remembered, &cache->config->verdict, at);
        entry = cache_entry_new(&key, &verdict, &evidence, at);
    }
    arena_free(arena);
    return entry;
}

struct cache_entry *cache_decide_listed(const struct cache *cache, const struct cache_entry *known,
                                        const struct key *key)
{
    struct list_evidence list;
    struct remembered remembered;
    struct cache_entry *entry;

    ruleset_list(&list, cache->ruleset, key);
    if (!known->complete || (known->verdict.listed == LIST_NONE && list.mode == LIST_NONE))
        return NULL;
    remembered = cache_entry_remembered(known);
    entry = cache_decide_again(cache, known, &remembered, known->made_at);
    if (entry == NULL)
        return NULL;
    entry->used_at = known->used_at;
    /* loaded from a record it may have been valid for less */
    if (known->verdict.listed == LIST_NONE &&
        entry->verdict.valid_until > known->verdict.valid_until)
        entry->verdict.valid_until = known->verdict.valid_until;
    /* the answer of a list did not end with the trust anchors, and what is left without it does */
    cache_judge(cache, entry, clock_monotonic_ms());
    return entry;
}

/* The entry of a key without what probing proved. `told`: by another relay. */
static bool release(struct cache *cache, const struct cache_entry *known, int64_t now, bool told)
{
    struct remembered remembered = cache_entry_remembered(known);
    struct cache_entry *released;

    remembered_release(&remembered);
    released = cache_decide_again(cache, known, &remembered, now);
    if (released != NULL)
        cache_save(cache, released,
                   (struct cache_saving){.now = now, .released = true, .from_share = told});
    return released != NULL;
}

bool cache_release(struct cache *cache, const struct key *key, int64_t now)
{
    const struct cache_entry *known = cache_peek(cache, key);
    struct remembered remembered;

    if (known == NULL)
        return false;
    remembered = cache_entry_remembered(known);
    return remembered_held_since(&remembered) != 0 && release(cache, known, now, false);
}

bool cache_release_told(struct cache *cache, const struct key *key, int64_t at, int64_t now)
{
    struct cache_entry *known = cache_map_get(cache->map, key->text, key->text_length);
    struct remembered remembered;
    int64_t since;

    if (known == NULL)
        return false;
    remembered = cache_entry_remembered(known);
    since = remembered_held_since(&remembered);
    if (remembered.observed == VERDICT_NO_OPINION || (since == 0 ? known->made_at : since) > at)
        return false;
    if (since != 0)
        return release(cache, known, now, true);
    /* decided again, its evidence would prove the level once more */
    cache_entry_disprove(known, now);
    cache_store_entry(cache, known);
    return true;
}
