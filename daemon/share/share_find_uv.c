/*
 * share_find_uv: what the share knows of a key and its domain, in one question: answer, policy and
 * word. An answer or a policy that operators ended is not found; an answer of which they ended the hold
 * is found without.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/share/share_internal.h"

/* Octets of an answer and a policy that are read. */
#define FIND_ARENA_MAX (4 * 1024 * 1024)
/* By which the clock of the server may have been known wrong, or have been set back. */
#define CLOCKS_MAX_MS 10000

/* ---- reading ---- */

struct record *share_read_record(struct share *share, struct arena *arena, const char *name,
                                 const struct valkey_reply *value, enum record_kind kind)
{
    struct share_frame frame;
    struct record *record = NULL;
    const char *why;

    if (!share_open(&frame, share, name, value))
        return NULL;
    why = share_record_read(&record, arena, frame.text, frame.length);
    if (why == NULL && record->kind != kind)
        why = "it is a record of another kind";
    if (why == NULL)
        return record;
    share_refuse(share, name, why);
    return NULL;
}

/* It would end all that is learnt until then, again and again. */
static bool word_is_of_now(struct share_word *word, int64_t now)
{
    if (word->forgotten_at > now + CLOCKS_MAX_MS || word->released_at > now + CLOCKS_MAX_MS)
        return false;
    if (word->forgotten_at > now)
        word->forgotten_at = now;
    if (word->released_at > now)
        word->released_at = now;
    return true;
}

struct share_word share_read_word(struct share *share, const char *name,
                                  const struct valkey_reply *value)
{
    struct share_word word = {0, 0};
    struct share_frame frame;
    const char *why = NULL;

    if (share_open(&frame, share, name, value))
        why = share_word_read(&word, frame.text, frame.length);
    if (why == NULL && !word_is_of_now(&word, share_moment(share).wall_ms)) {
        why = "it is from the future";
        word = (struct share_word){0, 0};
    }
    if (why != NULL)
        share_refuse(share, name, why);
    share_tells_add(share, name, &word);
    return word;
}

/* Takes a record for what it was asked for: a value may lie under another name than its own. */
static bool is_about(const struct record *record, const struct share_read *read, const char *name)
{
    static const enum share_name kinds[RECORD_KINDS] = {[RECORD_ANSWER] = SHARE_ANSWER,
                                                        [RECORD_POLICY] = SHARE_POLICY,
                                                        [RECORD_PROBE] = SHARE_PROBE};
    char identity[RECORD_IDENTITY_MAX], made[SHARE_NAME_MAX];

    return record_identity(identity, record) &&
           share_name(made, read->share, kinds[record->kind], identity) && strcmp(made, name) == 0;
}

/* What operators said is news, until this relay has heard it. */
void share_take_word(struct share *share, const char *key, const struct share_word *word)
{
    const struct record_moment moment = share_moment(share);
    struct share_news news = {.name = key};

    if (word->forgotten_at > 0) {
        news.kind = SHARE_NEWS_FORGET;
        news.at = word->forgotten_at - moment.wall_ms + moment.monotonic_ms;
        share->events->news(share->context, &news);
    }
    if (word->released_at > 0) {
        news.kind = SHARE_NEWS_RELEASE;
        news.at = word->released_at - moment.wall_ms + moment.monotonic_ms;
        share->events->news(share->context, &news);
    }
}

/* ---- the end of a read ---- */

void share_read_take_off(struct share_read *read)
{
    list_remove(&read->link);
    valkey_request_cancel(&read->request);
}

static void find_nothing(struct share_read *read)
{
    const struct store_found found = {.unsure = true};
    const struct store_page page = {.error = "the share does not answer"};

    share_read_take_off(read);
    if (read->done != NULL)
        read->done(read->context, &found);
    else
        read->listed(read->context, &page);
    free(read);
}

static void on_values(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share_read *read = request->context;
    struct share *share = read->share;
    struct arena *arena = arena_new(FIND_ARENA_MAX);
    struct record *answer, *policy;
    struct store_found found = {0};
    struct share_word word;

    share_read_take_off(read);
    if (arena == NULL || valkey_count(reply) != 3) {
        arena_free(arena);
        find_nothing(read);
        return;
    }
    answer = share_read_record(share, arena, read->answer, valkey_at(reply, 0), RECORD_ANSWER);
    policy = share_read_record(share, arena, read->policy, valkey_at(reply, 1), RECORD_POLICY);
    word = share_read_word(share, read->word, valkey_at(reply, 2));
    if (answer != NULL && is_about(answer, read, read->answer) && share_word_apply(answer, &word)) {
        share_record_to_own(share, answer);
        found.answer = answer;
    }
    /* a relay with other settings forgets its own records, and says so of the key alone */
    if (policy != NULL && is_about(policy, read, read->policy) &&
        (word.forgotten_at == 0 || policy->policy.fetched_at > word.forgotten_at)) {
        share_record_to_own(share, policy);
        found.policy = policy;
    }
    share->stats.found += found.answer != NULL;
    share_take_word(share, read->key, &word);
    read->done(read->context, &found);
    arena_free(arena);
    free(read);
}

