/*
 * memory_keep: a whole lookup has ended: what changed is logged and becomes history, a hold begins,
 * goes on or ends, the finding goes into cache and store. See memory.h.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/cache/memory_internal.h"
#include "policy/report/report.h"

/* Holds that end in one turn of the loop, each with a line in the log. */
#define ENDS_SHARE 200

/* ---- what changed ---- */

static enum verdict_level level_of(const struct finding *finding)
{
    /* a name without opinion is no news: random names must not fill log and history */
    return finding == NULL ? VERDICT_NO_OPINION : finding->verdict.level;
}

/* What was found out; and, where the operator's orders make something else of it, what. */
static void log_verdict(const struct memory *memory, const struct finding *before,
                        const struct finding *finding)
{
    const struct verdict *verdict = &finding->verdict;
    struct outcome outcome;
    struct ruling ruling;
    struct key key;
    bool ordered, changed;

    key_parse(&key, finding->key, finding->key_length, memory->config->prober.smtp_port);
    orders_find(memory->orders, &key, &ruling);
    ruling_decide(&outcome, &ruling, verdict);
    ordered = outcome.kind != OUTCOME_FOUND;
    changed = level_of(before) != verdict->level ||
              (before == NULL && ordered && ruling.rule != NULL && rule_is_named(ruling.rule));
    log_event(changed ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "verdict", "domain", finding->key, "was",
              before == NULL ? NULL : verdict_level_name(before->verdict.level), "now",
              verdict_level_name(verdict->level), "reason", verdict_reason_code(verdict->reason),
              "valid_s", LOG_NUM((verdict->valid_until - finding->made_at) / 1000), "answer",
              ordered ? outcome_level_name(&outcome) : NULL, "why",
              ordered ? outcome_reason_code(outcome.reason) : NULL, "rule",
              ordered && ruling.rule != NULL ? LOG_NUM(ruling.rule->line) : NULL, NULL);
}

/* A policy with patterns that match= cannot carry: its owner's mistake, most often. Told once, and
 * again when it has become another. */
static void log_left_out(const struct finding *before, const struct finding *finding)
{
    unsigned count = finding->verdict.sts_unfit;

    if (count == 0 || (before != NULL && before->verdict.sts_unfit == count))
        return;
    log_event(LOG_LEVEL_WARNING, "sts-mx-left-out", "domain", finding->key, "patterns",
              LOG_NUM(count), "why",
              "no host names of two labels or more, so not for match=", NULL);
}

static void log_distrusted_host(const struct finding *finding, const struct mx_host *host,
                                const struct mx_address *address)
{
    char text[IP_TEXT_MAX];

    log_event(LOG_LEVEL_WARNING, "trust-anchor-gone", "domain", finding->key, "was",
              verdict_level_name(VERDICT_VERIFY), "now", verdict_level_name(finding->verdict.level),
              "host", host->name, "address", ip_text(&address->ip, text), "why",
              address->starttls.detail, NULL);
}

/* Why `verify` sank at once: the first host whose issuer is not trusted here any more. */
static void log_distrusted(const struct finding *finding)
{
    struct arena *arena;
    const struct evidence *evidence;

    if (!finding->verdict.distrusted)
        return;
    arena = arena_new(FINDING_EVIDENCE_MAX);
    evidence = arena == NULL ? NULL : finding_evidence(finding, arena);
    for (size_t i = 0; evidence != NULL && i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];

        for (size_t j = 0; j < host->address_count; j++) {
            if (!host->addresses[j].starttls.distrusted)
                continue;
            log_distrusted_host(finding, host, &host->addresses[j]);
            arena_free(arena);
            return;
        }
    }
    arena_free(arena);
}

/* The first TEMP of a name that nothing is known about says nothing about the name. */
static bool is_history(const struct finding *before, const struct finding *finding)
{
    if (level_of(before) == finding->verdict.level)
        return false;
    return before != NULL || finding->verdict.level != VERDICT_TEMP;
}

static void note_history(struct memory *memory, const struct finding *before,
                         const struct finding *finding)
{
    struct record record = {
        .kind = RECORD_EVENT,
        .event =
            {
                .key = finding->key,
                .at = finding->made_at,
                .was = level_of(before),
                .now = finding->verdict.level,
                .reason = finding->verdict.reason,
                .first = before == NULL,
            },
    };

    if (memory->store == NULL || !is_history(before, finding))
        return;
    record_to_wall(&record, memory_moment());
    store_put(memory->store, &record);
}

