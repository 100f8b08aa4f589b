/* page_facts: what several pages say, worked out once. Pure, but for the local time zone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "audit/page/page.h"
#include "base/page/page_figures.h"

/* ---- names; each writes to `out` and returns it ---- */

/* The name of a domain or host: "(others)" for the first element. */
const char *page_domain(char out[PAGE_TEXT_MAX], const struct tally *tally, uint32_t index);
const char *page_host(char out[PAGE_TEXT_MAX], const struct tally *tally, uint32_t index);
#define PAGE_OTHERS "(others)"

/* What becomes of mail, by the name of a forecast: "flows", "waits", "comes back", "may flow
 * or not". */
const char *page_forecast(char out[PAGE_TEXT_MAX], const char *name);

/* ---- sums ---- */

/* Deliveries of all statuses. */
uint64_t page_deliveries(const uint32_t statuses[TALLY_STATUS_COUNT]);
/* Deliveries that were encrypted, at any level. */
uint64_t page_encrypted(const uint32_t levels[TALLY_LEVEL_COUNT]);
/* The messages of all verdicts, of which `page_percent` tells shares: one to several domains counts
 * for each of them. */
uint64_t page_judged_messages(const struct judged *judged);
/* Domains with anything counted, without the first element. */
uint64_t page_domain_count(const struct tally *tally);

/* All troubles together. */
struct page_waits {
    uint64_t recipients, sent, gave_up, deleted, waiting; /* recipients is the sum of the others */
    uint64_t waited_s, mean_s, longest_s; /* of those that do not wait any more; in all first */
};
void page_waits(struct page_waits *out, const struct tally *tally);
/* Recipients of one that wait still. */
uint32_t page_still_waiting(const struct tally_trouble *trouble);
/* What became of the recipients of a trouble that waited, and how long that took; "" of none. */
const char *page_outcome(char out[PAGE_TEXT_MAX], const struct tally_trouble *trouble);

/* Days joined, so that there are not too many. */
struct page_span {
    int64_t from;  /* seconds since 1970 */
    unsigned days; /* that it stands for */
    uint32_t statuses[TALLY_STATUS_COUNT], levels[TALLY_LEVEL_COUNT];
    uint32_t tls_deferred, tls_bounced;
};
#define PAGE_SPANS_MAX 100
/* At most `max` (at most PAGE_SPANS_MAX) spans of 1, 7, 28, 91 or more days, from the first day to
 * the last, with those in which there was nothing. Gives their number. */
size_t page_spans(struct page_span *out, size_t max, const struct tally *tally);

/* ---- the three questions that a page answers first ---- */

struct page_answers {
    char clear[PAGE_TEXT_MAX];    /* how much mail went in clear, and to whom */
    char waits[PAGE_TEXT_MAX];    /* did mail wait because of TLS */
    char enforced[PAGE_TEXT_MAX]; /* would it, were another setting in force */
};
/* Sentences of printable ASCII. */
void page_answer(struct page_answers *out, const struct page *page);
/* How many changes of another setting stop mail. */
size_t page_stopped(const struct judged_what_if *what_if);
/* The number of rows of a list. */
size_t page_rows(const struct page *page, size_t there);
