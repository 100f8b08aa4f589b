/* list_source: see list_source.h. */
#include "daemon/lists/list_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "daemon/lists/lists.h"
#include "policy/list/policy_list_time.h"

#define LINE_MAX_OCTETS 16384
#define LOOK_MS         INT64_C(60000)  /* at a file, and after a signature that did not match */
#define RETRY_MS        INT64_C(300000) /* after the first failure; doubled with each */
#define RETRIES_DOUBLED 10
#define JITTER_PERCENT  10

/* ---- the configuration ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

void list_line_copy(struct arena *arena, struct config_list *out, const struct config_list *line)
{
    *out = *line;
    out->source = arena_strdup(arena, line->source);
    out->host = arena_strdup(arena, line->host);
    out->path = arena_strdup(arena, line->path);
    out->key_path = arena_strdup(arena, line->key_path);
    out->fingerprint = arena_strdup(arena, line->fingerprint);
}

static bool holds(const struct list_source *source)
{
    return source->waiting.length > 0;
}

bool list_source_set(struct list_source *source, const struct config_list *line)
{
    struct arena *arena = arena_new(LINE_MAX_OCTETS);
    struct config_list copy;
    bool renamed;

    if (arena == NULL)
        return false;
    list_line_copy(arena, &copy, line);
    if (arena_failed(arena)) {
        arena_free(arena);
        return false;
    }
    renamed = !same_text(source->line.key_path, copy.key_path) ||
              !same_text(source->line.fingerprint, copy.fingerprint);
    if (renamed || source->line.min_age_ms != copy.min_age_ms)
        source->line_version++;
    source->key_renamed |= renamed;
    if (holds(source) && (renamed || source->line.min_age_ms != copy.min_age_ms))
        source->ready_s = clock_wall_s(); /* it is judged anew */
    arena_free(source->arena);
    source->arena = arena;
    source->line = copy;
    source->local = true;
    return true;
}

struct list_source *list_source_new(const struct config_list *line, const char *store_path)
{
    struct list_source *source = calloc(1, sizeof *source);

    if (source == NULL)
        return NULL;
    list_init(&source->link);
    buf_init(&source->waiting, POLICY_LIST_TEXT_MAX);
    buf_init(&source->waiting_sig, SIGNATURE_MAX);
    if (!list_source_set(source, line)) {
        free(source);
        return NULL;
    }
    if (store_path != NULL && list_kept_path(source->kept_room, store_path, line->source))
        source->kept_path = source->kept_room;
    return source;
}

void list_source_free(struct list_source *source)
{
    policy_list_free(source->list);
    buf_fini(&source->waiting);
    buf_fini(&source->waiting_sig);
    arena_free(source->arena);
    free(source);
}

/* ---- when it is due ---- */

static bool is_fetched(const struct list_source *source)
{
    return source->line.host != NULL;
}

static int64_t shorter(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* So that those who share a list do not all come at once. */
static int64_t with_jitter(int64_t ms)
{
    uint32_t random = 0;
    int64_t width = ms * JITTER_PERCENT / 100;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random || width == 0)
        return ms;
    return ms - (int64_t)random % (width + 1);
}

static void plan(struct list_source *source, int64_t in_ms)
{
    int64_t now = clock_monotonic_ms();

    source->due_ms = now + (is_fetched(source) ? with_jitter(in_ms) : in_ms);
    source->look_ms = is_fetched(source) ? INT64_MAX : now + shorter(LOOK_MS, source->refresh_ms);
}

static void plan_retry(struct list_source *source)
{
    int64_t wait_ms = RETRY_MS;

    if (source->failures > RETRIES_DOUBLED)
        source->failures = RETRIES_DOUBLED;
    wait_ms <<= source->failures++;
    plan(source, shorter(wait_ms, source->refresh_ms));
}

/* A list that is fetched, and is good as memory or disk have it: not before its time, however often
 * the daemon is restarted or reads its configuration again. */
static void plan_fetch(struct list_source *source)
{
    int64_t age_s = clock_wall_s() - source->kept.good_s;
    bool good = source->in_force && source->failures == 0;

    plan(source, !good || age_s < 0 || age_s >= source->refresh_ms / 1000
                     ? 0
                     : source->refresh_ms - age_s * 1000);
}

/* ---- what is told ---- */

static void tell_taken(const struct list_source *source)
{
    const struct policy_list_header *header = policy_list_header(source->list);
    char from[POLICY_LIST_TIME_SIZE], until[POLICY_LIST_TIME_SIZE];

    log_event(LOG_LEVEL_INFO, "policy-list", "list", source->line.source, "timestamp",
              policy_list_time_text(from, header->timestamp_s), "expires",
              policy_list_time_text(until, header->expires_s), "domains", LOG_NUM(header->domains),
              "key", source->key_text, NULL);
}

static const char *effect_of(const struct list_source *source)
{
    return source->in_force ? "the list in force stays" : "no list of this source is in force";
}

