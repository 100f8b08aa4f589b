/* TLSRPT records: the grammar of RFC 8460 §3, and its limits. */
#include "probe/tlsrpt/tlsrpt.h"

#include <stdio.h>

#include "tests/unit/support/rows.h"

#define V "v=TLSRPTv1;"

static char long_uri[1200], uri_999[1100], uri_1000[1100], uri_1001[1100];

struct record_case {
    const char *name;
    const char *text[3]; /* TXT records */
    enum tlsrpt_state want;
    const char *rua; /* with VALID */
};

static const struct record_case record_cases[] = {
    {"mailto", {V "rua=mailto:a@example.test"}, TLSRPT_VALID, "mailto:a@example.test"},
    {"https", {V "rua=https://r.example.test/x?y=z"}, TLSRPT_VALID, "https://r.example.test/x?y=z"},
    {"letter case of the scheme", {V "rua=MAILTO:a@b.test"}, TLSRPT_VALID, "MAILTO:a@b.test"},
    {"two",
     {V " rua=mailto:a@b.test , https://c.test/"},
     TLSRPT_VALID,
     "mailto:a@b.test https://c.test/"},
    {"blanks and a last semicolon",
     {"v=TLSRPTv1 ;\trua=mailto:a@b.test ; "},
     TLSRPT_VALID,
     "mailto:a@b.test"},
    {"an extension", {V "x-y=1;rua=mailto:a@b.test;z.9=2"}, TLSRPT_VALID, "mailto:a@b.test"},
    {"the first rua counts",
     {V "rua=mailto:a@b.test;rua=ftp://c.test"},
     TLSRPT_VALID,
     "mailto:a@b.test"},
    {"one address of two kinds",
     {V "rua=ftp://c.test,mailto:a@b.test"},
     TLSRPT_VALID,
     "ftp://c.test mailto:a@b.test"},
    {"others beside it",
     {"hello", V "rua=mailto:a@b.test", "v=spf1 -all"},
     TLSRPT_VALID,
     "mailto:a@b.test"},
    {"none", {"hello"}, TLSRPT_NONE, NULL},
    {"another version", {"v=TLSRPTv2;rua=mailto:a@b.test"}, TLSRPT_NONE, NULL},
    {"letter case of the version", {"v=tlsrptv1;rua=mailto:a@b.test"}, TLSRPT_NONE, NULL},
    {"version alone", {"v=TLSRPTv1"}, TLSRPT_NONE, NULL},
    {"no field", {V}, TLSRPT_INVALID, NULL},
    {"no rua", {V "x=1"}, TLSRPT_INVALID, NULL},
    {"empty rua", {V "rua="}, TLSRPT_INVALID, NULL},
    {"neither mail nor https", {V "rua=ftp://c.test,http://d.test"}, TLSRPT_INVALID, NULL},
    {"mailto without an address", {V "rua=mailto:"}, TLSRPT_INVALID, NULL},
    {"a comma at the end", {V "rua=mailto:a@b.test,"}, TLSRPT_INVALID, NULL},
    {"an octet no URI has", {V "rua=mailto:a!1m@b.test"}, TLSRPT_INVALID, NULL},
    {"a control character", {V "rua=mailto:a\033[31m@b.test"}, TLSRPT_INVALID, NULL},
    {"no semicolon", {V "rua=mailto:a@b.test x=1"}, TLSRPT_INVALID, NULL},
    {"two semicolons", {V "rua=mailto:a@b.test;;"}, TLSRPT_INVALID, NULL},
    {"two records", {V "rua=mailto:a@b.test", V "rua=mailto:c@b.test"}, TLSRPT_INVALID, NULL},
    {"limit - 1", {uri_999}, TLSRPT_VALID, uri_999 + sizeof V - 1 + 4},
    {"limit", {uri_1000}, TLSRPT_VALID, uri_1000 + sizeof V - 1 + 4},
    {"limit + 1: left out", {uri_1001}, TLSRPT_VALID, ""},
    {"what finds no room is left out", {long_uri}, TLSRPT_VALID, "mailto:a@b.test"},
};

static void run_record_case(void **state)
{
    const struct record_case *row = *state;
    struct dns_record records[3] = {0};
    struct dns_answer answer = {.outcome = DNS_RECORDS, .records = records};
    struct arena *arena = arena_new(65536);
    struct tlsrpt seen;

    for (; answer.count < 3 && row->text[answer.count] != NULL; answer.count++) {
        records[answer.count].data = (const uint8_t *)row->text[answer.count];
        records[answer.count].length = (uint16_t)strlen(row->text[answer.count]);
    }
    tlsrpt_read(&seen, arena, &answer);
    assert_string_equal(tlsrpt_state_name(seen.state), tlsrpt_state_name(row->want));
    if (row->rua == NULL)
        assert_null(seen.rua);
    else
        assert_string_equal(seen.rua, row->rua);
    arena_free(arena);
}

static void answers_without_records(void **state)
{
    static const struct {
        enum dns_outcome outcome;
        enum tlsrpt_state want;
    } rows[] = {{DNS_NODATA, TLSRPT_NONE}, {DNS_NXDOMAIN, TLSRPT_NONE}, {DNS_FAILED, TLSRPT_ERROR}};
    struct arena *arena = arena_new(65536);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct dns_answer answer = {.outcome = rows[i].outcome, .why = "timeout"};
        struct tlsrpt seen;

        tlsrpt_read(&seen, arena, &answer);
        assert_int_equal(seen.state, rows[i].want);
        assert_null(seen.rua);
    }
    arena_free(arena);
}

/* "mailto:aaa..." of `length` octets in a record. */
static void make_uri(char *out, size_t length)
{
    static const char head[] = V "rua=mailto:";

    memcpy(out, head, sizeof head - 1);
    memset(out + sizeof head - 1, 'a', length - 7);
    out[sizeof head - 1 + length - 7] = '\0';
}

int main(void)
{
    make_uri(uri_999, TLSRPT_RUA_MAX - 1);
    make_uri(uri_1000, TLSRPT_RUA_MAX);
    make_uri(uri_1001, TLSRPT_RUA_MAX + 1);
    snprintf(long_uri, sizeof long_uri, V "rua=mailto:a@b.test,%s", uri_1000 + sizeof V - 1 + 4);
    ROWS_ADD(record_cases, run_record_case);
    ROWS_ADD_TEST(answers_without_records);
    return rows_run("tlsrpt");
}
