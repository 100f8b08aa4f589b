/*
 * page: the four pages of one made-up period. JSON says what the tally says; nothing of a
 * stranger's gets out of its place on any page; a file that takes no more is noticed.
 */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include "tests/unit/support/unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#include "audit/page/page_facts.h"
#include "base/page/page_assets.h"
#include "tests/unit/audit/page/page_make.h"

#define TERMINAL_OCTETS 4000

/* A page as text; to be freed. */
static char *written(page_writer *write, const struct page *page)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    assert_non_null(out);
    assert_true(write(out, page));
    assert_int_equal(fclose(out), 0);
    assert_int_equal(strlen(text), length);
    return text;
}

static size_t occurrences(const char *text, const char *word)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

/* ---- JSON ---- */

static json_t *read_json(const struct page *page)
{
    char *text = written(page_json, page);
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

    if (json == NULL)
        fail_msg("%d:%d: %s", error.line, error.column, error.text);
    free(text);
    return json;
}

static json_int_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_integer(value))
        fail_msg("%s is no integer", name);
    return json_integer_value(value);
}

static void check_levels(const json_t *object, const uint32_t levels[TALLY_LEVEL_COUNT])
{
    const json_t *by_tls = json_object_get(object, "by_tls");

    assert_int_equal(json_object_size(by_tls), TALLY_LEVEL_COUNT);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++)
        assert_int_equal(number(by_tls, tally_level_name((enum tally_level)i)), levels[i]);
}

static void check_domain(const json_t *json, const struct page *page)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    uint32_t index =
        name == NULL ? TALLY_OTHERS : tally_domain_find(page->tally, name, strlen(name));
    const struct tally_domain *domain = &page->tally->domains[index];
    const json_t *verdict = json_object_get(json, "verdict");

    assert_true(name == NULL || index != TALLY_OTHERS);
    assert_int_equal(number(json, "messages"), domain->messages);
    assert_int_equal(number(json, "recipients"), domain->recipients);
    assert_int_equal(number(json, "octets"), domain->octets);
    assert_int_equal(number(json, "deferred_by_tls"), domain->tls_deferred);
    check_levels(json, domain->levels);
    if (page->judged == NULL || index == TALLY_OTHERS)
        assert_null(verdict);
    else if (page->judged->domains[index].known)
        assert_string_equal(json_string_value(verdict),
                            verdict_level_name(page->judged->domains[index].found));
    else
        assert_true(json_is_null(verdict));
}

static void json_equals_tally(void **state)
{
    const json_t *domains, *domain;
    struct page_made made;
    json_int_t before = INT64_MAX;
    size_t i;
    json_t *json;

    (void)state;
    page_make(&made);
    make_sent(made.tally, TALLY_OTHERS, TALLY_OTHERS, MAKE_NOW, TALLY_NONE);
    json = read_json(&made.page);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "period"), "to")),
                        "2026-11-27T18:00:00Z");
    assert_int_equal(number(json, "messages"), made.tally->total.messages);
    assert_int_equal(number(json, "recipients"), made.tally->total.recipients);
    assert_int_equal(number(json, "deliveries"), page_deliveries(made.tally->total.statuses));
    check_levels(json, made.tally->total.levels);
    for (int k = 0; k < TALLY_CAUSE_COUNT; k++)
        assert_int_equal(
            number(json_object_get(json, "deferred_by_tls"), tally_cause_name((enum tally_cause)k)),
            made.tally->causes[k]);
    domains = json_object_get(json, "domains");
    assert_int_equal(json_array_size(domains), made.tally->domain_count);
    json_array_foreach(domains, i, domain)
    {
        check_domain(domain, &made.page);
        if (json_is_null(json_object_get(domain, "name")))
            break;
        assert_true(number(domain, "messages") <= before);
        before = number(domain, "messages");
    }
    assert_int_equal(i, made.tally->domain_count - 1); /* the one without a name is the last */
    json_decref(json);
    page_unmake(&made);
}

