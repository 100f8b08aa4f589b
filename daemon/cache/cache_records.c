/*
 * cache_records: entries, policies and probe results to records of the store, and back; see
 * cache.h. A record that is read is judged anew by today's options: what was stored is evidence,
 * not an answer.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "daemon/cache/cache_internal.h"
#include "policy/evidence/evidence_pack.h"

#define RECORD_ARENA_MAX (1024 * 1024)

/* `save`: write it to the store too. `wanted`: somebody is asking for it. */
struct loading {
    bool save, wanted;
};

/* ---- to the store ---- */

/* Nothing is lost when it is forgotten. */
static bool worthless(const struct cache_entry *entry)
{
    return cache_entry_is_negative(entry) && entry->verdict.observed == VERDICT_NO_OPINION &&
           !entry->verdict.dane_possible && !entry->verdict.secure;
}

static const char *answer_text(struct arena *arena, struct answer answer)
{
    static const char *const words[] = {
        [ANSWER_OK] = "OK ", [ANSWER_NOTFOUND] = "NOTFOUND ", [ANSWER_TEMP] = "TEMP "};

    return arena_printf(arena, "%s%.*s", words[answer.status], (int)answer.length, answer.text);
}

void cache_store_entry(struct cache *cache, const struct cache_entry *entry)
{
    const struct remembered remembered = cache_entry_remembered(entry);
    const struct hold *hold = holds_find(cache->holds, entry->key);
    struct arena *arena;
    struct record record = {
        .kind = RECORD_ANSWER,
        .answer =
            {
                .key = entry->key,
                .level = entry->verdict.level,
                .reason = entry->verdict.reason,
                .decided_at = entry->made_at,
                .valid_until = entry->verdict.valid_until,
                .used_at = entry->used_at,
                .remembered = remembered,
                .dane_until = remembered_dane_until(&remembered, entry->made_at),
                .reminded_at = hold == NULL ? 0 : hold->reminded_at,
                .evidence = cache_entry_packed(entry),
                .evidence_length = entry->evidence_length,
            },
    };

    if (cache->store == NULL || entry->evidence_length == 0)
        return;
    if (worthless(entry)) {
        store_remove(cache->store, RECORD_ANSWER, entry->key);
        return;
    }
    arena = arena_new(2 * RENDER_SOCKETMAP_MAX);
    record.answer.answer =
        arena == NULL ? NULL : answer_text(arena, cache_entry_answer(entry, FORM_PLAIN));
    if (record.answer.answer != NULL) {
        record_to_wall(&record, cache_moment());
        store_put(cache->store, &record);
    }
    arena_free(arena);
}

void cache_store_policy(struct cache *cache, const char *domain)
{
    struct record record = {.kind = RECORD_POLICY};

    if (!sts_cache_get(sts_cache_of(cache->tools.sts), domain, &record.policy)) {
        store_remove(cache->store, RECORD_POLICY, domain);
        return;
    }
    /* never fetched by this process: the store may hold a policy that was */
    if (record.policy.body == NULL && record.policy.fetched_at == 0)
        return;
    record_to_wall(&record, cache_moment());
    store_put(cache->store, &record);
}

void cache_store_probe(struct cache *cache, const struct probe_saved *saved)
{
    struct record record = {.kind = RECORD_PROBE, .probe = *saved};

    record_to_wall(&record, cache_moment());
    store_put(cache->store, &record);
}

/* ---- from a record ---- */

static void bound_downgrade(struct downgrade *downgrade, const struct verdict_options *options)
{
    int64_t most =
        options->hold_ms > options->hold_expired_ms ? options->hold_ms : options->hold_expired_ms;

    if (downgrade->since != 0 && downgrade->until > downgrade->since + most)
        downgrade->until = downgrade->since + most;
}

