/*
 * share_history_uv: the history of a key, as all relays have seen it: a list of the last events.
 * Only the relay that found something out adds it; the others have it from there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/share/share_internal.h"

#define LAST_PLACE "19"
_Static_assert(STORE_EVENTS == 20, "LAST_PLACE");
#define EVENTS_ARENA_MAX 262144

/* KEYS: the list. ARGV: the event, the last place of the list, its life in ms. */
static const char script[] =
    "local r=redis.pcall('LPUSH',KEYS[1],ARGV[1])\n"
    "if type(r)=='table' and r.err then\n"
    "redis.call('DEL',KEYS[1]) redis.call('LPUSH',KEYS[1],ARGV[1]) end\n" /* it is no list */
    "redis.call('LTRIM',KEYS[1],0,ARGV[2])\n"
    "return redis.call('PEXPIRE',KEYS[1],ARGV[3])";

void share_put_event(struct share *share, const struct record *record)
{
    struct record event = *record;
    char name[SHARE_NAME_MAX], *text = NULL, *value = NULL;
    struct log_number life;
    size_t length;

    if (!share->ready || !share_name(name, share, SHARE_HISTORY, record->event.key))
        return;
    share_record_to_share(share, &event);
    text = share_record_write(&event);
    value = share_seal(share, name, text, &length);
    if (value != NULL) {
        const char *const words[] = {
            "EVAL", script, "1", name, value, LAST_PLACE, log_number(&life, SHARE_KEEP_MS)};

        (void)valkey_send(share->commands, NULL, 7, words, NULL, NULL, NULL);
    }
    free(text);
    free(value);
}

/* ---- reading ---- */

/* The event of one value of the list; NULL for what counts for nothing. */
static const struct record *read_event(const struct share_read *read, struct arena *arena,
                                       const struct valkey_reply *value)
{
    struct record *record =
        share_read_record(read->share, arena, read->answer, value, RECORD_EVENT);

    if (record == NULL || strcmp(record->event.key, read->key) != 0)
        return NULL;
    share_record_to_own(read->share, record);
    return record;
}

/* The newest are first in the reply, and last in a page. */
static void on_events(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share_read *read = request->context;
    struct record events[STORE_EVENTS];
    struct store_page page = {.records = events};
    struct arena *arena = arena_new(EVENTS_ARENA_MAX);
    size_t count = valkey_count(reply) < STORE_EVENTS ? valkey_count(reply) : STORE_EVENTS;

    share_read_take_off(read);
    if (reply == NULL || valkey_type(reply) == VALKEY_ERROR || arena == NULL)
        page.error = "the share does not answer";
    while (page.error == NULL && count-- > 0) {
        const struct record *event = read_event(read, arena, valkey_at(reply, count));

        if (event != NULL)
            events[page.count++] = *event;
    }
    read->listed(read->context, &page);
    arena_free(arena);
    free(read);
}

int share_list_events(struct store_read **out, struct share *share, const char *key,
                      store_on_page done, void *context)
{
    struct share_read *read = share->ready ? share_read_new(share, context) : NULL;
    int error = UV_EINVAL;

    if (read == NULL)
        return share->ready ? UV_ENOMEM : UV_ENOTCONN;
    read->listed = done;
    snprintf(read->key, sizeof read->key, "%s", key);
    if (share_name(read->answer, share, SHARE_HISTORY, key)) {
        const char *const words[] = {"LRANGE", read->answer, "0", LAST_PLACE};

        error = valkey_send(share->commands, &read->request, 4, words, NULL, on_events, read);
    }
    return share_read_begin(out, read, error);
}