/* ---- holds ---- */

static void log_hold(const struct hold *hold, enum log_level level, const char *event)
{
    int64_t now = clock_monotonic_ms();

    log_event(level, event, "domain", hold->key, "kept", verdict_level_name(hold->level), "sees",
              verdict_level_name(hold->sees), "reason", verdict_reason_code(hold->reason),
              "since_s", LOG_NUM((now - hold->loss.since) / 1000), "until_s",
              LOG_NUM((hold->loss.until - now) / 1000), NULL);
}

/* `verdict` ended it; NULL: no lookup did. */
static void end_hold(struct memory *memory, struct hold *hold, const struct verdict *verdict,
                     const char *why)
{
    memory->stats.holds_ended++;
    log_event(strcmp(why, "expired") == 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "hold-ends",
              "domain", hold->key, "kept", verdict_level_name(hold->level), "now",
              verdict == NULL ? NULL : verdict_level_name(verdict->level), "reason",
              verdict == NULL ? NULL : verdict_reason_code(verdict->reason), "why", why, NULL);
    holds_remove(memory->holds, hold);
}

void memory_forget_hold(struct memory *memory, const char *key)
{
    struct hold *hold = holds_find(memory->holds, key);

    if (hold != NULL)
        end_hold(memory, hold, NULL, "forgotten");
}

static void on_hold_over(uv_timer_t *timer);

/* A hold whose time is over ends by the clock: its domain may be out of the cache, or switched off
 * by a rule, and not be looked up ever again. */
static void plan_hold_end(struct memory *memory)
{
    const struct hold *first = holds_first_to_end(memory->holds);
    int64_t now = clock_monotonic_ms();

    if (first != NULL)
        uv_timer_start(&memory->hold_over, on_hold_over,
                       first->loss.until > now ? (uint64_t)(first->loss.until - now) : 1, 0);
}

static void on_hold_over(uv_timer_t *timer)
{
    struct memory *memory = timer->data;
    int64_t now = clock_monotonic_ms();

    for (int share = ENDS_SHARE; share > 0; share--) {
        struct hold *hold = holds_first_to_end(memory->holds);

        if (hold == NULL || hold->loss.until > now)
            break;
        end_hold(memory, hold, NULL, "expired");
    }
    plan_hold_end(memory);
}

static const char *why_ended(const struct hold *hold, const struct verdict *verdict, int64_t now)
{
    if (hold->loss.until <= now)
        return "expired";
    if (verdict->remembered.proven >= hold->level && verdict->reason != REASON_HELD)
        return verdict->shown_reason == REASON_TLS || verdict->shown_reason == REASON_VERIFIED
                   ? "recovered"
                   : "superseded";
    return verdict->reason == REASON_HELD ? "recovered" : "superseded";
}

/* True when a lookup says nothing about the mail hosts, so that a hold goes on unseen. */
static bool says_nothing(const struct verdict *verdict)
{
    return verdict->level == VERDICT_TEMP || verdict->reason == REASON_STARTTLS_REMEMBERED;
}

static void fill_hold(struct memory *memory, struct hold *hold, const struct finding *finding)
{
    const struct verdict *verdict = &finding->verdict;

    hold->level = report_held_level(verdict);
    holds_set_loss(memory->holds, hold, verdict->held);
    plan_hold_end(memory);
    hold->sees = verdict->shown_level;
    hold->reason = verdict->shown_reason;
    hold->seen_at = finding->made_at;
}

/* NULL without memory or room. */
static struct hold *list_hold(struct memory *memory, const struct finding *finding,
                              enum hold_origin origin, int64_t reminded_at)
{
    struct hold *hold = holds_add(memory->holds, finding->key);

    if (hold == NULL)
        return NULL;
    memory->stats.holds_begun[origin]++;
    fill_hold(memory, hold, finding);
    hold->reminded_at = reminded_at;
    return hold;
}

