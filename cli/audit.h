/* audit: what `mxcrypt audit` works with, from the options to the pages. */
#pragma once

#include "audit/progress.h"
#include "audit/remarks.h"
#include "audit/source/source.h"
#include "audit/suggest.h"
#include "audit/tally.h"
#include "audit/tlsrpt/sessions.h"
#include "audit/track.h"
#include "cli/cli.h"
#include "cli/postfix/postfix_log.h"

struct audit {
    struct cli *cli;
    struct arena *arena; /* owned, as all below */
    struct postfix_log log;
    struct track_options options;
    struct tally *tally;
    struct track *track;
    struct source *source;
    struct stamp_reader stamps;
    struct line_heads heads;
    struct remarks_reading reading;
    struct progress progress;
    int64_t now; /* seconds since 1970 */
    size_t top;
    long rollout;        /* percent; -1: not given */
    struct rules *rules; /* in force, for suggestions; NULL: none */
    struct suggest_options suggest;
    struct sessions *sessions; /* --tlsrpt; NULL: not given */
    int64_t first_at, last_at; /* of the stamps of the log: seconds since 1970; 0: none */
};

/* Takes one line of the log. */
void audit_take(struct audit *audit, const struct source_line *line);
/* audit_follow.c: reads on as the log grows, and prints what TLS makes fail, until a signal comes.
 * The exit status. */
int audit_follow(struct audit *audit);
/* audit_follow.c: on_event of struct track_options; `context` is the struct audit. */
void audit_tell(void *context, const struct track_event *event);
/* tlsrpt_write.c: what --tlsrpt asks of the reading of the log. False after a message. */
bool audit_tlsrpt_options(struct audit *audit);
/* tlsrpt_write.c: writes the reports, when the log was read. The exit status. */
int audit_tlsrpt(struct audit *audit);
