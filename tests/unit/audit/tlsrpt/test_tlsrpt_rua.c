/* tlsrpt_rua: where a report may be sent, and where not. */
#include "tests/unit/support/rows.h"

#include <stdio.h>

#include "audit/tlsrpt/tlsrpt_rua.h"

#define MAIL  TLSRPT_RUA_MAIL
#define HTTPS TLSRPT_RUA_HTTPS

static const struct {
    const char *name, *uri;
    bool good;
    enum tlsrpt_rua_kind kind;
    const char *text, *host;
} rows[] = {
    {"mail", "mailto:tlsrpt@Example.org", true, MAIL, "tlsrpt@Example.org", "example.org"},
    {"mail in capitals", "MAILTO:tlsrpt@example.org", true, MAIL, "tlsrpt@example.org",
     "example.org"},
    {"mail with headers, which are dropped", "mailto:a@example.org?bcc=b@example.org", true, MAIL,
     "a@example.org", "example.org"},
    {"mail, encoded", "mailto:a%2Db@example%2eorg", true, MAIL, "a-b@example.org", "example.org"},
    {"an encoded line end", "mailto:a%0Ab@example.org", false, MAIL, "", ""},
    {"an encoded NUL", "mailto:a%00b@example.org", false, MAIL, "", ""},
    {"an encoded comma", "mailto:a@example.org%2Cb@example.org", false, MAIL, "", ""},
    {"half an encoding", "mailto:a@example.or%6", false, MAIL, "", ""},
    {"an option", "mailto:-oQ/tmp@example.org", false, MAIL, "", ""},
    {"an encoded option", "mailto:%2DoQ@example.org", false, MAIL, "", ""},
    {"a local user", "mailto:root", false, MAIL, "", ""},
    {"a local host", "mailto:root@localhost", false, MAIL, "", ""},
    {"an address literal", "mailto:root@[127.0.0.1]", false, MAIL, "", ""},
    {"a quoted local part", "mailto:%22a%20b%22@example.org", false, MAIL, "", ""},
    {"a route", "mailto:a@b.example@c.example", false, MAIL, "", ""},
    {"a route by percent", "mailto:a%25b@example.org", false, MAIL, "", ""},
    {"a route by bangs", "mailto:b!a@example.org", false, MAIL, "", ""},
    {"a pipe", "mailto:|id@example.org", false, MAIL, "", ""},
    {"a file", "mailto:/etc/passwd@example.org", false, MAIL, "", ""},
    {"nobody", "mailto:@example.org", false, MAIL, "", ""},
    {"https", "https://Reports.example.org/v1?a=b", true, HTTPS, "/v1?a=b", "reports.example.org"},
    {"https without a path", "https://reports.example.org", true, HTTPS, "/",
     "reports.example.org"},
    {"https with a query only", "https://reports.example.org?a", true, HTTPS, "/?a",
     "reports.example.org"},
    {"https at 443", "https://reports.example.org:443/", true, HTTPS, "/", "reports.example.org"},
    {"https at 4430", "https://reports.example.org:4430/", false, HTTPS, "", ""},
    {"https at 25", "https://reports.example.org:25/", false, HTTPS, "", ""},
    {"https with a user", "https://user@reports.example.org/", false, HTTPS, "", ""},
    {"https with a password", "https://user:443@reports.example.org/", false, HTTPS, "", ""},
    {"https at an address", "https://127.0.0.1/", false, HTTPS, "", ""},
    {"https at an IPv6 address", "https://[::1]/", false, HTTPS, "", ""},
    {"https at a number", "https://2130706433/", false, HTTPS, "", ""},
    {"https at one label", "https://localhost/", false, HTTPS, "", ""},
    {"https, a fragment", "https://reports.example.org/a#b", true, HTTPS, "/a",
     "reports.example.org"},
    {"a backslash", "https://reports.example.org\\@127.0.0.1/", false, HTTPS, "", ""},
    {"http", "http://reports.example.org/", false, HTTPS, "", ""},
    {"file", "file:///etc/passwd", false, HTTPS, "", ""},
    {"nothing", "", false, MAIL, "", ""},
    {"only the scheme", "mailto:", false, MAIL, "", ""},
    {"a blank", "mailto:a b@example.org", false, MAIL, "", ""},
};

static void test_rua(void **state)
{
    const __typeof__(rows[0]) *row = *state;
    const char *why;
    struct tlsrpt_rua rua;

    assert_int_equal(tlsrpt_rua_read(&rua, row->uri, strlen(row->uri), &why), row->good);
    assert_int_equal(why == NULL, row->good);
    if (!row->good)
        return;
    assert_int_equal(rua.kind, row->kind);
    assert_string_equal(rua.text, row->text);
    assert_string_equal(rua.host, row->host);
}

static void test_bound(void **state)
{
    char uri[TLSRPT_URI_MAX + 2] = "https://reports.example.org/";
    struct tlsrpt_rua rua;
    const char *why;

    (void)state;
    memset(uri + strlen(uri), 'a', sizeof uri - strlen(uri));
    assert_true(tlsrpt_rua_read(&rua, uri, TLSRPT_URI_MAX - 1, &why));
    assert_true(tlsrpt_rua_read(&rua, uri, TLSRPT_URI_MAX, &why));
    assert_false(tlsrpt_rua_read(&rua, uri, TLSRPT_URI_MAX + 1, &why));
}

static const struct {
    const char *name, *before, *uri;
    bool repeats;
} repeat_rows[] = {
    {"the first", "", "mailto:a@x.example", false},
    {"another", "mailto:b@x.example ", "mailto:a@x.example", false},
    {"another domain", "mailto:a@y.example ", "mailto:a@x.example", false},
    {"the same", "mailto:a@x.example ", "mailto:a@x.example", true},
    {"the same behind another", "mailto:a@x.example https://x.example ", "mailto:a@x.example",
     true},
    {"with headers", "mailto:a@x.example?subject=1 ", "mailto:a@x.example?subject=2", true},
    {"encoded, in capitals", "MAILTO:%61@X.example ", "mailto:A@x.example", true},
    {"one that only begins so", "mailto:a@x.example.org ", "mailto:a@x.example", false},
    {"posts", "https://x.example/a#1 ", "https://X.example:443/a", true},
    {"another path", "https://x.example/A ", "https://x.example/a", false},
    {"nonsense twice", "ftp://x.example ", "ftp://x.example", false},
};

static void test_repeats(void **state)
{
    const __typeof__(repeat_rows[0]) *row = *state;
    char record[200];
    size_t before = strlen(row->before);

    snprintf(record, sizeof record, "%s%s mailto:a@x.example", row->before, row->uri);
    assert_int_equal(tlsrpt_rua_repeats(record, (struct span){record + before, strlen(row->uri)}),
                     row->repeats);
}

int main(void)
{
    ROWS_ADD(rows, test_rua);
    ROWS_ADD(repeat_rows, test_repeats);
    ROWS_ADD_TEST(test_bound);
    return rows_run("tlsrpt_rua");
}