/* Once for each reason. */
static void tell_trouble(const struct list_source *source)
{
    if (source->outcome == LIST_WAITS)
        log_event(LOG_LEVEL_INFO, "policy-list-waits", "list", source->line.source, "why",
                  source->why, "in_s", LOG_NUM(source->ready_s - clock_wall_s()), "effect",
                  effect_of(source), NULL);
    else
        log_event(source->in_force ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "policy-list-refused",
                  "list", source->line.source, "state", list_outcome_name(source->outcome), "why",
                  source->why, "effect", effect_of(source), NULL);
}

static void tell_dropped(const struct list_source *source, const struct list_reading *reading)
{
    log_event(LOG_LEVEL_ERROR, "policy-list-dropped", "list", source->line.source, "why",
              reading->why, "effect",
              "the key is another one, and the list in force is not verified by it", NULL);
}

static void tell_kept(struct list_source *source, const char *why)
{
    if (*why != '\0' && strcmp(source->kept_why, why) != 0)
        log_event(LOG_LEVEL_WARNING, "policy-list-not-kept", "list", source->line.source, "why",
                  why, "effect", "after a restart an older list could be taken", NULL);
    snprintf(source->kept_why, sizeof source->kept_why, "%s", why);
}

/* ---- readings ---- */

void list_source_ask(const struct list_source *source, struct list_reading *reading,
                     enum list_want want)
{
    reading->want = want;
    reading->kept_path = source->kept_path;
    reading->list = source->list;
    reading->identity = source->identity;
    reading->kept_known = source->kept_known;
    reading->kept = source->kept;
    reading->mark = source->mark;
    reading->key_renamed = source->key_renamed;
}

static void set_outcome(struct list_source *source, enum list_outcome outcome,
                        enum list_refusal refusal, const char *why)
{
    bool news = *why != '\0' && (strcmp(source->why, why) != 0 || source->outcome != outcome);

    source->read = true;
    source->outcome = outcome;
    source->refusal = refusal;
    source->looked_s = clock_wall_s();
    snprintf(source->why, sizeof source->why, "%s", why);
    if (news)
        tell_trouble(source);
}

static void set_list(struct list_source *source, struct list_reading *reading)
{
    if (reading->taken != NULL) {
        reading->replaced = source->list;
        source->list = reading->taken;
        source->enforced = reading->enforced;
        reading->taken = NULL;
        source->soon_told = false;
    }
    source->identity = reading->taken_identity;
    source->in_force = true;
}

static void drop_list(struct list_source *source, struct list_reading *reading)
{
    if (source->in_force)
        tell_dropped(source, reading);
    reading->replaced = source->list;
    source->list = NULL;
    source->in_force = false;
    source->identity = (struct list_identity){0};
}

static void take_key(struct list_source *source, const struct list_reading *reading)
{
    source->key_known = reading->key_known;
    source->key_renamed &= !reading->key_known && !reading->key_changed;
    if (!reading->key_known)
        return;
    source->kind = reading->kind;
    memcpy(source->key_text, reading->key_text, sizeof source->key_text);
}

/* ---- a list that waits ---- */

/* What `to` had is freed; `from` is empty afterwards. */
static void move(struct buf *to, struct buf *from)
{
    struct buf had = *to;

    *to = *from;
    *from = had;
    buf_fini(from);
}

static void hold(struct list_source *source, struct list_reading *reading)
{
    move(&source->waiting, &reading->text);
    move(&source->waiting_sig, &reading->signature);
    source->ready_s = reading->ready_s;
    snprintf(source->waiting_why, sizeof source->waiting_why, "%s", reading->why);
}

static void call_back(struct list_source *source)
{
    buf_fini(&source->waiting);
    buf_fini(&source->waiting_sig);
    source->ready_s = 0;
}

bool list_source_is_ready(const struct list_source *source, int64_t now_s)
{
    return holds(source) && now_s >= source->ready_s;
}

void list_source_give_waiting(struct list_source *source, struct list_reading *reading)
{
    move(&reading->text, &source->waiting);
    move(&reading->signature, &source->waiting_sig);
    source->ready_s = 0;
}

void list_source_take_back(struct list_source *source, struct list_reading *reading)
{
    if (reading->want != LIST_READ_WAITING)
        return;
    hold(source, reading);
    source->ready_s = clock_wall_s();
}

/* The first that is ready is the one that waits. */
static void take_waiting(struct list_source *source, struct list_reading *reading)
{
    bool waits = reading->outcome == LIST_WAITS, waited = reading->want == LIST_READ_WAITING;
    bool has_used = reading->outcome == LIST_TAKEN || reading->outcome == LIST_SAME;

    if (waits && reading->text.length > 0 &&
        (!holds(source) || reading->ready_s <= source->ready_s))
        hold(source, reading);
    else if (!holds(source))
        source->ready_s = waits ? reading->ready_s : 0;
    else if (has_used && !(is_fetched(source) && reading->want == LIST_READ_LOCAL))
        call_back(source);
    if (!waits)
        source->waiting_signature = 0;
    else if (!waited)
        source->waiting_signature = reading->signature_seen;
}

