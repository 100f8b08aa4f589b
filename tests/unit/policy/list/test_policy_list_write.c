/* The text of a list, and what differs between two. */
#include "tests/unit/support/rows.h"

#include "policy/list/policy_list_write.h"
#include "tests/unit/policy/list/list_text.h"

#define TEXT_MAX (64 * 1024 * 1024)
#define MXS      "'mxs':['mx.a.example']"
#define ENFORCE  "{'mode':'enforce'," MXS "}"
#define TESTING  "{'mode':'testing'," MXS "}"

/* The entries of a list, in the order of its text; for the caller to free. */
static struct policy_list_entry *entries_of(const struct policy_list *list)
{
    struct policy_list_entry *entries =
        calloc(policy_list_header(list)->domains + 1, sizeof *entries);
    size_t at = 0, count = 0;

    assert_non_null(entries);
    while (policy_list_next(&entries[count], list, &at))
        count++;
    assert_int_equal(count, policy_list_header(list)->domains);
    return entries;
}

static void write_list(struct buf *out, const struct policy_list *list)
{
    struct policy_list_entry *entries = entries_of(list);

    buf_init(out, TEXT_MAX);
    policy_list_write(out, policy_list_header(list), entries, policy_list_header(list)->domains);
    assert_false(out->failed);
    free(entries);
}

static struct policy_list *read_buf(const struct buf *text)
{
    char error[POLICY_LIST_ERROR_MAX];
    struct policy_list *list;

    if (policy_list_read(&list, buf_text(text), text->length, error) != 0)
        fail_msg("%s", error);
    return list;
}

/* ---- text ---- */

