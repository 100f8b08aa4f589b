/*
 * cache_records: converts entries, policies and probe results to records of the store and back; see
 * cache.h. A record that is read is judged again with the present options: the store holds
 * evidence, not answers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/cache/cache.h"
#include "policy/evidence/evidence_pack.h"

struct record_moment cache_moment(int64_t last_written)
{
    return record_moment_of(clock_monotonic_ms(), clock_wall_ms(), last_written);
}

/* ---- to the store ---- */

/* Where a record goes. */
enum keeping { KEEP_HERE, KEEP_IN_SHARE, KEEP_BOTH };

static bool keeps(const struct cache *cache, enum keeping where)
{
    return (cache->store != NULL && where != KEEP_IN_SHARE) ||
           (cache->share != NULL && where != KEEP_HERE);
}

static void put_record(struct cache *cache, struct record *record, enum keeping where)
{
    record_to_wall(record, cache_moment(0));
    if (cache->store != NULL && where != KEEP_IN_SHARE)
        store_put(cache->store, record);
    if (cache->share != NULL && where != KEEP_HERE)
        store_put(share_store(cache->share), record);
}

/* Nothing is lost when it is forgotten. */
static bool worthless(const struct cache_entry *entry)
{
    return cache_entry_is_negative(entry) && entry->verdict.observed == VERDICT_NO_OPINION &&
           !entry->verdict.dane_possible && !entry->verdict.secure;
}

static void put_entry(struct cache *cache, const struct cache_entry *entry, enum keeping where)
{
    const struct remembered remembered = cache_entry_remembered(entry);
    const struct hold *hold = cache_find_hold(cache, entry->key);
    const struct answer answer = cache_entry_answer(entry, FORM_PLAIN);
    struct arena *arena = arena_new(2 * RENDER_SOCKETMAP_MAX);
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

    record.answer.answer = arena == NULL
                               ? NULL
                               : arena_printf(arena, "%s %.*s", answer_status_name(answer.status),
                                              (int)answer.length, answer.text);
    if (record.answer.answer != NULL)
        put_record(cache, &record, where);
    arena_free(arena);
}

static bool is_for_others(const struct cache *cache, const struct cache_entry *entry)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    const struct evidence *evidence = arena == NULL ? NULL : cache_entry_evidence(entry, arena);
    bool sound = evidence != NULL && cache_is_sound(cache, evidence);

    arena_free(arena);
    return sound;
}

/* The store keeps nothing that is worthless; for another relay even that is worth a lookup, if it is
 * sound. */
static void keep_entry(struct cache *cache, const struct cache_entry *entry, enum keeping where)
{
    if (entry->evidence_length == 0)
        return;
    if (cache->share != NULL && where != KEEP_HERE && !is_for_others(cache, entry)) {
        if (where == KEEP_IN_SHARE)
            return;
        where = KEEP_HERE;
    }
    if (cache->store != NULL && where != KEEP_IN_SHARE && worthless(entry)) {
        store_remove(cache->store, RECORD_ANSWER, entry->key);
        where = where == KEEP_BOTH ? KEEP_IN_SHARE : KEEP_HERE;
        if (where == KEEP_HERE)
            return;
    }
    if (keeps(cache, where))
        put_entry(cache, entry, where);
}

void cache_store_entry(struct cache *cache, const struct cache_entry *entry)
{
    keep_entry(cache, entry, KEEP_BOTH);
}

void cache_share_entry(struct cache *cache, const struct cache_entry *entry)
{
    keep_entry(cache, entry, KEEP_IN_SHARE);
}

static void keep_policy(struct cache *cache, const char *domain, enum keeping where)
{
    struct record record = {.kind = RECORD_POLICY};

    if (!keeps(cache, where))
        return;
    if (!sts_cache_get(sts_cache_of(cache->tools.sts), domain, &record.policy)) {
        if (cache->store != NULL)
            store_remove(cache->store, RECORD_POLICY, domain);
    } else if (record.policy.body != NULL || record.policy.fetched_at != 0) {
        put_record(cache, &record, where);
    } /* else never fetched by this process: the store may hold a policy that was */
}

void cache_store_policy(void *context, const char *domain)
{
    keep_policy(context, domain, KEEP_BOTH);
}

static void keep_probe(struct cache *cache, const struct probe_saved *saved, enum keeping where)
{
    struct record record = {.kind = RECORD_PROBE, .probe = *saved};
    enum starttls state = saved->result.state;

    /* that a host did not answer here says nothing of what it does elsewhere */
    if (where == KEEP_BOTH && state != STARTTLS_CLEAR && state < STARTTLS_TLS)
        where = KEEP_HERE;
    if (keeps(cache, where))
        put_record(cache, &record, where);
}

void cache_store_probe(void *context, const struct probe_saved *saved)
{
    keep_probe(context, saved, KEEP_BOTH);
}

