/* A policy list at each limit and beyond it; the memory of a million domains, also while they are read;
 * and what comes without memory. The allocator is counted: see tests/CMakeLists.txt. */
#include "tests/unit/support/rows.h"

#include <inttypes.h>
#include <malloc.h>

#include "policy/list/policy_list_write.h"
#include "tests/unit/policy/list/list_text.h"

#define TEXT_MAX ((size_t)POLICY_LIST_TEXT_MAX + 4096)
#define FIXED    65536 /* octets that do not depend on the list */

/* ---- the allocator ---- */

static size_t in_use, peak;
static unsigned calls_left; /* until one fails, once; 0: none does */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __real_free(void *old);
void __wrap_free(void *old);

static void note_more(size_t octets)
{
    in_use += octets;
    if (in_use > peak)
        peak = in_use;
}

static bool fails(void)
{
    return calls_left > 0 && --calls_left == 0;
}

void *__wrap_malloc(size_t size)
{
    void *made = fails() ? NULL : __real_malloc(size);

    note_more(malloc_usable_size(made));
    return made;
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *made = fails() ? NULL : __real_calloc(count, size);

    note_more(malloc_usable_size(made));
    return made;
}

/* What grows is counted as if both were there at once; what shrinks stays where it is. */
void *__wrap_realloc(void *old, size_t size)
{
    size_t before = malloc_usable_size(old);
    void *made = fails() ? NULL : __real_realloc(old, size);

    if (made == NULL)
        return NULL;
    if (size < before)
        in_use -= before;
    note_more(malloc_usable_size(made));
    if (size >= before)
        in_use -= before;
    return made;
}

void __wrap_free(void *old)
{
    in_use -= malloc_usable_size(old);
    __real_free(old);
}

/* ---- texts ---- */

static void add_marked(struct buf *out, const char *marked)
{
    char *text = list_text(marked);

    buf_adds(out, text);
    free(text);
}

/* Up to the first domain. */
static void begin_list(struct buf *out)
{
    buf_init(out, TEXT_MAX);
    add_marked(out, "{" LIST_TOP ",'policies':{");
}

static void end_list(struct buf *out)
{
    add_marked(out, "}," LIST_ALIASES "}");
    assert_false(out->failed);
}

static int try_read(const struct buf *text, char error[POLICY_LIST_ERROR_MAX])
{
    struct policy_list *list;
    int result;

    error[0] = '\0';
    result = policy_list_read(&list, buf_text(text), text->length, error);
    policy_list_free(list);
    return result;
}

static void assert_taken(const struct buf *text)
{
    char error[POLICY_LIST_ERROR_MAX];

    if (try_read(text, error) != 0)
        fail_msg("%s", error);
}

static void assert_refused(const struct buf *text, const char *want)
{
    char error[POLICY_LIST_ERROR_MAX];

    assert_int_equal(try_read(text, error), -1);
    assert_string_equal(error, want);
}

/* ---- domains ---- */

/* Every domain has two hosts of its own. */
static void add_domains(struct buf *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        buf_addf(
            out,
            "%s\"d%u.example\":{\"mode\":\"enforce\",\"mxs\":[\"a.d%u.example\",\".d%u.example\"]}",
            i == 0 ? "" : ",", i, i, i);
}

static void check_million(const struct policy_list *list)
{
    struct policy_list_entry entry;
    char domain[64], said[256], want[256];

    assert_int_equal(policy_list_header(list)->domains, POLICY_LIST_DOMAINS_MAX);
    for (unsigned i = 0; i < POLICY_LIST_DOMAINS_MAX; i += 997) {
        snprintf(domain, sizeof domain, "d%u.example", i);
        snprintf(want, sizeof want, "enforce *.%s a.%s", domain, domain);
        assert_true(policy_list_find(&entry, list, domain));
        assert_string_equal(list_said(said, sizeof said, &entry), want);
    }
    assert_false(policy_list_find(&entry, list, "d1000000.example"));
}

