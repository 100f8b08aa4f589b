/*
 * outage_uv: whether the resolver still answers. A survey lasts for hours; while its resolver is
 * silent, or gone, every lookup fails, and it is not the domain that failed. So the resolver is
 * asked for what it must know, the root's NS, when lookups fail; nothing is looked up until it
 * answers, and a failure counts only when it has answered after it.
 *
 * A resolver that answers, but has lost its way to the world, cannot be told from domains that fail:
 * when OUTAGE_ROW lookups fail one after the other there is a rest, and then a longer one, of
 * OUTAGE_RESTS_MS in all.
 */
#pragma once

#include <uv.h>

#include "probe/dns/dns_uv.h"
#include "survey/unit/unit.h"

#define OUTAGE_ASK_AFTER   8 /* failures in a row, and again */
#define OUTAGE_ROW         64 /* of a thousand lookups some fifty fail, but not one after the other */
#define OUTAGE_AGAIN_MS    1000
#define OUTAGE_MAX_MS      (10 * 60 * 1000) /* then a survey ends; it can be resumed */
#define OUTAGE_REST_MIN_MS 5000
#define OUTAGE_REST_MAX_MS 60000
#define OUTAGE_RESTS_MS    (10 * 60 * 1000)

struct outage_options {
    struct dns *dns; /* borrowed, until outage_close */
    bool secure;     /* its answers must be validated */
    /* A result that was held counts. Borrowed. */
    void (*counts)(void *context, const struct unit_result *result);
    /* Lookups may go on. `lost`: results that were held count for nothing: look them up again. */
    void (*over)(void *context, bool lost);
    void *context;
};

struct outage;
/* NULL without memory. */
struct outage *outage_new(uv_loop_t *loop, const struct outage_options *options);
/* No callback comes any more; it frees itself as the loop runs. NULL is allowed. */
void outage_close(struct outage *outage);

/* A lookup that failed will be repeated, or one did not fail. */
void outage_note(struct outage *outage, bool failed);
/* A lookup failed that will not be repeated: owned, until it counts or is lost. */
void outage_hold(struct outage *outage, struct unit_result *result);
/* Whether nothing may be looked up now; `over` is called at the end. */
bool outage_waits(const struct outage *outage);
/* The same, and if something failed since the resolver answered last it is asked now. */
bool outage_doubts(struct outage *outage);
/* How long it has not answered; 0: it does, as far as is known. */
int64_t outage_ms(const struct outage *outage);
