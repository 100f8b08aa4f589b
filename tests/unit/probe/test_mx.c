/* mx: docs/conformance.md E-1 to E-3, F-1, F-5 to F-8, F-10, B-19, B-32 as tables. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/mx.h"

struct row {
    const char *name;
    const char *hosts; /* "10 a.example,20 b.example" */
    enum mx_state want;
    const char *list; /* what is left, in order */
};

static const struct row rows[] = {
    {"one", "10 mx.example", MX_LISTED, "mx.example"},
    {"sorted by preference, then name", "20 c.example,10 b.example,10 a.example", MX_LISTED,
     "a.example b.example c.example"},
    {"F-5 doubles once, best preference", "30 a.example,10 b.example,5 a.example", MX_LISTED,
     "a.example b.example"},
    {"F-6 underscores are tolerated", "10 mx_1.example", MX_LISTED, "mx_1.example"},
    {"F-6 invalid names are passed over", "10 a\\032b.example,20 ok.example", MX_LISTED,
     "ok.example"},
    {"E-1 null MX", "0 .", MX_NULL, ""},
    {"E-2 null MX with a preference", "10 .", MX_NULL, ""},
    {"E-3 a root beside a real one", "0 .,10 mx.example", MX_LISTED, "mx.example"},
    {"B-32 a numeric name", "10 192.0.2.1", MX_UNUSABLE, ""},
    {"F-8 nothing valid", "10 -a-.example", MX_UNUSABLE, ""},
};

/* Fills `answer` from "preference name,..." kept in `text`. */
static void answer_from(struct dns_answer *answer, struct dns_record *records, char *text)
{
    *answer = (struct dns_answer){.outcome = DNS_RECORDS,
                                  .secure = true,
                                  .ttl = 300,
                                  .owner = "d.example",
                                  .records = records};
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        char *blank = strchr(part, ' ');

        records[answer->count].preference = (uint16_t)atoi(part);
        records[answer->count++].name = blank + 1;
    }
}

static void lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena *arena = arena_new(1 << 20);
        struct evidence evidence = {.domain = "d.example"};
        struct dns_record records[8] = {{0}};
        struct dns_answer answer;
        char text[256], list[256] = "";

        snprintf(text, sizeof text, "%s", rows[i].hosts);
        answer_from(&answer, records, text);
        mx_read(&evidence, arena, &answer);
        for (size_t k = 0; k < evidence.host_count; k++)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", k > 0 ? " " : "",
                     evidence.hosts[k].name);
        if (evidence.mx != rows[i].want || strcmp(list, rows[i].list) != 0)
            fail_msg("%s: state %d, hosts '%s'", rows[i].name, evidence.mx, list);
        assert_true(evidence.mx_secure);
        arena_free(arena);
    }
}

static void absences(void **state)
{
    static const struct {
        enum dns_outcome outcome;
        enum mx_state want;
        size_t hosts;
    } table[] = {
        {DNS_NODATA, MX_IMPLICIT, 1},
        {DNS_NXDOMAIN, MX_NXDOMAIN, 0},
        {DNS_FAILED, MX_ERROR, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct arena *arena = arena_new(1 << 20);
        struct evidence evidence = {.domain = "d.example"};
        struct dns_answer answer = {
            .outcome = table[i].outcome, .owner = "d.example", .why = "SERVFAIL"};

        mx_read(&evidence, arena, &answer);
        assert_int_equal(evidence.mx, table[i].want);
        assert_int_equal(evidence.host_count, table[i].hosts);
        arena_free(arena);
    }
}

/* F-10: of `count` hosts, how many are examined, and is it said that some were not? */
static void check_limit(size_t count)
{
    struct arena *arena = arena_new(1 << 20);
    struct evidence evidence = {.domain = "d.example"};
    struct dns_record *records = calloc(count, sizeof *records);
    struct dns_answer answer = {
        .outcome = DNS_RECORDS, .owner = "d.example", .records = records, .count = count};
    char(*names)[32] = calloc(count, sizeof *names);

    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "mx%zu.example", i);
        records[i].name = names[i];
    }
    mx_read(&evidence, arena, &answer);
    assert_int_equal(evidence.host_count, count < EVIDENCE_MX_MAX ? count : EVIDENCE_MX_MAX);
    assert_int_equal(evidence.mx_truncated, count > EVIDENCE_MX_MAX);
    arena_free(arena);
    free(records);
    free(names);
}

static void limits(void **state)
{
    (void)state;
    check_limit(EVIDENCE_MX_MAX - 1);
    check_limit(EVIDENCE_MX_MAX);
    check_limit(EVIDENCE_MX_MAX + 1);
    check_limit(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(absences),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests_name("mx", tests, NULL, NULL);
}
