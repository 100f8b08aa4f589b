/*
 * look_uv: gathers the facts of a domain on a loop. All questions that do not depend on each other
 * are asked at once, each with a deadline of its own, so that a dead host costs its own deadline and
 * not the sum.
 *
 * An address gets one connection at a time: the attempts with other offers follow the first, and
 * only where that came as far as TLS (the old offer also where the handshake failed).
 */
#pragma once

#include <uv.h>

#include "base/arena.h"
#include "check/facts.h"
#include "probe/prober_uv.h"

struct check_look;

struct check_request {
    struct prober *prober;                 /* borrowed */
    const struct prober_options *options;  /* that it was made with; borrowed */
    const struct verdict_options *verdict; /* borrowed */
    const char *domain;                    /* A-label; borrowed */
    struct arena *arena;                   /* of the facts; borrowed, outlives the look */
    bool enforced;                         /* try MAIL without TLS */
    bool validating;                       /* the resolver validates: dns_check.h */
    bool resolver_fails;                   /* it does not even find the root: failures are ours */
    const char *helo_name;                 /* NULL: the connection's own address; borrowed */
    const struct check_before *before;     /* NULL: nothing is remembered */
};

/* `done` is called once, later, unless check_look_free comes first; facts are the look's arena's,
 * but for chains, which check_look_free releases. */
typedef void check_look_done(void *context, const struct check_facts *facts);
/* 0 or UV_ENOMEM. */
int check_look_start(struct check_look **out, uv_loop_t *loop, const struct check_request *request,
                     check_look_done *done, void *context);
/* At any time; ends what is under way. NULL is allowed. */
void check_look_free(struct check_look *look);
