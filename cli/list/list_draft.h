/* list_draft: a list that is being made, and the report on what does not get into it. */
#pragma once

#include "base/arena.h"
#include "cli/list/list_command.h"
#include "survey/member/member.h"

struct list_draft {
    struct arena *strings; /* owned */
    struct policy_list_entry *entries;
    size_t count, size;
};

/* False without memory; list_draft_fini either way. */
bool list_draft_init(struct list_draft *draft);
void list_draft_fini(struct list_draft *draft);
/* Adds an entry, whose strings are copied. False without memory. */
bool list_draft_add(struct list_draft *draft, const struct policy_list_entry *entry);
/* Replaces the file by the list, which is read again first: what could not be used is not written. The
 * exit status, after a message. */
int list_draft_write(struct list_draft *draft, const struct policy_list_header *header,
                     const char *path);

/* Of each domain that does not qualify, or changes: a line with domain, word, sentence, and tabs
 * between them; the first ones on standard error as well. */
struct list_report {
    struct buf text;
    size_t lines;
    const char *path; /* NULL: there is no file */
};
void list_report_begin(struct list_report *report, const char *path);
void list_report_add(struct list_report *report, const char *domain, const char *word,
                     const char *sentence);
/* Writes the file. The exit status, after a message. */
int list_report_end(struct list_report *report);
