/* What an operator may write in mxcrypt-rules(5), and what is said to one who wrote it otherwise.
 */
#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "policy/rules/rules.h"

#define U_BUECHER                                                                                  \
    "b\xc3\xbc"                                                                                    \
    "cher.example"
#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static struct rules *parsed(const char *text, size_t length)
{
    char error[RULES_ERROR_MAX] = "";
    struct rules *rules;

    if (rules_parse(&rules, text, length, 25, error) != 0)
        fail_msg("%.80s: %s", text, error);
    return rules;
}

/* ---- one line ---- */

static const struct line {
    const char *name; /* the line itself */
    const char *pattern;
    enum rule_action action;
    const char *policy;
    enum verdict_level level;
    int64_t until_s;
    const char *ticket;
} lines[] = {
    {"example.com off", "example.com", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"EXAMPLE.Com. \t monitor \t ", "example.com", RULE_MONITOR, NULL, VERDICT_NO_OPINION, 0, NULL},
    {U_BUECHER " off", "xn--bcher-kva.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"." U_BUECHER " off", ".xn--bcher-kva.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"example.com:587 off", "example.com:587", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"example.com:Submission off", "example.com:587", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"[mx.example.com] off", "[mx.example.com]", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"[mx.example.com.]:smtps off", "[mx.example.com]:465", RULE_OFF, NULL, VERDICT_NO_OPINION, 0,
     NULL},
    {".Example.com off", ".example.com", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {".com off", ".com", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"* monitor", "*", RULE_MONITOR, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"192.0.2.1 off", "[192.0.2.1]", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"[192.0.2.1] off", "[192.0.2.1]", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"[192.0.2.1]:587 off", "[192.0.2.1]:587", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"192.0.2.1:587 off", "[192.0.2.1]:587", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"[IPv6:2001:DB8:0::1] off", "[2001:db8::1]", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"[2001:db8::1]:587 off", "[2001:db8::1]:587", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"2001:db8::1 off", "[2001:db8::1]", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"::ffff:192.0.2.1 off", "[192.0.2.1]", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"relay off", "relay", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"[Relay.]:587 off", "[relay]:587", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"localhost off", "localhost", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"/var/run/LMTP off", "/var/run/lmtp", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"private/lmtp off", "private/lmtp", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},

    {"a.example at-least encrypt", "a.example", RULE_AT_LEAST, "encrypt", VERDICT_ENCRYPT, 0, NULL},
    {"a.example at-least verify", "a.example", RULE_AT_LEAST, "verify servername=hostname",
     VERDICT_VERIFY, 0, NULL},
    {"a.example at-least verify servername=hostname", "a.example", RULE_AT_LEAST,
     "verify servername=hostname", VERDICT_VERIFY, 0, NULL},
    {"a.example at-least secure match=mx.example:.b.example servername=hostname", "a.example",
     RULE_AT_LEAST, "secure match=mx.example:.b.example servername=hostname", VERDICT_SECURE, 0,
     NULL},
    {"a.example at-least dane-only", "a.example", RULE_AT_LEAST, "dane-only", VERDICT_DANE_ONLY, 0,
     NULL},
    {"a.example exactly none", "a.example", RULE_EXACTLY, "none", VERDICT_NO_OPINION, 0, NULL},
    {"a.example exactly may ciphers=high", "a.example", RULE_EXACTLY, "may ciphers=high",
     VERDICT_NO_OPINION, 0, NULL},
    {"a.example exactly encrypt", "a.example", RULE_EXACTLY, "encrypt", VERDICT_ENCRYPT, 0, NULL},
    {"a.example exactly dane", "a.example", RULE_EXACTLY, "dane", VERDICT_DANE, 0, NULL},
    {"a.example exactly dane-only,ciphers=high", "a.example", RULE_EXACTLY,
     "dane-only,ciphers=high", VERDICT_DANE_ONLY, 0, NULL},
    {"a.example exactly verify match=mx.example.com", "a.example", RULE_EXACTLY,
     "verify match=mx.example.com", VERDICT_VERIFY, 0, NULL},
    {"a.example exactly fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
     "a.example", RULE_EXACTLY, "fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
     VERDICT_NO_OPINION, 0, NULL},

    {"a.example off until=2026-12-31", "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 1798761600,
     NULL},
    {"a.example off ticket=X-1", "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, "X-1"},
    {"a.example exactly encrypt  ticket=\"asked by a partner\"  until=2026-12-31T18:00Z",
     "a.example", RULE_EXACTLY, "encrypt", VERDICT_ENCRYPT, 1798740000, "asked by a partner"},
    {"a.example off ticket=\"until=never # \"", "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0,
     "until=never # "},
    {"a.example off ticket=#7", "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, "#7"},
    {"a.example off ticket=x#7", "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, "x#7"},

    {"a.example off # why", "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"a.example off #", "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"a.example off\t#why", "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"a.example at-least verify  # 312 messages 2026-10-01..2026-11-20, all Verified", "a.example",
     RULE_AT_LEAST, "verify servername=hostname", VERDICT_VERIFY, 0, NULL},
    {"a.example exactly may ciphers=high # until=2026-12-31", "a.example", RULE_EXACTLY,
     "may ciphers=high", VERDICT_NO_OPINION, 0, NULL},
    {"a.example off ticket=X until=2026-12-31 # ticket=Y", "a.example", RULE_OFF, NULL,
     VERDICT_NO_OPINION, 1798761600, "X"},
    {"a.example off ticket=\"a # b\" # \"c", "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0,
     "a # b"},
    {"a.example off # pr\xc3\xbc"
     "fen",
     "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0, NULL},
    {"a.example off ticket=pr\xc3\xbc"
     "fen",
     "a.example", RULE_OFF, NULL, VERDICT_NO_OPINION, 0,
     "pr\xc3\xbc"
     "fen"},
};

static void test_line(void **state)
{
    const struct line *line = *state;
    struct rules *rules = parsed(line->name, strlen(line->name));
    const struct rule *rule = rules_at(rules, 0);

    assert_int_equal(rules_count(rules), 1);
    assert_string_equal(rule->pattern, line->pattern);
    assert_int_equal(rule->action, line->action);
    assert_int_equal(rule->level, line->level);
    assert_int_equal(rule->until_s, line->until_s);
    assert_int_equal(rule->line, 1);
    assert_int_equal(rule_is_named(rule), line->name[0] != '*');
    if (line->policy == NULL)
        assert_null(rule->policy);
    else
        assert_string_equal(rule->policy, line->policy);
    assert_int_equal(rule->policy_length, line->policy == NULL ? 0 : strlen(line->policy));
    if (line->ticket == NULL)
        assert_null(rule->ticket);
    else
        assert_string_equal(rule->ticket, line->ticket);
    rules_free(rules);
}

/* ---- files that are none ---- */

#define ONE(text) text, text

static const struct bad {
    const char *name;
    const char *text;
    const char *error; /* some of it; NULL: none */
} bad[] = {
    {ONE("*.example.com off"),
     "line 1: '*.example.com' is not a pattern: for every name below a domain write "
     ".example.com"},
    {"a wildcard in line 3", "\n\nexample.* off",
     "line 3: 'example.*' is not a pattern: * is used alone"},
    {ONE("user@example.com off"),
     "line 1: 'user@example.com' is not a pattern: rules are for next-hops"},
    {ONE(".example.com:25 off"),
     "'.example.com:25' is not a pattern: a parent is a dot and a domain"},
    {ONE(". off"), "a parent is a dot"},
    {ONE("..a.example off"), "a parent is a dot"},
    {ONE(".192.0.2.1 off"), "a parent is a dot"},
    {ONE("example.com:25 off"),
     "'example.com:25' is not a pattern: 25 is the port of a key without one; "
     "write it without the port"},
    {ONE("[192.0.2.1]:smtp off"), "write it without the port"},
    {ONE("relay:25 off"), "write it without the port"},
    {ONE("example.com:0 off"), "a port is 1 to 65535 or smtp, submission, submissions, smtps"},
    {ONE("example.com:65536 off"), "a port is 1 to 65535"},
    {ONE("example.com: off"), "a port is 1 to 65535"},
    {ONE("[a.example]:imap off"), "a port is 1 to 65535"},
    {ONE("smtp:example.com off"), "a port is 1 to 65535"},
    {ONE("example.com:587:1 off"), "a port is 1 to 65535"},
    {ONE("192.0.2.0/24 off"), "'192.0.2.0/24' is not a pattern: there are none for networks"},
    {ONE("2001:db8::/32 off"), "there are none for networks"},
    {ONE("example.com/x off"), "neither a path nor a host"},
    {ONE("unix:/run/lmtp off"), "of a path only what follows unix:"},
    {ONE("unix:private/lmtp off"), "of a path only what follows unix:"},
    {ONE("inet:[127.0.0.1]:24 off"), "of a host only what follows inet:"},
    {ONE("[example.com off"), "it is neither domain, .domain, [host], address, path nor *"},
    {ONE("[example.com]x off"), "it is neither domain"},
    {ONE("[[a.example]] off"), "it is neither domain"},
    {ONE("[] off"), "it is neither domain"},
    {ONE("-x.example off"), "it is neither domain"},
    {ONE("example.123 off"), "it is neither domain"},
    {ONE("123 off"), "it is neither domain"},
    {ONE("127.1 off"), "it is neither domain"},
    {ONE("example..com off"), "it is neither domain"},
    {ONE("a" L63 ".example off"), "it is neither domain"},
    {"octets that are no UTF-8 in a pattern", "b\xff.example off",
     "line 1: 'b\\xff.example' is not a pattern: it is neither"},
    {"comments", "# it is\n* off\n", NULL},

    {ONE("example.com"), "line 1: a pattern without an action: at-least, exactly, off or monitor"},
    {"an action of one's own in line 2", "* off\nexample.com enforce",
     "line 2: 'enforce' is not an action: at-least, exactly, off or monitor"},
    {ONE("example.com Off"), "'Off' is not an action"},
    {ONE("example.com encrypt"), "'encrypt' is not an action: write exactly encrypt, or at-least"},
    {ONE("example.com secure,match=a.example"),
     "'secure,match=a.example' is not an action: write exactly"},
    {ONE("example.com until=2026-12-31"), "'until=2026-12-31' is not an action"},
    {ONE("example.com off now"), "'now' after off, which takes only until= and ticket="},
    {ONE("example.com # off"), "'#' is not an action"},
    {ONE("example.com at-least # encrypt"), "at-least what?"},
    {ONE("example.com exactly # encrypt"), "exactly what?"},
    {ONE("example.com off why # so"), "'why' after off, which takes only"},
    {ONE("example.com exactly encrypt ciphers=high# so"), "is not a policy for Postfix"},
    {ONE("example.com off ticket=\"a\"# so"), "no blank after a quotation mark that closes"},
    {"a comment of no UTF-8", "example.com off # \xff",
     "a comment behind a rule that is not UTF-8"},
    {"a control character in a comment", "example.com off # \x1b[31m",
     "a control character: \\x1b"},
    {ONE("example.com monitor untill=2026-12-31"), "'untill=2026-12-31' after monitor"},
    {"at-least dane in line 12", "\n\n\n\n\n\n\n\n\n\n\nexample.com at-least dane",
     "line 12: at-least knows encrypt, verify, secure match=... and dane-only: 'dane' is not one "
     "of them"},
    {ONE("example.com at-least"), "at-least what? encrypt, verify, secure match=... or dane-only"},
    {ONE("example.com at-least until=2026-12-31"), "at-least what?"},
    {ONE("example.com at-least may"), "'may' is not one of them"},
    {ONE("example.com at-least encrypted"), "'encrypted' is not one of them"},
    {ONE("example.com at-least encrypt ciphers=high"), "at-least encrypt takes no attributes"},
    {ONE("example.com at-least encrypt,"), "at-least encrypt takes no attributes"},
    {ONE("example.com at-least dane-only ciphers=high"), "at-least dane-only takes no attributes"},
    {ONE("example.com at-least verify match=a.example"), "at-least verify takes no attributes"},
    {ONE("example.com at-least secure"),
     "'secure' is not a policy for Postfix: a level that needs match="},
    {ONE("example.com at-least secure match=*.example.com"),
     "match= with something that is no plain"},
    {ONE("example.com at-least secure match=nexthop"), "match= with something that is no plain"},
    {ONE("example.com exactly"), "exactly what? a policy, as in smtp_tls_policy_maps"},
    {ONE("example.com exactly ticket=1"), "exactly what?"},
    {ONE("example.com exactly half-dane"),
     "'half-dane' is not a policy for Postfix: unknown level"},
    {ONE("example.com exactly encrypt untill=2026-12-31"), "unknown attribute"},
    {ONE("example.com exactly secure match=a.example policy_type=sts"),
     "newer than the declared Postfix"},
    {ONE("example.com exactly encrypt {ciphers=high}"), "braces"},
    {"a policy with more than ASCII", "example.com exactly may ciphers=\xc3\xbc",
     "not printable ASCII"},

    {ONE("example.com off until=2026-12-31 until=2026-12-30"), "until= is given twice"},
    {ONE("example.com off ticket=1 ticket=2"), "ticket= is given twice"},
    {ONE("example.com off ticket="), "a ticket= without a text"},
    {ONE("example.com off ticket=\"\""), "a ticket= without a text"},
    {ONE("example.com off ticket=\"a"), "a quotation mark that nothing closes"},
    {ONE("example.com off ticket=\"a\"b"), "no blank after a quotation mark that closes"},
    {ONE("example.com off ticket=a\"b"), "a quotation mark inside a ticket= text"},
    {"a ticket of no UTF-8", "example.com off ticket=\xff", "a ticket= text that is not UTF-8"},
    {"a ticket with a surrogate", "example.com off ticket=\xed\xa0\x80",
     "a ticket= text that is not UTF-8"},
    {ONE("example.com off ticket=two words"),
     "'words' after an option: until= and ticket= come last"},
    {ONE("example.com exactly encrypt ticket=1 ciphers=high"), "'ciphers=high' after an option"},
    {ONE("example.com off until="),
     "'until=' is not a date: until=2026-12-31 (that day included) or"},
    {ONE("example.com off until=\"2026-12-31\""), "is not a date"},

    {ONE(" example.com off"), "line 1: a blank at the beginning: each rule is one line"},
    {"a continued policy", "example.com exactly secure\n    match=a.example",
     "a level that needs match="},
    {"a continued rule", "example.com off\n\toff", "line 2: a blank at the beginning"},
    {"a carriage return within", "example.com\roff", "line 1: a control character: \\x0d"},
    {"carriage returns alone", "# old line ends\rexample.com off",
     "line 1: a control character: \\x0d"},
    {"two carriage returns", "example.com off\r\r\n", "a control character: \\x0d"},
    {"a carriage return at the end", "example.com off\r", "a control character: \\x0d"},
    {"a form feed", "example.com off\f", "a control character: \\x0c"},
    {"a control character of Latin-1",
     "example.com off ticket=a\xc2\x9b"
     "31m",
     "line 1: a control character: U+009b"},
    {"a delete", "example.com off\x7f", "a control character: \\x7f"},

    {"twice, lines apart", "example.com off\n\nExample.COM. monitor",
     "line 3: a second rule for example.com; the first is "
     "in line 1"},
    {"an address twice", "192.0.2.1 off\n[192.0.2.1] off",
     "line 2: a second rule for [192.0.2.1]; the first is in line 1"},
    {"an IPv6 address twice", "[2001:db8::1] off\n[ipv6:2001:DB8:0::1] off",
     "line 2: a second rule for [2001:db8::1]"},
    {"* twice", "* off\n* off", "line 2: a second rule for *"},
    {"a port twice", "a.example:submission off\na.example:587 off",
     "line 2: a second rule for a.example:587"},
    {"twice, though the first has lapsed", "a.example off until=2001-01-01\na.example off",
     "line 2: a second rule for a.example"},
};

static void test_bad(void **state)
{
    const struct bad *row = *state;
    char error[RULES_ERROR_MAX] = "";
    struct rules *rules = (void *)1;
    int rc = rules_parse(&rules, row->text, strlen(row->text), 25, error);

    if (row->error == NULL) {
        assert_int_equal(rc, 0);
        rules_free(rules);
        return;
    }
    assert_int_equal(rc, -1);
    assert_null(rules);
    if (strncmp(error, "line ", 5) != 0 || strstr(error, row->error) == NULL)
        fail_msg("said: %s", error);
}

/* ---- files ---- */

static void test_no_rules(void **state)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "# nothing\n",
                                        "  \t# nothing",
                                        "\r\n\r\n",
                                        "\xef\xbb\xbf",
                                        "\xef\xbb\xbf# a mark\r\n"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct rules *rules = parsed(texts[i], strlen(texts[i]));

        assert_int_equal(rules_count(rules), 0);
        assert_int_equal(rules_next_lapse(rules, 0), 0);
        rules_free(rules);
    }
}

static void test_line_ends(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "# a file from elsewhere\r\na.example off\r\n\r\nb.example off\n"
                               "c.example exactly encrypt ticket=x\r\nd.example off";
    struct rules *rules = parsed(text, sizeof text - 1);

    (void)state;
    assert_int_equal(rules_count(rules), 4);
    assert_int_equal(rules_at(rules, 0)->line, 2);
    assert_int_equal(rules_at(rules, 1)->line, 4);
    assert_string_equal(rules_at(rules, 2)->ticket, "x");
    assert_int_equal(rules_at(rules, 3)->line, 6);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rules_index(rules, rules_at(rules, i)), i);
    rules_free(rules);
}

static void test_a_nul_is_refused(void **state)
{
    static const char text[] = "a.example off\n# \0\n";
    char error[RULES_ERROR_MAX];
    struct rules *rules;

    (void)state;
    assert_int_equal(rules_parse(&rules, text, sizeof text - 1, 25, error), -1);
    assert_string_equal(error, "line 2: a control character: \\x00");
}

/* ---- limits ---- */

/* A file of `rules` rules in `octets` octets, the rest being comments; freed by the caller. */
static char *file_of(size_t rules, size_t octets)
{
    char *text = malloc(octets + 32);
    size_t at = 0;

    assert_non_null(text);
    for (size_t i = 0; i < rules; i++)
        at += (size_t)sprintf(text + at, "d%zu.example off\n", i);
    assert_true(at <= octets);
    for (size_t i = 0; at < octets; at++, i++)
        text[at] = i % 1024 == 1023 ? '\n' : '#';
    return text;
}

static void test_limit_of_the_file(void **state)
{
    char error[RULES_ERROR_MAX], *text = file_of(1, RULES_TEXT_MAX + 1);
    struct rules *rules;

    (void)state;
    for (size_t length = RULES_TEXT_MAX - 1; length <= RULES_TEXT_MAX; length++)
        rules_free(parsed(text, length));
    assert_int_equal(rules_parse(&rules, text, RULES_TEXT_MAX + 1, 25, error), -1);
    assert_string_equal(error, "longer than 16777216 octets");
    free(text);
}

static void test_limit_of_rules(void **state)
{
    char error[RULES_ERROR_MAX];

    (void)state;
    for (size_t count = RULES_MAX - 1; count <= RULES_MAX + 1; count++) {
        char *text = file_of(count, 4 * 1024 * 1024);
        struct rules *rules;
        int rc = rules_parse(&rules, text, strlen(text), 25, error);

        assert_int_equal(rc, count <= RULES_MAX ? 0 : -1);
        if (rc == 0) {
            assert_int_equal(rules_count(rules), count);
            assert_string_equal(rules_at(rules, count - 1)->pattern,
                                count == RULES_MAX ? "d99999.example" : "d99998.example");
        } else {
            assert_string_equal(error, "line 100001: more than 100000 rules");
        }
        rules_free(rules);
        free(text);
    }
}

static void test_limit_of_a_line(void **state)
{
    static const char rule[] = "a.example exactly encrypt";
    char text[RULES_LINE_MAX + 16], error[RULES_ERROR_MAX];
    struct rules *rules;

    (void)state;
    for (size_t length = RULES_LINE_MAX - 1; length <= RULES_LINE_MAX + 1; length++)
        for (int ending = 0; ending < 3; ending++) {
            static const char *const endings[] = {"", "\n", "\r\n"};
            int want = length <= RULES_LINE_MAX ? 0 : -1;

            memset(text, ' ', length);
            memcpy(text, rule, sizeof rule - 1);
            strcpy(text + length, endings[ending]);
            assert_int_equal(rules_parse(&rules, text, strlen(text), 25, error), want);
            if (want == 0) {
                assert_string_equal(rules_at(rules, 0)->policy, "encrypt");
                rules_free(rules);
            } else {
                assert_string_equal(error, "line 1: longer than 4096 octets");
            }
            text[0] = '#';
            assert_int_equal(rules_parse(&rules, text, strlen(text), 25, error), want);
            if (want == 0)
                rules_free(rules);
        }
}

static void test_limit_of_a_ticket(void **state)
{
    char text[RULES_TICKET_MAX + 64], error[RULES_ERROR_MAX], ticket[RULES_TICKET_MAX + 2];
    struct rules *rules;

    (void)state;
    for (int length = RULES_TICKET_MAX - 1; length <= RULES_TICKET_MAX + 1; length++)
        for (int marks = 0; marks < 2; marks++) {
            memset(ticket, 't', (size_t)length);
            ticket[length] = '\0';
            snprintf(text, sizeof text,
                     marks ? "a.example off ticket=\"%s\"" : "a.example off ticket=%s", ticket);
            if (length > RULES_TICKET_MAX) {
                assert_int_equal(rules_parse(&rules, text, strlen(text), 25, error), -1);
                assert_string_equal(error, "line 1: a ticket= of more than 200 octets");
                continue;
            }
            rules = parsed(text, strlen(text));
            assert_string_equal(rules_at(rules, 0)->ticket, ticket);
            rules_free(rules);
        }
}

/* However long and strange what it is about, an error fits, and is one line of printable ASCII. */
static void test_errors_fit(void **state)
{
    static const char *const lines_before[] = {"",
                                               "[",
                                               "*.",
                                               "a.b ",
                                               "a.b off ",
                                               "a.b at-least ",
                                               "a.b exactly ",
                                               "a.b off until=",
                                               "a.b off ticket=1 "};
    char text[RULES_LINE_MAX + 1], error[RULES_ERROR_MAX];
    struct rules *rules;

    (void)state;
    for (size_t i = 0; i < COUNT(lines_before); i++)
        for (int c = 0x21; c < 0x100; c++) {
            memset(text, c, sizeof text);
            memcpy(text, lines_before[i], strlen(lines_before[i]));
            if (rules_parse(&rules, text, RULES_LINE_MAX, 25, error) == 0) {
                assert_int_equal(c, '#'); /* a comment */
                rules_free(rules);
                continue;
            }
            assert_true(strlen(error) < RULES_ERROR_MAX - 1);
            for (const char *p = error; *p != '\0'; p++)
                assert_true(*p >= ' ' && *p <= '~');
        }
}

int main(void)
{
    ROWS_ADD(lines, test_line);
    ROWS_ADD(bad, test_bad);
    ROWS_ADD_TEST(test_no_rules);
    ROWS_ADD_TEST(test_line_ends);
    ROWS_ADD_TEST(test_a_nul_is_refused);
    ROWS_ADD_TEST(test_limit_of_the_file);
    ROWS_ADD_TEST(test_limit_of_rules);
    ROWS_ADD_TEST(test_limit_of_a_line);
    ROWS_ADD_TEST(test_limit_of_a_ticket);
    ROWS_ADD_TEST(test_errors_fit);
    return rows_run("rules");
}