static void on_probe(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share_read *read = request->context;
    struct share *share = read->share;
    struct arena *arena = reply == NULL ? NULL : arena_new(FIND_ARENA_MAX);
    struct store_found found = {.unsure = arena == NULL};
    struct record *probe = NULL;
    struct share_word word = {0, 0};

    share_read_take_off(read);
    if (arena != NULL) {
        probe = share_read_record(share, arena, read->answer, valkey_at(reply, 0), RECORD_PROBE);
        word = share_read_word(share, read->word, valkey_at(reply, 1));
    }
    if (probe != NULL && is_about(probe, read, read->answer) &&
        probe->probe.result.probed_at > word.forgotten_at) {
        share_record_to_own(share, probe);
        found.probe = probe;
        share->stats.found++;
    }
    read->done(read->context, &found);
    arena_free(arena);
    free(read);
}

static void on_late(uv_timer_t *timer)
{
    struct share *share = timer->data;
    int64_t now = clock_monotonic_ms();

    while (!list_empty(&share->reads)) {
        struct share_read *read = LIST_ELEMENT(share->reads.next, struct share_read, link);

        if (read->late_at > now) {
            uv_timer_start(timer, on_late, (uint64_t)(read->late_at - now), 0);
            return;
        }
        share->stats.finds_late++;
        find_nothing(read);
    }
}

/* ---- asking ---- */

struct share_read *share_read_new(struct share *share, void *context)
{
    struct share_read *read = calloc(1, sizeof *read);

    if (read == NULL)
        return NULL;
    read->read.kind = share->store.kind;
    read->share = share;
    read->context = context;
    list_init(&read->link);
    return read;
}

int share_read_begin(struct store_read **out, struct share_read *read, int error)
{
    struct share *share = read->share;

    if (error != 0) {
        free(read);
        return error;
    }
    share->stats.finds++;
    read->late_at = clock_monotonic_ms() + share->options.deadline_ms;
    list_append(&share->reads, &read->link);
    if (!uv_is_active((uv_handle_t *)&share->late))
        uv_timer_start(&share->late, on_late, (uint64_t)share->options.deadline_ms, 0);
    *out = &read->read;
    return 0;
}

int share_find(struct store_read **out, struct store *store, const char *key, const char *domain,
               store_on_found done, void *context)
{
    struct share *share = (struct share *)(void *)store;
    struct share_read *read = share->ready ? share_read_new(share, context) : NULL;
    int error = UV_EINVAL;

    if (read == NULL)
        return share->ready ? UV_ENOMEM : UV_ENOTCONN;
    read->done = done;
    snprintf(read->key, sizeof read->key, "%s", key);
    if (share_name(read->answer, share, SHARE_ANSWER, key) &&
        share_name(read->policy, share, SHARE_POLICY, domain == NULL ? key : domain) &&
        share_name(read->word, share, SHARE_WORD, key)) {
        const char *const words[] = {"MGET", read->answer, read->policy, read->word};

        error = valkey_send(share->commands, &read->request, 4, words, NULL, on_values, read);
    }
    return share_read_begin(out, read, error);
}

int share_find_probe(struct store_read **out, struct share *share, const char *identity,
                     store_on_found done, void *context)
{
    struct share_read *read = share->ready ? share_read_new(share, context) : NULL;
    int error = UV_EINVAL;

    if (read == NULL)
        return share->ready ? UV_ENOMEM : UV_ENOTCONN;
    read->done = done;
    if (share_name(read->answer, share, SHARE_PROBE, identity) &&
        share_name_word(read->word, share, RECORD_PROBE, identity)) {
        const char *const words[] = {"MGET", read->answer, read->word};

        error = valkey_send(share->commands, &read->request, 3, words, NULL, on_probe, read);
    }
    return share_read_begin(out, read, error);
}

void share_find_cancel(struct store_read *read)
{
    struct share_read *own = (struct share_read *)(void *)read;

    share_read_take_off(own);
    free(own);
}

void share_finds_close(struct share *share)
{
    while (!list_empty(&share->reads))
        share_find_cancel(&LIST_ELEMENT(share->reads.next, struct share_read, link)->read);
}
