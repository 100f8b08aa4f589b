/*
 * commands_verdicts: `verdicts`: what is found of many keys, and what Postfix is told; see
 * command.h and policy/report/report_verdict.c. The keys are asked for one after the other, as many
 * at once as may wait, and each line is made when its lookup has ended.
 */
#include <string.h>

#include "base/clock.h"
#include "daemon/control/walk.h"
#include "policy/report/report.h"

/* All walks together wait for so many of the lookups that may run. */
#define SHARE_OF_JOBS WALKS_MAX

/* A key that is waited for. */
struct asked_key {
    struct waiter waiter;
    struct verdicts_walk *own;
    size_t index; /* in `keys` */
    bool waiting;
};

struct verdicts_walk {
    struct walk walk;
    const json_t *keys; /* the request's */
    int rollout;        /* as in report_settings */
    size_t next;        /* the key to be asked for */
    size_t waiting, waiting_max;
    struct asked_key asked[VERDICTS_WAITING_MAX];
};

static const char *key_at(const struct verdicts_walk *own, size_t index)
{
    return json_string_value(json_array_get(own->keys, index));
}

static void say_verdict(struct verdicts_walk *own, size_t index, const struct reply *reply)
{
    const struct ruleset *ruleset = own->walk.engine->ruleset;
    const struct verdict verdict = cache_entry_verdict(reply->entry);
    const struct report_settings settings = {.rules = ruleset->rules,
                                             .options = ruleset->options,
                                             .rollout = own->rollout,
                                             .now_s = clock_wall_s()};
    const char *text = key_at(own, index);
    struct key key;

    key_parse(&key, text, strlen(text), own->walk.engine->tools.smtp_port);
    walk_say(&own->walk, report_verdict(text, &key, &verdict,
                                        walk_evidence(&own->walk, reply->entry), &settings));
}

static void on_key(struct waiter *waiter, const struct reply *reply)
{
    struct asked_key *asked = LIST_ELEMENT(waiter, struct asked_key, waiter);
    struct verdicts_walk *own = asked->own;

    asked->waiting = false;
    own->waiting--;
    say_verdict(own, asked->index, reply);
    walk_wake(&own->walk);
}

/* A place to wait; there is one. */
static struct asked_key *free_place(struct verdicts_walk *own)
{
    size_t i = 0;

    while (own->asked[i].waiting)
        i++;
    return &own->asked[i];
}

static void ask_next(struct verdicts_walk *own)
{
    struct asked_key *asked = free_place(own);
    const char *text = key_at(own, own->next);
    struct reply reply;

    asked->index = own->next++;
    if (engine_ask(own->walk.engine, (struct span){text, strlen(text)}, clock_monotonic_ms(),
                   &asked->waiter, &reply) == ASKED_ANSWERED) {
        say_verdict(own, asked->index, &reply);
    } else {
        asked->waiting = true;
        own->waiting++;
    }
}

static enum walk_state verdicts_advance(struct walk *walk)
{
    struct verdicts_walk *own = LIST_ELEMENT(walk, struct verdicts_walk, walk);
    bool all_asked = own->next == json_array_size(own->keys);

    if (all_asked && own->waiting == 0)
        return WALK_DONE;
    if (all_asked || own->waiting == own->waiting_max)
        return WALK_WAIT;
    ask_next(own);
    return WALK_MORE;
}

static json_t *verdicts_totals(struct walk *walk)
{
    const struct override_options *options = &walk->engine->ruleset->options;

    return json_pack("{s:s, s:i}", "mode", options->monitor ? "monitor" : "enforce", "rollout",
                     (int)options->rollout);
}

static void verdicts_fini(struct walk *walk)
{
    struct verdicts_walk *own = LIST_ELEMENT(walk, struct verdicts_walk, walk);

    for (size_t i = 0; i < VERDICTS_WAITING_MAX; i++)
        if (own->asked[i].waiting)
            jobs_leave(&own->asked[i].waiter);
}

/* What is wrong with the request; NULL for nothing. */
static const char *verdicts_fault(const json_t *request)
{
    const json_t *keys = json_object_get(request, "keys"), *key;
    const json_t *rollout = json_object_get(request, "rollout");
    size_t i;

    if (!json_is_array(keys))
        return "keys are missing";
    if (json_array_size(keys) > VERDICTS_KEYS_MAX)
        return "too many keys";
    json_array_foreach(keys, i, key)
    {
        if (!json_is_string(key))
            return "a key is not a string";
        if (json_string_length(key) > KEY_MAX)
            return "a key is too long";
    }
    if (rollout != NULL && (!json_is_integer(rollout) || json_integer_value(rollout) < 0 ||
                            json_integer_value(rollout) > 100))
        return "rollout must be 0 to 100";
    return NULL;
}

static void verdicts_begin(struct verdicts_walk *own, const json_t *request)
{
    const json_t *rollout = json_object_get(request, "rollout");
    unsigned share = own->walk.engine->config->jobs_max / SHARE_OF_JOBS;

    own->keys = json_object_get(request, "keys");
    own->rollout = rollout == NULL ? -1 : (int)json_integer_value(rollout);
    own->waiting_max = share < VERDICTS_WAITING_MAX ? share : VERDICTS_WAITING_MAX;
    if (own->waiting_max == 0)
        own->waiting_max = 1;
    for (size_t i = 0; i < VERDICTS_WAITING_MAX; i++) {
        own->asked[i].own = own;
        waiter_init(&own->asked[i].waiter, on_key);
        own->asked[i].waiter.wants = WANTS_WHOLE;
    }
}

void command_verdicts(struct command *command)
{
    static const struct walk_kind kind = {
        .size = sizeof(struct verdicts_walk),
        .advance = verdicts_advance,
        .totals = verdicts_totals,
        .fini = verdicts_fini,
    };
    const char *why = verdicts_fault(command->request);
    struct walk *walk;

    if (why != NULL) {
        command_refuse(command, why);
        return;
    }
    walk = walk_new(command, &kind);
    if (walk == NULL)
        return;
    verdicts_begin(LIST_ELEMENT(walk, struct verdicts_walk, walk), command->request);
    walk_start(walk);
}
