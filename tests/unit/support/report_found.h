/* report_found: a report of what was found out, without rules, and what it says. */
#pragma once

#include <string.h>

#include "policy/report/report.h"
#include "tests/unit/support/evidence_make.h"

static inline json_t *report_found(const struct key *key, const struct verdict *verdict,
                                   const struct evidence *evidence, int64_t now)
{
    static const struct override none;
    const struct final_answer as_found = {.kind = FINAL_FOUND, .level = verdict->level};

    return report_explain(&(struct report_facts){key, verdict, &none, &as_found, evidence, now});
}

static inline const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* Whether one of the sentences has the text in it. */
static inline bool said(const json_t *sentences, const char *text)
{
    const json_t *sentence;
    size_t i;

    json_array_foreach(sentences, i, sentence)
    {
        if (strstr(json_string_value(sentence), text) != NULL)
            return true;
    }
    return false;
}

/* What is decided of the evidence, without anything remembered, and said of it. */
static inline json_t *report_of(const char *text, struct made *made,
                                const struct verdict_options *options)
{
    struct verdict verdict;
    struct key key;

    key_parse(&key, text, strlen(text), 25);
    verdict_decide(&verdict, &made->evidence, NULL, options, MAKE_NOW);
    return report_found(&key, &verdict, &made->evidence, MAKE_NOW);
}