/* Of the source itself: it is well, it waits, or there is something wrong with it. */
static void take_outcome(struct list_source *source, struct list_reading *reading)
{
    bool again = reading->want == LIST_READ_FETCHED && !source->mismatched &&
                 reading->outcome == LIST_REFUSED && reading->refusal == LIST_REFUSAL_SIGNATURE;
    bool local = is_fetched(source) && reading->want == LIST_READ_LOCAL;

    take_waiting(source, reading);
    source->mismatched = again;
    if (again) { /* the two files are replaced one after the other */
        plan(source, shorter(LOOK_MS, source->refresh_ms));
        return;
    }
    set_outcome(source, reading->outcome, reading->refusal,
                reading->outcome == LIST_WAITS && holds(source) ? source->waiting_why
                                                                : reading->why);
    if (reading->want == LIST_READ_WAITING) {
        plan(source, 0); /* the source may have the next one */
    } else if (local && reading->key_known) {
        plan_fetch(source);
    } else if (reading->outcome == LIST_TAKEN || reading->outcome == LIST_SAME ||
               reading->outcome == LIST_WAITS) {
        source->failures = 0;
        plan(source, source->refresh_ms);
    } else {
        plan_retry(source);
    }
}

bool list_source_take(struct list_source *source, struct list_reading *reading)
{
    bool was = source->in_force, news = reading->taken != NULL;

    source->kept_known = reading->kept_known;
    source->kept = reading->kept;
    source->mark = reading->mark;
    if (reading->unchanged) {
        source->look_ms = clock_monotonic_ms() + shorter(LOOK_MS, source->refresh_ms);
        if (source->outcome == LIST_TAKEN || source->outcome == LIST_SAME ||
            source->outcome == LIST_WAITS)
            source->kept.good_s = source->looked_s = clock_wall_s();
        return false;
    }
    take_key(source, reading);
    if (reading->usable)
        set_list(source, reading);
    else if (reading->key_changed)
        drop_list(source, reading);
    if (news)
        tell_taken(source);
    if (reading->kept_tried)
        tell_kept(source, reading->kept_why);
    take_outcome(source, reading);
    return news || was != source->in_force;
}

void list_source_fail(struct list_source *source, enum list_outcome outcome,
                      enum list_refusal refusal, const char *why)
{
    set_outcome(source, outcome, refusal, why);
    source->mismatched = false;
    plan_retry(source);
}

void list_source_waits_still(struct list_source *source)
{
    source->kept.good_s = source->looked_s = clock_wall_s();
    source->failures = 0;
    plan(source, source->refresh_ms);
}

/* ---- the clock ---- */

static void tell_expiry(struct list_source *source, int64_t now_s)
{
    const struct policy_list_header *header = policy_list_header(source->list);
    char until[POLICY_LIST_TIME_SIZE];

    policy_list_time_text(until, header->expires_s);
    if (now_s >= header->expires_s)
        log_event(LOG_LEVEL_ERROR, "policy-list-expired", "list", source->line.source, "expires",
                  until, "domains", LOG_NUM(header->domains), "effect",
                  "its domains are looked up as if no list had them", NULL);
    else if (!source->soon_told && header->expires_s - now_s <= LISTS_WARN_BEFORE_S) {
        source->soon_told = true;
        log_event(LOG_LEVEL_WARNING, "policy-list-expires", "list", source->line.source, "expires",
                  until, "in_s", LOG_NUM(header->expires_s - now_s), NULL);
    }
}

/* Since it was good, or since it was first looked for. */
static void look_for_stale(struct list_source *source, int64_t now_s)
{
    bool stale = source->read && source->kept.good_s != 0 &&
                 now_s - source->kept.good_s >= source->stale_ms / 1000;

    if (stale && !source->stale)
        log_event(LOG_LEVEL_WARNING, "policy-list-stale", "list", source->line.source, "good_s_ago",
                  LOG_NUM(now_s - source->kept.good_s), "why", source->why, NULL);
    source->stale = stale;
}

bool list_source_look(struct list_source *source, int64_t now_s)
{
    bool was = source->in_force;

    if (source->list != NULL) {
        source->in_force = now_s < policy_list_header(source->list)->expires_s;
        if (was)
            tell_expiry(source, now_s);
    }
    if (!holds(source) && source->ready_s != 0 && now_s >= source->ready_s) {
        source->due_ms = 0;
        source->ready_s = 0;
        source->waiting_signature = 0;
    }
    look_for_stale(source, now_s);
    return was != source->in_force;
}

void list_source_set_back(struct list_source *source)
{
    if (!source->in_force)
        source->due_ms = 0;
}

int64_t list_source_wait_s(const struct list_source *source, int64_t now_s)
{
    int64_t wait_s = INT64_MAX, expires_s;

    if (source->in_force) {
        expires_s = policy_list_header(source->list)->expires_s;
        wait_s = expires_s - now_s;
    }
    if (source->ready_s > now_s) /* else it is being seen to */
        wait_s = shorter(wait_s, source->ready_s - now_s);
    return wait_s;
}
