/*
 * submit: where TLSRPT reports go (RFC 8460 §3) and posting them (§5.4), for the command: each call
 * waits for its end, on a loop of its own. Addresses are those that policy fetches may use: public
 * ones, and allow-address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "probe/options.h"
#include "probe/tlsrpt/tlsrpt.h"

#define SUBMIT_LOOKUPS_MAX 32               /* at once */
#define SUBMIT_BUDGET_MS   (15 * 60 * 1000) /* what the commands spend on lookups */
#define SUBMIT_WHY_MAX     240

struct submit;

/* `options` is borrowed until submit_close. NULL after *why (static) was set. */
struct submit *submit_open(const struct prober_options *options, const char **why);
/* NULL is allowed. */
void submit_close(struct submit *submit);

/* Looks up the TLSRPT records of many domains; `take` is called with each, in no order; `record` is
 * valid during the call. After `budget_ms` no more are asked: the rest are TLSRPT_ERROR. False without
 * memory: some were not asked then. */
typedef void submit_taker(void *context, size_t index, const struct tlsrpt *record);
bool submit_records(struct submit *submit, const char *const *domains, size_t count,
                    int64_t budget_ms, submit_taker *take, void *context);

struct submit_post {
    const char *host; /* lower case */
    const char *path; /* begins with "/" */
    const void *data;
    size_t length;
};
/* Posts a report. False with why, in printable ASCII; *silent is set when the host did not answer at
 * all. */
bool submit_post(struct submit *submit, const struct submit_post *post, char why[SUBMIT_WHY_MAX],
                 bool *silent);
