/* judge_rows: a sound domain is spoilt in one way, and the findings that come of it are compared. */
#pragma once

#include "tests/unit/support/rows.h"

#include "base/ascii.h"
#include "check/judge.h"
#include "tests/unit/check/facts_make.h"

#define ARENA_OCTETS (4u << 20)
#define SPOIL(name)  static void name(struct made *made)

struct judge_row {
    const char *name;
    void (*spoil)(struct made *made);
    /* A line for each finding, in their order: "critical mx-lookup-failed", or with a place
     * "notice reverse-name mx1.example.org [9.9.9.1]" */
    const char *want;
};

static struct check_report judge_report;
static struct arena *judge_arena;

static inline const char *judge_lines(const struct check_facts *facts)
{
    const char *all = "";

    arena_free(judge_arena);
    judge_arena = arena_new(ARENA_OCTETS);
    judge_report.arena = judge_arena;
    check_judge(&judge_report, facts);
    for (size_t i = 0; i < judge_report.count; i++) {
        const struct check_finding *finding = &judge_report.findings[i];

        assert_true(ascii_is_printable(finding->evidence) && finding->evidence[0] != '\0');
        assert_true(ascii_is_printable(finding->fix) && finding->fix[0] != '\0');
        assert_true(ascii_is_printable(finding->where));
        all = arena_printf(judge_arena, "%s%s%s %s%s%s", all, i > 0 ? "\n" : "",
                           check_severity_name(finding->severity), check_kinds[finding->code].code,
                           finding->where[0] != '\0' ? " " : "", finding->where);
    }
    assert_false(arena_failed(judge_arena));
    return all;
}

static inline void judge_test(void **state)
{
    const struct judge_row *row = *state;
    struct made *made = facts_make();

    row->spoil(made);
    assert_string_equal(judge_lines(&made->facts), row->want);
}

/* The finding with that code; the test fails without it. */
static inline const struct check_finding *judge_finding(const char *code)
{
    for (size_t i = 0; i < judge_report.count; i++)
        if (strcmp(check_kinds[judge_report.findings[i].code].code, code) == 0)
            return &judge_report.findings[i];
    fail_msg("no %s", code);
    return NULL;
}

/* Every code has a row that brings it. */
static inline void judge_covered(const char *const *codes, size_t code_count,
                                 const struct judge_row *rows, size_t row_count)
{
    for (size_t i = 0; i < code_count; i++) {
        bool found = false;

        for (size_t k = 0; k < row_count && !found; k++)
            found = strstr(rows[k].want, codes[i]) != NULL;
        if (!found)
            fail_msg("no row has %s", codes[i]);
    }
}

#define JUDGE_CODE(word, code, severity, rfc, text) code,