static void json_without_verdicts(void **state)
{
    struct page_made made;
    json_t *json;

    (void)state;
    page_make(&made);
    made.page.judged = NULL;
    json = read_json(&made.page);
    assert_null(json_object_get(json, "verdicts"));
    assert_null(json_object_get(json, "queue"));
    check_domain(json_array_get(json_object_get(json, "domains"), 0), &made.page);
    json_decref(json);
    page_unmake(&made);
}

static void json_of_nothing(void **state)
{
    struct page_made made;
    json_t *json;

    (void)state;
    page_make_empty(&made);
    json = read_json(&made.page);
    assert_true(json_is_null(json_object_get(json_object_get(json, "period"), "from")));
    assert_int_equal(json_array_size(json_object_get(json, "domains")), 0);
    assert_int_equal(number(json, "messages"), 0);
    json_decref(json);
    page_unmake(&made);
}

/* Octets that are no UTF-8 must not cost the page. */
static void json_of_any_octets(void **state)
{
    static const char *const remarks[] = {"caf\xe9 \033[1m", NULL};
    struct page_made made;
    json_t *json;

    (void)state;
    page_make_empty(&made);
    made.page.source = "mail\xff.log";
    made.page.remarks = remarks;
    json = read_json(&made.page);
    assert_string_equal(json_string_value(json_object_get(json, "source")), "mail\\xff.log");
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "remarks"), 0)),
                        "caf\\xe9 \\x1b[1m");
    json_decref(json);
    page_unmake(&made);
}

/* ---- hostile names ---- */

static void html_keeps_strangers_in(void **state)
{
    /* of what strangers sent: none of it as markup */
    static const char *const never[] = {
        "<script>alert", "<img",        "</script><script>",  "\"onmouseover", "<b>", "<i>",
        "<new>",         "<rotations>", "onerror=alert(1)>.", "<!--.",         "\033"};
    struct page_made made;
    char *text;

    (void)state;
    page_make(&made);
    text = written(page_html, &made.page);
    for (size_t i = 0; i < COUNT(never); i++)
        if (strstr(text, never[i]) != NULL)
            fail_msg("%s is on the page: %.60s", never[i], strstr(text, never[i]));
    assert_int_equal(occurrences(text, "<script"), 1);
    assert_int_equal(occurrences(text, "</script"), 1);
    assert_int_equal(occurrences(text, "<style"), 1);
    assert_non_null(strstr(text, "&lt;/title&gt;&lt;img/src=x/onerror=alert(1)&gt;.<wbr>example"));
    assert_non_null(strstr(text, "data-key=\"&quot;onmouseover=&quot;alert(1)&quot;x.example\""));
    assert_non_null(strstr(text, "&amp;lt;b&amp;gt;&amp;#39;x&amp;#x27;.<wbr>example"));
    free(text);
    page_unmake(&made);
}

/* Nothing to fetch, and a policy that would forbid it. */
static void html_stands_alone(void **state)
{
    static const char *const never[] = {
        "http://", "https://", "src=\"",   "url(",  "@import", "<link",
        "<iframe", "style=",   " onclick", "href=", "</style", "eval("};
    struct page_made made;
    char *text;

    (void)state;
    page_make(&made);
    text = written(page_html, &made.page);
    for (size_t i = 0; i < COUNT(never); i++)
        if (occurrences(text, never[i]) != (strcmp(never[i], "</style") == 0))
            fail_msg("%s is on the page", never[i]);
    assert_non_null(strstr(text, "default-src 'none'; style-src 'sha256-"));
    assert_non_null(strstr(text, page_css_hash));
    assert_non_null(strstr(text, page_js_hash));
    assert_null(strstr(text, "unsafe"));
    free(text);
    page_unmake(&made);
}

static void text_is_printable(void **state)
{
    struct page_made made;
    char *text;

    (void)state;
    page_make(&made);
    text = written(page_text, &made.page);
    for (const char *c = text; *c != '\0'; c++)
        if (*c != '\n' && (*c < ' ' || *c > '~'))
            fail_msg("octet %d: %.40s", *c, c);
    assert_non_null(strstr(text, "\nIn clear:     "));
    assert_non_null(strstr(text, "; mail may flow or not\n"));
    assert_non_null(strstr(text, "status=sent (250 ok) \\x1b[31mred"));
    free(text);
    page_unmake(&made);
}

