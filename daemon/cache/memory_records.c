/*
 * memory_records: findings, policies and probe results to records of the store, and back; see
 * memory.h. A record that is read is judged anew by today's options: what was stored is evidence,
 * not an answer.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "daemon/cache/memory_internal.h"
#include "policy/evidence/evidence_pack.h"

#define RECORD_ARENA_MAX (1024 * 1024)

/* `keep`: write it to the store too. `wanted`: somebody asks for it now. */
struct restoring {
    bool keep, wanted;
};

/* ---- to the store ---- */

/* Nothing is lost when it is forgotten. */
static bool worthless(const struct finding *finding)
{
    return finding->negative && finding->verdict.remembered.proven == VERDICT_NO_OPINION &&
           finding->verdict.remembered.dane_until == 0 && !finding->verdict.remembered.secure;
}

static const char *answer_text(struct arena *arena, struct answer answer)
{
    static const char *const words[] = {
        [ANSWER_OK] = "OK ", [ANSWER_NOTFOUND] = "NOTFOUND ", [ANSWER_TEMP] = "TEMP "};

    return arena_printf(arena, "%s%s", words[answer.status], answer.text);
}

void memory_store_finding(struct memory *memory, const struct finding *finding)
{
    const struct hold *hold = holds_find(memory->holds, finding->key);
    struct arena *arena;
    struct record record = {
        .kind = RECORD_ANSWER,
        .answer =
            {
                .key = finding->key,
                .level = finding->verdict.level,
                .reason = finding->verdict.reason,
                .decided_at = finding->made_at,
                .valid_until = finding->verdict.valid_until,
                .used_at = finding->used_at,
                .remembered = finding->verdict.remembered,
                .reminded_at = hold == NULL ? 0 : hold->reminded_at,
                .evidence = finding->octets + finding->evidence_at,
                .evidence_length = finding->evidence_length,
            },
    };

    if (memory->store == NULL || finding->evidence_length == 0)
        return;
    if (worthless(finding)) {
        store_remove(memory->store, RECORD_ANSWER, finding->key);
        return;
    }
    arena = arena_new(2 * RENDER_SOCKETMAP_MAX);
    record.answer.answer =
        arena == NULL ? NULL : answer_text(arena, finding_answer(finding, FORM_PLAIN));
    if (record.answer.answer != NULL) {
        record_to_wall(&record, memory_moment());
        store_put(memory->store, &record);
    }
    arena_free(arena);
}

void memory_store_policy(struct memory *memory, const char *domain)
{
    struct arena *arena = arena_new(RECORD_ARENA_MAX);
    struct record record = {.kind = RECORD_POLICY};

    if (arena != NULL && sts_save(memory->tools.sts, arena, domain, &record.policy)) {
        /* never fetched by this process: the store may hold a policy that was */
        if (record.policy.body == NULL && record.policy.fetched_at == 0) {
            arena_free(arena);
            return;
        }
        record_to_wall(&record, memory_moment());
        store_put(memory->store, &record);
    } else if (arena != NULL && !arena_failed(arena)) {
        store_remove(memory->store, RECORD_POLICY, domain);
    }
    arena_free(arena);
}

void memory_store_probe(struct memory *memory, const struct probe_saved *saved)
{
    struct record record = {.kind = RECORD_PROBE, .probe = *saved};

    record_to_wall(&record, memory_moment());
    store_put(memory->store, &record);
}

/* ---- from a record ---- */

static void bound_loss(struct loss *loss, const struct verdict_options *options)
{
    int64_t most =
        options->hold_ms > options->hold_expired_ms ? options->hold_ms : options->hold_expired_ms;

    if (loss->since != 0 && loss->until > loss->since + most)
        loss->until = loss->since + most;
}

/* Nothing that is read counts for longer than if it had been learnt here now. */
static void bound_remembered(struct remembered *remembered, const struct verdict_options *options,
                             int64_t now)
{
    if (remembered->dane_until > now + options->ttl_max_ms)
        remembered->dane_until = now + options->ttl_max_ms;
    bound_loss(&remembered->verify, options);
    bound_loss(&remembered->encrypt, options);
}