static void test_million(void **state)
{
    const size_t each = (size_t)POLICY_LIST_OCTETS_EACH * POLICY_LIST_DOMAINS_MAX;
    char error[POLICY_LIST_ERROR_MAX] = "";
    struct policy_list *list;
    struct buf text;
    size_t before;

    (void)state;
    begin_list(&text);
    add_domains(&text, POLICY_LIST_DOMAINS_MAX);
    end_list(&text);
    before = peak = in_use;
    if (policy_list_read(&list, buf_text(&text), text.length, error) != 0)
        fail_msg("%s", error);
    print_message("# %zu octets of text; the list takes %.1f octets for each domain, while it is "
                  "read %.1f beside the text\n",
                  text.length, (double)policy_list_octets(list) / POLICY_LIST_DOMAINS_MAX,
                  ((double)(peak - before) - (double)text.length) / POLICY_LIST_DOMAINS_MAX);
    assert_true(peak - before <= text.length + each + FIXED);
    assert_true(in_use - before <= text.length + each);
    assert_true(policy_list_octets(list) <= in_use - before);
    assert_true(policy_list_octets(list) + FIXED >= in_use - before);
    check_million(list);
    buf_fini(&text);
    policy_list_free(list);
}

/* At every number of domains the arrays are as large as they are just then. */
static void test_any_number(void **state)
{
    (void)state;
    for (unsigned count = 1; count < 50000; count += 1 + count / 5) {
        char error[POLICY_LIST_ERROR_MAX] = "";
        struct policy_list *list;
        struct buf text;
        size_t before;

        begin_list(&text);
        add_domains(&text, count);
        end_list(&text);
        before = peak = in_use;
        assert_int_equal(policy_list_read(&list, buf_text(&text), text.length, error), 0);
        assert_true(peak - before <= text.length + (size_t)POLICY_LIST_OCTETS_EACH * count + FIXED);
        policy_list_free(list);
        assert_int_equal(in_use, before);
        buf_fini(&text);
    }
}

static void test_one_domain_more(void **state)
{
    struct buf text;

    (void)state;
    begin_list(&text);
    for (unsigned i = 0; i <= POLICY_LIST_DOMAINS_MAX; i++)
        buf_addf(&text, "%s\"%x.b\":{\"policy-alias\":\"x\"}", i == 0 ? "" : ",", i);
    end_list(&text);
    assert_refused(&text, "line 1: policies: f4240.b: more than 1000000 domains");
    buf_fini(&text);
}

/* Equal policies take memory once. */
static void test_equal_policies(void **state)
{
    struct policy_list *list;
    struct buf text;
    char error[POLICY_LIST_ERROR_MAX];

    (void)state;
    begin_list(&text);
    for (unsigned i = 0; i < 10000; i++)
        buf_addf(&text,
                 "%s\"%u.b\":{\"mode\":\"enforce\",\"mxs\":[\"a-very-long-name.example\",\".%u."
                 "example\"]}",
                 i == 0 ? "" : ",", i, i % 10);
    end_list(&text);
    assert_int_equal(policy_list_read(&list, buf_text(&text), text.length, error), 0);
    assert_true(policy_list_octets(list) < 10000 * 40);
    policy_list_free(list);
    buf_fini(&text);
}

/* ---- aliases ---- */

static void add_aliases(struct buf *out, unsigned defined, unsigned named)
{
    buf_init(out, TEXT_MAX);
    add_marked(out, "{" LIST_TOP ",'policies':{");
    for (unsigned i = 0; i < named; i++)
        buf_addf(out, "%s\"%u.b\":{\"policy-alias\":\"%u\"}", i == 0 ? "" : ",", i, i);
    add_marked(out, "},'policy-aliases':{");
    for (unsigned i = 0; i < defined; i++)
        buf_addf(out, "%s\"%u\":{\"mode\":\"testing\",\"mxs\":[\"%u.b\"]}", i == 0 ? "" : ",", i,
                 i);
    add_marked(out, "}}");
    assert_false(out->failed);
}

static const struct alias_row {
    const char *name;
    unsigned defined, named;
    const char *want; /* the message; NULL: it is taken */
} alias_rows[] = {
    {"one alias less", POLICY_LIST_ALIASES_MAX - 1, POLICY_LIST_ALIASES_MAX - 1, NULL},
    {"as many aliases as may be", POLICY_LIST_ALIASES_MAX, POLICY_LIST_ALIASES_MAX, NULL},
    {"one alias more", POLICY_LIST_ALIASES_MAX + 1, 0,
     "line 1: policy-aliases: 10000: more than 10000 aliases"},
    {"one more that is missing", 0, POLICY_LIST_ALIASES_MAX + 1,
     "line 1: policies: 10000.b: more than 10000 aliases"},
    {"all but the last", POLICY_LIST_ALIASES_MAX - 1, POLICY_LIST_ALIASES_MAX,
     "line 1: policies: 9999.b: policy-aliases has no '9999'"},
};

