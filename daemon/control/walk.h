/*
 * walk: goes through very much for one command, in shares of the loop, and sends what it lists in
 * parts: the next part is sent when the client has the one before. So a walk takes little memory
 * however long its list is, and a client that reads slowly delays only its own walk.
 *
 * Most kinds visit every entry of the cache. An entry that stays is visited exactly once; one that
 * is renewed, added or removed meanwhile at most once. The rules are the same from the first entry
 * to the last: when they change, the walk ends with a refusal. A kind with `advance` goes through
 * something else, and may wait.
 */
#pragma once

#include "daemon/control/command.h"
#include "daemon/loop/shares.h"

/* Walks at once. One may hold 35 MiB about what each rule does, or a file of rules to be
 * checked: 16 MiB, and the rules read from it. */
#define WALKS_MAX 8
/* Octets of a part, not counting the line that passes them. */
#define WALK_PART_OCTETS 8192

/* All walks that are under way. */
struct walks {
    uv_loop_t *loop;
    struct shares *shares; /* owned; NULL when there was no memory */
    unsigned count;
};

void walks_init(struct walks *walks, uv_loop_t *loop);
/* After the last walk has ended. */
void walks_close(struct walks *walks);

/* An entry that counts: it is current, and a lookup made it. */
struct walk_view {
    const struct cache_entry *entry;
    struct key key;
    struct override override;
    struct reply reply;
};

enum walk_state {
    WALK_MORE, /* there is more to do now */
    WALK_WAIT, /* until walk_wake */
    WALK_DONE  /* only the totals are left to be sent */
};

struct walk_kind {
    size_t size; /* of the struct that begins with the walk */
    /* Counts an entry; calls walk_say for what is to be listed. */
    void (*take)(struct walk *walk, const struct walk_view *view);
    /* In place of `take`, for what is not in the cache: a small piece of the work. What was said
     * is sent before it waits. */
    enum walk_state (*advance)(struct walk *walk);
    /* NULL; or, after the last entry, lists one more line; false when there is none. */
    bool (*list)(struct walk *walk);
    /* NULL; or the object that ends the answer, without the lines; NULL without memory. */
    json_t *(*totals)(struct walk *walk);
    /* NULL; or frees what the kind owns. */
    void (*fini)(struct walk *walk);
};

struct walk {
    const struct walk_kind *kind;
    struct command *command;
    struct engine *engine;
    struct share_task task;
    struct map_walk place;
    bool all_met, failed; /* failed: no memory */
    bool sending;         /* until the client has the part */
    unsigned generation;  /* of the rules */
    json_t *lines;
    size_t octets;       /* of `lines` */
    struct arena *arena; /* for the evidence of one entry */
};

/* Makes a walk of a kind for the command, in place of the one it may have. The rest of its
 * struct is zero. NULL after a refusal. */
struct walk *walk_new(struct command *command, const struct walk_kind *kind);
/* Begins the walk; the command is answered later. */
void walk_start(struct walk *walk);
/* The client has the part that was sent last. */
void walk_go_on(struct walk *walk);
/* What a walk has waited for is there; harmless when it does not wait. Not from its own step. */
void walk_wake(struct walk *walk);
/* Ends it with a refusal. */
void walk_refuse(struct walk *walk, const char *why);
/* Ends the command's walk, if it has one, without an answer. */
void walk_cancel(struct command *command);

/* Lists a line (a reference taken; NULL: no memory). */
void walk_say(struct walk *walk, json_t *take_line);

/* The evidence of an entry, until the next; NULL without memory. */
const struct evidence *walk_evidence(struct walk *walk, const struct cache_entry *entry);
/* "OK encrypt", "NOTFOUND", "TEMP reason"; too long ones are not shown. NULL without memory. */
json_t *walk_answer(const struct reply *reply);
/* True when Postfix is given the same answer. */
bool walk_same_answer(const struct reply *one, const struct reply *other);