/* The finding that an answer's evidence gives today; NULL when it gives none, or no memory. */
static struct finding *finding_of(const struct memory *memory, const struct answer_record *answer)
{
    int64_t now = clock_monotonic_ms();
    struct arena *arena = arena_new(FINDING_EVIDENCE_MAX);
    struct finding *finding = NULL;
    const struct evidence *evidence = NULL;
    struct verdict verdict;
    struct key key;
    bool refused;

    key_parse(&key, answer->key, strlen(answer->key), memory->config->prober.smtp_port);
    if (arena != NULL && strcmp(key.text, answer->key) == 0)
        evidence =
            evidence_unpack(arena, answer->evidence, answer->evidence_length, answer->clock_shift);
    if (evidence != NULL && strcmp(evidence->domain, key.name) == 0 && evidence->complete) {
        verdict_decide(&verdict, evidence, &answer->remembered, &memory->config->verdict, now);
        refused = verdict.remembered.refused; /* not stored: the evidence shows it */
        verdict.remembered = answer->remembered;
        bound_remembered(&verdict.remembered, &memory->config->verdict, now);
        verdict.remembered.refused = refused;
        if (verdict.valid_until > answer->valid_until) {
            verdict.valid_until = answer->valid_until;
            verdict.refresh_at = now + (answer->valid_until - now) / 8 * 7;
        }
        finding = finding_new(&key, &verdict, evidence, answer->decided_at);
    }
    arena_free(arena);
    if (finding == NULL)
        return NULL;
    finding->used_at = finding->use_noted_at = answer->used_at;
    if (memory_is_judged_before(memory, finding) && finding->verdict.valid_until > now)
        finding->verdict.valid_until = now;
    return finding;
}

/* What was found out while the store could not be asked, now with what the store knows. */
static enum restored catch_up(struct memory *memory, const struct finding *known,
                              const struct answer_record *answer)
{
    const struct remembered joined =
        remembered_join(&answer->remembered, &known->verdict.remembered);
    struct arena *arena = arena_new(FINDING_EVIDENCE_MAX);
    const struct evidence *evidence = arena == NULL ? NULL : finding_evidence(known, arena);
    struct finding *finding = NULL;
    struct verdict verdict;
    struct key key;

    key_parse(&key, known->key, known->key_length, memory->config->prober.smtp_port);
    if (evidence != NULL) {
        verdict_decide(&verdict, evidence, &joined, &memory->config->verdict, known->made_at);
        finding = finding_new(&key, &verdict, evidence, known->made_at);
    }
    arena_free(arena);
    if (finding == NULL)
        return RESTORED_REFUSED;
    memory_keep(memory, finding, (struct keeping){.by_refresh = true});
    return RESTORED;
}

static enum restored restore_answer(struct memory *memory, const struct answer_record *answer,
                                    struct restoring how)
{
    const struct finding *known = cache_get(memory->cache, answer->key, strlen(answer->key));
    struct finding *finding;

    if (known != NULL && known->unasked)
        return catch_up(memory, known, answer);
    if (known != NULL && known->made_at >= answer->decided_at - LOADED_SAME_MS)
        return RESTORED_KNOWN;
    finding = finding_of(memory, answer);
    if (finding == NULL)
        return RESTORED_REFUSED;
    memory_list_hold(memory, finding, answer->reminded_at);
    if (how.keep) /* before the cache takes it: it may have no room */
        memory_store_finding(memory, finding);
    memory_cache_put(memory, finding, how.wanted);
    return RESTORED;
}

static const enum restored from_saved[] = {
    [LOADED_REFUSED] = RESTORED_REFUSED, [LOADED_KNOWN] = RESTORED_KNOWN, [LOADED_NEW] = RESTORED};

