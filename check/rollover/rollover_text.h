/*
 * rollover_text: what a step, or a look at the status, has to say, for people and for programs; the
 * schema of the latter is docs/rollover.schema.json.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "check/rollover/rollover.h"

struct rollover_page {
    const struct rollover *rollover;      /* NULL: there is none */
    const struct rollover_sight *sights;  /* of each host; NULL: nobody looked */
    const struct rollover_advice *advice; /* not NULL where `sights` is not */
    int exit;                             /* status of the command */
    int64_t now;                          /* seconds since 1970 */
};

/* What is needed now, as far as it is known without a look too. */
enum rollover_need rollover_page_need(const struct rollover_page *page);

/* Lines of "word: value"; all but the last ones may be there several times. */
void rollover_text(struct buf *out, const struct rollover_page *page);
/* A new reference; NULL without memory. */
json_t *rollover_json(const struct rollover_page *page);