static const struct row {
    const char *name, *text, *want; /* ' for " in both */
} rows[] = {
    {"nothing", "{" LIST_TOP "," LIST_POLICIES "," LIST_ALIASES "}",
     "{\n  'timestamp': '2026-11-28T00:00:00Z',\n  'expires': '2026-12-28T00:00:00Z',\n"
     "  'version': '0.1',\n  'policy-aliases': {},\n  'policies': {}\n}\n"},
    {"everything",
     "{'timestamp':0,'expires':'2026-12-28T01:00:00.5+01:00','author':'\\u00c4 \\'b\\' \\\\',"
     "'version':'0.1','policies':{'c.example':{'policy-alias':'y'},'B.example':" TESTING
     ",'a.example':{'mxs':['mx2.A.example','mx.a.example','.a.example'],'mode':'enforce'},"
     "'d.example':{'policy-alias':'\\'x'}},'policy-aliases':{'y':" TESTING ",'\\'x':" ENFORCE
     ",'unused':" ENFORCE "}}",
     "{\n  'timestamp': '1970-01-01T00:00:00Z',\n  'expires': '2026-12-28T00:00:00Z',\n"
     "  'version': '0.1',\n  'author': '\xc3\x84 \\'b\\' \\\\',\n"
     "  'policy-aliases': {\n"
     "    '\\'x': {'mode': 'enforce', 'mxs': ['mx.a.example']},\n"
     "    'y': {'mode': 'testing', 'mxs': ['mx.a.example']}\n"
     "  },\n"
     "  'policies': {\n"
     "    'a.example': {'mode': 'enforce', 'mxs': ['.a.example', 'mx.a.example', "
     "'mx2.a.example']},\n"
     "    'b.example': {'mode': 'testing', 'mxs': ['mx.a.example']},\n"
     "    'c.example': {'policy-alias': 'y'},\n"
     "    'd.example': {'policy-alias': '\\'x'}\n"
     "  }\n}\n"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct policy_list *list = list_of(row->text), *again;
    char *want = list_text(row->want);
    struct buf text, second;

    write_list(&text, list);
    assert_string_equal(buf_text(&text), want);
    again = read_buf(&text);
    write_list(&second, again);
    assert_string_equal(buf_text(&second), want);
    buf_fini(&text);
    buf_fini(&second);
    policy_list_free(list);
    policy_list_free(again);
    free(want);
}

/* Entries that a program made: in any order, hosts too, and twice; and an alias that has two meanings. */
static void test_made(void **state)
{
    static const struct policy_list_header header = {.timestamp_s = 0, .expires_s = 86400};
    static const struct policy_list_entry entries[] = {
        {"c.example", "x", LIST_ENFORCE, "mx.c.example", 1},
        {"b.example", "x", LIST_TESTING, "mx2.b.example\0mx1.b.example\0mx2.b.example", 3},
        {"d.example", "x", LIST_TESTING, "mx1.b.example\0mx2.b.example", 2},
        {"a.example", NULL, LIST_ENFORCE, "*.a.example", 1},
    };
    char *want = list_text("{\n  'timestamp': '1970-01-01T00:00:00Z',\n"
                           "  'expires': '1970-01-02T00:00:00Z',\n  'version': '0.1',\n"
                           "  'policy-aliases': {\n    'x': {'mode': 'testing', 'mxs': "
                           "['mx1.b.example', 'mx2.b.example']}\n  },\n"
                           "  'policies': {\n"
                           "    'a.example': {'mode': 'enforce', 'mxs': ['.a.example']},\n"
                           "    'b.example': {'policy-alias': 'x'},\n"
                           "    'c.example': {'mode': 'enforce', 'mxs': ['mx.c.example']},\n"
                           "    'd.example': {'policy-alias': 'x'}\n"
                           "  }\n}\n");
    struct buf out;

    (void)state;
    buf_init(&out, TEXT_MAX);
    policy_list_write(&out, &header, entries, COUNT(entries));
    assert_string_equal(buf_text(&out), want);
    policy_list_free(read_buf(&out));
    buf_fini(&out);
    buf_init(&out, 100); /* too small */
    policy_list_write(&out, &header, entries, COUNT(entries));
    assert_true(out.failed);
    buf_fini(&out);
    free(want);
}

/* ---- differences ---- */

struct told {
    char text[1024];
};

static void tell(void *context, enum policy_list_change change, const struct policy_list_entry *was,
                 const struct policy_list_entry *now)
{
    struct told *told = context;
    size_t used = strlen(told->text);

    assert_int_equal(was == NULL, change == POLICY_LIST_ADDED);
    assert_int_equal(now == NULL, change == POLICY_LIST_REMOVED);
    if (change == POLICY_LIST_CHANGED)
        assert_string_equal(was->domain, now->domain);
    snprintf(told->text + used, sizeof told->text - used, "%c%.60s ", "+-~"[change],
             now == NULL ? was->domain : now->domain);
}

static const struct difference {
    const char *name, *was, *now, *want;
} differences[] = {
    {"nothing and nothing", LIST_OF("", ""), LIST_OF("", ""), ""},
    {"a list and itself", LIST_OF("'a.example':" ENFORCE, ""), LIST_OF("'a.example':" ENFORCE, ""),
     ""},
    {"all are new", LIST_OF("", ""), LIST_OF("'b.example':" ENFORCE ",'a.example':" TESTING, ""),
     "+a.example +b.example "},
    {"all have left", LIST_OF("'b.example':" ENFORCE ",'a.example':" TESTING, ""), LIST_OF("", ""),
     "-a.example -b.example "},
    {"order, case, and the order of hosts",
     LIST_OF(
         "'b.example':{'mode':'enforce','mxs':['mx1.b.example','.b.example']},'a.example':" TESTING,
         ""),
     LIST_OF("'A.example':" TESTING
             ",'b.example':{'mxs':['.B.example','mx1.b.example'],'mode':'enforce'}",
             ""),
     ""},
    {"another mode", LIST_OF("'a.example':" ENFORCE, ""), LIST_OF("'a.example':" TESTING, ""),
     "~a.example "},
    {"other hosts", LIST_OF("'a.example':{'mode':'enforce','mxs':['x.example.net']}", ""),
     LIST_OF("'a.example':{'mode':'enforce','mxs':['.x.example.net']}", ""), "~a.example "},
    {"a host more", LIST_OF("'a.example':{'mode':'enforce','mxs':['a.example']}", ""),
     LIST_OF("'a.example':{'mode':'enforce','mxs':['a.example','b.example']}", ""), "~a.example "},
    {"a host less", LIST_OF("'a.example':{'mode':'enforce','mxs':['a.example','b.example']}", ""),
     LIST_OF("'a.example':{'mode':'enforce','mxs':['b.example']}", ""), "~a.example "},
    {"an alias that says the same", LIST_OF("'a.example':" ENFORCE, ""),
     LIST_OF("'a.example':{'policy-alias':'x'}", "'x':" ENFORCE), ""},
    {"an alias that says something else",
     LIST_OF("'a.example':{'policy-alias':'x'}", "'x':" ENFORCE),
     LIST_OF("'a.example':{'policy-alias':'x'}", "'x':" TESTING), "~a.example "},
    {"all at once",
     LIST_OF("'b.example':" ENFORCE ",'c.example':" ENFORCE ",'d.example':" ENFORCE, ""),
     LIST_OF("'e.example':" ENFORCE ",'c.example':" TESTING ",'a.example':" ENFORCE
             ",'d.example':" ENFORCE,
             ""),
     "+a.example -b.example ~c.example +e.example "},
};

static void test_difference(void **state)
{
    const struct difference *row = *state;
    struct policy_list *was = list_of(row->was), *now = list_of(row->now);
    struct told told = {""};

    assert_true(policy_list_diff(was, now, tell, &told));
    assert_string_equal(told.text, row->want);
    policy_list_free(was);
    policy_list_free(now);
}

/* ---- made-up lists ---- */

#define MADE_MAX   40
#define MADE_LISTS 2000

static uint64_t seed;

static unsigned draw(unsigned below)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(seed >> 33) % below;
}

