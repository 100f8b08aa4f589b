/*
 * memory: see memory.h. The life of it, and what is asked of it. memory_keep.c is what happens when
 * a lookup has ended, memory_records.c the way to and from the store.
 *
 * Without memory for a record or a hold what was found out still counts until it is evicted or the
 * daemon ends; nothing here fails an answer.
 */
#include "daemon/cache/memory_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Uses noted, or findings written again, in one turn of the loop. */
#define NOTES_SHARE 200
/* Buckets of policies and of probe results in one turn, some ten each, and the pause between. */
#define RETELL_SHARE 20
#define RETELL_MS    5
/* Rows the store keeps for every finding the cache can hold. */
#define STORE_ANSWERS_FACTOR 2
/* Records that wait for a store that cannot be written. */
#define STORE_PENDING_MAX 100000
/* What has ended is deleted so long afterwards. */
#define STORE_KEEP_MS (INT64_C(7) * 86400 * 1000)

struct record_moment memory_moment(void)
{
    return (struct record_moment){clock_monotonic_ms(), clock_wall_ms()};
}

/* ---- what is on its way to the store ---- */

static void on_notes(uv_timer_t *timer);

static void on_asked(void *context, bool sure)
{
    struct memory *memory = context;

    memory->asking = NULL;
    uv_timer_start(&memory->notes, on_notes, sure ? 1 : (uint64_t)memory->config->store_flush_ms,
                   0);
}

/* What the store knows comes first: memory_recall writes the finding when it is sure. */
static void ask_store(struct memory *memory, struct finding *finding)
{
    struct key key;

    key_parse(&key, finding->key, finding->key_length, memory->config->prober.smtp_port);
    if (memory_recall(&memory->asking, memory, &key, on_asked, memory) != 0)
        cache_mark(memory->cache, finding);
}

static void note(struct memory *memory, struct finding *finding, struct record_moment moment)
{
    if (finding->unasked) {
        ask_store(memory, finding);
        return;
    }
    if (finding->unsaved)
        memory_store_finding(memory, finding);
    else if (!finding->negative)
        store_touch(memory->store, finding->key,
                    finding->used_at - moment.monotonic_ms + moment.wall_ms);
    finding->unsaved = false;
}

/* Some policies and probe results, as far as the store keeps up. */
static void retell(struct memory *memory)
{
    struct store_stats stats;
    bool policies = memory->tools.sts == NULL, probes = memory->tools.probes == NULL;

    store_get_stats(memory->store, &stats);
    if (stats.pending > STORE_PENDING_MAX / 8)
        return;
    for (int share = RETELL_SHARE; share > 0 && !(policies && probes); share--) {
        policies = policies || sts_tell_some(memory->tools.sts, &memory->policies);
        probes = probes || probe_cache_tell_some(memory->tools.probes, &memory->probes);
    }
    memory->retelling = !(policies && probes);
}

static void on_notes(uv_timer_t *timer)
{
    struct memory *memory = timer->data;
    struct record_moment moment = memory_moment();
    struct finding *finding = NULL;

    if (memory->asking != NULL)
        return; /* on_asked goes on */
    if (memory->retelling)
        retell(memory);
    for (int share = NOTES_SHARE; share > 0; share--) {
        finding = cache_next_used(memory->cache);
        if (finding == NULL)
            break;
        note(memory, finding, moment);
        if (memory->asking != NULL)
            return;
    }
    uv_timer_start(timer, on_notes,
                   finding != NULL     ? 1
                   : memory->retelling ? RETELL_MS
                                       : (uint64_t)memory->config->store_flush_ms,
                   0);
}

/* The store lost what it had: all that is known goes there again, a share at a time. */
static void on_begun(void *context)
{
    struct memory *memory = context;
    struct finding *finding = NULL;

    while ((finding = cache_next(memory->cache, finding)) != NULL) {
        finding->unsaved = true;
        cache_mark(memory->cache, finding);
    }
    memory->retelling = true;
    memory->policies = memory->probes = (struct map_walk){0};
    uv_timer_start(&memory->notes, on_notes, RETELL_MS, 0);
}

/* ---- policies and probes ---- */

static void on_policy(void *context, const char *domain)
{
    struct memory *memory = context;

    if (memory->store != NULL)
        memory_store_policy(memory, domain);
}

static void on_probe(void *context, const struct probe_saved *saved)
{
    struct memory *memory = context;

    if (memory->store != NULL)
        memory_store_probe(memory, saved);
}

static void watch_probers(struct memory *memory)
{
    if (memory->tools.sts != NULL)
        sts_watch(memory->tools.sts, on_policy, memory);
    if (memory->tools.probes != NULL)
        probe_cache_watch(memory->tools.probes, on_probe, memory);
}

/* ---- life ---- */

static int open_store(struct memory *memory)
{
    const struct config *config = memory->config;
    const struct store_options options = {
        .path = config->store_path,
        .flush_ms = config->store_flush_ms,
        .pending_max = STORE_PENDING_MAX,
        .keep_ms = STORE_KEEP_MS,
        .answers_max = config->cache_entries * STORE_ANSWERS_FACTOR,
        .policies_max = config->prober.sts.entries_max,
        .probes_max = config->prober.probes.entries_max,
    };
    const struct store_watcher watcher = {memory, on_begun};
    int error;

    if (config->store_path == NULL)
        return 0;
    error = store_new(&memory->store, memory->loop, &options, &watcher);
    if (error != 0)
        return error;
    watch_probers(memory);
    uv_timer_start(&memory->notes, on_notes, (uint64_t)config->store_flush_ms, 0);
    return 0;
}