/* Nothing that is read counts for longer than if it had been learnt here now. */
static void bound_remembered(struct remembered *remembered, const struct verdict_options *options,
                             int64_t now)
{
    if (remembered->dane_only_until > now + options->ttl_max_ms)
        remembered->dane_only_until = now + options->ttl_max_ms;
    bound_downgrade(&remembered->verify, options);
    bound_downgrade(&remembered->encrypt, options);
}

/* The entry that an answer's evidence gives today; NULL when it gives none, or no memory. */
static struct cache_entry *entry_of(const struct cache *cache, const struct answer_record *answer)
{
    int64_t now = clock_monotonic_ms();
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    struct cache_entry *entry = NULL;
    const struct evidence *evidence = NULL;
    struct verdict verdict;
    struct key key;
    uint64_t refused;

    key_parse(&key, answer->key, strlen(answer->key), cache->config->prober.smtp_port);
    if (arena != NULL && strcmp(key.text, answer->key) == 0)
        evidence =
            evidence_unpack(arena, answer->evidence, answer->evidence_length, answer->clock_shift);
    if (evidence != NULL && strcmp(evidence->domain, key.name) == 0 && evidence->complete) {
        verdict_decide(&verdict, evidence, &answer->remembered, &cache->config->verdict, now);
        refused = verdict.remembered.refused; /* not stored: the evidence shows it */
        verdict.remembered = answer->remembered;
        bound_remembered(&verdict.remembered, &cache->config->verdict, now);
        verdict.remembered.refused = refused;
        if (verdict.valid_until > answer->valid_until) {
            verdict.valid_until = answer->valid_until;
            verdict.refresh_at = now + (answer->valid_until - now) / 8 * 7;
        }
        entry = cache_entry_new(&key, &verdict, evidence, answer->decided_at);
    }
    arena_free(arena);
    if (entry == NULL)
        return NULL;
    entry->used_at = answer->used_at;
    if (cache_is_judged_before(cache, entry))
        cache_entry_lapse(entry, now, false);
    return entry;
}

/* What was found out while the store could not be asked, now with what the store knows. */
static enum loaded catch_up(struct cache *cache, const struct cache_entry *known,
                            const struct answer_record *answer)
{
    const struct remembered before = cache_entry_remembered(known);
    const struct remembered joined = remembered_join(&answer->remembered, &before);
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    const struct evidence *evidence = arena == NULL ? NULL : cache_entry_evidence(known, arena);
    struct cache_entry *entry = NULL;
    struct verdict verdict;
    struct key key;

    key_parse(&key, known->key, known->key_length, cache->config->prober.smtp_port);
    if (evidence != NULL) {
        verdict_decide(&verdict, evidence, &joined, &cache->config->verdict, known->made_at);
        entry = cache_entry_new(&key, &verdict, evidence, known->made_at);
    }
    arena_free(arena);
    if (entry == NULL)
        return LOADED_REFUSED;
    cache_save(cache, entry, (struct cache_saving){.by_refresh = true});
    return LOADED_NEW;
}

static enum loaded load_answer(struct cache *cache, const struct answer_record *answer,
                               struct loading how)
{
    const struct cache_entry *known = cache_map_get(cache->map, answer->key, strlen(answer->key));
    struct cache_entry *entry;

    if (known != NULL && known->state == ENTRY_STORE_PENDING)
        return catch_up(cache, known, answer);
    if (known != NULL && known->made_at >= answer->decided_at - LOADED_SAME_MS)
        return LOADED_KNOWN;
    entry = entry_of(cache, answer);
    if (entry == NULL)
        return LOADED_REFUSED;
    cache_list_hold(cache, entry, answer->reminded_at);
    if (how.save) /* before the cache takes it: it may have no room */
        cache_store_entry(cache, entry);
    cache_put(cache, entry, how.wanted);
    return LOADED_NEW;
}

static const enum loaded from_saved[] = {
    [LOADED_REFUSED] = LOADED_REFUSED, [LOADED_KNOWN] = LOADED_KNOWN, [LOADED_NEW] = LOADED_NEW};