static void test_aliases(void **state)
{
    const struct alias_row *row = *state;
    struct buf text;

    add_aliases(&text, row->defined, row->named);
    if (row->want == NULL)
        assert_taken(&text);
    else
        assert_refused(&text, row->want);
    buf_fini(&text);
}

/* ---- lengths ---- */

/* A list whose text is `length` octets long, with blanks in front of the end. */
static void add_blanks(struct buf *text, size_t length, const char *end)
{
    size_t count = length - text->length - strlen(end);
    char *blanks = malloc(count);

    memset(blanks, ' ', count);
    buf_add(text, blanks, count);
    buf_adds(text, end);
    free(blanks);
    assert_int_equal(text->length, length);
}

static void test_text(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        struct buf text;

        buf_init(&text, TEXT_MAX);
        add_marked(&text, "{" LIST_TOP "," LIST_POLICIES "," LIST_ALIASES);
        add_blanks(&text, (size_t)(POLICY_LIST_TEXT_MAX + more), "}");
        if (more <= 0)
            assert_taken(&text);
        else
            assert_refused(&text, "longer than 104857600 octets");
        buf_fini(&text);
    }
}

/* The blanks in front of a policy are not its own. */
static void test_policy(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        struct buf text;
        size_t begin;

        begin_list(&text);
        buf_adds(&text, "\"a.b\":   ");
        begin = text.length;
        buf_adds(&text, "{\"mode\":\"enforce\",\"mxs\":[\"a.b\"]");
        add_blanks(&text, begin + (size_t)(POLICY_LIST_VALUE_MAX + more), "}");
        end_list(&text);
        if (more <= 0)
            assert_taken(&text);
        else
            assert_refused(&text, "line 1: policies: a.b: a policy of more than 65536 octets");
        buf_fini(&text);
    }
}

/* A key of so many octets, escapes included. */
static void add_key(struct buf *out, size_t length, const char *piece)
{
    buf_adds(out, "{\"");
    for (size_t i = 0; i < length; i += strlen(piece))
        buf_adds(out, piece);
    buf_adds(out, "\":1}");
}

static void test_string(void **state)
{
    static const char *const pieces[] = {"a", "\\\\", "\xc3\xa4"};

    (void)state;
    for (size_t i = 0; i < COUNT(pieces); i++)
        for (int more = -2; more <= 2; more += 2) {
            char error[POLICY_LIST_ERROR_MAX];
            struct buf text;

            buf_init(&text, TEXT_MAX);
            add_key(&text, (size_t)(POLICY_LIST_VALUE_MAX + more), pieces[i]);
            assert_int_equal(try_read(&text, error), -1);
            if (more <= 0)
                assert_non_null(strstr(error, "is nothing that may be here"));
            else
                assert_string_equal(error, "line 1: a string of more than 65536 octets");
            buf_fini(&text);
        }
}

static void test_hosts(void **state)
{
    (void)state;
    for (unsigned count = POLICY_LIST_MXS_MAX - 1; count <= POLICY_LIST_MXS_MAX + 1; count++) {
        struct buf text;

        begin_list(&text);
        buf_adds(&text, "\"a.b\":{\"mode\":\"enforce\",\"mxs\":[");
        for (unsigned i = 0; i < count; i++)
            buf_addf(&text, "%s\"%u.b\"", i == 0 ? "" : ",", (i * 37) % 101);
        buf_adds(&text, "]}");
        end_list(&text);
        if (count <= POLICY_LIST_MXS_MAX)
            assert_taken(&text);
        else
            assert_refused(&text, "line 1: policies: a.b: mxs: '64.b' is one host too many");
        buf_fini(&text);
    }
}

static void test_author(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        struct buf text;

        buf_init(&text, TEXT_MAX);
        buf_adds(&text, "{\"author\":\"");
        for (int i = 0; i < POLICY_LIST_AUTHOR_MAX + more; i++)
            buf_adds(&text, "a");
        add_marked(&text, "'," LIST_TOP "," LIST_POLICIES "," LIST_ALIASES "}");
        if (more <= 0)
            assert_taken(&text);
        else
            assert_refused(&text, "line 1: author: more than 1000 octets");
        buf_fini(&text);
    }
}

