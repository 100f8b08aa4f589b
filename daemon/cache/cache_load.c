/*
 * cache_load: asks the store what it knows of a key, and then the share; see cache.h. The store comes
 * first, so that what another relay says is joined with all that this one knows.
 */
#include <stdlib.h>

#include "daemon/cache/cache.h"

struct cache_loading {
    struct cache *cache;
    struct key key;
    struct store_read *read; /* of the store, then of the share */
    bool sure;
    cache_loaded done;
    void *context;
};

/* An entry that was made without the store: now that it was asked, it may be written. */
static void settle(struct cache *cache, const struct key *key, bool sure)
{
    struct cache_entry *known = cache_map_get(cache->map, key->text, key->text_length);

    if (known == NULL || known->state != ENTRY_STORE_PENDING)
        return;
    if (sure) {
        cache_entry_set_state(known, ENTRY_SAVED);
        cache_store_entry(cache, known);
    } else {
        cache_map_mark(cache->map, known, true);
    }
}

static void load_found(struct cache *cache, const struct store_found *found,
                       enum cache_source source)
{
    const struct record *records[] = {found->policy, found->answer};
    struct record_moment moment = cache_moment(found->last_written);

    for (int i = 0; i < 2; i++)
        if (records[i] != NULL) {
            struct record copy = *records[i]; /* loading changes it */

            cache_load_record(cache, &copy, moment, source);
        }
}

static void end(struct cache_loading *loading)
{
    struct cache_loading own = *loading;

    free(loading);
    own.done(own.context, own.sure);
}

static void on_shared(void *context, const struct store_found *found)
{
    struct cache_loading *loading = context;

    load_found(loading->cache, found, CACHE_FROM_SHARE);
    end(loading);
}

static int ask_share(struct cache_loading *loading)
{
    const struct key *key = &loading->key;

    return store_find(&loading->read, share_store(loading->cache->share), key->text, key->name,
                      on_shared, loading);
}

static void on_found(void *context, const struct store_found *found)
{
    struct cache_loading *loading = context;

    load_found(loading->cache, found, CACHE_FOR_ASKER);
    loading->sure = !found->unsure;
    settle(loading->cache, &loading->key, loading->sure);
    if (!cache_shares(loading->cache) || ask_share(loading) != 0)
        end(loading);
}

int cache_load(struct cache_loading **out, struct cache *cache, const struct key *key,
               enum cache_asks asks, cache_loaded done, void *context)
{
    bool ask_store = cache->store != NULL && asks == CACHE_ASKS_ALL;
    struct cache_loading *loading;
    int error;

    if (!ask_store && !cache_shares(cache))
        return UV_ENOENT;
    loading = calloc(1, sizeof *loading);
    if (loading == NULL)
        return UV_ENOMEM;
    *loading = (struct cache_loading){cache, *key, NULL, true, done, context};
    error = ask_store
                ? store_find(&loading->read, cache->store, key->text, key->name, on_found, loading)
                : ask_share(loading);
    if (error != 0) {
        free(loading);
        return !ask_store && error == UV_ENOTCONN ? UV_ENOENT : error;
    }
    *out = loading;
    return 0;
}

void cache_load_cancel(struct cache_loading *loading)
{
    store_read_cancel(loading->read);
    free(loading);
}