/* What page_text writes to a terminal of this kind; to be freed. */
static char *written_to_terminal(const char *kind, const struct page *page)
{
    int ours = posix_openpt(O_RDWR | O_NOCTTY);
    FILE *out;
    char *text = calloc(1, TERMINAL_OCTETS + 1);
    size_t length = 0;
    ssize_t taken;

    assert_true(ours >= 0 && grantpt(ours) == 0 && unlockpt(ours) == 0);
    out = fopen(ptsname(ours), "w");
    assert_non_null(out);
    assert_non_null(text);
    setenv("TERM", kind, 1);
    assert_true(page_text(out, page));
    fclose(out);
    /* in parts, as the kernel hands them on; an error at the end, for nobody writes any more */
    while ((taken = read(ours, text + length, TERMINAL_OCTETS - length)) > 0)
        length += (size_t)taken;
    assert_true(length > 0 && length < TERMINAL_OCTETS);
    close(ours);
    return text;
}

static void headings_are_bold_on_a_terminal(void **state)
{
    static const char heading[] = "\033[1mDeliveries sent, by level of TLS";
    struct page_made made;
    char *text;

    (void)state;
    page_make_empty(&made); /* fits into the terminal's buffer */
    text = written_to_terminal("xterm", &made.page);
    assert_non_null(strstr(text, heading));
    free(text);
    text = written_to_terminal("dumb", &made.page);
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, heading + strlen("\033[1m")));
    free(text);
    page_unmake(&made);
}

/* From the section of verdicts to what follows it; to be freed. */
static char *verdicts_of(page_writer *write, const struct page *page, const char *end)
{
    char *text = written(write, page), *begin = strstr(text, "Present verdicts");

    assert_non_null(begin);
    assert_non_null(strstr(begin, end));
    *strstr(begin, end) = '\0';
    memmove(text, begin, strlen(begin) + 1);
    return text;
}

/* A message to several domains has several verdicts: shares are of all verdicts, not of messages. */
static void shares_of_verdicts(void **state)
{
    static const struct {
        page_writer *write;
        const char *end;
    } rows[] = {{page_text, "\nWith mode"}, {page_html, "</section>"}};
    struct page_made made;

    (void)state;
    page_make(&made);
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t messages = made.tally->total.messages;
        char *apart = verdicts_of(rows[i].write, &made.page, rows[i].end), *together;

        made.tally->total.messages = messages / 2;
        together = verdicts_of(rows[i].write, &made.page, rows[i].end);
        made.tally->total.messages = messages;
        assert_string_equal(together, apart);
        free(together);
        free(apart);
    }
    page_unmake(&made);
}

/* As many lines as words in our tables, whatever strangers send. */
static void prometheus_names_nobody(void **state)
{
    struct page_made made;
    char *text, *more;

    (void)state;
    page_make(&made);
    text = written(page_prometheus, &made.page);
    assert_null(strstr(text, "example"));
    for (unsigned i = 0; i < 1000; i++) {
        char name[40];

        snprintf(name, sizeof name, "new-%u.example", i);
        make_sent(made.tally, tally_domain_at(made.tally, name, strlen(name)), TALLY_OTHERS,
                  MAKE_NOW, TALLY_NONE);
    }
    made.page.judged = NULL; /* it knows no more domains */
    more = written(page_prometheus, &made.page);
    assert_true(occurrences(more, "\n") < occurrences(text, "\n"));
    assert_non_null(strstr(more, "\nmxcrypt_audit_sent{level=\"none\"} "));
    free(more);
    free(text);
    page_unmake(&made);
}

/* ---- lengths and limits ---- */