int memory_new(struct memory **out, uv_loop_t *loop, const struct config *config,
               const struct domain_tools *tools, const struct orders *orders)
{
    struct memory *memory = calloc(1, sizeof *memory);
    int error = UV_ENOMEM;

    if (memory == NULL)
        return UV_ENOMEM;
    memory->loop = loop;
    memory->config = config;
    memory->tools = *tools;
    memory->orders = orders;
    uv_timer_init(loop, &memory->notes);
    uv_timer_init(loop, &memory->hold_over);
    memory->notes.data = memory->hold_over.data = memory;
    memory->cache = cache_new(config->cache_entries, config->cache_octets);
    memory->holds = holds_new();
    if (memory->cache != NULL && memory->holds != NULL)
        error = open_store(memory);
    *out = memory;
    return error;
}

/* What was to be noted in a moment is noted now; what the store was not asked about stays out. */
static void note_the_rest(struct memory *memory)
{
    struct record_moment moment = memory_moment();
    struct finding *finding;

    while ((finding = cache_next_used(memory->cache)) != NULL)
        if (!finding->unasked)
            note(memory, finding, moment);
}

void memory_close(struct memory *memory)
{
    if (memory->asking != NULL)
        recall_cancel(memory->asking);
    memory->asking = NULL;
    if (memory->store != NULL) {
        note_the_rest(memory);
        store_close(memory->store);
    }
    memory->store = NULL;
    uv_close((uv_handle_t *)&memory->notes, NULL);
    uv_close((uv_handle_t *)&memory->hold_over, NULL);
}

void memory_free(struct memory *memory)
{
    cache_free(memory->cache);
    holds_free(memory->holds);
    free(memory);
}

struct cache *memory_cache(struct memory *memory)
{
    return memory->cache;
}

const struct holds *memory_holds(const struct memory *memory)
{
    return memory->holds;
}

struct store *memory_store(struct memory *memory)
{
    return memory->store;
}

void memory_get_stats(const struct memory *memory, struct memory_stats *out)
{
    *out = memory->stats;
    out->held = holds_count(memory->holds);
    out->noting = memory->retelling || memory->asking != NULL || cache_has_used(memory->cache);
}

void memory_set_due(struct memory *memory, void (*due)(void *context, int64_t at), void *context)
{
    memory->due = due;
    memory->due_context = context;
}

/* ---- what is asked of it ---- */

const struct finding *memory_peek(const struct memory *memory, const struct key *key)
{
    return cache_get(memory->cache, key->text, key->text_length);
}

bool memory_forget(struct memory *memory, const struct key *key)
{
    memory_forget_hold(memory, key->text);
    if (memory->store != NULL)
        store_remove(memory->store, RECORD_ANSWER, key->text);
    return cache_remove(memory->cache, key->text, key->text_length);
}

void memory_drop(struct memory *memory, const struct key *key)
{
    cache_remove(memory->cache, key->text, key->text_length);
}

size_t memory_lapse(struct memory *memory)
{
    int64_t now = clock_monotonic_ms();
    struct finding *finding = NULL;
    size_t count = 0;

    while ((finding = cache_next(memory->cache, finding)) != NULL) {
        if (finding->verdict.valid_until > now)
            count++;
        finding->verdict.valid_until = now;
        finding->verdict.remembered.dane_until = 0;
        finding->verdict.remembered.secure = false;
    }
    if (memory->store != NULL)
        store_lapse_answers(memory->store);
    return count;
}

bool memory_is_judged_before(const struct memory *memory, const struct finding *finding)
{
    const struct probe_cache *probes = memory->tools.probes;
    enum verdict_level level = finding->verdict.level;

    return probes != NULL && (level == VERDICT_VERIFY || level == VERDICT_ENCRYPT) &&
           finding->made_at < probe_cache_judged_after(probes);
}

void memory_judge_again(struct memory *memory)
{
    int64_t now = clock_monotonic_ms();
    struct finding *finding = NULL;

    while ((finding = cache_next(memory->cache, finding)) != NULL)
        if (memory_is_judged_before(memory, finding) && finding->verdict.valid_until > now)
            finding->verdict.valid_until = now;
}

bool memory_release(struct memory *memory, const struct key *key)
{
    const struct finding *finding = memory_peek(memory, key);
    struct arena *arena = arena_new(FINDING_EVIDENCE_MAX);
    const struct evidence *evidence = NULL;
    int64_t now = clock_monotonic_ms();
    struct finding *released = NULL;
    struct remembered remembered;
    struct verdict verdict;

    if (arena != NULL && finding != NULL &&
        finding->verdict.remembered.encrypt.since + finding->verdict.remembered.verify.since != 0)
        evidence = finding_evidence(finding, arena);
    if (evidence != NULL) {
        remembered = finding->verdict.remembered;
        remembered_release(&remembered);
        verdict_decide(&verdict, evidence, &remembered, &memory->config->verdict, now);
        released = finding_new(key, &verdict, evidence, now);
    }
    arena_free(arena);
    if (released == NULL)
        return false;
    memory_keep(memory, released, (struct keeping){.released = true});
    return true;
}