/* ---- from a record ---- */

static void bound_downgrade(struct downgrade *downgrade, const struct verdict_options *options)
{
    int64_t most =
        options->hold_ms > options->hold_expired_ms ? options->hold_ms : options->hold_expired_ms;

    if (downgrade->since != 0 && downgrade->until > downgrade->since + most)
        downgrade->until = downgrade->since + most;
}

/* The verdict that stored evidence gives today. Nothing that is read counts for longer than if it
 * had been learnt here now. */
static void decide_stored(struct verdict *out, const struct evidence *evidence,
                          const struct answer_record *answer, const struct verdict_options *options,
                          int64_t now)
{
    uint64_t refused;

    verdict_decide(out, evidence, &answer->remembered, options, now);
    refused = out->remembered.refused; /* not stored: the evidence shows it */
    out->remembered = answer->remembered;
    out->remembered.refused = refused;
    if (out->remembered.dane_only_until > now + options->ttl_max_ms)
        out->remembered.dane_only_until = now + options->ttl_max_ms;
    bound_downgrade(&out->remembered.verify, options);
    bound_downgrade(&out->remembered.encrypt, options);
    if (out->valid_until > answer->valid_until) {
        out->valid_until = answer->valid_until;
        out->refresh_at = now + (answer->valid_until - now) / 8 * 7;
    }
}

/* The entry that an answer's evidence gives today; NULL when it gives none, or no memory. */
static struct cache_entry *entry_of(const struct cache *cache, const struct answer_record *answer,
                                    int64_t now)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    struct cache_entry *entry = NULL;
    const struct evidence *evidence = NULL;
    struct evidence listed;
    struct verdict verdict;
    struct key key;

    key_parse(&key, answer->key, strlen(answer->key), cache->config->prober.smtp_port);
    if (arena != NULL && strcmp(key.text, answer->key) == 0)
        evidence =
            evidence_unpack(arena, answer->evidence, answer->evidence_length, answer->clock_shift);
    if (evidence != NULL && strcmp(evidence->domain, key.name) == 0 && evidence->complete) {
        ruleset_evidence(&listed, cache->ruleset, &key, evidence);
        decide_stored(&verdict, &listed, answer, &cache->config->verdict, now);
        entry = cache_entry_new(&key, &verdict, &listed, answer->decided_at);
    }
    arena_free(arena);
    if (entry == NULL)
        return NULL;
    entry->used_at = answer->used_at;
    cache_judge(cache, entry, now);
    return entry;
}

/* What was found out while the store could not be asked, now with what the store knows. */
static enum loaded catch_up(struct cache *cache, const struct cache_entry *known,
                            const struct answer_record *answer, int64_t now)
{
    const struct remembered before = cache_entry_remembered(known);
    const struct remembered joined = remembered_join(&answer->remembered, &before);
    struct cache_entry *entry = cache_decide_again(cache, known, &joined, known->made_at);

    if (entry == NULL)
        return LOADED_REFUSED;
    cache_save(cache, entry, (struct cache_saving){.now = now, .by_refresh = true});
    return LOADED_NEW;
}

/* Nothing that another relay proved counts for longer than if it had been proven here now. */
static struct remembered proven_by(const struct cache *cache, const struct answer_record *answer,
                                   int64_t now)
{
    const struct verdict_options *options = &cache->config->verdict;
    struct remembered remembered = answer->remembered;

    if (remembered.dane_only_until > now + options->ttl_max_ms)
        remembered.dane_only_until = now + options->ttl_max_ms;
    bound_downgrade(&remembered.verify, options);
    bound_downgrade(&remembered.encrypt, options);
    return remembered;
}

/* The entry that the evidence of another relay gives with what either has proven. */
static struct cache_entry *entry_joined(const struct cache *cache,
                                        const struct answer_record *answer,
                                        const struct remembered *joined, int64_t now)
{
    struct answer_record own = *answer;
    struct cache_entry *entry = entry_of(cache, &own, now), *decided;

    if (entry == NULL)
        return NULL;
    decided = cache_decide_again(cache, entry, joined, answer->decided_at);
    if (decided != NULL && decided->verdict.valid_until > entry->verdict.valid_until)
        decided->verdict.valid_until = entry->verdict.valid_until;
    cache_entry_free(entry);
    if (decided != NULL)
        cache_judge(cache, decided, now);
    return decided;
}

static bool proves_more(const struct remembered *joined, const struct remembered *known)
{
    return joined->observed != known->observed || joined->secure != known->secure ||
           joined->dane_possible != known->dane_possible ||
           joined->dane_only_until > known->dane_only_until + LOADED_SAME_MS ||
           joined->verify.since != known->verify.since ||
           joined->encrypt.since != known->encrypt.since;
}