static void lists_end_at_top(void **state)
{
    static const struct {
        size_t top, rows;
    } rows[] = {{0, 0},
                {1, 1},
                {PAGE_TOP_MAX - 1, PAGE_TOP_MAX - 1},
                {PAGE_TOP_MAX, PAGE_TOP_MAX},
                {PAGE_TOP_MAX + 1, PAGE_TOP_MAX}};
    struct page_made made;

    (void)state;
    page_make_empty(&made);
    for (unsigned i = 0; i < PAGE_TOP_MAX + 5; i++) {
        char name[40];

        snprintf(name, sizeof name, "clear-%u.example", i);
        make_sent(made.tally, tally_domain_at(made.tally, name, strlen(name)), TALLY_OTHERS,
                  MAKE_NOW, TALLY_NONE);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text, more[40];

        made.page.top = rows[i].top;
        text = written(page_text, &made.page);
        assert_int_equal(occurrences(text, "  clear-"), rows[i].rows);
        snprintf(more, sizeof more, "\n  and %zu more: ", PAGE_TOP_MAX + 5 - rows[i].rows);
        assert_int_equal(occurrences(text, more), rows[i].rows > 0);
        free(text);
    }
    page_unmake(&made);
}

/* Rows of the table of domains: 500, and then a sentence. */
static void domains_end_at_500(void **state)
{
    struct page_made made;

    (void)state;
    page_make_empty(&made);
    made.page.top = 0;
    for (unsigned i = 0; i < 501; i++) {
        char name[40], *text;

        snprintf(name, sizeof name, "domain-%u.example", i);
        make_sent(made.tally, tally_domain_at(made.tally, name, strlen(name)), TALLY_OTHERS,
                  MAKE_NOW, TALLY_TRUSTED);
        if (i < 498)
            continue;
        text = written(page_html, &made.page);
        assert_int_equal(occurrences(text, "data-key=\"domain-"), i < 500 ? i + 1 : 500);
        assert_int_equal(occurrences(text, "The 500 domains with the most messages, of 501."),
                         i == 500);
        free(text);
    }
    page_unmake(&made);
}

/* 255 octets, the longest name that a tally holds. */
static void longest_name(void **state)
{
    static page_writer *const pages[] = {page_text, page_json, page_html};
    char name[TALLY_NAME_MAX + 1];
    struct page_made made;

    (void)state;
    memset(name, '<', TALLY_NAME_MAX);
    name[TALLY_NAME_MAX] = '\0';
    page_make_empty(&made);
    make_sent(made.tally, tally_domain_at(made.tally, name, TALLY_NAME_MAX), TALLY_OTHERS, MAKE_NOW,
              TALLY_NONE);
    for (size_t i = 0; i < COUNT(pages); i++) {
        char *text = written(pages[i], &made.page);

        assert_non_null(strstr(text, pages[i] == page_html ? "&lt;&lt;&lt;" : name));
        free(text);
    }
    page_unmake(&made);
}

static void a_full_disk_is_noticed(void **state)
{
    static page_writer *const pages[] = {page_text, page_json, page_html, page_prometheus};
    struct page_made made;

    (void)state;
    page_make(&made);
    for (size_t i = 0; i < COUNT(pages); i++) {
        FILE *full = fopen("/dev/full", "w");

        assert_non_null(full);
        assert_false(pages[i](full, &made.page));
        fclose(full);
    }
    page_unmake(&made);
}

static int berlin_time(void **state)
{
    (void)state;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_equals_tally),
        cmocka_unit_test(json_without_verdicts),
        cmocka_unit_test(json_of_nothing),
        cmocka_unit_test(json_of_any_octets),
        cmocka_unit_test(html_keeps_strangers_in),
        cmocka_unit_test(html_stands_alone),
        cmocka_unit_test(text_is_printable),
        cmocka_unit_test(headings_are_bold_on_a_terminal),
        cmocka_unit_test(prometheus_names_nobody),
        cmocka_unit_test(lists_end_at_top),
        cmocka_unit_test(domains_end_at_500),
        cmocka_unit_test(longest_name),
        cmocka_unit_test(a_full_disk_is_noticed),
        cmocka_unit_test(shares_of_verdicts),
    };

    return cmocka_run_group_tests(tests, berlin_time, NULL);
}
