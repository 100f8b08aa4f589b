/* list_draft: see list_draft.h. */
#include "cli/list/list_draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "policy/list/policy_list_write.h"

#define STRINGS_OCTETS_MAX ((size_t)1 << 30)
#define REPORT_OCTETS_MAX  ((size_t)1 << 30)
#define FIRST_SIZE         1000
#define NAME_SHOWN         1024
#define SHOWN_MAX          20 /* lines of a report on standard error */

/* ---- the list ---- */

bool list_draft_init(struct list_draft *draft)
{
    *draft = (struct list_draft){.strings = arena_new(STRINGS_OCTETS_MAX)};
    return draft->strings != NULL;
}

void list_draft_fini(struct list_draft *draft)
{
    arena_free(draft->strings);
    free(draft->entries);
}

static bool make_room(struct list_draft *draft)
{
    size_t size = draft->size == 0 ? FIRST_SIZE : 2 * draft->size;
    struct policy_list_entry *entries;

    if (draft->count < draft->size)
        return true;
    entries = realloc(draft->entries, size * sizeof *entries);
    if (entries == NULL)
        return false;
    draft->entries = entries;
    draft->size = size;
    return true;
}

/* The octets of the hosts, each with its NUL. */
static size_t hosts_length(const struct policy_list_entry *entry)
{
    const char *mx = entry->mx;

    for (size_t i = 0; i < entry->mx_count; i++)
        mx += strlen(mx) + 1;
    return (size_t)(mx - entry->mx);
}

bool list_draft_add(struct list_draft *draft, const struct policy_list_entry *entry)
{
    struct policy_list_entry *own;

    if (!make_room(draft))
        return false;
    own = &draft->entries[draft->count++];
    *own = *entry;
    own->domain = arena_strdup(draft->strings, entry->domain);
    own->alias = arena_strdup(draft->strings, entry->alias);
    own->mx = arena_memdup(draft->strings, entry->mx, hosts_length(entry));
    return !arena_failed(draft->strings);
}

int list_draft_write(struct list_draft *draft, const struct policy_list_header *header,
                     const char *path)
{
    char error[POLICY_LIST_ERROR_MAX];
    struct policy_list *again = NULL;
    int status = CLI_INTERNAL;
    struct buf text;

    buf_init(&text, POLICY_LIST_TEXT_MAX);
    policy_list_write(&text, header, draft->entries, draft->count);
    if (text.failed)
        fputs("mxcrypt: no memory, or the list would be too long\n", stderr);
    else if (policy_list_read(&again, text.data, text.length, error) != 0)
        fprintf(stderr, "mxcrypt: no list could be made: %s\n", error);
    else
        status = list_replace(path, &text);
    policy_list_free(again);
    buf_fini(&text);
    return status;
}

/* ---- the report ---- */

void list_report_begin(struct list_report *report, const char *path)
{
    *report = (struct list_report){.path = path};
    buf_init(&report->text, REPORT_OCTETS_MAX);
}

void list_report_add(struct list_report *report, const char *domain, const char *word,
                     const char *sentence)
{
    char shown[NAME_SHOWN]; /* a results file may have anything for a name */

    escape_bytes(shown, sizeof shown, domain, strlen(domain));
    if (report->path != NULL)
        buf_addf(&report->text, "%s\t%s\t%s\n", shown, word, sentence);
    if (report->lines++ < SHOWN_MAX)
        fprintf(stderr, "%s: %s: %s\n", shown, word, sentence);
}

int list_report_end(struct list_report *report)
{
    int status = CLI_OK;

    if (report->lines > SHOWN_MAX)
        fprintf(stderr, "and %zu more%s%s\n", report->lines - SHOWN_MAX,
                report->path == NULL ? ": --report FILE has them all" : ": ",
                report->path == NULL ? "" : report->path);
    if (report->path != NULL) {
        if (report->text.data == NULL) /* a file without a line */
            buf_adds(&report->text, "");
        status = list_replace(report->path, &report->text);
    }
    buf_fini(&report->text);
    return status;
}
