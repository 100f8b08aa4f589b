/* What is kept of a check: written, read back, compared; and files that are none. */
#include "check/watch/state.h"

#include <stdlib.h>

#include "tests/unit/support/rows.h"

#define DOMAIN "example.org"
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD   "{\"format\": 1, \"domain\": \"" DOMAIN "\", \"checked_at\": 5, \"findings\": "

static struct arena *arena;

static void add(struct check_report *report, enum check_code code, const char *where)
{
    report->findings[report->count++] =
        (struct check_finding){.code = code,
                               .severity = check_kinds[code].severity,
                               .where = where,
                               .evidence = "",
                               .fix = ""};
}

/* ---- written and read back ---- */

static void read_back(struct state *out, const struct check_facts *facts,
                      const struct check_report *report, const struct state *before)
{
    struct buf text;

    buf_init(&text, STATE_OCTETS_MAX);
    assert_true(state_write(&text, facts, report, before));
    assert_null(state_read(out, arena, DOMAIN, buf_text(&text), text.length));
    buf_fini(&text);
}

static void it_comes_back(void **state)
{
    static const struct evidence evidence = {.sts = {.id = "20260101"}};
    struct check_report *report = calloc(1, sizeof *report);
    struct check_facts facts = {.domain = DOMAIN,
                                .now_s = 1700000000,
                                .evidence = &evidence,
                                .policy = {.body = "version: STSv1\n", .length = 15}};
    struct state kept, again;

    (void)state;
    add(report, CHECK_FOUND_MX_ALIAS, "mx.example");
    add(report, CHECK_FOUND_NO_POLICY, "");
    read_back(&kept, &facts, report, NULL);
    assert_int_equal(kept.checked_at, 1700000000);
    assert_int_equal(kept.count, 2);
    assert_string_equal(kept.findings[0].code, "mx-alias");
    assert_string_equal(kept.findings[0].where, "mx.example");
    assert_string_equal(kept.findings[1].severity, "notice");
    assert_true(kept.before.known);
    assert_string_equal(kept.before.sts_id, "20260101");
    assert_int_equal(strlen(kept.before.policy_sha256), 64);

    /* a policy that could not be fetched this time is not forgotten */
    facts.policy.body = NULL;
    read_back(&again, &facts, report, &kept);
    assert_string_equal(again.before.policy_sha256, kept.before.policy_sha256);
    read_back(&again, &facts, report, NULL);
    assert_false(again.before.known);
    free(report);
}

/* A host with many addresses; and what no check writes. */
static void a_long_place(void **state)
{
    struct check_report *report = calloc(1, sizeof *report);
    static const struct evidence evidence;
    struct check_facts facts = {.domain = DOMAIN, .evidence = &evidence};
    char where[CHECK_TEXT_MAX + 1];
    struct state kept;
    struct buf text;

    (void)state;
    memset(where, 'a', sizeof where);
    where[CHECK_TEXT_MAX - 1] = '\0';
    add(report, CHECK_FOUND_SMTP_SILENT, where);
    read_back(&kept, &facts, report, NULL);
    assert_string_equal(kept.findings[0].where, where);

    where[CHECK_TEXT_MAX - 1] = 'a';
    where[CHECK_TEXT_MAX] = '\0';
    buf_init(&text, STATE_OCTETS_MAX);
    assert_true(state_write(&text, &facts, report, NULL));
    assert_non_null(state_read(&kept, arena, DOMAIN, buf_text(&text), text.length));
    buf_fini(&text);
    free(report);
}

/* Else a file that was changed without a new id would be told once only. */
static void the_file_of_an_id_stays(void **state)
{
    struct evidence evidence = {.sts = {.id = "1"}};
    struct check_report *report = calloc(1, sizeof *report);
    struct check_facts facts = {
        .domain = DOMAIN, .evidence = &evidence, .policy = {.body = "one", .length = 3}};
    struct state first, kept;

    (void)state;
    read_back(&first, &facts, report, NULL);
    facts.policy.body = "two";
    read_back(&kept, &facts, report, &first);
    assert_string_equal(kept.before.policy_sha256, first.before.policy_sha256);
    strcpy(evidence.sts.id, "2");
    read_back(&kept, &facts, report, &kept);
    assert_string_equal(kept.before.sts_id, "2");
    assert_string_not_equal(kept.before.policy_sha256, first.before.policy_sha256);
    free(report);
}

/* ---- compared ---- */

static void note(void *context, bool came, const struct state_finding *finding)
{
    buf_addf(context, "%c%s@%s ", came ? '+' : '-', finding->code, finding->where);
}

static void compared_is(const struct state *before, const struct check_report *report,
                        const char *expected)
{
    struct buf seen;

    buf_init(&seen, 4096);
    state_compare(before, report, note, &seen);
    assert_string_equal(buf_text(&seen), expected);
    buf_fini(&seen);
}