static void make_policy(struct buf *out, bool of_alias)
{
    unsigned hosts = 1 + draw(4);

    if (!of_alias && draw(3) == 0) {
        buf_addf(out, "{\"policy-alias\":\"alias %u\"}", draw(3));
        return;
    }
    buf_addf(out, "{\"mode\":\"%s\",\"mxs\":[", draw(2) == 0 ? "enforce" : "testing");
    for (unsigned i = 0, number = draw(3); i < hosts; i++, number += 1 + draw(3))
        buf_addf(out, "%s\"%smx%u.example\"", i == 0 ? "" : ", ", draw(2) == 0 ? "." : "x.",
                 number);
    buf_adds(out, "]}");
}

/* A list with members and domains in any order. */
static void make_list(struct buf *out)
{
    static const char *const members[] = {"timestamp", "expires",        "version",
                                          "policies",  "policy-aliases", "author"};
    unsigned first = draw(COUNT(members)), domains = draw(MADE_MAX), start = draw(MADE_MAX);

    buf_adds(out, "{");
    for (unsigned i = 0; i < COUNT(members); i++) {
        unsigned member = (first + 5 * i) % COUNT(members);

        buf_addf(out, "%s\"%s\":", i == 0 ? "" : ",", members[member]);
        if (member == 2)
            buf_adds(out, "\"0.1\"");
        else if (member == 5)
            buf_addf(out, "\"author %u\"", draw(10));
        else if (member < 2)
            buf_addf(out, "%u", draw(1000000000));
        else
            buf_adds(out, "{");
        for (unsigned j = 0; member == 3 && j < domains; j++) {
            buf_addf(out, "%s\"%s%u.example\":", j == 0 ? "" : ",", draw(2) == 0 ? "d" : "D",
                     (start + 7 * j) % MADE_MAX);
            make_policy(out, false);
        }
        for (unsigned j = 0; member == 4 && j < 3; j++) {
            buf_addf(out, "%s\"alias %u\":", j == 0 ? "" : ",", j);
            make_policy(out, true);
        }
        buf_adds(out, member == 3 || member == 4 ? "}" : "");
    }
    buf_adds(out, "}");
}

static void count_changes(void *context, enum policy_list_change change,
                          const struct policy_list_entry *was, const struct policy_list_entry *now)
{
    size_t *counts = context;

    (void)was;
    (void)now;
    counts[change]++;
}

/* What is written is read as the same, and written as the same. */
static void check_written(const struct policy_list *list)
{
    const struct policy_list_header *header = policy_list_header(list), *header_again;
    size_t counts[3] = {0}, at = 0;
    struct policy_list_entry entry, found;
    struct policy_list *again;
    struct buf text, second;

    write_list(&text, list);
    again = read_buf(&text);
    header_again = policy_list_header(again);
    assert_true(policy_list_diff(list, again, count_changes, counts));
    assert_int_equal(counts[0] + counts[1] + counts[2], 0);
    assert_int_equal(header->timestamp_s, header_again->timestamp_s);
    assert_int_equal(header->expires_s, header_again->expires_s);
    assert_string_equal(header->author, header_again->author);
    while (policy_list_next(&entry, again, &at)) {
        assert_true(policy_list_find(&found, list, entry.domain));
        assert_true(policy_list_says_same(&entry, &found));
        assert_int_equal(entry.alias == NULL, found.alias == NULL);
        if (entry.alias != NULL)
            assert_string_equal(entry.alias, found.alias);
    }
    write_list(&second, again);
    assert_string_equal(buf_text(&text), buf_text(&second));
    buf_fini(&text);
    buf_fini(&second);
    policy_list_free(again);
}

/* What is added one way is removed the other way, and the numbers add up. */
static void check_difference(const struct policy_list *was, const struct policy_list *now)
{
    size_t there[3] = {0}, back[3] = {0};

    assert_true(policy_list_diff(was, now, count_changes, there));
    assert_true(policy_list_diff(now, was, count_changes, back));
    assert_int_equal(there[POLICY_LIST_ADDED], back[POLICY_LIST_REMOVED]);
    assert_int_equal(there[POLICY_LIST_REMOVED], back[POLICY_LIST_ADDED]);
    assert_int_equal(there[POLICY_LIST_CHANGED], back[POLICY_LIST_CHANGED]);
    assert_int_equal(policy_list_header(was)->domains + there[POLICY_LIST_ADDED],
                     policy_list_header(now)->domains + there[POLICY_LIST_REMOVED]);
}

static void test_made_up(void **state)
{
    struct policy_list *before = list_of(LIST_OF("", ""));
    struct buf text;

    (void)state;
    buf_init(&text, TEXT_MAX);
    for (seed = 0; seed < MADE_LISTS;) {
        const uint64_t next = seed + 1;
        struct policy_list *list;

        buf_clear(&text);
        make_list(&text);
        list = read_buf(&text);
        check_written(list);
        check_difference(before, list);
        policy_list_free(before);
        before = list;
        seed = next;
    }
    policy_list_free(before);
    buf_fini(&text);
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_made);
    ROWS_ADD(differences, test_difference);
    ROWS_ADD_TEST(test_made_up);
    return rows_run("policy_list_write");
}
