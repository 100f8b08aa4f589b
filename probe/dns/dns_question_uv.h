/*
 * dns_question_uv: one DNS lookup of a sequence. It always ends with an answer: a question that
 * could not be asked, or was given up, gets a failed answer with the reason in words.
 */
#pragma once

#include "probe/dns/dns_uv.h"

/* What the questions of a sequence share. */
struct dns_asker {
    struct dns *dns; /* borrowed, as the next two */
    struct arena *arena;
    unsigned *budget;              /* lookups that are left; at 0 they fail */
    void (*answered)(void *owner); /* an answer has come */
    void *owner;
};

struct dns_question {
    const struct dns_asker *asker;   /* borrowed */
    struct dns_query *query;         /* NULL when none is under way */
    const struct dns_answer *answer; /* NULL before it is there; the arena's, or static */
    bool unasked;                    /* `answer` does not come from a resolver */
};

/* Asks. `answered` is called later, unless dns_question_awaited is false right away. A NULL `name`
 * counts as lack of memory. */
void dns_question_ask(struct dns_question *question, const struct dns_asker *asker,
                      const char *name, enum dns_type type);
/* Asks unless that was done; true while the answer is awaited. */
bool dns_question_once(struct dns_question *question, const struct dns_asker *asker,
                       const char *name, enum dns_type type);
/* True while the answer is awaited; when `expired`, the question is given up instead. */
bool dns_question_awaited(struct dns_question *question, bool expired);
/* Gives it up: `answered` is not called. */
void dns_question_stop(struct dns_question *question);