/* Relays differ in their configuration, and in what they can reach. */
static bool is_sound(const struct cache *cache, const struct answer_record *answer)
{
    struct arena *arena = arena_new(CACHE_ENTRY_EVIDENCE_MAX);
    const struct evidence *evidence =
        arena == NULL ? NULL
                      : evidence_unpack(arena, answer->evidence, answer->evidence_length,
                                        answer->clock_shift);
    bool sound = evidence != NULL && cache_is_sound(cache, evidence);

    arena_free(arena);
    return sound;
}

/* What another relay knows of a key that is known here. The later evidence counts, with what either
 * has proven: the answer is what this relay would give had it seen that evidence itself. */
static enum loaded join_answer(struct cache *cache, const struct cache_entry *known,
                               const struct answer_record *answer, int64_t now)
{
    const struct remembered own = cache_entry_remembered(known);
    const struct remembered other = proven_by(cache, answer, now);
    bool later = answer->decided_at > known->made_at + LOADED_SAME_MS && is_sound(cache, answer);
    const struct remembered joined =
        later ? remembered_join(&own, &other) : remembered_join(&other, &own);
    struct cache_entry *entry;

    if (!later && !proves_more(&joined, &own))
        return LOADED_KNOWN;
    entry = later ? entry_joined(cache, answer, &joined, now)
                  : cache_decide_again(cache, known, &joined, known->made_at);
    if (entry == NULL)
        return LOADED_REFUSED;
    cache_save(cache, entry,
               (struct cache_saving){.now = now,
                                     .by_refresh = true,
                                     .from_share = true,
                                     .store_pending = known->state == ENTRY_STORE_PENDING});
    return LOADED_NEW;
}

static enum loaded load_answer(struct cache *cache, const struct answer_record *answer, int64_t now,
                               enum cache_source source)
{
    const struct cache_entry *known = cache_map_get(cache->map, answer->key, strlen(answer->key));
    struct cache_entry *entry;

    if (known != NULL && source == CACHE_FROM_SHARE)
        return join_answer(cache, known, answer, now);
    if (source == CACHE_FROM_SHARE && !is_sound(cache, answer))
        return LOADED_KNOWN;
    if (known != NULL && known->state == ENTRY_STORE_PENDING)
        return catch_up(cache, known, answer, now);
    if (known != NULL && known->made_at >= answer->decided_at - LOADED_SAME_MS)
        return LOADED_KNOWN;
    entry = entry_of(cache, answer, now);
    if (entry == NULL)
        return LOADED_REFUSED;
    cache_list_hold(cache, entry, HOLD_LOADED, answer->reminded_at, now);
    if (source == CACHE_FROM_EXPORT) /* before the cache takes it: it may have no room */
        cache_store_entry(cache, entry);
    else if (source == CACHE_FROM_SHARE)
        keep_entry(cache, entry, KEEP_HERE);
    cache_put(cache, entry, source == CACHE_FOR_ASKER || source == CACHE_FROM_SHARE, now);
    return LOADED_NEW;
}

/* A key that is known here has its own history; in an export, history comes before answers. */
static enum loaded load_event(struct cache *cache, struct record *record, bool save)
{
    const char *key = record->event.key;

    if (!save || cache->store == NULL || cache_map_get(cache->map, key, strlen(key)) != NULL)
        return LOADED_KNOWN;
    put_record(cache, record, KEEP_HERE);
    return LOADED_NEW;
}

enum loaded cache_load_record(struct cache *cache, struct record *record,
                              struct record_moment moment, enum cache_source source)
{
    int64_t now = moment.monotonic_ms;
    bool save = source == CACHE_FROM_EXPORT || source == CACHE_FROM_SHARE;
    enum keeping where = source == CACHE_FROM_SHARE ? KEEP_HERE : KEEP_BOTH;
    enum loaded loaded = LOADED_REFUSED;

    record_to_daemon(record, moment);
    switch (record->kind) {
    case RECORD_ANSWER:
        remembered_set_dane_until(&record->answer.remembered, record->answer.dane_until);
        loaded = load_answer(cache, &record->answer, now, source);
        break;
    case RECORD_POLICY:
        loaded = cache->tools.sts == NULL
                     ? LOADED_KNOWN
                     : sts_cache_load(sts_cache_of(cache->tools.sts), &record->policy, now);
        if (loaded == LOADED_NEW && save)
            keep_policy(cache, record->policy.domain, where);
        break;
    case RECORD_PROBE:
        loaded = cache->tools.probes == NULL
                     ? LOADED_KNOWN
                     : probe_cache_load(cache->tools.probes, &record->probe);
        if (loaded == LOADED_NEW && save)
            keep_probe(cache, &record->probe, where);
        break;
    case RECORD_EVENT:
        loaded = load_event(cache, record, source == CACHE_FROM_EXPORT);
        break;
    default:
        break;
    }
    cache->stats.restored += loaded == LOADED_NEW;
    return loaded;
}