static void what_came_and_what_went(void **state)
{
    static const struct state_finding had[] = {{"mx-alias", "warning", "a"},
                                               {"mx-alias", "warning", "b"},
                                               {"of-an-older-version", "warning", ""}};
    const struct state before = {.count = 3, .findings = had};
    struct check_report *report = calloc(1, sizeof *report);

    (void)state;
    add(report, CHECK_FOUND_MX_ALIAS, "b");
    add(report, CHECK_FOUND_MX_ALIAS, "c");
    compared_is(NULL, report, "+mx-alias@b +mx-alias@c ");
    compared_is(&before, report, "+mx-alias@c -mx-alias@a -of-an-older-version@ ");
    /* what could not be found out may still be so */
    add(report, CHECK_FOUND_NOT_FOUND_OUT, "");
    compared_is(&before, report, "+mx-alias@c +not-found-out@ ");
    report->count = 0;
    compared_is(&before, report, "-mx-alias@a -mx-alias@b -of-an-older-version@ ");
    report->dropped = 1;
    compared_is(&before, report, "");
    free(report);
}

/* ---- files that are none ---- */

struct bad_row {
    const char *name, *text, *why; /* NULL: it is taken */
};

static const struct bad_row bad_rows[] = {
    {"nothing", "", "no JSON object"},
    {"half", HEAD "[", "no JSON object"},
    {"an array", "[]", "no JSON object"},
    {"another format", "{\"format\": 2, \"domain\": \"" DOMAIN "\"}", "another format"},
    {"another domain", "{\"format\": 1, \"domain\": \"other.org\"}", "another domain"},
    {"no domain", "{\"format\": 1}", "another domain"},
    {"twice", "{\"format\": 1, \"format\": 1}", "no JSON object"},
    {"no findings", "{\"format\": 1, \"domain\": \"" DOMAIN "\", \"checked_at\": 5}", "a member"},
    {"nothing found", HEAD "[]}", NULL},
    {"a finding", HEAD "[{\"code\": \"x\", \"severity\": \"y\", \"where\": \"\"}]}", NULL},
    {"a finding without a place", HEAD "[{\"code\": \"x\", \"severity\": \"y\"}]}", "a member"},
    {"a finding that is a number", HEAD "[1]}", "a member"},
    {"a control character",
     HEAD "[{\"code\": \"\\u001b[31m\", \"severity\": \"y\", \"where\": \"\"}]}", "a member"},
    {"a policy", HEAD "[], \"sts_id\": \"1\", \"policy_sha256\": \"" DIGEST "\"}", NULL},
    {"half a policy", HEAD "[], \"sts_id\": \"1\"}", "a member"},
    {"the other half", HEAD "[], \"policy_sha256\": \"" DIGEST "\"}", "a member"},
    {"an id that is a number", HEAD "[], \"sts_id\": 1, \"policy_sha256\": \"" DIGEST "\"}",
     "a member"},
    {"a long id",
     HEAD "[], \"sts_id\": \"123456789012345678901234567890123\", \"policy_sha256\": \"" DIGEST
          "\"}",
     "a member"},
    {"no digest", HEAD "[], \"sts_id\": \"1\", \"policy_sha256\": \"12\"}", "a member"},
};

static void it_is_refused(void **state)
{
    const struct bad_row *row = *state;
    struct state out;
    const char *why = state_read(&out, arena, DOMAIN, row->text, strlen(row->text));

    if ((why == NULL) != (row->why == NULL) || (why != NULL && strstr(why, row->why) == NULL))
        fail_msg("%s instead of %s", why, row->why);
}

static void too_many_findings(void **state)
{
    struct state out;
    struct buf text;

    (void)state;
    for (int count = CHECK_REPORT_MAX; count <= CHECK_REPORT_MAX + 1; count++) {
        buf_init(&text, STATE_OCTETS_MAX);
        buf_adds(&text, HEAD "[");
        for (int i = 0; i < count; i++)
            buf_addf(&text, "%s{\"code\": \"x\", \"severity\": \"y\", \"where\": \"%d\"}",
                     i == 0 ? "" : ",", i);
        buf_adds(&text, "]}");
        assert_int_equal(state_read(&out, arena, DOMAIN, buf_text(&text), text.length) == NULL,
                         count == CHECK_REPORT_MAX);
        buf_fini(&text);
    }
}

int main(void)
{
    int failed;

    arena = arena_new(1 << 20);
    ROWS_ADD(bad_rows, it_is_refused);
    ROWS_ADD_TEST(it_comes_back);
    ROWS_ADD_TEST(a_long_place);
    ROWS_ADD_TEST(the_file_of_an_id_stays);
    ROWS_ADD_TEST(what_came_and_what_went);
    ROWS_ADD_TEST(too_many_findings);
    failed = rows_run("check_state");
    arena_free(arena);
    return failed;
}