static enum restored restore_policy(struct memory *memory, const struct sts_saved *policy,
                                    bool keep)
{
    enum loaded saved =
        memory->tools.sts == NULL ? LOADED_KNOWN : sts_load(memory->tools.sts, policy);

    if (saved == LOADED_NEW && keep && memory->store != NULL)
        memory_store_policy(memory, policy->domain);
    return from_saved[saved];
}

static enum restored restore_probe(struct memory *memory, const struct probe_saved *probe,
                                   bool keep)
{
    enum loaded saved =
        memory->tools.probes == NULL ? LOADED_KNOWN : probe_cache_load(memory->tools.probes, probe);

    if (saved == LOADED_NEW && keep && memory->store != NULL)
        memory_store_probe(memory, probe);
    return from_saved[saved];
}

/* A key that is known here has its own history; in an export, history comes before answers. */
static enum restored restore_event(struct memory *memory, struct record *record, bool keep)
{
    const char *key = record->event.key;

    if (!keep || memory->store == NULL || cache_get(memory->cache, key, strlen(key)) != NULL)
        return RESTORED_KNOWN;
    record_to_wall(record, memory_moment());
    store_put(memory->store, record);
    return RESTORED;
}

static enum restored restore(struct memory *memory, struct record *record,
                             struct record_moment moment, struct restoring how)
{
    enum restored restored = RESTORED_REFUSED;

    record_to_daemon(record, moment);
    switch (record->kind) {
    case RECORD_ANSWER:
        restored = restore_answer(memory, &record->answer, how);
        break;
    case RECORD_POLICY:
        restored = restore_policy(memory, &record->policy, how.keep);
        break;
    case RECORD_PROBE:
        restored = restore_probe(memory, &record->probe, how.keep);
        break;
    case RECORD_EVENT:
        restored = restore_event(memory, record, how.keep);
        break;
    default:
        break;
    }
    memory->stats.restored += restored == RESTORED;
    return restored;
}

enum restored memory_restore(struct memory *memory, struct record *record,
                             struct record_moment moment, bool keep)
{
    return restore(memory, record, moment, (struct restoring){.keep = keep});
}

/* ---- recall ---- */

struct recall {
    struct memory *memory;
    struct key key;
    struct store_read *read;
    memory_recalled done;
    void *context;
};

/* A record of the store, copied because restoring changes it. */
static void take_in(struct memory *memory, const struct record *found, struct record_moment moment)
{
    struct record record;

    if (found == NULL)
        return;
    record = *found;
    restore(memory, &record, moment, (struct restoring){.wanted = true});
}

/* A finding that was made without the store: now that it was asked, it may be written. */
static void settle(struct memory *memory, const struct key *key, bool sure)
{
    struct finding *known = cache_get(memory->cache, key->text, key->text_length);

    if (known == NULL || !known->unasked)
        return;
    known->unasked = !sure;
    if (sure)
        memory_store_finding(memory, known);
    else
        cache_mark(memory->cache, known);
}

static void on_found(void *context, const struct store_found *found)
{
    struct recall *recall = context;
    struct memory *memory = recall->memory;
    memory_recalled done = recall->done;
    void *done_context = recall->context;
    struct record_moment moment =
        record_moment_of(clock_monotonic_ms(), clock_wall_ms(), found->last_written);

    take_in(memory, found->policy, moment);
    take_in(memory, found->answer, moment);
    settle(memory, &recall->key, !found->unsure);
    free(recall);
    done(done_context, !found->unsure);
}

int memory_recall(struct recall **out, struct memory *memory, const struct key *key,
                  memory_recalled done, void *context)
{
    struct recall *recall;
    int error;

    if (memory->store == NULL)
        return UV_ENOENT;
    recall = calloc(1, sizeof *recall);
    if (recall == NULL)
        return UV_ENOMEM;
    *recall = (struct recall){memory, *key, NULL, done, context};
    error = store_find(&recall->read, memory->store, key->text, key->name, on_found, recall);
    if (error != 0) {
        free(recall);
        return error;
    }
    *out = recall;
    return 0;
}

void recall_cancel(struct recall *recall)
{
    store_read_cancel(recall->read);
    free(recall);
}
