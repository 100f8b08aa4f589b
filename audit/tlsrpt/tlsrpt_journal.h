/*
 * tlsrpt_journal: what became of the reports of a directory, one line for each attempt to send one to
 * an address, and one without an address for a report that is done with, or whose addresses could not
 * be looked up:
 *
 *   SECONDS-SINCE-1970 sent|failed|given-up FILE[ ADDRESS]
 *
 * A line that is not of this form, a half one at the end too, says nothing. Pure; the file is
 * cli/tlsrpt's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/tlsrpt/tlsrpt_file.h"
#include "audit/tlsrpt/tlsrpt_rua.h"

#define TLSRPT_LINE_MAX (TLSRPT_NAME_MAX + TLSRPT_URI_MAX + 40) /* octets */
#define TLSRPT_JOURNAL_MAX                                                                         \
    ((size_t)512 * 1024 * 1024)             /* octets: a day of failures at 10000 reports */
#define TLSRPT_RETRY_FIRST_S (10 * 60)      /* to the second attempt; twice as long to each next */
#define TLSRPT_RETRY_END_S   (24 * 60 * 60) /* RFC 8460 §5.5: no attempt later than that */

enum tlsrpt_attempt_result { TLSRPT_FAILED, TLSRPT_SENT, TLSRPT_GIVEN_UP };

/* A report and an address of its domain, as it stands in the record; empty: the report itself. */
struct tlsrpt_delivery {
    const char *name;
    struct span uri;
};

/* What is known of one. All zero: nothing. */
struct tlsrpt_attempts {
    unsigned failed;      /* how often */
    int64_t first_failed; /* seconds since 1970 */
    int64_t last_at;      /* of any attempt */
    bool over;            /* sent, or given up */
    bool sent;
};

struct tlsrpt_journal;

/* NULL without memory. */
struct tlsrpt_journal *tlsrpt_journal_new(void);
void tlsrpt_journal_free(struct tlsrpt_journal *journal);
/* Takes the text of the file. False without memory. */
bool tlsrpt_journal_read(struct tlsrpt_journal *journal, const char *text, size_t length);
/* Appends those lines of the text, which `journal` has read, whose file is wanted and, of a report that
 * is done with, those alone that say so; what makes no sense is left out. */
typedef bool tlsrpt_wanted(void *context, const char *name);
void tlsrpt_journal_prune(struct buf *out, const struct tlsrpt_journal *journal, const char *text,
                          size_t length, tlsrpt_wanted *wanted, void *context);
/* Notes an attempt. False without memory. */
bool tlsrpt_journal_note(struct tlsrpt_journal *journal, struct tlsrpt_delivery delivery,
                         int64_t at, enum tlsrpt_attempt_result result);
struct tlsrpt_attempts tlsrpt_journal_find(const struct tlsrpt_journal *journal,
                                           struct tlsrpt_delivery delivery);
/* Appends the line for an attempt. */
void tlsrpt_journal_line(struct buf *out, struct tlsrpt_delivery delivery, int64_t at,
                         enum tlsrpt_attempt_result result);

/* When it is to be tried next: seconds since 1970; 0: at once. */
int64_t tlsrpt_next_attempt(const struct tlsrpt_attempts *attempts);
/* Whether no attempt may be made any more after one that failed at `at`. */
bool tlsrpt_is_last_attempt(const struct tlsrpt_attempts *attempts, int64_t at);