static enum loaded load_policy(struct cache *cache, const struct sts_saved *policy, bool save)
{
    enum loaded saved = LOADED_KNOWN;

    if (cache->tools.sts != NULL)
        saved = sts_cache_load(sts_cache_of(cache->tools.sts), policy, clock_monotonic_ms());
    if (saved == LOADED_NEW && save && cache->store != NULL)
        cache_store_policy(cache, policy->domain);
    return from_saved[saved];
}

static enum loaded load_probe(struct cache *cache, const struct probe_saved *probe, bool save)
{
    enum loaded saved =
        cache->tools.probes == NULL ? LOADED_KNOWN : probe_cache_load(cache->tools.probes, probe);

    if (saved == LOADED_NEW && save && cache->store != NULL)
        cache_store_probe(cache, probe);
    return from_saved[saved];
}

/* A key that is known here has its own history; in an export, history comes before answers. */
static enum loaded load_event(struct cache *cache, struct record *record, bool save)
{
    const char *key = record->event.key;

    if (!save || cache->store == NULL || cache_map_get(cache->map, key, strlen(key)) != NULL)
        return LOADED_KNOWN;
    record_to_wall(record, cache_moment());
    store_put(cache->store, record);
    return LOADED_NEW;
}

static enum loaded load(struct cache *cache, struct record *record, struct record_moment moment,
                        struct loading how)
{
    enum loaded loaded = LOADED_REFUSED;

    record_to_daemon(record, moment);
    switch (record->kind) {
    case RECORD_ANSWER:
        remembered_set_dane_until(&record->answer.remembered, record->answer.dane_until);
        loaded = load_answer(cache, &record->answer, how);
        break;
    case RECORD_POLICY:
        loaded = load_policy(cache, &record->policy, how.save);
        break;
    case RECORD_PROBE:
        loaded = load_probe(cache, &record->probe, how.save);
        break;
    case RECORD_EVENT:
        loaded = load_event(cache, record, how.save);
        break;
    default:
        break;
    }
    cache->stats.restored += loaded == LOADED_NEW;
    return loaded;
}

enum loaded cache_load_record(struct cache *cache, struct record *record,
                              struct record_moment moment, bool save)
{
    return load(cache, record, moment, (struct loading){.save = save});
}

/* ---- what the store knows of a key ---- */

struct cache_loading {
    struct cache *cache;
    struct key key;
    struct store_read *read;
    cache_loaded done;
    void *context;
};

/* A record of the store, copied because loading changes it. */
static void take_in(struct cache *cache, const struct record *found, struct record_moment moment)
{
    struct record record;

    if (found == NULL)
        return;
    record = *found;
    load(cache, &record, moment, (struct loading){.wanted = true});
}

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
        cache_map_mark(cache->map, known);
    }
}

static void on_found(void *context, const struct store_found *found)
{
    struct cache_loading *loading = context;
    struct cache *cache = loading->cache;
    cache_loaded done = loading->done;
    void *done_context = loading->context;
    struct record_moment moment =
        record_moment_of(clock_monotonic_ms(), clock_wall_ms(), found->last_written);

    take_in(cache, found->policy, moment);
    take_in(cache, found->answer, moment);
    settle(cache, &loading->key, !found->unsure);
    free(loading);
    done(done_context, !found->unsure);
}

int cache_load(struct cache_loading **out, struct cache *cache, const struct key *key,
               cache_loaded done, void *context)
{
    struct cache_loading *loading;
    int error;

    if (cache->store == NULL)
        return UV_ENOENT;
    loading = calloc(1, sizeof *loading);
    if (loading == NULL)
        return UV_ENOMEM;
    *loading = (struct cache_loading){cache, *key, NULL, done, context};
    error = store_find(&loading->read, cache->store, key->text, key->name, on_found, loading);
    if (error != 0) {
        free(loading);
        return error;
    }
    *out = loading;
    return 0;
}

void cache_load_cancel(struct cache_loading *loading)
{
    store_read_cancel(loading->read);
    free(loading);
}
