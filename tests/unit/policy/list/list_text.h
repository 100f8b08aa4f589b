/* list_text: texts of policy lists for tests, with ' in the place of ". */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/list/policy_list.h"

#define LIST_TIMES    "'timestamp':'2026-11-28T00:00:00Z','expires':'2026-12-28T00:00:00Z'"
#define LIST_TOP      LIST_TIMES ",'version':'0.1'"
#define LIST_POLICIES "'policies':{}"
#define LIST_ALIASES  "'policy-aliases':{}"
/* A list with these policies and aliases. */
#define LIST_OF(policies, aliases)                                                                 \
    "{" LIST_TOP ",'policies':{" policies "},'policy-aliases':{" aliases "}}"

/* The text with its quotation marks; for the caller to free. */
static inline char *list_text(const char *marked)
{
    char *text = strdup(marked);

    assert_non_null(text);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return text;
}

/* The list of a text; for the caller to free. */
static inline struct policy_list *list_of(const char *marked)
{
    char *text = list_text(marked), error[POLICY_LIST_ERROR_MAX] = "";
    struct policy_list *list;

    if (policy_list_read(&list, text, strlen(text), error) != 0)
        fail_msg("%.200s: %s", text, error);
    free(text);
    return list;
}

/* "enforce a.example *.b.example" of an entry, and "(name)" when it has an alias. */
static inline const char *list_said(char *out, size_t size, const struct policy_list_entry *entry)
{
    int used = snprintf(out, size, "%s", entry->mode == LIST_ENFORCE ? "enforce" : "testing");
    const char *host = entry->mx;

    for (size_t i = 0; i < entry->mx_count; i++, host += strlen(host) + 1)
        used += snprintf(out + used, size - (size_t)used, " %s", host);
    if (entry->alias != NULL)
        snprintf(out + used, size - (size_t)used, " (%s)", entry->alias);
    return out;
}