/* What nests is refused at the first octet that is not the format's, however deep it is. */
static void test_deep(void **state)
{
    static const struct {
        const char *before, *piece, *want;
    } rows[] = {
        {"", "[", "line 1: '[' where an object must be"},
        {"{'author':", "[", "line 1: author: '[' where a string must be"},
        {"", "{'policies':", "line 1: policies: 'policies' is no host name of two labels or more"},
        {"{'policies':", "{'a.b':", "line 1: policies: a.b: 'a.b' is nothing that may be here"},
        {"{'policies':{'a.b':{'mxs':", "[",
         "line 1: policies: a.b: mxs: '[' where a string must be"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text;

        buf_init(&text, TEXT_MAX);
        add_marked(&text, rows[i].before);
        for (int j = 0; j < 1000000; j++)
            buf_adds(&text, rows[i].piece);
        for (size_t j = 0; j < text.length; j++)
            if (text.data[j] == '\'')
                text.data[j] = '"';
        assert_refused(&text, rows[i].want);
        buf_fini(&text);
    }
}

/* ---- without memory ---- */

static void no_change(void *context, enum policy_list_change change,
                      const struct policy_list_entry *was, const struct policy_list_entry *now)
{
    (void)context;
    (void)change;
    (void)was;
    (void)now;
    fail();
}

/* Whichever call fails, nothing is lost, and it is said; what only cuts may fail. */
static void test_reading_without_memory(void **state)
{
    char error[POLICY_LIST_ERROR_MAX];
    unsigned failures = 0, calls = 0;
    struct policy_list *list;
    struct buf text;
    size_t before;

    (void)state;
    begin_list(&text);
    add_domains(&text, 40);
    buf_adds(&text, ",\"x.b\":{\"policy-alias\":\"x\"}},\"author\":\"a\",\"policy-aliases\":"
                    "{\"x\":{\"mode\":\"testing\",\"mxs\":[\"x.b\"]}}}");
    before = in_use;
    for (bool failed = true; failed;) {
        int result;

        error[0] = '\0';
        calls_left = ++calls;
        result = policy_list_read(&list, buf_text(&text), text.length, error);
        failed = calls_left == 0;
        calls_left = 0;
        failures += result != 0;
        assert_string_equal(error, result == 0 ? "" : "no memory for the list");
        assert_int_equal(list == NULL, result != 0);
        policy_list_free(list);
        assert_int_equal(in_use, before);
    }
    assert_true(failures > 10 &&
                failures + 4 == calls); /* three cuts, and the call without a failure */
    buf_fini(&text);
}

static void test_writing_without_memory(void **state)
{
    struct policy_list *list =
        list_of(LIST_OF("'a.b':{'policy-alias':'x'}", "'x':{'mode':'testing','mxs':['x.b']}"));
    unsigned calls = 0;
    size_t before = in_use;

    (void)state;
    for (bool failed = true; failed;) {
        struct policy_list_entry entry;
        struct buf out;

        assert_true(policy_list_find(&entry, list, "a.b"));
        buf_init(&out, TEXT_MAX);
        calls_left = ++calls;
        policy_list_write(&out, policy_list_header(list), &entry, 1);
        failed = calls_left == 0;
        calls_left = 0;
        assert_int_equal(out.failed, failed);
        buf_fini(&out);
        assert_int_equal(in_use, before);
    }
    policy_list_free(list);
}

static void test_comparing_without_memory(void **state)
{
    struct policy_list *list = list_of(LIST_OF("'a.b':{'mode':'testing','mxs':['x.b']}", ""));
    size_t before = in_use;

    (void)state;
    for (calls_left = 1; calls_left <= 2;) {
        unsigned call = calls_left;

        assert_false(policy_list_diff(list, list, no_change, NULL));
        assert_int_equal(in_use, before);
        calls_left = call + 1;
    }
    calls_left = 0;
    assert_true(policy_list_diff(list, list, no_change, NULL));
    policy_list_free(list);
}

int main(void)
{
    ROWS_ADD_TEST(test_million);
    ROWS_ADD_TEST(test_any_number);
    ROWS_ADD_TEST(test_one_domain_more);
    ROWS_ADD_TEST(test_equal_policies);
    ROWS_ADD(alias_rows, test_aliases);
    ROWS_ADD_TEST(test_text);
    ROWS_ADD_TEST(test_policy);
    ROWS_ADD_TEST(test_string);
    ROWS_ADD_TEST(test_hosts);
    ROWS_ADD_TEST(test_author);
    ROWS_ADD_TEST(test_deep);
    ROWS_ADD_TEST(test_reading_without_memory);
    ROWS_ADD_TEST(test_writing_without_memory);
    ROWS_ADD_TEST(test_comparing_without_memory);
    return rows_run("policy_list_limits");
}