void memory_list_hold(struct memory *memory, const struct finding *finding, int64_t reminded_at)
{
    if (finding->verdict.reason == REASON_HELD && holds_find(memory->holds, finding->key) == NULL)
        list_hold(memory, finding, HOLD_RESTORED, reminded_at);
}

static void begin_hold(struct memory *memory, const struct finding *finding)
{
    struct hold *hold = list_hold(memory, finding, HOLD_FOUND, finding->made_at);

    if (hold != NULL)
        log_hold(hold, LOG_LEVEL_WARNING, "hold-begins");
}

static void go_on(struct memory *memory, struct hold *hold, const struct finding *finding)
{
    fill_hold(memory, hold, finding);
    if (finding->made_at < hold->reminded_at + memory->config->hold_reminder_ms)
        return;
    hold->reminded_at = finding->made_at;
    log_hold(hold, LOG_LEVEL_WARNING, "held");
}

void memory_note_hold(struct memory *memory, const struct finding *finding, bool released)
{
    const struct verdict *verdict = &finding->verdict;
    struct hold *hold = holds_find(memory->holds, finding->key);
    bool held = verdict->reason == REASON_HELD;

    if (hold != NULL && held && hold->level == report_held_level(verdict)) {
        go_on(memory, hold, finding);
        return;
    }
    if (hold != NULL &&
        (released || held || !says_nothing(verdict) || hold->loss.until <= finding->made_at))
        end_hold(memory, hold, verdict,
                 released ? "released" : why_ended(hold, verdict, finding->made_at));
    if (held)
        begin_hold(memory, finding);
}

/* ---- the whole ---- */

/* A TEMP that is held lapses soon, but is renewed no more often than any other hold. */
static int64_t held_temp_due_at(const struct memory *memory, const struct finding *finding)
{
    int64_t at = finding->made_at + memory->config->verdict.hold_probe_min_ms;

    if (at < finding->verdict.valid_until)
        at = finding->verdict.valid_until;
    return at < finding->verdict.held.until ? at : finding->verdict.held.until;
}

/* Renewing what is held a little before its hold ends would only renew the wait. */
static int64_t due_at(const struct memory *memory, const struct finding *finding)
{
    const struct verdict *verdict = &finding->verdict;
    int64_t life = verdict->valid_until - verdict->refresh_at;
    uint64_t seed[2] = {hash_bytes(finding->key, finding->key_length), (uint64_t)finding->made_at};

    if (verdict->reason == REASON_HELD && verdict->level == VERDICT_TEMP)
        return held_temp_due_at(memory, finding);
    if (verdict->reason == REASON_HELD && verdict->valid_until >= verdict->held.until)
        return verdict->valid_until;
    if (life < 0)
        return verdict->valid_until;
    /* what was learnt together is not renewed together */
    return verdict->refresh_at - (int64_t)(hash_bytes(seed, sizeof seed) % (uint64_t)(life + 1));
}

struct finding *memory_cache_put(struct memory *memory, struct finding *take, bool wanted)
{
    int64_t at = due_at(memory, take);
    struct key_text {
        char text[KEY_TEXT_MAX + 1];
        size_t length;
    } key;
    struct finding *saved;

    memcpy(key.text, take->key, take->key_length + 1);
    key.length = take->key_length;
    if (!cache_put(memory->cache, take, wanted))
        return NULL;
    saved = cache_get(memory->cache, key.text, key.length);
    if (saved != NULL && cache_schedule(memory->cache, saved, at) && memory->due != NULL)
        memory->due(memory->due_context, at);
    return saved;
}

void memory_keep(struct memory *memory, struct finding *take, struct keeping keeping)
{
    const struct finding *before = cache_get(memory->cache, take->key, take->key_length);
    struct finding *saved;

    if (keeping.by_refresh && before != NULL)
        take->used_at = take->use_noted_at = before->used_at;
    log_verdict(memory, before, take);
    log_left_out(before, take);
    log_distrusted(take);
    note_history(memory, before, take);
    memory_note_hold(memory, take, keeping.released);
    take->unasked = keeping.unasked;
    if (!take->unasked) /* before the cache takes it: it may have no room */
        memory_store_finding(memory, take);
    saved = memory_cache_put(memory, take, true);
    if (saved != NULL && saved->unasked)
        cache_mark(memory->cache, saved);
}
